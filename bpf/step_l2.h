/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once
/*
 * l2 - ARP and neighbour discovery. A pod speaks for itself alone, asks only for addresses that it
 * could be allowed to reach, and is asked only by those who could be allowed to reach it. Who may
 * route or configure the network is the host, never a pod.
 */
#include "bpf/step_verdict.h"

#define ARP_REQUEST 1
#define ARP_REPLY 2

struct arp_eth_ip4 { /* RFC 826, for Ethernet and IPv4 */
	__be16 htype, ptype;
	__u8 hlen, plen;
	__be16 op;
	__u8 sha[6];
	__u8 spa[4];
	__u8 tha[6];
	__u8 tpa[4];
} __attribute__((packed));

#define ND_RS 133 /* RFC 4861 */
#define ND_RA 134
#define ND_NS 135
#define ND_NA 136
#define ND_REDIRECT 137
#define MLD_QUERY 130 /* RFC 2710, RFC 3810 */
#define MLD_REPORT 131
#define MLD_DONE 132
#define MLD2_REPORT 143

#define ND_OPT_SOURCE_LL 1
#define ND_OPT_TARGET_LL 2
#define ND_OPT_NONCE 14 /* RFC 7527: the kernel puts one into DAD */
#define ND_OPTS_MAX 4

struct nd_packet {
	__u8 type, code;
	__be16 csum;
	__u8 flags[4];
	union ip16 target;
};

/* Why a neighbour would be refused; the address to judge is in p->s->ask. */
inline_step __u8 ask_neighbour(struct pkt *p, const union ip16 *a, __u8 reason)
{
	p->s->ask = *a;
	p->s->ask_neighbour = reason;
	return 0;
}

/*
 * May @tenant talk to an unassigned pod, because it is behind a Service? @own: the pod is the
 * endpoint itself, else it is the one that is asked for.
 */
inline_step int is_service_pair(struct pkt *p, __u32 tenant, int own)
{
	struct bh_abi_service_key key = { .tenant = tenant, .dir = BH_DIR_INGRESS };
	const struct bh_abi_endpoint *ep = p->ep;
	union ip16 v4;
	__be32 ip4;

	if (own && ip16_is_mapped(&p->s->ask)) {
		__builtin_memcpy(&ip4, ep->ip4, 4);
		ip16_from_v4(&v4, ip4);
		__builtin_memcpy(key.addr, v4.b, 16);
	} else {
		__builtin_memcpy(key.addr, own ? ep->ip6 : p->s->ask.b, 16);
	}
	return bpf_map_lookup_elem(&bh_services, &key) != NULL;
}

/*
 * Could any verdict, in either direction, let the endpoint talk with the address in p->s->ask?
 * Judged in one place for all link protocols: every copy would be verified again.
 */
inline_step __u8 step_neighbour(struct pkt *p)
{
	const struct bh_abi_endpoint *ep = p->ep;
	struct bh_abi_peer_key key = { .tenant = ep->tenant, .cls = BH_CLASS_TENANT };
	struct peer peer;

	lookup_addr(&p->s->ask, &peer);
	p->s->peer_cls = peer.cls;
	p->s->peer_tenant = peer.tenant;
	if (peer.cls == BH_CLASS_NODE || ep->role == BH_ROLE_SYSTEM)
		return 0;
	if (ep->role == BH_ROLE_CONFLICT || p->s->ask_neighbour == BH_REASON_ROUTER_ADVERT)
		return p->s->ask_neighbour;
	/* a gateway may be link-local and no address of this host (169.254.1.1 with proxy ARP) */
	if (peer.cls == BH_CLASS_SYSTEM || peer.cls == BH_CLASS_WORLD_LINKLOCAL)
		return 0;
	if (!is_tenant_role(ep->role)) {
		if (peer.cls == BH_CLASS_UNASSIGNED)
			return 0;
		return peer.cls == BH_CLASS_TENANT && is_service_pair(p, peer.tenant, 1)
			       ? 0
			       : p->s->ask_neighbour;
	}
	if (peer.cls == BH_CLASS_UNASSIGNED)
		return is_service_pair(p, ep->tenant, 0) ? 0 : p->s->ask_neighbour;
	if (peer.cls != BH_CLASS_TENANT)
		return p->s->ask_neighbour;
	if (peer.tenant == ep->tenant)
		return 0;
	key.peer_tenant = peer.tenant;
	if (bpf_map_lookup_elem(&bh_peers, &key))
		return 0;
	key.dir = BH_DIR_INGRESS;
	return bpf_map_lookup_elem(&bh_peers, &key) ? 0 : p->s->ask_neighbour;
}

