/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * target - the request target of an HTTP request ("/v1/explain?src=a%2Fb"): strict decoding. Pure.
 * The text comes from a peer and is hostile input.
 */
#include <stddef.h>

struct bh_err;

#define BH_HTTP_MAX_TARGET 2048 /* bytes, path and query, before decoding */
#define BH_HTTP_MAX_PARAMS 16

struct bh_http_param {
	const char *key;
	const char *value; /* "" for "?key" and "?key=" */
};

struct bh_http_target {
	const char *path; /* decoded, begins with '/' */
	struct bh_http_param params[BH_HTTP_MAX_PARAMS];
	size_t n_params;
	char text[BH_HTTP_MAX_TARGET + 1]; /* what the pointers above point into */
};

/*
 * Decode @raw. Refused with -EINVAL and a reason: no leading '/', bytes outside printable ASCII,
 * wrong percent escapes, escapes of control bytes, a '#', the same parameter twice; with -E2BIG:
 * the bounds above. '+' stays '+'. @ret_target points into itself: do not copy it.
 */
int bh_http_target_parse(const char *raw, struct bh_http_target *ret_target, struct bh_err *err);
const char *bh_http_target_get(const struct bh_http_target *t, const char *key); /* or NULL */
