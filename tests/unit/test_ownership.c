/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above, in any order, first */
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "model/model.h"
#include "tests/unit/model_help.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const char *const system_namespaces[] = { "kube-system", "bulkhead" };

static const struct bh_env env = {
	.node = "n1",
	.system_namespaces = system_namespaces,
	.n_system_namespaces = 2,
};

static struct bh_picture *picture_of(struct bh_model **ret_m, const char *text)
{
	*ret_m = bh_test_model();
	bh_test_put(*ret_m, text);
	return bh_test_derive(*ret_m, &env);
}

#define PICTURE(p, text)                                                                           \
	bh_auto(bh_model_freep) struct bh_model *m = NULL;                                         \
	bh_auto(bh_picture_freep) struct bh_picture *p = picture_of(&m, text)

static void derive__host_network__node_and_unisolatable(void **state)
{
	PICTURE(p, YAML_TENANT
		"acme}, spec: {namespaces: [acme]}}\n" YAML_POD
		"acme, name: h}, spec: {nodeName: n1, hostNetwork: true}, status: {podIPs: "
		"[{ip: 10.0.0.9}]}}\n" YAML_POD
		"free, name: h}, spec: {nodeName: n1, hostNetwork: true}, status: {podIPs: "
		"[{ip: 10.0.0.9}]}}\n");

	(void)state;
	assert_string_equal(bh_test_pod_is(p, "acme", "h"), "node(acme)");
	assert_true(bh_picture_pod(p, "acme", "h")->unisolatable);
	assert_string_equal(bh_test_pod_is(p, "free", "h"), "node");
	assert_false(bh_picture_pod(p, "free", "h")->unisolatable);
	assert_string_equal(bh_test_addr_is(p, "10.0.0.9"), "nobody's");
	assert_int_equal(p->tenants[0].n_pods, 1);
	assert_int_equal(p->tenants[0].n_local_pods, 0);
}

static void derive__terminal_or_unscheduled__owns_nothing(void **state)
{
	static const char *const rows[] = {
		"spec: {nodeName: n1}, status: {phase: Succeeded, podIPs: [{ip: 10.0.0.1}]}",
		"spec: {nodeName: n1}, status: {phase: Failed, podIP: 10.0.0.1}",
		"spec: {}, status: {phase: Running, podIP: 10.0.0.1}",
		"spec: {nodeName: ''}, status: {phase: Running, podIP: 10.0.0.1}",
		"status: {podIP: 10.0.0.1}",
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		bh_auto(bh_model_freep) struct bh_model *m = bh_test_model();
		bh_auto(bh_picture_freep) struct bh_picture *p = NULL;

		bh_test_putf(m, YAML_POD "acme, name: old}, %s}\n", rows[i]);
		bh_test_put(m, YAML_POD "acme, name: new}, " ON_N1("10.0.0.1"));
		p = bh_test_derive(m, &env);
		assert_false(bh_picture_pod(p, "acme", "old")->live);
		assert_string_equal(bh_test_addr_is(p, "10.0.0.1"), "unassigned");
	}
}

static void derive__two_live_pods_on_one_address__conflict(void **state)
{
	PICTURE(p, YAML_TENANT "acme}, spec: {namespaces: [acme]}}\n" YAML_POD
			       "acme, name: a}, " ON_N1("10.0.0.1") YAML_POD
		"acme, name: b}, " ON_N1("10.0.0.1"));

	(void)state;
	assert_string_equal(bh_test_addr_is(p, "10.0.0.1"), "conflict");
	assert_int_equal(p->n_addrs, 1);
	assert_string_equal(bh_test_pod_is(p, "acme", "a"), "tenant(acme)");
}

