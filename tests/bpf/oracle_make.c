/* SPDX-License-Identifier: Apache-2.0 */
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bpf/oracle.h"

static const uint16_t some_ports[] = { 1, 53, 80, 443, 5353, 6443, 8080, 8443, 65535 };
#define N(a) (sizeof(a) / sizeof((a)[0]))
#define R(n) ora_random(c, n)

uint32_t ora_random(struct ora_cluster *c, uint32_t below)
{
	c->seed = c->seed * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)(c->seed >> 4) * below) >> 28);
}

struct bh_addr ora_addr(const char *text)
{
	struct bh_addr a;

	if (bh_addr_parse(text, &a) < 0)
		abort();
	return a;
}

__attribute__((format(printf, 1, 2))) static struct bh_addr addrf(const char *fmt, ...)
{
	char text[64];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return ora_addr(text);
}

static uint8_t some_proto(struct ora_cluster *c)
{
	static const uint8_t v[] = { IPPROTO_TCP, IPPROTO_TCP, IPPROTO_TCP,
				     IPPROTO_UDP, IPPROTO_UDP, IPPROTO_SCTP };

	return v[R(N(v))];
}

static void make_pods(struct ora_cluster *c)
{
	for (uint32_t i = 0; i < ORA_PODS; i++) {
		struct ora_pod *p = &c->pod[i];

		*p = (struct ora_pod){
			.ns = (int)R(ORA_NS_BOTH + 1),
			.node = (int)(R(2) ? 0 : R(ORA_NODES)),
			.host = R(12) == 0,
			.ended = R(12) == 0,
			.a = { addrf("10.244.0.%u", 10 + i), addrf("fd00:244::%x", 10 + i) },
		};
		p->control = p->ns == 0 && !p->host && R(3) == 0;
		/* one more claim on somebody's address */
		if (i && R(10) == 0)
			memcpy(p->a, c->pod[R(i)].a, sizeof(p->a));
	}
	for (uint32_t i = ORA_PODS - 2; i < ORA_PODS; i++)
		c->pod[i] = (struct ora_pod){
			.ns = ORA_NS_SYSTEM,
			.node = (int)(R(4) ? 0 : R(ORA_NODES)),
			.a = { addrf("10.244.0.%u", 10 + i), addrf("fd00:244::%x", 10 + i) },
		};
}

static void make_backend(struct ora_cluster *c, const struct ora_service *s, struct bh_addr *v4,
			 struct bh_addr *v6)
{
	const struct ora_pod *p = &c->pod[R(ORA_PODS)];
	const uint32_t which = R(20);

	/* mostly of one owner, or all would be mixed */
	for (int tries = 0; tries < 40 && which > 1 && p->ns != s->ns; tries++)
		p = &c->pod[R(ORA_PODS)];
	*v4 = p->a[0];
	*v6 = p->a[1];
	if (which == 0) {
		*v4 = c->node[R(ORA_NODES)][0];
	} else if (which == 1) {
		*v4 = ora_addr("11.22.33.44");
		*v6 = ora_addr("fd00:244::ffff");
	}
}

static struct bh_addr make_external(struct ora_cluster *c)
{
	switch (R(8)) {
	case 0:
		return c->pod[R(ORA_PODS)].a[R(2)];
	case 1:
		return c->node[R(ORA_NODES)][R(2)];
	case 2:
		return c->dns[R(2)];
	case 3:
		return c->service[R(ORA_SERVICES)].ip[R(2)];
	case 4:
		return addrf("172.16.0.%u", R(4));
	default:
		return addrf("11.22.33.%u", R(6));
	}
}

static void make_services(struct ora_cluster *c)
{
	for (uint32_t i = 0; i < ORA_SERVICES; i++) {
		c->service[i].ip[0] = addrf("10.96.0.%u", 20 + i);
		c->service[i].ip[1] = addrf("fd00:96::%x", 20 + i);
	}
	for (uint32_t i = 0; i < ORA_SERVICES; i++) {
		struct ora_service *s = &c->service[i];

		s->ns = (int)(R(2) ? R(ORA_NS_BOTH) : ORA_NS_FREE);
		s->synced = R(8) == 0;
		s->slices_synced = R(4) == 0;
		s->n_backends = R(ORA_BACKENDS);
		for (size_t b = 0; b < s->n_backends; b++)
			make_backend(c, s, &s->backend[0][b], &s->backend[1][b]);
		for (int k = 0; k < 2; k++) {
			s->port[k].proto = k && R(2) ? IPPROTO_UDP : IPPROTO_TCP;
			s->port[k].port = some_ports[R(N(some_ports))];
			s->port[k].target = some_ports[R(N(some_ports))];
		}
		if (i && R(12) == 0)
			s->ip[0] = c->service[R(i)].ip[0];
		s->has_external = R(2);
		s->external = make_external(c);
	}
}

