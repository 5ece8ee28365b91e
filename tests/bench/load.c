/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/load.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_US 20000 /* how often a waiting socket looks whether it is over */

void load_die(const char *fmt, ...)
{
	const int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	(void)fputs("bench_load: ", stderr);
	(void)vfprintf(stderr, fmt, ap);
	(void)fprintf(stderr, ": %s\n", strerror(saved));
	va_end(ap);
	exit(1);
}

void load_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		load_die("pin to CPU %d", cpu);
}

void load_nap(void)
{
	const struct timespec t = { .tv_nsec = 200 * BH_NS_PER_US };

	(void)nanosleep(&t, NULL);
}

static int socket_in(int ns, struct load *l, int type, int proto)
{
	const struct timeval tick = { .tv_usec = TICK_US };
	int fd;

	if (ns != l->entered && setns(ns, CLONE_NEWNET) < 0)
		load_die("enter a network namespace");
	l->entered = ns;
	fd = socket(l->dst.ss_family, type | SOCK_CLOEXEC, proto);
	if (fd < 0)
		load_die("socket");
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tick, sizeof(tick)) < 0)
		load_die("SO_RCVTIMEO");
	return fd;
}

void load_receive_at(struct load *l, int type)
{
	const int size = 8 * 1024 * 1024;

	l->receiver = socket_in(l->to_ns, l, type, 0);
	if (type == SOCK_DGRAM)
		(void)setsockopt(l->receiver, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (bind(l->receiver, (struct sockaddr *)&l->dst, l->addr_len) < 0 ||
	    (type == SOCK_STREAM && listen(l->receiver, LOAD_BACKLOG) < 0) ||
	    getsockname(l->receiver, (struct sockaddr *)&l->dst, &l->addr_len) < 0)
		load_die("listen");
}

void load_send_to(struct load *l, int type, int proto)
{
	const struct timeval limit = { .tv_sec = LOAD_CONNECT_TIMEOUT_MS / 1000 };

	l->sender = socket_in(l->from_ns, l, type, proto);
	if (setsockopt(l->sender, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
	    bind(l->sender, (struct sockaddr *)&l->src, l->addr_len) < 0 ||
	    (connect(l->sender, (struct sockaddr *)&l->dst, l->addr_len) < 0 &&
	     errno != EINPROGRESS))
		load_die("connect");
}

void load_count(struct load *l, uint64_t (*step)(struct load *l, void *arg), void *arg)
{
	const uint64_t begin = bh_clock_ns() + LOAD_WARM_UP_NS;
	uint64_t start = 0, now, got = 0;

	do {
		const uint64_t n = step(l, arg);

		now = bh_clock_ns();
		if (start)
			got += n;
		else if (now >= begin)
			start = now;
	} while (!start || now - start < l->window_ns);
	l->received = got;
	l->took_ns = now - start;
	atomic_store(&l->over, true);
}