static void derive__pod_on_unready_node__unprotected(void **state)
{
	static const struct {
		const char *node, *is;
		bool trust;
	} rows[] = {
		{ "", "unprotected", false },
		{ YAML_NODE "n2}}\n", "unprotected", false },
		{ YAML_NODE
		  "n2}, status: {conditions: [{type: BulkheadReady, status: 'False'}]}}\n",
		  "unprotected", false },
		{ YAML_NODE "n2}, status: {conditions: [{type: Ready, status: 'True'}]}}\n",
		  "unprotected", false },
		{ YAML_NODE "n2}, status: {conditions: [{type: BulkheadReady, status: 'True'}]}}\n",
		  "tenant(acme)", false },
		{ YAML_NODE "n2}}\n", "tenant(acme)", true },
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		bh_auto(bh_model_freep) struct bh_model *m = bh_test_model();
		bh_auto(bh_picture_freep) struct bh_picture *p = NULL;
		struct bh_env e = env;

		e.trust_unready_nodes = rows[i].trust;
		bh_test_put(m, rows[i].node);
		bh_test_put(m, YAML_TENANT "acme}, spec: {namespaces: [acme]}}\n" YAML_POD
					   "acme, name: here}, " ON_N1("10.0.0.1") YAML_POD
			    "acme, name: there}, " ON_N2("10.0.1.1"));
		p = bh_test_derive(m, &e);
		assert_string_equal(bh_test_addr_is(p, "10.0.0.1"), "tenant(acme)");
		assert_string_equal(bh_test_addr_is(p, "10.0.1.1"), rows[i].is);
		assert_string_equal(bh_test_pod_is(p, "acme", "there"), "tenant(acme)");
		assert_false(bh_picture_pod(p, "acme", "there")->local);
	}
}

static void derive__two_unprotected_claims__conflict(void **state)
{
	PICTURE(p, YAML_POD "a, name: a}, " ON_N2("10.0.0.1") YAML_POD
		"b, name: b}, " ON_N2("10.0.0.1"));

	(void)state;
	assert_string_equal(bh_test_addr_is(p, "10.0.0.1"), "conflict");
}

static void derive__node_address__outranks_any_pod(void **state)
{
	const struct bh_addr host[] = { bh_test_addr("10.244.0.1"), bh_test_addr("fe80::1"),
					bh_test_addr("127.0.0.1"), bh_test_addr("::1") };
	bh_auto(bh_model_freep) struct bh_model *m = bh_test_model();
	bh_auto(bh_picture_freep) struct bh_picture *p = NULL;
	struct bh_env e = env;

	(void)state;
	e.host_addrs = host;
	e.n_host_addrs = N(host);
	bh_test_put(m, YAML_POD "a, name: a}, " ON_N1("10.244.0.1") YAML_POD
		    "a, name: b}, " ON_N1("192.168.7.7") YAML_POD
		    "a, name: c}, " ON_N1("192.168.7.8") YAML_NODE
		    "n2, annotations: {bulkhead.dev/host-addresses: '192.168.7.8,fd00::8'}}, "
		    "status: {addresses: [{type: InternalIP, address: 192.168.7.7}]}}\n");
	p = bh_test_derive(m, &e);
	assert_string_equal(bh_test_addr_is(p, "10.244.0.1"), "node");
	assert_string_equal(bh_test_addr_is(p, "192.168.7.7"), "node");
	assert_string_equal(bh_test_addr_is(p, "192.168.7.8"), "node");
	assert_string_equal(bh_test_addr_is(p, "fd00::8"), "node");
	assert_string_equal(bh_test_addr_is(p, "fe80::1"), "node");
	assert_string_equal(bh_test_addr_is(p, "127.0.0.1"), "nobody's");
	assert_string_equal(bh_test_addr_is(p, "::1"), "nobody's");
}

/* A NAT64 router would lead there. */
/* CVE-2023-27594: IPv6 as a way round. */
static void derive__address_behind_nat64__as_the_one_inside(void **state)
{
	static const struct {
		const char *addr;
		enum bh_class cls;
	} rows[] = {
		{ "64:ff9b::0808:0808", BH_CLASS_WORLD_PUBLIC },
		{ "64:ff9b::c000:0009", BH_CLASS_WORLD_PUBLIC },    /* 192.0.0.9 */
		{ "64:ff9b::c000:0008", BH_CLASS_WORLD_PRIVATE },   /* 192.0.0.8 */
		{ "64:ff9b::ac10:0001", BH_CLASS_WORLD_PRIVATE },   /* 172.16.0.1 */
		{ "64:ff9b::0a00:0001", BH_CLASS_TENANT },	    /* 10.0.0.1, the pod */
		{ "64:ff9b::0a00:0002", BH_CLASS_UNKNOWN },	    /* 10.0.0.2 */
		{ "64:ff9b::a9fe:a9fe", BH_CLASS_METADATA },	    /* 169.254.169.254 */
		{ "64:ff9b::a9fe:0001", BH_CLASS_WORLD_LINKLOCAL }, /* 169.254.0.1 */
		{ "64:ff9b::7f00:0001", BH_CLASS_INVALID },	    /* 127.0.0.1 */
		{ "64:ff9b::0808:0404", BH_CLASS_NODE },	    /* 8.8.4.4 */
	};
	PICTURE(p, YAML_TENANT "acme}, spec: {namespaces: [acme]}}\n" YAML_POD
			       "acme, name: a}, " ON_N1("10.0.0.1") YAML_NODE
		"n1}, spec: {podCIDRs: [10.0.0.0/24]}, status: {addresses: [{type: InternalIP, "
		"address: 8.8.4.4}, {type: InternalIP, address: '2600::1'}]}}\n");

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		const struct bh_addr a = bh_test_addr(rows[i].addr);

		assert_int_equal(bh_picture_classify(p, &a), rows[i].cls);
	}
}

