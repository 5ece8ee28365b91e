/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bpf/datapath_priv.h"
#include "bpf/isolate.skel.h"
#include "common/cleanup.h"
#include "common/err.h"

/*
 * TCX (Linux 6.6) is younger than Debian 12's libbpf and headers: numbers and layouts from
 * include/uapi/linux/bpf.h of 6.6.
 */
#define TCX_INGRESS 46
#define TCX_EGRESS 47
#define LINK_TYPE_TCX 11
#define F_BEFORE (1u << 3)

struct link_create_tcx {
	uint32_t prog_fd;
	uint32_t target_ifindex;
	uint32_t attach_type;
	uint32_t flags;
	uint32_t relative_fd;
	uint32_t pad;
	uint64_t expected_revision;
};

struct link_info_tcx {
	uint32_t type;
	uint32_t id;
	uint32_t prog_id;
	uint32_t pad;
	uint32_t ifindex; /* 0: the interface is gone */
	uint32_t attach_type;
	uint8_t room[64]; /* the kernel may know more */
};

/* clsact: how our filters are found again. */
#define TC_HANDLE 0xb01cu
#define TC_PRIORITY 1

static const uint8_t dirs[] = { BH_DIR_EGRESS, BH_DIR_INGRESS };

static int tcx_create(int prog_fd, uint32_t ifindex, uint8_t dir)
{
	struct link_create_tcx attr = {
		.prog_fd = (uint32_t)prog_fd,
		.target_ifindex = ifindex,
		/* what the pod sends comes in at the host's side */
		.attach_type = dir == BH_DIR_EGRESS ? TCX_INGRESS : TCX_EGRESS,
		.flags = F_BEFORE, /* relative to nothing: before everybody */
	};
	const long fd = syscall(__NR_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	return fd < 0 ? -errno : (int)fd;
}

bool bh_attach_has_tcx(int prog_fd)
{
	/* no such interface: a kernel that knows TCX says so, another refuses the type */
	const int r = tcx_create(prog_fd, INT32_MAX, BH_DIR_EGRESS);

	if (r >= 0)
		close(r);
	return r == -ENODEV;
}

static int prog_fd_of(const struct bh_datapath *dp, uint8_t dir)
{
	return bpf_program__fd(dir == BH_DIR_EGRESS ? dp->skel->progs.from_pod
						    : dp->skel->progs.to_pod);
}

/* Is what is pinned at @path our link on @ifindex? Returns its fd, or negative errno. */
static int open_live_link(const char *path, uint32_t ifindex)
{
	bh_autoclose int fd = bpf_obj_get(path);
	struct link_info_tcx info = { 0 };
	uint32_t len = sizeof(info);

	if (fd < 0)
		return -errno;
	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return -errno;
	if (info.type != LINK_TYPE_TCX || info.ifindex != ifindex)
		return -ESTALE;
	return BH_TAKE_FD(fd);
}

/* libbpf refuses a struct whose padding is not zero, so it is neither copied nor initialised. */
static void tc_hook(struct bpf_tc_hook *hook, uint32_t ifindex, uint8_t dir)
{
	memset(hook, 0, sizeof(*hook));
	hook->sz = sizeof(*hook);
	hook->ifindex = (int)ifindex;
	hook->attach_point = dir == BH_DIR_EGRESS ? BPF_TC_INGRESS : BPF_TC_EGRESS;
}

/* Id of the program of our filter, 0 if there is none. */
static uint32_t clsact_prog(uint32_t ifindex, uint8_t dir)
{
	LIBBPF_OPTS(bpf_tc_opts, o, .handle = TC_HANDLE, .priority = TC_PRIORITY);
	struct bpf_tc_hook hook;

	tc_hook(&hook, ifindex, dir);
	return bpf_tc_query(&hook, &o) < 0 ? 0 : o.prog_id;
}

bool bh_attach_holds(const char *dir, enum bh_attach how, uint32_t ifindex)
{
	char path[BH_PIN_PATH_MAX];

	for (size_t i = 0; i < sizeof(dirs); i++) {
		bool there = false;

		if (how != BH_ATTACH_CLSACT) {
			bh_autoclose int fd = -1;

			bh_pin_link_path(dir, ifindex, dirs[i], path, sizeof(path));
			fd = open_live_link(path, ifindex);
			there = fd >= 0;
		}
		if (!there && how != BH_ATTACH_TCX)
			there = clsact_prog(ifindex, dirs[i]);
		if (!there)
			return false;
	}
	return true;
}

/* The other way of attaching, from an earlier start with another --attach: off, once ours is on. */
static void drop_clsact(uint32_t ifindex, uint8_t dir)
{
	LIBBPF_OPTS(bpf_tc_opts, o, .handle = TC_HANDLE, .priority = TC_PRIORITY);
	struct bpf_tc_hook hook;

	tc_hook(&hook, ifindex, dir);
	(void)bpf_tc_detach(&hook, &o);
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

static int tcx_attach(struct bh_datapath *dp, uint32_t ifindex, uint8_t dir, const char *path)
{
	bh_autoclose int fd = open_live_link(path, ifindex);
	const bool had_pin = fd != -ENOENT;
	int r;

	if (fd >= 0)
		return bpf_link_update(fd, prog_fd_of(dp, dir), NULL) < 0 ? -errno : 0;
	fd = tcx_create(prog_fd_of(dp, dir), ifindex, dir);
	if (fd < 0)
		return fd;
	r = pin_over(fd, path);
	if (r >= 0 && had_pin) /* of an interface that had this number before, or of clsact */
		drop_clsact(ifindex, dir);
	return r;
}

static int clsact_attach(struct bh_datapath *dp, uint32_t ifindex, uint8_t dir, const char *path)
{
	LIBBPF_OPTS(bpf_tc_opts, o, .handle = TC_HANDLE, .priority = TC_PRIORITY,
		    .prog_fd = prog_fd_of(dp, dir), .flags = BPF_TC_F_REPLACE);
	bh_autoclose int tcx = open_live_link(path, ifindex);
	struct bpf_tc_hook hook;
	int r;

	tc_hook(&hook, ifindex, dir);
	r = bpf_tc_hook_create(&hook);
	if (r < 0 && r != -EEXIST)
		return r;
	r = bpf_tc_attach(&hook, &o);
	if (r < 0)
		return r;
	if (tcx >= 0 && bpf_link_detach(tcx) < 0 && errno != ENOLINK)
		return -errno;
	/* the filter lives on its own; the pinned program only says that it is there */
	return pin_over(prog_fd_of(dp, dir), path);
}

int bh_attach_if(struct bh_datapath *dp, uint32_t ifindex, struct bh_err *err)
{
	char path[BH_PIN_PATH_MAX];

	for (size_t i = 0; i < sizeof(dirs); i++) {
		int r;

		bh_pin_link_path(dp->dir, ifindex, dirs[i], path, sizeof(path));
		r = dp->mode == BH_ATTACH_TCX ? tcx_attach(dp, ifindex, dirs[i], path)
					      : clsact_attach(dp, ifindex, dirs[i], path);
		if (r < 0)
			return bh_err_set(err, r, "cannot attach %s to interface %u by %s: %s",
					  dirs[i] == BH_DIR_EGRESS ? "from_pod" : "to_pod", ifindex,
					  bh_attach_name(dp->mode), strerror(-r));
	}
	return bh_u32set_add(&dp->attached, &dp->n_attached, &dp->cap_attached, ifindex);
}

static int detach_dir(const char *dir, uint32_t ifindex, uint8_t dir_of)
{
	LIBBPF_OPTS(bpf_tc_opts, o, .handle = TC_HANDLE, .priority = TC_PRIORITY);
	struct bpf_tc_hook hook;
	char path[BH_PIN_PATH_MAX], name[IF_NAMESIZE];
	bh_autoclose int fd = -1;
	int r;

	bh_pin_link_path(dir, ifindex, dir_of, path, sizeof(path));
	fd = open_live_link(path, ifindex);
	if (fd >= 0) {
		if (bpf_link_detach(fd) < 0 && errno != ENOLINK)
			return -errno;
	} else if (fd == -ENOENT) {
		return 0;
	} else if (if_indextoname(ifindex, name)) {
		tc_hook(&hook, ifindex, dir_of);
		r = bpf_tc_detach(&hook, &o);
		if (r < 0 && r != -ENOENT && r != -EINVAL && r != -ENODEV)
			return r;
	}
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int bh_detach_if(const char *dir, uint32_t ifindex, struct bh_err *err)
{
	for (size_t i = 0; i < sizeof(dirs); i++) {
		const int r = detach_dir(dir, ifindex, dirs[i]);

		if (r < 0)
			return bh_err_set(err, r, "cannot detach from interface %u: %s", ifindex,
					  strerror(-r));
	}
	return 0;
}
