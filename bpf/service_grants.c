/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/service_grants.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/grants.h"
#include "bpf/ids.h"
#include "bpf/policy.h"
#include "bpf/portset.h"
#include "common/cleanup.h"
#include "model/tenant.h"

/* A range of ports at an address for a tenant; several make one entry. */
struct opening {
	struct bh_abi_service_key key;
	bool any;
	struct bh_port_range range;
};

struct openings {
	struct opening *v;
	size_t n, cap;
};

/* One grant of one tenant. */
struct grant {
	const char *tenant;
	uint32_t id;
	size_t index; /* in spec.network.egress */
	const struct bh_grant *g;
};

static int open_range(struct openings *o, const struct bh_abi_service_key *key, bool any,
		      const struct bh_port_range *range)
{
	if (o->n == o->cap) {
		const size_t cap = o->cap ? 2 * o->cap : 64;
		struct opening *bigger = reallocarray(o->v, cap, sizeof(*o->v));

		if (!bigger)
			return -ENOMEM;
		o->v = bigger;
		o->cap = cap;
	}
	o->v[o->n] = (struct opening){ .key = *key, .any = any };
	if (range)
		o->v[o->n].range = *range;
	o->n++;
	return 0;
}

static struct bh_abi_service_key key_of(uint32_t tenant, uint8_t dir, const struct bh_addr *a)
{
	struct bh_abi_service_key k = { .tenant = tenant, .dir = dir };

	memcpy(k.addr, a->b, sizeof(k.addr));
	return k;
}

