/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * memfd - bytes handed to another process as a sealed memory file: who receives it can neither
 * change it nor be surprised by a change.
 */
#include <stddef.h>

/* The fd, owned by the caller, or negative errno. @name is for /proc only. */
int bh_memfd_seal(const char *name, const void *data, size_t len);

/*
 * A copy of what is in @fd, for the caller to free(). 0; -EINVAL: not a memory file that is sealed
 * against every change; -E2BIG: over @max bytes; -EIO; -ENOMEM.
 */
int bh_memfd_read(int fd, size_t max, char **ret_data, size_t *ret_len);
