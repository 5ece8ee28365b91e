/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/view.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "agent/config.h"
#include "agent/pipeline.h"
#include "agent/sources/dir.h"
#include "bpf/names.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/version.h"
#include "model/tenant.h"

#define MAX_MAPS 32

struct bh_json *bh_view_pod(const struct bh_pic_pod *pod)
{
	bh_autofree char *text = NULL;

	if (asprintf(&text, "%s/%s", pod->obj->key.ns, pod->obj->key.name) < 0)
		return NULL;
	return bh_json_new_str(text);
}

const char *bh_view_tenant(const struct bh_picture *pic, uint32_t tenant)
{
	return tenant < pic->n_tenants ? pic->tenants[tenant].name : NULL;
}

static struct bh_json *source_json(const struct bh_view *v)
{
	struct bh_json *j = bh_json_new_object(), *objects = bh_json_new_object(),
		       *list = bh_json_new_array();
	const struct bh_model *m = bh_pipeline_model(v->pl);
	const struct bh_dir_problem *pr;
	uint64_t total;
	size_t n;

	bh_json_set_str(j, "kind", "dir");
	bh_json_set_str(j, "path", v->cfg->manifests);
	bh_json_set_bool(j, "synced", bh_dir_readable(v->dir));
	for (int k = 0; k < BH_KIND_MAX_; k++)
		bh_json_set_int(objects, bh_kind_name((enum bh_kind)k),
				(int64_t)bh_model_count(m, (enum bh_kind)k));
	bh_json_set(j, "objects", objects);
	total = bh_dir_problems(v->dir, &pr, &n);
	bh_json_set_int(j, "problemCount", (int64_t)total);
	for (size_t i = 0; i < n; i++) {
		struct bh_json *p = bh_json_new_object();

		bh_json_set_str(p, "file", pr[i].file);
		bh_json_set_int(p, "document", pr[i].doc);
		bh_json_set_str(p, "object", pr[i].object);
		bh_json_set_str(p, "message", pr[i].message);
		bh_json_append(list, p);
	}
	bh_json_set(j, "problems", list);
	return j;
}

static struct bh_json *maps_json(const struct bh_view *v)
{
	struct bh_map_info info[MAX_MAPS];
	const size_t n = bh_datapath_maps(bh_pipeline_datapath(v->pl), info, MAX_MAPS);
	struct bh_json *list = bh_json_new_array();

	for (size_t i = 0; i < n; i++) {
		struct bh_json *j = bh_json_new_object();

		bh_json_set_str(j, "name", info[i].name);
		bh_json_set_int(j, "entries", (int64_t)info[i].entries);
		bh_json_set_int(j, "max", (int64_t)info[i].max_entries);
		bh_json_set_int(j, "bytes", (int64_t)info[i].bytes);
		bh_json_append(list, j);
	}
	return list;
}

static struct bh_json *interfaces_json(const struct bh_view *v)
{
	const struct bh_picture *pic = bh_pipeline_picture(v->pl);
	const struct bh_ifs *ifs = bh_pipeline_ifs(v->pl);
	struct bh_json *list = bh_json_new_array();

	for (size_t i = 0; i < ifs->n; i++) {
		const struct bh_if *f = &ifs->v[i];
		struct bh_json *j = bh_json_new_object();

		bh_json_set_int(j, "ifindex", f->ifindex);
		bh_json_set_str(j, "name", f->name);
		bh_json_set_str(j, "state", bh_if_state_name(f->state));
		bh_json_set(j, "pod", f->pod ? bh_view_pod(f->pod) : bh_json_new_null());
		bh_json_set_str(j, "tenant", f->pod ? bh_view_tenant(pic, f->pod->tenant) : NULL);
		bh_json_append(list, j);
	}
	return list;
}

static struct bh_json *datapath_json(const struct bh_view *v)
{
	const struct bh_datapath *dp = bh_pipeline_datapath(v->pl);
	struct bh_json *j = bh_json_new_object();
	struct utsname u = { 0 };

