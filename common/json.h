/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * json - the only user of cJSON. A tree of values: strict bounded parsing, typed
 * reading, building and encoding. A pointer into a tree lives as long as its root.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cleanup.h"

struct bh_err;
struct bh_json; /* opaque; a value and all below it */

enum bh_json_type {
	BH_JSON_NULL,
	BH_JSON_BOOL,
	BH_JSON_NUMBER,
	BH_JSON_STRING,
	BH_JSON_ARRAY,
	BH_JSON_OBJECT,
};

/* What a parser may be made to build, whatever the input. */
#define BH_JSON_MAX_DEPTH 64
#define BH_JSON_MAX_NODES 200000

/*
 * Parse exactly one JSON value of @len bytes (need not end in NUL).
 * Refused with -EINVAL and a reason: anything after the value, duplicate keys in an object, NUL in
 * a string, invalid UTF-8, numbers that are not finite; with -E2BIG: the bounds above. -ENOMEM.
 */
int bh_json_parse(const char *text, size_t len, struct bh_json **ret_json, struct bh_err *err);

/* Releases a root (a value that is in no tree). NULL is fine; returns NULL. */
struct bh_json *bh_json_free(struct bh_json *j);
BH_DEFINE_AUTO(struct bh_json, bh_json_free)

/* Reading. All accept NULL and answer as for a value of another type. */
enum bh_json_type bh_json_type(const struct bh_json *j); /* NULL reads as BH_JSON_NULL */
const char *bh_json_type_name(const struct bh_json *j);	 /* "object", "string", ... for messages */
const struct bh_json *bh_json_get(const struct bh_json *obj, const char *key); /* exact; or NULL */
size_t bh_json_len(const struct bh_json *j); /* members or elements; 0 for scalars */
const struct bh_json *bh_json_first(const struct bh_json *j);
const struct bh_json *bh_json_next(const struct bh_json *child);
const char *bh_json_key(const struct bh_json *child); /* key of a member, NULL for an element */
const char *bh_json_str(const struct bh_json *j);     /* NULL if not a string */
bool bh_json_is_true(const struct bh_json *j);
/* Shorthand: string member @key of @obj, or NULL. */
const char *bh_json_get_str(const struct bh_json *obj, const char *key);
/* Whole number in [@min, @max]: 0; -EINVAL not a whole number; -ERANGE. */
int bh_json_int(const struct bh_json *j, int64_t min, int64_t max, int64_t *ret_v);
double bh_json_num(const struct bh_json *j); /* 0 if not a number */

#define bh_json_for_each(it, parent)                                                               \
	for (const struct bh_json *it = bh_json_first(parent); it; it = bh_json_next(it))

/*
 * Building. Each bh_json_new_*() returns a root or NULL for lack of memory. bh_json_set() and
 * bh_json_append() take @v over in every case: on failure, or when @v is NULL, the container is
 * marked broken and bh_json_encode() of any tree that holds it fails with -ENOMEM, so that builders
 * need no check on every line.
 */
struct bh_json *bh_json_new_object(void);
struct bh_json *bh_json_new_array(void);
struct bh_json *bh_json_new_str(const char *s); /* invalid UTF-8 bytes become U+FFFD; NULL: null */
struct bh_json *bh_json_new_int(int64_t v);	/* exact over +-2^53, beyond that a string */
struct bh_json *bh_json_new_num(double v);
struct bh_json *bh_json_new_bool(bool v);
struct bh_json *bh_json_new_null(void);
void bh_json_set(struct bh_json *obj, const char *key,
		 struct bh_json *v); /* replaces @key's value */
/* As bh_json_set() where @key is known to be new: no search, so that n members cost n steps. */
void bh_json_add(struct bh_json *obj, const char *key, struct bh_json *v);
void bh_json_append(struct bh_json *arr, struct bh_json *v);
void bh_json_set_str(struct bh_json *obj, const char *key, const char *s);
void bh_json_set_int(struct bh_json *obj, const char *key, int64_t v);
void bh_json_set_num(struct bh_json *obj, const char *key, double v);
void bh_json_set_bool(struct bh_json *obj, const char *key, bool v);

/* 0, or -ENOMEM if @j is NULL or anything in it is broken. */
int bh_json_error(const struct bh_json *j);
/* Text of a tree, for the caller to free(). @pretty: indented. 0 or -ENOMEM. */
int bh_json_encode(const struct bh_json *j, bool pretty, char **ret_text);
/* A deep copy as a new root, or NULL. */
struct bh_json *bh_json_dup(const struct bh_json *j);
