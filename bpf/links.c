/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/links.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <linux/rtnetlink.h>

#include "bpf/links_nl.h"
#include "bpf/links_table.h"
#include "common/err.h"

#define MAX_TRIES 16 /* of reading a table that changes while it is read */

struct bh_links {
	struct bh_nl *nl;
	struct bh_links_table now;
};

struct filling {
	struct bh_links_table *to;
	const struct bh_links_table *old;
};

static int fill(const struct bh_nl_msg *m, void *arg)
{
	const struct filling *f = arg;

	return bh_links_table_fill(f->to, f->old, m);
}

static int list_all(struct bh_links *l, struct bh_links_table *fresh, struct bh_err *err)
{
	static const enum bh_nl_type types[] = { BH_NL_LINK, BH_NL_ADDR, BH_NL_ROUTE };
	struct filling f = { .to = fresh, .old = &l->now };

	for (int try = 0; try < MAX_TRIES; try++) {
		int r = 0;

		bh_links_table_done(fresh);
		for (size_t i = 0; i < sizeof(types) / sizeof(types[0]) && r == 0; i++)
			r = bh_nl_dump(l->nl, types[i], fill, &f, err);
		if (r == -E2BIG)
			return bh_err_set(err, r,
					  "more than %d interfaces, %d addresses or %d host routes",
					  BH_LINKS_MAX, BH_LINKS_MAX_ADDRS, BH_LINKS_MAX_ROUTES);
		if (r != -ESTALE)
			return r;
	}
	return bh_err_set(err, EBUSY, "the network changed during %d readings", MAX_TRIES);
}

static int read_all(struct bh_links *l, struct bh_err *err)
{
	struct bh_links_table fresh;
	int r;

	bh_links_table_init(&fresh);
	r = list_all(l, &fresh, err);
	if (r < 0) {
		bh_links_table_done(&fresh);
		return r;
	}
	bh_links_table_replace(&l->now, &fresh);
	return 0;
}

static int on_event(const struct bh_nl_msg *m, void *arg)
{
	struct bh_links *l = arg;

	bh_links_table_event(&l->now, m);
	return 0;
}

static int take_peer_addr(const struct bh_nl_msg *m, void *arg)
{
	struct bh_link *link = arg;

	if (m->type != BH_NL_ADDR || m->gone || m->addr.ifindex != link->peer_ifindex ||
	    m->addr.dad_failed || m->addr.scope >= RT_SCOPE_HOST)
		return 0;
	/* The kernel lists wider scopes first; what does not fit was never a pod's main address. */
	if (link->n_peer_addrs < BH_LINK_MAX_PEER_ADDRS)
		link->peer_addrs[link->n_peer_addrs++] = m->addr.addr;
	return 0;
}

static int cmp_addr(const void *a, const void *b)
{
	return bh_addr_cmp(a, b);
}

/* Names and kinds of the tunnels that their modules put into every namespace. */
static bool from_birth(const struct bh_nl_link *l)
{
	static const char *const names[][2] = {
		{ "tunl0", "ipip" },	 { "sit0", "sit" },	  { "gre0", "gre" },
		{ "gretap0", "gretap" }, { "erspan0", "erspan" }, { "ip_vti0", "vti" },
		{ "ip6tnl0", "ip6tnl" }, { "ip6gre0", "ip6gre" }, { "ip6_vti0", "vti6" },
	};

	/* what was moved here from elsewhere says so, and leads there */
	for (size_t i = 0; l->nsid < 0 && i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(l->name, names[i][0]) && !strcmp(l->kind, names[i][1]))
			return true;
	}
	return false;
}

struct looking {
	struct bh_links *l;
	struct bh_link *seen;
	struct bh_nl_link veths[BH_LINK_MAX_OTHERS * 4]; /* to be asked about when all are read */
	size_t n_veths;
	size_t n;
};

static bool is_other_end(const struct bh_link *link, int32_t nsid, const struct bh_nl_link *end)
{
	return link && link->veth && link->nsid == nsid && link->peer_ifindex == end->ifindex;
}

