/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above, in any order, first */
#include <cmocka.h>

#include <string.h>

#include "common/json.h"
#include "model/model.h"
#include "tests/unit/model_help.h"

/*
 * The derivation has no history: whatever was added, changed and deleted on the way, the picture is
 * that of a fresh model which holds the same objects, in whichever order they came.
 */
#define N(a) (sizeof(a) / sizeof((a)[0]))
#define MAX_VARIANTS 6
#define STEPS 80
#define HISTORIES 300

#define TENANT(name, spec) YAML_TENANT name "}, spec: {" spec "}}"
#define POD(name, meta, rest) YAML_POD name meta "}, " rest
#define CP                                                                                         \
	", labels: {app: vcluster, release: vc1}, ownerReferences: [{apiVersion: apps/v1, kind: "  \
	"StatefulSet, controller: true}]"
#define SLICE(ns, name, svc, rest)                                                                 \
	"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, metadata: "     \
	"{namespace: " ns ", name: " name ", labels: {kubernetes.io/service-name: " svc            \
	"}}, " rest "}"
#define SERVICE(ns, name, rest)                                                                    \
	"{apiVersion: v1, kind: Service, metadata: {namespace: " ns ", name: " name                \
	"}, spec: {" rest "}}"

/* Every object that may exist, and what it may say; addresses and claims collide on purpose. */
static const char *const universe[][MAX_VARIANTS] = {
	{ TENANT("acme", "namespaces: [a]"), TENANT("acme", "namespaces: [a, b]"),
	  TENANT("acme", "namespaceSelector: {matchLabels: {t: acme}}"),
	  TENANT("acme", "virtualCluster: {name: vc1, namespace: a}"),
	  TENANT("acme", "virtualCluster: {name: vc1, namespace: a}, namespaces: [a]") },
	{ TENANT("globex", "namespaces: [b]"), TENANT("globex", "namespaces: [b, kube-system]"),
	  TENANT("globex", "virtualCluster: {name: vc2, namespace: a}"),
	  TENANT("globex",
		 "namespaceSelector: {matchExpressions: [{key: t, operator: NotIn, values: "
		 "[acme]}]}") },
	{ TENANT("zeta", "cpu: {weight: 7}") },
	{ YAML_NS "a, labels: {t: acme}}}", YAML_NS "a, labels: {t: globex}}}", YAML_NS "a}}",
	  YAML_NS "a, labels: {t: acme, vcluster.loft.sh/managed-by: v}}}" },
	{ YAML_NS "b, labels: {t: acme}}}", YAML_NS "b}}" },
	{ POD("a, name: p1", "", ON_N1("10.0.0.1")), POD("a, name: p1", "", ON_N1("10.0.0.2")),
	  POD("a, name: p1", "", "status: {podIP: 10.0.0.1}}"),
	  POD("a, name: p1", ", labels: {" BY_VC1 "}", ON_N1("10.0.0.1")) },
	{ POD("a, name: p2", ", labels: {vcluster.loft.sh/managed-by: vc2}", ON_N1("10.0.0.1")),
	  POD("a, name: p2", ", labels: {vcluster.loft.sh/managed-by: vc2}", ON_N2("10.0.0.3")),
	  POD("a, name: p2", "", "spec: {nodeName: n1, hostNetwork: true}}") },
	{ POD("a, name: vc1-0", CP, ON_N1("10.0.0.4")),
	  POD("a, name: vc1-0", CP, ON_N2("10.0.0.4")) },
	{ POD("b, name: p1", "", ON_N2("10.0.0.1")), POD("b, name: p1", "", ON_N2("'fd00::1'")),
	  POD("b, name: p1", "",
	      "spec: {nodeName: n2}, status: {phase: Failed, podIP: 10.0.0.1}}") },
	{ POD("c, name: p1", "", ON_N2("10.0.0.5")), POD("c, name: p1", "", ON_N1("10.0.0.5")) },
	{ POD("kube-system, name: dns", "", ON_N1("10.0.0.6")),
	  POD("kube-system, name: dns", "", ON_N2("198.51.100.2")) },
	{ YAML_NODE "n2}}", YAML_NODE "n2}, spec: {podCIDR: 10.0.0.0/24}}",
	  YAML_NODE "n2}, status: {conditions: [{type: BulkheadReady, status: 'True'}], addresses: "
		    "[{type: InternalIP, address: 198.51.100.2}]}}",
	  YAML_NODE "n2, annotations: {bulkhead.dev/host-addresses: '10.0.0.3,10.0.0.5'}}}" },
	{ YAML_NODE "n1}, spec: {podCIDR: 10.0.0.0/16}}",
	  YAML_NODE "n1}, status: {conditions: [{type: BulkheadReady, status: 'False'}]}}" },
	{ SERVICE("kube-system", "kube-dns", "clusterIP: 10.96.0.10"),
	  SERVICE("kube-system", "kube-dns", "clusterIPs: [10.96.0.10, 'fd00::a']") },
	{ SLICE("kube-system", "dns-1", "kube-dns", "endpoints: [{addresses: [10.0.0.6]}]"),
	  SLICE("kube-system", "dns-1", "kube-dns", "endpoints: [{addresses: [10.0.0.1]}]") },
	{ SERVICE("default", "kubernetes", "clusterIP: 10.96.0.1") },
	{ SLICE("default", "kubernetes", "kubernetes",
		"endpoints: [{addresses: [198.51.100.2]}], ports: [{port: 6443}]"),
	  SLICE("default", "kubernetes", "kubernetes",
		"endpoints: [{addresses: [198.51.100.2]}], ports: [{port: 443}, {port: 80}]") },
	{ SLICE("default", "kubernetes-2", "kubernetes",
		"endpoints: [{addresses: [198.51.100.2, 10.0.0.3]}], ports: [{port: 7443}]") },
	{ SERVICE("a", "web", "clusterIP: 10.96.0.20"),
	  SERVICE("a", "web",
		  "clusterIP: 10.96.0.20, externalIPs: [8.8.8.8, 10.0.0.5, 10.96.0.10]"),
	  SERVICE("a", "web", "clusterIP: 10.0.0.1, externalIPs: [10.96.0.21]") },
	{ SERVICE("b", "web", "clusterIP: 10.96.0.21, externalIPs: [8.8.8.8]"),
	  SERVICE("b", "web", "clusterIP: 10.96.0.20") },
	{ SLICE("a", "web-1", "web", "endpoints: [{addresses: [10.0.0.1]}]"),
	  SLICE("a", "web-1", "web",
		"endpoints: [{addresses: [10.0.0.1]}, {addresses: [10.0.0.2]}]"),
	  SLICE("a", "web-1", "other", "endpoints: [{addresses: [10.0.0.1]}]"),
	  SLICE("a", "web-1", "web", "endpoints: []") },
	{ SLICE("a", "web-0", "web", "endpoints: [{addresses: [10.0.0.5]}]"),
	  SLICE("a", "web-0", "web", "endpoints: [{addresses: [10.0.0.4]}]") },
	{ SLICE("b", "web", "web", "endpoints: [{addresses: [10.0.0.1]}, {addresses: [10.0.0.6]}]"),
	  SLICE("b", "web", "web", "endpoints: [{addresses: [10.0.0.3]}]") },
};
#define N_OBJECTS N(universe)

