/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above, in any order, first */
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/json.h"
#include "model/object.h"
#include "model/tenant.h"
#include "tests/unit/model_help.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define FIXTURES "tests/fixtures/model/"

#define OBJECT(o, yaml) bh_auto(bh_object_freep) struct bh_object *o = bh_test_object(yaml)

static void identify__known_kinds__key(void **state)
{
	static const struct {
		const char *yaml, *key;
	} rows[] = {
		{ "{apiVersion: v1, kind: Pod, metadata: {name: web-0.x, namespace: acme}}",
		  "Pod acme/web-0.x" },
		{ "{apiVersion: v1, kind: Pod, metadata: {name: web}}", "Pod default/web" },
		{ "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: ''}}",
		  "Pod default/web" },
		{ "{apiVersion: v1, kind: Node, metadata: {name: n1.example}}", "Node n1.example" },
		{ "{apiVersion: bulkhead.dev/v1alpha1, kind: Tenant, metadata: {name: acme}}",
		  "Tenant acme" },
		{ "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: s}}",
		  "EndpointSlice default/s" },
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		bh_auto(bh_json_freep) struct bh_json *doc = bh_test_yaml(rows[i].yaml);
		struct bh_object_key key;
		char text[128];

		assert_int_equal(bh_object_identify(doc, &key, NULL), 0);
		assert_string_equal(bh_object_key_str(&key, text, sizeof(text)), rows[i].key);
		bh_object_key_done(&key);
	}
}

static void identify__other_documents__error_with_reason(void **state)
{
	static const struct {
		const char *yaml;
		int r;
		const char *why;
	} rows[] = {
		{ "{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}}", -EOPNOTSUPP,
		  "kind 'Deployment' of 'apps/v1' is not used" },
		{ "{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: x}}",
		  -EOPNOTSUPP, "kind 'Service' of 'serving.knative.dev/v1' is not used" },
		{ "{apiVersion: bulkhead.dev/v1, kind: Tenant, metadata: {name: x}}", -EINVAL,
		  "apiVersion: 'bulkhead.dev/v1', expected bulkhead.dev/v1alpha1" },
		{ "{apiVersion: bulkhead.io/v1alpha1, kind: Tenant, metadata: {name: x}}", -EINVAL,
		  "apiVersion: 'bulkhead.io/v1alpha1', expected bulkhead.dev/v1alpha1" },
		{ "[]", -EINVAL, "document: array, expected an object" },
		{ "{apiVersion: v1}", -EINVAL, "kind: missing, expected text" },
		{ "{kind: Pod}", -EINVAL, "apiVersion: missing, expected text" },
		{ "{apiVersion: v1, kind: Pod}", -EINVAL, "metadata: missing, expected an object" },
		{ "{apiVersion: v1, kind: Pod, metadata: {}}", -EINVAL,
		  "metadata.name: missing, expected a name of lower-case letters, digits, hyphens "
		  "and dots" },
		{ "{apiVersion: v1, kind: Pod, metadata: {name: ../etc}}", -EINVAL,
		  "metadata.name: '../etc', expected a name of lower-case letters, digits, hyphens "
		  "and dots" },
		{ "{apiVersion: v1, kind: Namespace, metadata: {name: a.b}}", -EINVAL,
		  "metadata.name: 'a.b', expected a name of lower-case letters, digits and "
		  "hyphens" },
		{ "{apiVersion: v1, kind: Pod, metadata: {name: x, namespace: A}}", -EINVAL,
		  "metadata.namespace: 'A', expected a name of lower-case letters, digits and "
		  "hyphens" },
		{ "{apiVersion: v1, kind: Node, metadata: {name: x, namespace: a}}", -EINVAL,
		  "metadata.namespace: 'a', but a Node has no namespace" },
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		bh_auto(bh_json_freep) struct bh_json *doc = bh_test_yaml(rows[i].yaml);
		struct bh_object_key key = { .name = (char *)rows };
		struct bh_err err = { 0 };

		assert_int_equal(bh_object_identify(doc, &key, &err), rows[i].r);
		assert_string_equal(err.msg, rows[i].why);
		assert_ptr_equal(key.name, rows);
	}
}

