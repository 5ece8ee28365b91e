/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above, in any order, first */
#include <cmocka.h>

#include <string.h>

#include "model/special.h"
#include "tests/unit/model_help.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *addr, *cls;
} edges[] = {
	{ "0.0.0.0", "invalid" },
	{ "0.255.255.255", "invalid" },
	{ "1.0.0.0", "world_public" },
	{ "9.255.255.255", "world_public" },
	{ "10.0.0.0", "world_private" },
	{ "10.255.255.255", "world_private" },
	{ "11.0.0.0", "world_public" },
	{ "100.63.255.255", "world_public" },
	{ "100.64.0.0", "world_private" },
	{ "100.127.255.255", "world_private" },
	{ "100.128.0.0", "world_public" },
	{ "127.255.255.255", "invalid" },
	{ "128.0.0.0", "world_public" },
	{ "169.253.255.255", "world_public" },
	{ "169.254.169.253", "world_linklocal" },
	{ "169.254.169.254", "metadata" },
	{ "169.254.169.255", "world_linklocal" },
	{ "172.15.255.255", "world_public" },
	{ "172.16.0.0", "world_private" },
	{ "172.31.255.255", "world_private" },
	{ "172.32.0.0", "world_public" },
	{ "192.0.0.8", "world_private" },
	{ "192.0.0.9", "world_public" },
	{ "192.0.0.10", "world_public" },
	{ "192.0.0.11", "world_private" },
	{ "192.0.0.170", "world_private" },
	{ "192.0.1.0", "world_public" },
	{ "192.0.2.1", "world_private" },
	{ "192.31.196.1", "world_public" },
	{ "192.52.193.1", "world_public" },
	{ "192.88.99.1", "world_private" },
	{ "192.168.1.1", "world_private" },
	{ "192.175.48.1", "world_public" },
	{ "198.17.255.255", "world_public" },
	{ "198.19.255.255", "world_private" },
	{ "198.51.100.1", "world_private" },
	{ "203.0.113.255", "world_private" },
	{ "223.255.255.255", "world_public" },
	{ "224.0.0.1", "invalid" },
	{ "239.255.255.255", "invalid" },
	{ "240.0.0.1", "invalid" },
	{ "255.255.255.255", "invalid" },
	{ "::", "invalid" },
	{ "::1", "invalid" },
	{ "::2", "invalid" },
	{ "::10.0.0.1", "invalid" },
	{ "64:ff9b::a00:1", "world_public" },
	{ "64:ff9b:1::1", "world_private" },
	{ "64:ff9b:2::1", "world_private" },
	{ "100::1", "world_private" },
	{ "100:0:0:1::1", "world_private" },
	{ "100:0:0:2::1", "world_private" },
	{ "2001::1", "world_private" },
	{ "2001:1::", "world_private" },
	{ "2001:1::1", "world_public" },
	{ "2001:1::2", "world_public" },
	{ "2001:1::3", "world_public" },
	{ "2001:1::4", "world_private" },
	{ "2001:2::1", "world_private" },
	{ "2001:2:1::1", "world_private" },
	{ "2001:3:ffff::1", "world_public" },
	{ "2001:4:111::1", "world_private" },
	{ "2001:4:112::1", "world_public" },
	{ "2001:10::1", "world_private" },
	{ "2001:1f::1", "world_private" },
	{ "2001:20::1", "world_public" },
	{ "2001:2f::1", "world_public" },
	{ "2001:30::1", "world_public" },
	{ "2001:40::1", "world_private" },
	{ "2001:1ff::1", "world_private" },
	{ "2001:200::1", "world_public" },
	{ "2001:db8::1", "world_private" },
	{ "2001:db9::1", "world_public" },
	{ "2002:a00:1::1", "world_private" },
	{ "2620:4f:8000::1", "world_public" },
	{ "3fff:fff::1", "world_private" },
	{ "3fff:1000::1", "world_public" },
	{ "5f00::1", "world_private" },
	{ "fbff::1", "world_private" },
	{ "1fff::1", "world_private" },
	{ "3fff:ffff::1", "world_public" },
	{ "4000::1", "world_private" },
	/* forms that lead to 10.0.0.1 by some relay or host */
	{ "::a00:1", "invalid" },
	{ "::ffff:0:a00:1", "world_private" },
	{ "2002:a00:1::", "world_private" },
	{ "2001:0:a00:1::", "world_private" },
	{ "fe80::5efe:a00:1", "world_linklocal" },
	{ "fc00::1", "world_private" },
	{ "fdff::1", "world_private" },
	{ "fd00:ec2::253", "world_private" },
	{ "fd00:ec2::254", "metadata" },
	{ "fe80::1", "world_linklocal" },
	{ "febf::1", "world_linklocal" },
	{ "fec0::1", "world_private" },
	{ "ff02::1", "invalid" },
};

