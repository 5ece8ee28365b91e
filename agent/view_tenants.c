/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "agent/pipeline.h"
#include "agent/view.h"
#include "bpf/names.h"
#include "common/json.h"
#include "model/tenant.h"

struct sums {
	uint64_t packets, bytes, drops, audited;
};

static void add_counters(struct bh_json *j, const struct bh_counter *c, size_t n, uint32_t id)
{
	struct bh_json *reasons = bh_json_new_array();
	struct sums s[2] = { 0 };

	for (size_t i = 0; i < n; i++) {
		const struct bh_abi_stat_key *k = &c[i].key;
		struct sums *t = &s[k->dir == BH_DIR_INGRESS];
		struct bh_json *r;

		if (k->tenant != id)
			continue;
		if (k->verdict != BH_VERDICT_DROP) {
			t->packets += c[i].value.packets;
			t->bytes += c[i].value.bytes;
		}
		if (k->verdict == BH_VERDICT_PASS)
			continue;
		*(k->verdict == BH_VERDICT_DROP ? &t->drops : &t->audited) += c[i].value.packets;
		r = bh_json_new_object();
		bh_json_set_str(r, "direction", bh_dir_name(k->dir));
		bh_json_set_str(r, "reason", bh_reason_name(k->reason));
		bh_json_set_str(r, "verdict", bh_verdict_name(k->verdict));
		bh_json_set_int(r, "packets", (int64_t)c[i].value.packets);
		bh_json_append(reasons, r);
	}
	for (unsigned int dir = 0; dir < 2; dir++) {
		struct bh_json *d = bh_json_new_object();

		bh_json_set_int(d, "packets", (int64_t)s[dir].packets);
		bh_json_set_int(d, "bytes", (int64_t)s[dir].bytes);
		bh_json_set_int(d, "drops", (int64_t)s[dir].drops);
		bh_json_set_int(d, "audited", (int64_t)s[dir].audited);
		bh_json_set(j, bh_dir_name(dir), d);
	}
	bh_json_set(j, "dropsByReason", reasons);
}

static struct bh_json *tenant_json(const struct bh_pic_tenant *t, uint32_t id)
{
	struct bh_json *j = bh_json_new_object(), *world = bh_json_new_object();

	bh_json_set_str(j, "name", t->name);
	bh_json_set_int(j, "id", id);
	bh_json_set_str(j, "mode", bh_mode_name(t->spec->net.mode));
	bh_json_set_int(j, "pods", t->n_pods);
	bh_json_set_int(j, "localPods", t->n_local_pods);
	bh_json_set_str(world, "egress", bh_world_name(t->spec->net.egress));
	bh_json_set_str(world, "ingress", bh_world_name(t->spec->net.ingress));
	bh_json_set(j, "world", world);
	return j;
}

/* What is no Tenant but is judged and counted all the same. */
static struct bh_json *pseudo_json(const struct bh_picture *pic, const char *name, uint32_t id,
				   enum bh_class cls)
{
	struct bh_json *j = bh_json_new_object();
	int64_t pods = 0, local = 0;

	for (size_t i = 0; i < pic->n_pods; i++) {
		if (pic->pods[i].cls != cls)
			continue;
		pods++;
		local += pic->pods[i].local && pic->pods[i].live;
	}
	bh_json_set_str(j, "name", name);
	bh_json_set_int(j, "id", id);
	bh_json_set(j, "mode", bh_json_new_null());
	bh_json_set_int(j, "pods", pods);
	bh_json_set_int(j, "localPods", local);
	bh_json_set(j, "world", bh_json_new_null());
	return j;
}

struct bh_json *bh_view_tenants(const struct bh_view *v)
{
	static const struct {
		uint32_t id;
		enum bh_class cls;
	} pseudo[] = {
		{ BH_TENANT_UNASSIGNED, BH_CLASS_UNASSIGNED },
		{ BH_TENANT_SYSTEM, BH_CLASS_SYSTEM },
		{ BH_TENANT_CONFLICT, BH_CLASS_CONFLICT },
	};
	const struct bh_picture *pic = bh_pipeline_picture(v->pl);
	const struct bh_datapath *dp = bh_pipeline_datapath(v->pl);
	const struct bh_ids *ids = bh_datapath_ids(dp);
	struct bh_json *top = bh_json_new_object(), *list = bh_json_new_array();
	bh_autofree struct bh_counter *c = NULL;
	size_t n = 0;

	(void)bh_datapath_counters(dp, &c, &n); /* without: zeros, and the next call tries again */
	for (size_t i = 0; pic && i < pic->n_tenants; i++) {
		const uint32_t id = bh_ids_get(ids, pic->tenants[i].name);
		struct bh_json *j = tenant_json(&pic->tenants[i], id);

		add_counters(j, c, n, id);
		bh_json_append(list, j);
	}
	for (size_t i = 0; pic && i < sizeof(pseudo) / sizeof(pseudo[0]); i++) {
		struct bh_json *j = pseudo_json(pic, bh_ids_name(ids, pseudo[i].id), pseudo[i].id,
						pseudo[i].cls);

		add_counters(j, c, n, pseudo[i].id);
		bh_json_append(list, j);
	}
	bh_json_set(top, "tenants", list);
	return top;
}
