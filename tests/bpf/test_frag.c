/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fragments: the first is judged by its ports, a later one passes only behind it. Towards friend
 * UDP 5000 to 5010 and TCP 5432 are open.
 */
#include <string.h>

#include "tests/bpf/world.h"

#define T "tenant"

/* One fragment from nowhere. Offsets are in units of 8 bytes: 8 is byte 64. */
static const struct world_row alone[] = {
	{ "first4__allowed__passes", T, OUT,
	  "eth ip4 dst=friend flags=1 udp dport=5000 data len=56", PASSES },
	{ "first4__other_port__dropped", T, OUT,
	  "eth ip4 dst=friend flags=1 udp dport=4999 data len=56", DROPS(PEER_TENANT) },
	{ "first4__tcp__passes", T, OUT, "eth ip4 dst=friend flags=1 tcp dport=5432 data len=20",
	  PASSES },
	{ "first4__echo__passes", T, OUT, "eth ip4 dst=friend flags=1 icmp4 data len=56", PASSES },
	{ "first4__sctp__passes", T, OUT,
	  "eth ip4 dst=friend flags=1 sctp dport=3868 chunk len=2000 data len=16", PASSES },
	{ "first4__behind_options__passes", T, OUT,
	  "eth ip4 dst=friend flags=1 opts=01010101 udp dport=5000 data len=56", PASSES },
	{ "first4__dont_fragment_set__passes", T, OUT,
	  "eth ip4 dst=friend flags=3 udp dport=5000 data len=56", PASSES },
	{ "first4__datagram_longer_than_fragment__passes", T, OUT,
	  "eth ip4 dst=friend flags=1 udp len=4000 dport=5000 data len=56", PASSES },
	{ "first4__spoofed__dropped", T, OUT, "eth ip4 src=foe flags=1 udp data len=56",
	  DROPS(SRC_ADDR) },
	{ "first4__tcp_8_bytes__dropped", T, OUT, "eth ip4 flags=1 proto=6 data len=8",
	  DROPS(FRAGMENT_TINY) },
	{ "first4__tcp_16_bytes__dropped", T, OUT, "eth ip4 flags=1 proto=6 data len=16",
	  DROPS(FRAGMENT_TINY) },
	{ "first4__tcp_options_cut__dropped", T, OUT, "eth ip4 flags=1 tcp doff=10 data len=4",
	  DROPS(FRAGMENT_TINY) },
	{ "first4__tcp_options_whole__passes", T, OUT, "eth ip4 flags=1 tcp doff=10 data len=20",
	  PASSES },
	{ "first4__sctp_8_bytes__dropped", T, OUT, "eth ip4 flags=1 proto=132 data len=8",
	  DROPS(FRAGMENT_TINY) },
	{ "first4__udp_header_alone__passes", T, OUT, "eth ip4 flags=1 udp len=100", PASSES },
	{ "first4__udp_length_7__dropped", T, OUT, "eth ip4 flags=1 udp len=7 data len=8",
	  DROPS(IP_MALFORMED) },
	{ "first4__empty__dropped", T, OUT, "eth ip4 flags=1 proto=17", DROPS(FRAGMENT) },
	{ "first4__not_a_multiple_of_8__dropped", T, OUT, "eth ip4 flags=1 udp data len=57",
	  DROPS(FRAGMENT) },
	{ "first4__ipip__dropped", T, OUT, "eth ip4 dst=mate flags=1 ip4 dst=foe tcp data len=8",
	  DROPS(L4_PROTO) },
	{ "first4__dhcp_server__dropped", T, OUT,
	  "eth ip4 dst=mate flags=1 udp sport=67 dport=68 data len=56", DROPS(DHCP_SERVER) },
	{ "first4__to_dns__dropped", T, OUT, "eth ip4 dst=dns flags=1 udp dport=53 data len=56",
	  DROPS(FRAGMENT_DNS) },
	{ "first4__to_dns_by_tcp__dropped", T, OUT,
	  "eth ip4 dst=dns flags=1 tcp dport=53 data len=20", DROPS(FRAGMENT_DNS) },
	{ "first4__to_port_53_of_mate__dropped", T, OUT,
	  "eth ip4 dst=mate flags=1 udp dport=53 data len=56", DROPS(FRAGMENT_DNS) },
	{ "first4__from_port_53__dropped", T, OUT,
	  "eth ip4 dst=mate flags=1 udp sport=53 data len=56", DROPS(FRAGMENT_DNS) },
	{ "first4__to_dns_in_mode_off__dropped", "off", OUT,
	  "eth ip4 dst=dns flags=1 udp dport=53 data len=56", DROPS(FRAGMENT_DNS) },
	{ "first4_in__from_dns__dropped", T, IN, "eth ip4 src=dns flags=1 udp sport=53 data len=56",
	  DROPS(FRAGMENT_DNS) },
	{ "first4__to_dns_of_system__counted", "system", OUT,
	  "eth ip4 dst=dns flags=1 udp dport=53 data len=56", AUDITS(FRAGMENT_DNS) },
	{ "first4_in__allowed__passes", T, IN,
	  "eth ip4 src=caller flags=1 udp dport=5000 data len=56", PASSES },
	{ "first4_in__other_port__dropped", T, IN,
	  "eth ip4 src=caller flags=1 udp dport=4999 data len=56", DROPS(PEER_TENANT) },
	{ "first4_in__tiny__dropped", T, IN, "eth ip4 flags=1 proto=6 data len=16",
	  DROPS(FRAGMENT_TINY) },
	{ "later4__of_nothing__dropped", T, OUT, "eth ip4 dst=mate off=8 proto=17 data len=24",
	  DROPS(FRAGMENT_UNKNOWN) },
	{ "later4__middle_of_nothing__dropped", T, OUT,
	  "eth ip4 dst=mate flags=1 off=8 proto=17 data len=24", DROPS(FRAGMENT_UNKNOWN) },
	/* OCPBUGS-67363: what stands where ports would be is none */
	{ "later4__with_granted_ports_as_data__dropped", T, OUT,
	  "eth ip4 dst=friend off=185 udp dport=5000 data len=24", DROPS(FRAGMENT_UNKNOWN) },
	{ "later4__of_strange_protocol__dropped", T, OUT,
	  "eth ip4 dst=mate off=8 proto=47 data len=24", DROPS(FRAGMENT_UNKNOWN) },
	{ "later4__offset_8_bytes__dropped", T, OUT, "eth ip4 dst=mate off=1 proto=6 data len=24",
	  DROPS(FRAGMENT_OVERLAP) },
	{ "later4__offset_56_bytes__dropped", T, OUT, "eth ip4 dst=mate off=7 proto=6 data len=24",
	  DROPS(FRAGMENT_OVERLAP) },
	{ "later4__ends_at_65535__unknown", T, OUT,
	  "eth ip4 dst=mate off=8187 proto=17 data len=19", DROPS(FRAGMENT_UNKNOWN) },
	{ "later4__ends_at_65536__dropped", T, OUT,
	  "eth ip4 dst=mate off=8187 proto=17 data len=20", DROPS(FRAGMENT) },
	{ "later4__ping_of_death__dropped", T, OUT, "eth ip4 off=8191 proto=1 data len=1000",
	  DROPS(FRAGMENT) },
	{ "later4__options_count_too__dropped", T, OUT,
	  "eth ip4 dst=mate off=8187 opts=01010101 proto=17 data len=19", DROPS(FRAGMENT) },
	{ "later4__middle_not_a_multiple_of_8__dropped", T, OUT,
	  "eth ip4 dst=mate flags=1 off=8 proto=17 data len=25", DROPS(FRAGMENT) },
	{ "later4__empty__dropped", T, OUT, "eth ip4 dst=mate off=8 proto=17", DROPS(FRAGMENT) },
	{ "later4__source_route__dropped", T, OUT,
	  "eth ip4 dst=mate off=8 opts=83070408080808ff proto=17 data len=24",
	  DROPS(SOURCE_ROUTE) },
	{ "later4__spoofed__dropped", T, OUT, "eth ip4 src=foe off=8 proto=17 data len=24",
	  DROPS(SRC_ADDR) },
	{ "later4__multicast__dropped", T, OUT,
	  "eth dst=group ip4 dst=group off=8 proto=17 data "
	  "len=24",
	  DROPS(MULTICAST) },
	{ "later4__in_mode_off__dropped", "off", OUT, "eth ip4 dst=mate off=8 proto=17 data len=24",
	  DROPS(FRAGMENT_UNKNOWN) },
	{ "later4__in_mode_audit__dropped", "audit", OUT,
	  "eth ip4 dst=mate off=8 proto=17 data len=24", DROPS(FRAGMENT_UNKNOWN) },
	{ "later4__of_system__passes", "system", OUT, "eth ip4 dst=mate off=8 proto=17 data len=24",
	  PASSES },
	{ "later4__of_conflict__dropped", "conflict", OUT,
	  "eth ip4 dst=mate off=8 proto=17 data len=24", DROPS(FRAGMENT_UNKNOWN) },
	{ "later4_in__of_nothing__dropped", T, IN, "eth ip4 src=mate off=8 proto=17 data len=24",
	  DROPS(FRAGMENT_UNKNOWN) },
	{ "later4_in__offset_56_bytes__dropped", T, IN,
	  "eth ip4 src=mate off=7 proto=6 data len=24", DROPS(FRAGMENT_OVERLAP) },
	{ "later4_in__ping_of_death__dropped", T, IN, "eth ip4 off=8191 proto=1 data len=1000",
	  DROPS(FRAGMENT) },
	{ "later4_in__flooded__dropped", T, IN,
	  "eth dst=mate ip4 dst=mate off=8 proto=17 data len=24", DROPS(DST_ADDR) },
	{ "first6__allowed__passes", T, OUT,
	  "eth ip6 dst=friend frag m=1 udp dport=5000 data len=56", PASSES },
	{ "first6__other_port__dropped", T, OUT,
	  "eth ip6 dst=friend frag m=1 udp dport=4999 data len=56", DROPS(PEER_TENANT) },
	{ "first6__tcp__passes", T, OUT, "eth ip6 dst=friend frag m=1 tcp dport=5432 data len=20",
	  PASSES },
	{ "first6__echo__passes", T, OUT, "eth ip6 dst=friend frag m=1 icmp6 data len=56", PASSES },
	{ "first6__behind_destination__passes", T, OUT,
	  "eth ip6 dst=friend dest frag m=1 udp dport=5000 data len=56", PASSES },
	{ "first6__destination_in_it__dropped", T, OUT,
	  "eth ip6 dst=friend frag m=1 dest udp dport=5000 data len=56", DROPS(EXT_HEADER) },
	{ "first6__routing_in_it__dropped", T, OUT,
	  "eth ip6 frag m=1 proto=43 ext proto=17 udp data len=56", DROPS(SOURCE_ROUTE) },
	{ "first6__fragment_header_in_it__dropped", T, OUT, "eth ip6 frag m=1 frag udp data len=56",
	  DROPS(EXT_HEADER) },
	{ "first6__reserved_bits__passes", T, OUT, "eth ip6 frag res=3 m=1 udp data len=56",
	  PASSES },
	{ "first6__tcp_16_bytes__dropped", T, OUT, "eth ip6 frag m=1 proto=6 data len=16",
	  DROPS(FRAGMENT_TINY) },
	{ "first6__tcp_options_cut__dropped", T, OUT, "eth ip6 frag m=1 tcp doff=11 data len=20",
	  DROPS(FRAGMENT_TINY) },
	{ "first6__empty__dropped", T, OUT, "eth ip6 frag m=1 proto=17", DROPS(FRAGMENT) },
	{ "first6__not_a_multiple_of_8__dropped", T, OUT, "eth ip6 frag m=1 udp data len=57",
	  DROPS(FRAGMENT) },
	{ "first6__to_dns__dropped", T, OUT, "eth ip6 dst=dns frag m=1 udp dport=53 data len=56",
	  DROPS(FRAGMENT_DNS) },
	{ "first6_in__from_dns__dropped", T, IN,
	  "eth ip6 src=dns frag m=1 udp sport=53 data len=56", DROPS(FRAGMENT_DNS) },
	{ "first6_in__allowed__passes", T, IN,
	  "eth ip6 src=caller frag m=1 udp dport=5000 data len=56", PASSES },
	{ "later6__of_nothing__dropped", T, OUT, "eth ip6 dst=mate frag off=8 proto=17 data len=24",
	  DROPS(FRAGMENT_UNKNOWN) },
	{ "later6__header_in_it__unknown", T, OUT,
	  "eth ip6 dst=mate frag off=8 dest udp data len=24", DROPS(FRAGMENT_UNKNOWN) },
	{ "later6__neighbour_advert_as_data__dropped", T, OUT,
	  "eth ip6 ttl=255 dst=mate frag off=8 icmp6 type=136 target addr=gw",
	  DROPS(FRAGMENT_UNKNOWN) },
	{ "later6__offset_56_bytes__dropped", T, OUT,
	  "eth ip6 dst=mate frag off=7 proto=6 data len=24", DROPS(FRAGMENT_OVERLAP) },
	{ "later6__ends_at_65535__unknown", T, OUT,
	  "eth ip6 dst=mate frag off=8188 proto=17 data len=31", DROPS(FRAGMENT_UNKNOWN) },
	{ "later6__ends_at_65536__dropped", T, OUT,
	  "eth ip6 dst=mate frag off=8188 proto=17 data len=32", DROPS(FRAGMENT) },
	{ "later6__headers_count_too__dropped", T, OUT,
	  "eth ip6 dst=mate dest frag off=8188 proto=17 data len=24", DROPS(FRAGMENT) },
	{ "later6__spoofed__dropped", T, OUT, "eth ip6 src=foe frag off=8 proto=17 data len=24",
	  DROPS(SRC_ADDR) },
	{ "later6__linklocal__dropped", T, OUT,
	  "eth ip6 src=ownll dst=matell frag off=8 proto=58 data len=24", DROPS(SRC_ADDR) },
	{ "later6_in__of_nothing__dropped", T, IN,
	  "eth ip6 src=mate frag off=8 proto=17 data len=24", DROPS(FRAGMENT_UNKNOWN) },
	{ "later6_in__offset_8_bytes__dropped", T, IN,
	  "eth ip6 src=mate frag off=1 proto=17 data len=24", DROPS(FRAGMENT_OVERLAP) },
};

