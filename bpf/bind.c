/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/bind.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "model/tenant.h"

/* FNV-1a, 64 bit */
#define FNV64_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV64_PRIME UINT64_C(0x100000001b3)

static const char *const state_name[] = {
#define X(id, label, ...) [BH_IF_##id] = label,
	BH_IF_STATES(X)
#undef X
};

const char *bh_if_state_name(enum bh_if_state s)
{
	return (unsigned int)s < BH_IF_MAX_ ? state_name[s] : "?";
}

/* Which interface has a peer with which address; by address, so that doubles are neighbours. */
struct evidence {
	struct bh_addr addr;
	uint32_t ifindex;
};

static int evidence_cmp(const void *a, const void *b)
{
	const struct evidence *x = a, *y = b;
	const int c = bh_addr_cmp(&x->addr, &y->addr);

	return c ? c : (x->ifindex > y->ifindex) - (x->ifindex < y->ifindex);
}

static struct bh_if *find(const struct bh_ifs *ifs, uint32_t ifindex)
{
	size_t lo = 0, hi = ifs->n;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (ifs->v[mid].ifindex == ifindex)
			return &ifs->v[mid];
		if (ifs->v[mid].ifindex < ifindex)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

const struct bh_if *bh_ifs_get(const struct bh_ifs *ifs, uint32_t ifindex)
{
	return find(ifs, ifindex);
}

const struct bh_if *bh_ifs_of_pod(const struct bh_ifs *ifs, const struct bh_pic_pod *pod)
{
	for (size_t i = 0; i < ifs->n; i++) {
		if (ifs->v[i].state == BH_IF_ENFORCED && ifs->v[i].pod == pod)
			return &ifs->v[i];
	}
	return NULL;
}

static uint32_t route_of(const void *routes, const struct bh_addr *a)
{
	return bh_links_route(routes, a);
}

void bh_bind_take_links(struct bh_bind_input *in, const struct bh_links *l)
{
	in->links = bh_links_list(l, &in->n_links);
	in->route = route_of;
	in->routes = l;
}

static bool ignored(const struct bh_bind_input *in, const char *name)
{
	for (size_t i = 0; i < in->n_ignore; i++) {
		if (!fnmatch(in->ignore[i], name, 0))
			return true;
	}
	return false;
}

static int collect_ifs(const struct bh_bind_input *in, struct bh_ifs *ifs)
{
	const struct bh_link *l = in->links;

	ifs->v = calloc(in->n_links + 1, sizeof(*ifs->v));
	if (!ifs->v)
		return -ENOMEM;
	for (size_t i = 0; i < in->n_links; i++) {
		struct bh_if *f = &ifs->v[ifs->n];

		if (!l[i].veth || l[i].nsid < 0)
			continue;
		f->ifindex = l[i].ifindex;
		memcpy(f->name, l[i].name, sizeof(f->name));
		f->state = ignored(in, l[i].name) ? BH_IF_IGNORED : BH_IF_QUARANTINED;
		f->nsid = l[i].nsid;
		memcpy(f->print.mac, l[i].mac.b, sizeof(f->print.mac));
		f->print.peer_ifindex = l[i].peer_ifindex;
		f->mac = l[i].peer_mac;
		ifs->n++;
	}
	return 0;
}

static int collect_evidence(const struct bh_bind_input *in, const struct bh_ifs *ifs,
			    struct evidence **ret_ev, size_t *ret_n)
{
	bh_autofree struct evidence *ev = NULL;
	size_t n = 0, cap = ifs->n * BH_LINK_MAX_PEER_ADDRS + 1;

