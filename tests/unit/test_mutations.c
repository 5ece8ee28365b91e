/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above, in any order, first */
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "common/err.h"
#include "common/json.h"
#include "model/object.h"
#include "tests/unit/model_help.h"

/*
 * Documents whose values were exchanged at random: whatever the type at a place, a decoder either
 * refuses it with a reason and leaves its caller alone, or gives an object that is equal to what
 * the same document gives again.
 */
#define N(a) (sizeof(a) / sizeof((a)[0]))
#define ROUNDS 3000
#define MAX_CHANGES 3

static const char *const docs[] = {
	YAML_TENANT
	"t}, spec: {namespaces: [a, b], namespaceSelector: {matchLabels: {a: b}, "
	"matchExpressions: [{key: c, operator: In, values: [d]}]}, virtualCluster: {name: "
	"v, namespace: a}, cpu: {weight: 3, quota: '1'}, network: {world: {egress: all}, "
	"egress: [{to: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}, ports: [{protocol: TCP, "
	"port: 1, endPort: 2}]}, {to: {service: {namespace: a, name: b}}}, {to: {node: "
	"true}}], ingress: [{from: {tenant: c}}]}, dns: {allow: [a.b], default: deny}, "
	"sandbox: {required: true, runtimeClasses: [k]}}}",
	"{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: a, uid: u, labels: {a: b}, "
	"ownerReferences: [{kind: StatefulSet, apiVersion: apps/v1, controller: true}], annotations: "
	"{a: b}}, spec: {nodeName: n1, hostNetwork: true}, status: {phase: Running, podIP: 10.0.0.1, "
	"podIPs: [{ip: 10.0.0.1}]}}",
	"{apiVersion: v1, kind: Node, metadata: {name: n1, annotations: {bulkhead.dev/host-addresses: "
	"10.0.0.9}}, spec: {podCIDR: 10.2.0.0/16, podCIDRs: [10.2.0.0/16]}, status: {addresses: "
	"[{type: InternalIP, address: 10.0.0.1}], conditions: [{type: BulkheadReady, status: "
	"'True'}]}}",
	"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: s, labels: {a: b}}, "
	"addressType: IPv4, endpoints: [{addresses: [10.0.0.5]}], ports: [{name: a, port: 53, protocol: "
	"UDP}]}",
	"{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {clusterIP: 10.96.0.10, clusterIPs: "
	"[10.96.0.10], externalIPs: [192.0.2.1], ports: [{name: a, port: 1, protocol: TCP}]}, status: "
	"{loadBalancer: {ingress: [{ip: 192.0.2.2}, {hostname: a}]}}}",
};

static uint32_t next(uint32_t *seed, uint32_t below)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8) % below;
}

static struct bh_json *other_value(uint32_t *seed)
{
	static const char *const texts[] = {
		"", "x", "10.0.0.1", "::/0", "999999999999", "a b/../c", "\xc3\xa4\n", "TCP"
	};

	switch (next(seed, 7)) {
	case 0:
		return bh_json_new_null();
	case 1:
		return bh_json_new_bool(next(seed, 2));
	case 2:
		return bh_json_new_num((double)next(seed, 100000) / 8 - 100);
	case 3:
		return bh_json_new_num(1e300);
	case 4:
		return bh_json_new_array();
	case 5:
		return bh_json_new_object();
	default:
		return bh_json_new_str(texts[next(seed, N(texts))]);
	}
}

/* A copy of @j in which the place that *@left counts down to holds something else. */
static struct bh_json *mutate(const struct bh_json *j, uint32_t *left, uint32_t *seed)
{
	const enum bh_json_type type = bh_json_type(j);
	struct bh_json *out;

	if ((*left)-- == 0)
		return other_value(seed);
	if (type != BH_JSON_ARRAY && type != BH_JSON_OBJECT)
		return bh_json_dup(j);
	out = type == BH_JSON_ARRAY ? bh_json_new_array() : bh_json_new_object();
	bh_json_for_each(child, j) {
		struct bh_json *copy = mutate(child, left, seed);

		if (type == BH_JSON_ARRAY)
			bh_json_append(out, copy);
		else
			bh_json_set(out, bh_json_key(child), copy);
	}
	return out;
}

static void check_decode(const struct bh_json *doc, unsigned int *n_good)
{
	struct bh_object *const untouched = (struct bh_object *)0x1;
	struct bh_object *o = untouched;
	bh_auto(bh_object_freep) struct bh_object *again = NULL;
	struct bh_err err = { 0 };
	const int r = bh_object_decode(doc, &o, &err);

	if (r < 0) {
		assert_true(r == -EINVAL || r == -EOPNOTSUPP);
		assert_true(err.msg[0]);
		assert_ptr_equal(o, untouched);
		return;
	}
	assert_int_equal(bh_object_decode(doc, &again, &err), 0);
	assert_true(bh_object_equal(o, again));
	bh_object_free(o);
	(*n_good)++;
}

static void decode__values_exchanged_at_random__refused_or_equal_again(void **state)
{
	uint32_t seed = 99;
	unsigned int n_good = 0;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		bh_auto(bh_json_freep) struct bh_json *doc =
			bh_test_yaml(docs[(size_t)round % N(docs)]);

		for (uint32_t n = 1 + next(&seed, MAX_CHANGES); n > 0; n--) {
			uint32_t left = 1 + next(&seed, 60);
			struct bh_json *changed = mutate(doc, &left, &seed);

			bh_json_free(doc);
			doc = changed;
			assert_non_null(doc);
		}
		check_decode(doc, &n_good);
	}
	/* both ways were taken often */
	assert_true(n_good > ROUNDS / 20 && n_good < ROUNDS * 19 / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decode__values_exchanged_at_random__refused_or_equal_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
