/* SPDX-License-Identifier: Apache-2.0 */
#include "common/yaml_plain.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/json.h"
#include "common/json_scan.h"

enum kind {
	KIND_STRING,
	KIND_NULL,
	KIND_TRUE,
	KIND_FALSE,
	KIND_DECIMAL, /* what strtod() reads, whole or not */
	KIND_BASED,   /* 0x1f, 0o17, and file modes as everybody writes them: 0644 */
	/* from here on refused */
	KIND_11_BOOL,  /* a boolean in YAML 1.1, a string in 1.2 */
	KIND_11_OCTAL, /* 08, -012: octal, wrong or decimal, as the reader likes */
	KIND_11_INT,   /* a number in YAML 1.1, a string in 1.2 */
	KIND_NOT_FINITE,
};

static const struct {
	const char *text;
	enum kind kind;
} words[] = {
	{ "", KIND_NULL },	 { "~", KIND_NULL },	  { "null", KIND_NULL },
	{ "Null", KIND_NULL },	 { "NULL", KIND_NULL },	  { "true", KIND_TRUE },
	{ "True", KIND_TRUE },	 { "TRUE", KIND_TRUE },	  { "false", KIND_FALSE },
	{ "False", KIND_FALSE }, { "FALSE", KIND_FALSE }, { "y", KIND_11_BOOL },
	{ "Y", KIND_11_BOOL },	 { "yes", KIND_11_BOOL }, { "Yes", KIND_11_BOOL },
	{ "YES", KIND_11_BOOL }, { "on", KIND_11_BOOL },  { "On", KIND_11_BOOL },
	{ "ON", KIND_11_BOOL },	 { "n", KIND_11_BOOL },	  { "N", KIND_11_BOOL },
	{ "no", KIND_11_BOOL },	 { "No", KIND_11_BOOL },  { "NO", KIND_11_BOOL },
	{ "off", KIND_11_BOOL }, { "Off", KIND_11_BOOL }, { "OFF", KIND_11_BOOL },
};

static bool all_of(const char *s, const char *set)
{
	return *s && !s[strspn(s, set)];
}

/* .inf and .nan in the spellings of the core schema. @s is behind the sign. */
static bool is_not_finite(const char *s, bool has_sign)
{
	if (!strcmp(s, ".inf") || !strcmp(s, ".Inf") || !strcmp(s, ".INF"))
		return true;
	return !has_sign && (!strcmp(s, ".nan") || !strcmp(s, ".NaN") || !strcmp(s, ".NAN"));
}

/* ( "." digits | digits [ "." [digits] ] ) [ e [sign] digits ]; @s is behind the sign. */
static bool is_decimal(const char *s)
{
	const size_t whole = strspn(s, "0123456789");
	size_t part = 0;

	s += whole;
	if (*s == '.') {
		part = strspn(++s, "0123456789");
		s += part;
	}
	if (!whole && !part)
		return false;
	if (*s == 'e' || *s == 'E') {
		s++;
		s += *s == '+' || *s == '-';
		return all_of(s, "0123456789");
	}
	return !*s;
}

static enum kind classify_number(const char *s)
{
	const bool has_sign = *s == '+' || *s == '-';
	const char *u = s + has_sign;

	if (is_not_finite(u, has_sign))
		return KIND_NOT_FINITE;
	if (u[0] == '0' && u[1] == 'x' && all_of(u + 2, "0123456789abcdefABCDEF"))
		return has_sign ? KIND_11_INT : KIND_BASED;
	if (u[0] == '0' && u[1] == 'o' && all_of(u + 2, "01234567"))
		return has_sign ? KIND_11_INT : KIND_BASED;
	if (u[0] == '0' && u[1] == 'b' && all_of(u + 2, "01"))
		return KIND_11_INT;
	if (!has_sign && u[0] == '0' && all_of(u + 1, "01234567"))
		return KIND_BASED;
	if (u[0] == '0' && u[1] && all_of(u, "0123456789"))
		return KIND_11_OCTAL;
	return is_decimal(u) ? KIND_DECIMAL : KIND_STRING;
}

static enum kind classify(const char *s)
{
	char bare[BH_JSON_MAX_NUMBER + 1];
	size_t n = 0;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!strcmp(s, words[i].text))
			return words[i].kind;
	}
	if (!isdigit((unsigned char)*s) && !strchr("+-.", *s))
		return KIND_STRING;
	if (!strchr(s, '_'))
		return classify_number(s);
	/* YAML 1.1 ignores underscores in numbers; a text too long for a number is none. */
	for (; *s && n < sizeof(bare) - 1; s++) {
		if (*s != '_')
			bare[n++] = *s;
	}
	bare[n] = '\0';
	return *s || classify_number(bare) == KIND_STRING ? KIND_STRING : KIND_11_INT;
}

bool bh_yaml_plain_is_string(const char *s)
{
	return classify(s) == KIND_STRING;
}

static int number_value(const char *s, enum kind kind, struct bh_json **ret_json,
			struct bh_err *err)
{
	struct bh_json *j;
	double d;

	if (strlen(s) > BH_JSON_MAX_NUMBER)
		return bh_err_set(err, EINVAL,
				  "number with too many digits; quote it if it is text");
	if (kind == KIND_BASED) {
		errno = 0;
		d = (double)strtoull(isdigit((unsigned char)s[1]) ? s + 1 : s + 2, NULL,
				     s[1] == 'x' ? 16 : 8);
		if (errno)
			return bh_err_set(err, EINVAL, "'%s' is out of range", s);
	} else {
		d = strtod(s, NULL);
	}
	if (!isfinite(d))
		return bh_err_set(err, EINVAL, "'%s' is out of range; quote it if it is text", s);
	j = bh_json_new_num(d);
	if (!j)
		return bh_err_set(err, ENOMEM, "out of memory");
	*ret_json = j;
	return 0;
}

static int refuse(const char *s, enum kind kind, struct bh_err *err)
{
	if (kind == KIND_11_BOOL)
		return bh_err_set(err, EINVAL,
				  "%s is a boolean to some readers of YAML and text to others: "
				  "write true or false, or quote it",
				  s);
	if (kind == KIND_11_OCTAL)
		return bh_err_set(err, EINVAL,
				  "%.64s is octal to some readers of YAML and decimal to others: "
				  "write it without the leading zero, or quote it",
				  s);
	if (kind == KIND_11_INT)
		return bh_err_set(err, EINVAL,
				  "%.64s is a number to some readers of YAML and text to others: "
				  "write plain digits, or quote it",
				  s);
	return bh_err_set(err, EINVAL, "%s is not a finite number; quote it if it is text", s);
}

int bh_yaml_plain_value(const char *s, struct bh_json **ret_json, struct bh_err *err)
{
	const enum kind kind = classify(s);
	struct bh_json *j = NULL;

	switch (kind) {
	case KIND_STRING:
		j = bh_json_new_str(s);
		break;
	case KIND_NULL:
		j = bh_json_new_null();
		break;
	case KIND_TRUE:
	case KIND_FALSE:
		j = bh_json_new_bool(kind == KIND_TRUE);
		break;
	case KIND_DECIMAL:
	case KIND_BASED:
		return number_value(s, kind, ret_json, err);
	case KIND_11_BOOL:
	case KIND_11_OCTAL:
	case KIND_11_INT:
	case KIND_NOT_FINITE:
		return refuse(s, kind, err);
	}
	if (!j)
		return bh_err_set(err, ENOMEM, "out of memory");
	*ret_json = j;
	return 0;
}
