/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause OR Apache-2.0) */
#pragma once
#ifndef __VMLINUX_H__
#define __VMLINUX_H__
/*
 * vmlinux - the few kernel types that the kernel programs use, by hand instead of the 100 000 lines
 * that bpftool makes. tests/bpf/test_vmlinux.c compares every struct, field and enumerator of this
 * file with the BTF of the kernel it runs on, and fails on one that is not there or differs.
 *
 * Three kinds:
 * - fixed layout (user ABI, or bytes on the wire): size and offsets are the kernel's;
 * - between the two `#pragma clang attribute` lines: sk_buff and friends, of which only the wanted
 *   fields stand here, in any order; libbpf puts in the running kernel's offsets (CO-RE);
 * - enumerators: values never change. The kernel leaves most of these enums without a name or has
 *   macros instead; such enums are called bh_vm_*. libbpf cannot relocate the values of a nameless
 *   enum (bpf_core_enum_value() fails to load), so these are used as they stand here.
 *
 * One type per `struct x {` or `enum x {` at the start of a line: the test finds them by that.
 */
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the bitfields below are laid out for little endian"
#endif

typedef unsigned char __u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef short __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u8 u8;
typedef __s8 s8;
typedef __u16 u16;
typedef __s16 s16;
typedef __u32 u32;
typedef __s32 s32;
typedef __u64 u64;
typedef __s64 s64;
typedef __u16 __le16;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u16 __sum16;
typedef __u32 __wsum;
typedef unsigned long size_t;
typedef _Bool bool;

#define true 1
#define false 0
#ifndef NULL
#define NULL ((void *)0)
#endif

/* ---- user ABI of BPF ---- */

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PROG_ARRAY = 3,
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_LRU_PERCPU_HASH = 10,
	BPF_MAP_TYPE_LPM_TRIE = 11,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_HASH_OF_MAPS = 13,
	BPF_MAP_TYPE_RINGBUF = 27,
};

/* flags of a map */
enum bh_vm_map_flags {
	BPF_F_NO_PREALLOC = 1 << 0,
	BPF_F_NO_COMMON_LRU = 1 << 1,
	BPF_F_RDONLY_PROG = 1 << 7,
	BPF_F_MMAPABLE = 1 << 10,
};

/* flags of bpf_map_update_elem() */
enum bh_vm_update_flags {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_EXIST = 2,
	BPF_F_LOCK = 4,
};

/* flags of bpf_ringbuf_submit() and _discard(); then what bpf_ringbuf_query() can ask */
enum bh_vm_ringbuf_flags {
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
};

enum bh_vm_ringbuf_query {
	BPF_RB_AVAIL_DATA = 0,
	BPF_RB_RING_SIZE = 1,
	BPF_RB_CONS_POS = 2,
	BPF_RB_PROD_POS = 3,
};

/* flags of bpf_skb_store_bytes() and bpf_l{3,4}_csum_replace() */
enum bh_vm_skb_flags {
	BPF_F_RECOMPUTE_CSUM = 1 << 0,
	BPF_F_INVALIDATE_HASH = 1 << 1,
	BPF_F_HDR_FIELD_MASK = 0xf,
	BPF_F_PSEUDO_HDR = 1 << 4,
	BPF_F_MARK_MANGLED_0 = 1 << 5,
	BPF_F_MARK_ENFORCE = 1 << 6,
};

/* flag of bpf_redirect() and bpf_clone_redirect() */
enum bh_vm_redirect_flags {
	BPF_F_INGRESS = 1 << 0,
};

/* bpf_skb_load_bytes_relative() */
enum bpf_hdr_start_off {
	BPF_HDR_START_MAC = 0,
	BPF_HDR_START_NET = 1,
};

/* What a TC program returns. TCX_NEXT, _PASS, _DROP and _REDIRECT equal the first four. */
enum bh_vm_tc_act {
	TC_ACT_UNSPEC = -1,
	TC_ACT_OK = 0,
	TC_ACT_SHOT = 2,
	TC_ACT_REDIRECT = 7,
	TC_ACT_RECLASSIFY = 1,
	TC_ACT_PIPE = 3,
	TC_ACT_STOLEN = 4,
};

/* The context of a TC program; the verifier rewrites every access. Ends where 5.10's does. */
struct __sk_buff {
	__u32 len;
	__u32 pkt_type;
	__u32 mark;
	__u32 queue_mapping;
	__u32 protocol; /* BE, 16 bits */
	__u32 vlan_present;
	__u32 vlan_tci;
	__u32 vlan_proto;
	__u32 priority;
	__u32 ingress_ifindex;
	__u32 ifindex;
	__u32 tc_index;
	__u32 cb[5];
	__u32 hash;
	__u32 tc_classid;
	__u32 data;
	__u32 data_end;
	__u32 napi_id;
	__u32 family;
	__u32 remote_ip4;
	__u32 local_ip4;
	__u32 remote_ip6[4];
	__u32 local_ip6[4];
	__u32 remote_port;
	__u32 local_port;
	__u32 data_meta;
	union {
		void *flow_keys;
		__u64 : 64;
	} __attribute__((aligned(8)));
	__u64 tstamp;
	__u32 wire_len;
	__u32 gso_segs;
	union {
		void *sk;
		__u64 : 64;
	} __attribute__((aligned(8)));
	__u32 gso_size;
};

