/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/links_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <linux/rtnetlink.h>

#include "common/cleanup.h"

/* One host address as the kernel holds it: it may be there on several interfaces, and on one of
 * them with several prefix lengths. */
struct host_addr {
	struct bh_addr addr;
	uint32_t ifindex;
	uint8_t plen;
	bool by_route;
};

static int cmp_num(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int cmp_ifindex(const void *a, const void *b)
{
	return cmp_num(*(const uint32_t *)a, *(const uint32_t *)b);
}

static int cmp_link(const void *a, const void *b)
{
	return cmp_num(((const struct bh_link *)a)->ifindex, ((const struct bh_link *)b)->ifindex);
}

static int cmp_addr(const void *va, const void *vb)
{
	const struct host_addr *a = va, *b = vb;
	int r = bh_addr_cmp(&a->addr, &b->addr);

	r = r ? r : cmp_num(a->ifindex, b->ifindex);
	r = r ? r : cmp_num(a->plen, b->plen);
	return r ? r : cmp_num(a->by_route, b->by_route);
}

/* What tells one route from another that may stand beside it, but for the interface. */
static int cmp_route_slot(const struct bh_nl_route *a, const struct bh_nl_route *b)
{
	int r = bh_addr_cmp(&a->dst, &b->dst);

	/* Which table a packet meets first is up to the rules; main is what CNIs write to. */
	r = r ? r : cmp_num(a->table != RT_TABLE_MAIN, b->table != RT_TABLE_MAIN);
	r = r ? r : cmp_num(a->table, b->table);
	r = r ? r : cmp_num(a->metric, b->metric);
	return r ? r : cmp_num(a->tos, b->tos);
}

static int cmp_route(const void *va, const void *vb)
{
	const struct bh_nl_route *a = va, *b = vb;
	int r = cmp_route_slot(a, b);

	return r ? r : cmp_num(a->ifindex, b->ifindex);
}

void bh_links_table_init(struct bh_links_table *t)
{
	*t = (struct bh_links_table){
		.links = BH_SORTED(struct bh_link, BH_LINKS_MAX, cmp_link),
		.addrs = BH_SORTED(struct host_addr, BH_LINKS_MAX_ADDRS, cmp_addr),
		.routes = BH_SORTED(struct bh_nl_route, BH_LINKS_MAX_ROUTES, cmp_route),
		.ask = BH_SORTED(uint32_t, BH_LINKS_MAX, cmp_ifindex),
		.touched = BH_SORTED(uint32_t, BH_LINKS_MAX, cmp_ifindex),
	};
}

void bh_links_table_done(struct bh_links_table *t)
{
	bh_sorted_done(&t->links);
	bh_sorted_done(&t->addrs);
	bh_sorted_done(&t->routes);
	bh_sorted_done(&t->ask);
	bh_sorted_done(&t->touched);
	free(t->host_addrs);
	t->host_addrs = NULL;
	t->n_host_addrs = 0;
}

static bool same_peer(const struct bh_link *a, const struct bh_link *b)
{
	if (a->peer_known != b->peer_known || a->n_peer_addrs != b->n_peer_addrs ||
	    memcmp(&a->peer_mac, &b->peer_mac, sizeof(a->peer_mac)) != 0)
		return false;
	if (a->n_others != b->n_others || a->more_others != b->more_others ||
	    memcmp(a->others, b->others, a->n_others * sizeof(a->others[0])) != 0)
		return false;
	return memcmp(a->peer_addrs, b->peer_addrs, a->n_peer_addrs * sizeof(a->peer_addrs[0])) ==
	       0;
}

static bool same_link(const struct bh_link *a, const struct bh_link *b)
{
	return a->ifindex == b->ifindex && strcmp(a->name, b->name) == 0 && a->veth == b->veth &&
	       a->ipvs == b->ipvs && a->up == b->up && a->master == b->master &&
	       a->nsid == b->nsid && memcmp(&a->mac, &b->mac, sizeof(a->mac)) == 0 &&
	       a->peer_ifindex == b->peer_ifindex && same_peer(a, b);
}

static void copy_peer(struct bh_link *to, const struct bh_link *from)
{
	to->peer_known = from->peer_known;
	to->peer_mac = from->peer_mac;
	memcpy(to->peer_addrs, from->peer_addrs, sizeof(to->peer_addrs));
	to->n_peer_addrs = from->n_peer_addrs;
	memcpy(to->others, from->others, sizeof(to->others));
	to->n_others = from->n_others;
	to->more_others = from->more_others;
	to->peer_rx_packets = from->peer_rx_packets;
	to->tx_packets = from->tx_packets;
}

/* @old is what was known of it, or NULL: an other end stays known while it is the same. */
static struct bh_link make_link(const struct bh_nl_link *m, const struct bh_link *old)
{
	struct bh_link l = { .ifindex = m->ifindex,
			     .veth = m->veth,
			     .ipvs = strcmp(m->kind, "dummy") == 0 &&
				     strcmp(m->name, "kube-ipvs0") == 0,
			     .up = m->up,
			     .master = m->master,
			     .mac = m->mac,
			     .nsid = -1 };

	memcpy(l.name, m->name, sizeof(l.name));
	if (m->veth) {
		l.nsid = m->nsid;
		l.peer_ifindex = m->link;
	}
	if (old && old->nsid == l.nsid && old->peer_ifindex == l.peer_ifindex)
		copy_peer(&l, old);
	return l;
}

static bool is_loopback(const struct bh_addr *a)
{
	static const struct bh_addr one = { .b = { [15] = 1 } };

	return bh_addr_is_v4(a) ? a->b[12] == 127 : bh_addr_cmp(a, &one) == 0;
}

/* Whether @m is about an address of the host itself that others can reach. */
static bool make_host_addr(const struct bh_nl_msg *m, struct host_addr *ret_a)
{
	if (m->type == BH_NL_ADDR && !is_loopback(&m->addr.addr)) {
		*ret_a = (struct host_addr){ m->addr.addr, m->addr.ifindex, m->addr.plen, false };
		return true;
	}
	/* In no list of addresses: a router answers for the lowest address of each IPv6 subnet (RFC
	 * 4291, 2.6.1), and every service on UDP hears what is sent to a broadcast address. */
	if (m->type == BH_NL_ROUTE && m->route.kind == BH_NL_ROUTE_OWN &&
	    !is_loopback(&m->route.dst)) {
		*ret_a = (struct host_addr){ m->route.dst, m->route.ifindex, 128, true };
		return true;
	}
	return false;
}

static const struct bh_nl_route *first_route(const struct bh_sorted *routes,
					     const struct bh_addr *dst)
{
	const struct bh_nl_route lowest = { .dst = *dst, .table = RT_TABLE_MAIN };
	const size_t i = bh_sorted_lower(routes, &lowest);
	const struct bh_nl_route *r = i < routes->n ? bh_sorted_at(routes, i) : NULL;

	return r && bh_addr_cmp(&r->dst, dst) == 0 ? r : NULL;
}

struct bh_link *bh_links_table_link(const struct bh_links_table *t, uint32_t ifindex)
{
	const struct bh_link key = { .ifindex = ifindex };

	return bh_sorted_find(&t->links, &key);
}

static int cmp_plain_addr(const void *a, const void *b)
{
	return bh_addr_cmp(a, b);
}

uint32_t bh_links_table_route(const struct bh_links_table *t, const struct bh_addr *a)
{
	const struct bh_nl_route *r = first_route(&t->routes, a);

	/* The kernel makes such a route for the host's end of a point-to-point address, too. */
	if (!r || (t->n_host_addrs &&
		   bsearch(a, t->host_addrs, t->n_host_addrs, sizeof(*a), cmp_plain_addr)))
		return 0;
	return r->ifindex;
}

/* Listings */

int bh_links_table_fill(struct bh_links_table *t, const struct bh_links_table *old,
			const struct bh_nl_msg *m)
{
	struct host_addr a;

	if (m->gone || m->type == BH_NL_TC)
		return 0;
	if (m->type == BH_NL_LINK) {
		const struct bh_link link =
			make_link(&m->link, bh_links_table_link(old, m->link.ifindex));

		return bh_sorted_put(&t->links, &link);
	}
	if (make_host_addr(m, &a))
		return bh_sorted_put(&t->addrs, &a);
	if (m->type == BH_NL_ROUTE && m->route.kind == BH_NL_ROUTE_HOST)
		return bh_sorted_put(&t->routes, &m->route);
	return 0;
}

static bool same_links(const struct bh_sorted *a, const struct bh_sorted *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (!same_link(bh_sorted_at(a, i), bh_sorted_at(b, i)))
			return false;
	}
	return true;
}

