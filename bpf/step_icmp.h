/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once
/*
 * icmp - ICMP of both families: echo, and errors. An error is read as far as the packet that it
 * quotes, which must have been one between the pod and, for an error from the pod, the one it goes
 * to; whether that packet's flow is known is asked later. Redirects, source quench and everything
 * else are dropped.
 */
#include "bpf/step_ext.h"

#define ICMP4_ECHO_REPLY 0 /* RFC 792 */
#define ICMP4_UNREACHABLE 3
#define ICMP4_ECHO 8
#define ICMP4_TIME_EXCEEDED 11
#define ICMP4_PARAMETER 12
#define ICMP6_UNREACHABLE 1 /* RFC 4443; 2: packet too big, 3: time exceeded */
#define ICMP6_PARAMETER 4
#define ICMP6_ECHO 128
#define ICMP6_ECHO_REPLY 129

#define ICMP_LEN 8	/* of the header before what is quoted */
#define QUOTED_L4_LEN 8 /* of a quoted L4 header, at least (RFC 792) */

/* The quoted L4 header at @off, of which @left bytes are there. */
inline_step __u8 icmp_quoted_l4(struct pkt *p, __u32 off, __u32 left)
{
	struct quoted *q = &p->s->quoted;
	__u8 h[QUOTED_L4_LEN], v6 = p->s->ethertype == bpf_htons(ETH_P_IPV6);

	if (left < sizeof(h) || bpf_skb_load_bytes(p->skb, off, h, sizeof(h)))
		return BH_REASON_ICMP_QUOTE;
	switch (q->proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
		__builtin_memcpy(&q->dport, h, 2);
		__builtin_memcpy(&q->sport, h + 2, 2);
		return 0;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		break;
	default:
		return BH_REASON_ICMP_QUOTE;
	}
	if ((q->proto == IPPROTO_ICMPV6) != v6)
		return BH_REASON_ICMP_QUOTE;
	__builtin_memcpy(&q->sport, h + 4, 2);
	if (h[0] == (v6 ? ICMP6_ECHO : ICMP4_ECHO))
		q->icmp_type = v6 ? ICMP6_ECHO_REPLY : ICMP4_ECHO_REPLY;
	else if (h[0] == (v6 ? ICMP6_ECHO_REPLY : ICMP4_ECHO_REPLY))
		q->icmp_type = v6 ? ICMP6_ECHO : ICMP4_ECHO;
	else
		return BH_REASON_ICMP_QUOTE;
	return 0;
}

/* Whose packet is quoted? @own, @remote: its ends, as seen from the pod. */
inline_step __u8 icmp_quoted_ends(struct pkt *p, const union ip16 *own, const union ip16 *remote)
{
	const struct bh_abi_endpoint *ep = p->ep;
	union ip16 me;

	if (p->s->ethertype == bpf_htons(ETH_P_IP)) {
		ip16_from_v4(&me, 0);
		__builtin_memcpy(&me.w[3], ep->ip4, 4);
	} else {
		__builtin_memcpy(me.b, ep->ip6, 16);
	}
	/* a pod speaks of its own packets to the one who sent them, and to nobody else */
	if (!ip16_equal(own, me.b) ||
	    (p->dir == BH_DIR_EGRESS && !ip16_equal(remote, p->s->daddr.b)))
		return BH_REASON_ICMP_QUOTE;
	p->s->quoted.remote = *remote;
	return 0;
}

inline_step __u8 icmp_quoted4(struct pkt *p, __u32 off, __u32 left)
{
	union ip16 a, b;
	struct iphdr ip;
	__u32 hlen;
	__u8 reason;

	if (left < IP4_LEN || bpf_skb_load_bytes(p->skb, off, &ip, IP4_LEN))
		return BH_REASON_ICMP_QUOTE;
	hlen = (*(__u8 *)&ip & 15) * 4u;
	if (*(__u8 *)&ip >> 4 != 4 || hlen < IP4_LEN || hlen > left ||
	    ip.frag_off & bpf_htons(IP_OFFSET))
		return BH_REASON_ICMP_QUOTE;
	ip16_from_v4(&a, p->dir == BH_DIR_INGRESS ? ip.saddr : ip.daddr);
	ip16_from_v4(&b, p->dir == BH_DIR_INGRESS ? ip.daddr : ip.saddr);
	p->s->quoted.proto = ip.protocol;
	reason = icmp_quoted_ends(p, &a, &b);
	return reason ? reason : icmp_quoted_l4(p, off + hlen, left - hlen);
}

/*
 * The quoted extension header at opt_off: 0 and moved on, or the reason why not. What is in its
 * options was looked at when the packet passed. A fragment must be the first one.
 */
