/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/http/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/cleanup.h"
#include "common/err.h"

#define BACKLOG 64

union sockaddr_any {
	struct sockaddr sa;
	struct sockaddr_un un;
};

int bh_listen_tcp(const struct sockaddr *sa, socklen_t len, struct bh_err *err)
{
	bh_autoclose int fd = -1;
	const int one = 1;

	fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return bh_err_set(err, errno, "socket: %s", strerror(errno));
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    (sa->sa_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0))
		return bh_err_set(err, errno, "socket options: %s", strerror(errno));
	if (bind(fd, sa, len) < 0)
		return bh_err_set(err, errno, "bind: %s", strerror(errno));
	if (listen(fd, BACKLOG) < 0)
		return bh_err_set(err, errno, "listen: %s", strerror(errno));
	return BH_TAKE_FD(fd);
}

static int make_parent(const char *path, struct bh_err *err)
{
	char dir[sizeof(((struct sockaddr_un *)0)->sun_path)];
	const char *const slash = strrchr(path, '/');

	if (!slash || slash == path)
		return 0;
	(void)snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return bh_err_set(err, errno, "mkdir '%s': %s", dir, strerror(errno));
	return 0;
}

/* Make room at the address: only a socket that refuses connections may go. */
static int remove_stale(const union sockaddr_any *sa, struct bh_err *err)
{
	const char *const path = sa->un.sun_path;
	bh_autoclose int fd = -1;
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : bh_err_set(err, errno, "stat '%s'", path);
	if (!S_ISSOCK(st.st_mode))
		return bh_err_set(err, EEXIST, "'%s' exists and is not a socket", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return bh_err_set(err, errno, "socket");
	/* EAGAIN is a full backlog: somebody is there, and busy. */
	if (!connect(fd, &sa->sa, sizeof(sa->un)) || errno == EAGAIN)
		return bh_err_set(err, EADDRINUSE, "already running: '%s' answers", path);
	if (errno != ECONNREFUSED)
		return bh_err_set(err, errno, "probe '%s': %s", path, strerror(errno));
	if (unlink(path) < 0 && errno != ENOENT)
		return bh_err_set(err, errno, "unlink '%s': %s", path, strerror(errno));
	return 0;
}

int bh_listen_unix_open(const char *path, struct bh_listen_unix *ret_listen, struct bh_err *err)
{
	union sockaddr_any sa = { .un.sun_family = AF_UNIX };
	struct bh_listen_unix l = { .fd = -1 };
	bh_autoclose int fd = -1;
	struct stat st;
	mode_t old;
	int r;

	if (!*path || strlen(path) >= sizeof(sa.un.sun_path))
		return bh_err_set(err, ENAMETOOLONG, "socket path '%s': 1..%zu bytes", path,
				  sizeof(sa.un.sun_path) - 1);
	memcpy(sa.un.sun_path, path, strlen(path) + 1);
	r = make_parent(path, err);
	if (r < 0)
		return r;
	r = remove_stale(&sa, err);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return bh_err_set(err, errno, "socket");
	old = umask(0177);
	r = bind(fd, &sa.sa, sizeof(sa.un)) < 0 ? -errno : 0;
	(void)umask(old);
	if (r < 0)
		return bh_err_set(err, r, "bind '%s': %s", path, strerror(-r));
	if (listen(fd, BACKLOG) < 0 || lstat(path, &st) < 0) {
		r = -errno;
		(void)unlink(path);
		return bh_err_set(err, r, "listen on '%s'", path);
	}
	memcpy(l.path, path, strlen(path) + 1);
	l.dev = st.st_dev;
	l.ino = st.st_ino;
	l.fd = BH_TAKE_FD(fd);
	*ret_listen = l;
	return 0;
}

void bh_listen_unix_close(struct bh_listen_unix *l)
{
	struct stat st;

	if (l->path[0] && !lstat(l->path, &st) && st.st_dev == l->dev && st.st_ino == l->ino)
		(void)unlink(l->path);
	l->path[0] = '\0';
	bh_closep(&l->fd);
}
