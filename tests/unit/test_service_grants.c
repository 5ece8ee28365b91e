/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above, in any order, first */
#include <cmocka.h>

#include <netinet/in.h>
#include <string.h>

#include "bpf/service_grants.h"
#include "tests/unit/policy_help.h"
#include "tests/unit/service_help.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const char *const system_namespaces[] = { "kube-system" };

static const struct bh_env env = {
	.node = "n1",
	.system_namespaces = system_namespaces,
	.n_system_namespaces = 1,
};

struct fx {
	struct bh_model *m;
	struct bh_picture *pic;
	struct bh_ids *ids;
	struct bh_policy *p;
};

static void open_grants(struct fx *fx, const char *egress, const char *more)
{
	uint32_t id;

	*fx = (struct fx){ .m = bh_test_model() };
	bh_test_put(fx->m, CLUSTER);
	bh_test_putf(fx->m,
		     YAML_TENANT "acme}, spec: {namespaces: [acme], network: {egress: [%s]}}}\n",
		     egress);
	bh_test_put(fx->m, more);
	fx->pic = bh_test_derive(fx->m, &env);
	assert_int_equal(bh_ids_new(&fx->ids), 0);
	assert_int_equal(bh_ids_alloc(fx->ids, "acme", &id), 0);
	assert_int_equal(bh_ids_alloc(fx->ids, "globex", &id), 0);
	assert_int_equal(bh_policy_new(&fx->p), 0);
	assert_int_equal(bh_service_grants_compile(fx->p, fx->pic, fx->ids), 0);
	for (int i = 0; i < BH_PM_MAX_; i++)
		assert_int_equal(bh_table_sort(&fx->p->maps[i]), 0);
}

static void close_grants(struct fx *fx)
{
	bh_policy_free(fx->p);
	bh_ids_free(fx->ids);
	bh_picture_free(fx->pic);
	bh_model_free(fx->m);
}

static bool opens(const struct fx *fx, uint8_t dir, const char *addr, uint8_t proto, uint16_t port)
{
	const struct bh_addr a = bh_test_addr(addr);
	struct bh_abi_service_key key = { .tenant = bh_ids_get(fx->ids, "acme"), .dir = dir };
	const void *v;
	uint64_t id;

	memcpy(key.addr, a.b, 16);
	v = bh_table_get(&fx->p->maps[BH_PM_SERVICES], &key);
	if (!v)
		return false;
	memcpy(&id, v, sizeof(id));
	return ph_has_port(fx->p, id, proto, port);
}

#define OUT BH_DIR_EGRESS
#define IN BH_DIR_INGRESS
#define TO_GW "{to: {service: {namespace: free, name: gw}}"
#define GW_PORTS                                                                                      \
	"ports: [{name: http, port: 80, targetPort: 8080}, {name: tls, port: 443, targetPort: 8443}," \
	" {name: dns, port: 53, protocol: UDP}]"
#define GW(ns)                                                                                     \
	SVC(ns, "gw", "spec: {clusterIPs: [10.0.99.1], externalIPs: [8.8.8.8], " GW_PORTS "}")
#define GW_SLICE(ns, list)                                                                         \
	SLICE_OF(ns, "gw-1", "gw", "",                                                             \
		 "endpoints: [" list "], ports: [{name: http, port: 8080}, {name: tls, port: "     \
		 "8443}, {name: dns, port: 5353, protocol: UDP}, {name: metrics, port: 9090}]")

static void grant__unassigned_service__opens_it_and_its_pods(void **state)
{
	struct fx fx;

	(void)state;
	open_grants(&fx, TO_GW "}",
		    GW("free") GW_SLICE("free", AT("10.0.0.5") ", " AT("10.0.0.6")));
	assert_int_equal(fx.p->n_problems, 0);
	assert_int_equal(fx.p->maps[BH_PM_SERVICES].n, 4);
	assert_true(opens(&fx, OUT, "10.0.99.1", IPPROTO_TCP, 80));
	assert_true(opens(&fx, OUT, "8.8.8.8", IPPROTO_TCP, 443));
	assert_true(opens(&fx, IN, "10.0.0.5", IPPROTO_TCP, 8080));
	assert_true(opens(&fx, IN, "10.0.0.6", IPPROTO_UDP, 5353));
	assert_false(opens(&fx, IN, "10.0.0.5", IPPROTO_TCP, 80));
	assert_false(opens(&fx, IN, "10.0.0.5", IPPROTO_TCP, 5353));
	assert_false(opens(&fx, IN, "10.0.0.5", IPPROTO_TCP, 9090)); /* no port of the Service */
	assert_false(opens(&fx, OUT, "10.0.0.5", IPPROTO_TCP, 8080));
	close_grants(&fx);
}

