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
#include <sys/socket.h>
#include <sys/un.h>

#include "common/cleanup.h"
#include "common/file.h"

static int setup(void **state)
{
	*state = strdup("/tmp/bh-file-XXXXXX");
	return *state && mkdtemp(*state) ? 0 : -1;
}

static int teardown(void **state)
{
	static const char *const names[] = { "f", "link", "fifo", "sock" };
	char path[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", (char *)*state, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(*state);
	free(*state);
	return 0;
}

static int open_dir(void **state)
{
	const int fd = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void write_bytes(int dfd, const char *name, const void *data, size_t len)
{
	bh_autoclose int fd = openat(dfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
}

static void read__size_at_and_over_the_limit(void **state)
{
	bh_autoclose int dfd = open_dir(state), fd = -1, fd2 = -1;
	bh_autofree char *data = NULL, *more = NULL;
	struct stat st;
	size_t len = 0;

	write_bytes(dfd, "f", "ab\0c", 4);
	assert_int_equal(symlinkat("f", dfd, "link"), 0);
	assert_int_equal(bh_file_open(dfd, "link", &fd, &st), 0);
	assert_int_equal(st.st_size, 4);
	assert_int_equal(bh_file_read(fd, 4, &data, &len), 0);
	assert_int_equal(len, 4);
	assert_memory_equal(data, "ab\0c\0", 5);
	assert_int_equal(bh_file_open(dfd, "f", &fd2, &st), 0);
	assert_int_equal(bh_file_read(fd2, 3, &more, &len), -EFBIG);
	assert_null(more);
}

/* Files of procfs say that their size is 0. */
static void read__size_not_known_beforehand__whole_and_bounded(void **state)
{
	bh_autoclose int fd = -1, fd2 = -1;
	bh_autofree char *data = NULL, *more = NULL;
	struct stat st;
	size_t len = 0;

	(void)state;
	assert_int_equal(bh_file_open(AT_FDCWD, "/proc/kallsyms", &fd, &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(bh_file_read(fd, 10000, &more, &len), -EFBIG);
	assert_int_equal(bh_file_open(AT_FDCWD, "/proc/self/status", &fd2, &st), 0);
	assert_int_equal(bh_file_read(fd2, 1 << 20, &data, &len), 0);
	assert_int_equal(strlen(data), len);
	assert_memory_equal(data, "Name:\t", 6);
}

static void open__no_regular_file__einval_at_once(void **state)
{
	bh_autoclose int dfd = open_dir(state), sock = -1;
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct stat st;
	int fd = -1;

	assert_int_equal(mkfifoat(dfd, "fifo", 0600), 0);
	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s/sock", (char *)*state);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(sock, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(bh_file_open(dfd, "fifo", &fd, &st), -EINVAL);
	assert_int_equal(bh_file_open(dfd, "sock", &fd, &st), -EINVAL);
	assert_int_equal(bh_file_open(dfd, ".", &fd, &st), -EINVAL);
	assert_int_equal(bh_file_open(AT_FDCWD, "/dev/null", &fd, &st), -EINVAL);
	assert_int_equal(bh_file_open(dfd, "none", &fd, &st), -ENOENT);
	assert_int_equal(fd, -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(read__size_at_and_over_the_limit),
		TEST(read__size_not_known_beforehand__whole_and_bounded),
		TEST(open__no_regular_file__einval_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
