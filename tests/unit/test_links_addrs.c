/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/links_fixture.h"

#include <net/if.h>

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

struct addr_wait {
	const char *addr;
	bool want;
};

static bool host_addr_is(const struct bh_links *l, const void *arg)
{
	const struct addr_wait *w = arg;

	return is_host_addr(l, w->addr) == w->want;
}

static void links_host_addrs__both_families__sorted_without_loopback(void **state)
{
	bh_auto(bh_links_freep) struct bh_links *l = NULL;
	size_t n;

	(void)state;
	lt_need_root();
	lt_run(-1, -1,
	       "ip link set lo up; ip link add d1 type veth peer name p1; ip link add d2 type bridge;"
	       "for i in d1 p1 d2; do ip link set $i addrgenmode none; done;"
	       "ip link set d1 up; ip link set p1 up; ip addr add fe80::21/64 dev d1 nodad;"
	       "ip addr add 192.0.2.1/24 dev d1; ip addr add 192.0.2.1/32 dev d1;"
	       "ip addr add 192.0.2.1/32 dev d2; ip addr add 198.51.100.7/32 dev lo;"
	       "ip addr add 2001:db8::1/64 dev d1 nodad;"
	       "ip addr add 203.0.113.1 peer 203.0.113.2/32 dev d2");
	l = lt_open();
	(void)bh_links_host_addrs(l, &n);
	assert_int_equal(n, 6);
	assert_true(is_host_addr(l, "192.0.2.1"));
	assert_true(is_host_addr(l, "192.0.2.255"));
	assert_true(is_host_addr(l, "198.51.100.7"));
	assert_true(is_host_addr(l, "2001:db8::1"));
	assert_true(is_host_addr(l, "fe80::21"));
	assert_true(is_host_addr(l, "203.0.113.1"));
	assert_false(is_host_addr(l, "203.0.113.2"));

	/* it stays an address of the host until the last of its three homes goes */
	lt_run(-1, -1, "ip addr del 192.0.2.1/24 dev d1; ip link del d2");
	lt_wait_until(l, host_addr_is, &(struct addr_wait){ "203.0.113.1", false });
	assert_true(is_host_addr(l, "192.0.2.1"));
	lt_run(-1, -1, "ip addr add 192.0.2.99/32 dev d1; ip addr del 192.0.2.1/32 dev d1");
	lt_wait_until(l, host_addr_is, &(struct addr_wait){ "192.0.2.1", false });
	assert_true(is_host_addr(l, "192.0.2.99"));
}