static void derive__pod_claims_a_special_address__ignored(void **state)
{
	static const char *const rows[] = {
		"127.0.0.1",   "0.0.0.0",	  "224.0.0.251",     "255.255.255.255",
		"169.254.1.1", "169.254.169.254", "'::1'",	     "'::'",
		"'ff02::1'",   "'fe80::5'",	  "'fd00:ec2::254'", "240.0.0.1"
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		bh_auto(bh_model_freep) struct bh_model *m = bh_test_model();
		bh_auto(bh_picture_freep) struct bh_picture *p = NULL;

		bh_test_putf(m, YAML_POD "a, name: a}, " ON_N1("%s"), rows[i]);
		p = bh_test_derive(m, &env);
		assert_int_equal(p->n_addrs, 0);
	}
}

#define SLICE(ns, name, service)                                                                    \
	"---\n{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, metadata: " \
	"{namespace: " ns ", name: " name ", labels: {kubernetes.io/service-name: " service "}}, "

static void derive__cluster_dns__flags_service_and_endpoints(void **state)
{
	const struct bh_addr servers[] = { bh_test_addr("192.0.2.53"),
					   bh_test_addr("169.254.20.10"),
					   bh_test_addr("127.0.0.53") };
	const struct bh_prefix cluster[] = { bh_test_prefix("10.0.0.0/8") };
	bh_auto(bh_model_freep) struct bh_model *m = bh_test_model();
	bh_auto(bh_picture_freep) struct bh_picture *p = NULL;
	struct bh_env e = env;
	struct bh_addr a;

	(void)state;
	e.dns_servers = servers;
	e.n_dns_servers = N(servers);
	e.cluster_cidrs = cluster;
	e.n_cluster_cidrs = 1;
	bh_test_put(
		m,
		YAML_POD "kube-system, name: coredns}, " ON_N1("10.0.0.2") SLICE(
			"kube-system", "kube-dns-1",
			"kube-dns") "endpoints: [{addresses: [10.0.0.2]}, {addresses: [10.0.9.9]}]}\n"
				    "---\n{apiVersion: v1, kind: Service, metadata: {namespace: kube-system, name: "
				    "kube-dns}, spec: {clusterIPs: [10.96.0.10]}}\n");
	p = bh_test_derive(m, &e);
	assert_int_equal(p->n_addrs, 5);
	a = bh_test_addr("10.0.0.2");
	assert_true(bh_picture_addr(p, &a)->dns);
	assert_string_equal(bh_test_addr_is(p, "10.0.0.2"), "system");
	a = bh_test_addr("10.96.0.10");
	assert_true(bh_picture_addr(p, &a)->dns);
	assert_string_equal(bh_test_addr_is(p, "10.96.0.10"), "mixed");
	assert_string_equal(bh_test_addr_is(p, "10.0.9.9"), "unknown");
	assert_string_equal(bh_test_addr_is(p, "192.0.2.53"), "world_private");
	assert_string_equal(bh_test_addr_is(p, "169.254.20.10"), "world_linklocal");
	assert_string_equal(bh_test_addr_is(p, "127.0.0.53"), "nobody's");
}

