/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/links_msg.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

static bool has_u32(const struct nlattr *a, uint32_t *ret_v)
{
	if (!a || nla_len(a) != sizeof(*ret_v))
		return false;
	*ret_v = nla_get_u32(a);
	return true;
}

/* A kernel that does not know the attribute would answer about the socket's own namespace. */
static bool about(const struct nlattr *nsid, int32_t want_nsid)
{
	uint32_t v;

	return want_nsid < 0 || (has_u32(nsid, &v) && (int32_t)v == want_nsid);
}

static void take_stats(const struct nlattr *a, struct bh_nl_link *l)
{
	struct rtnl_link_stats64 st = { 0 };

	if (!a)
		return;
	/* newer kernels tell more, older ones less */
	memcpy(&st, nla_data(a), (size_t)nla_len(a) < sizeof(st) ? (size_t)nla_len(a) : sizeof(st));
	l->rx_packets = st.rx_packets;
	l->tx_packets = st.tx_packets;
}

static int parse_link(const struct nlmsghdr *h, int32_t want_nsid, struct bh_nl_link *ret_link)
{
	const struct ifinfomsg *ifi = nlmsg_data(h);
	struct nlattr *tb[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1];
	struct bh_nl_link l = { .nsid = -1 };
	uint32_t nsid;

	/* AF_BRIDGE and AF_INET6 send messages of the same type that tell something else. */
	if (nlmsg_parse((struct nlmsghdr *)h, sizeof(*ifi), tb, IFLA_MAX, NULL) < 0 ||
	    ifi->ifi_family != AF_UNSPEC || ifi->ifi_index <= 0)
		return -EBADMSG;
	if (!tb[IFLA_IFNAME] || tb[IFLA_WIRELESS] || !about(tb[IFLA_TARGET_NETNSID], want_nsid))
		return -EBADMSG;
	l.ifindex = (uint32_t)ifi->ifi_index;
	l.up = ifi->ifi_flags & IFF_UP;
	l.loopback = ifi->ifi_flags & IFF_LOOPBACK;
	(void)nla_strlcpy(l.name, tb[IFLA_IFNAME], sizeof(l.name));
	if (tb[IFLA_ADDRESS] && nla_len(tb[IFLA_ADDRESS]) == sizeof(l.mac.b))
		memcpy(l.mac.b, nla_data(tb[IFLA_ADDRESS]), sizeof(l.mac.b));
	(void)has_u32(tb[IFLA_MASTER], &l.master);
	(void)has_u32(tb[IFLA_LINK], &l.link);
	if (has_u32(tb[IFLA_LINK_NETNSID], &nsid) && (int32_t)nsid >= 0)
		l.nsid = (int32_t)nsid;
	if (tb[IFLA_LINKINFO] &&
	    nla_parse_nested(info, IFLA_INFO_MAX, tb[IFLA_LINKINFO], NULL) >= 0 &&
	    info[IFLA_INFO_KIND]) {
		(void)nla_strlcpy(l.kind, info[IFLA_INFO_KIND], sizeof(l.kind));
		l.veth = strcmp(l.kind, "veth") == 0;
	}
	take_stats(tb[IFLA_STATS64], &l);
	*ret_link = l;
	return 0;
}

static int parse_addr(const struct nlmsghdr *h, int32_t want_nsid, struct bh_nl_addr *ret_addr)
{
	const struct ifaddrmsg *ifa = nlmsg_data(h);
	struct nlattr *tb[IFA_MAX + 1], *a;
	struct bh_nl_addr out = { 0 };
	uint32_t flags = ifa->ifa_flags;

	if (nlmsg_parse((struct nlmsghdr *)h, sizeof(*ifa), tb, IFA_MAX, NULL) < 0 ||
	    (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6) ||
	    !about(tb[IFA_TARGET_NETNSID], want_nsid))
		return -EBADMSG;
	/* IFA_ADDRESS is the other side's on a point-to-point link. */
	a = tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS];
	if (!a || nla_len(a) != (ifa->ifa_family == AF_INET ? 4 : 16) ||
	    bh_addr_from_bytes(nla_data(a), (size_t)nla_len(a), &out.addr) < 0)
		return -EBADMSG;
	(void)has_u32(tb[IFA_FLAGS], &flags);
	out.ifindex = ifa->ifa_index;
	out.plen = ifa->ifa_prefixlen;
	out.scope = ifa->ifa_scope;
	out.dad_failed = flags & IFA_F_DADFAILED;
	*ret_addr = out;
	return 0;
}

