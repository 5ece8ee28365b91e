/* SPDX-License-Identifier: Apache-2.0 */
#include "model/derive.h"

#include <errno.h>
#include <string.h>

#include "model/special.h"
#include "model/tenant.h"

struct bh_picture *bh_picture_free(struct bh_picture *p)
{
	if (!p)
		return NULL;
	free(p->tenants);
	free(p->pods);
	free(p->services);
	free(p->slices);
	free(p->addrs);
	free(p->cidrs);
	free(p->cluster_cidrs);
	free(p);
	return NULL;
}

static int derive_tenants(const struct bh_model *m, struct bh_picture *p)
{
	size_t n;
	const struct bh_object *const *objects = bh_model_objects(m, BH_KIND_TENANT, &n);

	p->tenants = calloc(n + 1, sizeof(*p->tenants));
	if (!p->tenants)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		p->tenants[i] = (struct bh_pic_tenant){ .name = objects[i]->key.name,
							.spec = objects[i]->tenant };
	p->n_tenants = n;
	return 0;
}

static bool is_system(const struct bh_env *env, const char *ns)
{
	for (size_t i = 0; i < env->n_system_namespaces; i++)
		if (strcmp(env->system_namespaces[i], ns) == 0)
			return true;
	return false;
}

/* What all pods of one namespace share. */
struct place {
	const char *ns;
	struct bh_claim claim;
	bool system;
};

static struct place enter_namespace(const struct bh_model *m, const struct bh_env *env,
				    const struct bh_claims *claims, char *ns)
{
	const struct bh_object_key key = { .kind = BH_KIND_NAMESPACE, .name = ns };

	return (struct place){ .ns = ns,
			       .claim = bh_claims_namespace(claims, ns, bh_model_get(m, &key)),
			       .system = is_system(env, ns) };
}

static enum bh_class pod_class(struct bh_claim claim, bool system, bool synced)
{
	/* what a syncer made is some tenant's, also from a virtual cluster in a system namespace */
	if (claim.n == BH_CLAIM_NONE)
		return system && !synced ? BH_CLASS_SYSTEM : BH_CLASS_UNASSIGNED;
	/* a Tenant and the list of system namespaces cannot both be right */
	if (claim.n == BH_CLAIM_MANY || system)
		return BH_CLASS_CONFLICT;
	return BH_CLASS_TENANT;
}

static struct bh_pic_pod derive_pod(const struct bh_env *env, const struct bh_claims *claims,
				    const struct place *place, const struct bh_object *o)
{
	const struct bh_pod *pod = &o->pod;
	struct bh_pic_pod out = { .obj = o, .tenant = BH_NO_TENANT };
	const struct bh_claim claim = bh_claims_pod(claims, place->claim, o, &out.control_plane);

	out.cls = pod_class(claim, place->system, pod->synced);
	if (out.cls == BH_CLASS_TENANT)
		out.tenant = claim.tenant;
	else
		out.control_plane = false;
	if (pod->host_network) {
		out.cls = BH_CLASS_NODE;
		out.unisolatable = claim.n != BH_CLAIM_NONE;
	}
	out.local = pod->node && strcmp(pod->node, env->node) == 0;
	out.live = pod->node && !pod->host_network && pod->phase == BH_POD_ACTIVE;
	return out;
}

static int derive_pods(const struct bh_model *m, const struct bh_env *env, struct bh_picture *p)
{
	bh_auto(bh_claims_freep) struct bh_claims *claims = NULL;
	struct place place = { 0 };
	size_t n;
	const struct bh_object *const *objects = bh_model_objects(m, BH_KIND_POD, &n);
	const int r = bh_claims_new(p->tenants, p->n_tenants, &claims);

	if (r < 0)
		return r;
	p->pods = calloc(n + 1, sizeof(*p->pods));
	if (!p->pods)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct bh_pic_pod *pod = &p->pods[i];

		if (!place.ns || strcmp(place.ns, objects[i]->key.ns) != 0)
			place = enter_namespace(m, env, claims, objects[i]->key.ns);
		*pod = derive_pod(env, claims, &place, objects[i]);
		if (pod->tenant == BH_NO_TENANT)
			continue;
		p->tenants[pod->tenant].n_pods++;
		p->tenants[pod->tenant].n_local_pods += pod->local && pod->live;
	}
	p->n_pods = n;
	return 0;
}

int bh_model_derive(const struct bh_model *m, const struct bh_env *env,
		    struct bh_picture **ret_picture)
{
	static int (*const steps[])(const struct bh_model *m, const struct bh_env *env,
				    struct bh_picture *p) = { derive_pods, bh_derive_cidrs,
							      bh_derive_addrs, bh_derive_services };
	bh_auto(bh_picture_freep) struct bh_picture *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	r = derive_tenants(m, p);
	if (r < 0)
		return r;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		r = steps[i](m, env, p);
		if (r < 0)
			return r;
	}
	*ret_picture = BH_TAKE_PTR(p);
	return 0;
}

const struct bh_pic_pod *bh_picture_pod(const struct bh_picture *p, const char *ns,
					const char *name)
{
	size_t lo = 0, hi = p->n_pods;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;
		const struct bh_object_key *key = &p->pods[mid].obj->key;
		int r = strcmp(key->ns, ns);

		r = r ? r : strcmp(key->name, name);
		if (!r)
			return &p->pods[mid];
		if (r < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

const struct bh_pic_addr *bh_picture_addr(const struct bh_picture *p, const struct bh_addr *a)
{
	size_t lo = 0, hi = p->n_addrs;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;
		const int r = bh_addr_cmp(&p->addrs[mid].addr, a);

		if (!r)
			return &p->addrs[mid];
		if (r < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

struct bh_addr bh_picture_judged(const struct bh_picture *p, const struct bh_addr *a)
{
	struct bh_addr v4 = { .b = { [10] = 0xff, [11] = 0xff } };
	bool hit = bh_special_is_nat64(a);

	for (size_t i = 0; i < p->n_nat64 && !hit; i++)
		hit = bh_prefix_contains(&p->nat64[i], a);
	if (!hit)
		return *a;
	memcpy(v4.b + 12, a->b + 12, 4);
	return v4;
}

enum bh_class bh_picture_classify(const struct bh_picture *p, const struct bh_addr *a)
{
	const struct bh_addr judged = bh_picture_judged(p, a);
	const struct bh_pic_addr *exact = bh_picture_addr(p, &judged);

	return exact ? exact->cls : bh_cidrs_classify(p, &judged);
}
