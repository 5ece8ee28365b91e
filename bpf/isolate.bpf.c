// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * isolate - one set of programs for every endpoint's host interface: from_pod on its ingress (what
 * the pod sends), to_pod on its egress (what the pod receives). What differs between endpoints is
 * in maps. explain_* are the same code run dry by BPF_PROG_TEST_RUN: nothing is counted or
 * remembered, the answer is left in cb[].
 *
 * A pass returns TC_ACT_UNSPEC (which is TCX_NEXT): TC_ACT_OK would end the chain and switch the
 * CNI's own programs off.
 */
#include "bpf/step_frag_ct.h"
#include "bpf/step_meta.h"
#include "bpf/step_parse.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Identity, then policy: 0, or the reason of the drop. p->s->policy says which of the two. */
inline_step __u8 check(struct pkt *p)
{
	__u8 reason;

	if (p->ep->flags & BH_EP_CLOSED)
		return BH_REASON_UNPROTECTED_INTERFACE;
	if (!p->dry) {
		reason = rate_packet(p);
		if (reason)
			return reason;
	}
	reason = step_parse(p);
	if (reason)
		return reason;
	reason = step_meta(p);
	forget(p, reason);
	if (reason)
		return reason;
	if (p->s->ask_neighbour)
		return step_neighbour(p);
	/* a system pod is never dropped, so its flows need no memory */
	if (p->s->link || p->ep->role == BH_ROLE_SYSTEM)
		return 0;
	if (p->s->frag == FRAG_LATER)
		return frag_known(p);
	reason = step_flow(p);
	error_leave(p);
	return reason;
}

inline_step void leave_answer(struct pkt *p, __u8 verdict, __u8 reason)
{
	p->skb->cb[BH_EXPLAIN_CB_VERDICT] = verdict;
	p->skb->cb[BH_EXPLAIN_CB_REASON] = reason;
	p->skb->cb[BH_EXPLAIN_CB_CLASS] = p->s->peer_cls;
	p->skb->cb[BH_EXPLAIN_CB_TENANT] = p->s->peer_tenant;
	p->skb->cb[BH_EXPLAIN_CB_GRANT] = p->s->grant;
}

/*
 * While a daemon of another version hands over, its programs run behind ours and decide what ours,
 * which do not know all flows yet, would drop. Not for ever, should nobody come to end it.
 */
inline_step int is_shadow(const struct pkt *p)
{
	return p->ep && p->ep->flags & BH_EP_SHADOW && bpf_ktime_get_ns() < p->cfg->shadow_until_ns;
}

inline_step int filter(struct __sk_buff *skb, __u8 dir, __u8 dry)
{
	__u32 ifindex = skb->ifindex, zero = 0, tenant;
	struct pkt p = { .skb = skb, .dir = dir, .dry = dry };
	__u8 reason = BH_REASON_UNKNOWN_ENDPOINT, verdict;

	p.s = bpf_map_lookup_elem(&scratch, &zero);
	p.cfg = bpf_map_lookup_elem(&bh_config, &zero);
	if (!p.s || !p.cfg)
		return TC_ACT_SHOT;
	__builtin_memset(p.s, 0, __builtin_offsetof(struct pkt_state, raw));
	p.s->generation = p.cfg->generation;
	p.ep = bpf_map_lookup_elem(&bh_endpoints, &ifindex);
	if (p.ep)
		reason = check(&p);
	tenant = p.ep ? p.ep->tenant : BH_TENANT_NONE;
	verdict = sentence(&p, &reason);
	if (dry) {
		leave_answer(&p, verdict, reason);
	} else if (verdict == BH_VERDICT_DROP && is_shadow(&p)) {
		return TC_ACT_UNSPEC;
	} else {
		if (p.ep && p.s->frag == FRAG_FIRST && verdict != BH_VERDICT_DROP)
			frag_remember(&p);
		account_packet(&p, tenant, verdict, reason);
		if (verdict != BH_VERDICT_PASS)
			account_event(&p, verdict, reason);
	}
	return verdict == BH_VERDICT_DROP ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

SEC("tc")
int from_pod(struct __sk_buff *skb)
{
	return filter(skb, BH_DIR_EGRESS, 0);
}

SEC("tc")
int to_pod(struct __sk_buff *skb)
{
	return filter(skb, BH_DIR_INGRESS, 0);
}

SEC("tc")
int explain_from(struct __sk_buff *skb)
{
	return filter(skb, BH_DIR_EGRESS, 1);
}

SEC("tc")
int explain_to(struct __sk_buff *skb)
{
	return filter(skb, BH_DIR_INGRESS, 1);
}