#define N(rows) (sizeof(rows) / sizeof((rows)[0]))

#define ONE WORLD_IFINDEX
#define EXPECT(dir, pkt, ...) world_expect(w, ONE, dir, pkt, __VA_ARGS__)

/* Three fragments of one packet each, of 64, 64 and 20 bytes of data, and strangers to them. */
static const struct trio {
	const char *name;
	uint8_t dir;
	const char *first, *middle, *last;
	const char *strangers[8]; /* NULL ends */
} trios[] = {
	{ "udp4",
	  OUT,
	  "eth ip4 dst=friend id=7 flags=1 udp len=148 dport=5000 data len=56",
	  "eth ip4 dst=friend id=7 flags=1 off=8 proto=17 data len=64",
	  "eth ip4 dst=friend id=7 off=16 proto=17 data len=20",
	  { "eth ip4 dst=friend id=8 off=8 proto=17 data len=64",
	    "eth ip4 dst=friend id=7 off=8 proto=6 data len=64",
	    "eth ip4 dst=foe id=7 off=8 proto=17 data len=64",
	    "eth ip4 dst=mate id=7 off=8 proto=17 data len=64",
	    "eth ip6 dst=friend frag id=7 off=8 proto=17 data len=64",
	    "eth ip6 dst=friend frag id=0x00070000 off=8 proto=17 data len=64" } },
	{ "tcp4",
	  OUT,
	  "eth ip4 dst=friend id=7 flags=1 tcp dport=5432 data len=44",
	  "eth ip4 dst=friend id=7 flags=1 off=8 proto=6 data len=64",
	  "eth ip4 dst=friend id=7 off=16 proto=6 data len=20",
	  { "eth ip4 dst=friend id=0x700 off=8 proto=6 data len=64" } },
	{ "echo4",
	  OUT,
	  "eth ip4 dst=friend id=0 flags=1 icmp4 data len=56",
	  "eth ip4 dst=friend id=0 flags=1 off=8 proto=1 data len=64",
	  "eth ip4 dst=friend id=0 off=16 proto=1 data len=20",
	  { "eth ip4 dst=friend id=0 off=8 proto=17 data len=64" } },
	{ "udp6",
	  OUT,
	  "eth ip6 dst=friend frag id=0x12345678 m=1 udp len=148 dport=5000 data len=56",
	  "eth ip6 dst=friend frag id=0x12345678 m=1 off=8 proto=17 data len=64",
	  "eth ip6 dst=friend frag id=0x12345678 off=16 proto=17 data len=20",
	  { "eth ip6 dst=friend frag id=0x12345679 off=8 proto=17 data len=64",
	    "eth ip6 dst=friend frag id=0x02345678 off=8 proto=17 data len=64",
	    "eth ip6 dst=friend frag id=0x56781234 off=8 proto=17 data len=64",
	    "eth ip6 dst=friend frag id=0x12345678 off=8 proto=58 data len=64",
	    "eth ip6 dst=foe frag id=0x12345678 off=8 proto=17 data len=64",
	    /* what the receiver would put in the place of the first's next header */
	    "eth ip6 dst=friend frag id=0x12345678 off=8 proto=60 data len=64" } },
	{ "sctp6",
	  OUT,
	  "eth ip6 dst=friend hbh frag id=9 m=1 sctp dport=3868 chunk len=136 data len=48",
	  "eth ip6 dst=friend frag id=9 m=1 off=8 proto=132 data len=64",
	  "eth ip6 dst=friend dest frag id=9 off=16 proto=132 data len=20",
	  { "eth ip6 dst=friend frag id=10 off=8 proto=132 data len=64" } },
	{ "udp4_in",
	  IN,
	  "eth ip4 src=caller id=7 flags=1 udp len=148 dport=5000 data len=56",
	  "eth ip4 src=caller id=7 flags=1 off=8 proto=17 data len=64",
	  "eth ip4 src=caller id=7 off=16 proto=17 data len=20",
	  { "eth ip4 src=foe id=7 off=8 proto=17 data len=64",
	    "eth ip4 src=caller id=8 off=8 proto=17 data len=64" } },
	{ "echo6_in",
	  IN,
	  "eth ip6 src=caller frag id=77 m=1 icmp6 data len=56",
	  "eth ip6 src=caller frag id=77 m=1 off=8 proto=58 data len=64",
	  "eth ip6 src=caller frag id=77 off=16 proto=58 data len=20",
	  { "eth ip6 src=foe frag id=77 off=8 proto=58 data len=64",
	    "eth ip6 src=caller frag id=77 off=8 proto=17 data len=64" } },
};