	ev = calloc(cap, sizeof(*ev));
	if (!ev)
		return -ENOMEM;
	for (size_t i = 0; i < in->n_links; i++) {
		const struct bh_link *l = &in->links[i];
		const struct bh_if *f = find(ifs, l->ifindex);

		if (!f || f->state == BH_IF_IGNORED || !l->peer_known)
			continue;
		for (size_t k = 0; k < l->n_peer_addrs; k++)
			ev[n++] = (struct evidence){ l->peer_addrs[k], l->ifindex };
	}
	qsort(ev, n, sizeof(*ev), evidence_cmp);
	*ret_ev = BH_TAKE_PTR(ev);
	*ret_n = n;
	return 0;
}

/* The one interface with @a behind it, 0 if there is none or more than one. */
static uint32_t by_evidence(const struct evidence *ev, size_t n, const struct bh_addr *a)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (bh_addr_cmp(&ev[mid].addr, a) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == n || bh_addr_cmp(&ev[lo].addr, a))
		return 0;
	if (lo + 1 < n && !bh_addr_cmp(&ev[lo + 1].addr, a) && ev[lo + 1].ifindex != ev[lo].ifindex)
		return 0;
	return ev[lo].ifindex;
}

static bool row_has(const struct bh_abi_endpoint *ep, const struct bh_addr *a)
{
	return bh_addr_is_v4(a) ? ep->flags & BH_EP_HAS_V4 && !memcmp(ep->ip4, a->b + 12, 4)
				: ep->flags & BH_EP_HAS_V6 && !memcmp(ep->ip6, a->b, 16);
}

uint64_t bh_bind_tag(const struct bh_pic_pod *pod)
{
	const char *const parts[] = { pod->obj->key.ns, "/", pod->obj->key.name };
	uint64_t h = FNV64_BASIS;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		for (const char *p = parts[i]; *p; p++)
			h = (h ^ (uint8_t)*p) * FNV64_PRIME;
	}
	return h ? h : 1;
}

static const struct bh_abi_endpoint *bound_row(const struct bh_bind_input *in, uint32_t ifindex)
{
	for (size_t i = 0; i < in->n_bound; i++) {
		if (in->bound[i].ifindex == ifindex && in->bound[i].ep.flags)
			return &in->bound[i].ep;
	}
	return NULL;
}

/*
 * Was the interface bound to another pod? It leads to that one's namespace for life, whatever is
 * found in there, or said of its addresses, now.
 */
static bool led_elsewhere(const struct bh_abi_endpoint *row, const struct bh_pic_pod *pod)
{
	return row && row->pod && row->pod != bh_bind_tag(pod);
}

/* Likewise by addresses: not to a pod with none of those that it was bound with. */
static bool had_other_addrs(const struct bh_abi_endpoint *row, const struct bh_pod *pod)
{
	for (size_t i = 0; row && i < pod->n_addrs; i++) {
		if (row_has(row, &pod->addrs[i]))
			return false;
	}
	return row;
}

/* The interface, if there is one that may be this pod's. */
static struct bh_if *candidate(const struct bh_bind_input *in, const struct bh_ifs *ifs,
			       uint32_t ifindex, const struct bh_pic_pod *pod)
{
	struct bh_if *f = find(ifs, ifindex);

	return f && !led_elsewhere(bound_row(in, ifindex), pod) ? f : NULL;
}

/* What an endpoint was bound for: the interface, if it is still there and had this address. */
static struct bh_if *by_history(const struct bh_bind_input *in, const struct bh_ifs *ifs,
				const struct bh_addr *a, const struct bh_pic_pod *pod)
{
	struct bh_if *f = NULL;

	for (size_t i = 0; i < in->n_bound && !f; i++) {
		if (row_has(&in->bound[i].ep, a))
			f = candidate(in, ifs, in->bound[i].ifindex, pod);
	}
	return f;
}

static struct bh_if *locate(const struct bh_bind_input *in, const struct bh_ifs *ifs,
			    const struct evidence *ev, size_t n_ev,
			    const struct bh_pic_pod *pic_pod)
{
	const struct bh_pod *pod = &pic_pod->obj->pod;
	struct bh_if *f = NULL;

	for (size_t i = 0; i < pod->n_addrs && !f; i++)
		f = candidate(in, ifs, in->route(in->routes, &pod->addrs[i]), pic_pod);
	for (size_t i = 0; i < pod->n_addrs && !f; i++) {
		f = candidate(in, ifs, by_evidence(ev, n_ev, &pod->addrs[i]), pic_pod);
		if (f && had_other_addrs(bound_row(in, f->ifindex), pod))
			f = NULL;
	}
	for (size_t i = 0; i < pod->n_addrs && !f; i++)
		f = by_history(in, ifs, &pod->addrs[i], pic_pod);
	return f && f->state != BH_IF_IGNORED ? f : NULL;
}

