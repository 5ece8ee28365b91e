/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above, in any order, first */
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/confine.h"
#include "common/err.h"

/* Everything happens in a child, which is never the same again. Its exit code is @fn's result. */
static int in_child(int (*fn)(void))
{
	int status;
	const pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void assert_exit(int status, int code)
{
	if (!WIFEXITED(status) || WEXITSTATUS(status) != code)
		fail_msg("expected exit code %d, got status 0x%x", code, status);
}

static void assert_sigsys(int status)
{
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
		fail_msg("expected death by SIGSYS, got status 0x%x", status);
}

static void need_root(void)
{
	if (geteuid()) {
		print_message("needs root\n");
		skip();
	}
}

/* A line of /proc/self/status as a number in base 16. */
static uint64_t status_hex(const char *key)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");
	uint64_t v = UINT64_MAX;

	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, key, strlen(key)))
			v = strtoull(line + strlen(key), NULL, 16);
	}
	if (f)
		(void)fclose(f);
	return v;
}

static int keep_enforcer_caps(void)
{
	if (bh_confine_caps(BH_CAPS_ENFORCER, NULL))
		return 1;
	if (status_hex("CapPrm:") != BH_CAPS_ENFORCER || status_hex("CapEff:") != BH_CAPS_ENFORCER)
		return 2;
	if (status_hex("CapBnd:") != BH_CAPS_ENFORCER || status_hex("CapInh:") != 0)
		return 3;
	if (status_hex("CapAmb:") != 0 || status_hex("NoNewPrivs:") != 1)
		return 4;
	if (setuid(1) != -1 || errno != EPERM) /* root in name only */
		return 5;
	if (bh_confine_caps(BH_CAPS_ENFORCER | BH_CAP(0), NULL) != -EPERM) /* no way back */
		return 6;
	return 42;
}

static void confine_caps__enforcer__exactly_three_left(void **state)
{
	(void)state;
	need_root();
	assert_exit(in_child(keep_enforcer_caps), 42);
}

static int become_nobody(void)
{
	if (bh_confine_user(BH_NOBODY, BH_NOBODY, NULL))
		return 1;
	if (getuid() != BH_NOBODY || getegid() != BH_NOBODY || getgroups(0, NULL) != 0)
		return 2;
	if (status_hex("CapPrm:") != 0 || status_hex("CapEff:") != 0)
		return 3;
	if (setuid(0) != -1)
		return 4;
	if (bh_confine_user(BH_NOBODY, BH_NOBODY, NULL)) /* again: nothing to do */
		return 5;
	if (bh_confine_user(1, 1, NULL) != -EPERM)
		return 6;
	/* What an unprivileged daemon does: nothing is left to drop from the bounding set. */
	return bh_confine_caps(BH_CAPS_NONE, NULL) ? 7 : 42;
}

static void confine_user__nobody__for_good_and_without_caps(void **state)
{
	(void)state;
	need_root();
	assert_exit(in_child(become_nobody), 42);
}

static int cmp_bytes(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

static int reporter_works(void)
{
	int p[2], ep;
	char c, *m;

	if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
		return 1;
	ep = epoll_create1(EPOLL_CLOEXEC);
	if (bh_confine_seccomp(BH_CONFINE_REPORTER, NULL))
		return 2;
	m = malloc((size_t)1 << 20); /* mmap, munmap */
	if (!m)
		return 3;
	memset(m, 1, (size_t)1 << 20);
	qsort(m, 4096, 16, cmp_bytes); /* large enough for glibc to ask how much memory there is */
	free(m);
	if (write(p[1], "x", 1) != 1 || read(p[0], &c, 1) != 1 || c != 'x')
		return 4;
	if (epoll_wait(ep, &(struct epoll_event){ 0 }, 1, 0) != 0)
		return 5;
	return 42;
}

static int reporter_socket(void)
{
	if (bh_confine_seccomp(BH_CONFINE_REPORTER, NULL))
		return 1;
	(void)socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return 42;
}

static int reporter_execve(void)
{
	char name[] = "true", *argv[] = { name, NULL };

	if (bh_confine_seccomp(BH_CONFINE_REPORTER, NULL))
		return 1;
	(void)execve("/bin/true", argv, argv + 1);
	return 42;
}

static int reporter_fork(void)
{
	if (bh_confine_seccomp(BH_CONFINE_REPORTER, NULL))
		return 1;
	if (syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) == 0)
		_exit(0);
	return 42;
}

