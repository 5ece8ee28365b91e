/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bpf/dp_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "tests/bpf/dp_behind.h"
#include "tests/bpf/nl.h"
#include "tests/bpf/world.h"

#define EXIT_SKIP 77
#define VETH "host0"
#define POD_VETH "pod0"
#define TENANT 16

static const char good[] = "eth ip4 udp data len=20";
/* what must not pass: from the pod, to the pod */
static const char *const bad[2] = { "eth src=evil ip4 udp data len=20",
				    "eth dst=mate ip4 dst=mate udp data len=20" };

void dp_wait(bool (*holds)(void *), void *arg, const char *what)
{
	const uint64_t end = bh_clock_ns() + DP_DEADLINE_MS * BH_NS_PER_MS;
	const struct timespec nap = { .tv_nsec = 500000 };

	while (!holds(arg)) {
		if (bh_clock_ns() > end)
			fail_msg("not within %d ms: %s", DP_DEADLINE_MS, what);
		(void)nanosleep(&nap, NULL);
	}
}

/* The kernel would speak IPv6 by itself on new interfaces; the counts here are exact. */
static void no_ipv6(void)
{
	bh_autoclose int fd =
		open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "1", 1) != 1)
		abort();
}

static void in_netns(int fd)
{
	assert_int_equal(setns(fd, CLONE_NEWNET), 0);
}

/* 0 or -1; a tmpfs of our own holds the BPF filesystem: nothing is left on the machine's. */
static int make_place(struct dp_fx *fx)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tests", "/tmp", "tmpfs", 0, NULL) < 0 || mkdir("/tmp/bpf", 0700) < 0 ||
	    mount("tests", "/tmp/bpf", "bpf", 0, NULL) < 0)
		return -1;
	no_ipv6();
	fx->host_netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	fx->pod_netns = nl_new_netns();
	if (fx->host_netns < 0 || fx->pod_netns < 0)
		return -1;
	if (setns(fx->pod_netns, CLONE_NEWNET) < 0)
		return -1;
	no_ipv6();
	return setns(fx->host_netns, CLONE_NEWNET);
}

static int try_open(const char *bpffs, enum bh_attach how, struct bh_datapath **ret_dp)
{
	const struct bh_datapath_opts opts = { .bpffs = bpffs, .attach = how };
	struct bh_err err = { 0 };
	const int r = bh_datapath_open(&opts, ret_dp, &err);

	if (r < 0)
		print_message("bh_datapath_open: %d %s\n", r, err.msg);
	return r;
}

struct bh_datapath *dp_open(const struct dp_fx *fx, enum bh_attach how)
{
	struct bh_datapath *dp = NULL;

	assert_int_equal(try_open(fx->bpffs, how, &dp), 0);
	return dp;
}

void dp_need(const struct dp_fx *fx, enum bh_attach how)
{
	if (how == BH_ATTACH_TCX && !fx->has_tcx) {
		print_message("skip: this kernel has no TCX (Linux 6.6)\n");
		skip();
	}
}

const char *dp_shared_dir(enum bh_attach how)
{
	return how == BH_ATTACH_TCX ? "/tmp/bpf/tcx" : "/tmp/bpf/clsact";
}

struct bh_datapath *dp_shared(struct dp_fx *fx, enum bh_attach how)
{
	dp_need(fx, how);
	if (!fx->shared[how])
		assert_int_equal(try_open(dp_shared_dir(how), how, &fx->shared[how]), 0);
	return fx->shared[how];
}

