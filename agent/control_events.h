/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * control_events - the ring of the latest events as lines of JSON, and which of them a filter
 * wants. Pure.
 */
#include <stdbool.h>
#include <stddef.h>

#include "agent/control_route.h"
#include "common/cleanup.h"

struct bh_events; /* opaque: the ring */
struct bh_json;

struct bh_event_line {
	char *line; /* with its newline, NUL-terminated */
	size_t len;
	char *tenant;		      /* or NULL: matches no filter for a tenant */
	const char *reason, *verdict; /* constants; "" matches no filter */
};

int bh_events_new(struct bh_events **ret_events); /* 0 or -ENOMEM */
struct bh_events *bh_events_free(struct bh_events *ev);
BH_DEFINE_AUTO(struct bh_events, bh_events_free)

/*
 * Encode @event and put it in the ring in place of the oldest. *ret_line is valid until the next
 * call. 0; -E2BIG: over @max bytes; -ENOMEM.
 */
int bh_events_add(struct bh_events *ev, const struct bh_json *event, size_t max,
		  const struct bh_event_line **ret_line);
bool bh_events_match(const struct bh_event_line *line, const struct bh_events_query *q);
/*
 * Call @fn, oldest first, for the latest events that match @q: at most q->recent of them and at
 * most
 * @max_bytes in total. Stops when @fn returns a negative errno, and returns that; else 0.
 */
int bh_events_recent(const struct bh_events *ev, const struct bh_events_query *q, size_t max_bytes,
		     int (*fn)(void *ud, const struct bh_event_line *line), void *ud);
