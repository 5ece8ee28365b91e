/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/links_nl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/handlers.h>
#include <netlink/msg.h>
#include <netlink/socket.h>

#include "common/err.h"

/* A burst of 250 pods makes some 3000 events of 1.5 KiB, while the daemon may be busy. */
#define EVENT_BUFFER_BYTES (8 << 20)
#define MAX_DATAGRAMS_PER_CALL 1024

struct bh_nl {
	struct nl_sock *events;
	struct nl_sock *query;
};

/* What one reading call hands to the callbacks of libnl. */
struct reader {
	bh_nl_fn *fn;
	void *arg;
	int32_t nsid; /* answers must be about this namespace; -1: this one */
	int fn_error; /* the first one that fn returned */
	int kernel_error;
};

static int on_message(struct nl_msg *msg, void *arg)
{
	struct reader *rd = arg;
	struct bh_nl_msg m;

	/* Only the kernel (port 0) is believed. A message that we do not use is none of ours. */
	if (rd->fn_error || nlmsg_get_src(msg)->nl_pid != 0 ||
	    bh_nl_parse(nlmsg_hdr(msg), rd->nsid, &m) < 0)
		return NL_OK;
	rd->fn_error = rd->fn(&m, rd->arg);
	return rd->fn_error ? NL_STOP : NL_OK;
}

/* A dump that fails half way says so in its last message. */
static int on_finish(struct nl_msg *msg, void *arg)
{
	struct reader *rd = arg;
	const struct nlmsghdr *h = nlmsg_hdr(msg);
	int code = 0;

	if (nlmsg_datalen(h) >= (int)sizeof(code))
		memcpy(&code, nlmsg_data(h), sizeof(code));
	if (code < 0)
		rd->kernel_error = code;
	return NL_OK;
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *e, void *arg)
{
	struct reader *rd = arg;

	(void)from;
	rd->kernel_error = e->error;
	return NL_STOP;
}

static int no_seq_check(struct nl_msg *msg, void *arg)
{
	(void)msg;
	(void)arg;
	return NL_OK; /* events answer no question */
}

/* libnl folds errno values together; what we need to tell apart is mapped back. */
static int from_nlerr(int nlerr)
{
	switch (nlerr < 0 ? -nlerr : nlerr) {
	case NLE_SUCCESS:
		return 0;
	case NLE_NOMEM:
		return -ENOBUFS; /* it has ENOBUFS and ENOMEM in one; both are healed alike */
	case NLE_AGAIN:
		return -EAGAIN;
	case NLE_DUMP_INTR:
		return -ESTALE;
	case NLE_INTR:
		return -EINTR;
	case NLE_PERM:
		return -EPERM;
	case NLE_NOACCESS:
		return -EACCES;
	default:
		return -EIO;
	}
}

static int receive(struct nl_sock *sk, struct reader *rd)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int r;

	if (!cb)
		return -ENOMEM;
	(void)nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_message, rd);
	(void)nl_cb_set(cb, NL_CB_FINISH, NL_CB_CUSTOM, on_finish, rd);
	(void)nl_cb_set(cb, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, no_seq_check, NULL);
	(void)nl_cb_err(cb, NL_CB_CUSTOM, on_error, rd);
	r = from_nlerr(nl_recvmsgs(sk, cb));
	nl_cb_put(cb);
	return r;
}

static int open_query(struct nl_sock **ret_sk, struct bh_err *err)
{
	const int on = 1;
	struct nl_sock *sk = nl_socket_alloc();
	int r;

	if (!sk)
		return -ENOMEM;
	nl_socket_disable_auto_ack(sk);
	r = nl_connect(sk, NETLINK_ROUTE);
	if (r < 0) {
		nl_socket_free(sk);
		return bh_err_set(err, from_nlerr(r), "open rtnetlink: %s", nl_geterror(r));
	}
	/* Without it the kernel ignores filters of a dump, the target namespace among them. */
	if (setsockopt(nl_socket_get_fd(sk), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) <
	    0) {
		r = -errno;
		nl_socket_free(sk);
		return bh_err_set(err, r, "NETLINK_GET_STRICT_CHK (Linux 4.20): %s", strerror(-r));
	}
	*ret_sk = sk;
	return 0;
}

