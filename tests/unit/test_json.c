/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/json.h"

static struct bh_json *must_parse(const char *text)
{
	struct bh_json *j = NULL;
	struct bh_err err = { 0 };

	if (bh_json_parse(text, strlen(text), &j, &err) < 0)
		fail_msg("parse: %s", err.msg);
	return j;
}

static void parse__members_elements_and_types__readable(void **state)
{
	bh_auto(bh_json_freep) struct bh_json *j = NULL;
	const struct bh_json *l;
	size_t n = 0;

	(void)state;
	j = must_parse(" {\"a\":[1, -2.5e1 ,true,null,\"x\\u00e9\\ud83d\\ude00\"],\"A\":{}} \n");
	assert_string_equal(bh_json_type_name(j), "object");
	assert_int_equal(bh_json_len(j), 2);
	l = bh_json_get(j, "a");
	assert_int_equal(bh_json_type(l), BH_JSON_ARRAY);
	assert_int_equal(bh_json_len(l), 5);
	assert_string_equal(bh_json_key(l), "a");
	bh_json_for_each(it, l) {
		assert_null(bh_json_key(it));
		if (n == 1)
			assert_true(bh_json_num(it) == -25);
		if (n == 2)
			assert_true(bh_json_is_true(it));
		if (n == 4)
			assert_string_equal(bh_json_str(it), "x\xc3\xa9\xf0\x9f\x98\x80");
		n++;
	}
	assert_int_equal(n, 5);
	assert_int_equal(bh_json_type(bh_json_get(j, "A")), BH_JSON_OBJECT);
	assert_null(bh_json_get(j, "b"));
}

static void parse__not_one_strict_value__einval(void **state)
{
	static const struct {
		const char *text;
		size_t len; /* 0: strlen */
		const char *msg;
	} t[] = {
		{ "", 0, "line 1: unexpected end, expected a value" },
		{ " \n ", 0, "line 2: unexpected end, expected a value" },
		{ "{} {}", 0, "line 1: unexpected text after the value" },
		{ "{}\0", 3, "line 1: unexpected text after the value" },
		{ "{\"a\":1,\n\"b\":2,\n\"a\":3}", 0, "duplicate key 'a'" },
		{ "{\"a\":1,\"\\u0061\":3}", 0, "duplicate key 'a'" },
		{ "[{\"x\":{\"k\":1,\"k\":1}}]", 0, "duplicate key 'k'" },
		{ "\"a\\u0000b\"", 0, "line 1: NUL in a string" },
		{ "\"a\0b\"", 5, "line 1: NUL in a string" },
		{ "\"a\nb\"", 0, "line 1: control character in a string" },
		{ "\"\xff\"", 0, "line 1: invalid UTF-8 in a string" },
		{ "\"\xc0\xaf\"", 0, "line 1: invalid UTF-8 in a string" },
		{ "\"\xed\xa0\x80\"", 0, "line 1: invalid UTF-8 in a string" },
		{ "\"\xf4\x90\x80\x80\"", 0, "line 1: invalid UTF-8 in a string" },
		{ "\"\xe2\x82\"", 0, "line 1: invalid UTF-8 in a string" },
		{ "\"\\ud800\"", 0, "line 1: lone surrogate in a string" },
		{ "\"\\udc00\"", 0, "line 1: lone surrogate in a string" },
		{ "\"\\ud800\\u0041\"", 0, "line 1: lone surrogate in a string" },
		{ "\"\\u12g4\"", 0, "line 1: invalid \\u escape in a string" },
		{ "\"\\x\"", 0, "line 1: invalid escape in a string" },
		{ "\"abc", 0, "line 1: unterminated string" },
		{ "\"abc\\", 0, "line 1: invalid escape in a string" },
		{ "1e999", 0, "line 1: number out of range" },
		{ "01", 0, "line 1: unexpected text after the value" },
		{ "-", 0, "line 1: invalid number" },
		{ "1.", 0, "line 1: invalid number" },
		{ "1e+", 0, "line 1: invalid number" },
		{ "+1", 0, "line 1: unexpected character, expected a value" },
		{ ".5", 0, "line 1: unexpected character, expected a value" },
		{ "NaN", 0, "line 1: unexpected character, expected a value" },
		{ "tru", 0, "line 1: unexpected character, expected a value" },
		{ "[1,]", 0, "line 1: unexpected character, expected a value" },
		{ "[1 2]", 0, "line 1: expected ',' or ']'" },
		{ "[1}", 0, "line 1: expected ',' or ']'" },
		{ "{\"a\":1,}", 0, "line 1: expected a key in double quotes" },
		{ "{a:1}", 0, "line 1: expected a key in double quotes" },
		{ "{\"a\" 1}", 0, "line 1: expected ':' after a key" },
		{ "{\"a\":\n1", 0, "line 2: expected ',' or '}'" },
		{ "\xef\xbb\xbf{}", 0, "line 1: unexpected character, expected a value" },
		{ "1111111111222222222233333333334444444444555555555566666666667777", 0,
		  "line 1: number with too many digits" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct bh_json *j = NULL;
		struct bh_err err = { 0 };

		assert_int_equal(
			bh_json_parse(t[i].text, t[i].len ? t[i].len : strlen(t[i].text), &j, &err),
			-EINVAL);
		assert_null(j);
		assert_string_equal(err.msg, t[i].msg);
	}
}

/* Every prefix of a valid text is refused, and read only as far as it goes. */
static void parse__truncated_anywhere__einval(void **state)
{
	static const char text[] = "{\"a\":[1.5e3,\"\\u00e9\\ud83d\\ude00\xc3\xa9\",{\"b\":null}]}";

	(void)state;
	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		bh_autofree char *exact = malloc(n ? n : 1);
		struct bh_json *j = NULL;

		assert_non_null(exact);
		memcpy(exact, text, n);
		assert_int_equal(bh_json_parse(exact, n, &j, NULL), -EINVAL);
	}
}

