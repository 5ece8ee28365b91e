/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking over from a daemon of another ABI version, newer or older, or with tables of another size.
 *
 * Its pins stay, and its programs go on enforcing, until the source has said what should be and the
 * first apply has written it to our maps. Then our programs are hung in front of its own, in the
 * shadow (BH_EP_SHADOW): what they would drop goes on to the older ones, which decide, and what
 * they let pass they remember. So no flow is missed from here on, and the older ones are copied.
 * Then the shadow ends, and the other's programs and pins go. At every moment at least one of the
 * two enforces whole; a death anywhere in between leaves both, and the next start begins anew.
 *
 * What never changes between versions: the folders <bpffs>/v<ABI>/{maps,links}, the names of links,
 * bh_tenant_ids, the handles of classic filters. Endpoints and flows are read by the layouts of the
 * versions that are known here; of others they are not read.
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/datapath_priv.h"
#include "bpf/isolate.skel.h"
#define BH_LOG_COMP "datapath"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

/* Far longer than it takes; an end by itself, if we die before we can end it. */
#define SHADOW_NS (10 * BH_NS_PER_S)

int bh_migrate_map(const struct bh_old *old, const char *name)
{
	bh_autofree char *path = NULL;
	int fd;

	if (asprintf(&path, "%s/maps/%s", old->dir, name) < 0)
		return -ENOMEM;
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

int bh_migrate_resize(struct bh_datapath *dp, const struct bh_datapath_opts *opts,
		      struct bh_err *err)
{
	const struct bh_old own = { .dir = dp->dir, .abi = BH_ABI_VERSION };
	bh_autofree char *aside = NULL;
	uint32_t sets, entries, is_sets, is_entries;
	int r = bh_flows_wanted(opts, &sets, &entries, err);

	if (r < 0)
		return r;
	r = bh_migrate_size(&own, &is_sets, &is_entries);
	if (r < 0 || (is_sets == sets && is_entries == entries))
		return 0; /* nothing is pinned yet, or as it should be */
	if (asprintf(&aside, "%s" BH_PINS_ASIDE, dp->dir) < 0)
		return -ENOMEM;
	if (!access(aside, F_OK))
		return 0; /* one after the other: that one has to be taken over first */
	if (rename(dp->dir, aside) < 0)
		return bh_err_set(err, errno, "cannot rename '%s': %s", dp->dir, strerror(errno));
	free(dp->dir);
	dp->dir = NULL;
	return bh_pins_prepare(opts->bpffs, &dp->dir, err);
}

int bh_migrate_find(struct bh_datapath *dp, const char *bpffs, struct bh_err *err)
{
	struct bh_version_dir v[BH_OLDS_MAX];
	const int n = bh_pins_versions(bpffs, v, BH_OLDS_MAX);

	if (n < 0)
		return bh_err_set(err, n, "cannot list '%s': %s", bpffs, strerror(-n));
	for (int i = 0; i < n; i++) {
		struct bh_old *old = &dp->olds[dp->n_olds];
		bh_autofree char *path = NULL;

		if (asprintf(&path, "%s/%s", bpffs, v[i].name) < 0)
			return -ENOMEM;
		if (!strcmp(path, dp->dir))
			continue;
		*old = (struct bh_old){ .dir = BH_TAKE_PTR(path), .abi = v[i].abi };
		dp->n_olds++;
	}
	return 0;
}

/* Every pair of the other's numbers, into ours. Names that have one already keep it. */
static int take_numbers(struct bh_datapath *dp, const struct bh_old *old)
{
	bh_autoclose int fd = bh_migrate_map(old, "bh_tenant_ids");
	const int own = bpf_map__fd(dp->skel->maps.bh_tenant_ids);
	struct bh_abi_tenant_name key, next;
	void *prev = NULL;
	uint32_t id;

	while (fd >= 0 && !bpf_map_get_next_key(fd, prev, &next)) {
		int r;

		key = next;
		prev = &key;
		key.name[sizeof(key.name) - 1] = '\0';
		if (bpf_map_lookup_elem(fd, &key, &id) < 0)
			continue;
		r = bh_ids_restore(dp->ids, key.name, id);
		if (r == -EEXIST || r == -EINVAL)
			continue;
		if (r < 0)
			return r;
		if (bpf_map_update_elem(own, &key, &id, BPF_ANY) < 0)
			return -errno;
	}
	return 0;
}

static uint32_t value_size(int fd)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) < 0 ? 0 : info.value_size;
}

