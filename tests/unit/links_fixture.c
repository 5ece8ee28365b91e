/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/links_fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"

static int open_own_netns(void)
{
	return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

int lt_setup(void **state)
{
	if (geteuid() != 0)
		return 0;
	*state = NULL;
	return unshare(CLONE_NEWNET);
}

void lt_need_root(void)
{
	if (geteuid() == 0)
		return;
	print_message("skip: making network namespaces needs root\n");
	skip();
}

int lt_new_netns(void)
{
	bh_autoclose int here = open_own_netns();
	int there = -1;

	assert_true(here >= 0);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	there = open_own_netns();
	assert_int_equal(setns(here, CLONE_NEWNET), 0);
	assert_true(there >= 0);
	return there;
}

/* Runs a shell command in @netns, or here with -1. "$NS" is the path of @arg. */
void lt_run(int netns, int arg, const char *cmd)
{
	char path[64];
	int status = -1;
	pid_t pid;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), arg);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if ((netns >= 0 && setns(netns, CLONE_NEWNET) < 0) || setenv("NS", path, 1) < 0)
			_exit(126);
		execl("/bin/sh", "sh", "-ec", cmd, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status != 0)
		print_message("failed: %s\n", cmd);
	assert_int_equal(status, 0);
}

struct bh_links *lt_open(void)
{
	struct bh_links *l = NULL;
	struct bh_err err = { 0 };
	const int r = bh_links_new(&l, &err);

	if (r < 0)
		print_message("bh_links_new: %d %s\n", r, err.msg);
	assert_int_equal(r, 0);
	return l;
}

/* Dispatches until nothing waits any more; whether anything changed. */
bool lt_drain(struct bh_links *l)
{
	struct pollfd p = { .fd = bh_links_fd(l), .events = POLLIN };
	struct bh_err err = { 0 };
	bool changed = false;
	int r;

	while (poll(&p, 1, 0) > 0) {
		r = bh_links_dispatch(l, &err);
		if (r < 0)
			print_message("bh_links_dispatch: %d %s\n", r, err.msg);
		assert_true(r >= 0);
		changed |= r == 1;
	}
	return changed;
}

/* Waits for events until @holds(l, arg), which must come with a "changed". */
void lt_wait_until(struct bh_links *l, bool (*holds)(const struct bh_links *, const void *),
		   const void *arg)
{
	const int64_t end = (int64_t)(bh_clock_ns() / BH_NS_PER_MS) + LT_DEADLINE_MS;
	struct pollfd p = { .fd = bh_links_fd(l), .events = POLLIN };

	while (!holds(l, arg)) {
		const int64_t left = end - (int64_t)(bh_clock_ns() / BH_NS_PER_MS);
		int r;

		if (left <= 0)
			fail_msg("no event within %d ms", LT_DEADLINE_MS);
		if (poll(&p, 1, (int)left) <= 0)
			continue;
		r = bh_links_dispatch(l, NULL);
		assert_true(r >= 0);
		assert_true(r == 1 || !holds(l, arg));
	}
}

const struct bh_link *lt_by_name(const struct bh_links *l, const char *name)
{
	size_t n;
	const struct bh_link *v = bh_links_list(l, &n);

	for (size_t i = 0; i < n; i++) {
		if (strcmp(v[i].name, name) == 0) {
			assert_ptr_equal(bh_links_get(l, v[i].ifindex), &v[i]);
			return &v[i];
		}
	}
	return NULL;
}

struct bh_addr lt_addr(const char *s)
{
	struct bh_addr a;

	assert_int_equal(bh_addr_parse(s, &a), 0);
	return a;
}

bool lt_has_addr(const struct bh_addr *v, size_t n, const char *s)
{
	const struct bh_addr a = lt_addr(s);
	bool found = false;

	for (size_t i = 0; i < n; i++) {
		assert_true(i == 0 || bh_addr_cmp(&v[i - 1], &v[i]) < 0);
		found |= bh_addr_cmp(&v[i], &a) == 0;
	}
	return found;
}
