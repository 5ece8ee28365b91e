/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Somebody else's programs on the hooks of ours: in front, behind, with every verdict; and past
 * them.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bpf/unseen.h"
#include "common/cleanup.h"
#include "tests/bpf/dp_behind.h"
#include "tests/bpf/dp_fixture.h"
#include "tests/bpf/dp_foreign.h"
#include "tests/bpf/nl.h"
#include "tests/bpf/pkt.h"
#include "tests/bpf/world.h"

static void enforce(struct dp_fx *fx, struct bh_datapath *dp)
{
	struct bh_if room;
	const struct bh_ifs ifs = dp_ifs(fx, BH_IF_ENFORCED, &room);

	(void)dp_apply(dp, dp_policy(fx), &ifs);
}

static size_t fronts(const struct bh_datapath *dp)
{
	size_t n = 99;

	(void)bh_datapath_fronts(dp, &n);
	return n;
}

/* Overtaken; in front again; overtaken once more, which is told and, so soon, not fought. */
static void overtaken(struct dp_fx *fx, enum bh_attach ours)
{
	struct bh_datapath *dp = dp_shared(fx, ours);
	const uint64_t before = bh_datapath_put_in_front(dp);
	struct dp_foreign f = {
		.map_fd = fx->count_fd, .verdict = DP_SHOT, .front = true, .how = ours
	};
	struct dp_foreign again;
	const struct bh_front *v;
	size_t n;

	enforce(fx, dp);
	assert_int_equal(bh_datapath_verify(dp), 0);
	assert_int_equal(fronts(dp), 0);
	again = f;
	assert_int_equal(dp_foreign_on(&f, fx->ifindex), 0);
	assert_int_equal(bh_datapath_verify(dp), 1);
	v = bh_datapath_fronts(dp, &n);
	assert_int_equal(n, 2);
	for (uint8_t dir = 0; dir < 2; dir++) {
		assert_int_equal(v[dir].ifindex, fx->ifindex);
		assert_int_equal(v[dir].dir, dir);
		assert_int_equal(v[dir].how, ours);
		assert_true(v[dir].prog_id > 0);
		assert_non_null(strstr(v[dir].name, ours == BH_ATTACH_TCX ? "foreign" : ""));
	}
	enforce(fx, dp);
	assert_int_equal(bh_datapath_put_in_front(dp), before + 1);
	assert_int_equal(fronts(dp), 0);
	assert_int_equal(bh_datapath_verify(dp), 0);
	dp_expect_filtered(fx, dp);
	if (ours == BH_ATTACH_CLSACT)
		return; /* its filter would need another handle */
	again.verdict = DP_UNSPEC;
	assert_int_equal(dp_foreign_on(&again, fx->ifindex), 0);
	assert_int_equal(bh_datapath_verify(dp), 0);
	assert_int_equal(fronts(dp), 2);
	enforce(fx, dp);
	assert_int_equal(bh_datapath_put_in_front(dp), before + 1);
	assert_int_equal(fronts(dp), 2);
	/* it goes: nothing to tell any more */
	dp_foreign_off(&again);
	assert_int_equal(bh_datapath_verify(dp), 0);
	assert_int_equal(fronts(dp), 0);
	dp_foreign_off(&f);
}

static void position__overtaken_tcx__first_again(void **state)
{
	overtaken(*state, BH_ATTACH_TCX);
}

static void position__overtaken_clsact__first_again(void **state)
{
	overtaken(*state, BH_ATTACH_CLSACT);
}

