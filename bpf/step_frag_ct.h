/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once
/*
 * frag_ct - which packets' later fragments may pass: those whose first one did, by the policy of
 * today. The receiver puts together what has the same source, destination and identifier (and for
 * IPv4 protocol): every first fragment of these was judged here, and no later one reaches into its
 * L4 header, so whatever comes out is a packet that was allowed. A later fragment that overtakes
 * its first is lost.
 */
#include "bpf/step_ct.h"

#define IDLE_FRAGMENT_NS (5ull * NSEC_PER_SEC)

inline_step void frag_key(struct pkt *p, struct bh_abi_flow_key *k)
{
	__builtin_memset(k, 0, sizeof(*k));
	__builtin_memcpy(k->remote, pkt_remote(p)->b, 16);
	k->ifindex = p->skb->ifindex;
	k->proto = p->s->proto;
	k->lport = p->s->frag_id >> 16;
	k->rport = (__u16)p->s->frag_id;
	k->what = BH_FLOW_WHAT_FRAGMENTS + p->dir;
}

/* A later fragment: 0, or the reason why not. */
inline_step __u8 frag_known(struct pkt *p)
{
	struct bh_abi_flow_key key;
	struct bh_abi_flow *f;

	if (p->dry)
		return BH_REASON_FRAGMENT_UNKNOWN;
	frag_key(p, &key);
	f = bpf_map_lookup_elem(&bh_flows, &key);
	if (!f || f->generation != p->s->generation ||
	    (__s64)(bpf_ktime_get_ns() - f->last_ns) > (__s64)IDLE_FRAGMENT_NS)
		return BH_REASON_FRAGMENT_UNKNOWN;
	return 0;
}

/* A first fragment has passed, for whatever reason. */
inline_step void frag_remember(struct pkt *p)
{
	struct bh_abi_flow f = { .generation = p->s->generation, .dir = p->dir };
	struct bh_abi_flow_key key;

	frag_key(p, &key);
	f.last_ns = bpf_ktime_get_ns();
	if (bpf_map_update_elem(&bh_flows, &key, &f, BPF_ANY))
		account_loss(BH_LOSS_FLOW);
}