static void make_ports(struct ora_cluster *c, struct ora_ports *p)
{
	p->any = R(3) == 0;
	p->n = p->any ? 0 : R(4);
	for (size_t i = 0; i < p->n; i++) {
		p->r[i].proto = R(8) ? some_proto(c) : IPPROTO_ICMP;
		p->r[i].lo = some_ports[R(N(some_ports))];
		p->r[i].hi = p->r[i].lo;
		if (R(3) == 0 && p->r[i].lo < 60000)
			p->r[i].hi += (uint16_t)R(5000);
		if (p->r[i].proto == IPPROTO_ICMP || R(10) == 0) {
			p->r[i].lo = 0;
			p->r[i].hi = 65535;
		}
	}
}

static struct bh_prefix cut(struct bh_addr a, uint8_t len)
{
	for (uint32_t i = len; i < 128; i++)
		a.b[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	return (struct bh_prefix){ a, len };
}

/* Somewhere in the world, dense enough that grants and packets meet. */
static struct bh_addr world_addr(struct ora_cluster *c)
{
	switch (R(6)) {
	case 0:
		return addrf("2600:1f18::%x:%x", R(4), R(8));
	case 1:
		return addrf("fd99:20::%x:%x", R(4), R(8));
	case 2:
		return addrf("172.16.%u.%u", R(2), R(16));
	case 3:
		return addrf("10.9.%u.%u", R(2), R(16));
	default:
		return addrf("11.22.33.%u", R(16));
	}
}

static void make_cidr(struct ora_cluster *c, struct ora_grant *g)
{
	struct bh_addr a = world_addr(c);
	const uint8_t family = bh_addr_is_v4(&a) ? 96 : 0;

	if (R(8) == 0)
		a = c->pod[R(ORA_PODS)].a[R(2)]; /* "never a pod" */
	g->cidr = cut(a, (uint8_t)(R(10) ? 112 + R(17) : bh_addr_is_v4(&a) ? 96 + R(9) : R(17)));
	if (family && !bh_addr_is_v4(&a))
		g->cidr.len = 128;
	g->n_except = g->cidr.len < 124 ? R(4) : 0;
	for (size_t i = 0; i < g->n_except; i++) {
		/* one that is inside, near where packets go */
		struct bh_addr e = a;

		e.b[15] = (uint8_t)(e.b[15] ^ R(16));
		g->except[i] = cut(e, (uint8_t)(124 + R(5)));
		if (!bh_prefix_covers(&g->cidr, &g->except[i]))
			g->except[i] = cut(a, 128);
	}
}

static void make_grants(struct ora_cluster *c, struct ora_tenant *t, int dir, int self)
{
	t->n_grants[dir] = R(ORA_GRANTS + 1);
	for (size_t i = 0; i < t->n_grants[dir]; i++) {
		struct ora_grant *g = &t->grant[dir][i];

		g->peer = dir == 0 ? R(3) ? R(ORA_PEERS) : ORA_SERVICE : R(2);
		g->tenant = (self + 1 + (int)R(ORA_TENANTS - 1)) % ORA_TENANTS;
		g->service = (int)R(ORA_SERVICES);
		make_cidr(c, g);
		make_ports(c, &g->ports);
	}
}

void ora_make(struct ora_cluster *c, uint32_t seed)
{
	*c = (struct ora_cluster){ .seed = seed,
				   .dns = { ora_addr("10.96.0.10"), ora_addr("fd00:96::a") },
				   .api = { ora_addr("10.96.0.1"), ora_addr("fd00:96::1") } };
	for (uint32_t i = 0; i < ORA_NODES; i++) {
		c->node[i][0] = addrf("192.168.50.%u", 1 + i);
		c->node[i][1] = addrf("fd50::%x", 1 + i);
	}
	c->node[0][1] = ora_addr("10.244.0.1"); /* a bridge, inside of the pods' range */
	make_pods(c);
	make_services(c);
	for (int t = 0; t < ORA_TENANTS; t++)
		for (int dir = 0; dir < 2; dir++) {
			c->tenant[t].world[dir] = R(3);
			make_grants(c, &c->tenant[t], dir, t);
		}
}

static struct bh_addr some_peer(struct ora_cluster *c)
{
	static const char *const others[] = {
		"169.254.169.254", "fd00:ec2::254", "169.254.7.7",   "fe80::77",   "127.0.0.1",
		"10.244.0.200",	   "fd00:244::ee",  "10.96.0.200",   "100.64.0.1", "2002:af4:a::1",
		"2001:0:af4:a::1", "::10.244.0.11", "64:ff9b:1::1",  "1.1.1.1",	   "::ffff:0:af4:a",
		"2606:4700::1111", "8.8.8.8",	    "10.244.255.255"
	};
	struct bh_addr a, behind;

