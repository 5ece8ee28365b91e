/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/datapath_priv.h"
#include "bpf/isolate.skel.h"
#include "common/err.h"

/* One apply: what it found, what it did. */
struct run {
	struct bh_datapath *dp;
	struct bh_apply_result res;
	struct bh_err *err;
	int first;  /* failure */
	bool holes; /* addresses or prefixes could not be written */
};

static void failed(struct run *run, int r, const char *what)
{
	run->res.failures++;
	if (run->first)
		return;
	run->first = r;
	if (what)
		(void)bh_err_set(run->err, r, "cannot write %s: %s%s", what, strerror(-r),
				 r == -E2BIG || r == -ENOSPC ? " (the map is full)" : "");
}

static const char *const map_name[BH_PM_MAX_] = {
#define X(id, key, value, name) [BH_PM_##id] = name,
	BH_POLICY_MAPS(X)
#undef X
};

/*
 * `actual` must say what the kernel holds, or the next difference would be wrong: it is the wanted
 * table without the rows that could not be written and with those that could not be deleted.
 */
static int settle(struct run *run, enum bh_policy_map m, const struct bh_table *want,
		  const struct bh_table_diff *d, const bool *not_written, const bool *not_deleted)
{
	struct bh_table *actual = &run->dp->actual->maps[m], next;
	int r = 0;

	bh_table_init(&next, want->key_size, want->value_size);
	for (size_t i = 0; i < want->n && r >= 0; i++) {
		const void *value = bh_table_value(want, i);

		if (not_written[i])
			value = bh_table_get(actual, bh_table_key(want, i));
		if (value)
			r = bh_table_add(&next, bh_table_key(want, i), value);
	}
	for (size_t i = 0; i < d->n_deletes && r >= 0; i++) {
		if (not_deleted[i])
			r = bh_table_add(&next, bh_table_key(actual, d->deletes[i]),
					 bh_table_value(actual, d->deletes[i]));
	}
	if (r >= 0)
		r = bh_table_sort(&next);
	if (r < 0) {
		bh_table_done(&next);
		return r;
	}
	bh_table_done(actual);
	*actual = next;
	return 0;
}

struct map_plan {
	struct bh_table_diff d;
	bool *not_written; /* by row of the wanted table */
	bool *not_deleted; /* by position in d.deletes */
};

static void delete_rows(struct run *run, enum bh_policy_map m, struct map_plan *pl)
{
	const struct bh_table *actual = &run->dp->actual->maps[m];
	const int fd = bh_policy_map_fd(run->dp, m);

	for (size_t i = 0; i < pl->d.n_deletes; i++) {
		if (bpf_map_delete_elem(fd, bh_table_key(actual, pl->d.deletes[i])) < 0 &&
		    errno != ENOENT) {
			pl->not_deleted[i] = true;
			failed(run, -errno, map_name[m]);
			continue;
		}
		run->res.writes++;
	}
}

static int write_row(struct run *run, enum bh_policy_map m, const struct bh_table *want, size_t row)
{
	if (bpf_map_update_elem(bh_policy_map_fd(run->dp, m), bh_table_key(want, row),
				bh_table_value(want, row), BPF_ANY) < 0)
		return -errno;
	run->res.writes++;
	return 0;
}

static void write_rows(struct run *run, enum bh_policy_map m, const struct bh_table *want,
		       struct map_plan *pl)
{
	for (size_t i = 0; i < pl->d.n_upserts; i++) {
		const int r = write_row(run, m, want, pl->d.upserts[i]);

		if (r < 0) {
			pl->not_written[pl->d.upserts[i]] = true;
			run->holes |= m == BH_PM_ADDRS;
			failed(run, r, map_name[m]);
		}
	}
}

/*
 * A trie of prefixes, where a row holds for what no longer one holds: the longest are written
 * first, then the shortest deleted first (keys begin with the length, so rows are in that order).
 * At every moment an address has its old or its new answer; any other order would give what is
 * excepted from a grant the grant's, for good if we die there. For the same reason nothing is
 * written any more after a row that could not be; but what goes may have made room.
 */