static void fragments__in_order__pass(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < N(trios); i++) {
		const struct trio *t = &trios[i];

		world_forget(w);
		EXPECT(t->dir, t->middle, DROPS(FRAGMENT_UNKNOWN));
		EXPECT(t->dir, t->first, PASSES);
		EXPECT(t->dir, t->middle, PASSES);
		EXPECT(t->dir, t->last, PASSES);
		/* again, as a link that repeats frames does it */
		EXPECT(t->dir, t->middle, PASSES);
	}
}

static void fragments__reversed__dropped_up_to_the_first(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < N(trios); i++) {
		const struct trio *t = &trios[i];

		world_forget(w);
		EXPECT(t->dir, t->last, DROPS(FRAGMENT_UNKNOWN));
		EXPECT(t->dir, t->middle, DROPS(FRAGMENT_UNKNOWN));
		EXPECT(t->dir, t->first, PASSES);
		/* the last before the middle is as good */
		EXPECT(t->dir, t->last, PASSES);
		EXPECT(t->dir, t->middle, PASSES);
	}
}

static void fragments__strangers__dropped(void **state)
{
	struct world *w = *state;

	world_become(w, w->second, "tenant");
	for (size_t i = 0; i < N(trios); i++) {
		const struct trio *t = &trios[i];

		world_forget(w);
		EXPECT(t->dir, t->first, PASSES);
		for (size_t k = 0; k < 8 && t->strangers[k]; k++)
			EXPECT(t->dir, t->strangers[k], DROPS(FRAGMENT_UNKNOWN));
		world_expect(w, w->second, t->dir, t->last, DROPS(FRAGMENT_UNKNOWN));
		EXPECT(t->dir, t->last, PASSES);
	}
}

