/* SPDX-License-Identifier: Apache-2.0 */
/* Counters, events and what is lost of them. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#include "bpf/isolate.skel.h"
#include "common/clock.h"
#include "tests/bpf/world.h"

#define ONE WORLD_IFINDEX

#define EXPECT(dir, pkt, ...) world_expect(w, ONE, dir, pkt, __VA_ARGS__)

static void stats__packets_and_bytes__summed_by_key(void **state)
{
	const struct bh_abi_stat_key passed = { .tenant = T_OWN };
	const struct bh_abi_stat_key in = { .tenant = T_OWN, .dir = IN };
	const struct bh_abi_stat_key dropped = { .tenant = T_OWN,
						 .verdict = BH_VERDICT_DROP,
						 .reason = BH_REASON_PEER_TENANT };
	struct world *w = *state;

	EXPECT(OUT, "eth ip4 udp data len=58", PASSES);		  /* 14 + 20 + 8 + 58 = 100 */
	EXPECT(OUT, "eth ip6 udp data len=238", PASSES);	  /* 14 + 40 + 8 + 238 = 300 */
	EXPECT(OUT, "eth ip4 udp data len=8 pad len=50", PASSES); /* 100, padding included */
	EXPECT(IN, "eth ip4 tcp", PASSES);			  /* 54 */
	EXPECT(OUT, "eth ip4 dst=foe tcp", DROPS(PEER_TENANT));	  /* 54 */
	EXPECT(OUT, "eth ip4 dst=foe tcp data len=6", DROPS(PEER_TENANT)); /* 60 */
	assert_int_equal(world_stat(w, &passed).packets, 3);
	assert_int_equal(world_stat(w, &passed).bytes, 500);
	assert_int_equal(world_stat(w, &in).packets, 1);
	assert_int_equal(world_stat(w, &in).bytes, 54);
	assert_int_equal(world_stat(w, &dropped).packets, 2);
	assert_int_equal(world_stat(w, &dropped).bytes, 114);
	assert_int_equal(world_count(bpf_map__fd(w->skel->maps.bh_stats)), 3);
}

static void stats__endpoint__counted_under_its_tenant(void **state)
{
	static const struct {
		const char *who;
		uint32_t tenant;
	} cases[] = {
		{ "nobody", BH_TENANT_NONE },
		{ "unassigned", BH_TENANT_UNASSIGNED },
		{ "system", BH_TENANT_SYSTEM },
		{ "conflict", BH_TENANT_CONFLICT },
		{ "tenant", T_OWN },
		{ "control_plane", T_OWN },
		{ "audit", T_AUDIT },
		{ "ghost", T_GHOST },
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct world_run run = { .pkt = "eth ip4 dst=foe tcp", .dir = OUT };
		struct world_answer a;

		world_become(w, ONE, cases[i].who);
		a = world_run(w, &run);
		assert_int_equal(a.error, 0);
		assert_int_equal(a.tenant, cases[i].tenant);
	}
}

static void stats__no_room__packet_judged_and_loss_counted(void **state)
{
	struct world *w = *state;
	const int fd = bpf_map__fd(w->skel->maps.bh_stats);
	const struct world_run out = { .dir = OUT };
	struct bh_abi_stat_key key = { .tenant = 100000 };
	const uint64_t before = world_loss(w, BH_LOSS_STAT);
	struct bh_abi_stat zero[256] = { 0 };
	struct pkt_frame f;

	assert_true(libbpf_num_possible_cpus() <= 256);
	while (!bpf_map_update_elem(fd, &key, zero, BPF_NOEXIST))
		key.tenant++;
	assert_int_equal(key.tenant, 100000 + WORLD_STATS_MAX);
	world_build(w, "eth ip4 dst=foe tcp", OUT, &f);
	assert_int_equal(world_run_raw(w, &out, &f).action, 2);
	world_build(w, "eth ip4 dst=mate tcp", OUT, &f);
	assert_int_equal((int)world_run_raw(w, &out, &f).action, -1);
	assert_int_equal(world_loss(w, BH_LOSS_STAT) - before, 2);
	world_forget(w);
	EXPECT(OUT, "eth ip4 dst=foe tcp", DROPS(PEER_TENANT));
	assert_int_equal(world_loss(w, BH_LOSS_STAT) - before, 2);
}

/* The only event that waits. */
static struct bh_abi_event only_event(struct world *w)
{
	struct bh_abi_event e = { 0 };

	assert_int_equal(world_events(w, &e, 1), 1);
	assert_int_equal(e.pad[0], 0);
	return e;
}

static void assert_addr(const uint8_t *got, const char *text)
{
	struct bh_addr a;

	assert_int_equal(bh_addr_parse(text, &a), 0);
	assert_memory_equal(got, a.b, 16);
}