static void write_trie(struct run *run, enum bh_policy_map m, const struct bh_table *want,
		       struct map_plan *pl)
{
	size_t left = pl->d.n_upserts;
	int r = 0;

	while (left && !write_row(run, m, want, pl->d.upserts[left - 1]))
		left--;
	delete_rows(run, m, pl);
	for (; left && r >= 0; left -= r >= 0)
		r = write_row(run, m, want, pl->d.upserts[left - 1]);
	for (size_t i = 0; i < left; i++) {
		pl->not_written[pl->d.upserts[i]] = true;
		run->holes |= m == BH_PM_CIDRS;
		failed(run, r, map_name[m]);
	}
}

static int plan_map(struct run *run, enum bh_policy_map m, const struct bh_table *want,
		    struct map_plan *pl)
{
	const int r = bh_table_diff(&run->dp->actual->maps[m], want, &pl->d);

	if (r < 0)
		return r;
	pl->not_written = calloc(want->n + 1, sizeof(bool));
	pl->not_deleted = calloc(pl->d.n_deletes + 1, sizeof(bool));
	return pl->not_written && pl->not_deleted ? 0 : -ENOMEM;
}

static void plans_done(struct map_plan (*pl)[BH_PM_MAX_])
{
	for (int m = 0; m < BH_PM_MAX_; m++) {
		bh_table_diff_done(&(*pl)[m].d);
		free((*pl)[m].not_written);
		free((*pl)[m].not_deleted);
	}
}

static int give_slots(struct run *run, struct bh_policy *want, struct bh_slots_out *ret_slots)
{
	struct bh_datapath *dp = run->dp;
	const struct bh_slots_in in = {
		.actual = &dp->actual->maps[BH_PM_ENDPOINTS],
		.want = &want->maps[BH_PM_ENDPOINTS],
		.lost = dp->lost,
		.n_lost = dp->n_lost,
		.n_slots = dp->n_slots,
	};
	const int r = bh_slots_assign(&in, ret_slots);

	if (r >= 0)
		dp->n_without_slot = ret_slots->n_without;
	return r;
}

/* Who got a slot must find nothing of the one before; who cannot be sure of that gets none. */
static void clear_slots(struct run *run, const struct bh_slots_out *slots, struct bh_table *eps)
{
	/* a table that nobody has used yet is empty */
	for (size_t i = 0; i < slots->n_given && !run->dp->fresh; i++) {
		const int r = bh_flows_clear(run->dp, slots->given[i]);

		if (r >= 0)
			continue;
		failed(run, r, "bh_flows");
		run->dp->n_without_slot++;
		for (size_t k = 0; k < eps->n; k++) {
			struct bh_abi_endpoint ep;

			memcpy(&ep, bh_table_value(eps, k), sizeof(ep));
			if (ep.slot != slots->given[i])
				continue;
			ep.slot = BH_SLOT_NONE;
			bh_table_set_value(eps, k, &ep);
		}
	}
}

/* From here until the new generation every packet is judged, whatever becomes of us. */
static int announce(struct run *run)
{
	run->dp->dirty = true;
	return bh_generation_raise(run->dp, true);
}

static bool writes_anything(struct map_plan (*pl)[BH_PM_MAX_])
{
	size_t n = 0;

	for (int m = 0; m < BH_PM_MAX_; m++)
		n += (*pl)[m].d.n_upserts + (*pl)[m].d.n_deletes;
	return n > 0;
}

/*
 * What closes first, then what opens: grants and addresses go before others come; what is pointed
 * at (port sets, tenants) comes before what points at it and goes after it. Tries are a matter of
 * their own.
 */
