/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bpf/world.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bpf/flow_table.h"
#include "bpf/isolate.skel.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "tests/bpf/nl.h"

#define EXIT_SKIP 77
#define CPUS_MAX 4096
#define N_SETS (WORLD_SLOTS * WORLD_FLOW_SETS)

__attribute__((format(printf, 2, 0))) static int quiet(enum libbpf_print_level level,
						       const char *fmt, va_list ap)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, fmt, ap) : 0;
}

int world_open(struct world *w)
{
	if (geteuid() != 0) {
		(void)fprintf(stderr, "loading BPF programs needs root\n");
		exit(EXIT_SKIP);
	}
	*w = (struct world){ .hosts = { world_hosts[0], world_hosts[1] } };
	(void)libbpf_set_print(quiet);
	if (unshare(CLONE_NEWNET) < 0) {
		(void)fprintf(stderr, "no network namespace: %s\n", strerror(errno));
		return -1;
	}
	w->skel = isolate_bpf__open();
	if (!w->skel || bpf_map__set_max_entries(w->skel->maps.bh_flows, N_SETS) < 0 ||
	    bpf_map__set_max_entries(w->skel->maps.bh_stats, WORLD_STATS_MAX) < 0 ||
	    isolate_bpf__load(w->skel) < 0) {
		(void)fprintf(stderr, "the programs do not load: %s\n", strerror(errno));
		return -1;
	}
	if (nl_add_veth("second", "other", -1) < 0 || !(w->second = if_nametoindex("second"))) {
		(void)fprintf(stderr, "no veth: %s\n", strerror(errno));
		return -1;
	}
	w->flows = mmap(NULL, N_SETS * sizeof(*w->flows), PROT_READ | PROT_WRITE, MAP_SHARED,
			bpf_map__fd(w->skel->maps.bh_flows), 0);
	if (w->flows == MAP_FAILED) {
		(void)fprintf(stderr, "bh_flows cannot be mapped: %s\n", strerror(errno));
		return -1;
	}
	world_fill(w);
	world_generation(w, 1);
	return 0;
}

void world_close(struct world *w)
{
	(void)munmap(w->flows, N_SETS * sizeof(*w->flows));
	isolate_bpf__destroy(w->skel);
	w->skel = NULL;
}

void world_build(struct world *w, const char *text, uint8_t dir, struct pkt_frame *ret_frame)
{
	const char *word = text;

	if (pkt_build(text, &w->hosts[dir], ret_frame, &word) < 0)
		fail_msg("not a packet: '%s' at '%s'", text, word);
}

static void clear(int fd, size_t key_size)
{
	bh_autofree uint8_t *key = calloc(1, key_size);

	assert_non_null(key);
	while (!bpf_map_get_next_key(fd, NULL, key))
		(void)bpf_map_delete_elem(fd, key);
}

static void refill(struct world *w)
{
	const int cpus = libbpf_num_possible_cpus();
	bh_autofree uint64_t *none = calloc((size_t)cpus, sizeof(*none));
	const uint8_t zero[64] = { 0 }; /* struct bucket of maps.h */

	assert_non_null(none);
	for (uint32_t slot = 1; slot <= WORLD_SLOTS; slot++) {
		assert_int_equal(bpf_map_update_elem(bpf_map__fd(w->skel->maps.buckets), &slot,
						     zero, BPF_ANY),
				 0);
		assert_int_equal(bpf_map_update_elem(bpf_map__fd(w->skel->maps.tokens), &slot, none,
						     BPF_ANY),
				 0);
	}
}

void world_forget(struct world *w)
{
	struct bh_abi_event e;

	memset(w->flows, 0, N_SETS * sizeof(*w->flows));
	refill(w);
	clear(bpf_map__fd(w->skel->maps.bh_stats), sizeof(struct bh_abi_stat_key));
	clear(bpf_map__fd(w->skel->maps.bh_event_limits), sizeof(struct bh_abi_event_limit_key));
	while (world_events(w, &e, 1))
		;
}

