/* SPDX-License-Identifier: Apache-2.0 */
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/cleanup.h"

int bh_file_open(int dirfd, const char *path, int *ret_fd, struct stat *ret_st)
{
	bh_autoclose int fd = -1;
	struct stat st;

	/* Asked twice: opening a device may do things, and the name may have changed since. */
	if (fstatat(dirfd, path, &st, 0) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	fd = openat(dirfd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	*ret_st = st;
	*ret_fd = BH_TAKE_FD(fd);
	return 0;
}

int bh_file_read(int fd, size_t max_bytes, char **ret_data, size_t *ret_len)
{
	bh_autofree char *data = NULL;
	size_t len = 0, cap = 0;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size > 0 && (size_t)st.st_size > max_bytes)
		return -EFBIG;
	cap = (st.st_size > 0 ? (size_t)st.st_size : 4096) + 2; /* the NUL, and to see the end */
	for (;;) {
		char *grown = realloc(data, cap);
		ssize_t n;

		if (!grown)
			return -ENOMEM;
		data = grown;
		n = read(fd, data + len, cap - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		len += (size_t)n;
		if (len > max_bytes)
			return -EFBIG;
		if (n == 0)
			break;
		if (len == cap - 1)
			cap *= 2;
	}
	data[len] = '\0';
	*ret_len = len;
	*ret_data = BH_TAKE_PTR(data);
	return 0;
}