static int write_maps(struct run *run, struct bh_policy *want)
{
	static const enum bh_policy_map closing[] = { BH_PM_SERVICES, BH_PM_PEERS, BH_PM_ENDPOINTS,
						      BH_PM_ADDRS };
	static const enum bh_policy_map pointed_at[] = { BH_PM_PORTSETS, BH_PM_TENANTS };
	static const enum bh_policy_map tries[] = { BH_PM_WORLD, BH_PM_CIDRS };
	static const enum bh_policy_map opening[] = { BH_PM_ADDRS, BH_PM_ENDPOINTS, BH_PM_PEERS,
						      BH_PM_SERVICES };
	__attribute__((__cleanup__(plans_done))) struct map_plan pl[BH_PM_MAX_] = { 0 };
	__attribute__((__cleanup__(bh_slots_done))) struct bh_slots_out slots = { 0 };
	int r;

	r = give_slots(run, want, &slots);
	for (int m = 0; m < BH_PM_MAX_ && r >= 0; m++)
		r = plan_map(run, (enum bh_policy_map)m, &want->maps[m], &pl[m]);
	if (r >= 0 && writes_anything(&pl))
		r = announce(run);
	if (r < 0)
		return r;
	for (size_t i = 0; i < sizeof(closing) / sizeof(closing[0]); i++)
		delete_rows(run, closing[i], &pl[closing[i]]);
	for (size_t i = 0; i < sizeof(pointed_at) / sizeof(pointed_at[0]); i++)
		write_rows(run, pointed_at[i], &want->maps[pointed_at[i]], &pl[pointed_at[i]]);
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++)
		write_trie(run, tries[i], &want->maps[tries[i]], &pl[tries[i]]);
	clear_slots(run, &slots, &want->maps[BH_PM_ENDPOINTS]);
	for (size_t i = 0; i < sizeof(opening) / sizeof(opening[0]); i++)
		write_rows(run, opening[i], &want->maps[opening[i]], &pl[opening[i]]);
	for (size_t i = sizeof(pointed_at) / sizeof(pointed_at[0]); i-- > 0;)
		delete_rows(run, pointed_at[i], &pl[pointed_at[i]]);
	for (int m = 0; m < BH_PM_MAX_ && r >= 0; m++)
		r = settle(run, (enum bh_policy_map)m, &want->maps[m], &pl[m].d, pl[m].not_written,
			   pl[m].not_deleted);
	return r;
}

static bool fits(const struct bh_datapath *dp, enum bh_policy_map m, const struct bh_policy *want)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(bh_policy_map_fd(dp, m), &info, &len) < 0 ||
	       want->maps[m].n <= info.max_entries;
}

/* An address that is missing would be taken for the world's: then there is no world. */
static int write_policy(struct run *run, struct bh_policy *want)
{
	const bool all = fits(run->dp, BH_PM_ADDRS, want) && fits(run->dp, BH_PM_CIDRS, want);
	int r;

	if (!all)
		bh_policy_close_world(want);
	r = write_maps(run, want);
	if (r < 0 || !all || !run->holes)
		return r;
	bh_policy_close_world(want);
	return write_maps(run, want);
}

static void attach_wanted(struct run *run, const struct bh_ifs *ifs, bool only_new)
{
	for (size_t i = 0; i < ifs->n; i++) {
		const struct bh_if *f = &ifs->v[i];
		int r;

		/* another version's programs are there, and ours know nothing yet */
		if (only_new && bh_migrate_holds(run->dp, f->ifindex))
			continue;

		if (f->state != BH_IF_ENFORCED && f->state != BH_IF_QUARANTINED)
			continue;
		if (bh_u32set_has(run->dp->due, run->dp->n_due, f->ifindex)) {
			r = bh_position_put(run->dp, f->ifindex, run->first ? NULL : run->err);
			if (r < 0 && r != -ENODEV)
				failed(run, r, NULL);
			continue;
		}
		if (bh_u32set_has(run->dp->attached, run->dp->n_attached, f->ifindex) &&
		    !bh_u32set_has(run->dp->lost, run->dp->n_lost, f->ifindex))
			continue;
		r = bh_attach_if(run->dp, f->ifindex, run->first ? NULL : run->err);
		if (r == -ENODEV)
			continue; /* gone already; its DELLINK is on the way */
		if (r < 0) {
			failed(run, r, NULL);
			continue;
		}
		run->res.attached++;
		r = bh_position_look(run->dp, f->ifindex);
		if (r < 0)
			failed(run, r, "what is known of the hooks");
	}
}