static void event__dropped_tcp__has_every_field(void **state)
{
	struct world *w = *state;
	const uint64_t before = bh_clock_ns();
	struct bh_abi_event e;

	EXPECT(OUT, "eth ip4 dst=foe tcp sport=1234 dport=80 data len=10", DROPS(PEER_TENANT));
	e = only_event(w);
	assert_in_range(e.ts_ns, before, bh_clock_ns());
	assert_int_equal(e.ifindex, ONE);
	assert_int_equal(e.tenant, T_OWN);
	assert_int_equal(e.peer_tenant, T_FOE);
	assert_int_equal(e.suppressed, 0);
	assert_int_equal(e.len, 64);
	assert_int_equal(ntohs(e.ethertype), ETH_P_IP);
	assert_int_equal(ntohs(e.sport), 1234);
	assert_int_equal(ntohs(e.dport), 80);
	assert_int_equal(e.dir, BH_DIR_EGRESS);
	assert_int_equal(e.verdict, BH_VERDICT_DROP);
	assert_int_equal(e.reason, BH_REASON_PEER_TENANT);
	assert_int_equal(e.peer_cls, BH_CLASS_TENANT);
	assert_int_equal(e.proto, IPPROTO_TCP);
	assert_addr(e.saddr, "10.1.0.10");
	assert_addr(e.daddr, "10.1.0.12");
}

static void event__dropped_udp_v6_in__has_every_field(void **state)
{
	struct world *w = *state;
	struct bh_abi_event e;

	EXPECT(IN, "eth ip6 src=private udp sport=5 dport=65535", DROPS(PEER_WORLD_PRIVATE));
	e = only_event(w);
	assert_int_equal(e.peer_tenant, 0);
	assert_int_equal(e.len, 62);
	assert_int_equal(ntohs(e.ethertype), ETH_P_IPV6);
	assert_int_equal(ntohs(e.sport), 5);
	assert_int_equal(ntohs(e.dport), 65535);
	assert_int_equal(e.dir, BH_DIR_INGRESS);
	assert_int_equal(e.peer_cls, BH_CLASS_WORLD_PRIVATE);
	assert_int_equal(e.proto, IPPROTO_UDP);
	assert_addr(e.saddr, "fd99::7");
	assert_addr(e.daddr, "fd00:1::10");
}

static void event__echo__id_as_source_port(void **state)
{
	struct world *w = *state;
	struct bh_abi_event e;

	EXPECT(OUT, "eth ip4 dst=foe icmp4 id=4711", DROPS(PEER_TENANT));
	e = only_event(w);
	assert_int_equal(ntohs(e.sport), 4711);
	assert_int_equal(e.dport, 0);
	assert_int_equal(e.proto, IPPROTO_ICMP);
}

static void event__arp__addresses_of_the_protocol(void **state)
{
	struct world *w = *state;
	struct bh_abi_event e;

	EXPECT(OUT, "eth dst=all arp tpa=foe", DROPS(ARP_TARGET));
	e = only_event(w);
	assert_int_equal(ntohs(e.ethertype), ETH_P_ARP);
	assert_int_equal(e.peer_cls, BH_CLASS_TENANT);
	assert_int_equal(e.peer_tenant, T_FOE);
	assert_int_equal(e.proto, 0);
	assert_int_equal(e.sport, 0);
	assert_addr(e.saddr, "10.1.0.10");
	assert_addr(e.daddr, "10.1.0.12");
}

static void event__unknown_endpoint__empty_but_for_frame(void **state)
{
	static const uint8_t none[16];
	struct world *w = *state;
	struct bh_abi_event e;

	world_become(w, ONE, "nobody");
	EXPECT(OUT, "eth ip4 dst=foe tcp", DROPS(UNKNOWN_ENDPOINT));
	e = only_event(w);
	assert_int_equal(e.ifindex, ONE);
	assert_int_equal(e.tenant, BH_TENANT_NONE);
	assert_int_equal(e.reason, BH_REASON_UNKNOWN_ENDPOINT);
	assert_int_equal(e.len, 54);
	assert_int_equal(e.ethertype, 0);
	assert_int_equal(e.peer_cls, 0);
	assert_memory_equal(e.saddr, none, 16);
	assert_memory_equal(e.daddr, none, 16);
}

static void event__audit__says_so(void **state)
{
	struct world *w = *state;
	struct bh_abi_event e;

	world_become(w, ONE, "audit");
	EXPECT(OUT, "eth ip4 dst=foe tcp", AUDITS(PEER_TENANT));
	e = only_event(w);
	assert_int_equal(e.verdict, BH_VERDICT_AUDIT);
	assert_int_equal(e.tenant, T_AUDIT);
}

static void event__pass_and_off__none(void **state)
{
	struct world *w = *state;
	struct bh_abi_event e;

	EXPECT(OUT, "eth ip4 dst=mate tcp", PASSES);
	world_become(w, ONE, "off");
	EXPECT(OUT, "eth ip4 dst=foe tcp", PASSES);
	assert_int_equal(world_events(w, &e, 1), 0);
}

