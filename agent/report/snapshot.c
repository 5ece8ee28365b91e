/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/report/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/bh_abi.h"
#include "common/buf.h"
#include "model/tenant.h"

#define MAGIC 0x31534842u /* "BHS1" */
#define TEXT_BLOCK 8192

/* Strings are many and small: they are kept in blocks. */
struct bh_snap_text {
	struct bh_snap_text *next;
	size_t used, cap;
	char data[];
};

void bh_histogram_add(struct bh_histogram *h, uint64_t ns)
{
	static const double bound[] = BH_APPLY_BOUNDS;
	size_t i = 0;

	_Static_assert(sizeof(bound) / sizeof(bound[0]) + 1 == BH_APPLY_BUCKETS, "bucket count");
	while (i < BH_APPLY_BUCKETS - 1 && (double)ns / 1e9 > bound[i])
		i++;
	h->bucket[i]++;
	h->count++;
	h->sum_ns += ns;
}

struct bh_snapshot *bh_snapshot_new(void)
{
	struct bh_snapshot *s = calloc(1, sizeof(*s));

	if (s)
		s->node = s->version = "";
	return s;
}

struct bh_snapshot *bh_snapshot_free(struct bh_snapshot *s)
{
	if (!s)
		return NULL;
	while (s->text) {
		struct bh_snap_text *next = s->text->next;

		free(s->text);
		s->text = next;
	}
	free(s->tenants);
	free(s->counters);
	free(s->maps);
	free(s->endpoints);
	free(s->objects);
	free(s->losses);
	free(s->findings);
	free(s);
	return NULL;
}

static const char *keep_text(struct bh_snapshot *s, const char *text, size_t len)
{
	struct bh_snap_text *t = s->text;
	char *p;

	if (!t || t->cap - t->used < len + 1) {
		t = malloc(sizeof(*t) + TEXT_BLOCK);
		if (!t) {
			s->error = -ENOMEM;
			return "";
		}
		t->next = s->text;
		t->used = 0;
		t->cap = TEXT_BLOCK;
		s->text = t;
	}
	p = t->data + t->used;
	memcpy(p, text, len);
	p[len] = '\0';
	t->used += len + 1;
	return p;
}
_Static_assert(BH_SNAPSHOT_MAX_STR < TEXT_BLOCK, "every string fits in a block");

const char *bh_snapshot_str(struct bh_snapshot *s, const char *text)
{
	return text ? keep_text(s, text, strnlen(text, BH_SNAPSHOT_MAX_STR)) : "";
}

/* Room for one more element of @size in *@v, which has @n; grown in powers of two. */
static void *grow(struct bh_snapshot *s, void *v, size_t n, size_t size)
{
	void *p;

	if (n >= BH_SNAPSHOT_MAX_ITEMS) {
		s->error = -E2BIG;
		return NULL;
	}
	if (n & (n - 1)) /* not a power of two: there is room */
		return v;
	p = reallocarray(v, n ? 2 * n : 1, size);
	if (!p)
		s->error = -ENOMEM;
	return p;
}

/* Append @item to a list; its first member is a string, which is copied. */
#define ADD(s, list, n_list, item, str)                                                            \
	do {                                                                                       \
		void *const grown_ = grow(s, (s)->list, (s)->n_list, sizeof(*(s)->list));          \
                                                                                                   \
		if (!grown_)                                                                       \
			return;                                                                    \
		(s)->list = grown_;                                                                \
		(s)->list[(s)->n_list] = (item);                                                   \
		(s)->list[(s)->n_list].str = bh_snapshot_str(s, (item).str);                       \
		(s)->n_list++;                                                                     \
	} while (0)

void bh_snapshot_add_tenant(struct bh_snapshot *s, const struct bh_snap_tenant *t)
{
	ADD(s, tenants, n_tenants, *t, name);
}

void bh_snapshot_add_counter(struct bh_snapshot *s, const struct bh_snap_counter *c)
{
	ADD(s, counters, n_counters, *c, tenant);
}

void bh_snapshot_add_map(struct bh_snapshot *s, const struct bh_snap_map *m)
{
	ADD(s, maps, n_maps, *m, name);
}

void bh_snapshot_add_endpoints(struct bh_snapshot *s, const char *state, uint64_t n)
{
	const struct bh_snap_named v = { .name = state, .value = n };

	ADD(s, endpoints, n_endpoints, v, name);
}

void bh_snapshot_add_objects(struct bh_snapshot *s, const char *kind, uint64_t n)
{
	const struct bh_snap_named v = { .name = kind, .value = n };

	ADD(s, objects, n_objects, v, name);
}

void bh_snapshot_add_losses(struct bh_snapshot *s, const char *kind, uint64_t n)
{
	const struct bh_snap_named v = { .name = kind, .value = n };

	ADD(s, losses, n_losses, v, name);
}

void bh_snapshot_add_findings(struct bh_snapshot *s, const char *kind, uint64_t n)
{
	const struct bh_snap_named v = { .name = kind, .value = n };

	ADD(s, findings, n_findings, v, name);
}

/*
 * One walk over the fields serves both directions, so that they cannot disagree. Every visit either
 * appends *v to the buffer or reads it from the input.
 */
struct codec {
	struct bh_snapshot *s;
	struct bh_buf *out; /* NULL: decoding */
	const unsigned char *in;
	size_t left;
	int error;
};