	(void)uname(&u);
	bh_json_set_str(j, "attach", bh_attach_name(bh_datapath_attach_mode(dp)));
	bh_json_set_int(j, "abi", BH_ABI_VERSION);
	bh_json_set_str(j, "bpffs", v->cfg->bpffs);
	bh_json_set_str(j, "kernel", u.release);
	bh_json_set_int(j, "generation", bh_datapath_generation(dp));
	bh_json_set(j, "maps", maps_json(v));
	bh_json_set(j, "interfaces", interfaces_json(v));
	return j;
}

static struct bh_json *problems_json(const struct bh_view *v)
{
	struct bh_json *list = bh_json_new_array();
	size_t n;
	const struct bh_policy_problem *pr = bh_pipeline_problems(v->pl, &n);

	for (size_t i = 0; i < n; i++) {
		struct bh_json *j = bh_json_new_object();

		bh_json_set_str(j, "tenant", *pr[i].tenant ? pr[i].tenant : NULL);
		bh_json_set_str(j, "message", pr[i].text);
		bh_json_append(list, j);
	}
	return list;
}

/* Milliseconds to the microsecond: what is behind that is noise. */
static double ms(uint64_t ns)
{
	const uint64_t us = ns / BH_NS_PER_US;

	return (double)us / 1e3;
}

static struct bh_json *apply_json(const struct bh_view *v)
{
	const struct bh_apply_stats *st = bh_pipeline_stats(v->pl);
	struct bh_json *j = bh_json_new_object();

	bh_json_set_int(j, "count", (int64_t)st->latency.count);
	bh_json_set_int(j, "failures", (int64_t)st->failures);
	bh_json_set_num(j, "lastMs", ms(st->last_ns));
	bh_json_set_num(j, "maxMs", ms(st->max_ns));
	bh_json_set_str(j, "lastError", st->last_failed ? st->last_error : NULL);
	return j;
}

static struct bh_json *finding_json(const struct bh_finding *f)
{
	struct bh_json *j = bh_json_new_object();

	bh_json_set_str(j, "kind", bh_finding_name(f->kind));
	bh_json_set_str(j, "interface", f->interface);
	bh_json_set_int(j, "ifindex", f->ifindex);
	bh_json_set_str(j, "pod", f->pod[0] ? f->pod : NULL);
	bh_json_set_str(j, "tenant", f->tenant[0] ? f->tenant : NULL);
	bh_json_set_str(j, "message", f->message);
	return j;
}

static struct bh_json *findings_json(const struct bh_view *v)
{
	const struct bh_findings *f = bh_pipeline_findings(v->pl);
	struct bh_json *list = bh_json_new_array();

	for (size_t i = 0; i < f->n; i++)
		bh_json_append(list, finding_json(&f->v[i]));
	return list;
}

struct bh_json *bh_view_status(const struct bh_view *v)
{
	const struct bh_picture *pic = bh_pipeline_picture(v->pl);
	struct bh_json *j = bh_json_new_object(), *reasons = bh_json_new_array(),
		       *cidrs = bh_json_new_array(), *reporter = bh_json_new_object();
	char lines[BH_READY_MAX][BH_READY_LINE], text[BH_PREFIX_STRLEN];
	const size_t n = bh_pipeline_unready(v->pl, lines);

	for (size_t i = 0; i < n; i++)
		bh_json_append(reasons, bh_json_new_str(lines[i]));
	for (size_t i = 0; pic && i < pic->n_cluster_cidrs; i++)
		bh_json_append(cidrs, bh_json_new_str(bh_prefix_str(&pic->cluster_cidrs[i], text)));
	bh_json_set_bool(reporter, "alive", v->reporter_alive);
	bh_json_set_int(reporter, "restarts", v->reporter_restarts);
	bh_json_set_str(j, "node", v->cfg->node);
	bh_json_set_str(j, "version", bh_version());
	bh_json_set_bool(j, "ready", n == 0 && bh_dir_readable(v->dir));
	bh_json_set(j, "reasons", reasons);
	bh_json_set_int(j, "pid", getpid());
	bh_json_set_int(j, "uptimeSeconds", (int64_t)((bh_clock_ns() - v->start_ns) / BH_NS_PER_S));
	bh_json_set(j, "source", source_json(v));
	bh_json_set(j, "policyProblems", problems_json(v));
	bh_json_set(j, "findings", findings_json(v));
	bh_json_set(j, "datapath", datapath_json(v));
	bh_json_set(j, "clusterCIDRs", cidrs);
	bh_json_set(j, "apply", apply_json(v));
	bh_json_set(j, "reporter", reporter);
	bh_json_set_bool(j, "confined", v->confined);
	return j;
}

