/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above, in any order, first */
#include <cmocka.h>

#include <string.h>

#include "model/model.h"
#include "tests/unit/model_help.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const struct bh_object *get(const struct bh_model *m, enum bh_kind kind, const char *ns,
				   const char *name)
{
	const struct bh_object_key key = { kind, (char *)ns, (char *)name };

	return bh_model_get(m, &key);
}

static void model_put__add_replace_delete__counted_and_found(void **state)
{
	bh_auto(bh_model_freep) struct bh_model *m = bh_test_model();
	uint64_t version = bh_model_version(m);

	(void)state;
	bh_test_put(m, YAML_POD "acme, name: a}, " ON_N1("10.0.0.1"));
	assert_true(bh_model_version(m) > version);
	bh_test_put(m, YAML_POD "acme, name: a}, " ON_N1("10.0.0.2"));
	assert_int_equal(bh_model_count(m, BH_KIND_POD), 1);
	assert_int_equal(get(m, BH_KIND_POD, "acme", "a")->pod.addrs[0].b[15], 2);
	assert_null(get(m, BH_KIND_POD, "acme", "b"));
	assert_null(get(m, BH_KIND_SERVICE, "acme", "a"));
	version = bh_model_version(m);
	assert_false(bh_test_del(m, BH_KIND_POD, "acme", "b"));
	assert_int_equal(bh_model_version(m), version);
	assert_true(bh_test_del(m, BH_KIND_POD, "acme", "a"));
	assert_true(bh_model_version(m) > version);
	assert_int_equal(bh_model_count(m, BH_KIND_POD), 0);
}

static void model_del__by_the_objects_own_key__gone(void **state)
{
	bh_auto(bh_model_freep) struct bh_model *m = bh_test_model();

	(void)state;
	bh_test_put(m, YAML_POD "acme, name: a}, " ON_N1("10.0.0.1"));
	assert_true(bh_model_del(m, &get(m, BH_KIND_POD, "acme", "a")->key));
	assert_int_equal(bh_model_count(m, BH_KIND_POD), 0);
}

static void model_objects__put_in_any_order__sorted(void **state)
{
	bh_auto(bh_model_freep) struct bh_model *m = bh_test_model();
	const struct bh_object *const *v;
	size_t n;

	(void)state;
	for (int i = 0; i < 200; i++)
		bh_test_putf(m, YAML_POD "ns-%d, name: pod-%d}}", i * 7 % 10, i * 37 % 200);
	v = bh_model_objects(m, BH_KIND_POD, &n);
	assert_int_equal(n, 200);
	for (size_t i = 1; i < n; i++)
		assert_true(bh_object_key_cmp(&v[i - 1]->key, &v[i]->key) < 0);
}

/* Each differs from the first of its kind in one thing that is read; the texts are equal else. */
#define SLICE(rest)                                                                                \
	"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: s}, "             \
	"addressType: IPv4, " rest "}"
