/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bpf/datapath_priv.h"
#include "bpf/isolate.skel.h"
#include "common/cleanup.h"
#include "common/err.h"

/*
 * clsact: how our filters are found again. Two handles, because of filters with one priority the
 * latest comes first: to get in front of somebody, or of an older daemon's programs, a new one is
 * made before the old one goes.
 */
#define TC_HANDLE_A 0xb01cu
#define TC_HANDLE_B 0xb01du
/* Filters of one priority are of one kind, so the first one may be taken. */
#define TC_PRIORITY 1
#define TC_PRIORITY_MAX 8

static const uint8_t dirs[] = { BH_DIR_EGRESS, BH_DIR_INGRESS };

static int prog_fd_of(const struct bh_datapath *dp, uint8_t dir)
{
	return bpf_program__fd(dir == BH_DIR_EGRESS ? dp->skel->progs.from_pod
						    : dp->skel->progs.to_pod);
}

/* libbpf refuses a struct whose padding is not zero, so it is neither copied nor initialised. */
static void tc_hook(struct bpf_tc_hook *hook, uint32_t ifindex, uint8_t dir)
{
	memset(hook, 0, sizeof(*hook));
	hook->sz = sizeof(*hook);
	hook->ifindex = (int)ifindex;
	hook->attach_point = dir == BH_DIR_EGRESS ? BPF_TC_INGRESS : BPF_TC_EGRESS;
}

static bool is_ours(const struct bh_filter *f)
{
	return !strcmp(f->kind, "bpf") && f->prog_id &&
	       (f->handle == TC_HANDLE_A || f->handle == TC_HANDLE_B);
}

struct own_filters {
	struct bh_filter v[2];
	size_t n;
};

/* Ours on one hook, the first one first. 0 or negative errno; none where there is no interface. */
static int find_ours(uint32_t ifindex, uint8_t dir, struct own_filters *ret_own)
{
	struct bh_filter all[BH_FILTERS_MAX];
	const int n = bh_filters_list(ifindex, dir, all, BH_FILTERS_MAX);
	struct own_filters own = { .n = 0 };

	if (n < 0 && n != -ENODEV)
		return n;
	for (int i = 0; i < n && own.n < 2; i++) {
		if (is_ours(&all[i]))
			own.v[own.n++] = all[i];
	}
	*ret_own = own;
	return 0;
}

bool bh_attach_holds(const char *dir, enum bh_attach how, uint32_t ifindex)
{
	char path[BH_PIN_PATH_MAX];

	for (size_t i = 0; i < sizeof(dirs); i++) {
		bool there = false;

		if (how != BH_ATTACH_CLSACT) {
			bh_autoclose int fd = -1;

			bh_pin_link_path(dir, ifindex, dirs[i], path, sizeof(path));
			fd = bh_tcx_open(path, ifindex);
			there = fd >= 0;
		}
		if (!there && how != BH_ATTACH_TCX) {
			struct own_filters own = { .n = 0 };

			there = find_ours(ifindex, dirs[i], &own) >= 0 && own.n;
		}
		if (!there)
			return false;
	}
	return true;
}

static int delete_filter(uint32_t ifindex, uint8_t dir, const struct bh_filter *f)
{
	LIBBPF_OPTS(bpf_tc_opts, o, .handle = f->handle, .priority = f->priority);
	struct bpf_tc_hook hook;
	int r;

	tc_hook(&hook, ifindex, dir);
	r = bpf_tc_detach(&hook, &o);
	return r == -ENOENT || r == -EINVAL || r == -ENODEV ? 0 : r; /* gone already */
}

/* Ours off the hook, all but the one with the program @keep. */
static int drop_filters(uint32_t ifindex, uint8_t dir, uint32_t keep)
{
	struct own_filters own = { .n = 0 };
	int r = find_ours(ifindex, dir, &own);

	for (size_t i = 0; i < own.n && r >= 0; i++) {
		if (!keep || own.v[i].prog_id != keep)
			r = delete_filter(ifindex, dir, &own.v[i]);
	}
	return r;
}

bool bh_filter_there(uint32_t ifindex, uint8_t dir, uint32_t prog_id)
{
	struct own_filters own = { .n = 0 };

	if (find_ours(ifindex, dir, &own) < 0)
		return false;
	for (size_t i = 0; i < own.n; i++) {
		if (own.v[i].prog_id == prog_id)
			return true;
	}
	return false;
}

