/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause OR Apache-2.0) */
#pragma once
/*
 * bh_abi - what the kernel programs and the daemon agree on: keys and values of the pinned maps,
 * the event record. Fixed-width types, pads written out and always zero, no pointer, enum, bool or
 * bitfield in a struct. Any change of a layout or of a meaning raises BH_ABI_VERSION, which is part
 * of the pin path, so that an old pinned map is never read as a new one.
 *
 * Addresses are 16 bytes in network order, IPv4 as ::ffff:a.b.c.d. "BE" = network byte order; all
 * else is host order. Kernel programs get the __uN types from vmlinux.h, the daemon from
 * linux/types.h.
 */
#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif
#include "bpf/default_table.h"
#include "bpf/reasons.h"
#include "model/class.h"

/* With BH_ABI_BUMP: the next version, with another layout, to try upgrades with. */
#define BH_ABI_RELEASED 2
#ifdef BH_ABI_BUMP
#define BH_ABI_VERSION (BH_ABI_RELEASED + 1)
#define BH_ABI_MOVED __u32 moved[2];
#else
#define BH_ABI_VERSION BH_ABI_RELEASED
#define BH_ABI_MOVED
#endif

/* Tenant numbers: allocated once, never reused while the id map lives. */
#define BH_TENANT_NONE 0       /* no endpoint, no tenant */
#define BH_TENANT_UNASSIGNED 1 /* endpoints of that role, for counters */
#define BH_TENANT_SYSTEM 2
#define BH_TENANT_CONFLICT 3
#define BH_TENANT_FIRST 16

/* Directions, as seen from the pod. */
#define BH_DIR_EGRESS 0	 /* from the pod: from_pod */
#define BH_DIR_INGRESS 1 /* to the pod: to_pod */

/* What became of a packet. */
#define BH_VERDICT_PASS 0
#define BH_VERDICT_DROP 1
#define BH_VERDICT_AUDIT 2 /* passed; would have been dropped (mode audit, role system) */

/* bh_endpoints: hash, __u32 ifindex of the host's side -> the pod behind it. */
#define BH_EP_HAS_V4 0x1
#define BH_EP_HAS_V6 0x2
#define BH_EP_CLOSED 0x4 /* nothing passes: the pod has an interface that is not filtered */
#define BH_EP_SHADOW 0x8 /* until shadow_until_ns: what is not let pass, programs behind decide */

#define BH_SLOT_MAX 4096
#define BH_SLOT_NONE 0 /* no room in bh_flows: whatever needs a flow is dropped */

struct bh_abi_endpoint {
	BH_ABI_MOVED
	__u32 tenant; /* BH_TENANT_* or a tenant's number */
	__u8 role;    /* enum bh_role */
	__u8 flags;   /* BH_EP_* */
	__u8 mac[6];  /* the pod's */
	__u8 ip4[4];  /* BE */
	__u8 ip6[16]; /* BE */
	__u8 ll6[16]; /* BE, its fe80:: address */
	__u32 slot;   /* its region of bh_flows, from 1 on; BH_SLOT_NONE */
	__u32 pad;    /* must be zero */
	__u64 pod;    /* for the daemon: of the pod's name, see bh_bind_tag(); 0 = not known */
};
#ifndef BH_ABI_BUMP
_Static_assert(sizeof(struct bh_abi_endpoint) == 64, "bh_abi_endpoint layout");
_Static_assert(__builtin_offsetof(struct bh_abi_endpoint, ip4) == 12, "bh_abi_endpoint.ip4");
#endif

/* bh_addrs: hash, exact address -> what it is. */
struct bh_abi_addr_key {
	__u8 addr[16];
};
_Static_assert(sizeof(struct bh_abi_addr_key) == 16, "bh_abi_addr_key layout");

