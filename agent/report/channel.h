/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * channel - the enforcer's end of the line to the reporter, which is not trusted: every message has
 * one fixed size, files sent along are dropped by the kernel, and more than BH_REPORT_RATE
 * questions in a second wait, unread, for the next one.
 */
#include <stdbool.h>
#include <stdint.h>

#include "common/cleanup.h"

struct bh_loop;
struct bh_report_channel; /* opaque */
struct bh_snapshot;

#define BH_REPORT_RATE 20

/* Fill @s (see snapshot.h) with what is now. 0, or a negative errno that the reporter is told. */
typedef int (*bh_report_fill)(void *ud, struct bh_snapshot *s);

/* @fd from bh_reporter_start(), taken over in every case. 0 or negative errno. */
int bh_report_channel_new(struct bh_loop *loop, int fd, bh_report_fill fill, void *ud,
			  struct bh_report_channel **ret_channel);
struct bh_report_channel *bh_report_channel_free(struct bh_report_channel *c);
BH_DEFINE_AUTO(struct bh_report_channel, bh_report_channel_free)

bool bh_report_channel_alive(const struct bh_report_channel *c); /* somebody holds the other end */
uint32_t bh_report_channel_restarts(const struct bh_report_channel *c); /* as it says itself */
