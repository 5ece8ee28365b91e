/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once
/*
 * account - counters and events. A packet is never held up by either: what cannot be recorded is
 * counted as a loss.
 */
#include "bpf/step_rate.h"

inline_step void account_loss(__u32 which)
{
	__u64 *n = bpf_map_lookup_elem(&bh_losses, &which);

	if (n)
		*n += 1;
}

inline_step void account_packet(struct pkt *p, __u32 tenant, __u8 verdict, __u8 reason)
{
	struct bh_abi_stat_key key = {
		.tenant = tenant, .dir = p->dir, .verdict = verdict, .reason = reason
	};
	struct bh_abi_stat *st = bpf_map_lookup_elem(&bh_stats, &key);

	if (!st) {
		struct bh_abi_stat zero = {};

		bpf_map_update_elem(&bh_stats, &key, &zero, BPF_NOEXIST);
		st = bpf_map_lookup_elem(&bh_stats, &key);
		if (!st) {
			account_loss(BH_LOSS_STAT);
			return;
		}
	}
	/* per CPU, and TC programs of one CPU do not interrupt each other */
	st->packets += 1;
	st->bytes += p->skb->len;
}

/* True if an event may be sent; *suppressed = those that were not, since the last one. */
inline_step int event_allowed(__u32 ifindex, __u8 reason, __u64 now, __u32 *suppressed)
{
	struct bh_abi_event_limit_key key = { .ifindex = ifindex, .reason = reason };
	struct bh_abi_event_limit *l = bpf_map_lookup_elem(&bh_event_limits, &key);

	if (!l) {
		struct bh_abi_event_limit first = { .window_ns = now, .sent = 1 };

		bpf_map_update_elem(&bh_event_limits, &key, &first, BPF_ANY);
		return 1;
	}
	if (now - l->window_ns >= NSEC_PER_SEC) {
		l->window_ns = now;
		l->sent = 0;
	}
	if (l->sent >= BH_EVENTS_PER_SEC) {
		__sync_fetch_and_add(&l->suppressed, 1);
		return 0;
	}
	l->sent += 1;
	*suppressed = l->suppressed;
	l->suppressed = 0;
	return 1;
}

/* All but the time and what was suppressed. */
inline_step void fill_event(struct pkt *p, struct bh_abi_event *e, __u8 verdict, __u8 reason)
{
	e->ifindex = p->skb->ifindex;
	e->tenant = p->ep ? p->ep->tenant : BH_TENANT_NONE;
	e->peer_tenant = p->s->peer_tenant;
	e->len = p->skb->len;
	e->ethertype = p->s->ethertype;
	e->sport = p->s->sport;
	e->dport = p->s->dport;
	e->dir = p->dir;
	e->verdict = verdict;
	e->reason = reason;
	e->peer_cls = p->s->peer_cls;
	e->proto = p->s->proto;
	e->pad[0] = 0;
	__builtin_memcpy(e->saddr, p->s->saddr.b, 16);
	__builtin_memcpy(e->daddr, p->s->daddr.b, 16);
}

inline_step void account_event(struct pkt *p, __u8 verdict, __u8 reason)
{
	__u64 now = clock_ns(p);
	__u32 suppressed = 0;
	struct bh_abi_event *e;

	if (!event_allowed(p->skb->ifindex, reason, now, &suppressed)) {
		account_loss(BH_LOSS_EVENT);
		return;
	}
	e = bpf_ringbuf_reserve(&bh_events, sizeof(*e), 0);
	if (!e) {
		account_loss(BH_LOSS_EVENT);
		return;
	}
	e->ts_ns = bpf_ktime_get_ns();
	e->suppressed = suppressed;
	fill_event(p, e, verdict, reason);
	bpf_ringbuf_submit(e, 0);
}
