/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/datapath.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bpf/datapath_priv.h"
#include "bpf/isolate.skel.h"
#define BH_LOG_COMP "datapath"
#include "common/err.h"
#include "common/log.h"

const char *bh_attach_name(enum bh_attach a)
{
	return a == BH_ATTACH_TCX ? "tcx" : a == BH_ATTACH_CLSACT ? "clsact" : "auto";
}

int bh_u32set_add(uint32_t **v, size_t *n, size_t *cap, uint32_t x)
{
	size_t i = *n;

	if (bh_u32set_has(*v, *n, x))
		return 0;
	if (*n == *cap) {
		const size_t more = *cap ? *cap * 2 : 16;
		uint32_t *grown = reallocarray(*v, more, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		*v = grown;
		*cap = more;
	}
	for (; i > 0 && (*v)[i - 1] > x; i--)
		(*v)[i] = (*v)[i - 1];
	(*v)[i] = x;
	(*n)++;
	return 0;
}

static int u32_cmp(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

bool bh_u32set_has(const uint32_t *v, size_t n, uint32_t x)
{
	return n && bsearch(&x, v, n, sizeof(*v), u32_cmp);
}

void bh_u32set_del(uint32_t *v, size_t *n, uint32_t x)
{
	uint32_t *at = *n ? bsearch(&x, v, *n, sizeof(*v), u32_cmp) : NULL;

	if (!at)
		return;
	memmove(at, at + 1, (size_t)(v + *n - at - 1) * sizeof(*v));
	(*n)--;
}

int bh_policy_map_fd(const struct bh_datapath *dp, enum bh_policy_map m)
{
	switch (m) {
	case BH_PM_PORTSETS:
		return bpf_map__fd(dp->skel->maps.bh_portsets);
	case BH_PM_TENANTS:
		return bpf_map__fd(dp->skel->maps.bh_tenants);
	case BH_PM_CIDRS:
		return bpf_map__fd(dp->skel->maps.bh_cidrs);
	case BH_PM_ADDRS:
		return bpf_map__fd(dp->skel->maps.bh_addrs);
	case BH_PM_ENDPOINTS:
		return bpf_map__fd(dp->skel->maps.bh_endpoints);
	case BH_PM_PEERS:
		return bpf_map__fd(dp->skel->maps.bh_peers);
	case BH_PM_WORLD:
		return bpf_map__fd(dp->skel->maps.bh_world);
	case BH_PM_SERVICES:
		return bpf_map__fd(dp->skel->maps.bh_services);
	case BH_PM_MAX_:
		break;
	}
	return -EINVAL;
}

/* libbpf speaks to us at debug level; the last warning is what the caller wants to know. */
__attribute__((format(printf, 2, 0))) static int on_libbpf(enum libbpf_print_level level,
							   const char *fmt, va_list ap)
{
	char line[512];

	if (level == LIBBPF_DEBUG)
		return 0;
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	bh_debug("%s", line);
	return 0;
}

static int read_map(int fd, struct bh_table *t)
{
	bh_autofree uint8_t *key = calloc(2, t->key_size), *value = calloc(1, t->value_size);
	void *prev = NULL;
	int r = 0;

	if (!key || !value)
		return -ENOMEM;
	while (!bpf_map_get_next_key(fd, prev, key + t->key_size)) {
		memcpy(key, key + t->key_size, t->key_size);
		prev = key;
		if (bpf_map_lookup_elem(fd, key, value) < 0)
			continue;
		r = bh_table_add(t, key, value);
		if (r < 0)
			return r;
	}
	return errno == ENOENT ? bh_table_sort(t) : -errno;
}

static int read_ids(struct bh_datapath *dp)
{
	const int fd = bpf_map__fd(dp->skel->maps.bh_tenant_ids);
	struct bh_abi_tenant_name key, next;
	void *prev = NULL;
	uint32_t id;

	while (!bpf_map_get_next_key(fd, prev, &next)) {
		key = next;
		prev = &key;
		key.name[sizeof(key.name) - 1] = '\0';
		if (!bpf_map_lookup_elem(fd, &key, &id)) {
			const int r = bh_ids_restore(dp->ids, key.name, id);

			if (r < 0)
				return r;
		}
	}
	return errno == ENOENT ? 0 : -errno;
}

static int adopt_maps(struct bh_datapath *dp, struct bh_err *err)
{
	int r;

	for (int m = 0; m < BH_PM_MAX_; m++) {
		r = read_map(bh_policy_map_fd(dp, (enum bh_policy_map)m), &dp->actual->maps[m]);
		if (r < 0)
			return bh_err_set(err, r, "cannot read a pinned map: %s", strerror(-r));
	}
	r = read_ids(dp);
	if (r >= 0)
		r = bh_left_read(dp);
	if (r < 0)
		return bh_err_set(err, r, "cannot read the pinned tenant numbers: %s",
				  strerror(-r));
	return 0;
}

static int load(struct bh_datapath *dp, const struct bh_datapath_opts *opts, struct bh_err *err)
{
	struct bpf_map *map;
	int r;

	dp->skel = isolate_bpf__open();
	if (!dp->skel)
		return bh_err_set(err, errno, "cannot open the BPF object: %s", strerror(errno));
	bpf_object__for_each_map(map, dp->skel->obj)
	{
		bh_autofree char *path = NULL;

		if (strncmp(bpf_map__name(map), "bh_", 3) != 0)
			continue; /* constants: each load has its own */
		if (asprintf(&path, "%s/maps/%s", dp->dir, bpf_map__name(map)) < 0)
			return -ENOMEM;
		r = bpf_map__set_pin_path(map, path);
		if (r < 0)
			return bh_err_set(err, r, "cannot pin at '%s': %s", path, strerror(-r));
	}
	r = bh_flows_size(dp, opts, err);
	if (r < 0)
		return r;
	r = isolate_bpf__load(dp->skel);
	if (r < 0) {
		struct utsname u = { 0 };

		(void)uname(&u);
		return bh_err_set(
			err, r,
			"the kernel (%s) refused the BPF programs or maps: %s; needed: Linux "
			"5.10 or later with BTF, CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN; "
			"--log-level debug shows the kernel's reasons",
			u.release, strerror(-r));
	}
	return 0;
}

static int choose_mode(struct bh_datapath *dp, enum bh_attach wanted, struct bh_err *err)
{
	const bool tcx = bh_attach_has_tcx(bpf_program__fd(dp->skel->progs.from_pod));

	dp->has_tcx = tcx;
	dp->prog_id[BH_DIR_EGRESS] = bh_prog_id(bpf_program__fd(dp->skel->progs.from_pod), NULL, 0);
	dp->prog_id[BH_DIR_INGRESS] = bh_prog_id(bpf_program__fd(dp->skel->progs.to_pod), NULL, 0);
	if (wanted == BH_ATTACH_TCX && !tcx)
		return bh_err_set(err, EOPNOTSUPP,
				  "this kernel has no TCX (Linux 6.6 or later): use --attach auto");
	dp->mode = wanted == BH_ATTACH_AUTO ? (tcx ? BH_ATTACH_TCX : BH_ATTACH_CLSACT) : wanted;
	return 0;
}

/* Swap the programs of what is attached already: from here on this build's code runs everywhere. */
static int adopt_links(struct bh_datapath *dp, struct bh_err *err)
{
	bh_autofree uint32_t *v = NULL;
	char name[IF_NAMESIZE];
	size_t n = 0;
	int r;

	r = bh_pins_list(dp->dir, &v, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		/* without them: it has got a gone one's number, and the first apply sees to it */
		if (bh_attach_holds(dp->dir, BH_ATTACH_AUTO, v[i]))
			r = bh_attach_if(dp, v[i], err);
		else if (if_indextoname(v[i], name))
			r = bh_u32set_add(&dp->attached, &dp->n_attached, &dp->cap_attached, v[i]);
		else
			r = -ENODEV;
		if (r == -ENODEV)
			r = bh_detach_if(dp->dir, v[i], err); /* gone meanwhile */
		if (r < 0)
			return r;
	}
	return 0;
}

int bh_datapath_open(const struct bh_datapath_opts *opts, struct bh_datapath **ret_dp,
		     struct bh_err *err)
{
	bh_auto(bh_datapath_closep) struct bh_datapath *dp = calloc(1, sizeof(*dp));
	int r;

	if (!dp)
		return -ENOMEM;
	(void)libbpf_set_print(on_libbpf);
	r = bh_policy_new(&dp->actual);
	if (r >= 0)
		r = bh_ids_new(&dp->ids);
	if (r < 0)
		return r;
	r = bh_pins_prepare(opts->bpffs, &dp->dir, err);
	if (r >= 0)
		r = bh_migrate_resize(dp, opts, err);
	if (r >= 0)
		r = bh_migrate_find(dp, opts->bpffs, err);
	if (r >= 0)
		r = load(dp, opts, err);
	if (r >= 0)
		r = bh_flows_open(dp, opts, err);
	if (r >= 0)
		r = choose_mode(dp, opts->attach, err);
	if (r >= 0)
		r = adopt_maps(dp, err);
	if (r >= 0)
		r = adopt_links(dp, err);
	if (r >= 0)
		r = bh_migrate_adopt(dp, err);
	if (r >= 0)
		r = bh_datapath_open_rings(dp);
	if (r < 0)
		return r;
	/* pins alone prove nothing: a start that failed leaves them too */
	dp->fresh = bh_datapath_generation(dp) == 0 && !dp->n_olds;
	dp->dirty = true; /* whoever wrote last may not have come to raise the generation */
	*ret_dp = BH_TAKE_PTR(dp);
	return 0;
}

struct bh_datapath *bh_datapath_close(struct bh_datapath *dp)
{
	if (!dp)
		return NULL;
	ring_buffer__free(dp->ring);
	ring_buffer__free(dp->record_ring);
	isolate_bpf__destroy(dp->skel);
	bh_migrate_done(dp);
	bh_policy_free(dp->actual);
	bh_ids_free(dp->ids);
	free(dp->attached);
	free(dp->lost);
	free(dp->fronts);
	free(dp->due);
	free(dp->puts);
	free(dp->left_alone);
	free(dp->dir);
	free(dp);
	return NULL;
}

int bh_datapath_detach_all(const char *bpffs, struct bh_err *err)
{
	struct bh_version_dir dirs[BH_OLDS_MAX];
	const int n_dirs = bh_pins_versions(bpffs, dirs, BH_OLDS_MAX);

	for (int d = 0; d < n_dirs; d++) {
		bh_autofree uint32_t *v = NULL;
		bh_autofree char *dir = NULL;
		size_t n = 0;
		int r;

		if (asprintf(&dir, "%s/%s", bpffs, dirs[d].name) < 0)
			return -ENOMEM;
		r = bh_pins_list(dir, &v, &n);
		for (size_t i = 0; i < n && r >= 0; i++)
			r = bh_detach_if(dir, v[i], err);
		if (r < 0)
			return r;
	}
	return bh_pins_remove_all(bpffs, err);
}

bool bh_datapath_fresh(const struct bh_datapath *dp)
{
	return dp->fresh;
}

enum bh_attach bh_datapath_attach_mode(const struct bh_datapath *dp)
{
	return dp->mode;
}

const struct bh_ids *bh_datapath_ids(const struct bh_datapath *dp)
{
	return dp->ids;
}

int bh_datapath_number(struct bh_datapath *dp, const char *tenant, uint32_t *ret_id)
{
	struct bh_abi_tenant_name key = { 0 };
	uint32_t id = bh_ids_get(dp->ids, tenant);
	int r;

	if (!id) {
		r = bh_ids_alloc(dp->ids, tenant, &id);
		if (r < 0)
			return r;
	}
	/* also for a known one: an earlier write may have failed, and repeating it is harmless */
	memcpy(key.name, tenant, strnlen(tenant, sizeof(key.name) - 1));
	if (bpf_map_update_elem(bpf_map__fd(dp->skel->maps.bh_tenant_ids), &key, &id, BPF_ANY) < 0)
		return -errno;
	*ret_id = id;
	return 0;
}