static struct bh_json *addresses_json(const struct bh_pod *p)
{
	struct bh_json *list = bh_json_new_array();
	char text[BH_ADDR_STRLEN];

	for (size_t i = 0; i < p->n_addrs; i++)
		bh_json_append(list, bh_json_new_str(bh_addr_str(&p->addrs[i], text)));
	return list;
}

static const char *pod_state(const struct bh_pic_pod *p, const struct bh_if *f)
{
	if (p->obj->pod.host_network)
		return "host-network";
	if (p->obj->pod.phase == BH_POD_TERMINAL)
		return "terminated";
	if (!p->local)
		return "remote";
	return f ? bh_if_state_name(f->state) : "no-interface";
}

static const char *pod_role(const struct bh_pic_pod *p)
{
	if (p->cls == BH_CLASS_TENANT && p->control_plane)
		return bh_role_name(BH_ROLE_CONTROL_PLANE);
	return p->cls == BH_CLASS_NODE ? NULL : bh_class_name(p->cls);
}

/* What of the pod is not filtered, or NULL. */
static const char *pod_unprotected(const struct bh_view *v, const struct bh_if *f)
{
	const struct bh_finding *found =
		f ? bh_findings_get(bh_pipeline_findings(v->pl), BH_FINDING_UNPROTECTED_INTERFACE,
				    f->ifindex)
		  : NULL;

	return found ? found->message : NULL;
}

static const char *pod_note(const struct bh_pic_pod *p, const struct bh_if *f)
{
	if (p->unisolatable)
		return "unisolatable: a tenant's pod with hostNetwork";
	if (f && f->shared)
		return "another pod claims this interface";
	if (p->cls == BH_CLASS_CONFLICT)
		return "claimed by more than one Tenant, or by a Tenant and as system";
	return NULL;
}

struct bh_json *bh_view_pods(const struct bh_view *v)
{
	const struct bh_picture *pic = bh_pipeline_picture(v->pl);
	const struct bh_ifs *ifs = bh_pipeline_ifs(v->pl);
	struct bh_json *top = bh_json_new_object(), *list = bh_json_new_array();

	for (size_t i = 0; pic && i < pic->n_pods; i++) {
		const struct bh_pic_pod *p = &pic->pods[i];
		const struct bh_if *f = bh_ifs_of_pod(ifs, p);
		struct bh_json *j = bh_json_new_object();

		bh_json_set_str(j, "namespace", p->obj->key.ns);
		bh_json_set_str(j, "name", p->obj->key.name);
		bh_json_set_str(j, "uid", p->obj->pod.uid);
		bh_json_set_str(j, "class", bh_class_name(p->cls));
		bh_json_set_str(j, "role", pod_role(p));
		bh_json_set_str(j, "tenant", bh_view_tenant(pic, p->tenant));
		bh_json_set(j, "addresses", addresses_json(&p->obj->pod));
		bh_json_set_bool(j, "local", p->local);
		bh_json_set_bool(j, "hostNetwork", p->obj->pod.host_network);
		bh_json_set_str(j, "interface", f ? f->name : NULL);
		bh_json_set(j, "ifindex", f ? bh_json_new_int(f->ifindex) : bh_json_new_null());
		bh_json_set_str(j, "state", pod_state(p, f));
		bh_json_set_str(j, "note", pod_note(p, f));
		bh_json_set_str(j, "unprotected", pod_unprotected(v, f));
		bh_json_append(list, j);
	}
	bh_json_set(top, "pods", list);
	return top;
}

