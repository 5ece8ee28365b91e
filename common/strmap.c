/* SPDX-License-Identifier: Apache-2.0 */
#include "common/strmap.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

/* Open addressing with linear probing; a delete shifts back, so that there are no tombstones. */
#define FIRST_SLOTS 16
#define MAX_LOAD_NUM 3 /* grow above 3/4 */
#define MAX_LOAD_DEN 4

struct slot {
	char *key; /* NULL: free */
	void *value;
	uint64_t hash;
};

struct bh_strmap {
	struct slot *slots;
	size_t n_slots; /* power of two */
	size_t len;
	uint64_t k0, k1;
};

static uint64_t rotl(uint64_t v, int bits)
{
	return v << bits | v >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

/*
 * SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF"; one compression and three
 * final rounds, as hash tables of other languages use it). Never leaves the process, so words are
 * read in the machine's order.
 */
static uint64_t hash_key(const struct bh_strmap *m, const char *key, size_t len)
{
	uint64_t v[4] = { m->k0 ^ 0x736f6d6570736575u, m->k1 ^ 0x646f72616e646f6du,
			  m->k0 ^ 0x6c7967656e657261u, m->k1 ^ 0x7465646279746573u };
	const size_t whole = len & ~(size_t)7;
	uint64_t word;

	for (size_t i = 0; i < whole; i += 8) {
		memcpy(&word, key + i, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	word = (uint64_t)len << 56;
	for (size_t i = whole; i < len; i++)
		word |= (uint64_t)(uint8_t)key[i] << (8 * (i - whole));
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

int bh_strmap_new(struct bh_strmap **ret_map)
{
	bh_auto(bh_strmap_freep) struct bh_strmap *m = calloc(1, sizeof(*m));
	uint64_t key[2];
	ssize_t n;

	if (!m)
		return -ENOMEM;
	do
		n = getrandom(key, sizeof(key), 0);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(key))
		return n < 0 ? -errno : -EIO;
	m->k0 = key[0];
	m->k1 = key[1];
	m->slots = calloc(FIRST_SLOTS, sizeof(*m->slots));
	if (!m->slots)
		return -ENOMEM;
	m->n_slots = FIRST_SLOTS;
	*ret_map = BH_TAKE_PTR(m);
	return 0;
}

struct bh_strmap *bh_strmap_free(struct bh_strmap *m)
{
	if (!m)
		return NULL;
	for (size_t i = 0; i < m->n_slots; i++)
		free(m->slots[i].key);
	free(m->slots);
	free(m);
	return NULL;
}

/* The slot of @key, or the free slot where it belongs. */
static size_t find(const struct bh_strmap *m, const char *key, uint64_t hash)
{
	size_t i = hash & (m->n_slots - 1);

	while (m->slots[i].key && (m->slots[i].hash != hash || strcmp(m->slots[i].key, key) != 0))
		i = (i + 1) & (m->n_slots - 1);
	return i;
}

static int grow(struct bh_strmap *m)
{
	struct bh_strmap bigger = *m;

	if (m->n_slots > SIZE_MAX / 2 / sizeof(*m->slots))
		return -ENOMEM;
	bigger.n_slots = 2 * m->n_slots;
	bigger.slots = calloc(bigger.n_slots, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < m->n_slots; i++) {
		size_t at = m->slots[i].hash & (bigger.n_slots - 1);

		if (!m->slots[i].key)
			continue;
		while (bigger.slots[at].key)
			at = (at + 1) & (bigger.n_slots - 1);
		bigger.slots[at] = m->slots[i];
	}
	free(m->slots);
	*m = bigger;
	return 0;
}

void *bh_strmap_get(const struct bh_strmap *m, const char *key)
{
	const struct slot *s = &m->slots[find(m, key, hash_key(m, key, strlen(key)))];

	return s->key ? s->value : NULL;
}

int bh_strmap_put(struct bh_strmap *m, const char *key, void *value, void **ret_old)
{
	const uint64_t hash = hash_key(m, key, strlen(key));
	struct slot *s = &m->slots[find(m, key, hash)];
	bh_autofree char *copy = NULL;
	int r;

	if (s->key) {
		if (ret_old)
			*ret_old = s->value;
		s->value = value;
		return 0;
	}
	copy = strdup(key);
	if (!copy)
		return -ENOMEM;
	if (MAX_LOAD_DEN * (m->len + 1) > MAX_LOAD_NUM * m->n_slots) {
		r = grow(m);
		if (r < 0)
			return r;
		s = &m->slots[find(m, key, hash)];
	}
	*s = (struct slot){ .key = BH_TAKE_PTR(copy), .value = value, .hash = hash };
	m->len++;
	if (ret_old)
		*ret_old = NULL;
	return 0;
}

void *bh_strmap_del(struct bh_strmap *m, const char *key)
{
	const size_t mask = m->n_slots - 1;
	size_t hole = find(m, key, hash_key(m, key, strlen(key)));
	void *value = m->slots[hole].value;

	if (!m->slots[hole].key)
		return NULL;
	free(m->slots[hole].key);
	for (size_t i = (hole + 1) & mask; m->slots[i].key; i = (i + 1) & mask) {
		const size_t home = m->slots[i].hash & mask;

		/* movable if the hole lies on its way from home to here */
		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		m->slots[hole] = m->slots[i];
		hole = i;
	}
	m->slots[hole] = (struct slot){ 0 };
	m->len--;
	return value;
}

size_t bh_strmap_len(const struct bh_strmap *m)
{
	return m->len;
}

int bh_strmap_next(const struct bh_strmap *m, struct bh_strmap_iter *it)
{
	for (; it->pos < m->n_slots; it->pos++) {
		const struct slot *s = &m->slots[it->pos];

		if (!s->key)
			continue;
		it->key = s->key;
		it->value = s->value;
		it->pos++;
		return 1;
	}
	return 0;
}