size_t world_count(int map_fd)
{
	uint8_t key[64];
	void *prev = NULL;
	size_t n = 0;

	while (!bpf_map_get_next_key(map_fd, prev, key)) {
		prev = key;
		n++;
	}
	return n;
}

size_t world_flows(const struct world *w)
{
	size_t n = 0;

	for (size_t i = 0; i < N_SETS; i++) {
		for (size_t k = 0; k < BH_FLOW_WAYS; k++)
			n += w->flows[i].tag[k] != 0;
	}
	return n;
}

void world_age(struct world *w, int64_t s)
{
	const uint32_t tick = bh_flow_tick(bh_clock_ns() - (uint64_t)(s * (int64_t)BH_NS_PER_S));

	for (size_t i = 0; i < N_SETS; i++) {
		for (size_t k = 0; k < BH_FLOW_WAYS; k++) {
			const uint64_t word = w->flows[i].word[k];

			w->flows[i].word[k] =
				bh_flow_word((uint32_t)word, tick, bh_flow_state(word));
		}
	}
}

void world_generation(struct world *w, uint32_t generation)
{
	const struct bh_abi_config cfg = { .generation = generation << 1,
					   .flow_sets = WORLD_FLOW_SETS,
					   .flow_key = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 } };
	const uint32_t zero = 0;

	assert_int_equal(
		bpf_map_update_elem(bpf_map__fd(w->skel->maps.bh_config), &zero, &cfg, BPF_ANY), 0);
}

struct bh_abi_stat world_stat(const struct world *w, const struct bh_abi_stat_key *key)
{
	const int cpus = libbpf_num_possible_cpus();
	bh_autofree struct bh_abi_stat *v = calloc((size_t)cpus, sizeof(*v));
	struct bh_abi_stat sum = { 0 };

	assert_true(cpus > 0 && cpus <= CPUS_MAX);
	assert_non_null(v);
	if (bpf_map_lookup_elem(bpf_map__fd(w->skel->maps.bh_stats), key, v) < 0)
		return sum;
	for (int i = 0; i < cpus; i++) {
		sum.packets += v[i].packets;
		sum.bytes += v[i].bytes;
	}
	return sum;
}

uint64_t world_loss(const struct world *w, uint32_t which)
{
	const int cpus = libbpf_num_possible_cpus();
	bh_autofree uint64_t *v = calloc((size_t)cpus, sizeof(*v));
	uint64_t sum = 0;

	assert_non_null(v);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(w->skel->maps.bh_losses), &which, v), 0);
	for (int i = 0; i < cpus; i++)
		sum += v[i];
	return sum;
}

struct sink {
	struct bh_abi_event *v;
	size_t n, cap;
};

static int take_event(void *ctx, void *data, size_t len)
{
	struct sink *s = ctx;

	assert_int_equal(len, sizeof(struct bh_abi_event));
	if (s->n < s->cap)
		memcpy(&s->v[s->n], data, sizeof(s->v[0]));
	s->n++;
	return 0;
}

size_t world_events(struct world *w, struct bh_abi_event *ret_v, size_t cap)
{
	struct sink s = { .v = ret_v, .cap = cap };
	struct ring_buffer *rb =
		ring_buffer__new(bpf_map__fd(w->skel->maps.bh_events), take_event, &s, NULL);

	assert_non_null(rb);
	assert_true(ring_buffer__consume(rb) >= 0);
	ring_buffer__free(rb);
	return s.n;
}

/* Every counter, as one sum for each key; the table is small here. */
struct counters {
	struct bh_abi_stat_key key[WORLD_STATS_MAX];
	struct bh_abi_stat v[WORLD_STATS_MAX];
	size_t n;
};