/* Off: interfaces that are ignored or left alone now, and those that are gone. */
static void detach_unwanted(struct run *run, const struct bh_ifs *ifs)
{
	struct bh_datapath *dp = run->dp;

	for (size_t i = dp->n_attached; i-- > 0;) {
		const uint32_t ifindex = dp->attached[i];
		const struct bh_if *f = bh_ifs_get(ifs, ifindex);
		int r;

		if (f && (f->state == BH_IF_ENFORCED || f->state == BH_IF_QUARANTINED))
			continue;
		r = bh_detach_if(dp->dir, ifindex, run->first ? NULL : run->err);
		if (r < 0) {
			failed(run, r, NULL);
			continue;
		}
		bh_u32set_del(dp->attached, &dp->n_attached, ifindex);
		bh_u32set_del(dp->lost, &dp->n_lost, ifindex);
		bh_position_gone(dp, ifindex);
		run->res.detached++;
	}
}

static void note_left_alone(struct run *run, const struct bh_ifs *ifs)
{
	const int r = bh_left_note(run->dp, ifs);

	if (r < 0)
		failed(run, r, "bh_left_alone");
}

/* Compared with what the kernel holds: there is no table of it. */
static void write_nat64(struct run *run, const struct bh_abi_nat64 *want)
{
	const int fd = bpf_map__fd(run->dp->skel->maps.bh_nat64);
	struct bh_abi_nat64 now = { 0 };
	const uint32_t zero = 0;

	if (bpf_map_lookup_elem(fd, &zero, &now) == 0 && memcmp(&now, want, sizeof(now)) == 0)
		return;
	if (announce(run) < 0 || bpf_map_update_elem(fd, &zero, want, BPF_ANY) < 0)
		failed(run, -errno, "bh_nat64");
	else
		run->res.writes++;
}

int bh_datapath_apply(struct bh_datapath *dp, struct bh_policy *want, const struct bh_ifs *ifs,
		      struct bh_apply_result *ret_result, struct bh_err *err)
{
	bh_auto(bh_policy_freep) struct bh_policy *taken = want;
	struct run run = { .dp = dp, .err = err };
	int r;

	r = bh_migrate_begin(dp, taken);
	if (r < 0)
		failed(&run, r, "bh_config");
	write_nat64(&run, &taken->nat64);
	/* a pod must find its entry before its interface is judged, and lose it after */
	r = write_policy(&run, taken);
	if (r < 0)
		failed(&run, r, "policy");
	attach_wanted(&run, ifs, false);
	detach_unwanted(&run, ifs);
	note_left_alone(&run, ifs);
	dp->fresh = false;
	if (dp->dirty) {
		r = bh_generation_raise(dp, false);
		if (r < 0)
			failed(&run, r, "bh_config");
		else
			dp->dirty = false;
	}
	if (!run.first) {
		r = bh_migrate_finish(dp, err);
		if (r < 0)
			failed(&run, r, NULL);
	}
	*ret_result = run.res;
	return run.first;
}

int bh_datapath_guard(struct bh_datapath *dp, const struct bh_ifs *ifs,
		      struct bh_apply_result *ret_result, struct bh_err *err)
{
	struct run run = { .dp = dp, .err = err };

	attach_wanted(&run, ifs, true);
	*ret_result = run.res;
	return run.first;
}

static int by_ifindex(const void *a, const void *b)
{
	const struct bh_bound *x = a, *y = b;

	return (x->ifindex > y->ifindex) - (x->ifindex < y->ifindex);
}

int bh_datapath_bound(const struct bh_datapath *dp, struct bh_bound **ret_v, size_t *ret_n)
{
	const struct bh_table *t = &dp->actual->maps[BH_PM_ENDPOINTS];
	struct bh_bound *v = calloc(t->n + dp->n_old_eps + 1, sizeof(*v));
	size_t n = 0;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < t->n; i++) {
		struct bh_bound *b = &v[n];

		memcpy(&b->ifindex, bh_table_key(t, i), sizeof(b->ifindex));
		memcpy(&b->ep, bh_table_value(t, i), sizeof(b->ep));
		/* without our programs it is not the interface that the row was written for */
		if (!bh_u32set_has(dp->lost, dp->n_lost, b->ifindex))
			n++;
	}
	bh_migrate_bound(dp, v, &n);
	qsort(v, n, sizeof(*v), by_ifindex);
	*ret_v = v;
	*ret_n = n;
	return 0;
}
