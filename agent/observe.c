/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/observe.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/pipeline.h"
#include "agent/report/snapshot.h"
#include "agent/sources/dir.h"
#include "common/clock.h"
#include "common/version.h"
#include "model/tenant.h"

#define MAX_MAPS 32

static const char *const loss_name[BH_LOSS_MAX_] = {
	[BH_LOSS_EVENT] = "event",
	[BH_LOSS_STAT] = "counter",
	[BH_LOSS_FLOW] = "flow",
};

static uint64_t resident_bytes(void)
{
	unsigned long size = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f)
		return 0;
	if (fscanf(f, "%lu %lu", &size, &resident) != 2)
		resident = 0;
	(void)fclose(f);
	return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void add_tenants(struct bh_snapshot *s, const struct bh_picture *pic)
{
	for (size_t i = 0; pic && i < pic->n_tenants; i++)
		bh_snapshot_add_tenant(s, &(struct bh_snap_tenant){
						  .name = pic->tenants[i].name,
						  .mode = (uint8_t)pic->tenants[i].spec->net.mode,
						  .pods = pic->tenants[i].n_pods,
						  .local_pods = pic->tenants[i].n_local_pods,
					  });
}

static void add_counters(struct bh_snapshot *s, struct bh_datapath *dp)
{
	const struct bh_ids *ids = bh_datapath_ids(dp);
	bh_autofree struct bh_counter *c = NULL;
	uint64_t losses[BH_LOSS_MAX_];
	size_t n = 0;

	if (bh_datapath_counters(dp, &c, &n) >= 0) {
		for (size_t i = 0; i < n; i++)
			bh_snapshot_add_counter(s,
						&(struct bh_snap_counter){
							.tenant = bh_ids_name(ids, c[i].key.tenant),
							.dir = c[i].key.dir,
							.verdict = c[i].key.verdict,
							.reason = c[i].key.reason,
							.packets = c[i].value.packets,
							.bytes = c[i].value.bytes,
						});
	}
	if (bh_datapath_losses(dp, losses) >= 0) {
		for (int i = 0; i < BH_LOSS_MAX_; i++)
			bh_snapshot_add_losses(s, loss_name[i], losses[i]);
	}
}

static void add_maps(struct bh_snapshot *s, struct bh_datapath *dp)
{
	struct bh_map_info info[MAX_MAPS];
	const size_t n = bh_datapath_maps(dp, info, MAX_MAPS);

	for (size_t i = 0; i < n; i++)
		bh_snapshot_add_map(s, &(struct bh_snap_map){ info[i].name, info[i].entries,
							      info[i].max_entries, info[i].bytes });
}

static void add_endpoints(struct bh_snapshot *s, const struct bh_ifs *ifs)
{
	uint64_t by_state[BH_IF_MAX_] = { 0 };

	for (size_t i = 0; i < ifs->n; i++)
		by_state[ifs->v[i].state]++;
	for (int i = 0; i < BH_IF_MAX_; i++)
		bh_snapshot_add_endpoints(s, bh_if_state_name((enum bh_if_state)i), by_state[i]);
}

static void add_findings(struct bh_snapshot *s, const struct bh_findings *f)
{
	for (int k = 0; k < BH_FINDING_MAX_; k++)
		bh_snapshot_add_findings(s, bh_finding_name((enum bh_finding_kind)k),
					 bh_findings_count(f, (enum bh_finding_kind)k));
}

void bh_observe(const struct bh_observe *o, struct bh_snapshot *s)
{
	const struct bh_apply_stats *st = bh_pipeline_stats(o->pl);
	const struct bh_dir_problem *problems;
	size_t n;

	s->taken_ns = bh_clock_ns();
	s->node = bh_snapshot_str(s, o->node);
	s->version = bh_snapshot_str(s, bh_version());
	s->start_unix_ms = o->start_unix_ms;
	s->ready = o->ready;
	s->apply = st->latency;
	s->apply_failures = st->failures;
	s->events = o->events;
	s->enforcer_rss_bytes = resident_bytes();
	s->source_problems = bh_dir_problems(o->dir, &problems, &n);
	for (int k = 0; k < BH_KIND_MAX_; k++)
		bh_snapshot_add_objects(
			s, bh_kind_name((enum bh_kind)k),
			bh_model_count(bh_pipeline_objects(o->pl), (enum bh_kind)k));
	add_tenants(s, bh_pipeline_picture(o->pl));
	add_counters(s, o->dp);
	add_maps(s, o->dp);
	add_findings(s, bh_pipeline_findings(o->pl));
	s->put_in_front = bh_datapath_put_in_front(o->dp);
	add_endpoints(s, bh_pipeline_ifs(o->pl));
}
