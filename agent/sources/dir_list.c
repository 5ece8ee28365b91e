/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sources/dir_list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "agent/sources/dir.h"
#include "common/clock.h"

/* Names are sorted out whenever there are twice as many as are wanted. */
#define ROOM ((size_t)2 * BH_DIR_MAX_FILES)

bool bh_dir_is_manifest(const char *name)
{
	static const char *const suffixes[] = { ".yaml", ".yml", ".json" };
	const size_t n = strlen(name);

	if (name[0] == '.' || name[0] == '#')
		return false;
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		const size_t s = strlen(suffixes[i]);

		if (n > s && !strcmp(name + n - s, suffixes[i]))
			return true;
	}
	return false;
}

struct bh_dir_sig bh_dir_sig_of(const struct stat *st)
{
	return (struct bh_dir_sig){
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime_ns = bh_timespec_ns(&st->st_mtim),
		.ctime_ns = bh_timespec_ns(&st->st_ctim),
	};
}

bool bh_dir_sig_same(const struct bh_dir_sig *a, const struct bh_dir_sig *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

struct bh_dir_list *bh_dir_list_free(struct bh_dir_list *l)
{
	if (!l)
		return NULL;
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].name);
	free(l->v);
	free(l);
	return NULL;
}

static int cmp_items(const void *a, const void *b)
{
	const struct bh_dir_item *ia = a, *ib = b;

	return strcmp(ia->name, ib->name);
}

static void sort_and_cut(struct bh_dir_list *l)
{
	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), cmp_items);
	while (l->n > BH_DIR_MAX_FILES) {
		free(l->v[--l->n].name);
		l->cut = true;
	}
}

static int add_name(struct bh_dir_list *l, size_t *cap, const char *name)
{
	char *copy;

	if (l->n == ROOM)
		sort_and_cut(l);
	if (l->n == *cap) {
		const size_t grown = *cap ? 2 * *cap : 64;
		struct bh_dir_item *v = reallocarray(l->v, grown, sizeof(*v));

		if (!v)
			return -ENOMEM;
		l->v = v;
		*cap = grown;
	}
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	l->v[l->n++] = (struct bh_dir_item){ .name = copy };
	return 0;
}

static int read_names(int dfd, struct bh_dir_list *l)
{
	bh_autoclose int fd = openat(dfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *e;
	size_t cap = 0;
	int r = 0;
	DIR *dir;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir)
		return -errno;
	(void)BH_TAKE_FD(fd);
	while (r == 0 && (errno = 0, e = readdir(dir))) {
		if (bh_dir_is_manifest(e->d_name))
			r = add_name(l, &cap, e->d_name);
	}
	if (r == 0 && errno)
		r = -errno;
	(void)closedir(dir);
	return r;
}

/* False if the name is gone by now. */
static bool look_at(int dfd, struct bh_dir_item *it, uint64_t *total)
{
	struct stat st;

	if (fstatat(dfd, it->name, &st, 0) < 0) {
		it->error = -errno;
		/* a link that leads nowhere is there all the same */
		return it->error != -ENOENT ||
		       fstatat(dfd, it->name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	}
	it->sig = bh_dir_sig_of(&st);
	if (!S_ISREG(st.st_mode))
		it->error = -EINVAL;
	else if (it->sig.size > BH_DIR_MAX_FILE_BYTES)
		it->error = -EFBIG;
	else if (it->sig.size > BH_DIR_MAX_BYTES - *total)
		it->error = -E2BIG;
	else
		*total += it->sig.size;
	return true;
}

int bh_dir_list_new(int dfd, struct bh_dir_list **ret_list)
{
	bh_auto(bh_dir_list_freep) struct bh_dir_list *l = calloc(1, sizeof(*l));
	uint64_t total = 0;
	size_t kept = 0;
	int r;

	if (!l)
		return -ENOMEM;
	r = read_names(dfd, l);
	if (r < 0)
		return r;
	sort_and_cut(l);
	for (size_t i = 0; i < l->n; i++) {
		if (look_at(dfd, &l->v[i], &total))
			l->v[kept++] = l->v[i];
		else
			free(l->v[i].name);
	}
	l->n = kept;
	*ret_list = BH_TAKE_PTR(l);
	return 0;
}
