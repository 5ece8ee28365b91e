/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/policy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/grants.h"
#include "bpf/service_grants.h"
#include "model/tenant.h"

_Static_assert((int)BH_MODE_ENFORCE == 0 && (int)BH_MODE_AUDIT == 1 && (int)BH_MODE_OFF == 2,
	       "struct bh_abi_tenant.mode");
_Static_assert((int)BH_WORLD_PUBLIC == 0 && (int)BH_WORLD_ALL == 1 && (int)BH_WORLD_NONE == 2,
	       "struct bh_abi_tenant.world_*");

int bh_policy_new(struct bh_policy **ret_policy)
{
	struct bh_policy *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
#define X(id, key, value, name) bh_table_init(&p->maps[BH_PM_##id], sizeof(key), sizeof(value));
	BH_POLICY_MAPS(X)
#undef X
	*ret_policy = p;
	return 0;
}

struct bh_policy *bh_policy_free(struct bh_policy *p)
{
	if (!p)
		return NULL;
	for (int i = 0; i < BH_PM_MAX_; i++)
		bh_table_done(&p->maps[i]);
	free(p);
	return NULL;
}

void bh_policy_problem(struct bh_policy *p, const char *tenant, const char *fmt, ...)
{
	struct bh_policy_problem *pr;
	va_list ap;

	if (p->n_problems == BH_POLICY_MAX_PROBLEMS)
		return;
	pr = &p->problems[p->n_problems++];
	(void)snprintf(pr->tenant, sizeof(pr->tenant), "%s", tenant);
	va_start(ap, fmt);
	(void)vsnprintf(pr->text, sizeof(pr->text), fmt, ap);
	va_end(ap);
}

/* Each tenant's number, 0 for one that could get none: looked up once, not for each address. */
static uint32_t *number_all(const struct bh_picture *pic, const struct bh_ids *ids)
{
	uint32_t *numbers = calloc(pic->n_tenants + 1, sizeof(*numbers));

	for (size_t i = 0; numbers && i < pic->n_tenants; i++)
		numbers[i] = bh_ids_get(ids, pic->tenants[i].name);
	return numbers;
}

static uint32_t number_of(const uint32_t *numbers, uint32_t tenant)
{
	return tenant == BH_NO_TENANT ? 0 : numbers[tenant];
}

static int add_tenants(struct bh_policy *p, const struct bh_picture *pic, const uint32_t *numbers)
{
	int r = 0;

	for (size_t i = 0; i < pic->n_tenants && r >= 0; i++) {
		const struct bh_tenant_spec *s = pic->tenants[i].spec;
		const uint32_t id = numbers[i];
		const struct bh_abi_tenant v = {
			.mode = (uint8_t)s->net.mode,
			.world_egress = (uint8_t)s->net.egress,
			.world_ingress = (uint8_t)s->net.ingress,
		};

		if (id)
			r = bh_table_add(&p->maps[BH_PM_TENANTS], &id, &v);
	}
	return r;
}

static int add_addrs(struct bh_policy *p, const struct bh_picture *pic, const uint32_t *numbers)
{
	int r = 0;

	for (size_t i = 0; i < pic->n_addrs && r >= 0; i++) {
		const struct bh_pic_addr *a = &pic->addrs[i];
		struct bh_abi_addr v = {
			.cls = (uint8_t)a->cls,
			.flags = (uint8_t)((a->dns ? BH_ADDR_DNS : 0) |
					   (a->apiserver_any ? BH_ADDR_APISERVER_ANY : 0) |
					   (a->cluster_ip ? BH_ADDR_SERVICE : 0) |
					   (a->external ? BH_ADDR_EXTERNAL : 0)),
			.owner = a->external ? (uint8_t)a->owner : 0,
			.api_ports = { htons(a->apiserver_ports[0]), htons(a->apiserver_ports[1]) },
		};

		if (a->cls == BH_CLASS_TENANT) {
			v.tenant = number_of(numbers, a->tenant);
			if (!v.tenant)
				v.cls = BH_CLASS_CONFLICT;
		}
		if (a->external && a->owner == BH_CLASS_TENANT) {
			v.tenant = number_of(numbers, a->owner_tenant);
			if (!v.tenant)
				v.owner = BH_CLASS_MIXED;
		}
		r = bh_table_add(&p->maps[BH_PM_ADDRS], a->addr.b, &v);
	}
	return r;
}

