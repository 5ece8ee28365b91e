/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define BH_LOG_COMP "test"
#include "agent/sources/dir.h"
#include "common/err.h"
#include "common/log.h"
#include "tests/unit/dir_world.h"

#define EVENT_MS 10000

static void check_problems(const struct world *w, const char *want)
{
	bh_autofree char *got = world_problems(w);

	assert_string_equal(got, want);
}

static void scan__folder_vanishes__everything_kept_until_it_is_back(void **state)
{
	struct world *w = *state;
	struct bh_err err = { 0 };
	char a[256], away[160];

	world_write(w, "a.yaml", world_ns(a, "n1", "1"));
	world_scan(w);
	(void)snprintf(away, sizeof(away), "%s/away", w->root);
	assert_int_equal(rename(w->path, away), 0);
	assert_int_equal(bh_dir_scan(w->dir, &err), -ENOENT);
	assert_non_null(strstr(err.msg,
			       "/m: the folder cannot be read (No such file or directory); "
			       "what is in force stays"));
	assert_false(bh_dir_readable(w->dir));
	assert_string_equal(world_get(w, "n1"), "1");
	check_problems(w, "/0 : the folder cannot be read (No such file or directory); what is in "
			  "force stays\n");
	/* another folder takes its place */
	assert_int_equal(mkdir(w->path, 0700), 0);
	world_write(w, "b.yaml", world_ns(a, "n2", "1"));
	assert_int_equal(world_wait(w, EVENT_MS), 1);
	assert_true(bh_dir_readable(w->dir));
	assert_null(world_get(w, "n1"));
	assert_string_equal(world_get(w, "n2"), "1");
	check_problems(w, "");
	/* and is watched */
	(void)world_wait(w, 100);
	world_write(w, "c.yaml", world_ns(a, "n3", "1"));
	assert_int_equal(world_wait(w, 900), 1);
	assert_string_equal(world_get(w, "n3"), "1");
}

static void dispatch__folder_that_comes_later__read(void **state)
{
	struct world *w = *state;
	char a[256];

	assert_int_equal(rmdir(w->path), 0);
	assert_int_equal(bh_dir_scan(w->dir, NULL), -ENOENT);
	assert_int_equal(world_wait(w, 50), 0);
	assert_int_equal(mkdir(w->path, 0700), 0);
	world_write(w, "a.yaml", world_ns(a, "n1", "1"));
	assert_int_equal(world_wait(w, EVENT_MS), 1);
	assert_string_equal(world_get(w, "n1"), "1");
}

static void scan__sink_refuses__tried_again(void **state)
{
	struct world *w = *state;
	char a[256];

	world_write(w, "a.yaml", world_ns(a, "ns", "1"));
	w->put_error = -ENOMEM;
	(void)bh_dir_scan(w->dir, NULL);
	assert_null(world_get(w, "ns"));
	assert_int_equal(world_wait(w, EVENT_MS), 1);
	assert_string_equal(world_get(w, "ns"), "1");
}

static void dispatch__create_replace_remove__noticed(void **state)
{
	struct world *w = *state;
	char a[256];

	world_scan(w);
	world_write(w, "a.yaml", world_ns(a, "ns", "1"));
	assert_int_equal(world_wait(w, EVENT_MS), 1);
	assert_string_equal(world_get(w, "ns"), "1");
	(void)world_wait(w, 100);
	world_replace(w, "a.yaml", world_ns(a, "ns", "2"));
	assert_int_equal(world_wait(w, EVENT_MS), 1);
	assert_string_equal(world_get(w, "ns"), "2");
	world_remove(w, "a.yaml");
	while (w->n_objects)
		assert_int_equal(world_wait(w, EVENT_MS), 1);
	assert_int_equal(w->dels, 1);
}

