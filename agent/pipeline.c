/* SPDX-License-Identifier: Apache-2.0 */
#define BH_LOG_COMP "pipeline"
#include "agent/pipeline.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

struct bh_pipeline {
	const struct bh_config *cfg;
	bool synced;
	struct bh_model *model;
	struct bh_links *links;
	struct bh_datapath *dp;
	struct bh_picture *pic;
	struct bh_ifs ifs;
	struct bh_policy_problem problems[BH_POLICY_MAX_PROBLEMS];
	size_t n_problems;
	struct bh_unseen *unseen;
	struct bh_findings findings;
	struct bh_apply_stats stats;
};

int bh_pipeline_new(const struct bh_config *cfg, struct bh_pipeline **ret_pl, struct bh_err *err)
{
	const struct bh_datapath_opts opts = {
		.bpffs = cfg->bpffs,
		.attach = cfg->attach,
		.max_endpoints = cfg->max_endpoints,
		.flows_per_endpoint = cfg->flows_per_endpoint,
		.packets_per_second = cfg->packets_per_second,
		.new_flows_per_second = cfg->new_flows_per_second,
	};
	bh_auto(bh_pipeline_freep) struct bh_pipeline *pl = calloc(1, sizeof(*pl));
	int r;

	if (!pl)
		return -ENOMEM;
	pl->cfg = cfg;
	r = bh_model_new(&pl->model);
	if (r < 0)
		return r;
	r = bh_unseen_new(&pl->unseen);
	if (r < 0)
		return r;
	r = bh_links_new(&pl->links, err);
	if (r < 0)
		return bh_err_wrap(err, r, "reading the interfaces");
	r = bh_datapath_open(&opts, &pl->dp, err);
	if (r < 0)
		return r;
	*ret_pl = BH_TAKE_PTR(pl);
	return 0;
}

struct bh_pipeline *bh_pipeline_free(struct bh_pipeline *pl)
{
	if (!pl)
		return NULL;
	bh_ifs_done(&pl->ifs);
	bh_picture_free(pl->pic);
	bh_findings_done(&pl->findings);
	bh_unseen_free(pl->unseen);
	bh_datapath_close(pl->dp);
	bh_links_free(pl->links);
	bh_model_free(pl->model);
	free(pl);
	return NULL;
}

struct bh_model *bh_pipeline_model(struct bh_pipeline *pl)
{
	return pl->model;
}

const struct bh_model *bh_pipeline_objects(const struct bh_pipeline *pl)
{
	return pl->model;
}

struct bh_links *bh_pipeline_links(struct bh_pipeline *pl)
{
	return pl->links;
}

struct bh_datapath *bh_pipeline_datapath(struct bh_pipeline *pl)
{
	return pl->dp;
}

const struct bh_picture *bh_pipeline_picture(const struct bh_pipeline *pl)
{
	return pl->pic;
}

const struct bh_ifs *bh_pipeline_ifs(const struct bh_pipeline *pl)
{
	return &pl->ifs;
}

const struct bh_policy_problem *bh_pipeline_problems(const struct bh_pipeline *pl, size_t *ret_n)
{
	*ret_n = pl->n_problems;
	return pl->problems;
}

const struct bh_apply_stats *bh_pipeline_stats(const struct bh_pipeline *pl)
{
	return &pl->stats;
}

static int derive(struct bh_pipeline *pl, struct bh_picture **ret_pic)
{
	const struct bh_config *cfg = pl->cfg;
	size_t n_host;
	const struct bh_addr *host = bh_links_host_addrs(pl->links, &n_host);
	const struct bh_env env = {
		.node = cfg->node,
		.system_namespaces = (const char *const *)cfg->system_namespaces,
		.n_system_namespaces = cfg->n_system_namespaces,
		.cluster_cidrs = cfg->cluster_cidrs,
		.n_cluster_cidrs = cfg->n_cluster_cidrs,
		.nat64 = cfg->nat64,
		.n_nat64 = cfg->n_nat64,
		.dns_servers = cfg->dns_servers,
		.n_dns_servers = cfg->n_dns_servers,
		.host_addrs = host,
		.n_host_addrs = n_host,
		.trust_unready_nodes = cfg->trust_unready_nodes,
	};

	return bh_model_derive(pl->model, &env, ret_pic);
}

/* A tenant without a number is enforced as a conflict: closed, and said so. */
static void number_tenants(struct bh_pipeline *pl, const struct bh_picture *pic)
{
	for (size_t i = 0; i < pic->n_tenants; i++) {
		uint32_t id;
		const int r = bh_datapath_number(pl->dp, pic->tenants[i].name, &id);

		if (r < 0)
			bh_warn_limited("tenant '%s' gets no number (%s), its pods reach nothing",
					pic->tenants[i].name, strerror(-r));
	}
}

