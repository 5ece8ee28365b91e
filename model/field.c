/* SPDX-License-Identifier: Apache-2.0 */
#include "model/field.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/json.h"

/* Deeper paths than any that our decoders walk; a message shows the innermost part. */
#define PATH_MAX_DEPTH 16
#define SHOWN_STR_BYTES 80

struct bh_field bh_field_root(const struct bh_json *doc)
{
	return (struct bh_field){ .v = doc };
}

struct bh_field bh_field_at(const struct bh_field *up, const char *key)
{
	return (struct bh_field){ .up = up, .key = key, .v = bh_json_get(up->v, key) };
}

struct bh_field bh_field_elem(const struct bh_field *up, size_t index, const struct bh_json *v)
{
	return (struct bh_field){ .up = up, .index = index, .v = v };
}

bool bh_field_present(const struct bh_field *f)
{
	return f->v != NULL;
}

bool bh_field_given(const struct bh_field *f)
{
	return bh_json_type(f->v) != BH_JSON_NULL;
}

static void add_path(struct bh_buf *b, const struct bh_field *f)
{
	const struct bh_field *steps[PATH_MAX_DEPTH];
	size_t n = 0;

	for (; f && f->up && n < PATH_MAX_DEPTH; f = f->up)
		steps[n++] = f;
	if (!n)
		bh_buf_str(b, "document");
	for (size_t i = n; i-- > 0;) {
		if (!steps[i]->key)
			bh_buf_printf(b, "[%zu]", steps[i]->index);
		else
			bh_buf_printf(b, "%s%.*s", i + 1 < n ? "." : "", SHOWN_STR_BYTES,
				      steps[i]->key);
	}
}

int bh_field_err(const struct bh_field *f, struct bh_err *err, const char *fmt, ...)
{
	bh_autobuf path = BH_BUF_INIT;
	char msg[BH_ERR_MSG_LEN];
	va_list ap;

	if (!err)
		return -EINVAL;
	va_start(ap, fmt);
	(void)vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	add_path(&path, f);
	return bh_err_set(err, EINVAL, "%s: %s", path.data ? path.data : "", msg);
}

int bh_field_unexpected(const struct bh_field *f, const char *expected, struct bh_err *err)
{
	if (!f->v)
		(void)bh_field_err(f, err, "missing, expected %s", expected);
	else if (bh_json_type(f->v) == BH_JSON_STRING)
		(void)bh_field_err(f, err, "'%.*s', expected %s", SHOWN_STR_BYTES,
				   bh_json_str(f->v), expected);
	else if (bh_json_type(f->v) == BH_JSON_NUMBER)
		(void)bh_field_err(f, err, "%.15g, expected %s", bh_json_num(f->v), expected);
	else if (bh_json_type(f->v) == BH_JSON_BOOL)
		(void)bh_field_err(f, err, "%s, expected %s",
				   bh_json_is_true(f->v) ? "true" : "false", expected);
	else
		(void)bh_field_err(f, err, "%s, expected %s", bh_json_type_name(f->v), expected);
	return -EINVAL;
}

int bh_field_object(const struct bh_field *f, struct bh_err *err)
{
	if (bh_json_type(f->v) != BH_JSON_OBJECT)
		return bh_field_unexpected(f, "an object", err);
	return 0;
}

static void list_words(const char *const *words, size_t n, char *buf, size_t cap)
{
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < n && len < cap; i++)
		len += (size_t)snprintf(buf + len, cap - len, "%s%s", i ? ", " : "", words[i]);
}

int bh_field_only(const struct bh_field *f, const char *const *keys, size_t n, struct bh_err *err)
{
	const int r = bh_field_object(f, err);

	if (r < 0)
		return r;
	bh_json_for_each(member, f->v) {
		const char *key = bh_json_key(member);
		struct bh_field child = { .up = f, .key = key, .v = member };
		char known[BH_ERR_MSG_LEN / 2];
		size_t i = 0;

		while (i < n && strcmp(keys[i], key) != 0)
			i++;
		if (i < n)
			continue;
		list_words(keys, n, known, sizeof(known));
		return bh_field_err(&child, err, "unknown field, expected one of %s", known);
	}
	return 0;
}

