/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once
/*
 * frag - fragments of IPv4 and IPv6. Only the first one has ports: it must hold the whole L4 header
 * and is judged by it. A later one must not be able to change that header, whichever copy of a byte
 * its receiver prefers, so none may begin below the longest one (TCP: 60 bytes).
 */
#include "bpf/step_l2.h"

#define FRAG_L4_MAX 64
#define IP_MAX 65535 /* bytes of an IPv4 packet, or behind an IPv6 header */

/*
 * Which fragment is it, and can a packet be made of it? l4_len: its data, in bytes. @at: its
 * offset, bytes; @more: another one follows; @head: bytes that count against the greatest length of
 * the whole packet, too. 0 and frag set, or the reason why not.
 */
inline_step __u8 frag_shape(struct pkt *p, __u32 at, int more, __u32 head)
{
	__u32 len = p->s->l4_len;

	if (!len || (more && len % 8) || head + at + len > IP_MAX)
		return BH_REASON_FRAGMENT;
	if (at && at < FRAG_L4_MAX)
		return BH_REASON_FRAGMENT_OVERLAP;
	p->s->frag = at ? FRAG_LATER : FRAG_FIRST;
	return 0;
}

/* What it means that an L4 header does not fit into the packet. */
inline_step __u8 frag_short(const struct pkt *p)
{
	return p->s->frag == FRAG_FIRST ? BH_REASON_FRAGMENT_TINY : BH_REASON_TRUNCATED;
}

/* May a packet of these ports come in fragments? DNS must be readable whole. 0, or the reason. */
inline_step __u8 frag_ports(const struct pkt *p)
{
	if (p->s->frag == FRAG_FIRST &&
	    (p->s->sport == bpf_htons(53) || p->s->dport == bpf_htons(53)))
		return BH_REASON_FRAGMENT_DNS;
	return 0;
}