/* What opened the way for one direction opens none for the other. */
static void fragments__other_direction__dropped(void **state)
{
	struct world *w = *state;

	EXPECT(OUT, trios[0].first, PASSES);
	EXPECT(IN, "eth ip4 src=friend id=7 off=8 proto=17 data len=64", DROPS(FRAGMENT_UNKNOWN));
	EXPECT(IN, "eth ip4 src=friend id=7 flags=1 udp sport=5000 dport=40000 data len=56",
	       PASSES);
	EXPECT(IN, "eth ip4 src=friend id=7 off=8 proto=17 data len=64", PASSES);
	world_forget(w);
	EXPECT(IN, "eth ip6 src=caller frag id=7 m=1 udp dport=5000 data len=56", PASSES);
	EXPECT(OUT, "eth ip6 dst=caller frag id=7 off=8 proto=17 data len=64",
	       DROPS(FRAGMENT_UNKNOWN));
}

static void fragments__of_two_flows_interleaved__each_by_its_own_first(void **state)
{
	struct world *w = *state;

	EXPECT(OUT, "eth ip4 dst=friend id=1 flags=1 udp dport=5000 data len=56", PASSES);
	EXPECT(OUT, "eth ip4 dst=friend id=2 flags=1 udp dport=4999 data len=56",
	       DROPS(PEER_TENANT));
	EXPECT(OUT, "eth ip4 dst=mate id=3 flags=1 udp dport=4999 data len=56", PASSES);
	EXPECT(OUT, "eth ip4 dst=friend id=1 flags=1 off=8 proto=17 data len=64", PASSES);
	EXPECT(OUT, "eth ip4 dst=friend id=2 flags=1 off=8 proto=17 data len=64",
	       DROPS(FRAGMENT_UNKNOWN));
	EXPECT(OUT, "eth ip4 dst=mate id=3 flags=1 off=8 proto=17 data len=64", PASSES);
	EXPECT(OUT, "eth ip4 dst=mate id=1 off=8 proto=17 data len=64", DROPS(FRAGMENT_UNKNOWN));
	EXPECT(OUT, "eth ip4 dst=friend id=3 off=8 proto=17 data len=64", DROPS(FRAGMENT_UNKNOWN));
	EXPECT(OUT, "eth ip4 dst=friend id=1 off=16 proto=17 data len=20", PASSES);
	EXPECT(OUT, "eth ip4 dst=mate id=3 off=16 proto=17 data len=20", PASSES);
	EXPECT(OUT, "eth ip4 dst=friend id=2 off=16 proto=17 data len=20", DROPS(FRAGMENT_UNKNOWN));
}

