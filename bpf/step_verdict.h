/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once
/*
 * verdict - who the peer is, and whether the endpoint may talk to it: the default table, then
 * grants.
 */
#include "bpf/maps.h"

/* enum bh_mode and enum bh_world of the daemon, as struct bh_abi_tenant holds them. */
#define MODE_ENFORCE 0
#define MODE_AUDIT 1
#define MODE_OFF 2
#define WORLD_MODE_PUBLIC 0
#define WORLD_MODE_ALL 1

struct peer {
	__u32 tenant;
	__u8 cls;     /* enum bh_class */
	__u8 service; /* an address of a Service: grants towards it are in bh_services */
};

/* What an address is on ports without a class of their own. */
inline_step struct bh_abi_addr *lookup_addr(const union ip16 *a, struct peer *ret_peer)
{
	struct bh_abi_addr *v = bpf_map_lookup_elem(&bh_addrs, a);
	struct bh_abi_cidr_key key = { .prefixlen = 128 };
	struct bh_abi_cidr *c;

	ret_peer->tenant = 0;
	ret_peer->service = 0;
	if (v) {
		ret_peer->cls = v->cls;
		ret_peer->tenant = v->tenant;
		return v;
	}
	__builtin_memcpy(key.addr, a->b, 16);
	c = bpf_map_lookup_elem(&bh_cidrs, &key);
	/* the world is a prefix like others: without it nothing is known of what is outside */
	ret_peer->cls = c ? (__u8)c->cls : BH_CLASS_UNKNOWN;
	return NULL;
}

inline_step int is_world(__u8 cls)
{
	return cls == BH_CLASS_WORLD_PUBLIC || cls == BH_CLASS_WORLD_PRIVATE ||
	       cls == BH_CLASS_WORLD_LINKLOCAL;
}

/* 1 if @a is in prefix @w, by arithmetic alone: every branch is one more path for the verifier. */
inline_step __u64 in_prefix96(const union ip16 *a, const __u32 *w)
{
	__u64 differ = (a->w[0] ^ w[0]) | (a->w[1] ^ w[1]) | (a->w[2] ^ w[2]);

	asm volatile("" : "+r"(differ)); /* or clang makes branches of what follows */
	return (differ - 1) >> 63;
}

/* Does a NAT64 router lead from @a to the IPv4 address in its end? */
inline_step __u64 is_nat64(const union ip16 *a)
{
	const __u32 well_known[3] = { bpf_htonl(0x64ff9b) }, none[3] = {};
	__u64 hit = in_prefix96(a, well_known);
	__u32 zero = 0;
	const struct bh_abi_nat64 *n = bpf_map_lookup_elem(&bh_nat64, &zero);
	int i;

	if (!n)
		return hit;
#pragma unroll
	for (i = 0; i < BH_ABI_NAT64_MAX; i++)
		hit |= in_prefix96(a, n->prefix[i]);
	return hit & ~in_prefix96(a, none); /* a place that holds no prefix matches ::/96 */
}

/* The address of endpoint @from in the family of the packet; none: the one that is nobody's. */
inline_step void judge_by_endpoint(struct pkt *p, const struct bh_abi_endpoint *from)
{
	union ip16 *a = &p->s->judged;
	__be32 ip4;

	if (p->s->ethertype == bpf_htons(ETH_P_IP)) {
		__builtin_memcpy(&ip4, from->ip4, 4);
		ip16_from_v4(a, ip4);
	} else if (from->flags & BH_EP_HAS_V6) {
		__builtin_memcpy(a->b, from->ip6, 16);
	} else {
		__builtin_memcpy(a->b, from->ll6, 16);
	}
}

/*
 * Which address is the peer judged by? Its own, but:
 * - What another endpoint of this host sent may bear an address of the host by now (kube-proxy
 *   masquerades what it redirects): then by the sender's own. The kernel notes on which interface
 *   a packet that is forwarded came in. System pods may be routers: theirs stays as it is.
 * - Behind a NAT64 router, by the IPv4 address inside.
 */
