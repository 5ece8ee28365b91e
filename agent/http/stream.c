/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/http/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "agent/loop.h"
#include "common/buf.h"
#include "common/cleanup.h"

struct bh_http_stream {
	struct bh_http_stream_args a;
	struct bh_loop_source *hangup;
	bool waiting; /* pull said -EAGAIN */
	bool dead;    /* the reader left or was cut off */
	bool slow;
	bool ended; /* by us */
	struct bh_buf queue;
	size_t sent; /* bytes at the front of the queue that are gone */
};

static void resume(struct bh_http_stream *s)
{
	if (BH_TAKE(s->waiting, false))
		s->a.resume(s->a.owner, s->a.connection);
}

/* The server does not look at a connection that waits for us: who leaves is seen here. */
static void on_hangup(void *ud, uint32_t revents)
{
	(void)revents;
	bh_http_stream_kill(ud);
}

int bh_http_stream_new(const struct bh_http_stream_args *args, struct bh_http_stream **ret_stream)
{
	bh_autofree struct bh_http_stream *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->a = *args;
	r = bh_loop_io(s->a.loop, s->a.fd, EPOLLRDHUP, on_hangup, s, &s->hangup);
	if (r < 0)
		return r;
	*ret_stream = BH_TAKE_PTR(s);
	return 0;
}

struct bh_http_stream *bh_http_stream_free(struct bh_http_stream *s)
{
	if (!s)
		return NULL;
	s->hangup = bh_loop_source_free(s->hangup);
	s->a.closed(s->a.ud, s);
	bh_buf_done(&s->queue);
	free(s);
	return NULL;
}

ssize_t bh_http_stream_pull(struct bh_http_stream *s, char *buf, size_t max)
{
	size_t n = s->queue.len - s->sent;

	if (s->dead)
		return -EPIPE;
	if (!n && s->ended)
		return 0;
	if (!n) {
		s->waiting = true;
		return -EAGAIN;
	}
	n = n < max ? n : max;
	memcpy(buf, s->queue.data + s->sent, n);
	s->sent += n;
	if (s->sent == s->queue.len) {
		bh_buf_done(&s->queue);
		s->sent = 0;
	}
	return (ssize_t)n;
}

void bh_http_stream_kill(struct bh_http_stream *s)
{
	if (s->dead)
		return;
	s->dead = true;
	s->hangup = bh_loop_source_free(s->hangup);
	/* The server must see an error at once, even while a reader does not read. */
	(void)shutdown(s->a.fd, SHUT_RDWR);
	resume(s);
}

int bh_http_stream_write(struct bh_http_stream *s, const void *data, size_t len)
{
	if (s->dead || s->ended)
		return -EPIPE;
	if (s->queue.len - s->sent + len > BH_HTTP_STREAM_QUEUE) {
		s->slow = true;
		bh_http_stream_kill(s);
		return -EPIPE;
	}
	if (s->sent > s->queue.len / 2) {
		memmove(s->queue.data, s->queue.data + s->sent, s->queue.len - s->sent);
		s->queue.len -= s->sent;
		s->sent = 0;
	}
	bh_buf_add(&s->queue, data, len);
	if (s->queue.error) {
		bh_http_stream_kill(s);
		return -EPIPE;
	}
	resume(s);
	return 0;
}

void bh_http_stream_end(struct bh_http_stream *s)
{
	s->ended = true;
	resume(s);
}

bool bh_http_stream_was_slow(const struct bh_http_stream *s)
{
	return s->slow;
}

void *bh_http_stream_connection(const struct bh_http_stream *s)
{
	return s->a.connection;
}

struct bh_http_server *bh_http_stream_owner(const struct bh_http_stream *s)
{
	return s->a.owner;
}
