/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once
/*
 * ct - flows that the verdict allowed, so that their replies pass. An entry knows which policy
 * allowed it: when the policy has changed since, the flow is judged again in the direction in which
 * it was opened, at its next packet in either direction. Nothing needs to sweep the table: an idle
 * entry is as good as none. flow_table.h has the table itself.
 */
#include "bpf/step_record.h"
#include "bpf/step_error.h"
#include "bpf/step_rate.h"

/* --- the table: one entry after the other, by its key; also for what is no flow --- */

/* What flow_find() found. */
#define FLOW_NONE 0    /* nothing that is alive */
#define FLOW_STALE 1   /* an entry that has to be judged again, in the direction of its tag */
#define FLOW_CURRENT 2 /* an entry that the current policy allowed */

/* One of the two sets of the tag in p->s->flow_tag; NULL: the endpoint has no table. */
inline_step struct bh_abi_flow_set *flow_set(struct pkt *p, __u32 which)
{
	__u32 i = bh_flow_set_of(p->ep->slot, p->cfg->flow_sets, p->s->flow_tag, which);

	return bpf_map_lookup_elem(&bh_flows, &i);
}

inline_step struct bh_abi_flow_set *flow_set_found(struct pkt *p)
{
	return flow_set(p, p->s->flow_way / BH_FLOW_WAYS & 1);
}

/* Where the tag is: p->s->flow_way, or FLOW_NOWHERE. */
#define FLOW_NOWHERE (2 * BH_FLOW_WAYS)

inline_step void flow_locate(struct pkt *p)
{
	struct bh_abi_flow_set *s = flow_set(p, 0);

	p->s->flow_way = FLOW_NOWHERE;
	if (!s)
		return;
	p->s->flow_way = bh_flow_way(s, p->s->flow_tag);
	if (p->s->flow_way < BH_FLOW_WAYS)
		return;
	s = flow_set(p, 1);
	if (s)
		p->s->flow_way = BH_FLOW_WAYS + bh_flow_way(s, p->s->flow_tag);
}

/*
 * Look for the entry of p->s->flow_key. What is found is in p->s->flow_*, for the functions below:
 * until the next flow_find() they are about this entry.
 */
inline_step __u8 flow_find(struct pkt *p)
{
	struct bh_abi_flow_set *s;
	__u64 tag, word;
	__u32 way;

	p->s->now = bh_flow_tick(clock_ns(p));
	p->s->flow_tag = bh_flow_tag(p->cfg, &p->s->flow_key);
	flow_locate(p);
	way = p->s->flow_way;
	if (way >= FLOW_NOWHERE)
		return FLOW_NONE;
	s = flow_set_found(p);
	if (!s)
		return FLOW_NONE;
	way &= BH_FLOW_WAYS - 1;
	tag = BH_FLOW_LOAD(s->tag[way]);
	word = BH_FLOW_LOAD(s->word[way]);
	if ((tag ^ p->s->flow_tag) >> 1) { /* another CPU took it just now */
		p->s->flow_way = FLOW_NOWHERE;
		return FLOW_NONE;
	}
	if (!bh_flow_left(tag, word, p->s->now))
		return FLOW_NONE;
	p->s->flow_tag = tag;
	p->s->flow_word = word;
	if ((__u32)word != bh_flow_check(p->cfg, tag, p->s->generation) ||
	    bh_flow_state(word) & BH_FLOW_AUDIT)
		return FLOW_STALE;
	return FLOW_CURRENT;
}

/* The packet belongs to the entry found. A store for every packet would bounce the line. */
inline_step void flow_touch(struct pkt *p)
{
	const __u64 word = p->s->flow_word;
	const __u8 state = bh_flow_next(bh_flow_state(word), p->s->tcp_flags,
					bh_flow_dir(p->s->flow_tag) ^ p->dir);
	const __u64 next = bh_flow_word((__u32)word, p->s->now, state);
	struct bh_abi_flow_set *s;

	if (next == word)
		return;
	s = flow_set_found(p);
	if (s)
		BH_FLOW_STORE(s->word[p->s->flow_way & (BH_FLOW_WAYS - 1)], next);
}

/* The entry found must not be believed any more. */
inline_step void flow_delete(struct pkt *p)
{
	struct bh_abi_flow_set *s = flow_set_found(p);

	if (s)
		BH_FLOW_STORE(s->tag[p->s->flow_way & (BH_FLOW_WAYS - 1)], 0);
}

/* The way that a new entry takes: p->s->flow_way. 0, or the reason why there is none. */
inline_step __u8 flow_room(struct pkt *p)
{
	struct bh_abi_flow_set *s;
	__u64 a, b;
	__u32 way;

	s = flow_set(p, 0);
	if (!s)
		return BH_REASON_TABLE_FULL;
	a = bh_flow_cost(s, p->s->now, &way);
	p->s->flow_way = way;
	s = flow_set(p, 1);
	if (!s)
		return BH_REASON_TABLE_FULL;
	b = bh_flow_cost(s, p->s->now, &way);
	if (b < a) {
		p->s->flow_way = BH_FLOW_WAYS + way;
		a = b;
	}
	return a >= BH_FLOW_COST_PROTECTED ? BH_REASON_FLOW_LIMIT : 0;
}

