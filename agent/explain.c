/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/explain.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/control_route.h"
#include "agent/pipeline.h"
#include "agent/view.h"
#include "bpf/frame.h"
#include "bpf/names.h"
#include "common/err.h"
#include "common/json.h"

/* A port that no server of ours listens on, as a client's would be. */
#define CLIENT_PORT 40000

struct end {
	const struct bh_explain_end *q;
	const struct bh_pic_pod *pod; /* NULL: only an address */
	const struct bh_if *on_node;  /* NULL: not filtered here */
	struct bh_addr addr;
};

static const struct bh_pic_pod *pod_of_addr(const struct bh_picture *pic, const struct bh_addr *a)
{
	for (size_t i = 0; i < pic->n_pods; i++) {
		const struct bh_pic_pod *p = &pic->pods[i];

		for (size_t k = 0; p->live && k < p->obj->pod.n_addrs; k++) {
			if (!bh_addr_cmp(&p->obj->pod.addrs[k], a))
				return p;
		}
	}
	return NULL;
}

static int find_end(struct bh_pipeline *pl, const struct bh_explain_end *q, const char *which,
		    struct end *ret_end, struct bh_err *err)
{
	const struct bh_picture *pic = bh_pipeline_picture(pl);
	struct end e = { .q = q, .addr = q->addr };

	if (q->is_addr) {
		e.pod = pod_of_addr(pic, &e.addr);
	} else {
		e.pod = bh_picture_pod(pic, q->ns, q->name);
		if (!e.pod)
			return bh_err_set(err, ENOENT, "%s: no pod '%s' is known", which, q->text);
		if (!e.pod->obj->pod.n_addrs)
			return bh_err_set(err, ENOENT, "%s: pod '%s' has no address yet", which,
					  q->text);
		e.addr = e.pod->obj->pod.addrs[0];
	}
	e.on_node = e.pod ? bh_ifs_of_pod(bh_pipeline_ifs(pl), e.pod) : NULL;
	*ret_end = e;
	return 0;
}

/* The pod's address of @like's family, where the pod was named and not its address. */
static void match_family(struct end *e, const struct bh_addr *like)
{
	if (e->q->is_addr)
		return;
	for (size_t i = 0; i < e->pod->obj->pod.n_addrs; i++) {
		const struct bh_addr *a = &e->pod->obj->pod.addrs[i];

		if (bh_addr_is_v4(a) == bh_addr_is_v4(like)) {
			e->addr = *a;
			return;
		}
	}
}

/* Whose address it is, if it is a Service's: which one, and which kind of address. */
static void add_service(const struct bh_picture *pic, const struct bh_pic_addr *a,
			struct bh_json *j)
{
	bh_autofree char *name = NULL;
	const char *kind = NULL;

	if (a && (a->cluster_ip || a->external))
		kind = a->cluster_ip ? "cluster" : "external";
	if (kind && a->service != BH_NO_SERVICE) {
		const struct bh_object_key *key = &pic->services[a->service].obj->key;

		if (asprintf(&name, "%s/%s", key->ns, key->name) < 0)
			name = NULL;
	}
	/* claimed by several: none has it alone */
	bh_json_set_str(j, "service", name);
	bh_json_set_str(j, "serviceAddress", kind);
}

static struct bh_json *end_json(struct bh_pipeline *pl, const struct end *e)
{
	const struct bh_picture *pic = bh_pipeline_picture(pl);
	const struct bh_addr judged = bh_picture_judged(pic, &e->addr);
	const struct bh_pic_addr *a = e->pod ? NULL : bh_picture_addr(pic, &judged);
	const uint32_t tenant = e->pod ? e->pod->tenant : a ? a->tenant : BH_NO_TENANT;
	struct bh_json *j = bh_json_new_object();
	char text[BH_ADDR_STRLEN];

	bh_json_set_str(j, "text", e->q->text);
	bh_json_set_str(j, "address", bh_addr_str(&e->addr, text));
	bh_json_set(j, "pod", e->pod ? bh_view_pod(e->pod) : bh_json_new_null());
	bh_json_set_str(j, "class",
			bh_class_name(e->pod ? e->pod->cls : bh_picture_classify(pic, &e->addr)));
	bh_json_set_str(j, "tenant", bh_view_tenant(pic, tenant));
	add_service(pic, a, j);
	return j;
}

