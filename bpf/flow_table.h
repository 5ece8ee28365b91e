/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause OR Apache-2.0) */
#pragma once
/*
 * flow_table - the table of flows (bh_flows): which entry is whose, for how long, and which one has
 * to go. One source for the kernel programs, the daemon and the tests; no list, no lock, no
 *sweeper.
 *
 * An endpoint owns a region of the array: the sets from (slot - 1) * flow_sets on. A flow may be in
 * one of two sets of its region, both known from its tag. A tag is 63 bits of a keyed hash of the
 * flow, above one bit with the direction in which it was opened; 0 = empty. A word holds the rest:
 *
 *	bits 0..31  check of (tag, generation of the policy that allowed the flow)
 *	bits 32..55 tick of the last packet
 *	bits 56..63 state, BH_FLOW_*
 *
 * Tags and words are stored one by one, by several CPUs at a time. A word fits a tag only by its
 * check, so that the word of one flow never vouches for another: whatever does not fit is judged
 * again, in the direction that its tag names, exactly as after a change of policy.
 *
 * All arithmetic is free of branches where it can be: each of them doubles what the kernel's
 * verifier has to walk.
 */
#include "bpf/bh_abi.h"
#include "bpf/flow_limits.h"

#define bh_flow_inline static inline __attribute__((always_inline))

#ifdef __BPF__
#define BH_FLOW_UNROLL _Pragma("unroll")
#define BH_FLOW_LOAD(x) (*(const volatile __u64 *)&(x))
#define BH_FLOW_STORE(x, v) (*(volatile __u64 *)&(x) = (v))
#else
#define BH_FLOW_UNROLL
#define BH_FLOW_LOAD(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define BH_FLOW_STORE(x, v) __atomic_store_n(&(x), (v), __ATOMIC_RELAXED)
#endif

/* The compiler would make a branch of what is written without one. */
#define BH_FLOW_NO_BRANCH(x) asm volatile("" : "+r"(x))

/* --- state --- */
#define BH_FLOW_TCP 0 /* kinds, two bits */
#define BH_FLOW_UDP 1
#define BH_FLOW_OTHER 2 /* ICMP echo, fragments */
#define BH_FLOW_SCTP 3
#define BH_FLOW_KIND_MASK 3
#define BH_FLOW_REPLIED 0x04	 /* the other side has sent something */
#define BH_FLOW_ESTABLISHED 0x08 /* TCP: and who opened it has acknowledged that */
#define BH_FLOW_FRAGMENT 0x08	 /* OTHER: not a flow, the fragments of one packet */
#define BH_FLOW_FIN_OPENER 0x10
#define BH_FLOW_FIN_PEER 0x20
#define BH_FLOW_CLOSING (BH_FLOW_FIN_OPENER | BH_FLOW_FIN_PEER)
#define BH_FLOW_RST 0x40
#define BH_FLOW_AUDIT 0x80 /* passes in mode audit only: each packet is judged */

/* --- time --- */
#define BH_FLOW_TICK_SHIFT 30 /* a tick is 2^30 ns, 1.07 s */
#define BH_FLOW_TICK_MASK 0xffffffu
/* Another CPU may have renewed an entry after this one looked at the clock. */
#define BH_FLOW_SKEW_TICKS 8

/* Never less than the limit, at most two ticks more. */
#define BH_FLOW_TICKS(s) ((__u16)(((s)*1000000000ull >> BH_FLOW_TICK_SHIFT) + 1))

#define BH_FLOW_PROTECTED 0x8000

#define BH_FLOW_LIMIT_TCP_(st)                                                                     \
	((st)&BH_FLOW_RST	? BH_FLOW_TICKS(BH_FLOW_LIMIT_S_TCP_RST)                           \
	 : (st)&BH_FLOW_CLOSING ? BH_FLOW_TICKS(BH_FLOW_LIMIT_S_TCP_FIN)                           \
	 : (st)&BH_FLOW_ESTABLISHED                                                                \
		 ? BH_FLOW_TICKS(BH_FLOW_LIMIT_S_TCP_ESTABLISHED) | BH_FLOW_PROTECTED              \
	 : (st)&BH_FLOW_REPLIED ? BH_FLOW_TICKS(BH_FLOW_LIMIT_S_TCP_SYNACK)                        \
				: BH_FLOW_TICKS(BH_FLOW_LIMIT_S_TCP_SYN))
