/* SPDX-License-Identifier: Apache-2.0 */
#include "common/clock.h"

static uint64_t read_clock(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts);
	return bh_timespec_ns(&ts);
}

uint64_t bh_clock_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t bh_clock_wall_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}
