/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "model/derive.h"
#include "model/tenant.h"

#define MANAGED_BY "vcluster.loft.sh/managed-by"

/* One Tenant's claim on a namespace (name NULL) or on a virtual cluster in it. */
struct row {
	const char *ns;
	const char *name;
	uint32_t tenant;
};

struct rows {
	struct row *v; /* by ns, name, tenant */
	size_t n;
};

struct bh_claims {
	struct rows listed;
	struct rows vclusters;
	struct {
		const struct bh_selector *sel;
		uint32_t tenant;
	} * selectors;
	size_t n_selectors;
};

static int cmp_place(const struct row *a, const char *ns, const char *name)
{
	const int r = strcmp(a->ns, ns);

	return r || !name ? r : strcmp(a->name, name);
}

static int cmp_row(const void *pa, const void *pb)
{
	const struct row *a = pa, *b = pb;
	const int r = cmp_place(a, b->ns, b->name);

	if (r)
		return r;
	return a->tenant < b->tenant ? -1 : a->tenant > b->tenant;
}

/* Claiming twice is claiming once. */
static void add_claim(struct bh_claim *c, uint32_t tenant)
{
	if (c->n == BH_CLAIM_NONE)
		*c = (struct bh_claim){ BH_CLAIM_ONE, tenant };
	else if (c->tenant != tenant)
		c->n = BH_CLAIM_MANY;
}

/* Adds every claim on a place; true if there are any. */
static bool add_rows(const struct rows *rows, const char *ns, const char *name, struct bh_claim *c)
{
	size_t lo = 0, hi = rows->n;
	bool any = false;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (cmp_place(&rows->v[mid], ns, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < rows->n && cmp_place(&rows->v[lo], ns, name) == 0; lo++) {
		add_claim(c, rows->v[lo].tenant);
		any = true;
	}
	return any;
}

static int alloc_index(const struct bh_pic_tenant *tenants, size_t n, struct bh_claims *c)
{
	size_t n_listed = 0;

	for (size_t i = 0; i < n; i++)
		n_listed += tenants[i].spec->n_namespaces;
	c->listed.v = calloc(n_listed + 1, sizeof(*c->listed.v));
	c->vclusters.v = calloc(n + 1, sizeof(*c->vclusters.v));
	c->selectors = calloc(n + 1, sizeof(*c->selectors));
	return c->listed.v && c->vclusters.v && c->selectors ? 0 : -ENOMEM;
}

int bh_claims_new(const struct bh_pic_tenant *tenants, size_t n, struct bh_claims **ret_claims)
{
	bh_auto(bh_claims_freep) struct bh_claims *c = calloc(1, sizeof(*c));

	if (!c || alloc_index(tenants, n, c) < 0)
		return -ENOMEM;
	for (uint32_t t = 0; t < n; t++) {
		const struct bh_tenant_spec *s = tenants[t].spec;

		for (size_t i = 0; i < s->n_namespaces; i++)
			c->listed.v[c->listed.n++] = (struct row){ s->namespaces[i], NULL, t };
		if (s->vcluster.present)
			c->vclusters.v[c->vclusters.n++] =
				(struct row){ s->vcluster.ns, s->vcluster.name, t };
		if (!s->has_selector)
			continue;
		c->selectors[c->n_selectors].sel = &s->selector;
		c->selectors[c->n_selectors++].tenant = t;
	}
	qsort(c->listed.v, c->listed.n, sizeof(*c->listed.v), cmp_row);
	qsort(c->vclusters.v, c->vclusters.n, sizeof(*c->vclusters.v), cmp_row);
	*ret_claims = BH_TAKE_PTR(c);
	return 0;
}

struct bh_claims *bh_claims_free(struct bh_claims *c)
{
	if (!c)
		return NULL;
	free(c->listed.v);
	free(c->vclusters.v);
	free(c->selectors);
	free(c);
	return NULL;
}

struct bh_claim bh_claims_namespace(const struct bh_claims *c, const char *ns,
				    const struct bh_object *obj)
{
	struct bh_claim claim = { 0 };

	(void)add_rows(&c->listed, ns, NULL, &claim);
	/* the labels of a Namespace that a syncer made are a tenant's choice */
	if (!obj || obj->namespace.synced)
		return claim;
	for (size_t i = 0; i < c->n_selectors; i++)
		if (bh_selector_matches(c->selectors[i].sel, &obj->labels))
			add_claim(&claim, c->selectors[i].tenant);
	return claim;
}

/*
 * The virtual cluster whose control plane a pod is, or NULL. A syncer always writes managed-by, so
 * that a tenant's own pod can never be one, whatever its labels say.
 */
static const char *control_plane_of(const struct bh_object *o)
{
	const char *app = bh_labels_get(&o->labels, "app");

	if (o->pod.synced || !o->pod.controlled || !app || strcmp(app, "vcluster") != 0)
		return NULL;
	return bh_labels_get(&o->labels, "release");
}

struct bh_claim bh_claims_pod(const struct bh_claims *c, struct bh_claim ns,
			      const struct bh_object *pod, bool *ret_control_plane)
{
	const char *managed_by = bh_labels_get(&pod->labels, MANAGED_BY);
	const char *release = control_plane_of(pod);
	struct bh_claim claim = ns;
	bool control = false;

	if (managed_by)
		(void)add_rows(&c->vclusters, pod->key.ns, managed_by, &claim);
	if (release)
		control = add_rows(&c->vclusters, pod->key.ns, release, &claim);
	*ret_control_plane = control && claim.n == BH_CLAIM_ONE;
	return claim;
}