/* A first fragment that is not allowed must not live on what another one opened, nor spoil it. */
static void fragments__second_first_of_another_port__dropped(void **state)
{
	struct world *w = *state;

	EXPECT(OUT, trios[0].first, PASSES);
	EXPECT(OUT, "eth ip4 dst=friend id=7 flags=1 udp dport=4999 data len=56",
	       DROPS(PEER_TENANT));
	EXPECT(OUT, "eth ip4 dst=friend id=7 flags=1 udp dport=53 data len=56",
	       DROPS(FRAGMENT_DNS));
	EXPECT(OUT, trios[0].middle, PASSES);
}

static void fragments__overlapping__dropped(void **state)
{
	static const char *const pkts[] = {
		"eth ip4 dst=friend id=7 flags=1 off=1 proto=17 data len=64",
		"eth ip4 dst=friend id=7 off=1 proto=17 data len=8",
		"eth ip4 dst=friend id=7 flags=1 off=7 proto=17 data len=64",
		"eth ip4 dst=friend id=7 off=7 proto=17 data len=1",
	};
	struct world *w = *state;

	EXPECT(OUT, trios[0].first, PASSES);
	for (size_t i = 0; i < N(pkts); i++)
		EXPECT(OUT, pkts[i], DROPS(FRAGMENT_OVERLAP));
	EXPECT(OUT, "eth ip4 dst=friend id=7 off=8187 proto=17 data len=20", DROPS(FRAGMENT));
	EXPECT(OUT, "eth ip4 dst=friend id=7 off=8 proto=17", DROPS(FRAGMENT));
	/* over payload alone: ports were read where they stay */
	EXPECT(OUT, "eth ip4 dst=friend id=7 flags=1 off=8 proto=17 data len=64", PASSES);
	EXPECT(OUT, "eth ip4 dst=friend id=7 flags=1 off=12 proto=17 data len=64", PASSES);
}

