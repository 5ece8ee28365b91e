/* SPDX-License-Identifier: Apache-2.0 */
#define BH_LOG_COMP "reporter"
#include "agent/report/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "agent/http/server.h"
#include "agent/http/target.h"
#include "agent/loop.h"
#include "agent/report/memfd.h"
#include "agent/report/metrics.h"
#include "agent/report/snapshot.h"
#include "agent/report/wire.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/parse.h"

#define MAX_FILES 4 /* the enforcer sends one; room to notice, and close, more */

struct bh_report_worker {
	struct bh_loop *loop;
	int channel; /* borrowed */
	int statm;   /* /proc/self/statm */
	struct bh_loop_source *io, *patience;
	struct bh_http_server *server;
	struct bh_snapshot *snapshot; /* the last one, or NULL */
	uint64_t fresh_until_ns;
	bool asking;
	uint64_t seq;
	uint32_t restarts;
	struct bh_http_request *waiting[BH_HTTP_MAX_CONNECTIONS];
	size_t n_waiting;
};

/* Resident memory in bytes, 0 if it cannot be read. */
static uint64_t own_rss(const struct bh_report_worker *w)
{
	char text[128];
	char *save = NULL, *field;
	const ssize_t n = w->statm < 0 ? -1 : pread(w->statm, text, sizeof(text) - 1, 0);
	uint64_t pages;

	if (n <= 0)
		return 0;
	text[n] = '\0';
	if (!strtok_r(text, " ", &save))
		return 0;
	field = strtok_r(NULL, " ", &save);
	if (!field || bh_parse_u64(field, 0, UINT32_MAX, &pages) < 0)
		return 0;
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void send_page(struct bh_report_worker *w, struct bh_http_request *req)
{
	const struct bh_metrics_input in = {
		.snapshot = w->snapshot,
		.now_ns = bh_clock_ns(),
		.reporter_rss_bytes = own_rss(w),
		.reporter_restarts = w->restarts,
	};
	bh_autobuf b = BH_BUF_INIT;
	char *text = NULL;
	size_t len = 0;

	bh_metrics_write(&in, &b);
	if (bh_buf_take(&b, &text, &len) < 0)
		bh_http_reply_error(req, 500, "no memory");
	else
		bh_http_reply(req, 200, BH_METRICS_CONTENT_TYPE, text, len);
}

/* Answer everybody who waits: from the snapshot, or without one. */
static void flush(struct bh_report_worker *w, bool good)
{
	const size_t n = BH_TAKE(w->n_waiting, 0);

	w->asking = false;
	(void)bh_loop_timer_stop(w->patience);
	for (size_t i = 0; i < n; i++) {
		if (good)
			send_page(w, w->waiting[i]);
		else
			bh_http_reply_error(w->waiting[i], 503, "the enforcer gives no values");
	}
}

static void on_patience_over(void *ud)
{
	bh_warn_limited("the enforcer has not answered for %d ms", BH_REPORT_PATIENCE_MS);
	flush(ud, false);
}

static void ask(struct bh_report_worker *w)
{
	const struct bh_report_ask_msg m = {
		.type = BH_REPORT_ASK,
		.restarts = w->restarts,
		.seq = ++w->seq,
	};

	w->asking = true;
	(void)bh_loop_timer_in(w->patience, BH_REPORT_PATIENCE_MS * BH_NS_PER_MS);
	/* A line that is full is an enforcer that is silent, and ends the same way. */
	if (send(w->channel, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN)
		bh_warn_limited("cannot ask the enforcer: %s", strerror(errno));
}

static void on_request(void *ud, struct bh_http_request *req)
{
	struct bh_report_worker *w = ud;

	if (strcmp(bh_http_request_target(req)->path, "/metrics")) {
		bh_http_reply_error(req, 404, "no such path; there is /metrics");
		return;
	}
	if (w->snapshot && bh_clock_ns() < w->fresh_until_ns) {
		send_page(w, req);
		return;
	}
	/* One request per connection can wait, so that the array cannot be full before they are. */
	if (w->n_waiting == BH_HTTP_MAX_CONNECTIONS) {
		bh_http_reply_error(req, 503, "too many requests wait");
		return;
	}
	bh_http_defer(req);
	w->waiting[w->n_waiting++] = req;
	if (!w->asking)
		ask(w);
}

/* The one file that came along, owned by the caller, or -1. Others are closed. */
static int take_file(struct msghdr *msg)
{
	int file = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		const size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			bh_autoclose int fd = -1;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (file < 0)
				file = BH_TAKE_FD(fd);
		}
	}
	return file;
}

