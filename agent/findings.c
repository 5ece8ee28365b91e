/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/findings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/names.h"
#include "model/model.h"

static const struct {
	const char *name;
	bool unready;
} kinds[] = {
#define X(id, label, unready, text) [BH_FINDING_##id] = { label, unready },
	BH_FINDINGS(X)
#undef X
};

const char *bh_finding_name(enum bh_finding_kind k)
{
	return (unsigned int)k < BH_FINDING_MAX_ ? kinds[k].name : "?";
}

bool bh_finding_unready(enum bh_finding_kind k)
{
	return (unsigned int)k < BH_FINDING_MAX_ && kinds[k].unready;
}

/* A new one about @f, to be described by the caller. NULL: no memory. */
static struct bh_finding *add(struct bh_findings *out, const struct bh_picture *pic,
			      const struct bh_if *f, enum bh_finding_kind kind)
{
	struct bh_finding *grown = out->v, *it;

	if (!(out->n & (out->n - 1))) { /* a power of two, or none: full */
		grown = reallocarray(out->v, out->n ? 2 * out->n : 1, sizeof(*grown));
		if (!grown)
			return NULL;
		out->v = grown;
	}
	it = &grown[out->n++];
	*it = (struct bh_finding){ .kind = kind, .ifindex = f->ifindex };
	memcpy(it->interface, f->name, sizeof(it->interface));
	if (f->pod)
		(void)snprintf(it->pod, sizeof(it->pod), "%s/%s", f->pod->obj->key.ns,
			       f->pod->obj->key.name);
	if (f->pod && f->pod->tenant < pic->n_tenants)
		(void)snprintf(it->tenant, sizeof(it->tenant), "%.63s",
			       pic->tenants[f->pod->tenant].name);
	return it;
}

/* Names come from programs' owners and from pods: shown as text, never as terminal control. */
static void append(char *to, size_t cap, const char *text)
{
	size_t n = strlen(to);

	for (; *text && n + 1 < cap; text++)
		to[n++] = *text >= ' ' && *text <= '~' ? *text : '?';
	to[n] = '\0';
}

static int add_position(struct bh_findings *out, const struct bh_findings_input *in,
			const struct bh_if *f)
{
	struct bh_finding *it = NULL;

	for (size_t i = 0; i < in->n_fronts; i++) {
		const struct bh_front *p = &in->fronts[i];
		char id[64];

		if (p->ifindex != f->ifindex)
			continue;
		if (!it)
			it = add(out, in->pic, f, BH_FINDING_POSITION);
		if (!it)
			return -ENOMEM;
		append(it->message, sizeof(it->message), it->message[0] ? ", " : "before ours: ");
		append(it->message, sizeof(it->message), p->name[0] ? p->name : "?");
		if (p->prog_id)
			(void)snprintf(id, sizeof(id), " (%s, id %" PRIu32 ", %s)",
				       bh_attach_name(p->how), p->prog_id, bh_dir_name(p->dir));
		else
			(void)snprintf(id, sizeof(id), " (%s, no program, %s)",
				       bh_attach_name(p->how), bh_dir_name(p->dir));
		append(it->message, sizeof(it->message), id);
	}
	return 0;
}

static int add_unseen(struct bh_findings *out, const struct bh_findings_input *in,
		      const struct bh_if *f)
{
	const uint64_t n = in->unseen ? bh_unseen_packets(in->unseen, f->ifindex) : 0;
	struct bh_finding *it;

	if (!n || f->state != BH_IF_ENFORCED)
		return 0;
	it = add(out, in->pic, f, BH_FINDING_INGRESS_UNENFORCED);
	if (!it)
		return -ENOMEM;
	/* no figure: the same finding must read the same */
	append(it->message, sizeof(it->message),
	       "packets reach the pod without passing this interface (bpf_redirect_peer)");
	return 0;
}

static int add_others(struct bh_findings *out, const struct bh_findings_input *in,
		      const struct bh_if *f)
{
	struct bh_finding *it;

	if (!f->n_others && !f->more_others)
		return 0;
	it = add(out, in->pic, f, BH_FINDING_UNPROTECTED_INTERFACE);
	if (!it)
		return -ENOMEM;
	append(it->message, sizeof(it->message),
	       f->closed ? "closed because of " : "not filtered: ");
	for (size_t i = 0; i < f->n_others; i++) {
		const struct bh_link_other *o = &f->others[i];

		append(it->message, sizeof(it->message), i ? ", " : "");
		append(it->message, sizeof(it->message), o->name);
		append(it->message, sizeof(it->message), " (");
		append(it->message, sizeof(it->message), o->kind[0] ? o->kind : "device");
		append(it->message, sizeof(it->message), ")");
	}
	if (f->more_others)
		append(it->message, sizeof(it->message), " and more");
	return 0;
}

static int add_second(struct bh_findings *out, const struct bh_findings_input *in,
		      const struct bh_if *f)
{
	struct bh_finding *it;

	if (!f->second)
		return 0;
	it = add(out, in->pic, f, BH_FINDING_SECOND_INTERFACE);
	if (!it)
		return -ENOMEM;
	append(it->message, sizeof(it->message),
	       "leads into a tenant's pod that has another, closed");
	return 0;
}

int bh_findings_collect(const struct bh_findings_input *in, struct bh_findings *ret_findings)
{
	struct bh_findings out = { 0 };
	int r = 0;

	for (size_t i = 0; in->pic && i < in->ifs->n && r >= 0; i++) {
		r = add_position(&out, in, &in->ifs->v[i]);
		if (r >= 0)
			r = add_unseen(&out, in, &in->ifs->v[i]);
		if (r >= 0)
			r = add_others(&out, in, &in->ifs->v[i]);
		if (r >= 0)
			r = add_second(&out, in, &in->ifs->v[i]);
	}
	if (r < 0) {
		bh_findings_done(&out);
		return r;
	}
	*ret_findings = out;
	return 0;
}

void bh_findings_done(struct bh_findings *f)
{
	free(f->v);
	*f = (struct bh_findings){ 0 };
}

const struct bh_finding *bh_findings_get(const struct bh_findings *f, enum bh_finding_kind kind,
					 uint32_t ifindex)
{
	for (size_t i = 0; i < f->n; i++) {
		if (f->v[i].kind == kind && f->v[i].ifindex == ifindex)
			return &f->v[i];
	}
	return NULL;
}

size_t bh_findings_count(const struct bh_findings *f, enum bh_finding_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		n += f->v[i].kind == kind;
	return n;
}