static void derive__forged_dns_service__flags_nothing(void **state)
{
	static const char *const rows[] = {
		/* a tenant's Service of that name, in its own namespace */
		"{apiVersion: v1, kind: Service, metadata: {namespace: acme, name: kube-dns}, "
		"spec: {clusterIPs: [10.96.0.10]}}",
		/* made by a syncer, in the right namespace */
		"{apiVersion: v1, kind: Service, metadata: {namespace: kube-system, name: kube-dns, "
		"labels: {vcluster.loft.sh/managed-by: vc1}}, spec: {clusterIPs: [10.96.0.10]}}",
		"{apiVersion: v1, kind: Service, metadata: {namespace: kube-system, name: kube-dns, "
		"annotations: {vcluster.loft.sh/object-name: x}}, spec: {clusterIP: 10.96.0.10}}",
		"{apiVersion: v1, kind: Service, metadata: {namespace: kube-system, name: kube-dns-2, "
		"labels: {k8s-app: kube-dns}}, spec: {clusterIP: 10.96.0.10}}",
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		bh_auto(bh_model_freep) struct bh_model *m = bh_test_model();
		bh_auto(bh_picture_freep) struct bh_picture *p = NULL;

		bh_test_put(m, rows[i]);
		bh_test_put(m,
			    SLICE("acme", "s", "kube-dns") "endpoints: [{addresses: [10.0.0.1]}]}");
		p = bh_test_derive(m, &env);
		for (size_t k = 0; k < p->n_addrs; k++)
			assert_false(p->addrs[k].dns);
		assert_string_equal(bh_test_addr_is(p, "10.0.0.1"), "nobody's");
	}
}

static void derive__synced_slice_of_cluster_dns__ignored(void **state)
{
	PICTURE(p,
		"{apiVersion: v1, kind: Service, metadata: {namespace: kube-system, name: "
		"kube-dns}, spec: {clusterIPs: [10.96.0.10]}}\n"
		"---\n{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, "
		"metadata: {namespace: kube-system, name: s, labels: {kubernetes.io/service-name: "
		"kube-dns, vcluster.loft.sh/managed-by: v}}, endpoints: [{addresses: "
		"[10.0.0.1]}]}\n");

	(void)state;
	assert_int_equal(p->n_addrs, 1);
	assert_string_equal(bh_test_addr_is(p, "10.0.0.1"), "nobody's");
}

static void derive__apiserver__cluster_ip_and_endpoint_ports(void **state)
{
	const struct bh_addr host[] = { bh_test_addr("198.51.100.10") };
	bh_auto(bh_model_freep) struct bh_model *m = bh_test_model();
	bh_auto(bh_picture_freep) struct bh_picture *p = NULL;
	const struct bh_pic_addr *entry;
	struct bh_env e = env;
	struct bh_addr a;

	(void)state;
	e.host_addrs = host;
	e.n_host_addrs = 1;
	bh_test_put(
		m,
		"{apiVersion: v1, kind: Service, metadata: {name: kubernetes}, spec: "
		"{clusterIPs: [10.96.0.1]}}\n" SLICE(
			"default", "kubernetes",
			"kubernetes") "endpoints: [{addresses: [198.51.100.10]}, {addresses: [203.0.113.1]}], ports: "
				      "[{port: 7443}, {port: 6443}, {port: 53, protocol: UDP}, {port: 9443}]}\n");
	p = bh_test_derive(m, &e);
	a = bh_test_addr("10.96.0.1");
	entry = bh_picture_addr(p, &a);
	assert_non_null(entry);
	assert_true(entry->apiserver_any);
	assert_int_equal(entry->apiserver_ports[0], 0);
	a = bh_test_addr("198.51.100.10");
	entry = bh_picture_addr(p, &a);
	assert_int_equal(entry->cls, BH_CLASS_NODE);
	assert_false(entry->apiserver_any);
	assert_int_equal(entry->apiserver_ports[0], 6443);
	assert_int_equal(entry->apiserver_ports[1], 7443);
	a = bh_test_addr("203.0.113.1");
	entry = bh_picture_addr(p, &a);
	assert_int_equal(entry->cls, BH_CLASS_WORLD_PRIVATE);
	assert_int_equal(entry->apiserver_ports[0], 6443);
}

