/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above, in any order, first */
#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/confine.h"
#include "agent/loop.h"
#include "agent/report/channel.h"
#include "agent/report/snapshot.h"
#include "agent/reporter.h"
#include "common/clock.h"
#include "common/err.h"
#include "tests/unit/http_fixture.h"

#define BUF_LEN ((size_t)64 << 10)

/* The test is the enforcer. */
struct fx {
	struct bh_loop *loop;
	struct bh_report_channel *channel;
	pid_t keeper;
	struct sockaddr_in addr;
	int fills, fill_error;
	bool silent; /* the loop is not run */
	char *buf;
};

static int fill(void *ud, struct bh_snapshot *s)
{
	struct fx *f = ud;

	f->fills++;
	if (f->fill_error)
		return f->fill_error;
	s->node = bh_snapshot_str(s, "n1");
	s->taken_ns = bh_clock_ns();
	s->events = (uint64_t)f->fills;
	return 0;
}

/* A free port: taken for a moment to learn its number. */
static void free_port(struct sockaddr_in *sa)
{
	socklen_t len = sizeof(*sa);
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*sa = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)sa, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)sa, &len), 0);
	(void)close(fd);
}

static int setup(void **state)
{
	struct fx *f = calloc(1, sizeof(*f));
	struct bh_reporter_opts opts = { .uid = BH_NOBODY, .gid = BH_NOBODY, .confine = true };
	int fd = -1, r = -EADDRINUSE;

	assert_non_null(f);
	f->buf = malloc(BUF_LEN);
	for (int tries = 0; r == -EADDRINUSE && tries < 10; tries++) {
		free_port(&f->addr);
		opts.http = (struct sockaddr *)&f->addr;
		opts.http_len = sizeof(f->addr);
		r = bh_reporter_start(&opts, &f->keeper, &fd, NULL);
	}
	assert_int_equal(r, 0);
	assert_int_equal(bh_loop_new(&f->loop), 0);
	assert_int_equal(bh_report_channel_new(f->loop, fd, fill, f, &f->channel), 0);
	*state = f;
	return 0;
}

static bool keeper_ended(void *ud)
{
	struct fx *f = ud;
	int status;

	return f->keeper <= 0 || waitpid(f->keeper, &status, WNOHANG) == f->keeper;
}

static int teardown(void **state)
{
	struct fx *f = *state;

	f->channel = bh_report_channel_free(f->channel); /* the worker sees it, and so the keeper */
	fixture_until(f->loop, keeper_ended, f);
	f->loop = bh_loop_free(f->loop);
	free(f->buf);
	free(f);
	return 0;
}

static int dial(const struct fx *f)
{
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&f->addr, sizeof(f->addr)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

static void get(struct fx *f, const char *path)
{
	const int fd = dial(f);
	char req[128];
	size_t len = 0;

	(void)snprintf(req, sizeof(req), "GET %s HTTP/1.0\r\n\r\n", path);
	fixture_send(fd, req);
	fixture_read_until(f->loop, fd, f->buf, BUF_LEN, &len, NULL);
	(void)close(fd);
}

/* The one child of @parent, 0 if there is none (any more). */
static pid_t child_of(pid_t parent)
{
	char path[64];
	FILE *file;
	int pid = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent, (int)parent);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%d", &pid) != 1)
		pid = 0;
	(void)fclose(file);
	return pid;
}

struct born {
	struct fx *f;
	pid_t not_this, pid;
};

/* It takes the name of a worker when it is bound to die with the keeper. */
static bool is_worker(pid_t pid)
{
	char path[64], name[32] = "";
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(name, sizeof(name), file))
		name[0] = '\0';
	(void)fclose(file);
	return !strcmp(name, "bulkhead-rep\n");
}

static bool is_born(void *ud)
{
	struct born *b = ud;

	b->pid = child_of(b->f->keeper);
	return b->pid && b->pid != b->not_this && is_worker(b->pid);
}

static pid_t worker(struct fx *f, pid_t not_this)
{
	struct born b = { .f = f, .not_this = not_this };

	fixture_until(f->loop, is_born, &b);
	return b.pid;
}

static void proc_line(pid_t pid, const char *key, char *buf, size_t cap)
{
	char path[64];
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	assert_non_null(file);
	do {
		assert_non_null(fgets(buf, (int)cap, file));
	} while (strncmp(buf, key, strlen(key)));
	(void)fclose(file);
}

