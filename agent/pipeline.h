/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * pipeline - the one way round: model and interfaces -> picture -> interfaces bound to pods ->
 * policy -> kernel. Holds the current picture; whoever changes the model or the links runs it
 * again.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/findings.h"
#include "agent/report/snapshot.h"
#include "bpf/bind.h"
#include "bpf/datapath.h"
#include "bpf/links.h"
#include "common/cleanup.h"
#include "model/model.h"

struct bh_config;
struct bh_err;
struct bh_pipeline; /* opaque */

struct bh_apply_stats {
	struct bh_histogram latency; /* of every run */
	uint64_t failures;	     /* runs in which something failed */
	uint64_t writes;	     /* map entries */
	uint64_t last_ns, max_ns;
	bool last_failed;
	char last_error[512]; /* of the last run, "" if it succeeded */
};

/* Opens links and datapath. @cfg is borrowed and must outlive the object. */
int bh_pipeline_new(const struct bh_config *cfg, struct bh_pipeline **ret_pl, struct bh_err *err);
/* Leaves the kernel as it is. */
struct bh_pipeline *bh_pipeline_free(struct bh_pipeline *pl);
BH_DEFINE_AUTO(struct bh_pipeline, bh_pipeline_free)

struct bh_model *bh_pipeline_model(struct bh_pipeline *pl);
const struct bh_model *bh_pipeline_objects(const struct bh_pipeline *pl);
struct bh_links *bh_pipeline_links(struct bh_pipeline *pl);
struct bh_datapath *bh_pipeline_datapath(struct bh_pipeline *pl);

/*
 * The source has said all that should be. Until then a run takes nothing away from what an earlier
 * daemon left in the kernel, and only quarantines interfaces that are new.
 */
void bh_pipeline_set_synced(struct bh_pipeline *pl);

/*
 * Run it once. Failures are logged, counted and left to the next run: what is enforced stays.
 * Getters below are valid until the model changes, and again after the next run.
 */
void bh_pipeline_run(struct bh_pipeline *pl);

const struct bh_picture *bh_pipeline_picture(const struct bh_pipeline *pl); /* NULL before a run */
const struct bh_ifs *bh_pipeline_ifs(const struct bh_pipeline *pl);
const struct bh_policy_problem *bh_pipeline_problems(const struct bh_pipeline *pl, size_t *ret_n);
const struct bh_apply_stats *bh_pipeline_stats(const struct bh_pipeline *pl);
/*
 * True if an interface has lost our programs or somebody got in front of them: the next run puts
 * them there again. @touched: look only at interfaces of which rtnetlink said that something
 * changed.
 */
bool bh_pipeline_lost(struct bh_pipeline *pl, bool touched);
/* Look whether pods get packets that nobody judged; after the other ends were asked. */
void bh_pipeline_look_unseen(struct bh_pipeline *pl);
/*
 * Bring the list of findings up to date. What is new and what is over is logged and told to
 * @tell (@over: it is not so any more).
 */
typedef void bh_finding_cb(void *ud, const struct bh_finding *f, bool over);
void bh_pipeline_find(struct bh_pipeline *pl, bh_finding_cb *tell, void *ud);
const struct bh_findings *bh_pipeline_findings(const struct bh_pipeline *pl);
/* True while a local pod has no interface or an interface no pod: ask for the other ends again. */
bool bh_pipeline_unsettled(const struct bh_pipeline *pl);

/*
 * Why the node is not ready, one line each in @buf (BH_READY_MAX lines at most); 0 lines: ready.
 */
#define BH_READY_MAX 8
#define BH_READY_LINE 192
size_t bh_pipeline_unready(const struct bh_pipeline *pl, char buf[BH_READY_MAX][BH_READY_LINE]);
