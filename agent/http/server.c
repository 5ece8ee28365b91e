/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/http/server.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <microhttpd.h>

#include "agent/http/stream.h"
#include "agent/http/target.h"
#include "agent/loop.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/json.h"
#include "common/parse.h"

#define SWEEP_NS (5 * BH_NS_PER_S)
#define STREAM_BLOCK 4096
#define JSON_TYPE "application/json"

/* A client's connection; it sees requests come and go. */
struct conn {
	struct conn *next, **link;
	int fd;		   /* libmicrohttpd's */
	uint64_t since_ns; /* when the current request could begin */
	bool streaming;
};

struct bh_http_request {
	struct bh_http_request *next, **link;
	struct bh_http_server *server;
	struct MHD_Connection *mc;
	bool begun;
	bool deferred;
	bool suspended;
	struct bh_http_target target;
	int target_error;
	struct bh_err err;
	unsigned int status; /* 0: no answer yet */
	const char *content_type;
	char *body; /* owned until it is given to libmicrohttpd */
	size_t len;
	struct bh_http_stream *stream; /* likewise */
};

struct bh_http_server {
	struct bh_loop *loop;
	struct MHD_Daemon *mhd;
	struct bh_loop_source *io, *timer, *sweep;
	bh_http_handler handler;
	void *ud;
	struct conn *conns;
	struct bh_http_request *requests;
	struct bh_http_stream *streams[BH_HTTP_MAX_STREAMS];
	size_t n_streams;
	uint64_t cut_off;
	bool resumed; /* a connection was, since libmicrohttpd last ran */
	bool closing;
};

#define LIST_ADD(head, item)                                                                       \
	do {                                                                                       \
		(item)->next = (head);                                                             \
		(item)->link = &(head);                                                            \
		if ((head))                                                                        \
			(head)->link = &(item)->next;                                              \
		(head) = (item);                                                                   \
	} while (0)

#define LIST_DEL(item)                                                                             \
	do {                                                                                       \
		*(item)->link = (item)->next;                                                      \
		if ((item)->next)                                                                  \
			(item)->next->link = (item)->link;                                         \
	} while (0)

/* Let libmicrohttpd do what it can, and come back when it wants to. */
static void run(void *ud)
{
	struct bh_http_server *s = ud;
	MHD_UNSIGNED_LONG_LONG ms;

	s->resumed = false;
	(void)MHD_run(s->mhd);
	if (s->resumed)
		(void)bh_loop_timer_in(s->timer, 0);
	else if (MHD_get_timeout(s->mhd, &ms) == MHD_YES)
		(void)bh_loop_timer_in(s->timer, ms * BH_NS_PER_MS);
	else
		(void)bh_loop_timer_stop(s->timer);
}

/* Without threads of its own the library does not wake itself for a connection that is resumed. */
static void resume(struct bh_http_server *s, struct MHD_Connection *mc)
{
	MHD_resume_connection(mc);
	s->resumed = true;
	if (!s->closing)
		(void)bh_loop_timer_in(s->timer, 0);
}

static void on_epoll(void *ud, uint32_t revents)
{
	(void)revents;
	run(ud);
}

static struct conn *conn_of(struct MHD_Connection *mc)
{
	const union MHD_ConnectionInfo *const i =
		MHD_get_connection_info(mc, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return i ? i->socket_context : NULL;
}

/*
 * The library's timeout sees a byte now and then as life. A client that drips its request, or sips
 * its answer, holds one of few connections: this bounds for how long.
 */
static void on_sweep(void *ud)
{
	struct bh_http_server *s = ud;
	const uint64_t now = bh_clock_ns();

	for (struct conn *c = s->conns; c; c = c->next) {
		if (!c->streaming && now - c->since_ns > BH_HTTP_REQUEST_S * BH_NS_PER_S)
			(void)shutdown(c->fd, SHUT_RDWR);
	}
	if (s->conns)
		(void)bh_loop_timer_in(s->sweep, SWEEP_NS);
}

static void on_connection(void *cls, struct MHD_Connection *mc, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct bh_http_server *s = cls;
	const union MHD_ConnectionInfo *i;
	struct conn *c = *context;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (c)
			LIST_DEL(c);
		free(c);
		*context = NULL;
		return;
	}
	i = MHD_get_connection_info(mc, MHD_CONNECTION_INFO_CONNECTION_FD);
	c = i ? calloc(1, sizeof(*c)) : NULL;
	if (!c)
		return; /* its requests are refused */
	c->fd = i->connect_fd;
	c->since_ns = bh_clock_ns();
	if (!s->conns)
		(void)bh_loop_timer_in(s->sweep, SWEEP_NS);
	LIST_ADD(s->conns, c);
	*context = c;
}

