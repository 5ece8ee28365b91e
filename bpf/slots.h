/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * slots - which endpoint owns which region of the table of flows. An endpoint keeps its slot as
 * long as it is the same pod behind the same interface; what is freed is given to another one as
 * late as possible. Pure.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/table.h"

/* Defaults and bounds of the options max-endpoints and flows-per-endpoint. 32 MiB by default. */
#define BH_SLOTS_DEFAULT 512
#define BH_SLOTS_MAX 4096 /* BH_SLOT_MAX; as many as bh_endpoints holds */
#define BH_SLOT_FLOWS_DEFAULT 4096
#define BH_SLOT_FLOWS_MIN 64
#define BH_SLOT_FLOWS_MAX 65536

/* True if an endpoint with enum bh_role @role has flows: all but system pods. */
bool bh_slots_needed(uint8_t role);

struct bh_slots_in {
	const struct bh_table *actual; /* bh_endpoints as the kernel has it; sorted */
	struct bh_table *want;	       /* and as it should be; sorted; .slot of each row is set */
	const uint32_t *lost;	       /* interfaces whose number may be another's now; sorted */
	size_t n_lost;
	uint32_t n_slots; /* 1 .. n_slots are there */
};

struct bh_slots_out {
	uint32_t *given; /* slots that got another owner: their regions must be emptied */
	size_t n_given;
	size_t n_without; /* endpoints that need a slot and have BH_SLOT_NONE */
};

/* 0 or -ENOMEM, then nothing was changed. Release with bh_slots_done(). */
int bh_slots_assign(const struct bh_slots_in *in, struct bh_slots_out *ret_out);
void bh_slots_done(struct bh_slots_out *out);
