/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCX (Linux 6.6) is younger than Debian 12's libbpf and headers: numbers and layouts from
 * include/uapi/linux/bpf.h of 6.6.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bpf/datapath_priv.h"
#include "common/cleanup.h"

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

struct prog_query_tcx {
	uint32_t target_ifindex;
	uint32_t attach_type;
	uint32_t query_flags;
	uint32_t attach_flags;
	uint64_t prog_ids;
	uint32_t count;
	uint32_t pad;
	uint64_t prog_attach_flags;
	uint64_t link_ids;
	uint64_t link_attach_flags;
	uint64_t revision;
};

/* What the pod sends comes in at the host's side. */
static uint32_t attach_type(uint8_t dir)
{
	return dir == BH_DIR_EGRESS ? TCX_INGRESS : TCX_EGRESS;
}

int bh_tcx_create(int prog_fd, uint32_t ifindex, uint8_t dir)
{
	struct link_create_tcx attr = {
		.prog_fd = (uint32_t)prog_fd,
		.target_ifindex = ifindex,
		.attach_type = attach_type(dir),
		.flags = F_BEFORE, /* relative to nothing: before everybody */
	};
	const long fd = syscall(__NR_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	return fd < 0 ? -errno : (int)fd;
}

bool bh_attach_has_tcx(int prog_fd)
{
	/* no such interface: a kernel that knows TCX says so, another refuses the type */
	const int r = bh_tcx_create(prog_fd, INT32_MAX, BH_DIR_EGRESS);

	if (r >= 0)
		close(r);
	return r == -ENODEV;
}

int bh_tcx_open(const char *path, uint32_t ifindex)
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

int bh_tcx_query(uint32_t ifindex, uint8_t dir, uint32_t *ret_ids, size_t cap)
{
	struct prog_query_tcx attr = {
		.target_ifindex = ifindex,
		.attach_type = attach_type(dir),
		.prog_ids = (uint64_t)(uintptr_t)ret_ids,
		.count = (uint32_t)cap,
	};

	/* ENOSPC: there are more than we asked for, and the first ones were told */
	if (syscall(__NR_bpf, BPF_PROG_QUERY, &attr, sizeof(attr)) < 0 && errno != ENOSPC)
		return -errno;
	return (int)(attr.count < cap ? attr.count : cap);
}

uint32_t bh_prog_id(int prog_fd, char *ret_name, size_t cap)
{
	struct bpf_prog_info info;
	uint32_t len = sizeof(info);

	memset(&info, 0, sizeof(info));
	if (bpf_obj_get_info_by_fd(prog_fd, &info, &len) < 0)
		return 0;
	if (cap) {
		memcpy(ret_name, info.name, cap < sizeof(info.name) ? cap : sizeof(info.name));
		ret_name[cap - 1] = '\0';
	}
	return info.id;
}
