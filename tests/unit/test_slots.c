/* SPDX-License-Identifier: Apache-2.0 */
/* Who owns which region of the table of flows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "bpf/bh_abi.h"
#include "bpf/slots.h"

#define SYSTEM 1000 /* rows from this interface on are of system pods */

struct fx {
	struct bh_table actual, want;
	struct bh_slots_out out;
	uint32_t lost[4];
	size_t n_lost;
	uint32_t n_slots;
};

static int setup(void **state)
{
	static struct fx fx;

	fx = (struct fx){ .n_slots = 4 };
	bh_table_init(&fx.actual, 4, sizeof(struct bh_abi_endpoint));
	bh_table_init(&fx.want, 4, sizeof(struct bh_abi_endpoint));
	*state = &fx;
	return 0;
}

static int teardown(void **state)
{
	struct fx *fx = *state;

	bh_table_done(&fx->actual);
	bh_table_done(&fx->want);
	bh_slots_done(&fx->out);
	return 0;
}

/* The pod numbered @pod, behind @ifindex. */
static void add(struct bh_table *t, uint32_t ifindex, uint8_t pod, uint32_t slot)
{
	const struct bh_abi_endpoint ep = {
		.tenant = 16,
		.role = ifindex >= SYSTEM ? BH_ROLE_SYSTEM : BH_ROLE_TENANT,
		.flags = BH_EP_HAS_V4,
		.mac = { 2, 0, 0, 0, 0, pod },
		.ip4 = { 10, 0, 0, pod },
		.slot = slot,
	};

	assert_int_equal(bh_table_add(t, &ifindex, &ep), 0);
}

static uint32_t slot_of(const struct fx *fx, uint32_t ifindex)
{
	const void *v = bh_table_get(&fx->want, &ifindex);
	struct bh_abi_endpoint ep;

	assert_non_null(v);
	memcpy(&ep, v, sizeof(ep));
	return ep.slot;
}

static bool given(const struct fx *fx, uint32_t slot)
{
	for (size_t i = 0; i < fx->out.n_given; i++) {
		if (fx->out.given[i] == slot)
			return true;
	}
	return false;
}

static void assign(struct fx *fx)
{
	const struct bh_slots_in in = { .actual = &fx->actual,
					.want = &fx->want,
					.lost = fx->lost,
					.n_lost = fx->n_lost,
					.n_slots = fx->n_slots };

	assert_int_equal(bh_table_sort(&fx->actual), 0);
	assert_int_equal(bh_table_sort(&fx->want), 0);
	assert_int_equal(bh_slots_assign(&in, &fx->out), 0);
}

static void assign__fresh__one_each_and_none_for_system(void **state)
{
	struct fx *fx = *state;
	uint32_t seen = 0;

	for (uint32_t i = 10; i < 13; i++)
		add(&fx->want, i, (uint8_t)i, 77); /* whatever the row said before */
	add(&fx->want, SYSTEM, 1, 77);
	assign(fx);
	for (uint32_t i = 10; i < 13; i++) {
		assert_in_range(slot_of(fx, i), 1, 4);
		seen |= 1u << slot_of(fx, i);
		assert_true(given(fx, slot_of(fx, i)));
	}
	assert_int_equal(__builtin_popcount(seen), 3);
	assert_int_equal(slot_of(fx, SYSTEM), BH_SLOT_NONE);
	assert_int_equal(fx->out.n_given, 3);
	assert_int_equal(fx->out.n_without, 0);
}

static void assign__same_pod__keeps_its_slot_unemptied(void **state)
{
	struct fx *fx = *state;

	add(&fx->actual, 10, 1, 3);
	add(&fx->actual, 11, 2, 1);
	add(&fx->want, 10, 1, 0);
	add(&fx->want, 11, 2, 0);
	assign(fx);
	assert_int_equal(slot_of(fx, 10), 3);
	assert_int_equal(slot_of(fx, 11), 1);
	assert_int_equal(fx->out.n_given, 0);
}

