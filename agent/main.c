/* SPDX-License-Identifier: Apache-2.0 */
/* main - bulkheadd: options, log, the reporter's process, then the enforcer in this one. */
#define BH_LOG_COMP "main"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/config.h"
#include "agent/confine.h"
#include "agent/enforcer.h"
#include "agent/reporter.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/log.h"
#include "common/version.h"

#define EXIT_USAGE 2

/* Files that are opened later must not become standard error by being given its number. */
static int hold_standard_files(void)
{
	struct stat st;

	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		if (fstat(fd, &st) < 0 && open("/dev/null", O_RDWR | O_CLOEXEC) != fd)
			return -EBADF;
	}
	return 0;
}

static int print_help(void)
{
	bh_autobuf b = BH_BUF_INIT;

	bh_config_help(&b);
	if (b.error || fputs(b.data, stdout) == EOF || fflush(stdout) == EOF)
		return EXIT_FAILURE;
	return EXIT_SUCCESS;
}

static int detach(const struct bh_config *cfg)
{
	struct bh_err err = { 0 };
	int r;

	r = bh_enforcer_detach(cfg, &err);
	if (r < 0) {
		(void)bh_error_r(r, "detach: %s", err.msg);
		return EXIT_FAILURE;
	}
	bh_info("nothing of this node is enforced any more");
	return EXIT_SUCCESS;
}

static int run(const struct bh_config *cfg)
{
	const struct bh_reporter_opts opts = {
		.http = (const struct sockaddr *)&cfg->http,
		.http_len = cfg->http_len,
		.uid = BH_NOBODY,
		.gid = BH_NOBODY,
		.confine = !cfg->no_confine,
	};
	struct bh_err err = { 0 };
	pid_t reporter;
	int r, report_fd = -1;

	if (cfg->insecure_metrics)
		bh_warn("metrics are served to everybody who can reach the address");
	/* First of all: the reporter has a copy of whatever is there when it is forked. */
	r = bh_reporter_start(&opts, &reporter, &report_fd, &err);
	if (r < 0) {
		(void)bh_error_r(r, "start the reporter: %s", err.msg);
		return EXIT_FAILURE;
	}
	bh_debug("reporter's keeper is process %d", (int)reporter);
	r = bh_enforcer_run(cfg, report_fd, &err);
	if (r < 0) {
		(void)bh_error_r(r, "%s", err.msg);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	bh_auto(bh_config_freep) struct bh_config *cfg = NULL;
	struct bh_err err = { 0 };
	int r;

	if (hold_standard_files() < 0)
		return EXIT_FAILURE;
	(void)signal(SIGPIPE, SIG_IGN);
	r = bh_config_load(argc, argv, &cfg, &err);
	if (r < 0) {
		(void)fprintf(stderr, "bulkheadd: %s\n", err.msg[0] ? err.msg : strerror(-r));
		return EXIT_USAGE;
	}
	bh_log_set_level((enum bh_log_level)cfg->log_level);
	bh_log_set_format((enum bh_log_format)cfg->log_format);
	switch (cfg->action) {
	case BH_CONFIG_HELP:
		return print_help();
	case BH_CONFIG_VERSION:
		return printf("bulkheadd %s\n", bh_version()) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	case BH_CONFIG_DETACH:
		return detach(cfg);
	case BH_CONFIG_RUN:
		return run(cfg);
	}
	return EXIT_USAGE;
}
