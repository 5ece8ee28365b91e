/* SPDX-License-Identifier: Apache-2.0 */
/* Programs on real interfaces, by TCX and by clsact: hung up, swapped, switched over, taken off. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tests/bpf/dp_fixture.h"
#include "tests/bpf/dp_behind.h"
#include "tests/bpf/nl.h"

static void filters(struct dp_fx *fx, enum bh_attach how)
{
	struct bh_if room;
	const struct bh_ifs ifs = dp_ifs(fx, BH_IF_ENFORCED, &room);
	struct bh_datapath *dp;
	struct bh_apply_result res;

	dp = dp_shared(fx, how);
	dp_count_behind(fx);
	dp_expect_open(fx);
	assert_int_equal(bh_datapath_attach_mode(dp), how);
	res = dp_apply(dp, dp_policy(fx), &ifs);
	assert_int_equal(res.attached, 1);
	dp_expect_filtered(fx, dp);
	/* again: nothing to do, nothing double */
	res = dp_apply(dp, dp_policy(fx), &ifs);
	assert_int_equal(res.attached, 0);
	assert_int_equal(res.writes, 0);
	dp_expect_filtered(fx, dp);
}

static void attach__tcx__filters_and_lets_others_run(void **state)
{
	filters(*state, BH_ATTACH_TCX);
}

static void attach__clsact__filters_and_lets_others_run(void **state)
{
	filters(*state, BH_ATTACH_CLSACT);
}

static void attach__tcx_with_another_there__ours_is_first(void **state)
{
	struct dp_fx *fx = *state;
	struct bh_if room;
	const struct bh_ifs ifs = dp_ifs(fx, BH_IF_ENFORCED, &room);
	struct bh_datapath *dp = dp_shared(fx, BH_ATTACH_TCX);
	int links[2] = { -1, -1 };

	assert_int_equal(dp_behind_attach_tcx(fx->count_fd, fx->ifindex, links), 0);
	dp_expect_open(fx);
	(void)dp_apply(dp, dp_policy(fx), &ifs);
	dp_expect_filtered(fx, dp);
	close(links[0]);
	close(links[1]);
}

static void attach__auto__takes_what_there_is(void **state)
{
	struct dp_fx *fx = *state;
	const struct bh_datapath_opts opts = { .bpffs = fx->bpffs, .attach = BH_ATTACH_TCX };
	struct bh_datapath *dp = dp_open(fx, BH_ATTACH_AUTO);
	struct bh_err err = { 0 };

	assert_int_equal(bh_datapath_attach_mode(dp),
			 fx->has_tcx ? BH_ATTACH_TCX : BH_ATTACH_CLSACT);
	dp = bh_datapath_close(dp);
	if (fx->has_tcx)
		return;
	/* and what there is not is refused, not replaced */
	assert_int_equal(bh_datapath_open(&opts, &dp, &err), -EOPNOTSUPP);
	assert_null(dp);
	assert_non_null(strstr(err.msg, "TCX"));
}

static void quarantined(struct dp_fx *fx, enum bh_attach how)
{
	struct bh_if room;
	const struct bh_ifs ifs = dp_ifs(fx, BH_IF_QUARANTINED, &room);
	struct bh_datapath *dp = dp_shared(fx, how);

	dp_count_behind(fx);
	assert_int_equal(dp_apply(dp, dp_empty(), &ifs).attached, 1);
	dp_expect_closed(fx, dp);
	/* its pod is known now */
	room.state = BH_IF_ENFORCED;
	assert_int_equal(dp_apply(dp, dp_policy(fx), &ifs).attached, 0);
	dp_expect_filtered(fx, dp);
}

static void attach__quarantined_tcx__nothing_passes(void **state)
{
	quarantined(*state, BH_ATTACH_TCX);
}

static void attach__quarantined_clsact__nothing_passes(void **state)
{
	quarantined(*state, BH_ATTACH_CLSACT);
}

