/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * client - GET by HTTP from a UNIX socket, blocking. The only user of libcurl. No redirects, no
 * proxies, no protocol but HTTP, every answer bounded.
 */
#include <stddef.h>
#include <stdint.h>

struct bh_buf;
struct bh_err;

struct bh_http_answer {
	long status;
	char *body; /* NUL-terminated behind len; owned by the caller, free() */
	size_t len;
};

/*
 * GET @target ("/v1/status?x=y", already escaped) from the server at @socket_path, within
 * @timeout_ms for all of it. An answer of any HTTP status is a success; release ret_answer->body.
 * -ENOENT, -ECONNREFUSED or -EACCES from connect(); -ETIMEDOUT; -E2BIG: more than @max_body bytes;
 * -EPROTO: no HTTP, or cut off; -ENAMETOOLONG; -ENOMEM.
 */
int bh_http_get(const char *socket_path, const char *target, uint64_t timeout_ms, size_t max_body,
		struct bh_http_answer *ret_answer, struct bh_err *err);

#define BH_HTTP_MAX_LINE ((size_t)64 << 10)

/* @line without its newline, NUL-terminated. 0 goes on; a negative errno ends the transfer. */
typedef int (*bh_http_line_fn)(void *ud, const char *line, size_t len);

/*
 * GET an endless answer and give each line to @fn. Returns 0 when the server ended it, what @fn
 * returned, or as bh_http_get(); -E2BIG for a line over BH_HTTP_MAX_LINE. ret_answer->status is set
 * on 0; a status other than 200 has its body there and no line was given to @fn.
 */
int bh_http_get_lines(const char *socket_path, const char *target, bh_http_line_fn fn, void *ud,
		      struct bh_http_answer *ret_answer, struct bh_err *err);

/*
 * Append "?key=value", or "&key=value" when @b has a '?' already, with everything but unreserved
 * characters (RFC 3986) escaped. @key must need no escape.
 */
void bh_http_target_add(struct bh_buf *b, const char *key, const char *value);
