/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ICMP errors: they pass for a flow that is known, when they quote one of its packets, and from
 * nobody else than its ends and the routers between them.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/isolate.skel.h"
#include "tests/bpf/world.h"

#define T "tenant"
#define ONE WORLD_IFINDEX
#define EXPECT(dir, pkt, ...) world_expect(w, ONE, dir, pkt, __VA_ARGS__)

/* No flow is known, so what gets past the reading of the quote ends at icmp_no_flow. */
static const struct world_row reading[] = {
	{ "quote__tcp__read", T, OUT, "eth ip4 icmp4 type=3 code=3 ip4 src=public dst=own tcp",
	  DROPS(ICMP_NO_FLOW) },
	{ "quote__udp_v6__read", T, OUT, "eth ip6 icmp6 type=1 code=4 ip6 src=public dst=own udp",
	  DROPS(ICMP_NO_FLOW) },
	{ "quote__8_bytes_of_tcp__read", T, OUT,
	  "eth ip4 icmp4 type=3 ip4 src=public dst=own proto=6 data len=8", DROPS(ICMP_NO_FLOW) },
	{ "quote__7_bytes_of_tcp__dropped", T, OUT,
	  "eth ip4 icmp4 type=3 ip4 src=public dst=own proto=6 data len=7", DROPS(ICMP_QUOTE) },
	{ "quote__7_bytes_of_udp_v6__dropped", T, OUT,
	  "eth ip6 icmp6 type=2 ip6 src=public dst=own proto=17 data len=7", DROPS(ICMP_QUOTE) },
	{ "quote__19_bytes_of_ip__dropped", T, OUT, "eth ip4 icmp4 type=3 data len=19",
	  DROPS(ICMP_QUOTE) },
	{ "quote__39_bytes_of_ip6__dropped", T, OUT, "eth ip6 icmp6 type=1 data len=39",
	  DROPS(ICMP_QUOTE) },
	{ "quote__nothing__dropped", T, OUT, "eth ip4 icmp4 type=11", DROPS(ICMP_QUOTE) },
	{ "quote__options__read", T, OUT,
	  "eth ip4 icmp4 type=3 ip4 src=public dst=own opts=0101010107070400 tcp",
	  DROPS(ICMP_NO_FLOW) },
	{ "quote__options_over_the_end__dropped", T, OUT,
	  "eth ip4 icmp4 type=3 ip4 src=public dst=own ihl=15 proto=6 data len=47",
	  DROPS(ICMP_QUOTE) },
	{ "quote__ihl_4__dropped", T, OUT, "eth ip4 icmp4 type=3 ip4 src=public dst=own ihl=4 tcp",
	  DROPS(ICMP_QUOTE) },
	{ "quote__ip6_in_icmp4__dropped", T, OUT, "eth ip4 icmp4 type=3 ip6 src=public dst=own tcp",
	  DROPS(ICMP_QUOTE) },
	{ "quote__ip4_in_icmp6__dropped", T, OUT,
	  "eth ip6 icmp6 type=1 ip4 src=public dst=own tcp data len=40", DROPS(ICMP_QUOTE) },
	/* OCPBUGS-67363: no port is read from a fragment that holds none. */
	{ "quote__later_fragment__dropped", T, OUT,
	  "eth ip4 icmp4 type=11 code=1 ip4 src=public dst=own off=8 udp", DROPS(ICMP_QUOTE) },
	{ "quote__first_fragment__read", T, OUT,
	  "eth ip4 icmp4 type=11 code=1 ip4 src=public dst=own flags=1 udp", DROPS(ICMP_NO_FLOW) },
	{ "quote__first_fragment_v6__read", T, OUT,
	  "eth ip6 icmp6 type=3 code=1 ip6 src=public dst=own frag m=1 udp", DROPS(ICMP_NO_FLOW) },
	{ "quote__later_fragment_v6__dropped", T, OUT,
	  "eth ip6 icmp6 type=3 ip6 src=public dst=own frag off=8 udp", DROPS(ICMP_QUOTE) },
	{ "quote__later_fragment_v6_far__dropped", T, OUT,
	  "eth ip6 icmp6 type=3 ip6 src=public dst=own frag off=32 udp", DROPS(ICMP_QUOTE) },
	{ "quote__destination_options__read", T, OUT,
	  "eth ip6 icmp6 type=4 ip6 src=public dst=own dest udp", DROPS(ICMP_NO_FLOW) },
	{ "quote__hop_by_hop_destination_fragment__read", T, OUT,
	  "eth ip6 icmp6 type=4 ip6 src=public dst=own hbh dest frag dest udp",
	  DROPS(ICMP_NO_FLOW) },
	{ "quote__8_headers__read", T, OUT,
	  "eth ip6 icmp6 type=2 ip6 src=public dst=own hbh dest dest dest dest dest dest dest udp",
	  DROPS(ICMP_NO_FLOW) },
	{ "quote__9_headers__dropped", T, OUT,
	  "eth ip6 icmp6 type=2 ip6 src=public dst=own hbh dest dest dest dest dest dest dest dest "
	  "udp",
	  DROPS(ICMP_QUOTE) },
	{ "quote__header_over_the_end__dropped", T, OUT,
	  "eth ip6 icmp6 type=2 ip6 src=public dst=own dest len=3 udp", DROPS(ICMP_QUOTE) },
	{ "quote__routing_header__dropped", T, OUT,
	  "eth ip6 icmp6 type=2 ip6 src=public dst=own proto=43 ext proto=17 udp",
	  DROPS(ICMP_QUOTE) },
	{ "quote__later_fragment_behind_destination__dropped", T, OUT,
	  "eth ip6 icmp6 type=4 ip6 src=public dst=own dest frag off=8 udp", DROPS(ICMP_QUOTE) },
	{ "quote__gre__dropped", T, OUT,
	  "eth ip4 icmp4 type=3 ip4 src=public dst=own proto=47 data len=8", DROPS(ICMP_QUOTE) },
	{ "quote__icmp6_in_ip4__dropped", T, OUT,
	  "eth ip4 icmp4 type=3 ip4 src=public dst=own icmp6", DROPS(ICMP_QUOTE) },
	{ "quote__icmp4_in_ip6__dropped", T, OUT,
	  "eth ip6 icmp6 type=1 ip6 src=public dst=own icmp4", DROPS(ICMP_QUOTE) },
	{ "quote__error_about_an_error__dropped", T, OUT,
	  "eth ip4 icmp4 type=3 ip4 src=public dst=own icmp4 type=3", DROPS(ICMP_QUOTE) },
	{ "quote__neighbour_advert__dropped", T, OUT,
	  "eth ip6 icmp6 type=1 ip6 src=public dst=own icmp6 type=136", DROPS(ICMP_QUOTE) },
	{ "quote__from_another_than_its_receiver__dropped", T, OUT,
	  "eth ip4 icmp4 type=3 ip4 src=foe dst=own tcp", DROPS(ICMP_QUOTE) },
	{ "quote__to_another__dropped", T, OUT, "eth ip4 icmp4 type=3 ip4 src=public dst=mate tcp",
	  DROPS(ICMP_QUOTE) },
	{ "quote__sent_by_the_pod__dropped", T, OUT,
	  "eth ip4 icmp4 type=3 ip4 src=own dst=public tcp", DROPS(ICMP_QUOTE) },
	{ "quote__to_another_v6__dropped", T, OUT,
	  "eth ip6 icmp6 type=1 ip6 src=public dst=mate tcp", DROPS(ICMP_QUOTE) },
	{ "quote__mapped_peer__dropped", T, OUT, "eth ip6 icmp6 type=1 ip6 src=mapped dst=own tcp",
	  DROPS(ICMP_QUOTE) },
	{ "quote__spoofed__dropped", T, OUT,
	  "eth ip4 src=foe icmp4 type=3 ip4 src=public dst=own tcp", DROPS(SRC_ADDR) },
	{ "quote_in__of_the_pod__read", T, IN,
	  "eth ip4 src=gw icmp4 type=3 ip4 src=own dst=foe tcp", DROPS(ICMP_NO_FLOW) },
	{ "quote_in__of_another__dropped", T, IN,
	  "eth ip4 src=gw icmp4 type=3 ip4 src=mate dst=foe tcp", DROPS(ICMP_QUOTE) },
	{ "quote_in__to_the_pod__dropped", T, IN,
	  "eth ip4 src=gw icmp4 type=3 ip4 src=foe dst=own tcp", DROPS(ICMP_QUOTE) },
	{ "quote_in__of_another_v6__dropped", T, IN,
	  "eth ip6 src=gw icmp6 type=2 ip6 src=mate dst=foe tcp", DROPS(ICMP_QUOTE) },
	{ "quote_in__mapped_peer__dropped", T, IN,
	  "eth ip6 src=gw icmp6 type=2 ip6 src=own dst=mapped tcp", DROPS(ICMP_QUOTE) },
	{ "error__redirect__dropped", T, OUT,
	  "eth ip4 icmp4 type=5 code=1 ip4 src=public dst=own tcp", DROPS(ICMP_TYPE) },
	{ "error__source_quench__dropped", T, OUT,
	  "eth ip4 icmp4 type=4 ip4 src=public dst=own tcp", DROPS(ICMP_TYPE) },
	{ "error_in__redirect__dropped", T, IN,
	  "eth ip4 src=gw icmp4 type=5 code=1 ip4 src=own dst=public tcp", DROPS(ICMP_TYPE) },
	{ "error_in__source_quench__dropped", T, IN,
	  "eth ip4 src=gw icmp4 type=4 ip4 src=own dst=public tcp", DROPS(ICMP_TYPE) },
	{ "error__type_5_v6__dropped", T, OUT, "eth ip6 icmp6 type=5 ip6 src=public dst=own tcp",
	  DROPS(ICMP_TYPE) },
	{ "error__type_0_v6__dropped", T, OUT, "eth ip6 icmp6 type=0 ip6 src=public dst=own tcp",
	  DROPS(ICMP_TYPE) },
	{ "error__type_100_v6__dropped", T, OUT, "eth ip6 icmp6 type=100 data len=56",
	  DROPS(ICMP_TYPE) },
	{ "error__fragmented__dropped", T, OUT,
	  "eth ip4 flags=1 icmp4 type=3 ip4 src=public dst=own tcp", DROPS(FRAGMENT) },
	{ "error__fragmented_v6__dropped", T, OUT,
	  "eth ip6 frag m=1 icmp6 type=1 ip6 src=public dst=own udp", DROPS(FRAGMENT) },
	{ "error__in_mode_off__passes", "off", OUT,
	  "eth ip4 icmp4 type=3 ip4 src=public dst=own tcp", PASSES },
	{ "error__in_mode_audit__counted", "audit", OUT,
	  "eth ip4 icmp4 type=3 ip4 src=public dst=own tcp", AUDITS(ICMP_NO_FLOW) },
	{ "error__forged_in_mode_off__dropped", "off", OUT,
	  "eth ip4 icmp4 type=3 ip4 src=foe dst=own tcp", DROPS(ICMP_QUOTE) },
	{ "error__of_system__passes", "system", OUT,
	  "eth ip4 icmp4 type=3 ip4 src=public dst=own tcp", PASSES },
	{ "error__redirect_of_system__counted", "system", OUT, "eth ip4 icmp4 type=5 data len=28",
	  AUDITS(ICMP_TYPE) },
	{ "error_in__from_a_pod_that_is_no_router__dropped", T, IN,
	  "eth ip4 src=foe icmp4 type=3 ip4 src=own dst=public tcp", DROPS(ICMP_ROUTER) },
	{ "error_in__from_own_tenants_pod_that_is_no_router__dropped", T, IN,
	  "eth ip4 src=mate icmp4 type=3 ip4 src=own dst=public tcp", DROPS(ICMP_ROUTER) },
	{ "error_in__from_unassigned__dropped", T, IN,
	  "eth ip6 src=unassigned icmp6 type=2 ip6 src=own dst=public tcp", DROPS(ICMP_ROUTER) },
	{ "error_in__from_unprotected__dropped", T, IN,
	  "eth ip6 src=unprotected icmp6 type=2 ip6 src=own dst=public tcp", DROPS(ICMP_ROUTER) },
	{ "error_in__from_unknown__dropped", T, IN,
	  "eth ip4 src=unknown icmp4 type=3 ip4 src=own dst=public tcp", DROPS(ICMP_ROUTER) },
	{ "error_in__from_conflict__dropped", T, IN,
	  "eth ip4 src=conflict icmp4 type=3 ip4 src=own dst=public tcp", DROPS(ICMP_ROUTER) },
	{ "error_in__from_loopback__dropped", T, IN,
	  "eth ip4 src=invalid icmp4 type=3 ip4 src=own dst=public tcp", DROPS(ICMP_ROUTER) },
	{ "error_in__from_metadata__dropped", T, IN,
	  "eth ip4 src=metadata icmp4 type=3 ip4 src=own dst=public tcp", DROPS(ICMP_ROUTER) },
};

