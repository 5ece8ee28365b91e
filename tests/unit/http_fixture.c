/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/http_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka.h needs stddef.h and these, in any order, first */
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/loop.h"
#include "common/clock.h"

#define DEADLINE_NS (10 * BH_NS_PER_S)
#define STEP_NS (20 * BH_NS_PER_MS)

void fixture_mkdir(char dir[static 64])
{
	(void)snprintf(dir, 64, "/tmp/bh-unit-%d-XXXXXX", (int)getpid());
	assert_non_null(mkdtemp(dir));
}

void fixture_rmdir(const char *dir)
{
	DIR *d = opendir(dir);

	assert_non_null(d);
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") &&
		    unlinkat(dirfd(d), e->d_name, 0) < 0)
			(void)unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
	}
	(void)closedir(d);
	(void)rmdir(dir);
}

int fixture_connect(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_true(strlen(path) < sizeof(sa.sun_path));
	memcpy(sa.sun_path, path, strlen(path) + 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

void fixture_send(int fd, const char *text)
{
	const ssize_t len = (ssize_t)strlen(text);

	assert_int_equal(send(fd, text, (size_t)len, MSG_NOSIGNAL), len);
}

void fixture_until(struct bh_loop *l, bool (*done)(void *ud), void *ud)
{
	const uint64_t deadline = bh_clock_ns() + DEADLINE_NS;

	while (!done(ud)) {
		assert_true(bh_clock_ns() < deadline);
		assert_true(bh_loop_step(l, STEP_NS) >= 0);
	}
}

void fixture_read_until(struct bh_loop *l, int fd, char *buf, size_t cap, size_t *len,
			const char *needle)
{
	const uint64_t deadline = bh_clock_ns() + DEADLINE_NS;

	buf[*len] = '\0';
	while (!needle || !strstr(buf, needle)) {
		ssize_t n;

		assert_true(bh_clock_ns() < deadline);
		assert_true(bh_loop_step(l, STEP_NS) >= 0);
		n = recv(fd, buf + *len, cap - 1 - *len, 0);
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n <= 0 && !needle)
			return;
		assert_true(n > 0);
		*len += (size_t)n;
		buf[*len] = '\0';
		assert_true(*len < cap - 1);
	}
}

void fixture_roundtrip(struct bh_loop *l, const char *path, const char *request, char *buf,
		       size_t cap)
{
	const int fd = fixture_connect(path);
	size_t len = 0;

	fixture_send(fd, request);
	fixture_read_until(l, fd, buf, cap, &len, NULL);
	(void)close(fd);
}
