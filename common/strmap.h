/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * strmap - string keys to pointers, hashed with a per-map random key (keys come from tenants).
 * The map owns copies of its keys; values stay the caller's.
 */
#include <stddef.h>

#include "common/cleanup.h"

struct bh_strmap; /* opaque */

int bh_strmap_new(struct bh_strmap **ret_map); /* 0, -ENOMEM, or of getrandom(2) */
/* Releases the map, not the values. NULL is fine; returns NULL. */
struct bh_strmap *bh_strmap_free(struct bh_strmap *m);
BH_DEFINE_AUTO(struct bh_strmap, bh_strmap_free)

void *bh_strmap_get(const struct bh_strmap *m, const char *key); /* or NULL */
/* Adds or replaces; *ret_old (may be NULL) = the value replaced, or NULL. 0 or -ENOMEM. */
int bh_strmap_put(struct bh_strmap *m, const char *key, void *value, void **ret_old);
void *bh_strmap_del(struct bh_strmap *m, const char *key); /* the value removed, or NULL */
size_t bh_strmap_len(const struct bh_strmap *m);

struct bh_strmap_iter {
	size_t pos;
	const char *key;
	void *value;
};

/* Iteration in no particular order; the map must not change meanwhile. */
int bh_strmap_next(const struct bh_strmap *m, struct bh_strmap_iter *it); /* 1, or 0 at the end */
#define bh_strmap_for_each(m, it)                                                                  \
	for (struct bh_strmap_iter it = { 0 }; bh_strmap_next(m, &it) == 1;)
