/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above, in any order, first */
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/http/listen.h"
#include "agent/http/server.h"
#include "agent/http/stream.h"
#include "agent/http/target.h"
#include "agent/loop.h"
#include "common/clock.h"
#include "tests/unit/http_fixture.h"

#define BUF_LEN ((size_t)64 << 10)

struct fx {
	char dir[64], path[96];
	struct bh_loop *loop;
	struct bh_listen_unix listen;
	struct bh_http_server *server;
	struct bh_http_request *deferred;
	struct bh_http_stream *stream; /* the last one opened */
	int opened, closed, calls, open_error;
	uid_t uid;
	pid_t pid;
	char *buf;
};

static void on_closed(void *ud, struct bh_http_stream *s)
{
	struct fx *f = ud;

	f->closed++;
	if (f->stream == s)
		f->stream = NULL;
}

static void handler(void *ud, struct bh_http_request *req)
{
	const struct bh_http_target *t = bh_http_request_target(req);
	struct fx *f = ud;

	f->calls++;
	if (!strcmp(t->path, "/echo")) {
		const char *q = bh_http_target_get(t, "q");

		assert_int_equal(bh_http_request_peer(req, &f->uid, &f->pid), 0);
		bh_http_reply(req, 200, "text/plain", strdup(q), strlen(q));
	} else if (!strcmp(t->path, "/later")) {
		bh_http_defer(req);
		f->deferred = req;
	} else if (!strcmp(t->path, "/stream")) {
		f->open_error = bh_http_stream_open(req, "text/plain", on_closed, f, &f->stream);
		if (f->open_error)
			bh_http_reply_error(req, 503, "streams are used up");
		else
			f->opened++;
	} else if (strcmp(t->path, "/nothing")) {
		bh_http_reply_error(req, 404, "no \"%s\"", t->path);
	}
}

