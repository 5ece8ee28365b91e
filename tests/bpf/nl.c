/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bpf/nl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>

#include "common/cleanup.h"

#define MESSAGE_MAX 512

struct message {
	struct nlmsghdr h;
	struct ifinfomsg link;
	uint8_t room[MESSAGE_MAX];
};

static struct rtattr *add(struct message *m, uint16_t type, const void *data, size_t len)
{
	struct rtattr *a = (void *)((uint8_t *)m + NLMSG_ALIGN(m->h.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (uint16_t)RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(a), data, len);
	m->h.nlmsg_len = (uint32_t)(NLMSG_ALIGN(m->h.nlmsg_len) + RTA_ALIGN(a->rta_len));
	return a;
}

static void end(struct message *m, struct rtattr *a)
{
	a->rta_len = (uint16_t)((uint8_t *)m + m->h.nlmsg_len - (uint8_t *)a);
}

static struct message message(uint16_t type, uint16_t flags)
{
	struct message m = {
		.h = { .nlmsg_len = NLMSG_LENGTH(sizeof(m.link)),
		       .nlmsg_type = type,
		       .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags) },
	};

	return m;
}

static int talk(struct message *m)
{
	bh_autoclose int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		uint8_t room[MESSAGE_MAX];
	} answer;

	if (fd < 0 || send(fd, m, m->h.nlmsg_len, 0) < 0)
		return -errno;
	if (recv(fd, &answer, sizeof(answer), 0) < (ssize_t)NLMSG_LENGTH(sizeof(answer.e)))
		return -EPROTO;
	return answer.h.nlmsg_type == NLMSG_ERROR ? answer.e.error : -EPROTO;
}

int nl_set_up(const char *name)
{
	struct message m = message(RTM_NEWLINK, 0);

	m.link = (struct ifinfomsg){ .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	add(&m, IFLA_IFNAME, name, strlen(name) + 1);
	return talk(&m);
}

int nl_delete(const char *name)
{
	struct message m = message(RTM_DELLINK, 0);

	add(&m, IFLA_IFNAME, name, strlen(name) + 1);
	return talk(&m);
}

static int create(const char *name, const char *peer, int peer_netns)
{
	struct message m = message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	const struct ifinfomsg other = { 0 };
	struct rtattr *info, *data, *p;
	const uint32_t fd = (uint32_t)peer_netns;

	add(&m, IFLA_IFNAME, name, strlen(name) + 1);
	info = add(&m, IFLA_LINKINFO, NULL, 0);
	add(&m, IFLA_INFO_KIND, "veth", 5);
	data = add(&m, IFLA_INFO_DATA, NULL, 0);
	p = add(&m, VETH_INFO_PEER, &other, sizeof(other));
	add(&m, IFLA_IFNAME, peer, strlen(peer) + 1);
	if (peer_netns >= 0)
		add(&m, IFLA_NET_NS_FD, &fd, sizeof(fd));
	end(&m, p);
	end(&m, data);
	end(&m, info);
	return talk(&m);
}

/* Neither end can be set up before the other is there, so not while they are made. */
int nl_add_veth(const char *name, const char *peer, int peer_netns)
{
	bh_autoclose int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int r = create(name, peer, peer_netns);

	if (r < 0)
		return r;
	r = nl_set_up(name);
	if (r == 0 && peer_netns < 0)
		return nl_set_up(peer);
	if (here < 0 || r < 0)
		return r ? r : -errno;
	if (setns(peer_netns, CLONE_NEWNET) < 0)
		return -errno;
	r = nl_set_up(peer);
	return setns(here, CLONE_NEWNET) < 0 ? -errno : r;
}

int nl_new_netns(void)
{
	bh_autoclose int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), there = -1;
	int r = 0;

	if (here < 0 || unshare(CLONE_NEWNET) < 0)
		return -errno;
	there = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (there < 0)
		r = -errno;
	if (setns(here, CLONE_NEWNET) < 0)
		r = -errno;
	return r ? r : BH_TAKE_FD(there);
}
