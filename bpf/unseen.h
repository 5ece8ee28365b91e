/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * unseen - does everything that comes in at a pod's end of a veth go out at the host's end, where
 * to_pod is? What a CNI puts into the pod by bpf_redirect_peer() does not: it counts as received
 * there, and as sent nowhere. Pure: fed with what links read.
 *
 * The kernel counts such packets at the receiver since 6.7 and its stable branches since the end of
 * 2023; before that nothing tells of them, and nothing is found.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/links.h"
#include "common/cleanup.h"

struct bh_unseen; /* opaque */

/* Looks in a row without another such packet after which it is over. */
#define BH_UNSEEN_QUIET_LOOKS 3

int bh_unseen_new(struct bh_unseen **ret_unseen); /* 0 or -ENOMEM */
struct bh_unseen *bh_unseen_free(struct bh_unseen *u);
BH_DEFINE_AUTO(struct bh_unseen, bh_unseen_free)

/*
 * One look at every link, after they were asked for what is behind them. 1 if bh_unseen_packets()
 * became or stopped being 0 for any, 0 if not, or -ENOMEM.
 */
int bh_unseen_look(struct bh_unseen *u, const struct bh_link *links, size_t n);

/* How many frames at least reached the pod unseen, while more do; 0: none, or it is over. */
uint64_t bh_unseen_packets(const struct bh_unseen *u, uint32_t ifindex);