static struct bh_object *decode_fixture(const char *path)
{
	bh_autofree char *text = bh_test_read(path);

	return bh_test_object(text);
}

static void decode__recorded_pod__what_we_read(void **state)
{
	bh_auto(bh_object_freep) struct bh_object *o = decode_fixture(FIXTURES "pod.json");
	char text[BH_ADDR_STRLEN];

	(void)state;
	assert_string_equal(o->key.ns, "acme");
	assert_string_equal(o->key.name, "web");
	assert_string_equal(o->pod.node, "kn1");
	assert_string_equal(bh_labels_get(&o->labels, "app"), "web");
	assert_null(bh_labels_get(&o->labels, "apq"));
	assert_int_equal(o->pod.n_addrs, 1);
	assert_string_equal(bh_addr_str(&o->pod.addrs[0], text), "10.244.7.15");
	assert_int_equal(o->pod.phase, BH_POD_ACTIVE);
	assert_false(o->pod.host_network || o->pod.synced || o->pod.controlled);
	assert_int_equal(strlen(o->pod.uid), 36);
}

static void decode__recorded_pod_of_a_syncer__synced(void **state)
{
	bh_auto(bh_object_freep) struct bh_object *o = decode_fixture(FIXTURES "pod-synced.json");

	(void)state;
	assert_string_equal(o->key.name, "web-x-default-x-vc-acme");
	assert_string_equal(bh_labels_get(&o->labels, "vcluster.loft.sh/managed-by"), "vc-acme");
	assert_true(o->pod.synced);
	assert_string_equal(o->pod.node, "n2");
	assert_int_equal(o->pod.n_addrs, 1);
}

static void decode__recorded_node__addresses_and_no_readiness(void **state)
{
	bh_auto(bh_object_freep) struct bh_object *o = decode_fixture(FIXTURES "node.json");
	char text[BH_ADDR_STRLEN];

	(void)state;
	assert_string_equal(o->key.name, "kn1");
	assert_int_equal(o->node.n_addrs, 1);
	assert_string_equal(bh_addr_str(&o->node.addrs[0], text), "198.51.100.10");
	assert_int_equal(o->node.n_pod_cidrs, 0);
	assert_false(o->node.ready);
}

/* Members of a list carry neither kind nor apiVersion; whoever reads the list adds them. */
static void decode__recorded_services__cluster_ips(void **state)
{
	bh_autofree char *text = bh_test_read(FIXTURES "services.json");
	bh_auto(bh_json_freep) struct bh_json *list = NULL;
	size_t n = 0;

	(void)state;
	assert_int_equal(bh_json_parse(text, strlen(text), &list, NULL), 0);
	bh_json_for_each(item, bh_json_get(list, "items")) {
		bh_auto(bh_json_freep) struct bh_json *doc = bh_json_dup(item);
		bh_auto(bh_object_freep) struct bh_object *o = NULL;
		char addr[BH_ADDR_STRLEN];

		bh_json_set_str(doc, "kind", "Service");
		bh_json_set_str(doc, "apiVersion", "v1");
		assert_int_equal(bh_object_decode(doc, &o, NULL), 0);
		assert_int_equal(o->service.n_cluster_ips, 1);
		assert_string_equal(bh_addr_str(&o->service.cluster_ips[0], addr),
				    n ? "10.96.0.1" : "10.96.194.24");
		assert_false(o->service.synced);
		n++;
	}
	assert_int_equal(n, 2);
}

