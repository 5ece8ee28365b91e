/* SPDX-License-Identifier: Apache-2.0 */
#include "model/special.h"

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

bool bh_special_is_nat64(const struct bh_addr *a)
{
	static const uint8_t prefix[12] = { 0, 0x64, 0xff, 0x9b };

	return memcmp(a->b, prefix, sizeof(prefix)) == 0;
}
