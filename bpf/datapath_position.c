/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether our programs are on their hooks, and the first ones there: somebody else's before them
 * could redirect or change what ours would never see.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/datapath_priv.h"
#include "common/cleanup.h"
#include "common/clock.h"

#define QUERY_MAX 64 /* the kernel takes no more on one hook (BPF_MPROG_MAX) */

static int add_front(struct bh_datapath *dp, const struct bh_front *f)
{
	if (dp->n_fronts == dp->cap_fronts) {
		const size_t more = dp->cap_fronts ? dp->cap_fronts * 2 : 8;
		struct bh_front *grown = reallocarray(dp->fronts, more, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		dp->fronts = grown;
		dp->cap_fronts = more;
	}
	dp->fronts[dp->n_fronts++] = *f;
	return 0;
}

static void forget(struct bh_datapath *dp, uint32_t ifindex)
{
	size_t k = 0;

	for (size_t i = 0; i < dp->n_fronts; i++) {
		if (dp->fronts[i].ifindex != ifindex)
			dp->fronts[k++] = dp->fronts[i];
	}
	dp->n_fronts = k;
	bh_u32set_del(dp->due, &dp->n_due, ifindex);
}

void bh_position_gone(struct bh_datapath *dp, uint32_t ifindex)
{
	forget(dp, ifindex);
	for (size_t i = 0; i < dp->n_puts; i++) {
		if (dp->puts[i].ifindex == ifindex)
			dp->puts[i] = dp->puts[--dp->n_puts];
	}
}

static void name_prog(struct bh_front *f)
{
	bh_autoclose int fd = bpf_prog_get_fd_by_id(f->prog_id);

	if (fd >= 0)
		(void)bh_prog_id(fd, f->name, sizeof(f->name));
}

/* One look at one hook. */
struct look {
	uint32_t ifindex;
	uint8_t dir;
	bool there;    /* ours is on the hook */
	bool beatable; /* being hung up anew would bring it to the front */
	int error;
};

static void found(struct bh_datapath *dp, struct look *l, struct bh_front *f)
{
	const int r = add_front(dp, f);

	if (r < 0)
		l->error = r;
}

/* Programs before ours in the order of TCX; all of them where ours is a classic filter. */
static void look_tcx(struct bh_datapath *dp, struct look *l)
{
	uint32_t ids[QUERY_MAX];
	const int n = bh_tcx_query(l->ifindex, l->dir, ids, QUERY_MAX);
	size_t ours = n > 0 ? (size_t)n : 0;

	for (int i = 0; i < n && dp->mode == BH_ATTACH_TCX; i++) {
		if (ids[i] != dp->prog_id[l->dir])
			continue;
		ours = (size_t)i;
		l->there = true;
		break;
	}
	if (dp->mode == BH_ATTACH_TCX && !l->there)
		return;
	for (size_t i = 0; i < ours; i++) {
		struct bh_front f = { .ifindex = l->ifindex,
				      .dir = l->dir,
				      .how = BH_ATTACH_TCX,
				      .prog_id = ids[i] };

		name_prog(&f);
		found(dp, l, &f);
		l->beatable = l->beatable || dp->mode == BH_ATTACH_TCX;
	}
}

static void look_clsact(struct bh_datapath *dp, struct look *l)
{
	struct bh_filter v[BH_FILTERS_MAX];
	const int n = bh_filters_list(l->ifindex, l->dir, v, BH_FILTERS_MAX);
	size_t ours = 0;

	while (n > 0 && ours < (size_t)n && v[ours].prog_id != dp->prog_id[l->dir])
		ours++;
	l->there = n > 0 && ours < (size_t)n;
	for (size_t i = 0; l->there && i < ours; i++) {
		struct bh_front f = { .ifindex = l->ifindex,
				      .dir = l->dir,
				      .how = BH_ATTACH_CLSACT,
				      .prog_id = v[i].prog_id };

		/* of one kind and priority there may be many, hash tables of theirs among them */
		if (i && !v[i].prog_id && v[i].priority == v[i - 1].priority)
			continue;
		memcpy(f.name, v[i].prog_id ? v[i].name : v[i].kind, sizeof(f.name) - 1);
		found(dp, l, &f);
		l->beatable = l->beatable || v[i].prog_id;
	}
}

static uint64_t *put_at(struct bh_datapath *dp, uint32_t ifindex)
{
	for (size_t i = 0; i < dp->n_puts; i++) {
		if (dp->puts[i].ifindex == ifindex)
			return &dp->puts[i].at_ns;
	}
	return NULL;
}

static bool may_put(struct bh_datapath *dp, uint32_t ifindex)
{
	const uint64_t *at = put_at(dp, ifindex);

	return !at || bh_clock_ns() - *at >= BH_FRONT_INTERVAL_S * BH_NS_PER_S;
}

int bh_position_put(struct bh_datapath *dp, uint32_t ifindex, struct bh_err *err)
{
	uint64_t *at = put_at(dp, ifindex);
	int r;

	if (!at) {
		struct bh_put *grown = reallocarray(dp->puts, dp->n_puts + 1, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		dp->puts = grown;
		grown[dp->n_puts] = (struct bh_put){ .ifindex = ifindex };
		at = &grown[dp->n_puts++].at_ns;
	}
	*at = bh_clock_ns(); /* before the try: one that fails is not to be repeated at once */
	bh_u32set_del(dp->due, &dp->n_due, ifindex);
	r = bh_attach_front(dp, ifindex, err);
	if (r < 0)
		return r;
	dp->n_put_in_front++;
	return bh_position_look(dp, ifindex);
}

int bh_position_look(struct bh_datapath *dp, uint32_t ifindex)
{
	bool there = true, beatable = false;
	int r = 0;

	forget(dp, ifindex);
	bh_u32set_del(dp->lost, &dp->n_lost, ifindex);
	for (uint8_t dir = 0; dir < 2 && r >= 0; dir++) {
		struct look l = { .ifindex = ifindex, .dir = dir };

		if (dp->has_tcx)
			look_tcx(dp, &l);
		if (dp->mode == BH_ATTACH_CLSACT)
			look_clsact(dp, &l);
		there = there && l.there;
		beatable = beatable || l.beatable;
		r = l.error;
	}
	if (r >= 0 && !there)
		r = bh_u32set_add(&dp->lost, &dp->n_lost, &dp->cap_lost, ifindex);
	else if (r >= 0 && beatable && may_put(dp, ifindex))
		r = bh_u32set_add(&dp->due, &dp->n_due, &dp->cap_due, ifindex);
	return r;
}

int bh_datapath_verify(struct bh_datapath *dp)
{
	for (size_t i = 0; i < dp->n_attached; i++) {
		const int r = bh_position_look(dp, dp->attached[i]);

		if (r < 0)
			return r;
	}
	return (int)(dp->n_lost + dp->n_due);
}

int bh_datapath_verify_some(struct bh_datapath *dp, const uint32_t *ifindexes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r;

		if (!bh_u32set_has(dp->attached, dp->n_attached, ifindexes[i]))
			continue;
		r = bh_position_look(dp, ifindexes[i]);
		if (r < 0)
			return r;
	}
	return (int)(dp->n_lost + dp->n_due);
}

const struct bh_front *bh_datapath_fronts(const struct bh_datapath *dp, size_t *ret_n)
{
	*ret_n = dp->n_fronts;
	return dp->fronts;
}

uint64_t bh_datapath_put_in_front(const struct bh_datapath *dp)
{
	return dp->n_put_in_front;
}