static void decode__pod_addresses__both_lists_no_duplicates(void **state)
{
	OBJECT(o, "{apiVersion: v1, kind: Pod, metadata: {name: a}, status: {podIP: 10.0.0.1, "
		  "podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}, {ip: 10.0.0.1}]}}");
	OBJECT(none,
	       "{apiVersion: v1, kind: Pod, metadata: {name: a, labels: null}, spec: {nodeName: "
	       "''}, status: {podIP: '', podIPs: null, phase: Pending}}");

	(void)state;
	assert_int_equal(o->pod.n_addrs, 2);
	assert_true(bh_addr_is_v4(&o->pod.addrs[0]));
	assert_false(bh_addr_is_v4(&o->pod.addrs[1]));
	assert_null(o->pod.node);
	assert_string_equal(o->pod.uid, "");
	assert_int_equal(none->pod.n_addrs, 0);
	assert_null(none->pod.node);
}

static void decode__node__readiness_ranges_and_host_addresses(void **state)
{
	OBJECT(o,
	       "{apiVersion: v1, kind: Node, metadata: {name: a, annotations: "
	       "{bulkhead.dev/host-addresses: '10.244.0.1,fe80::1,198.51.100.1'}}, spec: {podCIDR: "
	       "10.1.0.0/24, podCIDRs: [10.1.0.0/24, 'fd00::/64']}, status: {addresses: [{type: "
	       "InternalIP, address: 198.51.100.1}, {type: Hostname, address: a}], conditions: "
	       "[{type: Ready, status: 'False'}, {type: BulkheadReady, status: 'True'}]}}");
	OBJECT(twice,
	       "{apiVersion: v1, kind: Node, metadata: {name: a}, status: {conditions: [{type: "
	       "BulkheadReady, status: 'False'}, {type: BulkheadReady, status: 'True'}]}}");

	(void)state;
	assert_int_equal(o->node.n_addrs, 3);
	assert_int_equal(o->node.n_pod_cidrs, 2);
	assert_true(o->node.ready);
	assert_false(twice->node.ready);
}

static void decode__node__tunnel_addresses_of_cnis(void **state)
{
	OBJECT(o,
	       "{apiVersion: v1, kind: Node, metadata: {name: a, annotations: "
	       "{flannel.alpha.coreos.com/public-ip: 198.51.100.1, projectcalico.org/IPv4Address: "
	       "198.51.100.1/24, projectcalico.org/IPv4IPIPTunnelAddr: 10.1.0.1, "
	       "projectcalico.org/IPv6VXLANTunnelAddr: none, "
	       "network.cilium.io/ipv6-cilium-host: 'fd00::1', "
	       "network.cilium.io/ipv4-cilium-host: 7}}}");
	OBJECT(flannel,
	       "{apiVersion: v1, kind: Node, metadata: {name: a, annotations: "
	       "{flannel.alpha.coreos.com/backend-type: vxlan}}, spec: {podCIDRs: [10.1.2.0/24, "
	       "'fd00:2::/64']}}");
	char text[BH_ADDR_STRLEN];

	(void)state;
	assert_int_equal(o->node.n_addrs, 3);
	assert_string_equal(bh_addr_str(&o->node.addrs[0], text), "198.51.100.1");
	assert_string_equal(bh_addr_str(&o->node.addrs[1], text), "10.1.0.1");
	assert_string_equal(bh_addr_str(&o->node.addrs[2], text), "fd00::1");
	assert_int_equal(flannel->node.n_addrs, 2);
	assert_string_equal(bh_addr_str(&flannel->node.addrs[0], text), "10.1.2.0");
	assert_string_equal(bh_addr_str(&flannel->node.addrs[1], text), "fd00:2::");
}