/* ---- bytes on the wire ---- */

struct ethhdr {
	unsigned char h_dest[6];
	unsigned char h_source[6];
	__be16 h_proto;
} __attribute__((packed));

struct vlan_hdr {
	__be16 h_vlan_TCI;
	__be16 h_vlan_encapsulated_proto;
};

/* The addresses follow; their lengths are ar_hln and ar_pln. */
struct arphdr {
	__be16 ar_hrd;
	__be16 ar_pro;
	unsigned char ar_hln;
	unsigned char ar_pln;
	__be16 ar_op;
};

struct iphdr {
	__u8 ihl : 4;
	__u8 version : 4;
	__u8 tos;
	__be16 tot_len;
	__be16 id;
	__be16 frag_off;
	__u8 ttl;
	__u8 protocol;
	__sum16 check;
	__be32 saddr;
	__be32 daddr;
};

struct in6_addr {
	union {
		__u8 u6_addr8[16];
		__be16 u6_addr16[8];
		__be32 u6_addr32[4];
	} in6_u;
};

struct ipv6hdr {
	__u8 priority : 4;
	__u8 version : 4;
	__u8 flow_lbl[3];
	__be16 payload_len;
	__u8 nexthdr;
	__u8 hop_limit;
	struct in6_addr saddr;
	struct in6_addr daddr;
};

struct ipv6_opt_hdr {
	__u8 nexthdr;
	__u8 hdrlen;
};

struct frag_hdr {
	__u8 nexthdr;
	__u8 reserved;
	__be16 frag_off;
	__be32 identification;
};

struct tcphdr {
	__be16 source;
	__be16 dest;
	__be32 seq;
	__be32 ack_seq;
	__u16 : 4; /* reserved; the first became AccECN's bit in 6.18 */
	__u16 doff : 4;
	__u16 fin : 1;
	__u16 syn : 1;
	__u16 rst : 1;
	__u16 psh : 1;
	__u16 ack : 1;
	__u16 urg : 1;
	__u16 ece : 1;
	__u16 cwr : 1;
	__be16 window;
	__sum16 check;
	__be16 urg_ptr;
};

struct udphdr {
	__be16 source;
	__be16 dest;
	__be16 len;
	__sum16 check;
};

struct icmphdr {
	__u8 type;
	__u8 code;
	__sum16 checksum;
	union {
		struct {
			__be16 id;
			__be16 sequence;
		} echo;
		__be32 gateway;
		struct {
			__be16 __unused;
			__be16 mtu;
		} frag;
		__u8 reserved[4];
	} un;
};

struct icmp6hdr {
	__u8 icmp6_type;
	__u8 icmp6_code;
	__sum16 icmp6_cksum;
	union {
		__be32 un_data32[1];
		__be16 un_data16[2];
		__u8 un_data8[4];
		struct {
			__be16 identifier;
			__be16 sequence;
		} u_echo;
	} icmp6_dataun;
};

/* Neighbour solicitation and advertisement; options follow. */
struct nd_msg {
	struct icmp6hdr icmph;
	struct in6_addr target;
};

enum bh_vm_eth_p {
	ETH_P_IP = 0x0800,
	ETH_P_ARP = 0x0806,
	ETH_P_RARP = 0x8035,
	ETH_P_8021Q = 0x8100,
	ETH_P_IPV6 = 0x86dd,
	ETH_P_MPLS_UC = 0x8847,
	ETH_P_MPLS_MC = 0x8848,
	ETH_P_8021AD = 0x88a8,
};

enum bh_vm_ipproto {
	IPPROTO_IP = 0,
	IPPROTO_HOPOPTS = 0, /* as IPv6's next header */
	IPPROTO_ICMP = 1,
	IPPROTO_IGMP = 2,
	IPPROTO_IPIP = 4,
	IPPROTO_TCP = 6,
	IPPROTO_UDP = 17,
	IPPROTO_IPV6 = 41,
	IPPROTO_ROUTING = 43,
	IPPROTO_FRAGMENT = 44,
	IPPROTO_GRE = 47,
	IPPROTO_ESP = 50,
	IPPROTO_AH = 51,
	IPPROTO_ICMPV6 = 58,
	IPPROTO_NONE = 59,
	IPPROTO_DSTOPTS = 60,
	IPPROTO_SCTP = 132,
	IPPROTO_MH = 135,
	IPPROTO_UDPLITE = 136,
};

/* of iphdr.frag_off, host order */
enum bh_vm_ip_frag {
	IP_OFFSET = 0x1fff,
	IP_MF = 0x2000,
	IP_DF = 0x4000,
};

