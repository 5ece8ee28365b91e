/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * grants - the grants of every Tenant as entries of the maps PORTSETS, PEERS and WORLD.
 */
#include <stdint.h>

struct bh_ids;
struct bh_picture;
struct bh_policy;
struct bh_portset_builder;

/*
 * Adds unsorted rows to @p. Grants towards a Tenant that does not exist, and those that need more
 * than BH_PORTSET_MAX ranges of ports towards one peer, are left out (which denies); the latter is
 * a problem in @p. 0 or -ENOMEM.
 */
int bh_grants_compile(struct bh_policy *p, const struct bh_picture *pic, const struct bh_ids *ids);

/*
 * For both compilers of grants: close @b and put the set into PORTSETS. 1 with *ret_id; 0 if the
 * set is empty, or too large to be expressed, which is a problem of @tenant in direction @dir
 * (BH_DIR_*) in @p: *ret_id is BH_PORTS_NONE then. -ENOMEM.
 */
int bh_grants_publish(struct bh_policy *p, const char *tenant, uint8_t dir,
		      struct bh_portset_builder *b, uint64_t *ret_id);
