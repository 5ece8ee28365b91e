/* SPDX-License-Identifier: Apache-2.0 */
/* Records of judged flows: which ones, what is in them, and none where nobody follows. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "bpf/isolate.skel.h"
#include "bpf/names.h"
#include "common/clock.h"
#include "tests/bpf/world.h"

#define ONE WORLD_IFINDEX
#define MINUTE_NS (60 * BH_NS_PER_S)

#define EXPECT(dir, pkt, ...) world_expect(w, ONE, dir, pkt, __VA_ARGS__)

static void follow(struct world *w, uint64_t until_ns, uint32_t sample, uint32_t tenant)
{
	const int fd = bpf_map__fd(w->skel->maps.bh_config);
	struct bh_abi_config cfg;
	const uint32_t zero = 0;

	assert_int_equal(bpf_map_lookup_elem(fd, &zero, &cfg), 0);
	cfg.record_until_ns = until_ns;
	cfg.record_sample = sample;
	cfg.record_tenant = tenant;
	assert_int_equal(bpf_map_update_elem(fd, &zero, &cfg, BPF_ANY), 0);
}

/* As if the second of the rate were over. */
static void next_second(struct world *w)
{
	const uint64_t zero_rate[2] = { 0 };
	const uint32_t zero = 0;

	assert_int_equal(bpf_map_update_elem(bpf_map__fd(w->skel->maps.record_rates), &zero,
					     zero_rate, BPF_ANY),
			 0);
}

struct sink {
	struct bh_abi_flow_record last;
	size_t n;
	uint64_t suppressed;
};

static int take(void *ctx, void *data, size_t len)
{
	struct sink *s = ctx;

	assert_int_equal(len, sizeof(s->last));
	memcpy(&s->last, data, len);
	s->suppressed += s->last.e.suppressed;
	s->n++;
	return 0;
}

/* What waits in the ring. */
static struct sink records(struct world *w)
{
	struct sink s = { 0 };
	struct ring_buffer *rb =
		ring_buffer__new(bpf_map__fd(w->skel->maps.flow_records), take, &s, NULL);

	assert_non_null(rb);
	assert_true(ring_buffer__consume(rb) >= 0);
	ring_buffer__free(rb);
	return s;
}

static struct bh_abi_flow_record only_record(struct world *w)
{
	const struct sink s = records(w);

	assert_int_equal(s.n, 1);
	return s.last;
}

static void begin(struct world *w)
{
	(void)records(w); /* of the test before */
	next_second(w);
	follow(w, bh_clock_ns() + MINUTE_NS, 1, BH_TENANT_NONE);
}

static void record__nobody_follows__none(void **state)
{
	struct world *w = *state;

	(void)records(w);
	EXPECT(OUT, "eth ip4 tcp", PASSES);
	EXPECT(OUT, "eth ip4 dst=foe tcp", DROPS(PEER_TENANT));
	follow(w, bh_clock_ns() - 1, 1, BH_TENANT_NONE); /* its time is over */
	EXPECT(OUT, "eth ip4 tcp sport=2", PASSES);
	EXPECT(OUT, "eth ip4 dst=foe tcp", DROPS(PEER_TENANT));
	assert_int_equal(records(w).n, 0);
}