static void classify__cluster_ranges_and_special_ones(void **state)
{
	static const struct {
		const char *addr, *cls;
	} rows[] = {
		{ "10.244.1.1", "unknown" },	   { "10.9.9.9", "unknown" },
		{ "11.0.0.1", "world_public" },	   { "172.16.0.1", "world_private" },
		{ "169.254.169.254", "metadata" }, { "169.254.1.1", "world_linklocal" },
		{ "127.0.0.1", "invalid" },	   { "8.8.8.8", "world_public" },
		{ "fd00:10::1", "unknown" },	   { "fd00:ec2::254", "metadata" },
		{ "fd00:ec2::253", "unknown" },	   { "fc00::1", "world_private" },
		{ "fe80::1", "world_linklocal" },  { "2606:4700::1111", "world_public" },
		{ "100.64.0.1", "unknown" },	   { "100.65.0.1", "unknown" },
		{ "192.0.0.9", "unknown" },	   { "192.0.1.9", "world_public" },
	};
	const struct bh_prefix cluster[] = {
		bh_test_prefix("10.0.0.0/8"),	 bh_test_prefix("fd00::/8"),
		bh_test_prefix("100.64.0.0/10"), bh_test_prefix("192.0.0.0/24"),
		bh_test_prefix("10.0.0.0/8"),
	};
	bh_auto(bh_model_freep) struct bh_model *m = bh_test_model();
	bh_auto(bh_picture_freep) struct bh_picture *p = NULL;
	struct bh_env e = env;

	(void)state;
	e.cluster_cidrs = cluster;
	e.n_cluster_cidrs = N(cluster);
	bh_test_put(m,
		    YAML_NODE "n1}, spec: {podCIDRs: [172.16.0.0/16]}}"); /* configured ones win */
	p = bh_test_derive(m, &e);
	assert_int_equal(p->n_cluster_cidrs, 4);
	for (size_t i = 0; i < N(rows); i++) {
		const struct bh_addr a = bh_test_addr(rows[i].addr);

		if (strcmp(bh_test_class_name(bh_picture_classify(p, &a)), rows[i].cls) != 0)
			fail_msg("%s: %s", rows[i].addr,
				 bh_test_class_name(bh_picture_classify(p, &a)));
	}
	for (size_t i = 1; i < p->n_cidrs; i++)
		assert_true(bh_prefix_cmp(&p->cidrs[i - 1].prefix, &p->cidrs[i].prefix) < 0);
}

static void derive__no_configured_ranges__those_of_the_nodes(void **state)
{
	PICTURE(p, YAML_NODE
		"n1}, spec: {podCIDR: 10.1.0.0/24, podCIDRs: [10.1.0.0/24, 'fd01::/64']}}\n" YAML_NODE
		"n2}, spec: {podCIDRs: [10.1.1.0/24]}}\n" YAML_NODE
		"n3}, spec: {podCIDRs: [10.1.1.0/24]}}\n");
	const struct bh_addr in = bh_test_addr("10.1.1.5"), out = bh_test_addr("10.1.2.5");

	(void)state;
	assert_int_equal(p->n_cluster_cidrs, 3);
	assert_int_equal(bh_picture_classify(p, &in), BH_CLASS_UNKNOWN);
	assert_int_equal(bh_picture_classify(p, &out), BH_CLASS_WORLD_PRIVATE);
}

static void classify__owned_address__its_owners_class(void **state)
{
	PICTURE(p, YAML_POD "a, name: a}, " ON_N1("10.0.0.1"));
	const struct bh_addr a = bh_test_addr("10.0.0.1");

	(void)state;
	assert_int_equal(bh_picture_classify(p, &a), BH_CLASS_UNASSIGNED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(derive__host_network__node_and_unisolatable),
		cmocka_unit_test(derive__terminal_or_unscheduled__owns_nothing),
		cmocka_unit_test(derive__two_live_pods_on_one_address__conflict),
		cmocka_unit_test(derive__pod_on_unready_node__unprotected),
		cmocka_unit_test(derive__two_unprotected_claims__conflict),
		cmocka_unit_test(derive__node_address__outranks_any_pod),
		cmocka_unit_test(derive__address_behind_nat64__as_the_one_inside),
		cmocka_unit_test(derive__pod_claims_a_special_address__ignored),
		cmocka_unit_test(derive__cluster_dns__flags_service_and_endpoints),
		cmocka_unit_test(derive__forged_dns_service__flags_nothing),
		cmocka_unit_test(derive__synced_slice_of_cluster_dns__ignored),
		cmocka_unit_test(derive__apiserver__cluster_ip_and_endpoint_ports),
		cmocka_unit_test(classify__cluster_ranges_and_special_ones),
		cmocka_unit_test(derive__no_configured_ranges__those_of_the_nodes),
		cmocka_unit_test(classify__owned_address__its_owners_class),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