/* As the kubelet does it: a.yaml -> ..data/a.yaml, ..data -> ..1, and ..data is switched. */
static void dispatch__configmap_switched__noticed(void **state)
{
	struct world *w = *state;
	char a[256], from[160], to[160];

	for (int i = 1; i <= 2; i++) {
		(void)snprintf(to, sizeof(to), "%s/..%d", w->path, i);
		assert_int_equal(mkdir(to, 0700), 0);
		(void)snprintf(to, sizeof(to), "..%d/a.yaml", i);
		world_write(w, to, world_ns(a, "ns", i == 1 ? "1" : "2"));
	}
	(void)snprintf(to, sizeof(to), "%s/..data", w->path);
	assert_int_equal(symlink("..1", to), 0);
	(void)snprintf(from, sizeof(from), "%s/a.yaml", w->path);
	assert_int_equal(symlink("..data/a.yaml", from), 0);
	world_scan(w);
	assert_string_equal(world_get(w, "ns"), "1");
	(void)world_wait(w, 100);
	(void)snprintf(from, sizeof(from), "%s/..data_tmp", w->path);
	assert_int_equal(symlink("..2", from), 0);
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(world_wait(w, EVENT_MS), 1);
	assert_string_equal(world_get(w, "ns"), "2");
	assert_int_equal(w->dels, 0);
}

/* "kubectl get ... >a.yaml" empties the file long before it writes it. */
static void dispatch__file_being_written__left_alone_until_closed(void **state)
{
	struct world *w = *state;
	char a[256], path[160];
	int fd;

	world_write(w, "a.yaml", world_ns(a, "ns", "1"));
	world_scan(w);
	(void)world_wait(w, 100);
	(void)snprintf(path, sizeof(path), "%s/a.yaml", w->path);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(world_wait(w, 200), 0);
	assert_string_equal(world_get(w, "ns"), "1");
	(void)world_ns(a, "ns", "2");
	assert_int_equal(write(fd, a, strlen(a)), strlen(a));
	(void)close(fd);
	assert_int_equal(world_wait(w, EVENT_MS), 1);
	assert_string_equal(world_get(w, "ns"), "2");
	assert_int_equal(w->dels, 0);
}

static void dispatch__folder_never_quiet__read_all_the_same(void **state)
{
	struct world *w = *state;
	char a[256];
	int rounds = 0;

	world_scan(w);
	(void)world_wait(w, 100);
	world_write(w, "a.yaml", world_ns(a, "ns", "1"));
	while (!world_wait(w, 5)) {
		world_replace(w, "noise.yaml", "# noise\n");
		assert_in_range(rounds++, 0, 2000);
	}
	assert_string_equal(world_get(w, "ns"), "1");
	assert_in_range(rounds, 20, 2000); /* it was waited for a quiet moment */
}

/* With the queue full, the event that tells that a file was closed is lost. */
static void dispatch__queue_overflow__everything_looked_at(void **state)
{
	struct world *w = *state;
	char a[256], path[160];
	long max = 0;
	FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
	int fd, folder;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld", &max), 1);
	(void)fclose(f);
	if (max > 100000) {
		(void)printf("skip: a queue of %ld inotify events takes too long to fill\n", max);
		skip();
	}
	world_write(w, "a.yaml", world_ns(a, "ns", "1"));
	world_scan(w);
	(void)world_wait(w, 100);
	(void)snprintf(path, sizeof(path), "%s/a.yaml", w->path);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_true(fd >= 0);
	world_write(w, ".x", "");
	world_write(w, ".y", "");
	folder = open(w->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(folder >= 0);
	for (long i = 0; i <= max; i++) /* equal events in a row would be one */
		assert_int_equal(fchmodat(folder, i % 2 ? ".x" : ".y", 0600, 0), 0);
	(void)close(folder);
	(void)world_ns(a, "ns", "2");
	assert_int_equal(write(fd, a, strlen(a)), strlen(a));
	(void)close(fd);
	assert_int_equal(world_wait(w, 2000), 1); /* sooner than a file that stays open */
	assert_string_equal(world_get(w, "ns"), "2");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(scan__folder_vanishes__everything_kept_until_it_is_back),
		TEST(dispatch__folder_that_comes_later__read),
		TEST(scan__sink_refuses__tried_again),
		TEST(dispatch__create_replace_remove__noticed),
		TEST(dispatch__configmap_switched__noticed),
		TEST(dispatch__file_being_written__left_alone_until_closed),
		TEST(dispatch__folder_never_quiet__read_all_the_same),
		TEST(dispatch__queue_overflow__everything_looked_at),
	};

	bh_log_set_level(BH_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
