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

inline_step void frag_key(struct pkt *p)
{
	struct bh_flow_key *k = flow_key_of(p, BH_FLOW_WHAT_FRAGMENTS + p->dir);

	k->lport = p->s->frag_id >> 16;
	k->rport = (__u16)p->s->frag_id;
}

/* A later fragment: 0, or the reason why not. */
inline_step __u8 frag_known(struct pkt *p)
{
	if (p->dry)
		return BH_REASON_FRAGMENT_UNKNOWN;
	frag_key(p);
	return flow_find(p) == FLOW_CURRENT ? 0 : BH_REASON_FRAGMENT_UNKNOWN;
}

/* A first fragment has passed, for whatever reason. */
inline_step void frag_remember(struct pkt *p)
{
	if (p->ep->role == BH_ROLE_SYSTEM)
		return; /* all of its fragments pass */
	frag_key(p);
	(void)flow_find(p);
	if (flow_insert(p, p->dir, BH_FLOW_OTHER | BH_FLOW_FRAGMENT))
		account_loss(BH_LOSS_FLOW);
}