static void grant__with_ports__those_and_their_targets(void **state)
{
	struct fx fx;

	(void)state;
	open_grants(&fx, TO_GW ", ports: [{protocol: TCP, port: 443}]}",
		    GW("free") GW_SLICE("free", AT("10.0.0.5")));
	assert_true(opens(&fx, OUT, "10.0.99.1", IPPROTO_TCP, 443));
	assert_false(opens(&fx, OUT, "10.0.99.1", IPPROTO_TCP, 80));
	assert_false(opens(&fx, OUT, "10.0.99.1", IPPROTO_UDP, 443));
	assert_true(opens(&fx, IN, "10.0.0.5", IPPROTO_TCP, 8443));
	assert_false(opens(&fx, IN, "10.0.0.5", IPPROTO_TCP, 8080));
	close_grants(&fx);
}

/* CVE-2025-64715 */
static void grant__empty_ports__nothing(void **state)
{
	struct fx fx;

	(void)state;
	open_grants(&fx, TO_GW ", ports: []}", GW("free") GW_SLICE("free", AT("10.0.0.5")));
	assert_int_equal(fx.p->maps[BH_PM_SERVICES].n, 0);
	close_grants(&fx);
}

static void grant__system_service__opens_only_the_service(void **state)
{
	struct fx fx;

	(void)state;
	open_grants(&fx, "{to: {service: {namespace: kube-system, name: gw}}}",
		    GW("kube-system") GW_SLICE("kube-system", AT("10.0.0.4")));
	assert_int_equal(fx.p->n_problems, 0);
	assert_int_equal(fx.p->maps[BH_PM_SERVICES].n, 2);
	assert_true(opens(&fx, OUT, "10.0.99.1", IPPROTO_TCP, 80));
	assert_false(opens(&fx, IN, "10.0.0.4", IPPROTO_TCP, 8080));
	close_grants(&fx);
}

static void grant__two_for_one_pod__united(void **state)
{
	struct fx fx;

	(void)state;
	open_grants(&fx,
		    TO_GW
		    ", ports: [{protocol: TCP, port: 443}]}, {to: {service: {namespace: free, "
		    "name: two}}}",
		    GW("free") GW_SLICE("free", AT("10.0.0.5"))
			    SVC("free", "two", "spec: {clusterIP: 10.0.99.2, ports: [{port: 1}]}")
				    SLICE("free", "two", AT("10.0.0.5")));
	assert_true(opens(&fx, IN, "10.0.0.5", IPPROTO_TCP, 8443));
	assert_true(opens(&fx, IN, "10.0.0.5", IPPROTO_TCP, 8080));
	assert_false(opens(&fx, OUT, "10.0.99.1", IPPROTO_TCP, 1));
	assert_true(opens(&fx, OUT, "10.0.99.2", IPPROTO_TCP, 1));
	close_grants(&fx);
}

static void grant__synced_slice__opens_no_pod(void **state)
{
	struct fx fx;

	(void)state;
	open_grants(&fx, TO_GW "}",
		    GW("free") GW_SLICE("free", AT("10.0.0.5"))
			    SLICE_OF("free", "gw-2", "gw", SYNCED,
				     "endpoints: [" AT("10.0.0.6") "], ports: [{name: http, port: "
								   "22}]"));
	assert_true(opens(&fx, IN, "10.0.0.5", IPPROTO_TCP, 8080));
	assert_false(opens(&fx, IN, "10.0.0.6", IPPROTO_TCP, 22));
	close_grants(&fx);
}

