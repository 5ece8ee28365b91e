/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * control_route - what a request on the local socket asks for. Pure: a decoded target in, a checked
 * question out. Everything in it is hostile input.
 */
#include <stdbool.h>
#include <stdint.h>

#include "common/addr.h"

struct bh_err;
struct bh_http_target;

enum bh_control_verb {
	BH_CONTROL_STATUS,
	BH_CONTROL_TENANTS,
	BH_CONTROL_PODS,
	BH_CONTROL_EXPLAIN,
	BH_CONTROL_EVENTS,
	BH_CONTROL_FLOWS,
};

#define BH_CONTROL_NS_MAX 63	/* a label */
#define BH_CONTROL_NAME_MAX 253 /* a subdomain */

/* One end of a packet: a pod by name, or an address. */
struct bh_explain_end {
	bool is_addr;
	struct bh_addr addr;					    /* if is_addr */
	char ns[BH_CONTROL_NS_MAX + 1];				    /* else */
	char name[BH_CONTROL_NAME_MAX + 1];			    /* else */
	char text[BH_CONTROL_NS_MAX + 1 + BH_CONTROL_NAME_MAX + 1]; /* as it was asked */
};

struct bh_explain_query {
	struct bh_explain_end src, dst;
	uint8_t proto; /* IPPROTO_TCP, IPPROTO_UDP; IPPROTO_ICMP for echo in both families */
	uint16_t port; /* host order; 0 with IPPROTO_ICMP */
};

#define BH_FEED_RECENT_MAX 1024
#define BH_FEED_SAMPLE_MAX 65536

/* Which events, or which flow records; "" and 0 in a filter = all. */
struct bh_feed_query {
	bool follow;
	unsigned int recent;	/* how many of the latest to begin with */
	unsigned int sample;	/* flows: one in so many, 1..BH_FEED_SAMPLE_MAX */
	uint16_t port;		/* host order; of either end */
	const char *reason;	/* one of BH_REASONS' labels */
	const char *verdict;	/* "pass", "drop", "audit" */
	const char *proto;	/* as bh_proto_name() gives it */
	const char *peer_class; /* one of BH_CLASSES' labels */
	char tenant[BH_CONTROL_NAME_MAX + 1];
	char pod[BH_CONTROL_NS_MAX + 1 + BH_CONTROL_NAME_MAX + 1]; /* NAMESPACE/POD */
};

struct bh_control_query {
	enum bh_control_verb verb;
	union {
		struct bh_explain_query explain;
		struct bh_feed_query feed; /* BH_CONTROL_EVENTS, BH_CONTROL_FLOWS */
	};
};

/*
 * 0; -ENOENT: no such path; -EINVAL with one line in @err that names the parameter and says what
 * was expected.
 */
int bh_control_route(const struct bh_http_target *t, struct bh_control_query *ret_query,
		     struct bh_err *err);
