/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * stream - the bytes on their way to the reader of an endless answer: a bounded queue, and the
 * decision when a reader has left or is too slow. The server creates and frees it; who opened it by
 * bh_http_stream_open() only writes and ends it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct bh_http_server;
struct bh_http_stream; /* opaque */
struct bh_loop;

#define BH_HTTP_STREAM_QUEUE ((size_t)256 << 10) /* bytes that may wait for one reader */

/*
 * Queue bytes. 0; -EPIPE: the reader left, or is cut off for having more than BH_HTTP_STREAM_QUEUE
 * bytes waiting. The stream stays valid until closed() in every case.
 */
int bh_http_stream_write(struct bh_http_stream *s, const void *data, size_t len);
/* End the answer properly once what is queued is sent. */
void bh_http_stream_end(struct bh_http_stream *s);

/* The rest is for the server alone. */

struct bh_http_stream_args {
	struct bh_loop *loop;
	int fd; /* of the connection, borrowed */
	/* Pull again; called only after -EAGAIN. */
	void (*resume)(struct bh_http_server *owner, void *connection);
	void *connection;
	struct bh_http_server *owner;
	void (*closed)(void *ud, struct bh_http_stream *s);
	void *ud;
};

int bh_http_stream_new(const struct bh_http_stream_args *args, struct bh_http_stream **ret_stream);
/* Calls closed(). NULL is fine; returns NULL. */
struct bh_http_stream *bh_http_stream_free(struct bh_http_stream *s);
/* Bytes for the reader; 0 = the end; -EAGAIN: none now, resume() follows; -EPIPE: cut the line. */
ssize_t bh_http_stream_pull(struct bh_http_stream *s, char *buf, size_t max);
/* Cut the connection; the next pull is -EPIPE. */
void bh_http_stream_kill(struct bh_http_stream *s);
bool bh_http_stream_was_slow(const struct bh_http_stream *s);
void *bh_http_stream_connection(const struct bh_http_stream *s);
struct bh_http_server *bh_http_stream_owner(const struct bh_http_stream *s);
