/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tests/bpf/dp_behind.h"

#define PRIORITY 2
#define HANDLE 1

int dp_behind_map(void)
{
	return bpf_map_create(BPF_MAP_TYPE_ARRAY, "behind", sizeof(uint32_t), sizeof(uint64_t), 2,
			      NULL);
}

#define INSN(c, d, s, o, i)                                                                        \
	{                                                                                          \
		.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)                \
	}

/* value[dir] += 1; return TC_ACT_SHOT; */
static int load(int map_fd, uint8_t dir)
{
	const struct bpf_insn insns[] = {
		INSN(BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, -4, dir),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_2, BPF_REG_10, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, -4),
		INSN(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map_fd),
		INSN(0, 0, 0, 0, 0),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 2, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_1, 0, 0, 1),
		INSN(BPF_STX | BPF_XADD | BPF_DW, BPF_REG_0, BPF_REG_1, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, TC_ACT_SHOT),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "behind", "GPL", insns,
			     sizeof(insns) / sizeof(insns[0]), NULL);
}

int dp_behind_attach(int map_fd, uint32_t ifindex)
{
	for (uint8_t dir = 0; dir < 2; dir++) {
		struct bpf_tc_hook hook;
		bh_autoclose int fd = load(map_fd, dir);
		LIBBPF_OPTS(bpf_tc_opts, o, .handle = HANDLE, .priority = PRIORITY, .prog_fd = fd);
		int r;

		if (fd < 0)
			return fd;
		memset(&hook, 0, sizeof(hook)); /* libbpf looks at the padding */
		hook.sz = sizeof(hook);
		hook.ifindex = (int)ifindex;
		hook.attach_point = dir == BH_DIR_EGRESS ? BPF_TC_INGRESS : BPF_TC_EGRESS;
		r = bpf_tc_hook_create(&hook);
		if (r < 0 && r != -EEXIST)
			return r;
		r = bpf_tc_attach(&hook, &o);
		if (r < 0)
			return r;
	}
	return 0;
}

#define TCX_INGRESS 46 /* BPF_TCX_INGRESS, linux/bpf.h of 6.6; egress is the next */

static int tcx(int prog, uint32_t ifindex, uint8_t dir)
{
	/* program, interface, attach type; then no flags */
	const uint32_t attr[8] = { (uint32_t)prog, ifindex, TCX_INGRESS + dir };

	return (int)syscall(__NR_bpf, BPF_LINK_CREATE, attr, sizeof(attr));
}

int dp_behind_attach_tcx(int map_fd, uint32_t ifindex, int ret_links[static 2])
{
	for (uint8_t dir = 0; dir < 2; dir++) {
		bh_autoclose int prog = load(map_fd, dir);

		ret_links[dir] = tcx(prog, ifindex, dir);
		if (ret_links[dir] < 0)
			return -errno;
	}
	return 0;
}

bool dp_behind_has_tcx(int map_fd)
{
	bh_autoclose int prog = load(map_fd, 0), link = tcx(prog, 1, 0);

	return link >= 0;
}

uint64_t dp_behind_count(int map_fd, uint8_t dir)
{
	const uint32_t key = dir;
	uint64_t n = 0;

	(void)bpf_map_lookup_elem(map_fd, &key, &n);
	return n;
}

/* The fields at the start of every kind of info; of a link, [2] is its program. */
static uint32_t id_of(int fd, bool link)
{
	uint32_t info[64] = { 0 }, len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, info, &len) < 0)
		return 0;

	return link ? info[2] : info[1];
}

/* A link's descriptor says what it is in its fdinfo. */
static bool is_link(int fd)
{
	char path[64], line[128];
	bool link = false;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		link = link || strncmp(line, "link_type:", 10) == 0;
	if (f)
		(void)fclose(f);
	return link;
}

size_t dp_pinned_ids(const char *dir, bool maps, uint32_t *ret_v, size_t cap)
{
	char path[512];
	struct dirent *de;
	size_t n = 0;
	DIR *d;

	(void)snprintf(path, sizeof(path), "%s/v%d/%s", dir, BH_ABI_VERSION,
		       maps ? "maps" : "links");
	d = opendir(path);
	while (d && (de = readdir(d)) && n < cap) {
		char file[1024];
		bh_autoclose int fd = -1;

		if (de->d_name[0] == '.')
			continue;
		(void)snprintf(file, sizeof(file), "%s/%s", path, de->d_name);
		fd = bpf_obj_get(file);
		if (fd >= 0)
			ret_v[n++] = id_of(fd, is_link(fd));
	}
	if (d)
		closedir(d);
	return n;
}

bool dp_id_lives(uint32_t id, bool map)
{
	bh_autoclose int fd = map ? bpf_map_get_fd_by_id(id) : bpf_prog_get_fd_by_id(id);

	return fd >= 0;
}