static char *repeat(const char *s, size_t times)
{
	const size_t n = strlen(s);
	char *text = malloc(n * times + 1);

	assert_non_null(text);
	for (size_t i = 0; i < times; i++)
		memcpy(text + i * n, s, n);
	text[n * times] = '\0';
	return text;
}

static void parse__deep_nesting__e2big(void **state)
{
	bh_autofree char *open = repeat("[", 10000);
	bh_autofree char *members = repeat("{\"a\":", 10000);
	char at_limit[2 * BH_JSON_MAX_DEPTH];
	struct bh_json *j = NULL;
	struct bh_err err = { 0 };

	(void)state;
	assert_int_equal(bh_json_parse(open, 10000, &j, &err), -E2BIG);
	assert_string_equal(err.msg, "line 1: nested too deeply");
	assert_int_equal(bh_json_parse(members, 50000, &j, NULL), -E2BIG);
	memset(at_limit, '[', BH_JSON_MAX_DEPTH);
	memset(at_limit + BH_JSON_MAX_DEPTH, ']', BH_JSON_MAX_DEPTH);
	assert_int_equal(bh_json_parse(at_limit, sizeof(at_limit), &j, NULL), 0);
	j = bh_json_free(j);
}

static void parse__too_many_values__e2big(void **state)
{
	bh_autofree char *text = repeat("[],", BH_JSON_MAX_NODES);
	struct bh_json *j = NULL;
	struct bh_err err = { 0 };

	(void)state;
	text[0] = '['; /* "[],[],..." becomes "[ ,[],..." below */
	text[1] = '1';
	text[3 * BH_JSON_MAX_NODES - 1] = ']';
	/* the array and its BH_JSON_MAX_NODES elements: one too many */
	assert_int_equal(bh_json_parse(text, strlen(text), &j, &err), -E2BIG);
	assert_string_equal(err.msg, "line 1: too many values");
	text[3 * (BH_JSON_MAX_NODES - 1) - 1] = ']';
	assert_int_equal(bh_json_parse(text, 3 * (BH_JSON_MAX_NODES - 1), &j, NULL), 0);
	assert_int_equal(bh_json_len(j), BH_JSON_MAX_NODES - 1);
	j = bh_json_free(j);
}