static void reporter__metrics__from_the_enforcer_and_cached(void **state)
{
	struct fx *f = *state;

	get(f, "/metrics");
	assert_memory_equal(f->buf, "HTTP/1.", 7);
	assert_non_null(strstr(f->buf, " 200 OK\r\n"));
	assert_non_null(strstr(f->buf, "text/plain; version=0.0.4"));
	assert_non_null(strstr(f->buf, "bulkhead_agent_events_total 1\n"));
	assert_non_null(strstr(f->buf, "bulkhead_agent_reporter_restarts_total 0\n"));
	assert_null(strstr(f->buf, "process=\"reporter\"} 0\n")); /* it can read its own size */
	get(f, "/metrics");
	if (f->fills == 1) /* within half a second */
		assert_non_null(strstr(f->buf, "bulkhead_agent_events_total 1\n"));
	get(f, "/x");
	assert_non_null(strstr(f->buf, " 404 "));
}

static void reporter__processes__confined(void **state)
{
	struct fx *f = *state;
	char line[128], path[64];
	pid_t pids[2];
	int fds = 0;
	DIR *d;

	if (geteuid()) {
		print_message("needs root\n");
		skip();
	}
	get(f, "/metrics"); /* both are set up now */
	pids[0] = f->keeper;
	pids[1] = worker(f, 0);
	for (int i = 0; i < 2; i++) {
		proc_line(pids[i], "Uid:", line, sizeof(line));
		assert_string_equal(line, "Uid:\t65534\t65534\t65534\t65534\n");
		proc_line(pids[i], "Gid:", line, sizeof(line));
		assert_string_equal(line, "Gid:\t65534\t65534\t65534\t65534\n");
		proc_line(pids[i], "CapPrm:", line, sizeof(line));
		assert_string_equal(line, "CapPrm:\t0000000000000000\n");
		proc_line(pids[i], "Seccomp:", line, sizeof(line));
		assert_string_equal(line, "Seccomp:\t2\n");
		proc_line(pids[i], "NoNewPrivs:", line, sizeof(line));
		assert_string_equal(line, "NoNewPrivs:\t1\n");
	}
	proc_line(pids[1], "Name:", line, sizeof(line));
	assert_string_equal(line, "Name:\tbulkhead-rep\n");
	/* The keeper holds standard files, the line, the socket and the worker: 0 to 5. */
	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)f->keeper);
	d = opendir(path);
	assert_non_null(d);
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		if (e->d_name[0] != '.') {
			fds++;
			assert_true(atoi(e->d_name) <= 5);
		}
	}
	(void)closedir(d);
	assert_true(fds >= 2);
}

static bool answers_again(void *ud)
{
	struct fx *f = ud;

	get(f, "/metrics");
	return strstr(f->buf, "bulkhead_agent_reporter_restarts_total 1\n");
}

static void reporter__worker_killed__comes_back_and_is_counted(void **state)
{
	struct fx *f = *state;
	const pid_t first = worker(f, 0);
	pid_t second;

	get(f, "/metrics");
	assert_int_equal(bh_report_channel_restarts(f->channel), 0);
	assert_int_equal(kill(first, SIGKILL), 0);
	second = worker(f, first);
	assert_int_not_equal(second, first);
	fixture_until(f->loop, answers_again, f);
	assert_true(bh_report_channel_alive(f->channel));
	assert_int_equal(bh_report_channel_restarts(f->channel), 1);
}

static bool channel_dead(void *ud)
{
	return !bh_report_channel_alive(((struct fx *)ud)->channel);
}

static void reporter__keeper_killed__nothing_left_and_enforcer_knows(void **state)
{
	struct fx *f = *state;
	const pid_t w = worker(f, 0);

	get(f, "/metrics");
	assert_int_equal(kill(f->keeper, SIGKILL), 0);
	fixture_until(f->loop, channel_dead, f); /* so the worker's end is closed too */
	(void)w;
}

struct gone {
	pid_t pids[2];
};

/* No such process, or a zombie that waits for the machine's init. */
static bool both_gone(void *ud)
{
	struct gone *g = ud;

	for (int i = 0; i < 2; i++) {
		char path[64], line[256] = "";
		FILE *file;

		(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)g->pids[i]);
		file = fopen(path, "re");
		if (file && fgets(line, sizeof(line), file) && !strstr(line, ") Z ")) {
			(void)fclose(file);
			return false;
		}
		if (file)
			(void)fclose(file);
	}
	return true;
}

