/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random clusters, from manifests through model, policy and maps to the verdict of the kernel
 * programs, against the oracle: deny precedence and longest prefix of cidr grants (CVE-2024-47825),
 * empty port lists (CVE-2025-64715), Services by their worst backend, and who outranks whom.
 * BH_ROUNDS: times as many.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/frame.h"
#include "bpf/isolate.skel.h"
#include "bpf/policy.h"
#include "common/err.h"
#include "common/json.h"
#include "model/model.h"
#include "tests/bpf/nl.h"
#include "tests/bpf/oracle.h"
#include "tests/bpf/world.h"

#define CLUSTERS 40
#define PACKETS 500

struct fx {
	struct world *w;
	struct ora_cluster c;
	uint32_t ifindex[ORA_PODS];
	unsigned int n_allowed, n_grant;
	unsigned int seen[BH_CLASS_MAX_];
	unsigned int n;
};

static unsigned int rounds(void)
{
	const char *s = getenv("BH_ROUNDS");
	const unsigned long n = s ? strtoul(s, NULL, 10) : 1;

	return n ? (unsigned int)n : 1;
}

static void put_objects(struct bh_model *m, const struct ora_cluster *c)
{
	bh_autobuf b = BH_BUF_INIT;
	bh_autofree char *text = NULL;
	char *save = NULL;

	ora_objects(c, &b);
	assert_int_equal(bh_buf_take(&b, &text, NULL), 0);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		bh_auto(bh_json_freep) struct bh_json *doc = NULL;
		struct bh_object *o = NULL;
		struct bh_err err = { 0 };

		if (bh_json_parse(line, strlen(line), &doc, &err) < 0 ||
		    bh_object_decode(doc, &o, &err) < 0)
			fail_msg("%s in %s", err.msg, line);
		assert_int_equal(bh_model_put(m, o), 0);
	}
}

static struct bh_picture *derive(const struct bh_model *m, const struct ora_cluster *c)
{
	static const char *const system_namespaces[] = { "kube-system" };
	static const char *const cidrs[] = { "10.244.0.0/16", "10.96.0.0/16", "fd00:244::/64",
					     "fd00:96::/64" };
	struct bh_prefix cluster[4], nat64;
	const struct bh_env env = { .node = "n0",
				    .system_namespaces = system_namespaces,
				    .n_system_namespaces = 1,
				    .cluster_cidrs = cluster,
				    .n_cluster_cidrs = 4,
				    .nat64 = &nat64,
				    .n_nat64 = 1,
				    .host_addrs = c->node[0],
				    .n_host_addrs = 2 };
	struct bh_picture *pic = NULL;

	for (size_t i = 0; i < 4; i++)
		assert_int_equal(bh_prefix_parse(cidrs[i], &cluster[i], NULL), 0);
	assert_int_equal(bh_prefix_parse("2001:db8:64::/96", &nat64, NULL), 0);
	assert_int_equal(bh_model_derive(m, &env, &pic), 0);
	return pic;
}

static struct bh_mac mac_of(size_t pod)
{
	return (struct bh_mac){ { 2, 0, 0, 0, 1, (uint8_t)pod } };
}

static void bind_pods(const struct fx *fx, const struct bh_picture *pic, struct bh_if *v, size_t *n)
{
	static const char *const names[] = {
		"t0", "t1", "t2", "t3", "free", "kube-system", "both"
	};

	for (size_t i = 0; i < ORA_PODS; i++) {
		const struct ora_pod *p = &fx->c.pod[i];
		char name[16];

		if (!ora_is_endpoint(&fx->c, i))
			continue;
		(void)snprintf(name, sizeof(name), "p%zu", i);
		v[*n] = (struct bh_if){ .ifindex = fx->ifindex[i],
					.state = BH_IF_ENFORCED,
					.pod = bh_picture_pod(pic, names[p->ns], name),
					.mac = mac_of(i),
					.has4 = true,
					.has6 = true,
					.addr4 = p->a[0],
					.addr6 = p->a[1] };
		assert_non_null(v[(*n)++].pod);
	}
}

static const struct bpf_map *map_of(const struct world *w, int which)
{
	static const char *const names[] = {
#define X(id, key, value, name) [BH_PM_##id] = name,
		BH_POLICY_MAPS(X)
#undef X
	};

	return bpf_object__find_map_by_name(w->skel->obj, names[which]);
}

static void load(const struct world *w, const struct bh_policy *p)
{
	const uint32_t zero = 0;
	uint8_t key[64];

	for (int m = 0; m < BH_PM_MAX_; m++) {
		const int fd = bpf_map__fd(map_of(w, m));

		while (!bpf_map_get_next_key(fd, NULL, key))
			assert_int_equal(bpf_map_delete_elem(fd, key), 0);
		for (size_t i = 0; i < p->maps[m].n; i++)
			assert_int_equal(bpf_map_update_elem(fd, bh_table_key(&p->maps[m], i),
							     bh_table_value(&p->maps[m], i),
							     BPF_ANY),
					 0);
	}
	assert_int_equal(
		bpf_map_update_elem(bpf_map__fd(w->skel->maps.bh_nat64), &zero, &p->nat64, BPF_ANY),
		0);
}

