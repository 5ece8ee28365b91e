/* SPDX-License-Identifier: Apache-2.0 */
#include "model/special.h"

#include <stdlib.h>
#include <string.h>

#define W(w) (w) >> 8, (w)&0xff

#define P4(a, b, c, d, bits)                                                                       \
	{                                                                                          \
		.addr = { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d } },              \
		.len = 96 + (bits)                                                                 \
	}
#define P6(a, b, c, d, e, f, g, h, bits)                                                           \
	{                                                                                          \
		.addr = { { W(a), W(b), W(c), W(d), W(e), W(f), W(g), W(h) } }, .len = (bits)      \
	}

static const struct bh_special rows[] = {
#define X(p, class, text) { .prefix = p, .cls = BH_CLASS_##class, .name = text },
	BH_SPECIAL_ROWS(X)
#undef X
};

const struct bh_special *bh_special_rows(size_t *ret_n)
{
	*ret_n = sizeof(rows) / sizeof(rows[0]);
	return rows;
}

const struct bh_special *bh_special_find(const struct bh_addr *a)
{
	const struct bh_special *best = NULL;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (bh_prefix_contains(&rows[i].prefix, a) &&
		    (!best || rows[i].prefix.len > best->prefix.len))
			best = &rows[i];
	return best;
}

static int cmp_addr(const void *a, const void *b)
{
	return bh_addr_cmp(a, b);
}

/* The first address behind a prefix. False: there is none. */
static bool behind(const struct bh_prefix *p, struct bh_addr *ret_addr)
{
	unsigned int bit = p->len;

	*ret_addr = p->addr;
	while (bit--) { /* one more at the prefix's last bit, with what that carries over */
		const uint8_t mask = (uint8_t)(0x80 >> bit % 8);

		ret_addr->b[bit / 8] ^= mask;
		if (ret_addr->b[bit / 8] & mask)
			return true;
	}
	return false;
}

void bh_special_index_init(struct bh_special_index *ret_index)
{
	struct bh_addr edges[BH_SPECIAL_EDGES_MAX];
	size_t n = 0;

	_Static_assert(2 * sizeof(rows) / sizeof(rows[0]) <= BH_SPECIAL_EDGES_MAX, "edges");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		edges[n++] = rows[i].prefix.addr;
		n += behind(&rows[i].prefix, &edges[n]);
	}
	qsort(edges, n, sizeof(edges[0]), cmp_addr);
	ret_index->n = 0;
	for (size_t i = 0; i < n; i++) {
		if (i && bh_addr_cmp(&edges[i - 1], &edges[i]) == 0)
			continue;
		ret_index->v[ret_index->n].from = edges[i];
		ret_index->v[ret_index->n++].row = bh_special_find(&edges[i]);
	}
}

/* The first row is ::/0, so that there is an edge at or before every address. */
const struct bh_special *bh_special_index_find(const struct bh_special_index *index,
					       const struct bh_addr *a)
{
	size_t lo = 0, hi = index->n;

	while (hi - lo > 1) {
		const size_t mid = lo + (hi - lo) / 2;

		if (bh_addr_cmp(&index->v[mid].from, a) <= 0)
			lo = mid;
		else
			hi = mid;
	}
	return index->v[lo].row;
}

bool bh_special_is_nat64(const struct bh_addr *a)
{
	static const uint8_t prefix[12] = { 0, 0x64, 0xff, 0x9b };

	return memcmp(a->b, prefix, sizeof(prefix)) == 0;
}
