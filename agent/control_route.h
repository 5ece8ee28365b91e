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

#define BH_EVENTS_RECENT_MAX 1024

struct bh_events_query {
	bool follow;
	unsigned int recent;		      /* how many of the latest to begin with */
	char tenant[BH_CONTROL_NAME_MAX + 1]; /* "" = all; these three likewise */
	const char *reason;		      /* one of BH_REASONS' labels, or "" */
	const char *verdict;		      /* "pass", "drop", "audit" or "" */
};

struct bh_control_query {
	enum bh_control_verb verb;
	union {
		struct bh_explain_query explain;
		struct bh_events_query events;
	};
};

/*
 * 0; -ENOENT: no such path; -EINVAL with one line in @err that names the parameter and says what
 * was expected.
 */
int bh_control_route(const struct bh_http_target *t, struct bh_control_query *ret_query,
		     struct bh_err *err);