inline_step __u8 arp_from_pod(struct pkt *p, const struct arp_eth_ip4 *arp, __be32 spa)
{
	const struct bh_abi_endpoint *ep = p->ep;
	__be32 own;

	__builtin_memcpy(&own, ep->ip4, 4);
	if (!(ep->flags & BH_EP_HAS_V4) || !mac_equal(arp->sha, ep->mac))
		return BH_REASON_ARP_SPOOF;
	/* RFC 5227: a probe has no sender address, and asks for the pod's own */
	if (spa != own && !(spa == 0 && arp->op == bpf_htons(ARP_REQUEST)))
		return BH_REASON_ARP_SPOOF;
	if (ip16_equal(&p->s->daddr, p->s->saddr.b))
		return 0; /* gratuitous */
	if (spa == 0) {
		union ip16 me;

		ip16_from_v4(&me, own);
		return ip16_equal(&p->s->daddr, me.b) ? 0 : BH_REASON_ARP_TARGET;
	}
	return ask_neighbour(p, &p->s->daddr, BH_REASON_ARP_TARGET);
}

inline_step __u8 arp_to_pod(struct pkt *p, __be32 spa, __be32 tpa)
{
	__be32 own;

	__builtin_memcpy(&own, p->ep->ip4, 4);
	if (!(p->ep->flags & BH_EP_HAS_V4) || tpa != own)
		return BH_REASON_DST_ADDR;
	return spa ? ask_neighbour(p, &p->s->saddr, BH_REASON_ARP_TARGET) : 0;
}

inline_step __u8 step_arp(struct pkt *p)
{
	struct arp_eth_ip4 arp;
	__be32 spa, tpa;

	if (bpf_skb_load_bytes(p->skb, ETH_LEN, &arp, sizeof(arp)))
		return BH_REASON_TRUNCATED;
	__builtin_memcpy(&spa, arp.spa, 4);
	__builtin_memcpy(&tpa, arp.tpa, 4);
	ip16_from_v4(&p->s->saddr, spa);
	ip16_from_v4(&p->s->daddr, tpa);
	p->s->link = 1;
	if (arp.htype != bpf_htons(1) || arp.ptype != bpf_htons(ETH_P_IP) || arp.hlen != 6 ||
	    arp.plen != 4 || (arp.op != bpf_htons(ARP_REQUEST) && arp.op != bpf_htons(ARP_REPLY)))
		return BH_REASON_ARP_INVALID;
	return p->dir == BH_DIR_EGRESS ? arp_from_pod(p, &arp, spa) : arp_to_pod(p, spa, tpa);
}

/* Link-layer addresses in the options are what the receiver will learn: the pod's own, or drop. */
inline_step __u8 nd_options(struct pkt *p, __u32 off, __u32 left)
{
	int i;

#pragma unroll
	for (i = 0; i < ND_OPTS_MAX; i++) {
		__u8 opt[8];

		if (!left)
			return 0;
		if (left < 8 || bpf_skb_load_bytes(p->skb, off, opt, 8))
			return BH_REASON_ND_INVALID;
		if (opt[1] != 1) /* length in units of 8; all that a pod has to send are one unit */
			return BH_REASON_ND_INVALID;
		if (opt[0] == ND_OPT_SOURCE_LL || opt[0] == ND_OPT_TARGET_LL) {
			if (!mac_equal(opt + 2, p->ep->mac))
				return BH_REASON_ND_SPOOF;
		} else if (opt[0] != ND_OPT_NONCE) {
			return BH_REASON_ND_INVALID;
		}
		off += 8;
		left -= 8;
	}
	return left ? BH_REASON_ND_INVALID : 0;
}

inline_step int is_own6(const struct bh_abi_endpoint *ep, const union ip16 *a)
{
	/* every interface has a link-local address, in an IPv4-only cluster too */
	return ip16_equal(a, ep->ll6) || (ep->flags & BH_EP_HAS_V6 && ip16_equal(a, ep->ip6));
}

/* ff02::1:ffXX:XXXX of @target (RFC 4291 2.7.1) */
inline_step int is_solicited_node(const union ip16 *a, const union ip16 *target)
{
	return a->w[0] == bpf_htonl(0xff020000) && !a->w[1] && a->w[2] == bpf_htonl(1) &&
	       a->b[12] == 0xff && a->b[13] == target->b[13] && a->b[14] == target->b[14] &&
	       a->b[15] == target->b[15];
}

inline_step int is_ff02(const union ip16 *a, __u8 last)
{
	return a->w[0] == bpf_htonl(0xff020000) && !a->w[1] && !a->w[2] &&
	       a->w[3] == bpf_htonl(last);
}

