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

static void derive__no_claim__unassigned_or_system(void **state)
{
	PICTURE(p, YAML_POD "acme, name: web}, " ON_N1("10.0.0.1") YAML_POD
		"kube-system, name: dns}, " ON_N1("10.0.0.2"));

	(void)state;
	assert_string_equal(bh_test_pod_is(p, "acme", "web"), "unassigned");
	assert_string_equal(bh_test_pod_is(p, "kube-system", "dns"), "system");
	assert_string_equal(bh_test_pod_is(p, "acme", "nosuch"), "absent");
	assert_string_equal(bh_test_addr_is(p, "10.0.0.1"), "unassigned");
	assert_string_equal(bh_test_addr_is(p, "10.0.0.2"), "system");
	assert_string_equal(bh_test_addr_is(p, "10.0.0.3"), "nobody's");
}

static void derive__namespace_listed__tenant(void **state)
{
	PICTURE(p, YAML_TENANT "acme}, spec: {namespaces: [acme, acme-2]}}\n" YAML_POD
			       "acme, name: web}, " ON_N1("10.0.0.1") YAML_POD
		"acme-2, name: web}, " ON_N1("10.0.0.2") YAML_POD
		"acme-3, name: web}, " ON_N1("10.0.0.3"));

	(void)state;
	assert_string_equal(bh_test_pod_is(p, "acme", "web"), "tenant(acme)");
	assert_string_equal(bh_test_pod_is(p, "acme-2", "web"), "tenant(acme)");
	assert_string_equal(bh_test_pod_is(p, "acme-3", "web"), "unassigned");
	assert_string_equal(bh_test_addr_is(p, "10.0.0.2"), "tenant(acme)");
	assert_int_equal(p->tenants[0].n_pods, 2);
	assert_int_equal(p->tenants[0].n_local_pods, 2);
}

static void derive__selector__needs_the_namespace_object(void **state)
{
	PICTURE(p,
		YAML_TENANT "acme}, spec: {namespaceSelector: {matchLabels: {t: acme}}}}\n" YAML_POD
			    "a, name: web}, " ON_N1("10.0.0.1"));
	bh_auto(bh_picture_freep) struct bh_picture *late = NULL, *moved = NULL, *gone = NULL;

	(void)state;
	assert_string_equal(bh_test_pod_is(p, "a", "web"), "unassigned");
	bh_test_put(m, YAML_NS "a, labels: {t: acme}}}");
	late = bh_test_derive(m, &env);
	assert_string_equal(bh_test_pod_is(late, "a", "web"), "tenant(acme)");
	bh_test_put(m, YAML_NS "a, labels: {t: globex}}}");
	moved = bh_test_derive(m, &env);
	assert_string_equal(bh_test_pod_is(moved, "a", "web"), "unassigned");
	bh_test_put(m, YAML_NS "a, labels: {t: acme}}}");
	assert_true(bh_test_del(m, BH_KIND_NAMESPACE, NULL, "a"));
	gone = bh_test_derive(m, &env);
	assert_string_equal(bh_test_pod_is(gone, "a", "web"), "unassigned");
}

static void derive__relabelled_namespace__moves_its_pods(void **state)
{
	PICTURE(p, YAML_TENANT
		"acme}, spec: {namespaceSelector: {matchLabels: {t: acme}}}}\n" YAML_TENANT
		"globex}, spec: {namespaceSelector: {matchLabels: {t: globex}}}}\n" YAML_NS
		"a, labels: {t: acme}}}\n" YAML_POD "a, name: web}, " ON_N1("10.0.0.1"));
	bh_auto(bh_picture_freep) struct bh_picture *moved = NULL;

	(void)state;
	assert_string_equal(bh_test_addr_is(p, "10.0.0.1"), "tenant(acme)");
	bh_test_put(m, YAML_NS "a, labels: {t: globex}}}");
	moved = bh_test_derive(m, &env);
	assert_string_equal(bh_test_addr_is(moved, "10.0.0.1"), "tenant(globex)");
}

/* CVE-2025-64715: empty is nothing, not everything. */
static void derive__empty_selector__claims_nothing(void **state)
{
	PICTURE(p,
		YAML_TENANT "acme}, spec: {namespaceSelector: {}}}\n" YAML_NS
			    "a, labels: {t: x}}}\n" YAML_POD "a, name: web}, " ON_N1("10.0.0.1"));

	(void)state;
	assert_string_equal(bh_test_pod_is(p, "a", "web"), "unassigned");
}

