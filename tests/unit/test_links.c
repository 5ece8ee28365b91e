/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/links_fixture.h"

#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_host_addr(const struct bh_links *l, const char *s)
{
	size_t n;
	const struct bh_addr *v = bh_links_host_addrs(l, &n);

	return lt_has_addr(v, n, s);
}

static uint32_t route(const struct bh_links *l, const char *s)
{
	const struct bh_addr a = lt_addr(s);

	return bh_links_route(l, &a);
}

static bool link_is_there(const struct bh_links *l, const void *name)
{
	return lt_by_name(l, name);
}

static bool link_is_gone(const struct bh_links *l, const void *name)
{
	return !lt_by_name(l, name);
}

static bool peer_is_known(const struct bh_links *l, const void *name)
{
	const struct bh_link *link = lt_by_name(l, name);

	return link && link->peer_known;
}

static void links_new__fresh_namespace__loopback_alone(void **state)
{
	bh_auto(bh_links_freep) struct bh_links *l = NULL;
	const struct bh_link *lo;
	size_t n = 9;

	(void)state;
	lt_need_root();
	lt_run(-1, -1, "ip link set lo up");
	l = lt_open();
	lo = bh_links_list(l, &n);
	assert_int_equal(n, 1);
	assert_string_equal(lo->name, "lo");
	assert_true(lo->up);
	assert_false(lo->veth);
	assert_int_equal(lo->nsid, -1);
	(void)bh_links_host_addrs(l, &n);
	assert_int_equal(n, 0);
	assert_null(bh_links_get(l, 12345));
	assert_false(lt_drain(l));
}

static void links_new__veth_was_there_before__peer_known(void **state)
{
	bh_auto(bh_links_freep) struct bh_links *l = NULL;
	const struct bh_link *v;
	bh_autoclose int pod = -1;
	char mac[BH_MAC_STRLEN];

	(void)state;
	lt_need_root();
	pod = lt_new_netns();
	lt_run(-1, pod,
	       "ip link add v1 type veth peer name eth0 netns $NS address 02:00:00:00:00:11; ip link set v1 up");
	lt_run(pod, -1,
	       "ip link set eth0 addrgenmode none up; ip addr add 10.244.7.2/24 dev eth0;"
	       "ip addr add fe80::ff:fe00:11/64 dev eth0 nodad;"
	       "ip addr add fd00:10:244:7::2/64 dev eth0 nodad");
	l = lt_open();
	v = lt_by_name(l, "v1");
	assert_non_null(v);
	assert_true(v->veth && v->up && v->peer_known);
	assert_true(v->nsid >= 0);
	assert_true(v->peer_ifindex > 0);
	assert_string_equal(bh_mac_str(&v->peer_mac, mac), "02:00:00:00:00:11");
	assert_int_equal(v->n_peer_addrs, 3);
	assert_true(lt_has_addr(v->peer_addrs, v->n_peer_addrs, "10.244.7.2"));
	assert_true(lt_has_addr(v->peer_addrs, v->n_peer_addrs, "fd00:10:244:7::2"));
	assert_true(lt_has_addr(v->peer_addrs, v->n_peer_addrs, "fe80::ff:fe00:11"));
}

static void links_dispatch__veth_appears_and_goes__told(void **state)
{
	bh_auto(bh_links_freep) struct bh_links *l = NULL;
	bh_autoclose int pod = -1;
	uint32_t ifindex;

	(void)state;
	lt_need_root();
	pod = lt_new_netns();
	l = lt_open();
	lt_run(-1, pod, "ip link add v1 type veth peer name eth0 netns $NS; ip link set v1 up");
	lt_run(pod, -1, "ip link set eth0 up");
	lt_wait_until(l, peer_is_known, "v1");
	(void)lt_drain(l);
	ifindex = lt_by_name(l, "v1")->ifindex;
	assert_int_equal(if_nametoindex("v1"), ifindex);
	lt_run(pod, -1, "ip link del eth0");
	lt_wait_until(l, link_is_gone, "v1");
	assert_null(bh_links_get(l, ifindex));
}

static void links_dispatch__namespace_dies__link_gone(void **state)
{
	bh_auto(bh_links_freep) struct bh_links *l = NULL;
	int pod = -1;

	(void)state;
	lt_need_root();
	pod = lt_new_netns();
	lt_run(-1, pod, "ip link add v1 type veth peer name eth0 netns $NS");
	l = lt_open();
	assert_true(peer_is_known(l, "v1"));
	assert_int_equal(close(pod), 0);
	lt_wait_until(l, link_is_gone, "v1");
}

