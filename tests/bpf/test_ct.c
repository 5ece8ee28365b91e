/* SPDX-License-Identifier: Apache-2.0 */
/* The table of flows: states and their limits, who has to go for whom, and what fits nobody. */
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
#define STEPS_MAX 8

static struct bh_abi_config config(struct world *w)
{
	struct bh_abi_config cfg;
	const uint32_t zero = 0;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(w->skel->maps.bh_config), &zero, &cfg), 0);
	return cfg;
}

static void configure(struct world *w, const struct bh_abi_config *cfg)
{
	const uint32_t zero = 0;

	assert_int_equal(
		bpf_map_update_elem(bpf_map__fd(w->skel->maps.bh_config), &zero, cfg, BPF_ANY), 0);
}

/* A region of one set, so that every way of it can be looked at. */
static struct bh_abi_flow_set *one_set(struct world *w)
{
	struct bh_abi_config cfg = config(w);

	cfg.flow_sets = 1;
	configure(w, &cfg);
	return &w->flows[0];
}

static uint64_t *only_word(struct world *w)
{
	assert_int_equal(world_flows(w), 1);
	for (size_t i = 0;; i++) {
		for (size_t k = 0; k < BH_FLOW_WAYS; k++) {
			if (w->flows[i].tag[k])
				return (uint64_t *)&w->flows[i].word[k];
		}
	}
}

static void age(uint64_t *word, uint32_t s)
{
	const uint32_t tick = bh_flow_tick(bh_clock_ns() - s * BH_NS_PER_S);

	*word = bh_flow_word((uint32_t)*word, tick, bh_flow_state(*word));
}

/* --- states --- */

/*
 * From the pod to friend's 5432, which a grant allows in this direction alone: what comes back
 * passes while the flow lives, and not after.
 */
static const struct life {
	const char *name;
	const char *proto;
	struct {
		uint8_t dir;
		const char *flags;
	} steps[STEPS_MAX]; /* NULL ends */
	uint32_t limit_s;
} lives[] = {
	{ "syn", "tcp", { { OUT, "0x02" } }, 30 },
	{ "syn_twice", "tcp", { { OUT, "0x02" }, { OUT, "0x02" } }, 30 },
	{ "syn_ack", "tcp", { { OUT, "0x02" }, { IN, "0x12" } }, 60 },
	{ "established", "tcp", { { OUT, "0x02" }, { IN, "0x12" }, { OUT, "0x10" } }, 7440 },
	{ "peer_alone_says_so", "tcp", { { OUT, "0x02" }, { IN, "0x12" }, { IN, "0x10" } }, 60 },
	{ "midstream", "tcp", { { OUT, "0x10" } }, 30 },
	{ "midstream_answered", "tcp", { { OUT, "0x10" }, { IN, "0x10" }, { OUT, "0x10" } }, 7440 },
	{ "fin_opener",
	  "tcp",
	  { { OUT, "0x02" }, { IN, "0x12" }, { OUT, "0x10" }, { OUT, "0x11" } },
	  240 },
	{ "fin_peer",
	  "tcp",
	  { { OUT, "0x02" }, { IN, "0x12" }, { OUT, "0x10" }, { IN, "0x11" } },
	  240 },
	{ "fin_both",
	  "tcp",
	  { { OUT, "0x02" },
	    { IN, "0x12" },
	    { OUT, "0x10" },
	    { IN, "0x11" },
	    { OUT, "0x11" },
	    { IN, "0x10" } },
	  240 },
	{ "rst", "tcp", { { OUT, "0x02" }, { IN, "0x12" }, { OUT, "0x10" }, { IN, "0x04" } }, 10 },
	{ "rst_then_data",
	  "tcp",
	  { { OUT, "0x02" }, { IN, "0x12" }, { OUT, "0x10" }, { IN, "0x04" }, { OUT, "0x18" } },
	  7440 },
	{ "refused", "tcp", { { OUT, "0x02" }, { IN, "0x14" } }, 10 },
	{ "opened_again_after_fin",
	  "tcp",
	  { { OUT, "0x02" },
	    { IN, "0x12" },
	    { OUT, "0x10" },
	    { OUT, "0x11" },
	    { IN, "0x11" },
	    { OUT, "0x02" } },
	  30 },
	{ "syn_in_established",
	  "tcp",
	  { { OUT, "0x02" }, { IN, "0x12" }, { OUT, "0x10" }, { OUT, "0x02" } },
	  7440 },
	{ "udp", "udp", { { OUT, "" } }, 30 },
	{ "udp_twice", "udp", { { OUT, "" }, { OUT, "" } }, 30 },
	{ "udp_replied", "udp", { { OUT, "" }, { IN, "" } }, 300 },
};