	switch (R(12)) {
	case 0:
		a = ora_addr(others[R(N(others))]);
		break;
	case 1:
		a = c->node[R(ORA_NODES)][R(2)];
		break;
	case 2:
	case 3:
		a = c->service[R(ORA_SERVICES)].ip[R(2)];
		break;
	case 4:
		a = c->service[R(ORA_SERVICES)].external;
		break;
	case 5:
		a = R(2) ? c->dns[R(2)] : c->api[R(2)];
		break;
	case 6:
	case 7:
	case 8:
		a = c->pod[R(ORA_PODS)].a[R(2)];
		break;
	default:
		a = world_addr(c);
	}
	if (!bh_addr_is_v4(&a) || R(6))
		return a;
	behind = ora_addr(R(2) ? "64:ff9b::" : "2001:db8:64::");
	memcpy(behind.b + 12, a.b + 12, 4);
	return behind;
}

/* Somebody of whom a grant of the pod's tenant speaks, or who is beside him. */
static void aim_at_grant(struct ora_cluster *c, struct ora_packet *p)
{
	const struct ora_tenant *t = &c->tenant[c->pod[p->pod].ns];
	const struct ora_grant *g = &t->grant[p->dir][R((uint32_t)t->n_grants[p->dir])];

	switch (g->peer) {
	case ORA_CIDR:
		p->peer = g->n_except && R(2) ? g->except[R((uint32_t)g->n_except)].addr
					      : g->cidr.addr;
		p->peer.b[15] = (uint8_t)(p->peer.b[15] ^ R(32));
		break;
	case ORA_TENANT:
		for (uint32_t i = R(ORA_PODS), n = 0; n < ORA_PODS; n++, i = (i + 1) % ORA_PODS)
			if (c->pod[i].ns == g->tenant)
				p->peer = c->pod[i].a[R(2)];
		break;
	case ORA_SERVICE:
		p->peer = R(3) ? c->service[g->service].ip[R(2)] : c->service[g->service].external;
		break;
	case ORA_METADATA:
		p->peer = ora_addr(R(2) ? "169.254.169.254" : "fd00:ec2::254");
		break;
	default:
		p->peer = c->node[R(ORA_NODES)][R(2)];
	}
	if (g->ports.n && R(4)) {
		p->proto = g->ports.r[0].proto;
		p->dport = R(2) ? g->ports.r[0].lo : g->ports.r[0].hi;
	}
}

/* From a tenant to a pod behind a Service that it is granted, on a target port of it. */
static void aim_at_backend(struct ora_cluster *c, struct ora_packet *p)
{
	const int tenant = (int)R(ORA_TENANTS);
	const struct ora_tenant *t = &c->tenant[tenant];
	const uint32_t first = R(ORA_GRANTS);

	for (uint32_t i = 0; i < t->n_grants[0]; i++) {
		const struct ora_grant *g = &t->grant[0][(first + i) % t->n_grants[0]];
		const struct ora_service *s = &c->service[g->service];
		const uint32_t k = R(2);
		size_t b;

		if (g->peer != ORA_SERVICE || !s->n_backends || s->ns != ORA_NS_FREE)
			continue;
		b = R((uint32_t)s->n_backends);
		p->dir = 1;
		p->proto = s->port[k].proto;
		p->dport = s->port[R(4) ? k : 1 - k].target;
		for (size_t j = 0; j < ORA_PODS; j++) {
			if (c->pod[j].ns == tenant)
				p->peer = c->pod[j].a[R(2)];
			if (memcmp(&c->pod[j].a[0], &s->backend[0][b], sizeof(struct bh_addr)) ==
				    0 &&
			    ora_is_endpoint(c, j))
				p->pod = j;
		}
		return;
	}
}

bool ora_make_packet(struct ora_cluster *c, struct ora_packet *ret_p)
{
	const size_t first = R(ORA_PODS);
	size_t pod = first;

	while (!ora_is_endpoint(c, pod)) {
		pod = (pod + 1) % ORA_PODS;
		if (pod == first)
			return false;
	}
	*ret_p = (struct ora_packet){ .pod = pod, .dir = (uint8_t)R(2), .peer = some_peer(c) };
	ret_p->proto = R(8) ? some_proto(c) : IPPROTO_ICMP;
	ret_p->dport = some_ports[R(N(some_ports))];
	if (R(4) == 0)
		ret_p->dport = c->service[R(ORA_SERVICES)].port[R(2)].target;
	if (R(6) == 0)
		aim_at_backend(c, ret_p);
	else if (c->pod[pod].ns < ORA_TENANTS && c->tenant[c->pod[pod].ns].n_grants[ret_p->dir] &&
		 R(2))
		aim_at_grant(c, ret_p);
	if (ret_p->proto == IPPROTO_ICMP)
		ret_p->dport = 0;
	else if (R(10) == 0)
		ret_p->dport = (uint16_t)(ret_p->dport + 1);
	return true;
}
