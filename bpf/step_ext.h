/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once
/*
 * ext - what may stand between an IP header and the L4 header: IPv4 options, IPv6 extension
 * headers. All of it is walked, so that the ports are read where the receiver will read them.
 *
 * Let through: IPv4 end of list, NOP, record route, timestamp, router alert; IPv6 hop-by-hop (first
 * only), destination options and one fragment header, with padding (and router alert hop by hop) as
 * their options. Everything else is dropped: source routes and routing headers would change the
 * destination after the verdict, a home address the source, ESP and AH hide or sign what we could
 * neither read nor let the host translate (and no tenant's stack needs them between pods: a tunnel
 * over UDP does the same).
 *
 * Where a walk stands is kept in the packet's state: the loops below would be walked by the
 * verifier once for each way through them if it were in registers.
 */
#include "bpf/step_frag.h"

#define IP4_OPTS_BYTES 40 /* at most: 15 words of header, 5 of them fixed */

#define IP4_OPT_EOL 0 /* RFC 791 */
#define IP4_OPT_NOP 1
#define IP4_OPT_RR 7
#define IP4_OPT_TS 68
#define IP4_OPT_LSRR 131
#define IP4_OPT_SSRR 137
#define IP4_OPT_RA 148 /* RFC 2113 */

#define EXT_HEADERS_MAX 8
#define EXT_STEPS_MAX 24 /* headers and options together */

#define EXT_HIP 139   /* RFC 7401 */
#define EXT_SHIM6 140 /* RFC 5533 */

#define IP6_OPT_PAD1 0 /* RFC 8200 4.2 */
#define IP6_OPT_PADN 1
#define IP6_OPT_RA 5 /* RFC 2711 */

/* One option at opt_off that is neither end of list nor NOP: 0 and opt_off, opt_left moved on. */
inline_step __u8 ip4_option(struct pkt *p)
{
	__u8 o[3]; /* type, length, and for RR and TS the pointer, counted from 1 at the type */

	if (p->s->opt_left < sizeof(o))
		return BH_REASON_IP_OPTIONS;
	if (bpf_skb_load_bytes(p->skb, p->s->opt_off, o, sizeof(o)))
		return BH_REASON_TRUNCATED;
	if (o[0] == IP4_OPT_LSRR || o[0] == IP4_OPT_SSRR)
		return BH_REASON_SOURCE_ROUTE;
	if (o[1] < sizeof(o) || o[1] > p->s->opt_left)
		return BH_REASON_IP_OPTIONS;
	if (!(o[0] == IP4_OPT_RR && o[2] >= 4) && !(o[0] == IP4_OPT_TS && o[1] >= 4 && o[2] >= 5) &&
	    !(o[0] == IP4_OPT_RA && o[1] == 4))
		return BH_REASON_IP_OPTIONS;
	p->s->opt_off += o[1];
	p->s->opt_left -= o[1];
	return 0;
}

/* The @len bytes of options behind an IPv4 header: 0, or the reason why not. */
inline_step __u8 step_ip4_options(struct pkt *p, __u32 len)
{
	__u8 type, reason;
	int i;

	p->s->opt_off = ETH_LEN + IP4_LEN;
	p->s->opt_left = len;
	for (i = 0; i < IP4_OPTS_BYTES; i++) {
		if (!p->s->opt_left)
			return 0;
		if (bpf_skb_load_bytes(p->skb, p->s->opt_off, &type, 1))
			return BH_REASON_TRUNCATED;
		if (type == IP4_OPT_EOL) /* what follows is padding (RFC 791 3.1) */
			return 0;
		if (type == IP4_OPT_NOP) {
			p->s->opt_off++;
			p->s->opt_left--;
			continue;
		}
		reason = ip4_option(p);
		if (reason)
			return reason;
	}
	return p->s->opt_left ? BH_REASON_IP_OPTIONS : 0;
}

inline_step int is_ext_header(__u8 next)
{
	switch (next) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_FRAGMENT:
	case IPPROTO_ESP:
	case IPPROTO_AH:
	case IPPROTO_DSTOPTS:
	case IPPROTO_MH:
	case EXT_HIP:
	case EXT_SHIM6:
		return 1;
	}
	return 0;
}

