/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once
/*
 * ct - flows that the verdict allowed, so that their replies pass. An entry knows which policy
 * allowed it: when the policy has changed since, the flow is judged again in the direction in which
 * it was opened, at its next packet in either direction. Nothing needs to sweep the table: an idle
 * entry is as good as none.
 */
#include "bpf/step_account.h"
#include "bpf/step_error.h"

/* How long a flow may be silent: RFC 5382 REQ-5 (TCP, 2 h 4 min), RFC 4787 REQ-5 (UDP, 5 min). */
#define IDLE_TCP_NS (7440ull * NSEC_PER_SEC)
#define IDLE_UDP_NS (300ull * NSEC_PER_SEC)
#define IDLE_ICMP_NS (30ull * NSEC_PER_SEC)

/* A live entry is touched at most this often: a store on every packet would bounce the line. */
#define TOUCH_NS NSEC_PER_SEC

inline_step __u64 idle_limit(__u8 proto)
{
	return proto == IPPROTO_TCP   ? IDLE_TCP_NS
	       : proto == IPPROTO_UDP ? IDLE_UDP_NS
				      : IDLE_ICMP_NS;
}

inline_step int is_echo(__u8 proto)
{
	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

inline_step int is_echo_reply(const struct pkt *p)
{
	return (p->s->proto == IPPROTO_ICMP && p->s->icmp_type == 0) ||
	       (p->s->proto == IPPROTO_ICMPV6 && p->s->icmp_type == 129);
}

inline_step void flow_key(struct pkt *p, struct bh_abi_flow_key *k)
{
	__builtin_memset(k, 0, sizeof(*k));
	__builtin_memcpy(k->remote, pkt_remote(p)->b, 16);
	k->ifindex = p->skb->ifindex;
	k->proto = p->s->proto;
	if (is_echo(p->s->proto)) {
		/* who asked is part of the key: a ping out must not let a ping in */
		__u8 asker = is_echo_reply(p) ? !p->dir : p->dir;

		k->lport = p->s->sport;
		k->rport = bpf_htons(1 + asker);
	} else if (p->dir == BH_DIR_EGRESS) {
		k->lport = p->s->sport;
		k->rport = p->s->dport;
	} else {
		k->lport = p->s->dport;
		k->rport = p->s->sport;
	}
}

/* A flow that the current policy allowed: 0, or in mode audit why it would not have been. */
inline_step __u8 known_flow(struct pkt *p, struct bh_abi_flow *f, __u64 now)
{
	if (!p->s->error && (__s64)(now - f->last_ns) > (__s64)TOUCH_NS)
		f->last_ns = now;
	if (f->reason) {
		p->s->policy = 1;
		p->s->mode = MODE_AUDIT;
		p->s->peer_cls = f->peer_cls;
	}
	return f->reason;
}

/* Remember the flow; in the modes that let it pass all the same, too: its replies must pass. */
inline_step __u8 remember(struct pkt *p, const struct bh_abi_flow_key *key, struct bh_abi_flow *f,
			  __u8 reason)
{
	if (reason && (!p->s->policy || p->s->mode == MODE_ENFORCE))
		return reason;
	if (reason && p->s->mode == MODE_AUDIT) {
		f->reason = reason;
		f->peer_cls = p->s->peer_cls;
	}
	if (!bpf_map_update_elem(&bh_flows, key, f, BPF_ANY))
		return reason;
	account_loss(BH_LOSS_FLOW);
	p->s->policy = 0;
	return BH_REASON_TABLE_FULL;
}

/* The packet belongs to a flow that is allowed, or may open one: 0, or the reason why not. */
inline_step __u8 step_flow(struct pkt *p)
{
	struct bh_abi_flow fresh = { .generation = p->s->generation, .dir = p->dir };
	struct bh_abi_flow *f = NULL;
	struct bh_abi_flow_key key;
	__be16 port;
	__u8 reason;

	if (p->s->error) {
		reason = error_enter(p);
		if (reason)
			return reason;
	}
	flow_key(p, &key);
	if (!p->dry) {
		fresh.last_ns = bpf_ktime_get_ns();
		f = bpf_map_lookup_elem(&bh_flows, &key);
		/* signed: another CPU may have renewed the flow after the clock was read here */
		if (f && (__s64)(fresh.last_ns - f->last_ns) > (__s64)idle_limit(p->s->proto))
			f = NULL;
		/* a call back on the ports of a flow is none of its replies */
		if (f && p->s->opens && f->dir != p->dir)
			f = NULL;
		if (f && f->generation == p->s->generation)
			return known_flow(p, f, fresh.last_ns);
	}
	if ((p->s->error || is_echo_reply(p)) && !f) {
		p->s->policy = 1; /* a lack of permission, not of identity */
		tenant_of(p);
		return p->s->error ? BH_REASON_ICMP_NO_FLOW : BH_REASON_NO_FLOW;
	}
	if (f)
		fresh.dir = f->dir;
	/* as it was opened: the port that counts is the one at the side that was opened to */
	port = is_echo(p->s->proto) ? 0 : fresh.dir == BH_DIR_EGRESS ? key.rport : key.lport;
	reason = step_verdict(p, fresh.dir, port);
	if (p->s->error)
		return reason;
	/* its sender cannot be told from a reply (see find_judged): what came in renews the flow */
	if (!reason && f && f->dir == BH_DIR_INGRESS && p->dir == BH_DIR_EGRESS && !p->dry) {
		f->last_ns = fresh.last_ns;
		return 0;
	}
	/* what was a reply may be allowed as a flow of its own; its next packet will tell */
	if (reason && f)
		bpf_map_delete_elem(&bh_flows, &key);
	return p->dry ? reason : remember(p, &key, &fresh, reason);
}
