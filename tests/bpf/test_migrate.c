/* SPDX-License-Identifier: Apache-2.0 */
/* From tables of one size to another's, on this kernel: who enforces, what is copied, what goes. */
#include <bpf/bpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tests/bpf/dp_behind.h"
#include "tests/bpf/dp_fixture.h"
#include "tests/bpf/nl.h"

static struct bh_datapath *open_sized(const struct dp_fx *fx, enum bh_attach how, uint32_t flows)
{
	const struct bh_datapath_opts opts = {
		.bpffs = fx->bpffs, .attach = how, .max_endpoints = 4, .flows_per_endpoint = flows
	};
	struct bh_datapath *dp = NULL;
	struct bh_err err = { 0 };
	const int r = bh_datapath_open(&opts, &dp, &err);

	if (r < 0)
		print_message("bh_datapath_open: %d %s\n", r, err.msg);
	assert_int_equal(r, 0);
	return dp;
}

static uint64_t entries(struct bh_datapath *dp, const char *map, bool max)
{
	struct bh_map_info v[32];
	const size_t n = bh_datapath_maps(dp, v, 32);

	for (size_t i = 0; i < n; i++) {
		if (!strcmp(v[i].name, map))
			return max ? v[i].max_entries : v[i].entries;
	}
	fail_msg("no map %s", map);
	return 0;
}

static bool there(const struct dp_fx *fx, const char *behind)
{
	char path[160];

	(void)snprintf(path, sizeof(path), "%s/v%d%s", fx->bpffs, BH_ABI_VERSION, behind);
	return access(path, F_OK) == 0;
}

static void enforce(struct dp_fx *fx, struct bh_datapath *dp)
{
	struct bh_if room;
	const struct bh_ifs ifs = dp_ifs(fx, BH_IF_ENFORCED, &room);

	(void)dp_apply(dp, dp_policy(fx), &ifs);
}

static void resized(struct dp_fx *fx, enum bh_attach how)
{
	struct bh_if room;
	const struct bh_ifs ifs = dp_ifs(fx, BH_IF_ENFORCED, &room);
	bh_autofree struct bh_bound *bound = NULL;
	struct bh_apply_result res;
	struct bh_datapath *dp;
	uint32_t number = 0, again = 0;
	uint64_t flows;
	size_t n = 0;

	dp_need(fx, how);
	dp = open_sized(fx, how, 64);
	assert_true(bh_datapath_fresh(dp));
	assert_int_equal(bh_datapath_number(dp, "acme", &number), 0);
	enforce(fx, dp);
	dp_count_behind(fx);
	dp_expect_filtered(fx, dp);
	flows = entries(dp, "bh_flows", false);
	assert_true(flows > 0);
	bh_datapath_close(dp);

	/* the other one goes on until it is known what should be */
	dp = open_sized(fx, how, 256);
	assert_false(bh_datapath_fresh(dp));
	assert_true(there(fx, "-old"));
	assert_int_equal(bh_ids_get(bh_datapath_ids(dp), "acme"), number);
	assert_int_equal(bh_datapath_number(dp, "later", &again), 0);
	assert_true(again > number);
	assert_int_equal(entries(dp, "bh_flows", true), 4 * 256);
	assert_int_equal(bh_datapath_bound(dp, &bound, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(bound[0].ifindex, fx->ifindex);
	assert_int_equal(bound[0].ep.mac[5], 0x10);
	assert_int_equal(bh_datapath_guard(dp, &ifs, &res, NULL), 0);
	assert_int_equal(res.attached, 0);
	assert_int_equal(bh_datapath_verify(dp), 0);

	/* then it is taken over, with its flows, and nothing of it is left */
	enforce(fx, dp);
	assert_false(there(fx, "-old"));
	assert_int_equal(entries(dp, "bh_flows", false), flows);
	dp_expect_filtered(fx, dp);
	assert_int_equal(bh_datapath_verify(dp), 0);
	(void)bh_datapath_fronts(dp, &n);
	assert_int_equal(n, 0);
	enforce(fx, dp);
	dp_expect_filtered(fx, dp);
	bh_datapath_close(dp);
}

static void resize__tcx__taken_over_whole(void **state)
{
	resized(*state, BH_ATTACH_TCX);
}

static void resize__clsact__taken_over_whole(void **state)
{
	resized(*state, BH_ATTACH_CLSACT);
}

/* From one way of attaching to the other in the same step. */
static void switched(struct dp_fx *fx, enum bh_attach from, enum bh_attach to)
{
	struct bh_datapath *dp;

	dp_need(fx, BH_ATTACH_TCX);
	dp = open_sized(fx, from, 64);
	enforce(fx, dp);
	dp_count_behind(fx);
	dp_expect_filtered(fx, dp);
	bh_datapath_close(dp);
	dp = open_sized(fx, to, 128);
	enforce(fx, dp);
	dp_expect_filtered(fx, dp);
	assert_false(there(fx, "-old"));
	bh_datapath_close(dp);
	assert_int_equal(bh_datapath_detach_all(fx->bpffs, NULL), 0);
	dp_expect_open(fx);
}

static void resize__tcx_to_clsact__one_filter(void **state)
{
	switched(*state, BH_ATTACH_TCX, BH_ATTACH_CLSACT);
}

static void resize__clsact_to_tcx__one_filter(void **state)
{
	switched(*state, BH_ATTACH_CLSACT, BH_ATTACH_TCX);
}

/* A pod of the other one's that is not known any more is closed, its interface not left open. */
static void gone(struct dp_fx *fx, enum bh_attach how)
{
	struct bh_if room;
	const struct bh_ifs ifs = dp_ifs(fx, BH_IF_QUARANTINED, &room);
	struct bh_datapath *dp;

	dp_need(fx, how);
	dp = open_sized(fx, how, 64);
	enforce(fx, dp);
	dp_count_behind(fx);
	bh_datapath_close(dp);
	dp = open_sized(fx, how, 128);
	(void)dp_apply(dp, dp_empty(), &ifs);
	dp_expect_closed(fx, dp);
	assert_false(there(fx, "-old"));
	bh_datapath_close(dp);
}

static void resize__pod_gone_tcx__closed(void **state)
{
	gone(*state, BH_ATTACH_TCX);
}

static void resize__pod_gone_clsact__closed(void **state)
{
	gone(*state, BH_ATTACH_CLSACT);
}

/* An interface that went meanwhile leaves nothing. */
static void resize__interface_gone__pins_removed(void **state)
{
	struct dp_fx *fx = *state;
	const struct bh_ifs none = { 0 };
	struct bh_datapath *dp = open_sized(fx, BH_ATTACH_CLSACT, 64);

	enforce(fx, dp);
	bh_datapath_close(dp);
	assert_int_equal(nl_delete("host0"), 0);
	dp = open_sized(fx, BH_ATTACH_CLSACT, 128);
	(void)dp_apply(dp, dp_empty(), &none);
	assert_false(there(fx, "-old"));
	assert_true(there(fx, ""));
	bh_datapath_close(dp);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, dp_setup, dp_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(resize__tcx__taken_over_whole),	 T(resize__clsact__taken_over_whole),
		T(resize__tcx_to_clsact__one_filter),	 T(resize__clsact_to_tcx__one_filter),
		T(resize__pod_gone_tcx__closed),	 T(resize__pod_gone_clsact__closed),
		T(resize__interface_gone__pins_removed),
	};

	return cmocka_run_group_tests(tests, dp_group_setup, dp_group_teardown);
}
