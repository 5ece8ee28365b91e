/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * table - the wanted or the actual contents of one BPF map: rows of key and value bytes, sorted by
 * key. Comparing two of them gives the writes that turn one into the other.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bh_table {
	uint32_t key_size, value_size; /* bytes */
	uint8_t *rows;		       /* n * (key_size + value_size) */
	size_t n, cap;
	bool sorted;
};

void bh_table_init(struct bh_table *t, uint32_t key_size, uint32_t value_size);
void bh_table_done(struct bh_table *t);
/* Append a row; sorting is for later. 0 or -ENOMEM. */
int bh_table_add(struct bh_table *t, const void *key, const void *value);
/* Put the rows in the order of their keys, doubles side by side. */
void bh_table_order(struct bh_table *t);
/*
 * Sort by key. Rows with equal keys: one with the same value is dropped; -EEXIST if values differ
 * (our bug, or a collision: the caller decides).
 */
int bh_table_sort(struct bh_table *t);
/* The value under @key, or NULL. Sorted tables only. */
const void *bh_table_get(const struct bh_table *t, const void *key);
static inline const void *bh_table_key(const struct bh_table *t, size_t i)
{
	return t->rows + i * (t->key_size + t->value_size);
}
static inline const void *bh_table_value(const struct bh_table *t, size_t i)
{
	return t->rows + i * (t->key_size + t->value_size) + t->key_size;
}
/* Give row @i another value. */
static inline void bh_table_set_value(struct bh_table *t, size_t i, const void *value)
{
	memcpy(t->rows + i * (t->key_size + t->value_size) + t->key_size, value, t->value_size);
}

struct bh_table_diff {
	size_t *upserts; /* rows of the wanted table that are new or changed */
	size_t n_upserts;
	size_t *deletes; /* rows of the actual table that are not wanted */
	size_t n_deletes;
};

/* Both sorted. 0 or -ENOMEM; release with bh_table_diff_done(). */
int bh_table_diff(const struct bh_table *actual, const struct bh_table *want,
		  struct bh_table_diff *ret_diff);
void bh_table_diff_done(struct bh_table_diff *d);