/* Whether every destination in @a leads to the same interface in @b. */
static bool routes_within(const struct bh_sorted *a, const struct bh_sorted *b)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct bh_nl_route *r = bh_sorted_at(a, i), *other = first_route(b, &r->dst);

		if (first_route(a, &r->dst) == r && (!other || other->ifindex != r->ifindex))
			return false;
	}
	return true;
}

static void swap(struct bh_sorted *a, struct bh_sorted *b)
{
	const struct bh_sorted tmp = *a;

	*a = *b;
	*b = tmp;
}

void bh_links_table_replace(struct bh_links_table *t, struct bh_links_table *fresh)
{
	t->changed |= !same_links(&t->links, &fresh->links) ||
		      !routes_within(&t->routes, &fresh->routes) ||
		      !routes_within(&fresh->routes, &t->routes);
	swap(&t->links, &fresh->links);
	swap(&t->addrs, &fresh->addrs);
	swap(&t->routes, &fresh->routes);
	bh_links_table_done(fresh);
	t->stale = false;
	bh_links_table_ask_peers(t);
}

/* Events */

static void ask_later(struct bh_links_table *t, uint32_t ifindex)
{
	if (bh_sorted_put(&t->ask, &ifindex) < 0)
		t->stale = true;
}

static void remove_route(struct bh_links_table *t, size_t i)
{
	const struct bh_nl_route gone = *(const struct bh_nl_route *)bh_sorted_at(&t->routes, i);
	const uint32_t before = bh_links_table_route(t, &gone.dst);

	bh_sorted_remove(&t->routes, i);
	t->changed |= bh_links_table_route(t, &gone.dst) != before;
}

