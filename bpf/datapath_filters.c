/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The classic filters on one hook, in the order in which a packet meets them: libbpf can only ask
 * for one that is known already.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bpf/datapath_priv.h"
#include "common/cleanup.h"

#define ANSWER_MAX 32768 /* NLMSG_GOODSIZE at most, however large our buffer */

struct request {
	struct nlmsghdr h;
	struct tcmsg t;
};

struct listing {
	struct bh_filter *v;
	size_t n, cap;
};

static void copy_text(char *to, size_t cap, const struct rtattr *a)
{
	const size_t len = RTA_PAYLOAD(a), n = len < cap - 1 ? len : cap - 1;

	memcpy(to, RTA_DATA(a), n);
	to[n] = '\0';
}

static uint32_t number(const struct rtattr *a)
{
	uint32_t v = 0;

	if (RTA_PAYLOAD(a) >= sizeof(v))
		memcpy(&v, RTA_DATA(a), sizeof(v));
	return v;
}

static void take_options(struct bh_filter *f, const struct rtattr *options)
{
	const struct rtattr *a = RTA_DATA(options);
	int left = (int)RTA_PAYLOAD(options);

	for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == TCA_BPF_ID)
			f->prog_id = number(a);
		else if (a->rta_type == TCA_BPF_NAME)
			copy_text(f->name, sizeof(f->name), a);
	}
}

static void take(struct listing *l, const struct nlmsghdr *h)
{
	const struct tcmsg *t = NLMSG_DATA(h);
	const struct rtattr *options = NULL, *a;
	struct bh_filter f = { 0 };
	int left;

	if (h->nlmsg_type != RTM_NEWTFILTER || h->nlmsg_len < NLMSG_LENGTH(sizeof(*t)))
		return;
	f.handle = t->tcm_handle;
	f.priority = TC_H_MAJ(t->tcm_info) >> 16;
	a = (const void *)((const char *)t + NLMSG_ALIGN(sizeof(*t)));
	left = (int)(h->nlmsg_len - NLMSG_LENGTH(sizeof(*t)));
	for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == TCA_KIND)
			copy_text(f.kind, sizeof(f.kind), a);
		else if (a->rta_type == TCA_CHAIN)
			f.chain = number(a);
		else if (a->rta_type == TCA_OPTIONS)
			options = a;
	}
	/* without a handle: the head of a list, which judges nothing itself */
	if (!f.handle || f.chain || l->n == l->cap)
		return;
	if (options && !strcmp(f.kind, "bpf"))
		take_options(&f, options);
	l->v[l->n++] = f;
}

static int receive(int fd, struct listing *l)
{
	bh_autofree char *buf = malloc(ANSWER_MAX);

	if (!buf)
		return -ENOMEM;
	for (;;) {
		ssize_t n = recv(fd, buf, ANSWER_MAX, 0);
		unsigned int left = (unsigned int)n;

		if (n < 0)
			return -errno;
		for (const struct nlmsghdr *h = (const void *)buf; NLMSG_OK(h, left);
		     h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_type == NLMSG_DONE)
				return 0;
			if (h->nlmsg_type == NLMSG_ERROR)
				return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
			take(l, h);
		}
	}
}

int bh_filters_list(uint32_t ifindex, uint8_t dir, struct bh_filter *v, size_t cap)
{
	const struct request req = {
		.h = { .nlmsg_len = sizeof(req),
		       .nlmsg_type = RTM_GETTFILTER,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.t = { .tcm_family = AF_UNSPEC,
		       .tcm_ifindex = (int)ifindex,
		       .tcm_parent =
			       TC_H_MAKE(TC_H_CLSACT, dir == BH_DIR_EGRESS ? TC_H_MIN_INGRESS
									   : TC_H_MIN_EGRESS) },
	};
	bh_autoclose int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct listing l = { .v = v, .cap = cap };
	int r;

	if (fd < 0 || send(fd, &req, sizeof(req), 0) < 0)
		return -errno;
	r = receive(fd, &l);
	return r < 0 ? r : (int)l.n;
}
