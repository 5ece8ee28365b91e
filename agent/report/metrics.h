/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * metrics - a snapshot as Prometheus text, version 0.0.4. Pure. Every metric is one line of one
 * table, from which docs/metrics.md is written too.
 */
#include <stddef.h>
#include <stdint.h>

struct bh_buf;
struct bh_snapshot;

#define BH_METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct bh_metrics_input {
	const struct bh_snapshot *snapshot;
	uint64_t now_ns; /* CLOCK_MONOTONIC */
	uint64_t reporter_rss_bytes;
	uint64_t reporter_restarts;
};

/* Append the page. Failures stay in @b, see buf.h. Names come from tenants: all are escaped. */
void bh_metrics_write(const struct bh_metrics_input *in, struct bh_buf *b);

/* One row of the reference: name, type ("counter", ...), labels ("tenant, direction"), help. */
struct bh_metric_doc {
	const char *name, *type, *labels, *help;
};
/* The row at @i; 0, or -ENOENT behind the last one. */
int bh_metrics_doc(size_t i, struct bh_metric_doc *ret_doc);
