/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* dir_impl - what the parts of the folder source share. Private to agent/sources/dir*.c. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/sources/dir.h"
#include "agent/sources/dir_claims.h"
#include "agent/sources/dir_list.h"

/* Something wrong with a document. */
struct bh_dir_note {
	struct bh_dir_note *next;
	unsigned int doc;
	char *object;
	char *message;
};

struct bh_dir_file {
	char *name;
	struct bh_dir_sig sig; /* as it was read, if `read` */
	bool read;
	bool reread;		/* though it has not changed */
	uint64_t busy_until_ns; /* somebody is writing it; 0: not that we know */
	int error;		/* why it cannot be read now, else 0 */
	struct bh_dir_entry *entries;
	struct bh_dir_note *notes;
	uint64_t n_notes; /* of which `notes` are kept */
};

struct bh_dir {
	char *path;
	uint32_t debounce_ms;
	struct bh_dir_sink sink;
	int ifd;
	int wd;			    /* -1: not watched */
	struct bh_dir_sig identity; /* of the watched folder: dev and ino count */
	struct bh_dir_file **files; /* by name */
	size_t n_files;
	struct bh_dir_claims claims;

	bool readable;
	bool changed;	    /* the sink was called */
	bool again;	    /* memory ran out or the sink refused: repeat */
	uint64_t first_ns;  /* first event that is not dealt with, 0: none */
	uint64_t due_ns;    /* when those events are to be dealt with, 0: never */
	uint64_t retry_ns;  /* 0: never */
	uint64_t rescan_ns; /* whatever inotify says */

	char *trouble; /* with the folder itself, or NULL */
	size_t n_kept; /* notes of all files */
	struct bh_dir_problem *shown;
	size_t n_shown;
	uint64_t n_problems;
};

/* dir_read: one file */
/* Read @f below @dfd as far as that is needed. @item is what the folder's listing says of it. */
void bh_dir_update(struct bh_dir *d, int dfd, struct bh_dir_file *f,
		   const struct bh_dir_item *item);
/* Set @f aside: it cannot be read for @error, a negative errno; its objects stay. */
void bh_dir_refuse(struct bh_dir_file *f, int error);

/* dir_problems */
void bh_dir_note_add(struct bh_dir *d, struct bh_dir_file *f, const struct bh_dir_note *n);
void bh_dir_notes_clear(struct bh_dir *d, struct bh_dir_file *f);
const char *bh_dir_error_str(int error); /* of a file */
/* Make the public list anew, and log what is new in it. */
void bh_dir_problems_collect(struct bh_dir *d);
void bh_dir_problems_free(struct bh_dir *d);

/* dir_pass: the folder */
int bh_dir_pass(struct bh_dir *d, struct bh_err *err);
struct bh_dir_file *bh_dir_find(const struct bh_dir *d, const char *name); /* or NULL */
void bh_dir_forget(struct bh_dir *d, struct bh_dir_file *f);		   /* releases @f */
