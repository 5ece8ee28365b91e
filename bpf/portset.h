/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * portset - the ports of several grants as one sorted list of disjoint ranges, and its id, which is
 * a hash of the contents: equal sets share one map entry, and a changed set is another entry, so
 * that no grant ever sees a half-written one.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/bh_abi.h"
#include "model/tenant.h"

struct bh_portset_builder {
	bool any;
	struct bh_abi_port_range *v;
	size_t n, cap;
};

/* Add the ports of one grant. 0 or -ENOMEM. */
int bh_portset_add(struct bh_portset_builder *b, const struct bh_grant *g);
/* Add one range. 0 or -ENOMEM. */
int bh_portset_add_range(struct bh_portset_builder *b, const struct bh_port_range *range);

/*
 * The id of what was added: BH_PORTS_ANY, BH_PORTS_NONE, or a hash with *ret_set filled in.
 * -E2BIG if it takes more than BH_PORTSET_MAX ranges.
 */
int bh_portset_finish(struct bh_portset_builder *b, uint64_t *ret_id,
		      struct bh_abi_portset *ret_set);
void bh_portset_done(struct bh_portset_builder *b);
