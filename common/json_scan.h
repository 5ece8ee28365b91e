/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * json_scan - is this text one JSON value, strictly by RFC 8259, and small enough to build? Reads
 * the text once, builds nothing, does not recurse. The builder behind it is laxer than the RFC.
 */
#include <stddef.h>

struct bh_err;

/* A longer number would be cut by the builder. */
#define BH_JSON_MAX_NUMBER 63

/*
 * 0; -EINVAL or -E2BIG (BH_JSON_MAX_DEPTH containers in each other, BH_JSON_MAX_NODES values) with
 * "line N: reason" in @err. Duplicate keys are not looked for.
 */
int bh_json_scan(const char *text, size_t len, struct bh_err *err);
