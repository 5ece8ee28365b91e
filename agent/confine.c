/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/confine.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <seccomp.h>

#include "common/err.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

/* libc has no wrapper for these two, and libcap would be a library for one structure. */
static int read_caps(struct __user_cap_data_struct d[static 2])
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return syscall(SYS_capget, &h, d) < 0 ? -errno : 0;
}

static int write_caps(const struct __user_cap_data_struct d[static 2])
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return syscall(SYS_capset, &h, d) < 0 ? -errno : 0;
}

static bool caps_are(uint64_t mask)
{
	struct __user_cap_data_struct d[2];

	if (read_caps(d) < 0)
		return false;
	for (int i = 0; i < 2; i++) {
		const uint32_t want = (uint32_t)(mask >> (32 * i));

		if (d[i].permitted != want || d[i].effective != want || d[i].inheritable)
			return false;
	}
	for (unsigned long n = 0; n < 64; n++) {
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, n, 0, 0) == 1)
			return false;
	}
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

/* Reading a bit beyond the kernel's last capability fails, and ends the loop. */
static int drop_bounding(uint64_t mask, struct bh_err *err)
{
	struct __user_cap_data_struct d[2];
	int r = read_caps(d);

	if (r < 0)
		return bh_err_set(err, r, "capget");
	for (unsigned long n = 0; n < 64 && prctl(PR_CAPBSET_READ, n, 0, 0, 0) >= 0; n++) {
		if (mask & BH_CAP(n))
			continue;
		if (prctl(PR_CAPBSET_READ, n, 0, 0, 0) == 0)
			continue;
		if (prctl(PR_CAPBSET_DROP, n, 0, 0, 0) == 0)
			continue;
		/* Who has nothing can gain nothing, now that no_new_privs is set. */
		if (errno == EPERM && !d[0].permitted && !d[1].permitted)
			return 0;
		return bh_err_set(err, errno, "drop capability %lu from the bounding set", n);
	}
	return 0;
}

int bh_confine_caps(uint64_t mask, struct bh_err *err)
{
	struct __user_cap_data_struct d[2] = { 0 };
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return bh_err_set(err, errno, "set no_new_privs");
	r = drop_bounding(mask, err);
	if (r < 0)
		return r;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return bh_err_set(err, errno, "clear ambient capabilities");
	for (int i = 0; i < 2; i++)
		d[i].permitted = d[i].effective = (uint32_t)(mask >> (32 * i));
	r = write_caps(d);
	if (r < 0)
		return bh_err_set(err, r, "keep capabilities 0x%llx: not all of them are held",
				  (unsigned long long)mask);
	if (!caps_are(mask))
		return bh_err_set(err, EPERM, "capabilities are not 0x%llx after setting them",
				  (unsigned long long)mask);
	return 0;
}

int bh_confine_user(uid_t uid, gid_t gid, struct bh_err *err)
{
	uid_t u[3];
	gid_t g[3];

	if (getresuid(&u[0], &u[1], &u[2]) < 0 || getresgid(&g[0], &g[1], &g[2]) < 0)
		return bh_err_set(err, errno, "read user and group");
	if (u[0] == uid && u[1] == uid && u[2] == uid && g[0] == gid && g[1] == gid && g[2] == gid)
		return 0;
	if (setgroups(0, NULL) < 0)
		return bh_err_set(err, errno, "drop supplementary groups");
	if (setresgid(gid, gid, gid) < 0)
		return bh_err_set(err, errno, "become group %u", gid);
	if (setresuid(uid, uid, uid) < 0)
		return bh_err_set(err, errno, "become user %u", uid);
	/* Both ways back must be closed. */
	if (uid && (setresuid(0, 0, 0) == 0 || setresgid(0, 0, 0) == 0))
		return bh_err_set(err, EPERM, "user %u can become root again", uid);
	return 0;
}

#define E (1u << BH_CONFINE_ENFORCER)
#define K (1u << BH_CONFINE_KEEPER)
#define R (1u << BH_CONFINE_REPORTER)
#define ALL (E | K | R)
#ifdef SANITIZED
#define SAN ALL
#else
#define SAN 0u
#endif

/*
 * Who may call what. A filter is inherited, and a second one only narrows: what the reporter needs
 * the keeper must have too.
 */