inline_step __u8 icmp_quoted_ext(struct pkt *p)
{
	__u8 h[8];
	__u32 len;

	if (p->s->opt_left < sizeof(h) || bpf_skb_load_bytes(p->skb, p->s->opt_off, h, sizeof(h)))
		return BH_REASON_ICMP_QUOTE;
	len = (h[1] + 1u) * 8;
	if (p->s->quoted.proto == IPPROTO_FRAGMENT) {
		if (h[2] || h[3] & 0xf8)
			return BH_REASON_ICMP_QUOTE;
		len = sizeof(h);
	}
	if (len > p->s->opt_left)
		return BH_REASON_ICMP_QUOTE;
	p->s->quoted.proto = h[0];
	p->s->opt_off += len;
	p->s->opt_left -= len;
	return 0;
}

/* From the end of the quoted IPv6 header, where opt_off stands, to L4: as many as we let through.
 */
inline_step __u8 icmp_quoted_chain(struct pkt *p)
{
	__u8 next, reason;
	int i;

	for (i = 0; i < EXT_HEADERS_MAX; i++) {
		next = p->s->quoted.proto;
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_DSTOPTS && next != IPPROTO_FRAGMENT)
			return 0;
		reason = icmp_quoted_ext(p);
		if (reason)
			return reason;
	}
	return 0; /* one more is no L4 protocol */
}

inline_step __u8 icmp_quoted6(struct pkt *p, __u32 off, __u32 left)
{
	union ip16 a, b;
	struct ipv6hdr ip;
	__u8 reason;

	if (left < IP6_LEN || bpf_skb_load_bytes(p->skb, off, &ip, IP6_LEN) ||
	    *(__u8 *)&ip >> 4 != 6)
		return BH_REASON_ICMP_QUOTE;
	__builtin_memcpy(a.b, p->dir == BH_DIR_INGRESS ? &ip.saddr : &ip.daddr, 16);
	__builtin_memcpy(b.b, p->dir == BH_DIR_INGRESS ? &ip.daddr : &ip.saddr, 16);
	/* our tables hold IPv4 there */
	if (ip16_is_mapped(&b))
		return BH_REASON_ICMP_QUOTE;
	reason = icmp_quoted_ends(p, &a, &b);
	if (reason)
		return reason;
	p->s->quoted.proto = ip.nexthdr;
	p->s->opt_off = off + IP6_LEN;
	p->s->opt_left = left - IP6_LEN;
	reason = icmp_quoted_chain(p);
	return reason ? reason : icmp_quoted_l4(p, p->s->opt_off, p->s->opt_left);
}

inline_step __u8 icmp_error(struct pkt *p)
{
	__u32 off = p->s->l4_off + ICMP_LEN, left = p->s->l4_len - ICMP_LEN;

	if (p->s->frag == FRAG_FIRST)
		return BH_REASON_FRAGMENT;
	p->s->error = 1;
	return p->s->ethertype == bpf_htons(ETH_P_IP) ? icmp_quoted4(p, off, left)
						      : icmp_quoted6(p, off, left);
}

/* Type, code, checksum, and four bytes that for echo begin with the id. */
inline_step __u8 icmp_header(struct pkt *p)
{
	__u8 h[ICMP_LEN];

	if (p->s->l4_len < sizeof(h) || bpf_skb_load_bytes(p->skb, p->s->l4_off, h, sizeof(h)))
		return frag_short(p);
	p->s->icmp_type = h[0];
	__builtin_memcpy(&p->s->sport, h + 4, 2);
	return 0;
}

inline_step __u8 step_icmp4(struct pkt *p)
{
	__u8 reason = icmp_header(p);

	if (reason)
		return reason;
	switch (p->s->icmp_type) {
	case ICMP4_ECHO:
	case ICMP4_ECHO_REPLY:
		return 0;
	}
	p->s->sport = 0;
	switch (p->s->icmp_type) {
	case ICMP4_UNREACHABLE:
	case ICMP4_TIME_EXCEEDED:
	case ICMP4_PARAMETER:
		return icmp_error(p);
	}
	return BH_REASON_ICMP_TYPE;
}

inline_step __u8 step_icmp6(struct pkt *p)
{
	__u8 reason = icmp_header(p), type = p->s->icmp_type;

	if (reason)
		return reason;
	if (type == ICMP6_ECHO || type == ICMP6_ECHO_REPLY)
		return 0;
	p->s->sport = 0;
	if (type >= ICMP6_UNREACHABLE && type <= ICMP6_PARAMETER)
		return icmp_error(p);
	if (type >= ND_RS && type <= ND_REDIRECT) /* RFC 6980: never behind a fragment header */
		return p->s->ext ? BH_REASON_ND_INVALID : step_nd(p, p->s->hop_limit);
	switch (type) {
	case MLD_QUERY:
	case MLD_REPORT:
	case MLD_DONE:
	case MLD2_REPORT: /* RFC 3810 5: behind a router alert, and nothing else */
		if (p->s->ext == 1 && p->s->router_alert)
			return step_mld(p, p->s->hop_limit);
	}
	return BH_REASON_ICMP_TYPE;
}