/* What arrives here although it is no interface's address. */
static bool is_own(const struct rtmsg *rtm)
{
	return rtm->rtm_type == RTN_ANYCAST ||
	       (rtm->rtm_type == RTN_BROADCAST && rtm->rtm_family == AF_INET);
}

static enum bh_nl_route_kind route_kind(const struct rtmsg *rtm, struct nlattr *const *tb,
					const struct bh_nl_route *r)
{
	if (is_own(rtm))
		return BH_NL_ROUTE_OWN;
	if (rtm->rtm_type != RTN_UNICAST || !r->ifindex)
		return BH_NL_ROUTE_OTHER;
	if (tb[RTA_GATEWAY] || tb[RTA_VIA] || tb[RTA_MULTIPATH] || (rtm->rtm_flags & RTNH_F_DEAD))
		return BH_NL_ROUTE_OTHER;
	return BH_NL_ROUTE_HOST;
}

static int parse_route(const struct nlmsghdr *h, struct bh_nl_route *ret_route)
{
	const struct rtmsg *rtm = nlmsg_data(h);
	struct nlattr *tb[RTA_MAX + 1];
	struct bh_nl_route r = { 0 };
	size_t alen;

	if (nlmsg_parse((struct nlmsghdr *)h, sizeof(*rtm), tb, RTA_MAX, NULL) < 0 ||
	    (rtm->rtm_family != AF_INET && rtm->rtm_family != AF_INET6))
		return -EBADMSG;
	alen = rtm->rtm_family == AF_INET ? 4 : 16;
	if (rtm->rtm_dst_len != alen * 8 || (rtm->rtm_flags & RTM_F_CLONED) || !tb[RTA_DST] ||
	    (size_t)nla_len(tb[RTA_DST]) != alen ||
	    bh_addr_from_bytes(nla_data(tb[RTA_DST]), alen, &r.dst) < 0)
		return -EBADMSG;
	r.table = rtm->rtm_table;
	(void)has_u32(tb[RTA_TABLE], &r.table);
	if (r.table == RT_TABLE_LOCAL && !is_own(rtm))
		return -EBADMSG;
	(void)has_u32(tb[RTA_PRIORITY], &r.metric);
	(void)has_u32(tb[RTA_OIF], &r.ifindex);
	r.tos = rtm->rtm_tos;
	if (tb[RTA_PREFSRC] && (size_t)nla_len(tb[RTA_PREFSRC]) == alen)
		r.has_prefsrc =
			bh_addr_from_bytes(nla_data(tb[RTA_PREFSRC]), alen, &r.prefsrc) == 0;
	r.replaces = h->nlmsg_flags & NLM_F_REPLACE;
	r.kind = route_kind(rtm, tb, &r);
	*ret_route = r;
	return 0;
}

static int parse_tc(const struct nlmsghdr *h, struct bh_nl_tc *ret_tc)
{
	const struct tcmsg *t = nlmsg_data(h);

	/* of a block that several interfaces share there is no telling which they are */
	if (nlmsg_datalen(h) < (int)sizeof(*t) || t->tcm_ifindex <= 0)
		return -EBADMSG;
	ret_tc->ifindex = (uint32_t)t->tcm_ifindex;
	return 0;
}

int bh_nl_parse(const struct nlmsghdr *h, int32_t want_nsid, struct bh_nl_msg *ret_msg)
{
	switch (h->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		ret_msg->type = BH_NL_LINK;
		ret_msg->gone = h->nlmsg_type == RTM_DELLINK;
		return parse_link(h, want_nsid, &ret_msg->link);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		ret_msg->type = BH_NL_ADDR;
		ret_msg->gone = h->nlmsg_type == RTM_DELADDR;
		return parse_addr(h, want_nsid, &ret_msg->addr);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		ret_msg->type = BH_NL_ROUTE;
		ret_msg->gone = h->nlmsg_type == RTM_DELROUTE;
		return parse_route(h, &ret_msg->route);
	case RTM_NEWTFILTER:
	case RTM_DELTFILTER:
	case RTM_NEWQDISC:
	case RTM_DELQDISC:
		ret_msg->type = BH_NL_TC;
		ret_msg->gone = false;
		return parse_tc(h, &ret_msg->tc);
	default:
		return -EBADMSG;
	}
}
