/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * serve - the reporter's worker: answers GET /metrics from snapshots that it asks the enforcer for.
 */
#include <stdint.h>

#include "common/cleanup.h"

struct bh_loop;
struct bh_report_worker; /* opaque */

#define BH_REPORT_CACHE_MS 500 /* how long one snapshot serves */
#define BH_REPORT_PATIENCE_MS                                                                      \
	2000 /* how long the enforcer may be silent before the answer is 503 */

/*
 * Serve on @listen_fd (taken over in every case), asking on @channel_fd, which stays the caller's
 * and open; the loop is made to exit with 0 when its other end is gone. @restarts is passed on to
 * the enforcer. Opens all that it needs: the process may be confined afterwards. 0 or negative
 * errno.
 */
int bh_report_worker_new(struct bh_loop *loop, int channel_fd, int listen_fd, uint32_t restarts,
			 struct bh_report_worker **ret_worker);
struct bh_report_worker *bh_report_worker_free(struct bh_report_worker *w);
BH_DEFINE_AUTO(struct bh_report_worker, bh_report_worker_free)
