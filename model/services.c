/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "model/derive.h"
#include "model/special.h"
#include "model/tenant.h"

/*
 * What stands behind Services. The kernel translates their addresses after the sender was judged,
 * so a Service is as allowed as its worst backend, and nobody can talk through it to whom he may
 * not talk directly (CVE-2021-25740). Synced Services and slices are a tenant's to write: they
 * count, since kube-proxy follows them, and can only narrow.
 */

/* Addresses cost room in the kernel that all tenants share, and who writes a Service chooses them.
 */
#define MAX_EXTERNAL 16384

/* One Service that has one address. */
struct claim {
	struct bh_addr addr;
	bool external;
	uint32_t service;
};

struct claims {
	struct claim *v;
	size_t n;
};

/* To be sorted and searched without touching texts that are all over the memory. */
struct place {
	uint64_t hash; /* of namespace and Service */
	const struct bh_object *slice;
};

static uint64_t hash_text(uint64_t h, const char *s)
{
	do
		h = (h ^ (uint8_t)*s) * UINT64_C(0x100000001b3); /* FNV-1a, with the NUL */
	while (*s++);
	return h;
}

static uint64_t hash_place(const char *ns, const char *service)
{
	return hash_text(hash_text(UINT64_C(0xcbf29ce484222325), ns), service);
}

static int cmp_text(const struct bh_object *slice, const char *ns, const char *service)
{
	const int r = strcmp(slice->key.ns, ns);

	return r ? r : strcmp(slice->slice.service, service);
}

/* Tenants choose names, so two places may well have one hash. */
static int cmp_place(const void *pa, const void *pb)
{
	const struct place *a = pa, *b = pb;
	int r;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	r = cmp_text(a->slice, b->slice->key.ns, b->slice->slice.service);
	return r ? r : strcmp(a->slice->key.name, b->slice->key.name);
}

struct places {
	struct place *v; /* in the order of the picture's slices */
	size_t n;
};

static int index_slices(const struct bh_model *m, struct bh_picture *p, struct places *ret)
{
	size_t n;
	const struct bh_object *const *all = bh_model_objects(m, BH_KIND_ENDPOINTSLICE, &n);

	p->slices = calloc(n + 1, sizeof(const struct bh_object *));
	ret->v = calloc(n + 1, sizeof(*ret->v));
	if (!p->slices || !ret->v)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (all[i]->slice.service)
			ret->v[ret->n++] =
				(struct place){ hash_place(all[i]->key.ns, all[i]->slice.service),
						all[i] };
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), cmp_place);
	for (size_t i = 0; i < ret->n; i++)
		p->slices[i] = ret->v[i].slice;
	p->n_slices = ret->n;
	return 0;
}

/* The slices of @svc, in p->slices. */
static void find_slices(const struct places *places, const struct bh_object *svc,
			struct bh_pic_service *out)
{
	const uint64_t hash = hash_place(svc->key.ns, svc->key.name);
	size_t lo = 0, hi = places->n;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (places->v[mid].hash < hash ||
		    (places->v[mid].hash == hash &&
		     cmp_text(places->v[mid].slice, svc->key.ns, svc->key.name) < 0))
			lo = mid + 1;
		else
			hi = mid;
	}
	out->slice = lo;
	while (lo < places->n && places->v[lo].hash == hash &&
	       cmp_text(places->v[lo].slice, svc->key.ns, svc->key.name) == 0)
		lo++;
	out->n_slices = lo - out->slice;
}

/* What one backend more makes of a Service. Before the first, it is UNKNOWN. */
static void fold(struct bh_pic_service *s, enum bh_class cls, uint32_t tenant)
{
	/* a node is nobody's, but a Service of hostNetwork pods leads to nodes and nowhere else */
	const bool owner = cls == BH_CLASS_TENANT || cls == BH_CLASS_SYSTEM ||
			   cls == BH_CLASS_UNASSIGNED || cls == BH_CLASS_NODE;

	if (owner && s->cls == BH_CLASS_UNKNOWN) {
		s->cls = cls;
		s->tenant = tenant;
	} else if (!owner || s->cls != cls || s->tenant != tenant) {
		s->cls = BH_CLASS_MIXED;
		s->tenant = BH_NO_TENANT;
	}
}

/* p->addrs must hold nodes and pods alone yet: no Service stands behind another one. */
static void fold_slices(const struct bh_picture *p, struct bh_pic_service *s)
{
	for (size_t i = 0; i < s->n_slices && s->cls != BH_CLASS_MIXED; i++) {
		const struct bh_endpoint_slice *slice = &p->slices[s->slice + i]->slice;

		if (slice->opaque)
			fold(s, BH_CLASS_MIXED, BH_NO_TENANT);
		/* also what is not ready: kube-proxy falls back to it, and a moment can decide */
		for (size_t k = 0; k < slice->n_addrs; k++) {
			const struct bh_pic_addr *a = bh_picture_addr(p, &slice->addrs[k]);

			fold(s, a ? a->cls : BH_CLASS_MIXED, a ? a->tenant : BH_NO_TENANT);
		}
	}
}