inline_step __u8 ns_from_pod(struct pkt *p, const union ip16 *target)
{
	if (ip16_is_zero(&p->s->saddr)) { /* RFC 4862 5.4.2: duplicate address detection */
		if (!is_own6(p->ep, target))
			return BH_REASON_ND_SPOOF;
		return is_solicited_node(&p->s->daddr, target) ? 0 : BH_REASON_ND_INVALID;
	}
	if (!is_own6(p->ep, &p->s->saddr))
		return BH_REASON_ND_SPOOF;
	/* asked of all, or of the target itself (RFC 4861 4.3): else a router would carry it
	 * anywhere */
	if (!is_solicited_node(&p->s->daddr, target) && !ip16_equal(&p->s->daddr, target->b))
		return BH_REASON_ND_INVALID;
	return is_own6(p->ep, target) ? 0 : ask_neighbour(p, target, BH_REASON_ND_TARGET);
}

inline_step __u8 nd_from_pod(struct pkt *p, const struct nd_packet *m)
{
	__u8 reason;

	switch (p->s->icmp_type) {
	case ND_RA:
	case ND_REDIRECT:
		return BH_REASON_ROUTER_ADVERT;
	case ND_NS:
		reason = ns_from_pod(p, &m->target);
		break;
	case ND_NA:
		if (!is_own6(p->ep, &p->s->saddr) || !is_own6(p->ep, &m->target))
			return BH_REASON_ND_SPOOF;
		reason = ip16_is_multicast6(&p->s->daddr)
				 ? (is_ff02(&p->s->daddr, 1) ? 0 : BH_REASON_MULTICAST)
				 : ask_neighbour(p, &p->s->daddr, BH_REASON_ND_TARGET);
		break;
	default:
		return BH_REASON_ND_INVALID;
	}
	if (reason)
		return reason;
	if (p->s->l4_len < sizeof(*m))
		return BH_REASON_ND_INVALID;
	return nd_options(p, p->s->l4_off + sizeof(*m), p->s->l4_len - sizeof(*m));
}

inline_step __u8 nd_to_pod(struct pkt *p, const struct nd_packet *m)
{
	switch (p->s->icmp_type) {
	case ND_RA:
	case ND_REDIRECT:
		return ask_neighbour(p, &p->s->saddr, BH_REASON_ROUTER_ADVERT);
	case ND_NS:
		if (!is_own6(p->ep, &m->target))
			return BH_REASON_DST_ADDR;
		return ip16_is_zero(&p->s->saddr)
			       ? 0
			       : ask_neighbour(p, &p->s->saddr, BH_REASON_ND_TARGET);
	case ND_NA:
		if (!is_own6(p->ep, &p->s->daddr) && !is_ff02(&p->s->daddr, 1))
			return BH_REASON_DST_ADDR;
		return ask_neighbour(p, &m->target, BH_REASON_ND_TARGET);
	}
	return BH_REASON_ND_INVALID;
}

/* Router solicitation: the pod's own, to all routers, with its own MAC if with any. */
inline_step __u8 rs_from_pod(struct pkt *p)
{
	if (!ip16_is_zero(&p->s->saddr) && !is_own6(p->ep, &p->s->saddr))
		return BH_REASON_ND_SPOOF;
	if (!is_ff02(&p->s->daddr, 2) || p->s->l4_len < 8)
		return BH_REASON_ND_INVALID;
	return nd_options(p, p->s->l4_off + 8, p->s->l4_len - 8);
}

/* Neighbour discovery; the hop limit proves that no router forwarded it (RFC 4861 7.1). */
inline_step __u8 step_nd(struct pkt *p, __u8 hop_limit)
{
	struct nd_packet m;

	p->s->link = 1;
	if (hop_limit != 255)
		return BH_REASON_ND_INVALID;
	if (p->s->icmp_type == ND_RS)
		return p->dir == BH_DIR_EGRESS ? rs_from_pod(p) : BH_REASON_DST_ADDR;
	if (bpf_skb_load_bytes(p->skb, p->s->l4_off, &m, sizeof(m)))
		return BH_REASON_TRUNCATED;
	if (m.code || ip16_is_mapped(&m.target))
		return BH_REASON_ND_INVALID;
	return p->dir == BH_DIR_EGRESS ? nd_from_pod(p, &m) : nd_to_pod(p, &m);
}

/* Multicast listeners: reports from the pod, queries from the host; nobody learns of other pods. */
inline_step __u8 step_mld(struct pkt *p, __u8 hop_limit)
{
	p->s->link = 1;
	if (hop_limit != 1 || p->s->daddr.b[0] != 0xff || p->s->daddr.b[1] != 0x02)
		return BH_REASON_ND_INVALID;
	if (p->dir == BH_DIR_INGRESS)
		return p->s->icmp_type == MLD_QUERY
			       ? ask_neighbour(p, &p->s->saddr, BH_REASON_ROUTER_ADVERT)
			       : BH_REASON_DST_ADDR;
	if (p->s->icmp_type == MLD_QUERY)
		return BH_REASON_ROUTER_ADVERT;
	/* RFC 3810 5.2.13: link-local, or :: while the address is tentative */
	return ip16_is_zero(&p->s->saddr) || is_own6(p->ep, &p->s->saddr) ? 0 : BH_REASON_ND_SPOOF;
}