/* Namespaces that a syncer makes carry labels that a tenant wrote inside of its virtual cluster. */
static void derive__selector_on_synced_namespace__no_claim(void **state)
{
	static const char *const marks[] = {
		"labels: {t: acme, vcluster.loft.sh/managed-by: x-x-vc1}",
		"labels: {t: acme}, annotations: {vcluster.loft.sh/object-name: web}",
	};

	(void)state;
	for (size_t i = 0; i < N(marks); i++) {
		bh_auto(bh_model_freep) struct bh_model *m = bh_test_model();
		bh_auto(bh_picture_freep) struct bh_picture *p = NULL;

		bh_test_put(m, YAML_TENANT
			    "acme}, spec: {namespaceSelector: {matchLabels: {t: acme}}}}\n" YAML_POD
			    "a, name: web}, " ON_N1("10.0.0.1"));
		bh_test_putf(m, YAML_NS "a, %s}}", marks[i]);
		p = bh_test_derive(m, &env);
		assert_string_equal(bh_test_pod_is(p, "a", "web"), "unassigned");
	}
}

#define VC1_TENANT YAML_TENANT "acme}, spec: {virtualCluster: {name: vc1, namespace: shared}}}\n"
#define VC2_TENANT YAML_TENANT "globex}, spec: {virtualCluster: {name: vc2, namespace: shared}}}\n"

static void derive__two_virtual_clusters_in_one_namespace__no_conflict(void **state)
{
	PICTURE(p, VC1_TENANT VC2_TENANT YAML_POD
		"shared, name: a, labels: {vcluster.loft.sh/managed-by: vc1}}, " ON_N1("10.0.0.1")
			YAML_POD
		"shared, name: b, labels: {vcluster.loft.sh/managed-by: vc2}}, " ON_N1("10.0.0.2")
			YAML_POD
		"shared, name: c, labels: {vcluster.loft.sh/managed-by: vc3}}, " ON_N1("10.0.0.3")
			YAML_POD "shared, name: d}, " ON_N1("10.0.0.4") YAML_POD
		"other, name: e, labels: {vcluster.loft.sh/managed-by: vc1}}, " ON_N1("10.0.0.5"));

	(void)state;
	assert_string_equal(bh_test_pod_is(p, "shared", "a"), "tenant(acme)");
	assert_string_equal(bh_test_pod_is(p, "shared", "b"), "tenant(globex)");
	assert_string_equal(bh_test_pod_is(p, "shared", "c"), "unassigned");
	assert_string_equal(bh_test_pod_is(p, "shared", "d"), "unassigned");
	assert_string_equal(bh_test_pod_is(p, "other", "e"), "unassigned");
}

#define CP_LABELS "labels: {app: vcluster, release: vc1}"
#define OWNER(kind)                                                                                \
	"ownerReferences: [{apiVersion: apps/v1, kind: " kind ", name: vc1, controller: true}]"

