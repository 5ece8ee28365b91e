/* SPDX-License-Identifier: Apache-2.0 */
/* How many packets and new flows an endpoint may have in a second. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "bpf/isolate.skel.h"
#include "common/clock.h"
#include "tests/bpf/world.h"

#define ONE WORLD_IFINDEX
#define EXPECT(dir, pkt, ...) world_expect(w, ONE, dir, pkt, __VA_ARGS__)

/* So slow that no test sees a second token. */
#define HOUR_NS (3600 * BH_NS_PER_S)

struct rates {
	uint32_t batch;
	uint64_t batch_ns, flow_gap_ns;
};

static void limit(struct world *w, struct rates r)
{
	const int fd = bpf_map__fd(w->skel->maps.bh_config);
	struct bh_abi_config cfg;
	const uint32_t zero = 0;

	assert_int_equal(bpf_map_lookup_elem(fd, &zero, &cfg), 0);
	cfg.packet_batch = r.batch;
	cfg.packet_batch_ns = r.batch_ns;
	cfg.flow_gap_ns = r.flow_gap_ns;
	assert_int_equal(bpf_map_update_elem(fd, &zero, &cfg, BPF_ANY), 0);
}

static void packets__over_the_rate__dropped_both_ways(void **state)
{
	struct world *w = *state;

	EXPECT(OUT, "eth ip4 dst=mate udp", PASSES);
	limit(w, (struct rates){ .batch = 1, .batch_ns = HOUR_NS });
	EXPECT(OUT, "eth ip4 dst=mate udp", PASSES);
	EXPECT(OUT, "eth ip4 dst=mate udp", DROPS(RATE_PACKETS));
	EXPECT(IN, "eth ip4 src=mate udp sport=9999 dport=40000", DROPS(RATE_PACKETS));
	/* before anything else is looked at */
	EXPECT(OUT, "eth src=evil ip4 dst=mate udp", DROPS(RATE_PACKETS));
	limit(w, (struct rates){ 0 });
	EXPECT(OUT, "eth ip4 dst=mate udp", PASSES);
}

static void packets__batch__as_many_as_it_says(void **state)
{
	struct world *w = *state;

	limit(w, (struct rates){ .batch = 5, .batch_ns = HOUR_NS });
	for (unsigned int i = 0; i < 5; i++)
		EXPECT(OUT, "eth ip4 dst=mate udp", PASSES);
	EXPECT(OUT, "eth ip4 dst=mate udp", DROPS(RATE_PACKETS));
}

static void packets__unspent_time__a_tenth_of_a_second_is_kept(void **state)
{
	struct world *w = *state;
	unsigned int n = 0;
	struct pkt_frame f;
	const struct world_run run = { .dir = OUT };

	/* 100 of them are kept; an hour of silence gives no more, and this loop takes no hour */
	world_build(w, "eth ip4 dst=mate udp", OUT, &f);
	limit(w, (struct rates){ .batch = 1, .batch_ns = BH_NS_PER_MS });
	while (n < 100000 && world_run_raw(w, &run, &f).action != 2 /* TC_ACT_SHOT */)
		n++;
	assert_in_range(n, 100, 99999);
}

static void packets__of_others__unaffected(void **state)
{
	struct world *w = *state;

	world_become(w, w->second, "tenant");
	limit(w, (struct rates){ .batch = 1, .batch_ns = HOUR_NS });
	EXPECT(OUT, "eth ip4 dst=mate udp", PASSES);
	EXPECT(OUT, "eth ip4 dst=mate udp", DROPS(RATE_PACKETS));
	world_expect(w, w->second, OUT, "eth ip4 dst=mate udp", PASSES);
	world_become(w, w->second, "system");
	for (unsigned int i = 0; i < 3; i++)
		world_expect(w, w->second, OUT, "eth ip4 dst=foe udp", PASSES);
}

static void packets__explained__cost_nothing(void **state)
{
	const struct world_run ask = { .pkt = "eth ip4 dst=mate udp", .dir = OUT, .dry = true };
	struct world *w = *state;

	limit(w, (struct rates){ .batch = 1, .batch_ns = HOUR_NS, .flow_gap_ns = HOUR_NS });
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(world_run(w, &ask).verdict, BH_VERDICT_PASS);
	EXPECT(OUT, "eth ip4 dst=mate udp", PASSES);
}

static void flows__over_the_rate__new_ones_dropped_and_known_ones_not(void **state)
{
	struct world *w = *state;

	EXPECT(OUT, "eth ip4 dst=mate tcp sport=1", PASSES);
	limit(w, (struct rates){ .flow_gap_ns = HOUR_NS });
	/* what is denied is no flow */
	EXPECT(OUT, "eth ip4 dst=foe tcp sport=1", DROPS(PEER_TENANT));
	EXPECT(OUT, "eth ip4 dst=mate tcp sport=2", PASSES);
	EXPECT(OUT, "eth ip4 dst=mate tcp sport=3", DROPS(RATE_FLOWS));
	EXPECT(IN, "eth ip4 src=mate udp", DROPS(RATE_FLOWS));
	EXPECT(OUT, "eth ip4 dst=mate tcp sport=1 flags=0x10", PASSES);
	EXPECT(IN, "eth ip4 src=mate tcp sport=443 dport=2 flags=0x12", PASSES);
	/* also when it is judged again */
	world_generation(w, 2);
	limit(w, (struct rates){ .flow_gap_ns = HOUR_NS });
	EXPECT(OUT, "eth ip4 dst=mate tcp sport=1 flags=0x10", PASSES);
	EXPECT(OUT, "eth ip4 dst=mate tcp sport=3", DROPS(RATE_FLOWS));
}

/* No mode excuses it: it is about room, not about permission. */
static void flows__over_the_rate_in_mode_audit__dropped(void **state)
{
	struct world *w = *state;

	world_become(w, ONE, "audit");
	limit(w, (struct rates){ .flow_gap_ns = HOUR_NS });
	EXPECT(OUT, "eth ip4 dst=foe tcp sport=2", AUDITS(PEER_TENANT));
	EXPECT(OUT, "eth ip4 dst=foe tcp sport=3", DROPS(RATE_FLOWS));
}

int main(void)
{
	struct world_suite *s = suite_new();
	cpu_set_t one;

	/* tokens for packets are each CPU's own */
	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	if (sched_setaffinity(0, sizeof(one), &one) < 0)
		return 1;
	SUITE_TEST(s, packets__over_the_rate__dropped_both_ways);
	SUITE_TEST(s, packets__batch__as_many_as_it_says);
	SUITE_TEST(s, packets__unspent_time__a_tenth_of_a_second_is_kept);
	SUITE_TEST(s, packets__of_others__unaffected);
	SUITE_TEST(s, packets__explained__cost_nothing);
	SUITE_TEST(s, flows__over_the_rate__new_ones_dropped_and_known_ones_not);
	SUITE_TEST(s, flows__over_the_rate_in_mode_audit__dropped);
	return suite_run(s, "rate");
}
