/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What fraction of live flows does a table lose? The table of flows (bpf/flow_table.h) against the
 * kernel's LRU hash, for one endpoint: both with room for 4096 flows. N live flows, each of which
 * sends again and again, are opened one after the other on random CPUs; a flow whose entry was
 * evicted and that has to be judged anew is lost.
 *
 * The LRU before Linux 6.16 is simulated (kernel/bpf/bpf_lru_list.c, for any number of CPUs): each
 * CPU takes 128 free nodes at a time, and evicts others to have them; commit d4adf1c9ee77 made that
 * fewer. The LRU of this kernel is the real one, on the CPUs that are here. Prints JSON.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/flow_table.h"
#include "common/cleanup.h"
#include "common/json.h"

#define ROOM 4096
#define SETS (ROOM / BH_FLOW_WAYS)
#define CPUS_MAX 96
#define ROUNDS 4    /* how often each live flow sends after all are open */
#define RESERVE 128 /* LOCAL_FREE_TARGET */
#define SCAN 128    /* LOCAL_NR_SCANS */

static uint64_t rnd(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

/* --- the kernel's LRU before 6.16, one list of all CPUs, as far as it matters here --- */

enum where { FREE, INACTIVE, ACTIVE, LOCAL_FREE, LOCAL_PENDING };

struct lru {
	uint32_t flow[ROOM]; /* + 1; 0 = none */
	uint8_t where[ROOM], ref[ROOM];
	uint64_t since[ROOM]; /* when it came into its list: the smallest is the tail */
	uint32_t cpu[ROOM];
	uint64_t clock;
	uint32_t node_of[2 * ROOM]; /* by flow, + 1 */
};

static void move(struct lru *l, uint32_t n, enum where to)
{
	l->where[n] = (uint8_t)to;
	l->since[n] = ++l->clock;
}

static int tail(const struct lru *l, enum where list)
{
	int best = -1;

	for (uint32_t n = 0; n < ROOM; n++) {
		if (l->where[n] == list && (best < 0 || l->since[n] < l->since[best]))
			best = (int)n;
	}
	return best;
}

static size_t count(const struct lru *l, enum where list)
{
	size_t n = 0;

	for (uint32_t i = 0; i < ROOM; i++)
		n += l->where[i] == list;
	return n;
}

static void evict(struct lru *l, uint32_t n, uint32_t cpu)
{
	if (l->flow[n])
		l->node_of[l->flow[n] - 1] = 0;
	l->flow[n] = 0;
	l->ref[n] = 0;
	l->cpu[n] = cpu;
	move(l, n, LOCAL_FREE);
}

/* __bpf_lru_list_rotate_active(): what was used stays, what was not goes to the inactive end */
static void rotate(struct lru *l)
{
	for (unsigned int i = 0; i < SCAN && count(l, INACTIVE) < count(l, ACTIVE); i++) {
		const int n = tail(l, ACTIVE);

		move(l, (uint32_t)n, l->ref[n] ? ACTIVE : INACTIVE);
		l->ref[n] = 0;
	}
}

/* bpf_lru_list_pop_free_to_local() */
static void refill(struct lru *l, uint32_t cpu)
{
	unsigned int got = 0;
	int n;

	for (uint32_t i = 0; i < ROOM; i++) { /* __local_list_flush() */
		if (l->where[i] != LOCAL_PENDING || l->cpu[i] != cpu)
			continue;
		move(l, i, l->ref[i] ? ACTIVE : INACTIVE);
		l->ref[i] = 0;
	}
	rotate(l);
	for (; got < RESERVE && (n = tail(l, FREE)) >= 0; got++)
		evict(l, (uint32_t)n, cpu);
	for (unsigned int i = 0; got < RESERVE && i < SCAN && (n = tail(l, INACTIVE)) >= 0; i++) {
		if (l->ref[n]) {
			l->ref[n] = 0;
			move(l, (uint32_t)n, ACTIVE);
			continue;
		}
		evict(l, (uint32_t)n, cpu);
		got++;
	}
	if (got)
		return;
	n = tail(l, INACTIVE); /* by force, one */
	if (n < 0)
		n = tail(l, ACTIVE);
	if (n >= 0)
		evict(l, (uint32_t)n, cpu);
}

static int local(const struct lru *l, uint32_t cpu, enum where list)
{
	for (uint32_t n = 0; n < ROOM; n++) {
		if (l->where[n] == list && l->cpu[n] == cpu)
			return (int)n;
	}
	return -1;
}

static int lru_touch(struct lru *l, uint32_t flow)
{
	const uint32_t n = l->node_of[flow];

	if (n)
		l->ref[n - 1] = 1;
	return n != 0;
}

static void lru_insert(struct lru *l, uint32_t flow, uint32_t cpu, uint64_t *seed)
{
	int n = local(l, cpu, LOCAL_FREE);

	if (n < 0) {
		refill(l, cpu);
		n = local(l, cpu, LOCAL_FREE);
	}
	for (uint32_t tries = 0; n < 0 && tries < CPUS_MAX; tries++) { /* steal another CPU's */
		const uint32_t from = (uint32_t)(rnd(seed) % CPUS_MAX);

		n = local(l, from, LOCAL_FREE);
		if (n < 0)
			n = local(l, from, LOCAL_PENDING);
		if (n >= 0)
			evict(l, (uint32_t)n, cpu);
	}
	if (n < 0)
		return;
	l->flow[n] = flow + 1;
	l->node_of[flow] = (uint32_t)n + 1;
	l->cpu[n] = cpu;
	move(l, (uint32_t)n, LOCAL_PENDING);
}

static double lost_in_lru(uint32_t live, uint32_t cpus)
{
	bh_autofree struct lru *l = calloc(1, sizeof(*l));
	uint64_t seed = 1;
	uint32_t lost = 0;

	if (!l)
		abort();
	for (uint32_t f = 0; f < live; f++) {
		lru_insert(l, f, (uint32_t)(rnd(&seed) % cpus), &seed);
		(void)lru_touch(l, (uint32_t)(rnd(&seed) % (f + 1))); /* others go on */
	}
	for (uint32_t i = 0; i < ROUNDS * live; i++) {
		const uint32_t f = (uint32_t)(rnd(&seed) % live);

		if (lru_touch(l, f))
			continue;
		lost++;
		lru_insert(l, f, (uint32_t)(rnd(&seed) % cpus), &seed);
	}
	return (double)lost / (ROUNDS * live);
}

/* --- the real one, on the CPUs that are here --- */
static double lost_in_kernel(uint32_t live)
{
	const int fd = bpf_map_create(BPF_MAP_TYPE_LRU_HASH, "bench_flows", 28, 16, ROOM, NULL);
	const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	uint8_t key[28] = { 0 }, value[16] = { 0 };
	uint64_t seed = 1;
	uint32_t lost = 0;
	cpu_set_t one;

	if (fd < 0)
		return -1;
	for (uint32_t i = 0; i < (ROUNDS + 1) * live; i++) {
		const uint32_t f = i < live ? i : (uint32_t)(rnd(&seed) % live);

		if (i % 64 == 0) {
			CPU_ZERO(&one);
			CPU_SET(rnd(&seed) % (uint64_t)cpus, &one);
			(void)sched_setaffinity(0, sizeof(one), &one);
		}
		memcpy(key, &f, sizeof(f));
		if (i >= live && bpf_map_lookup_elem(fd, key, value) < 0)
			lost++;
		/* a lookup by a system call is no use to the LRU: an update is */
		(void)bpf_map_update_elem(fd, key, value, BPF_ANY);
	}
	(void)close(fd);
	return (double)lost / (ROUNDS * live);
}

/* --- ours --- */
static double lost_in_sets(uint32_t live, uint8_t state)
{
	const struct bh_abi_config cfg = { .flow_sets = SETS, .flow_key = { 1, 2 } };
	bh_autofree struct bh_abi_flow_set *sets = calloc(SETS, sizeof(*sets));
	uint64_t seed = 1;
	uint32_t lost = 0;

	if (!sets)
		abort();
	for (uint32_t i = 0; i < (ROUNDS + 1) * live; i++) {
		const uint32_t f = i < live ? i : (uint32_t)(rnd(&seed) % live),
			       now = 100 + i / live;
		struct bh_flow_key k = { .ifindex = 1, .lport = (uint16_t)f, .proto = 6 };
		struct bh_abi_flow_set *s[2];
		uint64_t cost[2], tag;
		uint32_t way[2], c;

		tag = bh_flow_tag(&cfg, &k);
		for (c = 0; c < 2; c++) {
			s[c] = &sets[bh_flow_set_of(1, SETS, tag, c)];
			way[c] = bh_flow_way(s[c], tag);
			if (way[c] < BH_FLOW_WAYS)
				break;
			cost[c] = bh_flow_cost(s[c], now, &way[c]);
		}
		if (c == 2) {
			lost += i >= live;
			c = cost[1] < cost[0];
			if (cost[c] >= BH_FLOW_COST_PROTECTED)
				continue; /* refused */
		}
		bh_flow_put(s[c], way[c], tag, bh_flow_word(0, now, state));
	}
	return (double)lost / (ROUNDS * live);
}

int main(void)
{
	static const uint32_t percent[] = { 25, 50, 75, 80, 90, 100 };
	bh_auto(bh_json_freep) struct bh_json *j = bh_json_new_object();
	struct bh_json *list = bh_json_new_array();
	bh_autofree char *text = NULL;

	for (size_t i = 0; i < sizeof(percent) / sizeof(percent[0]); i++) {
		const uint32_t live = ROOM * percent[i] / 100;
		struct bh_json *row = bh_json_new_object();

		bh_json_set_int(row, "live_flows", live);
		bh_json_set_num(row, "lost_lru_8_cpus", lost_in_lru(live, 8));
		bh_json_set_num(row, "lost_lru_96_cpus", lost_in_lru(live, 96));
		bh_json_set_num(row, "lost_lru_this_kernel", lost_in_kernel(live));
		bh_json_set_num(row, "lost_sets_udp",
				lost_in_sets(live, BH_FLOW_UDP | BH_FLOW_REPLIED));
		bh_json_set_num(row, "lost_sets_established",
				lost_in_sets(live, BH_FLOW_TCP | BH_FLOW_ESTABLISHED));
		bh_json_append(list, row);
	}
	bh_json_set_int(j, "room", ROOM);
	bh_json_set(j, "rows", list);
	if (bh_json_encode(j, true, &text) < 0)
		return 1;
	(void)puts(text);
	return 0;
}
