/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/portset.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define FNV64_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV64_PRIME UINT64_C(0x100000001b3)

int bh_portset_add_range(struct bh_portset_builder *b, const struct bh_port_range *p)
{
	if (b->n == b->cap) {
		const size_t cap = b->cap ? b->cap * 2 : 16;
		struct bh_abi_port_range *v = reallocarray(b->v, cap, sizeof(*v));

		if (!v)
			return -ENOMEM;
		b->v = v;
		b->cap = cap;
	}
	b->v[b->n++] = (struct bh_abi_port_range){
		.lo = (uint32_t)p->proto << 16 | (p->proto == IPPROTO_ICMP ? 0 : p->lo),
		.hi = (uint32_t)p->proto << 16 | (p->proto == IPPROTO_ICMP ? 0xffff : p->hi),
	};
	return 0;
}

int bh_portset_add(struct bh_portset_builder *b, const struct bh_grant *g)
{
	int r = 0;

	if (g->any_port)
		b->any = true;
	for (size_t i = 0; i < g->n_ports && r == 0; i++)
		r = bh_portset_add_range(b, &g->ports[i]);
	return r;
}

static int range_cmp(const void *a, const void *b)
{
	const struct bh_abi_port_range *x = a, *y = b;

	if (x->lo != y->lo)
		return x->lo < y->lo ? -1 : 1;
	return (x->hi > y->hi) - (x->hi < y->hi);
}

/* Sorted input; ranges that touch become one, unless they are of two protocols. */
static size_t merge(struct bh_abi_port_range *v, size_t n)
{
	size_t out = 0;

	for (size_t i = 0; i < n; i++) {
		if (out && v[i].lo >> 16 == v[out - 1].hi >> 16 && v[i].lo <= v[out - 1].hi + 1) {
			if (v[i].hi > v[out - 1].hi)
				v[out - 1].hi = v[i].hi;
		} else {
			v[out++] = v[i];
		}
	}
	return out;
}

static uint64_t hash_ranges(const struct bh_abi_port_range *v, size_t n)
{
	const uint8_t *b = (const uint8_t *)v;
	uint64_t h = FNV64_BASIS;

	for (size_t i = 0; i < n * sizeof(*v); i++)
		h = (h ^ b[i]) * FNV64_PRIME;
	return h <= BH_PORTS_NONE ? h + 2 : h;
}

int bh_portset_finish(struct bh_portset_builder *b, uint64_t *ret_id,
		      struct bh_abi_portset *ret_set)
{
	if (b->any) {
		*ret_id = BH_PORTS_ANY;
		return 0;
	}
	if (b->n) {
		qsort(b->v, b->n, sizeof(*b->v), range_cmp);
		b->n = merge(b->v, b->n);
	}
	if (!b->n) {
		*ret_id = BH_PORTS_NONE;
		return 0;
	}
	if (b->n > BH_PORTSET_MAX)
		return -E2BIG;
	*ret_set = (struct bh_abi_portset){ .n = (uint32_t)b->n };
	memcpy(ret_set->r, b->v, b->n * sizeof(*b->v));
	*ret_id = hash_ranges(b->v, b->n);
	return 0;
}

void bh_portset_done(struct bh_portset_builder *b)
{
	free(b->v);
	*b = (struct bh_portset_builder){ 0 };
}