static int add_cidrs(struct bh_policy *p, const struct bh_picture *pic)
{
	static const struct bh_abi_cidr_key all;
	static const struct bh_abi_cidr world = { .cls = BH_CLASS_WORLD_PUBLIC };
	bool has_all = false;
	int r = 0;

	for (size_t i = 0; i < pic->n_cidrs && r >= 0; i++) {
		struct bh_abi_cidr_key k = { .prefixlen = pic->cidrs[i].prefix.len };
		const struct bh_abi_cidr v = { .cls = (uint32_t)pic->cidrs[i].cls };

		memcpy(k.addr, pic->cidrs[i].prefix.addr.b, sizeof(k.addr));
		has_all = has_all || !k.prefixlen;
		r = bh_table_add(&p->maps[BH_PM_CIDRS], &k, &v);
	}
	return r < 0 || has_all ? r : bh_table_add(&p->maps[BH_PM_CIDRS], &all, &world);
}

void bh_policy_close_world(struct bh_policy *p)
{
	struct bh_table *t = &p->maps[BH_PM_CIDRS];
	const size_t row = t->key_size + t->value_size;
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++) {
		struct bh_abi_cidr v;

		memcpy(&v, bh_table_value(t, i), sizeof(v));
		if (v.cls == BH_CLASS_WORLD_PUBLIC || v.cls == BH_CLASS_WORLD_PRIVATE ||
		    v.cls == BH_CLASS_WORLD_LINKLOCAL)
			continue;
		memmove(t->rows + n++ * row, t->rows + i * row, row);
	}
	t->n = n;
}

static void set_nat64(struct bh_policy *p, const struct bh_picture *pic)
{
	_Static_assert(BH_NAT64_MAX == BH_ABI_NAT64_MAX, "struct bh_abi_nat64");

	for (size_t i = 0; i < pic->n_nat64; i++)
		memcpy(p->nat64.prefix[i], pic->nat64[i].addr.b, sizeof(p->nat64.prefix[i]));
}

/* Is one of the interface's addresses what outranks a pod: a node's, metadata, link-local? */
static bool has_anothers_address(const struct bh_picture *pic, const struct bh_if *f)
{
	const struct bh_addr *const v[] = { f->has4 ? &f->addr4 : NULL,
					    f->has6 ? &f->addr6 : NULL };

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		const enum bh_class cls = v[i] ? bh_picture_classify(pic, v[i]) : f->pod->cls;

		if (cls != f->pod->cls && cls != BH_CLASS_CONFLICT)
			return true;
	}
	return false;
}

static void set_identity(struct bh_abi_endpoint *ep, const struct bh_if *f,
			 const struct bh_picture *pic, uint32_t number)
{
	ep->role = BH_ROLE_CONFLICT;
	ep->tenant = BH_TENANT_CONFLICT;
	if (!f->pod || f->shared || has_anothers_address(pic, f))
		return;
	switch (f->pod->cls) {
	case BH_CLASS_TENANT:
		if (!number)
			return;
		ep->role = f->pod->control_plane ? BH_ROLE_CONTROL_PLANE : BH_ROLE_TENANT;
		ep->tenant = number;
		return;
	case BH_CLASS_SYSTEM:
		ep->role = BH_ROLE_SYSTEM;
		ep->tenant = BH_TENANT_SYSTEM;
		return;
	case BH_CLASS_UNASSIGNED:
		ep->role = BH_ROLE_UNASSIGNED;
		ep->tenant = BH_TENANT_UNASSIGNED;
		return;
	default:
		return;
	}
}

/* The pod's link-local address gets its owner's class too: neighbours ask for it by that name. */
static int add_link_local(struct bh_policy *p, const struct bh_abi_endpoint *ep)
{
	static const uint8_t class_of[BH_ROLE_MAX_] = {
		[BH_ROLE_CONFLICT] = BH_CLASS_CONFLICT,	    [BH_ROLE_TENANT] = BH_CLASS_TENANT,
		[BH_ROLE_CONTROL_PLANE] = BH_CLASS_TENANT,  [BH_ROLE_SYSTEM] = BH_CLASS_SYSTEM,
		[BH_ROLE_UNASSIGNED] = BH_CLASS_UNASSIGNED,
	};
	const struct bh_abi_addr v = {
		.cls = class_of[ep->role],
		.tenant = class_of[ep->role] == BH_CLASS_TENANT ? ep->tenant : 0,
	};

	return bh_table_add(&p->maps[BH_PM_ADDRS], ep->ll6, &v);
}