/* What opens a flow, and errors about its packets: "%s" is the outer source or destination. */
static const struct about {
	const char *name;
	uint8_t dir; /* of the opening packet */
	const char *open;
	const char *sent; /* error to the pod, about what it sent; %s: header words of the error */
	const char *got;  /* error from the pod, about what it got */
} abouts[] = {
	{ "tcp4", OUT, "eth ip4 dst=friend tcp dport=5432",
	  "eth ip4 src=%s icmp4 type=3 code=4 ip4 src=own dst=friend tcp dport=5432",
	  "eth ip4 dst=friend icmp4 type=3 ip4 src=friend dst=own tcp sport=5432 dport=40000" },
	{ "tcp6", OUT, "eth ip6 dst=friend tcp dport=5432",
	  "eth ip6 src=%s icmp6 type=2 ip6 src=own dst=friend tcp dport=5432",
	  "eth ip6 dst=friend icmp6 type=1 ip6 src=friend dst=own tcp sport=5432 dport=40000" },
	{ "udp4", OUT, "eth ip4 dst=friend udp dport=5005",
	  "eth ip4 src=%s icmp4 type=11 ip4 src=own dst=friend udp dport=5005",
	  "eth ip4 dst=friend icmp4 type=3 code=3 ip4 src=friend dst=own udp sport=5005 "
	  "dport=40000" },
	{ "udp6", OUT, "eth ip6 dst=friend udp dport=5005",
	  "eth ip6 src=%s icmp6 type=3 ip6 src=own dst=friend udp dport=5005",
	  "eth ip6 dst=friend icmp6 type=1 code=4 ip6 src=friend dst=own udp sport=5005 "
	  "dport=40000" },
	{ "udp6_dest", OUT, "eth ip6 dst=friend dest udp dport=5005",
	  "eth ip6 src=%s icmp6 type=2 ip6 src=own dst=friend dest udp dport=5005",
	  "eth ip6 dst=friend icmp6 type=1 code=4 ip6 src=friend dst=own hbh udp sport=5005 "
	  "dport=40000" },
	{ "sctp4", OUT, "eth ip4 dst=friend sctp dport=3868 chunk",
	  "eth ip4 src=%s icmp4 type=12 ip4 src=own dst=friend sctp dport=3868",
	  "eth ip4 dst=friend icmp4 type=3 ip4 src=friend dst=own sctp sport=3868 dport=40000" },
	{ "echo4", OUT, "eth ip4 dst=friend icmp4 id=77",
	  "eth ip4 src=%s icmp4 type=11 ip4 src=own dst=friend icmp4 id=77",
	  "eth ip4 dst=friend icmp4 type=3 ip4 src=friend dst=own icmp4 type=0 id=77" },
	{ "echo6", OUT, "eth ip6 dst=friend icmp6 id=77",
	  "eth ip6 src=%s icmp6 type=4 ip6 src=own dst=friend icmp6 id=77",
	  "eth ip6 dst=friend icmp6 type=1 ip6 src=friend dst=own icmp6 type=129 id=77" },
	{ "tcp4_in", IN, "eth ip4 src=caller tcp dport=5432",
	  "eth ip4 src=%s icmp4 type=3 code=4 ip4 src=own dst=caller tcp sport=5432 dport=40000",
	  "eth ip4 dst=caller icmp4 type=3 ip4 src=caller dst=own tcp dport=5432" },
	{ "echo6_in", IN, "eth ip6 src=caller icmp6 id=78",
	  "eth ip6 src=%s icmp6 type=2 ip6 src=own dst=caller icmp6 type=129 id=78",
	  "eth ip6 dst=caller icmp6 type=1 ip6 src=caller dst=own icmp6 id=78" },
};