static void grant__address_of_somebody_else__not_opened(void **state)
{
	struct fx fx;

	(void)state;
	open_grants(&fx, TO_GW "}",
		    SVC("free", "gw",
			"spec: {clusterIP: 10.0.99.1, externalIPs: [10.0.0.3, 10.0.0.100, 8.8.8.8, "
			"169.254.169.254], " GW_PORTS "}") GW_SLICE("free", AT("10.0.0.5"))
			    SVC("acme", "same", "spec: {externalIPs: [8.8.8.8]}"));
	assert_true(opens(&fx, OUT, "10.0.99.1", IPPROTO_TCP, 80));
	assert_false(opens(&fx, OUT, "10.0.0.3", IPPROTO_TCP, 80));
	assert_false(opens(&fx, OUT, "10.0.0.100", IPPROTO_TCP, 80));
	assert_false(opens(&fx, OUT, "8.8.8.8", IPPROTO_TCP, 80)); /* claimed twice */
	close_grants(&fx);
}

static void grant__service_of_nodes__opened_at_its_address(void **state)
{
	struct fx fx;

	(void)state;
	open_grants(&fx, TO_GW ", ports: [{protocol: TCP, port: 443}]}",
		    GW("free") GW_SLICE("free", AT("10.0.0.100")));
	assert_true(opens(&fx, OUT, "10.0.99.1", IPPROTO_TCP, 443));
	assert_false(opens(&fx, OUT, "10.0.99.1", IPPROTO_TCP, 80));
	assert_false(opens(&fx, IN, "10.0.0.100", IPPROTO_TCP, 8443));
	assert_int_equal(fx.p->n_problems, 0);
	close_grants(&fx);
}

static void grant__without_effect__told(void **state)
{
	static const struct {
		const char *objects, *why;
	} rows[] = {
		{ SVC("free", "x", ""), "Service free/gw is not there" },
		{ GW("free"), "Service free/gw has no endpoints" },
		{ GW("free") GW_SLICE("free", AT("10.0.0.1")),
		  "Service free/gw leads to a tenant's pods" },
		{ GW("free") GW_SLICE("free", AT("10.0.0.5") ", " AT("10.0.0.1")),
		  "Service free/gw does not lead to pods of one owner alone" },
		{ SVC("free", "gw", "spec: {clusterIP: None}") GW_SLICE("free", AT("10.0.0.5")),
		  "Service free/gw has no address of its own" },
		{ GW("free") GW_SLICE("free", AT("10.0.0.5")) YAML_TENANT
		  "globex}, spec: {namespaces: [free]}}\n",
		  "Service free/gw belongs to a tenant" },
		{ "---\n{apiVersion: v1, kind: Service, metadata: {namespace: free, name: gw, labels: "
		  "{vcluster.loft.sh/managed-by: v}}, spec: {clusterIP: 10.0.99.1}}\n" GW_SLICE(
			  "free", AT("10.0.0.5")),
		  "Service free/gw belongs to a tenant" },
	};
	struct fx fx;

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		open_grants(&fx, TO_GW "}", rows[i].objects);
		assert_int_equal(fx.p->n_problems, 1);
		assert_string_equal(fx.p->problems[0].tenant, "acme");
		assert_non_null(strstr(fx.p->problems[0].text, rows[i].why));
		assert_non_null(strstr(fx.p->problems[0].text, "spec.network.egress[0]"));
		assert_int_equal(fx.p->maps[BH_PM_SERVICES].n, 0);
		close_grants(&fx);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grant__unassigned_service__opens_it_and_its_pods),
		cmocka_unit_test(grant__with_ports__those_and_their_targets),
		cmocka_unit_test(grant__empty_ports__nothing),
		cmocka_unit_test(grant__system_service__opens_only_the_service),
		cmocka_unit_test(grant__two_for_one_pod__united),
		cmocka_unit_test(grant__synced_slice__opens_no_pod),
		cmocka_unit_test(grant__address_of_somebody_else__not_opened),
		cmocka_unit_test(grant__service_of_nodes__opened_at_its_address),
		cmocka_unit_test(grant__without_effect__told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
