/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/load.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STREAM_BUF (256 * 1024)
#define MAX_CONNECTS 25000 /* below the number of ports: none is used twice */
#define IN_FLIGHT 64	   /* so that the delay of one handshake does not matter */
#define MAX_WAITING 1024   /* connections made and not accepted: below LOAD_BACKLOG */

static uint64_t stream_step(struct load *l, void *buf)
{
	const ssize_t n = recv(l->receiver, buf, STREAM_BUF, 0);

	if (n == 0)
		errno = ECONNRESET;
	if (n <= 0 && errno != EAGAIN)
		load_die("recv");
	return n > 0 ? (uint64_t)n : 0;
}

static void *stream_receiver(void *arg)
{
	struct load *l = arg;
	void *buf = malloc(STREAM_BUF);

	if (!buf)
		load_die("memory");
	load_pin(l->cpu[1]);
	load_count(l, stream_step, buf);
	(void)shutdown(l->receiver, SHUT_RDWR); /* wakes a sender that waits for room */
	free(buf);
	return NULL;
}

static void stream_send(struct load *l)
{
	char *buf = calloc(1, STREAM_BUF);

	if (!buf)
		load_die("memory");
	while (!atomic_load(&l->over)) {
		if (send(l->sender, buf, STREAM_BUF, MSG_NOSIGNAL) < 0 && !atomic_load(&l->over) &&
		    errno != EAGAIN)
			load_die("send");
	}
	free(buf);
}

static void open_stream(struct load *l)
{
	int fd;

	load_receive_at(l, SOCK_STREAM);
	load_send_to(l, SOCK_STREAM, 0);
	fd = accept4(l->receiver, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		load_die("accept");
	(void)close(l->receiver);
	l->receiver = fd;
}

const struct load_kind load_stream = { "stream", open_stream, stream_receiver, stream_send, 0 };

static void *acceptor(void *arg)
{
	struct load *l = arg;

	load_pin(l->cpu[1]);
	if (fcntl(l->receiver, F_SETFL, O_NONBLOCK) < 0)
		load_die("O_NONBLOCK");
	while (!atomic_load(&l->over)) {
		const int fd = accept4(l->receiver, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0) {
			(void)close(fd);
			atomic_fetch_add(&l->accepted, 1);
		} else if (errno == EAGAIN) {
			load_nap();
		} else if (errno != ECONNABORTED) {
			load_die("accept");
		}
	}
	return NULL;
}

/* Opens one more and closes the one that was opened IN_FLIGHT before it. */
static void connect_one(struct load *l, int fds[static IN_FLIGHT])
{
	struct pollfd oldest = { .fd = fds[l->sent % IN_FLIGHT], .events = POLLOUT };
	int error = 0;
	socklen_t len = sizeof(error);

	if (oldest.fd >= 0) {
		if (poll(&oldest, 1, LOAD_CONNECT_TIMEOUT_MS) != 1 ||
		    getsockopt(oldest.fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error) {
			errno = error ? error : ETIMEDOUT;
			load_die("connect");
		}
		(void)close(oldest.fd);
	}
	load_send_to(l, SOCK_STREAM | SOCK_NONBLOCK, 0);
	fds[l->sent++ % IN_FLIGHT] = l->sender;
	/* a full queue would cost a retransmission of a second */
	while (l->sent - atomic_load(&l->accepted) > MAX_WAITING)
		load_nap();
}

static void connect_all(struct load *l)
{
	const uint64_t begin = bh_clock_ns() + LOAD_WARM_UP_NS;
	uint64_t start, now, before;
	int fds[IN_FLIGHT];

	memset(fds, 0xff, sizeof(fds));
	while (bh_clock_ns() < begin)
		connect_one(l, fds);
	before = atomic_load(&l->accepted);
	start = bh_clock_ns();
	do {
		connect_one(l, fds);
		now = bh_clock_ns();
	} while (now - start < l->window_ns && l->sent < MAX_CONNECTS);
	l->received = atomic_load(&l->accepted) - before;
	l->took_ns = now - start;
	atomic_store(&l->over, true);
	for (int i = 0; i < IN_FLIGHT; i++) {
		if (fds[i] >= 0)
			(void)close(fds[i]);
	}
}

static void open_connect(struct load *l)
{
	load_receive_at(l, SOCK_STREAM);
}

const struct load_kind load_connect = { "connect", open_connect, acceptor, connect_all, 0 };