static void add_other(struct bh_link *seen, const struct bh_nl_link *m)
{
	struct bh_link_other *o = &seen->others[seen->n_others];

	if (seen->n_others == BH_LINK_MAX_OTHERS) {
		seen->more_others = true;
		return;
	}
	o->ifindex = m->ifindex;
	memcpy(o->name, m->name, sizeof(o->name));
	memcpy(o->kind, m->kind, sizeof(o->kind));
	seen->n_others++;
}

static int take_other(const struct bh_nl_msg *m, void *arg)
{
	struct looking *k = arg;
	const struct bh_nl_link *l = &m->link;

	if (m->type != BH_NL_LINK || m->gone || l->loopback ||
	    l->ifindex == k->seen->peer_ifindex || !strcmp(l->kind, "tun") || from_birth(l))
		return 0;
	/* whoever owns the namespace can make as many as he likes; this is enough to know */
	if (++k->n > sizeof(k->veths) / sizeof(k->veths[0]))
		return -E2BIG;
	if (l->veth && l->link)
		k->veths[k->n_veths++] = *l;
	else
		add_other(k->seen, l);
	return 0;
}

/* Is it the other end of one of ours? Our picture may lag, so the kernel has the last word. */
static bool leads_here(struct bh_links *l, int32_t nsid, const struct bh_nl_link *end)
{
	struct bh_nl_link m;

	if (is_other_end(bh_links_table_link(&l->now, end->link), nsid, end))
		return true;
	return bh_nl_get_link(l->nl, -1, end->link, &m, NULL) == 0 && m.veth && m.nsid == nsid &&
	       m.link == end->ifindex;
}

static int by_ifindex(const void *a, const void *b)
{
	const struct bh_link_other *x = a, *y = b;

	return (x->ifindex > y->ifindex) - (x->ifindex < y->ifindex);
}

/* The other interfaces in there, into @seen. Returns as bh_nl_peer_links(). */
static int ask_others(struct bh_links *l, struct bh_link *seen, struct bh_err *err)
{
	int r = -ESTALE;

	for (int try = 0; try < MAX_TRIES && r == -ESTALE; try++) {
		struct looking k = { .l = l, .seen = seen };

		seen->n_others = 0;
		seen->more_others = false;
		memset(seen->others, 0, sizeof(seen->others));
		r = bh_nl_peer_links(l->nl, seen->nsid, take_other, &k, err);
		if (r == -E2BIG) {
			seen->more_others = true;
			r = 0;
		}
		for (size_t i = 0; i < k.n_veths && r >= 0; i++) {
			if (!leads_here(l, seen->nsid, &k.veths[i]))
				add_other(seen, &k.veths[i]);
		}
	}
	qsort(seen->others, seen->n_others, sizeof(seen->others[0]), by_ifindex);
	return r == -ESTALE ? 0 : r; /* what was read in the last try is better than nothing */
}

/*
 * What is behind @link, into the peer part of *@seen, which comes with all but that part filled.
 * Unknown is no failure: ends come and go while they are asked for.
 */
static int ask_peer(struct bh_links *l, struct bh_link *seen, struct bh_err *err)
{
	struct bh_nl_link peer, here;
	int r;

	r = bh_nl_get_link(l->nl, seen->nsid, seen->peer_ifindex, &peer, err);
	/* Numbers are used again: only an end that names this one as its other end is ours. */
	if (r == -ENODEV || (r == 0 && (!peer.veth || peer.link != seen->ifindex)))
		return 0;
	for (int try = 0; try < MAX_TRIES && r == 0; try++) {
		seen->n_peer_addrs = 0;
		r = bh_nl_peer_addrs(l->nl, seen->nsid, seen->peer_ifindex, take_peer_addr, seen,
				     err);
		if (r != -ESTALE)
			break;
		r = try < MAX_TRIES - 1 ? 0 : r;
	}
	if (r >= 0)
		r = ask_others(l, seen, err);
	/* after the other end, see bh_link */
	if (r >= 0)
		r = bh_nl_get_link(l->nl, -1, seen->ifindex, &here, err);
	if (r < 0) {
		seen->n_peer_addrs = 0;
		seen->n_others = 0;
		return r == -ENODEV ? 0 : r;
	}
	seen->peer_rx_packets = peer.rx_packets;
	seen->tx_packets = here.tx_packets;
	qsort(seen->peer_addrs, seen->n_peer_addrs, sizeof(seen->peer_addrs[0]), cmp_addr);
	seen->peer_mac = peer.mac;
	seen->peer_known = true;
	return 0;
}