static int bind_ifs(struct bh_pipeline *pl, const struct bh_picture *pic, struct bh_ifs *ret_ifs)
{
	bh_autofree struct bh_bound *bound = NULL;
	bh_autofree struct bh_left_alone *left_alone = NULL;
	struct bh_bind_input in = {
		.pic = pic,
		.ignore = (const char *const *)pl->cfg->ignore_interfaces,
		.n_ignore = pl->cfg->n_ignore_interfaces,
		.first_start = bh_datapath_fresh(pl->dp),
	};
	int r;

	r = bh_datapath_bound(pl->dp, &bound, &in.n_bound);
	if (r >= 0)
		r = bh_datapath_left_alone(pl->dp, &left_alone, &in.n_left_alone);
	if (r < 0)
		return r;
	in.bound = bound;
	in.left_alone = left_alone;
	bh_bind_take_links(&in, pl->links);
	return bh_bind(&in, ret_ifs);
}

static void log_states(const struct bh_pipeline *pl, const struct bh_ifs *ifs)
{
	for (size_t i = 0; i < ifs->n; i++) {
		const struct bh_if *now = &ifs->v[i], *old = bh_ifs_get(&pl->ifs, now->ifindex);

		if (old && old->state == now->state)
			continue;
		if (now->state == BH_IF_ENFORCED)
			bh_info("interface %s leads to pod %s/%s: enforced", now->name,
				now->pod->obj->key.ns, now->pod->obj->key.name);
		else
			bh_info("interface %s: %s", now->name, bh_if_state_name(now->state));
	}
}

/* The old picture goes last: the old interfaces point into it. */
static void keep(struct bh_pipeline *pl, struct bh_picture *pic, struct bh_ifs *ifs)
{
	bh_ifs_done(&pl->ifs);
	bh_picture_free(pl->pic);
	pl->pic = pic;
	pl->ifs = *ifs;
	*ifs = (struct bh_ifs){ 0 };
}

void bh_pipeline_set_synced(struct bh_pipeline *pl)
{
	pl->synced = true;
}

static int guard(struct bh_pipeline *pl, struct bh_apply_result *ret_res, struct bh_err *err)
{
	__attribute__((__cleanup__(bh_ifs_done))) struct bh_ifs ifs = { 0 };
	bh_auto(bh_picture_freep) struct bh_picture *pic = NULL;
	int r;

	if (bh_datapath_fresh(pl->dp))
		return 0; /* the first run tells what was there before from what is new */
	r = derive(pl, &pic);
	if (r >= 0)
		r = bind_ifs(pl, pic, &ifs);
	if (r < 0)
		return bh_err_set(err, r, "cannot tell new interfaces: %s", strerror(-r));
	return bh_datapath_guard(pl->dp, &ifs, ret_res, err);
}

static int run_once(struct bh_pipeline *pl, struct bh_apply_result *ret_res, struct bh_err *err)
{
	__attribute__((__cleanup__(bh_ifs_done))) struct bh_ifs ifs = { 0 };
	bh_auto(bh_picture_freep) struct bh_picture *pic = NULL;
	bh_auto(bh_policy_freep) struct bh_policy *policy = NULL;
	int r;

	r = derive(pl, &pic);
	if (r < 0)
		return bh_err_set(err, r, "cannot derive the picture: %s", strerror(-r));
	number_tenants(pl, pic);
	r = bind_ifs(pl, pic, &ifs);
	if (r >= 0)
		r = bh_policy_build(pic, bh_datapath_ids(pl->dp), &ifs, &policy);
	if (r < 0)
		return bh_err_set(err, r, "cannot build the policy: %s", strerror(-r));
	memcpy(pl->problems, policy->problems, sizeof(pl->problems));
	pl->n_problems = policy->n_problems;
	r = bh_datapath_apply(pl->dp, BH_TAKE_PTR(policy), &ifs, ret_res, err);
	/* logged by the old state's pods and the new ones': both are still there */
	log_states(pl, &ifs);
	keep(pl, BH_TAKE_PTR(pic), &ifs);
	return r;
}

static void account(struct bh_pipeline *pl, uint64_t ns, const struct bh_apply_result *res, int r)
{
	struct bh_apply_stats *st = &pl->stats;

	bh_histogram_add(&st->latency, ns);
	st->failures += r < 0;
	st->writes += res->writes;
	st->last_failed = r < 0;
	st->last_ns = ns;
	if (ns > st->max_ns)
		st->max_ns = ns;
}

void bh_pipeline_run(struct bh_pipeline *pl)
{
	struct bh_apply_result res = { 0 };
	struct bh_err err = { 0 };
	const uint64_t start = bh_clock_ns();
	int r = bh_datapath_verify(pl->dp);

	if (r >= 0)
		r = pl->synced ? run_once(pl, &res, &err) : guard(pl, &res, &err);
	account(pl, bh_clock_ns() - start, &res, r);
	(void)snprintf(pl->stats.last_error, sizeof(pl->stats.last_error), "%s",
		       r < 0 ? (err.msg[0] ? err.msg : strerror(-r)) : "");
	if (r < 0)
		bh_warn_limited(
			"%s; %zu writes done, %zu failed, trying again with the next change",
			pl->stats.last_error, res.writes, res.failures);
	else
		bh_debug("applied: %zu writes, %zu interfaces on, %zu off, %.1f ms", res.writes,
			 res.attached, res.detached, (double)pl->stats.last_ns / 1e6);
}

