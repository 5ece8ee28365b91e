/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above, in any order, first */
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/unit/service_help.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const char *const system_namespaces[] = { "kube-system" };

static const struct bh_env env = {
	.node = "n1",
	.system_namespaces = system_namespaces,
	.n_system_namespaces = 1,
};

static struct bh_picture *picture_with(struct bh_model **ret_m, const char *more)
{
	*ret_m = bh_test_model();
	bh_test_put(*ret_m, CLUSTER);
	if (*more)
		bh_test_put(*ret_m, more);
	return bh_test_derive(*ret_m, &env);
}

#define PICTURE(p, text)                                                                           \
	bh_auto(bh_model_freep) struct bh_model *m = NULL;                                         \
	bh_auto(bh_picture_freep) struct bh_picture *p = picture_with(&m, text)

/* What a ClusterIP is, by the endpoints of the one slice behind it. */
static void fold__backends__worst_of_them(void **state)
{
	static const struct {
		const char *endpoints, *is;
	} rows[] = {
		{ AT("10.0.0.1"), "tenant(acme)" },
		{ AT("10.0.0.1") ", " AT("10.0.0.2"), "tenant(acme)" },
		{ "{addresses: [10.0.0.1], conditions: {ready: false, terminating: true}}, " AT(
			  "10.0.0.2"),
		  "tenant(acme)" },
		{ "{addresses: [10.0.0.3], conditions: {ready: false}}, " AT("10.0.0.2"), "mixed" },
		{ AT("10.0.0.4"), "system" },
		{ AT("10.0.0.5") ", " AT("10.0.0.6"), "unassigned" },
		{ AT("10.0.0.1") ", " AT("10.0.0.3"), "mixed" }, /* CVE-2021-25740 */
		{ AT("10.0.0.3"), "tenant(globex)" },
		{ AT("10.0.0.4") ", " AT("10.0.0.5"), "mixed" },
		{ AT("10.0.0.1") ", " AT("10.0.0.4"), "mixed" },
		{ AT("10.0.0.1") ", " AT("10.0.0.100"), "mixed" }, /* a hostNetwork pod */
		{ AT("10.0.0.100"), "node" },			   /* the node's own address */
		{ AT("10.0.0.7"), "mixed" },			   /* on a node without an agent */
		{ AT("10.0.0.8"), "mixed" },			   /* the pod has ended */
		{ AT("10.0.0.200"), "mixed" },
		{ AT("10.0.99.2"), "mixed" }, /* another Service */
		{ AT("8.8.8.8"), "mixed" },
		{ AT("192.168.1.1"), "mixed" },
		{ AT("169.254.169.254"), "mixed" },
		{ AT("127.0.0.1"), "mixed" },
		{ AT("010.000.0.01"), "tenant(acme)" },
		{ AT("::ffff:10.0.0.3"), "tenant(globex)" },
		{ "{addresses: [10.0.0.1, 10.0.0.1, 10.0.0.1, 10.0.0.1, 10.0.0.1, 10.0.0.1, "
		  "10.0.0.1, 10.0.0.1, 10.0.0.3]}",
		  "mixed" },
		{ "", "unknown" },
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		bh_auto(bh_model_freep) struct bh_model *m = bh_test_model();
		bh_auto(bh_picture_freep) struct bh_picture *p = NULL;

		bh_test_put(m, CLUSTER);
		bh_test_put(m, SVC("acme", "web", "spec: {clusterIPs: [10.0.99.1]}")
				       SVC("acme", "other", "spec: {clusterIPs: [10.0.99.2]}")
					       SLICE("acme", "other", AT("10.0.0.1")));
		bh_test_putf(m, SLICE("acme", "web", "%s"), rows[i].endpoints);
		p = bh_test_derive(m, &env);
		if (strcmp(bh_test_addr_is(p, "10.0.99.1"), rows[i].is) != 0)
			fail_msg("[%s]: %s, expected %s", rows[i].endpoints,
				 bh_test_addr_is(p, "10.0.99.1"), rows[i].is);
	}
}

