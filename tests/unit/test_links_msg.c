/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "bpf/links_msg.h"

/* A message under construction. */
struct msg {
	_Alignas(8) uint8_t b[512];
};

static struct nlmsghdr *start(struct msg *m, int type, const void *hdr, size_t len)
{
	struct nlmsghdr *h = (void *)m->b;

	memset(m, 0, sizeof(*m));
	h->nlmsg_type = (uint16_t)type;
	h->nlmsg_len = (uint32_t)NLMSG_LENGTH(len);
	memcpy(NLMSG_DATA(h), hdr, len);
	return h;
}

static void put(struct nlmsghdr *h, int type, const void *data, size_t len)
{
	struct rtattr *a = (void *)((uint8_t *)h + NLMSG_ALIGN(h->nlmsg_len));

	a->rta_type = (uint16_t)type;
	a->rta_len = (uint16_t)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	h->nlmsg_len = (uint32_t)(NLMSG_ALIGN(h->nlmsg_len) + RTA_ALIGN(a->rta_len));
}

static struct nlmsghdr *start_link(struct msg *m, unsigned char family)
{
	const struct ifinfomsg ifi = { .ifi_family = family, .ifi_index = 5 };
	struct nlmsghdr *h = start(m, RTM_NEWLINK, &ifi, sizeof(ifi));

	put(h, IFLA_IFNAME, "veth0", 6);
	put(h, IFLA_LINK, &(uint32_t){ 2 }, 4);
	return h;
}

static void nl_parse__link_of_bridge_family__refused(void **state)
{
	struct bh_nl_msg out;
	struct msg m;

	(void)state;
	assert_int_equal(bh_nl_parse(start_link(&m, AF_UNSPEC), -1, &out), 0);
	assert_int_equal(out.link.ifindex, 5);
	assert_int_equal(out.link.link, 2);
	assert_int_equal(out.link.nsid, -1);
	assert_false(out.link.veth);
	assert_int_equal(bh_nl_parse(start_link(&m, AF_BRIDGE), -1, &out), -EBADMSG);
	assert_int_equal(bh_nl_parse(start_link(&m, AF_INET6), -1, &out), -EBADMSG);
}

static void nl_parse__answer_about_other_namespace__refused(void **state)
{
	struct bh_nl_msg out;
	struct nlmsghdr *h;
	struct msg m;

	(void)state;
	h = start_link(&m, AF_UNSPEC);
	assert_int_equal(bh_nl_parse(h, 7, &out), -EBADMSG);
	put(h, IFLA_TARGET_NETNSID, &(int32_t){ 8 }, 4);
	assert_int_equal(bh_nl_parse(h, 7, &out), -EBADMSG);
	assert_int_equal(bh_nl_parse(h, 8, &out), 0);
}

static void nl_parse__cut_anywhere__refused_or_whole_values(void **state)
{
	struct bh_nl_msg out;
	struct nlmsghdr *h;
	struct msg m;
	uint32_t len;

	(void)state;
	h = start_link(&m, AF_UNSPEC);
	put(h, IFLA_ADDRESS, "\x02\x00\x00\x00\x00\x01", 6);
	put(h, IFLA_LINK_NETNSID, &(int32_t){ 3 }, 4);
	len = h->nlmsg_len;
	for (uint32_t n = 0; n <= len; n++) {
		h->nlmsg_len = n;
		if (bh_nl_parse(h, -1, &out) < 0)
			continue;
		assert_string_equal(out.link.name, "veth0");
		assert_true(out.link.link == 2 || out.link.link == 0);
		assert_int_equal(out.link.nsid, n == len ? 3 : -1);
	}
}

static void nl_parse__wrong_lengths_of_values__not_read(void **state)
{
	struct bh_nl_msg out;
	struct nlmsghdr *h;
	struct msg m;

	(void)state;
	h = start_link(&m, AF_UNSPEC);
	put(h, IFLA_MASTER, "\1\1", 2);
	put(h, IFLA_LINK_NETNSID, "\1\1\1\1\1\1\1\1", 8);
	put(h, IFLA_ADDRESS, "\1\1\1\1", 4);
	assert_int_equal(bh_nl_parse(h, -1, &out), 0);
	assert_int_equal(out.link.master, 0);
	assert_int_equal(out.link.nsid, -1);
	assert_int_equal(out.link.mac.b[0], 0);
}

static void nl_parse__address_of_wrong_length__refused(void **state)
{
	const struct ifaddrmsg ifa = { .ifa_family = AF_INET6, .ifa_index = 5 };
	struct bh_nl_msg out;
	struct nlmsghdr *h;
	struct msg m;

	(void)state;
	h = start(&m, RTM_NEWADDR, &ifa, sizeof(ifa));
	assert_int_equal(bh_nl_parse(h, -1, &out), -EBADMSG);
	put(h, IFA_ADDRESS, "\12\0\0\1", 4);
	assert_int_equal(bh_nl_parse(h, -1, &out), -EBADMSG);
}

static struct nlmsghdr *start_route(struct msg *m, unsigned char type, uint32_t table)
{
	const struct rtmsg rtm = { .rtm_family = AF_INET, .rtm_dst_len = 32, .rtm_type = type };
	struct nlmsghdr *h = start(m, RTM_NEWROUTE, &rtm, sizeof(rtm));

	put(h, RTA_DST, "\12\0\0\1", 4);
	put(h, RTA_OIF, &(uint32_t){ 9 }, 4);
	put(h, RTA_TABLE, &table, 4);
	return h;
}

static void nl_parse__routes__kind_by_what_they_say(void **state)
{
	struct bh_nl_msg out;
	struct nlmsghdr *h;
	struct msg m;

	(void)state;
	h = start_route(&m, RTN_UNICAST, 1000);
	assert_int_equal(bh_nl_parse(h, -1, &out), 0);
	assert_int_equal(out.route.kind, BH_NL_ROUTE_HOST);
	assert_int_equal(out.route.table, 1000);
	put(h, RTA_GATEWAY, "\12\0\0\2", 4);
	assert_int_equal(bh_nl_parse(h, -1, &out), 0);
	assert_int_equal(out.route.kind, BH_NL_ROUTE_OTHER);
	assert_int_equal(bh_nl_parse(start_route(&m, RTN_LOCAL, RT_TABLE_LOCAL), -1, &out),
			 -EBADMSG);
	assert_int_equal(bh_nl_parse(start_route(&m, RTN_ANYCAST, RT_TABLE_LOCAL), -1, &out), 0);
	assert_int_equal(out.route.kind, BH_NL_ROUTE_OWN);
	assert_int_equal(bh_nl_parse(start_route(&m, RTN_BROADCAST, RT_TABLE_LOCAL), -1, &out), 0);
	assert_int_equal(out.route.kind, BH_NL_ROUTE_OWN);
	assert_int_equal(bh_nl_parse(start_route(&m, RTN_BLACKHOLE, RT_TABLE_MAIN), -1, &out), 0);
	assert_int_equal(out.route.kind, BH_NL_ROUTE_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nl_parse__link_of_bridge_family__refused),
		cmocka_unit_test(nl_parse__answer_about_other_namespace__refused),
		cmocka_unit_test(nl_parse__cut_anywhere__refused_or_whole_values),
		cmocka_unit_test(nl_parse__wrong_lengths_of_values__not_read),
		cmocka_unit_test(nl_parse__address_of_wrong_length__refused),
		cmocka_unit_test(nl_parse__routes__kind_by_what_they_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
