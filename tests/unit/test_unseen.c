/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bpf/unseen.h"

#define IF 5

static struct bh_link veth(uint64_t sent, uint64_t received)
{
	return (struct bh_link){ .ifindex = IF,
				 .veth = true,
				 .peer_known = true,
				 .mac = { { 2, 0, 0, 0, 0, 1 } },
				 .tx_packets = sent,
				 .peer_rx_packets = received };
}

/* What bh_unseen_look() says of one look at that. */
static int look(struct bh_unseen *u, struct bh_link l)
{
	return bh_unseen_look(u, &l, 1);
}

static int setup(void **state)
{
	struct bh_unseen *u = NULL;

	if (bh_unseen_new(&u) < 0)
		return -1;
	*state = u;
	return 0;
}

static int teardown(void **state)
{
	bh_unseen_free(*state);
	return 0;
}

static void unseen_look__all_was_sent_here__nothing(void **state)
{
	struct bh_unseen *u = *state;

	assert_int_equal(look(u, veth(0, 0)), 0);
	assert_int_equal(look(u, veth(1000, 1000)), 0);
	/* more was sent between reading the one and the other */
	assert_int_equal(look(u, veth(2050, 2000)), 0);
	assert_int_equal(bh_unseen_packets(u, IF), 0);
	assert_int_equal(bh_unseen_packets(u, IF + 1), 0);
}

static void unseen_look__more_received_than_sent__until_it_is_over(void **state)
{
	struct bh_unseen *u = *state;

	assert_int_equal(look(u, veth(10, 10)), 0);
	assert_int_equal(look(u, veth(10, 15)), 1);
	assert_int_equal(bh_unseen_packets(u, IF), 5);
	assert_int_equal(look(u, veth(30, 40)), 0);
	assert_int_equal(bh_unseen_packets(u, IF), 10);
	/* under load a look tells less than there was; what was found stays found */
	assert_int_equal(look(u, veth(100, 102)), 0);
	assert_int_equal(bh_unseen_packets(u, IF), 10);
	assert_int_equal(look(u, veth(100, 110)), 0);
	assert_int_equal(bh_unseen_packets(u, IF), 10);
	assert_int_equal(look(u, veth(200, 210)), 1);
	assert_int_equal(bh_unseen_packets(u, IF), 0);
	assert_int_equal(look(u, veth(300, 310)), 0);
	/* and again */
	assert_int_equal(look(u, veth(300, 311)), 1);
	assert_int_equal(bh_unseen_packets(u, IF), 11);
}

static void unseen_look__quiet_between__counted_anew(void **state)
{
	struct bh_unseen *u = *state;

	assert_int_equal(look(u, veth(0, 1)), 1);
	for (int i = 0; i < BH_UNSEEN_QUIET_LOOKS - 1; i++)
		assert_int_equal(look(u, veth(0, 1)), 0);
	assert_int_equal(look(u, veth(0, 2)), 0); /* not over after all */
	for (int i = 0; i < BH_UNSEEN_QUIET_LOOKS - 1; i++)
		assert_int_equal(look(u, veth(0, 2)), 0);
	assert_int_equal(bh_unseen_packets(u, IF), 2);
	assert_int_equal(look(u, veth(0, 2)), 1);
}

static void unseen_look__another_interface_with_the_number__starts_anew(void **state)
{
	struct bh_unseen *u = *state;
	struct bh_link other = veth(5, 5);

	assert_int_equal(look(u, veth(0, 9)), 1);
	other.mac.b[5] = 2;
	assert_int_equal(look(u, other), 1);
	assert_int_equal(bh_unseen_packets(u, IF), 0);
	other.peer_rx_packets = 6; /* fewer than the other one had */
	assert_int_equal(look(u, other), 1);
	assert_int_equal(bh_unseen_packets(u, IF), 1);
}

static void unseen_look__interface_gone__forgotten(void **state)
{
	struct bh_unseen *u = *state;
	struct bh_link away = veth(0, 9);

	assert_int_equal(look(u, veth(0, 9)), 1);
	away.peer_known = false;
	(void)look(u, away);
	assert_int_equal(bh_unseen_packets(u, IF), 0);
	assert_int_equal(bh_unseen_look(u, NULL, 0), 0);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(unseen_look__all_was_sent_here__nothing),
		T(unseen_look__more_received_than_sent__until_it_is_over),
		T(unseen_look__quiet_between__counted_anew),
		T(unseen_look__another_interface_with_the_number__starts_anew),
		T(unseen_look__interface_gone__forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