int dp_group_setup(void **state)
{
	struct dp_fx *fx;

	if (geteuid() != 0) {
		(void)fprintf(stderr, "namespaces and BPF programs need root\n");
		exit(EXIT_SKIP);
	}
	fx = calloc(1, sizeof(*fx));
	if (!fx)
		return -1;
	*fx = (struct dp_fx){ .bpffs = "/tmp/bpf/bulkhead", .from_fd = -1, .to_fd = -1 };
	*state = fx;
	if (make_place(fx) < 0) {
		(void)fprintf(stderr, "no namespaces: %s\n", strerror(errno));
		return -1;
	}
	fx->count_fd = dp_behind_map();
	fx->has_tcx = try_open(dp_shared_dir(BH_ATTACH_TCX), BH_ATTACH_TCX,
			       &fx->shared[BH_ATTACH_TCX]) == 0;
	return fx->count_fd < 0 ? -1 : 0;
}

int dp_group_teardown(void **state)
{
	struct dp_fx *fx = *state;
	int r = 0;

	for (int how = 0; how < 3; how++) {
		bh_datapath_close(fx->shared[how]);
		if (bh_datapath_detach_all(dp_shared_dir((enum bh_attach)how), NULL) < 0)
			r = -1;
	}
	close(fx->host_netns);
	close(fx->pod_netns);
	close(fx->count_fd);
	free(fx);
	return r;
}

static int packet_socket(uint32_t ifindex)
{
	const struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_ifindex = (int)ifindex };
	const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&ll, sizeof(ll)), 0);
	return fd;
}

int dp_setup(void **state)
{
	struct dp_fx *fx = *state;
	struct bh_err err;

	assert_int_equal(bh_datapath_detach_all(fx->bpffs, &err), 0);
	assert_int_equal(nl_add_veth(VETH, POD_VETH, fx->pod_netns), 0);
	fx->ifindex = if_nametoindex(VETH);
	assert_true(fx->ifindex > 0);
	fx->to_fd = packet_socket(fx->ifindex);
	in_netns(fx->pod_netns);
	fx->from_fd = packet_socket(if_nametoindex(POD_VETH));
	in_netns(fx->host_netns);
	return 0;
}

int dp_teardown(void **state)
{
	struct dp_fx *fx = *state;
	const struct bh_ifs none = { 0 };

	bh_closep(&fx->from_fd);
	bh_closep(&fx->to_fd);
	(void)nl_delete(VETH);
	for (int how = 0; how < 3; how++) {
		if (fx->shared[how])
			(void)dp_apply(fx->shared[how], dp_empty(), &none);
	}
	return bh_datapath_detach_all(fx->bpffs, NULL);
}

void dp_add_endpoint(struct bh_policy *p, uint32_t ifindex)
{
	const struct bh_abi_endpoint ep = { .tenant = TENANT,
					    .role = BH_ROLE_TENANT,
					    .flags = BH_EP_HAS_V4,
					    .mac = { 2, 0, 0, 0, 0, 0x10 },
					    .ip4 = { 10, 1, 0, 10 } };

	assert_int_equal(bh_table_add(&p->maps[BH_PM_ENDPOINTS], &ifindex, &ep), 0);
}

void dp_sort(struct bh_policy *p)
{
	for (int i = 0; i < BH_PM_MAX_; i++)
		assert_int_equal(bh_table_sort(&p->maps[i]), 0);
}

struct bh_policy *dp_empty(void)
{
	struct bh_policy *p = NULL;

	assert_int_equal(bh_policy_new(&p), 0);
	dp_sort(p);
	return p;
}

struct bh_policy *dp_policy(const struct dp_fx *fx)
{
	const struct bh_abi_tenant t = { 0 };
	const uint32_t tenant = TENANT;
	const struct bh_abi_cidr_key all = { .prefixlen = 0 };
	const struct bh_abi_cidr world = { .cls = BH_CLASS_WORLD_PUBLIC };
	struct bh_policy *p = NULL;

	assert_int_equal(bh_policy_new(&p), 0);
	assert_int_equal(bh_table_add(&p->maps[BH_PM_CIDRS], &all, &world), 0);
	assert_int_equal(bh_table_add(&p->maps[BH_PM_TENANTS], &tenant, &t), 0);
	dp_add_endpoint(p, fx->ifindex);
	dp_sort(p);
	return p;
}