#define BH_ADDR_DNS 0x1		  /* class dns on port 53 */
#define BH_ADDR_APISERVER_ANY 0x2 /* class apiserver on every port */
#define BH_ADDR_SERVICE 0x4	  /* a ClusterIP: bh_services may hold grants */
/*
 * An external address of Services, where kube-proxy catches packets: MIXED to all but the one owner
 * of what is behind it. bh_services may hold grants.
 */
#define BH_ADDR_EXTERNAL 0x8

struct bh_abi_addr {
	__u32 tenant; /* for class TENANT; with EXTERNAL for owner TENANT */
	__u8 cls;     /* enum bh_class: on every port without a class of its own */
	__u8 flags;   /* BH_ADDR_* */
	__u8 owner;   /* with EXTERNAL: enum bh_class, TENANT, UNASSIGNED, ... or MIXED; else 0 */
	__u8 pad;     /* must be zero */
	__u16 api_ports[2]; /* BE; class apiserver on these; 0 = none */
};
_Static_assert(sizeof(struct bh_abi_addr) == 12, "bh_abi_addr layout");

/*
 * bh_cidrs: LPM trie -> class of addresses that are not in bh_addrs; no match: UNKNOWN. The public
 * world is ::/0, the last to be written.
 */
struct bh_abi_cidr_key {
	__u32 prefixlen; /* 0..128, of addr */
	__u8 addr[16];
};
_Static_assert(sizeof(struct bh_abi_cidr_key) == 20, "bh_abi_cidr_key layout");

struct bh_abi_cidr {
	__u32 cls; /* enum bh_class */
};
_Static_assert(sizeof(struct bh_abi_cidr) == 4, "bh_abi_cidr layout");

/*
 * bh_nat64: array of one: the operator's NAT64 prefixes (RFC 6052), beside 64:ff9b::/96. An address
 * inside of one is judged by the IPv4 address in its last 32 bits.
 */
#define BH_ABI_NAT64_MAX 4

struct bh_abi_nat64 {
	__u32 prefix[BH_ABI_NAT64_MAX][3]; /* BE, the first 96 bits; zero: none */
};
_Static_assert(sizeof(struct bh_abi_nat64) == 48, "bh_abi_nat64 layout");

/* bh_tenants: hash, __u32 tenant -> its switches. Absent: nothing is allowed. */
struct bh_abi_tenant {
	__u8 mode;	    /* enum bh_mode: 0 enforce, 1 audit, 2 off */
	__u8 world_egress;  /* enum bh_world: 0 public, 1 all, 2 none */
	__u8 world_ingress; /* likewise */
	__u8 pad;	    /* must be zero */
};
_Static_assert(sizeof(struct bh_abi_tenant) == 4, "bh_abi_tenant layout");

/* bh_peers: hash -> which ports a grant opens towards a class, or towards one tenant. */
struct bh_abi_peer_key {
	__u32 tenant;	   /* whose grant */
	__u32 peer_tenant; /* for class TENANT, else 0 */
	__u8 dir;	   /* BH_DIR_* */
	__u8 cls;	   /* enum bh_class */
	__u8 pad[2];	   /* must be zero */
};
_Static_assert(sizeof(struct bh_abi_peer_key) == 12, "bh_abi_peer_key layout");

/*
 * bh_services: hash -> which ports a grant towards a Service opens: at an address of the Service
 * (EGRESS), and at an unassigned pod behind it (INGRESS).
 */
struct bh_abi_service_key {
	__u32 tenant;  /* whose grant, in both directions */
	__u8 dir;      /* BH_DIR_* */
	__u8 pad[3];   /* must be zero */
	__u8 addr[16]; /* BE, of the side that is opened to */
};
_Static_assert(sizeof(struct bh_abi_service_key) == 24, "bh_abi_service_key layout");

/*
 * bh_world: LPM trie -> which ports the cidr grants of one tenant open, per prefix. The tenant and
 * the direction come before the address and are always matched whole. Values are flattened: the
 * longest match holds the union of every grant that covers it and does not except it.
 */
