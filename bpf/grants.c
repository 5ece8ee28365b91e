/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/grants.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/ids.h"
#include "bpf/policy.h"
#include "bpf/portset.h"
#include "common/cleanup.h"
#include "model/tenant.h"

/* One tenant's grants in one direction. */
struct side {
	const struct bh_pic_tenant *tenant;
	uint32_t id;
	uint8_t dir; /* BH_DIR_* */
	const struct bh_grant *v;
	size_t n;
};

int bh_grants_publish(struct bh_policy *p, const char *tenant, uint8_t dir,
		      struct bh_portset_builder *b, uint64_t *ret_id)
{
	struct bh_abi_portset set;
	int r;

	r = bh_portset_finish(b, ret_id, &set);
	if (r == -E2BIG) {
		bh_policy_problem(
			p, tenant,
			"spec.network.%s: over %d separate port ranges for one peer, not granted",
			dir == BH_DIR_EGRESS ? "egress" : "ingress", BH_PORTSET_MAX);
		*ret_id = BH_PORTS_NONE;
		return 0;
	}
	if (*ret_id == BH_PORTS_NONE)
		return 0;
	if (*ret_id != BH_PORTS_ANY) {
		r = bh_table_add(&p->maps[BH_PM_PORTSETS], ret_id, &set);
		if (r < 0)
			return r;
	}
	return 1;
}

/* The PEERS key that a grant speaks of. False: none (world), or somebody who does not exist. */
static bool peer_key(const struct side *s, const struct bh_grant *g, const struct bh_ids *ids,
		     struct bh_abi_peer_key *ret_key)
{
	struct bh_abi_peer_key k = { .tenant = s->id, .dir = s->dir };

	switch (g->peer) {
	case BH_GRANT_TENANT:
		k.cls = BH_CLASS_TENANT;
		k.peer_tenant = bh_ids_get(ids, g->tenant);
		if (!k.peer_tenant)
			return false;
		break;
	case BH_GRANT_APISERVER:
		k.cls = BH_CLASS_APISERVER;
		break;
	case BH_GRANT_NODE:
		k.cls = BH_CLASS_NODE;
		break;
	case BH_GRANT_METADATA:
		k.cls = BH_CLASS_METADATA;
		break;
	case BH_GRANT_CIDR:
	case BH_GRANT_SERVICE:
		return false;
	}
	*ret_key = k;
	return true;
}

static bool grants_tenant(const struct bh_grant *v, size_t n, const char *tenant)
{
	for (size_t i = 0; i < n; i++) {
		if (v[i].peer == BH_GRANT_TENANT && strcmp(v[i].tenant, tenant) == 0)
			return true;
	}
	return false;
}

