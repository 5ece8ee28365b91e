/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/dir_world.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/clock.h"
#include "common/err.h"
#include "model/object.h"

#define DEBOUNCE_MS 20
#define DEADLINE_MS 10000

static size_t find(const struct world *w, const struct bh_object_key *k)
{
	size_t i = 0;

	while (i < w->n_objects && bh_object_key_cmp(&w->objects[i]->key, k) != 0)
		i++;
	return i;
}

static int put(void *ud, struct bh_object *o)
{
	struct world *w = ud;
	const size_t i = find(w, &o->key);
	const int r = w->put_error;

	w->puts++;
	w->put_error = 0;
	if (r < 0 || i == WORLD_MAX_OBJECTS) {
		(void)bh_object_free(o);
		return r < 0 ? r : -ENOMEM;
	}
	if (i < w->n_objects)
		(void)bh_object_free(w->objects[i]);
	else
		w->n_objects++;
	w->objects[i] = o;
	return 0;
}

static void del(void *ud, const struct bh_object_key *k)
{
	struct world *w = ud;
	const size_t i = find(w, k);

	w->dels++;
	assert_in_range(i, 0, w->n_objects - 1); /* only what was put is deleted */
	(void)bh_object_free(w->objects[i]);
	w->objects[i] = w->objects[--w->n_objects];
}

int world_setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct bh_dir_sink sink = { .ud = w, .put = put, .del = del };

	*state = w;
	if (!w)
		return -1;
	/* ten thousand files take seconds where they go to a disk */
	(void)snprintf(w->root, sizeof(w->root), "%s/bh-dir-%d-XXXXXX",
		       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (int)getpid());
	if (!mkdtemp(w->root))
		return -1;
	(void)snprintf(w->path, sizeof(w->path), "%s/m", w->root);
	return mkdir(w->path, 0700) < 0 ? -1
					: bh_dir_new(w->path, DEBOUNCE_MS, &sink, &w->dir, NULL);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int world_teardown(void **state)
{
	struct world *w = *state;

	w->dir = bh_dir_free(w->dir);
	while (w->n_objects)
		(void)bh_object_free(w->objects[--w->n_objects]);
	(void)nftw(w->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(w);
	return 0;
}

void world_write(const struct world *w, const char *name, const char *text)
{
	char path[512];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", w->path, name);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

void world_replace(const struct world *w, const char *name, const char *text)
{
	char temp[512], path[512];

	world_write(w, ".temp", text);
	(void)snprintf(temp, sizeof(temp), "%s/.temp", w->path);
	(void)snprintf(path, sizeof(path), "%s/%s", w->path, name);
	assert_int_equal(rename(temp, path), 0);
}

void world_remove(const struct world *w, const char *name)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s", w->path, name);
	assert_int_equal(remove(path), 0);
}

const char *world_ns(char buf[static 256], const char *name, const char *v)
{
	(void)snprintf(buf, 256,
		       "---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: %s\n"
		       "  labels: {v: \"%s\"}\n",
		       name, v);
	return buf;
}

const char *world_get(const struct world *w, const char *name)
{
	for (size_t i = 0; i < w->n_objects; i++) {
		if (w->objects[i]->key.kind == BH_KIND_NAMESPACE &&
		    !strcmp(w->objects[i]->key.name, name))
			return bh_labels_get(&w->objects[i]->labels, "v");
	}
	return NULL;
}

void world_scan(struct world *w)
{
	const uint64_t end = bh_clock_ns() / BH_NS_PER_MS + DEADLINE_MS;
	struct bh_err err = { 0 };
	int r;

	do {
		r = bh_dir_scan(w->dir, &err);
		if (r < 0)
			fail_msg("scan: %s", err.msg);
		assert_true(bh_clock_ns() / BH_NS_PER_MS < end);
	} while (r > 0);
}

int world_wait(struct world *w, uint64_t timeout_ms)
{
	const uint64_t end = bh_clock_ns() / BH_NS_PER_MS + timeout_ms;

	for (;;) {
		struct pollfd p = { .fd = bh_dir_fd(w->dir), .events = POLLIN };
		uint64_t now, next;

		if (bh_dir_dispatch(w->dir))
			return 1;
		now = bh_clock_ns() / BH_NS_PER_MS;
		if (now >= end)
			return 0;
		next = bh_dir_deadline_ns(w->dir) / 1000000 + 1;
		next = next < end ? next : end;
		(void)poll(&p, 1, next > now ? (int)(next - now) : 0);
	}
}

char *world_problems(const struct world *w)
{
	const struct bh_dir_problem *v;
	size_t n, size;
	char *text = NULL;
	FILE *f = open_memstream(&text, &size);
	const uint64_t total = bh_dir_problems(w->dir, &v, &n);

	assert_non_null(f);
	for (size_t i = 0; i < n; i++)
		fprintf(f, "%s/%u %s: %s\n", v[i].file, v[i].doc, v[i].object, v[i].message);
	if (total > n)
		fprintf(f, "and %" PRIu64 " more\n", total - n);
	assert_int_equal(fclose(f), 0);
	return text;
}