/* First sight of a request: its raw target, before the library decodes it in its own way. */
static void *on_uri(void *cls, const char *uri, struct MHD_Connection *mc)
{
	struct bh_http_server *s = cls;
	struct bh_http_request *req = calloc(1, sizeof(*req));

	if (!req)
		return NULL;
	req->server = s;
	req->mc = mc;
	req->target_error = bh_http_target_parse(uri, &req->target, &req->err);
	LIST_ADD(s->requests, req);
	return req;
}

static void on_completed(void *cls, struct MHD_Connection *mc, void **context,
			 enum MHD_RequestTerminationCode code)
{
	struct bh_http_request *req = *context;
	struct conn *const c = conn_of(mc);

	(void)cls;
	(void)code;
	if (c) {
		c->since_ns = bh_clock_ns();
		c->streaming = false;
	}
	if (!req)
		return;
	LIST_DEL(req);
	free(req->body);
	free(req);
	*context = NULL;
}

/* Called by the stream when it has something to say, or is dead. */
static void stream_resume(struct bh_http_server *s, void *connection)
{
	resume(s, connection);
}

/* The library lets go of a stream. */
static void stream_gone(void *cls)
{
	struct bh_http_stream *st = cls;
	struct bh_http_server *s = bh_http_stream_owner(st);

	for (size_t i = 0; i < BH_HTTP_MAX_STREAMS; i++) {
		if (s->streams[i] == st) {
			s->streams[i] = NULL;
			s->n_streams--;
			s->cut_off += bh_http_stream_was_slow(st);
		}
	}
	bh_http_stream_free(st);
}

static ssize_t stream_read(void *cls, uint64_t pos, char *buf, size_t max)
{
	const ssize_t n = bh_http_stream_pull(cls, buf, max);

	(void)pos;
	if (n == -EAGAIN) {
		MHD_suspend_connection(bh_http_stream_connection(cls));
		return 0;
	}
	if (n < 0)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	return n ? n : MHD_CONTENT_READER_END_OF_STREAM;
}

static struct MHD_Response *stream_response(struct bh_http_request *req)
{
	struct bh_http_stream *const s = BH_TAKE_PTR(req->stream);
	struct MHD_Response *resp = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, STREAM_BLOCK, stream_read, s, stream_gone);
	struct conn *const c = conn_of(req->mc);

	if (!resp)
		stream_gone(s);
	else if (c)
		c->streaming = true;
	return resp;
}

/* Hand the answer over to the library. */
static enum MHD_Result send_answer(struct bh_http_request *req)
{
	struct MHD_Response *resp;
	enum MHD_Result ok = MHD_YES;

	if (req->stream) {
		resp = stream_response(req);
	} else {
		char *const body = BH_TAKE_PTR(req->body);

		resp = MHD_create_response_from_buffer(req->len, body, MHD_RESPMEM_MUST_FREE);
		if (!resp)
			free(body);
	}
	if (!resp)
		return MHD_NO;
	if (MHD_add_response_header(resp, "Content-Type", req->content_type) != MHD_YES ||
	    MHD_add_response_header(resp, "Cache-Control", "no-store") != MHD_YES ||
	    MHD_add_response_header(resp, "X-Content-Type-Options", "nosniff") != MHD_YES ||
	    (req->status == MHD_HTTP_METHOD_NOT_ALLOWED &&
	     MHD_add_response_header(resp, "Allow", "GET, HEAD") != MHD_YES))
		ok = MHD_NO;
	if (ok == MHD_YES)
		ok = MHD_queue_response(req->mc, req->status, resp);
	MHD_destroy_response(resp);
	return ok;
}

