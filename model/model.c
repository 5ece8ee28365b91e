/* SPDX-License-Identifier: Apache-2.0 */
#include "model/model.h"

#include <errno.h>
#include <string.h>

/* Sorted by key, so that everything derived is in order without sorting. */
struct table {
	struct bh_object **v;
	size_t n;
	size_t cap;
};

struct bh_model {
	struct table tables[BH_KIND_MAX_];
	uint64_t version;
};

int bh_model_new(struct bh_model **ret_model)
{
	struct bh_model *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	*ret_model = m;
	return 0;
}

struct bh_model *bh_model_free(struct bh_model *m)
{
	if (!m)
		return NULL;
	for (size_t kind = 0; kind < BH_KIND_MAX_; kind++) {
		for (size_t i = 0; i < m->tables[kind].n; i++)
			bh_object_free(m->tables[kind].v[i]);
		free(m->tables[kind].v);
	}
	free(m);
	return NULL;
}

/* Where @key is, or where it belongs. */
static size_t find(const struct table *t, const struct bh_object_key *key, bool *ret_found)
{
	size_t lo = 0, hi = t->n;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;
		const int r = bh_object_key_cmp(&t->v[mid]->key, key);

		if (!r) {
			*ret_found = true;
			return mid;
		}
		if (r < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*ret_found = false;
	return lo;
}

static int reserve_one(struct table *t)
{
	const size_t cap = t->cap ? 2 * t->cap : 16;
	struct bh_object **bigger;

	if (t->n < t->cap)
		return 0;
	bigger = reallocarray(t->v, cap, sizeof(struct bh_object *));
	if (!bigger)
		return -ENOMEM;
	t->v = bigger;
	t->cap = cap;
	return 0;
}

int bh_model_put(struct bh_model *m, struct bh_object *o)
{
	bh_auto(bh_object_freep) struct bh_object *owned = o;
	struct table *t = &m->tables[o->key.kind];
	bool found;
	const size_t i = find(t, &o->key, &found);
	int r;

	if (found) {
		if (bh_object_equal(t->v[i], o))
			return 0;
		bh_object_free(t->v[i]);
		t->v[i] = BH_TAKE_PTR(owned);
		m->version++;
		return 0;
	}
	r = reserve_one(t);
	if (r < 0)
		return r;
	memmove(t->v + i + 1, t->v + i, (t->n - i) * sizeof(struct bh_object *));
	t->v[i] = BH_TAKE_PTR(owned);
	t->n++;
	m->version++;
	return 0;
}

bool bh_model_del(struct bh_model *m, const struct bh_object_key *key)
{
	struct table *t = &m->tables[key->kind];
	struct bh_object *old;
	bool found;
	const size_t i = find(t, key, &found);

	if (!found)
		return false;
	old = t->v[i]; /* @key may be the object's own */
	memmove(t->v + i, t->v + i + 1, (t->n - i - 1) * sizeof(struct bh_object *));
	t->n--;
	m->version++;
	bh_object_free(old);
	return true;
}

const struct bh_object *bh_model_get(const struct bh_model *m, const struct bh_object_key *key)
{
	const struct table *t = &m->tables[key->kind];
	bool found;
	const size_t i = find(t, key, &found);

	return found ? t->v[i] : NULL;
}

size_t bh_model_count(const struct bh_model *m, enum bh_kind kind)
{
	return m->tables[kind].n;
}

const struct bh_object *const *bh_model_objects(const struct bh_model *m, enum bh_kind kind,
						size_t *ret_n)
{
	*ret_n = m->tables[kind].n;
	return (const struct bh_object *const *)m->tables[kind].v;
}

uint64_t bh_model_version(const struct bh_model *m)
{
	return m->version;
}