static void raw(struct codec *c, void *v, size_t len)
{
	if (c->error)
		return;
	if (c->out) {
		bh_buf_add(c->out, v, len);
	} else if (c->left < len) {
		c->error = -EINVAL;
	} else {
		memcpy(v, c->in, len);
		c->in += len;
		c->left -= len;
	}
}

static void u64(struct codec *c, uint64_t *v)
{
	raw(c, v, sizeof(*v));
}

static void u32(struct codec *c, uint32_t *v)
{
	raw(c, v, sizeof(*v));
}

/* A number below @end. */
static void u8(struct codec *c, uint8_t *v, uint8_t end)
{
	raw(c, v, sizeof(*v));
	if (!c->error && *v >= end)
		c->error = -EINVAL;
}

static void str(struct codec *c, const char **v)
{
	uint32_t len = c->out && *v ? (uint32_t)strnlen(*v, BH_SNAPSHOT_MAX_STR) : 0;

	u32(c, &len);
	if (c->error)
		return;
	if (c->out) {
		if (len)
			bh_buf_add(c->out, *v, len);
	} else if (len > BH_SNAPSHOT_MAX_STR || len > c->left || memchr(c->in, 0, len)) {
		c->error = -EINVAL;
	} else {
		*v = keep_text(c->s, (const char *)c->in, len);
		c->in += len;
		c->left -= len;
	}
}

static void tenant(struct codec *c, void *item)
{
	struct bh_snap_tenant *t = item;

	str(c, &t->name);
	u8(c, &t->mode, BH_MODE_MAX_);
	u32(c, &t->pods);
	u32(c, &t->local_pods);
}

static void counter(struct codec *c, void *item)
{
	struct bh_snap_counter *k = item;

	str(c, &k->tenant);
	u8(c, &k->dir, BH_DIR_INGRESS + 1);
	u8(c, &k->verdict, BH_VERDICT_AUDIT + 1);
	u8(c, &k->reason, BH_REASON_MAX_);
	u64(c, &k->packets);
	u64(c, &k->bytes);
}

static void map(struct codec *c, void *item)
{
	struct bh_snap_map *m = item;

	str(c, &m->name);
	u64(c, &m->entries);
	u64(c, &m->max);
	u64(c, &m->bytes);
}

static void named(struct codec *c, void *item)
{
	struct bh_snap_named *n = item;

	str(c, &n->name);
	u64(c, &n->value);
}

/* A list of items, @size bytes each in memory. */
static void *list(struct codec *c, void *v, size_t *n, size_t size,
		  void (*item)(struct codec *c, void *item))
{
	const size_t min = sizeof(uint32_t) + sizeof(uint64_t); /* of the smallest kind of item */
	uint32_t count = (uint32_t)*n;

	u32(c, &count);
	if (c->error)
		return v;
	if (!c->out) {
		if (count > BH_SNAPSHOT_MAX_ITEMS || count > c->left / min) {
			c->error = -EINVAL;
			return NULL;
		}
		v = calloc(count ? count : 1, size);
		if (!v) {
			c->error = -ENOMEM;
			return NULL;
		}
		*n = count;
	}
	for (uint32_t i = 0; i < count && !c->error; i++)
		item(c, (char *)v + i * size);
	return v;
}

#define LIST(c, name, item)                                                                        \
	((c)->s->name = list(c, (c)->s->name, &(c)->s->n_##name, sizeof(*(c)->s->name), item))

static void walk(struct codec *c)
{
	struct bh_snapshot *s = c->s;
	uint32_t magic = MAGIC;
	uint8_t ready = s->ready;

	u32(c, &magic);
	if (!c->error && magic != MAGIC)
		c->error = -EINVAL;
	str(c, &s->node);
	str(c, &s->version);
	u64(c, &s->taken_ns);
	u64(c, &s->start_unix_ms);
	u8(c, &ready, 2);
	s->ready = ready;
	raw(c, &s->apply, sizeof(s->apply));
	u64(c, &s->apply_failures);
	u64(c, &s->source_problems);
	u64(c, &s->source_synced_unix_ms);
	u64(c, &s->events);
	u64(c, &s->enforcer_rss_bytes);
	u64(c, &s->put_in_front);
	LIST(c, tenants, tenant);
	LIST(c, counters, counter);
	LIST(c, maps, map);
	LIST(c, endpoints, named);
	LIST(c, objects, named);
	LIST(c, losses, named);
	LIST(c, findings, named);
}

int bh_snapshot_encode(const struct bh_snapshot *s, struct bh_buf *b)
{
	struct bh_snapshot view = *s; /* the walk writes back what it read */
	struct codec c = { .s = &view, .out = b };

	if (s->error)
		return s->error;
	walk(&c);
	if (b->error || c.error)
		return b->error ? b->error : c.error;
	return b->len > BH_SNAPSHOT_MAX_BYTES ? -E2BIG : 0;
}

int bh_snapshot_decode(const void *data, size_t len, struct bh_snapshot **ret_snapshot)
{
	bh_auto(bh_snapshot_freep) struct bh_snapshot *s = bh_snapshot_new();
	struct codec c = { .s = s, .in = data, .left = len };

	if (!s)
		return -ENOMEM;
	if (len > BH_SNAPSHOT_MAX_BYTES)
		return -EINVAL;
	walk(&c);
	if (c.error || s->error)
		return c.error ? c.error : s->error;
	if (c.left)
		return -EINVAL;
	*ret_snapshot = BH_TAKE_PTR(s);
	return 0;
}
