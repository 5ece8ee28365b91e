/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * buf - a growing, bounded byte buffer for text and wire formats. An append that fails marks the
 * buffer broken; bh_buf_take() then reports it, so that writers need no check on every line.
 */
#include <stddef.h>
#include <stdint.h>

struct bh_buf {
	char *data; /* NUL-terminated once anything was added */
	size_t len; /* bytes without the NUL */
	size_t cap;
	size_t max; /* 0 = BH_BUF_MAX */
	int error;  /* negative errno of the first failure */
};

#define BH_BUF_MAX ((size_t)64 << 20)
#define BH_BUF_INIT                                                                                \
	{                                                                                          \
		0                                                                                  \
	}

void bh_buf_add(struct bh_buf *b, const void *data, size_t len);
void bh_buf_str(struct bh_buf *b, const char *s);
void bh_buf_printf(struct bh_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/*
 * The bytes ("" if none; @ret_len may be NULL), owned by the caller. 0, -ENOMEM or -E2BIG; either
 * way the buffer is empty and usable again.
 */
int bh_buf_take(struct bh_buf *b, char **ret_data, size_t *ret_len);
void bh_buf_done(struct bh_buf *b); /* releases the contents */
static inline void bh_buf_donep(struct bh_buf *b)
{
	bh_buf_done(b);
}
#define bh_autobuf __attribute__((__cleanup__(bh_buf_donep))) struct bh_buf
