/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/ids.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/bh_abi.h"
#include "common/strmap.h"

struct bh_ids {
	struct bh_strmap *by_name; /* value: the id as a pointer-sized number */
	char **names;		   /* index: id - BH_TENANT_FIRST; NULL = free */
	size_t n_names;
	uint32_t next;
};

int bh_ids_new(struct bh_ids **ret_ids)
{
	bh_auto(bh_ids_freep) struct bh_ids *ids = calloc(1, sizeof(*ids));
	int r;

	if (!ids)
		return -ENOMEM;
	ids->next = BH_TENANT_FIRST;
	r = bh_strmap_new(&ids->by_name);
	if (r < 0)
		return r;
	*ret_ids = BH_TAKE_PTR(ids);
	return 0;
}

struct bh_ids *bh_ids_free(struct bh_ids *ids)
{
	if (!ids)
		return NULL;
	for (size_t i = 0; i < ids->n_names; i++)
		free(ids->names[i]);
	free(ids->names);
	bh_strmap_free(ids->by_name);
	free(ids);
	return NULL;
}

uint32_t bh_ids_get(const struct bh_ids *ids, const char *name)
{
	return (uint32_t)(uintptr_t)bh_strmap_get(ids->by_name, name);
}

const char *bh_ids_name(const struct bh_ids *ids, uint32_t id)
{
	switch (id) {
	case BH_TENANT_UNASSIGNED:
		return "_unassigned";
	case BH_TENANT_SYSTEM:
		return "_system";
	case BH_TENANT_CONFLICT:
		return "_conflict";
	case BH_TENANT_NONE:
		return "_unknown";
	}
	if (id < BH_TENANT_FIRST || id - BH_TENANT_FIRST >= ids->n_names)
		return NULL;
	return ids->names[id - BH_TENANT_FIRST];
}

int bh_ids_restore(struct bh_ids *ids, const char *name, uint32_t id)
{
	const size_t slot = (size_t)id - BH_TENANT_FIRST;
	bh_autofree char *copy = NULL;
	int r;

	if (id < BH_TENANT_FIRST || !*name || strlen(name) >= BH_IDS_NAME_MAX)
		return -EINVAL;
	if (slot >= BH_IDS_MAX)
		return -ENOSPC;
	if (bh_ids_get(ids, name))
		return bh_ids_get(ids, name) == id ? 0 : -EEXIST;
	if (slot < ids->n_names && ids->names[slot])
		return -EEXIST;
	if (slot >= ids->n_names) {
		char **names = reallocarray(ids->names, slot + 1, sizeof(*names));

		if (!names)
			return -ENOMEM;
		memset(names + ids->n_names, 0, (slot + 1 - ids->n_names) * sizeof(*names));
		ids->names = names;
		ids->n_names = slot + 1;
	}
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	r = bh_strmap_put(ids->by_name, name, (void *)(uintptr_t)id, NULL);
	if (r < 0)
		return r;
	ids->names[slot] = BH_TAKE_PTR(copy);
	if (id >= ids->next)
		ids->next = id + 1;
	return 0;
}

int bh_ids_alloc(struct bh_ids *ids, const char *name, uint32_t *ret_id)
{
	uint32_t id = bh_ids_get(ids, name);
	int r;

	if (!id) {
		if (strlen(name) >= BH_IDS_NAME_MAX)
			return -ENAMETOOLONG;
		id = ids->next;
		r = bh_ids_restore(ids, name, id);
		if (r < 0)
			return r;
	}
	*ret_id = id;
	return 0;
}

size_t bh_ids_count(const struct bh_ids *ids)
{
	return bh_strmap_len(ids->by_name);
}