struct bh_abi_world_key {
	__u32 prefixlen; /* BH_WORLD_KEY_FIXED_BITS .. +128 */
	__u32 tenant;
	__u32 dir; /* BH_DIR_* */
	__u8 addr[16];
};
#define BH_WORLD_KEY_FIXED_BITS 64
_Static_assert(sizeof(struct bh_abi_world_key) == 28, "bh_abi_world_key layout");

/* bh_portsets: hash, __u64 id (of the contents) -> sorted, disjoint ranges of protocol and port. */
#define BH_PORTS_ANY 0	/* id: every protocol and port */
#define BH_PORTS_NONE 1 /* id: nothing */
#define BH_PORTSET_MAX 128

struct bh_abi_port_range {
	__u32 lo; /* protocol << 16 | port */
	__u32 hi; /* inclusive, same protocol */
};

struct bh_abi_portset {
	__u32 n; /* 1..BH_PORTSET_MAX */
	__u32 pad;
	struct bh_abi_port_range r[BH_PORTSET_MAX]; /* zero past n */
};
_Static_assert(sizeof(struct bh_abi_portset) == 8 + 8 * BH_PORTSET_MAX, "bh_abi_portset layout");

/* bh_config: array of one. */
#define BH_GENERATION_WRITING 1 /* bit of the generation: odd */
#define BH_PACKET_BATCH_MAX 64	/* tokens that one CPU takes at a time */

struct bh_abi_config {
	__u32 generation;  /* odd while policy is being written: every packet is judged then. Grows
			      with every change; flows of an older one are judged again */
	__u32 flow_sets;   /* sets of bh_flows that each slot owns, a power of two */
	__u64 flow_key[2]; /* random; of the hash of flows */
	__u64 record_until_ns; /* CLOCK_MONOTONIC: flow_records are made until then; 0 = not at all
				*/
	__u32 record_sample;   /* one of so many, at least 1 */
	__u32 record_tenant;   /* only of endpoints of this tenant; BH_TENANT_NONE = of all */
	__u64 shadow_until_ns; /* CLOCK_MONOTONIC; see BH_EP_SHADOW */
	/* what each endpoint may do, see step_rate.h */
	__u64 packet_batch_ns; /* time in which packet_batch packets are allowed; 0 = no limit */
	__u64 flow_gap_ns;     /* time for each new flow; 0 = no limit */
	__u32 packet_batch;    /* 1 .. BH_PACKET_BATCH_MAX */
	__u32 pad;	       /* must be zero */
};
_Static_assert(sizeof(struct bh_abi_config) == 72, "bh_abi_config layout");

/* bh_flows: array of sets, flow_sets for each slot; flow_table.h says what is in them. */
#define BH_FLOW_WAYS 8 /* a power of two */

struct bh_abi_flow_set {
	__u64 tag[BH_FLOW_WAYS]; /* 0 = free */
	__u64 word[BH_FLOW_WAYS];
};
_Static_assert(sizeof(struct bh_abi_flow_set) == 128, "bh_abi_flow_set layout");

/* bh_stats: per-CPU hash. */
struct bh_abi_stat_key {
	__u32 tenant; /* BH_TENANT_* or a tenant's number */
	__u8 dir;     /* BH_DIR_* */
	__u8 verdict; /* BH_VERDICT_* */
	__u8 reason;  /* enum bh_reason */
	__u8 pad;     /* must be zero */
};
_Static_assert(sizeof(struct bh_abi_stat_key) == 8, "bh_abi_stat_key layout");

struct bh_abi_stat {
	__u64 packets;
	__u64 bytes; /* of frames, with the Ethernet header */
};
_Static_assert(sizeof(struct bh_abi_stat) == 16, "bh_abi_stat layout");

/* bh_losses: per-CPU array of __u64, index BH_LOSS_*: what the programs could not record. */
#define BH_LOSS_EVENT 0 /* events over the rate or with a full ring */
#define BH_LOSS_STAT 1	/* packets that found no room for a counter */
#define BH_LOSS_FLOW 2	/* flows that found no room */
#define BH_LOSS_MAX_ 3