static const struct rule {
	int nr;
	unsigned int profiles;
} rules[] = {
	/* memory, for malloc(); mmap and mprotect are below */
	{ SCMP_SYS(brk), ALL },
	{ SCMP_SYS(munmap), ALL },
	{ SCMP_SYS(mremap), ALL },
	{ SCMP_SYS(madvise), ALL },
	{ SCMP_SYS(futex), ALL },

	/* what is open already */
	{ SCMP_SYS(read), ALL },
	{ SCMP_SYS(write), ALL },
	{ SCMP_SYS(readv), ALL },
	{ SCMP_SYS(writev), ALL },
	{ SCMP_SYS(pread64), ALL },
	{ SCMP_SYS(close), ALL },
	{ SCMP_SYS(lseek), ALL },
	{ SCMP_SYS(fstat), ALL },
	{ SCMP_SYS(newfstatat), ALL }, /* what glibc's fstat() is */
	{ SCMP_SYS(fcntl), ALL },      /* seals, O_NONBLOCK */

	/* the event loop */
	{ SCMP_SYS(epoll_ctl), ALL },
	{ SCMP_SYS(epoll_wait), ALL },
	{ SCMP_SYS(epoll_pwait), ALL },
	{ SCMP_SYS(epoll_pwait2), ALL }, /* sd-event's choice where the kernel has it */
	{ SCMP_SYS(timerfd_settime), ALL },
	{ SCMP_SYS(poll), ALL },
	{ SCMP_SYS(ppoll), ALL },
	{ SCMP_SYS(epoll_create1), E | K },
	{ SCMP_SYS(timerfd_create), E | K },
	{ SCMP_SYS(eventfd2), E | K },
	{ SCMP_SYS(signalfd4), E | K },

	/* connections */
	{ SCMP_SYS(accept4), ALL },
	{ SCMP_SYS(recvfrom), ALL },
	{ SCMP_SYS(recvmsg), ALL },
	{ SCMP_SYS(sendto), ALL },
	{ SCMP_SYS(sendmsg), ALL },
	{ SCMP_SYS(shutdown), ALL },
	{ SCMP_SYS(getsockname), ALL },
	{ SCMP_SYS(getpeername), ALL },
	{ SCMP_SYS(getsockopt), ALL },
	{ SCMP_SYS(setsockopt), ALL }, /* TCP_CORK, TCP_NODELAY */

	/* time, and what libraries ask of themselves */
	{ SCMP_SYS(clock_gettime), ALL }, /* where the vDSO cannot answer */
	{ SCMP_SYS(gettimeofday), ALL },
	{ SCMP_SYS(time), ALL },
	{ SCMP_SYS(getrandom), ALL },
	{ SCMP_SYS(getpid), ALL },
	{ SCMP_SYS(gettid), ALL },
	{ SCMP_SYS(sched_yield), ALL },
	{ SCMP_SYS(restart_syscall), ALL },
	{ SCMP_SYS(sysinfo), ALL }, /* qsort(), of more than a kilobyte, before glibc 2.37 */

	/* signals, and a proper end: abort() raises with tgkill() */
	{ SCMP_SYS(rt_sigaction), ALL },
	{ SCMP_SYS(rt_sigprocmask), ALL },
	{ SCMP_SYS(rt_sigreturn), ALL },
	{ SCMP_SYS(tgkill), ALL },
	{ SCMP_SYS(exit), ALL },
	{ SCMP_SYS(exit_group), ALL },

	/* the keeper starts workers again, and each of them narrows itself */
	{ SCMP_SYS(wait4), E | K }, /* the enforcer takes note of the keeper's end */
	{ SCMP_SYS(waitid), E | K },
	{ SCMP_SYS(pidfd_open), K }, /* to wait for worker and enforcer at once */
	{ SCMP_SYS(getppid), K },
	{ SCMP_SYS(set_robust_list), K }, /* fork() in libc */
	{ SCMP_SYS(rseq), K },
	{ SCMP_SYS(prctl), K }, /* name, parent-death signal, no_new_privs */
	{ SCMP_SYS(seccomp), K },
	{ SCMP_SYS(openat), E | K }, /* a worker's /proc/self/statm */

	/* the enforcer: kernel programs and maps */
	{ SCMP_SYS(bpf), E },
	{ SCMP_SYS(statfs), E }, /* is it a BPF filesystem? */
	{ SCMP_SYS(fstatfs), E },
	{ SCMP_SYS(prlimit64), E }, /* locked memory, which maps count as before 5.11 */
	{ SCMP_SYS(getrlimit), E },
	{ SCMP_SYS(setrlimit), E },
	{ SCMP_SYS(uname), E },
	{ SCMP_SYS(sched_getaffinity), E },
	{ SCMP_SYS(getcpu), E },

	/* the enforcer: rtnetlink; socket() itself is below */
	{ SCMP_SYS(bind), E },
	{ SCMP_SYS(connect), E },
	{ SCMP_SYS(listen), E },
	{ SCMP_SYS(ioctl), E }, /* interface names */

	/* the enforcer: manifests, pins, state; sealed answers for the reporter */
	{ SCMP_SYS(open), E },
	{ SCMP_SYS(openat2), E },
	{ SCMP_SYS(stat), E },
	{ SCMP_SYS(lstat), E },
	{ SCMP_SYS(statx), E },
	{ SCMP_SYS(access), E },
	{ SCMP_SYS(faccessat), E },
	{ SCMP_SYS(faccessat2), E },
	{ SCMP_SYS(readlink), E },
	{ SCMP_SYS(readlinkat), E },
	{ SCMP_SYS(getdents64), E },
	{ SCMP_SYS(getcwd), E },
	{ SCMP_SYS(pwrite64), E },
	{ SCMP_SYS(ftruncate), E },
	{ SCMP_SYS(fsync), E },
	{ SCMP_SYS(fdatasync), E },
	{ SCMP_SYS(flock), E },
	{ SCMP_SYS(mkdir), E },
	{ SCMP_SYS(mkdirat), E },
	{ SCMP_SYS(rmdir), E },
	{ SCMP_SYS(unlink), E },
	{ SCMP_SYS(unlinkat), E },
	{ SCMP_SYS(rename), E },
	{ SCMP_SYS(renameat), E },
	{ SCMP_SYS(renameat2), E },
	{ SCMP_SYS(umask), E },
	{ SCMP_SYS(dup), E },
	{ SCMP_SYS(dup3), E },
	{ SCMP_SYS(pipe2), E },
	{ SCMP_SYS(inotify_init1), E },
	{ SCMP_SYS(inotify_add_watch), E },
	{ SCMP_SYS(inotify_rm_watch), E },
	{ SCMP_SYS(memfd_create), E },

	/* the enforcer: what it says of itself */
	{ SCMP_SYS(getuid), E },
	{ SCMP_SYS(geteuid), E },
	{ SCMP_SYS(getgid), E },
	{ SCMP_SYS(getegid), E },
	{ SCMP_SYS(getppid), E },
	{ SCMP_SYS(getrusage), E },
	{ SCMP_SYS(capget), E },

	/* the sanitizers' runtime, in builds that have it */
	{ SCMP_SYS(sigaltstack), SAN },
	{ SCMP_SYS(readlink), SAN },
	{ SCMP_SYS(openat), SAN },
	{ SCMP_SYS(prctl), SAN },
	{ SCMP_SYS(getrlimit), SAN },
	{ SCMP_SYS(prlimit64), SAN },
	{ SCMP_SYS(sched_getaffinity), SAN },
};

