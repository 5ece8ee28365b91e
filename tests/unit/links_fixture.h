/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * links_fixture - what the tests of bpf/links share. They run against the running kernel: each test
 * moves this process into a network namespace of its own, which goes when the test leaves it; the
 * namespaces of "pods" are held by a descriptor alone. So nothing is left behind, even by a crash.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bpf/links.h"
#include "common/err.h"

#define LT_DEADLINE_MS 5000

int lt_setup(void **state); /* of each test: a fresh namespace, if we are root */
void lt_need_root(void);    /* skips with the reason */

int lt_new_netns(void); /* a second namespace; this process stays where it is */

/* Runs a shell command in @netns, or here with -1. "$NS" is a path of namespace @arg. */
void lt_run(int netns, int arg, const char *cmd);

struct bh_links *lt_open(void);

/* Dispatches until nothing waits any more; whether anything changed. */
bool lt_drain(struct bh_links *l);

/* Waits for events until @holds, which must come with a "changed". */
void lt_wait_until(struct bh_links *l, bool (*holds)(const struct bh_links *, const void *),
		   const void *arg);

const struct bh_link *lt_by_name(const struct bh_links *l, const char *name); /* or NULL */
struct bh_addr lt_addr(const char *s);
/* Also checks that @v rises. */
bool lt_has_addr(const struct bh_addr *v, size_t n, const char *s);