static struct bh_pic_service *find(const struct bh_picture *p, const char *ns, const char *name)
{
	size_t lo = 0, hi = p->n_services;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;
		const struct bh_object_key *key = &p->services[mid].obj->key;
		int r = strcmp(key->ns, ns);

		r = r ? r : strcmp(key->name, name);
		if (!r)
			return &p->services[mid];
		if (r < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static int derive_services(const struct bh_model *m, const struct places *places,
			   struct bh_picture *p)
{
	size_t n;
	const struct bh_object *const *all = bh_model_objects(m, BH_KIND_SERVICE, &n);

	p->services = calloc(n + 1, sizeof(*p->services));
	if (!p->services)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct bh_pic_service *s = &p->services[i];

		*s = (struct bh_pic_service){ .obj = all[i], .tenant = BH_NO_TENANT };
		find_slices(places, all[i], s);
		fold_slices(p, s);
	}
	p->n_services = n;
	return 0;
}

/* Asking whose a namespace is takes all selectors: only for Services that somebody is granted. */
static int find_granted(const struct bh_model *m, struct bh_picture *p)
{
	bh_auto(bh_claims_freep) struct bh_claims *claims = NULL;
	int r = 0;

	for (size_t t = 0; t < p->n_tenants && r == 0; t++) {
		const struct bh_tenant_spec *spec = p->tenants[t].spec;

		for (size_t i = 0; i < spec->net.n_egress && r == 0; i++) {
			const struct bh_grant *g = &spec->net.egress_grants[i];
			struct bh_pic_service *s;
			struct bh_object_key key = { .kind = BH_KIND_NAMESPACE };

			if (g->peer != BH_GRANT_SERVICE)
				continue;
			s = find(p, g->service_ns, g->service_name);
			if (!s)
				continue;
			if (!claims)
				r = bh_claims_new(p->tenants, p->n_tenants, &claims);
			if (r < 0)
				break;
			key.name = s->obj->key.ns;
			s->grantable =
				!s->obj->service.synced &&
				bh_claims_namespace(claims, key.name, bh_model_get(m, &key)).n ==
					BH_CLAIM_NONE;
		}
	}
	return r;
}

/* Those that a syncer made come last: what is left out beyond the bound is a tenant's. */
static void claim_external(struct bh_picture *p, struct claims *c)
{
	size_t left = MAX_EXTERNAL;

	for (int synced = 0; synced < 2; synced++) {
		for (uint32_t i = 0; i < p->n_services; i++) {
			const struct bh_service *s = &p->services[i].obj->service;

			if (s->synced != (synced == 1))
				continue;
			for (size_t k = 0; k < s->n_external; k++) {
				if (!left) {
					p->n_external_left_out++;
					continue;
				}
				left--;
				c->v[c->n++] = (struct claim){ s->external[k], true, i };
			}
		}
	}
}

static int cmp_claim(const void *pa, const void *pb)
{
	const struct claim *a = pa, *b = pb;
	const int r = bh_addr_cmp(&a->addr, &b->addr);

	if (r)
		return r;
	if (a->external != b->external)
		return a->external ? 1 : -1;
	return a->service < b->service ? -1 : a->service > b->service;
}

/* Every address that a Service has: ClusterIPs before external ones, by Service. */
static int collect(struct bh_picture *p, struct claims *c)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_services; i++)
		n += p->services[i].obj->service.n_cluster_ips +
		     p->services[i].obj->service.n_external;
	c->v = calloc(n + 1, sizeof(*c->v));
	if (!c->v)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->n_services; i++) {
		const struct bh_service *s = &p->services[i].obj->service;

		for (size_t k = 0; k < s->n_cluster_ips; k++)
			c->v[c->n++] = (struct claim){ s->cluster_ips[k], false, i };
	}
	claim_external(p, c);
	if (c->n)
		qsort(c->v, c->n, sizeof(*c->v), cmp_claim);
	return 0;
}