static void event_time(struct bh_json *j, uint64_t mono_ns)
{
	const uint64_t ago = bh_clock_ns() - mono_ns;
	const uint64_t wall = bh_clock_wall_ns() - ago;
	const time_t s = (time_t)(wall / BH_NS_PER_S);
	char text[64];
	struct tm tm;
	size_t n;

	(void)gmtime_r(&s, &tm);
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(text + n, sizeof(text) - n, ".%06uZ",
		       (unsigned int)(wall % BH_NS_PER_S / BH_NS_PER_US));
	bh_json_set_str(j, "time", text);
}

static void event_ends(struct bh_json *j, const struct bh_abi_event *e)
{
	struct bh_addr a;
	char text[BH_ADDR_STRLEN];

	memcpy(a.b, e->saddr, sizeof(a.b));
	bh_json_set_str(j, "src", bh_addr_is_zero(&a) ? NULL : bh_addr_str(&a, text));
	bh_json_set_int(j, "sport", ntohs(e->sport));
	memcpy(a.b, e->daddr, sizeof(a.b));
	bh_json_set_str(j, "dst", bh_addr_is_zero(&a) ? NULL : bh_addr_str(&a, text));
	bh_json_set_int(j, "dport", ntohs(e->dport));
}

struct bh_json *bh_view_finding(const struct bh_view *v, const struct bh_finding *f, bool over)
{
	static const char *const null[] = { "direction", "verdict", "peerClass", "peerTenant",
					    "ethertype", "proto",   "src",	 "sport",
					    "dst",	 "dport",   "length" };
	struct bh_json *j = finding_json(f);

	event_time(j, bh_clock_ns());
	bh_json_set_str(j, "node", v->cfg->node);
	bh_json_set_str(j, "reason", bh_finding_name(f->kind));
	bh_json_set_bool(j, "over", over);
	bh_json_set_int(j, "suppressed", 0);
	for (size_t i = 0; i < sizeof(null) / sizeof(null[0]); i++)
		bh_json_set(j, null[i], bh_json_new_null());
	return j;
}

struct bh_json *bh_view_event(const struct bh_view *v, const struct bh_abi_event *e)
{
	const struct bh_ids *ids = bh_datapath_ids(bh_pipeline_datapath(v->pl));
	const struct bh_if *f = bh_ifs_get(bh_pipeline_ifs(v->pl), e->ifindex);
	const bool tenant_peer = e->peer_cls == BH_CLASS_TENANT && e->peer_tenant;
	struct bh_json *j = bh_json_new_object();
	char ethertype[8];

	(void)snprintf(ethertype, sizeof(ethertype), "0x%04x", ntohs(e->ethertype));
	event_time(j, e->ts_ns);
	bh_json_set_str(j, "node", v->cfg->node);
	bh_json_set_str(j, "direction", bh_dir_name(e->dir));
	bh_json_set_str(j, "verdict", bh_verdict_name(e->verdict));
	bh_json_set_str(j, "reason", bh_reason_name(e->reason));
	bh_json_set_str(j, "tenant", bh_ids_name(ids, e->tenant));
	bh_json_set(j, "pod", f && f->pod ? bh_view_pod(f->pod) : bh_json_new_null());
	bh_json_set_str(j, "interface", f ? f->name : NULL);
	bh_json_set_int(j, "ifindex", e->ifindex);
	bh_json_set_str(j, "peerClass", bh_class_name(e->peer_cls));
	bh_json_set_str(j, "peerTenant", tenant_peer ? bh_ids_name(ids, e->peer_tenant) : NULL);
	bh_json_set_str(j, "ethertype", ethertype);
	bh_json_set_str(j, "proto", bh_proto_name(e->proto));
	event_ends(j, e);
	bh_json_set_int(j, "length", e->len);
	bh_json_set_int(j, "suppressed", e->suppressed);
	return j;
}

struct bh_json *bh_view_flow(const struct bh_view *v, const struct bh_abi_flow_record *f)
{
	struct bh_json *j = bh_view_event(v, &f->e);

	bh_json_set_str(j, "rule", bh_rule_name(f->rule, f->e.peer_cls, f->world));
	bh_json_set_bool(j, "again", f->again);
	bh_json_set_int(j, "sample", f->sample);
	return j;
}