/* Tenants are by name. */
static const struct bh_tenant_spec *spec_of(const struct bh_picture *pic, const char *name)
{
	size_t lo = 0, hi = pic->n_tenants;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;
		const int r = strcmp(pic->tenants[mid].name, name);

		if (!r)
			return pic->tenants[mid].spec;
		if (r < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/* A grant between tenants takes two: an egress one here and an ingress one there. */
static void tell_of_tenants(struct bh_policy *p, const struct bh_picture *pic, const struct side *s)
{
	const bool out = s->dir == BH_DIR_EGRESS;
	const char *const where = out ? "egress" : "ingress";

	for (size_t i = 0; i < s->n; i++) {
		const struct bh_tenant_spec *other;

		if (s->v[i].peer != BH_GRANT_TENANT)
			continue;
		other = spec_of(pic, s->v[i].tenant);
		if (!other)
			bh_policy_problem(p, s->tenant->name,
					  "spec.network.%s[%zu]: without effect: no Tenant '%s'",
					  where, i, s->v[i].tenant);
		else if (!(out ? grants_tenant(other->net.ingress_grants, other->net.n_ingress,
					       s->tenant->name)
			       : grants_tenant(other->net.egress_grants, other->net.n_egress,
					       s->tenant->name)))
			bh_policy_problem(
				p, s->tenant->name,
				"spec.network.%s[%zu]: without effect: Tenant '%s' grants no %s",
				where, i, s->v[i].tenant, out ? "ingress" : "egress");
	}
}

static int compile_peers(struct bh_policy *p, const struct side *s, const struct bh_ids *ids)
{
	for (size_t i = 0; i < s->n; i++) {
		__attribute__((__cleanup__(bh_portset_done))) struct bh_portset_builder b = { 0 };
		struct bh_abi_peer_key key, other;
		uint64_t id = BH_PORTS_NONE;
		bool seen = false;
		int r = 0;

		if (!peer_key(s, &s->v[i], ids, &key))
			continue;
		/* all grants towards one peer are one entry, made at the first of them */
		for (size_t k = 0; k < s->n && r >= 0; k++) {
			if (!peer_key(s, &s->v[k], ids, &other) ||
			    memcmp(&key, &other, sizeof(key)))
				continue;
			seen = seen || k < i;
			r = bh_portset_add(&b, &s->v[k]);
		}
		if (r < 0)
			return r;
		if (seen)
			continue;
		r = bh_grants_publish(p, s->tenant->name, s->dir, &b, &id);
		if (r > 0)
			r = bh_table_add(&p->maps[BH_PM_PEERS], &key, &id);
		if (r < 0)
			return r;
	}
	return 0;
}

/* All of IPv4 in the 16-byte form. "::/0" means IPv6 alone, though its bits cover this too. */
static const struct bh_prefix all_v4 = { .addr.b = { [10] = 0xff, [11] = 0xff }, .len = 96 };

static bool is_v4(const struct bh_prefix *p)
{
	return bh_prefix_covers(&all_v4, p);
}

static int prefix_cmp(const void *a, const void *b)
{
	return bh_prefix_cmp(a, b);
}

/*
 * Every prefix that is named, granted or excepted, and the root of IPv4: where the answer may
 * change. Sorted, unique; none at all without a cidr grant.
 */
static int named_prefixes(const struct side *s, struct bh_prefix **ret_v, size_t *ret_n)
{
	bh_autofree struct bh_prefix *v = NULL;
	size_t n = 0, out = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->v[i].peer == BH_GRANT_CIDR ? 1 + s->v[i].n_except : 0;
	v = calloc(n + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	if (n) {
		n = 0;
		v[n++] = all_v4;
	}
	for (size_t i = 0; i < s->n; i++) {
		if (s->v[i].peer != BH_GRANT_CIDR)
			continue;
		v[n++] = s->v[i].cidr;
		for (size_t k = 0; k < s->v[i].n_except; k++)
			v[n++] = s->v[i].except[k];
	}
	qsort(v, n, sizeof(*v), prefix_cmp);
	for (size_t i = 0; i < n; i++) {
		if (!out || bh_prefix_cmp(&v[out - 1], &v[i]))
			v[out++] = v[i];
	}
	*ret_v = BH_TAKE_PTR(v);
	*ret_n = out;
	return 0;
}

/* Does the grant hold for all of @p? Prefixes nest or are disjoint, so it holds for all or none. */
static bool covers(const struct bh_grant *g, const struct bh_prefix *p)
{
	if (g->peer != BH_GRANT_CIDR || is_v4(&g->cidr) != is_v4(p) ||
	    !bh_prefix_covers(&g->cidr, p))
		return false;
	for (size_t i = 0; i < g->n_except; i++) {
		if (bh_prefix_covers(&g->except[i], p))
			return false; /* lies inside the cidr, so it is of its family */
	}
	return true;
}

static int add_world(struct bh_policy *p, const struct side *s, const struct bh_prefix *prefix,
		     uint64_t id)
{
	struct bh_abi_world_key key = {
		.prefixlen = BH_WORLD_KEY_FIXED_BITS + prefix->len,
		.tenant = s->id,
		.dir = s->dir,
	};

	memcpy(key.addr, prefix->addr.b, sizeof(key.addr));
	return bh_table_add(&p->maps[BH_PM_WORLD], &key, &id);
}

/* What is inside of a NAT64 prefix is judged by the IPv4 address behind it: no grant meets it. */
static void tell_of_nat64(struct bh_policy *p, const struct bh_picture *pic, const struct side *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct bh_prefix *cidr = &s->v[i].cidr;
		const struct bh_addr judged = bh_picture_judged(pic, &cidr->addr);

		if (s->v[i].peer == BH_GRANT_CIDR && cidr->len >= 96 &&
		    bh_addr_cmp(&judged, &cidr->addr) != 0)
			bh_policy_problem(p, s->tenant->name,
					  "spec.network.%s[%zu]: without effect: inside of a NAT64 "
					  "prefix the IPv4 address counts",
					  s->dir == BH_DIR_EGRESS ? "egress" : "ingress", i);
	}
}

/*
 * The kernel takes the longest prefix that matches. Each prefix that is named anywhere therefore
 * holds the union of all grants that cover it: a grant for the outer one goes on inside the inner
 * one, and an exception ends one grant without ending another.
 */
static int compile_world(struct bh_policy *p, const struct bh_picture *pic, const struct side *s)
{
	bh_autofree struct bh_prefix *v = NULL;
	size_t n = 0;
	int r;

	tell_of_nat64(p, pic, s);
	r = named_prefixes(s, &v, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		__attribute__((__cleanup__(bh_portset_done))) struct bh_portset_builder b = { 0 };
		uint64_t id = BH_PORTS_NONE;

		for (size_t k = 0; k < s->n && r >= 0; k++) {
			if (covers(&s->v[k], &v[i]))
				r = bh_portset_add(&b, &s->v[k]);
		}
		if (r >= 0)
			r = bh_grants_publish(p, s->tenant->name, s->dir, &b, &id);
		/* an empty set is an entry too: it must hide the shorter prefix */
		if (r >= 0)
			r = add_world(p, s, &v[i], id);
		if (r < 0)
			return r;
	}
	return 0;
}

int bh_grants_compile(struct bh_policy *p, const struct bh_picture *pic, const struct bh_ids *ids)
{
	for (size_t i = 0; i < pic->n_tenants; i++) {
		const struct bh_pic_tenant *t = &pic->tenants[i];
		const uint32_t id = bh_ids_get(ids, t->name);
		const struct side sides[] = {
			{ t, id, BH_DIR_EGRESS, t->spec->net.egress_grants, t->spec->net.n_egress },
			{ t, id, BH_DIR_INGRESS, t->spec->net.ingress_grants,
			  t->spec->net.n_ingress },
		};

		if (!id) {
			bh_policy_problem(p, t->name,
					  "no number left for this tenant: its pods reach nothing");
			continue;
		}
		for (size_t k = 0; k < sizeof(sides) / sizeof(sides[0]); k++) {
			int r;

			tell_of_tenants(p, pic, &sides[k]);
			r = compile_peers(p, &sides[k], ids);

			if (r >= 0)
				r = compile_world(p, pic, &sides[k]);
			if (r < 0)
				return r;
		}
	}
	return 0;
}
