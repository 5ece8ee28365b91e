/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above, in any order, first */
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/http/client.h"
#include "agent/http/listen.h"
#include "agent/http/server.h"
#include "agent/http/stream.h"
#include "agent/http/target.h"
#include "agent/loop.h"
#include "common/clock.h"
#include "common/err.h"
#include "tests/unit/http_fixture.h"

#define TIMEOUT_MS 5000

struct fx {
	char dir[64], path[96];
	struct bh_listen_unix listen;
	pid_t server;
};

static void closed(void *ud, struct bh_http_stream *s)
{
	(void)ud;
	(void)s;
}

static char *filled(size_t len)
{
	char *p = malloc(len);

	if (p)
		memset(p, 'x', len);
	return p;
}

static void handler(void *ud, struct bh_http_request *req)
{
	const char *const path = bh_http_request_target(req)->path;
	struct bh_http_stream *s;

	(void)ud;
	if (!strcmp(path, "/hello")) {
		bh_http_reply(req, 200, "text/plain", strdup("hello"), 5);
	} else if (!strcmp(path, "/big")) {
		bh_http_reply(req, 200, "text/plain", filled(100000), 100000);
	} else if (!strcmp(path, "/never")) {
		bh_http_defer(req);
	} else if (!strcmp(path, "/redirect")) {
		bh_http_reply(req, 302, "text/plain", NULL, 0);
	} else if (!strcmp(path, "/lines") &&
		   !bh_http_stream_open(req, "text/plain", closed, NULL, &s)) {
		(void)bh_http_stream_write(s, "one\ntw", 6);
		(void)bh_http_stream_write(s, "o\n\nlast", 7);
		bh_http_stream_end(s);
	} else if (!strcmp(path, "/longline") &&
		   !bh_http_stream_open(req, "text/plain", closed, NULL, &s)) {
		char *p = filled(BH_HTTP_MAX_LINE + 1);

		(void)bh_http_stream_write(s, p, BH_HTTP_MAX_LINE + 1);
		free(p);
	} else {
		bh_http_reply_error(req, 404, "no such path");
	}
}

/* The client blocks, so the server is another process. */
static int setup(void **state)
{
	struct fx *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	fixture_mkdir(f->dir);
	(void)snprintf(f->path, sizeof(f->path), "%s/s.sock", f->dir);
	assert_int_equal(bh_listen_unix_open(f->path, &f->listen, NULL), 0);
	f->server = fork();
	assert_true(f->server >= 0);
	if (!f->server) {
		struct bh_http_server *s;
		struct bh_loop *l;
		int code;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (bh_loop_new(&l) ||
		    bh_http_server_new(l, BH_TAKE_FD(f->listen.fd), handler, NULL, &s))
			_exit(1);
		_exit(bh_loop_run(l, &code) ? 1 : code);
	}
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fx *f = *state;
	int status;

	(void)kill(f->server, SIGKILL);
	assert_int_equal(waitpid(f->server, &status, 0), f->server);
	assert_true(WIFSIGNALED(status)); /* it did not end by itself */
	bh_listen_unix_close(&f->listen);
	fixture_rmdir(f->dir);
	free(f);
	return 0;
}

static void get__small_body__status_and_bytes(void **state)
{
	struct fx *f = *state;
	struct bh_http_answer a = { 0 };

	assert_int_equal(bh_http_get(f->path, "/hello", TIMEOUT_MS, 5, &a, NULL), 0);
	assert_int_equal(a.status, 200);
	assert_int_equal(a.len, 5);
	assert_string_equal(a.body, "hello");
	free(a.body);
}

static void get__error_status__is_an_answer(void **state)
{
	struct fx *f = *state;
	struct bh_http_answer a = { 0 };

	assert_int_equal(bh_http_get(f->path, "/x", TIMEOUT_MS, 4096, &a, NULL), 0);
	assert_int_equal(a.status, 404);
	assert_string_equal(a.body, "{\"error\":\"no such path\"}");
	free(a.body);
	assert_int_equal(bh_http_get(f->path, "/redirect", TIMEOUT_MS, 4096, &a, NULL), 0);
	assert_int_equal(a.status, 302);
	free(a.body);
}

