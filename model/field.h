/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * field - typed reading of JSON members with the whole path in every message, as in
 * "spec.network.egress[2].ports[0].port: 70000, expected 1..65535". For the decoders of the model.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bh_err;
struct bh_json;

/* A place in a document and what is there. Lives on the stack of whoever walks the document. */
struct bh_field {
	const struct bh_field *up; /* NULL at the root, which has no name */
	const char *key;	   /* NULL: element @index of an array */
	size_t index;
	const struct bh_json *v; /* NULL: absent */
};

struct bh_field bh_field_root(const struct bh_json *doc);
/* Member @key of @up; both must outlive the result. */
struct bh_field bh_field_at(const struct bh_field *up, const char *key);
struct bh_field bh_field_elem(const struct bh_field *up, size_t index, const struct bh_json *v);

/* There, null included: a strict reader takes null for a wrong type. */
bool bh_field_present(const struct bh_field *f);
/* There and not null: how Kubernetes reads its own objects. */
bool bh_field_given(const struct bh_field *f);

/* "path: message" as -EINVAL. */
int bh_field_err(const struct bh_field *f, struct bh_err *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* "path: what is there, expected @expected" as -EINVAL. */
int bh_field_unexpected(const struct bh_field *f, const char *expected, struct bh_err *err);

/* All below: 0; -EINVAL with path and reason (absent is a wrong type, too); -ENOMEM. */

int bh_field_object(const struct bh_field *f, struct bh_err *err);
/* An object with no other members than the @n of @keys. */
int bh_field_only(const struct bh_field *f, const char *const *keys, size_t n, struct bh_err *err);
/* An array of at most @max elements. */
int bh_field_array(const struct bh_field *f, size_t max, struct bh_err *err);
int bh_field_bool(const struct bh_field *f, bool *ret_v, struct bh_err *err);
int bh_field_int(const struct bh_field *f, int64_t min, int64_t max, int64_t *ret_v,
		 struct bh_err *err);
/* One of @n words; *ret_v = its index. */
int bh_field_enum(const struct bh_field *f, const char *const *names, size_t n, unsigned int *ret_v,
		  struct bh_err *err);

/* What a text must be, and how a message calls it. */
struct bh_field_rule {
	bool (*is)(const char *s); /* NULL: any text */
	const char *what;	   /* "a namespace name" */
};

/* The text itself; it lives as long as the document. */
int bh_field_str(const struct bh_field *f, const struct bh_field_rule *rule, const char **ret_s,
		 struct bh_err *err);
/* A copy, owned by the caller. */
int bh_field_dup(const struct bh_field *f, const struct bh_field_rule *rule, char **ret_s,
		 struct bh_err *err);

/* Texts, sorted. */
struct bh_strv {
	char **v;
	size_t n;
};

/* An array of at most @max different texts. */
int bh_field_strv(const struct bh_field *f, size_t max, const struct bh_field_rule *rule,
		  struct bh_strv *ret_strv, struct bh_err *err);
void bh_strv_done(struct bh_strv *s);
