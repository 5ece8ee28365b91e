/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * enforcer - the privileged process: sources, pipeline, local socket, answers to the reporter.
 */
struct bh_config;
struct bh_err;

/*
 * Load, confine, run until SIGTERM or SIGINT. Enforcement stays when it returns, and when it dies.
 *
 * @report_fd  The enforcer's end of the socketpair with the reporter, or -1 for none; taken over.
 *
 * 0 after a signal, or negative errno with @err: nothing was opened up then either.
 */
int bh_enforcer_run(const struct bh_config *cfg, int report_fd, struct bh_err *err);

/*
 * Uninstall: remove every program, map and pin below cfg->bpffs. Refused with -EBUSY while a daemon
 * runs on it. 0 or negative errno with @err.
 */
int bh_enforcer_detach(const struct bh_config *cfg, struct bh_err *err);