bool bh_pipeline_lost(struct bh_pipeline *pl, bool touched)
{
	size_t n;
	bool all;
	const uint32_t *v = bh_links_touched(pl->links, &n, &all);
	const int r = touched && !all ? bh_datapath_verify_some(pl->dp, v, n)
				      : bh_datapath_verify(pl->dp);

	bh_links_touched_done(pl->links);
	return r != 0;
}

void bh_pipeline_look_unseen(struct bh_pipeline *pl)
{
	size_t n;
	const struct bh_link *v = bh_links_list(pl->links, &n);

	if (bh_unseen_look(pl->unseen, v, n) < 0)
		bh_warn_limited("no memory to compare what pods received with what was sent");
}

static void tell_difference(const struct bh_findings *from, const struct bh_findings *to,
			    bh_finding_cb *tell, void *ud, bool over)
{
	for (size_t i = 0; i < from->n; i++) {
		const struct bh_finding *f = &from->v[i],
					*other = bh_findings_get(to, f->kind, f->ifindex);

		if (other && (over || !strcmp(other->message, f->message)))
			continue;
		if (over)
			bh_info("%s is over: interface %s%s%s", bh_finding_name(f->kind),
				f->interface, f->pod[0] ? " of pod " : "", f->pod);
		else
			bh_warn_limited("%s: interface %s%s%s: %s", bh_finding_name(f->kind),
					f->interface, f->pod[0] ? " of pod " : "", f->pod,
					f->message);
		if (tell)
			tell(ud, f, over);
	}
}

void bh_pipeline_find(struct bh_pipeline *pl, bh_finding_cb *tell, void *ud)
{
	struct bh_findings_input in = { .pic = pl->pic, .ifs = &pl->ifs, .unseen = pl->unseen };
	struct bh_findings now = { 0 };

	in.fronts = bh_datapath_fronts(pl->dp, &in.n_fronts);
	if (bh_findings_collect(&in, &now) < 0) {
		bh_warn_limited("no memory to list what cannot be enforced");
		return;
	}
	tell_difference(&now, &pl->findings, tell, ud, false);
	tell_difference(&pl->findings, &now, tell, ud, true);
	bh_findings_done(&pl->findings);
	pl->findings = now;
}

const struct bh_findings *bh_pipeline_findings(const struct bh_pipeline *pl)
{
	return &pl->findings;
}

bool bh_pipeline_unsettled(const struct bh_pipeline *pl)
{
	if (pl->ifs.n_unbound || pl->stats.last_failed)
		return true;
	for (size_t i = 0; i < pl->ifs.n; i++) {
		if (pl->ifs.v[i].state == BH_IF_QUARANTINED)
			return true;
	}
	return false;
}

/* Addresses of local pods that no cluster range holds would be judged as the world's. */
static size_t outside_cluster(const struct bh_pipeline *pl, char *line)
{
	const struct bh_picture *pic = pl->pic;

	for (size_t i = 0; i < pic->n_pods; i++) {
		const struct bh_pic_pod *p = &pic->pods[i];

		for (size_t k = 0; p->local && p->live && k < p->obj->pod.n_addrs; k++) {
			const struct bh_addr *a = &p->obj->pod.addrs[k];
			char text[BH_ADDR_STRLEN];
			bool inside = false;

			for (size_t c = 0; c < pic->n_cluster_cidrs && !inside; c++)
				inside = bh_prefix_contains(&pic->cluster_cidrs[c], a);
			if (inside)
				continue;
			(void)snprintf(line, BH_READY_LINE,
				       "pod %s/%s has %s, outside all cluster CIDRs",
				       p->obj->key.ns, p->obj->key.name, bh_addr_str(a, text));
			return 1;
		}
	}
	return 0;
}

size_t bh_pipeline_unready(const struct bh_pipeline *pl, char buf[BH_READY_MAX][BH_READY_LINE])
{
	struct bh_slot_info slots;
	size_t n = 0;

	if (!pl->pic) {
		(void)snprintf(buf[n++], BH_READY_LINE, "the source has not been read yet");
		return n;
	}
	if (pl->stats.last_failed)
		(void)snprintf(buf[n++], BH_READY_LINE, "the last apply failed: %.150s",
			       pl->stats.last_error);
	n += outside_cluster(pl, buf[n]);
	for (int k = 0; k < BH_FINDING_MAX_ && n < BH_READY_MAX; k++) {
		const size_t found = bh_findings_count(&pl->findings, (enum bh_finding_kind)k);

		if (found && bh_finding_unready((enum bh_finding_kind)k))
			(void)snprintf(buf[n++], BH_READY_LINE, "%s on %zu interface%s",
				       bh_finding_name((enum bh_finding_kind)k), found,
				       found == 1 ? "" : "s");
	}
	bh_datapath_slots(pl->dp, &slots);
	if (slots.without && n < BH_READY_MAX)
		(void)snprintf(buf[n++], BH_READY_LINE,
			       "%zu pods reach nothing: there is room for the flows of %u "
			       "(--max-endpoints)",
			       slots.without, slots.max);
	return n;
}
