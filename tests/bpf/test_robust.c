/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets that are cut, joined or garbled. What a test run cannot make is tested with real senders
 * elsewhere: a pending checksum (ip_summed), a GSO type, an encapsulation mark, a VLAN tag beside
 * the frame, a linear part that is shorter than the headers.
 */
#include <errno.h>
#include <string.h>

#include "tests/bpf/world.h"

#define ETH_HEADER 14

/* One of every kind that passes. */
static const struct {
	uint8_t dir;
	const char *pkt;
} sound[] = {
	{ OUT, "eth ip4 tcp opts=020405b4 data len=20" },
	{ OUT, "eth ip4 udp data len=20" },
	{ OUT, "eth ip4 icmp4 data len=20" },
	{ OUT, "eth ip6 tcp opts=020405b4 data len=20" },
	{ OUT, "eth ip6 udp data len=20" },
	{ OUT, "eth ip6 icmp6 data len=20" },
	{ OUT, "eth dst=all arp tpa=gw" },
	{ OUT, "eth ip6 src=any dst=sn:own icmp6 type=135 target addr=own" },
	{ OUT, "eth ip6 dst=sn:gw icmp6 type=135 target addr=gw slla" },
	{ OUT, "eth ip6 dst=gw icmp6 type=136 target addr=own tlla" },
	{ OUT, "eth ip6 src=ownll dst=routers icmp6 type=133 slla" },
	{ OUT, "eth ip6 src=ownll dst=mld2 hbh icmp6 type=143 data len=20" },
	{ OUT, "eth ip4 opts=0107070400000000940400004408050000000000 tcp data len=20" },
	{ OUT, "eth ip4 flags=1 opts=01010101 udp len=2000 data len=56" },
	{ OUT, "eth ip4 dst=mate sctp chunk data len=20" },
	{ OUT, "eth ip6 hbh dest dest len=1 more=0106000000000000 tcp data len=20" },
	{ OUT, "eth ip6 dest frag dest udp data len=20" },
	{ OUT, "eth ip6 frag m=1 udp len=2000 data len=56" },
	{ OUT, "eth ip6 dst=mate sctp chunk data len=20" },
	{ IN, "eth ip4 opts=01010100 udp data len=20" },
	{ IN, "eth ip6 hbh dest frag m=1 tcp data len=20" },
	{ IN, "eth ip4 tcp data len=20" },
	{ IN, "eth ip4 udp data len=20" },
	{ IN, "eth ip6 tcp data len=20" },
	{ IN, "eth ip6 icmp6 data len=20" },
	{ IN, "eth arp spa=gw" },
	{ IN, "eth ip6 src=gw dst=sn:own icmp6 type=135 target addr=own slla mac=gw" },
	{ IN, "eth ip6 src=gwll dst=all icmp6 type=134 data len=8 slla mac=gw" },
	{ IN, "eth ip6 src=gwll dst=all hbh icmp6 type=130 data len=20" },
};

#define N_SOUND (sizeof(sound) / sizeof(sound[0]))
#define N_FROM_POD 19 /* the first ones */

static void truncated__every_length_of_every_kind__dropped(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < N_SOUND; i++) {
		struct world_run run = { .dir = sound[i].dir };
		unsigned int judged = 0;
		struct pkt_frame f;
		size_t full;

		world_build(w, sound[i].pkt, run.dir, &f);
		full = f.len;
		world_forget(w);
		assert_int_equal((int)world_run_raw(w, &run, &f).action, -1);
		for (f.len = full - 1; f.len >= ETH_HEADER; f.len--) {
			struct world_answer a = world_run_raw(w, &run, &f);

			/* newer kernels refuse to run what has no whole IP header */
			if (a.error == -EINVAL && f.len < ETH_HEADER + 40)
				continue;
			assert_int_equal(a.error, 0);
			judged++;
			if (a.action != 2)
				fail_msg("'%s' cut to %zu bytes passed", sound[i].pkt, f.len);
		}
		assert_true(judged > 0);
	}
}

/* A test run cannot say which kind of segmentation: none that fits, so every one is refused. */
static void gso__without_a_type__dropped(void **state)
{
	static const char *const kinds[] = { "eth ip4 tcp data len=400", "eth ip6 tcp data len=400",
					     "eth ip4 udp data len=400",
					     "eth ip4 udp dport=53 data len=400",
					     "eth ip4 icmp4 data len=400" };
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		for (uint8_t dir = OUT; dir <= IN; dir++) {
			const struct world_run run = {
				.pkt = kinds[i], .dir = dir, .gso_size = 100, .gso_segs = 4
			};
			const struct world_answer a = world_run(w, &run);

			assert_int_equal(a.error, 0);
			assert_int_equal(a.verdict, BH_VERDICT_DROP);
			assert_int_equal(a.reason, BH_REASON_GSO_META);
		}
	}
}

