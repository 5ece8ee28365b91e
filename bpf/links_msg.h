/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * links_msg - one rtnetlink message as a plain struct. Pure; what does not fit is refused, never
 * guessed.
 */
#include <stdbool.h>
#include <stdint.h>

#include "common/addr.h"

struct nlmsghdr;

struct bh_nl_link {
	uint32_t ifindex;
	char name[16];
	char kind[16]; /* "veth", "macvlan" ...; "" = not told: a physical device, lo */
	bool veth;
	bool loopback;
	bool up;	 /* IFF_UP: set by its owner, whatever the carrier is */
	uint32_t master; /* 0 = none */
	struct bh_mac mac;
	int32_t nsid;			 /* of the other end's namespace; -1 = none was given */
	uint32_t link;			 /* ifindex of the other end, 0 = none was given */
	uint64_t rx_packets, tx_packets; /* where they were asked for */
};

struct bh_nl_addr {
	uint32_t ifindex;
	struct bh_addr addr; /* the local one of a point-to-point pair */
	uint8_t plen;	     /* as in the message: 0..32 or 0..128 */
	uint8_t scope;	     /* RT_SCOPE_* */
	bool dad_failed;
};

enum bh_nl_route_kind {
	BH_NL_ROUTE_OTHER, /* by a gateway, more than one way, a blackhole ... */
	BH_NL_ROUTE_HOST,  /* unicast, straight out of one interface */
	BH_NL_ROUTE_OWN,   /* @dst is this host, on @ifindex: anycast, or an IPv4 broadcast */
};

/* Routes to one address (/32, /128); of table local only OWN ones. */
struct bh_nl_route {
	enum bh_nl_route_kind kind;
	struct bh_addr dst;
	uint32_t table;
	uint32_t metric;
	uint8_t tos;
	uint32_t ifindex;
	bool has_prefsrc;
	struct bh_addr prefsrc;
	bool replaces; /* takes the place of an older one, which gets no message of its own */
};

/* Classic filters or queueing of one interface changed: not how. Never listed. */
struct bh_nl_tc {
	uint32_t ifindex;
};

enum bh_nl_type { BH_NL_LINK, BH_NL_ADDR, BH_NL_ROUTE, BH_NL_TC };

struct bh_nl_msg {
	enum bh_nl_type type;
	bool gone; /* a delete message */
	union {
		struct bh_nl_link link;
		struct bh_nl_addr addr;
		struct bh_nl_route route;
		struct bh_nl_tc tc;
	};
};

/*
 * @h  A whole message of at least @h->nlmsg_len bytes.
 * @want_nsid  The message must say that it is about this namespace; -1: about the socket's own.
 *
 * 0; -EBADMSG for one that is malformed, of another type, or tells nothing of the above.
 */
int bh_nl_parse(const struct nlmsghdr *h, int32_t want_nsid, struct bh_nl_msg *ret_msg);