/*
 * Remember what flow_find() looked for, allowed in direction @dir by the policy of
 * p->s->generation, in @state. 0, or the reason why there is no room.
 */
inline_step __u8 flow_insert(struct pkt *p, __u8 dir, __u8 state)
{
	struct bh_abi_flow_set *s;
	__u8 reason;
	__u64 tag;

	if (p->s->flow_way >= FLOW_NOWHERE) {
		reason = flow_room(p);
		if (!reason)
			reason = rate_flow(p);
		if (reason)
			return reason;
	}
	s = flow_set_found(p);
	if (!s)
		return BH_REASON_TABLE_FULL;
	tag = (p->s->flow_tag & ~1ull) | dir;
	bh_flow_put(s, p->s->flow_way, tag,
		    bh_flow_word(bh_flow_check(p->cfg, tag, p->s->generation), p->s->now, state));
	return 0;
}

/* --- flows --- */

inline_step int is_echo(__u8 proto)
{
	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

inline_step int is_echo_reply(const struct pkt *p)
{
	return (p->s->proto == IPPROTO_ICMP && p->s->icmp_type == 0) ||
	       (p->s->proto == IPPROTO_ICMPV6 && p->s->icmp_type == 129);
}

/* What every entry's key begins with: whose it is, and with whom. */
inline_step struct bh_flow_key *flow_key_of(struct pkt *p, __u8 what)
{
	struct bh_flow_key *k = &p->s->flow_key;
	const union ip16 *remote = pkt_remote(p);

	k->remote.d[0] = remote->d[0];
	k->remote.d[1] = remote->d[1];
	k->ifindex = p->skb->ifindex;
	k->proto = p->s->proto;
	k->what = what;
	return k;
}

inline_step void flow_key(struct pkt *p)
{
	struct bh_flow_key *k = flow_key_of(p, BH_FLOW_WHAT_FLOW);

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

inline_step __u8 flow_kind(__u8 proto)
{
	return proto == IPPROTO_TCP    ? BH_FLOW_TCP
	       : proto == IPPROTO_UDP  ? BH_FLOW_UDP
	       : proto == IPPROTO_SCTP ? BH_FLOW_SCTP
				       : BH_FLOW_OTHER;
}

/*
 * Remember the flow with the verdict's @reason; in the modes that let it pass all the same, too:
 * its replies must pass. @known: it had been opened before, in the direction @dir.
 */
inline_step __u8 remember(struct pkt *p, __u8 reason, __u8 dir, __u8 known)
{
	__u8 state = flow_kind(p->s->proto), full;

	if (reason && (!p->s->policy || p->s->mode == MODE_ENFORCE)) {
		/* what was a reply may be allowed as a flow of its own; its next packet will tell
		 */
		if (known)
			flow_delete(p);
		return reason;
	}
	if (known)
		state |= bh_flow_state(p->s->flow_word) & ~(BH_FLOW_KIND_MASK | BH_FLOW_AUDIT);
	state = bh_flow_next(state, p->s->tcp_flags, dir ^ p->dir);
	if (reason && p->s->mode == MODE_AUDIT)
		state |= BH_FLOW_AUDIT;
	forget(p, state);
	full = flow_insert(p, dir, state);
	if (!full)
		return reason;
	account_loss(BH_LOSS_FLOW);
	p->s->policy = 0;
	return full;
}

/* The packet belongs to a flow that is allowed, or may open one: 0, or the reason why not. */
inline_step __u8 step_flow(struct pkt *p)
{
	const struct bh_flow_key *key = &p->s->flow_key;
	__u8 dir = p->dir, known = FLOW_NONE, reason;
	__be16 port;

	if (p->s->error) {
		reason = error_enter(p);
		if (reason)
			return reason;
	}
	flow_key(p);
	if (!p->dry) {
		known = flow_find(p);
		forget(p, known);
		/* a call back on the ports of a flow is none of its replies */
		if (p->s->opens && bh_flow_dir(p->s->flow_tag) != p->dir)
			known = FLOW_NONE;
		if (known == FLOW_CURRENT && !(p->s->generation & BH_GENERATION_WRITING)) {
			if (!p->s->error)
				flow_touch(p);
			return 0;
		}
		if (known)
			dir = bh_flow_dir(p->s->flow_tag);
		forget(p, dir);
	}
	if ((p->s->error || is_echo_reply(p)) && !known) {
		p->s->policy = 1; /* a lack of permission, not of identity */
		tenant_of(p);
		return p->s->error ? BH_REASON_ICMP_NO_FLOW : BH_REASON_NO_FLOW;
	}
	/* as it was opened: the port that counts is the one at the side that was opened to */
	port = is_echo(p->s->proto) ? 0 : dir == BH_DIR_EGRESS ? key->rport : key->lport;
	forget(p, port);
	reason = step_verdict(p, dir, port);
	forget(p, reason);
	/* its sender cannot be told from a reply (see find_judged): what came in renews the flow */
	if (!reason && known && dir == BH_DIR_INGRESS && p->dir == BH_DIR_EGRESS && !p->s->error) {
		flow_touch(p);
		return 0;
	}
	if (p->dry || p->s->error)
		return reason;
	reason = remember(p, reason, dir, known);
	forget(p, reason);
	step_record(p, dir, reason, known);
	return reason;
}
