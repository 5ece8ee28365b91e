/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bpf/oracle.h"

#include <netinet/in.h>
#include <string.h>

#define OUT 0
#define IN 1
#define NOBODY (-1)

/* What an address is: a class, and the tenant of class TENANT. */
struct is {
	enum bh_class cls;
	int tenant;
};

static bool same(const struct bh_addr *a, const struct bh_addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static bool inside(const struct bh_addr *a, const char *prefix)
{
	struct bh_prefix p;

	return bh_prefix_parse(prefix, &p, NULL) == 0 && bh_prefix_contains(&p, a);
}

/* "NAT64 prefixes are judged by the embedded IPv4 address" */
static struct bh_addr unwrap(const struct bh_addr *a)
{
	struct bh_addr v4 = { .b = { [10] = 0xff, [11] = 0xff } };

	if (!inside(a, "64:ff9b::/96") && !inside(a, "2001:db8:64::/96"))
		return *a;
	memcpy(v4.b + 12, a->b + 12, 4);
	return v4;
}

static struct is owner_of_ns(int ns)
{
	if (ns < ORA_TENANTS)
		return (struct is){ BH_CLASS_TENANT, ns };
	if (ns == ORA_NS_SYSTEM)
		return (struct is){ BH_CLASS_SYSTEM, NOBODY };
	if (ns == ORA_NS_BOTH)
		return (struct is){ BH_CLASS_CONFLICT, NOBODY };
	return (struct is){ BH_CLASS_UNASSIGNED, NOBODY };
}

static bool counts(const struct ora_pod *p)
{
	return !p->host && !p->ended;
}

bool ora_is_endpoint(const struct ora_cluster *c, size_t pod)
{
	const struct ora_pod *p = &c->pod[pod];

	return counts(p) && p->node == 0 && p->ns != ORA_NS_SYSTEM;
}

/* Nodes and pods: who has the address as his own? False: neither. */
static bool held(const struct ora_cluster *c, const struct bh_addr *a, struct is *ret)
{
	int n = 0;

	for (int i = 0; i < ORA_NODES; i++)
		if (same(a, &c->node[i][0]) || same(a, &c->node[i][1])) {
			*ret = (struct is){ BH_CLASS_NODE, NOBODY };
			return true;
		}
	for (int i = 0; i < ORA_PODS; i++) {
		const struct ora_pod *p = &c->pod[i];

		if (!counts(p) || (!same(a, &p->a[0]) && !same(a, &p->a[1])))
			continue;
		*ret = p->node == 2 ? (struct is){ BH_CLASS_UNPROTECTED, NOBODY }
				    : owner_of_ns(p->ns);
		n++;
	}
	if (n > 1)
		*ret = (struct is){ BH_CLASS_CONFLICT, NOBODY };
	return n > 0;
}

static bool is_owner(struct is o)
{
	return o.cls == BH_CLASS_TENANT || o.cls == BH_CLASS_SYSTEM || o.cls == BH_CLASS_UNASSIGNED;
}

/* "A Service is as allowed as its worst backend" */
static struct is fold(const struct ora_cluster *c, const struct ora_service *s)
{
	struct is all = { BH_CLASS_UNKNOWN, NOBODY }, one;

	for (size_t i = 0; i < s->n_backends; i++)
		for (int f = 0; f < 2; f++) {
			if (!held(c, &s->backend[f][i], &one) ||
			    (!is_owner(one) && one.cls != BH_CLASS_NODE))
				return (struct is){ BH_CLASS_MIXED, NOBODY };
			if (all.cls != BH_CLASS_UNKNOWN &&
			    (all.cls != one.cls || all.tenant != one.tenant))
				return (struct is){ BH_CLASS_MIXED, NOBODY };
			all = one;
		}
	return all;
}

/* All Services that claim the address, as cluster or external one: the worst of them. */
static int claims(const struct ora_cluster *c, const struct bh_addr *a, bool external,
		  struct is *ret, int *ret_service)
{
	int n = 0;

	for (int i = 0; i < ORA_SERVICES; i++) {
		const struct ora_service *s = &c->service[i];
		const struct is one = fold(c, s);
		const bool hit = external ? s->has_external && same(a, &s->external)
					  : same(a, &s->ip[0]) || same(a, &s->ip[1]);

		if (!hit)
			continue;
		if (n++ == 0)
			*ret = one;
		else if (ret->cls != one.cls || ret->tenant != one.tenant)
			*ret = (struct is){ BH_CLASS_MIXED, NOBODY };
		*ret_service = i;
	}
	return n;
}

static bool is_dns(const struct ora_cluster *c, const struct bh_addr *a)
{
	for (int f = 0; f < 2; f++)
		if (same(a, &c->dns[f]) || same(a, &c->pod[ORA_PODS - 1].a[f]) ||
		    same(a, &c->pod[ORA_PODS - 2].a[f]))
			return true;
	return false;
}

static bool is_api_ip(const struct ora_cluster *c, const struct bh_addr *a)
{
	return same(a, &c->api[0]) || same(a, &c->api[1]);
}

static bool is_api_end(const struct ora_cluster *c, const struct bh_addr *a)
{
	return same(a, &c->node[1][0]);
}

static enum bh_class special(const struct bh_addr *a)
{
	static const struct {
		const char *prefix;
		enum bh_class cls;
	} rows[] = {
		{ "10.244.0.0/16", BH_CLASS_UNKNOWN },
		{ "10.96.0.0/16", BH_CLASS_UNKNOWN },
		{ "fd00:244::/64", BH_CLASS_UNKNOWN },
		{ "fd00:96::/64", BH_CLASS_UNKNOWN },
		{ "169.254.169.254/32", BH_CLASS_METADATA },
		{ "fd00:ec2::254/128", BH_CLASS_METADATA },
		{ "127.0.0.0/8", BH_CLASS_INVALID },
		{ "0.0.0.0/8", BH_CLASS_INVALID },
		{ "::/96", BH_CLASS_INVALID },
		{ "169.254.0.0/16", BH_CLASS_WORLD_LINKLOCAL },
		{ "fe80::/10", BH_CLASS_WORLD_LINKLOCAL },
		{ "10.0.0.0/8", BH_CLASS_WORLD_PRIVATE },
		{ "172.16.0.0/12", BH_CLASS_WORLD_PRIVATE },
		{ "192.168.0.0/16", BH_CLASS_WORLD_PRIVATE },
		{ "100.64.0.0/10", BH_CLASS_WORLD_PRIVATE },
		{ "fc00::/7", BH_CLASS_WORLD_PRIVATE },
		{ "2002::/16", BH_CLASS_WORLD_PRIVATE },
		{ "2001::/23", BH_CLASS_WORLD_PRIVATE },
		{ "64:ff9b:1::/48", BH_CLASS_WORLD_PRIVATE },
		{ "ff00::/8", BH_CLASS_INVALID },
		{ "224.0.0.0/3", BH_CLASS_INVALID },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (inside(a, rows[i].prefix))
			return rows[i].cls;
	/* of IPv6, nothing else is allocated */
	return bh_addr_is_v4(a) || inside(a, "2000::/3") ? BH_CLASS_WORLD_PUBLIC
							 : BH_CLASS_WORLD_PRIVATE;
}

static bool is_world(enum bh_class cls)
{
	return cls == BH_CLASS_WORLD_PUBLIC || cls == BH_CLASS_WORLD_PRIVATE ||
	       cls == BH_CLASS_WORLD_LINKLOCAL;
}

/* The one Service whose address it is, in spite of all others; NOBODY: none or several. */
static struct is classify(const struct ora_cluster *c, const struct ora_packet *p, struct is me,
			  int *ret_service)
{
	const bool out = p->dir == OUT, tcp = p->proto == IPPROTO_TCP,
		   udp = p->proto == IPPROTO_UDP;
	const struct bh_addr a = unwrap(&p->peer);
	struct is is = { 0 }, by = { 0 };
	int n;

	*ret_service = NOBODY;
	if (out && (tcp || udp) && p->dport == 53 && is_dns(c, &a))
		return (struct is){ BH_CLASS_DNS, NOBODY };
	if (out && tcp && (is_api_ip(c, &a) || (is_api_end(c, &a) && p->dport == 6443)))
		return (struct is){ BH_CLASS_APISERVER, NOBODY };
	if (held(c, &a, &is)) {
		if (!out && is.cls == BH_CLASS_NODE && is_api_end(c, &a))
			is.cls = BH_CLASS_APISERVER; /* its own port is any */
		return is;
	}
	if (same(&a, &c->dns[0]) || same(&a, &c->dns[1])) { /* the Service of the DNS' pods */
		is = (struct is){ BH_CLASS_SYSTEM, NOBODY };
		for (int i = ORA_PODS - 2; i < ORA_PODS; i++)
			if (c->pod[i].node == 2 || !counts(&c->pod[i]))
				is.cls = BH_CLASS_MIXED;
		return is;
	}
	if (is_api_ip(c, &a))
		return (struct is){ me.cls == BH_CLASS_TENANT || !out ? BH_CLASS_MIXED
								      : BH_CLASS_NODE,
				    NOBODY };
	n = claims(c, &a, false, &is, ret_service);
	if (n) {
		*ret_service = n == 1 ? *ret_service : NOBODY;
		/* of hostNetwork pods: "mixed" to a tenant; and nothing comes from a ClusterIP */
		if (is.cls == BH_CLASS_NODE && (me.cls == BH_CLASS_TENANT || !out))
			is.cls = BH_CLASS_MIXED;
		return is;
	}
	is = (struct is){ special(&a), NOBODY };
	if (!out || is.cls == BH_CLASS_INVALID)
		return is;
	/* "externalIPs never make an address anybody's": they keep all others away */
	n = claims(c, &a, true, &by, ret_service);
	*ret_service = n == 1 ? *ret_service : NOBODY;
	if (n && !(is_owner(by) && by.cls == me.cls && by.tenant == me.tenant))
		is.cls = BH_CLASS_MIXED;
	else
		*ret_service = NOBODY;
	return is;
}

static bool covers_port(const struct ora_ports *s, uint8_t proto, uint16_t port)
{
	bool hit = s->any;

	for (size_t i = 0; i < s->n; i++)
		hit |= s->r[i].proto == proto && s->r[i].lo <= port && port <= s->r[i].hi;
	return hit;
}

static bool covers_cidr(const struct ora_grant *g, const struct bh_addr *a)
{
	if (!bh_prefix_contains(&g->cidr, a))
		return false;
	for (size_t i = 0; i < g->n_except; i++)
		if (bh_prefix_contains(&g->except[i], a))
			return false;
	return true;
}

/* "a system or unassigned Service", which no tenant writes */
static bool service_grantable(const struct ora_cluster *c, int service)
{
	const struct ora_service *s = &c->service[service];
	const struct is is = fold(c, s);

	return !s->synced && (s->ns == ORA_NS_FREE || s->ns == ORA_NS_SYSTEM) &&
	       (is.cls == BH_CLASS_SYSTEM || is.cls == BH_CLASS_UNASSIGNED ||
		is.cls == BH_CLASS_NODE);
}

static bool one_grant(const struct ora_cluster *c, const struct ora_grant *g,
		      const struct ora_packet *p, struct is peer, int service)
{
	const struct bh_addr a = unwrap(&p->peer);

	if (!covers_port(&g->ports, p->proto, p->dport))
		return false;
	switch (g->peer) {
	case ORA_CIDR:
		return is_world(peer.cls) && covers_cidr(g, &a);
	case ORA_TENANT:
		return peer.cls == BH_CLASS_TENANT && peer.tenant == g->tenant;
	case ORA_SERVICE:
		return service == g->service && service_grantable(c, service);
	case ORA_API:
		return peer.cls == BH_CLASS_APISERVER;
	case ORA_NODE:
		return peer.cls == BH_CLASS_NODE;
	case ORA_METADATA:
		return peer.cls == BH_CLASS_METADATA;
	default:
		return false;
	}
}

/* Is an unassigned pod open to a tenant, on a port to which a granted port of a Service leads? */
static bool behind_granted(const struct ora_cluster *c, const struct ora_packet *p, int tenant)
{
	const struct ora_tenant *t = &c->tenant[tenant];

	for (size_t i = 0; i < t->n_grants[OUT]; i++) {
		const struct ora_grant *g = &t->grant[OUT][i];
		const struct ora_service *s = &c->service[g->service];

		if (g->peer != ORA_SERVICE || !service_grantable(c, g->service) || s->slices_synced)
			continue;
		for (size_t b = 0; b < s->n_backends; b++)
			for (int k = 0; k < 2; k++)
				if ((same(&s->backend[0][b], &c->pod[p->pod].a[0]) ||
				     same(&s->backend[1][b], &c->pod[p->pod].a[1])) &&
				    s->port[k].proto == p->proto && s->port[k].target == p->dport &&
				    covers_port(&g->ports, p->proto, s->port[k].port))
					return true;
	}
	return false;
}

/* The two tables, without grants. */
static bool by_default(const struct ora_cluster *c, const struct ora_packet *p, struct is me,
		       struct is peer)
{
	const bool out = p->dir == OUT;
	enum ora_world world;

	if (me.cls == BH_CLASS_UNASSIGNED)
		return peer.cls == BH_CLASS_UNASSIGNED || peer.cls == BH_CLASS_NODE ||
		       peer.cls == BH_CLASS_APISERVER || is_world(peer.cls) ||
		       peer.cls == BH_CLASS_METADATA ||
		       peer.cls == (out ? BH_CLASS_DNS : BH_CLASS_SYSTEM);
	world = c->tenant[me.tenant].world[p->dir];
	if (is_world(peer.cls))
		return world == ORA_ALL ||
		       (world == ORA_PUBLIC && peer.cls == BH_CLASS_WORLD_PUBLIC);
	if (peer.cls == BH_CLASS_TENANT)
		return peer.tenant == me.tenant;
	if (out)
		return peer.cls == BH_CLASS_DNS ||
		       (peer.cls == BH_CLASS_APISERVER && c->pod[p->pod].control);
	return peer.cls == BH_CLASS_SYSTEM || peer.cls == BH_CLASS_NODE ||
	       peer.cls == BH_CLASS_APISERVER;
}

struct ora_answer ora_judge(const struct ora_cluster *c, const struct ora_packet *p)
{
	const struct is me = owner_of_ns(c->pod[p->pod].ns);
	int service;
	const struct is peer = classify(c, p, me, &service);
	struct ora_answer out = { .cls = peer.cls };

	if (me.cls == BH_CLASS_CONFLICT)
		return out;
	out.allowed = by_default(c, p, me, peer);
	if (me.cls == BH_CLASS_UNASSIGNED) {
		if (p->dir == IN && peer.cls == BH_CLASS_TENANT)
			out.allowed = behind_granted(c, p, peer.tenant);
		return out;
	}
	for (size_t i = 0; i < c->tenant[me.tenant].n_grants[p->dir] && !out.allowed; i++)
		out.allowed = one_grant(c, &c->tenant[me.tenant].grant[p->dir][i], p, peer,
					p->dir == OUT ? service : NOBODY);
	return out;
}
