/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * dir - a folder of manifests as a source of objects. Reads *.yaml, *.yml and *.json of one folder,
 * follows changes with inotify, and tells a sink which objects to have.
 *
 * What is in force never depends on a mistake being made elsewhere: a document that cannot be used
 * leaves the last good version of its object, a file that cannot be read leaves all of its objects,
 * and so does the folder. An object goes only when its document or its file is gone for sure. The
 * same object in two files: the file whose name sorts first (bytewise) has it, the other one takes
 * over when that is gone.
 *
 * Not thread safe. Nothing here blocks, apart from reading regular files.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cleanup.h"

struct bh_dir; /* opaque */
struct bh_err;
struct bh_object;
struct bh_object_key;

#define BH_DIR_MAX_FILES 10000
#define BH_DIR_MAX_FILE_BYTES ((uint64_t)8 << 20)
#define BH_DIR_MAX_BYTES ((uint64_t)64 << 20) /* of all files together */
#define BH_DIR_MAX_PROBLEMS 256		      /* kept; all are counted */

/* Where objects go. Called from bh_dir_scan() and bh_dir_dispatch() only. */
struct bh_dir_sink {
	void *ud;
	/* Add or replace. Takes @o over in every case. 0 or negative errno: tried again later. */
	int (*put)(void *ud, struct bh_object *o);
	void (*del)(void *ud, const struct bh_object_key *k);
};

/* What is wrong now. The strings live until the next scan or dispatch. */
struct bh_dir_problem {
	const char *file;    /* name in the folder; "" for the folder itself */
	unsigned int doc;    /* from 1; 0: the file as a whole */
	const char *object;  /* "Pod acme/web"; "" if it cannot be told */
	const char *message; /* with the field, where one is to blame */
};

/*
 * @path         Folder; it need not exist yet.
 * @debounce_ms  How long the folder must be quiet before changes are read. A writer that never
 *               pauses can delay that to ten times as long, but at least 1 s and at most 10 s.
 * @sink         Copied.
 * @ret_dir      Owned by the caller. Nothing has been read yet.
 *
 * 0, -ENOMEM, or the errno of inotify_init1(2) with a message.
 */
int bh_dir_new(const char *path, uint32_t debounce_ms, const struct bh_dir_sink *sink,
	       struct bh_dir **ret_dir, struct bh_err *err);
/* Leaves the objects with the sink. NULL is fine; returns NULL. */
struct bh_dir *bh_dir_free(struct bh_dir *d);
BH_DEFINE_AUTO(struct bh_dir, bh_dir_free)

/* Call bh_dir_dispatch() when this file descriptor is readable (it stays the object's) ... */
int bh_dir_fd(const struct bh_dir *d);
/* ... and at this time of CLOCK_MONOTONIC, which every call below may change. */
uint64_t bh_dir_deadline_ns(const struct bh_dir *d);

/* Take note of events and, when it is time, read what changed. 1 if the sink was called, else 0. */
int bh_dir_dispatch(struct bh_dir *d);

/*
 * Read what changed at once; the first call reads everything. 1 if the sink was called, else 0; or
 * negative errno if the folder cannot be read: what is in force stays, and it is tried again.
 */
int bh_dir_scan(struct bh_dir *d, struct bh_err *err);

/* Could the folder be read the last time? Files in it may have problems all the same. */
bool bh_dir_readable(const struct bh_dir *d);
size_t bh_dir_n_files(const struct bh_dir *d);
/* The number of all problems; the first *ret_n of them, by file and document, in *ret_v. */
uint64_t bh_dir_problems(const struct bh_dir *d, const struct bh_dir_problem **ret_v,
			 size_t *ret_n);