/* Refuse what needs no handler. True if it is answered. */
static bool refuse_early(struct bh_http_request *req, const char *method)
{
	const char *const length = MHD_lookup_connection_value(req->mc, MHD_HEADER_KIND,
							       MHD_HTTP_HEADER_CONTENT_LENGTH);
	uint64_t n;

	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		bh_http_reply_error(req, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET is served here");
	else if (MHD_lookup_connection_value(req->mc, MHD_HEADER_KIND,
					     MHD_HTTP_HEADER_TRANSFER_ENCODING))
		bh_http_reply_error(req, MHD_HTTP_BAD_REQUEST, "Transfer-Encoding with GET");
	else if (length && bh_parse_u64(length, 0, BH_HTTP_MAX_BODY, &n) < 0)
		bh_http_reply_error(req, MHD_HTTP_CONTENT_TOO_LARGE, "body over %zu bytes",
				    BH_HTTP_MAX_BODY);
	else if (req->target_error == -E2BIG)
		bh_http_reply_error(req, MHD_HTTP_URI_TOO_LONG, "%s", req->err.msg);
	else if (req->target_error < 0)
		bh_http_reply_error(req, MHD_HTTP_BAD_REQUEST, "%s", req->err.msg);
	return req->status != 0;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mc, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_len, void **context)
{
	struct bh_http_server *s = cls;
	struct bh_http_request *req = *context;

	(void)url;
	(void)version;
	(void)upload;
	if (!req || !conn_of(mc) || s->closing)
		return MHD_NO;
	if (!req->begun) {
		req->begun = true;
		return refuse_early(req, method) ? send_answer(req) : MHD_YES;
	}
	if (*upload_len) {
		*upload_len = 0;
		return MHD_YES;
	}
	if (!req->status && !req->deferred)
		s->handler(s->ud, req);
	if (req->status)
		return send_answer(req);
	if (!req->deferred) {
		bh_http_reply_error(req, MHD_HTTP_INTERNAL_SERVER_ERROR, "no answer");
		return send_answer(req);
	}
	MHD_suspend_connection(mc);
	req->suspended = true;
	return MHD_YES;
}

int bh_http_server_new(struct bh_loop *loop, int listen_fd, bh_http_handler handler, void *ud,
		       struct bh_http_server **ret_server)
{
	bh_auto(bh_http_server_freep) struct bh_http_server *s = NULL;
	bh_autoclose int fd = listen_fd;
	const union MHD_DaemonInfo *info;
	int r;

	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->loop = loop;
	s->handler = handler;
	s->ud = ud;
	r = bh_loop_timer(loop, run, s, &s->timer);
	if (r < 0)
		return r;
	r = bh_loop_timer(loop, on_sweep, s, &s->sweep);
	if (r < 0)
		return r;
	s->mhd = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_SUPPRESS_DATE_NO_CLOCK, 0, NULL,
		NULL, on_request, s, MHD_OPTION_LISTEN_SOCKET, BH_TAKE_FD(fd),
		MHD_OPTION_CONNECTION_LIMIT, (unsigned int)BH_HTTP_MAX_CONNECTIONS,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)BH_HTTP_MAX_HEAD,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)BH_HTTP_IDLE_S,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, on_uri, s,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, s, MHD_OPTION_END);
	if (!s->mhd)
		return errno > 0 ? -errno : -EIO;
	info = MHD_get_daemon_info(s->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		return -EIO;
	r = bh_loop_io(loop, info->epoll_fd, EPOLLIN, on_epoll, s, &s->io);
	if (r < 0)
		return r;
	*ret_server = BH_TAKE_PTR(s);
	return 0;
}