static void packet(const struct life *l, uint8_t dir, const char *flags, char *buf, size_t cap)
{
	const bool tcp = strcmp(l->proto, "tcp") == 0;
	const int port = tcp ? 5432 : 5005;

	(void)snprintf(buf, cap, "eth ip4 %s=friend %s sport=%d dport=%d%s%s",
		       dir == OUT ? "dst" : "src", l->proto, dir == OUT ? 40000 : port,
		       dir == OUT ? port : 40000, tcp ? " flags=" : "", tcp ? flags : "");
}

static void live(struct world *w, const struct life *l)
{
	char pkt[128];

	world_forget(w);
	for (size_t i = 0; i < STEPS_MAX && l->steps[i].flags; i++) {
		packet(l, l->steps[i].dir, l->steps[i].flags, pkt, sizeof(pkt));
		EXPECT(l->steps[i].dir, pkt, PASSES);
	}
}

static void state__silent_for_less_than_its_limit__reply_passes(void **state)
{
	struct world *w = *state;
	char pkt[128];

	for (size_t i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
		live(w, &lives[i]);
		age(only_word(w), lives[i].limit_s - 1);
		packet(&lives[i], IN, "0x10", pkt, sizeof(pkt));
		EXPECT(IN, pkt, PASSES);
		assert_true(bh_flow_tick(bh_clock_ns()) - bh_flow_word_tick(*only_word(w)) <= 1);
	}
}

static void state__silent_for_longer_than_its_limit__reply_dropped(void **state)
{
	struct world *w = *state;
	char pkt[128];

	for (size_t i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
		live(w, &lives[i]);
		age(only_word(w), lives[i].limit_s + 3);
		packet(&lives[i], IN, "0x10", pkt, sizeof(pkt));
		EXPECT(IN, pkt, DROPS(PEER_TENANT));
	}
}

/* --- words and tags --- */

/* A tag of one writer with the word of another: judged, as if the policy had changed. */
static void word__of_another_flow__does_not_vouch(void **state)
{
	struct world *w = *state;
	struct bh_abi_flow_set *s = one_set(w);
	const struct bh_abi_tenant no_egress = { .world_egress = 2 };
	const uint32_t own = T_OWN;

	EXPECT(OUT, "eth ip4 tcp sport=1 dport=443", PASSES);
	EXPECT(OUT, "eth ip4 dst=mate tcp sport=2 dport=443", PASSES);
	assert_true(s->tag[0] && s->tag[1]);
	/* the first is forbidden now, but the generation has not been raised yet */
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(w->skel->maps.bh_tenants), &own,
					     &no_egress, BPF_ANY),
			 0);
	EXPECT(IN, "eth ip4 tcp sport=443 dport=1 flags=0x10", PASSES);
	s->word[0] = s->word[1];
	EXPECT(IN, "eth ip4 tcp sport=443 dport=1 flags=0x10", DROPS(PEER_WORLD_PUBLIC));
	assert_int_equal(s->tag[0], 0);
	EXPECT(IN, "eth ip4 src=mate tcp sport=443 dport=2 flags=0x10", PASSES);
}

static void word__of_the_other_direction__does_not_vouch(void **state)
{
	struct world *w = *state;
	struct bh_abi_flow_set *s = one_set(w);

	EXPECT(OUT, "eth ip4 dst=friend tcp dport=5432", PASSES);
	s->tag[0] ^= 1; /* as if friend had opened it, which no grant allows */
	EXPECT(IN, "eth ip4 src=friend tcp sport=5432 dport=40000 flags=0x10", DROPS(PEER_TENANT));
}