static int read_snapshot(int file, struct bh_snapshot **ret_snapshot)
{
	bh_autofree char *data = NULL;
	size_t len;
	int r;

	r = bh_memfd_read(file, BH_SNAPSHOT_MAX_BYTES, &data, &len);
	return r < 0 ? r : bh_snapshot_decode(data, len, ret_snapshot);
}

static void on_answer(void *ud, uint32_t revents)
{
	struct bh_report_worker *w = ud;
	bh_auto(bh_snapshot_freep) struct bh_snapshot *s = NULL;
	struct bh_report_answer_msg a;
	union {
		struct cmsghdr hdr;
		char space[CMSG_SPACE(MAX_FILES * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = &a, .iov_len = sizeof(a) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.space,
			      .msg_controllen = sizeof(control.space) };
	bh_autoclose int file = -1;
	ssize_t n;

	(void)revents;
	n = recvmsg(w->channel, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		(void)bh_loop_exit(w->loop, 0); /* the enforcer is gone */
		return;
	}
	file = take_file(&msg);
	if (n != sizeof(a) || (msg.msg_flags & MSG_TRUNC) || a.type != BH_REPORT_ANSWER ||
	    a.seq != w->seq || !w->asking)
		return; /* for a worker before us, or too late */
	if (a.error || read_snapshot(file, &s) < 0) {
		flush(w, false);
		return;
	}
	w->snapshot = bh_snapshot_free(w->snapshot);
	w->snapshot = BH_TAKE_PTR(s);
	w->fresh_until_ns = bh_clock_ns() + BH_REPORT_CACHE_MS * BH_NS_PER_MS;
	flush(w, true);
}

int bh_report_worker_new(struct bh_loop *loop, int channel_fd, int listen_fd, uint32_t restarts,
			 struct bh_report_worker **ret_worker)
{
	bh_auto(bh_report_worker_freep) struct bh_report_worker *w = NULL;
	bh_autoclose int listening = listen_fd;
	int r;

	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->loop = loop;
	w->channel = channel_fd;
	w->restarts = restarts;
	/* Answers to a worker before us are still on their way; their numbers must not be ours. */
	w->seq = (uint64_t)restarts << 32;
	w->statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	r = bh_loop_timer(loop, on_patience_over, w, &w->patience);
	if (r < 0)
		return r;
	r = bh_loop_io(loop, channel_fd, EPOLLIN, on_answer, w, &w->io);
	if (r < 0)
		return r;
	r = bh_http_server_new(loop, BH_TAKE_FD(listening), on_request, w, &w->server);
	if (r < 0)
		return r;
	/* There was one before: the enforcer is to know now, not when somebody reads metrics. */
	if (restarts)
		ask(w);
	*ret_worker = BH_TAKE_PTR(w);
	return 0;
}

struct bh_report_worker *bh_report_worker_free(struct bh_report_worker *w)
{
	if (!w)
		return NULL;
	w->server = bh_http_server_free(w->server);
	w->io = bh_loop_source_free(w->io);
	w->patience = bh_loop_source_free(w->patience);
	w->snapshot = bh_snapshot_free(w->snapshot);
	bh_closep(&w->statm);
	free(w);
	return NULL;
}
