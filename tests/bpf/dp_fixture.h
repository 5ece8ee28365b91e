/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * dp_fixture - a place for a datapath: mount and network namespaces of this process's own with a
 * BPF filesystem, a "pod" in a second network namespace behind a veth, and a program behind ours
 * that counts and swallows what it gets. All of it goes with the process.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bpf/datapath.h"
#include "common/err.h"

#define DP_DEADLINE_MS 10000

struct dp_fx {
	char bpffs[64]; /* does not exist yet; on a BPF filesystem */
	int host_netns, pod_netns;
	uint32_t ifindex; /* the pod's interface at the host */
	int from_fd;	  /* raw sockets: at the pod's end, at the host's end */
	int to_fd;
	int count_fd; /* map: [0] passed from the pod, [1] passed to it */
	bool has_tcx;
	struct bh_datapath *shared[3]; /* by enum bh_attach; see dp_shared() */
};

/* cmocka's group setup: skips the program without root. *state is the struct dp_fx. */
int dp_group_setup(void **state);
int dp_group_teardown(void **state);
/* Of each test: nothing pinned, a fresh veth. */
int dp_setup(void **state);
int dp_teardown(void **state);

/*
 * Loading takes seconds in an emulated machine, so tests that need no start of their own share one
 * datapath for each way of attaching. Between tests it holds no interface and no policy.
 */
struct bh_datapath *dp_shared(struct dp_fx *fx, enum bh_attach how);
/* Its folder; who closes it there may leave another one in fx->shared. */
const char *dp_shared_dir(enum bh_attach how);
struct bh_datapath *dp_open(const struct dp_fx *fx, enum bh_attach how);
/* Skips the test if the kernel has no TCX. */
void dp_need(const struct dp_fx *fx, enum bh_attach how);

/* An endpoint row: the pod 10.1.0.10, MAC 02:00:00:00:00:10, of tenant 16. */
void dp_add_endpoint(struct bh_policy *p, uint32_t ifindex);
struct bh_policy *dp_empty(void);
/* The pod above behind the veth, its tenant allowed to reach the public world; sorted. */
struct bh_policy *dp_policy(const struct dp_fx *fx);
void dp_sort(struct bh_policy *p);
/* The veth in @state. */
struct bh_ifs dp_ifs(const struct dp_fx *fx, enum bh_if_state state, struct bh_if *room);
struct bh_apply_result dp_apply(struct bh_datapath *dp, struct bh_policy *want,
				const struct bh_ifs *ifs);

/* Hang the counting program behind ours, on both hooks, as a CNI's own would be. */
void dp_count_behind(struct dp_fx *fx);
/*
 * Good, bad and good frames each way: the counting program gets the good ones alone, and each frame
 * was counted once by @dp.
 */
void dp_expect_filtered(struct dp_fx *fx, struct bh_datapath *dp);
void dp_expect_open(struct dp_fx *fx);				 /* all come through */
void dp_expect_closed(struct dp_fx *fx, struct bh_datapath *dp); /* none comes through */

/* Polls @holds until it does; fails at the deadline. */
void dp_wait(bool (*holds)(void *), void *arg, const char *what);