/* While policy is written each packet is judged by what the maps say at that moment. */
static void generation__odd__every_packet_is_judged(void **state)
{
	const struct bh_abi_peer_key key = { .tenant = T_OWN,
					     .peer_tenant = T_FRIEND,
					     .cls = BH_CLASS_TENANT };
	struct world *w = *state;
	struct bh_abi_config cfg;

	EXPECT(OUT, "eth ip4 dst=friend tcp dport=5432", PASSES);
	cfg = config(w);
	cfg.generation |= BH_GENERATION_WRITING;
	configure(w, &cfg);
	for (unsigned int i = 0; i < 2; i++) {
		EXPECT(OUT, "eth ip4 dst=friend tcp dport=5432 flags=0x10", PASSES);
		EXPECT(IN, "eth ip4 src=friend tcp sport=5432 dport=40000 flags=0x10", PASSES);
	}
	assert_int_equal(bpf_map_delete_elem(bpf_map__fd(w->skel->maps.bh_peers), &key), 0);
	/* whoever writes may die here: what he has written holds */
	EXPECT(IN, "eth ip4 src=friend tcp sport=5432 dport=40000 flags=0x10", DROPS(PEER_TENANT));
	EXPECT(OUT, "eth ip4 dst=friend tcp dport=5432 flags=0x10", DROPS(PEER_TENANT));
}

/* --- room --- */

static void slot__none__whatever_needs_a_flow_is_dropped(void **state)
{
	struct world *w = *state;
	const int fd = bpf_map__fd(w->skel->maps.bh_endpoints);
	const uint32_t ifindex = ONE;
	struct bh_abi_endpoint ep;

	assert_int_equal(bpf_map_lookup_elem(fd, &ifindex, &ep), 0);
	for (unsigned int i = 0; i < 3; i++) {
		static const uint32_t none[] = { BH_SLOT_NONE, WORLD_SLOTS + 1, UINT32_MAX };

		ep.slot = none[i];
		assert_int_equal(bpf_map_update_elem(fd, &ifindex, &ep, BPF_ANY), 0);
		EXPECT(OUT, "eth ip4 dst=mate tcp", DROPS(TABLE_FULL));
		EXPECT(IN, "eth ip4 src=mate udp", DROPS(TABLE_FULL));
		EXPECT(OUT, "eth ip4 dst=foe tcp", DROPS(PEER_TENANT));
		EXPECT(OUT, "eth dst=all arp tpa=gw", PASSES);
		assert_int_equal(world_flows(w), 0);
	}
}

static void open_tcp(struct world *w, unsigned int port, bool establish)
{
	char pkt[128];

	(void)snprintf(pkt, sizeof(pkt), "eth ip4 dst=mate tcp sport=%u dport=443", port);
	EXPECT(OUT, pkt, PASSES);
	if (!establish)
		return;
	(void)snprintf(pkt, sizeof(pkt), "eth ip4 src=mate tcp sport=443 dport=%u flags=0x12",
		       port);
	EXPECT(IN, pkt, PASSES);
	(void)snprintf(pkt, sizeof(pkt), "eth ip4 dst=mate tcp sport=%u dport=443 flags=0x10",
		       port);
	EXPECT(OUT, pkt, PASSES);
}

/* What is established is not pushed out; the one too many hears why. */
static void room__all_established__new_flow_refused_and_old_ones_go_on(void **state)
{
	struct world *w = *state;
	struct bh_abi_flow_set *s = one_set(w);
	char pkt[128];

	for (unsigned int i = 0; i < BH_FLOW_WAYS; i++)
		open_tcp(w, 1000 + i, true);
	EXPECT(OUT, "eth ip4 dst=mate tcp sport=2000 dport=443", DROPS(FLOW_LIMIT));
	EXPECT(IN, "eth ip4 src=mate udp", DROPS(FLOW_LIMIT));
	for (unsigned int i = 0; i < BH_FLOW_WAYS; i++) {
		(void)snprintf(pkt, sizeof(pkt),
			       "eth ip4 dst=mate tcp sport=%u dport=443 flags=0x10", 1000 + i);
		EXPECT(OUT, pkt, PASSES);
	}
	assert_true(world_loss(w, BH_LOSS_FLOW) >= 2);
	/* one that is closed, or forgotten, makes room */
	EXPECT(OUT, "eth ip4 dst=mate tcp sport=1003 dport=443 flags=0x11", PASSES);
	EXPECT(OUT, "eth ip4 dst=mate tcp sport=2000 dport=443", PASSES);
	age((uint64_t *)&s->word[5], 7445);
	EXPECT(OUT, "eth ip4 dst=mate tcp sport=2001 dport=443 flags=0x10", PASSES);
}

