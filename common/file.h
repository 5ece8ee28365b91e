/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * file - reading files that others write: regular ones only, never blocking on a pipe or waking a
 * device, and never more than a stated size.
 */
#include <stddef.h>
#include <sys/stat.h>

/*
 * Open @path below @dirfd (AT_FDCWD is fine) for reading, symbolic links followed. *ret_fd is the
 * caller's to close, *ret_st is what was opened. 0; -EINVAL if it is no regular file; or the errno
 * of open(2).
 */
int bh_file_open(int dirfd, const char *path, int *ret_fd, struct stat *ret_st);

/*
 * Read @fd from its offset to the end. *ret_data (for the caller to free()) ends in a NUL that
 * *ret_len does not count. 0; -EFBIG if there are more than @max_bytes; -ENOMEM; or the errno of
 * read(2).
 */
int bh_file_read(int fd, size_t max_bytes, char **ret_data, size_t *ret_len);
