/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "bpf/table.h"

static void add(struct bh_table *t, uint16_t key, uint32_t value)
{
	/* the order of keys is that of their bytes */
	const uint8_t k[2] = { (uint8_t)(key >> 8), (uint8_t)key };

	assert_int_equal(bh_table_add(t, k, &value), 0);
}

static uint32_t get(const struct bh_table *t, uint16_t key)
{
	const uint8_t k[2] = { (uint8_t)(key >> 8), (uint8_t)key };
	const void *v = bh_table_get(t, k);
	uint32_t value = 0;

	if (!v)
		return UINT32_MAX;
	memcpy(&value, v, sizeof(value));
	return value;
}

static void table_sort__any_order__found_by_key(void **state)
{
	struct bh_table t;

	(void)state;
	bh_table_init(&t, 2, 4);
	for (unsigned int i = 0; i < 1000; i++)
		add(&t, (uint16_t)(i * 7919 % 1000), i * 7919 % 1000 + 5);
	assert_int_equal(bh_table_sort(&t), 0);
	assert_int_equal(t.n, 1000);
	for (unsigned int i = 0; i < 1000; i++)
		assert_int_equal(get(&t, (uint16_t)i), i + 5);
	assert_int_equal(get(&t, 1000), UINT32_MAX);
	assert_int_equal(get(&t, 65535), UINT32_MAX);
	bh_table_done(&t);
	assert_int_equal(t.n, 0);
	assert_int_equal(get(&t, 0), UINT32_MAX);
}

/* The usual case: what is long comes in order, and little comes behind it. */
static void table_sort__few_late_rows__among_the_others(void **state)
{
	static const uint16_t late[] = { 5001, 0, 2999, 1, 4000, 65535, 3000 };
	struct bh_table t;

	(void)state;
	bh_table_init(&t, 2, 4);
	for (uint16_t i = 2; i < 5000; i += 2)
		add(&t, i, i + 5u);
	for (size_t i = 0; i < sizeof(late) / sizeof(late[0]); i++)
		add(&t, late[i], late[i] + 5u); /* 4000 and 3000 are there already */
	assert_int_equal(bh_table_sort(&t), 0);
	assert_int_equal(t.n, 2499 + 5);
	for (uint16_t i = 2; i < 5000; i += 2)
		assert_int_equal(get(&t, i), i + 5u);
	for (size_t i = 0; i < sizeof(late) / sizeof(late[0]); i++)
		assert_int_equal(get(&t, late[i]), late[i] + 5u);
	assert_int_equal(get(&t, 3), UINT32_MAX);
	bh_table_done(&t);
}

static void table_sort__equal_rows__one_left(void **state)
{
	struct bh_table t;

	(void)state;
	bh_table_init(&t, 2, 4);
	for (int i = 0; i < 5; i++) {
		add(&t, 3, 30);
		add(&t, 1, 10);
	}
	assert_int_equal(bh_table_sort(&t), 0);
	assert_int_equal(t.n, 2);
	assert_int_equal(get(&t, 1), 10);
	assert_int_equal(get(&t, 3), 30);
	bh_table_done(&t);
}

static void table_sort__one_key_two_values__eexist(void **state)
{
	struct bh_table t;

	(void)state;
	bh_table_init(&t, 2, 4);
	add(&t, 1, 10);
	add(&t, 1, 11);
	assert_int_equal(bh_table_sort(&t), -EEXIST);
	bh_table_done(&t);
}

static void table_sort__empty__fine(void **state)
{
	struct bh_table t;

	(void)state;
	bh_table_init(&t, 2, 4);
	assert_int_equal(bh_table_sort(&t), 0);
	assert_int_equal(get(&t, 0), UINT32_MAX);
	bh_table_done(&t);
}

/* xorshift32 */
static uint32_t next(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

#define KEYS 64

/* Two random pictures: applying the difference to the one must give the other, by fewest writes. */
static void diff_random(uint32_t *seed)
{
	uint32_t have[KEYS] = { 0 }, want[KEYS] = { 0 }; /* value, 0 = no such row */
	size_t changes = 0, gone = 0;
	struct bh_table_diff d;
	struct bh_table a, w;

	bh_table_init(&a, 2, 4);
	bh_table_init(&w, 2, 4);
	for (uint16_t k = 0; k < KEYS; k++) {
		have[k] = next(seed) % 3;
		want[k] = next(seed) % 3;
		if (have[k])
			add(&a, k, have[k]);
		if (want[k])
			add(&w, k, want[k]);
		changes += want[k] && want[k] != have[k];
		gone += have[k] && !want[k];
	}
	assert_int_equal(bh_table_sort(&a), 0);
	assert_int_equal(bh_table_sort(&w), 0);
	assert_int_equal(bh_table_diff(&a, &w, &d), 0);
	assert_int_equal(d.n_upserts, changes);
	assert_int_equal(d.n_deletes, gone);
	for (size_t i = 0; i < d.n_deletes; i++)
		have[((const uint8_t *)bh_table_key(&a, d.deletes[i]))[1]] = 0;
	for (size_t i = 0; i < d.n_upserts; i++) {
		const uint8_t *k = bh_table_key(&w, d.upserts[i]);

		memcpy(&have[k[1]], bh_table_value(&w, d.upserts[i]), 4);
	}
	assert_memory_equal(have, want, sizeof(have));
	bh_table_diff_done(&d);
	bh_table_done(&a);
	bh_table_done(&w);
}

static void table_diff__random_tables__fewest_writes(void **state)
{
	uint32_t seed = 4711;

	(void)state;
	for (int i = 0; i < 500; i++)
		diff_random(&seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_sort__any_order__found_by_key),
		cmocka_unit_test(table_sort__few_late_rows__among_the_others),
		cmocka_unit_test(table_sort__equal_rows__one_left),
		cmocka_unit_test(table_sort__one_key_two_values__eexist),
		cmocka_unit_test(table_sort__empty__fine),
		cmocka_unit_test(table_diff__random_tables__fewest_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
