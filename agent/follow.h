/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * follow - switches the recording of judged flows on in the kernel while somebody follows them, and
 * hands the records on. The switch is set for a short time and renewed, so that it goes off by
 * itself when this process ends, however that happens.
 */
#include <stdint.h>

#include "common/cleanup.h"

struct bh_abi_flow_record;
struct bh_datapath;
struct bh_flow_demand;
struct bh_follow; /* opaque */
struct bh_loop;

/* How long the kernel records without being told again, and how often it is told. */
#define BH_FOLLOW_LEASE_NS UINT64_C(15000000000)
#define BH_FOLLOW_RENEW_NS UINT64_C(5000000000)

/*
 * @loop and @dp must outlive it. @fn gets each record that comes. Nothing is recorded yet. 0 or
 * negative errno.
 */
int bh_follow_new(struct bh_loop *loop, struct bh_datapath *dp,
		  void (*fn)(void *ud, const struct bh_abi_flow_record *f), void *ud,
		  struct bh_follow **ret_follow);
/* NULL is fine; returns NULL. What is recorded goes on until its time: want nothing before. */
struct bh_follow *bh_follow_free(struct bh_follow *f);
BH_DEFINE_AUTO(struct bh_follow, bh_follow_free)

/*
 * Record what @d asks for from now on; without followers, nothing. A tenant that the kernel has no
 * number for yet is left to the followers' own filters. 0 or negative errno.
 */
int bh_follow_want(struct bh_follow *f, const struct bh_flow_demand *d);
