/* SPDX-License-Identifier: Apache-2.0 */
/* Replies to what was allowed, and to nothing else; what a change of policy does to live flows. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

#include "bpf/flow_table.h"
#include "bpf/isolate.skel.h"
#include "common/clock.h"
#include "tests/bpf/world.h"

#define ONE WORLD_IFINDEX

#define EXPECT(dir, pkt, ...) world_expect(w, ONE, dir, pkt, __VA_ARGS__)

/*
 * T_OWN may open to friend and be called by caller, never the other way round: so what passes in
 * the other direction passes as a reply.
 */
static const struct pair {
	const char *name;
	uint8_t dir; /* of the request */
	const char *request, *reply;
	uint8_t early;		  /* why the reply is dropped before the request */
	const char *strangers[4]; /* replies that are not the right one; NULL ends */
} pairs[] = {
	{ "tcp_v4",
	  OUT,
	  "eth ip4 dst=friend tcp sport=40000 dport=5432",
	  "eth ip4 src=friend tcp sport=5432 dport=40000 flags=0x12",
	  BH_REASON_PEER_TENANT,
	  { "eth ip4 src=foe tcp sport=5432 dport=40000",
	    "eth ip4 src=friend tcp sport=5433 dport=40000",
	    "eth ip4 src=friend tcp sport=5432 dport=40001",
	    "eth ip4 src=friend udp sport=5432 dport=40000" } },
	{ "tcp_v6",
	  OUT,
	  "eth ip6 dst=friend tcp sport=40000 dport=5432",
	  "eth ip6 src=friend tcp sport=5432 dport=40000 flags=0x12",
	  BH_REASON_PEER_TENANT,
	  { "eth ip6 src=foe tcp sport=5432 dport=40000",
	    "eth ip6 src=friend tcp sport=40000 dport=5432",
	    "eth ip4 src=friend tcp sport=5432 dport=40000", NULL } },
	{ "udp_v4",
	  OUT,
	  "eth ip4 dst=friend udp sport=40000 dport=5005",
	  "eth ip4 src=friend udp sport=5005 dport=40000",
	  BH_REASON_PEER_TENANT,
	  { "eth ip4 src=foe udp sport=5005 dport=40000",
	    "eth ip4 src=friend tcp sport=5005 dport=40000",
	    "eth ip4 src=friend udp sport=5006 dport=40000", NULL } },
	{ "udp_v6",
	  OUT,
	  "eth ip6 dst=friend udp sport=40000 dport=5005",
	  "eth ip6 src=friend udp sport=5005 dport=40000",
	  BH_REASON_PEER_TENANT,
	  { "eth ip6 src=foe udp sport=5005 dport=40000", NULL, NULL, NULL } },
	{ "icmp_v4",
	  OUT,
	  "eth ip4 dst=friend icmp4 id=77",
	  "eth ip4 src=friend icmp4 type=0 id=77",
	  BH_REASON_NO_FLOW,
	  { "eth ip4 src=friend icmp4 type=0 id=78", "eth ip4 src=foe icmp4 type=0 id=77",
	    "eth ip4 src=friend icmp4 type=8 id=77", NULL } },
	{ "icmp_v6",
	  OUT,
	  "eth ip6 dst=friend icmp6 id=77",
	  "eth ip6 src=friend icmp6 type=129 id=77",
	  BH_REASON_NO_FLOW,
	  { "eth ip6 src=friend icmp6 type=129 id=78", "eth ip6 src=foe icmp6 type=129 id=77",
	    "eth ip6 src=friend icmp6 type=128 id=77", NULL } },
	{ "tcp_in",
	  IN,
	  "eth ip4 src=caller tcp sport=40000 dport=5432",
	  "eth ip4 dst=caller tcp sport=5432 dport=40000 flags=0x12",
	  BH_REASON_PEER_TENANT,
	  { "eth ip4 dst=caller tcp sport=5432 dport=40001",
	    "eth ip4 dst=foe tcp sport=5432 dport=40000",
	    "eth ip4 dst=caller tcp sport=40000 dport=5432", NULL } },
	{ "icmp_in",
	  IN,
	  "eth ip6 src=caller icmp6 id=9",
	  "eth ip6 dst=caller icmp6 type=129 id=9",
	  BH_REASON_NO_FLOW,
	  { "eth ip6 dst=caller icmp6 type=128 id=9", "eth ip6 dst=caller icmp6 type=129 id=10",
	    NULL, NULL } },
};

#define N_PAIRS (sizeof(pairs) / sizeof(pairs[0]))

