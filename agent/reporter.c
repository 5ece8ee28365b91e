/* SPDX-License-Identifier: Apache-2.0 */
#define BH_LOG_COMP "reporter"
#include "agent/reporter.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/confine.h"
#include "agent/http/listen.h"
#include "agent/loop.h"
#include "agent/report/serve.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

/* Where the two files are in the keeper and its workers; everything above is closed. */
#define CHANNEL_FD 3
#define LISTEN_FD 4

#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
#define GOOD_LIFE_NS (10 * BH_NS_PER_S) /* a worker that lived as long was no failure to start */

#define TAKEN_NS (2 * BH_NS_PER_S) /* how long to wait for the metrics' address */
#define TAKEN_POLL_MS 20

#define CAP_SETGID_NR 6
#define CAP_SETUID_NR 7

/* Die with @parent where it may signal us; it may have died before this call. */
static int follow(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	return getppid() == parent ? 0 : -ESRCH;
}

/* Exactly two files, at fixed numbers, and standard error for the log. */
static int arrange_files(int channel_fd, int listen_fd)
{
	/* Out of the way of the fixed numbers first. */
	const int c = fcntl(channel_fd, F_DUPFD_CLOEXEC, LISTEN_FD + 1);
	const int l = fcntl(listen_fd, F_DUPFD_CLOEXEC, LISTEN_FD + 1);

	if (c < 0 || l < 0 || dup3(c, CHANNEL_FD, O_CLOEXEC) < 0 ||
	    dup3(l, LISTEN_FD, O_CLOEXEC) < 0)
		return -errno;
	if (close_range(LISTEN_FD + 1, UINT32_MAX, 0) < 0)
		return -errno;
	return 0;
}

/* Signals are for the enforcer; its end is ours. */
static void arrange_signals(void)
{
	static const int ignored[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2 };
	sigset_t none;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int drop_privileges(const struct bh_reporter_opts *opts, struct bh_err *err)
{
	int r = 0;

	/* The bounding set can only be emptied before the user changes. */
	if (geteuid() == 0)
		r = bh_confine_caps(BH_CAP(CAP_SETGID_NR) | BH_CAP(CAP_SETUID_NR), err);
	if (!r && geteuid() == 0)
		r = bh_confine_user(opts->uid, opts->gid, err);
	return r ? r : bh_confine_caps(BH_CAPS_NONE, err);
}

/* The worker's whole life. Returns its exit code: 0 when the enforcer is gone. */
static int work(pid_t keeper, uint32_t restarts, bool confine)
{
	bh_auto(bh_loop_freep) struct bh_loop *loop = NULL;
	bh_auto(bh_report_worker_freep) struct bh_report_worker *w = NULL;
	struct bh_err err = { 0 };
	int r, code = 0;

	r = follow(keeper);
	if (r < 0)
		return 0; /* nobody is left to tell */
	(void)prctl(PR_SET_NAME, "bulkhead-rep");
	r = bh_loop_new(&loop);
	if (r >= 0)
		r = bh_report_worker_new(loop, CHANNEL_FD, LISTEN_FD, restarts, &w);
	if (r < 0) {
		(void)bh_error_r(r, "start the reporter");
		return 1;
	}
	if (confine) {
		r = bh_confine_seccomp(BH_CONFINE_REPORTER, &err);
		if (r < 0) {
			(void)bh_error_r(r, "confine the reporter: %s", err.msg);
			return 1;
		}
	}
	r = bh_loop_run(loop, &code);
	if (r < 0) {
		(void)bh_error_r(r, "event loop of the reporter");
		return 1;
	}
	return code;
}

/* True once nobody holds the other end of the line. @timeout_ms as poll(2) has it. */
static bool is_orphan(int timeout_ms)
{
	struct pollfd p = { .fd = CHANNEL_FD };

	return poll(&p, 1, timeout_ms) > 0 && p.revents;
}

/*
 * Wait until the worker ends or the enforcer does. The parent-death signal cannot tell of the
 * latter: it is subject to the dying one's permissions, and the enforcer has given up CAP_KILL. Our
 * own end takes the worker along: there the users are the same.
 *
 * 1 with the worker's status, 0 if the enforcer is gone, or negative errno.
 */
static int wait_for(pid_t pid, int *ret_status)
{
	bh_autoclose int worker = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p[2] = { { .fd = worker, .events = POLLIN }, { .fd = CHANNEL_FD } };

	if (worker < 0)
		return -errno;
	while (!p[0].revents) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (!p[0].revents && p[1].revents)
			return 0;
	}
	return waitpid(pid, ret_status, 0) < 0 ? -errno : 1;
}