/* The worst of all claims of one kind: one owner of all of them, or MIXED. */
static struct bh_pic_service worst(const struct bh_picture *p, const struct claim *v, size_t n,
				   uint32_t *ret_service)
{
	struct bh_pic_service all = p->services[v->service];

	*ret_service = v->service;
	for (size_t i = 1; i < n; i++) {
		const struct bh_pic_service *s = &p->services[v[i].service];

		if (v[i].service != v->service)
			*ret_service = BH_NO_SERVICE;
		if (s->cls != all.cls || s->tenant != all.tenant)
			all.cls = BH_CLASS_MIXED;
	}
	if (all.cls != BH_CLASS_TENANT)
		all.tenant = BH_NO_TENANT;
	return all;
}

/* Is the class of the address somebody's, and not only its prefix'? */
static bool owned(const struct bh_pic_addr *a)
{
	switch (a->cls) {
	case BH_CLASS_NODE:
	case BH_CLASS_CONFLICT:
	case BH_CLASS_TENANT:
	case BH_CLASS_SYSTEM:
	case BH_CLASS_UNASSIGNED:
	case BH_CLASS_UNPROTECTED:
		return true;
	default:
		return false;
	}
}

/*
 * What Services make of an address. Nodes and pods outrank them. An external address that is
 * somebody's already, a Service's or the cluster DNS' among them, changes nothing for that one
 * (CVE-2026-32254).
 */
static void apply(const struct bh_picture *p, const struct claim *v, size_t n,
		  struct bh_pic_addr *a)
{
	size_t n_cluster = 0;
	struct bh_pic_service by;

	while (n_cluster < n && !v[n_cluster].external)
		n_cluster++;
	if (owned(a))
		return;
	if (n_cluster) {
		by = worst(p, v, n_cluster, &a->service);
		a->cluster_ip = true;
		a->cls = by.cls;
		a->tenant = by.tenant;
	} else if (!a->dns && !a->apiserver_any && !a->apiserver_ports[0]) {
		by = worst(p, v, n, &a->service);
		a->external = true;
		a->owner = by.cls == BH_CLASS_UNKNOWN ? BH_CLASS_MIXED : by.cls;
		a->owner_tenant = by.tenant;
	}
}

/* A ClusterIP comes from the API server's own range: one that cannot be is nobody's. */
static bool possible(const struct bh_special_index *index, const struct claim *c)
{
	const struct bh_special *special = bh_special_index_find(index, &c->addr);

	if (!special)
		return true;
	if (special->cls == BH_CLASS_INVALID)
		return false;
	return c->external ||
	       (special->cls != BH_CLASS_WORLD_LINKLOCAL && special->cls != BH_CLASS_METADATA);
}

/* Both are sorted: a new list takes from each what comes first. */
static int merge(struct bh_picture *p, const struct claims *c)
{
	struct bh_pic_addr *v = calloc(p->n_addrs + c->n + 1, sizeof(*v));
	struct bh_special_index index;
	size_t n = 0, old = 0;

	if (!v)
		return -ENOMEM;
	bh_special_index_init(&index);
	for (size_t i = 0, end; i < c->n; i = end) {
		for (end = i + 1; end < c->n; end++)
			if (bh_addr_cmp(&c->v[i].addr, &c->v[end].addr) != 0)
				break;
		while (old < p->n_addrs && bh_addr_cmp(&p->addrs[old].addr, &c->v[i].addr) < 0)
			v[n++] = p->addrs[old++];
		if (old < p->n_addrs && bh_addr_cmp(&p->addrs[old].addr, &c->v[i].addr) == 0)
			v[n] = p->addrs[old++];
		else if (possible(&index, &c->v[i]))
			v[n] = (struct bh_pic_addr){
				.addr = c->v[i].addr,
				/* a ClusterIP's class comes with its Services */
				.cls = c->v[i].external ? bh_cidrs_classify(p, &c->v[i].addr)
							: BH_CLASS_UNKNOWN,
				.tenant = BH_NO_TENANT,
				.owner_tenant = BH_NO_TENANT,
				.service = BH_NO_SERVICE,
			};
		else
			continue;
		apply(p, &c->v[i], end - i, &v[n++]);
	}
	while (old < p->n_addrs)
		v[n++] = p->addrs[old++];
	free(p->addrs);
	p->addrs = v;
	p->n_addrs = n;
	return 0;
}

int bh_derive_services(const struct bh_model *m, const struct bh_env *env, struct bh_picture *p)
{
	struct places places = { 0 };
	struct claims c = { 0 };
	int r;

	(void)env;
	r = index_slices(m, p, &places);
	if (r == 0)
		r = derive_services(m, &places, p);
	if (r == 0)
		r = find_granted(m, p);
	if (r == 0)
		r = collect(p, &c);
	if (r == 0)
		r = merge(p, &c);
	free(places.v);
	free(c.v);
	return r;
}

const struct bh_pic_service *bh_picture_service(const struct bh_picture *p, const char *ns,
						const char *name)
{
	return find(p, ns, name);
}
