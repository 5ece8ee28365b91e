/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once
/*
 * packet - what the steps of the kernel programs hand to each other: one packet, judged at one
 * endpoint. Everything is inlined: before 6.2 the verifier cannot afford subprograms here.
 */
#include "bpf/vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/bh_abi.h"
#include "bpf/flow_table.h"

#define inline_step static __always_inline

#define NSEC_PER_SEC 1000000000ull

/* Frames start with the Ethernet header on both hooks of a veth. */
#define ETH_LEN 14
#define IP4_LEN 20
#define IP6_LEN 40

union ip16 {
	__u8 b[16];
	__u32 w[4];
	__u64 d[2];
};

/* Fragments. An IPv6 packet with a fragment header that is whole all the same is as good as whole.
 */
#define FRAG_WHOLE 0
#define FRAG_ATOMIC 1 /* RFC 6946 */
#define FRAG_FIRST 2
#define FRAG_LATER 3 /* has no ports */

/* What an ICMP error is about, turned round: as the reply to the packet that it quotes would be. */
struct quoted {
	union ip16 remote;
	__be16 sport, dport; /* for echo sport is the id */
	__u8 proto;	     /* IPPROTO_* */
	__u8 icmp_type;
};

/*
 * What is found out about a packet. Lives in a per-CPU map: a value that is read back from there is
 * any value to the verifier, so that the ways through the parser meet again behind it. On the stack
 * each of them would be walked to the end with its own constants (seen on 6.18: 141 k steps, here
 * 14 k).
 */
struct pkt_state {
	union ip16 saddr, daddr;     /* once parsed */
	union ip16 judged;	     /* verdict: the address that the peer is judged by */
	union ip16 ask;		     /* ask_neighbour: may the endpoint know this address? */
	struct bh_flow_key flow_key; /* of the entry that flow_find() looks for */
	__u64 flow_tag;	  /* of the entry that flow_find() found, else of one in direction 0 */
	__u64 flow_word;  /* of the entry found */
	__u32 flow_way;	  /* found: way, and BH_FLOW_WAYS if in the second set */
	__u32 now;	  /* ticks; with flow_find() */
	__u32 generation; /* of the policy, read before anything is looked up */
	__u32 l4_off;	  /* of the L4 header in the frame */
	__u32 l4_len;	  /* bytes from there to the end of the IP packet */
	__u32 peer_tenant;
	__be16 ethertype;
	__be16 sport, dport; /* TCP, UDP, SCTP; for echo sport is the id */
	__u8 proto;	     /* IPPROTO_* */
	__u8 icmp_type;
	__u8 opens;	    /* TCP: SYN without ACK; SCTP: INIT */
	__u8 tcp_flags;	    /* as in the header; 0 for all else */
	__u8 peer_cls;	    /* enum bh_class */
	__u8 grant;	    /* a grant allowed it */
	__u8 policy;	    /* the reason came from the verdict step: mode applies */
	__u8 mode;	    /* enum bh_mode of the endpoint's tenant, with policy */
	__u8 link;	    /* a link protocol (ARP, ND, MLD): no flow, no policy */
	__u8 ask_neighbour; /* the reason if the answer to ask is no; 0 = nothing asked */
	__u8 frag;	    /* FRAG_* */
	__u8 error;	    /* an ICMP error; quoted holds */
	__u8 hop_limit;	    /* IPv6 */
	__u8 ext;	    /* IPv6 extension headers */
	__u8 router_alert;  /* in the hop-by-hop header, of MLD's kind */
	__u8 hop_by_hop;    /* the options at opt_off are in the hop-by-hop header */
	__u32 opt_off;	    /* the walk through options: where in the frame, */
	__u32 opt_left;	    /* and bytes to the end of their header */
	__u32 frag_id;	    /* with FRAG_FIRST and FRAG_LATER; as on the wire */
	struct quoted quoted;
	union ip16 outer; /* the remote end of an ICMP error, while quoted takes its place */
	/* what step_meta reads of the sk_buff */
	__u8 raw[40] __attribute__((aligned(8)));
	/* kept from one packet to the next: the clock, and when it was read */
	__u64 clock_jiffies;
	__u64 clock_ns;
};

/* One packet at one endpoint; pointers and constants of the program. */
struct pkt {
	struct __sk_buff *skb;
	const struct bh_abi_config *cfg;
	const struct bh_abi_endpoint *ep; /* NULL: not known */
	struct pkt_state *s;
	__u8 dir; /* BH_DIR_* */
	__u8 dry; /* explain: no trace is left */
};

/*
 * Makes the verifier forget what it knows about @x, whose value stays, for what is not in
 * pkt_state.
 */
#ifdef __bpf__
#define forget(p, x)                                                                               \
	do {                                                                                       \
		__u64 x_ = (x), any_ = (p)->skb->len;                                              \
                                                                                                   \
		asm volatile("%0 ^= %1\n%0 ^= %1" : "+r"(x_) : "r"(any_));                         \
		(x) = x_;                                                                          \
	} while (0)
#else /* tests compile the steps for user space */
#define forget(p, x) ((void)(p), (void)(x))
#endif

/* The peer's side of a packet, and the pod's. */
inline_step union ip16 *pkt_remote(struct pkt *p)
{
	return p->dir == BH_DIR_EGRESS ? &p->s->daddr : &p->s->saddr;
}

inline_step union ip16 *pkt_local(struct pkt *p)
{
	return p->dir == BH_DIR_EGRESS ? &p->s->saddr : &p->s->daddr;
}

inline_step int ip16_equal(const union ip16 *a, const __u8 *b)
{
	const __u64 *d = (const __u64 *)b;

	return a->d[0] == d[0] && a->d[1] == d[1];
}

inline_step void ip16_from_v4(union ip16 *a, __be32 v4)
{
	a->d[0] = 0;
	a->w[2] = bpf_htonl(0xffff);
	a->w[3] = v4;
}

inline_step int ip16_is_zero(const union ip16 *a)
{
	return !(a->d[0] | a->d[1]);
}

inline_step int ip16_is_multicast6(const union ip16 *a)
{
	return a->b[0] == 0xff;
}

/* ::ffff:0:0/96 on the wire (RFC 4291 2.5.5.2 is for APIs alone): our tables hold IPv4 there. */
inline_step int ip16_is_mapped(const union ip16 *a)
{
	/* one comparison: every branch on an address is one more path for the verifier */
	return !(a->d[0] | (a->w[2] ^ bpf_htonl(0xffff)));
}

inline_step int mac_equal(const __u8 *a, const __u8 *b)
{
	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3] && a[4] == b[4] &&
	       a[5] == b[5];
}