enum bh_vm_arp {
	ARPHRD_ETHER = 1,
	ARPOP_REQUEST = 1,
	ARPOP_REPLY = 2,
};

enum bh_vm_icmp {
	ICMP_ECHOREPLY = 0,
	ICMP_DEST_UNREACH = 3,
	ICMP_SOURCE_QUENCH = 4,
	ICMP_REDIRECT = 5,
	ICMP_ECHO = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETERPROB = 12,
	ICMP_FRAG_NEEDED = 4, /* code of DEST_UNREACH */
};

enum bh_vm_icmpv6 {
	ICMPV6_DEST_UNREACH = 1,
	ICMPV6_PKT_TOOBIG = 2,
	ICMPV6_TIME_EXCEED = 3,
	ICMPV6_PARAMPROB = 4,
	ICMPV6_ECHO_REQUEST = 128,
	ICMPV6_ECHO_REPLY = 129,
	ICMPV6_MGM_QUERY = 130,
	ICMPV6_MGM_REPORT = 131,
	ICMPV6_MGM_REDUCTION = 132,
	NDISC_ROUTER_SOLICITATION = 133,
	NDISC_ROUTER_ADVERTISEMENT = 134,
	NDISC_NEIGHBOUR_SOLICITATION = 135,
	NDISC_NEIGHBOUR_ADVERTISEMENT = 136,
	NDISC_REDIRECT = 137,
	ICMPV6_MLD2_REPORT = 143,
};

/* ---- inside the kernel: offsets come from the running kernel's BTF ---- */

/* sk_buff.ip_summed; macros in include/linux/skbuff.h, the same since 2.6. */
#define CHECKSUM_NONE 0
#define CHECKSUM_UNNECESSARY 1
#define CHECKSUM_COMPLETE 2
#define CHECKSUM_PARTIAL 3

/*
 * skb_shared_info.gso_type. Not here: the fixed-id bits, whose names and values changed in 6.18
 * (bit 3 before; bits 3, 30 and 31 since); all of them: SKB_GSO_FIXEDID_ANY.
 */
enum bh_vm_skb_gso {
	SKB_GSO_TCPV4 = 1 << 0,
	SKB_GSO_DODGY = 1 << 1,
	SKB_GSO_TCP_ECN = 1 << 2,
	SKB_GSO_TCPV6 = 1 << 4,
	SKB_GSO_FCOE = 1 << 5,
	SKB_GSO_GRE = 1 << 6,
	SKB_GSO_GRE_CSUM = 1 << 7,
	SKB_GSO_IPXIP4 = 1 << 8,
	SKB_GSO_IPXIP6 = 1 << 9,
	SKB_GSO_UDP_TUNNEL = 1 << 10,
	SKB_GSO_UDP_TUNNEL_CSUM = 1 << 11,
	SKB_GSO_PARTIAL = 1 << 12,
	SKB_GSO_TUNNEL_REMCSUM = 1 << 13,
	SKB_GSO_SCTP = 1 << 14,
	SKB_GSO_ESP = 1 << 15,
	SKB_GSO_UDP = 1 << 16,
	SKB_GSO_UDP_L4 = 1 << 17,
	SKB_GSO_FRAGLIST = 1 << 18,
};
#define SKB_GSO_FIXEDID_ANY (1u << 3 | 1u << 30 | 1u << 31)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/*
 * A TC program's context register holds a pointer to one of these:
 *	const void *skb = (const void *)ctx;
 *	off = bpf_core_field_offset(struct sk_buff, csum_start);
 *	bpf_probe_read_kernel(&v, sizeof(v), skb + off);
 *	BPF_CORE_READ_BITFIELD_PROBED((const struct sk_buff *)skb, ip_summed);
 */
struct sk_buff {
	unsigned int len;
	unsigned int data_len;
	__u16 mac_len;
	__u8 ip_summed : 2;	/* CHECKSUM_* */
	__u8 encapsulation : 1; /* the inner_* fields hold */
	__u8 csum_not_inet : 1; /* optional (SCTP): ask bpf_core_field_exists() */
	__u16 csum_start;	/* from head; with CHECKSUM_PARTIAL */
	__u16 csum_offset;	/* from csum_start */
	__be16 protocol;
	__be16 inner_protocol;
	__u16 inner_transport_header; /* these and below: from head */
	__u16 inner_network_header;
	__u16 inner_mac_header;
	__u16 transport_header;
	__u16 network_header;
	__u16 mac_header;
	unsigned int tail; /* sk_buff_data_t: from head, on 64 bit */
	unsigned int end;  /* likewise; skb_shared_info lies at head + end */
	unsigned char *head;
	unsigned char *data;
};

struct skb_shared_info {
	__u8 nr_frags;
	unsigned short gso_size;
	unsigned short gso_segs;
	unsigned int gso_type; /* SKB_GSO_* */
	struct sk_buff *frag_list;
};

#pragma clang attribute pop

#endif /* __VMLINUX_H__ */
