/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above, in any order, first */
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/strmap.h"

static void strmap_put__new_and_replaced__old_value_given_back(void **state)
{
	bh_auto(bh_strmap_freep) struct bh_strmap *m = NULL;
	char key[] = "k";
	int a, b;
	void *old = &b;

	(void)state;
	assert_int_equal(bh_strmap_new(&m), 0);
	assert_null(bh_strmap_get(m, "k"));
	assert_int_equal(bh_strmap_put(m, key, &a, &old), 0);
	assert_null(old);
	key[0] = 'x'; /* the map has its own copy */
	assert_ptr_equal(bh_strmap_get(m, "k"), &a);
	assert_int_equal(bh_strmap_put(m, "k", &b, &old), 0);
	assert_ptr_equal(old, &a);
	assert_int_equal(bh_strmap_len(m), 1);
	assert_ptr_equal(bh_strmap_del(m, "k"), &b);
	assert_null(bh_strmap_del(m, "k"));
	assert_int_equal(bh_strmap_len(m), 0);
}

#define N_KEYS 3000

/* Against the plainest thing that can be right: an array of what should be there. */
static void strmap__random_puts_and_deletes__as_an_array(void **state)
{
	static char values[N_KEYS];
	static void *want[N_KEYS];
	bh_auto(bh_strmap_freep) struct bh_strmap *m = NULL;
	uint32_t seed = 12345;
	size_t n = 0;

	(void)state;
	assert_int_equal(bh_strmap_new(&m), 0);
	for (int step = 0; step < 60000; step++) {
		char key[32];
		size_t i;

		seed = seed * 1664525 + 1013904223;
		i = (seed >> 8) % N_KEYS;
		(void)snprintf(key, sizeof(key), "namespace-%zu/pod", i);
		if (seed >> 31) {
			void *old = NULL;

			assert_int_equal(bh_strmap_put(m, key, &values[i], &old), 0);
			assert_ptr_equal(old, want[i]);
			n += !want[i];
			want[i] = &values[i];
		} else {
			assert_ptr_equal(bh_strmap_del(m, key), want[i]);
			n -= !!want[i];
			want[i] = NULL;
		}
		assert_int_equal(bh_strmap_len(m), n);
	}
	for (size_t i = 0; i < N_KEYS; i++) {
		char key[32];

		(void)snprintf(key, sizeof(key), "namespace-%zu/pod", i);
		assert_ptr_equal(bh_strmap_get(m, key), want[i]);
	}
}

static void strmap_for_each__visits_every_key_once(void **state)
{
	bh_auto(bh_strmap_freep) struct bh_strmap *m = NULL;
	int seen[100] = { 0 };
	size_t n = 0;

	(void)state;
	assert_int_equal(bh_strmap_new(&m), 0);
	for (int i = 0; i < 100; i++) {
		char key[8];

		(void)snprintf(key, sizeof(key), "%d", i);
		assert_int_equal(bh_strmap_put(m, key, &seen[i], NULL), 0);
	}
	bh_strmap_for_each(m, it) {
		int *v = it.value;

		assert_int_equal((int)strtol(it.key, NULL, 10), v - seen);
		(*v)++;
		n++;
	}
	assert_int_equal(n, 100);
	for (int i = 0; i < 100; i++)
		assert_int_equal(seen[i], 1);
}

static void strmap_free__null__null(void **state)
{
	(void)state;
	assert_null(bh_strmap_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strmap_put__new_and_replaced__old_value_given_back),
		cmocka_unit_test(strmap__random_puts_and_deletes__as_an_array),
		cmocka_unit_test(strmap_for_each__visits_every_key_once),
		cmocka_unit_test(strmap_free__null__null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