/* One end's say. Returns 1 if it lets the packet pass, 0 if not, or negative errno. */
static int ask(struct bh_pipeline *pl, const struct end *e, uint8_t dir,
	       const struct bh_flow_spec *flow, struct bh_json *steps)
{
	struct bh_datapath *dp = bh_pipeline_datapath(pl);
	struct bh_explain_answer a;
	uint8_t frame[BH_FRAME_MAX];
	struct bh_json *j;
	size_t len;
	int r;

	r = bh_frame_build(flow, frame, &len);
	if (r >= 0)
		r = bh_datapath_explain(dp, e->on_node->ifindex, dir, frame, len, &a);
	if (r < 0)
		return r;
	j = bh_json_new_object();
	bh_json_set_str(j, "point", dir == BH_DIR_EGRESS ? "from_pod" : "to_pod");
	bh_json_set(j, "pod", bh_view_pod(e->pod));
	bh_json_set_str(j, "interface", e->on_node->name);
	bh_json_set_str(j, "verdict", bh_verdict_name(a.verdict));
	bh_json_set_str(j, "reason", bh_reason_name(a.reason));
	bh_json_set_str(j, "reasonText", bh_reason_text(a.reason));
	bh_json_set_str(j, "peerClass", bh_class_name(a.peer_cls));
	bh_json_set_str(j, "peerTenant",
			a.peer_cls == BH_CLASS_TENANT
				? bh_ids_name(bh_datapath_ids(dp), a.peer_tenant)
				: NULL);
	bh_json_set_bool(j, "grant", a.grant);
	bh_json_append(steps, j);
	return a.verdict != BH_VERDICT_DROP;
}

static int ask_both(struct bh_pipeline *pl, const struct end *src, const struct end *dst,
		    const struct bh_explain_query *q, struct bh_json *ret_obj)
{
	struct bh_flow_spec flow = { .src = src->addr,
				     .dst = dst->addr,
				     .proto = q->proto,
				     .sport = CLIENT_PORT,
				     .dport = q->port,
				     .src_mac.b = { 2 },
				     .dst_mac.b = { 2, 0, 0, 0, 0, 1 } };
	struct bh_json *steps = bh_json_new_array();
	bool allowed = true;
	int r = 0;

	if (src->on_node)
		flow.src_mac = src->on_node->mac;
	if (dst->on_node)
		flow.dst_mac = dst->on_node->mac;
	bh_json_set(ret_obj, "steps", steps);
	if (src->on_node) {
		r = ask(pl, src, BH_DIR_EGRESS, &flow, steps);
		allowed = r > 0;
	}
	if (dst->on_node && r >= 0) {
		r = ask(pl, dst, BH_DIR_INGRESS, &flow, steps);
		allowed = allowed && r > 0;
	}
	if (r < 0)
		return r;
	/* nothing here was asked: neither yes nor no */
	bh_json_set(ret_obj, "allowed",
		    src->on_node || dst->on_node ? bh_json_new_bool(allowed) : bh_json_new_null());
	if (!src->on_node && !dst->on_node)
		bh_json_set_str(ret_obj, "note",
				"neither end is filtered on this node: ask where they are");
	else if (!src->on_node != !dst->on_node)
		bh_json_set_str(ret_obj, "note",
				"one end is on this node; the other end's node may still refuse");
	else
		bh_json_set(ret_obj, "note", bh_json_new_null());
	return 0;
}

int bh_explain(struct bh_pipeline *pl, const struct bh_explain_query *q, struct bh_json **ret_json,
	       struct bh_err *err)
{
	bh_auto(bh_json_freep) struct bh_json *j = bh_json_new_object();
	struct end src, dst;
	int r;

	if (!j)
		return -ENOMEM;
	if (!bh_pipeline_picture(pl))
		return bh_err_set(err, EAGAIN, "nothing was applied yet");
	r = find_end(pl, &q->src, "src", &src, err);
	if (r >= 0)
		r = find_end(pl, &q->dst, "dst", &dst, err);
	if (r < 0)
		return r;
	match_family(&dst, &src.addr);
	match_family(&src, &dst.addr);
	if (bh_addr_is_v4(&src.addr) != bh_addr_is_v4(&dst.addr))
		return bh_err_set(err, EINVAL, "src and dst have no address family in common");
	bh_json_set(j, "src", end_json(pl, &src));
	bh_json_set(j, "dst", end_json(pl, &dst));
	bh_json_set_str(j, "proto", bh_proto_name(q->proto));
	bh_json_set(j, "port",
		    q->proto == IPPROTO_ICMP ? bh_json_new_null() : bh_json_new_int(q->port));
	r = ask_both(pl, &src, &dst, q, j);
	if (r < 0)
		return bh_err_set(err, r, "the kernel did not run the programs: %s", strerror(-r));
	*ret_json = BH_TAKE_PTR(j);
	return 0;
}