static int setup(void **state)
{
	struct fx *f = calloc(1, sizeof(*f));

	fixture_mkdir(f->dir);
	(void)snprintf(f->path, sizeof(f->path), "%s/s.sock", f->dir);
	f->buf = malloc(BUF_LEN);
	assert_non_null(f->buf);
	assert_int_equal(bh_loop_new(&f->loop), 0);
	assert_int_equal(bh_listen_unix_open(f->path, &f->listen, NULL), 0);
	assert_int_equal(
		bh_http_server_new(f->loop, BH_TAKE_FD(f->listen.fd), handler, f, &f->server), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fx *f = *state;

	f->server = bh_http_server_free(f->server);
	f->loop = bh_loop_free(f->loop);
	bh_listen_unix_close(&f->listen);
	fixture_rmdir(f->dir);
	free(f->buf);
	free(f);
	return 0;
}

static void server__get__body_type_and_peer(void **state)
{
	struct fx *f = *state;

	fixture_roundtrip(f->loop, f->path,
			  "GET /echo?q=a%26b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
			  f->buf, BUF_LEN);
	assert_non_null(strstr(f->buf, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(f->buf, "Content-Type: text/plain\r\n"));
	assert_non_null(strstr(f->buf, "\r\n\r\na&b"));
	assert_null(strstr(f->buf, "Date:"));
	assert_null(strstr(f->buf, "Server:"));
	assert_int_equal(f->uid, getuid());
	assert_int_equal(f->pid, getpid());
}

static void server__head__headers_without_body(void **state)
{
	struct fx *f = *state;

	fixture_roundtrip(f->loop, f->path,
			  "HEAD /echo?q=abc HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
			  f->buf, BUF_LEN);
	assert_non_null(strstr(f->buf, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(f->buf, "Content-Length: 3\r\n"));
	assert_string_equal(f->buf + strlen(f->buf) - 4, "\r\n\r\n");
}

static void server__refusals__json_with_the_right_status(void **state)
{
	static const struct {
		const char *request, *status, *body;
	} table[] = {
		{ "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n", "405", "only GET" },
		{ "DELETE /echo HTTP/1.1\r\nHost: x\r\n", "405", "only GET" },
		{ "GET /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n", "413", "65536" },
		{ "GET /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n", "400",
		  "Transfer-Encoding" },
		{ "GET /echo?q=%0d HTTP/1.1\r\nHost: x\r\n", "400", "control byte" },
		{ "GET /echo?q=1&q=2 HTTP/1.1\r\nHost: x\r\n", "400", "twice" },
		{ "GET http://h/ HTTP/1.1\r\nHost: x\r\n", "400", "begin with" },
		{ "GET /x\"y HTTP/1.1\r\nHost: x\r\n", "404", "no \\\"/x\\\"y\\\"" },
		{ "GET /nothing HTTP/1.1\r\nHost: x\r\n", "500", "no answer" },
	};
	struct fx *f = *state;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char req[512], status[32];

		(void)snprintf(req, sizeof(req), "%sConnection: close\r\n\r\n", table[i].request);
		(void)snprintf(status, sizeof(status), "HTTP/1.1 %s ", table[i].status);
		fixture_roundtrip(f->loop, f->path, req, f->buf, BUF_LEN);
		assert_memory_equal(f->buf, status, strlen(status));
		assert_non_null(strstr(f->buf, "Content-Type: application/json\r\n"));
		assert_non_null(strstr(f->buf, "\r\n\r\n{\"error\":\""));
		assert_non_null(strstr(f->buf, table[i].body));
	}
	assert_int_equal(f->calls, 2); /* only 404 and 500 reached the handler */
}

static void server__long_target__414(void **state)
{
	struct fx *f = *state;
	char req[BH_HTTP_MAX_TARGET + 200];
	int n = snprintf(req, sizeof(req), "GET /");

	memset(req + n, 'a', BH_HTTP_MAX_TARGET);
	(void)snprintf(req + n + BH_HTTP_MAX_TARGET, sizeof(req) - (size_t)n - BH_HTTP_MAX_TARGET,
		       " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	fixture_roundtrip(f->loop, f->path, req, f->buf, BUF_LEN);
	assert_memory_equal(f->buf, "HTTP/1.1 414 ", 13);
	assert_int_equal(f->calls, 0);
}

static void server__head_over_the_bound__refused_without_handler(void **state)
{
	struct fx *f = *state;
	char *req = malloc(3 * BH_HTTP_MAX_HEAD);
	int n = snprintf(req, 64, "GET /echo?q=1 HTTP/1.1\r\nHost: x\r\nX: ");

	memset(req + n, 'a', 2 * BH_HTTP_MAX_HEAD);
	memcpy(req + n + 2 * BH_HTTP_MAX_HEAD, "\r\n\r\n", 5);
	fixture_roundtrip(f->loop, f->path, req, f->buf, BUF_LEN);
	assert_memory_equal(f->buf, "HTTP/1.1 4", 10);
	assert_int_equal(f->calls, 0);
	free(req);
}

static void server__client_leaves_mid_request__nothing_left(void **state)
{
	struct fx *f = *state;
	int fd = fixture_connect(f->path);

	fixture_send(fd, "GET /echo?q=1 HTTP/1.1\r\nHost:");
	for (int i = 0; i < 5; i++)
		assert_true(bh_loop_step(f->loop, BH_NS_PER_MS) >= 0);
	(void)close(fd);
	fixture_roundtrip(f->loop, f->path, "GET /echo?q=1 HTTP/1.0\r\n\r\n", f->buf, BUF_LEN);
	assert_non_null(strstr(f->buf, " 200 OK"));
	assert_int_equal(f->calls, 1);
}

static bool is_deferred(void *ud)
{
	return ((struct fx *)ud)->deferred;
}

static void server__deferred__answered_later_on_the_same_connection(void **state)
{
	struct fx *f = *state;
	int fd = fixture_connect(f->path);
	size_t len = 0;

	fixture_send(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
	fixture_until(f->loop, is_deferred, f);
	/* Others are served meanwhile. */
	fixture_roundtrip(f->loop, f->path, "GET /echo?q=1 HTTP/1.0\r\n\r\n", f->buf, BUF_LEN);
	assert_non_null(strstr(f->buf, " 200 OK"));
	bh_http_reply(f->deferred, 200, "text/plain", strdup("at last"), 7);
	fixture_read_until(f->loop, fd, f->buf, BUF_LEN, &len, "at last");
	len = 0;
	fixture_send(fd, "GET /echo?q=again HTTP/1.1\r\nHost: x\r\n\r\n");
	fixture_read_until(f->loop, fd, f->buf, BUF_LEN, &len, "again");
	(void)close(fd);
}

static void server__freed_with_pending_request_and_stream__all_released(void **state)
{
	struct fx *f = *state;
	int a = fixture_connect(f->path), b = fixture_connect(f->path);
	size_t len = 0;

	fixture_send(a, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
	fixture_until(f->loop, is_deferred, f);
	fixture_send(b, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
	fixture_read_until(f->loop, b, f->buf, BUF_LEN, &len, "\r\n\r\n");
	f->server = bh_http_server_free(f->server);
	assert_int_equal(f->closed, 1);
	assert_int_equal(recv(a, f->buf, 1, 0), 0);
	(void)close(a);
	(void)close(b);
}

static void stream__lines__arrive_and_end_properly(void **state)
{
	struct fx *f = *state;
	int fd = fixture_connect(f->path);
	size_t len = 0;

	fixture_send(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
	fixture_read_until(f->loop, fd, f->buf, BUF_LEN, &len, "\r\n\r\n");
	assert_int_equal(bh_http_server_streams(f->server), 1);
	assert_int_equal(bh_http_stream_write(f->stream, "one\n", 4), 0);
	fixture_read_until(f->loop, fd, f->buf, BUF_LEN, &len, "one\n");
	assert_int_equal(bh_http_stream_write(f->stream, "two\n", 4), 0);
	assert_int_equal(bh_http_stream_write(f->stream, "three\n", 6), 0);
	bh_http_stream_end(f->stream);
	assert_int_equal(bh_http_stream_write(f->stream, "four\n", 5), -EPIPE);
	fixture_read_until(f->loop, fd, f->buf, BUF_LEN, &len, "three\n\r\n0\r\n\r\n");
	assert_int_equal(f->closed, 1);
	assert_int_equal(bh_http_server_streams(f->server), 0);
	(void)close(fd);
}

static bool none_open(void *ud)
{
	return !bh_http_server_streams(((struct fx *)ud)->server);
}

static void stream__reader_leaves_while_quiet__slot_is_free_again(void **state)
{
	struct fx *f = *state;
	int fd = fixture_connect(f->path);
	size_t len = 0;

	fixture_send(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
	fixture_read_until(f->loop, fd, f->buf, BUF_LEN, &len, "\r\n\r\n");
	(void)close(fd);
	fixture_until(f->loop, none_open, f);
	assert_int_equal(f->closed, 1);
	assert_int_equal(bh_http_server_cut_off(f->server), 0);
}

static void stream__slow_reader__cut_off_and_counted(void **state)
{
	struct fx *f = *state;
	int fd = fixture_connect(f->path);
	char block[4096];
	size_t len = 0, written = 0;
	int r = 0;

	memset(block, 'x', sizeof(block));
	fixture_send(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
	fixture_read_until(f->loop, fd, f->buf, BUF_LEN, &len, "\r\n\r\n");
	while (!r && written < (size_t)64 << 20) { /* it reads no more */
		r = bh_http_stream_write(f->stream, block, sizeof(block));
		written += sizeof(block);
		assert_true(bh_loop_step(f->loop, 0) >= 0);
	}
	assert_int_equal(r, -EPIPE);
	assert_true(written > BH_HTTP_STREAM_QUEUE);
	fixture_until(f->loop, none_open, f);
	assert_int_equal(f->closed, 1);
	assert_int_equal(bh_http_server_cut_off(f->server), 1);
	(void)close(fd);
}

static void stream__ninth__refused_until_one_leaves(void **state)
{
	struct fx *f = *state;
	int fd[BH_HTTP_MAX_STREAMS];
	size_t len;

	for (int i = 0; i < BH_HTTP_MAX_STREAMS; i++) {
		len = 0;
		fd[i] = fixture_connect(f->path);
		fixture_send(fd[i], "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
		fixture_read_until(f->loop, fd[i], f->buf, BUF_LEN, &len, "\r\n\r\n");
	}
	fixture_roundtrip(f->loop, f->path, "GET /stream HTTP/1.0\r\n\r\n", f->buf, BUF_LEN);
	assert_non_null(strstr(f->buf, " 503 "));
	assert_int_equal(f->open_error, -EBUSY);
	for (int i = 0; i < BH_HTTP_MAX_STREAMS; i++)
		(void)close(fd[i]);
	fixture_until(f->loop, none_open, f);
	assert_int_equal(f->closed, BH_HTTP_MAX_STREAMS);
}

static void server__more_clients_than_connections__the_rest_waits(void **state)
{
	struct fx *f = *state;
	int fd[BH_HTTP_MAX_CONNECTIONS], extra;
	size_t len = 0;

	for (int i = 0; i < BH_HTTP_MAX_CONNECTIONS; i++) {
		fd[i] = fixture_connect(f->path);
		assert_true(bh_loop_step(f->loop, BH_NS_PER_MS) >= 0);
	}
	extra = fixture_connect(f->path); /* waits in the backlog */
	fixture_send(extra, "GET /echo?q=extra HTTP/1.1\r\nHost: x\r\n\r\n");
	for (int i = 0; i < 10; i++)
		assert_true(bh_loop_step(f->loop, BH_NS_PER_MS) >= 0);
	assert_int_equal(f->calls, 0);
	(void)close(fd[0]);
	fixture_read_until(f->loop, extra, f->buf, BUF_LEN, &len, "extra");
	for (int i = 1; i < BH_HTTP_MAX_CONNECTIONS; i++)
		(void)close(fd[i]);
	(void)close(extra);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(server__get__body_type_and_peer),
		T(server__head__headers_without_body),
		T(server__refusals__json_with_the_right_status),
		T(server__long_target__414),
		T(server__head_over_the_bound__refused_without_handler),
		T(server__client_leaves_mid_request__nothing_left),
		T(server__deferred__answered_later_on_the_same_connection),
		T(server__freed_with_pending_request_and_stream__all_released),
		T(stream__lines__arrive_and_end_properly),
		T(stream__reader_leaves_while_quiet__slot_is_free_again),
		T(stream__slow_reader__cut_off_and_counted),
		T(stream__ninth__refused_until_one_leaves),
		T(server__more_clients_than_connections__the_rest_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