#define BH_FLOW_LIMIT_OF_(st)                                                                      \
	(((st)&BH_FLOW_KIND_MASK) == BH_FLOW_TCP ? BH_FLOW_LIMIT_TCP_(st)                          \
	 : ((st)&BH_FLOW_KIND_MASK) == BH_FLOW_UDP                                                 \
		 ? BH_FLOW_TICKS((st)&BH_FLOW_REPLIED ? BH_FLOW_LIMIT_S_UDP_REPLIED                \
						      : BH_FLOW_LIMIT_S_UDP_NEW)                   \
	 : ((st)&BH_FLOW_KIND_MASK) == BH_FLOW_SCTP                                                \
		 ? BH_FLOW_TICKS((st)&BH_FLOW_REPLIED ? BH_FLOW_LIMIT_S_SCTP_REPLIED               \
						      : BH_FLOW_LIMIT_S_SCTP_NEW)                  \
		 : BH_FLOW_TICKS((st)&BH_FLOW_FRAGMENT ? BH_FLOW_LIMIT_S_FRAGMENT                  \
						       : BH_FLOW_LIMIT_S_ICMP))
#define BH_FLOW_LIMITS_4_(st)                                                                      \
	BH_FLOW_LIMIT_OF_(st), BH_FLOW_LIMIT_OF_((st) + 1), BH_FLOW_LIMIT_OF_((st) + 2),           \
		BH_FLOW_LIMIT_OF_((st) + 3)
#define BH_FLOW_LIMITS_16_(st)                                                                     \
	BH_FLOW_LIMITS_4_(st), BH_FLOW_LIMITS_4_((st) + 4), BH_FLOW_LIMITS_4_((st) + 8),           \
		BH_FLOW_LIMITS_4_((st) + 12)
#define BH_FLOW_LIMITS_64_(st)                                                                     \
	BH_FLOW_LIMITS_16_(st), BH_FLOW_LIMITS_16_((st) + 16), BH_FLOW_LIMITS_16_((st) + 32),      \
		BH_FLOW_LIMITS_16_((st) + 48)

/* By state without AUDIT: ticks, and PROTECTED where a new flow must not take the entry. */
static const __u16 bh_flow_limits[128] = { BH_FLOW_LIMITS_64_(0), BH_FLOW_LIMITS_64_(64) };

bh_flow_inline __u32 bh_flow_tick(__u64 ns)
{
	return (__u32)(ns >> BH_FLOW_TICK_SHIFT) & BH_FLOW_TICK_MASK;
}

/* --- words --- */
bh_flow_inline __u8 bh_flow_state(__u64 word)
{
	return (__u8)(word >> 56);
}

bh_flow_inline __u32 bh_flow_word_tick(__u64 word)
{
	return (__u32)(word >> 32) & BH_FLOW_TICK_MASK;
}

bh_flow_inline __u64 bh_flow_word(__u32 check, __u32 tick, __u8 state)
{
	return (__u64)state << 56 | (__u64)(tick & BH_FLOW_TICK_MASK) << 32 | check;
}

/*
 * By what a word fits its tag. An odd generation means that the policy is being written: nothing
 * fits then.
 */
bh_flow_inline __u32 bh_flow_check(const struct bh_abi_config *cfg, __u64 tag, __u32 generation)
{
	__u64 x = (tag ^ cfg->flow_key[1]) + generation * 0x9e3779b97f4a7c15ull;

	x ^= x >> 29; /* Stafford's mixer 13, without its first step */
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 31;
	x *= 0x94d049bb133111ebull;
	return (__u32)(x >> 32);
}

/* Ticks until an entry is forgotten; 0: it is, or was empty. */
bh_flow_inline __u64 bh_flow_left(__u64 tag, __u64 word, __u32 now)
{
	__u64 age = (now - bh_flow_word_tick(word)) & BH_FLOW_TICK_MASK, left, taken;
	__u64 future;

	BH_FLOW_NO_BRANCH(age);
	future = (age + BH_FLOW_SKEW_TICKS) >> 24;
	age &= future - 1;
	left = (bh_flow_limits[bh_flow_state(word) & 127] & (BH_FLOW_PROTECTED - 1)) + 1ull - age;
	BH_FLOW_NO_BRANCH(left);
	taken = left >> 63;
	BH_FLOW_NO_BRANCH(taken);
	left &= taken - 1;
	taken = -tag;
	BH_FLOW_NO_BRANCH(taken);
	return left & -((taken | tag) >> 63);
}