/* Calls that are allowed for some arguments only. */
static const struct arg_rule {
	int nr;
	unsigned int profiles;
	struct scmp_arg_cmp arg;
} arg_rules[] = {
	/* no memory that can be run */
	{ SCMP_SYS(mmap), ALL, { 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0 } },
	{ SCMP_SYS(mprotect), ALL, { 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0 } },
	/* no network but the kernel's own interface */
	{ SCMP_SYS(socket), E, { 0, SCMP_CMP_EQ, AF_UNIX, 0 } },
	{ SCMP_SYS(socket), E, { 0, SCMP_CMP_EQ, AF_NETLINK, 0 } },
	/* fork(), but no new namespace */
	{ SCMP_SYS(clone),
	  K,
	  { 0, SCMP_CMP_MASKED_EQ,
	    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC |
		    CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_PTRACE,
	    0 } },
};

static int add_rules(scmp_filter_ctx ctx, unsigned int profile, struct bh_err *err)
{
	int r;

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (!(rules[i].profiles & profile))
			continue;
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, rules[i].nr, 0);
		if (r < 0)
			return bh_err_set(err, r, "seccomp rule %zu", i);
	}
	for (size_t i = 0; i < sizeof(arg_rules) / sizeof(arg_rules[0]); i++) {
		if (!(arg_rules[i].profiles & profile))
			continue;
		r = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, arg_rules[i].nr, 1,
					   &arg_rules[i].arg);
		if (r < 0)
			return bh_err_set(err, r, "seccomp argument rule %zu", i);
	}
	return 0;
}

int bh_confine_seccomp(enum bh_confine_profile profile, struct bh_err *err)
{
	const bool deadly = profile != BH_CONFINE_ENFORCER;
	scmp_filter_ctx ctx = seccomp_init(deadly ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(ENOSYS));
	int r;

	if (!ctx)
		return bh_err_set(err, ENOMEM, "seccomp_init");
	/* Calls by another ABI of the same machine have other numbers, so they are never right. */
	r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (!r && deadly)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_LOG, 1);
	if (r < 0)
		r = bh_err_set(err, r, "seccomp attribute");
	else
		r = add_rules(ctx, 1u << profile, err);
	if (!r) {
		r = seccomp_load(ctx);
		if (r < 0)
			r = bh_err_set(err, r, "load the seccomp filter");
	}
	seccomp_release(ctx);
	return r;
}