static int open_events(struct nl_sock **ret_sk, struct bh_err *err)
{
	const int size = EVENT_BUFFER_BYTES;
	struct nl_sock *sk = nl_socket_alloc();
	int r;

	if (!sk)
		return -ENOMEM;
	r = nl_connect(sk, NETLINK_ROUTE);
	if (r == 0)
		r = nl_socket_add_memberships(sk, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR,
					      RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
					      RTNLGRP_IPV6_ROUTE, RTNLGRP_TC, 0);
	if (r == 0)
		r = nl_socket_set_nonblocking(sk);
	if (r < 0) {
		nl_socket_free(sk);
		return bh_err_set(err, from_nlerr(r), "subscribe to rtnetlink: %s", nl_geterror(r));
	}
	/* Needs CAP_NET_ADMIN; a small buffer only means more full reads. */
	(void)setsockopt(nl_socket_get_fd(sk), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	*ret_sk = sk;
	return 0;
}

int bh_nl_new(struct bh_nl **ret_nl, struct bh_err *err)
{
	bh_auto(bh_nl_freep) struct bh_nl *nl = NULL;
	int r;

	nl = calloc(1, sizeof(*nl));
	if (!nl)
		return -ENOMEM;
	r = open_events(&nl->events, err);
	if (r < 0)
		return r;
	r = open_query(&nl->query, err);
	if (r < 0)
		return r;
	*ret_nl = BH_TAKE_PTR(nl);
	return 0;
}

struct bh_nl *bh_nl_free(struct bh_nl *nl)
{
	if (!nl)
		return NULL;
	nl_socket_free(nl->events);
	nl_socket_free(nl->query);
	free(nl);
	return NULL;
}

int bh_nl_fd(const struct bh_nl *nl)
{
	return nl_socket_get_fd(nl->events);
}

int bh_nl_events(struct bh_nl *nl, bh_nl_fn *fn, void *arg, struct bh_err *err)
{
	struct reader rd = { .fn = fn, .arg = arg, .nsid = -1 };

	for (int i = 0; i < MAX_DATAGRAMS_PER_CALL; i++) {
		int r = receive(nl->events, &rd);

		if (rd.fn_error)
			return rd.fn_error;
		if (r == -EAGAIN)
			return 0;
		if (r < 0)
			return bh_err_set(err, r, "read rtnetlink events: %s", strerror(-r));
	}
	return 0;
}

/* Sends @msg and reads the whole answer. A socket that failed half way is replaced, since what is
 * left of the answer would be taken for the next one's. */
static int ask(struct bh_nl *nl, struct nl_msg *msg, struct reader *rd, struct bh_err *err)
{
	struct nl_sock *fresh = NULL;
	int r, s;

	r = nl_send_auto(nl->query, msg);
	r = r < 0 ? from_nlerr(r) : receive(nl->query, rd);
	if (rd->kernel_error)
		return rd->kernel_error;
	if (rd->fn_error || (r < 0 && r != -ESTALE)) {
		s = open_query(&fresh, err);
		if (s < 0)
			return s;
		nl_socket_free(nl->query);
		nl->query = fresh;
	}
	return rd->fn_error ? rd->fn_error : r < 0 ? r : 0;
}

static int dump_family(struct bh_nl *nl, int type, unsigned char family, struct reader *rd,
		       struct bh_err *err)
{
	/* The three headers differ; with strict checking every byte but the family is zero. */
	union {
		struct ifinfomsg ifi;
		struct ifaddrmsg ifa;
		struct rtmsg rtm;
	} hdr = { .ifi = { .ifi_family = family } };
	const size_t len = type == RTM_GETLINK	 ? sizeof(hdr.ifi)
			   : type == RTM_GETADDR ? sizeof(hdr.ifa)
						 : sizeof(hdr.rtm);
	struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_DUMP);
	int r;

	_Static_assert(offsetof(struct ifaddrmsg, ifa_family) == 0, "family comes first");
	_Static_assert(offsetof(struct rtmsg, rtm_family) == 0, "family comes first");
	if (!msg)
		return -ENOMEM;
	r = nlmsg_append(msg, &hdr, len, NLMSG_ALIGNTO);
	if (r == 0 && type == RTM_GETLINK)
		r = nla_put_u32(msg, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	r = r < 0 ? -ENOMEM : ask(nl, msg, rd, err);
	nlmsg_free(msg);
	return r;
}

int bh_nl_dump(struct bh_nl *nl, enum bh_nl_type type, bh_nl_fn *fn, void *arg, struct bh_err *err)
{
	static const int get[] = { RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE };
	static const char *const what[] = { "interfaces", "addresses", "routes" };
	struct reader rd = { .fn = fn, .arg = arg, .nsid = -1 };
	int r;

	if (type == BH_NL_LINK) {
		r = dump_family(nl, get[type], AF_UNSPEC, &rd, err);
	} else {
		r = dump_family(nl, get[type], AF_INET, &rd, err);
		if (r == 0)
			r = dump_family(nl, get[type], AF_INET6, &rd, err);
	}
	if (r < 0 && r != -ESTALE && !rd.fn_error)
		return bh_err_set(err, r, "list %s: %s", what[type], strerror(-r));
	return r;
}

struct one_link {
	uint32_t ifindex;
	bool found;
	struct bh_nl_link link;
};

static int take_link(const struct bh_nl_msg *m, void *arg)
{
	struct one_link *one = arg;

	if (m->type == BH_NL_LINK && !m->gone && m->link.ifindex == one->ifindex) {
		one->link = m->link;
		one->found = true;
	}
	return 0;
}

/* The kernel says EINVAL for a namespace id that is gone. */
static bool vanished(int r)
{
	return r == -ENODEV || r == -EINVAL || r == -ENOENT || r == -ENXIO;
}

int bh_nl_get_link(struct bh_nl *nl, int32_t nsid, uint32_t ifindex, struct bh_nl_link *ret_link,
		   struct bh_err *err)
{
	const struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC, .ifi_index = (int)ifindex };
	struct one_link one = { .ifindex = ifindex };
	struct reader rd = { .fn = take_link, .arg = &one, .nsid = nsid };
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETLINK, 0);
	int r;

	if (!msg)
		return -ENOMEM;
	r = nlmsg_append(msg, (void *)&ifi, sizeof(ifi), NLMSG_ALIGNTO);
	if (r == 0 && nsid >= 0)
		r = nla_put_s32(msg, IFLA_TARGET_NETNSID, nsid);
	r = r < 0 ? -ENOMEM : ask(nl, msg, &rd, err);
	nlmsg_free(msg);
	if (vanished(r))
		return -ENODEV;
	if (r < 0)
		return bh_err_set(err, r, "ask for interface %u in namespace %d: %s", ifindex, nsid,
				  strerror(-r));
	if (!one.found)
		return -ENODEV;
	*ret_link = one.link;
	return 0;
}