inline_step void find_judged(struct pkt *p, __u8 dir)
{
	const struct bh_abi_endpoint *from = NULL;
	__u32 via = p->skb->ingress_ifindex;
	union ip16 *a = &p->s->judged;
	__u64 nat64;
	__u32 v4;

	*a = *pkt_remote(p);
	nat64 = is_nat64(a);
	forget(p, nat64);
	/* an ICMP error comes from whoever met with it: what it quotes counts */
	if (p->dir == BH_DIR_INGRESS && dir == BH_DIR_INGRESS && via && !p->s->error)
		from = bpf_map_lookup_elem(&bh_endpoints, &via);
	if (from && from->role != BH_ROLE_SYSTEM && !ip16_equal(a, from->ll6)) {
		judge_by_endpoint(p, from);
	} else if (nat64) {
		v4 = a->w[3];
		ip16_from_v4(a, v4);
	}
}

inline_step int is_tenant_role(__u8 role)
{
	return role == BH_ROLE_TENANT || role == BH_ROLE_CONTROL_PLANE;
}

/* Is what is behind an external address of a Service all the endpoint's own? */
inline_step int owns_external(const struct bh_abi_endpoint *ep, const struct bh_abi_addr *v)
{
	if (ep->role == BH_ROLE_UNASSIGNED)
		return v->owner == BH_CLASS_UNASSIGNED;
	return v->owner == BH_CLASS_TENANT && v->tenant == ep->tenant;
}

/*
 * The class of a peer for a flow: dns and apiserver go by port where the peer is the destination.
 * As a source the API server is known by its address alone (its own port is ephemeral), unless the
 * address is some pod's. To an external address of a Service only its owner may send: it is
 * translated after this, to whatever its writer chose.
 */
inline_step void classify(struct pkt *p, __u8 dir, __be16 peer_port, struct peer *ret_peer)
{
	struct bh_abi_addr *v = lookup_addr(&p->s->judged, ret_peer);
	__u8 proto = p->s->proto;

	if (!v)
		return;
	/*
	 * A Service of nodes is open to whom nodes are open, but no node itself: nothing comes from
	 * it, and a grant towards nodes names their ports, of which the Service has others.
	 */
	if (v->flags & BH_ADDR_SERVICE && v->cls == BH_CLASS_NODE &&
	    (dir == BH_DIR_INGRESS || is_tenant_role(p->ep->role)))
		ret_peer->cls = BH_CLASS_MIXED;
	if (dir == BH_DIR_INGRESS) {
		if ((v->flags & BH_ADDR_APISERVER_ANY || v->api_ports[0]) &&
		    (ret_peer->cls == BH_CLASS_NODE || is_world(v->cls)))
			ret_peer->cls = BH_CLASS_APISERVER;
		return;
	}
	/* towards another tenant's Service, grants are towards the tenant */
	if (v->flags & BH_ADDR_SERVICE && v->cls != BH_CLASS_TENANT)
		ret_peer->service = 1;
	if (v->flags & BH_ADDR_EXTERNAL && !owns_external(p->ep, v)) {
		ret_peer->cls = BH_CLASS_MIXED;
		ret_peer->service = 1;
	}
	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP)
		return;
	if (v->flags & BH_ADDR_DNS && peer_port == bpf_htons(53)) {
		ret_peer->cls = BH_CLASS_DNS;
		ret_peer->service = 0;
	} else if (proto == IPPROTO_TCP && (v->flags & BH_ADDR_APISERVER_ANY ||
					    (peer_port && (peer_port == v->api_ports[0] ||
							   peer_port == v->api_ports[1])))) {
		ret_peer->cls = BH_CLASS_APISERVER;
		ret_peer->service = 0;
	}
}

inline_step __u32 default_bits(__u8 role, __u8 dir)
{
	switch (role) {
#define X(id, to, from)                                                                            \
	case BH_ROLE_##id:                                                                         \
		return dir == BH_DIR_EGRESS ? (to) : (from);
		BH_DEFAULT_TABLE(X)
#undef X
	}
	return 0;
}