static void flow__reply__passes_after_the_request_only(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < N_PAIRS; i++) {
		const struct pair *p = &pairs[i];

		world_forget(w);
		EXPECT(!p->dir, p->reply, BH_VERDICT_DROP, p->early);
		EXPECT(p->dir, p->request, PASSES);
		EXPECT(!p->dir, p->reply, PASSES);
		EXPECT(p->dir, p->request, PASSES);
		EXPECT(!p->dir, p->reply, PASSES);
		assert_int_equal(world_flows(w), 1);
	}
}

/* Who was called may answer as long as he likes, but not call back on the same ports. */
static void flow__connection_the_other_way_on_its_ports__judged_as_new(void **state)
{
	static const struct {
		uint8_t dir;
		const char *request, *back; /* and the flags */
		uint8_t reason;
	} rows[] = {
		{ IN, "eth ip4 src=gw tcp sport=40000 dport=8080",
		  "eth ip4 dst=gw tcp sport=8080 dport=40000", BH_REASON_PEER_NODE },
		{ IN, "eth ip6 src=gw tcp sport=40000 dport=8080",
		  "eth ip6 dst=gw tcp sport=8080 dport=40000", BH_REASON_PEER_NODE },
		{ IN, "eth ip4 src=caller tcp sport=40000 dport=5432",
		  "eth ip4 dst=caller tcp sport=5432 dport=40000", BH_REASON_PEER_TENANT },
		{ OUT, "eth ip4 dst=friend tcp sport=40000 dport=5432",
		  "eth ip4 src=friend tcp sport=5432 dport=40000", BH_REASON_PEER_TENANT },
	};
	struct world *w = *state;
	char pkt[128];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static const char *const opening[] = { "0x02", "0xc2", "0x0a", "0x03" };
		static const char *const going_on[] = { "0x12", "0x10", "0x18", "0x11", "0x04" };

		world_forget(w);
		EXPECT(rows[i].dir, rows[i].request, PASSES);
		for (size_t k = 0; k < sizeof(opening) / sizeof(opening[0]); k++) {
			(void)snprintf(pkt, sizeof(pkt), "%s flags=%s", rows[i].back, opening[k]);
			EXPECT(!rows[i].dir, pkt, BH_VERDICT_DROP, rows[i].reason);
		}
		for (size_t k = 0; k < sizeof(going_on) / sizeof(going_on[0]); k++) {
			(void)snprintf(pkt, sizeof(pkt), "%s flags=%s", rows[i].back, going_on[k]);
			EXPECT(!rows[i].dir, pkt, PASSES);
		}
		/* the one who called may do so again */
		(void)snprintf(pkt, sizeof(pkt), "%s flags=0x02", rows[i].request);
		EXPECT(rows[i].dir, pkt, PASSES);
	}
}

static void flow__stranger__dropped(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < N_PAIRS; i++) {
		const struct pair *p = &pairs[i];

		world_forget(w);
		EXPECT(p->dir, p->request, PASSES);
		for (size_t k = 0; k < 4 && p->strangers[k]; k++) {
			const struct world_run run = { .pkt = p->strangers[k], .dir = !p->dir };
			const struct world_answer a = world_run(w, &run);

			assert_int_equal(a.error, 0);
			if (a.verdict != BH_VERDICT_DROP)
				fail_msg("%s: '%s' passed", p->name, run.pkt);
		}
		EXPECT(!p->dir, p->reply, PASSES);
		assert_int_equal(world_flows(w), 1);
	}
}

static void flow__other_interface__shares_nothing(void **state)
{
	struct world *w = *state;

	world_become(w, w->second, "tenant");
	for (size_t i = 0; i < N_PAIRS; i++) {
		const struct pair *p = &pairs[i];

		world_forget(w);
		EXPECT(p->dir, p->request, PASSES);
		world_expect(w, w->second, !p->dir, p->reply, BH_VERDICT_DROP, p->early);
		EXPECT(!p->dir, p->reply, PASSES);
	}
}

/* GHSA-c66w-hq56-4q97: a ping out opened the way for pings in. */
static void echo__request_out__opens_no_request_in(void **state)
{
	struct world *w = *state;

	for (unsigned int id = 0; id <= 0xffff; id += 4369) {
		char out[64], in[64], answer[64];

		(void)snprintf(out, sizeof(out), "eth ip4 dst=friend icmp4 id=%u", id);
		(void)snprintf(in, sizeof(in), "eth ip4 src=friend icmp4 id=%u", id);
		(void)snprintf(answer, sizeof(answer), "eth ip4 dst=friend icmp4 type=0 id=%u", id);
		EXPECT(OUT, out, PASSES);
		EXPECT(IN, in, DROPS(PEER_TENANT));
		EXPECT(OUT, answer, DROPS(NO_FLOW));
	}
}

