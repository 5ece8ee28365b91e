/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sources/dir_docs.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "common/err.h"
#include "common/json.h"
#include "common/yaml.h"

static bool is_list(const struct bh_json *j)
{
	const char *api = bh_json_get_str(j, "apiVersion");
	const char *kind = bh_json_get_str(j, "kind");

	return api && kind && !strcmp(api, "v1") && !strcmp(kind, "List");
}

static int refuse(unsigned int doc, long item, const char *what, bh_dir_doc_fn fn, void *ud)
{
	struct bh_err err = { 0 };

	(void)bh_err_set(&err, EINVAL, "%s", what);
	return fn(ud, &(struct bh_dir_doc){ .doc = doc, .item = item, .err = &err });
}

static int give(unsigned int doc, const struct bh_json *json, bh_dir_doc_fn fn, void *ud)
{
	const struct bh_json *items;
	long item = 0;

	if (!is_list(json))
		return fn(ud, &(struct bh_dir_doc){ .doc = doc, .item = -1, .json = json });
	items = bh_json_get(json, "items");
	if (bh_json_type(items) == BH_JSON_NULL)
		return 0; /* what Go writes for an empty list */
	if (bh_json_type(items) != BH_JSON_ARRAY)
		return refuse(doc, -1, "items: expected an array", fn, ud);
	bh_json_for_each(it, items) {
		const int r = is_list(it)
				      ? refuse(doc, item, "kind: a List inside of a List", fn, ud)
				      : fn(ud, &(struct bh_dir_doc){ doc, item, it, NULL });

		if (r < 0)
			return r;
		item++;
	}
	return 0;
}

static int json_doc(const char *text, size_t len, bh_dir_doc_fn fn, void *ud)
{
	bh_auto(bh_json_freep) struct bh_json *j = NULL;
	struct bh_err err = { 0 };
	const int r = bh_json_parse(text, len, &j, &err);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return fn(ud, &(struct bh_dir_doc){ .doc = 1, .item = -1, .err = &err });
	return give(1, j, fn, ud);
}

int bh_dir_docs(const char *name, const char *text, size_t len, bh_dir_doc_fn fn, void *ud)
{
	bh_auto(bh_yaml_freep) struct bh_yaml *y = NULL;
	const char *dot = strrchr(name, '.');
	int r;

	if (dot && !strcmp(dot, ".json"))
		return json_doc(text, len, fn, ud);
	r = bh_yaml_new(text, len, &y);
	if (r < 0)
		return r;
	for (;;) {
		bh_auto(bh_json_freep) struct bh_json *j = NULL;
		struct bh_err err = { 0 };

		r = bh_yaml_next(y, &j, &err);
		if (r == 0 || r == -ENOMEM)
			return r;
		if (r > 0)
			r = give(bh_yaml_doc(y), j, fn, ud);
		else
			r = fn(ud, &(struct bh_dir_doc){
					   .doc = bh_yaml_doc(y), .item = -1, .err = &err });
		if (r < 0)
			return r;
	}
}