static void fragments__of_an_old_generation__dropped(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < N(trios); i++) {
		world_generation(w, 1);
		world_forget(w);
		EXPECT(trios[i].dir, trios[i].first, PASSES);
		world_generation(w, 2);
		EXPECT(trios[i].dir, trios[i].middle, DROPS(FRAGMENT_UNKNOWN));
		EXPECT(trios[i].dir, trios[i].first, PASSES);
		EXPECT(trios[i].dir, trios[i].middle, PASSES);
	}
}

static void fragments__after_5_seconds__dropped(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < N(trios); i++) {
		world_forget(w);
		EXPECT(trios[i].dir, trios[i].first, PASSES);
		world_age(w, 4);
		EXPECT(trios[i].dir, trios[i].middle, PASSES);
		/* a later one does not renew: a slow sender cannot keep an identifier open */
		world_age(w, 8);
		EXPECT(trios[i].dir, trios[i].last, DROPS(FRAGMENT_UNKNOWN));
	}
}

/* As many identifiers as a pod likes: they take no established connection's place. */
static void fragments__flood__spares_established_flows(void **state)
{
	const struct world_run run = { .dir = OUT };
	struct world *w = *state;
	struct pkt_frame f;

	EXPECT(OUT, "eth ip4 dst=friend tcp dport=5432", PASSES);
	EXPECT(IN, "eth ip4 src=friend tcp sport=5432 dport=40000 flags=0x12", PASSES);
	EXPECT(OUT, "eth ip4 dst=friend tcp dport=5432 flags=0x10", PASSES);
	world_build(w, trios[3].first, OUT, &f);
	for (unsigned int id = 0; id < 20000; id++) {
		memcpy(f.b + 14 + 40 + 4, &id, sizeof(id)); /* of the fragment header */
		assert_int_equal((int)world_run_raw(w, &run, &f).action, -1);
	}
	EXPECT(IN, "eth ip4 src=friend tcp sport=5432 dport=40000 flags=0x10", PASSES);
	EXPECT(IN, "eth ip4 src=friend tcp sport=5432 dport=40000 flags=0x18 data len=8", PASSES);
}

