/* SPDX-License-Identifier: Apache-2.0 */
#include "common/json_scan.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/json.h"
#include "common/parse.h"
#include "common/utf8.h"

struct scan {
	const char *text;
	size_t len;
	size_t pos;
	uint32_t nodes;
	uint32_t depth;
	bool in_object[BH_JSON_MAX_DEPTH]; /* for each open container */
	struct bh_err *err;
};

static int fail(const struct scan *s, int code, const char *what)
{
	uint32_t line = 1;

	for (size_t i = 0; i < s->pos && i < s->len; i++)
		line += s->text[i] == '\n';
	return bh_err_set(s->err, code, "line %u: %s", line, what);
}

/* The next byte, or -1 at the end. */
static int peek(const struct scan *s)
{
	return s->pos < s->len ? (unsigned char)s->text[s->pos] : -1;
}

static bool take(struct scan *s, char c)
{
	if (peek(s) != (unsigned char)c)
		return false;
	s->pos++;
	return true;
}

static void skip_blanks(struct scan *s)
{
	while (peek(s) == ' ' || peek(s) == '\t' || peek(s) == '\n' || peek(s) == '\r')
		s->pos++;
}

static bool skip_digits(struct scan *s)
{
	const size_t start = s->pos;

	while (peek(s) >= '0' && peek(s) <= '9')
		s->pos++;
	return s->pos > start;
}

/* Four hex digits as a number, or -1. */
static int take_hex4(struct scan *s)
{
	int v = 0;

	for (int i = 0; i < 4; i++, s->pos++) {
		const int c = peek(s), digit = c < 0 ? -1 : bh_parse_hex_digit((char)c);

		if (digit < 0)
			return -1;
		v = v * 16 + digit;
	}
	return v;
}

/* Behind a backslash. */
static int scan_escape(struct scan *s)
{
	const int c = peek(s);
	int v, low;

	if (c > 0 && strchr("\"\\/bfnrt", c)) {
		s->pos++;
		return 0;
	}
	if (!take(s, 'u'))
		return fail(s, EINVAL, "invalid escape in a string");
	v = take_hex4(s);
	if (v < 0)
		return fail(s, EINVAL, "invalid \\u escape in a string");
	if (v == 0)
		return fail(s, EINVAL, "NUL in a string");
	if (v < 0xd800 || v > 0xdfff)
		return 0;
	if (v > 0xdbff || !take(s, '\\') || !take(s, 'u'))
		return fail(s, EINVAL, "lone surrogate in a string");
	low = take_hex4(s);
	if (low < 0xdc00 || low > 0xdfff)
		return fail(s, EINVAL, "lone surrogate in a string");
	return 0;
}

/* At the opening quote. */
static int scan_string(struct scan *s)
{
	s->pos++;
	for (;;) {
		const int c = peek(s);
		size_t n;
		int r;

		if (c < 0)
			return fail(s, EINVAL, "unterminated string");
		if (c == '"') {
			s->pos++;
			return 0;
		}
		if (c == '\\') {
			s->pos++;
			r = scan_escape(s);
			if (r < 0)
				return r;
			continue;
		}
		if (c < 0x20)
			return fail(s, EINVAL,
				    c ? "control character in a string" : "NUL in a string");
		n = bh_utf8_seq(s->text + s->pos, s->len - s->pos);
		if (!n)
			return fail(s, EINVAL, "invalid UTF-8 in a string");
		s->pos += n;
	}
}

static int scan_number(struct scan *s)
{
	char num[BH_JSON_MAX_NUMBER + 1];
	const size_t start = s->pos;
	bool ok;

	(void)take(s, '-');
	ok = take(s, '0') || skip_digits(s);
	if (ok && take(s, '.'))
		ok = skip_digits(s);
	if (ok && (take(s, 'e') || take(s, 'E'))) {
		if (!take(s, '+'))
			(void)take(s, '-');
		ok = skip_digits(s);
	}
	if (!ok)
		return fail(s, EINVAL, "invalid number");
	if (s->pos - start > BH_JSON_MAX_NUMBER)
		return fail(s, EINVAL, "number with too many digits");
	memcpy(num, s->text + start, s->pos - start);
	num[s->pos - start] = '\0';
	if (!isfinite(strtod(num, NULL)))
		return fail(s, EINVAL, "number out of range");
	return 0;
}

static int scan_word(struct scan *s)
{
	static const char *const words[] = { "null", "true", "false" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const size_t n = strlen(words[i]);

		if (s->len - s->pos >= n && !memcmp(s->text + s->pos, words[i], n)) {
			s->pos += n;
			return 0;
		}
	}
	return fail(s, EINVAL,
		    s->pos < s->len ? "unexpected character, expected a value"
				    : "unexpected end, expected a value");
}

/* In an object: the key of the next member and the colon. */
static int scan_key(struct scan *s)
{
	int r;

	skip_blanks(s);
	if (peek(s) != '"')
		return fail(s, EINVAL, "expected a key in double quotes");
	r = scan_string(s);
	if (r < 0)
		return r;
	skip_blanks(s);
	if (!take(s, ':'))
		return fail(s, EINVAL, "expected ':' after a key");
	return 0;
}

/* At '{' or '['. 1: a value is to follow; 0: the container is empty and over. */
static int scan_open(struct scan *s)
{
	const bool object = peek(s) == '{';
	int r;

	s->pos++;
	if (s->depth == BH_JSON_MAX_DEPTH)
		return fail(s, E2BIG, "nested too deeply");
	skip_blanks(s);
	if (take(s, object ? '}' : ']'))
		return 0;
	s->in_object[s->depth++] = object;
	if (object) {
		r = scan_key(s);
		if (r < 0)
			return r;
	}
	return 1;
}

/* One value, or the opening of one. 1: another value is to follow at once; 0: it is complete. */
static int scan_value(struct scan *s)
{
	int c;

	skip_blanks(s);
	if (s->nodes++ == BH_JSON_MAX_NODES)
		return fail(s, E2BIG, "too many values");
	c = peek(s);
	if (c == '{' || c == '[')
		return scan_open(s);
	if (c == '"')
		return scan_string(s);
	if (c == '-' || (c >= '0' && c <= '9'))
		return scan_number(s);
	return scan_word(s);
}

/* Behind a complete value. 1: another value is to follow; 0: that was the outermost one. */
static int scan_after(struct scan *s)
{
	while (s->depth) {
		const bool object = s->in_object[s->depth - 1];
		int r;

		skip_blanks(s);
		if (take(s, ',')) {
			r = object ? scan_key(s) : 0;
			return r < 0 ? r : 1;
		}
		if (!take(s, object ? '}' : ']'))
			return fail(s, EINVAL,
				    object ? "expected ',' or '}'" : "expected ',' or ']'");
		s->depth--;
	}
	return 0;
}

int bh_json_scan(const char *text, size_t len, struct bh_err *err)
{
	struct scan s = { .text = text, .len = len, .err = err };
	int r;

	do {
		r = scan_value(&s);
		if (r == 0)
			r = scan_after(&s);
	} while (r > 0);
	if (r < 0)
		return r;
	skip_blanks(&s);
	if (s.pos < s.len)
		return fail(&s, EINVAL, "unexpected text after the value");
	return 0;
}
