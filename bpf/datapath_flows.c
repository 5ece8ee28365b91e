/* SPDX-License-Identifier: Apache-2.0 */
/* The table of flows and bh_config, which says how it is laid out and which policy it is about. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "bpf/datapath_priv.h"
#include "bpf/flow_table.h"
#include "bpf/isolate.skel.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/err.h"

#define BATCH_SETS 512
#define UNREPLIED_S 120 /* nf_conntrack_tcp_timeout_syn_sent, the longest of what is unanswered */

int bh_config_read(const struct bh_datapath *dp, struct bh_abi_config *ret_cfg)
{
	const uint32_t zero = 0;

	return bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.bh_config), &zero, ret_cfg) < 0
		       ? -errno
		       : 0;
}

int bh_config_write(struct bh_datapath *dp, const struct bh_abi_config *cfg)
{
	const uint32_t zero = 0;

	return bpf_map_update_elem(bpf_map__fd(dp->skel->maps.bh_config), &zero, cfg, BPF_ANY) < 0
		       ? -errno
		       : 0;
}

/*
 * Odd while policy is written, so that a daemon that dies half way leaves nothing that is believed
 * without being judged; even, and never seen before, when it is done.
 */
int bh_generation_raise(struct bh_datapath *dp, bool writing)
{
	struct bh_abi_config cfg;
	const int r = bh_config_read(dp, &cfg);

	if (r < 0)
		return r;
	if (!(cfg.generation & BH_GENERATION_WRITING))
		cfg.generation++;
	if (!writing)
		cfg.generation++;
	return bh_config_write(dp, &cfg);
}

uint32_t bh_datapath_generation(const struct bh_datapath *dp)
{
	struct bh_abi_config cfg = { 0 };

	(void)bh_config_read(dp, &cfg);
	return cfg.generation >> 1;
}

/* What is pinned keeps its size: programs and flows are there. 0: nothing is pinned. */
static uint32_t pinned_entries(const struct bh_datapath *dp)
{
	bh_autofree char *path = NULL;
	bh_autoclose int fd = -1;
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);

	if (asprintf(&path, "%s/maps/bh_flows", dp->dir) < 0)
		return 0;
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return 0;
	return info.max_entries;
}

int bh_flows_wanted(const struct bh_datapath_opts *opts, uint32_t *ret_sets, uint32_t *ret_entries,
		    struct bh_err *err)
{
	const uint32_t slots = opts->max_endpoints ? opts->max_endpoints : BH_SLOTS_DEFAULT;
	const uint32_t flows =
		opts->flows_per_endpoint ? opts->flows_per_endpoint : BH_SLOT_FLOWS_DEFAULT;

	if (slots > BH_SLOTS_MAX || flows < BH_SLOT_FLOWS_MIN || flows > BH_SLOT_FLOWS_MAX ||
	    flows & (flows - 1))
		return bh_err_set(err, EINVAL, "no table of %u flows for each of %u endpoints",
				  flows, slots);
	*ret_sets = flows / BH_FLOW_WAYS;
	*ret_entries = *ret_sets * slots;
	return 0;
}

int bh_flows_size(struct bh_datapath *dp, const struct bh_datapath_opts *opts, struct bh_err *err)
{
	const uint32_t pinned = pinned_entries(dp);
	uint32_t entries;
	int r = bh_flows_wanted(opts, &dp->flow_sets, &entries, err);

	if (r < 0)
		return r;
	if (pinned)
		entries = pinned;
	r = bpf_map__set_max_entries(dp->skel->maps.bh_flows, entries);
	return r < 0 ? bh_err_set(err, r, "cannot size bh_flows: %s", strerror(-r)) : 0;
}

/* Flows a second for one pod, so that the host's conntrack has room for the others. */
static uint32_t auto_new_flows(void)
{
	FILE *f = fopen("/proc/sys/net/netfilter/nf_conntrack_max", "re");
	unsigned int max = 0;

	if (!f)
		return BH_RATE_NEW_FLOWS;
	if (fscanf(f, "%u", &max) != 1)
		max = 0;
	(void)fclose(f);
	return max < 2 * UNREPLIED_S ? 1 : max / (2 * UNREPLIED_S);
}

static void set_rates(struct bh_abi_config *cfg, const struct bh_datapath_opts *opts)
{
	const uint64_t pps = opts->packets_per_second;
	const uint32_t fps = opts->new_flows_per_second == BH_RATE_AUTO
				     ? auto_new_flows()
				     : opts->new_flows_per_second;
	uint64_t batch = pps / 1000; /* at least a millisecond's worth stays in the bucket */

	batch = batch < 1 ? 1 : batch > BH_PACKET_BATCH_MAX ? BH_PACKET_BATCH_MAX : batch;
	cfg->packet_batch = (uint32_t)batch;
	cfg->packet_batch_ns = pps ? batch * BH_NS_PER_S / pps : 0;
	cfg->flow_gap_ns = fps ? BH_NS_PER_S / fps : 0;
}