/* bh_event_limits: LRU hash {ifindex, reason} -> token bucket; then bh_events: ring buffer. */
#define BH_EVENTS_PER_SEC 10 /* for each interface and reason */

struct bh_abi_event_limit_key {
	__u32 ifindex;
	__u32 reason;
};

struct bh_abi_event_limit {
	__u64 window_ns;
	__u32 sent;
	__u32 suppressed;
};
_Static_assert(sizeof(struct bh_abi_event_limit) == 16, "bh_abi_event_limit layout");

struct bh_abi_event {
	__u64 ts_ns; /* CLOCK_MONOTONIC */
	__u32 ifindex;
	__u32 tenant;	   /* of the endpoint */
	__u32 peer_tenant; /* for peer_cls TENANT */
	__u32 suppressed;  /* like events since the last one that was sent */
	__u32 len;	   /* of the frame, bytes */
	__u16 ethertype;   /* BE */
	__u16 sport;	   /* BE; 0 if not known */
	__u16 dport;	   /* BE */
	__u8 dir;	   /* BH_DIR_* */
	__u8 verdict;	   /* BH_VERDICT_* */
	__u8 reason;	   /* enum bh_reason */
	__u8 peer_cls;	   /* enum bh_class; meaningless before the peer is looked up */
	__u8 proto;	   /* IPPROTO_* */
	__u8 pad[1];	   /* must be zero */
	__u8 saddr[16];	   /* BE; zero if not known */
	__u8 daddr[16];
};
_Static_assert(sizeof(struct bh_abi_event) == 72, "bh_abi_event layout");

/*
 * flow_records: ring buffer; a flow that was judged, while somebody follows (bh_abi_config). Not
 * pinned: each load has its own.
 */
#define BH_FLOW_RECORDS_PER_SEC 1000 /* on all CPUs together */

#define BH_RULE_NONE 0	  /* none was asked: a reply to nothing, a pod of two Tenants */
#define BH_RULE_DEFAULT 1 /* the default table */
#define BH_RULE_WORLD 2	  /* the default table with the tenant's world mode */
#define BH_RULE_GRANT 3

struct bh_abi_flow_record {
	struct bh_abi_event e; /* its suppressed: judged on this CPU since its last record */
	__u32 sample;	       /* one of so many is recorded */
	__u8 rule;	       /* BH_RULE_* */
	__u8 world;	       /* with BH_RULE_WORLD: enum bh_world, of that direction */
	__u8 again;	       /* known before; the policy has changed since */
	__u8 pad;	       /* must be zero */
};
_Static_assert(sizeof(struct bh_abi_flow_record) == 80, "bh_abi_flow_record layout");

/*
 * bh_left_alone: hash, __u32 ifindex -> what else tells the interface from another one that gets
 * its number later: the MAC of the host's end, which is random at birth, and the other end's
 * number. All zero: not known.
 */
struct bh_abi_left_alone {
	__u8 mac[6];
	__u8 pad[2]; /* must be zero */
	__u32 peer_ifindex;
};
_Static_assert(sizeof(struct bh_abi_left_alone) == 12, "bh_abi_left_alone layout");

/* bh_tenant_ids: hash, name -> __u32 number. */
struct bh_abi_tenant_name {
	char name[256]; /* NUL-padded */
};
_Static_assert(sizeof(struct bh_abi_tenant_name) == 256, "bh_abi_tenant_name layout");

/* Where the explain programs leave their answer: __sk_buff.cb[] of a test run. */
#define BH_EXPLAIN_CB_VERDICT 0 /* BH_VERDICT_* */
#define BH_EXPLAIN_CB_REASON 1	/* enum bh_reason */
#define BH_EXPLAIN_CB_CLASS 2	/* enum bh_class of the peer */
#define BH_EXPLAIN_CB_TENANT 3	/* the peer's tenant number */
#define BH_EXPLAIN_CB_GRANT 4	/* 1: a grant allowed it, 0: the default table */