#define N(rows) (sizeof(rows) / sizeof((rows)[0]))

static const char *from(char *buf, size_t size, const char *fmt, const char *who)
{
	const char *at = strstr(fmt, "%s");

	(void)snprintf(buf, size, "%.*s%s%s", (int)(at - fmt), fmt, who, at + 2);
	return buf;
}

static void error__of_a_known_flow__passes(void **state)
{
	static const char *const routers[] = { "gw", "node", "public", "private", "system" };
	struct world *w = *state;
	char pkt[192];

	for (size_t i = 0; i < N(abouts); i++) {
		const struct about *a = &abouts[i];

		world_forget(w);
		EXPECT(IN, from(pkt, sizeof(pkt), a->sent, "gw"), DROPS(ICMP_NO_FLOW));
		EXPECT(OUT, a->got, DROPS(ICMP_NO_FLOW));
		EXPECT(a->dir, a->open, PASSES);
		for (size_t k = 0; k < N(routers); k++)
			EXPECT(IN, from(pkt, sizeof(pkt), a->sent, routers[k]), PASSES);
		EXPECT(IN, from(pkt, sizeof(pkt), a->sent, a->dir == OUT ? "friend" : "caller"),
		       PASSES);
		EXPECT(OUT, a->got, PASSES);
		/* a victim's flow, and an attacker who knows its ports */
		EXPECT(IN, from(pkt, sizeof(pkt), a->sent, "foe"), DROPS(ICMP_ROUTER));
		EXPECT(IN, from(pkt, sizeof(pkt), a->sent, "mate"), DROPS(ICMP_ROUTER));
		EXPECT(IN, from(pkt, sizeof(pkt), a->sent, "unprotected"), DROPS(ICMP_ROUTER));
	}
}