static void record__new_flow__once_with_every_field(void **state)
{
	struct world *w = *state;
	struct bh_abi_flow_record r;

	begin(w);
	EXPECT(OUT, "eth ip4 dst=friend tcp sport=40000 dport=5432", PASSES);
	r = only_record(w);
	assert_int_equal(r.e.ifindex, ONE);
	assert_int_equal(r.e.tenant, T_OWN);
	assert_int_equal(r.e.peer_tenant, T_FRIEND);
	assert_int_equal(r.e.peer_cls, BH_CLASS_TENANT);
	assert_int_equal(r.e.dir, BH_DIR_EGRESS);
	assert_int_equal(r.e.verdict, BH_VERDICT_PASS);
	assert_int_equal(r.e.reason, BH_REASON_NONE);
	assert_int_equal(r.e.proto, IPPROTO_TCP);
	assert_int_equal(r.e.sport, htons(40000));
	assert_int_equal(r.e.dport, htons(5432));
	assert_int_equal(r.e.daddr[15], 13);
	assert_int_equal(r.e.suppressed, 0);
	assert_true(bh_clock_ns() - r.e.ts_ns < MINUTE_NS);
	assert_int_equal(r.rule, BH_RULE_GRANT);
	assert_string_equal(bh_rule_name(r.rule, r.e.peer_cls, r.world), "grant tenant");
	assert_int_equal(r.again, 0);
	assert_int_equal(r.sample, 1);
	/* not packet by packet, and not for replies */
	EXPECT(OUT, "eth ip4 dst=friend tcp sport=40000 dport=5432", PASSES);
	EXPECT(IN, "eth ip4 src=friend tcp sport=5432 dport=40000 flags=0x12", PASSES);
	assert_int_equal(records(w).n, 0);
}

static void record__verdicts_and_rules__told_apart(void **state)
{
	static const struct {
		const char *who, *pkt;
		uint8_t dir, verdict, reason;
		const char *rule;
	} rows[] = {
		{ "tenant", "eth ip4 dst=mate tcp", OUT, PASSES, "default" },
		{ "tenant", "eth ip6 dst=foe udp", OUT, DROPS(PEER_TENANT), "default" },
		{ "tenant", "eth ip4 dst=public tcp", OUT, PASSES, "world public" },
		{ "tenant", "eth ip4 dst=private tcp", OUT, DROPS(PEER_WORLD_PRIVATE),
		  "world public" },
		{ "world_all", "eth ip4 dst=private tcp", OUT, PASSES, "world all" },
		{ "world_none", "eth ip4 src=public tcp", IN, DROPS(PEER_WORLD_PUBLIC),
		  "world none" },
		{ "tenant", "eth ip4 src=node tcp", IN, PASSES, "default" },
		{ "audit", "eth ip4 dst=foe tcp", OUT, AUDITS(PEER_TENANT), "default" },
		{ "off", "eth ip4 dst=foe tcp", OUT, PASSES, "default" },
		{ "unassigned", "eth ip4 dst=private tcp", OUT, PASSES, "default" },
		{ "conflict", "eth ip4 dst=mate tcp", OUT, DROPS(SELF_CONFLICT), "none" },
	};
	struct world *w = *state;

	begin(w);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bh_abi_flow_record r;

		world_forget(w);
		world_become(w, ONE, rows[i].who);
		EXPECT(rows[i].dir, rows[i].pkt, rows[i].verdict, rows[i].reason);
		r = only_record(w);
		assert_int_equal(r.e.verdict, rows[i].verdict);
		assert_int_equal(r.e.reason, rows[i].reason);
		assert_int_equal(r.e.dir, rows[i].dir);
		if (strcmp(bh_rule_name(r.rule, r.e.peer_cls, r.world), rows[i].rule) != 0)
			fail_msg("%s '%s': %s", rows[i].who, rows[i].pkt,
				 bh_rule_name(r.rule, r.e.peer_cls, r.world));
	}
}

static void record__no_flow_of_its_own__none(void **state)
{
	struct world *w = *state;

	begin(w);
	EXPECT(OUT, "eth ip4 src=foe tcp", DROPS(SRC_ADDR));	       /* identity: an event */
	EXPECT(IN, "eth ip4 src=friend icmp4 type=0", DROPS(NO_FLOW)); /* asked for by nobody */
	world_become(w, ONE, "system");
	EXPECT(OUT, "eth ip4 dst=foe tcp", PASSES); /* never judged */
	assert_int_equal(records(w).n, 0);
}