/* Somebody takes our programs off one of the hooks, or the interface is another one by now. */
static void lost(struct dp_fx *fx, enum bh_attach how, void (*take_off)(struct dp_fx *fx))
{
	struct bh_if room;
	const struct bh_ifs ifs = dp_ifs(fx, BH_IF_ENFORCED, &room);
	struct bh_datapath *dp = dp_shared(fx, how);
	bh_autofree struct bh_bound *v = NULL;
	struct bh_apply_result res;
	size_t n = 9;

	dp_count_behind(fx);
	(void)dp_apply(dp, dp_policy(fx), &ifs);
	assert_int_equal(bh_datapath_verify(dp), 0);
	take_off(fx);
	assert_int_equal(bh_datapath_verify(dp), 1);
	assert_int_equal(bh_datapath_bound(dp, &v, &n), 0);
	assert_int_equal(n, 0); /* whose interface that is must be found out anew */
	assert_int_equal(dp_apply(dp, dp_policy(fx), &ifs).attached, 1);
	assert_int_equal(bh_datapath_verify(dp), 0);
	dp_expect_filtered(fx, dp);
	/* the same while the source has not been read */
	take_off(fx);
	assert_int_equal(bh_datapath_verify(dp), 1);
	assert_int_equal(bh_datapath_guard(dp, &ifs, &res, NULL), 0);
	assert_int_equal(res.attached, 1);
	assert_int_equal(bh_datapath_verify(dp), 0);
	dp_expect_filtered(fx, dp);
}

static void qdisc_off(struct dp_fx *fx)
{
	struct bpf_tc_hook hook;

	memset(&hook, 0, sizeof(hook));
	hook.sz = sizeof(hook);
	hook.ifindex = (int)fx->ifindex;
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	assert_int_equal(bpf_tc_hook_destroy(&hook), 0);
	dp_count_behind(fx); /* gone with it */
}

static void link_off(struct dp_fx *fx)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/tmp/bpf/tcx/v%d/links/%u-to", BH_ABI_VERSION,
		       fx->ifindex);
	fd = bpf_obj_get(path);
	assert_true(fd >= 0);
	assert_int_equal(bpf_link_detach(fd), 0);
	(void)close(fd);
}

static void lost__clsact_qdisc_deleted__attached_again(void **state)
{
	lost(*state, BH_ATTACH_CLSACT, qdisc_off);
}

static void lost__tcx_link_detached__attached_again(void **state)
{
	lost(*state, BH_ATTACH_TCX, link_off);
}

static void taken_off(struct dp_fx *fx, enum bh_attach how, enum bh_if_state to)
{
	struct bh_if room;
	struct bh_ifs ifs = dp_ifs(fx, BH_IF_ENFORCED, &room);
	struct bh_datapath *dp = dp_shared(fx, how);

	dp_count_behind(fx);
	assert_int_equal(dp_apply(dp, dp_policy(fx), &ifs).attached, 1);
	dp_expect_filtered(fx, dp);
	room.state = to;
	assert_int_equal(dp_apply(dp, dp_policy(fx), &ifs).detached, 1);
	dp_expect_open(fx);
	room.state = BH_IF_ENFORCED;
	assert_int_equal(dp_apply(dp, dp_policy(fx), &ifs).attached, 1);
	dp_expect_filtered(fx, dp);
}

static void detach__ignored_tcx__open_and_back(void **state)
{
	taken_off(*state, BH_ATTACH_TCX, BH_IF_IGNORED);
}

static void detach__ignored_clsact__open_and_back(void **state)
{
	taken_off(*state, BH_ATTACH_CLSACT, BH_IF_IGNORED);
}

static void detach__left_alone__open_and_back(void **state)
{
	taken_off(*state, BH_ATTACH_CLSACT, BH_IF_LEFT_ALONE);
}

static struct bh_datapath *reopen(struct dp_fx *fx, enum bh_attach at, enum bh_attach how)
{
	const struct bh_datapath_opts opts = { .bpffs = dp_shared_dir(at), .attach = how };
	struct bh_datapath *dp = NULL;
	struct bh_err err = { 0 };
	int r;