static int add_endpoints(struct bh_policy *p, const struct bh_picture *pic, const uint32_t *numbers,
			 const struct bh_ifs *ifs)
{
	int r = 0;

	for (size_t i = 0; i < ifs->n && r >= 0; i++) {
		const struct bh_if *f = &ifs->v[i];
		struct bh_abi_endpoint ep = { 0 };
		struct bh_addr ll;

		if (f->state != BH_IF_ENFORCED && !f->retired)
			continue;
		set_identity(&ep, f, pic, f->pod ? number_of(numbers, f->pod->tenant) : 0);
		ep.pod = f->tag;
		memcpy(ep.mac, f->mac.b, sizeof(ep.mac));
		ll = bh_addr_eui64_ll(&f->mac);
		memcpy(ep.ll6, ll.b, sizeof(ep.ll6));
		if (f->has4) {
			ep.flags |= BH_EP_HAS_V4;
			memcpy(ep.ip4, f->addr4.b + 12, sizeof(ep.ip4));
		}
		if (f->has6) {
			ep.flags |= BH_EP_HAS_V6;
			memcpy(ep.ip6, f->addr6.b, sizeof(ep.ip6));
		}
		if (f->closed)
			ep.flags |= BH_EP_CLOSED;
		r = bh_table_add(&p->maps[BH_PM_ENDPOINTS], &f->ifindex, &ep);
		if (r >= 0 && !bh_picture_addr(pic, &ll))
			r = add_link_local(p, &ep);
	}
	return r;
}

/*
 * Endpoints with one MAC have one link-local address: nobody's, unless they have one owner. The
 * whole group becomes a conflict here, since bh_table_sort() takes no key with two values; and a
 * pod can choose its MAC.
 */
static void settle_link_locals(struct bh_table *addrs)
{
	static const struct bh_abi_addr conflict = { .cls = BH_CLASS_CONFLICT };
	const size_t row = addrs->key_size + addrs->value_size;

	for (size_t i = 0, end; i < addrs->n; i = end) {
		const uint8_t *first = addrs->rows + i * row;
		bool differ = false;

		for (end = i + 1; end < addrs->n; end++) {
			if (memcmp(first, addrs->rows + end * row, addrs->key_size) != 0)
				break;
			differ = differ || memcmp(first, addrs->rows + end * row, row) != 0;
		}
		for (size_t k = i; differ && k < end; k++)
			memcpy(addrs->rows + k * row + addrs->key_size, &conflict,
			       sizeof(conflict));
	}
}

int bh_policy_build(const struct bh_picture *pic, const struct bh_ids *ids,
		    const struct bh_ifs *ifs, struct bh_policy **ret_policy)
{
	bh_auto(bh_policy_freep) struct bh_policy *p = NULL;
	bh_autofree uint32_t *numbers = number_all(pic, ids);
	int r;

	if (!numbers)
		return -ENOMEM;
	r = bh_policy_new(&p);
	if (r < 0)
		return r;
	set_nat64(p, pic);
	r = add_tenants(p, pic, numbers);
	if (r >= 0)
		r = add_addrs(p, pic, numbers);
	if (r >= 0)
		r = add_cidrs(p, pic);
	if (r >= 0)
		r = add_endpoints(p, pic, numbers, ifs);
	if (r >= 0)
		r = bh_grants_compile(p, pic, ids);
	if (r >= 0)
		r = bh_service_grants_compile(p, pic, ids);
	if (r < 0)
		return r;
	if (pic->n_external_left_out)
		bh_policy_problem(p, "", "%zu external addresses of Services are too many to guard",
				  pic->n_external_left_out);
	bh_table_order(&p->maps[BH_PM_ADDRS]);
	settle_link_locals(&p->maps[BH_PM_ADDRS]);
	for (int i = 0; i < BH_PM_MAX_; i++) {
		/* one key with two values here is two port sets with one hash: neither is right */
		if (bh_table_sort(&p->maps[i]) < 0)
			return -ENOTRECOVERABLE;
	}
	*ret_policy = BH_TAKE_PTR(p);
	return 0;
}