/* @want: protocol << 16 | port. Binary search; the set is sorted and disjoint. */
inline_step int portset_has(__u64 id, __u32 want)
{
	struct bh_abi_portset *ps;
	__u64 lo = 0, hi;
	int i;

	if (id == BH_PORTS_ANY)
		return 1;
	if (id == BH_PORTS_NONE)
		return 0;
	ps = bpf_map_lookup_elem(&bh_portsets, &id);
	if (!ps)
		return 0;
	hi = ps->n;
	if (hi > BH_PORTSET_MAX)
		return 0;
#pragma unroll
	for (i = 0; i < 8; i++) { /* 2^7 ranges: 8 halvings */
		__u64 mid = (lo + hi) >> 1;

		/* keeps the bound that clang would drop after testing another register */
		asm volatile("%0 &= 127" : "+r"(mid));
		if (lo < hi) {
			if (ps->r[mid].hi < want)
				lo = mid + 1;
			else
				hi = mid;
		}
	}
	if (lo >= ps->n)
		return 0;
	asm volatile("%0 &= 127" : "+r"(lo));
	return ps->r[lo].lo <= want && want <= ps->r[lo].hi;
}

/* ICMP grants hold for both families. Echo has no port: its ranges are 0..65535. */
inline_step __u32 port_key(__u8 proto, __be16 port)
{
	if (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6)
		return (__u32)IPPROTO_ICMP << 16;
	return (__u32)proto << 16 | bpf_ntohs(port);
}

/* cidr grants are about the world alone, all others about classes and tenants inside. */
inline_step __u64 *grant_of(const struct bh_abi_endpoint *ep, __u8 dir, const struct peer *peer,
			    const union ip16 *addr)
{
	struct bh_abi_world_key wkey = {
		.prefixlen = BH_WORLD_KEY_FIXED_BITS + 128,
		.tenant = ep->tenant,
		.dir = dir,
	};
	struct bh_abi_peer_key key = {
		.tenant = ep->tenant,
		.peer_tenant = peer->cls == BH_CLASS_TENANT ? peer->tenant : 0,
		.dir = dir,
		.cls = peer->cls,
	};

	if (!is_world(peer->cls))
		return bpf_map_lookup_elem(&bh_peers, &key);
	__builtin_memcpy(wkey.addr, addr->b, 16);
	return bpf_map_lookup_elem(&bh_world, &wkey);
}

/*
 * A grant of @tenant towards a Service: at an address of the Service, or at an unassigned pod
 * behind it.
 */
inline_step __u64 *service_grant_of(struct pkt *p, __u8 dir, __u32 tenant)
{
	struct bh_abi_service_key key = { .tenant = tenant, .dir = dir };
	const union ip16 *a = dir == BH_DIR_EGRESS ? &p->s->judged : pkt_local(p);

	__builtin_memcpy(key.addr, a->b, 16);
	return bpf_map_lookup_elem(&bh_services, &key);
}

/* PEER_<class>, in the order of enum bh_class. */
inline_step __u8 peer_reason(__u8 cls)
{
	switch (cls) {
	case BH_CLASS_CONFLICT:
		return BH_REASON_PEER_CONFLICT;
	case BH_CLASS_TENANT:
		return BH_REASON_PEER_TENANT;
	case BH_CLASS_SYSTEM:
		return BH_REASON_PEER_SYSTEM;
	case BH_CLASS_UNASSIGNED:
		return BH_REASON_PEER_UNASSIGNED;
	case BH_CLASS_UNPROTECTED:
		return BH_REASON_PEER_UNPROTECTED;
	case BH_CLASS_MIXED:
		return BH_REASON_PEER_MIXED;
	case BH_CLASS_NODE:
		return BH_REASON_PEER_NODE;
	case BH_CLASS_DNS:
		return BH_REASON_PEER_DNS;
	case BH_CLASS_APISERVER:
		return BH_REASON_PEER_APISERVER;
	case BH_CLASS_WORLD_PUBLIC:
		return BH_REASON_PEER_WORLD_PUBLIC;
	case BH_CLASS_WORLD_PRIVATE:
		return BH_REASON_PEER_WORLD_PRIVATE;
	case BH_CLASS_WORLD_LINKLOCAL:
		return BH_REASON_PEER_WORLD_LINKLOCAL;
	case BH_CLASS_METADATA:
		return BH_REASON_PEER_METADATA;
	case BH_CLASS_INVALID:
		return BH_REASON_PEER_INVALID;
	}
	return BH_REASON_PEER_UNKNOWN;
}