static void links_dispatch__end_moved_later_while_down__peer_known(void **state)
{
	bh_auto(bh_links_freep) struct bh_links *l = NULL;
	bh_autoclose int pod = -1;
	const struct bh_link *v;

	(void)state;
	lt_need_root();
	pod = lt_new_netns();
	l = lt_open();
	lt_run(-1, -1, "ip link add v1 type veth peer name v2");
	lt_wait_until(l, link_is_there, "v1");
	(void)lt_drain(l);
	v = lt_by_name(l, "v1");
	assert_int_equal(v->nsid, -1);
	assert_int_equal(v->peer_ifindex, lt_by_name(l, "v2")->ifindex);
	assert_false(v->peer_known);
	lt_run(-1, pod, "ip link set v2 netns $NS name $(printf 'a\\033[2J\"')");
	lt_wait_until(l, peer_is_known, "v1");
	assert_null(lt_by_name(l, "v2"));
	assert_true(lt_by_name(l, "v1")->nsid >= 0);
}

static bool has_master(const struct bh_links *l, const void *name)
{
	const struct bh_link *link = lt_by_name(l, name);

	return link && link->master;
}

static bool has_no_master(const struct bh_links *l, const void *name)
{
	const struct bh_link *link = lt_by_name(l, name);

	return link && !link->master;
}

static void links_dispatch__bridge_port_comes_and_leaves__stays_a_link(void **state)
{
	bh_auto(bh_links_freep) struct bh_links *l = NULL;
	bh_autoclose int pod = -1;
	struct bh_link before;
	size_t n;

	(void)state;
	lt_need_root();
	pod = lt_new_netns();
	lt_run(-1, pod,
	       "ip link add v1 type veth peer name eth0 netns $NS; ip link set v1 up;"
	       "ip link add cni0 type bridge; ip link set cni0 up");
	l = lt_open();
	before = *lt_by_name(l, "v1");
	lt_run(-1, -1, "ip link set v1 master cni0; bridge link set dev v1 hairpin on");
	lt_wait_until(l, has_master, "v1");
	(void)lt_drain(l);
	assert_int_equal(lt_by_name(l, "v1")->master, lt_by_name(l, "cni0")->ifindex);
	/* the messages of the bridge's own family name no namespace; they must not count */
	assert_int_equal(lt_by_name(l, "v1")->nsid, before.nsid);
	assert_int_equal(lt_by_name(l, "v1")->peer_ifindex, before.peer_ifindex);
	assert_true(lt_by_name(l, "v1")->peer_known);
	lt_run(-1, -1, "ip link set v1 nomaster");
	lt_wait_until(l, has_no_master, "v1");
	(void)lt_drain(l);
	assert_true(lt_by_name(l, "v1")->peer_known);
	(void)bh_links_list(l, &n);
	assert_int_equal(n, 3);
}

static void links_dispatch__nothing_that_is_told_changed__zero(void **state)
{
	bh_auto(bh_links_freep) struct bh_links *l = NULL;
	struct pollfd p = { .events = POLLIN };
	bh_autoclose int pod = -1;

	(void)state;
	lt_need_root();
	pod = lt_new_netns();
	lt_run(-1, pod,
	       "ip link add v1 type veth peer name eth0 netns $NS; ip link set v1 addrgenmode none up");
	lt_run(pod, -1, "ip link set eth0 addrgenmode none up");
	l = lt_open();
	(void)lt_drain(l);
	lt_run(-1, -1,
	       "ip link set v1 txqueuelen 123; ip link set v1 alias pod;"
	       "ip addr add 127.0.0.9/8 dev lo; ip route add unreachable 192.0.2.1/32;"
	       "ip route add 192.0.2.0/24 dev v1");
	p.fd = bh_links_fd(l);
	assert_int_equal(poll(&p, 1, LT_DEADLINE_MS), 1);
	assert_false(lt_drain(l));
	assert_int_equal(bh_links_refresh_peers(l, NULL), 0);
}

static void expect_other(const struct bh_link *v, size_t i, const char *name, const char *kind)
{
	assert_true(i < v->n_others);
	assert_string_equal(v->others[i].name, name);
	assert_string_equal(v->others[i].kind, kind);
}