/*
 * Pin in the place of whatever is there. At no moment is there nothing: a link without a pin would
 * go with us, and a filter without one would never be found again. (bpffs takes no dot in a name.)
 */
static int pin_over(int fd, const char *path)
{
	char fresh[BH_PIN_PATH_MAX + 4];

	(void)snprintf(fresh, sizeof(fresh), "%s-new", path);
	if (unlink(fresh) < 0 && errno != ENOENT)
		return -errno;
	if (bpf_obj_pin(fd, fresh) < 0 || rename(fresh, path) < 0)
		return -errno;
	return 0;
}

/* What is to be attached where. */
struct hook {
	uint32_t ifindex;
	uint8_t dir;
	bool front; /* before everybody, also where ours is there already */
	char path[BH_PIN_PATH_MAX];
};

/* The same program once more: a hook takes each only once. A descriptor or negative errno. */
static int clone_prog(const struct bh_datapath *dp, uint8_t dir)
{
	const struct bpf_program *p =
		dir == BH_DIR_EGRESS ? dp->skel->progs.from_pod : dp->skel->progs.to_pod;
	const int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, bpf_program__name(p), "Dual BSD/GPL",
				     bpf_program__insns(p), bpf_program__insn_cnt(p), NULL);

	return fd < 0 ? -errno : fd;
}

/*
 * From behind somebody to the front, where @old is our link: a clone comes first, so at no moment
 * is there none of ours, and for one there are two.
 */
static int tcx_to_front(const struct bh_datapath *dp, const struct hook *h, int old)
{
	bh_autoclose int clone = clone_prog(dp, h->dir), fd = -1;
	int r;

	if (clone < 0)
		return clone;
	fd = bh_tcx_create(clone, h->ifindex, h->dir);
	if (fd < 0)
		return fd;
	r = pin_over(fd, h->path);
	if (r < 0)
		return r;
	if (bpf_link_detach(old) < 0 && errno != ENOLINK)
		return -errno;
	return bpf_link_update(fd, prog_fd_of(dp, h->dir), NULL) < 0 ? -errno : 0;
}

static int tcx_attach(const struct bh_datapath *dp, const struct hook *h)
{
	bh_autoclose int old = bh_tcx_open(h->path, h->ifindex), fd = -1;
	const bool had_pin = old != -ENOENT;
	int r;

	if (old >= 0 && h->front)
		return tcx_to_front(dp, h, old);
	if (old >= 0)
		return bpf_link_update(old, prog_fd_of(dp, h->dir), NULL) < 0 ? -errno : 0;
	fd = bh_tcx_create(prog_fd_of(dp, h->dir), h->ifindex, h->dir);
	if (fd < 0)
		return fd;
	r = pin_over(fd, h->path);
	if (r < 0)
		return r;
	if (had_pin) /* of an interface that had this number before, or of clsact */
		(void)drop_filters(h->ifindex, h->dir, 0);
	return 0;
}

static int set_filter(const struct bh_datapath *dp, const struct hook *h, uint32_t priority,
		      uint32_t handle, uint32_t flags)
{
	LIBBPF_OPTS(bpf_tc_opts, o, .handle = handle, .priority = priority,
		    .prog_fd = prog_fd_of(dp, h->dir), .flags = flags);
	struct bpf_tc_hook hook;

	tc_hook(&hook, h->ifindex, h->dir);
	return bpf_tc_attach(&hook, &o);
}

static int new_filter(const struct bh_datapath *dp, const struct hook *h, uint32_t handle)
{
	int r = -EINVAL;

	/* EINVAL: the priority belongs to another kind of filter, or to one protocol */
	for (uint32_t p = TC_PRIORITY; p <= TC_PRIORITY_MAX && r == -EINVAL; p++)
		r = set_filter(dp, h, p, handle, 0);
	return r;
}

/*
 * Of those in @own the one that is to get our program, by its place there; own->n: none of them.
 * The other one goes: somebody died between making one and taking the other off. But not where it
 * is another version's, which goes on until we have taken over.
 */
static int choose_filter(const struct bh_datapath *dp, const struct hook *h,
			 struct own_filters *own, size_t *ret_i)
{
	size_t i = 0;

	while (i < own->n && bh_migrate_filter(dp, h->ifindex, h->dir, own->v[i].prog_id))
		i++;
	*ret_i = i;
	if (i || own->n < 2 || bh_migrate_filter(dp, h->ifindex, h->dir, own->v[1].prog_id))
		return 0;
	own->n = 1;
	return delete_filter(h->ifindex, h->dir, &own->v[1]);
}

