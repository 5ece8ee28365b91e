/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/unseen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/links_sorted.h"
#include "bpf/links_table.h"

struct seen {
	uint32_t ifindex;
	struct bh_mac mac;  /* of the host's end, which no pod can change: is it the same veth? */
	unsigned int quiet; /* looks since the last growth */
	bool unseen;
	/*
	 * The most that ever were received beyond what was sent. Between reading the one and the
	 * other more is sent, so each look tells too little, never too much.
	 */
	uint64_t most;
};

struct bh_unseen {
	struct bh_sorted v; /* struct seen */
};

static int cmp(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;

	return (x->ifindex > y->ifindex) - (x->ifindex < y->ifindex);
}

int bh_unseen_new(struct bh_unseen **ret_unseen)
{
	struct bh_unseen *u = calloc(1, sizeof(*u));

	if (!u)
		return -ENOMEM;
	u->v = BH_SORTED(struct seen, BH_LINKS_MAX, cmp);
	*ret_unseen = u;
	return 0;
}

struct bh_unseen *bh_unseen_free(struct bh_unseen *u)
{
	if (!u)
		return NULL;
	bh_sorted_done(&u->v);
	free(u);
	return NULL;
}

static const struct seen *find(const struct bh_sorted *v, uint32_t ifindex)
{
	const struct seen key = { .ifindex = ifindex };

	return bh_sorted_find(v, &key);
}

static struct seen look(const struct seen *old, const struct bh_link *l)
{
	const uint64_t beyond =
		l->peer_rx_packets > l->tx_packets ? l->peer_rx_packets - l->tx_packets : 0;
	struct seen now = { .ifindex = l->ifindex, .mac = l->mac };

	if (old && !memcmp(&old->mac, &now.mac, sizeof(now.mac)))
		now = *old;
	if (beyond > now.most) {
		now.most = beyond;
		now.quiet = 0;
		now.unseen = true;
	} else if (now.unseen && ++now.quiet == BH_UNSEEN_QUIET_LOOKS) {
		now.unseen = false;
	}
	return now;
}

int bh_unseen_look(struct bh_unseen *u, const struct bh_link *links, size_t n)
{
	struct bh_sorted next = BH_SORTED(struct seen, BH_LINKS_MAX, cmp);
	bool changed = false;
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++) {
		const struct seen *old = find(&u->v, links[i].ifindex);
		struct seen now;

		if (!links[i].peer_known)
			continue;
		now = look(old, &links[i]);
		changed |= now.unseen != (old && old->unseen);
		r = bh_sorted_put(&next, &now);
	}
	if (r < 0) {
		bh_sorted_done(&next);
		return -ENOMEM;
	}
	bh_sorted_done(&u->v);
	u->v = next;
	return changed;
}

uint64_t bh_unseen_packets(const struct bh_unseen *u, uint32_t ifindex)
{
	const struct seen *s = find(&u->v, ifindex);

	return s && s->unseen ? s->most : 0;
}