static void int__whole_numbers_in_range_only(void **state)
{
	static const struct {
		const char *text;
		int r;
		int64_t v;
	} t[] = {
		{ "0", 0, 0 },
		{ "-7", 0, -7 },
		{ "1e3", 0, 1000 },
		{ "9007199254740991", 0, 9007199254740991 },
		{ "9007199254740993", -ERANGE, 0 },
		{ "123456789012345678901234567890", -ERANGE, 0 },
		{ "1.5", -EINVAL, 0 },
		{ "\"1\"", -EINVAL, 0 },
		{ "true", -EINVAL, 0 },
		{ "null", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		bh_auto(bh_json_freep) struct bh_json *j = must_parse(t[i].text);
		int64_t v = 0;

		assert_int_equal(bh_json_int(j, INT64_MIN, INT64_MAX, &v), t[i].r);
		assert_true(v == t[i].v);
	}
	{
		bh_auto(bh_json_freep) struct bh_json *j = must_parse("70000");
		int64_t v = 5;

		assert_int_equal(bh_json_int(j, 1, 65535, &v), -ERANGE);
		assert_int_equal(bh_json_int(NULL, 1, 65535, &v), -EINVAL);
		assert_int_equal(v, 5);
	}
}

static void read__null_and_other_types__answer_as_absent(void **state)
{
	bh_auto(bh_json_freep) struct bh_json *j = must_parse("[1]");

	(void)state;
	assert_null(bh_json_get(NULL, "a"));
	assert_null(bh_json_get(j, "a"));
	assert_null(bh_json_str(j));
	assert_null(bh_json_first(NULL));
	assert_null(bh_json_next(NULL));
	assert_null(bh_json_key(NULL));
	assert_int_equal(bh_json_len(NULL), 0);
	assert_int_equal(bh_json_len(bh_json_first(j)), 0);
	assert_false(bh_json_is_true(NULL));
	assert_true(bh_json_num(j) == 0);
	assert_string_equal(bh_json_type_name(NULL), "null");
	assert_null(bh_json_free(NULL));
	assert_null(bh_json_dup(NULL));
}

static void encode__hostile_strings__escaped_and_valid(void **state)
{
	bh_auto(bh_json_freep) struct bh_json *j = bh_json_new_object();
	bh_auto(bh_json_freep) struct bh_json *again = NULL;
	bh_autofree char *text = NULL;

	(void)state;
	bh_json_set_str(j, "q\"\\\n", "a\"b\\c\x01\n");
	bh_json_set_str(j, "bad\xff", "x\xffy\xc3");
	bh_json_set_str(j, "none", NULL);
	assert_int_equal(bh_json_encode(j, false, &text), 0);
	assert_string_equal(text,
			    "{\"q\\\"\\\\\\n\":\"a\\\"b\\\\c\\u0001\\n\","
			    "\"bad\xef\xbf\xbd\":\"x\xef\xbf\xbdy\xef\xbf\xbd\",\"none\":null}");
	again = must_parse(text);
	assert_string_equal(bh_json_get_str(again, "q\"\\\n"), "a\"b\\c\x01\n");
}

static void encode__numbers__exact(void **state)
{
	bh_auto(bh_json_freep) struct bh_json *j = bh_json_new_array();
	bh_auto(bh_json_freep) struct bh_json *again = NULL;
	bh_autofree char *text = NULL, *text2 = NULL;
	int64_t v = 0;

	(void)state;
	bh_json_append(j, bh_json_new_int(9007199254740991));
	bh_json_append(j, bh_json_new_int(-9007199254740989));
	bh_json_append(j, bh_json_new_int(INT64_MAX));
	bh_json_append(j, bh_json_new_int(3000000000));
	bh_json_append(j, bh_json_new_num(0.5));
	bh_json_append(j, bh_json_new_num(9007199254740992.0));
	bh_json_append(j, bh_json_new_num(2000000000000000.25));
	bh_json_append(j, bh_json_new_num(0.1 + 0.2));
	bh_json_append(j, bh_json_new_num(NAN));
	bh_json_append(j, bh_json_new_bool(true));
	assert_int_equal(bh_json_encode(j, false, &text), 0);
	assert_string_equal(text, "[9007199254740991,-9007199254740989,\"9223372036854775807\","
				  "3000000000,0.5,9007199254740992,2000000000000000.2,"
				  "0.30000000000000004,null,true]");
	assert_int_equal(bh_json_int(bh_json_first(j), 0, INT64_MAX, &v), 0);
	assert_true(v == 9007199254740991);
	again = must_parse(text);
	assert_int_equal(bh_json_encode(again, false, &text2), 0);
	assert_string_equal(text2, text);
}

static void set__same_key_twice__last_value_stays(void **state)
{
	bh_auto(bh_json_freep) struct bh_json *j = bh_json_new_object();
	bh_auto(bh_json_freep) struct bh_json *copy = NULL;

	(void)state;
	bh_json_set_int(j, "a\xff", 1);
	bh_json_set_bool(j, "b", false);
	bh_json_set_num(j, "a\xff", 2.5);
	assert_int_equal(bh_json_len(j), 2);
	copy = bh_json_dup(j);
	assert_true(bh_json_num(bh_json_get(copy, "a\xef\xbf\xbd")) == 2.5);
}

static void encode__a_missing_part_anywhere__enomem(void **state)
{
	bh_auto(bh_json_freep) struct bh_json *root = bh_json_new_object();
	bh_auto(bh_json_freep) struct bh_json *copy = NULL;
	struct bh_json *inner = bh_json_new_array();
	char *const untouched = (char *)0x1;
	char *text = untouched;

	(void)state;
	bh_json_append(inner, NULL);
	assert_int_equal(bh_json_error(root), 0);
	bh_json_set(root, "inner", inner);
	assert_int_equal(bh_json_error(root), -ENOMEM);
	assert_int_equal(bh_json_encode(root, false, &text), -ENOMEM);
	copy = bh_json_dup(root);
	assert_int_equal(bh_json_encode(copy, true, &text), -ENOMEM);
	assert_int_equal(bh_json_encode(NULL, false, &text), -ENOMEM);
	assert_ptr_equal(text, untouched);
	bh_json_set(NULL, "x", bh_json_new_null());
	bh_json_append(NULL, bh_json_new_null());
}

static void encode__pretty__parses_to_the_same(void **state)
{
	bh_auto(bh_json_freep) struct bh_json *j = must_parse("{\"a\":[1,{\"b\":\"c\"}],\"d\":{}}");
	bh_auto(bh_json_freep) struct bh_json *again = NULL;
	bh_autofree char *pretty = NULL, *flat = NULL;

	(void)state;
	assert_int_equal(bh_json_encode(j, true, &pretty), 0);
	assert_non_null(strchr(pretty, '\n'));
	again = must_parse(pretty);
	assert_int_equal(bh_json_encode(again, false, &flat), 0);
	assert_string_equal(flat, "{\"a\":[1,{\"b\":\"c\"}],\"d\":{}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse__members_elements_and_types__readable),
		cmocka_unit_test(parse__not_one_strict_value__einval),
		cmocka_unit_test(parse__truncated_anywhere__einval),
		cmocka_unit_test(parse__deep_nesting__e2big),
		cmocka_unit_test(parse__too_many_values__e2big),
		cmocka_unit_test(int__whole_numbers_in_range_only),
		cmocka_unit_test(read__null_and_other_types__answer_as_absent),
		cmocka_unit_test(encode__hostile_strings__escaped_and_valid),
		cmocka_unit_test(encode__numbers__exact),
		cmocka_unit_test(set__same_key_twice__last_value_stays),
		cmocka_unit_test(encode__a_missing_part_anywhere__enomem),
		cmocka_unit_test(encode__pretty__parses_to_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
