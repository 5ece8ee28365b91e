/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above, in any order, first */
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/http/client.h"
#include "agent/http/target.h"
#include "common/buf.h"
#include "common/err.h"

static void target_parse__escapes_and_empty_values__decoded(void **state)
{
	struct bh_http_target t;

	(void)state;
	assert_int_equal(bh_http_target_parse("/v1/a%20b?src=acme%2Fweb&x=&y&&z=a=b+c", &t, NULL),
			 0);
	assert_string_equal(t.path, "/v1/a b");
	assert_int_equal(t.n_params, 4);
	assert_string_equal(bh_http_target_get(&t, "src"), "acme/web");
	assert_string_equal(bh_http_target_get(&t, "x"), "");
	assert_string_equal(bh_http_target_get(&t, "y"), "");
	assert_string_equal(bh_http_target_get(&t, "z"), "a=b+c");
	assert_null(bh_http_target_get(&t, "s"));
}

static void target_parse__hostile_text__refused(void **state)
{
	static const char *const bad[] = {
		"",	   "*",		"x/y",	       "http://h/v1", "/a%",	 "/a%4",
		"/a%4g",   "/a%00b",	"/a?k=%0a",    "/a?k=%7f",    "/a b",	 "/a\x80",
		"/a#frag", "/?a=1&a=2", "/?a=1&%61=2", "/\r\nX: y",   "/?a=%zz", "/a?%",
	};
	struct bh_http_target t;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct bh_err err = { 0 };

		assert_int_equal(bh_http_target_parse(bad[i], &t, &err), -EINVAL);
		assert_true(err.msg[0]);
	}
}

static void target_parse__bounds__e2big_one_above(void **state)
{
	char text[BH_HTTP_MAX_TARGET + 2], many[512] = "/?";
	struct bh_http_target t;

	(void)state;
	memset(text, 'a', sizeof(text));
	text[0] = '/';
	text[BH_HTTP_MAX_TARGET] = '\0';
	assert_int_equal(bh_http_target_parse(text, &t, NULL), 0);
	text[BH_HTTP_MAX_TARGET] = 'a';
	text[BH_HTTP_MAX_TARGET + 1] = '\0';
	assert_int_equal(bh_http_target_parse(text, &t, NULL), -E2BIG);
	for (int i = 0; i < BH_HTTP_MAX_PARAMS; i++)
		(void)snprintf(many + strlen(many), sizeof(many) - strlen(many), "&p%d=%d", i, i);
	assert_int_equal(bh_http_target_parse(many, &t, NULL), 0);
	assert_int_equal(t.n_params, BH_HTTP_MAX_PARAMS);
	(void)snprintf(many + strlen(many), sizeof(many) - strlen(many), "&one=more");
	assert_int_equal(bh_http_target_parse(many, &t, NULL), -E2BIG);
}

static void target_add__every_printable_byte__survives_the_round_trip(void **state)
{
	bh_autobuf b = BH_BUF_INIT;
	struct bh_http_target t;
	char value[96] = "";

	(void)state;
	for (int c = 0x20; c < 0x7f; c++)
		value[c - 0x20] = (char)c;
	bh_buf_str(&b, "/v1/x");
	bh_http_target_add(&b, "a", value);
	bh_http_target_add(&b, "b", "\xc3\xa4");
	assert_int_equal(b.error, 0);
	assert_int_equal(bh_http_target_parse(b.data, &t, NULL), 0);
	assert_string_equal(t.path, "/v1/x");
	assert_string_equal(bh_http_target_get(&t, "a"), value);
	assert_string_equal(bh_http_target_get(&t, "b"), "\xc3\xa4");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(target_parse__escapes_and_empty_values__decoded),
		cmocka_unit_test(target_parse__hostile_text__refused),
		cmocka_unit_test(target_parse__bounds__e2big_one_above),
		cmocka_unit_test(target_add__every_printable_byte__survives_the_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
