/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * dir_world - a temporary folder of manifests, the source under test on it, and a sink that keeps
 * what it is given. All of it fails the running test when something does not work.
 */
#include <stddef.h>
#include <stdint.h>

#include "agent/sources/dir.h"

#define WORLD_MAX_OBJECTS 128

struct world {
	char root[64];	/* holds the folder and whatever else a test needs */
	char path[128]; /* the folder */
	struct bh_dir *dir;
	struct bh_object *objects[WORLD_MAX_OBJECTS];
	size_t n_objects;
	unsigned int puts, dels;
	int put_error; /* what the sink's put gives next, once */
};

int world_setup(void **state); /* the folder is empty and was not read yet */
int world_teardown(void **state);

/* Write a file of the folder in place, or so that it appears at once. */
void world_write(const struct world *w, const char *name, const char *text);
void world_replace(const struct world *w, const char *name, const char *text);
void world_remove(const struct world *w, const char *name);
/* Namespace @name with label v=@v, as a document with "---" before it. Returns @buf. */
const char *world_ns(char buf[static 256], const char *name, const char *v);

/* The label v of Namespace @name, or NULL if the sink has none. */
const char *world_get(const struct world *w, const char *name);

/* Scan until a scan has nothing to tell; files just written are read twice. */
void world_scan(struct world *w);
/* Dispatch until the sink is called (1), or @timeout_ms is over (0). */
int world_wait(struct world *w, uint64_t timeout_ms);

/* All problems as text, "file/doc object: message" with newlines, to be freed. */
char *world_problems(const struct world *w);
