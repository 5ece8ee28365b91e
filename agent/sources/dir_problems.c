/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BH_LOG_COMP "dir"
#include "agent/sources/dir_impl.h"
#include "common/log.h"

#define OBJECT_STRLEN 600 /* kind, namespace and name at their longest */

const char *bh_dir_error_str(int error)
{
	switch (error) {
	case -EINVAL:
		return "no regular file";
	case -EFBIG:
		return "larger than 8 MiB";
	case -E2BIG:
		return "the files of the folder are larger than 64 MiB together";
	case -EMFILE:
		return "more than 10000 files in the folder";
	case -ENOENT:
		return "a link that leads nowhere";
	default:
		return strerrordesc_np(-error) ?: "unknown error";
	}
}

static void note_free(struct bh_dir_note *n)
{
	free(n->object);
	free(n->message);
	free(n);
}

void bh_dir_note_add(struct bh_dir *d, struct bh_dir_file *f, const struct bh_dir_note *n)
{
	struct bh_dir_note **at = &f->notes;
	struct bh_dir_note *copy;

	f->n_notes++;
	if (d->n_kept >= BH_DIR_MAX_PROBLEMS)
		return;
	copy = calloc(1, sizeof(*copy));
	if (!copy)
		return; /* counted all the same */
	copy->doc = n->doc;
	copy->object = strdup(n->object);
	copy->message = strdup(n->message);
	if (!copy->object || !copy->message) {
		note_free(copy);
		return;
	}
	while (*at)
		at = &(*at)->next;
	*at = copy;
	d->n_kept++;
}

void bh_dir_notes_clear(struct bh_dir *d, struct bh_dir_file *f)
{
	while (f->notes) {
		struct bh_dir_note *n = f->notes;

		f->notes = n->next;
		note_free(n);
		d->n_kept--;
	}
	f->n_notes = 0;
}

static void show(struct bh_dir *d, const struct bh_dir_problem *p)
{
	struct bh_dir_problem copy = { .doc = p->doc };

	d->n_problems++;
	if (!d->shown || d->n_shown == BH_DIR_MAX_PROBLEMS)
		return;
	copy.file = strdup(p->file);
	copy.object = strdup(p->object);
	copy.message = strdup(p->message);
	if (copy.file && copy.object && copy.message) {
		d->shown[d->n_shown++] = copy;
		return;
	}
	free((char *)copy.file);
	free((char *)copy.object);
	free((char *)copy.message);
}

/* The objects that @f gives and an earlier file has. */
static void show_lost(struct bh_dir *d, struct bh_dir_file *f)
{
	for (struct bh_dir_entry *e = f->entries; e; e = e->next_of_file) {
		char object[OBJECT_STRLEN], message[512];

		if (!bh_dir_entry_loses(e)) {
			e->logged = false;
			continue;
		}
		(void)bh_object_key_str(&e->claim->key, object, sizeof(object));
		(void)snprintf(message, sizeof(message), "not used: %s has this object as well",
			       e->claim->from->file->name);
		show(d, &(struct bh_dir_problem){ f->name, e->doc, object, message });
		if (!e->logged)
			bh_warn_limited("%s: document %u: %s: %s", f->name, e->doc, object,
					message);
		e->logged = true;
	}
}

static int cmp_shown(const void *a, const void *b)
{
	const struct bh_dir_problem *pa = a, *pb = b;
	const int r = strcmp(pa->file, pb->file);

	return r ? r : (pa->doc > pb->doc) - (pa->doc < pb->doc);
}

void bh_dir_problems_free(struct bh_dir *d)
{
	for (size_t i = 0; i < d->n_shown; i++) {
		free((char *)d->shown[i].file);
		free((char *)d->shown[i].object);
		free((char *)d->shown[i].message);
	}
	free(d->shown);
	d->shown = NULL;
	d->n_shown = 0;
	d->n_problems = 0;
}

void bh_dir_problems_collect(struct bh_dir *d)
{
	bh_dir_problems_free(d);
	d->shown = calloc(BH_DIR_MAX_PROBLEMS, sizeof(*d->shown));
	if (d->trouble)
		show(d, &(struct bh_dir_problem){ "", 0, "", d->trouble });
	for (size_t i = 0; i < d->n_files; i++) {
		struct bh_dir_file *f = d->files[i];
		uint64_t kept = 0;

		if (f->error)
			show(d, &(struct bh_dir_problem){ f->name, 0, "",
							  bh_dir_error_str(f->error) });
		for (const struct bh_dir_note *n = f->notes; n; n = n->next, kept++)
			show(d, &(struct bh_dir_problem){ f->name, n->doc, n->object, n->message });
		d->n_problems += f->n_notes - kept;
		show_lost(d, f);
	}
	if (d->n_shown)
		qsort(d->shown, d->n_shown, sizeof(*d->shown), cmp_shown);
}

uint64_t bh_dir_problems(const struct bh_dir *d, const struct bh_dir_problem **ret_v, size_t *ret_n)
{
	*ret_v = d->shown;
	*ret_n = d->n_shown;
	return d->n_problems;
}
