/* SPDX-License-Identifier: Apache-2.0 */
/* The table of flows as the kernel programs compile it: tags, times, room, and CPUs that race. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/flow_table.h"
#include "common/cleanup.h"

#define SETS 512 /* of a region of 4096 flows */

static const struct bh_abi_config cfg = {
	.generation = 4,
	.flow_sets = SETS,
	.flow_key = { 0x243f6a8885a308d3, 0x13198a2e03707344 },
};

static uint64_t rnd(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

static struct bh_flow_key v4_key(uint32_t n)
{
	struct bh_flow_key k = { .ifindex = 7, .lport = (uint16_t)n, .rport = 443, .proto = 6 };

	k.remote.w[2] = BH_FLOW_MAPPED;
	k.remote.w[3] = n >> 16;
	return k;
}

static void tag__each_field_of_the_key__counts(void **state)
{
	struct bh_flow_key k = v4_key(1), six = k;
	const uint64_t t = bh_flow_tag(&cfg, &k);
	struct bh_abi_config other = cfg;

	(void)state;
	assert_int_equal(t & 1, 0);
	assert_true(t != 0);
	assert_true(t == bh_flow_tag(&cfg, &k));
#define DIFFERS(change)                                                                            \
	do {                                                                                       \
		struct bh_flow_key c = k;                                                          \
		change;                                                                            \
		assert_true(bh_flow_tag(&cfg, &c) != t);                                           \
	} while (0)
	DIFFERS(c.remote.w[3] ^= 1);
	DIFFERS(c.remote.w[0] ^= 1);
	DIFFERS(c.remote.w[2] ^= 1);
	DIFFERS(c.ifindex ^= 1);
	DIFFERS(c.lport ^= 1);
	DIFFERS(c.rport ^= 1);
	DIFFERS(c.proto ^= 1);
	DIFFERS(c.what ^= 1);
	DIFFERS((c.lport = k.rport, c.rport = k.lport));
	six.remote.w[2] = 0; /* the same bits as an IPv6 address */
	assert_true(bh_flow_tag(&cfg, &six) != t);
	other.flow_key[0] ^= 1;
	assert_true(bh_flow_tag(&other, &k) != t);
	other = cfg;
	other.flow_key[1] ^= 1;
	assert_true(bh_flow_tag(&other, &k) != t);
}

/* Both sets lie in the region, and are two wherever there are two. */
static void sets__of_any_tag__inside_of_the_region(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (uint32_t n = 1; n <= 8192; n *= 2) {
		for (unsigned int i = 0; i < 1000; i++) {
			const uint64_t tag = rnd(&seed);
			const uint32_t slot = 1 + (uint32_t)rnd(&seed) % 4096;
			const uint32_t a = bh_flow_set_of(slot, n, tag, 0),
				       b = bh_flow_set_of(slot, n, tag, 1);

			assert_in_range(a, (slot - 1) * n, slot * n - 1);
			assert_in_range(b, (slot - 1) * n, slot * n - 1);
			assert_true(n == 1 || a != b);
			assert_true(bh_flow_set_of(BH_SLOT_NONE, n, tag, 0) >= 4096u * 8192u);
			assert_true(bh_flow_set_of(slot, n, tag ^ 1, 0) == a);
		}
	}
}

static void left__by_state_and_time__never_less_than_the_limit(void **state)
{
	static const struct {
		uint8_t state;
		uint32_t limit_s;
	} t[] = {
		{ BH_FLOW_TCP, 30 },
		{ BH_FLOW_TCP | BH_FLOW_REPLIED, 60 },
		{ BH_FLOW_TCP | BH_FLOW_REPLIED | BH_FLOW_ESTABLISHED, 7440 },
		{ BH_FLOW_TCP | BH_FLOW_REPLIED | BH_FLOW_ESTABLISHED | BH_FLOW_FIN_PEER, 240 },
		{ BH_FLOW_TCP | BH_FLOW_REPLIED | BH_FLOW_ESTABLISHED | BH_FLOW_RST, 10 },
		{ BH_FLOW_UDP, 30 },
		{ BH_FLOW_UDP | BH_FLOW_REPLIED | BH_FLOW_AUDIT, 300 },
		{ BH_FLOW_SCTP, 30 },
		{ BH_FLOW_SCTP | BH_FLOW_REPLIED, 210 },
		{ BH_FLOW_OTHER | BH_FLOW_REPLIED, 30 },
		{ BH_FLOW_OTHER | BH_FLOW_FRAGMENT, 5 },
	};
	const uint64_t s = 1000000000, start = 0xffffffull << 30; /* the tick wraps round */

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		for (uint64_t at = start; at < start + (3ull << 30); at += 99999999) {
			const uint64_t word = bh_flow_word(0, bh_flow_tick(at), t[i].state);

			assert_true(bh_flow_left(2, word, bh_flow_tick(at + t[i].limit_s * s)));
			assert_false(
				bh_flow_left(2, word, bh_flow_tick(at + (t[i].limit_s + 3) * s)));
			/* renewed by a CPU whose clock is ahead */
			assert_true(bh_flow_left(2, word, bh_flow_tick(at - 7 * s)));
			/* free */
			assert_false(bh_flow_left(0, word, bh_flow_tick(at)));
		}
	}
}