static void fold__all_slices__count(void **state)
{
	static const struct {
		const char *slice, *is;
	} rows[] = {
		{ "", "tenant(acme)" },
		{ SLICE_OF("acme", "w-2", "web", "", "endpoints: [" AT("10.0.0.2") "]"),
		  "tenant(acme)" },
		{ SLICE_OF("acme", "w-2", "web", "", "endpoints: [" AT("10.0.0.3") "]"), "mixed" },
		/* what a syncer made narrows, too */
		{ SLICE_OF("acme", "w-2", "web", SYNCED, "endpoints: [" AT("10.0.0.3") "]"),
		  "mixed" },
		/* of another namespace, of another Service, of none */
		{ SLICE_OF("globex", "w-2", "web", "", "endpoints: [" AT("10.0.0.3") "]"),
		  "tenant(acme)" },
		{ SLICE_OF("acme", "w-2", "web2", "", "endpoints: [" AT("10.0.0.3") "]"),
		  "tenant(acme)" },
		{ "---\n{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: FQDN, "
		  "metadata: {namespace: acme, name: f, labels: {kubernetes.io/service-name: web}}, "
		  "endpoints: [{addresses: [a.example]}]}\n",
		  "mixed" },
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		bh_auto(bh_model_freep) struct bh_model *m = bh_test_model();
		bh_auto(bh_picture_freep) struct bh_picture *p = NULL;

		bh_test_put(m, CLUSTER);
		bh_test_put(m, SVC("acme", "web", "spec: {clusterIP: 10.0.99.1}")
				       SLICE("acme", "web", AT("10.0.0.1")));
		if (*rows[i].slice)
			bh_test_put(m, rows[i].slice);
		p = bh_test_derive(m, &env);
		assert_string_equal(bh_test_addr_is(p, "10.0.99.1"), rows[i].is);
	}
}

static void cluster_ip__no_slice_known__unknown(void **state)
{
	PICTURE(p, SVC("acme", "web", "spec: {clusterIPs: [10.0.99.1, 'fd00:99::1']}"));

	(void)state;
	assert_string_equal(bh_test_addr_is(p, "10.0.99.1"), "unknown");
	assert_string_equal(bh_test_addr_is(p, "fd00:99::1"), "unknown");
}

static void cluster_ip__of_two_services__worst_of_both(void **state)
{
	PICTURE(p,
		SVC("acme", "a", "spec: {clusterIP: 10.0.99.1}") SLICE("acme", "a", AT("10.0.0.1"))
			SVC("acme", "b", "spec: {clusterIP: 10.0.99.1}") SLICE("acme", "b",
									       AT("10.0.0.2"))
				SVC("acme", "c", "spec: {clusterIP: 10.0.99.2}")
					SLICE("acme", "c", AT("10.0.0.1"))
						SVC("globex", "d", "spec: {clusterIP: 10.0.99.2}")
							SLICE("globex", "d", AT("10.0.0.3")));
	struct bh_addr a = bh_test_addr("10.0.99.1");

	(void)state;
	assert_string_equal(bh_test_addr_is(p, "10.0.99.1"), "tenant(acme)");
	assert_int_equal(bh_picture_addr(p, &a)->service, BH_NO_SERVICE);
	assert_string_equal(bh_test_addr_is(p, "10.0.99.2"), "mixed");
}

static void cluster_ip__of_a_node_or_pod__theirs(void **state)
{
	PICTURE(p,
		SVC("acme", "a", "spec: {clusterIP: 10.0.0.3}") SLICE("acme", "a", AT("10.0.0.1"))
			SVC("acme", "b", "spec: {clusterIP: 10.0.0.100}")
				SLICE("acme", "b", AT("10.0.0.1"))
					SVC("acme", "c", "spec: {clusterIP: 10.0.0.7}")
						SLICE("acme", "c", AT("10.0.0.1")));

	(void)state;
	assert_string_equal(bh_test_addr_is(p, "10.0.0.3"), "tenant(globex)");
	assert_string_equal(bh_test_addr_is(p, "10.0.0.100"), "node");
	assert_string_equal(bh_test_addr_is(p, "10.0.0.7"), "unprotected");
}

