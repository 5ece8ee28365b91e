/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * grants - the grants of every Tenant as entries of the maps PORTSETS, PEERS and WORLD.
 */
struct bh_ids;
struct bh_picture;
struct bh_policy;

/*
 * Adds unsorted rows to @p. Grants towards a Tenant that does not exist, and those that need more
 * than BH_PORTSET_MAX ranges of ports towards one peer, are left out (which denies); the latter is
 * a problem in @p. 0 or -ENOMEM.
 */
int bh_grants_compile(struct bh_policy *p, const struct bh_picture *pic, const struct bh_ids *ids);