static void links_refresh__ways_out_of_a_pod__told(void **state)
{
	bh_auto(bh_links_freep) struct bh_links *l = NULL;
	bh_autoclose int pod = -1, elsewhere = -1;
	const struct bh_link *v;

	(void)state;
	lt_need_root();
	pod = lt_new_netns();
	elsewhere = lt_new_netns();
	lt_run(-1, pod,
	       "ip link add v1 type veth peer name eth0 netns $NS;"
	       "ip link add v2 type veth peer name eth1 netns $NS");
	/* what is no way past here: lo, a tap, the second veth of ours */
	lt_run(pod, -1, "ip link set lo up; ip tuntap add dev tap0_kata mode tap");
	l = lt_open();
	(void)lt_drain(l);
	(void)bh_links_refresh_peers(l, NULL);
	v = lt_by_name(l, "v1");
	assert_true(v->peer_known);
	assert_int_equal(v->n_others, 0);
	assert_false(v->more_others);
	assert_int_equal(lt_by_name(l, "v2")->nsid, v->nsid);
	/* ways past it; a veth into another namespace than this one */
	lt_run(-1, pod,
	       "ip link add br7 type bridge; ip link set br7 up;"
	       "ip link add mv0 link br7 type macvlan; ip link set mv0 netns $NS name net1");
	lt_run(pod, elsewhere, "ip link add eth9 type veth peer name other netns $NS");
	assert_int_equal(bh_links_refresh_peers(l, NULL), 1);
	v = lt_by_name(l, "v1");
	assert_int_equal(v->n_others, 2);
	expect_other(v, 0, "net1", "macvlan");
	expect_other(v, 1, "eth9", "veth");
	assert_int_equal(lt_by_name(l, "v2")->n_others, 2);
	assert_int_equal(bh_links_refresh_peers(l, NULL), 0);
	/* however many a pod makes, a few are enough */
	lt_run(pod, -1, "for i in $(seq 1 40); do ip link add b$i type bridge; done");
	assert_int_equal(bh_links_refresh_peers(l, NULL), 1);
	v = lt_by_name(l, "v1");
	assert_int_equal(v->n_others, BH_LINK_MAX_OTHERS);
	assert_true(v->more_others);
	lt_run(pod, -1, "for i in $(seq 1 40); do ip link del b$i; done");
	lt_run(pod, -1, "ip link del net1; ip link del eth9");
	assert_int_equal(bh_links_refresh_peers(l, NULL), 1);
	v = lt_by_name(l, "v1");
	assert_int_equal(v->n_others, 0);
	assert_false(v->more_others);
}

static void links_dispatch__device_moves_into_a_pod__asked_at_once(void **state)
{
	bh_auto(bh_links_freep) struct bh_links *l = NULL;
	bh_autoclose int pod = -1;

	(void)state;
	lt_need_root();
	pod = lt_new_netns();
	lt_run(-1, pod,
	       "ip link add v1 type veth peer name eth0 netns $NS;"
	       "ip link add br7 type bridge; ip link add mv0 link br7 type macvlan");
	l = lt_open();
	(void)lt_drain(l);
	lt_run(-1, pod, "ip link set mv0 netns $NS name net1");
	assert_true(lt_drain(l));
	expect_other(lt_by_name(l, "v1"), 0, "net1", "macvlan");
}

static void links_dispatch__filter_changes__interface_touched(void **state)
{
	bh_auto(bh_links_freep) struct bh_links *l = NULL;
	const uint32_t *v;
	bool all = true;
	size_t n;

	(void)state;
	lt_need_root();
	lt_run(-1, -1, "ip link add br8 type bridge; ip link add br9 type bridge");
	l = lt_open();
	(void)lt_drain(l);
	bh_links_touched_done(l);
	lt_run(-1, -1, "tc qdisc add dev br9 clsact");
	assert_false(lt_drain(l));
	v = bh_links_touched(l, &n, &all);
	assert_false(all);
	assert_int_equal(n, 1);
	assert_int_equal(v[0], if_nametoindex("br9"));
	bh_links_touched_done(l);
	(void)bh_links_touched(l, &n, &all);
	assert_int_equal(n, 0);
	lt_run(-1, -1, "tc qdisc del dev br9 clsact");
	(void)lt_drain(l);
	(void)bh_links_touched(l, &n, &all);
	assert_int_equal(n, 1);
}

