/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include <systemd/sd-event.h>

#include "common/clock.h"

/* sd-event's default, a quarter of a second, is for saving power; deadlines here are shorter. */
#define TIMER_ACCURACY_US 1000u

struct bh_loop {
	sd_event *ev;
};

struct bh_loop_source {
	sd_event_source *src;
	union {
		bh_loop_io_fn io;
		bh_loop_fn plain;
	} fn;
	void *ud;
};

static int never(sd_event_source *src, uint64_t usec, void *ud)
{
	(void)src;
	(void)usec;
	(void)ud;
	return 0;
}

/*
 * The first timer that sd-event arms makes it read the machine's boot id, to spread wake-ups. That
 * has to happen before a process gives up opening files, so an hour is begun and forgotten.
 */
static int arm_once(sd_event *ev)
{
	sd_event_source *src = NULL;
	int r;

	r = sd_event_add_time_relative(ev, &src, CLOCK_MONOTONIC, UINT64_C(3600000000),
				       TIMER_ACCURACY_US, never, NULL);
	if (r < 0)
		return r;
	r = sd_event_run(ev, 0);
	sd_event_source_disable_unref(src);
	return r;
}

int bh_loop_new(struct bh_loop **ret_loop)
{
	bh_auto(bh_loop_freep) struct bh_loop *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	r = sd_event_new(&l->ev);
	if (r >= 0)
		r = arm_once(l->ev);
	if (r < 0)
		return r;
	*ret_loop = BH_TAKE_PTR(l);
	return 0;
}

struct bh_loop *bh_loop_free(struct bh_loop *l)
{
	if (l)
		sd_event_unref(l->ev);
	free(l);
	return NULL;
}

struct bh_loop_source *bh_loop_source_free(struct bh_loop_source *s)
{
	if (s)
		sd_event_source_disable_unref(s->src);
	free(s);
	return NULL;
}

static struct bh_loop_source *source_new(void *ud)
{
	struct bh_loop_source *s = calloc(1, sizeof(*s));

	if (s)
		s->ud = ud;
	return s;
}

/* The callbacks below must not touch their source after fn(): it may have freed it. */

static int on_io(sd_event_source *src, int fd, uint32_t revents, void *ud)
{
	struct bh_loop_source *s = ud;

	(void)src;
	(void)fd;
	s->fn.io(s->ud, revents);
	return 0;
}

static int on_time(sd_event_source *src, uint64_t usec, void *ud)
{
	struct bh_loop_source *s = ud;

	(void)src;
	(void)usec;
	s->fn.plain(s->ud);
	return 0;
}

static int on_signal(sd_event_source *src, const struct signalfd_siginfo *si, void *ud)
{
	struct bh_loop_source *s = ud;

	(void)src;
	(void)si;
	s->fn.plain(s->ud);
	return 0;
}

int bh_loop_io(struct bh_loop *l, int fd, uint32_t events, bh_loop_io_fn fn, void *ud,
	       struct bh_loop_source **ret_source)
{
	bh_auto(bh_loop_source_freep) struct bh_loop_source *s = source_new(ud);
	int r;

	if (!s)
		return -ENOMEM;
	s->fn.io = fn;
	r = sd_event_add_io(l->ev, &s->src, fd, events, on_io, s);
	if (r < 0)
		return r;
	*ret_source = BH_TAKE_PTR(s);
	return 0;
}

int bh_loop_io_set(struct bh_loop_source *s, uint32_t events)
{
	int r;

	/* Without any event epoll would still report EPOLLHUP and EPOLLERR, over and over. */
	if (!events)
		return sd_event_source_set_enabled(s->src, SD_EVENT_OFF);
	r = sd_event_source_set_io_events(s->src, events);
	if (r < 0)
		return r;
	return sd_event_source_set_enabled(s->src, SD_EVENT_ON);
}

int bh_loop_timer(struct bh_loop *l, bh_loop_fn fn, void *ud, struct bh_loop_source **ret_source)
{
	bh_auto(bh_loop_source_freep) struct bh_loop_source *s = source_new(ud);
	int r;

	if (!s)
		return -ENOMEM;
	s->fn.plain = fn;
	r = sd_event_add_time(l->ev, &s->src, CLOCK_MONOTONIC, 0, TIMER_ACCURACY_US, on_time, s);
	if (r < 0)
		return r;
	r = sd_event_source_set_enabled(s->src, SD_EVENT_OFF);
	if (r < 0)
		return r;
	*ret_source = BH_TAKE_PTR(s);
	return 0;
}

int bh_loop_timer_at(struct bh_loop_source *s, uint64_t at_ns)
{
	/* Rounded up: a timer that fires before its time makes its owner arm it again. */
	const uint64_t at_us = at_ns / BH_NS_PER_US + !!(at_ns % BH_NS_PER_US);
	int r;

	r = sd_event_source_set_time(s->src, at_us);
	if (r < 0)
		return r;
	return sd_event_source_set_enabled(s->src, SD_EVENT_ONESHOT);
}

int bh_loop_timer_in(struct bh_loop_source *s, uint64_t in_ns)
{
	return bh_loop_timer_at(s, bh_clock_ns() + in_ns);
}

int bh_loop_timer_stop(struct bh_loop_source *s)
{
	return sd_event_source_set_enabled(s->src, SD_EVENT_OFF);
}

int bh_loop_signal(struct bh_loop *l, int signo, bh_loop_fn fn, void *ud,
		   struct bh_loop_source **ret_source)
{
	bh_auto(bh_loop_source_freep) struct bh_loop_source *s = source_new(ud);
	sigset_t set;
	int r;

	if (!s)
		return -ENOMEM;
	s->fn.plain = fn;
	(void)sigemptyset(&set);
	if (sigaddset(&set, signo) < 0)
		return -errno;
	r = pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (r)
		return -r;
	r = sd_event_add_signal(l->ev, &s->src, signo, on_signal, s);
	if (r < 0)
		return r;
	*ret_source = BH_TAKE_PTR(s);
	return 0;
}

int bh_loop_run(struct bh_loop *l, int *ret_code)
{
	int r, code;

	r = sd_event_loop(l->ev);
	if (r < 0)
		return r;
	r = sd_event_get_exit_code(l->ev, &code);
	if (r < 0)
		return r;
	*ret_code = code;
	return 0;
}

int bh_loop_step(struct bh_loop *l, uint64_t timeout_ns)
{
	int r = sd_event_run(l->ev, timeout_ns / BH_NS_PER_US);

	return r < 0 ? r : r > 0;
}

int bh_loop_exit(struct bh_loop *l, int code)
{
	return sd_event_exit(l->ev, code);
}