/* What a mode lets pass passes whole. */
static void fragments__in_other_modes__follow_their_first(void **state)
{
	static const char *const who[] = { "audit", "off" };
	static const char first[] = "eth ip4 dst=foe id=7 flags=1 udp data len=56";
	static const char last[] = "eth ip4 dst=foe id=7 off=8 proto=17 data len=20";
	struct world *w = *state;

	for (size_t i = 0; i < N(who); i++) {
		world_forget(w);
		world_become(w, ONE, who[i]);
		EXPECT(OUT, last, DROPS(FRAGMENT_UNKNOWN));
		if (i == 0)
			EXPECT(OUT, first, AUDITS(PEER_TENANT));
		else
			EXPECT(OUT, first, PASSES);
		EXPECT(OUT, last, PASSES);
	}
}

/* The identifier of fragments is at the place of ports in the table: neither opens the other. */
static void fragments__of_an_identifier_like_ports__no_collision(void **state)
{
	struct world *w = *state;

	EXPECT(OUT, "eth ip6 dst=friend udp sport=0x1234 dport=5000", PASSES);
	EXPECT(OUT, "eth ip6 dst=friend frag id=0x12341388 off=8 proto=17 data len=20",
	       DROPS(FRAGMENT_UNKNOWN));
	EXPECT(OUT, "eth ip6 dst=friend frag id=0x13881234 off=8 proto=17 data len=20",
	       DROPS(FRAGMENT_UNKNOWN));
	world_forget(w);
	EXPECT(OUT, "eth ip6 dst=friend frag id=0x12345678 m=1 udp dport=5000 data len=56", PASSES);
	EXPECT(IN, "eth ip6 src=friend udp sport=0x1234 dport=0x5678", DROPS(PEER_TENANT));
	EXPECT(IN, "eth ip6 src=friend udp sport=0x5678 dport=0x1234", DROPS(PEER_TENANT));
	EXPECT(IN, "eth ip6 src=friend udp sport=0x7856 dport=0x3412", DROPS(PEER_TENANT));
}