/* IPv4 routes go without a message when their interface goes down or away. */
static void remove_routes_by(struct bh_links_table *t, uint32_t ifindex)
{
	for (size_t i = t->routes.n; i-- > 0;) {
		const struct bh_nl_route *r = bh_sorted_at(&t->routes, i);

		if (r->ifindex == ifindex)
			remove_route(t, i);
	}
}

static void on_link_gone(struct bh_links_table *t, uint32_t ifindex)
{
	const struct bh_link key = { .ifindex = ifindex };
	size_t i = bh_sorted_lower(&t->links, &key);

	if (i < t->links.n && bh_sorted_find(&t->links, &key)) {
		/* what is no veth may have gone into a pod, where nobody tells of it */
		if (!((const struct bh_link *)bh_sorted_at(&t->links, i))->veth)
			bh_links_table_ask_peers(t);
		bh_sorted_remove(&t->links, i);
		t->changed = true;
	}
	remove_routes_by(t, ifindex);
	for (i = t->addrs.n; i-- > 0;) {
		const struct host_addr *a = bh_sorted_at(&t->addrs, i);

		if (a->ifindex == ifindex)
			bh_sorted_remove(&t->addrs, i);
	}
	/* An end that is moved into another namespace goes from here; this one gets no message. */
	for (i = 0; i < t->links.n; i++) {
		const struct bh_link *other = bh_sorted_at(&t->links, i);

		if (other->veth && other->nsid < 0 && other->peer_ifindex == ifindex)
			ask_later(t, other->ifindex);
	}
}

static void on_link(struct bh_links_table *t, const struct bh_nl_link *m)
{
	const struct bh_link *old = bh_links_table_link(t, m->ifindex);
	const struct bh_link link = make_link(m, old);
	const bool went_down = old && old->up && !link.up;

	if (!old || !same_link(old, &link)) {
		if (bh_sorted_put(&t->links, &link) < 0) {
			t->stale = true;
			return;
		}
		t->changed = true;
	}
	if (went_down)
		remove_routes_by(t, link.ifindex);
	if (link.veth && link.nsid >= 0)
		ask_later(t, link.ifindex);
}

