/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows of another version, or of a table of another size, into ours. They are put in as not
 * vouched for: each is judged again by our policy at its next packet, in the direction in which it
 * was opened. Programs write to both tables meanwhile: entry by entry, as they do themselves.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bpf/datapath_priv.h"
#include "bpf/flow_table.h"
#include "bpf/isolate.skel.h"
#include "common/clock.h"

/* --- our table, as memory --- */

struct table {
	struct bh_abi_config cfg;
	struct bh_abi_flow_set *sets;
	size_t n; /* sets */
	uint32_t now;
};

static void table_done(struct table *t)
{
	if (t->sets)
		(void)munmap(t->sets, t->n * sizeof(*t->sets));
	t->sets = NULL;
}

static int map_table(int fd, int prot, struct table *t)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);
	void *p;

	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return -errno;
	if (info.value_size != sizeof(struct bh_abi_flow_set))
		return -EPROTO;
	p = mmap(NULL, (size_t)info.max_entries * sizeof(*t->sets), prot, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	t->sets = p;
	t->n = info.max_entries;
	t->now = bh_flow_tick(bh_clock_ns());
	return 0;
}

/* One entry into the region of @slot: 1, or 0 where there is no room. */
static size_t put(const struct table *t, uint32_t slot, uint64_t tag, uint32_t tick, uint8_t state)
{
	/* fits no policy, so that the next packet has it judged */
	const uint64_t word =
		bh_flow_word(~bh_flow_check(&t->cfg, tag, t->cfg.generation), tick, state);
	struct bh_abi_flow_set *set[2];
	uint64_t cost[2];
	uint32_t way[2];

	for (uint32_t i = 0; i < 2; i++) {
		const uint32_t at = bh_flow_set_of(slot, t->cfg.flow_sets, tag, i);

		if (at >= t->n)
			return 0;
		set[i] = &t->sets[at];
		way[i] = bh_flow_way(set[i], tag);
		if (way[i] == BH_FLOW_WAYS)
			continue;
		/* seen since we are in front: in the direction of that packet, not of the first */
		bh_flow_put(set[i], way[i], tag, word);
		return 1;
	}
	for (uint32_t i = 0; i < 2; i++)
		cost[i] = bh_flow_cost(set[i], t->now, &way[i]);
	if (cost[0] >= BH_FLOW_COST_PROTECTED && cost[1] >= BH_FLOW_COST_PROTECTED)
		return 0;
	bh_flow_put(set[cost[1] < cost[0]], way[cost[1] < cost[0]], tag, word);
	return 1;
}

static uint32_t own_slot(const struct bh_datapath *dp, uint32_t ifindex)
{
	const struct bh_abi_endpoint *row =
		bh_table_get(&dp->actual->maps[BH_PM_ENDPOINTS], &ifindex);
	struct bh_abi_endpoint ep;

	if (!row)
		return BH_SLOT_NONE;
	memcpy(&ep, row, sizeof(ep));
	return ep.slot;
}

/* --- version 1: one map for all, keys in the clear --- */

struct flow_key_v1 {
	uint8_t remote[16];
	uint32_t ifindex;
	uint16_t lport, rport;
	uint8_t proto, pad[3];
};

struct flow_v1 {
	uint64_t last_ns;
	uint32_t generation;
	uint8_t dir, reason, peer_cls, pad;
};

static uint8_t state_v1(const struct flow_key_v1 *k, const struct flow_v1 *f)
{
	const uint8_t audit = f->reason ? BH_FLOW_AUDIT : 0;

	/* it did not tell how far a connection had come: as those that last the longest */
	if (k->proto == IPPROTO_TCP)
		return BH_FLOW_TCP | BH_FLOW_REPLIED | BH_FLOW_ESTABLISHED | audit;
	return (k->proto == IPPROTO_UDP ? BH_FLOW_UDP : BH_FLOW_OTHER) | BH_FLOW_REPLIED | audit;
}

static int copy_v1(const struct bh_datapath *dp, int fd, const struct table *to, size_t *ret_n)
{
	struct flow_key_v1 key, next;
	struct flow_v1 f;
	void *prev = NULL;
	size_t n = 0;

	while (!bpf_map_get_next_key(fd, prev, &next)) {
		struct bh_flow_key k = { .what = BH_FLOW_WHAT_FLOW };
		uint32_t slot;

		key = next;
		prev = &key;
		slot = own_slot(dp, key.ifindex);
		if (slot == BH_SLOT_NONE || bpf_map_lookup_elem(fd, &key, &f) < 0)
			continue;
		memcpy(k.remote.b, key.remote, sizeof(k.remote.b));
		k.ifindex = key.ifindex;
		k.lport = key.lport;
		k.rport = key.rport;
		k.proto = key.proto;
		n += put(to, slot, bh_flow_tag(&to->cfg, &k) | (f.dir & 1), bh_flow_tick(f.last_ns),
			 state_v1(&key, &f));
	}
	*ret_n += n;
	return 0;
}