static void error__known_flow_of_another_interface__dropped(void **state)
{
	struct world *w = *state;
	char pkt[192];

	world_become(w, w->second, "tenant");
	for (size_t i = 0; i < N(abouts); i++) {
		const struct about *a = &abouts[i];

		world_forget(w);
		EXPECT(a->dir, a->open, PASSES);
		world_expect(w, w->second, IN, from(pkt, sizeof(pkt), a->sent, "gw"),
			     DROPS(ICMP_NO_FLOW));
		world_expect(w, w->second, OUT, a->got, DROPS(ICMP_NO_FLOW));
	}
}

static void error__other_ports_or_ends__dropped(void **state)
{
	static const char *const in[] = {
		"eth ip4 src=gw icmp4 type=3 ip4 src=own dst=friend tcp sport=40001 dport=5432",
		"eth ip4 src=gw icmp4 type=3 ip4 src=own dst=friend tcp dport=5433",
		"eth ip4 src=gw icmp4 type=3 ip4 src=own dst=friend udp dport=5432",
		"eth ip4 src=gw icmp4 type=3 ip4 src=own dst=friend tcp sport=5432 dport=40000",
		"eth ip4 src=gw icmp4 type=3 ip4 src=own dst=foe tcp dport=5432",
		"eth ip6 src=gw icmp6 type=1 ip6 src=own dst=friend tcp dport=5432",
		/* the id of an echo is at the place of a port */
		"eth ip4 src=gw icmp4 type=3 ip4 src=own dst=friend icmp4 id=40000",
		"eth ip4 src=gw icmp4 type=3 ip4 src=own dst=friend icmp4 type=0 id=40000",
	};
	struct world *w = *state;

	EXPECT(OUT, "eth ip4 dst=friend tcp dport=5432", PASSES);
	for (size_t i = 0; i < N(in); i++)
		EXPECT(IN, in[i], DROPS(ICMP_NO_FLOW));
}

