/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * control - the local socket: HTTP and JSON for bulkheadctl and for people with curl. Routing,
 * access, errors and the fan-out of events and flow records; what the answers say comes from the
 * operations that the enforcer gives. The answers are described in docs/api.md.
 */
#include <stddef.h>
#include <stdint.h>

#include "agent/control_route.h"
#include "common/cleanup.h"

struct bh_control; /* opaque */
struct bh_err;
struct bh_json;
struct bh_loop;

/* The two that can be followed. */
enum bh_feed_id {
	BH_FEED_EVENTS,
	BH_FEED_FLOWS,
	BH_FEED_MAX_,
};

/* What the followers of flows want, taken together. */
struct bh_flow_demand {
	size_t followers;
	unsigned int sample; /* one in so many: the smallest number that is asked for */
	const char *tenant;  /* the one that all of them ask for, "" = more; valid for the call */
};

/*
 * Each gives a JSON object, owned by control from then on, or a negative errno with @err: it
 * becomes the HTTP status (-EINVAL 400, -ENOENT 404, -EOPNOTSUPP 501, -EAGAIN and -EBUSY 503,
 * others 500) and the message. They must not block.
 */
struct bh_control_ops {
	void *ud;
	int (*status)(void *ud, struct bh_json **ret_json, struct bh_err *err);
	int (*tenants)(void *ud, struct bh_json **ret_json, struct bh_err *err);
	int (*pods)(void *ud, struct bh_json **ret_json, struct bh_err *err);
	int (*explain)(void *ud, const struct bh_explain_query *q, struct bh_json **ret_json,
		       struct bh_err *err);
	/* Called when a follower of flows comes or goes; may be NULL. */
	void (*flows_wanted)(void *ud, const struct bh_flow_demand *d);
};

/*
 * Listen on @socket_path (see bh_listen_unix_open() for its errors) and serve from @loop, to root
 * and to the daemon's own user only. @ops is copied.
 */
int bh_control_new(struct bh_loop *loop, const char *socket_path, const struct bh_control_ops *ops,
		   struct bh_control **ret_control, struct bh_err *err);
/* Ends every connection and removes the socket. NULL is fine; returns NULL. */
struct bh_control *bh_control_free(struct bh_control *c);
BH_DEFINE_AUTO(struct bh_control, bh_control_free)

/*
 * One object to all who follow @feed, and into the ring of its last BH_FEED_RECENT_MAX. @object
 * stays the caller's. Filters look at its strings "tenant", "pod", "reason", "verdict", "proto" and
 * "peerClass" and at its numbers "sport" and "dport". One that does not fit in BH_FEED_LINE_MAX or
 * in memory is counted as lost.
 */
void bh_control_publish(struct bh_control *c, enum bh_feed_id feed, const struct bh_json *object);
#define BH_FEED_LINE_MAX 4096

struct bh_control_stats {
	uint64_t published[BH_FEED_MAX_];
	uint64_t lost[BH_FEED_MAX_];	/* too long, or no memory */
	size_t followers[BH_FEED_MAX_]; /* now */
	uint64_t cut_off;		/* followers that were too slow */
};
void bh_control_stats(const struct bh_control *c, struct bh_control_stats *ret_stats);