/* The id of an echo is at the place of a port in the key: it must not meet one. */
static void echo__id_that_is_a_port__no_collision(void **state)
{
	struct world *w = *state;

	EXPECT(OUT, "eth ip4 dst=friend udp sport=77 dport=5005", PASSES);
	EXPECT(OUT, "eth ip4 dst=friend tcp sport=77 dport=1", PASSES);
	EXPECT(IN, "eth ip4 src=friend icmp4 type=0 id=77", DROPS(NO_FLOW));
	world_forget(w);
	EXPECT(OUT, "eth ip4 dst=friend icmp4 id=77", PASSES);
	for (unsigned int port = 0; port < 4; port++) {
		char tcp[64], udp[64];

		(void)snprintf(tcp, sizeof(tcp), "eth ip4 src=friend tcp sport=%u dport=77", port);
		(void)snprintf(udp, sizeof(udp), "eth ip4 src=friend udp sport=%u dport=77", port);
		EXPECT(IN, tcp, DROPS(PEER_TENANT));
		EXPECT(IN, udp, DROPS(PEER_TENANT));
	}
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

static void policy__new_generation_still_allowed__flow_kept(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < N_PAIRS; i++) {
		const struct pair *p = &pairs[i];

		world_forget(w);
		world_generation(w, 1);
		EXPECT(p->dir, p->request, PASSES);
		world_generation(w, 2);
		/* the reply comes first, and is judged in the direction of the request */
		EXPECT(!p->dir, p->reply, PASSES);
		world_generation(w, 3);
		EXPECT(p->dir, p->request, PASSES);
		EXPECT(!p->dir, p->reply, PASSES);
	}
}

static void policy__grant_gone__flow_ends(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < N_PAIRS; i++) {
		const struct pair *p = &pairs[i];

		if (p->dir == IN)
			continue; /* these are about another grant */
		for (unsigned int first_is_reply = 0; first_is_reply < 2; first_is_reply++) {
			grant_to_friend(w, true);
			world_forget(w);
			world_generation(w, 1);
			EXPECT(OUT, p->request, PASSES);
			grant_to_friend(w, false);
			/* maps change before the generation: until then the flow goes on */
			EXPECT(IN, p->reply, PASSES);
			world_generation(w, 2);
			if (first_is_reply)
				EXPECT(IN, p->reply, DROPS(PEER_TENANT));
			else
				EXPECT(OUT, p->request, DROPS(PEER_TENANT));
			assert_int_equal(world_flows(w), 0);
			EXPECT(OUT, p->request, DROPS(PEER_TENANT));
			EXPECT(IN, p->reply, BH_VERDICT_DROP, p->early);
			grant_to_friend(w, true);
			world_generation(w, 3);
			EXPECT(OUT, p->request, PASSES);
			EXPECT(IN, p->reply, PASSES);
		}
	}
}

/* What was a reply may be a flow of its own: the packet that found out is lost, the next passes. */
static void policy__reply_allowed_as_request__passes_at_the_second(void **state)
{
	const struct bh_abi_tenant no_egress = { .world_egress = 2 };
	const uint32_t own = T_OWN;
	struct world *w = *state;

	EXPECT(OUT, "eth ip4 tcp sport=40000 dport=443", PASSES);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(w->skel->maps.bh_tenants), &own,
					     &no_egress, BPF_ANY),
			 0);
	world_generation(w, 2);
	EXPECT(IN, "eth ip4 tcp sport=443 dport=40000 flags=0x10", DROPS(PEER_WORLD_PUBLIC));
	EXPECT(IN, "eth ip4 tcp sport=443 dport=40000 flags=0x10", PASSES);
	EXPECT(OUT, "eth ip4 tcp sport=40000 dport=443 flags=0x10", PASSES);
}

static void policy__address_changes_hands__flow_ends(void **state)
{
	static const uint8_t friend4[16] = { [10] = 0xff, [11] = 0xff, 10, 1, 0, 13 };
	const struct bh_abi_addr foe = { .cls = BH_CLASS_TENANT, .tenant = T_FOE };
	struct world *w = *state;

	EXPECT(OUT, "eth ip4 dst=friend tcp dport=5432", PASSES);
	assert_int_equal(
		bpf_map_update_elem(bpf_map__fd(w->skel->maps.bh_addrs), friend4, &foe, BPF_ANY),
		0);
	world_generation(w, 2);
	EXPECT(OUT, "eth ip4 dst=friend tcp dport=5432", DROPS(PEER_TENANT));
	EXPECT(IN, "eth ip4 src=friend tcp sport=5432 dport=40000", DROPS(PEER_TENANT));
}

static void policy__endpoint_becomes_conflict__flow_ends(void **state)
{
	struct world *w = *state;

	EXPECT(OUT, "eth ip4 dst=mate tcp", PASSES);
	world_become(w, ONE, "conflict");
	world_generation(w, 2);
	EXPECT(OUT, "eth ip4 dst=mate tcp", DROPS(SELF_CONFLICT));
}