static void decode__slice__addresses_and_ports(void **state)
{
	OBJECT(o,
	       "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: s, labels: "
	       "{kubernetes.io/service-name: web}}, addressType: IPv4, endpoints: [{addresses: "
	       "[10.0.0.1]}, {addresses: [10.0.0.2], conditions: {ready: false}}], ports: [{port: "
	       "80}, {port: 53, protocol: UDP}, {name: all}]}");
	OBJECT(fqdn, "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: s}, "
		     "addressType: FQDN, endpoints: [{addresses: [a.example]}], ports: null}");

	(void)state;
	assert_string_equal(o->slice.service, "web");
	assert_int_equal(o->slice.n_addrs, 2);
	assert_int_equal(o->slice.n_ports, 2);
	assert_int_equal(o->slice.ports[0].proto, IPPROTO_TCP);
	assert_int_equal(o->slice.ports[1].port, 53);
	assert_null(fqdn->slice.service);
	assert_int_equal(fqdn->slice.n_addrs, 0);
}

static void decode__service__all_its_addresses_and_ports(void **state)
{
	OBJECT(o,
	       "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {clusterIP: 10.96.0.1, "
	       "clusterIPs: [010.96.0.01, 'fd00::1'], externalIPs: [192.0.2.1, 192.0.2.1, "
	       "'::ffff:192.0.2.2'], loadBalancerIP: 192.0.2.9, ports: [{name: a, port: 80, targetPort: "
	       "web}, {port: 53, protocol: UDP}]}, status: {loadBalancer: {ingress: [{hostname: "
	       "a.example}, {ip: ''}, {ip: 192.0.2.3}]}}}");
	static const char *const external[] = { "192.0.2.1", "192.0.2.1", "192.0.2.2",
						"192.0.2.3" };
	char text[BH_ADDR_STRLEN];

	(void)state;
	assert_int_equal(o->service.n_cluster_ips, 2);
	assert_string_equal(bh_addr_str(&o->service.cluster_ips[0], text), "10.96.0.1");
	assert_int_equal(o->service.n_external, N(external));
	for (size_t i = 0; i < N(external); i++)
		assert_string_equal(bh_addr_str(&o->service.external[i], text), external[i]);
	assert_int_equal(o->service.n_ports, 2);
	assert_string_equal(o->service.ports[0].name, "a");
	assert_int_equal(o->service.ports[0].port, 80);
	assert_int_equal(o->service.ports[1].proto, IPPROTO_UDP);
	assert_string_equal(o->service.ports[1].name, "");
}

/* Whatever a slice holds beyond what is read would be a backend that nobody counted. */
static void decode__slice_beyond_bounds__opaque(void **state)
{
	static const struct {
		unsigned int endpoints, addrs;
		bool opaque;
	} rows[] = { { 1000, 1, false }, { 1001, 1, true }, { 1, 8, false },
		     { 1, 9, true },	 { 250, 8, false }, { 251, 8, true } };

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		bh_autofree char *text = calloc(1, 100000);
		bh_auto(bh_object_freep) struct bh_object *o = NULL;
		size_t n;

		n = (size_t)sprintf(
			text, "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: "
			      "{name: s}, addressType: IPv4, endpoints: [");
		for (unsigned int e = 0; e < rows[i].endpoints; e++) {
			n += (size_t)sprintf(text + n, "{addresses: [");
			for (unsigned int a = 0; a < rows[i].addrs; a++)
				n += (size_t)sprintf(text + n, "10.0.0.%u, ", a);
			n += (size_t)sprintf(text + n, "]}, ");
		}
		(void)sprintf(text + n, "]}");
		o = bh_test_object(text);
		assert_int_equal(o->slice.opaque, rows[i].opaque);
	}
}

static void decode__headless_service__no_address(void **state)
{
	OBJECT(o, "{apiVersion: v1, kind: Service, metadata: {name: s, labels: {a: b, "
		  "vcluster.loft.sh/managed-by: v}}, spec: {clusterIP: None, clusterIPs: [None]}}");

	(void)state;
	assert_int_equal(o->service.n_cluster_ips, 0);
	assert_true(o->service.synced);
}

