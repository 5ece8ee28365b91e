/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * http_fixture - sockets in a folder of their own, and raw HTTP spoken by hand to what listens
 * there, while the server's loop runs in this very thread.
 */
#include <stdbool.h>
#include <stddef.h>

struct bh_loop;

/* A fresh folder below /tmp; remove with fixture_rmdir(). Fails the test on error. */
void fixture_mkdir(char dir[static 64]);
void fixture_rmdir(const char *dir); /* with the files in it */

/* A connected, non-blocking client. */
int fixture_connect(const char *path);
void fixture_send(int fd, const char *text);

/* Step the loop until @done(ud), or fail the test after ten seconds. */
void fixture_until(struct bh_loop *l, bool (*done)(void *ud), void *ud);

/*
 * Step the loop and read @fd into @buf (kept NUL-terminated, *len bytes so far) until @needle is in
 * it, or with @needle NULL until the server closes. Fails the test after ten seconds, or on a close
 * before
 * @needle came.
 */
void fixture_read_until(struct bh_loop *l, int fd, char *buf, size_t cap, size_t *len,
			const char *needle);

/* One request on a connection of its own; the whole answer, headers included. */
void fixture_roundtrip(struct bh_loop *l, const char *path, const char *request, char *buf,
		       size_t cap);