/* What comes after a TCX program: a classic filter is never in front of one. */
static void position__classic_behind_tcx__told(void **state)
{
	struct dp_fx *fx = *state;
	struct bh_datapath *dp = dp_shared(fx, BH_ATTACH_CLSACT);
	struct dp_foreign f = { .map_fd = fx->count_fd, .verdict = DP_OK, .how = BH_ATTACH_TCX };
	const struct bh_front *v;
	size_t n;

	dp_need(fx, BH_ATTACH_TCX);
	enforce(fx, dp);
	assert_int_equal(dp_foreign_on(&f, fx->ifindex), 0);
	assert_int_equal(bh_datapath_verify(dp), 0); /* being hung up anew would not help */
	v = bh_datapath_fronts(dp, &n);
	assert_int_equal(n, 2);
	assert_int_equal(v[0].how, BH_ATTACH_TCX);
	assert_string_equal(v[0].name, "foreign");
	dp_foreign_off(&f);
	assert_int_equal(bh_datapath_verify(dp), 0);
	assert_int_equal(fronts(dp), 0);
}

/* The first priority is taken by another kind of filter: ours comes next, and it is told. */
static void position__priority_taken__next_one_and_told(void **state)
{
	struct dp_fx *fx = *state;
	struct bh_datapath *dp = dp_shared(fx, BH_ATTACH_CLSACT);
	const struct bh_front *v;
	char cmd[160];
	size_t n;

	(void)snprintf(
		cmd, sizeof(cmd),
		"tc qdisc add dev host0 clsact && tc filter add dev host0 ingress pref 1 "
		"protocol all u32 match u32 0xffffffff 0xffffffff at 0 flowid 1:1 2>/dev/null");
	if (system(cmd) != 0) {
		print_message("skip: no tc here, or no u32 in this kernel\n");
		skip();
	}
	dp_count_behind(fx); /* at the second priority: ours is younger, so it comes first there */
	enforce(fx, dp);
	assert_int_equal(bh_datapath_verify(dp), 0);
	v = bh_datapath_fronts(dp, &n);
	assert_int_equal(n, 1);
	assert_int_equal(v[0].prog_id, 0);
	assert_string_equal(v[0].name, "u32");
	assert_int_equal(v[0].dir, BH_DIR_EGRESS);
	dp_expect_filtered(fx, dp);
	/* off again means off, wherever it was */
	assert_int_equal(system("tc filter del dev host0 ingress pref 1 protocol all u32"), 0);
	assert_int_equal(bh_datapath_verify(dp), 0);
	assert_int_equal(fronts(dp), 0);
}

static int listen_on(const char *ifname, int netns, int back)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int fd;

	assert_int_equal(setns(netns, CLONE_NEWNET), 0);
	ll.sll_ifindex = (int)if_nametoindex(ifname);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&ll, sizeof(ll)), 0);
	assert_int_equal(setns(back, CLONE_NEWNET), 0);
	return fd;
}

static size_t heard(int fd)
{
	uint8_t frame[2048];
	size_t n = 0;

	while (recv(fd, frame, sizeof(frame), 0) > 0)
		n++;
	return n;
}

struct ears {
	int fd;
	size_t heard, wanted;
};

static bool heard_all(void *arg)
{
	struct ears *e = arg;

	e->heard += heard(e->fd);
	return e->heard >= e->wanted;
}

/* What goes over a veth arrives a moment later. */
static void expect_heard(int fd, size_t n, const char *where)
{
	struct ears e = { .fd = fd, .wanted = n };

	dp_wait(heard_all, &e, where);
	assert_int_equal(e.heard, n);
}

static void send_to_pod(struct dp_fx *fx, const char *text)
{
	struct pkt_frame f;
	const char *word;

	assert_int_equal(pkt_build(text, &world_hosts[IN], &f, &word), 0);
	if (write(fx->to_fd, f.b, f.len) < 0)
		assert_int_equal(errno, ENOBUFS); /* dropped on the way out */
}

struct wire {
	int in, out;
};

static bool carries(void *arg)
{
	const struct wire *w = arg;
	const uint8_t frame[64] = { 2, [12] = 0x08 };

	(void)!write(w->in, frame, sizeof(frame));
	return heard(w->out) > 0;
}