/* Start workers for as long as they die before the enforcer does. */
static void keep(bool confine)
{
	const pid_t self = getpid();
	unsigned int backoff_ms = BACKOFF_MIN_MS;

	for (uint32_t restarts = 0;; restarts++) {
		const uint64_t born_ns = bh_clock_ns();
		const pid_t pid = fork();
		int r, status = 0;

		if (!pid)
			_exit(work(self, restarts, confine));
		r = pid < 0 ? -errno : wait_for(pid, &status);
		if (r == 0 || (r > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0))
			return;
		if (r < 0)
			bh_warn_limited("start the reporter: %s", strerror(-r));
		else if (WIFSIGNALED(status))
			bh_warn_limited("the reporter was killed by signal %d%s, starting it again",
					WTERMSIG(status),
					WTERMSIG(status) == SIGSYS ? " (forbidden system call)"
								   : "");
		else
			bh_warn_limited("the reporter failed, starting it again");
		if (bh_clock_ns() - born_ns > GOOD_LIFE_NS)
			backoff_ms = BACKOFF_MIN_MS;
		if (is_orphan((int)backoff_ms))
			return;
		backoff_ms = backoff_ms * 2 < BACKOFF_MAX_MS ? backoff_ms * 2 : BACKOFF_MAX_MS;
	}
}

/* The keeper's whole life. */
static int be_keeper(const struct bh_reporter_opts *opts, pid_t parent, int channel_fd,
		     int listen_fd)
{
	struct bh_err err = { 0 };
	int r;

	(void)prctl(PR_SET_NAME, "bulkhead-keep");
	arrange_signals();
	r = arrange_files(channel_fd, listen_fd);
	if (r < 0) {
		(void)bh_error_r(r, "files of the reporter");
		return 1;
	}
	if (opts->confine) {
		r = drop_privileges(opts, &err);
		/* After the change of user, which clears it. */
		if (r >= 0)
			r = follow(parent);
		if (r >= 0)
			r = bh_confine_seccomp(BH_CONFINE_KEEPER, &err);
	} else {
		r = follow(parent);
	}
	if (r == -ESRCH)
		return 0; /* the enforcer has ended already and said why */
	if (r < 0) {
		(void)bh_error_r(r, "confine the reporter: %s", err.msg);
		return 1;
	}
	keep(opts->confine);
	return 0;
}

/* A daemon that was killed leaves its reporter behind for a moment, and that one has the address.
 */
static int listen_soon(const struct bh_reporter_opts *opts, struct bh_err *err)
{
	const uint64_t end = bh_clock_ns() + TAKEN_NS;
	int r;

	do {
		r = bh_listen_tcp(opts->http, opts->http_len, err);
	} while (r == -EADDRINUSE && bh_clock_ns() < end && poll(NULL, 0, TAKEN_POLL_MS) == 0);
	return r;
}

int bh_reporter_start(const struct bh_reporter_opts *opts, pid_t *ret_pid, int *ret_fd,
		      struct bh_err *err)
{
	bh_autoclose int listening = -1, ours = -1, theirs = -1;
	const pid_t self = getpid();
	int pair[2];
	pid_t pid;

	listening = listen_soon(opts, err);
	if (listening < 0)
		return bh_err_wrap(err, listening, "address of the metrics");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return bh_err_set(err, errno, "socketpair");
	ours = pair[0];
	theirs = pair[1];
	pid = fork();
	if (pid < 0)
		return bh_err_set(err, errno, "fork the reporter's keeper");
	if (!pid)
		_exit(be_keeper(opts, self, theirs, listening));
	*ret_pid = pid;
	*ret_fd = BH_TAKE_FD(ours);
	return 0;
}
