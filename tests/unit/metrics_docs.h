/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* metrics_docs - docs/metrics.md as the table of metrics has it. */

struct bh_buf;

void metrics_docs(struct bh_buf *b);