static void cluster_ip__special_address__nobodys(void **state)
{
	static const char *const rows[] = { "127.0.0.1",   "169.254.169.254",
					    "169.254.7.7", "224.0.0.1",
					    "::1",	   "fd00:ec2::254" };

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		bh_auto(bh_model_freep) struct bh_model *m = bh_test_model();
		bh_auto(bh_picture_freep) struct bh_picture *p = NULL;

		bh_test_put(m, CLUSTER);
		bh_test_putf(m,
			     SVC("acme", "a", "spec: {clusterIP: '%s'}")
				     SLICE("acme", "a", AT("10.0.0.1")),
			     rows[i]);
		p = bh_test_derive(m, &env);
		assert_string_equal(bh_test_addr_is(p, rows[i]), "nobody's");
	}
}

static const char *external_of(const struct bh_picture *p, const char *addr)
{
	const struct bh_addr a = bh_test_addr(addr);
	const struct bh_pic_addr *e = bh_picture_addr(p, &a);
	static char text[128];

	if (!e || !e->external)
		return "no";
	(void)snprintf(text, sizeof(text), "%s(%s)", bh_test_class_name(e->owner),
		       e->owner_tenant == BH_NO_TENANT ? "-" : p->tenants[e->owner_tenant].name);
	return text;
}

/* CVE-2020-8554, CVE-2026-32254: whoever writes a Service writes these. */
static void external__any_address__narrowed_to_the_owner_of_the_backends(void **state)
{
	PICTURE(p,
		SVC("acme", "a",
		    "spec: {clusterIP: 10.0.99.1, externalIPs: [203.0.113.1, 008.8.8.8, "
		    "10.0.77.7, 169.254.169.254]}, status: {loadBalancer: {ingress: [{ip: "
		    "192.168.9.9}, {hostname: a.example}]}}") SLICE("acme", "a", AT("10.0.0.1")));

	(void)state;
	assert_string_equal(bh_test_addr_is(p, "8.8.8.8"), "world_public");
	assert_string_equal(external_of(p, "8.8.8.8"), "tenant(acme)");
	assert_string_equal(bh_test_addr_is(p, "203.0.113.1"), "world_private");
	assert_string_equal(external_of(p, "203.0.113.1"), "tenant(acme)");
	assert_string_equal(bh_test_addr_is(p, "10.0.77.7"), "unknown");
	assert_string_equal(bh_test_addr_is(p, "169.254.169.254"), "metadata");
	assert_string_equal(external_of(p, "169.254.169.254"), "tenant(acme)");
	assert_string_equal(external_of(p, "192.168.9.9"), "tenant(acme)");
}