static void gso__of_system__counted(void **state)
{
	const struct world_run run = { .pkt = "eth ip4 tcp data len=400", .gso_size = 100 };
	struct world *w = *state;
	struct world_answer a;

	world_become(w, WORLD_IFINDEX, "system");
	a = world_run(w, &run);
	assert_int_equal(a.verdict, BH_VERDICT_AUDIT);
	assert_int_equal(a.reason, BH_REASON_GSO_META);
}

/* xorshift32: the same garbling on every run */
static uint32_t next(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

/*
 * What a tenant's pod gets out, whatever it sends: frames of its own MAC, of three kinds, from its
 * own addresses, not cut, of headers that are let through. tests/diff looks at more of them.
 */
static bool may_leave(const struct pkt_frame *own, const struct pkt_frame *f)
{
	static const uint8_t unspecified[16];
	const uint8_t *b = f->b, *o = own->b;
	const unsigned int type = (unsigned int)b[12] << 8 | b[13];
	const size_t len4 = (size_t)(b[16] << 8 | b[17]), len6 = (size_t)(b[18] << 8 | b[19]);

	if (memcmp(b + 6, o + 6, 6) != 0)
		return false;
	if (type == 0x0806) /* sender: own MAC, own address or none */
		return f->len >= 42 && !memcmp(b + 22, o + 6, 6) &&
		       (!memcmp(b + 28, "\x0a\x01\x00\x0a", 4) || !memcmp(b + 28, unspecified, 4));
	if (type == 0x0800)
		return b[14] >> 4 == 4 && (b[14] & 15) >= 5 && len4 >= 28 && len4 + 14 <= f->len &&
		       !memcmp(b + 26, "\x0a\x01\x00\x0a", 4) && b[30] < 0xe0 &&
		       (!(b[20] & 0x1f || b[21]) || (b[20] & 0x1f) || b[21] >= 8);
	if (type != 0x86dd || b[14] >> 4 != 6 || len6 + 54 > f->len || len6 < 8)
		return false;
	if (memcmp(b + 22, "\xfd\x00\x00\x01\0\0\0\0\0\0\0\0\0\0\0\x10", 16) != 0)
		return (b[20] == 58 && b[54] >= 133 && b[54] <= 136) || (b[20] == 0 && b[54] == 58);
	switch (b[20]) {
	case 0: /* hop-by-hop, TCP, UDP, fragment, ICMPv6, destination options, SCTP */
	case 6:
	case 17:
	case 44:
	case 58:
	case 60:
	case 132:
		return b[38] != 0xff || b[20] == 58 || b[20] == 0;
	}
	return false;
}

static void garbled__whatever_leaves__is_the_pods_own(void **state)
{
	struct world *w = *state;
	const struct world_run dry = { .dir = OUT, .dry = true }, real = { .dir = OUT };
	unsigned int passed = 0, dropped = 0;
	uint32_t seed = 20260921;

	for (unsigned int i = 0; i < 40000; i++) {
		const size_t kind = next(&seed) % N_FROM_POD;
		struct pkt_frame own, f;
		struct world_answer a;

		world_build(w, sound[kind].pkt, OUT, &own);
		f = own;
		for (uint32_t n = 1 + next(&seed) % 3; n; n--)
			f.b[next(&seed) % f.len] = (uint8_t)next(&seed);
		if (next(&seed) % 4 == 0)
			f.len = ETH_HEADER + 40 + next(&seed) % (f.len > 55 ? f.len - 54 : 1);
		if (f.len > own.len)
			f.len = own.len;
		a = world_run_raw(w, &dry, &f);
		if (a.error == -EINVAL)
			continue; /* the kernel refuses some lengths by itself */
		assert_int_equal(a.error, 0);
		/* flows and first fragments of earlier packets are not seen dry */
		if (a.reason != BH_REASON_NO_FLOW && a.reason != BH_REASON_FRAGMENT_UNKNOWN)
			assert_int_equal(world_run_raw(w, &real, &f).action, a.action);
		if ((int)a.action != -1) {
			dropped++;
			continue;
		}
		passed++;
		if (!may_leave(&own, &f))
			fail_msg("garbled packet %u ('%s') passed", i, sound[kind].pkt);
	}
	print_message("%u garbled packets passed, %u were dropped\n", passed, dropped);
	assert_true(passed > 1000 && dropped > 1000);
}

int main(void)
{
	struct world_suite *s = suite_new();

	SUITE_TEST(s, truncated__every_length_of_every_kind__dropped);
	SUITE_TEST(s, gso__without_a_type__dropped);
	SUITE_TEST(s, gso__of_system__counted);
	SUITE_TEST(s, garbled__whatever_leaves__is_the_pods_own);
	return suite_run(s, "robust");
}