/* At the sender: the addresses that are this Service's alone, and nobody's who outranks it. */
static int open_service(struct openings *o, const struct grant *gr, const struct bh_picture *pic,
			const struct bh_pic_service *svc, size_t *ret_n)
{
	const struct bh_service *s = &svc->obj->service;
	const uint32_t index = (uint32_t)(svc - pic->services);
	int r = 0;

	*ret_n = 0;
	for (size_t i = 0; i < s->n_cluster_ips + s->n_external; i++) {
		const struct bh_addr *addr = i < s->n_cluster_ips
						     ? &s->cluster_ips[i]
						     : &s->external[i - s->n_cluster_ips];
		const struct bh_pic_addr *a = bh_picture_addr(pic, addr);
		const struct bh_abi_service_key key = key_of(gr->id, BH_DIR_EGRESS, addr);

		if (!a || a->service != index)
			continue;
		(*ret_n)++;
		if (gr->g->any_port)
			r = open_range(o, &key, true, NULL);
		for (size_t k = 0; k < gr->g->n_ports && r == 0; k++)
			r = open_range(o, &key, false, &gr->g->ports[k]);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool grants_port(const struct bh_grant *g, const struct bh_service_port *port)
{
	if (g->any_port)
		return true;
	for (size_t i = 0; i < g->n_ports; i++) {
		const struct bh_port_range *r = &g->ports[i];

		if (r->proto == port->proto && r->lo <= port->port && port->port <= r->hi)
			return true;
	}
	return false;
}

/* Does a granted port of the Service lead to this one of its endpoints? */
static bool leads_to(const struct bh_grant *g, const struct bh_service *s,
		     const struct bh_service_port *target)
{
	for (size_t i = 0; i < s->n_ports; i++) {
		if (s->ports[i].proto == target->proto &&
		    strcmp(s->ports[i].name, target->name) == 0 && grants_port(g, &s->ports[i]))
			return true;
	}
	return false;
}

/* At the receivers. What a syncer wrote opens nothing. */
static int open_backends(struct openings *o, const struct grant *gr, const struct bh_picture *pic,
			 const struct bh_pic_service *svc)
{
	int r = 0;

	for (size_t i = 0; i < svc->n_slices; i++) {
		const struct bh_endpoint_slice *slice = &pic->slices[svc->slice + i]->slice;

		if (slice->synced)
			continue;
		for (size_t p = 0; p < slice->n_ports; p++) {
			const struct bh_service_port *port = &slice->ports[p];
			const struct bh_port_range range = { port->proto, port->port, port->port };

			if (!leads_to(gr->g, &svc->obj->service, port))
				continue;
			for (size_t k = 0; k < slice->n_addrs && r == 0; k++) {
				const struct bh_abi_service_key key =
					key_of(gr->id, BH_DIR_INGRESS, &slice->addrs[k]);

				r = open_range(o, &key, false, &range);
			}
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* Why the grant is without effect, or NULL. */
static const char *objection(const struct bh_pic_service *svc)
{
	if (!svc)
		return "is not there";
	if (!svc->grantable)
		return "belongs to a tenant";
	switch (svc->cls) {
	case BH_CLASS_SYSTEM:
	case BH_CLASS_UNASSIGNED:
	case BH_CLASS_NODE: /* an ingress controller with hostNetwork */
		return NULL;
	case BH_CLASS_TENANT:
		return "leads to a tenant's pods";
	case BH_CLASS_UNKNOWN:
		return "has no endpoints";
	default:
		return "does not lead to pods of one owner alone";
	}
}

static int compile_one(struct bh_policy *p, const struct grant *gr, const struct bh_picture *pic,
		       struct openings *o)
{
	const struct bh_pic_service *svc =
		bh_picture_service(pic, gr->g->service_ns, gr->g->service_name);
	const char *why = objection(svc);
	size_t n = 0;
	int r = 0;

	if (!why) {
		r = open_service(o, gr, pic, svc, &n);
		if (r == 0 && svc->cls == BH_CLASS_UNASSIGNED)
			r = open_backends(o, gr, pic, svc);
		if (!n)
			why = "has no address of its own";
	}
	if (why)
		bh_policy_problem(p, gr->tenant,
				  "spec.network.egress[%zu]: without effect: Service %s/%s %s",
				  gr->index, gr->g->service_ns, gr->g->service_name, why);
	return r;
}

static int cmp_opening(const void *a, const void *b)
{
	return memcmp(&((const struct opening *)a)->key, &((const struct opening *)b)->key,
		      sizeof(struct bh_abi_service_key));
}

static int publish(struct bh_policy *p, const struct bh_ids *ids, struct openings *o)
{
	if (o->n)
		qsort(o->v, o->n, sizeof(*o->v), cmp_opening);
	for (size_t i = 0, end; i < o->n; i = end) {
		__attribute__((__cleanup__(bh_portset_done))) struct bh_portset_builder b = { 0 };
		const struct bh_abi_service_key *key = &o->v[i].key;
		uint64_t id = BH_PORTS_NONE;
		int r = 0;

		for (end = i; end < o->n && r == 0; end++) {
			if (cmp_opening(&o->v[i], &o->v[end]) != 0)
				break;
			if (o->v[end].any)
				b.any = true;
			else
				r = bh_portset_add_range(&b, &o->v[end].range);
		}
		if (r == 0)
			r = bh_grants_publish(p, bh_ids_name(ids, key->tenant), BH_DIR_EGRESS, &b,
					      &id);
		if (r > 0)
			r = bh_table_add(&p->maps[BH_PM_SERVICES], key, &id);
		if (r < 0)
			return r;
	}
	return 0;
}

int bh_service_grants_compile(struct bh_policy *p, const struct bh_picture *pic,
			      const struct bh_ids *ids)
{
	struct openings o = { 0 };
	int r = 0;

	for (size_t t = 0; t < pic->n_tenants && r == 0; t++) {
		const struct bh_tenant_spec *spec = pic->tenants[t].spec;
		struct grant gr = { .tenant = pic->tenants[t].name,
				    .id = bh_ids_get(ids, pic->tenants[t].name) };

		for (size_t i = 0; gr.id && i < spec->net.n_egress && r == 0; i++) {
			gr.index = i;
			gr.g = &spec->net.egress_grants[i];
			if (gr.g->peer == BH_GRANT_SERVICE)
				r = compile_one(p, &gr, pic, &o);
		}
	}
	if (r == 0)
		r = publish(p, ids, &o);
	free(o.v);
	return r;
}
