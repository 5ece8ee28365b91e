/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * dir_list - which manifests are in a folder, and how each looks from outside. Opens none of them.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/cleanup.h"

/* Changes whenever the content of a file may have changed. */
struct bh_dir_sig {
	uint64_t dev, ino, size;
	uint64_t mtime_ns, ctime_ns;
};

struct bh_dir_item {
	char *name;
	int error; /* 0; -EINVAL no regular file; -EFBIG; -E2BIG the folder's size; else errno */
	struct bh_dir_sig sig; /* if error is 0 */
};

struct bh_dir_list {
	struct bh_dir_item *v; /* by name */
	size_t n;
	bool cut; /* there are more than BH_DIR_MAX_FILES; those that sort last are missing */
};

/* 0, -ENOMEM, or the errno of reading the folder @dfd. */
int bh_dir_list_new(int dfd, struct bh_dir_list **ret_list);
struct bh_dir_list *bh_dir_list_free(struct bh_dir_list *l); /* NULL is fine; returns NULL */
BH_DEFINE_AUTO(struct bh_dir_list, bh_dir_list_free)

/* Does a file of this name hold manifests? Not what editors leave behind, nor hidden ones. */
bool bh_dir_is_manifest(const char *name);
struct bh_dir_sig bh_dir_sig_of(const struct stat *st);
bool bh_dir_sig_same(const struct bh_dir_sig *a, const struct bh_dir_sig *b);