/* One link that events left open: where its other end is, else what is there. */
static int ask_link(struct bh_links *l, uint32_t ifindex, struct bh_err *err)
{
	struct bh_link *link = bh_links_table_link(&l->now, ifindex), seen;
	struct bh_nl_msg m = { .type = BH_NL_LINK };
	int r;

	if (!link)
		return 0;
	if (link->nsid < 0) {
		r = bh_nl_get_link(l->nl, -1, ifindex, &m.link, err);
		if (r == 0)
			bh_links_table_event(&l->now, &m);
		return r == -ENODEV ? 0 : r;
	}
	seen = (struct bh_link){ .ifindex = link->ifindex,
				 .nsid = link->nsid,
				 .peer_ifindex = link->peer_ifindex };
	r = ask_peer(l, &seen, err);
	bh_links_table_set_peer(&l->now, link, &seen);
	return r;
}

/* Catches up with all that events cannot tell. As bh_links_dispatch(). */
static int settle(struct bh_links *l, struct bh_err *err)
{
	int r = 0, first = 0;

	if (l->now.stale)
		first = read_all(l, err);
	while (l->now.ask.n) {
		const size_t last = l->now.ask.n - 1;
		const uint32_t ifindex = *(const uint32_t *)bh_sorted_at(&l->now.ask, last);

		bh_sorted_remove(&l->now.ask, last);
		r = ask_link(l, ifindex, first ? NULL : err);
		first = first ? first : r;
	}
	r = bh_links_table_publish(&l->now);
	first = first ? first : r;
	return first ? first : BH_TAKE(l->now.changed, false);
}

int bh_links_new(struct bh_links **ret_links, struct bh_err *err)
{
	bh_auto(bh_links_freep) struct bh_links *l = NULL;
	int r;

	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	bh_links_table_init(&l->now);
	l->now.stale = true;
	/* Subscribed first: what changes while it is read comes as an event. */
	r = bh_nl_new(&l->nl, err);
	if (r < 0)
		return r;
	r = settle(l, err);
	if (r < 0)
		return r;
	*ret_links = BH_TAKE_PTR(l);
	return 0;
}

struct bh_links *bh_links_free(struct bh_links *l)
{
	if (!l)
		return NULL;
	bh_nl_free(l->nl);
	bh_links_table_done(&l->now);
	free(l);
	return NULL;
}

int bh_links_fd(const struct bh_links *l)
{
	return bh_nl_fd(l->nl);
}

int bh_links_dispatch(struct bh_links *l, struct bh_err *err)
{
	/* Whatever was lost or could not be read: what is there now tells the same. */
	if (bh_nl_events(l->nl, on_event, l, NULL) < 0) {
		l->now.stale = true;
		l->now.touched_all = true;
	}
	return settle(l, err);
}

int bh_links_refresh_peers(struct bh_links *l, struct bh_err *err)
{
	bh_links_table_ask_peers(&l->now);
	return settle(l, err);
}

const struct bh_link *bh_links_list(const struct bh_links *l, size_t *ret_n)
{
	*ret_n = l->now.links.n;
	return l->now.links.v;
}

const struct bh_link *bh_links_get(const struct bh_links *l, uint32_t ifindex)
{
	return bh_links_table_link(&l->now, ifindex);
}

const uint32_t *bh_links_touched(const struct bh_links *l, size_t *ret_n, bool *ret_all)
{
	*ret_n = l->now.touched.n;
	*ret_all = l->now.touched_all;
	return l->now.touched.v;
}

void bh_links_touched_done(struct bh_links *l)
{
	bh_sorted_done(&l->now.touched);
	l->now.touched_all = false;
}

const struct bh_addr *bh_links_host_addrs(const struct bh_links *l, size_t *ret_n)
{
	*ret_n = l->now.n_host_addrs;
	return l->now.host_addrs;
}

uint32_t bh_links_route(const struct bh_links *l, const struct bh_addr *a)
{
	return bh_links_table_route(&l->now, a);
}