static void decode__bad_fields__einval_with_path(void **state)
{
#define POD_WITH(rest) "{apiVersion: v1, kind: Pod, metadata: {name: a}, " rest "}"
	static const struct {
		const char *yaml, *why;
	} rows[] = {
		{ POD_WITH("spec: {hostNetwork: 'true'}"),
		  "spec.hostNetwork: 'true', expected true or false" },
		{ POD_WITH("spec: {nodeName: 7}"), "spec.nodeName: 7, expected text" },
		{ POD_WITH("status: {podIPs: [{ip: 10.0.0.256}]}"),
		  "status.podIPs[0].ip: '10.0.0.256', expected an IPv4 or IPv6 address" },
		{ POD_WITH("status: {podIPs: [{}]}"),
		  "status.podIPs[0].ip: missing, expected text" },
		{ POD_WITH("status: {podIP: '::ffff:10.0.0.1'}"),
		  "status.podIP: '::ffff:10.0.0.1', expected an IPv4 or IPv6 address" },
		{ POD_WITH("status: {podIPs: {ip: 10.0.0.1}}"),
		  "status.podIPs: object, expected an array" },
		{ POD_WITH("status: {phase: 1}"), "status.phase: 1, expected text" },
		{ "{apiVersion: v1, kind: Pod, metadata: {name: a, labels: {b: 1}}}",
		  "metadata.labels.b: 1, expected text" },
		{ "{apiVersion: v1, kind: Node, metadata: {name: a}, spec: {podCIDRs: [10.0.0.1/8]}}",
		  "spec.podCIDRs[0]: 10.0.0.1/8 has bits set behind its prefix" },
		{ "{apiVersion: v1, kind: Node, metadata: {name: a, annotations: "
		  "{bulkhead.dev/host-addresses: '10.0.0.1,'}}}",
		  "metadata.annotations.bulkhead.dev/host-addresses: ends in a comma, expected an "
		  "address" },
		{ "{apiVersion: v1, kind: Node, metadata: {name: a, annotations: "
		  "{bulkhead.dev/host-addresses: '10.0.0.1, 10.0.0.2'}}}",
		  "metadata.annotations.bulkhead.dev/host-addresses: ' 10.0.0.2', expected an IPv4 "
		  "or IPv6 address" },
		{ "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: s}, "
		  "addressType: IPv4, ports: [{port: 70000}]}",
		  "ports[0].port: 70000, expected 1..65535" },
		{ "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: s}, "
		  "addressType: IPv4, endpoints: [{addresses: [x]}]}",
		  "endpoints[0].addresses[0]: 'x', expected an IPv4 or IPv6 address" },
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		bh_auto(bh_json_freep) struct bh_json *doc = bh_test_yaml(rows[i].yaml);
		struct bh_object *const untouched = (struct bh_object *)0x1;
		struct bh_object *o = untouched;
		struct bh_err err = { 0 };

		assert_int_equal(bh_object_decode(doc, &o, &err), -EINVAL);
		assert_string_equal(err.msg, rows[i].why);
		assert_ptr_equal(o, untouched);
	}
}

#define TENANT_WITH(meta, rest)                                                                    \
	"{apiVersion: bulkhead.dev/v1alpha1, kind: Tenant, metadata: {name: acme" meta "}" rest "}"