static void links_host_addrs__ipv6_router__subnet_anycast_is_own(void **state)
{
	bh_auto(bh_links_freep) struct bh_links *l = NULL;

	(void)state;
	lt_need_root();
	lt_run(-1, -1,
	       "ip link add d1 type bridge; ip link set d1 up;"
	       "ip addr add 2001:db8:7::1/64 dev d1 nodad");
	l = lt_open();
	assert_false(is_host_addr(l, "2001:db8:7::"));
	lt_run(-1, -1, "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
	lt_wait_until(l, host_addr_is, &(struct addr_wait){ "2001:db8:7::", true });
	lt_run(-1, -1, "ip addr del 2001:db8:7::1/64 dev d1");
	lt_wait_until(l, host_addr_is, &(struct addr_wait){ "2001:db8:7::", false });
}

static void links_host_addrs__subnet_broadcast__is_own_while_the_subnet_is(void **state)
{
	bh_auto(bh_links_freep) struct bh_links *l = NULL;

	(void)state;
	lt_need_root();
	lt_run(-1, -1, "ip link add d1 type bridge; ip link set d1 up");
	l = lt_open();
	lt_run(-1, -1, "ip addr add 198.51.100.5/24 dev d1; ip addr add 192.0.2.9/31 dev d1");
	lt_wait_until(l, host_addr_is, &(struct addr_wait){ "198.51.100.255", true });
	/* another broadcast address than the subnet's last */
	lt_run(-1, -1, "ip addr add 203.0.113.5/24 brd 203.0.113.77 dev d1");
	lt_wait_until(l, host_addr_is, &(struct addr_wait){ "203.0.113.77", true });
	lt_run(-1, -1, "ip addr del 198.51.100.5/24 dev d1");
	lt_wait_until(l, host_addr_is, &(struct addr_wait){ "198.51.100.255", false });
	assert_true(is_host_addr(l, "203.0.113.77"));
	lt_run(-1, -1, "ip link del d1");
	lt_wait_until(l, host_addr_is, &(struct addr_wait){ "203.0.113.77", false });
}

struct route_wait {
	const char *dst;
	uint32_t ifindex;
};

static bool route_is(const struct bh_links *l, const void *arg)
{
	const struct route_wait *w = arg;

	return route(l, w->dst) == w->ifindex;
}

static void wait_route(struct bh_links *l, const char *dst, uint32_t ifindex)
{
	const struct route_wait w = { dst, ifindex };

	lt_wait_until(l, route_is, &w);
}

static void add_two_links(void)
{
	lt_run(-1, -1,
	       "for i in 1 2; do ip link add d$i type veth peer name p$i; ip link set p$i up;"
	       "ip link set d$i up; done; ip addr add 10.0.0.1/24 dev d1");
}

static void links_route__only_direct_host_routes__named(void **state)
{
	bh_auto(bh_links_freep) struct bh_links *l = NULL;
	uint32_t d1, d2;

	(void)state;
	lt_need_root();
	add_two_links();
	lt_run(-1, -1,
	       "ip route add 10.244.7.2/32 dev d2; ip route add 10.244.7.3/32 via 10.0.0.9;"
	       "ip route add 10.244.8.0/24 dev d2; ip route add blackhole 10.244.7.4/32;"
	       "ip -6 route add fd00:7::2/128 dev d2; ip -6 route add fd00:8::/64 dev d2;"
	       "ip route add 10.244.7.5/32 dev d1 table 100;"
	       "ip route add 10.244.7.6/32 nexthop dev d1 nexthop dev d2;"
	       "ip route add local 10.244.7.7/32 dev d1;"
	       "ip addr add 10.5.5.5 peer 10.5.5.6/32 dev d1;"
	       "ip -6 addr add fd00:9::1/128 dev d1 nodad");
	l = lt_open();
	d1 = if_nametoindex("d1");
	d2 = if_nametoindex("d2");
	assert_int_equal(route(l, "10.244.7.2"), d2);
	assert_int_equal(route(l, "fd00:7::2"), d2);
	assert_int_equal(route(l, "10.244.7.5"), d1);
	assert_int_equal(route(l, "10.5.5.6"), d1);
	assert_int_equal(route(l, "10.244.7.3"), 0);
	assert_int_equal(route(l, "10.244.7.4"), 0);
	assert_int_equal(route(l, "10.244.7.6"), 0);
	assert_int_equal(route(l, "10.244.7.7"), 0);
	assert_int_equal(route(l, "10.244.8.1"), 0);
	assert_int_equal(route(l, "fd00:8::"), 0);
	assert_int_equal(route(l, "fd00:9::1"), 0); /* the kernel has one: it is our own address */
	assert_int_equal(route(l, "10.0.0.1"), 0);
}

static void links_dispatch__routes_come_and_go__followed(void **state)
{
	bh_auto(bh_links_freep) struct bh_links *l = NULL;
	uint32_t d1, d2;

	(void)state;
	lt_need_root();
	add_two_links();
	l = lt_open();
	d1 = if_nametoindex("d1");
	d2 = if_nametoindex("d2");
	lt_run(-1, -1, "ip route add 10.244.7.2/32 dev d1; ip -6 route add fd00:7::2/128 dev d1");
	wait_route(l, "10.244.7.2", d1);
	wait_route(l, "fd00:7::2", d1);
	lt_run(-1, -1,
	       "ip route replace 10.244.7.2/32 dev d2; ip -6 route replace fd00:7::2/128 dev d2");
	wait_route(l, "10.244.7.2", d2);
	wait_route(l, "fd00:7::2", d2);
	lt_run(-1, -1, "ip route add 10.244.7.2/32 dev d1 metric 50 table 7");
	lt_run(-1, -1, "ip route del 10.244.7.2/32 dev d2; ip -6 route del fd00:7::2/128");
	wait_route(l, "10.244.7.2", d1);
	wait_route(l, "fd00:7::2", 0);
	lt_run(-1, -1, "ip route replace 10.244.7.2/32 via 10.0.0.9 metric 50 table 7");
	wait_route(l, "10.244.7.2", 0);
}

static void links_dispatch__routes_go_without_a_message__followed(void **state)
{
	bh_auto(bh_links_freep) struct bh_links *l = NULL;
	uint32_t d1, d2;

	(void)state;
	lt_need_root();
	add_two_links();
	lt_run(-1, -1,
	       "ip addr add 10.0.0.7/32 dev d2; ip addr add 10.0.0.8/32 dev d2; ip route add 10.244.7.2/32 dev d1;"
	       "ip route add 10.244.7.3/32 dev d1 src 10.0.0.7; ip route add 10.244.7.4/32 dev d2");
	l = lt_open();
	d1 = if_nametoindex("d1");
	d2 = if_nametoindex("d2");
	assert_int_equal(route(l, "10.244.7.3"), d1);
	lt_run(-1, -1, "ip addr del 10.0.0.7/32 dev d2"); /* a source that went */
	wait_route(l, "10.244.7.3", 0);
	assert_int_equal(route(l, "10.244.7.2"), d1);
	assert_int_equal(route(l, "10.244.7.4"), d2);
	lt_run(-1, -1, "ip addr del 10.0.0.8/32 dev d2"); /* the last address of its interface */
	wait_route(l, "10.244.7.4", 0);
	lt_run(-1, -1, "ip route add 10.244.7.4/32 dev d2; ip link set d1 down");
	wait_route(l, "10.244.7.2", 0);
	assert_int_equal(route(l, "10.244.7.4"), d2);
	lt_run(-1, -1, "ip link del d2");
	wait_route(l, "10.244.7.4", 0);
}

static void links_dispatch__two_ipv6_ways__one_left_is_named(void **state)
{
	bh_auto(bh_links_freep) struct bh_links *l = NULL;
	uint32_t d1, d2;

	(void)state;
	lt_need_root();
	add_two_links();
	l = lt_open();
	d1 = if_nametoindex("d1");
	d2 = if_nametoindex("d2");
	lt_run(-1, -1,
	       "ip -6 route add fd00:7::2/128 dev d1; ip -6 route append fd00:7::2/128 dev d2");
	wait_route(l, "fd00:7::2", d1);
	(void)lt_drain(l);
	lt_run(-1, -1, "ip -6 route del fd00:7::2/128 dev d1");
	wait_route(l, "fd00:7::2", d2);
	lt_run(-1, -1, "ip -6 route del fd00:7::2/128 dev d2");
	wait_route(l, "fd00:7::2", 0);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup(t, lt_setup)
	const struct CMUnitTest tests[] = {
		T(links_host_addrs__both_families__sorted_without_loopback),
		T(links_host_addrs__ipv6_router__subnet_anycast_is_own),
		T(links_host_addrs__subnet_broadcast__is_own_while_the_subnet_is),
		T(links_route__only_direct_host_routes__named),
		T(links_dispatch__routes_come_and_go__followed),
		T(links_dispatch__routes_go_without_a_message__followed),
		T(links_dispatch__two_ipv6_ways__one_left_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
