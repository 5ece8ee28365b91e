/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * links_sorted - a bounded sorted array of plain values, for what links knows of interfaces,
 * addresses and routes. The kernel lists addresses and routes in rising order, so reading them
 * appends.
 */
#include <stdbool.h>
#include <stddef.h>

struct bh_sorted {
	void *v; /* n values of elem bytes, rising, no two equal */
	size_t n;
	size_t cap;
	size_t elem;
	size_t max;
	int (*cmp)(const void *a, const void *b); /* of keys: the part that orders values */
};

/* An empty one needs nothing released. */
#define BH_SORTED(type, limit, compare)                                                            \
	(struct bh_sorted)                                                                         \
	{                                                                                          \
		.elem = sizeof(type), .max = (limit), .cmp = (compare)                             \
	}

void bh_sorted_done(struct bh_sorted *s); /* empties it and releases the memory; reusable */

/* The first value that is not below @key; n if there is none. */
size_t bh_sorted_lower(const struct bh_sorted *s, const void *key);
void *bh_sorted_at(const struct bh_sorted *s, size_t i);
void *bh_sorted_find(const struct bh_sorted *s, const void *key); /* or NULL */

/* Copies @value in, over an equal one if there is one. 0; -E2BIG beyond max; -ENOMEM. */
int bh_sorted_put(struct bh_sorted *s, const void *value);
void bh_sorted_remove(struct bh_sorted *s, size_t i);
