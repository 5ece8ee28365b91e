/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * server - a small HTTP/1.1 server inside the event loop, on TCP or on a UNIX socket. The only user
 * of libmicrohttpd. GET and HEAD only; everything a client can make it hold is bounded below.
 *
 * Refusals (400, 404, 405, 413, 414, 503) are JSON, {"error": "..."}; only for a request that is no
 * HTTP, or whose headers are over BH_HTTP_MAX_HEAD, libmicrohttpd answers by itself.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/cleanup.h"

struct bh_http_request; /* opaque: valid until it is answered */
struct bh_http_server;	/* opaque */
struct bh_http_stream;	/* opaque: an answer without end */
struct bh_http_target;
struct bh_loop;

#define BH_HTTP_MAX_CONNECTIONS 64
#define BH_HTTP_MAX_HEAD 8192		    /* bytes of memory for a request's line and headers */
#define BH_HTTP_MAX_BODY ((size_t)64 << 10) /* of a request; read and ignored */
#define BH_HTTP_IDLE_S 10		    /* a connection on which nothing moves */
#define BH_HTTP_REQUEST_S 30 /* from connect or last answer to the next answer's end */
#define BH_HTTP_MAX_STREAMS 8

/*
 * Must do one of: bh_http_reply(), bh_http_reply_error(), bh_http_stream_open(), bh_http_defer().
 * Doing none of them is answered with 500.
 */
typedef void (*bh_http_handler)(void *ud, struct bh_http_request *req);

/*
 * Serve on @listen_fd, a listening stream socket, which is taken over in every case.
 * @loop must outlive the server. 0, -ENOMEM or another negative errno.
 */
int bh_http_server_new(struct bh_loop *loop, int listen_fd, bh_http_handler handler, void *ud,
		       struct bh_http_server **ret_server);
/* Cuts every connection; pending requests and streams end (their closed() is called). */
struct bh_http_server *bh_http_server_free(struct bh_http_server *s);
BH_DEFINE_AUTO(struct bh_http_server, bh_http_server_free)

size_t bh_http_server_streams(const struct bh_http_server *s); /* open now */
/* Streams ended because their reader was too slow for BH_HTTP_STREAM_QUEUE, since the start. */
uint64_t bh_http_server_cut_off(const struct bh_http_server *s);

const struct bh_http_target *bh_http_request_target(const struct bh_http_request *req);
/* The client's process as of connect(). 0, or -EOPNOTSUPP on a socket that is not UNIX. */
int bh_http_request_peer(const struct bh_http_request *req, uid_t *ret_uid, pid_t *ret_pid);

/*
 * Answer with @len bytes of @body, from malloc(), taken over in every case. @content_type must be a
 * string constant.
 */
void bh_http_reply(struct bh_http_request *req, unsigned int status, const char *content_type,
		   char *body, size_t len);
/* Answer with {"error": "..."}. */
void bh_http_reply_error(struct bh_http_request *req, unsigned int status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Answer later, by bh_http_reply*() with the same @req, unless the server is freed first. */
void bh_http_defer(struct bh_http_request *req);

/*
 * Answer 200 with a stream, in the handler itself. @closed is called once, when the stream is gone
 * for whatever reason;
 * @ret_stream (see stream.h) is invalid from then on. 0, or -EBUSY (all streams are in use),
 * -ENOMEM: then nothing was answered yet.
 */
int bh_http_stream_open(struct bh_http_request *req, const char *content_type,
			void (*closed)(void *ud, struct bh_http_stream *s), void *ud,
			struct bh_http_stream **ret_stream);
