/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/portset.h"
#include "common/cleanup.h"

static const uint8_t protos[] = { IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };

#define N_PROTOS 4

static int finish(const struct bh_grant *g, size_t n, uint64_t *ret_id, struct bh_abi_portset *ret)
{
	struct bh_portset_builder b = { 0 };
	int r;

	for (size_t i = 0; i < n; i++)
		assert_int_equal(bh_portset_add(&b, &g[i]), 0);
	r = bh_portset_finish(&b, ret_id, ret);
	bh_portset_done(&b);
	return r;
}

static void portset__no_ports__none(void **state)
{
	const struct bh_grant empty = { 0 };
	struct bh_abi_portset set;
	uint64_t id = 99;

	(void)state;
	assert_int_equal(finish(NULL, 0, &id, &set), 0);
	assert_int_equal(id, BH_PORTS_NONE);
	id = 99;
	assert_int_equal(finish(&empty, 1, &id, &set), 0);
	assert_int_equal(id, BH_PORTS_NONE);
}

static void portset__one_any_among_many__any(void **state)
{
	struct bh_port_range r = { .proto = IPPROTO_TCP, .lo = 1, .hi = 2 };
	const struct bh_grant g[] = { { .ports = &r, .n_ports = 1 },
				      { .any_port = true },
				      { .ports = &r, .n_ports = 1 } };
	struct bh_abi_portset set;
	uint64_t id = 99;

	(void)state;
	assert_int_equal(finish(g, 3, &id, &set), 0);
	assert_int_equal(id, BH_PORTS_ANY);
}

static void portset__icmp__whole_range_whatever_was_written(void **state)
{
	struct bh_port_range r = { .proto = IPPROTO_ICMP, .lo = 8, .hi = 8 };
	const struct bh_grant g = { .ports = &r, .n_ports = 1 };
	struct bh_abi_portset set;
	uint64_t id;

	(void)state;
	assert_int_equal(finish(&g, 1, &id, &set), 0);
	assert_int_equal(set.n, 1);
	assert_int_equal(set.r[0].lo, IPPROTO_ICMP << 16);
	assert_int_equal(set.r[0].hi, IPPROTO_ICMP << 16 | 0xffff);
}

/* CVE-2026-25804: port 65535 of one protocol is next to port 0 of another. */
static void portset__touching_protocols__stay_apart(void **state)
{
	struct bh_port_range r[] = { { .proto = IPPROTO_TCP, .lo = 65535, .hi = 65535 },
				     { .proto = IPPROTO_TCP + 1, .lo = 0, .hi = 0 } };
	const struct bh_grant g = { .ports = r, .n_ports = 2 };
	struct bh_abi_portset set;
	uint64_t id;

	(void)state;
	assert_int_equal(finish(&g, 1, &id, &set), 0);
	assert_int_equal(set.n, 2);
}

static void portset__as_many_as_fit__and_one_more_e2big(void **state)
{
	struct bh_port_range r[BH_PORTSET_MAX + 1];
	struct bh_grant g = { .ports = r, .n_ports = BH_PORTSET_MAX };
	struct bh_abi_portset set;
	uint64_t id;

	(void)state;
	for (uint16_t i = 0; i < BH_PORTSET_MAX + 1; i++)
		r[i] = (struct bh_port_range){ IPPROTO_TCP, (uint16_t)(i * 2), (uint16_t)(i * 2) };
	assert_int_equal(finish(&g, 1, &id, &set), 0);
	assert_int_equal(set.n, BH_PORTSET_MAX);
	g.n_ports++;
	assert_int_equal(finish(&g, 1, &id, &set), -E2BIG);
	/* neighbours are one range, so these fit */
	for (uint16_t i = 0; i < BH_PORTSET_MAX + 1; i++)
		r[i] = (struct bh_port_range){ IPPROTO_TCP, i, i };
	assert_int_equal(finish(&g, 1, &id, &set), 0);
	assert_int_equal(set.n, 1);
}