/*
 * What a packet does to its flow. @flags: TCP's, else 0; @by_peer: 1 if it is not from who opened
 * the flow. Whoever opened it may open it again once it is closed.
 */
bh_flow_inline __u8 bh_flow_next(__u8 state, __u8 flags, __u64 by_peer)
{
	const __u64 fin = flags & 1, syn = flags >> 1 & 1, rst = flags >> 2 & 1,
		    ack = flags >> 4 & 1;
	const __u64 closed = (state & (BH_FLOW_CLOSING | BH_FLOW_RST)) + 0x70;
	__u64 st = state & ~BH_FLOW_RST;

	st &= ~(-(closed >> 7 & syn & ~ack) & 0x7c);
	st |= by_peer << 2 | rst << 6 | fin << (4 + by_peer);
	/* opened, answered, acknowledged */
	st |= (st >> 2 & ack & ~by_peer & ~rst & 1) << 3;
	return (__u8)st;
}

/* --- tags --- */
struct bh_flow_key {
	union {
		__u8 b[16];
		__u32 w[4];
		__u64 d[2];
	} remote; /* the peer's address, BE */
	__u32 ifindex;
	__u16 lport; /* BE; the pod's port, or the echo id */
	__u16 rport; /* BE; the peer's port; for echo 1 + who asks, BH_DIR_* */
	__u8 proto;
	__u8 what; /* BH_FLOW_WHAT_* */
};

#define BH_FLOW_WHAT_FLOW 0
#define BH_FLOW_WHAT_FRAGMENTS 1 /* + BH_DIR_*: of one packet, whose identifier is in the ports */

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BH_FLOW_MAPPED 0xffff0000u /* bytes 8 to 11 of ::ffff:0:0/96 */
#else
#define BH_FLOW_MAPPED 0x0000ffffu
#endif

#define BH_FLOW_ROTL(x, b) ((x) << (b) | (x) >> (64 - (b)))
#define BH_FLOW_SIPROUND(v)                                                                        \
	do {                                                                                       \
		(v)[0] += (v)[1];                                                                  \
		(v)[2] += (v)[3];                                                                  \
		(v)[1] = BH_FLOW_ROTL((v)[1], 13) ^ (v)[0];                                        \
		(v)[3] = BH_FLOW_ROTL((v)[3], 16) ^ (v)[2];                                        \
		(v)[0] = BH_FLOW_ROTL((v)[0], 32);                                                 \
		(v)[2] += (v)[1];                                                                  \
		(v)[0] += (v)[3];                                                                  \
		(v)[1] = BH_FLOW_ROTL((v)[1], 17) ^ (v)[2];                                        \
		(v)[3] = BH_FLOW_ROTL((v)[3], 21) ^ (v)[0];                                        \
		(v)[2] = BH_FLOW_ROTL((v)[2], 32);                                                 \
	} while (0)
#define BH_FLOW_ABSORB(v, m)                                                                       \
	do {                                                                                       \
		(v)[3] ^= (m);                                                                     \
		BH_FLOW_SIPROUND(v);                                                               \
		(v)[0] ^= (m);                                                                     \
	} while (0)

/*
 * SipHash-1-3 (Aumasson, Bernstein) of the key, as the tag of direction 0. IPv4 is two blocks, IPv6
 * four; the last tells which.
 */
