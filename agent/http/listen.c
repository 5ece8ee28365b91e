/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/addr.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/parse.h"

#define BACKLOG 64

union sockaddr_any {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

static int split_host_port(const char *addr, struct bh_addr *ret_addr, uint16_t *ret_port)
{
	char host[BH_ADDR_STRLEN + 2];
	const char *const colon = strrchr(addr, ':');
	const size_t len = colon ? (size_t)(colon - addr) : 0;
	const char *h = host;
	uint64_t port;
	int r;

	if (!len || len >= sizeof(host))
		return -EINVAL;
	memcpy(host, addr, len);
	host[len] = '\0';
	if (host[0] == '[') {
		if (host[len - 1] != ']')
			return -EINVAL;
		host[len - 1] = '\0';
		h = host + 1;
	}
	r = bh_addr_parse(h, ret_addr);
	if (r < 0)
		return r;
	/* Brackets belong to IPv6, and only to it. */
	if (bh_addr_is_v4(ret_addr) != (h == host))
		return -EINVAL;
	r = bh_parse_u64(colon + 1, 0, UINT16_MAX, &port);
	if (r < 0)
		return r;
	*ret_port = (uint16_t)port;
	return 0;
}

bool bh_listen_is_loopback(const char *addr)
{
	struct bh_addr a;
	uint16_t port;

	if (split_host_port(addr, &a, &port) < 0)
		return false;
	if (bh_addr_is_v4(&a))
		return a.b[12] == 127;
	return !memcmp(a.b, &in6addr_loopback, sizeof(a.b));
}

int bh_listen_tcp(const char *addr, struct bh_err *err)
{
	union sockaddr_any sa = { 0 };
	bh_autoclose int fd = -1;
	struct bh_addr a;
	socklen_t len;
	uint16_t port;
	const int one = 1;

	if (split_host_port(addr, &a, &port) < 0)
		return bh_err_set(err, EINVAL, "'%s': expected ADDRESS:PORT, e.g. 127.0.0.1:9400",
				  addr);
	if (bh_addr_is_v4(&a)) {
		sa.in.sin_family = AF_INET;
		sa.in.sin_port = htons(port);
		memcpy(&sa.in.sin_addr, a.b + 12, 4);
		len = sizeof(sa.in);
	} else {
		sa.in6.sin6_family = AF_INET6;
		sa.in6.sin6_port = htons(port);
		memcpy(&sa.in6.sin6_addr, a.b, 16);
		len = sizeof(sa.in6);
	}
	fd = socket(sa.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return bh_err_set(err, errno, "socket for %s", addr);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    (sa.sa.sa_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0))
		return bh_err_set(err, errno, "socket options for %s", addr);
	if (bind(fd, &sa.sa, len) < 0)
		return bh_err_set(err, errno, "bind %s: %s", addr, strerror(errno));
	if (listen(fd, BACKLOG) < 0)
		return bh_err_set(err, errno, "listen on %s", addr);
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
	strcpy(sa.un.sun_path, path);
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
	strcpy(l.path, path);
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
