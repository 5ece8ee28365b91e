/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/metrics_docs.h"

#include <string.h>

#include "agent/report/metrics.h"
#include "common/buf.h"

void metrics_docs(struct bh_buf *b)
{
	struct bh_metric_doc d;

	bh_buf_str(
		b,
		"# Metrics\n\n"
		"<!-- Written by `make docs` from agent/report/metrics.c; do not edit. -->\n\n"
		"`GET /metrics` answers in Prometheus' text format 0.0.4. Values are at most half a\n"
		"second old; when the enforcing process gives none for two seconds the answer is 503.\n"
		"Pods that belong to no tenant are counted under `_unassigned`, `_system` and\n"
		"`_conflict`. The reasons are those of `bulkheadctl explain` and of the events.\n\n"
		"| metric | type | labels | meaning |\n|---|---|---|---|\n");
	for (size_t i = 0; !bh_metrics_doc(i, &d); i++)
		bh_buf_printf(b, "| `%s` | %s | %s | %s |\n", d.name, d.type,
			      *d.labels ? d.labels : "-", d.help);
}