/* The option at opt_off: 0 and moved on, or the reason why not. */
inline_step __u8 ip6_option(struct pkt *p)
{
	__u8 o[4]; /* type, length of the data, the first two bytes of it */
	__u32 len;

	if (bpf_skb_load_bytes(p->skb, p->s->opt_off, o, 1))
		return BH_REASON_TRUNCATED;
	if (o[0] == IP6_OPT_PAD1) {
		p->s->opt_off++;
		p->s->opt_left--;
		return 0;
	}
	if (p->s->opt_left < 2)
		return BH_REASON_EXT_OPTION;
	if (bpf_skb_load_bytes(p->skb, p->s->opt_off, o, 2))
		return BH_REASON_TRUNCATED;
	len = 2u + o[1];
	if (len > p->s->opt_left)
		return BH_REASON_EXT_OPTION;
	if (o[0] == IP6_OPT_RA && p->s->hop_by_hop && len == 4) {
		if (bpf_skb_load_bytes(p->skb, p->s->opt_off, o, 4))
			return BH_REASON_TRUNCATED;
		if (!o[2] && !o[3])
			p->s->router_alert = 1;
	} else if (o[0] != IP6_OPT_PADN) {
		return BH_REASON_EXT_OPTION;
	}
	p->s->opt_off += len;
	p->s->opt_left -= len;
	return 0;
}

/* The fragment header at l4_off (RFC 8200 4.5), @h: its bytes. */
inline_step __u8 ip6_fragment(struct pkt *p, const __u8 *h)
{
	__u32 off = (__u32)h[2] << 8 | (h[3] & 0xf8);

	if (p->s->frag != FRAG_WHOLE)
		return BH_REASON_EXT_HEADER;
	__builtin_memcpy(&p->s->frag_id, h + 4, 4);
	p->s->frag = FRAG_ATOMIC;
	p->s->proto = h[0];
	p->s->l4_off += 8;
	p->s->l4_len -= 8;
	if (!off && !(h[3] & 1))
		return 0;
	return frag_shape(p, off, h[3] & 1, p->s->l4_off - ETH_LEN - IP6_LEN - 8);
}

/* The extension header at l4_off: 0 and moved on to its options, or the reason why not. */
inline_step __u8 ip6_ext_header(struct pkt *p)
{
	__u8 h[8], type = p->s->proto;
	__u32 len;

	if (type == IPPROTO_ROUTING)
		return BH_REASON_SOURCE_ROUTE;
	if ((type != IPPROTO_HOPOPTS || p->s->ext) && type != IPPROTO_DSTOPTS &&
	    type != IPPROTO_FRAGMENT)
		return BH_REASON_EXT_HEADER;
	/* what follows in a fragment could be written over by a later one */
	if (p->s->ext >= EXT_HEADERS_MAX || p->s->frag == FRAG_FIRST)
		return BH_REASON_EXT_HEADER;
	if (p->s->l4_len < sizeof(h) || bpf_skb_load_bytes(p->skb, p->s->l4_off, h, sizeof(h)))
		return BH_REASON_TRUNCATED;
	p->s->ext++;
	if (type == IPPROTO_FRAGMENT)
		return ip6_fragment(p, h);
	len = (h[1] + 1u) * 8;
	if (len > p->s->l4_len)
		return BH_REASON_TRUNCATED;
	p->s->hop_by_hop = type == IPPROTO_HOPOPTS;
	p->s->opt_off = p->s->l4_off + 2;
	p->s->opt_left = len - 2;
	p->s->proto = h[0];
	p->s->l4_off += len;
	p->s->l4_len -= len;
	return 0;
}

/*
 * From the end of the IPv6 header, where l4_off, l4_len and proto stand, to the L4 header or, in a
 * later fragment, to its data: 0 and the three moved on, or the reason why not.
 */
inline_step __u8 step_ip6_ext(struct pkt *p)
{
	__u8 reason;
	int i;

	for (i = 0; i < EXT_STEPS_MAX; i++) {
		if (p->s->opt_left)
			reason = ip6_option(p);
		else if (p->s->frag == FRAG_LATER || !is_ext_header(p->s->proto))
			return 0;
		else
			reason = ip6_ext_header(p);
		if (reason)
			return reason;
	}
	return BH_REASON_EXT_HEADER;
}
