/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once
/*
 * record - what was judged, for those who follow flows: a sample, at most
 * BH_FLOW_RECORDS_PER_SEC. Reached on the judging path only, and only while somebody follows.
 */
#include "bpf/step_account.h"
#include "bpf/step_verdict.h"

/* 1: this one is recorded, and *ret_suppressed would have been before it on this CPU. */
inline_step int record_wanted(struct pkt *p, __u64 now, __u32 *ret_suppressed)
{
	__u32 zero = 0;
	struct record_cpu *c = bpf_map_lookup_elem(&record_cpus, &zero);
	struct record_rate *r = bpf_map_lookup_elem(&record_rates, &zero);

	if (!c || !r || (__s64)(p->cfg->record_until_ns - now) <= 0 ||
	    (p->cfg->record_tenant && p->cfg->record_tenant != p->ep->tenant))
		return 0;
	c->since += 1;
	if (c->since < p->cfg->record_sample)
		return 0;
	c->since = 0;
	/* not exact between CPUs: a lock would cost more than a few records over the rate */
	if ((__s64)(now - r->window_ns) >= (__s64)NSEC_PER_SEC) {
		r->window_ns = now;
		r->sent = 0;
	}
	if (r->sent >= BH_FLOW_RECORDS_PER_SEC) {
		c->suppressed += 1;
		return 0;
	}
	__sync_fetch_and_add(&r->sent, 1);
	*ret_suppressed = c->suppressed;
	return 1;
}

inline_step void record_rule(struct pkt *p, struct bh_abi_flow_record *f)
{
	const struct bh_abi_tenant *t;
	__u32 tenant = p->ep->tenant;

	f->world = 0;
	f->rule = BH_RULE_DEFAULT;
	if (p->s->grant) {
		f->rule = BH_RULE_GRANT;
	} else if (p->ep->role == BH_ROLE_CONFLICT) {
		f->rule = BH_RULE_NONE;
	} else if (is_tenant_role(p->ep->role) && is_world(p->s->peer_cls)) {
		t = bpf_map_lookup_elem(&bh_tenants, &tenant);
		f->rule = BH_RULE_WORLD;
		if (t)
			f->world = f->e.dir == BH_DIR_EGRESS ? t->world_egress : t->world_ingress;
	}
}

/* A reply that was judged as part of its flow: shown as the flow was opened. */
inline_step void record_turn(struct pkt *p, struct bh_abi_event *e)
{
	e->dir = !p->dir;
	e->sport = p->s->dport;
	e->dport = p->s->sport;
	__builtin_memcpy(e->saddr, p->s->daddr.b, 16);
	__builtin_memcpy(e->daddr, p->s->saddr.b, 16);
}

/*
 * The flow of the packet was judged with @reason, in the direction @dir in which it was opened;
 * @again: it had been known before.
 */
inline_step void step_record(struct pkt *p, __u8 dir, __u8 reason, __u8 again)
{
	__u32 zero = 0, suppressed = 0;
	struct bh_abi_flow_record *f;
	struct record_cpu *c;
	__u8 verdict;
	__u64 now;

	if (!p->cfg->record_until_ns)
		return;
	now = bpf_ktime_get_ns();
	if (!record_wanted(p, now, &suppressed))
		return;
	c = bpf_map_lookup_elem(&record_cpus, &zero);
	f = bpf_ringbuf_reserve(&flow_records, sizeof(*f), 0);
	if (!c || !f) {
		if (c)
			c->suppressed += 1;
		if (f)
			bpf_ringbuf_discard(f, 0);
		return;
	}
	c->suppressed = 0;
	verdict = sentence(p, &reason);
	f->e.ts_ns = now;
	f->e.suppressed = suppressed;
	fill_event(p, &f->e, verdict, reason);
	if (dir != p->dir)
		record_turn(p, &f->e);
	record_rule(p, f);
	f->sample = p->cfg->record_sample;
	f->again = again != 0;
	f->pad = 0;
	bpf_ringbuf_submit(f, 0);
}
