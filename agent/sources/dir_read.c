/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BH_LOG_COMP "dir"
#include "agent/sources/dir_docs.h"
#include "agent/sources/dir_impl.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/log.h"

#define OBJECT_STRLEN 600 /* kind, namespace and name at their longest */
/*
 * Before Linux 6.13 a time stamp is as coarse as the timer tick, 10 ms at most: two changes in one
 * tick look alike from outside.
 */
#define TICK_NS UINT64_C(20000000)

/* A file being read. */
struct reading {
	struct bh_dir *d;
	struct bh_dir_file *f;
	bool changed;  /* else its problems were logged before */
	bool complete; /* it is known of every document what it is about */
};

/* @key NULL: it is not known what the document is about. */
static void note(const struct reading *rd, const struct bh_dir_doc *doc,
		 const struct bh_object_key *key, const char *what)
{
	char object[OBJECT_STRLEN] = "", message[BH_ERR_MSG_LEN + 64];
	char item[32] = "";

	if (key)
		(void)bh_object_key_str(key, object, sizeof(object));
	if (doc->item >= 0)
		(void)snprintf(item, sizeof(item), "items[%ld]: ", doc->item);
	(void)snprintf(message, sizeof(message), "%s%s", item, what);
	bh_dir_note_add(rd->d, rd->f, &(struct bh_dir_note){ NULL, doc->doc, object, message });
	if (rd->changed)
		bh_warn_limited("%s: document %u: %s%s%s", rd->f->name, doc->doc, object,
				*object ? ": " : "", message);
}

/* Hand the object of @e to the sink, if the document is good. */
static int use(struct reading *rd, const struct bh_dir_doc *doc, struct bh_dir_entry *e)
{
	struct bh_dir_claim *claim = e->claim;
	struct bh_object *o = NULL;
	struct bh_err err = { 0 };
	int r;

	r = bh_object_decode(doc->json, &o, &err);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		char what[BH_ERR_MSG_LEN + 48];

		(void)snprintf(what, sizeof(what), "%s%s", err.msg,
			       claim->in_force ? "; the last good version stays in force" : "");
		note(rd, doc, &claim->key, what);
		return 0;
	}
	r = rd->d->sink.put(rd->d->sink.ud, o);
	if (r < 0)
		return r;
	rd->d->changed = true;
	claim->in_force = true;
	claim->from = e;
	return 0;
}

static int on_doc(void *ud, const struct bh_dir_doc *doc)
{
	struct reading *rd = ud;
	struct bh_object_key key = { 0 };
	struct bh_dir_entry *e;
	struct bh_err err = { 0 };
	int r;

	if (!doc->json) {
		note(rd, doc, NULL, doc->err->msg);
		rd->complete = false;
		return 0;
	}
	r = bh_object_identify(doc->json, &key, &err);
	if (r == -EOPNOTSUPP) {
		bh_debug("%s: document %u: of a kind that is not used", rd->f->name, doc->doc);
		return 0;
	}
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		note(rd, doc, NULL, err.msg);
		rd->complete = false;
		return 0;
	}
	r = bh_dir_claims_enter(&rd->d->claims, rd->f, &key, &e);
	if (r < 0)
		return r;
	if (e->seen) {
		char what[96];

		(void)snprintf(what, sizeof(what), "not used: document %u has this object as well",
			       e->doc);
		note(rd, doc, &e->claim->key, what);
		return 0;
	}
	e->seen = true;
	e->doc = doc->doc;
	return bh_dir_entry_loses(e) ? 0 : use(rd, doc, e);
}

/* Could a later change leave the same time stamp? */
static bool is_fresh(const struct bh_dir_sig *sig)
{
	const uint64_t now = bh_clock_wall_ns();

	return sig->ctime_ns <= now && now - sig->ctime_ns < TICK_NS;
}

static int read_text(struct bh_dir *d, int dfd, struct bh_dir_file *f, bool changed)
{
	struct reading rd = { .d = d, .f = f, .changed = changed, .complete = true };
	const uint64_t had_notes = f->n_notes;
	bh_autofree char *text = NULL;
	bh_autoclose int fd = -1;
	struct stat before, after;
	size_t len;
	int r;

	r = bh_file_open(dfd, f->name, &fd, &before);
	if (r == 0)
		r = bh_file_read(fd, BH_DIR_MAX_FILE_BYTES, &text, &len);
	if (r < 0)
		return r;
	f->sig = bh_dir_sig_of(&before);
	bh_dir_notes_clear(d, f);
	for (struct bh_dir_entry *e = f->entries; e; e = e->next_of_file)
		e->seen = false;
	r = bh_dir_docs(f->name, text, len, on_doc, &rd);
	if (r < 0) {
		bh_warn_limited("%s: not read to its end (%s), trying again", f->name,
				strerrordesc_np(-r) ?: "?");
		d->again = true;
		return 0;
	}
	if (rd.complete)
		bh_dir_claims_drop(&d->claims, f, /* unseen_only */ true);
	if (had_notes && !f->n_notes)
		bh_info("%s: every document is good now", f->name);
	f->reread = is_fresh(&f->sig);
	/* Written meanwhile? Then it is read again, and what this gave is corrected. */
	if (fstat(fd, &after) == 0) {
		const struct bh_dir_sig sig = bh_dir_sig_of(&after);

		f->read = bh_dir_sig_same(&f->sig, &sig);
	}
	return 0;
}

void bh_dir_refuse(struct bh_dir_file *f, int error)
{
	if (f->error != error)
		bh_warn_limited("%s: %s; the objects that it gave stay in force", f->name,
				bh_dir_error_str(error));
	f->error = error;
	f->read = false;
}

void bh_dir_update(struct bh_dir *d, int dfd, struct bh_dir_file *f, const struct bh_dir_item *item)
{
	const bool changed = !f->read || !bh_dir_sig_same(&f->sig, &item->sig);
	int r;

	if (item->error) {
		bh_dir_refuse(f, item->error);
		return;
	}
	if (!changed && !f->reread)
		return;
	if (f->busy_until_ns > bh_clock_ns())
		return;
	f->read = false;
	r = read_text(d, dfd, f, changed);
	if (r == -ENOMEM) {
		d->again = true;
		return;
	}
	if (r < 0) {
		bh_dir_refuse(f, r);
		return;
	}
	if (f->error)
		bh_info("%s: readable again", f->name);
	f->error = 0;
}