/* A version that knew numbers alone: those match whatever has them now. */
static int take_left_alone(struct bh_datapath *dp, const struct bh_old *old)
{
	bh_autoclose int fd = bh_migrate_map(old, "bh_left_alone");
	const int own = bpf_map__fd(dp->skel->maps.bh_left_alone);
	const bool with_print = fd >= 0 && value_size(fd) == sizeof(struct bh_abi_left_alone);
	uint32_t key = 0, next;
	void *prev = NULL;

	while (fd >= 0 && !bpf_map_get_next_key(fd, prev, &next)) {
		struct bh_abi_left_alone print = { .peer_ifindex = 0 };

		key = next;
		prev = &key;
		if (with_print && bpf_map_lookup_elem(fd, &key, &print) < 0)
			continue;
		if (bpf_map_update_elem(own, &key, &print, BPF_NOEXIST) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

/* --- endpoints, by version --- */

struct endpoint_v1 {
	uint32_t tenant;
	uint8_t role, flags, mac[6], ip4[4], ip6[16], ll6[16];
};

struct endpoint_v2 {
	struct endpoint_v1 v1;
	uint32_t slot, pad;
	uint64_t pod;
};

#if BH_ABI_VERSION == 2
/* Whoever changes the layout before the version is released changes it here, too. */
_Static_assert(sizeof(struct endpoint_v2) == sizeof(struct bh_abi_endpoint) &&
		       offsetof(struct endpoint_v2, slot) ==
			       offsetof(struct bh_abi_endpoint, slot) &&
		       offsetof(struct endpoint_v2, pod) == offsetof(struct bh_abi_endpoint, pod),
	       "endpoint_v2 is what version 2 has");
#endif

static void from_v1(const struct endpoint_v1 *v, struct bh_abi_endpoint *ret_ep)
{
	*ret_ep = (struct bh_abi_endpoint){ .tenant = v->tenant,
					    .role = v->role,
					    .flags = v->flags & (BH_EP_HAS_V4 | BH_EP_HAS_V6) };
	memcpy(ret_ep->mac, v->mac, sizeof(v->mac));
	memcpy(ret_ep->ip4, v->ip4, sizeof(v->ip4));
	memcpy(ret_ep->ip6, v->ip6, sizeof(v->ip6));
	memcpy(ret_ep->ll6, v->ll6, sizeof(v->ll6));
}

/* How long a row of this version is; 0: not known. */
static size_t endpoint_size(uint32_t abi)
{
	if (abi == BH_ABI_VERSION)
		return sizeof(struct bh_abi_endpoint);
	return abi == 1 ? sizeof(struct endpoint_v1) : abi == 2 ? sizeof(struct endpoint_v2) : 0;
}

union any_endpoint {
	struct endpoint_v1 v1;
	struct endpoint_v2 v2;
	struct bh_abi_endpoint own;
};

static struct bh_old_ep convert(const struct bh_old *old, uint32_t ifindex,
				const union any_endpoint *any)
{
	struct bh_old_ep ep = { .old = old, .bound = { .ifindex = ifindex } };

	if (old->abi == BH_ABI_VERSION) {
		ep.bound.ep = any->own;
		ep.bound.ep.flags &= (uint8_t) ~(BH_EP_SHADOW | BH_EP_CLOSED);
		ep.slot = any->own.slot;
	} else {
		from_v1(&any->v1, &ep.bound.ep);
		ep.slot = old->abi >= 2 ? any->v2.slot : BH_SLOT_NONE;
		ep.bound.ep.pod = old->abi >= 2 ? any->v2.pod : 0;
	}
	return ep;
}

static int take_endpoints(struct bh_datapath *dp, const struct bh_old *old)
{
	bh_autoclose int fd = bh_migrate_map(old, "bh_endpoints");
	const size_t size = endpoint_size(old->abi);
	uint32_t key = 0, next;
	void *prev = NULL;

	if (fd < 0 || !size || value_size(fd) != size)
		return 0;
	while (!bpf_map_get_next_key(fd, prev, &next)) {
		union any_endpoint any;
		struct bh_old_ep *grown;

		key = next;
		prev = &key;
		if (bpf_map_lookup_elem(fd, &key, &any) < 0)
			continue;
		grown = reallocarray(dp->old_eps, dp->n_old_eps + 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		dp->old_eps = grown;
		grown[dp->n_old_eps++] = convert(old, key, &any);
	}
	return 0;
}

/* --- what the other one holds --- */

/* The program that @old has on a hook by a classic filter, and is there; 0: none. */
static uint32_t filter_of(const struct bh_old *old, uint32_t ifindex, uint8_t dir)
{
	char path[BH_PIN_PATH_MAX];
	bh_autoclose int fd = -1;
	uint32_t id;

	bh_pin_link_path(old->dir, ifindex, dir, path, sizeof(path));
	fd = bpf_obj_get(path);
	id = fd < 0 ? 0 : bh_prog_id(fd, NULL, 0);
	return id && bh_filter_there(ifindex, dir, id) ? id : 0;
}

static bool holds_hook(const struct bh_old *old, uint32_t ifindex, uint8_t dir)
{
	char path[BH_PIN_PATH_MAX];
	bh_autoclose int fd = -1;

	bh_pin_link_path(old->dir, ifindex, dir, path, sizeof(path));
	fd = bh_tcx_open(path, ifindex);
	return fd >= 0 || (fd == -ESTALE && filter_of(old, ifindex, dir));
}

bool bh_migrate_holds(const struct bh_datapath *dp, uint32_t ifindex)
{
	for (size_t i = 0; i < dp->n_olds; i++) {
		if (holds_hook(&dp->olds[i], ifindex, BH_DIR_EGRESS) &&
		    holds_hook(&dp->olds[i], ifindex, BH_DIR_INGRESS))
			return true;
	}
	return false;
}

bool bh_migrate_filter(const struct bh_datapath *dp, uint32_t ifindex, uint8_t dir,
		       uint32_t prog_id)
{
	for (size_t i = 0; i < dp->n_olds; i++) {
		if (filter_of(&dp->olds[i], ifindex, dir) == prog_id)
			return true;
	}
	return false;
}

/* --- the way over --- */

int bh_migrate_adopt(struct bh_datapath *dp, struct bh_err *err)
{
	int r = 0;

	for (size_t i = 0; i < dp->n_olds && r >= 0; i++) {
		r = take_numbers(dp, &dp->olds[i]);
		if (r >= 0)
			r = take_left_alone(dp, &dp->olds[i]);
		if (r >= 0)
			r = take_endpoints(dp, &dp->olds[i]);
		bh_info("found '%s': it goes on enforcing until the source has been read",
			dp->olds[i].dir);
	}
	if (r >= 0 && dp->n_olds)
		r = bh_left_read(dp);
	return r < 0 ? bh_err_set(err, r, "cannot take over what is pinned: %s", strerror(-r)) : 0;
}

static int set_shadow(struct bh_datapath *dp, uint64_t until_ns)
{
	struct bh_abi_config cfg;
	const int r = bh_config_read(dp, &cfg);

	if (r < 0)
		return r;
	cfg.shadow_until_ns = until_ns;
	return bh_config_write(dp, &cfg);
}

int bh_migrate_begin(struct bh_datapath *dp, struct bh_policy *want)
{
	struct bh_table *eps = &want->maps[BH_PM_ENDPOINTS];

	if (!dp->n_olds)
		return 0;
	for (size_t i = 0; i < eps->n; i++) {
		struct bh_abi_endpoint ep;
		uint32_t ifindex;

		memcpy(&ifindex, bh_table_key(eps, i), sizeof(ifindex));
		if (!bh_migrate_holds(dp, ifindex))
			continue;
		memcpy(&ep, bh_table_value(eps, i), sizeof(ep));
		ep.flags |= BH_EP_SHADOW;
		bh_table_set_value(eps, i, &ep);
	}
	return set_shadow(dp, bh_clock_ns() + SHADOW_NS);
}

/* Every endpoint decides by itself from here on. */
static int end_shadow(struct bh_datapath *dp)
{
	const int fd = bh_policy_map_fd(dp, BH_PM_ENDPOINTS);
	struct bh_table *eps = &dp->actual->maps[BH_PM_ENDPOINTS];

	for (size_t i = 0; i < eps->n; i++) {
		struct bh_abi_endpoint ep;

		memcpy(&ep, bh_table_value(eps, i), sizeof(ep));
		if (!(ep.flags & BH_EP_SHADOW))
			continue;
		ep.flags &= (uint8_t)~BH_EP_SHADOW;
		if (bpf_map_update_elem(fd, bh_table_key(eps, i), &ep, BPF_ANY) < 0)
			return -errno;
		bh_table_set_value(eps, i, &ep);
	}
	return set_shadow(dp, 0);
}

/* The other's programs off, all but ours; its pins away. */
static int retire(const struct bh_datapath *dp, const struct bh_old *old, struct bh_err *err)
{
	bh_autofree uint32_t *v = NULL;
	size_t n = 0;
	int r = bh_pins_list(old->dir, &v, &n);

	for (size_t i = 0; i < n && r >= 0; i++)
		r = bh_detach_others(dp, old->dir, v[i], err);
	return r < 0 ? r : bh_pins_remove(old->dir, err);
}

static void forget(struct bh_datapath *dp)
{
	for (size_t i = 0; i < dp->n_olds; i++)
		free(dp->olds[i].dir);
	free(dp->old_eps);
	dp->old_eps = NULL;
	dp->n_olds = dp->n_old_eps = 0;
}

int bh_migrate_finish(struct bh_datapath *dp, struct bh_err *err)
{
	struct bh_migrated done = { 0 };
	int r = 0;

	if (!dp->n_olds)
		return 0;
	for (size_t i = 0; i < dp->n_olds && r >= 0; i++)
		r = bh_migrate_flows(dp, &dp->olds[i], &done);
	if (r < 0)
		bh_warn("flows cannot be copied: %s; connections that were allowed before may "
			"have to be opened again",
			strerror(-r));
	r = end_shadow(dp);
	if (r < 0)
		return bh_err_set(err, r, "cannot write bh_endpoints: %s", strerror(-r));
	for (size_t i = 0; i < dp->n_olds; i++) {
		r = retire(dp, &dp->olds[i], err);
		if (r < 0)
			return r;
		bh_info("took over from '%s': %zu flows copied%s", dp->olds[i].dir, done.flows,
			done.unreadable ? "; those of a version that is not known here were not: "
					  "connections that were allowed before may have to be "
					  "opened again"
					: "");
	}
	forget(dp);
	return 0;
}

void bh_migrate_done(struct bh_datapath *dp)
{
	forget(dp);
}

void bh_migrate_bound(const struct bh_datapath *dp, struct bh_bound *v, size_t *n)
{
	const struct bh_table *own = &dp->actual->maps[BH_PM_ENDPOINTS];

	for (size_t i = 0; i < dp->n_old_eps; i++) {
		const struct bh_old_ep *ep = &dp->old_eps[i];
		const uint32_t ifindex = ep->bound.ifindex;
		bool known = bh_table_get(own, &ifindex) != NULL;

		for (size_t k = 0; k < *n && !known; k++)
			known = v[k].ifindex == ifindex;
		/* without its programs it is not the interface that the row was written for */
		if (!known && bh_migrate_holds(dp, ifindex))
			v[(*n)++] = ep->bound;
	}
}
