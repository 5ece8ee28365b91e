/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * confine - give up what a process does not need: capabilities, user, system calls. The only user
 * of libseccomp. Nothing here can be undone. Call it while there is one thread.
 */
#include <stdint.h>
#include <sys/types.h>

struct bh_err;

/* Capabilities as bits of a set. */
#define BH_CAP(n) (UINT64_C(1) << (n))

/*
 * What the enforcer keeps while it runs:
 * CAP_BPF: maps by id and pinned path, BPF_PROG_TEST_RUN, loading programs of a new ABI;
 * CAP_PERFMON: programs that read kernel memory (sk_buff's metadata) with bpf_probe_read_kernel();
 * CAP_NET_ADMIN: TC programs are loaded and attached, rtnetlink is asked for other namespaces'
 * ends.
 */
#define BH_CAPS_ENFORCER (BH_CAP(39) | BH_CAP(38) | BH_CAP(12))
#define BH_CAPS_NONE UINT64_C(0)

#define BH_NOBODY 65534

/*
 * Keep exactly the capabilities in @mask: permitted and effective become @mask, inheritable and
 * ambient empty, the bounding set @mask; no_new_privs is set. Everything is read back.
 * 0; -EPERM with @err when a capability of @mask is not there to keep, or the bounding set may not
 * be changed by a process that has capabilities; other negative errno.
 */
int bh_confine_caps(uint64_t mask, struct bh_err *err);

/*
 * Become @uid and @gid for good, without supplementary groups. Nothing happens if that is who we
 * are already. Takes every capability with it. The parent-death signal is lost. 0 or negative
 * errno.
 */
int bh_confine_user(uid_t uid, gid_t gid, struct bh_err *err);

enum bh_confine_profile {
	BH_CONFINE_ENFORCER, /* other calls: ENOSYS */
	BH_CONFINE_KEEPER, /* as the reporter, and fork(), wait() and a second filter; else death */
	BH_CONFINE_REPORTER, /* other calls: death by SIGSYS, which the kernel logs */
};

/* From now on only the calls of @profile; sets no_new_privs. 0 or negative errno with @err. */
int bh_confine_seccomp(enum bh_confine_profile profile, struct bh_err *err);