/* GHSA-c66w-hq56-4q97: who asked is part of an echo's flow, in what an error quotes, too. */
static void error__about_an_echo_nobody_sent__dropped(void **state)
{
	struct world *w = *state;

	EXPECT(OUT, "eth ip4 dst=friend icmp4 id=77", PASSES);
	EXPECT(IN, "eth ip4 src=gw icmp4 type=11 ip4 src=own dst=friend icmp4 type=0 id=77",
	       DROPS(ICMP_NO_FLOW));
	EXPECT(OUT, "eth ip4 dst=friend icmp4 type=3 ip4 src=friend dst=own icmp4 id=77",
	       DROPS(ICMP_NO_FLOW));
	for (unsigned int port = 0; port < 4; port++) {
		char udp[128];

		(void)snprintf(udp, sizeof(udp),
			       "eth ip4 src=gw icmp4 type=3 ip4 src=own dst=friend udp sport=77 "
			       "dport=%u",
			       port);
		EXPECT(IN, udp, DROPS(ICMP_NO_FLOW));
	}
}

static void error__opens_nothing(void **state)
{
	struct world *w = *state;

	/* mate is the own tenant: what the error quotes would be allowed as a packet */
	EXPECT(OUT, "eth ip4 dst=mate icmp4 type=3 ip4 src=mate dst=own tcp", DROPS(ICMP_NO_FLOW));
	EXPECT(IN, "eth ip4 src=gw icmp4 type=3 ip4 src=own dst=mate tcp", DROPS(ICMP_NO_FLOW));
	assert_int_equal(world_flows(w), 0);
}