static void derive__control_plane__by_labels_and_controller(void **state)
{
	static const struct {
		const char *meta, *is;
		bool control_plane;
	} rows[] = {
		{ CP_LABELS ", " OWNER("StatefulSet"), "tenant(acme)", true },
		{ CP_LABELS ", " OWNER("ReplicaSet"), "tenant(acme)", true },
		{ CP_LABELS, "unassigned", false },
		{ CP_LABELS ", " OWNER("DaemonSet"), "unassigned", false },
		{ CP_LABELS ", ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet}]",
		  "unassigned", false },
		{ CP_LABELS
		  ", ownerReferences: [{apiVersion: x/v1, kind: StatefulSet, controller: true}]",
		  "unassigned", false },
		{ "labels: {app: vcluster, release: vc9}, " OWNER("StatefulSet"), "unassigned",
		  false },
		{ "labels: {app: web, release: vc1}, " OWNER("StatefulSet"), "unassigned", false },
		{ "labels: {release: vc1}, " OWNER("StatefulSet"), "unassigned", false },
		/* a tenant's own pod that pretends to be one */
		{ "labels: {app: vcluster, release: vc1, " BY_VC1 "}, " OWNER("StatefulSet"),
		  "tenant(acme)", false },
		{ "labels: {app: vcluster, release: vc1, vcluster.loft.sh/managed-by: vc9}, " OWNER(
			  "StatefulSet"),
		  "unassigned", false },
		{ CP_LABELS
		  ", annotations: {vcluster.loft.sh/object-uid: u}, " OWNER("StatefulSet"),
		  "unassigned", false },
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		bh_auto(bh_model_freep) struct bh_model *m = bh_test_model();
		bh_auto(bh_picture_freep) struct bh_picture *p = NULL;

		bh_test_put(m, VC1_TENANT);
		bh_test_putf(m, YAML_POD "shared, name: vc1-0, %s}, " ON_N1("10.0.0.1"),
			     rows[i].meta);
		p = bh_test_derive(m, &env);
		if (strcmp(bh_test_pod_is(p, "shared", "vc1-0"), rows[i].is) != 0)
			fail_msg("row %zu: %s", i, bh_test_pod_is(p, "shared", "vc1-0"));
		assert_int_equal(bh_picture_pod(p, "shared", "vc1-0")->control_plane,
				 rows[i].control_plane);
	}
}

/* vc2's tenant labels its pods as vc1's control plane, as vc1's, and as others'. */
/* GHSA-pfhr-pccp-hwmh, CVE-2023-39347, CVE-2023-41333: what a tenant writes on its pods. */
static void derive__forged_labels_on_synced_pods__widen_nothing(void **state)
{
	static const char *const forged[] = {
		"release: vc1",
		"app: vcluster, release: vc1",
		"vcluster.loft.sh/namespace: kube-system",
		"vcluster.loft.sh/controlled-by: vc1",
		"kubernetes.io/metadata.name: other, t: acme",
		"tenant: acme, capsule.clastix.io/tenant: acme",
	};
	static const char *const annotations =
		"annotations: {vcluster.loft.sh/name: x, vcluster.loft.sh/object-namespace: "
		"kube-system, vcluster.loft.sh/object-name: web}";

	(void)state;
	for (size_t i = 0; i < N(forged); i++) {
		bh_auto(bh_model_freep) struct bh_model *m = bh_test_model();
		bh_auto(bh_picture_freep) struct bh_picture *p = NULL;

		bh_test_put(m, VC1_TENANT VC2_TENANT YAML_TENANT
			    "other}, spec: {namespaceSelector: {matchLabels: {t: acme}}}}\n");
		bh_test_put(m, YAML_NS "shared, labels: {x: other}}}");
		bh_test_putf(m,
			     YAML_POD
			     "shared, name: f, labels: {vcluster.loft.sh/managed-by: vc2, %s}, "
			     "%s, " OWNER("StatefulSet") "}, " ON_N1("10.0.0.1"),
			     forged[i], annotations);
		p = bh_test_derive(m, &env);
		assert_string_equal(bh_test_pod_is(p, "shared", "f"), "tenant(globex)");
		assert_false(bh_picture_pod(p, "shared", "f")->control_plane);
	}
}

static void derive__two_tenants_claim_one_pod__conflict(void **state)
{
	static const char *const second[] = {
		"namespaces: [acme]",
		"namespaceSelector: {matchLabels: {t: acme}}",
		"virtualCluster: {name: vc1, namespace: acme}",
	};

	(void)state;
	for (size_t i = 0; i < N(second); i++) {
		bh_auto(bh_model_freep) struct bh_model *m = bh_test_model();
		bh_auto(bh_picture_freep) struct bh_picture *p = NULL, *after = NULL;

		bh_test_put(m, YAML_TENANT "acme}, spec: {namespaces: [acme]}}\n" YAML_NS
					   "acme, labels: {t: acme}}}\n" YAML_POD
					   "acme, name: web, labels: {" BY_VC1
					   "}}, " ON_N1("10.0.0.1"));
		bh_test_putf(m, YAML_TENANT "thief}, spec: {%s}}", second[i]);
		p = bh_test_derive(m, &env);
		assert_string_equal(bh_test_pod_is(p, "acme", "web"), "conflict");
		assert_string_equal(bh_test_addr_is(p, "10.0.0.1"), "conflict");
		assert_int_equal(p->tenants[0].n_pods + p->tenants[1].n_pods, 0);
		assert_true(bh_test_del(m, BH_KIND_TENANT, NULL, "thief"));
		after = bh_test_derive(m, &env);
		assert_string_equal(bh_test_pod_is(after, "acme", "web"), "tenant(acme)");
	}
}