static int clsact_attach(const struct bh_datapath *dp, const struct hook *h)
{
	bh_autoclose int tcx = bh_tcx_open(h->path, h->ifindex);
	struct own_filters own = { .n = 0 };
	struct bpf_tc_hook hook;
	size_t i = 0;
	int r;

	tc_hook(&hook, h->ifindex, h->dir);
	r = bpf_tc_hook_create(&hook);
	if (r < 0 && r != -EEXIST)
		return r;
	r = find_ours(h->ifindex, h->dir, &own);
	if (r >= 0)
		r = choose_filter(dp, h, &own, &i);
	if (r < 0)
		return r;
	/* both handles taken: no getting in front until the other version has gone */
	if (i < own.n && (!h->front || own.n == 2))
		r = set_filter(dp, h, own.v[i].priority, own.v[i].handle, BPF_TC_F_REPLACE);
	else
		r = new_filter(dp, h,
			       own.n && own.v[0].handle == TC_HANDLE_A ? TC_HANDLE_B : TC_HANDLE_A);
	if (r >= 0 && i < own.n && h->front && own.n < 2)
		r = delete_filter(h->ifindex, h->dir, &own.v[i]);
	if (r < 0)
		return r;
	if (tcx >= 0 && bpf_link_detach(tcx) < 0 && errno != ENOLINK)
		return -errno;
	/* the filter lives on its own; the pinned program only says that it is there */
	return pin_over(prog_fd_of(dp, h->dir), h->path);
}

static int attach(struct bh_datapath *dp, uint32_t ifindex, bool front, struct bh_err *err)
{
	for (size_t i = 0; i < sizeof(dirs); i++) {
		struct hook h = { .ifindex = ifindex, .dir = dirs[i], .front = front };
		int r;

		bh_pin_link_path(dp->dir, ifindex, dirs[i], h.path, sizeof(h.path));
		r = dp->mode == BH_ATTACH_TCX ? tcx_attach(dp, &h) : clsact_attach(dp, &h);
		if (r < 0)
			return bh_err_set(err, r, "cannot attach %s to interface %u by %s: %s",
					  dirs[i] == BH_DIR_EGRESS ? "from_pod" : "to_pod", ifindex,
					  bh_attach_name(dp->mode), strerror(-r));
	}
	return bh_u32set_add(&dp->attached, &dp->n_attached, &dp->cap_attached, ifindex);
}

int bh_attach_if(struct bh_datapath *dp, uint32_t ifindex, struct bh_err *err)
{
	return attach(dp, ifindex, false, err);
}

int bh_attach_front(struct bh_datapath *dp, uint32_t ifindex, struct bh_err *err)
{
	return attach(dp, ifindex, true, err);
}

/* @keep: id of a program that stays, if it is a classic filter's. */
static int detach_dir(const char *dir, uint32_t ifindex, uint8_t dir_of, uint32_t keep)
{
	char path[BH_PIN_PATH_MAX], name[IF_NAMESIZE];
	bh_autoclose int fd = -1;
	int r;

	bh_pin_link_path(dir, ifindex, dir_of, path, sizeof(path));
	fd = bh_tcx_open(path, ifindex);
	if (fd >= 0) {
		if (bpf_link_detach(fd) < 0 && errno != ENOLINK)
			return -errno;
	} else if (fd == -ENOENT) {
		return 0;
	} else if (if_indextoname(ifindex, name)) {
		r = drop_filters(ifindex, dir_of, keep);
		if (r < 0)
			return r;
	}
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

static int detach(const char *dir, uint32_t ifindex, const uint32_t keep[2], struct bh_err *err)
{
	for (size_t i = 0; i < sizeof(dirs); i++) {
		const int r = detach_dir(dir, ifindex, dirs[i], keep[dirs[i]]);

		if (r < 0)
			return bh_err_set(err, r, "cannot detach from interface %u: %s", ifindex,
					  strerror(-r));
	}
	return 0;
}

int bh_detach_if(const char *dir, uint32_t ifindex, struct bh_err *err)
{
	return detach(dir, ifindex, (const uint32_t[2]){ 0, 0 }, err);
}

int bh_detach_others(const struct bh_datapath *dp, const char *dir, uint32_t ifindex,
		     struct bh_err *err)
{
	return detach(dir, ifindex, dp->prog_id, err);
}