/* The window of the limit for foreign tenants on interface 1, as if it had begun @ns earlier. */
static void shift_window(struct world *w, uint64_t ns)
{
	const int fd = bpf_map__fd(w->skel->maps.bh_event_limits);
	const struct bh_abi_event_limit_key key = { .ifindex = ONE,
						    .reason = BH_REASON_PEER_TENANT };
	struct bh_abi_event_limit l;

	assert_int_equal(bpf_map_lookup_elem(fd, &key, &l), 0);
	l.window_ns -= ns;
	assert_int_equal(bpf_map_update_elem(fd, &key, &l, BPF_ANY), 0);
}

#define BURST 25

/* BURST drops within one second, or false if the machine is too slow for that. */
static bool burst(struct world *w)
{
	const uint64_t start = bh_clock_ns();

	world_forget(w);
	for (int i = 0; i < BURST; i++)
		EXPECT(OUT, "eth ip4 dst=foe tcp", DROPS(PEER_TENANT));
	return bh_clock_ns() - start < BH_NS_PER_S;
}

static void event__burst__ten_a_second_and_the_rest_suppressed(void **state)
{
	struct world *w = *state;
	uint64_t lost = world_loss(w, BH_LOSS_EVENT);
	struct bh_abi_event e;
	int tries = 20;

	while (!burst(w)) {
		assert_true(tries-- > 0);
		lost = world_loss(w, BH_LOSS_EVENT);
	}
	assert_int_equal(world_events(w, &e, 1), BH_EVENTS_PER_SEC);
	assert_int_equal(world_loss(w, BH_LOSS_EVENT) - lost, BURST - BH_EVENTS_PER_SEC);
	/* another reason and another interface have limits of their own */
	EXPECT(OUT, "eth ip4 dst=unknown tcp", DROPS(PEER_UNKNOWN));
	(void)only_event(w);
	world_expect(w, w->second, OUT, "eth ip4 dst=foe tcp", DROPS(UNKNOWN_ENDPOINT));
	(void)only_event(w);
	/* the next second's first event says how many there were */
	shift_window(w, BH_NS_PER_S);
	EXPECT(OUT, "eth ip4 dst=foe tcp", DROPS(PEER_TENANT));
	e = only_event(w);
	assert_int_equal(e.suppressed, BURST - BH_EVENTS_PER_SEC);
	EXPECT(OUT, "eth ip4 dst=foe tcp", DROPS(PEER_TENANT));
	e = only_event(w);
	assert_int_equal(e.suppressed, 0);
}

/* Nobody reads: the packets are judged and counted all the same. */
static void event__ring_full__packet_judged_and_loss_counted(void **state)
{
	const size_t fit = 256 * 1024 / (sizeof(struct bh_abi_event) + 8);
	const struct bh_abi_event_limit_key key = { .ifindex = ONE,
						    .reason = BH_REASON_PEER_TENANT };
	const struct bh_abi_stat_key drops = { .tenant = T_OWN,
					       .verdict = BH_VERDICT_DROP,
					       .reason = BH_REASON_PEER_TENANT };
	struct world *w = *state;
	const int limits = bpf_map__fd(w->skel->maps.bh_event_limits);
	const uint64_t lost = world_loss(w, BH_LOSS_EVENT);
	const struct world_run out = { .dir = OUT };
	struct bh_abi_event e;
	struct pkt_frame f;

	world_build(w, "eth ip4 dst=foe tcp", OUT, &f);
	for (size_t i = 0; i < fit + 100; i++) {
		(void)bpf_map_delete_elem(limits, &key);
		assert_int_equal(world_run_raw(w, &out, &f).action, 2);
	}
	assert_int_equal(world_stat(w, &drops).packets, fit + 100);
	assert_in_range(world_loss(w, BH_LOSS_EVENT) - lost, 100, 101);
	assert_in_range(world_events(w, &e, 1), fit - 1, fit);
}

int main(void)
{
	struct world_suite *s = suite_new();

	SUITE_TEST(s, stats__packets_and_bytes__summed_by_key);
	SUITE_TEST(s, stats__endpoint__counted_under_its_tenant);
	SUITE_TEST(s, stats__no_room__packet_judged_and_loss_counted);
	SUITE_TEST(s, event__dropped_tcp__has_every_field);
	SUITE_TEST(s, event__dropped_udp_v6_in__has_every_field);
	SUITE_TEST(s, event__echo__id_as_source_port);
	SUITE_TEST(s, event__arp__addresses_of_the_protocol);
	SUITE_TEST(s, event__unknown_endpoint__empty_but_for_frame);
	SUITE_TEST(s, event__audit__says_so);
	SUITE_TEST(s, event__pass_and_off__none);
	SUITE_TEST(s, event__burst__ten_a_second_and_the_rest_suppressed);
	SUITE_TEST(s, event__ring_full__packet_judged_and_loss_counted);
	return suite_run(s, "account");
}