static void get__body_over_the_bound__e2big_and_out_untouched(void **state)
{
	struct fx *f = *state;
	struct bh_http_answer a = { .status = -7 };
	struct bh_err err = { 0 };

	assert_int_equal(bh_http_get(f->path, "/big", TIMEOUT_MS, 99999, &a, &err), -E2BIG);
	assert_int_equal(a.status, -7);
	assert_int_equal(bh_http_get(f->path, "/big", TIMEOUT_MS, 100000, &a, NULL), 0);
	assert_int_equal(a.len, 100000);
	free(a.body);
}

static void get__no_answer__etimedout(void **state)
{
	struct fx *f = *state;
	struct bh_http_answer a;
	const uint64_t start = bh_clock_ns();

	assert_int_equal(bh_http_get(f->path, "/never", 100, 4096, &a, NULL), -ETIMEDOUT);
	assert_true(bh_clock_ns() - start >= 99 * BH_NS_PER_MS);
}

static void get__no_socket__says_why(void **state)
{
	struct fx *f = *state;
	struct bh_listen_unix dead;
	struct bh_http_answer a;
	struct bh_err err = { 0 };
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/absent", f->dir);
	assert_int_equal(bh_http_get(path, "/", TIMEOUT_MS, 10, &a, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "absent"));
	assert_int_equal(bh_listen_unix_open(path, &dead, NULL), 0);
	bh_closep(&dead.fd);
	assert_int_equal(bh_http_get(path, "/", TIMEOUT_MS, 10, &a, NULL), -ECONNREFUSED);
	bh_listen_unix_close(&dead);
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(bh_http_get(path, "/", TIMEOUT_MS, 10, &a, NULL), -ENAMETOOLONG);
}

struct lines {
	int n, stop_at;
	char all[256];
};

static int on_line(void *ud, const char *line, size_t len)
{
	struct lines *l = ud;

	assert_int_equal(strlen(line), len);
	(void)snprintf(l->all + strlen(l->all), sizeof(l->all) - strlen(l->all), "[%s]", line);
	return ++l->n == l->stop_at ? -ECANCELED : 0;
}

static void get_lines__split_anywhere__whole_lines(void **state)
{
	struct fx *f = *state;
	struct bh_http_answer a = { 0 };
	struct lines l = { 0 };

	assert_int_equal(bh_http_get_lines(f->path, "/lines", on_line, &l, &a, NULL), 0);
	assert_int_equal(a.status, 200);
	assert_string_equal(l.all, "[one][two][][last]");
}

static void get_lines__callback_stops__its_error(void **state)
{
	struct fx *f = *state;
	struct bh_http_answer a;
	struct lines l = { .stop_at = 2 };

	assert_int_equal(bh_http_get_lines(f->path, "/lines", on_line, &l, &a, NULL), -ECANCELED);
	assert_string_equal(l.all, "[one][two]");
}

static void get_lines__line_over_the_bound__e2big(void **state)
{
	struct fx *f = *state;
	struct bh_http_answer a;
	struct lines l = { 0 };

	assert_int_equal(bh_http_get_lines(f->path, "/longline", on_line, &l, &a, NULL), -E2BIG);
	assert_int_equal(l.n, 0);
}

static void get_lines__refused__body_and_no_line(void **state)
{
	struct fx *f = *state;
	struct bh_http_answer a = { 0 };
	struct lines l = { 0 };

	assert_int_equal(bh_http_get_lines(f->path, "/x", on_line, &l, &a, NULL), 0);
	assert_int_equal(a.status, 404);
	assert_non_null(strstr(a.body, "no such path"));
	assert_int_equal(l.n, 0);
	free(a.body);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(get__small_body__status_and_bytes),
		T(get__error_status__is_an_answer),
		T(get__body_over_the_bound__e2big_and_out_untouched),
		T(get__no_answer__etimedout),
		T(get__no_socket__says_why),
		T(get_lines__split_anywhere__whole_lines),
		T(get_lines__callback_stops__its_error),
		T(get_lines__line_over_the_bound__e2big),
		T(get_lines__refused__body_and_no_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