#define POD_REST(rest) YAML_POD "a, name: p" rest
#define TENANT(spec) YAML_TENANT "t}, spec: {" spec "}}"
#define NET(net) TENANT("network: {" net "}")
static const char *const variants[] = {
	POD_REST("}, spec: {nodeName: n1}}"),
	POD_REST("}, spec: {nodeName: n2}}"),
	POD_REST("}}"),
	POD_REST(", uid: u}}"),
	POD_REST("}, spec: {hostNetwork: true}}"),
	POD_REST("}, status: {phase: Failed}}"),
	POD_REST("}, status: {podIP: 10.0.0.1}}"),
	POD_REST("}, status: {podIP: 10.0.0.2}}"),
	POD_REST(", labels: {a: b}}}"),
	POD_REST(", labels: {a: c}}}"),
	POD_REST(", labels: {b: c}}}"),
	POD_REST(", annotations: {vcluster.loft.sh/object-uid: u}}}"),
	YAML_NS "a}}",
	YAML_NS "a, labels: {a: b}}}",
	YAML_NS "a, annotations: {vcluster.loft.sh/object-uid: u}}}",
	YAML_NODE "a}}",
	YAML_NODE "a}, spec: {podCIDR: 10.0.0.0/24}}",
	YAML_NODE "a}, spec: {podCIDR: 10.0.1.0/24}}",
	YAML_NODE "a}, status: {conditions: [{type: BulkheadReady, status: 'True'}]}}",
	YAML_NODE "a, annotations: {bulkhead.dev/host-addresses: 10.0.0.1}}}",
	SLICE("ports: []"),
	SLICE("ports: [{port: 80}]"),
	SLICE("ports: [{port: 81}]"),
	SLICE("ports: [{port: 81, protocol: UDP}]"),
	SLICE("endpoints: [{addresses: [10.0.0.1]}]"),
	"{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {clusterIP: 10.0.0.1}}",
	"{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {clusterIP: 10.0.0.2}}",
	TENANT(""),
	TENANT("namespaces: [a]"),
	TENANT("namespaces: [b]"),
	TENANT("namespaceSelector: {}"),
	TENANT("namespaceSelector: {matchLabels: {a: b}}"),
	TENANT("namespaceSelector: {matchLabels: {a: c}}"),
	TENANT("namespaceSelector: {matchExpressions: [{key: a, operator: Exists}]}"),
	TENANT("virtualCluster: {name: v, namespace: a}"),
	TENANT("virtualCluster: {name: w, namespace: a}"),
	TENANT("virtualCluster: {name: v, namespace: b}"),
	TENANT("virtualCluster: {name: v, namespace: b, publishMetrics: true}"),
	TENANT("cpu: {weight: 7}"),
	TENANT("cpu: {quota: 7m}"),
	NET("mode: audit"),
	NET("world: {egress: none}"),
	NET("world: {ingress: none}"),
	NET("otherInterfaces: deny"),
	NET("egress: [{to: {node: true}}]"),
	NET("egress: [{to: {metadata: true}}]"),
	NET("egress: [{to: {node: true}, ports: []}]"),
	NET("egress: [{to: {node: true}, ports: [{protocol: TCP}]}]"),
	NET("egress: [{to: {node: true}, ports: [{protocol: UDP}]}]"),
	NET("egress: [{to: {node: true}, ports: [{protocol: UDP, port: 1}]}]"),
	NET("egress: [{to: {tenant: a}}]"),
	NET("egress: [{to: {tenant: b}}]"),
	NET("ingress: [{from: {tenant: b}}]"),
	NET("egress: [{to: {cidr: 10.0.0.0/8}}]"),
	NET("egress: [{to: {cidr: 11.0.0.0/8}}]"),
	NET("egress: [{to: {cidr: 11.0.0.0/8, except: [11.1.0.0/16]}}]"),
	NET("egress: [{to: {cidr: 11.0.0.0/8, except: [11.2.0.0/16]}}]"),
	NET("egress: [{to: {service: {namespace: a, name: b}}}]"),
	NET("egress: [{to: {service: {namespace: a, name: c}}}]"),
	TENANT("dns: {mode: audit}"),
	TENANT("dns: {allow: [a.b]}"),
	TENANT("dns: {allow: ['*.a.b']}"),
	TENANT("dns: {deny: [a.b]}"),
	TENANT("dns: {default: deny}"),
	TENANT("dns: {resolverNamespaces: [a]}"),
	TENANT("sandbox: {required: true}"),
	TENANT("sandbox: {runtimeClasses: []}"),
	TENANT("sandbox: {runtimeClasses: [kata]}"),
};

static void model_put__equal_or_changed_object__version_tells(void **state)
{
	bh_auto(bh_model_freep) struct bh_model *m = bh_test_model();

	(void)state;
	for (size_t i = 0; i < N(variants); i++) {
		for (size_t j = 0; j < N(variants); j++) {
			bh_auto(bh_object_freep) struct bh_object *a = bh_test_object(variants[i]);
			bh_auto(bh_object_freep) struct bh_object *b = bh_test_object(variants[j]);

			if (bh_object_equal(a, b) != (i == j))
				fail_msg("%s and %s", variants[i], variants[j]);
		}
	}
	for (size_t i = 0; i < N(variants); i++) {
		const uint64_t version = bh_model_version(m);

		bh_test_put(m, variants[i]);
		assert_int_equal(bh_model_version(m), version + 1);
		bh_test_put(m, variants[i]);
		assert_int_equal(bh_model_version(m), version + 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(model_put__add_replace_delete__counted_and_found),
		cmocka_unit_test(model_del__by_the_objects_own_key__gone),
		cmocka_unit_test(model_objects__put_in_any_order__sorted),
		cmocka_unit_test(model_put__equal_or_changed_object__version_tells),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
