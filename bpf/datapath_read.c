/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/datapath_priv.h"
#include "bpf/isolate.skel.h"

#define COUNT_BATCH 4096

/* What the kernel accounts to a map: "memlock:" of its fdinfo. */
static uint64_t map_bytes(int fd)
{
	char path[64], line[128];
	unsigned long long bytes = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			break;
	}
	(void)fclose(f);
	return bytes;
}

static uint64_t count_entries(struct bpf_map *map)
{
	const uint32_t key_size = bpf_map__key_size(map), value_size = bpf_map__value_size(map);
	bh_autofree uint8_t *keys = calloc(COUNT_BATCH, key_size);
	bh_autofree uint8_t *values = calloc(COUNT_BATCH, value_size);
	uint32_t cursor = 0, n;
	bool first = true;
	uint64_t sum = 0;
	int r = 0;

	while (keys && values && !r) {
		n = COUNT_BATCH;
		r = bpf_map_lookup_batch(bpf_map__fd(map), first ? NULL : &cursor, &cursor, keys,
					 values, &n, NULL);
		if (r && errno != ENOENT)
			break;
		sum += n;
		first = false;
	}
	return sum;
}

static uint64_t entries_of(struct bh_datapath *dp, struct bpf_map *map)
{
	for (int m = 0; m < BH_PM_MAX_; m++) {
		if (bh_policy_map_fd(dp, (enum bh_policy_map)m) == bpf_map__fd(map))
			return dp->actual->maps[m].n;
	}
	if (map == dp->skel->maps.bh_tenant_ids)
		return bh_ids_count(dp->ids);
	if (map == dp->skel->maps.bh_left_alone)
		return dp->n_left_alone;
	if (map == dp->skel->maps.bh_flows)
		return bh_flows_count(dp);
	if (map == dp->skel->maps.bh_event_limits)
		return count_entries(map);
	if (map == dp->skel->maps.bh_stats) {
		bh_autofree struct bh_counter *v = NULL;
		size_t n = 0;

		return bh_datapath_counters(dp, &v, &n) < 0 ? 0 : n;
	}
	return 0;
}

/* Other arrays and rings are always full or never: nothing to watch. */
static bool has_fill(const struct bh_datapath *dp, const struct bpf_map *map)
{
	if (map == dp->skel->maps.bh_flows)
		return true;
	switch (bpf_map__type(map)) {
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_LRU_HASH:
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_LPM_TRIE:
		return strncmp(bpf_map__name(map), "bh_", 3) == 0;
	default:
		return false;
	}
}

static uint64_t max_entries_of(const struct bh_datapath *dp, const struct bpf_map *map)
{
	const uint64_t n = bpf_map__max_entries(map);

	return map == dp->skel->maps.bh_flows ? n * BH_FLOW_WAYS : n;
}

size_t bh_datapath_maps(struct bh_datapath *dp, struct bh_map_info *v, size_t cap)
{
	struct bpf_map *map;
	size_t n = 0;

	bpf_object__for_each_map(map, dp->skel->obj)
	{
		if (!has_fill(dp, map) || n == cap)
			continue;
		v[n++] = (struct bh_map_info){
			.name = bpf_map__name(map),
			.entries = entries_of(dp, map),
			.max_entries = max_entries_of(dp, map),
			.bytes = map_bytes(bpf_map__fd(map)),
		};
	}
	return n;
}

int bh_datapath_counters(const struct bh_datapath *dp, struct bh_counter **ret_v, size_t *ret_n)
{
	const int fd = bpf_map__fd(dp->skel->maps.bh_stats), cpus = libbpf_num_possible_cpus();
	bh_autofree struct bh_abi_stat *per_cpu = NULL;
	bh_autofree struct bh_counter *v = NULL;
	struct bh_abi_stat_key key, next;
	size_t n = 0, cap = 0;
	void *prev = NULL;

	if (cpus < 0)
		return cpus;
	per_cpu = calloc((size_t)cpus, sizeof(*per_cpu));
	if (!per_cpu)
		return -ENOMEM;
	while (!bpf_map_get_next_key(fd, prev, &next)) {
		struct bh_counter c = { .key = next };

		key = next;
		prev = &key;
		if (n == cap) {
			struct bh_counter *more = reallocarray(v, cap ? cap * 2 : 64, sizeof(*v));

			if (!more)
				return -ENOMEM;
			v = more;
			cap = cap ? cap * 2 : 64;
		}
		if (bpf_map_lookup_elem(fd, &key, per_cpu) < 0)
			continue;
		for (int i = 0; i < cpus; i++) {
			c.value.packets += per_cpu[i].packets;
			c.value.bytes += per_cpu[i].bytes;
		}
		v[n++] = c;
	}
	*ret_v = BH_TAKE_PTR(v);
	*ret_n = n;
	return 0;
}

