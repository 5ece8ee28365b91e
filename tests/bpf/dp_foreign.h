/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* dp_foreign - somebody else's program on our hooks: it counts, and then has a verdict of its own.
 */
#include <stdbool.h>
#include <stdint.h>

#include "bpf/attach.h"

enum dp_verdict { DP_UNSPEC, DP_OK, DP_SHOT, DP_REDIRECT, DP_VERDICTS };

struct dp_foreign {
	int map_fd; /* as dp_behind_map() makes it */
	enum dp_verdict verdict;
	uint32_t to;	    /* REDIRECT: out of this interface */
	bool front;	    /* before everybody, else after */
	enum bh_attach how; /* TCX or CLSACT */
	int links[2];	    /* TCX: what dp_foreign_off() closes */
};

/* On both hooks. 0 or negative errno. */
int dp_foreign_on(struct dp_foreign *f, uint32_t ifindex);
void dp_foreign_off(struct dp_foreign *f);
/*
 * On what comes in at @ifindex: everything goes to the other end of @veth, past the latter's hook.
 * 0 or negative errno.
 */
int dp_foreign_redirect_peer(uint32_t ifindex, uint32_t veth);