static void links_refresh__pod_changes_inside__told_once(void **state)
{
	bh_auto(bh_links_freep) struct bh_links *l = NULL;
	bh_autoclose int pod = -1;
	const struct bh_link *v;

	(void)state;
	lt_need_root();
	pod = lt_new_netns();
	lt_run(-1, pod, "ip link add v1 type veth peer name eth0 netns $NS");
	l = lt_open();
	(void)lt_drain(l);
	lt_run(pod, -1,
	       "ip addr add 10.244.7.9/24 dev eth0; ip addr add 127.1.2.3/32 dev eth0 scope host;"
	       "ip link add other type bridge; ip addr add 10.9.9.9/24 dev other");
	assert_int_equal(bh_links_refresh_peers(l, NULL), 1);
	assert_int_equal(bh_links_refresh_peers(l, NULL), 0);
	v = lt_by_name(l, "v1");
	assert_int_equal(v->n_peer_addrs, 1);
	assert_true(lt_has_addr(v->peer_addrs, 1, "10.244.7.9"));
	lt_run(pod, -1, "ip link set eth0 address 02:00:00:00:00:77");
	assert_int_equal(bh_links_refresh_peers(l, NULL), 1);
	assert_int_equal(lt_by_name(l, "v1")->peer_mac.b[5], 0x77);
	lt_run(pod, -1, "for i in $(seq 1 40); do ip addr add 10.1.0.$i/32 dev eth0; done");
	assert_int_equal(bh_links_refresh_peers(l, NULL), 1);
	assert_int_equal(lt_by_name(l, "v1")->n_peer_addrs, BH_LINK_MAX_PEER_ADDRS);
	assert_true(
		lt_has_addr(lt_by_name(l, "v1")->peer_addrs, BH_LINK_MAX_PEER_ADDRS, "10.244.7.9"));
}

static void links_dispatch__events_lost__healed(void **state)
{
	bh_auto(bh_links_freep) struct bh_links *l = NULL;
	const int tiny = 1;
	size_t n;

	(void)state;
	lt_need_root();
	l = lt_open();
	assert_int_equal(setsockopt(bh_links_fd(l), SOL_SOCKET, SO_RCVBUF, &tiny, sizeof(tiny)), 0);
	lt_run(-1, -1,
	       "for i in $(seq 1 60); do echo link add d$i type bridge; done | ip -batch -;"
	       "ip addr add 192.0.2.5/32 dev d60");
	assert_true(lt_drain(l));
	(void)bh_links_list(l, &n);
	assert_int_equal(n, 61);
	assert_true(is_host_addr(l, "192.0.2.5"));
	assert_false(lt_drain(l));
}

static void links_dispatch__burst_of_pods__all_known(void **state)
{
	bh_auto(bh_links_freep) struct bh_links *l = NULL;
	bh_autoclose int pod = -1;
	size_t n;

	(void)state;
	lt_need_root();
	pod = lt_new_netns();
	l = lt_open();
	lt_run(-1, pod,
	       "for i in $(seq 1 100); do echo link add v$i type veth peer name e$i netns $NS;"
	       "echo link set v$i up; echo route add 10.244.7.$i/32 dev v$i; done | ip -batch -");
	lt_wait_until(l, peer_is_known, "v100");
	(void)lt_drain(l);
	(void)bh_links_list(l, &n);
	assert_int_equal(n, 101);
	for (int i = 1; i <= 100; i++) {
		char name[16], dst[32];

		(void)snprintf(name, sizeof(name), "v%d", i);
		(void)snprintf(dst, sizeof(dst), "10.244.7.%d", i);
		assert_true(peer_is_known(l, name));
		assert_int_equal(route(l, dst), lt_by_name(l, name)->ifindex);
	}
}

static void links_free__null__null(void **state)
{
	(void)state;
	assert_null(bh_links_free(NULL));
}

int main(void)
{
#define T(t) cmocka_unit_test_setup(t, lt_setup)
	const struct CMUnitTest tests[] = {
		T(links_new__fresh_namespace__loopback_alone),
		T(links_new__veth_was_there_before__peer_known),
		T(links_dispatch__veth_appears_and_goes__told),
		T(links_dispatch__namespace_dies__link_gone),
		T(links_dispatch__end_moved_later_while_down__peer_known),
		T(links_dispatch__bridge_port_comes_and_leaves__stays_a_link),
		T(links_dispatch__nothing_that_is_told_changed__zero),
		T(links_refresh__pod_changes_inside__told_once),
		T(links_refresh__ways_out_of_a_pod__told),
		T(links_dispatch__device_moves_into_a_pod__asked_at_once),
		T(links_dispatch__filter_changes__interface_touched),
		T(links_dispatch__events_lost__healed),
		T(links_dispatch__burst_of_pods__all_known),
		cmocka_unit_test(links_free__null__null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
