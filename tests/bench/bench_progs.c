/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel programs cost for one packet: BPF_PROG_TEST_RUN in the small cluster of
 * tests/bpf/world.h, with as many addresses added as a large cluster has. Every run is of one
 *frame, many times over; a program in front gives it another source port each time where flows are
 *to be new. The cases are run in turn, each next to an empty program that is run in the same way,
 *and what the kernel says it took is the difference. The counters prove that each packet met the
 *fate that the case is about.
 *
 *	bench_progs [ROUNDS REPEAT]
 *
 * Prints one JSON object. Needs root; loads without pinning, in a network namespace of its own.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/pkt_cls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/isolate.skel.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/parse.h"
#include "tests/bpf/world.h"

#define ROUNDS_MAX 101
#define REPEAT_MAX 1000000
#define NEW_FLOWS 2000 /* of one run: few enough for every table */
#define MORE_ADDRS 10000
#define L4_V4 34 /* where the source port is */
#define L4_V6 54
#define OPEN_MAX 3

#define GOAL_ESTABLISHED 130 /* ns over an empty program */
#define GOAL_NEW 600
#define GOAL_DROP 110

struct step {
	uint8_t dir;
	const char *pkt; /* NULL: none */
};

static const struct test {
	const char *name;
	int goal_ns; /* 0: none */
	const char *who;
	struct step open[OPEN_MAX]; /* once before each run */
	struct step run;
	uint8_t verdict, reason;
	uint16_t sport_at; /* new flows: where the program in front counts up; else 0 */
} tests[] = {
	{ "established, TCP IPv4, from the pod", GOAL_ESTABLISHED, "tenant",
	  .open = { { OUT, "eth ip4 dst=mate tcp" },
		    { IN, "eth ip4 src=mate tcp sport=443 dport=40000 flags=0x12" } },
	  .run = { OUT, "eth ip4 dst=mate tcp flags=0x10 data len=100" }, PASSES },
	{ "established, TCP IPv4, to the pod", GOAL_ESTABLISHED, "tenant",
	  .open = { { OUT, "eth ip4 dst=mate tcp" },
		    { IN, "eth ip4 src=mate tcp sport=443 dport=40000 flags=0x12" },
		    { OUT, "eth ip4 dst=mate tcp flags=0x10" } },
	  .run = { IN, "eth ip4 src=mate tcp sport=443 dport=40000 flags=0x10 data len=100" },
	  PASSES },
	{ "established, TCP IPv6, from the pod", GOAL_ESTABLISHED, "tenant",
	  .open = { { OUT, "eth ip6 dst=mate tcp" },
		    { IN, "eth ip6 src=mate tcp sport=443 dport=40000 flags=0x12" } },
	  .run = { OUT, "eth ip6 dst=mate tcp flags=0x10 data len=100" }, PASSES },
	{ "established, UDP IPv4, from the pod", GOAL_ESTABLISHED, "tenant",
	  .open = { { OUT, "eth ip4 dst=mate udp" },
		    { IN, "eth ip4 src=mate udp sport=9999 dport=40000" } },
	  .run = { OUT, "eth ip4 dst=mate udp data len=22" }, PASSES },
	{ "established, UDP IPv6, from the pod", GOAL_ESTABLISHED, "tenant",
	  .open = { { OUT, "eth ip6 dst=mate udp" },
		    { IN, "eth ip6 src=mate udp sport=9999 dport=40000" } },
	  .run = { OUT, "eth ip6 dst=mate udp data len=22" }, PASSES },
	{ "established, to the public world", GOAL_ESTABLISHED, "tenant",
	  .open = { { OUT, "eth ip4 dst=public tcp" },
		    { IN, "eth ip4 src=public tcp sport=443 dport=40000 flags=0x12" } },
	  .run = { OUT, "eth ip4 dst=public tcp flags=0x10 data len=100" }, PASSES },
	{ "new, own tenant, TCP IPv4", GOAL_NEW, "tenant", .run = { OUT, "eth ip4 dst=mate tcp" },
	  PASSES, L4_V4 },
	{ "new, own tenant, TCP IPv4, to the pod", GOAL_NEW, "tenant",
	  .run = { IN, "eth ip4 src=mate tcp" }, PASSES, L4_V4 },
	{ "new, own tenant, TCP IPv6", GOAL_NEW, "tenant", .run = { OUT, "eth ip6 dst=mate tcp" },
	  PASSES, L4_V6 },
	{ "new, own tenant, UDP IPv4", GOAL_NEW, "tenant", .run = { OUT, "eth ip4 dst=mate udp" },
	  PASSES, L4_V4 },
	{ "new, own Service", GOAL_NEW, "tenant", .run = { OUT, "eth ip4 dst=svcown tcp" }, PASSES,
	  L4_V4 },
	{ "new, public world", GOAL_NEW, "tenant", .run = { OUT, "eth ip4 dst=public tcp" }, PASSES,
	  L4_V4 },
	{ "new, cidr grant", GOAL_NEW, "granted", .run = { OUT, "eth ip4 dst=172.16.1.1 tcp" },
	  PASSES, L4_V4 },
	{ "new, tenant grant with ports", GOAL_NEW, "tenant",
	  .run = { OUT, "eth ip4 dst=friend tcp dport=5432" }, PASSES, L4_V4 },
	{ "drop, other tenant, IPv4", GOAL_DROP, "tenant", .run = { OUT, "eth ip4 dst=foe udp" },
	  DROPS(PEER_TENANT) },
	{ "drop, other tenant, IPv6", GOAL_DROP, "tenant", .run = { OUT, "eth ip6 dst=foe udp" },
	  DROPS(PEER_TENANT) },
	{ "drop, other tenant, to the pod", GOAL_DROP, "tenant",
	  .run = { IN, "eth ip4 src=foe udp" }, DROPS(PEER_TENANT) },
	{ "drop, address of nobody", GOAL_DROP, "tenant", .run = { OUT, "eth ip4 dst=unknown udp" },
	  DROPS(PEER_UNKNOWN) },
	{ "drop, another's source address", GOAL_DROP, "tenant",
	  .run = { OUT, "eth ip4 src=evil udp" }, DROPS(SRC_ADDR) },
	{ "drop, unknown interface", GOAL_DROP, "nobody", .run = { OUT, "eth ip4 dst=mate udp" },
	  DROPS(UNKNOWN_ENDPOINT) },
};