static void flow__denied_or_unjudged__remembers_nothing(void **state)
{
	struct world *w = *state;

	EXPECT(OUT, "eth ip4 dst=foe tcp", DROPS(PEER_TENANT));
	EXPECT(OUT, "eth ip4 src=mate dst=friend tcp dport=5432", DROPS(SRC_ADDR));
	EXPECT(OUT, "eth dst=all arp tpa=gw", PASSES);
	EXPECT(OUT, "eth ip6 dst=sn:gw icmp6 type=135 target addr=gw slla", PASSES);
	world_become(w, ONE, "system");
	EXPECT(OUT, "eth ip4 dst=foe tcp", PASSES);
	assert_int_equal(world_flows(w), 0);
}

/* What audit lets pass is a flow, so that replies pass; each of its packets is counted. */
static void flow__in_mode_audit__remembered_and_counted(void **state)
{
	struct world *w = *state;

	world_become(w, ONE, "audit");
	EXPECT(OUT, "eth ip4 dst=foe tcp dport=80", AUDITS(PEER_TENANT));
	EXPECT(OUT, "eth ip4 dst=foe tcp dport=80", AUDITS(PEER_TENANT));
	assert_int_equal(world_flows(w), 1);
}

static void flow__in_mode_off__both_ways_pass(void **state)
{
	struct world *w = *state;

	world_become(w, ONE, "off");
	for (size_t i = 0; i < N_PAIRS; i++) {
		EXPECT(pairs[i].dir, pairs[i].request, PASSES);
		EXPECT(!pairs[i].dir, pairs[i].reply, PASSES);
	}
}

/* --- how long a flow may be silent that nobody has answered yet --- */

/* The word of the only flow. */
static uint64_t *only_flow(struct world *w)
{
	assert_int_equal(world_flows(w), 1);
	for (size_t i = 0;; i++) {
		for (size_t k = 0; k < BH_FLOW_WAYS; k++) {
			if (w->flows[i].tag[k])
				return (uint64_t *)&w->flows[i].word[k];
		}
	}
}

static void idle__under_the_limit__reply_passes_and_renews(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < N_PAIRS; i++) {
		const struct pair *p = &pairs[i];
		const uint32_t start = bh_flow_tick(bh_clock_ns());

		world_forget(w);
		EXPECT(p->dir, p->request, PASSES);
		world_age(w, 30 - 1);
		EXPECT(!p->dir, p->reply, PASSES);
		assert_true(bh_flow_word_tick(*only_flow(w)) - start <= 1);
	}
}

static void idle__over_the_limit__reply_dropped(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < N_PAIRS; i++) {
		const struct pair *p = &pairs[i];

		world_forget(w);
		EXPECT(p->dir, p->request, PASSES);
		world_age(w, 30 + 3);
		EXPECT(!p->dir, p->reply, BH_VERDICT_DROP, p->early);
		EXPECT(p->dir, p->request, PASSES);
		EXPECT(!p->dir, p->reply, PASSES);
	}
}

/* Another CPU may have renewed the flow after this one looked at the clock. */
static void idle__renewed_in_the_future__reply_passes(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < N_PAIRS; i++) {
		const struct pair *p = &pairs[i];

		world_forget(w);
		EXPECT(p->dir, p->request, PASSES);
		world_age(w, -4);
		EXPECT(!p->dir, p->reply, PASSES);
	}
}

int main(void)
{
	struct world_suite *s = suite_new();

	SUITE_TEST(s, flow__reply__passes_after_the_request_only);
	SUITE_TEST(s, flow__connection_the_other_way_on_its_ports__judged_as_new);
	SUITE_TEST(s, flow__stranger__dropped);
	SUITE_TEST(s, flow__other_interface__shares_nothing);
	SUITE_TEST(s, echo__request_out__opens_no_request_in);
	SUITE_TEST(s, echo__id_that_is_a_port__no_collision);
	SUITE_TEST(s, policy__new_generation_still_allowed__flow_kept);
	SUITE_TEST(s, policy__grant_gone__flow_ends);
	SUITE_TEST(s, policy__reply_allowed_as_request__passes_at_the_second);
	SUITE_TEST(s, policy__address_changes_hands__flow_ends);
	SUITE_TEST(s, policy__endpoint_becomes_conflict__flow_ends);
	SUITE_TEST(s, flow__denied_or_unjudged__remembers_nothing);
	SUITE_TEST(s, flow__in_mode_audit__remembered_and_counted);
	SUITE_TEST(s, flow__in_mode_off__both_ways_pass);
	SUITE_TEST(s, idle__under_the_limit__reply_passes_and_renews);
	SUITE_TEST(s, idle__over_the_limit__reply_dropped);
	SUITE_TEST(s, idle__renewed_in_the_future__reply_passes);
	return suite_run(s, "flows");
}
