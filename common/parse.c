/* SPDX-License-Identifier: Apache-2.0 */
#include "common/parse.h"

#include <errno.h>
#include <string.h>

#define LABEL_MAX 63	  /* RFC 1123 section 2.1 */
#define SUBDOMAIN_MAX 253 /* RFC 1035 section 2.3.4, as text */
#define MILLI 1000

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_lower_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z');
}

static bool is_alnum(char c)
{
	return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* Leading digits of @s: how many, or 0 if there are none; *ret_over: the value does not fit. */
static size_t scan_digits(const char *s, uint64_t *ret_v, bool *ret_over)
{
	uint64_t v = 0;
	bool over = false;
	size_t n = 0;

	for (; is_digit(s[n]); n++)
		over = over || __builtin_mul_overflow(v, 10, &v) ||
		       __builtin_add_overflow(v, (uint64_t)(s[n] - '0'), &v);
	*ret_v = v;
	*ret_over = over;
	return n;
}

int bh_parse_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int bh_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret_v)
{
	uint64_t v;
	bool over;
	size_t n;

	if (!s)
		return -EINVAL;
	n = scan_digits(s, &v, &over);
	if (!n || s[n])
		return -EINVAL;
	if (over || v < min || v > max)
		return -ERANGE;
	*ret_v = v;
	return 0;
}

int bh_parse_bool(const char *s, bool *ret_v)
{
	const bool yes = s && strcmp(s, "true") == 0;

	if (!yes && !(s && strcmp(s, "false") == 0))
		return -EINVAL;
	*ret_v = yes;
	return 0;
}

int bh_parse_duration_ms(const char *s, uint64_t *ret_ms)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };
	uint64_t v;
	bool over;
	size_t n;

	if (!s)
		return -EINVAL;
	n = scan_digits(s, &v, &over);
	if (!n)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(s + n, units[i].name) != 0)
			continue;
		if (over || __builtin_mul_overflow(v, units[i].ms, &v))
			return -ERANGE;
		*ret_ms = v;
		return 0;
	}
	return -EINVAL;
}

/* Digits behind the point, as thousandths; finer than that is refused unless it is zeros. */
static int scan_fraction(const char *s, size_t *ret_n, uint64_t *ret_milli)
{
	uint64_t milli = 0, unit = MILLI / 10;
	size_t n = 0;

	for (; is_digit(s[n]); n++, unit /= 10) {
		if (!unit && s[n] != '0')
			return -EINVAL;
		milli += unit * (uint64_t)(s[n] - '0');
	}
	if (!n)
		return -EINVAL;
	*ret_n = n;
	*ret_milli = milli;
	return 0;
}

int bh_parse_cpu_milli(const char *s, uint64_t *ret_milli)
{
	uint64_t whole, milli = 0;
	size_t n, frac_len;
	bool over;
	int r;

	if (!s)
		return -EINVAL;
	n = scan_digits(s, &whole, &over);
	if (!n)
		return -EINVAL;
	if (strcmp(s + n, "m") == 0) {
		if (over)
			return -ERANGE;
		*ret_milli = whole;
		return 0;
	}
	if (s[n] == '.') {
		r = scan_fraction(s + n + 1, &frac_len, &milli);
		if (r < 0)
			return r;
		n += 1 + frac_len;
	}
	if (s[n])
		return -EINVAL;
	if (over || __builtin_mul_overflow(whole, MILLI, &whole) ||
	    __builtin_add_overflow(whole, milli, &whole))
		return -ERANGE;
	*ret_milli = whole;
	return 0;
}

/* One DNS label of lower-case letters, digits and inner hyphens: its length, or 0. */
static size_t dns_label_len(const char *s)
{
	size_t n = 0;

	while (is_lower_alnum(s[n]) || (n && s[n] == '-'))
		n++;
	return n && s[n - 1] != '-' ? n : 0;
}

bool bh_parse_is_label(const char *s)
{
	const size_t n = s ? dns_label_len(s) : 0;

	return n && n <= LABEL_MAX && !s[n];
}

/* As Kubernetes has it: only the whole is bounded, not each label. */
static bool is_subdomain(const char *s, size_t len)
{
	size_t at = 0;

	if (!len || len > SUBDOMAIN_MAX)
		return false;
	for (;;) {
		const size_t n = dns_label_len(s + at);

		if (!n)
			return false;
		at += n;
		if (at >= len)
			return at == len;
		if (s[at++] != '.')
			return false;
	}
}

bool bh_parse_is_subdomain(const char *s)
{
	return s && is_subdomain(s, strnlen(s, SUBDOMAIN_MAX + 1));
}

/* Letters, digits, inner '-', '_' and '.'; at most 63. */
static bool is_qualified_name(const char *s)
{
	const size_t len = strnlen(s, LABEL_MAX + 1);

	if (!len || len > LABEL_MAX || !is_alnum(s[0]) || !is_alnum(s[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(s[i]) && !strchr("-_.", s[i]))
			return false;
	return true;
}

bool bh_parse_is_label_key(const char *s)
{
	const char *slash = s ? strchr(s, '/') : NULL;

	if (!s)
		return false;
	if (!slash)
		return is_qualified_name(s);
	return is_subdomain(s, (size_t)(slash - s)) && is_qualified_name(slash + 1);
}

bool bh_parse_is_label_value(const char *s)
{
	return s && (!*s || is_qualified_name(s));
}
