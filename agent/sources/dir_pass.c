/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#define BH_LOG_COMP "dir"
#include "agent/sources/dir_impl.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

#define RETRY_NS BH_NS_PER_S
/* A look at the folder that does not rely on inotify: network file systems, a switched link. */
#define RESCAN_NS (30 * BH_NS_PER_S)
#define WATCHED                                                                                    \
	(IN_ATTRIB | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MODIFY |         \
	 IN_MOVED_FROM | IN_MOVED_TO | IN_MOVE_SELF | IN_ONLYDIR)

struct bh_dir_file *bh_dir_find(const struct bh_dir *d, const char *name)
{
	size_t lo = 0, hi = d->n_files;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;
		const int r = strcmp(name, d->files[mid]->name);

		if (r == 0)
			return d->files[mid];
		if (r < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

void bh_dir_forget(struct bh_dir *d, struct bh_dir_file *f)
{
	bh_dir_claims_drop(&d->claims, f, /* unseen_only */ false);
	bh_dir_notes_clear(d, f);
	free(f->name);
	free(f);
}

/* Say it once; NULL: no trouble any more. */
static void set_trouble(struct bh_dir *d, const char *text)
{
	if (text && (!d->trouble || strcmp(text, d->trouble) != 0))
		bh_warn("%s: %s", d->path, text);
	else if (!text && d->trouble)
		bh_info("%s: readable and watched again", d->path);
	free(d->trouble);
	d->trouble = text ? strdup(text) : NULL;
}

static bool same_folder(const struct stat *a, const struct bh_dir_sig *b)
{
	return a->st_dev == b->dev && a->st_ino == b->ino;
}

/* Watch the folder if it is not the one that is watched. 0 or negative errno. */
static int watch(struct bh_dir *d)
{
	struct stat st;

	if (stat(d->path, &st) < 0)
		return -errno;
	if (d->wd >= 0 && same_folder(&st, &d->identity))
		return 0;
	if (d->wd >= 0)
		(void)inotify_rm_watch(d->ifd, d->wd);
	d->wd = inotify_add_watch(d->ifd, d->path, WATCHED);
	if (d->wd < 0)
		return -errno;
	d->identity = bh_dir_sig_of(&st);
	return 0;
}

/* The folder is watched before it is read: what changes behind the listing is told. */
static int open_folder(struct bh_dir *d, int *ret_fd, int *ret_watch)
{
	bh_autoclose int fd = -1;
	struct stat st;

	*ret_watch = watch(d);
	fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (d->wd >= 0 && !same_folder(&st, &d->identity)) {
		/* exchanged between the two */
		(void)inotify_rm_watch(d->ifd, d->wd);
		d->wd = -1;
		*ret_watch = -EAGAIN;
	}
	*ret_fd = BH_TAKE_FD(fd);
	return 0;
}

static struct bh_dir_file *file_new(const char *name)
{
	struct bh_dir_file *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->name = strdup(name);
	if (!f->name) {
		free(f);
		return NULL;
	}
	return f;
}

/* Is it only for their number that @f is not in the list? */
static bool is_cut(const struct bh_dir_file *f, const struct bh_dir_list *l)
{
	return l->cut && (!l->n || strcmp(f->name, l->v[l->n - 1].name) > 0);
}

/*
 * Make d->files those of the list, in the same order, and behind them those that the list had no
 * room for. Files that are gone are forgotten.
 */
static int merge(struct bh_dir *d, const struct bh_dir_list *l)
{
	struct bh_dir_file **files = calloc(l->n + d->n_files + 1, sizeof(struct bh_dir_file *));
	size_t n = 0, o = 0;
	int r = 0;

	if (!files)
		return -ENOMEM;
	for (size_t i = 0; i <= l->n; i++) {
		for (; o < d->n_files; o++) {
			struct bh_dir_file *f = d->files[o];

			if (i < l->n && strcmp(f->name, l->v[i].name) >= 0)
				break;
			if (is_cut(f, l))
				files[n++] = f;
			else
				bh_dir_forget(d, f);
		}
		if (i == l->n)
			break;
		if (o < d->n_files && !strcmp(d->files[o]->name, l->v[i].name)) {
			files[n++] = d->files[o++];
			continue;
		}
		files[n] = file_new(l->v[i].name);
		if (files[n])
			n++;
		else
			r = -ENOMEM; /* the others are dealt with all the same */
	}
	free(d->files);
	d->files = files;
	d->n_files = n;
	return r;
}

static void update_all(struct bh_dir *d, int dfd, const struct bh_dir_list *l)
{
	size_t i = 0;

	if (merge(d, l) < 0)
		d->again = true;
	for (size_t k = 0; k < d->n_files; k++) {
		struct bh_dir_file *f = d->files[k];

		while (i < l->n && strcmp(l->v[i].name, f->name) < 0)
			i++;
		if (i < l->n && !strcmp(l->v[i].name, f->name))
			bh_dir_update(d, dfd, f, &l->v[i]);
		else
			bh_dir_refuse(f, -EMFILE);
	}
	if (bh_dir_claims_settle(&d->claims, &d->sink))
		d->changed = true;
}

static void plan_next(struct bh_dir *d)
{
	const uint64_t now = bh_clock_ns();

	d->rescan_ns = now + RESCAN_NS;
	d->retry_ns = d->again || !d->readable || d->wd < 0 ? now + RETRY_NS : 0;
	for (size_t i = 0; i < d->n_files; i++) {
		struct bh_dir_file *f = d->files[i];

		if (f->busy_until_ns > now) {
			if (!d->due_ns || f->busy_until_ns < d->due_ns)
				d->due_ns = f->busy_until_ns;
			continue;
		}
		f->busy_until_ns = 0;
		/* changed while it was read, or may have been */
		if (!d->retry_ns && !f->error && (!f->read || f->reread))
			d->retry_ns = now + RETRY_NS;
	}
}

/* Read what changed. 0 or negative errno of the folder. */
static int read_folder(struct bh_dir *d)
{
	bh_auto(bh_dir_list_freep) struct bh_dir_list *l = NULL;
	bh_autoclose int fd = -1;
	char text[256];
	int r, watched;

	r = open_folder(d, &fd, &watched);
	if (r == 0)
		r = bh_dir_list_new(fd, &l);
	if (r < 0) {
		(void)snprintf(text, sizeof(text),
			       "the folder cannot be read (%s); what is in force stays",
			       strerrordesc_np(-r) ?: "?");
		set_trouble(d, text);
		return r;
	}
	update_all(d, fd, l);
	if (watched < 0) {
		(void)snprintf(text, sizeof(text),
			       "the folder cannot be watched (%s); it is read every second instead",
			       strerrordesc_np(-watched) ?: "?");
		set_trouble(d, text);
	} else if (l->cut) {
		(void)snprintf(text, sizeof(text),
			       "more than %d files; those behind '%.128s' are not read",
			       BH_DIR_MAX_FILES, l->v[l->n - 1].name);
		set_trouble(d, text);
	} else {
		set_trouble(d, NULL);
	}
	return 0;
}

int bh_dir_pass(struct bh_dir *d, struct bh_err *err)
{
	int r;

	d->first_ns = 0;
	d->due_ns = 0;
	d->again = false;
	r = read_folder(d);
	d->readable = r == 0;
	plan_next(d);
	bh_dir_problems_collect(d);
	if (r < 0)
		return bh_err_set(err, r, "%s: %s", d->path,
				  d->trouble ? d->trouble : strerrordesc_np(-r));
	return 0;
}