static void build(struct fx *fx)
{
	bh_auto(bh_model_freep) struct bh_model *m = NULL;
	bh_auto(bh_picture_freep) struct bh_picture *pic = NULL;
	bh_auto(bh_ids_freep) struct bh_ids *ids = NULL;
	bh_auto(bh_policy_freep) struct bh_policy *p = NULL;
	struct bh_if v[ORA_PODS];
	struct bh_ifs ifs = { .v = v };
	uint32_t id;

	assert_int_equal(bh_model_new(&m), 0);
	put_objects(m, &fx->c);
	pic = derive(m, &fx->c);
	assert_int_equal(bh_ids_new(&ids), 0);
	for (size_t i = 0; i < pic->n_tenants; i++)
		assert_int_equal(bh_ids_alloc(ids, pic->tenants[i].name, &id), 0);
	bind_pods(fx, pic, v, &ifs.n);
	assert_int_equal(bh_policy_build(pic, ids, &ifs, &p), 0);
	load(fx->w, p);
}

static const char *class_name(uint8_t cls)
{
	static const char *const names[] = {
#define X(id, label, ...) label,
		BH_CLASSES(X)
#undef X
	};

	return cls < BH_CLASS_MAX_ ? names[cls] : "?";
}

static void fail_on(const struct fx *fx, const struct ora_packet *p, struct ora_answer want,
		    const struct world_answer *got)
{
	bh_autobuf b = BH_BUF_INIT;
	bh_autofree char *text = NULL;
	char addr[BH_ADDR_STRLEN];

	ora_objects(&fx->c, &b);
	if (bh_buf_take(&b, &text, NULL) == 0)
		(void)fputs(text, stderr);
	fail_msg("cluster %u: pod p%zu %s %s, protocol %u port %u: %s (%s, reason %u), expected %s "
		 "(%s)",
		 fx->n, p->pod, p->dir == OUT ? "to" : "from", bh_addr_str(&p->peer, addr),
		 p->proto, p->dport, got->verdict == BH_VERDICT_PASS ? "passes" : "denied",
		 class_name(got->cls), got->reason, want.allowed ? "to pass" : "denied",
		 class_name(want.cls));
}

static void check_packet(struct fx *fx, const struct ora_packet *p)
{
	const struct ora_pod *pod = &fx->c.pod[p->pod];
	const struct bh_addr *own = &pod->a[bh_addr_is_v4(&p->peer) ? 0 : 1];
	const struct ora_answer want = ora_judge(&fx->c, p);
	const struct world_run run = { .dir = p->dir, .ifindex = fx->ifindex[p->pod], .dry = true };
	struct bh_flow_spec spec = { .src = p->dir == OUT ? *own : p->peer,
				     .dst = p->dir == OUT ? p->peer : *own,
				     .proto = p->proto,
				     .sport = 40000,
				     .dport = p->dport };
	struct world_answer got;
	struct pkt_frame f = { 0 };

	if (bh_addr_cmp(own, &p->peer) == 0)
		return;
	spec.src_mac = p->dir == OUT ? mac_of(p->pod) : mac_of(200);
	spec.dst_mac = p->dir == OUT ? mac_of(200) : mac_of(p->pod);
	assert_int_equal(bh_frame_build(&spec, f.b, &f.len), 0);
	got = world_run_raw(fx->w, &run, &f);
	assert_int_equal(got.error, 0);
	if ((got.verdict == BH_VERDICT_PASS) != want.allowed ||
	    (want.cls != BH_CLASS_INVALID && got.cls != want.cls))
		fail_on(fx, p, want, &got);
	fx->n_allowed += want.allowed;
	fx->n_grant += got.grant;
	fx->seen[want.cls]++;
}

static void open_interfaces(struct fx *fx)
{
	for (size_t i = 0; i < ORA_PODS; i++) {
		char name[16], peer[16];

		(void)snprintf(name, sizeof(name), "ora%zu", i);
		(void)snprintf(peer, sizeof(peer), "arp%zu", i);
		assert_int_equal(nl_add_veth(name, peer, -1), 0);
		fx->ifindex[i] = if_nametoindex(name);
	}
}

static void verdict__random_clusters__as_the_design_says(void **state)
{
	const unsigned int n = CLUSTERS * rounds();
	struct fx fx = { .w = *state };
	unsigned long total = 0;

	open_interfaces(&fx);
	for (fx.n = 0; fx.n < n; fx.n++) {
		struct ora_packet p;

		ora_make(&fx.c, 1000003 * (fx.n + 1));
		build(&fx);
		for (unsigned int i = 0; i < PACKETS && ora_make_packet(&fx.c, &p); i++, total++)
			check_packet(&fx, &p);
	}
	print_message("%u clusters, %lu packets, %u allowed, %u of them by a grant\n", n, total,
		      fx.n_allowed, fx.n_grant);
	/* every class was met, and both answers often */
	for (int cls = 0; cls < BH_CLASS_MAX_; cls++) {
		if (fx.seen[cls] < n / 4)
			fail_msg("class %s was met %u times", class_name((uint8_t)cls),
				 fx.seen[cls]);
	}
	assert_true(fx.n_allowed > total / 10 && fx.n_allowed < total * 9 / 10);
	assert_true(fx.n_grant > total / 100);
}

int main(void)
{
	struct world_suite *s = suite_new();

	SUITE_TEST(s, verdict__random_clusters__as_the_design_says);
	return suite_run(s, "oracle");
}
