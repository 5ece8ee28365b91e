/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/follow.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "agent/control.h"
#include "agent/loop.h"
#include "bpf/datapath.h"
#include "common/clock.h"

struct bh_follow {
	struct bh_datapath *dp;
	void (*fn)(void *ud, const struct bh_abi_flow_record *f);
	void *ud;
	struct bh_loop_source *on_ring, *renew;
	bool wanted;
	unsigned int sample;
	char tenant[BH_CONTROL_NAME_MAX + 1];
};

/* Each time anew: the tenant may have got its number since. */
static int lease(struct bh_follow *f)
{
	const struct bh_record_switch s = {
		.until_ns = bh_clock_ns() + BH_FOLLOW_LEASE_NS,
		.sample = f->sample,
		.tenant =
			*f->tenant ? bh_ids_get(bh_datapath_ids(f->dp), f->tenant) : BH_TENANT_NONE,
	};
	const int r = bh_datapath_record(f->dp, &s);

	return r < 0 ? r : bh_loop_timer_in(f->renew, BH_FOLLOW_RENEW_NS);
}

static void on_renew(void *ud)
{
	struct bh_follow *f = ud;

	if (f->wanted)
		(void)lease(f);
}

static void on_ring(void *ud, uint32_t revents)
{
	struct bh_follow *f = ud;

	(void)revents;
	(void)bh_datapath_records(f->dp, f->fn, f->ud);
}

int bh_follow_new(struct bh_loop *loop, struct bh_datapath *dp,
		  void (*fn)(void *ud, const struct bh_abi_flow_record *f), void *ud,
		  struct bh_follow **ret_follow)
{
	bh_auto(bh_follow_freep) struct bh_follow *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	f->dp = dp;
	f->fn = fn;
	f->ud = ud;
	r = bh_loop_timer(loop, on_renew, f, &f->renew);
	if (r >= 0)
		r = bh_loop_io(loop, bh_datapath_records_fd(dp), EPOLLIN, on_ring, f, &f->on_ring);
	if (r < 0)
		return r;
	*ret_follow = BH_TAKE_PTR(f);
	return 0;
}

struct bh_follow *bh_follow_free(struct bh_follow *f)
{
	if (!f)
		return NULL;
	bh_loop_source_free(f->on_ring);
	bh_loop_source_free(f->renew);
	free(f);
	return NULL;
}

int bh_follow_want(struct bh_follow *f, const struct bh_flow_demand *d)
{
	f->wanted = d->followers > 0;
	if (!f->wanted) {
		(void)bh_loop_timer_stop(f->renew);
		return bh_datapath_record(f->dp, &(struct bh_record_switch){ .sample = 1 });
	}
	f->sample = d->sample;
	(void)snprintf(f->tenant, sizeof(f->tenant), "%s", d->tenant);
	return lease(f);
}
