/* SPDX-License-Identifier: Apache-2.0 */
/* Each end of the line between the processes against a hostile other end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above, in any order, first */
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/http/listen.h"
#include "agent/loop.h"
#include "agent/report/channel.h"
#include "agent/report/memfd.h"
#include "agent/report/serve.h"
#include "agent/report/snapshot.h"
#include "agent/report/wire.h"
#include "common/buf.h"
#include "common/clock.h"
#include "tests/unit/http_fixture.h"
#include "tests/unit/snapshot_fixture.h"

#define BUF_LEN ((size_t)64 << 10)

struct fx {
	char dir[64], path[96];
	struct bh_loop *loop;
	struct bh_report_channel *channel; /* in tests of the enforcer's end */
	struct bh_report_worker *worker;   /* in tests of the reporter's end */
	struct bh_listen_unix listen;
	int fd;	    /* our end */
	int theirs; /* -1 where the channel took it over */
	int fills;
	char *buf;
};

static int fill(void *ud, struct bh_snapshot *s)
{
	(void)s;
	((struct fx *)ud)->fills++;
	return 0;
}

static struct fx *fx_new(int pair[static 2])
{
	struct fx *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->buf = malloc(BUF_LEN);
	f->listen.fd = -1;
	fixture_mkdir(f->dir);
	(void)snprintf(f->path, sizeof(f->path), "%s/s.sock", f->dir);
	assert_int_equal(bh_loop_new(&f->loop), 0);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	return f;
}

static int setup_channel(void **state)
{
	int pair[2];
	struct fx *f = fx_new(pair);

	f->fd = pair[0];
	f->theirs = -1;
	assert_int_equal(bh_report_channel_new(f->loop, pair[1], fill, f, &f->channel), 0);
	*state = f;
	return 0;
}

static int setup_worker(void **state)
{
	int pair[2];
	struct fx *f = fx_new(pair);

	f->fd = pair[0];
	f->theirs = pair[1];
	assert_int_equal(bh_listen_unix_open(f->path, &f->listen, NULL), 0);
	assert_int_equal(
		bh_report_worker_new(f->loop, pair[1], BH_TAKE_FD(f->listen.fd), 3, &f->worker), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fx *f = *state;

	f->channel = bh_report_channel_free(f->channel);
	f->worker = bh_report_worker_free(f->worker);
	bh_listen_unix_close(&f->listen);
	bh_closep(&f->fd);
	bh_closep(&f->theirs);
	f->loop = bh_loop_free(f->loop);
	fixture_rmdir(f->dir);
	free(f->buf);
	free(f);
	return 0;
}

static size_t open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n;
}