struct bh_ifs dp_ifs(const struct dp_fx *fx, enum bh_if_state state, struct bh_if *room)
{
	*room = (struct bh_if){ .ifindex = fx->ifindex, .name = VETH, .state = state };
	return (struct bh_ifs){ .v = room, .n = 1 };
}

struct bh_apply_result dp_apply(struct bh_datapath *dp, struct bh_policy *want,
				const struct bh_ifs *ifs)
{
	struct bh_apply_result res = { 0 };
	struct bh_err err = { 0 };
	const int r = bh_datapath_apply(dp, want, ifs, &res, &err);

	if (r < 0)
		print_message("bh_datapath_apply: %d %s\n", r, err.msg);
	assert_int_equal(r, 0);
	assert_int_equal(res.failures, 0);
	return res;
}

void dp_count_behind(struct dp_fx *fx)
{
	assert_int_equal(dp_behind_attach(fx->count_fd, fx->ifindex), 0);
}

static void send_frame(struct dp_fx *fx, uint8_t dir, const char *text)
{
	struct pkt_frame f;
	const char *word;

	assert_int_equal(pkt_build(text, &world_hosts[dir], &f, &word), 0);
	/* who sends to the pod is told of the drop, by ours or by the counting program */
	if (write(dir == OUT ? fx->from_fd : fx->to_fd, f.b, f.len) < 0)
		assert_true(dir == IN && errno == ENOBUFS);
}

/* Frames that were judged, by any verdict. */
static uint64_t judged(const struct bh_datapath *dp)
{
	bh_autofree struct bh_counter *v = NULL;
	uint64_t sum = 0;
	size_t n = 0;

	assert_int_equal(bh_datapath_counters(dp, &v, &n), 0);
	for (size_t i = 0; i < n; i++)
		sum += v[i].value.packets;
	return sum;
}

struct goal {
	const struct dp_fx *fx;
	const struct bh_datapath *dp;
	uint8_t dir;
	uint64_t count;
};

static bool came_through(void *arg)
{
	const struct goal *g = arg;

	return dp_behind_count(g->fx->count_fd, g->dir) >= g->count;
}

static bool was_judged(void *arg)
{
	const struct goal *g = arg;

	return judged(g->dp) >= g->count;
}

/* Good, bad, good: in this order, so when the last has come all have been dealt with. */
static void expect(struct dp_fx *fx, uint8_t dir, unsigned int through)
{
	struct goal g = { .fx = fx, .dir = dir };
	const uint64_t before = dp_behind_count(fx->count_fd, dir);

	g.count = before + through;
	send_frame(fx, dir, good);
	send_frame(fx, dir, bad[dir]);
	send_frame(fx, dir, good);
	dp_wait(came_through, &g, "the frames that may pass come through");
	assert_int_equal(dp_behind_count(fx->count_fd, dir), g.count);
}

void dp_expect_filtered(struct dp_fx *fx, struct bh_datapath *dp)
{
	for (uint8_t dir = OUT; dir <= IN; dir++) {
		struct goal g = { .dp = dp, .count = judged(dp) + 3 };

		expect(fx, dir, 2);
		dp_wait(was_judged, &g, "each frame is counted");
		assert_int_equal(judged(dp), g.count);
	}
}

void dp_expect_open(struct dp_fx *fx)
{
	expect(fx, OUT, 3);
	expect(fx, IN, 3);
}

void dp_expect_closed(struct dp_fx *fx, struct bh_datapath *dp)
{
	for (uint8_t dir = OUT; dir <= IN; dir++) {
		struct goal g = { .dp = dp, .count = judged(dp) + 2 };
		const uint64_t before = dp_behind_count(fx->count_fd, dir);

		send_frame(fx, dir, good);
		send_frame(fx, dir, good);
		dp_wait(was_judged, &g, "each frame is counted");
		assert_int_equal(dp_behind_count(fx->count_fd, dir), before);
	}
}