static void special_find__edges_of_every_kind__class(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(edges); i++) {
		const struct bh_addr a = bh_test_addr(edges[i].addr);
		const struct bh_special *s = bh_special_find(&a);
		const char *cls = bh_test_class_name(s ? s->cls : BH_CLASS_WORLD_PUBLIC);

		if (strcmp(cls, edges[i].cls) != 0)
			fail_msg("%s: %s", edges[i].addr, cls);
	}
}

static void assert_found_alike(const struct bh_special_index *index, const struct bh_addr *a)
{
	char text[BH_ADDR_STRLEN];
	const struct bh_special *want = bh_special_find(a), *got = bh_special_index_find(index, a);

	if (got != want)
		fail_msg("%s: %s, not %s", bh_addr_str(a, text), got ? got->name : "nothing",
			 want ? want->name : "nothing");
}

static void special_index__edges_and_neighbours__as_without(void **state)
{
	struct bh_special_index index;

	(void)state;
	bh_special_index_init(&index);
	for (size_t i = 0; i < N(edges); i++) {
		const struct bh_addr a = bh_test_addr(edges[i].addr);

		assert_found_alike(&index, &a);
	}
	for (size_t i = 0; i < index.n; i++) {
		struct bh_addr a = index.v[i].from;
		int byte = 15;

		assert_found_alike(&index, &a);
		while (byte >= 0 && a.b[byte]-- == 0) /* the one before, which for :: is the last */
			byte--;
		assert_found_alike(&index, &a);
	}
}

/* Held as ::ffff:a.b.c.d, an IPv4 address must not fall under any IPv6 row. */
static void special_rows__of_ipv6__hold_no_ipv4(void **state)
{
	size_t n;
	const struct bh_special *rows = bh_special_rows(&n);
	const struct bh_addr v4 = bh_test_addr("8.8.8.8");

	(void)state;
	for (size_t i = 0; i < n; i++) {
		unsigned int same = 0;

		if (bh_addr_is_v4(&rows[i].prefix.addr))
			continue;
		/* as a longest-prefix trie compares: bit by bit, without families */
		while (same < 128 &&
		       !((v4.b[same / 8] ^ rows[i].prefix.addr.b[same / 8]) & (0x80 >> same % 8)))
			same++;
		/* but that of all addresses, which the row of IPv4 outranks */
		assert_true(same < rows[i].prefix.len || !rows[i].prefix.len);
	}
}

static void special_rows__host_bits_zero_and_unique(void **state)
{
	size_t n;
	const struct bh_special *rows = bh_special_rows(&n);

	(void)state;
	assert_true(n > 40);
	for (size_t i = 0; i < n; i++) {
		char text[BH_PREFIX_STRLEN];
		struct bh_prefix again;

		assert_int_equal(
			bh_prefix_parse(bh_prefix_str(&rows[i].prefix, text), &again, NULL), 0);
		assert_int_equal(bh_prefix_cmp(&again, &rows[i].prefix), 0);
		assert_true(rows[i].name[0]);
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(bh_prefix_cmp(&rows[i].prefix, &rows[j].prefix), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(special_find__edges_of_every_kind__class),
		cmocka_unit_test(special_index__edges_and_neighbours__as_without),
		cmocka_unit_test(special_rows__of_ipv6__hold_no_ipv4),
		cmocka_unit_test(special_rows__host_bits_zero_and_unique),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
