/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * control - the local socket: HTTP and JSON for bulkheadctl and for people with curl. Routing,
 * access, errors and the fan-out of events; what the answers say comes from the operations that the
 * enforcer gives. The answers are described in docs/api.md.
 */
#include <stddef.h>
#include <stdint.h>

#include "agent/control_route.h"
#include "common/cleanup.h"

struct bh_control; /* opaque */
struct bh_err;
struct bh_json;
struct bh_loop;

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
 * One event to all who follow, and into the ring of the last BH_EVENTS_RECENT_MAX. @event is an
 * object with string members "tenant", "reason" and "verdict" (or null), which filters look at; it
 * stays the caller's. An event that does not fit in BH_EVENT_MAX_BYTES or in memory is counted as
 * lost.
 */
void bh_control_publish_event(struct bh_control *c, const struct bh_json *event);
#define BH_EVENT_MAX_BYTES 4096

struct bh_control_stats {
	uint64_t events;      /* published */
	uint64_t events_lost; /* too long, or no memory */
	uint64_t cut_off;     /* followers that were too slow */
	size_t followers;     /* now */
};
void bh_control_stats(const struct bh_control *c, struct bh_control_stats *ret_stats);