static void assign__other_pod_on_the_interface__another_slot(void **state)
{
	struct fx *fx = *state;

	add(&fx->actual, 10, 1, 1);
	add(&fx->want, 10, 2, 0);
	assign(fx);
	assert_int_not_equal(slot_of(fx, 10), 1);
	assert_true(given(fx, slot_of(fx, 10)));
}

static void assign__interface_lost__another_slot(void **state)
{
	struct fx *fx = *state;

	add(&fx->actual, 10, 1, 1);
	add(&fx->want, 10, 1, 0);
	fx->lost[fx->n_lost++] = 10;
	assign(fx);
	assert_int_not_equal(slot_of(fx, 10), 1);
	assert_true(given(fx, slot_of(fx, 10)));
}

/* A packet under way may still write into what is freed now: it is taken last, and emptied. */
static void assign__freed_slot__reused_last(void **state)
{
	struct fx *fx = *state;

	add(&fx->actual, 10, 1, 1);
	add(&fx->actual, 11, 2, 2);
	add(&fx->want, 11, 2, 0);
	for (uint32_t i = 12; i < 15; i++)
		add(&fx->want, i, (uint8_t)i, 0);
	assign(fx);
	assert_int_equal(slot_of(fx, 11), 2);
	assert_int_equal(slot_of(fx, 12), 3);
	assert_int_equal(slot_of(fx, 13), 4);
	assert_int_equal(slot_of(fx, 14), 1);
	assert_int_equal(fx->out.n_given, 3);
	assert_true(given(fx, 1));
}

static void assign__no_room__without_and_counted(void **state)
{
	struct fx *fx = *state;
	unsigned int without = 0;

	for (uint32_t i = 10; i < 16; i++)
		add(&fx->want, i, (uint8_t)i, 0);
	assign(fx);
	for (uint32_t i = 10; i < 16; i++)
		without += slot_of(fx, i) == BH_SLOT_NONE;
	assert_int_equal(without, 2);
	assert_int_equal(fx->out.n_without, 2);
	assert_int_equal(fx->out.n_given, 4);
}

static void assign__room_again__who_was_without_gets_it(void **state)
{
	struct fx *fx = *state;

	fx->n_slots = 1;
	add(&fx->actual, 10, 1, 1);
	add(&fx->actual, 11, 2, BH_SLOT_NONE);
	add(&fx->want, 11, 2, 0);
	assign(fx);
	assert_int_equal(slot_of(fx, 11), 1);
	assert_true(given(fx, 1));
	assert_int_equal(fx->out.n_without, 0);
}

static void assign__becomes_system__slot_freed(void **state)
{
	struct fx *fx = *state;

	add(&fx->actual, SYSTEM, 1, 1);
	add(&fx->want, SYSTEM, 1, 0);
	assign(fx);
	assert_int_equal(slot_of(fx, SYSTEM), BH_SLOT_NONE);
	assert_int_equal(fx->out.n_without, 0);
}

/* What somebody else wrote into the pinned map leads nowhere. */
static void assign__nonsense_in_the_kernel__never_out_of_range_nor_twice(void **state)
{
	struct fx *fx = *state;

	add(&fx->actual, 10, 1, 5);
	add(&fx->actual, 11, 2, UINT32_MAX);
	add(&fx->actual, 12, 3, 2);
	add(&fx->actual, 13, 4, 2);
	for (uint32_t i = 10; i < 14; i++)
		add(&fx->want, i, (uint8_t)(i - 9), 0);
	assign(fx);
	for (uint32_t i = 10; i < 14; i++) {
		assert_in_range(slot_of(fx, i), 1, 4);
		for (uint32_t k = 10; k < i; k++)
			assert_int_not_equal(slot_of(fx, i), slot_of(fx, k));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
		T(assign__fresh__one_each_and_none_for_system),
		T(assign__same_pod__keeps_its_slot_unemptied),
		T(assign__other_pod_on_the_interface__another_slot),
		T(assign__interface_lost__another_slot),
		T(assign__freed_slot__reused_last),
		T(assign__no_room__without_and_counted),
		T(assign__room_again__who_was_without_gets_it),
		T(assign__becomes_system__slot_freed),
		T(assign__nonsense_in_the_kernel__never_out_of_range_nor_twice),
	};

	return cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}
