/* SPDX-License-Identifier: Apache-2.0 */
/* The maps as the daemon keeps them: persistent, written by difference, healed after a failure. */
#include <bpf/bpf.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tests/bpf/dp_fixture.h"
#include "tests/bpf/world.h"

#define ENDPOINTS_MAX 4096 /* of bpf/maps.h */

static const struct bh_ifs no_ifs;

/* @n endpoints on interfaces that do not exist, from number @first on. */
static struct bh_policy *many(uint32_t first, size_t n)
{
	struct bh_policy *p = NULL;

	assert_int_equal(bh_policy_new(&p), 0);
	for (size_t i = 0; i < n; i++)
		dp_add_endpoint(p, first + (uint32_t)i);
	dp_sort(p);
	return p;
}

static void open__second_start__numbers_and_rows_are_there(void **state)
{
	struct dp_fx *fx = *state;
	struct bh_if room;
	const struct bh_ifs ifs = dp_ifs(fx, BH_IF_LEFT_ALONE, &room);
	bh_autofree struct bh_bound *bound = NULL;
	bh_autofree struct bh_left_alone *alone = NULL;
	uint32_t a = 0, b = 0, again = 0, generation;
	struct bh_datapath *dp = dp_open(fx, BH_ATTACH_AUTO);
	size_t n = 0;

	room.print = (struct bh_abi_left_alone){ .mac = { 2, 0, 0, 0, 0, 9 }, .peer_ifindex = 2 };
	assert_true(bh_datapath_fresh(dp));
	assert_int_equal(bh_datapath_number(dp, "acme", &a), 0);
	assert_int_equal(bh_datapath_number(dp, "billing", &b), 0);
	assert_int_equal(bh_datapath_number(dp, "acme", &again), 0);
	assert_int_equal(a, again);
	assert_int_not_equal(a, b);
	assert_true(a >= BH_TENANT_FIRST && b >= BH_TENANT_FIRST);
	assert_int_equal(dp_apply(dp, dp_policy(fx), &ifs).writes, 3);
	assert_false(bh_datapath_fresh(dp));
	generation = bh_datapath_generation(dp);
	bh_datapath_close(dp);

	dp = dp_open(fx, BH_ATTACH_AUTO);
	assert_false(bh_datapath_fresh(dp));
	assert_int_equal(bh_ids_get(bh_datapath_ids(dp), "acme"), a);
	assert_int_equal(bh_ids_get(bh_datapath_ids(dp), "billing"), b);
	assert_int_equal(bh_datapath_number(dp, "third", &again), 0);
	assert_true(again > a && again > b);
	assert_int_equal(bh_datapath_bound(dp, &bound, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(bound[0].ifindex, fx->ifindex);
	assert_int_equal(bound[0].ep.tenant, 16);
	assert_int_equal(bh_datapath_left_alone(dp, &alone, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(alone[0].ifindex, fx->ifindex);
	assert_memory_equal(&alone[0].print, &room.print, sizeof(room.print));
	/* whoever was before may have died between a write and the generation */
	assert_int_equal(dp_apply(dp, dp_policy(fx), &ifs).writes, 0);
	assert_int_equal(bh_datapath_generation(dp), generation + 1);
	bh_datapath_close(dp);
}

static void open__no_bpf_filesystem_in_own_namespace__refused(void **state)
{
	const struct bh_datapath_opts opts = { .bpffs = "/tmp/plain/bulkhead" };
	struct bh_datapath *dp = NULL;
	struct bh_err err = { 0 };

	(void)state;
	assert_int_equal(bh_datapath_open(&opts, &dp, &err), -ENODEV);
	assert_null(dp);
	assert_non_null(strstr(err.msg, "/tmp/plain/bulkhead"));
}

static void apply__same_again__writes_nothing(void **state)
{
	struct dp_fx *fx = *state;
	struct bh_datapath *dp = dp_shared(fx, BH_ATTACH_CLSACT);
	uint32_t generation;

	assert_int_equal(dp_apply(dp, many(100000, 10), &no_ifs).writes, 10);
	generation = bh_datapath_generation(dp);
	assert_int_equal(dp_apply(dp, many(100000, 10), &no_ifs).writes, 0);
	assert_int_equal(bh_datapath_generation(dp), generation);
}

static void apply__rows_changed__only_those_written(void **state)
{
	struct dp_fx *fx = *state;
	struct bh_datapath *dp = dp_shared(fx, BH_ATTACH_CLSACT);
	struct bh_policy *p = many(100000, 9);
	const struct bh_abi_endpoint other = { .tenant = 17, .role = BH_ROLE_TENANT };
	const uint32_t changed = 100009;
	bh_autofree struct bh_bound *v = NULL;
	uint32_t generation;
	size_t n = 0;

	(void)dp_apply(dp, many(100000, 10), &no_ifs);
	generation = bh_datapath_generation(dp);
	assert_int_equal(bh_table_add(&p->maps[BH_PM_ENDPOINTS], &changed, &other), 0);
	dp_sort(p);
	assert_int_equal(dp_apply(dp, p, &no_ifs).writes, 1);
	assert_int_equal(bh_datapath_generation(dp), generation + 1);
	assert_int_equal(bh_datapath_bound(dp, &v, &n), 0);
	assert_int_equal(n, 10);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(v[i].ep.tenant, v[i].ifindex == changed ? 17 : 16);
	/* two gone, one new */
	assert_int_equal(dp_apply(dp, many(100002, 8), &no_ifs).writes, 3);
	assert_int_equal(dp_apply(dp, many(100002, 9), &no_ifs).writes, 1);
}

static void apply__map_full__counted_then_healed(void **state)
{
	struct dp_fx *fx = *state;
	struct bh_datapath *dp = dp_shared(fx, BH_ATTACH_CLSACT);
	struct bh_explain_answer answer = { 0 };
	struct bh_apply_result res;
	struct bh_err err = { 0 };
	bh_autofree struct bh_bound *v = NULL;
	struct pkt_frame f;
	const char *word;
	size_t n = 0;

	assert_int_equal(
		bh_datapath_apply(dp, many(100000, ENDPOINTS_MAX + 1), &no_ifs, &res, &err),
		-E2BIG);
	assert_int_equal(res.failures, 1);
	assert_int_equal(res.writes, ENDPOINTS_MAX);
	assert_non_null(strstr(err.msg, "bh_endpoints"));
	assert_non_null(strstr(err.msg, "full"));
	assert_int_equal(bh_datapath_bound(dp, &v, &n), 0);
	assert_int_equal(n, ENDPOINTS_MAX); /* what the kernel has, not what was wanted */

	/* closed: who found no room has no endpoint */
	assert_int_equal(pkt_build("eth ip4 udp", &world_hosts[OUT], &f, &word), 0);
	assert_int_equal(bh_datapath_explain(dp, fx->ifindex, OUT, f.b, f.len, &answer), 0);
	assert_int_equal(answer.verdict, BH_VERDICT_DROP);
	assert_int_equal(answer.reason, BH_REASON_UNKNOWN_ENDPOINT);

	/* tried again, and no better */
	assert_int_equal(
		bh_datapath_apply(dp, many(100000, ENDPOINTS_MAX + 1), &no_ifs, &res, &err),
		-E2BIG);
	assert_int_equal(res.writes, 0);
	/* one goes, and there is room for the one that had none */
	res = dp_apply(dp, many(100001, ENDPOINTS_MAX), &no_ifs);
	assert_true(res.writes == 1 || res.writes == 2);
	assert_int_equal(dp_apply(dp, many(100001, ENDPOINTS_MAX), &no_ifs).writes, 0);
}

#define WORLD_MAX 65536 /* of bpf/maps.h */

/* Tenant 16 may reach 11.0.0.0/8 but not 11.1.0.0/16, and @n addresses of 10.0.0.0/8. */
static struct bh_policy *excepting(size_t n)
{
	struct bh_abi_world_key key = { .prefixlen = BH_WORLD_KEY_FIXED_BITS + 128,
					.tenant = 16,
					.addr = { [10] = 0xff, [11] = 0xff, [12] = 10 } };
	struct bh_policy *p = NULL;
	const uint64_t any = BH_PORTS_ANY, none = BH_PORTS_NONE;
	struct bh_table *t;

	assert_int_equal(bh_policy_new(&p), 0);
	t = &p->maps[BH_PM_WORLD];
	for (size_t i = 0; i < n; i++) {
		key.addr[13] = (uint8_t)(i >> 16);
		key.addr[14] = (uint8_t)(i >> 8);
		key.addr[15] = (uint8_t)i;
		assert_int_equal(bh_table_add(t, &key, &any), 0);
	}
	memset(key.addr + 12, 0, 4);
	key.addr[12] = 11;
	key.prefixlen = BH_WORLD_KEY_FIXED_BITS + 96 + 8;
	assert_int_equal(bh_table_add(t, &key, &any), 0);
	key.addr[13] = 1;
	key.prefixlen = BH_WORLD_KEY_FIXED_BITS + 96 + 16;
	assert_int_equal(bh_table_add(t, &key, &none), 0);
	dp_sort(p);
	return p;
}

static int world_map(void)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/tmp/bpf/clsact/v%d/maps/bh_world", BH_ABI_VERSION);
	return bpf_obj_get(path);
}

/* Does the grant reach 11.1.0.5, as the kernel programs would find it? */
static bool excepted_is_open(int world_fd)
{
	const struct bh_abi_world_key key = {
		.prefixlen = BH_WORLD_KEY_FIXED_BITS + 128,
		.tenant = 16,
		.addr = { [10] = 0xff, [11] = 0xff, [12] = 11, [13] = 1, [15] = 5 }
	};
	uint64_t id = BH_PORTS_NONE;

	return !bpf_map_lookup_elem(world_fd, &key, &id) && id == BH_PORTS_ANY;
}

/* Looks until the pipe is closed; then says whether it was ever open. */
static pid_t watch(int world_fd, const int pipe_fd[2])
{
	struct pollfd pfd = { .fd = pipe_fd[0] };
	const pid_t pid = fork();
	bool seen = false;

	if (pid)
		return pid;
	(void)close(pipe_fd[1]);
	do {
		for (int i = 0; i < 1000; i++)
			seen = seen || excepted_is_open(world_fd);
	} while (!poll(&pfd, 1, 0));
	_exit(seen);
}

static void apply__grant_comes_and_goes__what_it_excepts_is_never_open(void **state)
{
	struct bh_datapath *dp = dp_shared(*state, BH_ATTACH_CLSACT);
	const int fd = world_map();
	int pipe_fd[2], status = -1;
	pid_t pid;

	assert_true(fd >= 0);
	assert_int_equal(pipe(pipe_fd), 0);
	pid = watch(fd, pipe_fd);
	(void)close(pipe_fd[0]);
	for (int i = 0; i < 3000; i++) {
		(void)dp_apply(dp, excepting(0), &no_ifs);
		(void)dp_apply(dp, dp_empty(), &no_ifs);
	}
	(void)close(pipe_fd[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	(void)close(fd);
	assert_int_equal(status, 0);
}

static void apply__trie_full__what_is_excepted_comes_first(void **state)
{
	struct bh_datapath *dp = dp_shared(*state, BH_ATTACH_CLSACT);
	struct bh_apply_result res;
	const int fd = world_map();
	struct bh_err err = { 0 };

	assert_true(fd >= 0);
	/* no room for the last one: which one is that? */
	assert_true(bh_datapath_apply(dp, excepting(WORLD_MAX - 1), &no_ifs, &res, &err) < 0);
	assert_int_equal(res.writes, WORLD_MAX);
	assert_int_equal(res.failures, 1);
	assert_non_null(strstr(err.msg, "bh_world"));
	assert_false(excepted_is_open(fd));
	/* room comes from what goes with the same apply */
	assert_int_equal(dp_apply(dp, excepting(1), &no_ifs).failures, 0);
	assert_int_equal(dp_apply(dp, excepting(1), &no_ifs).writes, 0);
	assert_false(excepted_is_open(fd));
	(void)close(fd);
}

static void explain__of_an_endpoint__is_the_kernels_word(void **state)
{
	struct dp_fx *fx = *state;
	struct bh_datapath *dp = dp_shared(fx, BH_ATTACH_CLSACT);
	struct bh_if room;
	const struct bh_ifs ifs = dp_ifs(fx, BH_IF_ENFORCED, &room);
	struct bh_explain_answer a = { 0 };
	bh_autofree struct bh_counter *v = NULL;
	struct pkt_frame f;
	const char *word;
	size_t before = 0, after = 0;

	(void)dp_apply(dp, dp_policy(fx), &ifs);
	assert_int_equal(bh_datapath_counters(dp, &v, &before), 0);
	assert_int_equal(pkt_build("eth ip4 udp", &world_hosts[OUT], &f, &word), 0);
	assert_int_equal(bh_datapath_explain(dp, fx->ifindex, OUT, f.b, f.len, &a), 0);
	assert_int_equal(a.verdict, BH_VERDICT_PASS);
	assert_int_equal(a.peer_cls, BH_CLASS_WORLD_PUBLIC);
	f.b[6] ^= 0x40; /* another MAC */
	assert_int_equal(bh_datapath_explain(dp, fx->ifindex, OUT, f.b, f.len, &a), 0);
	assert_int_equal(a.verdict, BH_VERDICT_DROP);
	assert_int_equal(a.reason, BH_REASON_SRC_MAC);
	free(BH_TAKE_PTR(v));
	assert_int_equal(bh_datapath_counters(dp, &v, &after), 0);
	assert_int_equal(after, before);
	/* no such interface */
	assert_true(bh_datapath_explain(dp, 999999, OUT, f.b, f.len, &a) < 0);
}

static void note_event(void *ud, const struct bh_abi_event *e)
{
	struct bh_abi_event *last = ud;

	*last = *e;
}

static bool is_readable(void *arg)
{
	struct pollfd p = { .fd = *(int *)arg, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void events__dropped_frame__delivered_once(void **state)
{
	struct dp_fx *fx = *state;
	struct bh_datapath *dp = dp_shared(fx, BH_ATTACH_CLSACT);
	struct bh_if room;
	const struct bh_ifs ifs = dp_ifs(fx, BH_IF_ENFORCED, &room);
	uint64_t losses[BH_LOSS_MAX_], losses_after[BH_LOSS_MAX_];
	struct bh_abi_event e = { 0 };
	int fd = bh_datapath_events_fd(dp);

	assert_true(fd >= 0);
	(void)dp_apply(dp, dp_policy(fx), &ifs);
	dp_count_behind(fx);
	while (bh_datapath_events(dp, note_event, &e) > 0)
		;
	assert_false(is_readable(&fd));
	assert_int_equal(bh_datapath_losses(dp, losses), 0);
	dp_expect_filtered(fx, dp);
	dp_wait(is_readable, &fd, "the ring is readable");
	assert_int_equal(bh_datapath_events(dp, note_event, &e), 2); /* one for each direction */
	assert_int_equal(e.ifindex, fx->ifindex);
	assert_int_equal(e.reason, BH_REASON_DST_ADDR);
	assert_int_equal(bh_datapath_events(dp, note_event, &e), 0);
	assert_int_equal(bh_datapath_losses(dp, losses_after), 0);
	assert_memory_equal(losses, losses_after, sizeof(losses));
}

static void maps__sizes__told_by_name(void **state)
{
	struct dp_fx *fx = *state;
	struct bh_datapath *dp = dp_shared(fx, BH_ATTACH_CLSACT);
	struct bh_map_info v[32];
	unsigned int seen = 0;
	size_t n;

	(void)dp_apply(dp, many(100000, 7), &no_ifs);
	n = bh_datapath_maps(dp, v, 32);
	assert_int_equal(n, 13); /* those that can fill up */
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(strncmp(v[i].name, "bh_", 3), 0);
		assert_true(v[i].entries <= v[i].max_entries);
		if (strcmp(v[i].name, "bh_endpoints") != 0)
			continue;
		seen++;
		assert_int_equal(v[i].entries, 7);
		assert_int_equal(v[i].max_entries, ENDPOINTS_MAX);
		assert_true(v[i].bytes > 0);
	}
	assert_int_equal(seen, 1);
	assert_int_equal(bh_datapath_maps(dp, v, 3), 3);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, dp_setup, dp_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(open__second_start__numbers_and_rows_are_there),
		T(open__no_bpf_filesystem_in_own_namespace__refused),
		T(apply__same_again__writes_nothing),
		T(apply__rows_changed__only_those_written),
		T(apply__map_full__counted_then_healed),
		T(apply__grant_comes_and_goes__what_it_excepts_is_never_open),
		T(apply__trie_full__what_is_excepted_comes_first),
		T(explain__of_an_endpoint__is_the_kernels_word),
		T(events__dropped_frame__delivered_once),
		T(maps__sizes__told_by_name),
	};

	return cmocka_run_group_tests(tests, dp_group_setup, dp_group_teardown);
}