	fx->shared[at] = bh_datapath_close(fx->shared[at]);
	r = bh_datapath_open(&opts, &dp, &err);
	if (r < 0)
		print_message("bh_datapath_open: %d %s\n", r, err.msg);
	assert_int_equal(r, 0);
	return dp;
}

/* Start with @first, go away, start with @second: one filter, all the time. */
static void restart(struct dp_fx *fx, enum bh_attach first, enum bh_attach second)
{
	const char *dir = dp_shared_dir(first);
	struct bh_if room;
	const struct bh_ifs ifs = dp_ifs(fx, BH_IF_ENFORCED, &room);
	uint32_t old[4] = { 0 }, fresh[4] = { 0 };
	struct bh_datapath *dp;

	dp_need(fx, second);
	dp = dp_shared(fx, first);
	dp_count_behind(fx);
	(void)dp_apply(dp, dp_policy(fx), &ifs);
	assert_int_equal(dp_pinned_ids(dir, false, old, 4), 2);
	/* nobody there: it goes on. The next one swaps its programs in when it opens. */
	dp = reopen(fx, first, second);
	assert_false(bh_datapath_fresh(dp));
	dp_expect_filtered(fx, dp);
	assert_int_equal(dp_pinned_ids(dir, false, fresh, 4), 2);
	for (size_t i = 0; i < 2; i++) {
		for (size_t k = 0; k < 2; k++)
			assert_int_not_equal(old[i], fresh[k]);
	}
	assert_int_equal(dp_apply(dp, dp_policy(fx), &ifs).writes, 0);
	dp_expect_filtered(fx, dp);
	if (first == second) {
		fx->shared[first] = dp;
		return;
	}
	bh_datapath_close(dp);
	assert_int_equal(bh_datapath_detach_all(dir, NULL), 0);
	dp_expect_open(fx);
}

static void restart__tcx_to_tcx__programs_swapped(void **state)
{
	restart(*state, BH_ATTACH_TCX, BH_ATTACH_TCX);
}

static void restart__clsact_to_clsact__programs_swapped(void **state)
{
	restart(*state, BH_ATTACH_CLSACT, BH_ATTACH_CLSACT);
}

static void restart__tcx_to_clsact__one_filter(void **state)
{
	restart(*state, BH_ATTACH_TCX, BH_ATTACH_CLSACT);
}

static void restart__clsact_to_tcx__one_filter(void **state)
{
	restart(*state, BH_ATTACH_CLSACT, BH_ATTACH_TCX);
}

static size_t pins(const char *dir)
{
	uint32_t ids[8];

	return dp_pinned_ids(dir, false, ids, 8);
}

static void interface_goes(struct dp_fx *fx, enum bh_attach how)
{
	const char *dir = dp_shared_dir(how);
	struct bh_if room;
	const struct bh_ifs ifs = dp_ifs(fx, BH_IF_ENFORCED, &room), none = { 0 };
	struct bh_datapath *dp = dp_shared(fx, how);
	struct bh_apply_result res;

	(void)dp_apply(dp, dp_policy(fx), &ifs);
	assert_int_equal(pins(dir), 2);
	assert_int_equal(nl_delete("host0"), 0);
	res = dp_apply(dp, dp_empty(), &none);
	assert_int_equal(res.detached, 1);
	assert_int_equal(res.writes, 3);
	assert_int_equal(pins(dir), 0);
	/* one that is gone before it could be attached to is no failure */
	assert_int_equal(dp_apply(dp, dp_policy(fx), &ifs).attached, 0);
	assert_int_equal(pins(dir), 0);
}

static void interface__gone_tcx__pins_removed(void **state)
{
	interface_goes(*state, BH_ATTACH_TCX);
}

static void interface__gone_clsact__pins_removed(void **state)
{
	interface_goes(*state, BH_ATTACH_CLSACT);
}

