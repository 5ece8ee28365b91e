/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* clock - points in time as nanoseconds in 64 bits. */
#include <stdint.h>
#include <time.h>

#define BH_NS_PER_US UINT64_C(1000)
#define BH_NS_PER_MS UINT64_C(1000000)
#define BH_NS_PER_S UINT64_C(1000000000)

static inline uint64_t bh_timespec_ns(const struct timespec *ts)
{
	return (uint64_t)ts->tv_sec * BH_NS_PER_S + (uint64_t)ts->tv_nsec;
}

uint64_t bh_clock_ns(void);	 /* CLOCK_MONOTONIC, as the kernel programs' times are */
uint64_t bh_clock_wall_ns(void); /* since 1970 */
