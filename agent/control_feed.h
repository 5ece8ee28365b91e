/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * control_feed - the ring of the latest events, or of the latest flow records, as lines of JSON,
 * and which of them a filter wants. Pure.
 */
#include <stdbool.h>
#include <stddef.h>

#include "agent/control_route.h"
#include "common/cleanup.h"

struct bh_feed; /* opaque: the ring */
struct bh_json;

/* What filters look at. A member that an object lacks matches no filter for it. */
struct bh_feed_line {
	char *line; /* with its newline, NUL-terminated */
	size_t len;
	char *tenant, *pod;				   /* or NULL */
	const char *reason, *verdict, *proto, *peer_class; /* constants; or "" */
	double sport, dport;				   /* host order, 0 if there is none */
};

int bh_feed_new(struct bh_feed **ret_feed); /* 0 or -ENOMEM */
struct bh_feed *bh_feed_free(struct bh_feed *f);
BH_DEFINE_AUTO(struct bh_feed, bh_feed_free)

/*
 * Encode @object and put it in the ring in place of the oldest. *ret_line is valid until the next
 * call. 0; -E2BIG: over @max bytes; -ENOMEM.
 */
int bh_feed_add(struct bh_feed *f, const struct bh_json *object, size_t max,
		const struct bh_feed_line **ret_line);
bool bh_feed_match(const struct bh_feed_line *line, const struct bh_feed_query *q);
/*
 * Call @fn, oldest first, for the latest lines that match @q: at most q->recent of them and at most
 * @max_bytes in total. Stops when @fn returns a negative errno, and returns that; else 0.
 */
int bh_feed_recent(const struct bh_feed *f, const struct bh_feed_query *q, size_t max_bytes,
		   int (*fn)(void *ud, const struct bh_feed_line *line), void *ud);