inline_step __u32 with_world_mode(__u32 bits, __u8 mode)
{
	if (mode == WORLD_MODE_PUBLIC)
		return bits;
	if (mode == WORLD_MODE_ALL)
		return bits | BH_WORLD_BITS;
	return bits & ~BH_WORLD_BITS;
}

/* The switches of the endpoint's tenant, its mode noted in @p; NULL: no tenant's, or not known. */
inline_step const struct bh_abi_tenant *tenant_of(struct pkt *p)
{
	const struct bh_abi_tenant *t;
	__u32 tenant = p->ep->tenant;

	if (!is_tenant_role(p->ep->role))
		return NULL;
	t = bpf_map_lookup_elem(&bh_tenants, &tenant);
	if (t)
		p->s->mode = t->mode;
	return t;
}

/* The id of the ports that a grant opens towards the peer. */
inline_step __u64 granted_ports(struct pkt *p, __u8 dir, const struct peer *peer)
{
	const struct bh_abi_endpoint *ep = p->ep;
	__u64 *id = NULL;

	if (is_tenant_role(ep->role))
		id = peer->service ? service_grant_of(p, dir, ep->tenant)
				   : grant_of(ep, dir, peer, &p->s->judged);
	else if (ep->role == BH_ROLE_UNASSIGNED && dir == BH_DIR_INGRESS &&
		 peer->cls == BH_CLASS_TENANT)
		/* who may talk to a Service may talk to the unassigned pods behind it */
		id = service_grant_of(p, dir, peer->tenant);
	return id ? *id : BH_PORTS_NONE;
}

/*
 * May the packet's endpoint open a flow in direction @dir with the peer at the packet's other end,
 * where @port is the port of the side that is opened to? 0, or the reason why not.
 */
inline_step __u8 step_verdict(struct pkt *p, __u8 dir, __be16 port)
{
	const struct bh_abi_endpoint *ep = p->ep;
	__u32 bits = default_bits(ep->role, dir), rel;
	const struct bh_abi_tenant *t = NULL;
	struct peer peer;
	__u64 ports;

	p->s->policy = 1;
	p->s->grant = 0;
	find_judged(p, dir);
	classify(p, dir, port, &peer);
	forget(p, peer.cls);
	forget(p, peer.tenant);
	forget(p, peer.service);
	forget(p, bits);
	p->s->peer_cls = peer.cls;
	p->s->peer_tenant = peer.tenant;
	if (ep->role == BH_ROLE_CONFLICT) {
		p->s->policy = 0; /* two owners, so nobody's mode applies */
		return BH_REASON_SELF_CONFLICT;
	}
	if (peer.cls >= BH_CLASS_MAX_)
		return BH_REASON_PEER_UNKNOWN;
	rel = peer.cls;
	if (is_tenant_role(ep->role)) {
		t = tenant_of(p);
		if (!t)
			return BH_REASON_INTERNAL;
		bits = with_world_mode(bits,
				       dir == BH_DIR_EGRESS ? t->world_egress : t->world_ingress);
		if (peer.cls == BH_CLASS_TENANT && peer.tenant == ep->tenant)
			rel = BH_REL_OWN;
	}
	if (bits & BH_BIT(rel))
		return 0;
	forget(p, port);
	forget(p, dir);
	ports = granted_ports(p, dir, &peer);
	forget(p, ports);
	if (portset_has(ports, port_key(p->s->proto, port))) {
		p->s->grant = 1;
		return 0;
	}
	return peer_reason(peer.cls);
}

/* What becomes of a packet with @reason: who may be spared, and by whose word. */
inline_step __u8 sentence(struct pkt *p, __u8 *reason)
{
	if (!*reason)
		return BH_VERDICT_PASS;
	if (!p->ep)
		return BH_VERDICT_DROP;
	if (p->ep->role == BH_ROLE_SYSTEM)
		return BH_VERDICT_AUDIT;
	if (!p->s->policy)
		return BH_VERDICT_DROP;
	if (p->s->mode == MODE_AUDIT)
		return BH_VERDICT_AUDIT;
	if (p->s->mode == MODE_OFF) {
		*reason = BH_REASON_NONE;
		return BH_VERDICT_PASS;
	}
	return BH_VERDICT_DROP;
}