/* A new veth drops what it gets until the kernel has come to give it a queue. */
static void warm_up(const char *ifname, int far, const struct dp_fx *fx)
{
	struct wire w = { .in = listen_on(ifname, fx->host_netns, fx->host_netns), .out = far };

	dp_wait(carries, &w, "a new veth carries frames");
	(void)close(w.in);
}

/* Ours and a foreign program, whose verdict is to hold for what ours lets pass, and no more. */
static void both_hold(struct dp_fx *fx, enum bh_attach ours, struct dp_foreign *f)
{
	static const char *const names[] = { "unspec", "ok", "shot", "redirect" };
	struct bh_datapath *dp = dp_shared(fx, ours);
	const bool hopeless = ours == BH_ATTACH_CLSACT && f->how == BH_ATTACH_TCX;
	bh_autoclose int pod = -1, aside = -1;
	uint64_t seen;

	assert_int_equal(nl_add_veth("aside0", "aside1", fx->pod_netns), 0);
	f->to = if_nametoindex("aside0");
	pod = listen_on("pod0", fx->pod_netns, fx->host_netns);
	aside = listen_on("aside1", fx->pod_netns, fx->host_netns);
	warm_up("host0", pod, fx);
	warm_up("aside0", aside, fx);
	enforce(fx, dp);
	assert_int_equal(dp_foreign_on(f, fx->ifindex), 0);
	if (bh_datapath_verify(dp) > 0)
		enforce(fx, dp);
	print_message("ours %s, %s %s by %s: %zu in front\n", bh_attach_name(ours),
		      names[f->verdict], f->front ? "before" : "behind", bh_attach_name(f->how),
		      fronts(dp));
	assert_int_equal(fronts(dp), hopeless ? 2 : 0);
	seen = dp_behind_count(f->map_fd, BH_DIR_INGRESS);
	(void)heard(pod);
	(void)heard(aside);
	for (int i = 0; i < 3; i++) {
		send_to_pod(fx, "eth ip4 udp data len=20");
		send_to_pod(fx, "eth dst=mate ip4 dst=mate udp data len=20");
	}
	if (!hopeless) {
		assert_int_equal(dp_behind_count(f->map_fd, BH_DIR_INGRESS), seen + 3);
		expect_heard(pod, f->verdict == DP_OK || f->verdict == DP_UNSPEC ? 3 : 0,
			     "frames at the pod");
		expect_heard(aside, f->verdict == DP_REDIRECT ? 3 : 0, "frames aside");
	}
	dp_foreign_off(f);
	assert_int_equal(nl_delete("aside0"), 0);
}

static void verdicts(void **state, enum bh_attach ours, enum bh_attach theirs, bool front)
{
	struct dp_fx *fx = *state;

	dp_need(fx, ours);
	dp_need(fx, theirs);
	for (int v = 0; v < DP_VERDICTS; v++) {
		struct dp_foreign f = { .map_fd = fx->count_fd,
					.verdict = (enum dp_verdict)v,
					.front = front,
					.how = theirs };

		both_hold(fx, ours, &f);
		/* a fresh interface: nobody has been put in front there yet */
		assert_int_equal(dp_teardown(state), 0);
		assert_int_equal(dp_setup(state), 0);
	}
}

static void verdicts__tcx_before_tcx__both_hold(void **state)
{
	verdicts(state, BH_ATTACH_TCX, BH_ATTACH_TCX, true);
}

static void verdicts__tcx_behind_tcx__both_hold(void **state)
{
	verdicts(state, BH_ATTACH_TCX, BH_ATTACH_TCX, false);
}

static void verdicts__clsact_with_tcx__both_hold(void **state)
{
	verdicts(state, BH_ATTACH_TCX, BH_ATTACH_CLSACT, true);
}

static void verdicts__clsact_before_clsact__both_hold(void **state)
{
	verdicts(state, BH_ATTACH_CLSACT, BH_ATTACH_CLSACT, true);
}

