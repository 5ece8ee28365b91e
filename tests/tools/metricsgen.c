/* SPDX-License-Identifier: Apache-2.0 */
/* metricsgen - writes docs/metrics.md, or with "sample" a page of metrics, to standard output. */
#include <stdio.h>
#include <string.h>

#include "agent/report/metrics.h"
#include "agent/report/snapshot.h"
#include "common/buf.h"
#include "tests/unit/metrics_docs.h"
#include "tests/unit/snapshot_fixture.h"

int main(int argc, char **argv)
{
	bh_auto(bh_snapshot_freep) struct bh_snapshot *s = snapshot_fixture();
	const struct bh_metrics_input in = { .snapshot = s, .now_ns = s->taken_ns + 1 };
	bh_autobuf b = BH_BUF_INIT;

	if (argc == 2 && !strcmp(argv[1], "sample"))
		bh_metrics_write(&in, &b);
	else
		metrics_docs(&b);
	if (b.error || fwrite(b.data, 1, b.len, stdout) != b.len || fflush(stdout) != 0) {
		(void)fprintf(stderr, "metricsgen: cannot write\n");
		return 1;
	}
	return 0;
}