#define N_TESTS (sizeof(tests) / sizeof(tests[0]))

struct bench {
	struct world world;
	int empty;    /* program */
	int in_front; /* map of programs: [0] is what a program in front goes on to */
	int front_v4, front_v6;
	uint64_t rounds, repeat;
	uint32_t ns[N_TESTS][ROUNDS_MAX], empty_ns[N_TESTS][ROUNDS_MAX];
};

static void __attribute__((noreturn)) die(const char *what)
{
	(void)fprintf(stderr, "bench_progs: %s (%s)\n", what, strerror(errno));
	exit(1);
}

#define INSN(c, d, s, o, i)                                                                        \
	(struct bpf_insn)                                                                          \
	{                                                                                          \
		.code = (c), .dst_reg = (d), .src_reg = (s), .off = (int16_t)(o), .imm = (i)       \
	}

static int load(const struct bpf_insn *insns, size_t n)
{
	const int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "bench", "GPL", insns, n, NULL);

	if (fd < 0)
		die("a program of the benchmark's own does not load");
	return fd;
}

static int load_empty(void)
{
	const struct bpf_insn insns[] = {
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, TC_ACT_UNSPEC),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	return load(insns, sizeof(insns) / sizeof(insns[0]));
}

/* Counts the port at @at of the frame up, then goes on to the program in @map[0]. */
static int load_front(int map, int at)
{
	const struct bpf_insn insns[] = {
		INSN(BPF_LDX | BPF_MEM | BPF_W, 2, 1, offsetof(struct __sk_buff, data), 0),
		INSN(BPF_LDX | BPF_MEM | BPF_W, 3, 1, offsetof(struct __sk_buff, data_end), 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, 4, 2, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, 4, 0, 0, at + 2),
		INSN(BPF_JMP | BPF_JGT | BPF_X, 4, 3, 9, 0), /* to the end */
		INSN(BPF_LDX | BPF_MEM | BPF_H, 5, 2, at, 0),
		INSN(BPF_ALU | BPF_END | BPF_TO_BE, 5, 0, 0, 16),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, 5, 0, 0, 1),
		INSN(BPF_ALU | BPF_END | BPF_TO_BE, 5, 0, 0, 16),
		INSN(BPF_STX | BPF_MEM | BPF_H, 2, 5, at, 0),
		INSN(BPF_LD | BPF_DW | BPF_IMM, 2, BPF_PSEUDO_MAP_FD, 0, map),
		INSN(0, 0, 0, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, 0),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_tail_call),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, TC_ACT_STOLEN), /* of nothing here */
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	return load(insns, sizeof(insns) / sizeof(insns[0]));
}

/* Pods of other tenants on other nodes, so that the tables are as full as they get. */
static void add_addrs(struct bench *b)
{
	for (uint32_t i = 0; i < MORE_ADDRS; i++) {
		struct bh_abi_addr_key key = {
			.addr = { 0xfd, 0, 0x77, [14] = (uint8_t)(i >> 8), [15] = (uint8_t)i }
		};
		const struct bh_abi_addr v = { .tenant = T_FOE, .cls = BH_CLASS_TENANT };

		if (bpf_map_update_elem(bpf_map__fd(b->world.skel->maps.bh_addrs), &key, &v,
					BPF_ANY) < 0)
			die("no room for addresses");
	}
}

/* Limits that are in effect, and paid for, but never reached. */
static void set_limits(struct bench *b)
{
	const int fd = bpf_map__fd(b->world.skel->maps.bh_config);
	struct bh_abi_config cfg;
	const uint32_t zero = 0;

	if (bpf_map_lookup_elem(fd, &zero, &cfg) < 0)
		die("no configuration");
	cfg.packet_batch = BH_PACKET_BATCH_MAX;
	cfg.packet_batch_ns = BH_PACKET_BATCH_MAX;
	cfg.flow_gap_ns = 1;
	if (bpf_map_update_elem(fd, &zero, &cfg, BPF_ANY) < 0)
		die("limits");
}

