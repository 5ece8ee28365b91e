/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * listen - listening stream sockets, on TCP and on a UNIX path.
 */
#include <sys/socket.h>
#include <sys/types.h>

struct bh_err;

/*
 * Listen on the TCP address @sa (AF_INET or AF_INET6; an IPv6 socket takes IPv6 only). Returns the
 * fd, owned by the caller, or the errno of what failed.
 */
int bh_listen_tcp(const struct sockaddr *sa, socklen_t len, struct bh_err *err);

/* A UNIX socket and which file it is, so that nobody else's is removed. */
struct bh_listen_unix {
	int fd;
	char path[108]; /* as sun_path */
	dev_t dev;
	ino_t ino;
};

/*
 * Listen on @path, mode 0600, for the caller's user. The parent folder is created (0755) if absent,
 * its own parents are not. A socket there that nobody serves any more is replaced; one that answers
 * is -EADDRINUSE; a file of another kind is -EEXIST and left alone; a path too long for a socket is
 * -ENAMETOOLONG. The umask changes for a moment: call it while there is one thread.
 */
int bh_listen_unix_open(const char *path, struct bh_listen_unix *ret_listen, struct bh_err *err);
/* Removes the file if it is still ours, and closes the fd unless it was taken (-1). */
void bh_listen_unix_close(struct bh_listen_unix *l);
