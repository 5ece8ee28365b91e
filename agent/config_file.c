/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/options.h"
#include "common/err.h"
#include "common/file.h"
#include "common/json.h"
#include "common/yaml.h"

struct reader {
	const char *name;
	bh_config_value_fn fn;
	void *ud;
	struct bh_err *err;
};

static int unknown_key(const struct reader *rd, const char *key)
{
	char known[BH_ERR_MSG_LEN / 2 + 128] = "";
	size_t n = 0;

	for (size_t i = 0; i < bh_n_options; i++) {
		const char *k = bh_options[i].key;

		if (!k || n + strlen(k) + 3 > sizeof(known))
			continue;
		if (n) {
			memcpy(known + n, ", ", 2);
			n += 2;
		}
		memcpy(known + n, k, strlen(k) + 1);
		n += strlen(k);
	}
	return bh_err_set(rd->err, EINVAL, "%.128s: unknown key '%.64s', expected one of %s",
			  rd->name, key, known);
}

static int wrong_type(const struct reader *rd, const struct bh_option *o, const struct bh_json *v,
		      const char *expected)
{
	return bh_err_set(rd->err, EINVAL, "%s: %s: a value of type %s, expected %s%s%s", rd->name,
			  o->key, bh_json_type_name(v), expected, o->expected ? ": " : "",
			  o->expected ? o->expected : "");
}

static int read_list(const struct reader *rd, size_t opt, const struct bh_json *v)
{
	const struct bh_option *o = &bh_options[opt];
	int r;

	if (bh_json_type(v) != BH_JSON_ARRAY)
		return wrong_type(rd, o, v, "a list of strings");
	if (bh_json_len(v) > BH_OPT_MAX_LIST)
		return bh_err_set(rd->err, EINVAL, "%s: %s: %zu elements, expected at most %d",
				  rd->name, o->key, bh_json_len(v), BH_OPT_MAX_LIST);
	r = rd->fn(rd->ud, opt, NULL);
	if (r < 0)
		return r;
	bh_json_for_each(e, v) {
		if (!bh_json_str(e))
			return wrong_type(rd, o, e, "a list of strings");
		r = rd->fn(rd->ud, opt, bh_json_str(e));
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_member(const struct reader *rd, size_t opt, const struct bh_json *v)
{
	const struct bh_option *o = &bh_options[opt];

	if (o->kind == BH_OPT_LIST)
		return read_list(rd, opt, v);
	if (o->kind == BH_OPT_FLAG) {
		if (bh_json_type(v) != BH_JSON_BOOL)
			return wrong_type(rd, o, v, "a boolean");
		return rd->fn(rd->ud, opt, bh_json_is_true(v) ? "true" : "false");
	}
	if (o->kind == BH_OPT_NUMBER && !bh_json_str(v)) {
		char text[24];
		int64_t n;

		if (bh_json_type(v) != BH_JSON_NUMBER || bh_json_int(v, 0, INT64_MAX, &n) < 0)
			return wrong_type(rd, o, v, "a whole number");
		(void)snprintf(text, sizeof(text), "%" PRId64, n);
		return rd->fn(rd->ud, opt, text);
	}
	if (!bh_json_str(v))
		return wrong_type(rd, o, v, "a string");
	return rd->fn(rd->ud, opt, bh_json_str(v));
}

static int read_members(const struct reader *rd, const struct bh_json *doc)
{
	if (bh_json_type(doc) != BH_JSON_OBJECT)
		return bh_err_set(rd->err, EINVAL,
				  "%s: a document of type %s, expected keys and values", rd->name,
				  bh_json_type_name(doc));
	bh_json_for_each(m, doc) {
		size_t opt = 0;
		int r;

		while (opt < bh_n_options &&
		       (!bh_options[opt].key || strcmp(bh_options[opt].key, bh_json_key(m)) != 0))
			opt++;
		if (opt == bh_n_options)
			return unknown_key(rd, bh_json_key(m));
		r = read_member(rd, opt, m);
		if (r < 0)
			return r;
	}
	return 0;
}

int bh_config_file_parse(const char *name, const char *text, size_t len, bh_config_value_fn fn,
			 void *ud, struct bh_err *err)
{
	const struct reader rd = { .name = name, .fn = fn, .ud = ud, .err = err };
	bh_auto(bh_yaml_freep) struct bh_yaml *y = NULL;
	bh_auto(bh_json_freep) struct bh_json *doc = NULL, *more = NULL;
	struct bh_err why = { 0 };
	int r;

	r = bh_yaml_new(text, len, &y);
	if (r < 0)
		return bh_err_set(err, r, "out of memory");
	r = bh_yaml_next(y, &doc, &why);
	if (r > 0) {
		r = bh_yaml_next(y, &more, &why);
		if (r > 0)
			return bh_err_set(
				err, EINVAL,
				"%s: document %u: one too many, expected a single document", name,
				bh_yaml_doc(y));
	}
	if (r < 0)
		return bh_err_set(err, r == -ENOMEM ? r : -EINVAL, "%s: %s, expected YAML", name,
				  why.msg);
	return doc ? read_members(&rd, doc) : 0;
}

int bh_config_file_read(const char *path, bh_config_value_fn fn, void *ud, struct bh_err *err)
{
	bh_autofree char *text = NULL;
	bh_autoclose int fd = -1;
	struct stat st;
	size_t len;
	int r;

	r = bh_file_open(AT_FDCWD, path, &fd, &st);
	if (r == 0)
		r = bh_file_read(fd, BH_CONFIG_FILE_MAX_BYTES, &text, &len);
	if (r == -ENOMEM)
		return bh_err_set(err, r, "out of memory");
	if (r < 0)
		return bh_err_set(err, EINVAL,
				  "--config: '%.128s': %s, expected a readable file of at most 1 MiB",
				  path, r == -EINVAL ? "no regular file" : strerrordesc_np(-r) ?: "?");
	return bh_config_file_parse(path, text, len, fn, ud, err);
}
