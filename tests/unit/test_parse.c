/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above, in any order, first */
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "common/parse.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static void parse_u64__table(void **state)
{
	static const struct {
		const char *text;
		uint64_t min, max;
		int r;
		uint64_t v;
	} rows[] = {
		{ "0", 0, 10, 0, 0 },
		{ "10", 0, 10, 0, 10 },
		{ "11", 0, 10, -ERANGE, 0 },
		{ "1", 2, 10, -ERANGE, 0 },
		{ "18446744073709551615", 0, UINT64_MAX, 0, UINT64_MAX },
		{ "18446744073709551616", 0, UINT64_MAX, -ERANGE, 0 },
		{ "99999999999999999999999999", 0, UINT64_MAX, -ERANGE, 0 },
		{ "", 0, 10, -EINVAL, 0 },
		{ "-1", 0, 10, -EINVAL, 0 },
		{ "+1", 0, 10, -EINVAL, 0 },
		{ " 1", 0, 10, -EINVAL, 0 },
		{ "1 ", 0, 10, -EINVAL, 0 },
		{ "0x1", 0, 10, -EINVAL, 0 },
		{ "1.0", 0, 10, -EINVAL, 0 },
		{ NULL, 0, 10, -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		uint64_t v = 77;

		assert_int_equal(bh_parse_u64(rows[i].text, rows[i].min, rows[i].max, &v),
				 rows[i].r);
		assert_int_equal(v, rows[i].r ? 77 : rows[i].v);
	}
}

static void parse_hex_digit__every_byte__digits_only(void **state)
{
	static const char digits[] = "0123456789abcdef", upper[] = "ABCDEF";

	(void)state;
	for (int c = 0; c < 256; c++) {
		const char *d = c ? strchr(digits, c) : NULL, *u = c ? strchr(upper, c) : NULL;

		assert_int_equal(bh_parse_hex_digit((char)c), d	  ? d - digits
							      : u ? u - upper + 10
								  : -1);
	}
}

static void parse_bool__two_words_only(void **state)
{
	static const char *const bad[] = { "", "True", "yes", "1", "true ", "falsee", NULL };
	bool v = false;

	(void)state;
	assert_int_equal(bh_parse_bool("true", &v), 0);
	assert_true(v);
	assert_int_equal(bh_parse_bool("false", &v), 0);
	assert_false(v);
	for (size_t i = 0; i < N(bad); i++)
		assert_int_equal(bh_parse_bool(bad[i], &v), -EINVAL);
}

static void parse_duration_ms__table(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t ms;
	} rows[] = {
		{ "250ms", 0, 250 },
		{ "0s", 0, 0 },
		{ "10s", 0, 10000 },
		{ "5m", 0, 300000 },
		{ "1h", 0, 3600000 },
		{ "18446744073709551615ms", 0, UINT64_MAX },
		{ "18446744073709551615s", -ERANGE, 0 },
		{ "18446744073709551616ms", -ERANGE, 0 },
		{ "10", -EINVAL, 0 },
		{ "s", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "1.5s", -EINVAL, 0 },
		{ "1h30m", -EINVAL, 0 },
		{ "1 s", -EINVAL, 0 },
		{ "-1s", -EINVAL, 0 },
		{ "1S", -EINVAL, 0 },
		{ "1d", -EINVAL, 0 },
		{ NULL, -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		uint64_t v = 77;

		assert_int_equal(bh_parse_duration_ms(rows[i].text, &v), rows[i].r);
		assert_int_equal(v, rows[i].r ? 77 : rows[i].ms);
	}
}

static void parse_cpu_milli__table(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t milli;
	} rows[] = {
		{ "16", 0, 16000 },
		{ "0", 0, 0 },
		{ "0.5", 0, 500 },
		{ "1.25", 0, 1250 },
		{ "0.001", 0, 1 },
		{ "1.5000", 0, 1500 },
		{ "250m", 0, 250 },
		{ "18446744073709551615m", 0, UINT64_MAX },
		{ "18446744073709551.615", 0, UINT64_MAX },
		{ "18446744073709551.616", -ERANGE, 0 },
		{ "18446744073709551616m", -ERANGE, 0 },
		{ "99999999999999999999", -ERANGE, 0 },
		{ "0.0001", -EINVAL, 0 },
		{ ".5", -EINVAL, 0 },
		{ "5.", -EINVAL, 0 },
		{ "0.5m", -EINVAL, 0 },
		{ "1k", -EINVAL, 0 },
		{ "1e3", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "m", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ NULL, -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		uint64_t v = 77;

		assert_int_equal(bh_parse_cpu_milli(rows[i].text, &v), rows[i].r);
		assert_int_equal(v, rows[i].r ? 77 : rows[i].milli);
	}
}

struct name_row {
	const char *text;
	bool ok;
};

static void check_names(const struct name_row *rows, size_t n, bool (*is)(const char *))
{
	for (size_t i = 0; i < n; i++)
		if (is(rows[i].text) != rows[i].ok)
			fail_msg("'%s' should be %s", rows[i].text, rows[i].ok ? "good" : "bad");
	assert_false(is(NULL));
}

#define A10 "aaaaaaaaaa"
#define A60 A10 A10 A10 A10 A10 A10
#define A240 A60 A60 A60 A60

static void parse_is_label__table(void **state)
{
	static const struct name_row rows[] = {
		{ "a", true },	     { "a-b", true },	    { "0a", true },   { "a--b", true },
		{ A60 "bbb", true }, { A60 "bbbb", false }, { "", false },    { "-a", false },
		{ "a-", false },     { "A", false },	    { "a.b", false }, { "a_b", false },
		{ "a b", false },    { "ä", false },	    { "a\n", false },
	};

	(void)state;
	check_names(rows, N(rows), bh_parse_is_label);
}

static void parse_is_subdomain__table(void **state)
{
	static const struct name_row rows[] = {
		{ "a", true },		 { "a.b", true },	   { "web-0.x", true },
		{ A60 "bbbbb.c", true }, { A240 A10 "bbb", true }, { A240 A10 "bbbb", false },
		{ "a.", false },	 { ".a", false },	   { "a..b", false },
		{ "a-.b", false },	 { "a.-b", false },	   { "A.b", false },
		{ "", false },		 { "a/b", false },
	};

	(void)state;
	check_names(rows, N(rows), bh_parse_is_subdomain);
}

static void parse_is_label_key__table(void **state)
{
	static const struct name_row rows[] = {
		{ "app", true },
		{ "App.kubernetes_io-x", true },
		{ "vcluster.loft.sh/managed-by", true },
		{ "kubernetes.io/metadata.name", true },
		{ "x/" A60 "bbb", true },
		{ "x/" A60 "bbbb", false },
		{ A240 A10 "bbbb/x", false },
		{ "x/", false },
		{ "/x", false },
		{ "x/y/z", false },
		{ "X/y", false },
		{ "-a", false },
		{ "a_", false },
		{ "a b", false },
		{ "", false },
	};

	(void)state;
	check_names(rows, N(rows), bh_parse_is_label_key);
}

static void parse_is_label_value__table(void **state)
{
	static const struct name_row rows[] = {
		{ "", true },	     { "a", true },	    { "A.b_c-9", true },
		{ A60 "bbb", true }, { A60 "bbbb", false }, { "a ", false },
		{ "-", false },	     { "a/b", false },	    { "a.", false },
	};

	(void)state;
	check_names(rows, N(rows), bh_parse_is_label_value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_u64__table),
		cmocka_unit_test(parse_hex_digit__every_byte__digits_only),
		cmocka_unit_test(parse_bool__two_words_only),
		cmocka_unit_test(parse_duration_ms__table),
		cmocka_unit_test(parse_cpu_milli__table),
		cmocka_unit_test(parse_is_label__table),
		cmocka_unit_test(parse_is_subdomain__table),
		cmocka_unit_test(parse_is_label_key__table),
		cmocka_unit_test(parse_is_label_value__table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