/* Explain leaves no trace and sees none: it judges a first fragment, and no later one. */
static void fragments__explained__nothing_remembered(void **state)
{
	struct world *w = *state;
	struct world_run run = { .pkt = trios[0].first, .dir = OUT, .dry = true };

	assert_int_equal(world_run(w, &run).verdict, BH_VERDICT_PASS);
	EXPECT(OUT, trios[0].middle, DROPS(FRAGMENT_UNKNOWN));
	EXPECT(OUT, trios[0].first, PASSES);
	run.pkt = trios[0].middle;
	assert_int_equal(world_run(w, &run).reason, BH_REASON_FRAGMENT_UNKNOWN);
}

int main(void)
{
	struct world_suite *s = suite_new();

	suite_rows(s, alone, N(alone));
	SUITE_TEST(s, fragments__in_order__pass);
	SUITE_TEST(s, fragments__reversed__dropped_up_to_the_first);
	SUITE_TEST(s, fragments__strangers__dropped);
	SUITE_TEST(s, fragments__other_direction__dropped);
	SUITE_TEST(s, fragments__of_two_flows_interleaved__each_by_its_own_first);
	SUITE_TEST(s, fragments__second_first_of_another_port__dropped);
	SUITE_TEST(s, fragments__overlapping__dropped);
	SUITE_TEST(s, fragments__of_an_old_generation__dropped);
	SUITE_TEST(s, fragments__after_5_seconds__dropped);
	SUITE_TEST(s, fragments__flood__spares_established_flows);
	SUITE_TEST(s, fragments__in_other_modes__follow_their_first);
	SUITE_TEST(s, fragments__of_an_identifier_like_ports__no_collision);
	SUITE_TEST(s, fragments__explained__nothing_remembered);
	return suite_run(s, "frag");
}