int bh_datapath_losses(const struct bh_datapath *dp, uint64_t ret_v[static BH_LOSS_MAX_])
{
	const int fd = bpf_map__fd(dp->skel->maps.bh_losses), cpus = libbpf_num_possible_cpus();
	bh_autofree uint64_t *per_cpu = NULL;

	if (cpus < 0)
		return cpus;
	per_cpu = calloc((size_t)cpus, sizeof(*per_cpu));
	if (!per_cpu)
		return -ENOMEM;
	for (uint32_t k = 0; k < BH_LOSS_MAX_; k++) {
		ret_v[k] = 0;
		if (bpf_map_lookup_elem(fd, &k, per_cpu) < 0)
			return -errno;
		for (int i = 0; i < cpus; i++)
			ret_v[k] += per_cpu[i];
	}
	return 0;
}

static int on_sample(void *ctx, void *data, size_t len)
{
	struct bh_datapath *dp = ctx;

	if (len >= sizeof(struct bh_abi_event) && dp->event_cb)
		dp->event_cb(dp->event_ud, data);
	return 0;
}

int bh_datapath_events_fd(const struct bh_datapath *dp)
{
	return dp->ring ? ring_buffer__epoll_fd(dp->ring) : -ENODEV;
}

int bh_datapath_events(struct bh_datapath *dp, bh_event_cb cb, void *ud)
{
	int r;

	dp->event_cb = cb;
	dp->event_ud = ud;
	r = ring_buffer__consume(dp->ring);
	dp->event_cb = NULL;
	dp->event_ud = NULL;
	return r;
}

static int on_record(void *ctx, void *data, size_t len)
{
	struct bh_datapath *dp = ctx;

	if (len >= sizeof(struct bh_abi_flow_record) && dp->record_cb)
		dp->record_cb(dp->record_ud, data);
	return 0;
}

int bh_datapath_records_fd(const struct bh_datapath *dp)
{
	return dp->record_ring ? ring_buffer__epoll_fd(dp->record_ring) : -ENODEV;
}

int bh_datapath_records(struct bh_datapath *dp, bh_record_cb cb, void *ud)
{
	int r;

	dp->record_cb = cb;
	dp->record_ud = ud;
	r = ring_buffer__consume(dp->record_ring);
	dp->record_cb = NULL;
	dp->record_ud = NULL;
	return r;
}

int bh_datapath_record(struct bh_datapath *dp, const struct bh_record_switch *s)
{
	struct bh_abi_config cfg;
	const int r = bh_config_read(dp, &cfg);

	if (r < 0)
		return r;
	cfg.record_sample = s->sample;
	cfg.record_tenant = s->tenant;
	cfg.record_until_ns = s->until_ns;
	return bh_config_write(dp, &cfg);
}

int bh_datapath_open_rings(struct bh_datapath *dp)
{
	dp->ring = ring_buffer__new(bpf_map__fd(dp->skel->maps.bh_events), on_sample, dp, NULL);
	if (!dp->ring)
		return -errno;
	dp->record_ring =
		ring_buffer__new(bpf_map__fd(dp->skel->maps.flow_records), on_record, dp, NULL);
	if (!dp->record_ring)
		return -errno;
	/* whoever was here before may have died while somebody followed */
	return bh_datapath_record(dp, &(struct bh_record_switch){ .sample = 1 });
}

int bh_datapath_explain(struct bh_datapath *dp, uint32_t ifindex, uint8_t dir, const void *frame,
			size_t len, struct bh_explain_answer *ret_answer)
{
	struct bpf_program *prog =
		dir == BH_DIR_EGRESS ? dp->skel->progs.explain_from : dp->skel->progs.explain_to;
	struct __sk_buff in = { .ifindex = ifindex }, out = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame, .data_size_in = (uint32_t)len,
		    .ctx_in = &in, .ctx_size_in = sizeof(in), .ctx_out = &out,
		    .ctx_size_out = sizeof(out), .repeat = 1);

	if (bpf_prog_test_run_opts(bpf_program__fd(prog), &o) < 0)
		return -errno;
	*ret_answer = (struct bh_explain_answer){
		.verdict = (uint8_t)out.cb[BH_EXPLAIN_CB_VERDICT],
		.reason = (uint8_t)out.cb[BH_EXPLAIN_CB_REASON],
		.peer_cls = (uint8_t)out.cb[BH_EXPLAIN_CB_CLASS],
		.peer_tenant = out.cb[BH_EXPLAIN_CB_TENANT],
		.grant = out.cb[BH_EXPLAIN_CB_GRANT] != 0,
	};
	return 0;
}
