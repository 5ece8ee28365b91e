/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * kernel - the kernel programs, compiled for user space from the very same sources: what they make
 * of one frame. One thread at a time.
 */
#include <stddef.h>

#include "bpf/bh_abi.h"

#define DIFF_FRAME_MAX 2048

/* What the sender of a frame can say beside its bytes. All zero: nothing is pending. */
struct diff_meta {
	__u8 ip_summed; /* CHECKSUM_* */
	__u8 encapsulation;
	__u8 csum_not_inet;
	__u8 vlan_present;
	__u16 csum_start; /* from the frame's first byte */
	__u16 csum_offset;
	__u32 gso_type;
	__u16 gso_size;
};

/* What the parser found out; all but reason only means something if the reason is 0. */
struct diff_parsed {
	__u8 reason; /* enum bh_reason; 0: parsed */
	__u8 link;   /* a link protocol: only reason and addresses are of use */
	__u8 saddr[16], daddr[16];
	__u8 proto;
	__u8 icmp_type;
	__u8 opens;
	__u8 frag;	    /* FRAG_* of bpf/packet.h */
	__u8 error;	    /* an ICMP error */
	__u16 sport, dport; /* BE */
	__u32 frag_id;	    /* as on the wire */
	__u32 l4_off, l4_len;
	struct { /* what an ICMP error is about, turned round: struct quoted of bpf/packet.h */
		__u8 remote[16];
		__u8 proto, icmp_type;
		__u16 sport, dport; /* BE */
	} quoted;
};

/* @dir BH_DIR_*. */
void diff_kernel_parse(const struct bh_abi_endpoint *ep, __u8 dir, const void *frame, size_t len,
		       struct diff_parsed *ret_parsed);

/* The whole program, with what it remembers; the maps are empty but for what was put. */
int diff_kernel_filter(__u32 ifindex, __u8 dir, const void *frame, size_t len,
		       const struct diff_meta *meta);

/* Fills the maps; the same names as in bpf/maps.h without the prefix. */
void diff_put_endpoint(__u32 ifindex, const struct bh_abi_endpoint *ep);
void diff_put_addr(const __u8 addr[16], const struct bh_abi_addr *v);
void diff_put_tenant(__u32 tenant, const struct bh_abi_tenant *v);
void diff_put_config(const struct bh_abi_config *v);
/* Empties every map, frees all memory. */
void diff_reset(void);