static void verdicts__clsact_behind_clsact__both_hold(void **state)
{
	verdicts(state, BH_ATTACH_CLSACT, BH_ATTACH_CLSACT, false);
}

static void verdicts__tcx_with_clsact__told(void **state)
{
	verdicts(state, BH_ATTACH_CLSACT, BH_ATTACH_TCX, true);
}

static int look(struct bh_unseen *u, struct bh_links *l)
{
	const struct bh_link *v;
	size_t n;

	assert_true(bh_links_refresh_peers(l, NULL) >= 0);
	v = bh_links_list(l, &n);
	return bh_unseen_look(u, v, n);
}

static uint64_t received(struct bh_links *l, uint32_t ifindex)
{
	assert_true(bh_links_refresh_peers(l, NULL) >= 0);
	return bh_links_get(l, ifindex)->peer_rx_packets;
}

/* What a CNI delivers by bpf_redirect_peer() is not seen by to_pod: noticed, until it stops. */
static void unseen__redirect_peer__noticed_until_it_stops(void **state)
{
	struct dp_fx *fx = *state;
	bh_auto(bh_unseen_freep) struct bh_unseen *u = NULL;
	bh_auto(bh_links_freep) struct bh_links *l = NULL;
	bh_autoclose int side = -1, pod = -1;
	const char frame[64] = { 0 };
	uint64_t before;

	assert_int_equal(nl_add_veth("side0", "side1", fx->pod_netns), 0);
	assert_int_equal(dp_foreign_redirect_peer(if_nametoindex("side0"), fx->ifindex), 0);
	side = listen_on("side1", fx->pod_netns, fx->host_netns);
	pod = listen_on("pod0", fx->pod_netns, fx->host_netns);
	warm_up("host0", pod, fx);
	warm_up("side0", side, fx);
	(void)heard(pod);
	assert_int_equal(bh_unseen_new(&u), 0);
	assert_int_equal(bh_links_new(&l, NULL), 0);
	for (int i = 0; i < 5; i++)
		send_to_pod(fx, "eth ip4 udp data len=20");
	expect_heard(pod, 5, "frames at the pod");
	assert_int_equal(look(u, l), 0);
	assert_int_equal(bh_unseen_packets(u, fx->ifindex), 0);
	before = received(l, fx->ifindex);
	for (int i = 0; i < 5; i++)
		assert_int_equal(write(side, frame, sizeof(frame)), sizeof(frame));
	expect_heard(pod, 5, "frames at the pod");
	if (received(l, fx->ifindex) == before) {
		(void)nl_delete("side0");
		print_message("skip: this kernel does not count what bpf_redirect_peer() gives\n");
		skip();
	}
	assert_int_equal(look(u, l), 1);
	assert_int_equal(bh_unseen_packets(u, fx->ifindex), 5);
	assert_int_equal(bh_unseen_packets(u, if_nametoindex("side0")), 0);
	for (int i = 0; i < BH_UNSEEN_QUIET_LOOKS - 1; i++)
		assert_int_equal(look(u, l), 0);
	assert_int_equal(look(u, l), 1);
	assert_int_equal(bh_unseen_packets(u, fx->ifindex), 0);
	assert_int_equal(nl_delete("side0"), 0);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, dp_setup, dp_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(position__overtaken_tcx__first_again),
		T(position__overtaken_clsact__first_again),
		T(position__classic_behind_tcx__told),
		T(position__priority_taken__next_one_and_told),
		T(verdicts__tcx_before_tcx__both_hold),
		T(verdicts__tcx_behind_tcx__both_hold),
		T(verdicts__clsact_with_tcx__both_hold),
		T(verdicts__clsact_before_clsact__both_hold),
		T(verdicts__clsact_behind_clsact__both_hold),
		T(verdicts__tcx_with_clsact__told),
		T(unseen__redirect_peer__noticed_until_it_stops),
	};

	return cmocka_run_group_tests(tests, dp_group_setup, dp_group_teardown);
}
