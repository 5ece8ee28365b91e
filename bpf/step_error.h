/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once
/*
 * error - an ICMP error is judged as a reply in the flow that it is about: while its flow is looked
 * for, the packet's state holds the reply to what it quotes. It passes only in a flow that is
 * known, and never opens, renews or changes one.
 */
#include "bpf/step_verdict.h"

#define ERROR_ENTERED 2 /* of pkt_state.error */

/*
 * May an address be that of a router between the pod and its peer? A pod's may not, for what a pod
 * says of a flow of its own goes by the flow's own addresses; nor may one that nobody owns.
 */
inline_step int is_router(__u8 cls)
{
	return cls == BH_CLASS_NODE || cls == BH_CLASS_SYSTEM || cls == BH_CLASS_APISERVER ||
	       is_world(cls);
}

/* From what the error says of itself to what it is about: 0, or the reason why not. */
inline_step __u8 error_enter(struct pkt *p)
{
	struct quoted *q = &p->s->quoted;
	union ip16 *remote = pkt_remote(p);
	struct peer peer;
	__u8 type = p->s->icmp_type, proto = p->s->proto;

	if (!ip16_equal(remote, q->remote.b)) { /* only of errors to the pod */
		lookup_addr(remote, &peer);
		p->s->peer_cls = peer.cls;
		p->s->peer_tenant = peer.tenant;
		if (!is_router(peer.cls))
			return BH_REASON_ICMP_ROUTER;
	}
	p->s->error = ERROR_ENTERED;
	p->s->outer = *remote;
	*remote = q->remote;
	p->s->sport = q->sport;
	p->s->dport = q->dport;
	p->s->proto = q->proto;
	p->s->icmp_type = q->icmp_type;
	q->proto = proto;
	q->icmp_type = type;
	return 0;
}

/* And back, for who counts and reports; nothing if the packet never was there. */
inline_step void error_leave(struct pkt *p)
{
	if (p->s->error != ERROR_ENTERED)
		return;
	*pkt_remote(p) = p->s->outer;
	p->s->sport = 0;
	p->s->dport = 0;
	p->s->proto = p->s->quoted.proto;
	p->s->icmp_type = p->s->quoted.icmp_type;
}