bh_flow_inline __u64 bh_flow_tag(const struct bh_abi_config *cfg, const struct bh_flow_key *k)
{
	__u64 v[4] = { cfg->flow_key[0] ^ 0x736f6d6570736575ull,
		       cfg->flow_key[1] ^ 0x646f72616e646f6dull,
		       cfg->flow_key[0] ^ 0x6c7967656e657261ull,
		       cfg->flow_key[1] ^ 0x7465646279746573ull };
	__u64 m = (__u64)k->lport << 16 | k->rport, family = 4, zero;

	if (k->remote.d[0] | (k->remote.w[2] ^ BH_FLOW_MAPPED)) {
		BH_FLOW_ABSORB(v, k->remote.d[0]);
		BH_FLOW_ABSORB(v, k->remote.d[1]);
		family = 6;
	} else {
		m |= (__u64)k->remote.w[3] << 32;
	}
	BH_FLOW_ABSORB(v, m);
	m = k->ifindex | (__u64)k->proto << 32 | (__u64)k->what << 40 | family << 56;
	BH_FLOW_ABSORB(v, m);
	v[2] ^= 0xff;
	BH_FLOW_SIPROUND(v);
	BH_FLOW_SIPROUND(v);
	BH_FLOW_SIPROUND(v);
	m = (v[0] ^ v[1] ^ v[2] ^ v[3]) & ~1ull;
	zero = ((m >> 1) - 1) >> 63; /* 0 means empty */
	BH_FLOW_NO_BRANCH(zero);
	return m | zero << 1;
}

/* The direction in which a flow was opened: BH_DIR_*. */
bh_flow_inline __u8 bh_flow_dir(__u64 tag)
{
	return tag & 1;
}

/*
 * Where in bh_flows a tag may be: the first (@which 0) or second (1) of its two sets, in the region
 * of @slot with @n sets, a power of two. Out of range for BH_SLOT_NONE.
 */
bh_flow_inline __u32 bh_flow_set_of(__u32 slot, __u32 n, __u64 tag, __u32 which)
{
	const __u32 a = (__u32)(tag >> 1) & (n - 1);
	__u32 b = (__u32)(tag >> 32) & (n - 1), same = ((a ^ b) - 1u) >> 31;

	BH_FLOW_NO_BRANCH(same);
	b = (b ^ same) & (n - 1);
	BH_FLOW_NO_BRANCH(which);
	return (slot - 1) * n + (a ^ ((a ^ b) & -which));
}

/* --- sets --- */

/* The way of @s with @tag of either direction; BH_FLOW_WAYS: none. */
bh_flow_inline __u32 bh_flow_way(const struct bh_abi_flow_set *s, __u64 tag)
{
	__u64 way = BH_FLOW_WAYS;

	BH_FLOW_UNROLL
	for (__u64 i = 0; i < BH_FLOW_WAYS; i++) {
		__u64 hit = (((BH_FLOW_LOAD(s->tag[i]) ^ tag) >> 1) - 1) >> 63;

		BH_FLOW_NO_BRANCH(hit);
		way ^= (way ^ i) & -hit;
	}
	return (__u32)way;
}

/*
 * The way of @s that a new flow would take, and what that costs: the fewest ticks that an entry
 * has left (0: it is free), and among free ones the set that has more of them. What is PROTECTED
 * costs BH_FLOW_COST_PROTECTED or more.
 */
#define BH_FLOW_COST_PROTECTED (1ull << 32)

bh_flow_inline __u64 bh_flow_cost(const struct bh_abi_flow_set *s, __u32 now, __u32 *ret_way)
{
	__u64 best = ~0ull >> 1, n_free = 0;

	BH_FLOW_UNROLL
	for (__u64 i = 0; i < BH_FLOW_WAYS; i++) {
		const __u64 word = BH_FLOW_LOAD(s->word[i]);
		const __u64 left = bh_flow_left(BH_FLOW_LOAD(s->tag[i]), word, now);
		__u64 used = -left >> 63, less, cost;

		BH_FLOW_NO_BRANCH(used);
		n_free += used ^ 1;
		cost = (__u64)bh_flow_limits[bh_flow_state(word) & 127] >> 15 & used;
		cost = (cost << 28 | left) << 4 | i;
		less = (cost - best) >> 63;
		BH_FLOW_NO_BRANCH(less);
		best ^= (best ^ cost) & -less;
	}
	*ret_way = best & (BH_FLOW_WAYS - 1);
	return (best & ~15ull) + BH_FLOW_WAYS - n_free;
}

/* The tag first: until the word is there too, the entry is judged again. */
bh_flow_inline void bh_flow_put(struct bh_abi_flow_set *s, __u32 way, __u64 tag, __u64 word)
{
	way &= BH_FLOW_WAYS - 1;
	BH_FLOW_STORE(s->tag[way], tag);
	BH_FLOW_STORE(s->word[way], word);
}