static void external__somebodys_address__changes_nothing(void **state)
{
	static const char *const rows[] = { "10.0.0.2",	  "10.0.0.3",  "10.0.0.4",  "10.0.0.5",
					    "10.0.0.100", "10.0.0.7",  "10.0.98.1", "10.0.97.1",
					    "10.0.98.10", "10.0.97.10" };
	PICTURE(before,
		SVC("kube-system", "kube-dns", "spec: {clusterIP: 10.0.98.10}")
			SLICE("kube-system", "kube-dns", AT("10.0.0.4"))
				SVC("default", "kubernetes", "spec: {clusterIP: 10.0.97.10}")
					SVC("globex", "web", "spec: {clusterIP: 10.0.98.1}") SLICE(
						"globex", "web", AT("10.0.0.3"))
						SVC("acme", "web", "spec: {clusterIP: 10.0.97.1}")
							SLICE("acme", "web", AT("10.0.0.1")));

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		bh_auto(bh_picture_freep) struct bh_picture *p = NULL;
		bh_autofree char *was = strdup(bh_test_addr_is(before, rows[i]));
		const struct bh_addr a = bh_test_addr(rows[i]);

		bh_test_putf(
			m,
			SVC("acme", "evil", "spec: {externalIPs: [%s], loadBalancerIP: 9.9.9.9}")
				SLICE("acme", "evil", AT("10.0.0.1")),
			rows[i]);
		p = bh_test_derive(m, &env);
		assert_string_equal(bh_test_addr_is(p, rows[i]), was);
		assert_string_equal(external_of(p, rows[i]), "no");
		assert_int_equal(bh_picture_addr(p, &a)->dns, bh_picture_addr(before, &a)->dns);
		assert_string_equal(bh_test_addr_is(p, "9.9.9.9"), "nobody's");
	}
}

static void external__of_several_services__worst_of_all(void **state)
{
	PICTURE(p, SVC("acme", "a", "spec: {externalIPs: [8.8.8.8, 8.8.4.4, 8.8.4.4]}")
			   SLICE("acme", "a", AT("10.0.0.1")) SVC("globex", "b",
								  "spec: {externalIPs: [8.8.8.8]}")
				   SLICE("globex", "b", AT("10.0.0.3"))
					   SVC("acme", "c", "spec: {externalIPs: [8.8.4.4]}")
						   SLICE("acme", "c", AT("10.0.0.2"))
							   SVC("acme", "d",
							       "spec: {externalIPs: "
							       "[1.1.1.1]}"));

	(void)state;
	assert_string_equal(external_of(p, "8.8.8.8"), "mixed(-)");
	assert_string_equal(external_of(p, "8.8.4.4"), "tenant(acme)");
	assert_string_equal(external_of(p, "1.1.1.1"), "mixed(-)"); /* no endpoints: no owner */
}

static void external__more_than_there_is_room_for__a_tenants_left_out(void **state)
{
	bh_auto(bh_model_freep) struct bh_model *m = bh_test_model();
	bh_auto(bh_picture_freep) struct bh_picture *p = NULL;
	static char text[400000];
	size_t n = 0;

	(void)state;
	n += (size_t)snprintf(
		text, sizeof(text),
		"{apiVersion: v1, kind: Service, metadata: {namespace: acme, name: a, "
		"labels: {vcluster.loft.sh/managed-by: v}}, spec: {externalIPs: [");
	for (unsigned int i = 0; i < 16384; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "11.0.%u.%u, ", i / 256, i % 256);
	(void)snprintf(text + n, sizeof(text) - n, "]}}\n");
	bh_test_put(m, text);
	bh_test_put(m, SVC("zoo", "z", "spec: {externalIPs: [8.8.8.8]}"));
	p = bh_test_derive(m, &env);
	assert_string_equal(external_of(p, "8.8.8.8"), "mixed(-)");
	assert_string_equal(external_of(p, "11.0.0.0"), "mixed(-)");
	assert_string_equal(external_of(p, "11.0.63.255"), "no");
	assert_int_equal(p->n_external_left_out, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fold__backends__worst_of_them),
		cmocka_unit_test(fold__all_slices__count),
		cmocka_unit_test(cluster_ip__no_slice_known__unknown),
		cmocka_unit_test(cluster_ip__of_two_services__worst_of_both),
		cmocka_unit_test(cluster_ip__of_a_node_or_pod__theirs),
		cmocka_unit_test(cluster_ip__special_address__nobodys),
		cmocka_unit_test(external__any_address__narrowed_to_the_owner_of_the_backends),
		cmocka_unit_test(external__somebodys_address__changes_nothing),
		cmocka_unit_test(external__of_several_services__worst_of_all),
		cmocka_unit_test(external__more_than_there_is_room_for__a_tenants_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
