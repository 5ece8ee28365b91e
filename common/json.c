/* SPDX-License-Identifier: Apache-2.0 */
#include "common/json.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "common/err.h"
#include "common/json_scan.h"
#include "common/utf8.h"

/* In cJSON's type word, above its own bits: a child of this container could not be made. */
#define BROKEN (1 << 16)

/* Whole numbers up to here are exact in a double, and no other number is rounded to one of them. */
#define EXACT_MAX 9007199254740991.0

/* A struct bh_json is a cJSON item under another name. */
static cJSON *item(struct bh_json *j)
{
	return (cJSON *)j;
}

static const cJSON *citem(const struct bh_json *j)
{
	return (const cJSON *)j;
}

static struct bh_json *wrap(cJSON *c)
{
	return (struct bh_json *)c;
}

static int cmp_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int check_keys(const cJSON *obj, struct bh_err *err)
{
	const size_t n = (size_t)cJSON_GetArraySize(obj);
	bh_autofree const char **keys = NULL;
	size_t i = 0;

	if (n < 2)
		return 0;
	keys = calloc(n, sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	for (const cJSON *c = obj->child; c; c = c->next)
		keys[i++] = c->string;
	qsort(keys, n, sizeof(*keys), cmp_keys);
	for (i = 1; i < n; i++) {
		if (!strcmp(keys[i - 1], keys[i]))
			return bh_err_set(err, EINVAL, "duplicate key '%.80s'", keys[i]);
	}
	return 0;
}

/*
 * Make a number be written as it is. cJSON writes 15 digits, and takes a relative error of one
 * epsilon for none; where that would change the value, or would write a whole number as 9e+15, the
 * item becomes cJSON_Raw with digits of its own, its value still in valuedouble.
 */
static int keep_exact(cJSON *c)
{
	const double d = c->valuedouble;
	char text[32];

	if (!isfinite(d) || d == (double)c->valueint)
		return 0;
	if (fabs(d) <= EXACT_MAX && d == (double)(int64_t)d) {
		(void)snprintf(text, sizeof(text), "%" PRId64, (int64_t)d);
	} else {
		(void)snprintf(text, sizeof(text), "%1.15g", d);
		if (strtod(text, NULL) == d)
			return 0;
		(void)snprintf(text, sizeof(text), "%1.17g", d);
	}
	c->valuestring = strdup(text);
	if (!c->valuestring)
		return -ENOMEM;
	c->type = (c->type & ~0xff) | cJSON_Raw;
	return 0;
}

/* Recursion is bounded by BH_JSON_MAX_DEPTH: the scan came before. */
static int check_tree(cJSON *c, struct bh_err *err)
{
	int r;

	if (cJSON_IsNumber(c))
		return keep_exact(c);
	if (cJSON_IsObject(c)) {
		r = check_keys(c, err);
		if (r < 0)
			return r;
	}
	for (cJSON *child = c->child; child; child = child->next) {
		r = check_tree(child, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int bh_json_parse(const char *text, size_t len, struct bh_json **ret_json, struct bh_err *err)
{
	bh_auto(bh_json_freep) struct bh_json *j = NULL;
	int r;

	r = bh_json_scan(text, len, err);
	if (r < 0)
		return r;
	/* The scan has proven that one value and nothing else is there. */
	j = wrap(cJSON_ParseWithLengthOpts(text, len, NULL, /* require_null_terminated */ 0));
	if (!j)
		return bh_err_set(err, ENOMEM, "out of memory");
	r = check_tree(item(j), err);
	if (r == -ENOMEM)
		return bh_err_set(err, ENOMEM, "out of memory");
	if (r < 0)
		return r;
	*ret_json = BH_TAKE_PTR(j);
	return 0;
}

struct bh_json *bh_json_free(struct bh_json *j)
{
	cJSON_Delete(item(j));
	return NULL;
}

enum bh_json_type bh_json_type(const struct bh_json *j)
{
	if (!j)
		return BH_JSON_NULL;
	switch (citem(j)->type & 0xff) {
	case cJSON_False:
	case cJSON_True:
		return BH_JSON_BOOL;
	case cJSON_Number:
	case cJSON_Raw:
		return BH_JSON_NUMBER;
	case cJSON_String:
		return BH_JSON_STRING;
	case cJSON_Array:
		return BH_JSON_ARRAY;
	case cJSON_Object:
		return BH_JSON_OBJECT;
	default:
		return BH_JSON_NULL;
	}
}

const char *bh_json_type_name(const struct bh_json *j)
{
	static const char *const names[] = {
		[BH_JSON_NULL] = "null",     [BH_JSON_BOOL] = "boolean",
		[BH_JSON_NUMBER] = "number", [BH_JSON_STRING] = "string",
		[BH_JSON_ARRAY] = "array",   [BH_JSON_OBJECT] = "object",
	};

	return names[bh_json_type(j)];
}

const struct bh_json *bh_json_get(const struct bh_json *obj, const char *key)
{
	if (bh_json_type(obj) != BH_JSON_OBJECT)
		return NULL;
	return wrap(cJSON_GetObjectItemCaseSensitive(citem(obj), key));
}

size_t bh_json_len(const struct bh_json *j)
{
	return j ? (size_t)cJSON_GetArraySize(citem(j)) : 0;
}

const struct bh_json *bh_json_first(const struct bh_json *j)
{
	return j ? wrap(citem(j)->child) : NULL;
}

const struct bh_json *bh_json_next(const struct bh_json *child)
{
	return child ? wrap(citem(child)->next) : NULL;
}

const char *bh_json_key(const struct bh_json *child)
{
	return child ? citem(child)->string : NULL;
}

const char *bh_json_str(const struct bh_json *j)
{
	return bh_json_type(j) == BH_JSON_STRING ? citem(j)->valuestring : NULL;
}

bool bh_json_is_true(const struct bh_json *j)
{
	return j && cJSON_IsTrue(citem(j));
}

const char *bh_json_get_str(const struct bh_json *obj, const char *key)
{
	return bh_json_str(bh_json_get(obj, key));
}

int bh_json_int(const struct bh_json *j, int64_t min, int64_t max, int64_t *ret_v)
{
	double d;

	if (bh_json_type(j) != BH_JSON_NUMBER)
		return -EINVAL;
	d = citem(j)->valuedouble;
	if (fabs(d) > EXACT_MAX)
		return -ERANGE; /* such a double has no fraction */
	if (d != (double)(int64_t)d)
		return -EINVAL;
	if ((int64_t)d < min || (int64_t)d > max)
		return -ERANGE;
	*ret_v = (int64_t)d;
	return 0;
}

double bh_json_num(const struct bh_json *j)
{
	return bh_json_type(j) == BH_JSON_NUMBER ? citem(j)->valuedouble : 0;
}

/* @s with U+FFFD for every byte that is no UTF-8, to be freed; or NULL. */
static char *sanitize(const char *s)
{
	const size_t len = strlen(s);
	size_t bad = 0, o = 0, n;
	char *out;

	for (size_t i = 0; i < len; i += n ? n : 1) {
		n = bh_utf8_seq(s + i, len - i);
		bad += !n;
	}
	out = malloc(len + 2 * bad + 1);
	if (!out)
		return NULL;
	for (size_t i = 0; i < len; i += n ? n : 1) {
		n = bh_utf8_seq(s + i, len - i);
		memcpy(out + o, n ? s + i : "\xef\xbf\xbd", n ? n : 3);
		o += n ? n : 3;
	}
	out[o] = '\0';
	return out;
}

struct bh_json *bh_json_new_object(void)
{
	return wrap(cJSON_CreateObject());
}

struct bh_json *bh_json_new_array(void)
{
	return wrap(cJSON_CreateArray());
}

struct bh_json *bh_json_new_str(const char *s)
{
	bh_autofree char *clean = NULL;

	if (!s)
		return bh_json_new_null();
	clean = sanitize(s);
	return clean ? wrap(cJSON_CreateString(clean)) : NULL;
}

struct bh_json *bh_json_new_int(int64_t v)
{
	char text[32];

	if (v >= -(int64_t)EXACT_MAX && v <= (int64_t)EXACT_MAX)
		return bh_json_new_num((double)v);
	(void)snprintf(text, sizeof(text), "%" PRId64, v);
	return wrap(cJSON_CreateString(text));
}

struct bh_json *bh_json_new_num(double v)
{
	cJSON *c = cJSON_CreateNumber(v);

	if (c && keep_exact(c) < 0) {
		cJSON_Delete(c);
		return NULL;
	}
	return wrap(c);
}

struct bh_json *bh_json_new_bool(bool v)
{
	return wrap(cJSON_CreateBool(v));
}

struct bh_json *bh_json_new_null(void)
{
	return wrap(cJSON_CreateNull());
}

static void add_clean(struct bh_json *obj, const char *clean, struct bh_json *v)
{
	bh_auto(bh_json_freep) struct bh_json *owned = v;

	if (!obj)
		return;
	assert(bh_json_type(obj) == BH_JSON_OBJECT);
	if (owned && clean && cJSON_AddItemToObject(item(obj), clean, item(owned)))
		(void)BH_TAKE_PTR(owned);
	else
		item(obj)->type |= BROKEN;
}

void bh_json_add(struct bh_json *obj, const char *key, struct bh_json *v)
{
	bh_autofree char *clean = sanitize(key);

	add_clean(obj, clean, v);
}

void bh_json_set(struct bh_json *obj, const char *key, struct bh_json *v)
{
	bh_autofree char *clean = sanitize(key);

	if (obj && clean)
		cJSON_DeleteItemFromObjectCaseSensitive(item(obj), clean);
	add_clean(obj, clean, v);
}

void bh_json_append(struct bh_json *arr, struct bh_json *v)
{
	bh_auto(bh_json_freep) struct bh_json *owned = v;

	if (!arr)
		return;
	assert(bh_json_type(arr) == BH_JSON_ARRAY);
	if (owned && cJSON_AddItemToArray(item(arr), item(owned)))
		(void)BH_TAKE_PTR(owned);
	else
		item(arr)->type |= BROKEN;
}

void bh_json_set_str(struct bh_json *obj, const char *key, const char *s)
{
	bh_json_set(obj, key, bh_json_new_str(s));
}

void bh_json_set_int(struct bh_json *obj, const char *key, int64_t v)
{
	bh_json_set(obj, key, bh_json_new_int(v));
}

void bh_json_set_num(struct bh_json *obj, const char *key, double v)
{
	bh_json_set(obj, key, bh_json_new_num(v));
}

void bh_json_set_bool(struct bh_json *obj, const char *key, bool v)
{
	bh_json_set(obj, key, bh_json_new_bool(v));
}

static bool is_broken(const cJSON *c)
{
	if (c->type & BROKEN)
		return true;
	for (c = c->child; c; c = c->next) {
		if (is_broken(c))
			return true;
	}
	return false;
}

int bh_json_error(const struct bh_json *j)
{
	return !j || is_broken(citem(j)) ? -ENOMEM : 0;
}

int bh_json_encode(const struct bh_json *j, bool pretty, char **ret_text)
{
	char *text;

	if (bh_json_error(j) < 0)
		return -ENOMEM;
	text = pretty ? cJSON_Print(citem(j)) : cJSON_PrintUnformatted(citem(j));
	if (!text)
		return -ENOMEM;
	*ret_text = text;
	return 0;
}

struct bh_json *bh_json_dup(const struct bh_json *j)
{
	return j ? wrap(cJSON_Duplicate(citem(j), /* recurse */ 1)) : NULL;
}