static void bind_pod(struct bh_if *f, const struct bh_pic_pod *pod)
{
	const struct bh_pod *p = &pod->obj->pod;

	if (f->state == BH_IF_ENFORCED) {
		f->shared = true;
		return;
	}
	f->state = BH_IF_ENFORCED;
	f->pod = pod;
	f->tag = bh_bind_tag(pod);
	for (size_t i = 0; i < p->n_addrs; i++) {
		if (bh_addr_is_v4(&p->addrs[i]) && !f->has4) {
			f->has4 = true;
			f->addr4 = p->addrs[i];
		} else if (!bh_addr_is_v4(&p->addrs[i]) && !f->has6) {
			f->has6 = true;
			f->addr6 = p->addrs[i];
		}
	}
}

/* The MAC that was bound first stays: a pod must not talk itself into another's. */
static void keep_macs(const struct bh_bind_input *in, struct bh_ifs *ifs)
{
	for (size_t i = 0; i < in->n_bound; i++) {
		const struct bh_abi_endpoint *ep = &in->bound[i].ep;
		struct bh_if *f = find(ifs, in->bound[i].ifindex);

		if (f && f->state == BH_IF_ENFORCED &&
		    ((f->has4 && ep->flags & BH_EP_HAS_V4 &&
		      !memcmp(ep->ip4, f->addr4.b + 12, 4)) ||
		     (f->has6 && ep->flags & BH_EP_HAS_V6 && !memcmp(ep->ip6, f->addr6.b, 16))))
			memcpy(f->mac.b, ep->mac, 6);
	}
}

/* The pod is gone, its interface is not: what it was is kept, as a conflict that reaches nothing.
 */
static void retire(const struct bh_bind_input *in, struct bh_ifs *ifs)
{
	for (size_t i = 0; i < in->n_bound; i++) {
		const struct bh_abi_endpoint *ep = &in->bound[i].ep;
		struct bh_if *f = find(ifs, in->bound[i].ifindex);

		if (!f || f->state != BH_IF_QUARANTINED || !ep->flags)
			continue;
		f->retired = true;
		f->tag = ep->pod;
		memcpy(f->mac.b, ep->mac, sizeof(f->mac.b));
		f->has4 = ep->flags & BH_EP_HAS_V4;
		f->has6 = ep->flags & BH_EP_HAS_V6;
		if (f->has4)
			(void)bh_addr_from_bytes(ep->ip4, sizeof(ep->ip4), &f->addr4);
		if (f->has6)
			memcpy(f->addr6.b, ep->ip6, sizeof(ep->ip6));
	}
}

/* Without a MAC the pod cannot be told from its neighbours: not bound until it is known. */
static void unbind_macless(const struct bh_bind_input *in, struct bh_ifs *ifs)
{
	static const struct bh_mac none;

	for (size_t i = 0; i < ifs->n; i++) {
		struct bh_if *f = &ifs->v[i];

		if (f->state != BH_IF_ENFORCED || memcmp(&f->mac, &none, sizeof(none)))
			continue;
		ifs->unbound[ifs->n_unbound++] = (size_t)(f->pod - in->pic->pods);
		f->state = BH_IF_QUARANTINED;
		f->pod = NULL;
	}
}

