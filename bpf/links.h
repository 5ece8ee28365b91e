/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * links - what rtnetlink says of this host's interfaces: which veths lead into other network
 * namespaces, what is behind them (MAC, addresses), which addresses are the host's own, which host
 * routes point at which interface. The only user of libnl. Reads only; changes nothing.
 *
 * The other end of a veth is asked through its nsid (IFLA_TARGET_NETNSID), so no namespace is
 * entered and no path under /run/netns is needed.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/cleanup.h"

struct bh_err;
struct bh_links; /* opaque */

#define BH_LINK_MAX_PEER_ADDRS 16

#define BH_LINK_MAX_OTHERS 4

/* An interface beside the other end of a veth, in the namespace that it leads into. */
struct bh_link_other {
	uint32_t ifindex; /* there */
	char name[16];
	char kind[16]; /* "macvlan", "ipvlan", "veth" ...; "" for a physical device */
};

struct bh_link {
	uint32_t ifindex;
	char name[16];
	bool veth;
	bool ipvs; /* kube-proxy's, in mode ipvs: its addresses are Services' */
	bool up;
	uint32_t master;   /* ifindex of the bridge it is a port of, 0 = none */
	struct bh_mac mac; /* of the host's side */
	int32_t nsid;	   /* of the namespace with the other end; -1: in this one, or not known */
	uint32_t peer_ifindex; /* in that namespace, 0 = not known */
	bool peer_known;       /* it is in another namespace, and the fields below hold */
	struct bh_mac peer_mac;
	struct bh_addr peer_addrs[BH_LINK_MAX_PEER_ADDRS]; /* sorted; all but scope host */
	size_t n_peer_addrs;
	/*
	 * What else is in there, but for lo, taps, other ends of this namespace's veths and the
	 * tunnels that every namespace has from birth: ways out that do not lead through here.
	 */
	struct bh_link_other others[BH_LINK_MAX_OTHERS]; /* by ifindex */
	size_t n_others;
	bool more_others; /* than fit */
	/*
	 * Frames that came in at the other end, and those that went out here: read in this order,
	 * so that there are never more of the former, unless some came another way. Not told as
	 * changes.
	 */
	uint64_t peer_rx_packets, tx_packets;
};

/* Opens the sockets, subscribes, and reads everything once. 0 or negative errno with @err. */
int bh_links_new(struct bh_links **ret_links, struct bh_err *err);
struct bh_links *bh_links_free(struct bh_links *l);
BH_DEFINE_AUTO(struct bh_links, bh_links_free)

/* For the event loop: readable when bh_links_dispatch() has something to do. */
int bh_links_fd(const struct bh_links *l);

/*
 * Read what is waiting, without blocking. 1 if anything that the getters return changed, 0 if not,
 * or negative errno: what is known stays as it was, and the next call tries again. A socket overrun
 * is healed by reading everything again. More than 4096 interfaces, 65536 addresses or 65536 host
 * routes are -E2BIG. Other ends need CAP_NET_ADMIN; one that went meanwhile is only not known.
 */
int bh_links_dispatch(struct bh_links *l, struct bh_err *err);

/*
 * Ask again for the other ends: addresses inside a pod's namespace change without an event here.
 * Returns as bh_links_dispatch().
 */
int bh_links_refresh_peers(struct bh_links *l, struct bh_err *err);

/* Every interface, by ifindex. Valid until the next dispatch or refresh. */
const struct bh_link *bh_links_list(const struct bh_links *l, size_t *ret_n);
/*
 * Interfaces whose classic filters or queueing changed since bh_links_touched_done(), in rising
 * order; *ret_all: which ones is not known. Without a word from bh_links_dispatch(). Same lifetime.
 */
const uint32_t *bh_links_touched(const struct bh_links *l, size_t *ret_n, bool *ret_all);
void bh_links_touched_done(struct bh_links *l);
const struct bh_link *bh_links_get(const struct bh_links *l, uint32_t ifindex); /* or NULL */

/*
 * The host's own addresses, sorted, without duplicates: of every interface, lo's included, but for
 * kube-ipvs0, 127.0.0.0/8 and ::1; the anycast ones of an IPv6 router, and IPv4 subnets' broadcast
 * addresses. Same lifetime.
 */
const struct bh_addr *bh_links_host_addrs(const struct bh_links *l, size_t *ret_n);

/*
 * The interface that a host route (/32, /128, no gateway, in any table but local) to @a names; of
 * several the one in table main, with the lowest metric. 0 if there is none, or @a is the host's
 * own.
 */
uint32_t bh_links_route(const struct bh_links *l, const struct bh_addr *a);
