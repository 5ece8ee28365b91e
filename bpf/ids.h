/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * ids - the numbers that tenants have in the kernel's maps. Allocated once and never reused while
 * the pinned id map lives: a counter or a flow of a tenant that is gone must not become another's.
 * Pure; bpf/datapath loads and stores them.
 */
#include <stddef.h>
#include <stdint.h>

#include "common/cleanup.h"

struct bh_ids; /* opaque */

#define BH_IDS_MAX 65536
#define BH_IDS_NAME_MAX 256 /* bytes with the NUL; as struct bh_abi_tenant_name */

int bh_ids_new(struct bh_ids **ret_ids);
struct bh_ids *bh_ids_free(struct bh_ids *ids);
BH_DEFINE_AUTO(struct bh_ids, bh_ids_free)

/* The number of @name, or 0 if it has none. */
uint32_t bh_ids_get(const struct bh_ids *ids, const char *name);
/* Its name, or NULL; for BH_TENANT_UNASSIGNED and the like "_unassigned" ... (no tenant's name). */
const char *bh_ids_name(const struct bh_ids *ids, uint32_t id);
/* Put a known pair back. 0, -EEXIST if either is taken otherwise, -EINVAL, -ENOMEM, -ENOSPC. */
int bh_ids_restore(struct bh_ids *ids, const char *name, uint32_t id);
/* The number of @name, a new one if need be. 0, -ENAMETOOLONG, -ENOSPC, -ENOMEM. */
int bh_ids_alloc(struct bh_ids *ids, const char *name, uint32_t *ret_id);
size_t bh_ids_count(const struct bh_ids *ids);