static void bench_open(struct bench *b)
{
	if (world_open(&b->world) < 0)
		exit(1);
	world_generation(&b->world, 1);
	set_limits(b);
	add_addrs(b);
	b->empty = load_empty();
	b->in_front = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "bench", 4, 4, 1, NULL);
	if (b->in_front < 0)
		die("no map of programs");
	b->front_v4 = load_front(b->in_front, L4_V4);
	b->front_v6 = load_front(b->in_front, L4_V6);
}

static uint32_t run(const struct bench *b, const struct test *t, int prog, uint32_t repeat)
{
	struct __sk_buff ctx = { .ifindex = WORLD_IFINDEX };
	struct pkt_frame f;
	const int front = t->sport_at == L4_V4 ? b->front_v4 : b->front_v6;
	const uint32_t zero = 0;
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = f.b, .repeat = (int)repeat, .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx));

	world_build((struct world *)&b->world, t->run.pkt, t->run.dir, &f);
	o.data_size_in = (uint32_t)f.len;
	if (t->sport_at && bpf_map_update_elem(b->in_front, &zero, &prog, BPF_ANY) < 0)
		die("tail call");
	if (bpf_prog_test_run_opts(t->sport_at ? front : prog, &o) < 0 || o.retval == TC_ACT_STOLEN)
		die(t->name);
	return o.duration;
}

static void open_flow(struct bench *b, const struct test *t)
{
	for (size_t i = 0; i < OPEN_MAX && t->open[i].pkt; i++)
		world_expect(&b->world, WORLD_IFINDEX, t->open[i].dir, t->open[i].pkt, PASSES);
}

static void measure(struct bench *b, size_t i, size_t round)
{
	const struct test *t = &tests[i];
	const struct bh_abi_stat_key key = {
		.tenant = strcmp(t->who, "nobody") == 0	   ? BH_TENANT_NONE
			  : strcmp(t->who, "granted") == 0 ? T_GRANTED
							   : T_OWN,
		.dir = t->run.dir,
		.verdict = t->verdict,
		.reason = t->reason,
	};
	const int prog = bpf_program__fd(t->run.dir == OUT ? b->world.skel->progs.from_pod
							   : b->world.skel->progs.to_pod);
	const uint32_t repeat =
		t->sport_at && b->repeat > NEW_FLOWS ? NEW_FLOWS : (uint32_t)b->repeat;
	uint64_t before;

	world_forget(&b->world);
	world_become(&b->world, WORLD_IFINDEX, t->who);
	open_flow(b, t);
	b->empty_ns[i][round] = run(b, t, b->empty, repeat);
	before = world_stat(&b->world, &key).packets;
	b->ns[i][round] = run(b, t, prog, repeat);
	if (world_stat(&b->world, &key).packets - before != repeat) {
		(void)fprintf(stderr, "%s: not what became of every packet: %llu of %u\n", t->name,
			      (unsigned long long)(world_stat(&b->world, &key).packets - before),
			      repeat);
		die("counters");
	}
}

static void report(const struct bench *b)
{
	bh_auto(bh_json_freep) struct bh_json *j = bh_json_new_object();
	struct bh_json *list = bh_json_new_array();
	bh_autofree char *text = NULL;

	for (size_t i = 0; i < N_TESTS; i++) {
		struct bh_json *row = bh_json_new_object(), *over = bh_json_new_array();

		for (size_t r = 0; r < b->rounds; r++)
			bh_json_append(over, bh_json_new_int((int64_t)b->ns[i][r] -
							     (int64_t)b->empty_ns[i][r]));
		bh_json_set_str(row, "case", tests[i].name);
		if (tests[i].goal_ns)
			bh_json_set_int(row, "goal_ns", tests[i].goal_ns);
		bh_json_set(row, "over_empty_ns", over);
		bh_json_append(list, row);
	}
	bh_json_set(j, "programs", list);
	bh_json_set_int(j, "repeat", (int64_t)b->repeat);
	bh_json_set_int(j, "new_flows", NEW_FLOWS);
	if (bh_json_encode(j, true, &text) < 0)
		die("memory");
	(void)puts(text);
}

int main(int argc, char **argv)
{
	static struct bench b = { .rounds = 15, .repeat = 100000 };

	if ((argc != 1 && argc != 3) ||
	    (argc == 3 && (bh_parse_u64(argv[1], 1, ROUNDS_MAX, &b.rounds) < 0 ||
			   bh_parse_u64(argv[2], 1, REPEAT_MAX, &b.repeat) < 0))) {
		(void)fputs("usage: bench_progs [ROUNDS REPEAT]\n", stderr);
		return 2;
	}
	bench_open(&b);
	for (size_t r = 0; r < b.rounds; r++) {
		for (size_t i = 0; i < N_TESTS; i++)
			measure(&b, i, r);
	}
	report(&b);
	world_close(&b.world);
	return 0;
}