static void put(int fd, const void *data, size_t len, const int *files, size_t n_files)
{
	union {
		struct cmsghdr hdr;
		char space[CMSG_SPACE(3 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n_files) {
		msg.msg_control = control.space;
		msg.msg_controllen = CMSG_SPACE(n_files * sizeof(int));
		control.hdr.cmsg_level = SOL_SOCKET;
		control.hdr.cmsg_type = SCM_RIGHTS;
		control.hdr.cmsg_len = CMSG_LEN(n_files * sizeof(int));
		memcpy(CMSG_DATA(&control.hdr), files, n_files * sizeof(int));
	}
	assert_int_equal(sendmsg(fd, &msg, MSG_NOSIGNAL), len);
}

static void step(struct fx *f)
{
	for (int i = 0; i < 5; i++)
		assert_true(bh_loop_step(f->loop, 0) >= 0);
}

static void channel__wrong_length_or_type__no_answer(void **state)
{
	struct fx *f = *state;
	const struct bh_report_ask_msg bad = { .type = BH_REPORT_ANSWER, .seq = 1 };
	char big[4096] = { 0 };
	char c;

	put(f->fd, &bad, sizeof(bad), NULL, 0);
	put(f->fd, big, 1, NULL, 0);
	put(f->fd, big, sizeof(bad) - 1, NULL, 0);
	put(f->fd, big, sizeof(big), NULL, 0);
	step(f);
	assert_int_equal(f->fills, 0);
	assert_int_equal(recv(f->fd, &c, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
	assert_true(bh_report_channel_alive(f->channel));
}

static void channel__files_sent_along__not_taken(void **state)
{
	struct fx *f = *state;
	const struct bh_report_ask_msg ask = { .type = BH_REPORT_ASK, .seq = 9, .restarts = 2 };
	const int files[3] = { 0, 1, 2 };
	const size_t before = open_files();

	put(f->fd, &ask, sizeof(ask), files, 3);
	step(f);
	assert_int_equal(f->fills, 1);
	assert_int_equal(bh_report_channel_restarts(f->channel), 2);
	assert_int_equal(open_files(), before);
}

static void channel__flood__at_most_twenty_answers_then_goes_on(void **state)
{
	struct fx *f = *state;
	const struct bh_report_ask_msg ask = { .type = BH_REPORT_ASK, .seq = 1 };
	const uint64_t start = bh_clock_ns();
	const uint64_t deadline = start + 10 * BH_NS_PER_S;

	for (int i = 0; i < BH_REPORT_RATE + 5; i++)
		put(f->fd, &ask, sizeof(ask), NULL, 0);
	for (int i = 0; i < 100; i++)
		assert_true(bh_loop_step(f->loop, 0) >= 0);
	assert_int_equal(f->fills, BH_REPORT_RATE);
	while (f->fills < BH_REPORT_RATE + 5) {
		assert_true(bh_clock_ns() < deadline);
		assert_true(bh_loop_step(f->loop, BH_NS_PER_S) >= 0);
	}
	assert_true(bh_clock_ns() - start >= 900 * BH_NS_PER_MS);
}

static void channel__reader_that_never_reads__enforcer_unharmed(void **state)
{
	struct fx *f = *state;
	const struct bh_report_ask_msg ask = { .type = BH_REPORT_ASK, .seq = 1 };
	const size_t before = open_files();

	for (int i = 0; i < BH_REPORT_RATE; i++)
		put(f->fd, &ask, sizeof(ask), NULL, 0);
	for (int i = 0; i < 50; i++)
		assert_true(bh_loop_step(f->loop, 0) >= 0);
	assert_int_equal(f->fills, BH_REPORT_RATE);
	assert_int_equal(open_files(), before); /* answers in flight hold none of our files */
	assert_true(bh_report_channel_alive(f->channel));
}

static void channel__other_end_closed__not_alive(void **state)
{
	struct fx *f = *state;

	bh_closep(&f->fd);
	step(f);
	assert_false(bh_report_channel_alive(f->channel));
}

/* The worker's question, which a GET has caused. */
static struct bh_report_ask_msg question(struct fx *f, int *ret_client)
{
	struct bh_report_ask_msg ask = { 0 };
	const uint64_t deadline = bh_clock_ns() + 10 * BH_NS_PER_S;

	*ret_client = fixture_connect(f->path);
	fixture_send(*ret_client, "GET /metrics HTTP/1.0\r\n\r\n");
	while (recv(f->fd, &ask, sizeof(ask), 0) != sizeof(ask)) {
		assert_true(bh_clock_ns() < deadline);
		assert_true(bh_loop_step(f->loop, 20 * BH_NS_PER_MS) >= 0);
	}
	assert_int_equal(ask.type, BH_REPORT_ASK);
	assert_int_equal(ask.restarts, 3);
	return ask;
}

static int snapshot_file(void)
{
	bh_auto(bh_snapshot_freep) struct bh_snapshot *s = snapshot_fixture();
	bh_autobuf b = BH_BUF_INIT;
	int fd;

	assert_int_equal(bh_snapshot_encode(s, &b), 0);
	fd = bh_memfd_seal("bh-test", b.data, b.len);
	assert_true(fd >= 0);
	return fd;
}

static void read_answer(struct fx *f, int client)
{
	size_t len = 0;

	fixture_read_until(f->loop, client, f->buf, BUF_LEN, &len, NULL);
	(void)close(client);
}

static void worker__stale_then_right_answer__page_and_no_file_kept(void **state)
{
	struct fx *f = *state;
	struct bh_report_answer_msg a = { .type = BH_REPORT_ANSWER };
	const size_t before = open_files();
	int file = snapshot_file(), client;

	a.seq = question(f, &client).seq;
	a.seq--; /* for a worker before */
	put(f->fd, &a, sizeof(a), &file, 1);
	a.seq++;
	put(f->fd, &a, sizeof(a) - 1, &file, 1); /* wrong length */
	put(f->fd, &a, sizeof(a), (const int[]){ file, file, file }, 3);
	(void)close(file);
	read_answer(f, client);
	assert_non_null(strstr(f->buf, " 200 OK"));
	assert_non_null(strstr(f->buf, "bulkhead_agent_events_total 77\n"));
	assert_int_equal(open_files(), before);
}

static void worker__file_not_sealed_or_not_a_snapshot__503(void **state)
{
	struct fx *f = *state;
	struct bh_report_answer_msg a = { .type = BH_REPORT_ANSWER };
	int file = memfd_create("bh-test", MFD_CLOEXEC | MFD_ALLOW_SEALING), client;

	assert_true(file >= 0);
	a.seq = question(f, &client).seq;
	put(f->fd, &a, sizeof(a), &file, 1);
	read_answer(f, client);
	assert_non_null(strstr(f->buf, " 503 "));
	(void)close(file);

	file = bh_memfd_seal("bh-test", "nonsense", 8);
	a.seq = question(f, &client).seq;
	put(f->fd, &a, sizeof(a), &file, 1);
	read_answer(f, client);
	assert_non_null(strstr(f->buf, " 503 "));
	(void)close(file);

	a.seq = question(f, &client).seq;
	put(f->fd, &a, sizeof(a), NULL, 0); /* no file at all */
	read_answer(f, client);
	assert_non_null(strstr(f->buf, " 503 "));
}

static void worker__many_clients_one_question(void **state)
{
	struct fx *f = *state;
	struct bh_report_answer_msg a = { .type = BH_REPORT_ANSWER };
	int file = snapshot_file(), first, second;
	struct bh_report_ask_msg more;

	a.seq = question(f, &first).seq;
	second = fixture_connect(f->path);
	fixture_send(second, "GET /metrics HTTP/1.0\r\n\r\n");
	for (int i = 0; i < 20; i++)
		assert_true(bh_loop_step(f->loop, BH_NS_PER_MS) >= 0);
	assert_int_equal(recv(f->fd, &more, sizeof(more), 0), -1); /* the second one waits too */
	put(f->fd, &a, sizeof(a), &file, 1);
	(void)close(file);
	read_answer(f, first);
	assert_non_null(strstr(f->buf, " 200 OK"));
	read_answer(f, second);
	assert_non_null(strstr(f->buf, " 200 OK"));
}

static void worker__enforcer_gone__loop_ends_with_0(void **state)
{
	struct fx *f = *state;
	int code = -1;

	bh_closep(&f->fd);
	assert_int_equal(bh_loop_run(f->loop, &code), 0);
	assert_int_equal(code, 0);
}

#define C(fn) cmocka_unit_test_setup_teardown(fn, setup_channel, teardown)
#define W(fn) cmocka_unit_test_setup_teardown(fn, setup_worker, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		C(channel__wrong_length_or_type__no_answer),
		C(channel__files_sent_along__not_taken),
		C(channel__flood__at_most_twenty_answers_then_goes_on),
		C(channel__reader_that_never_reads__enforcer_unharmed),
		C(channel__other_end_closed__not_alive),
		W(worker__stale_then_right_answer__page_and_no_file_kept),
		W(worker__file_not_sealed_or_not_a_snapshot__503),
		W(worker__many_clients_one_question),
		W(worker__enforcer_gone__loop_ends_with_0),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