static const struct bh_link *link_of(const struct bh_bind_input *in, uint32_t ifindex)
{
	size_t lo = 0, hi = in->n_links;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (in->links[mid].ifindex == ifindex)
			return &in->links[mid];
		if (in->links[mid].ifindex < ifindex)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static void add_other(struct bh_if *f, const struct bh_if *other)
{
	struct bh_link_other *o = &f->others[f->n_others];

	if (f->n_others == BH_LINK_MAX_OTHERS) {
		f->more_others = true;
		return;
	}
	*o = (struct bh_link_other){ .kind = "veth" };
	memcpy(o->name, other->name, sizeof(o->name));
	f->n_others++;
}

static bool of_tenant(const struct bh_if *f)
{
	return f->state == BH_IF_ENFORCED &&
	       (f->pod->cls == BH_CLASS_TENANT || f->pod->cls == BH_CLASS_CONFLICT);
}

/* Does the Tenant of @f's pod want it closed while something of it is not filtered? */
static bool denies(const struct bh_picture *pic, const struct bh_if *f)
{
	const struct bh_tenant_spec *s =
		f->pod->tenant < pic->n_tenants ? pic->tenants[f->pod->tenant].spec : NULL;

	return s && s->net.mode == BH_MODE_ENFORCE && s->net.deny_other_interfaces;
}

/* What else leads into, or out of, the namespaces of tenants' pods. */
static void find_others(const struct bh_bind_input *in, struct bh_ifs *ifs)
{
	for (size_t i = 0; i < ifs->n; i++) {
		struct bh_if *f = &ifs->v[i];
		const struct bh_link *l = of_tenant(f) ? link_of(in, f->ifindex) : NULL;

		if (!l)
			continue;
		memcpy(f->others, l->others, sizeof(f->others));
		f->n_others = l->n_others;
		f->more_others = l->more_others;
		for (size_t k = 0; k < ifs->n; k++) {
			if (k == i || ifs->v[k].nsid != f->nsid ||
			    ifs->v[k].state == BH_IF_ENFORCED)
				continue;
			if (ifs->v[k].state == BH_IF_IGNORED) {
				add_other(f, &ifs->v[k]);
				continue;
			}
			ifs->v[k].state = BH_IF_QUARANTINED;
			ifs->v[k].second = true;
		}
		f->closed = (f->n_others || f->more_others) && denies(in->pic, f);
	}
}

static bool was_left_alone(const struct bh_bind_input *in, const struct bh_if *f)
{
	static const struct bh_abi_left_alone not_known;

	for (size_t i = 0; i < in->n_left_alone; i++) {
		const struct bh_abi_left_alone *print = &in->left_alone[i].print;

		/* another one may have got its number: that one was not there */
		if (in->left_alone[i].ifindex == f->ifindex)
			return !memcmp(print, &f->print, sizeof(*print)) ||
			       !memcmp(print, &not_known, sizeof(*print));
	}
	return false;
}

int bh_bind(const struct bh_bind_input *in, struct bh_ifs *ret_ifs)
{
	__attribute__((__cleanup__(bh_ifs_done))) struct bh_ifs ifs = { 0 };
	bh_autofree struct evidence *ev = NULL;
	size_t n_ev = 0;
	int r;

	r = collect_ifs(in, &ifs);
	if (r < 0)
		return r;
	r = collect_evidence(in, &ifs, &ev, &n_ev);
	if (r < 0)
		return r;
	ifs.unbound = calloc(in->pic->n_pods + 1, sizeof(*ifs.unbound));
	if (!ifs.unbound)
		return -ENOMEM;
	for (size_t i = 0; i < in->pic->n_pods; i++) {
		const struct bh_pic_pod *pod = &in->pic->pods[i];
		struct bh_if *f;

		if (!pod->local || !pod->live)
			continue;
		f = locate(in, &ifs, ev, n_ev, pod);
		if (f)
			bind_pod(f, pod);
		else
			ifs.unbound[ifs.n_unbound++] = i;
	}
	keep_macs(in, &ifs);
	retire(in, &ifs);
	for (size_t i = 0; i < ifs.n; i++) {
		if (ifs.v[i].state == BH_IF_QUARANTINED &&
		    (in->first_start || was_left_alone(in, &ifs.v[i])))
			ifs.v[i].state = BH_IF_LEFT_ALONE;
	}
	/* after that: what leads to a known pod is closed, not left alone */
	unbind_macless(in, &ifs);
	find_others(in, &ifs);
	*ret_ifs = ifs;
	ifs = (struct bh_ifs){ 0 };
	return 0;
}

void bh_ifs_done(struct bh_ifs *ifs)
{
	free(ifs->v);
	free(ifs->unbound);
	*ifs = (struct bh_ifs){ 0 };
}
