/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * explain - what would become of a first packet from one end to the other: the verdict of the
 * kernel's own code, run dry, at each end that is on this node.
 */
struct bh_err;
struct bh_explain_query; /* agent/control_route.h */
struct bh_json;
struct bh_pipeline;

/*
 * *ret_json as docs/api.md has it, owned by the caller.
 * 0; -ENOENT no such pod; -EINVAL ends of two families; -EAGAIN nothing was applied yet; -ENOMEM.
 */
int bh_explain(struct bh_pipeline *pl, const struct bh_explain_query *q, struct bh_json **ret_json,
	       struct bh_err *err);
