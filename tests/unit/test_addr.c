/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above, in any order, first */
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "common/addr.h"
#include "common/err.h"

static struct bh_addr addr(const char *s)
{
	struct bh_addr a;

	assert_int_equal(bh_addr_parse(s, &a), 0);
	return a;
}

static struct bh_prefix prefix(const char *s)
{
	struct bh_prefix p;

	assert_int_equal(bh_prefix_parse(s, &p, NULL), 0);
	return p;
}

static void addr_parse__text_of_both_families__round_trip(void **state)
{
	static const struct {
		const char *text, *back;
	} rows[] = {
		{ "0.0.0.0", "0.0.0.0" },
		{ "10.1.2.3", "10.1.2.3" },
		{ "255.255.255.255", "255.255.255.255" },
		{ "::", "::" },
		{ "::1", "::1" },
		{ "fd00:ec2::254", "fd00:ec2::254" },
		{ "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },
		{ "FE80::A", "fe80::a" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct bh_addr a = addr(rows[i].text);
		char buf[BH_ADDR_STRLEN];

		assert_string_equal(bh_addr_str(&a, buf), rows[i].back);
	}
}

static void addr_parse__other_text__einval_and_untouched(void **state)
{
	static const char *const rows[] = { "",
					    " 10.0.0.1",
					    "10.0.0.1 ",
					    "10.0.0",
					    "10.0.0.256",
					    "10.0.0.01",
					    "010.0.0.1",
					    "0x0a.0.0.1",
					    "10.0.0.1:80",
					    "10.0.0.1/32",
					    "fe80::1%eth0",
					    "[::1]",
					    "::ffff:10.0.0.1",
					    "::ffff:a00:1",
					    "1::2::3",
					    "12345::",
					    "localhost" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bh_addr a = { .b = { 7 } };

		if (bh_addr_parse(rows[i], &a) != -EINVAL)
			fail_msg("'%s' was taken", rows[i]);
		assert_int_equal(a.b[0], 7);
	}
	assert_int_equal(bh_addr_parse(NULL, &(struct bh_addr){ 0 }), -EINVAL);
}

static void addr_from_bytes__v4__held_as_mapped(void **state)
{
	const uint8_t raw[4] = { 192, 0, 2, 1 };
	const uint8_t want[16] = { [10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 1 };
	struct bh_addr a;

	(void)state;
	assert_int_equal(bh_addr_from_bytes(raw, 4, &a), 0);
	assert_memory_equal(a.b, want, 16);
	assert_true(bh_addr_is_v4(&a));
	assert_int_equal(bh_addr_from_bytes(want, 16, &a), 0);
	assert_int_equal(bh_addr_from_bytes(raw, 3, &a), -EINVAL);
	assert_int_equal(bh_addr_from_bytes(want, 0, &a), -EINVAL);
}

static void addr_is_zero__both_families(void **state)
{
	const struct bh_addr v4 = addr("0.0.0.0"), v6 = addr("::"), one = addr("::1"),
			     low = addr("0.0.0.1"), high = addr("1::");

	(void)state;
	assert_true(bh_addr_is_zero(&v4));
	assert_true(bh_addr_is_zero(&v6));
	assert_false(bh_addr_is_zero(&one));
	assert_false(bh_addr_is_zero(&low));
	assert_false(bh_addr_is_zero(&high));
	assert_false(bh_addr_is_v4(&v6));
}

static void addr_cmp__numeric_order(void **state)
{
	const struct bh_addr a = addr("10.0.0.9"), b = addr("10.0.0.10"), c = addr("fd00::1");

	(void)state;
	assert_true(bh_addr_cmp(&a, &b) < 0);
	assert_true(bh_addr_cmp(&c, &b) > 0);
	assert_int_equal(bh_addr_cmp(&a, &a), 0);
}

static void prefix_parse__good_texts__round_trip(void **state)
{
	static const struct {
		const char *text;
		int len;
	} rows[] = {
		{ "0.0.0.0/0", 96 },	 { "10.0.0.0/8", 104 }, { "192.0.2.128/25", 121 },
		{ "10.0.0.1/32", 128 },	 { "::/0", 0 },		{ "fd00::/8", 8 },
		{ "2001:db8::/33", 33 }, { "::1/128", 128 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct bh_prefix p = prefix(rows[i].text);
		char buf[BH_PREFIX_STRLEN];

		assert_int_equal(p.len, rows[i].len);
		assert_string_equal(bh_prefix_str(&p, buf), rows[i].text);
	}
}

static void prefix_parse__bad_texts__einval_with_reason(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "10.0.0.0", "expected address/length, as in 10.0.0.0/8" },
		{ "", "expected address/length, as in 10.0.0.0/8" },
		{ "/8", "'' is not an IPv4 or IPv6 address" },
		{ "10.0.0/8", "'10.0.0' is not an IPv4 or IPv6 address" },
		{ "10.0.0.0/", "prefix length '', expected 0..32" },
		{ "10.0.0.0/33", "prefix length '33', expected 0..32" },
		{ "10.0.0.0/08", "prefix length '08', expected 0..32" },
		{ "10.0.0.0/+8", "prefix length '+8', expected 0..32" },
		{ "10.0.0.0/8/8", "prefix length '8/8', expected 0..32" },
		{ "::/129", "prefix length '129', expected 0..128" },
		{ "10.0.0.1/8", "10.0.0.1/8 has bits set behind its prefix" },
		{ "10.0.0.128/24", "10.0.0.128/24 has bits set behind its prefix" },
		{ "fd00::1/64", "fd00::1/64 has bits set behind its prefix" },
		{ "::ffff:10.0.0.0/104", "'::ffff:10.0.0.0' is not an IPv4 or IPv6 address" },
		{ "::ffff:0:0/96", "'::ffff:0:0' is not an IPv4 or IPv6 address" },
		{ "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111/8",
		  "expected address/length: the address is too long" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bh_prefix p = { .len = 77 };
		struct bh_err err = { 0 };

		assert_int_equal(bh_prefix_parse(rows[i].text, &p, &err), -EINVAL);
		assert_string_equal(err.msg, rows[i].why);
		assert_int_equal(p.len, 77);
	}
}

static void prefix_contains__edges_and_families(void **state)
{
	static const struct {
		const char *prefix, *addr;
		bool inside;
	} rows[] = {
		{ "10.0.0.0/8", "10.255.255.255", true },
		{ "10.0.0.0/8", "11.0.0.0", false },
		{ "192.0.2.128/25", "192.0.2.127", false },
		{ "192.0.2.128/25", "192.0.2.128", true },
		{ "192.0.2.1/32", "192.0.2.1", true },
		{ "192.0.2.1/32", "192.0.2.0", false },
		{ "0.0.0.0/0", "203.0.113.9", true },
		{ "0.0.0.0/0", "fd00::1", false },
		{ "::/0", "fd00::1", true },
		{ "::/0", "10.0.0.1", false },
		{ "::/80", "10.0.0.1", false },
		{ "fc00::/7", "fdff::1", true },
		{ "fc00::/7", "fe00::1", false },
		{ "2001:db8::/33", "2001:db8:8000::", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct bh_prefix p = prefix(rows[i].prefix);
		const struct bh_addr a = addr(rows[i].addr);

		if (bh_prefix_contains(&p, &a) != rows[i].inside)
			fail_msg("%s contains %s", rows[i].prefix, rows[i].addr);
	}
}

static void prefix_covers__nested_equal_and_foreign(void **state)
{
	static const struct {
		const char *outer, *inner;
		bool covers;
	} rows[] = {
		{ "10.0.0.0/8", "10.1.0.0/16", true },	{ "10.0.0.0/8", "10.0.0.0/8", true },
		{ "10.1.0.0/16", "10.0.0.0/8", false }, { "10.0.0.0/8", "11.0.0.0/16", false },
		{ "::/0", "10.0.0.0/8", false },	{ "::/0", "fd00::/8", true },
		{ "0.0.0.0/0", "::/0", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct bh_prefix o = prefix(rows[i].outer), n = prefix(rows[i].inner);

		if (bh_prefix_covers(&o, &n) != rows[i].covers)
			fail_msg("%s covers %s", rows[i].outer, rows[i].inner);
	}
}

static void prefix_host__holds_that_address_alone(void **state)
{
	const struct bh_addr a = addr("10.0.0.5"), b = addr("10.0.0.4");
	const struct bh_prefix p = bh_prefix_host(&a);
	char buf[BH_PREFIX_STRLEN];

	(void)state;
	assert_true(bh_prefix_contains(&p, &a));
	assert_false(bh_prefix_contains(&p, &b));
	assert_string_equal(bh_prefix_str(&p, buf), "10.0.0.5/32");
}

static void prefix_cmp__address_then_length(void **state)
{
	const struct bh_prefix a = prefix("10.0.0.0/8"), b = prefix("10.0.0.0/16"),
			       c = prefix("11.0.0.0/8");

	(void)state;
	assert_true(bh_prefix_cmp(&a, &b) < 0);
	assert_true(bh_prefix_cmp(&c, &b) > 0);
	assert_int_equal(bh_prefix_cmp(&b, &b), 0);
}

static void mac_parse__good_and_bad_texts(void **state)
{
	static const char *const bad[] = { "",
					   "02:00:00:00:00",
					   "02:00:00:00:00:0g",
					   "02-00-00-00-00-01",
					   "02:00:00:00:00:01 ",
					   "02:00:00:00:00:1",
					   "02:00:00:00:00:001",
					   "0200.0000.0001" };
	struct bh_mac m;
	char buf[BH_MAC_STRLEN];

	(void)state;
	assert_int_equal(bh_mac_parse("0a:58:0A:f4:01:ff", &m), 0);
	assert_string_equal(bh_mac_str(&m, buf), "0a:58:0a:f4:01:ff");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(bh_mac_parse(bad[i], &m), -EINVAL);
	assert_int_equal(bh_mac_parse(NULL, &m), -EINVAL);
}

/* The example of RFC 4291 appendix A turned into an address. */
static void addr_eui64_ll__inverts_the_universal_bit(void **state)
{
	struct bh_mac m;
	struct bh_addr a;
	char buf[BH_ADDR_STRLEN];

	(void)state;
	assert_int_equal(bh_mac_parse("34:56:78:9a:bc:de", &m), 0);
	a = bh_addr_eui64_ll(&m);
	assert_string_equal(bh_addr_str(&a, buf), "fe80::3656:78ff:fe9a:bcde");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addr_parse__text_of_both_families__round_trip),
		cmocka_unit_test(addr_parse__other_text__einval_and_untouched),
		cmocka_unit_test(addr_from_bytes__v4__held_as_mapped),
		cmocka_unit_test(addr_is_zero__both_families),
		cmocka_unit_test(addr_cmp__numeric_order),
		cmocka_unit_test(prefix_parse__good_texts__round_trip),
		cmocka_unit_test(prefix_parse__bad_texts__einval_with_reason),
		cmocka_unit_test(prefix_contains__edges_and_families),
		cmocka_unit_test(prefix_covers__nested_equal_and_foreign),
		cmocka_unit_test(prefix_host__holds_that_address_alone),
		cmocka_unit_test(prefix_cmp__address_then_length),
		cmocka_unit_test(mac_parse__good_and_bad_texts),
		cmocka_unit_test(addr_eui64_ll__inverts_the_universal_bit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