int bh_flows_open(struct bh_datapath *dp, const struct bh_datapath_opts *opts, struct bh_err *err)
{
	const uint32_t entries = bpf_map__max_entries(dp->skel->maps.bh_flows);
	struct bh_abi_config cfg = { 0 };
	int r = bh_config_read(dp, &cfg);

	if (r >= 0 && !cfg.flow_sets) {
		cfg.flow_sets = dp->flow_sets;
		/* flows of another version are found again by its key only */
		if (bh_migrate_key(dp, &cfg) < 0 &&
		    getrandom(cfg.flow_key, sizeof(cfg.flow_key), 0) != sizeof(cfg.flow_key))
			r = -errno;
	}
	set_rates(&cfg, opts);
	if (r >= 0)
		r = bh_config_write(dp, &cfg);
	if (r < 0)
		return bh_err_set(err, r, "cannot write bh_config: %s", strerror(-r));
	dp->flow_sets = cfg.flow_sets;
	dp->n_slots = entries / cfg.flow_sets;
	if (dp->n_slots > BH_SLOTS_MAX)
		dp->n_slots = BH_SLOTS_MAX;
	return 0;
}

int bh_flows_clear(struct bh_datapath *dp, uint32_t slot)
{
	const int fd = bpf_map__fd(dp->skel->maps.bh_flows);
	bh_autofree struct bh_abi_flow_set *zero = calloc(BATCH_SETS, sizeof(*zero));
	bh_autofree uint32_t *key = calloc(BATCH_SETS, sizeof(*key));

	if (!zero || !key)
		return -ENOMEM;
	for (uint32_t at = 0; at < dp->flow_sets;) {
		uint32_t n = dp->flow_sets - at < BATCH_SETS ? dp->flow_sets - at : BATCH_SETS;

		for (uint32_t i = 0; i < n; i++)
			key[i] = (slot - 1) * dp->flow_sets + at + i;
		if (bpf_map_update_batch(fd, key, zero, &n, NULL) < 0)
			return -errno;
		at += n;
	}
	return 0;
}

static uint64_t count_alive(const struct bh_abi_flow_set *s, uint32_t now)
{
	uint64_t n = 0;

	for (uint32_t w = 0; w < BH_FLOW_WAYS; w++)
		n += bh_flow_left(s->tag[w], s->word[w], now) > 0;
	return n;
}

/* The regions that have an owner; the others hold nothing that anybody would find. */
uint64_t bh_flows_count(struct bh_datapath *dp)
{
	const struct bh_table *eps = &dp->actual->maps[BH_PM_ENDPOINTS];
	const int fd = bpf_map__fd(dp->skel->maps.bh_flows);
	const uint32_t now = bh_flow_tick(bh_clock_ns());
	bh_autofree struct bh_abi_flow_set *sets = calloc(BATCH_SETS, sizeof(*sets));
	bh_autofree uint32_t *key = calloc(BATCH_SETS, sizeof(*key));
	uint64_t sum = 0;

	for (size_t i = 0; i < eps->n && sets && key; i++) {
		struct bh_abi_endpoint ep;
		uint32_t at, end, n;

		memcpy(&ep, bh_table_value(eps, i), sizeof(ep));
		if (ep.slot == BH_SLOT_NONE || ep.slot > dp->n_slots)
			continue;
		end = ep.slot * dp->flow_sets;
		for (at = end - dp->flow_sets; at < end; at += n) {
			uint32_t from = at - 1, cursor;

			n = end - at < BATCH_SETS ? end - at : BATCH_SETS;
			if (bpf_map_lookup_batch(fd, at ? &from : NULL, &cursor, key, sets, &n,
						 NULL) < 0 &&
			    errno != ENOENT)
				return sum;
			if (!n)
				break;
			for (uint32_t k = 0; k < n; k++)
				sum += count_alive(&sets[k], now);
		}
	}
	return sum;
}

void bh_datapath_slots(const struct bh_datapath *dp, struct bh_slot_info *ret_info)
{
	const struct bh_table *eps = &dp->actual->maps[BH_PM_ENDPOINTS];

	*ret_info = (struct bh_slot_info){ .max = dp->n_slots, .without = dp->n_without_slot };
	for (size_t i = 0; i < eps->n; i++) {
		struct bh_abi_endpoint ep;

		memcpy(&ep, bh_table_value(eps, i), sizeof(ep));
		ret_info->used += ep.slot != BH_SLOT_NONE;
	}
}
