/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * reporter - the unprivileged process that serves /metrics, and the keeper that starts it again.
 *
 * bh_reporter_start() forks the keeper: another user, no capabilities, few system calls, no file
 * but the listening socket and the line to the enforcer. The keeper forks the worker, with fewer
 * system calls still, and forks it again whenever it dies, so that the enforcer needs neither
 * fork() nor setuid() for that. Nothing of both survives the enforcer.
 */
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

struct bh_err;

struct bh_reporter_opts {
	const struct sockaddr *http; /* where /metrics is served */
	socklen_t http_len;
	uid_t uid; /* BH_NOBODY unless a test says otherwise */
	gid_t gid;
	bool confine; /* false: for debuggers only */
};

/*
 * Listen and fork. Call it before anything is loaded, allocated or started: the keeper has a copy
 * of whatever is there. *ret_fd, owned by the caller, is for bh_report_channel_new(); *ret_pid is a
 * child of the caller, who may wait for it. 0, or negative errno with @err: the address cannot be
 * listened on, or no process could be made.
 */
int bh_reporter_start(const struct bh_reporter_opts *opts, pid_t *ret_pid, int *ret_fd,
		      struct bh_err *err);