/* --- version 2: as ours, by a key that we have taken over --- */

/* As much of bh_config as has to do with flows; what is behind that may differ. */
struct config_v2 {
	uint32_t generation, flow_sets;
	uint64_t flow_key[2];
};

#if BH_ABI_VERSION == 2
_Static_assert(offsetof(struct config_v2, flow_sets) == offsetof(struct bh_abi_config, flow_sets) &&
		       offsetof(struct config_v2, flow_key) ==
			       offsetof(struct bh_abi_config, flow_key),
	       "config_v2 is what version 2 has");
#endif

static int read_config(const struct bh_old *old, struct config_v2 *ret_cfg)
{
	bh_autoclose int fd = bh_migrate_map(old, "bh_config");
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info), zero = 0;
	uint8_t value[256];

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return -errno;
	if (info.value_size < sizeof(*ret_cfg) || info.value_size > sizeof(value))
		return -EPROTO;
	if (bpf_map_lookup_elem(fd, &zero, value) < 0)
		return -errno;
	memcpy(ret_cfg, value, sizeof(*ret_cfg));
	return 0;
}

int bh_migrate_key(const struct bh_datapath *dp, struct bh_abi_config *ret_cfg)
{
	for (size_t i = 0; i < dp->n_olds; i++) {
		const struct bh_old *old = &dp->olds[i];
		struct config_v2 cfg;

		if (old->abi < 2 || old->abi > BH_ABI_VERSION || read_config(old, &cfg) < 0 ||
		    !cfg.flow_sets)
			continue;
		memcpy(ret_cfg->flow_key, cfg.flow_key, sizeof(cfg.flow_key));
		return 0;
	}
	return -ENOENT;
}

int bh_migrate_size(const struct bh_old *old, uint32_t *ret_sets, uint32_t *ret_entries)
{
	bh_autoclose int fd = bh_migrate_map(old, "bh_flows");
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);
	struct config_v2 cfg;
	int r;

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return -errno;
	r = read_config(old, &cfg);
	if (r < 0 || !cfg.flow_sets)
		return r < 0 ? r : -ENOENT;
	*ret_sets = cfg.flow_sets;
	*ret_entries = info.max_entries;
	return 0;
}

static size_t copy_region(const struct table *from, uint32_t from_slot, uint32_t n_sets,
			  const struct table *to, uint32_t slot)
{
	size_t n = 0;

	for (uint32_t i = 0; i < n_sets && (from_slot - 1) * (size_t)n_sets + i < from->n; i++) {
		const struct bh_abi_flow_set *s = &from->sets[(from_slot - 1) * (size_t)n_sets + i];

		for (uint32_t w = 0; w < BH_FLOW_WAYS; w++) {
			const uint64_t tag = BH_FLOW_LOAD(s->tag[w]);
			const uint64_t word = BH_FLOW_LOAD(s->word[w]);

			if (bh_flow_left(tag, word, from->now))
				n += put(to, slot, tag, bh_flow_word_tick(word),
					 bh_flow_state(word));
		}
	}
	return n;
}

static int copy_v2(const struct bh_datapath *dp, const struct bh_old *old, int fd,
		   const struct table *to, size_t *ret_n)
{
	__attribute__((__cleanup__(table_done))) struct table from = { 0 };
	struct config_v2 cfg;
	int r = read_config(old, &cfg);

	/* tags are hashes by a key: by another one they would be nobody's */
	if (r >= 0 && memcmp(cfg.flow_key, to->cfg.flow_key, sizeof(cfg.flow_key)) != 0)
		r = -EPROTO;
	if (r >= 0)
		r = map_table(fd, PROT_READ, &from);
	for (size_t i = 0; i < dp->n_old_eps && r >= 0; i++) {
		const struct bh_old_ep *ep = &dp->old_eps[i];
		const uint32_t slot = own_slot(dp, ep->bound.ifindex);

		if (ep->old == old && ep->slot && slot != BH_SLOT_NONE)
			*ret_n += copy_region(&from, ep->slot, cfg.flow_sets, to, slot);
	}
	return r;
}

int bh_migrate_flows(struct bh_datapath *dp, const struct bh_old *old, struct bh_migrated *ret_sum)
{
	__attribute__((__cleanup__(table_done))) struct table to = { 0 };
	bh_autoclose int fd = bh_migrate_map(old, "bh_flows");
	int r;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd; /* it never came to have any */
	if (old->abi > BH_ABI_VERSION) {
		ret_sum->unreadable = true;
		return 0;
	}
	r = bh_config_read(dp, &to.cfg);
	if (r >= 0)
		r = map_table(bpf_map__fd(dp->skel->maps.bh_flows), PROT_READ | PROT_WRITE, &to);
	if (r < 0)
		return r;
	return old->abi == 1 ? copy_v1(dp, fd, &to, &ret_sum->flows)
			     : copy_v2(dp, old, fd, &to, &ret_sum->flows);
}
