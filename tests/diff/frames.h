/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * frames - random frames that are nearly right: built layer by layer with every feature that the
 * parser knows, then now and then damaged.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/diff/reference.h"

#define FRAME_MAX 1024

struct rng {
	uint64_t state; /* not 0 */
};

uint32_t rng_next(struct rng *r);
/* 0..n-1 */
uint32_t rng_below(struct rng *r, uint32_t n);

/* The next frame to or from @ep, into @buf; returns its length. */
size_t frame_make(struct rng *r, const struct ref_endpoint *ep, bool egress,
		  uint8_t buf[static FRAME_MAX]);