/* An enforcer as it is at work: without the right to signal another user's processes. */
static void be_enforcer(const struct sockaddr_in *addr, int tell)
{
	const struct bh_reporter_opts opts = { .http = (const struct sockaddr *)addr,
					       .http_len = sizeof(*addr),
					       .uid = BH_NOBODY,
					       .gid = BH_NOBODY,
					       .confine = true };
	pid_t keeper;
	int fd;

	if (bh_reporter_start(&opts, &keeper, &fd, NULL) ||
	    bh_confine_caps(BH_CAPS_ENFORCER, NULL) ||
	    write(tell, &keeper, sizeof(keeper)) != sizeof(keeper))
		_exit(1);
	for (;;)
		(void)pause();
}

static void reporter__enforcer_killed_worker_stopped__nothing_survives(void **state)
{
	struct fx *f = *state;
	struct sockaddr_in addr;
	struct fx other = { .loop = f->loop };
	struct gone g;
	int tell[2], status;
	pid_t enforcer;

	if (geteuid()) {
		print_message("needs root\n");
		skip();
	}
	free_port(&addr);
	assert_int_equal(pipe2(tell, O_CLOEXEC), 0);
	enforcer = fork();
	assert_true(enforcer >= 0);
	if (!enforcer)
		be_enforcer(&addr, tell[1]);
	(void)close(tell[1]);
	assert_int_equal(read(tell[0], &other.keeper, sizeof(other.keeper)), sizeof(pid_t));
	(void)close(tell[0]);
	g.pids[0] = other.keeper;
	g.pids[1] = worker(&other, 0);
	assert_int_equal(kill(g.pids[1], SIGSTOP), 0); /* it cannot see that the line is dead */
	assert_int_equal(kill(enforcer, SIGKILL), 0);
	assert_int_equal(waitpid(enforcer, &status, 0), enforcer);
	fixture_until(f->loop, both_gone, &g);
}

static void reporter__enforcer_cannot_fill__503(void **state)
{
	struct fx *f = *state;

	f->fill_error = -EIO;
	get(f, "/metrics");
	assert_non_null(strstr(f->buf, " 503 "));
	assert_non_null(strstr(f->buf, "the enforcer gives no values"));
	f->fill_error = 0;
	get(f, "/metrics");
	assert_non_null(strstr(f->buf, " 200 OK"));
}

static void reporter__enforcer_silent__503_after_two_seconds(void **state)
{
	struct fx *f = *state;
	const uint64_t start = bh_clock_ns();
	struct timeval patience = { .tv_sec = 10 };
	size_t len = 0;
	ssize_t n;
	int fd;

	fd = dial(f);
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	fixture_send(fd, "GET /metrics HTTP/1.0\r\n\r\n");
	while ((n = recv(fd, f->buf + len, BUF_LEN - 1 - len, 0)) > 0) /* our loop stands still */
		len += (size_t)n;
	f->buf[len] = '\0';
	assert_non_null(strstr(f->buf, " 503 "));
	assert_true(bh_clock_ns() - start >= 1900 * BH_NS_PER_MS);
	(void)close(fd);
	get(f, "/metrics"); /* the late answer is ignored, a new one is asked for */
	assert_non_null(strstr(f->buf, " 200 OK"));
}

static void reporter_start__port_taken__error(void **state)
{
	struct fx *f = *state;
	const struct bh_reporter_opts opts = { .http = (struct sockaddr *)&f->addr,
					       .http_len = sizeof(f->addr),
					       .uid = BH_NOBODY,
					       .gid = BH_NOBODY,
					       .confine = true };
	struct bh_err err = { 0 };
	pid_t pid = -7;
	int fd = -7;

	assert_int_equal(bh_reporter_start(&opts, &pid, &fd, &err), -EADDRINUSE);
	assert_int_equal(pid, -7);
	assert_int_equal(fd, -7);
	assert_non_null(strstr(err.msg, "address of the metrics"));
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(reporter__metrics__from_the_enforcer_and_cached),
		T(reporter__processes__confined),
		T(reporter__worker_killed__comes_back_and_is_counted),
		T(reporter__keeper_killed__nothing_left_and_enforcer_knows),
		T(reporter__enforcer_killed_worker_stopped__nothing_survives),
		T(reporter__enforcer_cannot_fill__503),
		T(reporter__enforcer_silent__503_after_two_seconds),
		T(reporter_start__port_taken__error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
