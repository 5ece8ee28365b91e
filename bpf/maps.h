/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once
/*
 * maps - the pinned maps; keys and values are described in bh_abi.h. Sizes are defaults, the daemon
 * may set others before the first load. A full map fails closed: what is not there is denied.
 */
#include "bpf/packet.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct bh_abi_endpoint);
} bh_endpoints SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 131072);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct bh_abi_addr_key);
	__type(value, struct bh_abi_addr);
} bh_addrs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct bh_abi_cidr_key);
	__type(value, struct bh_abi_cidr);
} bh_cidrs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bh_abi_nat64);
} bh_nat64 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct bh_abi_tenant);
} bh_tenants SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct bh_abi_peer_key);
	__type(value, __u64);
} bh_peers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct bh_abi_world_key);
	__type(value, __u64);
} bh_world SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct bh_abi_service_key);
	__type(value, __u64);
} bh_services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct bh_abi_portset);
} bh_portsets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bh_abi_config);
} bh_config SEC(".maps");

/*
 * Sized by the daemon: sets of a slot times slots. What can be mapped begins on a page, so that the
 * tags of a set are one cache line; any other array begins 16 bytes behind one.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct bh_abi_flow_set);
} bh_flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct bh_abi_stat_key);
	__type(value, struct bh_abi_stat);
} bh_stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, BH_LOSS_MAX_);
	__type(key, __u32);
	__type(value, __u64);
} bh_losses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct bh_abi_event_limit_key);
	__type(value, struct bh_abi_event_limit);
} bh_event_limits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} bh_events SEC(".maps");

/* Not pinned, as who reads it changes with who loads: see bh_abi_config.record_until_ns. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 128 * 1024);
} flow_records SEC(".maps");

struct record_cpu {
	__u32 since; /* judged since the last one that the sample took */
	__u32 suppressed;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct record_cpu);
} record_cpus SEC(".maps");

struct record_rate {
	__u64 window_ns;
	__u64 sent;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct record_rate);
} record_rates SEC(".maps");

/* Not pinned: each load has its own. TC programs of one CPU do not interrupt each other. */

/* By slot, see step_rate.h. A line each. */
struct bucket {
	__u64 packets_ns, flows_ns; /* CLOCK_MONOTONIC up to which tokens are spent */
	__u64 pad[6];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BH_SLOT_MAX + 1);
	__type(key, __u32);
	__type(value, struct bucket);
} buckets SEC(".maps");

/* By slot: packets that this CPU may still let through without asking the bucket. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, BH_SLOT_MAX + 1);
	__type(key, __u32);
	__type(value, __u32);
} tokens SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pkt_state);
} scratch SEC(".maps");

/* For the daemon alone: names and numbers of tenants, interfaces that were there before us. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct bh_abi_tenant_name);
	__type(value, __u32);
} bh_tenant_ids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct bh_abi_left_alone);
} bh_left_alone SEC(".maps");