static int reporter_exec_memory(void)
{
	if (bh_confine_seccomp(BH_CONFINE_REPORTER, NULL))
		return 1;
	(void)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return 42;
}

static int reporter_memfd(void)
{
	if (bh_confine_seccomp(BH_CONFINE_REPORTER, NULL))
		return 1;
	(void)memfd_create("x", MFD_CLOEXEC);
	return 42;
}

static void confine_seccomp__reporter__works_and_dies_of_the_forbidden(void **state)
{
	(void)state;
	assert_exit(in_child(reporter_works), 42);
	assert_sigsys(in_child(reporter_socket));
	assert_sigsys(in_child(reporter_execve));
	assert_sigsys(in_child(reporter_fork));
	assert_sigsys(in_child(reporter_exec_memory));
	assert_sigsys(in_child(reporter_memfd));
}

static int enforcer_calls(void)
{
	char name[] = "true", *argv[] = { name, NULL };
	int fd;

	if (bh_confine_seccomp(BH_CONFINE_ENFORCER, NULL))
		return 1;
	if (execve("/bin/true", argv, argv + 1) != -1 || errno != ENOSYS)
		return 2;
	if (fork() != -1 || errno != ENOSYS)
		return 3;
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != -1 || errno != ENOSYS)
		return 4;
	if (syscall(SYS_mount, "x", "/", "tmpfs", 0, NULL) != -1 || errno != ENOSYS)
		return 5;
	if (syscall(SYS_setns, 0, 0) != -1 || errno != ENOSYS)
		return 6;
	if (socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) != -1 || errno != ENOSYS)
		return 7;
	if (mmap(NULL, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED ||
	    errno != ENOSYS)
		return 8;
	/* What it lives on still works. */
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0 || close(fd))
		return 9;
	fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || close(fd))
		return 10;
	fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || close(fd))
		return 11;
	if (syscall(SYS_bpf, -1, NULL, 0) != -1 || errno == ENOSYS)
		return 12;
	return 42;
}

static void confine_seccomp__enforcer__enosys_and_goes_on(void **state)
{
	(void)state;
	assert_exit(in_child(enforcer_calls), 42);
}

static int keeper_forks_reporter(void)
{
	int status;
	pid_t pid;

	if (bh_confine_seccomp(BH_CONFINE_KEEPER, NULL))
		return 1;
	pid = fork();
	if (!pid) {
		int p[2] = { -1, -1 };

		if (prctl(PR_SET_PDEATHSIG, SIGKILL) ||
		    bh_confine_seccomp(BH_CONFINE_REPORTER, NULL))
			_exit(1);
		(void)syscall(SYS_pipe2, p, 0);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
		return 2;
	return 42;
}

static int keeper_new_namespace(void)
{
	if (bh_confine_seccomp(BH_CONFINE_KEEPER, NULL))
		return 1;
	if (syscall(SYS_clone, SIGCHLD | CLONE_NEWUSER, 0, 0, 0, 0) == 0)
		_exit(0);
	return 42;
}

static int keeper_execve(void)
{
	char name[] = "true", *argv[] = { name, NULL };

	if (bh_confine_seccomp(BH_CONFINE_KEEPER, NULL))
		return 1;
	(void)execve("/bin/true", argv, argv + 1);
	return 42;
}

static void confine_seccomp__keeper__forks_narrower_workers_and_nothing_more(void **state)
{
	(void)state;
	assert_exit(in_child(keeper_forks_reporter), 42);
	assert_sigsys(in_child(keeper_new_namespace));
	assert_sigsys(in_child(keeper_execve));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(confine_caps__enforcer__exactly_three_left),
		cmocka_unit_test(confine_user__nobody__for_good_and_without_caps),
		cmocka_unit_test(confine_seccomp__reporter__works_and_dies_of_the_forbidden),
		cmocka_unit_test(confine_seccomp__enforcer__enosys_and_goes_on),
		cmocka_unit_test(confine_seccomp__keeper__forks_narrower_workers_and_nothing_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
