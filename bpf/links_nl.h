/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * links_nl - rtnetlink: one socket for events, one for questions. Used by links alone; keeps no
 * state but the sockets.
 */
#include <stdint.h>

#include "bpf/links_msg.h"
#include "common/cleanup.h"

struct bh_err;
struct bh_nl; /* opaque */

/* 0, or a negative errno that the reading function then returns; never called after that. */
typedef int bh_nl_fn(const struct bh_nl_msg *msg, void *arg);

/* Opens both sockets and subscribes to links, addresses and routes of both families, filters. */
int bh_nl_new(struct bh_nl **ret_nl, struct bh_err *err);
struct bh_nl *bh_nl_free(struct bh_nl *nl);
BH_DEFINE_AUTO(struct bh_nl, bh_nl_free)

int bh_nl_fd(const struct bh_nl *nl); /* of the event socket */

/*
 * Hands the waiting events to @fn, without blocking; a bounded number per call, the descriptor
 * stays readable if there are more. 0; -ENOBUFS if events were lost; else negative errno.
 */
int bh_nl_events(struct bh_nl *nl, bh_nl_fn *fn, void *arg, struct bh_err *err);

/*
 * Everything of one type in this namespace; blocks for the kernel's answer only. 0; -ESTALE if the
 * table changed while it was read (what @fn got is to be thrown away); else negative errno.
 */
int bh_nl_dump(struct bh_nl *nl, enum bh_nl_type type, bh_nl_fn *fn, void *arg, struct bh_err *err);

/*
 * One interface, with its counters: of this namespace with @nsid -1, else of that one. Needs
 * CAP_NET_ADMIN there. 0; -ENODEV if there is no such interface or namespace; else negative errno.
 */
int bh_nl_get_link(struct bh_nl *nl, int32_t nsid, uint32_t ifindex, struct bh_nl_link *ret_link,
		   struct bh_err *err);

/*
 * Every interface in another namespace. Its owner decides how many there are: what @fn returns ends
 * the reading at once. Returns as bh_nl_dump(), and -ENODEV as above.
 */
int bh_nl_peer_links(struct bh_nl *nl, int32_t nsid, bh_nl_fn *fn, void *arg, struct bh_err *err);

/* The addresses of one interface in another namespace, both families. Returns as bh_nl_dump(), and
 * -ENODEV as above. */
int bh_nl_peer_addrs(struct bh_nl *nl, int32_t nsid, uint32_t ifindex, bh_nl_fn *fn, void *arg,
		     struct bh_err *err);