static void grant_to_friend(struct world *w, bool there)
{
	const struct bh_abi_peer_key key = { .tenant = T_OWN,
					     .peer_tenant = T_FRIEND,
					     .cls = BH_CLASS_TENANT };
	const uint64_t set = BH_PORTS_ANY;
	const int fd = bpf_map__fd(w->skel->maps.bh_peers);

	assert_int_equal(there ? bpf_map_update_elem(fd, &key, &set, BPF_ANY)
			       : bpf_map_delete_elem(fd, &key),
			 0);
}

/* An error is judged as its flow is, and leaves the flow as it was. */
static void error__flow_of_an_old_generation__judged_again(void **state)
{
	struct world *w = *state;
	char pkt[192];

	for (size_t i = 0; i < N(abouts); i++) {
		const struct about *a = &abouts[i];

		if (a->dir == IN)
			continue; /* these are about another grant */
		grant_to_friend(w, true);
		world_forget(w);
		world_generation(w, 1);
		EXPECT(OUT, a->open, PASSES);
		world_generation(w, 2);
		EXPECT(IN, from(pkt, sizeof(pkt), a->sent, "gw"), PASSES);
		grant_to_friend(w, false);
		world_generation(w, 3);
		EXPECT(IN, from(pkt, sizeof(pkt), a->sent, "gw"), DROPS(PEER_TENANT));
		EXPECT(OUT, a->got, DROPS(PEER_TENANT));
		assert_int_equal(world_flows(w), 1);
		grant_to_friend(w, true);
		world_generation(w, 4);
		EXPECT(OUT, a->got, PASSES);
	}
}

/* An error must not keep a flow alive: whoever can send one could keep it open for ever. */
static void error__of_an_idle_flow__renews_nothing(void **state)
{
	struct world *w = *state;
	char pkt[192];

	for (size_t i = 0; i < N(abouts); i++) {
		const struct about *a = &abouts[i];
		struct bh_abi_flow_set *before =
			calloc((WORLD_SLOTS * WORLD_FLOW_SETS), sizeof(*before));

		assert_non_null(before);
		world_forget(w);
		EXPECT(a->dir, a->open, PASSES);
		world_age(w, 29);
		memcpy(before, w->flows, (WORLD_SLOTS * WORLD_FLOW_SETS) * sizeof(*before));
		EXPECT(IN, from(pkt, sizeof(pkt), a->sent, "gw"), PASSES);
		EXPECT(OUT, a->got, PASSES);
		assert_memory_equal(before, w->flows,
				    (WORLD_SLOTS * WORLD_FLOW_SETS) * sizeof(*before));
		free(before);
		world_age(w, 33);
		EXPECT(IN, from(pkt, sizeof(pkt), a->sent, "gw"), DROPS(ICMP_NO_FLOW));
		EXPECT(OUT, a->got, DROPS(ICMP_NO_FLOW));
	}
}

/* The event tells of the error itself, not of what it is about. */
static void error__dropped__event_has_the_outer_addresses(void **state)
{
	static const uint8_t gw[16] = { [10] = 0xff, [11] = 0xff, 10, 1, 0, 1 };
	static const uint8_t own[16] = { [10] = 0xff, [11] = 0xff, 10, 1, 0, 10 };
	struct world *w = *state;
	struct bh_abi_event e;

	EXPECT(IN, "eth ip4 src=gw icmp4 type=3 ip4 src=own dst=foe tcp", DROPS(ICMP_NO_FLOW));
	assert_int_equal(world_events(w, &e, 1), 1);
	assert_memory_equal(e.saddr, gw, 16);
	assert_memory_equal(e.daddr, own, 16);
	assert_int_equal(e.proto, 1);
	assert_int_equal(e.sport | e.dport, 0);
	assert_int_equal(e.reason, BH_REASON_ICMP_NO_FLOW);
}

int main(void)
{
	struct world_suite *s = suite_new();

	suite_rows(s, reading, N(reading));
	SUITE_TEST(s, error__of_a_known_flow__passes);
	SUITE_TEST(s, error__known_flow_of_another_interface__dropped);
	SUITE_TEST(s, error__other_ports_or_ends__dropped);
	SUITE_TEST(s, error__about_an_echo_nobody_sent__dropped);
	SUITE_TEST(s, error__opens_nothing);
	SUITE_TEST(s, error__flow_of_an_old_generation__judged_again);
	SUITE_TEST(s, error__of_an_idle_flow__renews_nothing);
	SUITE_TEST(s, error__dropped__event_has_the_outer_addresses);
	return suite_run(s, "icmp");
}