/* How full a region gets of what is never pushed out before the first flow is refused: 80 %. */
static void room__established_flows__three_quarters_before_any_is_refused(void **state)
{
	bh_autofree struct bh_abi_flow_set *sets = calloc(SETS, sizeof(*sets));
	const uint8_t established = BH_FLOW_TCP | BH_FLOW_REPLIED | BH_FLOW_ESTABLISHED;
	uint32_t n = 0;

	(void)state;
	assert_non_null(sets);
	for (;; n++) {
		const struct bh_flow_key k = v4_key(n);
		const uint64_t tag = bh_flow_tag(&cfg, &k);
		struct bh_abi_flow_set *s[2];
		uint64_t cost[2];
		uint32_t way[2];

		for (uint32_t i = 0; i < 2; i++) {
			s[i] = &sets[bh_flow_set_of(1, SETS, tag, i)];
			cost[i] = bh_flow_cost(s[i], 100, &way[i]);
		}
		if (cost[0] >= BH_FLOW_COST_PROTECTED && cost[1] >= BH_FLOW_COST_PROTECTED)
			break;
		assert_true(n < SETS * BH_FLOW_WAYS);
		const uint32_t c = cost[1] < cost[0];

		assert_int_equal(s[c]->tag[way[c]], 0);
		bh_flow_put(s[c], way[c], tag,
			    bh_flow_word(bh_flow_check(&cfg, tag, 4), 100, established));
		assert_int_equal(bh_flow_way(s[c], tag), way[c]);
	}
	print_message("# the first of 4096 is refused at %u\n", n);
	assert_in_range(n, 4096 * 75 / 100, 4096);
}

/* --- CPUs that race --- */

#define THREADS 4
#define OPS 150000
#define KEYS 64 /* in one set of eight ways: every store meets another */
#define GENERATION_OLD 2
#define GENERATION_NOW 4

/*
 * Even keys are allowed today. Odd ones were allowed by an older policy: writers who still go by
 * that put them in with their old words. Nobody of today ever judged these.
 */
struct race {
	struct bh_abi_flow_set set;
	uint64_t tag[KEYS];
	uint64_t matched[THREADS], mixed[THREADS], believed[THREADS];
};

struct racer {
	struct race *race;
	unsigned int me;
};

/* A flow that is allowed passes unjudged; a mix of two must be found out. */
static void look(struct racer *r, uint64_t tag, bool odd)
{
	struct bh_abi_flow_set *s = &r->race->set;
	const uint32_t way = bh_flow_way(s, tag) & (BH_FLOW_WAYS - 1);
	const uint64_t has = BH_FLOW_LOAD(s->tag[way]), word = BH_FLOW_LOAD(s->word[way]);

	if ((has ^ tag) >> 1)
		return;
	if ((uint32_t)word == bh_flow_check(&cfg, has, GENERATION_NOW)) {
		r->race->matched[r->me]++;
		r->race->believed[r->me] += odd;
	} else if ((uint32_t)word != bh_flow_check(&cfg, has, GENERATION_OLD)) {
		r->race->mixed[r->me]++;
	}
}

static void *race_run(void *arg)
{
	struct racer *r = arg;
	struct bh_abi_flow_set *s = &r->race->set;
	uint64_t seed = 88172645463325252ull + r->me;

	for (unsigned int i = 0; i < OPS; i++) {
		const uint64_t x = rnd(&seed);
		const uint32_t k = x % KEYS, op = x >> 32 & 7, way = x >> 40 & 7;
		const uint64_t tag = r->race->tag[k];
		const uint32_t check =
			bh_flow_check(&cfg, tag, k & 1 ? GENERATION_OLD : GENERATION_NOW);
		const uint64_t word = bh_flow_word(check, i, BH_FLOW_UDP);

		if (op < 4)
			look(r, r->race->tag[x >> 20 & (KEYS - 1)], x >> 20 & 1);
		else if (op < 7)
			bh_flow_put(s, way, tag, word);
		else /* a touch that comes late: the way is another flow's by now */
			BH_FLOW_STORE(s->word[way], word);
	}
	return NULL;
}

static void race__tags_and_words_of_many__no_mix_is_believed(void **state)
{
	static struct race race;
	struct racer r[THREADS];
	pthread_t t[THREADS];
	uint64_t matched = 0, mixed = 0;

	(void)state;
	for (uint32_t k = 0; k < KEYS; k++) {
		const struct bh_flow_key key = v4_key(k);

		race.tag[k] = bh_flow_tag(&cfg, &key) | (k >> 1 & 1);
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		r[i] = (struct racer){ .race = &race, .me = i };
		assert_int_equal(pthread_create(&t[i], NULL, race_run, &r[i]), 0);
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(t[i], NULL), 0);
		assert_int_equal(race.believed[i], 0);
		matched += race.matched[i];
		mixed += race.mixed[i];
	}
	print_message("# %llu passed unjudged, %llu mixes were found out\n",
		      (unsigned long long)matched, (unsigned long long)mixed);
	assert_true(matched > 0 && mixed > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tag__each_field_of_the_key__counts),
		cmocka_unit_test(sets__of_any_tag__inside_of_the_region),
		cmocka_unit_test(left__by_state_and_time__never_less_than_the_limit),
		cmocka_unit_test(room__established_flows__three_quarters_before_any_is_refused),
		cmocka_unit_test(race__tags_and_words_of_many__no_mix_is_believed),
	};

	return cmocka_run_group_tests_name("flow_table", tests, NULL, NULL);
}
