/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/report/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

int bh_memfd_seal(const char *name, const void *data, size_t len)
{
	bh_autoclose int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t done = 0;

	if (fd < 0)
		return -errno;
	while (done < len) {
		const ssize_t n = write(fd, (const char *)data + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return -errno;
	return BH_TAKE_FD(fd);
}

int bh_memfd_read(int fd, size_t max, char **ret_data, size_t *ret_len)
{
	const int seals = fcntl(fd, F_GET_SEALS);
	bh_autofree char *data = NULL;
	size_t len, done = 0;
	struct stat st;

	/* Without the seals the sender could cut or change the file under our feet. */
	if (seals < 0 || (seals & SEALS) != SEALS)
		return -EINVAL;
	if (fstat(fd, &st) < 0)
		return -errno;
	len = (size_t)st.st_size;
	if (len > max)
		return -E2BIG;
	data = malloc(len + 1);
	if (!data)
		return -ENOMEM;
	while (done < len) {
		const ssize_t n = pread(fd, data + done, len - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	data[len] = '\0';
	*ret_data = BH_TAKE_PTR(data);
	*ret_len = len;
	return 0;
}