static void gone_meanwhile(struct dp_fx *fx, enum bh_attach how)
{
	struct bh_if room;
	const struct bh_ifs ifs = dp_ifs(fx, BH_IF_ENFORCED, &room);
	struct bh_datapath *dp = dp_shared(fx, how);

	(void)dp_apply(dp, dp_policy(fx), &ifs);
	fx->shared[how] = bh_datapath_close(dp);
	assert_int_equal(nl_delete("host0"), 0);
	assert_int_equal(pins(dp_shared_dir(how)), 2);
	fx->shared[how] = reopen(fx, how, how);
	assert_int_equal(pins(dp_shared_dir(how)), 0);
}

static void interface__gone_while_nobody_there_tcx__pins_removed(void **state)
{
	gone_meanwhile(*state, BH_ATTACH_TCX);
}

static void interface__gone_while_nobody_there_clsact__pins_removed(void **state)
{
	gone_meanwhile(*state, BH_ATTACH_CLSACT);
}

struct ids {
	uint32_t prog[4], map[32];
	size_t progs, maps;
};

static bool all_dead(void *arg)
{
	const struct ids *ids = arg;

	for (size_t i = 0; i < ids->progs; i++) {
		if (dp_id_lives(ids->prog[i], false))
			return false;
	}
	for (size_t i = 0; i < ids->maps; i++) {
		if (dp_id_lives(ids->map[i], true))
			return false;
	}
	return true;
}

static void detach_all(struct dp_fx *fx, enum bh_attach how)
{
	const char *dir = dp_shared_dir(how);
	struct bh_if room;
	const struct bh_ifs ifs = dp_ifs(fx, BH_IF_ENFORCED, &room);
	struct bh_datapath *dp = dp_shared(fx, how);
	struct ids ids;

	dp_count_behind(fx);
	(void)dp_apply(dp, dp_policy(fx), &ifs);
	fx->shared[how] = bh_datapath_close(dp);
	ids.progs = dp_pinned_ids(dir, false, ids.prog, 4);
	ids.maps = dp_pinned_ids(dir, true, ids.map, 32);
	assert_int_equal(ids.progs, 2);
	assert_int_equal(ids.maps, 17);
	assert_false(all_dead(&ids));
	assert_int_equal(bh_datapath_detach_all(dir, NULL), 0);
	dp_expect_open(fx);
	dp_wait(all_dead, &ids, "programs and maps are freed");
	assert_int_equal(dp_pinned_ids(dir, true, ids.map, 32), 0);
	/* again is fine */
	assert_int_equal(bh_datapath_detach_all(dir, NULL), 0);
}

static void detach_all__tcx__nothing_left(void **state)
{
	detach_all(*state, BH_ATTACH_TCX);
}

static void detach_all__clsact__nothing_left_but_the_others(void **state)
{
	detach_all(*state, BH_ATTACH_CLSACT);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, dp_setup, dp_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(attach__tcx__filters_and_lets_others_run),
		T(attach__clsact__filters_and_lets_others_run),
		T(attach__tcx_with_another_there__ours_is_first),
		T(attach__auto__takes_what_there_is),
		T(attach__quarantined_tcx__nothing_passes),
		T(attach__quarantined_clsact__nothing_passes),
		T(lost__clsact_qdisc_deleted__attached_again),
		T(lost__tcx_link_detached__attached_again),
		T(detach__ignored_tcx__open_and_back),
		T(detach__ignored_clsact__open_and_back),
		T(detach__left_alone__open_and_back),
		T(restart__tcx_to_tcx__programs_swapped),
		T(restart__clsact_to_clsact__programs_swapped),
		T(interface__gone_tcx__pins_removed),
		T(interface__gone_clsact__pins_removed),
		T(interface__gone_while_nobody_there_tcx__pins_removed),
		T(interface__gone_while_nobody_there_clsact__pins_removed),
		T(detach_all__tcx__nothing_left),
		T(detach_all__clsact__nothing_left_but_the_others),
		T(restart__tcx_to_clsact__one_filter),
		T(restart__clsact_to_tcx__one_filter),
	};

	return cmocka_run_group_tests(tests, dp_group_setup, dp_group_teardown);
}