static void decode__tenant__strict_outside_of_its_spec_too(void **state)
{
#define SYNCED_WHY                                                                                 \
	"metadata: carries vcluster.loft.sh/managed-by or vcluster.loft.sh/object-*: an object "   \
	"that a syncer made never defines a tenant"
	static const struct {
		const char *yaml, *why;
	} rows[] = {
		{ TENANT_WITH("", ""), "spec: missing, expected an object" },
		{ TENANT_WITH("", ", spec: null"), "spec: null, expected an object" },
		{ TENANT_WITH("", ", spec: {}, sepc: {}"),
		  "sepc: unknown field, expected one of apiVersion, kind, metadata, spec, status" },
		{ TENANT_WITH(", labels: {vcluster.loft.sh/managed-by: v}", ", spec: {}"),
		  SYNCED_WHY },
		{ TENANT_WITH(", labels: {vcluster.loft.sh/managed-by: 7}", ", spec: {}"),
		  "metadata.labels.vcluster.loft.sh/managed-by: 7, expected text" },
		{ TENANT_WITH(", annotations: {vcluster.loft.sh/object-uid: u}", ", spec: {}"),
		  SYNCED_WHY },
		{ TENANT_WITH(", annotations: {vcluster.loft.sh/object-new-thing: null}",
			      ", spec: {}"),
		  SYNCED_WHY },
	};
	OBJECT(o, TENANT_WITH(", labels: {a: b}, annotations: {vcluster.loft.sh/objects: x}",
			      ", spec: {namespaces: [acme]}, status: {any: thing}"));

	(void)state;
	assert_string_equal(o->tenant->namespaces[0], "acme");
	for (size_t i = 0; i < N(rows); i++) {
		bh_auto(bh_json_freep) struct bh_json *doc = bh_test_yaml(rows[i].yaml);
		struct bh_object *bad = NULL;
		struct bh_err err = { 0 };

		assert_int_equal(bh_object_decode(doc, &bad, &err), -EINVAL);
		assert_string_equal(err.msg, rows[i].why);
	}
}

/* A tenant fills its pod with labels: what decides stays, the rest goes. */
/* CVE-2023-41332: as many labels and annotations as a tenant likes. */
static void decode__pod_with_many_labels__bounded(void **state)
{
	bh_auto(bh_json_freep) struct bh_json *doc = bh_test_yaml(
		"{apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: vcluster, release: vc1, "
		"k8s-app: dns, vcluster.loft.sh/managed-by: vc1}}}");
	bh_auto(bh_object_freep) struct bh_object *few = NULL, *many = NULL;
	struct bh_json *labels =
		(struct bh_json *)bh_json_get(bh_json_get(doc, "metadata"), "labels");

	(void)state;
	bh_json_set_str(labels, "own", "x");
	assert_int_equal(bh_object_decode(doc, &few, NULL), 0);
	assert_int_equal(few->labels.n, 5);
	for (int i = 0; i < 500; i++) {
		char key[32];

		(void)snprintf(key, sizeof(key), "a-tenants-label-%d", i);
		bh_json_set_str(labels, key, "x");
	}
	assert_int_equal(bh_object_decode(doc, &many, NULL), 0);
	assert_int_equal(many->labels.n, 4);
	assert_string_equal(bh_labels_get(&many->labels, "vcluster.loft.sh/managed-by"), "vc1");
	assert_string_equal(bh_labels_get(&many->labels, "release"), "vc1");
	assert_true(many->pod.synced);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identify__known_kinds__key),
		cmocka_unit_test(identify__other_documents__error_with_reason),
		cmocka_unit_test(decode__recorded_pod__what_we_read),
		cmocka_unit_test(decode__recorded_pod_of_a_syncer__synced),
		cmocka_unit_test(decode__recorded_node__addresses_and_no_readiness),
		cmocka_unit_test(decode__recorded_services__cluster_ips),
		cmocka_unit_test(decode__pod_addresses__both_lists_no_duplicates),
		cmocka_unit_test(decode__node__readiness_ranges_and_host_addresses),
		cmocka_unit_test(decode__node__tunnel_addresses_of_cnis),
		cmocka_unit_test(decode__slice__addresses_and_ports),
		cmocka_unit_test(decode__service__all_its_addresses_and_ports),
		cmocka_unit_test(decode__slice_beyond_bounds__opaque),
		cmocka_unit_test(decode__headless_service__no_address),
		cmocka_unit_test(decode__bad_fields__einval_with_path),
		cmocka_unit_test(decode__tenant__strict_outside_of_its_spec_too),
		cmocka_unit_test(decode__pod_with_many_labels__bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
