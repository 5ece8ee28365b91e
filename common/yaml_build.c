/* SPDX-License-Identifier: Apache-2.0 */
#include "common/yaml_build.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/yaml_plain.h"

#define TAG_PREFIX "tag:yaml.org,2002:"

struct key_line {
	const char *key;
	uint32_t line;
};

static struct bh_yaml_frame *top(struct bh_yaml_build *b)
{
	return b->depth ? &b->frames[b->depth - 1] : NULL;
}

static void frame_done(struct bh_yaml_frame *f)
{
	f->value = bh_json_free(f->value);
	free(f->key);
	free(f->lines);
	memset(f, 0, sizeof(*f));
}

void bh_yaml_build_done(struct bh_yaml_build *b)
{
	while (b->depth)
		frame_done(&b->frames[--b->depth]);
	b->root = bh_json_free(b->root);
}

static bool wants_key(const struct bh_yaml_frame *f)
{
	return f && bh_json_type(f->value) == BH_JSON_OBJECT && !f->key;
}

/* Takes @v over in every case. */
static void attach(struct bh_yaml_build *b, struct bh_json *v)
{
	struct bh_yaml_frame *f = top(b);

	if (!f) {
		b->root = v;
	} else if (f->key) {
		bh_json_add(f->value, f->key, v);
		free(BH_TAKE_PTR(f->key));
	} else {
		bh_json_append(f->value, v);
	}
}

static int count_node(struct bh_yaml_build *b, uint32_t line)
{
	if (b->nodes++ == BH_JSON_MAX_NODES)
		return bh_err_set(b->err, E2BIG, "line %u: too many values in one document", line);
	return 0;
}

static int add_key(struct bh_yaml_build *b, const struct bh_yaml_scalar *s)
{
	struct bh_yaml_frame *f = top(b);

	if (s->plain && !strcmp(s->text, "<<"))
		return bh_err_set(b->err, EINVAL,
				  "line %u: merge keys are not supported: write the members out",
				  s->line);
	if (s->tag ? strcmp(s->tag, TAG_PREFIX "str") != 0
		   : s->plain && !bh_yaml_plain_is_string(s->text))
		return bh_err_set(b->err, EINVAL,
				  "line %u: the key %.64s is not a string: quote it", s->line,
				  *s->text ? s->text : "(empty)");
	if (f->n_lines == f->cap_lines) {
		const size_t cap = f->cap_lines ? 2 * f->cap_lines : 8;
		uint32_t *lines = reallocarray(f->lines, cap, sizeof(*lines));

		if (!lines)
			return -ENOMEM;
		f->lines = lines;
		f->cap_lines = cap;
	}
	f->key = strdup(s->text);
	if (!f->key)
		return -ENOMEM;
	f->lines[f->n_lines++] = s->line;
	return 0;
}

/* A value whose tag says what it is to be. */
static int tagged_value(const struct bh_yaml_scalar *s, struct bh_json **ret_json,
			struct bh_err *err)
{
	static const struct {
		const char *tag;
		enum bh_json_type type;
	} tags[] = {
		{ TAG_PREFIX "null", BH_JSON_NULL },
		{ TAG_PREFIX "bool", BH_JSON_BOOL },
		{ TAG_PREFIX "int", BH_JSON_NUMBER },
		{ TAG_PREFIX "float", BH_JSON_NUMBER },
	};

	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		bh_auto(bh_json_freep) struct bh_json *j = NULL;
		int r;

		if (strcmp(s->tag, tags[i].tag) != 0)
			continue;
		r = bh_yaml_plain_value(s->text, &j, err);
		if (r < 0)
			return r;
		if (bh_json_type(j) != tags[i].type)
			return bh_err_set(err, EINVAL, "'%.64s' is no !!%s", s->text,
					  s->tag + strlen(TAG_PREFIX));
		*ret_json = BH_TAKE_PTR(j);
		return 0;
	}
	return bh_err_set(err, EINVAL, "the tag %.64s is not supported", s->tag);
}

int bh_yaml_build_scalar(struct bh_yaml_build *b, const struct bh_yaml_scalar *s)
{
	struct bh_json *j = NULL;
	struct bh_err err = { 0 };
	int r;

	if (memchr(s->text, '\0', s->len))
		return bh_err_set(b->err, EINVAL, "line %u: NUL in a string", s->line);
	if (wants_key(top(b)))
		return add_key(b, s);
	r = count_node(b, s->line);
	if (r < 0)
		return r;
	if (s->tag && strcmp(s->tag, TAG_PREFIX "str") != 0) {
		r = tagged_value(s, &j, &err);
	} else if (!s->tag && s->plain) {
		r = bh_yaml_plain_value(s->text, &j, &err);
	} else {
		j = bh_json_new_str(s->text);
		r = j ? 0 : -ENOMEM;
	}
	if (r < 0)
		return bh_err_set(b->err, r, "line %u: %s", s->line, err.msg);
	attach(b, j);
	return 0;
}

int bh_yaml_build_open(struct bh_yaml_build *b, enum bh_json_type type, const char *tag,
		       uint32_t line)
{
	const bool map = type == BH_JSON_OBJECT;
	struct bh_json *v;
	int r;

	if (wants_key(top(b)))
		return bh_err_set(b->err, EINVAL, "line %u: a %s cannot be a key", line,
				  map ? "mapping" : "list");
	if (tag && strcmp(tag, map ? TAG_PREFIX "map" : TAG_PREFIX "seq") != 0)
		return bh_err_set(b->err, EINVAL, "line %u: the tag %.64s is not supported", line,
				  tag);
	if (b->depth == BH_JSON_MAX_DEPTH)
		return bh_err_set(b->err, E2BIG, "line %u: nested too deeply", line);
	r = count_node(b, line);
	if (r < 0)
		return r;
	v = map ? bh_json_new_object() : bh_json_new_array();
	if (!v)
		return -ENOMEM;
	b->frames[b->depth++] = (struct bh_yaml_frame){ .value = v };
	return 0;
}

static int cmp_key_line(const void *a, const void *b)
{
	const struct key_line *ka = a, *kb = b;
	const int r = strcmp(ka->key, kb->key);

	return r ? r : (ka->line > kb->line) - (ka->line < kb->line);
}

static int check_keys(const struct bh_yaml_build *b, const struct bh_yaml_frame *f)
{
	bh_autofree struct key_line *keys = NULL;
	size_t n = 0;

	if (f->n_lines < 2)
		return 0;
	keys = calloc(f->n_lines, sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	bh_json_for_each(it, f->value) {
		assert(n < f->n_lines);
		keys[n] = (struct key_line){ bh_json_key(it), f->lines[n] };
		n++;
	}
	qsort(keys, n, sizeof(*keys), cmp_key_line);
	for (size_t i = 1; i < n; i++) {
		if (!strcmp(keys[i - 1].key, keys[i].key))
			return bh_err_set(b->err, EINVAL,
					  "line %u: duplicate key '%.80s', first in line %u",
					  keys[i].line, keys[i].key, keys[i - 1].line);
	}
	return 0;
}

int bh_yaml_build_close(struct bh_yaml_build *b)
{
	struct bh_yaml_frame *f = top(b);
	struct bh_json *v;
	int r;

	assert(f);
	r = check_keys(b, f);
	if (r < 0)
		return r;
	v = BH_TAKE_PTR(f->value);
	frame_done(f);
	b->depth--;
	attach(b, v);
	return 0;
}
