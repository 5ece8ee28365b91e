/* SPDX-License-Identifier: Apache-2.0 */
#define BH_LOG_COMP "report"
#include "agent/report/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "agent/loop.h"
#include "agent/report/memfd.h"
#include "agent/report/snapshot.h"
#include "agent/report/wire.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/log.h"

struct bh_report_channel {
	int fd; /* -1: the other end is gone */
	struct bh_loop_source *io, *pause;
	bh_report_fill fill;
	void *ud;
	uint64_t window_ns; /* start of the second that is counted in */
	unsigned int in_window;
	uint32_t restarts;
};

/* The snapshot as a sealed file, or a negative errno. */
static int make_file(struct bh_report_channel *c)
{
	bh_auto(bh_snapshot_freep) struct bh_snapshot *s = bh_snapshot_new();
	bh_autobuf b = { .max = BH_SNAPSHOT_MAX_BYTES };
	int r;

	if (!s)
		return -ENOMEM;
	r = c->fill(c->ud, s);
	if (r < 0)
		return r;
	r = bh_snapshot_encode(s, &b);
	if (r < 0)
		return r;
	return bh_memfd_seal("bulkhead-snapshot", b.data, b.len);
}

static void answer(struct bh_report_channel *c, uint64_t seq)
{
	bh_autoclose int file = make_file(c);
	struct bh_report_answer_msg a = {
		.type = BH_REPORT_ANSWER,
		.error = file < 0 ? file : 0,
		.seq = seq,
	};
	union {
		struct cmsghdr hdr;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = &a, .iov_len = sizeof(a) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (file >= 0) {
		msg.msg_control = control.space;
		msg.msg_controllen = sizeof(control.space);
		control.hdr.cmsg_level = SOL_SOCKET;
		control.hdr.cmsg_type = SCM_RIGHTS;
		control.hdr.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.hdr), &file, sizeof(file));
	} else {
		bh_warn_limited("no snapshot for the reporter: %s", strerror(-file));
	}
	/* A reporter that does not read gets nothing: its metrics say so by themselves. */
	if (sendmsg(c->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		bh_warn_limited("answer to the reporter is lost: %s", strerror(errno));
}

static void hang_up(struct bh_report_channel *c)
{
	c->io = bh_loop_source_free(c->io);
	bh_closep(&c->fd);
	bh_warn("the reporter is gone, metrics are not served until the next start");
}

/* True if one more question may be answered now; else reading pauses until the second is over. */
static bool within_rate(struct bh_report_channel *c)
{
	const uint64_t now = bh_clock_ns();

	if (now - c->window_ns >= BH_NS_PER_S) {
		c->window_ns = now;
		c->in_window = 0;
	}
	if (c->in_window < BH_REPORT_RATE) {
		c->in_window++;
		return true;
	}
	(void)bh_loop_io_set(c->io, 0);
	(void)bh_loop_timer_at(c->pause, c->window_ns + BH_NS_PER_S);
	bh_warn_limited("the reporter asks more than %d times in a second", BH_REPORT_RATE);
	return false;
}

static void on_pause_over(void *ud)
{
	struct bh_report_channel *c = ud;

	if (c->io)
		(void)bh_loop_io_set(c->io, EPOLLIN);
}

static void on_message(void *ud, uint32_t revents)
{
	struct bh_report_channel *c = ud;
	struct bh_report_ask_msg ask;
	ssize_t n;

	(void)revents;
	if (!within_rate(c))
		return;
	/* MSG_TRUNC: the true length. Without room for control data, files are closed by the
	 * kernel. */
	n = recv(c->fd, &ask, sizeof(ask), MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* An empty packet looks like the end; a reporter that sends one has earned it. */
	if (n <= 0) {
		hang_up(c);
		return;
	}
	if (n != sizeof(ask) || ask.type != BH_REPORT_ASK) {
		bh_warn_limited("message that makes no sense from the reporter, ignoring");
		return;
	}
	if (ask.restarts > c->restarts)
		bh_warn_limited("the reporter was restarted, %u times so far", ask.restarts);
	c->restarts = ask.restarts;
	answer(c, ask.seq);
}

int bh_report_channel_new(struct bh_loop *loop, int fd, bh_report_fill fill, void *ud,
			  struct bh_report_channel **ret_channel)
{
	bh_auto(bh_report_channel_freep) struct bh_report_channel *c = NULL;
	bh_autoclose int owned = fd;
	int r;

	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->fd = BH_TAKE_FD(owned);
	c->fill = fill;
	c->ud = ud;
	r = bh_loop_timer(loop, on_pause_over, c, &c->pause);
	if (r < 0)
		return r;
	r = bh_loop_io(loop, c->fd, EPOLLIN, on_message, c, &c->io);
	if (r < 0)
		return r;
	*ret_channel = BH_TAKE_PTR(c);
	return 0;
}

struct bh_report_channel *bh_report_channel_free(struct bh_report_channel *c)
{
	if (!c)
		return NULL;
	c->io = bh_loop_source_free(c->io);
	c->pause = bh_loop_source_free(c->pause);
	bh_closep(&c->fd);
	free(c);
	return NULL;
}

bool bh_report_channel_alive(const struct bh_report_channel *c)
{
	return c->fd >= 0;
}

uint32_t bh_report_channel_restarts(const struct bh_report_channel *c)
{
	return c->restarts;
}