int bh_field_array(const struct bh_field *f, size_t max, struct bh_err *err)
{
	if (bh_json_type(f->v) != BH_JSON_ARRAY)
		return bh_field_unexpected(f, "an array", err);
	if (bh_json_len(f->v) > max)
		return bh_field_err(f, err, "%zu elements, expected at most %zu", bh_json_len(f->v),
				    max);
	return 0;
}

int bh_field_bool(const struct bh_field *f, bool *ret_v, struct bh_err *err)
{
	if (bh_json_type(f->v) != BH_JSON_BOOL)
		return bh_field_unexpected(f, "true or false", err);
	*ret_v = bh_json_is_true(f->v);
	return 0;
}

int bh_field_int(const struct bh_field *f, int64_t min, int64_t max, int64_t *ret_v,
		 struct bh_err *err)
{
	char range[64];

	if (bh_json_int(f->v, min, max, ret_v) == 0)
		return 0;
	(void)snprintf(range, sizeof(range), "%" PRId64 "..%" PRId64, min, max);
	return bh_field_unexpected(f, range, err);
}

int bh_field_enum(const struct bh_field *f, const char *const *names, size_t n, unsigned int *ret_v,
		  struct bh_err *err)
{
	const char *s = bh_json_str(f->v);
	char expected[128], words[120];

	for (size_t i = 0; s && i < n; i++) {
		if (strcmp(s, names[i]) != 0)
			continue;
		*ret_v = (unsigned int)i;
		return 0;
	}
	list_words(names, n, words, sizeof(words));
	(void)snprintf(expected, sizeof(expected), "%s%s", n > 1 ? "one of " : "", words);
	return bh_field_unexpected(f, expected, err);
}

int bh_field_str(const struct bh_field *f, const struct bh_field_rule *rule, const char **ret_s,
		 struct bh_err *err)
{
	const char *s = bh_json_str(f->v);

	if (!s || (rule->is && !rule->is(s)))
		return bh_field_unexpected(f, rule->what, err);
	*ret_s = s;
	return 0;
}

int bh_field_dup(const struct bh_field *f, const struct bh_field_rule *rule, char **ret_s,
		 struct bh_err *err)
{
	const char *s;
	char *copy;
	int r;

	r = bh_field_str(f, rule, &s, err);
	if (r < 0)
		return r;
	copy = strdup(s);
	if (!copy)
		return -ENOMEM;
	*ret_s = copy;
	return 0;
}

static int cmp_str(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int bh_field_strv(const struct bh_field *f, size_t max, const struct bh_field_rule *rule,
		  struct bh_strv *ret_strv, struct bh_err *err)
{
	bh_auto(bh_strv_done) struct bh_strv s = { 0 };
	int r;

	r = bh_field_array(f, max, err);
	if (r < 0)
		return r;
	s.v = calloc(bh_json_len(f->v) + 1, sizeof(*s.v));
	if (!s.v)
		return -ENOMEM;
	bh_json_for_each(el, f->v) {
		const struct bh_field child = bh_field_elem(f, s.n, el);

		r = bh_field_dup(&child, rule, &s.v[s.n], err);
		if (r < 0)
			return r;
		s.n++;
	}
	qsort(s.v, s.n, sizeof(*s.v), cmp_str);
	for (size_t i = 1; i < s.n; i++)
		if (strcmp(s.v[i - 1], s.v[i]) == 0)
			return bh_field_err(f, err, "'%.*s' is listed twice", SHOWN_STR_BYTES,
					    s.v[i]);
	*ret_strv = BH_TAKE(s, (struct bh_strv){ 0 });
	return 0;
}

void bh_strv_done(struct bh_strv *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
	*s = (struct bh_strv){ 0 };
}
