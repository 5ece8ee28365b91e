/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * err - human context for a failure, beside the negative errno that is its
 * machine meaning. Lives on the caller's stack, never allocates, needs no release.
 */

#define BH_ERR_MSG_LEN 512

struct bh_err {
	int code; /* negative errno of the innermost failure, 0 if none */
	char msg[BH_ERR_MSG_LEN];
};

/* Record @code (either sign) and a message; @err may be NULL. Returns -|code|. */
int bh_err_set(struct bh_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Prefix the existing message with "fmt: ". Returns the code already stored,
 * else -|code|; stores @code if none was stored. @err may be NULL.
 */
int bh_err_wrap(struct bh_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
