/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * loop - the one event loop of a process. The only user of sd-event.
 *
 * Not thread safe. A source may be freed at any time, inside its own callback too. Callbacks return
 * nothing: who registers one deals with its failures. Every source must be freed before its loop.
 */
#include <stdbool.h>
#include <stdint.h>

#include "common/cleanup.h"

struct bh_loop;	       /* opaque */
struct bh_loop_source; /* opaque: one registration */

typedef void (*bh_loop_io_fn)(void *ud, uint32_t revents); /* EPOLL* bits */
typedef void (*bh_loop_fn)(void *ud);

int bh_loop_new(struct bh_loop **ret_loop); /* 0 or negative errno */
struct bh_loop *bh_loop_free(struct bh_loop *l);
BH_DEFINE_AUTO(struct bh_loop, bh_loop_free)

/*
 * Call @fn whenever @fd has one of @events (EPOLLIN, ..., level-triggered; EPOLLET is passed on).
 * @fd stays the caller's and must stay open until the source is freed. 0 or negative errno; -EPERM
 * for a file that cannot be polled.
 */
int bh_loop_io(struct bh_loop *l, int fd, uint32_t events, bh_loop_io_fn fn, void *ud,
	       struct bh_loop_source **ret_source);
/* Other events for an io source; 0 pauses it. 0 or negative errno. */
int bh_loop_io_set(struct bh_loop_source *s, uint32_t events);

/* A timer on CLOCK_MONOTONIC that is not armed yet. It fires once for each time it is armed. */
int bh_loop_timer(struct bh_loop *l, bh_loop_fn fn, void *ud, struct bh_loop_source **ret_source);
/* Arm for @at_ns of CLOCK_MONOTONIC (as bh_clock_ns()), exact to a millisecond; replaces. */
int bh_loop_timer_at(struct bh_loop_source *s, uint64_t at_ns);
/* Arm for @in_ns from now; replaces. */
int bh_loop_timer_in(struct bh_loop_source *s, uint64_t in_ns);
int bh_loop_timer_stop(struct bh_loop_source *s);

/*
 * Call @fn when @signo arrives. The signal is blocked for the calling thread, and stays blocked
 * when the source is freed.
 */
int bh_loop_signal(struct bh_loop *l, int signo, bh_loop_fn fn, void *ud,
		   struct bh_loop_source **ret_source);

/* NULL is fine; returns NULL. */
struct bh_loop_source *bh_loop_source_free(struct bh_loop_source *s);
BH_DEFINE_AUTO(struct bh_loop_source, bh_loop_source_free)

/* Dispatch until bh_loop_exit(). 0 with *ret_code = its argument, or negative errno. */
int bh_loop_run(struct bh_loop *l, int *ret_code);
/* Wait at most @timeout_ns and dispatch once. 1 if there was something, 0 if not, or -errno. */
int bh_loop_step(struct bh_loop *l, uint64_t timeout_ns);
/* Make bh_loop_run() return @code (0 or above) after the current callback. */
int bh_loop_exit(struct bh_loop *l, int code);
