/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bpf/dp_foreign.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bpf/bh_abi.h"
#include "common/cleanup.h"

#define HANDLE 7
#define TCX_INGRESS 46 /* BPF_TCX_INGRESS, linux/bpf.h of 6.6; egress is the next */
#define F_BEFORE (1u << 3)

#define INSN(c, d, s, o, i)                                                                        \
	{                                                                                          \
		.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)                \
	}

/* value[dir] += 1, then the verdict. */
static int load(const struct dp_foreign *f, uint8_t dir)
{
	static const int action[DP_VERDICTS] = { TC_ACT_UNSPEC, TC_ACT_OK, TC_ACT_SHOT, 0 };
	const bool redirect = f->verdict == DP_REDIRECT;
	const struct bpf_insn insns[] = {
		INSN(BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, -4, dir),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_2, BPF_REG_10, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, -4),
		INSN(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, f->map_fd),
		INSN(0, 0, 0, 0, 0),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 2, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_1, 0, 0, 1),
		INSN(BPF_STX | BPF_XADD | BPF_DW, BPF_REG_0, BPF_REG_1, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, action[f->verdict]),
		INSN(BPF_JMP | BPF_JA, 0, 0, redirect ? 0 : 3, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_1, 0, 0, (int)f->to),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, 0),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	/* the verifier takes no code that is never reached */
	struct bpf_insn plain[12];
	size_t n = sizeof(insns) / sizeof(insns[0]);

	if (redirect)
		return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "foreign", "GPL", insns, n, NULL);
	memcpy(plain, insns, 10 * sizeof(plain[0]));
	plain[10] = insns[n - 1];
	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "foreign", "GPL", plain, 11, NULL);
}

static int hang_clsact(int prog_fd, uint32_t ifindex, uint8_t dir, bool front)
{
	LIBBPF_OPTS(bpf_tc_opts, o, .handle = HANDLE, .priority = front ? 1 : 2,
		    .prog_fd = prog_fd);
	struct bpf_tc_hook hook;
	int r;

	memset(&hook, 0, sizeof(hook)); /* libbpf looks at the padding */
	hook.sz = sizeof(hook);
	hook.ifindex = (int)ifindex;
	hook.attach_point = dir == BH_DIR_EGRESS ? BPF_TC_INGRESS : BPF_TC_EGRESS;
	r = bpf_tc_hook_create(&hook);
	return r < 0 && r != -EEXIST ? r : bpf_tc_attach(&hook, &o);
}

static int hang_tcx(int prog_fd, uint32_t ifindex, uint8_t dir, bool front)
{
	/* program, interface, attach type, flags */
	const uint32_t attr[8] = { (uint32_t)prog_fd, ifindex, TCX_INGRESS + dir,
				   front ? F_BEFORE : 0 };
	const long fd = syscall(__NR_bpf, BPF_LINK_CREATE, attr, sizeof(attr));

	return fd < 0 ? -errno : (int)fd;
}

int dp_foreign_on(struct dp_foreign *f, uint32_t ifindex)
{
	f->links[0] = f->links[1] = -1;
	for (uint8_t dir = 0; dir < 2; dir++) {
		bh_autoclose int prog = load(f, dir);
		int r;

		if (prog < 0)
			return prog;
		r = f->how == BH_ATTACH_TCX ? hang_tcx(prog, ifindex, dir, f->front)
					    : hang_clsact(prog, ifindex, dir, f->front);
		if (r < 0)
			return r;
		if (f->how == BH_ATTACH_TCX)
			f->links[dir] = r;
	}
	return 0;
}

void dp_foreign_off(struct dp_foreign *f)
{
	bh_closep(&f->links[0]);
	bh_closep(&f->links[1]);
}

int dp_foreign_redirect_peer(uint32_t ifindex, uint32_t veth)
{
	const struct bpf_insn insns[] = {
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_1, 0, 0, (int)veth),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, 0),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect_peer),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	bh_autoclose int prog = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "peer", "GPL", insns,
					      sizeof(insns) / sizeof(insns[0]), NULL);

	return prog < 0 ? prog : hang_clsact(prog, ifindex, BH_DIR_EGRESS, true);
}