static void read_counters(const struct world *w, struct counters *ret)
{
	const int fd = bpf_map__fd(w->skel->maps.bh_stats);
	struct bh_abi_stat_key key;
	void *prev = NULL;

	ret->n = 0;
	while (!bpf_map_get_next_key(fd, prev, &key)) {
		assert_true(ret->n < sizeof(ret->v) / sizeof(ret->v[0]));
		ret->key[ret->n] = key;
		ret->v[ret->n] = world_stat(w, &key);
		prev = &ret->key[ret->n++];
	}
}

static struct bh_abi_stat before_of(const struct counters *c, const struct bh_abi_stat_key *key)
{
	for (size_t i = 0; i < c->n; i++) {
		if (!memcmp(&c->key[i], key, sizeof(*key)))
			return c->v[i];
	}
	return (struct bh_abi_stat){ 0 };
}

/* Exactly one counter moved, by one packet; which one goes into @a. */
static void find_move(const struct counters *before, const struct counters *after,
		      struct world_answer *a)
{
	unsigned int moved = 0;

	for (size_t i = 0; i < after->n; i++) {
		const struct bh_abi_stat was = before_of(before, &after->key[i]);

		if (after->v[i].packets == was.packets && after->v[i].bytes == was.bytes)
			continue;
		moved++;
		assert_int_equal(after->v[i].packets - was.packets, 1);
		assert_int_equal(after->key[i].pad, 0);
		a->verdict = after->key[i].verdict;
		a->reason = after->key[i].reason;
		a->tenant = after->key[i].tenant;
		a->bytes = after->v[i].bytes - was.bytes;
	}
	assert_int_equal(moved, 1);
}

static int program_of(const struct world *w, const struct world_run *run)
{
	if (run->dry)
		return bpf_program__fd(run->dir == OUT ? w->skel->progs.explain_from
						       : w->skel->progs.explain_to);
	return bpf_program__fd(run->dir == OUT ? w->skel->progs.from_pod : w->skel->progs.to_pod);
}

struct world_answer world_run_raw(struct world *w, const struct world_run *run,
				  const struct pkt_frame *f)
{
	struct __sk_buff in = { .ifindex = run->ifindex ? run->ifindex : WORLD_IFINDEX,
				.gso_size = run->gso_size,
				.gso_segs = run->gso_segs };
	struct __sk_buff out = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = f->b, .data_size_in = (uint32_t)f->len,
		    .ctx_in = &in, .ctx_size_in = sizeof(in), .ctx_out = &out,
		    .ctx_size_out = sizeof(out), .repeat = 1);
	struct world_answer a = { 0 };

	if (bpf_prog_test_run_opts(program_of(w, run), &o) < 0) {
		a.error = -errno;
		return a;
	}
	a.action = o.retval;
	if (!run->dry)
		return a;
	a.verdict = (uint8_t)out.cb[BH_EXPLAIN_CB_VERDICT];
	a.reason = (uint8_t)out.cb[BH_EXPLAIN_CB_REASON];
	a.cls = (uint8_t)out.cb[BH_EXPLAIN_CB_CLASS];
	a.peer_tenant = out.cb[BH_EXPLAIN_CB_TENANT];
	a.grant = out.cb[BH_EXPLAIN_CB_GRANT] != 0;
	return a;
}

struct world_answer world_run_frame(struct world *w, const struct world_run *run,
				    const struct pkt_frame *f)
{
	struct counters before, after;
	struct world_answer a;

	read_counters(w, &before);
	a = world_run_raw(w, run, f);
	if (a.error)
		return a;
	read_counters(w, &after);
	if (!run->dry) {
		find_move(&before, &after, &a);
		return a;
	}
	assert_int_equal(after.n, before.n);
	assert_memory_equal(after.v, before.v, after.n * sizeof(after.v[0]));
	return a;
}

struct world_answer world_run(struct world *w, const struct world_run *run)
{
	struct pkt_frame f;

	world_build(w, run->pkt, run->dir, &f);
	return world_run_frame(w, run, &f);
}
