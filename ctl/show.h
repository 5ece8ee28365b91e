/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * show - the daemon's answers (docs/api.md) as text for people. Members that are missing are shown
 * as
 * "-": a daemon of another version must not stop anybody from reading the rest. Each returns 0,
 * -ENOMEM or -EIO.
 */
#include <stdio.h>

struct bh_json;

int bh_show_status(const struct bh_json *j, FILE *out);
int bh_show_tenants(const struct bh_json *j, FILE *out);
int bh_show_pods(const struct bh_json *j, FILE *out);
int bh_show_explain(const struct bh_json *j, FILE *out);
int bh_show_event(const struct bh_json *j, FILE *out); /* one line */
/* One line under the titles; of 80 columns, but for long names and IPv6. */
int bh_show_flow(const struct bh_json *j, FILE *out);
void bh_show_flow_head(FILE *out);