/* Half open: they push out each other, and never what is established. */
static void room__half_open_flood__established_untouched(void **state)
{
	struct world *w = *state;
	uint64_t kept[4];
	struct bh_abi_flow_set *s = one_set(w);

	for (unsigned int i = 0; i < 4; i++)
		open_tcp(w, 1000 + i, true);
	for (unsigned int i = 0; i < 4; i++)
		kept[i] = s->tag[i];
	for (unsigned int i = 0; i < 500; i++)
		open_tcp(w, 2000 + i, false);
	assert_memory_equal(kept, s->tag, sizeof(kept));
	assert_int_equal(world_flows(w), BH_FLOW_WAYS);
	EXPECT(OUT, "eth ip4 dst=mate tcp sport=1000 dport=443 flags=0x10", PASSES);
}

static void room__least_time_left__goes_first(void **state)
{
	struct world *w = *state;
	struct bh_abi_flow_set *s = one_set(w);
	uint64_t victim;

	EXPECT(OUT, "eth ip4 dst=mate udp sport=1 dport=9", PASSES);
	EXPECT(IN, "eth ip4 src=mate udp sport=9 dport=1", PASSES); /* 300 s */
	for (unsigned int i = 0; i < BH_FLOW_WAYS - 1; i++)
		open_tcp(w, 1000 + i, false); /* 30 s */
	victim = s->tag[4];
	age((uint64_t *)&s->word[4], 20);
	open_tcp(w, 2000, false);
	assert_int_not_equal(s->tag[4], victim);
	EXPECT(IN, "eth ip4 src=mate udp sport=9 dport=1", PASSES);
	assert_int_equal(world_flows(w), BH_FLOW_WAYS);
}

/* One pod opens as fast as it can: its region fills, another's is not touched. */
static void room__flood_of_one_endpoint__other_unaffected(void **state)
{
	struct world *w = *state;
	const struct world_run run = { .dir = OUT };
	struct pkt_frame f;
	struct bh_abi_flow_set before[WORLD_FLOW_SETS];
	const struct bh_abi_flow_set *other = &w->flows[WORLD_FLOW_SETS];

	world_become(w, w->second, "tenant");
	world_expect(w, w->second, OUT, "eth ip4 dst=mate tcp", PASSES);
	world_expect(w, w->second, OUT, "eth ip4 dst=mate udp", PASSES);
	memcpy(before, other, sizeof(before));
	world_build(w, "eth ip4 dst=mate tcp", OUT, &f);
	for (unsigned int i = 0; i < 4 * WORLD_FLOW_SETS * BH_FLOW_WAYS; i++) {
		memcpy(f.b + 34, &i, 2);      /* source port; checksums are not ours to check */
		memcpy(f.b + 38, &i, 4);      /* sequence number, for the look of it */
		f.b[36] = (uint8_t)(i >> 16); /* destination port */
		assert_int_equal(world_run_raw(w, &run, &f).action, (uint32_t)-1);
	}
	assert_memory_equal(before, other, sizeof(before));
	assert_true(world_flows(w) > WORLD_FLOW_SETS * BH_FLOW_WAYS * 99 / 100);
	world_expect(w, w->second, IN, "eth ip4 src=mate udp sport=9999 dport=40000", PASSES);
}

int main(void)
{
	struct world_suite *s = suite_new();

	SUITE_TEST(s, state__silent_for_less_than_its_limit__reply_passes);
	SUITE_TEST(s, state__silent_for_longer_than_its_limit__reply_dropped);
	SUITE_TEST(s, word__of_another_flow__does_not_vouch);
	SUITE_TEST(s, word__of_the_other_direction__does_not_vouch);
	SUITE_TEST(s, generation__odd__every_packet_is_judged);
	SUITE_TEST(s, slot__none__whatever_needs_a_flow_is_dropped);
	SUITE_TEST(s, room__all_established__new_flow_refused_and_old_ones_go_on);
	SUITE_TEST(s, room__half_open_flood__established_untouched);
	SUITE_TEST(s, room__least_time_left__goes_first);
	SUITE_TEST(s, room__flood_of_one_endpoint__other_unaffected);
	return suite_run(s, "ct");
}
