/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel does for its programs, as simply as can be: it is asked for few maps and rows. */
#include "tests/diff/shim.h"

#include <bpf/bpf_helpers.h>

void *calloc(size_t n, size_t size);
void *realloc(void *p, size_t size);
void free(void *p);
void abort(void);

#define MAX_STORES 64
#define MAX_TOUCHED 64

/* Like the kernel's, a value that was found stays where it is. */
struct store {
	struct shim_map map;
	unsigned char *array;	    /* arrays: all values */
	__u32 touched[MAX_TOUCHED]; /* arrays: what was looked up since the last reset */
	unsigned char **rows;	    /* all others: key, then value */
	__u32 n;		    /* rows, or touched */
};

static struct store stores[MAX_STORES];
static __u32 n_stores;
static __u64 now_ns = 1000ull * 1000000000ull;
static __u32 random_state = 1;
struct shim_frame shim_frame;

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static int is_array(const struct store *s)
{
	return s->map.type == BPF_MAP_TYPE_ARRAY || s->map.type == BPF_MAP_TYPE_PERCPU_ARRAY;
}

static struct store *store_of(const struct shim_map *m)
{
	struct store *s;

	for (__u32 i = 0; i < n_stores; i++)
		if (stores[i].map.id == m->id)
			return &stores[i];
	if (n_stores == MAX_STORES)
		abort();
	s = &stores[n_stores++];
	s->map = *m;
	if (is_array(s))
		s->array = must(calloc(m->max_entries, m->value_size));
	return s;
}

/* Values are aligned. */
static size_t value_at(const struct shim_map *m)
{
	return (m->key_size + 7u) & ~7u;
}

static void empty_array(struct store *s)
{
	const size_t size = s->map.value_size;

	if (s->n > MAX_TOUCHED)
		__builtin_memset(s->array, 0, s->map.max_entries * size);
	for (__u32 i = 0; s->n <= MAX_TOUCHED && i < s->n; i++)
		__builtin_memset(s->array + s->touched[i] * size, 0, size);
	s->n = 0;
}

void shim_reset(void)
{
	for (__u32 i = 0; i < n_stores; i++) {
		struct store *s = &stores[i];

		if (is_array(s))
			empty_array(s);
		while (s->n)
			free(s->rows[--s->n]);
	}
	random_state = 1;
}

/* Does the prefix in @row hold for @key? Both begin with a length in bits. */
static int covers(const unsigned char *row, const unsigned char *key)
{
	__u32 bits;

	__builtin_memcpy(&bits, row, sizeof(bits));
	for (__u32 i = 0; i < bits; i++)
		if ((row[4 + i / 8] ^ key[4 + i / 8]) & 0x80 >> i % 8)
			return 0;
	return 1;
}

static unsigned char **find(const struct store *s, const void *key)
{
	unsigned char **best = NULL;
	__u32 best_len = 0;

	for (__u32 i = 0; i < s->n; i++) {
		unsigned char *row = s->rows[i];
		__u32 len;

		if (s->map.type != BPF_MAP_TYPE_LPM_TRIE) {
			if (!__builtin_memcmp(row, key, s->map.key_size))
				return &s->rows[i];
			continue;
		}
		__builtin_memcpy(&len, row, sizeof(len));
		if (covers(row, key) && (!best || len > best_len)) {
			best = &s->rows[i];
			best_len = len;
		}
	}
	return best;
}

static void *lookup_array(struct store *s, const void *key)
{
	__u32 i, k;

	__builtin_memcpy(&i, key, sizeof(i));
	if (i >= s->map.max_entries)
		return NULL;
	for (k = 0; k < s->n && k < MAX_TOUCHED && s->touched[k] != i; k++)
		;
	if (k == s->n && k < MAX_TOUCHED)
		s->touched[s->n++] = i;
	else if (k == MAX_TOUCHED)
		s->n = MAX_TOUCHED + 1;
	return s->array + (size_t)i * s->map.value_size;
}

void *shim_lookup(const struct shim_map *m, const void *key)
{
	struct store *s = store_of(m);
	unsigned char **row;

	if (is_array(s))
		return lookup_array(s, key);
	row = find(s, key);
	return row ? *row + value_at(m) : NULL;
}

long shim_update(const struct shim_map *m, const void *key, const void *value, __u64 flags)
{
	struct store *s = store_of(m);
	unsigned char **row;
	void *v;

	if (is_array(s)) {
		v = lookup_array(s, key);
		if (!v)
			return -7; /* E2BIG */
		__builtin_memcpy(v, value, m->value_size);
		return 0;
	}
	row = find(s, key);
	if (row && flags == BPF_NOEXIST)
		return -17; /* EEXIST */
	if (!row) {
		if (s->n == m->max_entries)
			return -7;
		s->rows = must(realloc(s->rows, (s->n + 1) * sizeof(*s->rows)));
		row = &s->rows[s->n++];
		*row = must(calloc(1, value_at(m) + m->value_size));
		__builtin_memcpy(*row, key, m->key_size);
	}
	__builtin_memcpy(*row + value_at(m), value, m->value_size);
	return 0;
}

long shim_delete(const struct shim_map *m, const void *key)
{
	struct store *s = store_of(m);
	unsigned char **row = is_array(s) ? NULL : find(s, key);

	if (!row)
		return -2; /* ENOENT */
	/* freed at once, so that a sanitizer sees who still uses it */
	free(*row);
	*row = s->rows[--s->n];
	return 0;
}

long bpf_skb_load_bytes(const void *skb, __u32 offset, void *to, __u32 len)
{
	(void)skb;
	if (offset > 0xffff || (__u64)offset + len > shim_frame.len) {
		__builtin_memset(to, 0, len);
		return -14; /* EFAULT */
	}
	__builtin_memcpy(to, shim_frame.bytes + offset, len);
	return 0;
}

const struct sk_buff *shim_skb(const void *ctx)
{
	(void)ctx;
	return &shim_frame.skb;
}

long bpf_probe_read_kernel(void *dst, __u32 size, const void *unsafe_ptr)
{
	const char *p = unsafe_ptr, *ctx = (const char *)shim_frame.ctx;

	if (p >= ctx && p < ctx + sizeof(shim_frame.skb))
		p = (const char *)&shim_frame.skb + (p - ctx);
	__builtin_memcpy(dst, p, size);
	return 0;
}

__u64 bpf_ktime_get_ns(void)
{
	return now_ns += 1000;
}

/* Another one each time: so the clock is read. */
__u64 bpf_jiffies64(void)
{
	return now_ns;
}

__u32 bpf_get_prandom_u32(void)
{
	return random_state = random_state * 1664525u + 1013904223u;
}

__u32 bpf_get_smp_processor_id(void)
{
	return 0;
}

/* Nobody reads events here. */
void *bpf_ringbuf_reserve(void *ringbuf, __u64 size, __u64 flags)
{
	(void)ringbuf;
	(void)size;
	(void)flags;
	return NULL;
}

void bpf_ringbuf_submit(void *data, __u64 flags)
{
	(void)data;
	(void)flags;
}

void bpf_ringbuf_discard(void *data, __u64 flags)
{
	(void)data;
	(void)flags;
}

__u64 bpf_ringbuf_query(void *ringbuf, __u64 flags)
{
	(void)ringbuf;
	(void)flags;
	return 0;
}