static void record__policy_changed__again_and_as_it_was_opened(void **state)
{
	struct world *w = *state;
	struct bh_abi_flow_record r;

	EXPECT(OUT, "eth ip4 dst=friend tcp sport=40000 dport=5432", PASSES);
	world_generation(w, 2);
	begin(w);
	EXPECT(IN, "eth ip4 src=friend tcp sport=5432 dport=40000 flags=0x10", PASSES);
	r = only_record(w);
	assert_int_equal(r.again, 1);
	assert_int_equal(r.e.dir, BH_DIR_EGRESS);
	assert_int_equal(r.e.sport, htons(40000));
	assert_int_equal(r.e.dport, htons(5432));
	assert_int_equal(r.e.daddr[15], 13);
}

static void record__of_one_tenant__that_one(void **state)
{
	struct world *w = *state;

	begin(w);
	follow(w, bh_clock_ns() + MINUTE_NS, 1, T_FRIEND);
	EXPECT(OUT, "eth ip4 dst=mate tcp", PASSES);
	assert_int_equal(records(w).n, 0);
	follow(w, bh_clock_ns() + MINUTE_NS, 1, T_OWN);
	EXPECT(OUT, "eth ip4 dst=mate tcp sport=2", PASSES);
	assert_int_equal(records(w).n, 1);
}

static size_t deny(struct world *w, size_t n)
{
	const struct world_run run = { .pkt = "eth ip4 dst=foe tcp", .dir = OUT };
	struct pkt_frame f;

	world_build(w, run.pkt, run.dir, &f);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(world_run_raw(w, &run, &f).error, 0);
	return records(w).n;
}

static void record__sample__one_in_so_many(void **state)
{
	struct world *w = *state;

	begin(w);
	follow(w, bh_clock_ns() + MINUTE_NS, 10, BH_TENANT_NONE);
	assert_int_equal(deny(w, 100), 10);
}

static void record__flood__bounded_and_the_rest_counted(void **state)
{
	struct world *w = *state;
	struct sink s;

	begin(w);
	(void)deny(w, BH_FLOW_RECORDS_PER_SEC / 2);
	s.n = deny(w, BH_FLOW_RECORDS_PER_SEC);
	assert_true(s.n >= BH_FLOW_RECORDS_PER_SEC / 2 - 1); /* unless a second ended meanwhile */
	(void)deny(w, 50);
	next_second(w);
	EXPECT(OUT, "eth ip4 dst=foe tcp", DROPS(PEER_TENANT));
	s = records(w);
	assert_int_equal(s.n, 1);
	assert_true(s.suppressed > 0);
	EXPECT(OUT, "eth ip4 dst=foe tcp", DROPS(PEER_TENANT));
	assert_int_equal(only_record(w).e.suppressed, 0);
}

static void record__ring_full__packet_judged_and_counted(void **state)
{
	const struct world_run run = { .pkt = "eth ip4 dst=foe tcp", .dir = OUT };
	struct world *w = *state;
	struct pkt_frame f;
	struct sink s;

	begin(w);
	world_build(w, run.pkt, run.dir, &f);
	/* 128 KiB of records of 80 bytes and their heads */
	for (int i = 0; i < 2000; i++) {
		if (i % 500 == 0)
			next_second(w);
		assert_int_equal(world_run_raw(w, &run, &f).error, 0);
	}
	s = records(w);
	assert_true(s.n > 1000 && s.n < 2000);
	next_second(w);
	EXPECT(OUT, "eth ip4 dst=foe tcp", DROPS(PEER_TENANT));
	assert_int_equal(only_record(w).e.suppressed, 2000 - s.n);
}

int main(void)
{
	struct world_suite *s = suite_new();

	SUITE_TEST(s, record__nobody_follows__none);
	SUITE_TEST(s, record__new_flow__once_with_every_field);
	SUITE_TEST(s, record__verdicts_and_rules__told_apart);
	SUITE_TEST(s, record__no_flow_of_its_own__none);
	SUITE_TEST(s, record__policy_changed__again_and_as_it_was_opened);
	SUITE_TEST(s, record__of_one_tenant__that_one);
	SUITE_TEST(s, record__sample__one_in_so_many);
	SUITE_TEST(s, record__flood__bounded_and_the_rest_counted);
	SUITE_TEST(s, record__ring_full__packet_judged_and_counted);
	return suite_run(s, "record");
}
