/* SPDX-License-Identifier: Apache-2.0 */
#include "common/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

#define BUF_FIRST_CAP 256

/* Room for @more bytes and the NUL behind them. */
static int reserve(struct bh_buf *b, size_t more)
{
	const size_t max = b->max ? b->max : BH_BUF_MAX;
	size_t need, cap;
	char *p;

	if (b->error)
		return b->error;
	if (b->len > max || more > max - b->len)
		return b->error = -E2BIG;
	if (__builtin_add_overflow(b->len + more, 1, &need))
		return b->error = -E2BIG;
	if (need <= b->cap)
		return 0;
	cap = b->cap ? b->cap : BUF_FIRST_CAP;
	while (cap < need)
		if (__builtin_mul_overflow(cap, 2, &cap))
			cap = need;
	p = realloc(b->data, cap);
	if (!p)
		return b->error = -ENOMEM;
	b->data = p;
	b->cap = cap;
	return 0;
}

void bh_buf_add(struct bh_buf *b, const void *data, size_t len)
{
	if (reserve(b, len) < 0)
		return;
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void bh_buf_str(struct bh_buf *b, const char *s)
{
	bh_buf_add(b, s, strlen(s));
}

void bh_buf_printf(struct bh_buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (reserve(b, 0) < 0)
		return;
	va_start(ap, fmt);
	n = vsnprintf(b->data + b->len, b->cap - b->len, fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->data[b->len] = '\0';
		b->error = -EINVAL;
		return;
	}
	if ((size_t)n >= b->cap - b->len) {
		b->data[b->len] = '\0'; /* the cut text must not show if there is no room */
		if (reserve(b, (size_t)n) < 0)
			return;
		va_start(ap, fmt);
		n = vsnprintf(b->data + b->len, b->cap - b->len, fmt, ap);
		va_end(ap);
	} else if (reserve(b, (size_t)n) < 0) { /* fits the memory, not the bound */
		b->data[b->len] = '\0';
		return;
	}
	b->len += (size_t)n;
}

int bh_buf_take(struct bh_buf *b, char **ret_data, size_t *ret_len)
{
	int r = reserve(b, 0);
	size_t len;

	if (r < 0) {
		bh_buf_done(b);
		return r;
	}
	b->data[b->len] = '\0';
	len = b->len;
	*ret_data = BH_TAKE_PTR(b->data);
	if (ret_len)
		*ret_len = len;
	bh_buf_done(b);
	return 0;
}

void bh_buf_done(struct bh_buf *b)
{
	const size_t max = b->max;

	free(b->data);
	*b = (struct bh_buf){ .max = max };
}
