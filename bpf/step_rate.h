/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once
/*
 * rate - how many packets, and how many new flows, an endpoint may have in a second. A bucket is
 * one number: the time up to which its tokens are spent (GCRA). Tokens for packets are taken from
 * it in batches for each CPU, so that CPUs do not fight for it at each packet. Checks and additions
 * of several CPUs may interleave, so that each CPU may take one batch too many; what was taken is
 * never lost, so that the rate holds.
 */
#include "bpf/maps.h"

/* Unspent tokens are kept for so long: greater than a jiffy, at which the clock here advances. */
#define BURST_PACKETS_NS (NSEC_PER_SEC / 10)
#define BURST_FLOWS_NS NSEC_PER_SEC

/*
 * The time, as of the last jiffy: reading the clock itself costs a quarter of all else. A jiffy is
 * at most 10 ms.
 */
inline_step __u64 clock_ns(struct pkt *p)
{
	const __u64 jiffies = bpf_jiffies64();

	if (p->s->clock_jiffies != jiffies) {
		p->s->clock_ns = bpf_ktime_get_ns();
		p->s->clock_jiffies = jiffies;
	}
	return p->s->clock_ns;
}

/* Take what costs @cost_ns from a bucket that holds @burst_ns. 1: taken. */
inline_step int bucket_take(__u64 *spent_ns, __u64 now, __u64 cost_ns, __u64 burst_ns)
{
	const __u64 spent = *(volatile __u64 *)spent_ns;

	if ((__s64)(now - burst_ns - spent) > 0) {
		*(volatile __u64 *)spent_ns = now - burst_ns + cost_ns;
		return 1;
	}
	if ((__s64)(spent + cost_ns - now) > 0)
		return 0;
	__sync_fetch_and_add(spent_ns, cost_ns);
	return 1;
}

/* One packet of the endpoint's, whatever becomes of it: 0, or the reason why it is one too many. */
inline_step __u8 rate_packet(struct pkt *p)
{
	__u32 slot = p->ep->slot;
	struct bucket *b;
	__u32 *left;

	if (!p->cfg->packet_batch_ns || slot == BH_SLOT_NONE)
		return 0;
	left = bpf_map_lookup_elem(&tokens, &slot);
	if (!left)
		return BH_REASON_RATE_PACKETS;
	if (*left) {
		*left -= 1;
		return 0;
	}
	b = bpf_map_lookup_elem(&buckets, &slot);
	if (!b ||
	    !bucket_take(&b->packets_ns, clock_ns(p), p->cfg->packet_batch_ns, BURST_PACKETS_NS))
		return BH_REASON_RATE_PACKETS;
	*left = p->cfg->packet_batch - 1;
	return 0;
}

/* One new flow: likewise. */
inline_step __u8 rate_flow(struct pkt *p)
{
	__u32 slot = p->ep->slot;
	struct bucket *b;

	if (!p->cfg->flow_gap_ns)
		return 0;
	b = bpf_map_lookup_elem(&buckets, &slot);
	return b && bucket_take(&b->flows_ns, clock_ns(p), p->cfg->flow_gap_ns, BURST_FLOWS_NS)
		       ? 0
		       : BH_REASON_RATE_FLOWS;
}
