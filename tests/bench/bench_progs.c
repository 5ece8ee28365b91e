/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the programs cost for one packet, over an empty program: BPF_PROG_TEST_RUN, interleaved,
 * medians. Prints one JSON object. Needs root; loads without pinning, touches no interface.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/bh_abi.h"
#include "bpf/frame.h"
#include "bpf/isolate.skel.h"
#include "common/json.h"

#define ROUNDS 15
#define REPEAT 200000
#define LO_IFINDEX 1 /* test runs happen on the loopback device */

enum { EMPTY, EST_V4, EST_V6, EST_UDP, JUDGE_V4, JUDGE_CIDR, N_CASES };
static const char *const case_name[N_CASES] = {
	"empty program",
	"established flow, TCP IPv4",
	"established flow, TCP IPv6",
	"established flow, UDP IPv4",
	"verdict, own tenant, IPv4",
	"verdict, world by cidr grant",
};

static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 9 };

static int put(struct bpf_map *map, const void *key, const void *value)
{
	return bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY);
}

static struct bh_addr addr(const char *text)
{
	struct bh_addr a = { 0 };

	if (bh_addr_parse(text, &a) < 0)
		abort(); /* a constant of this file */
	return a;
}

static int own_addr(struct isolate_bpf *skel, const char *text)
{
	const struct bh_addr a = addr(text);
	const struct bh_abi_addr v = { .tenant = BH_TENANT_FIRST, .cls = BH_CLASS_TENANT };

	return put(skel->maps.bh_addrs, a.b, &v);
}

/* A tenant with two pods and 1 000 cidr grants. */
static int fill(struct isolate_bpf *skel)
{
	const struct bh_addr a6 = addr("fd00::9");
	struct bh_abi_endpoint ep = { .tenant = BH_TENANT_FIRST,
				      .role = BH_ROLE_TENANT,
				      .flags = BH_EP_HAS_V4 | BH_EP_HAS_V6,
				      .ip4 = { 10, 0, 0, 9 } };
	const struct bh_abi_tenant t = { 0 };
	const uint32_t ifindex = LO_IFINDEX, id = BH_TENANT_FIRST;
	const uint64_t any = BH_PORTS_ANY;
	int r;

	memcpy(ep.mac, mac, 6);
	memcpy(ep.ip6, a6.b, 16);
	r = put(skel->maps.bh_endpoints, &ifindex, &ep);
	r |= put(skel->maps.bh_tenants, &id, &t);
	r |= own_addr(skel, "10.0.0.9") | own_addr(skel, "10.0.0.10");
	r |= own_addr(skel, "fd00::9") | own_addr(skel, "fd00::10");
	for (uint32_t i = 0; i < 1000; i++) {
		struct bh_abi_world_key k = { .prefixlen = BH_WORLD_KEY_FIXED_BITS + 120,
					      .tenant = id,
					      .dir = BH_DIR_EGRESS,
					      .addr = { [10] = 0xff, [11] = 0xff, [12] = 172 } };
		struct bh_abi_cidr_key c = { .prefixlen = 96 + 8,
					     .addr = { [10] = 0xff, [11] = 0xff, [12] = 172 } };
		const struct bh_abi_cidr private = { .cls = BH_CLASS_WORLD_PRIVATE };

		k.addr[13] = (uint8_t)(16 + (i >> 8));
		k.addr[14] = (uint8_t)i;
		r |= put(skel->maps.bh_world, &k, &any) | put(skel->maps.bh_cidrs, &c, &private);
	}
	return r;
}

static int empty_prog(void)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = -1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "empty", "GPL", insns, 2, NULL);
}

static int run_once(int fd, const struct bh_flow_spec *f, uint32_t *ret_ns)
{
	uint8_t frame[BH_FRAME_MAX];
	struct __sk_buff ctx = { .ifindex = LO_IFINDEX };
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame, .repeat = REPEAT, .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx));
	size_t len;

	if (bh_frame_build(f, frame, &len) < 0)
		return -EINVAL;
	o.data_size_in = (uint32_t)len;
	if (bpf_prog_test_run_opts(fd, &o) < 0)
		return -errno;
	if (o.retval != (uint32_t)-1) {
		fprintf(stderr, "bench: the packet was dropped\n");
		return -EPERM;
	}
	*ret_ns = o.duration;
	return 0;
}

static int cmp(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int report(uint32_t ns[N_CASES][ROUNDS], size_t insns)
{
	struct bh_json *j = bh_json_new_object(), *list = bh_json_new_array();
	char *text = NULL;

	for (int c = 0; c < N_CASES; c++) {
		struct bh_json *row = bh_json_new_object();

		qsort(ns[c], ROUNDS, sizeof(ns[c][0]), cmp);
		bh_json_set_str(row, "case", case_name[c]);
		bh_json_set_int(row, "median_ns", ns[c][ROUNDS / 2]);
		bh_json_set_int(row, "min_ns", ns[c][0]);
		bh_json_set_int(row, "max_ns", ns[c][ROUNDS - 1]);
		bh_json_set_int(row, "over_empty_ns",
				(int64_t)ns[c][ROUNDS / 2] - ns[EMPTY][ROUNDS / 2]);
		bh_json_append(list, row);
	}
	bh_json_set(j, "programs", list);
	bh_json_set_int(j, "from_pod_instructions", (int64_t)insns);
	if (bh_json_encode(j, true, &text) < 0)
		return 1;
	puts(text);
	free(text);
	bh_json_free(j);
	return 0;
}

int main(void)
{
	struct isolate_bpf *skel = isolate_bpf__open_and_load();
	const struct bh_flow_spec v4 = { .src = addr("10.0.0.9"),
					 .dst = addr("10.0.0.10"),
					 .src_mac.b = { 2, 0, 0, 0, 0, 9 },
					 .dst_mac.b = { 2 },
					 .proto = IPPROTO_TCP,
					 .sport = 40000,
					 .dport = 80 };
	struct bh_flow_spec v6 = v4, udp = v4, cidr = v4;
	static uint32_t ns[N_CASES][ROUNDS];
	int r = 0, empty = empty_prog();

	v6.src = addr("fd00::9");
	v6.dst = addr("fd00::10");
	udp.proto = IPPROTO_UDP;
	cidr.dst = addr("172.17.33.1");
	if (!skel || empty < 0 || fill(skel) < 0) {
		fprintf(stderr, "bench: cannot load the programs: %s\n", strerror(errno));
		return 1;
	}
	for (int i = 0; i < ROUNDS && r >= 0; i++) {
		const int from = bpf_program__fd(skel->progs.from_pod);
		const int dry = bpf_program__fd(skel->progs.explain_from);
		const struct {
			int fd;
			const struct bh_flow_spec *f;
		} c[N_CASES] = { { empty, &v4 }, { from, &v4 }, { from, &v6 },
				 { from, &udp }, { dry, &v4 },	{ dry, &cidr } };

		for (int k = 0; k < N_CASES && r >= 0; k++)
			r = run_once(c[k].fd, c[k].f, &ns[k][i]);
	}
	if (r < 0) {
		fprintf(stderr, "bench: test run: %s\n", strerror(-r));
		return 1;
	}
	r = report(ns, bpf_program__insn_cnt(skel->progs.from_pod));
	isolate_bpf__destroy(skel);
	return r;
}
