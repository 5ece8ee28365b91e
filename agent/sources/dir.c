/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sources/dir.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "agent/sources/dir_impl.h"
#include "common/clock.h"
#include "common/err.h"

/* Bounds of the longest wait for the folder to be quiet. */
#define WAIT_MIN_NS (1000 * BH_NS_PER_MS)
#define WAIT_MAX_NS (10000 * BH_NS_PER_MS)
/* A file that somebody has begun to write is left alone until it is closed, but no longer. */
#define BUSY_NS (5000 * BH_NS_PER_MS)
/* Reads of one dispatch: who writes without pause must not keep us here. */
#define MAX_READS 64
#define EVENT_BUF 4096

int bh_dir_new(const char *path, uint32_t debounce_ms, const struct bh_dir_sink *sink,
	       struct bh_dir **ret_dir, struct bh_err *err)
{
	bh_auto(bh_dir_freep) struct bh_dir *d = calloc(1, sizeof(*d));

	if (!d)
		return bh_err_set(err, ENOMEM, "out of memory");
	d->wd = -1;
	d->ifd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (d->ifd < 0)
		return bh_err_set(err, errno, "cannot watch folders: %s", strerrordesc_np(errno));
	d->debounce_ms = debounce_ms;
	d->sink = *sink;
	d->path = strdup(path);
	if (!d->path || bh_dir_claims_init(&d->claims) < 0)
		return bh_err_set(err, ENOMEM, "out of memory");
	d->retry_ns = bh_clock_ns();
	*ret_dir = BH_TAKE_PTR(d);
	return 0;
}

struct bh_dir *bh_dir_free(struct bh_dir *d)
{
	if (!d)
		return NULL;
	for (size_t i = 0; i < d->n_files; i++)
		bh_dir_forget(d, d->files[i]);
	free(d->files);
	bh_dir_claims_done(&d->claims);
	bh_dir_problems_free(d);
	if (d->ifd >= 0)
		(void)close(d->ifd);
	free(d->trouble);
	free(d->path);
	free(d);
	return NULL;
}

int bh_dir_fd(const struct bh_dir *d)
{
	return d->ifd;
}

uint64_t bh_dir_deadline_ns(const struct bh_dir *d)
{
	const uint64_t times[] = { d->due_ns, d->retry_ns, d->rescan_ns };
	uint64_t first = UINT64_MAX;

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		if (times[i] && times[i] < first)
			first = times[i];
	}
	return first;
}

bool bh_dir_readable(const struct bh_dir *d)
{
	return d->readable;
}

size_t bh_dir_n_files(const struct bh_dir *d)
{
	return d->n_files;
}

/* Something changed: wait until it is quiet, but not for ever. */
static void touch(struct bh_dir *d, uint64_t now)
{
	const uint64_t quiet = d->debounce_ms * BH_NS_PER_MS;
	uint64_t longest = 10 * quiet;

	if (longest < WAIT_MIN_NS)
		longest = WAIT_MIN_NS;
	if (longest > WAIT_MAX_NS)
		longest = WAIT_MAX_NS;
	if (!d->first_ns)
		d->first_ns = now;
	d->due_ns = now + quiet;
	if (d->due_ns > d->first_ns + longest)
		d->due_ns = d->first_ns + longest;
}

static void on_name(struct bh_dir *d, const char *name, uint32_t mask, uint64_t now)
{
	struct bh_dir_file *f;

	/* "..data" is what a mounted ConfigMap switches, and nothing else is told of it */
	if (!bh_dir_is_manifest(name) && strncmp(name, "..", 2) != 0)
		return;
	touch(d, now);
	f = bh_dir_find(d, name);
	if (!f)
		return;
	if (!(mask & (IN_MODIFY | IN_ATTRIB)))
		f->busy_until_ns = 0;
	else if ((mask & IN_MODIFY) && !f->busy_until_ns)
		f->busy_until_ns = now + BUSY_NS;
}

static void on_event(struct bh_dir *d, const struct inotify_event *ev, const char *name,
		     uint64_t now)
{
	if (ev->mask & IN_Q_OVERFLOW) {
		for (size_t i = 0; i < d->n_files; i++)
			d->files[i]->busy_until_ns = 0;
		touch(d, now);
		return;
	}
	if (ev->wd != d->wd)
		return; /* of a watch that was given up */
	if (ev->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)) {
		(void)inotify_rm_watch(d->ifd, d->wd);
		d->wd = -1;
		d->retry_ns = now;
		return;
	}
	if (ev->len)
		on_name(d, name, ev->mask, now);
	else
		touch(d, now);
}

static void read_events(struct bh_dir *d)
{
	char buf[EVENT_BUF];
	struct inotify_event ev;

	for (int i = 0; i < MAX_READS; i++) {
		const ssize_t n = read(d->ifd, buf, sizeof(buf));
		const uint64_t now = bh_clock_ns();

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		for (size_t at = 0; at + sizeof(ev) <= (size_t)n; at += sizeof(ev) + ev.len) {
			memcpy(&ev, buf + at, sizeof(ev));
			on_event(d, &ev, buf + at + sizeof(ev), now);
		}
	}
}

int bh_dir_dispatch(struct bh_dir *d)
{
	d->changed = false;
	read_events(d);
	if (bh_dir_deadline_ns(d) <= bh_clock_ns())
		(void)bh_dir_pass(d, NULL);
	return d->changed;
}

int bh_dir_scan(struct bh_dir *d, struct bh_err *err)
{
	int r;

	d->changed = false;
	r = bh_dir_pass(d, err);
	return r < 0 ? r : d->changed;
}