static void derive__one_tenant_claims_thrice__one_claim(void **state)
{
	PICTURE(p, YAML_TENANT
		"acme}, spec: {namespaces: [acme], namespaceSelector: {matchLabels: {t: "
		"acme}}, virtualCluster: {name: vc1, namespace: acme}}}\n" YAML_NS
		"acme, labels: {t: acme}}}\n" YAML_POD "acme, name: web, labels: {" BY_VC1
		"}}, " ON_N1("10.0.0.1") YAML_POD
		"acme, name: vc1-0, " CP_LABELS ", " OWNER("StatefulSet") "}, " ON_N1("10.0.0.2"));

	(void)state;
	assert_string_equal(bh_test_pod_is(p, "acme", "web"), "tenant(acme)");
	assert_string_equal(bh_test_pod_is(p, "acme", "vc1-0"), "tenant(acme)");
	assert_true(bh_picture_pod(p, "acme", "vc1-0")->control_plane);
	assert_int_equal(p->tenants[0].n_pods, 2);
}

static void derive__tenant_claims_a_system_namespace__conflict(void **state)
{
	PICTURE(p, YAML_TENANT "acme}, spec: {namespaces: [kube-system]}}\n" YAML_POD
			       "kube-system, name: dns}, " ON_N1("10.0.0.1"));

	(void)state;
	assert_string_equal(bh_test_pod_is(p, "kube-system", "dns"), "conflict");
}

static void derive__synced_pod_in_a_system_namespace__unassigned(void **state)
{
	PICTURE(p, YAML_POD
		"kube-system, name: a, labels: {vcluster.loft.sh/managed-by: vc1}}, " ON_N1(
			"10.0.0.1") YAML_POD
		"kube-system, name: b, annotations: {vcluster.loft.sh/object-name: b}}, " ON_N1(
			"10.0.0.2"));

	(void)state;
	assert_string_equal(bh_test_pod_is(p, "kube-system", "a"), "unassigned");
	assert_string_equal(bh_test_pod_is(p, "kube-system", "b"), "unassigned");
	assert_string_equal(bh_test_addr_is(p, "10.0.0.1"), "unassigned");
}

static void derive__deleted_tenant__unassigned_never_system(void **state)
{
	PICTURE(p, YAML_TENANT "acme}, spec: {namespaces: [acme]}}\n" YAML_POD
			       "acme, name: web}, " ON_N1("10.0.0.1"));
	bh_auto(bh_picture_freep) struct bh_picture *after = NULL;

	(void)state;
	assert_string_equal(bh_test_pod_is(p, "acme", "web"), "tenant(acme)");
	assert_true(bh_test_del(m, BH_KIND_TENANT, NULL, "acme"));
	after = bh_test_derive(m, &env);
	assert_string_equal(bh_test_pod_is(after, "acme", "web"), "unassigned");
	assert_int_equal(after->n_tenants, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(derive__no_claim__unassigned_or_system),
		cmocka_unit_test(derive__namespace_listed__tenant),
		cmocka_unit_test(derive__selector__needs_the_namespace_object),
		cmocka_unit_test(derive__relabelled_namespace__moves_its_pods),
		cmocka_unit_test(derive__empty_selector__claims_nothing),
		cmocka_unit_test(derive__selector_on_synced_namespace__no_claim),
		cmocka_unit_test(derive__two_virtual_clusters_in_one_namespace__no_conflict),
		cmocka_unit_test(derive__control_plane__by_labels_and_controller),
		cmocka_unit_test(derive__forged_labels_on_synced_pods__widen_nothing),
		cmocka_unit_test(derive__two_tenants_claim_one_pod__conflict),
		cmocka_unit_test(derive__one_tenant_claims_thrice__one_claim),
		cmocka_unit_test(derive__tenant_claims_a_system_namespace__conflict),
		cmocka_unit_test(derive__synced_pod_in_a_system_namespace__unassigned),
		cmocka_unit_test(derive__deleted_tenant__unassigned_never_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