static void portset__order_and_doubles__one_id(void **state)
{
	struct bh_port_range a[] = { { IPPROTO_TCP, 80, 90 }, { IPPROTO_UDP, 53, 53 } };
	struct bh_port_range b[] = { { IPPROTO_UDP, 53, 53 },
				     { IPPROTO_TCP, 86, 90 },
				     { IPPROTO_TCP, 80, 85 },
				     { IPPROTO_TCP, 82, 84 } };
	const struct bh_grant ga = { .ports = a, .n_ports = 2 };
	const struct bh_grant gb[] = { { .ports = b, .n_ports = 1 },
				       { .ports = b + 1, .n_ports = 3 } };
	struct bh_abi_portset sa, sb;
	uint64_t ia, ib, other;

	(void)state;
	assert_int_equal(finish(&ga, 1, &ia, &sa), 0);
	assert_int_equal(finish(gb, 2, &ib, &sb), 0);
	assert_true(ia == ib);
	assert_memory_equal(&sa, &sb, sizeof(sa));
	a[0].hi = 91;
	assert_int_equal(finish(&ga, 1, &other, &sa), 0);
	assert_true(other != ia && other > BH_PORTS_NONE);
}

/* xorshift32 */
static uint32_t next(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

static bool in_set(const struct bh_abi_portset *s, uint32_t want)
{
	for (uint32_t i = 0; i < s->n; i++) {
		if (s->r[i].lo <= want && want <= s->r[i].hi)
			return true;
	}
	return false;
}

#define MAP_BYTES (N_PROTOS * 65536)

static void random_set(uint32_t *seed, uint8_t *map)
{
	struct bh_port_range r[40];
	struct bh_grant g[4] = { 0 };
	struct bh_abi_portset set;
	uint64_t id;
	size_t used = 0;

	memset(map, 0, MAP_BYTES);
	for (size_t i = 0; i < 4; i++) {
		g[i].ports = r + used;
		g[i].n_ports = 1 + next(seed) % 10;
		for (size_t k = 0; k < g[i].n_ports; k++) {
			const uint32_t p = 1 + next(seed) % (N_PROTOS - 1);
			const uint32_t lo = next(seed) % 4 ? next(seed) % 300 : next(seed) % 65536;
			const uint32_t hi = lo + next(seed) % (next(seed) % 2 ? 3 : 65536 - lo);
			const uint16_t top = (uint16_t)(hi > 65535 ? 65535 : hi);

			r[used++] = (struct bh_port_range){ protos[p], (uint16_t)lo, top };
			memset(map + p * 65536 + lo, 1, top - lo + 1u);
		}
	}
	assert_int_equal(finish(g, 4, &id, &set), 0);
	assert_true(set.n >= 1 && set.n <= BH_PORTSET_MAX);
	for (uint32_t i = 1; i < set.n; i++) /* disjoint, rising, not to be joined */
		assert_true(set.r[i].lo > set.r[i - 1].hi);
	for (uint32_t i = set.n; i < BH_PORTSET_MAX; i++)
		assert_true(set.r[i].lo == 0 && set.r[i].hi == 0);
	for (uint32_t p = 0; p < N_PROTOS; p++) {
		for (uint32_t port = 0; port < 65536; port += port < 400 || port > 65500 ? 1 : 13)
			assert_int_equal(in_set(&set, (uint32_t)protos[p] << 16 | port),
					 map[p * 65536 + port]);
	}
}

static void portset__random_ranges__as_a_bitmap_says(void **state)
{
	bh_autofree uint8_t *map = malloc(MAP_BYTES);
	uint32_t seed = 815;

	(void)state;
	assert_non_null(map);
	for (int i = 0; i < 60; i++)
		random_set(&seed, map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(portset__no_ports__none),
		cmocka_unit_test(portset__one_any_among_many__any),
		cmocka_unit_test(portset__icmp__whole_range_whatever_was_written),
		cmocka_unit_test(portset__touching_protocols__stay_apart),
		cmocka_unit_test(portset__as_many_as_fit__and_one_more_e2big),
		cmocka_unit_test(portset__order_and_doubles__one_id),
		cmocka_unit_test(portset__random_ranges__as_a_bitmap_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