int bh_nl_peer_links(struct bh_nl *nl, int32_t nsid, bh_nl_fn *fn, void *arg, struct bh_err *err)
{
	const struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC };
	struct reader rd = { .fn = fn, .arg = arg, .nsid = nsid };
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETLINK, NLM_F_DUMP);
	int r;

	if (!msg)
		return -ENOMEM;
	r = nlmsg_append(msg, (void *)&ifi, sizeof(ifi), NLMSG_ALIGNTO);
	if (r == 0)
		r = nla_put_u32(msg, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	if (r == 0)
		r = nla_put_s32(msg, IFLA_TARGET_NETNSID, nsid);
	r = r < 0 ? -ENOMEM : ask(nl, msg, &rd, err);
	nlmsg_free(msg);
	if (rd.fn_error || r == -ESTALE || r >= 0)
		return r;
	if (vanished(r))
		return -ENODEV;
	return bh_err_set(err, r, "ask for interfaces in namespace %d: %s", nsid, strerror(-r));
}

int bh_nl_peer_addrs(struct bh_nl *nl, int32_t nsid, uint32_t ifindex, bh_nl_fn *fn, void *arg,
		     struct bh_err *err)
{
	static const unsigned char families[] = { AF_INET, AF_INET6 };
	struct reader rd = { .fn = fn, .arg = arg, .nsid = nsid };

	for (size_t i = 0; i < sizeof(families); i++) {
		const struct ifaddrmsg ifa = { .ifa_family = families[i], .ifa_index = ifindex };
		struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETADDR, NLM_F_DUMP);
		int r;

		if (!msg)
			return -ENOMEM;
		r = nlmsg_append(msg, (void *)&ifa, sizeof(ifa), NLMSG_ALIGNTO);
		if (r == 0)
			r = nla_put_s32(msg, IFA_TARGET_NETNSID, nsid);
		r = r < 0 ? -ENOMEM : ask(nl, msg, &rd, err);
		nlmsg_free(msg);
		if (vanished(r))
			return -ENODEV;
		if (r == -ESTALE)
			return r;
		if (r < 0)
			return bh_err_set(err, r, "ask for addresses of %u in namespace %d: %s",
					  ifindex, nsid, strerror(-r));
	}
	return 0;
}