struct bh_http_server *bh_http_server_free(struct bh_http_server *s)
{
	if (!s)
		return NULL;
	s->closing = true;
	s->io = bh_loop_source_free(s->io);
	s->timer = bh_loop_source_free(s->timer);
	/* The library panics if it is stopped with suspended connections. */
	for (size_t i = 0; i < BH_HTTP_MAX_STREAMS; i++) {
		if (s->streams[i])
			bh_http_stream_kill(s->streams[i]);
	}
	for (struct bh_http_request *req = s->requests; req; req = req->next) {
		if (BH_TAKE(req->suspended, false))
			resume(s, req->mc);
	}
	if (s->mhd)
		MHD_stop_daemon(s->mhd);
	s->sweep = bh_loop_source_free(s->sweep);
	free(s);
	return NULL;
}

size_t bh_http_server_streams(const struct bh_http_server *s)
{
	return s->n_streams;
}

uint64_t bh_http_server_cut_off(const struct bh_http_server *s)
{
	uint64_t n = s->cut_off;

	for (size_t i = 0; i < BH_HTTP_MAX_STREAMS; i++)
		n += s->streams[i] && bh_http_stream_was_slow(s->streams[i]);
	return n;
}

const struct bh_http_target *bh_http_request_target(const struct bh_http_request *req)
{
	return &req->target;
}

int bh_http_request_peer(const struct bh_http_request *req, uid_t *ret_uid, pid_t *ret_pid)
{
	struct sockaddr sa = { 0 };
	socklen_t sa_len = sizeof(sa);
	struct ucred cred;
	socklen_t len = sizeof(cred);
	const int fd = conn_of(req->mc)->fd;

	/* TCP sockets answer SO_PEERCRED too, with nonsense. */
	if (getsockname(fd, &sa, &sa_len) < 0 || sa.sa_family != AF_UNIX)
		return -EOPNOTSUPP;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	*ret_uid = cred.uid;
	*ret_pid = cred.pid;
	return 0;
}

void bh_http_reply(struct bh_http_request *req, unsigned int status, const char *content_type,
		   char *body, size_t len)
{
	if (req->status) { /* answered already: the first answer counts */
		free(body);
		return;
	}
	req->status = status;
	req->content_type = content_type;
	req->body = body;
	req->len = len;
	if (BH_TAKE(req->suspended, false))
		resume(req->server, req->mc);
}

void bh_http_reply_error(struct bh_http_request *req, unsigned int status, const char *fmt, ...)
{
	bh_auto(bh_json_freep) struct bh_json *j = bh_json_new_object();
	char msg[BH_ERR_MSG_LEN], *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	bh_json_set_str(j, "error", msg);
	if (bh_json_encode(j, false, &text) < 0)
		text = NULL; /* no memory: the status alone must do */
	bh_http_reply(req, status, JSON_TYPE, text, text ? strlen(text) : 0);
}

void bh_http_defer(struct bh_http_request *req)
{
	req->deferred = true;
}

int bh_http_stream_open(struct bh_http_request *req, const char *content_type,
			void (*closed)(void *ud, struct bh_http_stream *s), void *ud,
			struct bh_http_stream **ret_stream)
{
	struct bh_http_server *s = req->server;
	const struct bh_http_stream_args args = {
		.loop = s->loop,
		.fd = conn_of(req->mc)->fd,
		.resume = stream_resume,
		.connection = req->mc,
		.owner = s,
		.closed = closed,
		.ud = ud,
	};
	size_t slot = 0;
	int r;

	assert(!req->status && !req->deferred);
	while (slot < BH_HTTP_MAX_STREAMS && s->streams[slot])
		slot++;
	if (slot == BH_HTTP_MAX_STREAMS)
		return -EBUSY;
	r = bh_http_stream_new(&args, &s->streams[slot]);
	if (r < 0)
		return r;
	s->n_streams++;
	req->stream = s->streams[slot];
	req->status = MHD_HTTP_OK;
	req->content_type = content_type;
	*ret_stream = req->stream;
	return 0;
}
