/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above, in any order, first */
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "agent/loop.h"
#include "common/clock.h"

struct seen {
	struct bh_loop *loop;
	struct bh_loop_source *self;
	int calls;
	uint32_t revents;
	uint64_t at_ns;
};

static void io_then_exit(void *ud, uint32_t revents)
{
	struct seen *s = ud;

	s->calls++;
	s->revents = revents;
	assert_int_equal(bh_loop_exit(s->loop, 7), 0);
}

static void io_then_free(void *ud, uint32_t revents)
{
	struct seen *s = ud;

	(void)revents;
	s->calls++;
	s->self = bh_loop_source_free(s->self);
}

static void plain(void *ud)
{
	struct seen *s = ud;

	s->calls++;
	s->at_ns = bh_clock_ns();
	assert_int_equal(bh_loop_exit(s->loop, 3), 0);
}

static void count(void *ud)
{
	struct seen *s = ud;

	s->calls++;
}

static void loop_io__readable_pipe__callback_and_exit_code(void **state)
{
	bh_auto(bh_loop_freep) struct bh_loop *l = NULL;
	bh_auto(bh_loop_source_freep) struct bh_loop_source *src = NULL;
	struct seen seen = { 0 };
	int p[2], code = -1;

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(bh_loop_new(&l), 0);
	seen.loop = l;
	assert_int_equal(bh_loop_io(l, p[0], EPOLLIN, io_then_exit, &seen, &src), 0);
	assert_int_equal(write(p[1], "x", 1), 1);
	assert_int_equal(bh_loop_run(l, &code), 0);
	assert_int_equal(code, 7);
	assert_int_equal(seen.calls, 1);
	assert_int_equal(seen.revents, EPOLLIN);
	src = bh_loop_source_free(src);
	(void)close(p[0]);
	(void)close(p[1]);
}

static void loop_io__freed_in_its_callback__not_called_again(void **state)
{
	bh_auto(bh_loop_freep) struct bh_loop *l = NULL;
	struct seen seen = { 0 };
	int p[2];

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(bh_loop_new(&l), 0);
	assert_int_equal(bh_loop_io(l, p[0], EPOLLIN, io_then_free, &seen, &seen.self), 0);
	assert_int_equal(write(p[1], "x", 1), 1);
	assert_int_equal(bh_loop_step(l, BH_NS_PER_S), 1);
	assert_int_equal(bh_loop_step(l, 0), 0);
	assert_int_equal(seen.calls, 1);
	(void)close(p[0]);
	(void)close(p[1]);
}

static void loop_io_set__zero_events__paused_even_on_hangup(void **state)
{
	bh_auto(bh_loop_freep) struct bh_loop *l = NULL;
	bh_auto(bh_loop_source_freep) struct bh_loop_source *src = NULL;
	struct seen seen = { 0 };
	int p[2];

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(bh_loop_new(&l), 0);
	seen.loop = l;
	assert_int_equal(bh_loop_io(l, p[0], EPOLLIN, io_then_exit, &seen, &src), 0);
	assert_int_equal(bh_loop_io_set(src, 0), 0);
	(void)close(p[1]);
	assert_int_equal(bh_loop_step(l, 0), 0);
	assert_int_equal(seen.calls, 0);
	assert_int_equal(bh_loop_io_set(src, EPOLLIN), 0);
	assert_int_equal(bh_loop_step(l, BH_NS_PER_S), 1);
	assert_int_equal(seen.calls, 1);
	src = bh_loop_source_free(src);
	(void)close(p[0]);
}

static void loop_timer_in__20ms__not_before_and_once(void **state)
{
	bh_auto(bh_loop_freep) struct bh_loop *l = NULL;
	bh_auto(bh_loop_source_freep) struct bh_loop_source *src = NULL;
	struct seen seen = { 0 };
	uint64_t start;
	int code = -1;

	(void)state;
	assert_int_equal(bh_loop_new(&l), 0);
	seen.loop = l;
	assert_int_equal(bh_loop_timer(l, plain, &seen, &src), 0);
	start = bh_clock_ns();
	assert_int_equal(bh_loop_timer_in(src, 20 * BH_NS_PER_MS), 0);
	assert_int_equal(bh_loop_run(l, &code), 0);
	assert_int_equal(code, 3);
	assert_int_equal(seen.calls, 1);
	assert_true(seen.at_ns - start >= 20 * BH_NS_PER_MS);
}

static void loop_timer__armed_then_stopped__silent(void **state)
{
	bh_auto(bh_loop_freep) struct bh_loop *l = NULL;
	bh_auto(bh_loop_source_freep) struct bh_loop_source *src = NULL;
	struct seen seen = { 0 };

	(void)state;
	assert_int_equal(bh_loop_new(&l), 0);
	assert_int_equal(bh_loop_timer(l, count, &seen, &src), 0);
	assert_int_equal(bh_loop_step(l, 0), 0); /* new timers are not armed */
	assert_int_equal(bh_loop_timer_at(src, bh_clock_ns()), 0);
	assert_int_equal(bh_loop_timer_stop(src), 0);
	assert_int_equal(bh_loop_step(l, 5 * BH_NS_PER_MS), 0);
	assert_int_equal(seen.calls, 0);
	assert_int_equal(bh_loop_timer_at(src, 1), 0); /* long past: at once */
	assert_int_equal(bh_loop_step(l, BH_NS_PER_S), 1);
	assert_int_equal(seen.calls, 1);
}

static void loop_signal__raised__callback_not_death(void **state)
{
	bh_auto(bh_loop_freep) struct bh_loop *l = NULL;
	bh_auto(bh_loop_source_freep) struct bh_loop_source *src = NULL;
	struct seen seen = { 0 };
	int code = -1;

	(void)state;
	assert_int_equal(bh_loop_new(&l), 0);
	seen.loop = l;
	assert_int_equal(bh_loop_signal(l, SIGUSR1, plain, &seen, &src), 0);
	assert_int_equal(raise(SIGUSR1), 0);
	assert_int_equal(bh_loop_run(l, &code), 0);
	assert_int_equal(code, 3);
	assert_int_equal(seen.calls, 1);
}

static void loop_io__bad_fd__error_and_out_untouched(void **state)
{
	bh_auto(bh_loop_freep) struct bh_loop *l = NULL;
	struct bh_loop_source *const untouched = (void *)0x1;
	struct bh_loop_source *src = untouched;

	(void)state;
	assert_int_equal(bh_loop_new(&l), 0);
	assert_int_equal(bh_loop_io(l, -1, EPOLLIN, io_then_exit, NULL, &src), -EBADF);
	assert_ptr_equal(src, untouched);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loop_io__readable_pipe__callback_and_exit_code),
		cmocka_unit_test(loop_io__freed_in_its_callback__not_called_again),
		cmocka_unit_test(loop_io_set__zero_events__paused_even_on_hangup),
		cmocka_unit_test(loop_timer_in__20ms__not_before_and_once),
		cmocka_unit_test(loop_timer__armed_then_stopped__silent),
		cmocka_unit_test(loop_signal__raised__callback_not_death),
		cmocka_unit_test(loop_io__bad_fd__error_and_out_untouched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