static void on_addr(struct bh_links_table *t, const struct host_addr *a, bool gone)
{
	const size_t i = bh_sorted_lower(&t->addrs, a);

	if (!gone) {
		if (bh_sorted_put(&t->addrs, a) < 0)
			t->stale = true;
		return;
	}
	if (bh_sorted_find(&t->addrs, a))
		bh_sorted_remove(&t->addrs, i);
	/* IPv4 routes with this source go with it without a message, and so do all of an interface
	 * that loses its last address. */
	for (size_t j = 0; j < t->routes.n && !t->stale; j++) {
		const struct bh_nl_route *r = bh_sorted_at(&t->routes, j);

		t->stale = r->ifindex == a->ifindex ||
			   (r->has_prefsrc && bh_addr_cmp(&r->prefsrc, &a->addr) == 0);
	}
}

static void on_host_route_gone(struct bh_links_table *t, const struct bh_nl_route *m)
{
	const size_t i = bh_sorted_lower(&t->routes, m);
	const struct bh_link *by = bh_links_table_link(t, m->ifindex);

	if (bh_sorted_find(&t->routes, m))
		remove_route(t, i);
	else if (by && by->up)
		t->stale = true; /* one of several ways went; the one that is left is not told */
}

static void on_host_route(struct bh_links_table *t, const struct bh_nl_route *m)
{
	const uint32_t before = bh_links_table_route(t, &m->dst);
	struct bh_nl_route slot = *m;
	size_t i;

	slot.ifindex = 0;
	i = bh_sorted_lower(&t->routes, &slot);
	while (m->replaces && i < t->routes.n &&
	       cmp_route_slot(bh_sorted_at(&t->routes, i), m) == 0)
		bh_sorted_remove(&t->routes, i);
	if (bh_sorted_put(&t->routes, m) < 0)
		t->stale = true;
	t->changed |= bh_links_table_route(t, &m->dst) != before;
}

void bh_links_table_event(struct bh_links_table *t, const struct bh_nl_msg *m)
{
	struct host_addr a;

	if (m->type == BH_NL_TC)
		t->touched_all |= bh_sorted_put(&t->touched, &m->tc.ifindex) < 0;
	else if (m->type == BH_NL_LINK && m->gone)
		on_link_gone(t, m->link.ifindex);
	else if (m->type == BH_NL_LINK)
		on_link(t, &m->link);
	else if (make_host_addr(m, &a))
		on_addr(t, &a, m->gone);
	else if (m->type == BH_NL_ROUTE && m->route.kind == BH_NL_ROUTE_HOST && m->gone)
		on_host_route_gone(t, &m->route);
	else if (m->type == BH_NL_ROUTE && m->route.kind == BH_NL_ROUTE_HOST)
		on_host_route(t, &m->route);
	else if (m->type == BH_NL_ROUTE && first_route(&t->routes, &m->route.dst))
		t->stale = true; /* it may have taken the place of one that is known */
}

void bh_links_table_ask_peers(struct bh_links_table *t)
{
	for (size_t i = 0; i < t->links.n; i++) {
		const struct bh_link *link = bh_sorted_at(&t->links, i);

		if (link->veth && link->nsid >= 0)
			ask_later(t, link->ifindex);
	}
}

void bh_links_table_set_peer(struct bh_links_table *t, struct bh_link *link,
			     const struct bh_link *seen)
{
	t->changed |= !same_peer(seen, link);
	copy_peer(link, seen);
}

/*
 * kube-proxy in mode ipvs gives every ClusterIP and external address to this interface of the host,
 * so that the kernel takes the packets in: they are Services', and none of the host's own. 0: none.
 */
static uint32_t ipvs_ifindex(const struct bh_links_table *t)
{
	for (size_t i = 0; i < t->links.n; i++) {
		const struct bh_link *link = bh_sorted_at(&t->links, i);

		if (link->ipvs)
			return link->ifindex;
	}
	return 0;
}

int bh_links_table_publish(struct bh_links_table *t)
{
	const uint32_t ipvs = ipvs_ifindex(t);
	const size_t n = t->addrs.n;
	bh_autofree struct bh_addr *v = NULL;
	size_t k = 0;

	v = calloc(n ? n : 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct host_addr *a = bh_sorted_at(&t->addrs, i);

		if (a->ifindex != ipvs && (!k || bh_addr_cmp(&v[k - 1], &a->addr) != 0))
			v[k++] = a->addr;
	}
	if (k != t->n_host_addrs || (k && memcmp(v, t->host_addrs, k * sizeof(*v)) != 0))
		t->changed = true;
	free(t->host_addrs);
	t->host_addrs = BH_TAKE_PTR(v);
	t->n_host_addrs = k;
	return 0;
}
