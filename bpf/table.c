/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

void bh_table_init(struct bh_table *t, uint32_t key_size, uint32_t value_size)
{
	*t = (struct bh_table){ .key_size = key_size, .value_size = value_size, .sorted = true };
}

void bh_table_done(struct bh_table *t)
{
	free(t->rows);
	bh_table_init(t, t->key_size, t->value_size);
}

int bh_table_add(struct bh_table *t, const void *key, const void *value)
{
	const size_t row = t->key_size + t->value_size;

	if (t->n == t->cap) {
		const size_t cap = t->cap ? t->cap * 2 : 16;
		uint8_t *rows = reallocarray(t->rows, cap, row);

		if (!rows)
			return -ENOMEM;
		t->rows = rows;
		t->cap = cap;
	}
	memcpy(t->rows + t->n * row, key, t->key_size);
	memcpy(t->rows + t->n * row + t->key_size, value, t->value_size);
	t->n++;
	t->sorted = false;
	return 0;
}

static int row_cmp(const void *a, const void *b, void *key_size)
{
	return memcmp(a, b, *(const uint32_t *)key_size);
}

/* How many rows from the first on are in order. */
static size_t in_order(const struct bh_table *t)
{
	size_t n = t->n ? 1 : 0;

	while (n < t->n && memcmp(bh_table_key(t, n - 1), bh_table_key(t, n), t->key_size) <= 0)
		n++;
	return n;
}

/*
 * Most rows come in order, and a few behind them do not: those are sorted by themselves and put
 * where they belong, from the end on.
 */
void bh_table_order(struct bh_table *t)
{
	const size_t row = t->key_size + t->value_size, head = in_order(t), tail = t->n - head;
	bh_autofree uint8_t *late = tail ? malloc(tail * row) : NULL;
	size_t i = head, k = tail;

	if (!tail)
		return;
	if (!late) { /* slower, but needs nothing from us */
		qsort_r(t->rows, t->n, row, row_cmp, &t->key_size);
		return;
	}
	memcpy(late, t->rows + head * row, tail * row);
	qsort_r(late, tail, row, row_cmp, &t->key_size);
	while (k) {
		const bool from_head = i && row_cmp(t->rows + (i - 1) * row, late + (k - 1) * row,
						    &t->key_size) > 0;
		const uint8_t *last = from_head ? t->rows + --i * row : late + --k * row;

		memcpy(t->rows + (i + k) * row, last, row);
	}
}

int bh_table_sort(struct bh_table *t)
{
	const size_t row = t->key_size + t->value_size;
	size_t out = 0;
	int r = 0;

	bh_table_order(t);
	for (size_t i = 0; i < t->n; i++) {
		uint8_t *cur = t->rows + i * row, *last = t->rows + (out - 1) * row;

		if (out && !memcmp(cur, last, t->key_size)) {
			if (memcmp(cur, last, row))
				r = -EEXIST;
			continue;
		}
		if (out != i)
			memcpy(t->rows + out * row, cur, row);
		out++;
	}
	t->n = out;
	t->sorted = true;
	return r;
}

const void *bh_table_get(const struct bh_table *t, const void *key)
{
	size_t lo = 0, hi = t->n;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;
		const int c = memcmp(bh_table_key(t, mid), key, t->key_size);

		if (!c)
			return bh_table_value(t, mid);
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

int bh_table_diff(const struct bh_table *actual, const struct bh_table *want,
		  struct bh_table_diff *ret_diff)
{
	bh_autofree size_t *up = calloc(want->n + 1, sizeof(*up));
	bh_autofree size_t *del = calloc(actual->n + 1, sizeof(*del));
	size_t i = 0, j = 0, n_up = 0, n_del = 0;

	if (!up || !del)
		return -ENOMEM;
	while (i < actual->n || j < want->n) {
		const int c = i == actual->n ? 1
			      : j == want->n ? -1
					     : memcmp(bh_table_key(actual, i),
						      bh_table_key(want, j), want->key_size);

		if (c < 0) {
			del[n_del++] = i++;
		} else if (c > 0) {
			up[n_up++] = j++;
		} else {
			if (memcmp(bh_table_value(actual, i), bh_table_value(want, j),
				   want->value_size))
				up[n_up++] = j;
			i++;
			j++;
		}
	}
	*ret_diff = (struct bh_table_diff){ .upserts = BH_TAKE_PTR(up),
					    .n_upserts = n_up,
					    .deletes = BH_TAKE_PTR(del),
					    .n_deletes = n_del };
	return 0;
}

void bh_table_diff_done(struct bh_table_diff *d)
{
	free(d->upserts);
	free(d->deletes);
	*d = (struct bh_table_diff){ 0 };
}
