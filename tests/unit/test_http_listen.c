/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above, in any order, first */
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/http/listen.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "tests/unit/http_fixture.h"

static void listen_unix__fresh__0600_in_a_new_0755_folder(void **state)
{
	struct bh_listen_unix l;
	char dir[64], sub[80], path[96];
	struct stat st;
	const mode_t mask = umask(0);

	(void)state;
	fixture_mkdir(dir);
	(void)snprintf(sub, sizeof(sub), "%s/run", dir);
	(void)snprintf(path, sizeof(path), "%s/s.sock", sub);
	assert_int_equal(bh_listen_unix_open(path, &l, NULL), 0);
	assert_int_equal(umask(mask), 0); /* put back as it was */
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(sub, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_true(fcntl(l.fd, F_GETFD) & FD_CLOEXEC);
	bh_listen_unix_close(&l);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(l.fd, -1);
	fixture_rmdir(dir);
}

static void listen_unix__somebody_answers__eaddrinuse_and_left_alone(void **state)
{
	struct bh_listen_unix l, second;
	struct bh_err err = { 0 };
	char dir[64], path[96];
	int fd;

	(void)state;
	fixture_mkdir(dir);
	(void)snprintf(path, sizeof(path), "%s/s.sock", dir);
	assert_int_equal(bh_listen_unix_open(path, &l, NULL), 0);
	assert_int_equal(bh_listen_unix_open(path, &second, &err), -EADDRINUSE);
	assert_non_null(strstr(err.msg, "already running"));
	fd = fixture_connect(path); /* the first one is still reachable */
	(void)close(fd);
	bh_listen_unix_close(&l);
	fixture_rmdir(dir);
}

static void listen_unix__stale_socket__replaced_and_not_removed_by_the_old_owner(void **state)
{
	struct bh_listen_unix old, new;
	char dir[64], path[96];

	(void)state;
	fixture_mkdir(dir);
	(void)snprintf(path, sizeof(path), "%s/s.sock", dir);
	assert_int_equal(bh_listen_unix_open(path, &old, NULL), 0);
	bh_closep(&old.fd); /* as after a crash */
	assert_int_equal(bh_listen_unix_open(path, &new, NULL), 0);
	if (old.ino != new.ino) { /* a file system may give the number out again at once */
		bh_listen_unix_close(&old);
		assert_int_equal(access(path, F_OK), 0);
	}
	bh_listen_unix_close(&new);
	fixture_rmdir(dir);
}

static void listen_unix__file_of_another_kind__eexist_and_kept(void **state)
{
	struct bh_listen_unix l;
	char dir[64], path[96], target[96];
	int fd;

	(void)state;
	fixture_mkdir(dir);
	(void)snprintf(path, sizeof(path), "%s/s.sock", dir);
	(void)snprintf(target, sizeof(target), "%s/precious", dir);
	fd = open(target, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(symlink(target, path), 0);
	assert_int_equal(bh_listen_unix_open(path, &l, NULL), -EEXIST);
	assert_int_equal(access(target, F_OK), 0);
	assert_int_equal(bh_listen_unix_open(target, &l, NULL), -EEXIST);
	fixture_rmdir(dir);
}

static void listen_unix__long_path__enametoolong(void **state)
{
	struct bh_listen_unix l;
	char path[200];

	(void)state;
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[108] = '\0';
	assert_int_equal(bh_listen_unix_open(path, &l, NULL), -ENAMETOOLONG);
	assert_int_equal(bh_listen_unix_open("", &l, NULL), -ENAMETOOLONG);
}

static void listen_tcp__port_taken__eaddrinuse(void **state)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(sa), on_len = sizeof(int);
	struct bh_err err = { 0 };
	int fd, on = 0;

	(void)state;
	fd = bh_listen_tcp((struct sockaddr *)&sa, len, NULL);
	assert_true(fd >= 0);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &on_len), 0);
	assert_int_equal(on, 1);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	assert_int_equal(bh_listen_tcp((struct sockaddr *)&sa, len, &err), -EADDRINUSE);
	assert_non_null(strstr(err.msg, "bind"));
	(void)close(fd);
}

static void listen_tcp__ipv6__ipv6_only(void **state)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	socklen_t on_len = sizeof(int);
	int fd, on = 0;

	(void)state;
	fd = bh_listen_tcp((struct sockaddr *)&sa, sizeof(sa), NULL);
	if (fd == -EADDRNOTAVAIL || fd == -EAFNOSUPPORT)
		skip(); /* no IPv6 on this machine */
	assert_true(fd >= 0);
	assert_int_equal(getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, &on_len), 0);
	assert_int_equal(on, 1);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listen_unix__fresh__0600_in_a_new_0755_folder),
		cmocka_unit_test(listen_unix__somebody_answers__eaddrinuse_and_left_alone),
		cmocka_unit_test(
			listen_unix__stale_socket__replaced_and_not_removed_by_the_old_owner),
		cmocka_unit_test(listen_unix__file_of_another_kind__eexist_and_kept),
		cmocka_unit_test(listen_unix__long_path__enametoolong),
		cmocka_unit_test(listen_tcp__port_taken__eaddrinuse),
		cmocka_unit_test(listen_tcp__ipv6__ipv6_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