static const char *const system_namespaces[] = { "kube-system" };
static const struct bh_env env = {
	.node = "n1",
	.system_namespaces = system_namespaces,
	.n_system_namespaces = 1,
};

static uint32_t next(uint32_t *seed, uint32_t below)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8) % below;
}

/* The universe, parsed once. */
struct world {
	struct bh_json *docs[N_OBJECTS][MAX_VARIANTS];
	uint32_t n_variants[N_OBJECTS];
};

static char *dump(const struct bh_model *m)
{
	bh_auto(bh_picture_freep) struct bh_picture *p = bh_test_derive(m, &env);

	return bh_test_picture_dump(p);
}

static void put(struct bh_model *m, const struct world *w, size_t i, int variant)
{
	struct bh_object *o = NULL;

	assert_int_equal(bh_object_decode(w->docs[i][variant], &o, NULL), 0);
	assert_int_equal(bh_model_put(m, o), 0);
}

/* What a model should look like that has seen nothing but the end, in an order by @seed. */
static char *dump_fresh(const struct world *w, const int *variant, uint32_t *seed)
{
	bh_auto(bh_model_freep) struct bh_model *m = bh_test_model();
	size_t order[N_OBJECTS];

	for (size_t i = 0; i < N_OBJECTS; i++) {
		const size_t j = next(seed, (uint32_t)i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	for (size_t i = 0; i < N_OBJECTS; i++)
		if (variant[order[i]] >= 0)
			put(m, w, order[i], variant[order[i]]);
	return dump(m);
}

static void step(struct bh_model *m, const struct world *w, int *variant, uint32_t *seed)
{
	const size_t i = next(seed, N_OBJECTS);
	struct bh_object_key key;

	if (next(seed, 3) > 0) {
		variant[i] = (int)next(seed, w->n_variants[i]);
		put(m, w, i, variant[i]);
		return;
	}
	assert_int_equal(bh_object_identify(w->docs[i][0], &key, NULL), 0);
	assert_int_equal(bh_model_del(m, &key), variant[i] >= 0);
	variant[i] = -1;
	bh_object_key_done(&key);
}

static int load_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		return -1;
	for (size_t i = 0; i < N_OBJECTS; i++)
		for (; w->n_variants[i] < MAX_VARIANTS && universe[i][w->n_variants[i]];
		     w->n_variants[i]++)
			w->docs[i][w->n_variants[i]] = bh_test_yaml(universe[i][w->n_variants[i]]);
	*state = w;
	return 0;
}

static int free_world(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < N_OBJECTS; i++)
		for (size_t j = 0; j < w->n_variants[i]; j++)
			bh_json_free(w->docs[i][j]);
	free(w);
	return 0;
}

static void derive__any_history__as_a_fresh_model(void **state)
{
	const struct world *w = *state;
	uint32_t seed = 4711;

	for (int history = 0; history < HISTORIES; history++) {
		bh_auto(bh_model_freep) struct bh_model *m = bh_test_model();
		int variant[N_OBJECTS];

		memset(variant, 0xff, sizeof(variant));
		for (int s = 1; s <= STEPS; s++) {
			bh_autofree char *got = NULL, *want = NULL;

			step(m, w, variant, &seed);
			if (s != STEPS && next(&seed, 20))
				continue;
			got = dump(m);
			want = dump_fresh(w, variant, &seed);
			assert_string_equal(got, want);
		}
	}
}

/* Deriving must not change the model: the same picture twice. */
static void derive__twice__same_picture(void **state)
{
	const struct world *w = *state;
	bh_auto(bh_model_freep) struct bh_model *m = bh_test_model();
	bh_autofree char *first = NULL, *second = NULL;

	for (size_t i = 0; i < N_OBJECTS; i++)
		put(m, w, i, 0);
	first = dump(m);
	second = dump(m);
	assert_string_equal(first, second);
	assert_non_null(strstr(first, "pod a/p1 tenant acme local live"));
	assert_non_null(strstr(first, "addr 10.0.0.1 conflict -"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(derive__any_history__as_a_fresh_model, load_world,
						free_world),
		cmocka_unit_test_setup_teardown(derive__twice__same_picture, load_world,
						free_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
