/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/json.h"
#include "common/yaml.h"

/*
 * The whole stream as text: each document as JSON or, where refused, "!" and the message, with
 * its number before it and a newline behind it. To be freed.
 */
static char *read_all_n(const char *text, size_t len)
{
	bh_auto(bh_yaml_freep) struct bh_yaml *y = NULL;
	char *out = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&out, &size);

	assert_non_null(f);
	assert_int_equal(bh_yaml_new(text, len, &y), 0);
	for (;;) {
		bh_auto(bh_json_freep) struct bh_json *j = NULL;
		bh_autofree char *json = NULL;
		struct bh_err err = { 0 };
		const int r = bh_yaml_next(y, &j, &err);

		if (r == 0)
			break;
		if (r < 0) {
			assert_null(j);
			assert_int_equal(err.code, r);
			fprintf(f, "%u!%s%s\n", bh_yaml_doc(y), r == -E2BIG ? "E2BIG " : "",
				err.msg);
			continue;
		}
		assert_int_equal(bh_json_encode(j, false, &json), 0);
		fprintf(f, "%u %s\n", bh_yaml_doc(y), json);
	}
	assert_int_equal(fclose(f), 0);
	return out;
}

static void check(const char *text, const char *want)
{
	bh_autofree char *got = read_all_n(text, strlen(text));

	assert_string_equal(got, want);
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

static void next__core_schema__typed_as_in_yaml_1_2(void **state)
{
	(void)state;
	check("[null, Null, ~, , true, True, FALSE]",
	      "1!line 1: did not find expected node content "
	      "(while parsing a flow node that began in line 1)\n");
	check("[null, Null, ~, true, True, FALSE]", "1 [null,null,null,true,true,false]\n");
	check("a:\nb: ~", "1 {\"a\":null,\"b\":null}\n");
	check("[0, -1, +2, 0x1F, 0o17, 1.5, .5, 1., 1e3, -2.5E-1, 0.0]",
	      "1 [0,-1,2,31,15,1.5,0.5,1,1000,-0.25,0]\n");
	check("[9007199254740991, 123456789012345678901]",
	      "1 [9007199254740991,1.2345678901234568e+20]\n");
	check("[tRUE, nULL, 1.2.3, 10.0.0.0/8, 1e, --1, 0x, 0xg, 16Gi, 250m, 1:30, 2024-01-01, .]",
	      "1 [\"tRUE\",\"nULL\",\"1.2.3\",\"10.0.0.0/8\",\"1e\",\"--1\",\"0x\",\"0xg\",\"16Gi\","
	      "\"250m\",\"1:30\",\"2024-01-01\",\".\"]\n");
}

static void next__leading_zero__octal_as_kubectl_reads_it(void **state)
{
	(void)state;
	check("[0644, 0755, 00, 07, 0001, 0777777777777]", "1 [420,493,0,7,1,68719476735]\n");
	check("a: 07777777777777777777777\n",
	      "1!line 1: '07777777777777777777777' is out of range\n");
	check("[0644.0, 064:4]", "1 [644,\"064:4\"]\n");
	check("0644: a\n", "1!line 1: the key 0644 is not a string: quote it\n");
}

static void next__quoted_or_block__always_a_string(void **state)
{
	(void)state;
	check("['yes', \"0755\", 'null', \"1\", \"\", '~', \"<<\"]",
	      "1 [\"yes\",\"0755\",\"null\",\"1\",\"\",\"~\",\"<<\"]\n");
	check("a: |\n  1\n  2\nb: >-\n  true\n", "1 {\"a\":\"1\\n2\\n\",\"b\":\"true\"}\n");
	check("\"yes\": 1\n'1': 2\n'<<': 3\n", "1 {\"yes\":1,\"1\":2,\"<<\":3}\n");
	check("\"\\x41\\u00e9\\U0001F600\\/\"", "1 \"A\xc3\xa9\xf0\x9f\x98\x80/\"\n");
}

static void next__yaml_1_1_meaning_differs__refused(void **state)
{
	static const char *const bools[] = { "y", "N", "yes", "Yes", "NO", "on", "Off", "OFF" };
	static const char *const octals[] = { "08", "0649", "-012", "+0644", "00009" };
	static const char *const ints[] = { "0b11", "1_000", "-0x1f", "+0o7", "1_0.5", "0_7" };
	static const char *const infs[] = { ".inf", "-.INF", "+.Inf", ".nan", ".NaN", "1e999" };
	static const struct {
		const char *const *v;
		size_t n;
		const char *what;
	} sets[] = {
		{ bools, sizeof(bools) / sizeof(bools[0]), "write true or false, or quote it" },
		{ octals, sizeof(octals) / sizeof(octals[0]), "without the leading zero" },
		{ ints, sizeof(ints) / sizeof(ints[0]), "write plain digits, or quote it" },
		{ infs, sizeof(infs) / sizeof(infs[0]), "quote it if it is text" },
	};

	(void)state;
	check("a: 1\nb: yes\n", "1!line 2: yes is a boolean to some readers of YAML and text to "
				"others: write true or false, or quote it\n");
	for (size_t s = 0; s < sizeof(sets) / sizeof(sets[0]); s++) {
		for (size_t i = 0; i < sets[s].n; i++) {
			bh_autofree char *got = NULL;
			char text[32];

			(void)snprintf(text, sizeof(text), "a: %s", sets[s].v[i]);
			got = read_all_n(text, strlen(text));
			assert_memory_equal(got, "1!line 1: ", 10);
			assert_non_null(strstr(got, sets[s].what));
		}
	}
}

static void next__keys__strings_only_and_once(void **state)
{
	(void)state;
	check("a: 1\nb: 2\na: 3\n", "1!line 3: duplicate key 'a', first in line 1\n");
	check("x:\n- {k: 1, \"\\x6b\": 1}\n", "1!line 2: duplicate key 'k', first in line 2\n");
	check("1: a\n", "1!line 1: the key 1 is not a string: quote it\n");
	check("on: a\n", "1!line 1: the key on is not a string: quote it\n");
	check("~: a\n", "1!line 1: the key ~ is not a string: quote it\n");
	check("? \n: a\n", "1!line 1: the key (empty) is not a string: quote it\n");
	check("? [a]\n: b\n", "1!line 1: a list cannot be a key\n");
	check("? {a: 1}\n: b\n", "1!line 1: a mapping cannot be a key\n");
	check("a: &x {b: 1}\nc:\n  <<: *x\n",
	      "1!line 3: merge keys are not supported: write the members out\n");
	check("a: &x 1\nb: *x\n", "1!line 2: aliases are not supported: write the value out\n");
	check("a: &x 1\n", "1 {\"a\":1}\n");
}

static void next__tags__core_ones_only(void **state)
{
	(void)state;
	check("[!!str 1, !!int \"7\", !!bool 'true', !!null '', !!float 1.5, !!seq [], !!map {}]",
	      "1 [\"1\",7,true,null,1.5,[],{}]\n");
	check("a: !!int x", "1!line 1: 'x' is no !!int\n");
	check("a: !!binary aGk=", "1!line 1: the tag tag:yaml.org,2002:binary is not supported\n");
	check("a: !x {}", "1!line 1: the tag !x is not supported\n");
	check("!!int 1: a", "1!line 1: the key 1 is not a string: quote it\n");
	check("a: !!set {b}", "1!line 1: the tag tag:yaml.org,2002:set is not supported\n");
}

static void next__several_documents__numbered_and_empty_ones_passed_over(void **state)
{
	(void)state;
	check("", "");
	check("# nothing\n", "");
	check("---\n---\n# c\n---\na: 1\n...\n---\nb: 2\n--- {c: 3}\n",
	      "3 {\"a\":1}\n4 {\"b\":2}\n5 {\"c\":3}\n");
	check("%YAML 1.2\n---\na: 1\n", "1 {\"a\":1}\n");
	check("\xef\xbb\xbf"
	      "a: 1\r\n---\r\nb: 2\r\n",
	      "1 {\"a\":1}\n2 {\"b\":2}\n");
	check("{\"a\":{\"b\":[1,\t2]}}\n", "1 {\"a\":{\"b\":[1,2]}}\n");
}

static void next__refused_document__the_next_is_read(void **state)
{
	(void)state;
	check("a: 1\na: 2\n---\nb: yes\nc: [1, 2]\n---\nd: 3\n",
	      "1!line 2: duplicate key 'a', first in line 1\n"
	      "2!line 4: yes is a boolean to some readers of YAML and text to others: write true or "
	      "false, or quote it\n3 {\"d\":3}\n");
	/* refused without a separator line of its own behind it */
	check("a: 1\na: 2\n--- {b: 1}\n",
	      "1!line 2: duplicate key 'a', first in line 1\n2 {\"b\":1}\n");
	/* refused, then a syntax error further down in the same document */
	check("a: *x\nb: [\n---\nc: 1\n",
	      "1!line 1: aliases are not supported: write the value out\n2 {\"c\":1}\n");
}

static void next__syntax_error__goes_on_behind_the_next_separator(void **state)
{
	(void)state;
	check("a: 1\n---\nb: [1\n---\nc: 3\n",
	      "1 {\"a\":1}\n2!line 4: did not find expected ',' or ']' (while parsing a flow sequence "
	      "that began in line 3)\n3 {\"c\":3}\n");
	check("a: \"x\n---\nc: 3\n",
	      "1!line 2: found unexpected document indicator (while scanning a quoted scalar that "
	      "began in line 1)\n2 {\"c\":3}\n");
	check("@\n--- # not a separator line\n@\n---\t \r\nc: 3\n",
	      "1!line 1: found character that cannot start any token (while scanning for the next "
	      "token that began in line 1)\n2 {\"c\":3}\n");
	check("@", "1!line 1: found character that cannot start any token (while scanning for the "
		   "next token that began in line 1)\n");
	check("a: b: c\n---\n  - x\n - y\n---\nc: 3\n",
	      "1!line 1: mapping values are not allowed in this context\n"
	      "2!line 4: this does not belong to the lines before it: check the indentation\n"
	      "3 {\"c\":3}\n");
	check("a: 1\n...\nb: 2\n---\nc: 3\n",
	      "1 {\"a\":1}\n2!line 3: did not find expected <document start>\n3 {\"c\":3}\n");
}

static void next__invalid_bytes__spoil_their_own_document_only(void **state)
{
	static const char nul[] = "a: 1\n---\nb: x\0y\n---\nc: 3\n";
	bh_autofree char *got = NULL;

	(void)state;
	check("a: \xc3\xa9\n---\nb: \xff\n---\nc: 3\n",
	      "1 {\"a\":\"\xc3\xa9\"}\n2!line 3: invalid leading UTF-8 octet\n3 {\"c\":3}\n");
	check("\xff\xfe"
	      "a\n",
	      "1!line 1: invalid leading UTF-8 octet\n");
	check("a: \xed\xa0\x80\n", "1!line 1: invalid Unicode character\n");
	check("a: \x01\n", "1!line 1: control characters are not allowed\n");
	check("a: \"x\\0y\"\n", "1!line 1: NUL in a string\n");
	check("\"x\\0\": 1\n", "1!line 1: NUL in a string\n");
	got = read_all_n(nul, sizeof(nul) - 1);
	assert_string_equal(got, "1 {\"a\":1}\n2!line 3: control characters are not allowed\n"
				 "3 {\"c\":3}\n");
}

static void next__half_a_document__refused(void **state)
{
	(void)state;
	check("  a: 1\n b: 2\n", "1!line 2: this does not belong to the lines before it: check the "
				 "indentation\n");
	check("[a]\n]\n", "1!line 2: this does not belong to the lines before it: check the "
			  "indentation\n");
	check("\xc3\xa9: 1\n# c\n# \xf0\x9f\x98\x80\n", "1 {\"\xc3\xa9\":1}\n");
	check("\"x\"\n---\n'y' # c", "1 \"x\"\n2 \"y\"\n");
	check("a: 1\n%YAML 1.2\n---\nb: 2\n",
	      "1!line 2: this does not belong to the lines before it: check the indentation\n"
	      "2 {\"b\":2}\n");
}

static void next__alias_bomb__refused_at_once(void **state)
{
	(void)state;
	check("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
	      "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n---\nok: true\n",
	      "1!line 2: aliases are not supported: write the value out\n2 {\"ok\":true}\n");
}

static void next__deep_nesting__e2big(void **state)
{
	bh_autofree char *flow = repeat("[", 10000), *maps = repeat("{a: ", 10000);
	bh_autofree char *block = repeat("- ", 10000), *ok = repeat("[", 2 * BH_JSON_MAX_DEPTH);
	bh_autofree char *got1 = read_all_n(flow, strlen(flow));
	bh_autofree char *got2 = read_all_n(maps, strlen(maps));
	bh_autofree char *got3 = read_all_n(block, strlen(block));
	bh_autofree char *got4 = NULL;

	(void)state;
	assert_string_equal(got1, "1!E2BIG line 1: nested too deeply\n");
	assert_string_equal(got2, "1!E2BIG line 1: nested too deeply\n");
	assert_string_equal(got3, "1!E2BIG line 1: nested too deeply\n");
	memset(ok + BH_JSON_MAX_DEPTH, ']', BH_JSON_MAX_DEPTH);
	got4 = read_all_n(ok, strlen(ok));
	assert_memory_equal(got4, "1 [[[", 5);
	/* below a refused value as well, where nothing is built any more */
	memcpy(maps, "- *x\n- ", 7);
	free(got4);
	memset(flow, ' ', 8);
	memcpy(flow, "[*a, ", 5);
	got4 = read_all_n(flow, strlen(flow));
	assert_string_equal(got4, "1!line 1: aliases are not supported: write the value out\n");
}

static void next__too_many_values__e2big_and_next_document_read(void **state)
{
	bh_autofree char *text = repeat("- 1\n", BH_JSON_MAX_NODES + 2);
	bh_autofree char *got = NULL;
	const size_t len = strlen(text);

	(void)state;
	memcpy(text + len - 8, "---\nab\n", 7);
	got = read_all_n(text, len - 1);
	assert_string_equal(got,
			    "1!E2BIG line 200000: too many values in one document\n2 \"ab\"\n");
}

static void next__too_many_documents__e2big_then_end(void **state)
{
	bh_autofree char *text = repeat("---\n@\n", BH_YAML_MAX_DOCS + 10);
	bh_auto(bh_yaml_freep) struct bh_yaml *y = NULL;
	struct bh_json *j = NULL;
	struct bh_err err = { 0 };

	(void)state;
	assert_int_equal(bh_yaml_new(text, strlen(text), &y), 0);
	for (int i = 0; i < BH_YAML_MAX_DOCS; i++)
		assert_int_equal(bh_yaml_next(y, &j, NULL), -EINVAL);
	assert_int_equal(bh_yaml_next(y, &j, &err), -E2BIG);
	assert_string_equal(err.msg, "more than 4096 documents");
	assert_int_equal(bh_yaml_next(y, &j, NULL), 0);
}

/* Every prefix of a stream ends, whatever it gives, and nothing is read behind it. */
static void next__truncated_anywhere__ends(void **state)
{
	static const char text[] =
		"a: [1, {b: \"x\\u00e9\xc3\xa9\"}]\n---\nc: |\n  t\n--- !!str 'q'\n";

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		bh_autofree char *exact = malloc(n ? n : 1);
		bh_autofree char *got = NULL;

		assert_non_null(exact);
		memcpy(exact, text, n);
		got = read_all_n(exact, n);
		assert_true(strlen(got) < 512);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(next__core_schema__typed_as_in_yaml_1_2),
		cmocka_unit_test(next__leading_zero__octal_as_kubectl_reads_it),
		cmocka_unit_test(next__quoted_or_block__always_a_string),
		cmocka_unit_test(next__yaml_1_1_meaning_differs__refused),
		cmocka_unit_test(next__keys__strings_only_and_once),
		cmocka_unit_test(next__tags__core_ones_only),
		cmocka_unit_test(next__several_documents__numbered_and_empty_ones_passed_over),
		cmocka_unit_test(next__refused_document__the_next_is_read),
		cmocka_unit_test(next__syntax_error__goes_on_behind_the_next_separator),
		cmocka_unit_test(next__invalid_bytes__spoil_their_own_document_only),
		cmocka_unit_test(next__half_a_document__refused),
		cmocka_unit_test(next__alias_bomb__refused_at_once),
		cmocka_unit_test(next__deep_nesting__e2big),
		cmocka_unit_test(next__too_many_values__e2big_and_next_document_read),
		cmocka_unit_test(next__too_many_documents__e2big_then_end),
		cmocka_unit_test(next__truncated_anywhere__ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
