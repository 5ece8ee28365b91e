/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * observe - what the reporter gets to see: the pipeline's state and the kernel's counters as a
 * snapshot of plain values.
 */
#include <stdbool.h>
#include <stdint.h>

struct bh_dir;
struct bh_pipeline;
struct bh_snapshot;

struct bh_observe {
	const struct bh_pipeline *pl; /* not NULL */
	struct bh_datapath *dp;
	const struct bh_dir *dir;
	const char *node;
	uint64_t start_unix_ms;
	uint64_t events; /* delivered since the start */
	bool ready;
};

/* Fill @s, which is new. What cannot be read is left out; a lack of memory is remembered in @s. */
void bh_observe(const struct bh_observe *o, struct bh_snapshot *s);
