/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/http/target.h"

#include <errno.h>
#include <string.h>

#include "common/err.h"
#include "common/parse.h"

/* Decode percent escapes in place. */
static int unescape(char *s, struct bh_err *err)
{
	char *out = s;

	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '%') {
			const int hi = bh_parse_hex_digit(s[1]);
			const int lo = hi < 0 ? -1 : bh_parse_hex_digit(s[2]);

			if (lo < 0)
				return bh_err_set(err, EINVAL, "request target: wrong %% escape");
			c = (unsigned char)(hi << 4 | lo);
			s += 2;
		}
		if (c < 0x20 || c == 0x7f)
			return bh_err_set(err, EINVAL, "request target: control byte");
		*out++ = (char)c;
	}
	*out = '\0';
	return 0;
}

static int add_param(struct bh_http_target *t, char *text, struct bh_err *err)
{
	char *const eq = strchr(text, '=');
	char *value = text + strlen(text);
	int r;

	if (!*text)
		return 0; /* "?", "&&" */
	if (t->n_params == BH_HTTP_MAX_PARAMS)
		return bh_err_set(err, E2BIG, "more than %d parameters", BH_HTTP_MAX_PARAMS);
	if (eq) {
		*eq = '\0';
		value = eq + 1;
	}
	r = unescape(text, err);
	if (r < 0)
		return r;
	r = unescape(value, err);
	if (r < 0)
		return r;
	if (bh_http_target_get(t, text))
		return bh_err_set(err, EINVAL, "a parameter is given twice");
	t->params[t->n_params++] = (struct bh_http_param){ .key = text, .value = value };
	return 0;
}

int bh_http_target_parse(const char *raw, struct bh_http_target *ret_target, struct bh_err *err)
{
	struct bh_http_target *const t = ret_target;
	const size_t len = strnlen(raw, BH_HTTP_MAX_TARGET + 1);
	char *query, *next;
	int r;

	if (len > BH_HTTP_MAX_TARGET)
		return bh_err_set(err, E2BIG, "request target is longer than %d bytes",
				  BH_HTTP_MAX_TARGET);
	if (raw[0] != '/')
		return bh_err_set(err, EINVAL, "request target does not begin with '/'");
	for (size_t i = 0; i < len; i++) {
		if (raw[i] <= 0x20 || raw[i] > 0x7e || raw[i] == '#')
			return bh_err_set(err, EINVAL, "request target: byte that must be escaped");
	}
	memcpy(t->text, raw, len + 1);
	t->path = t->text;
	t->n_params = 0;
	query = strchr(t->text, '?');
	if (query)
		*query++ = '\0';
	r = unescape(t->text, err);
	if (r < 0)
		return r;
	for (; query; query = next) {
		next = strchr(query, '&');
		if (next)
			*next++ = '\0';
		r = add_param(t, query, err);
		if (r < 0)
			return r;
	}
	return 0;
}

const char *bh_http_target_get(const struct bh_http_target *t, const char *key)
{
	for (size_t i = 0; i < t->n_params; i++) {
		if (!strcmp(t->params[i].key, key))
			return t->params[i].value;
	}
	return NULL;
}
