/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/links_sorted.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void bh_sorted_done(struct bh_sorted *s)
{
	free(s->v);
	s->v = NULL;
	s->n = s->cap = 0;
}

void *bh_sorted_at(const struct bh_sorted *s, size_t i)
{
	assert(i < s->n);
	return (char *)s->v + i * s->elem;
}

size_t bh_sorted_lower(const struct bh_sorted *s, const void *key)
{
	size_t lo = 0, hi = s->n;

	if (hi && s->cmp(bh_sorted_at(s, hi - 1), key) < 0)
		return hi;
	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (s->cmp(bh_sorted_at(s, mid), key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void *bh_sorted_find(const struct bh_sorted *s, const void *key)
{
	const size_t i = bh_sorted_lower(s, key);

	return i < s->n && s->cmp(bh_sorted_at(s, i), key) == 0 ? bh_sorted_at(s, i) : NULL;
}

static int grow(struct bh_sorted *s)
{
	size_t cap = s->cap ? s->cap * 2 : 16;
	void *v;

	if (s->n < s->cap)
		return 0;
	if (s->n >= s->max)
		return -E2BIG;
	if (cap > s->max)
		cap = s->max;
	v = realloc(s->v, cap * s->elem);
	if (!v)
		return -ENOMEM;
	s->v = v;
	s->cap = cap;
	return 0;
}

int bh_sorted_put(struct bh_sorted *s, const void *value)
{
	const size_t i = bh_sorted_lower(s, value);
	char *at;
	int r;

	if (i < s->n && s->cmp(bh_sorted_at(s, i), value) == 0) {
		memcpy(bh_sorted_at(s, i), value, s->elem);
		return 0;
	}
	r = grow(s);
	if (r < 0)
		return r;
	at = (char *)s->v + i * s->elem;
	memmove(at + s->elem, at, (s->n - i) * s->elem);
	memcpy(at, value, s->elem);
	s->n++;
	return 0;
}

void bh_sorted_remove(struct bh_sorted *s, size_t i)
{
	char *at = bh_sorted_at(s, i);

	s->n--;
	memmove(at, at + s->elem, (s->n - i) * s->elem);
}
