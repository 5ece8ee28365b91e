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
#include "model/tenant.h"
#include "tests/unit/model_help.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static struct bh_tenant_spec *decode(const char *yaml)
{
	bh_auto(bh_json_freep) struct bh_json *doc = bh_test_yaml(yaml);
	struct bh_tenant_spec *s = NULL;
	struct bh_err err = { 0 };

	if (bh_tenant_spec_decode(doc, &s, &err) != 0)
		fail_msg("%s", err.msg);
	return s;
}

#define SPEC(s, yaml) bh_auto(bh_tenant_spec_freep) struct bh_tenant_spec *s = decode(yaml)

static void spec_decode__empty__defaults(void **state)
{
	SPEC(s, "{}");

	(void)state;
	assert_int_equal(s->n_namespaces, 0);
	assert_false(s->has_selector);
	assert_false(s->vcluster.present);
	assert_int_equal(s->cpu_weight, 100);
	assert_int_equal(s->cpu_quota_milli, 0);
	assert_int_equal(s->net.mode, BH_MODE_ENFORCE);
	assert_int_equal(s->net.egress, BH_WORLD_PUBLIC);
	assert_int_equal(s->net.ingress, BH_WORLD_PUBLIC);
	assert_false(s->net.deny_other_interfaces);
	assert_int_equal(s->net.n_egress + s->net.n_ingress, 0);
	assert_int_equal(s->dns.mode, BH_MODE_ENFORCE);
	assert_true(s->dns.default_allow);
	assert_int_equal(s->dns.n_allow + s->dns.n_deny + s->dns.n_resolver_namespaces, 0);
	assert_false(s->sandbox.required);
	assert_true(s->sandbox.any_class);
}

/* The example of the design, whole. */
static const char full[] =
	"namespaces: [acme, a-first]\n"
	"namespaceSelector:\n"
	"  matchLabels: {t: acme}\n"
	"  matchExpressions: [{key: env, operator: NotIn, values: [test, dev]}]\n"
	"virtualCluster: {name: vc1, namespace: acme, publishMetrics: true}\n"
	"cpu: {weight: 200, quota: \"16\"}\n"
	"network:\n"
	"  mode: audit\n"
	"  world: {egress: all, ingress: none}\n"
	"  otherInterfaces: deny\n"
	"  egress:\n"
	"    - to: {cidr: 203.0.113.0/24, except: [203.0.113.128/25]}\n"
	"      ports: [{protocol: TCP, port: 443}, {protocol: UDP, port: 5000, endPort: 5010}]\n"
	"    - to: {tenant: billing}\n"
	"      ports: [{protocol: SCTP}, {protocol: ICMP}]\n"
	"    - to: {service: {namespace: ingress, name: gateway}}\n"
	"    - to: {apiServer: true}\n"
	"    - to: {node: true}\n"
	"      ports: []\n"
	"    - to: {metadata: true}\n"
	"  ingress:\n"
	"    - from: {tenant: acme-monitoring}\n"
	"    - from: {cidr: 10.20.0.0/16}\n"
	"dns:\n"
	"  mode: \"off\"\n"
	"  allow: [\"*.example.com\", example.org]\n"
	"  deny: [\"*.tracker.example\"]\n"
	"  default: allow\n"
	"  resolverNamespaces: [dns]\n"
	"sandbox: {required: true, runtimeClasses: [kata-qemu, kata-clh]}\n";

static void spec_decode__full_example__claims_cpu_and_sandbox(void **state)
{
	SPEC(s, full);

	(void)state;
	assert_int_equal(s->n_namespaces, 2);
	assert_string_equal(s->namespaces[0], "a-first");
	assert_true(s->has_selector);
	assert_int_equal(s->selector.n, 2);
	assert_string_equal(s->selector.v[0].key, "t");
	assert_int_equal(s->selector.v[1].op, BH_SEL_NOT_IN);
	assert_string_equal(s->selector.v[1].values[0], "dev");
	assert_true(s->vcluster.present && s->vcluster.publish_metrics);
	assert_string_equal(s->vcluster.name, "vc1");
	assert_string_equal(s->vcluster.ns, "acme");
	assert_int_equal(s->cpu_weight, 200);
	assert_int_equal(s->cpu_quota_milli, 16000);
	assert_true(s->sandbox.required);
	assert_false(s->sandbox.any_class);
	assert_int_equal(s->sandbox.n_classes, 2);
	assert_string_equal(s->sandbox.classes[1], "kata-qemu");
}

static void spec_decode__full_example__network(void **state)
{
	SPEC(s, full);
	const struct bh_grant *g = s->net.egress_grants;
	char text[BH_PREFIX_STRLEN];

	(void)state;
	assert_int_equal(s->net.mode, BH_MODE_AUDIT);
	assert_int_equal(s->net.egress, BH_WORLD_ALL);
	assert_int_equal(s->net.ingress, BH_WORLD_NONE);
	assert_true(s->net.deny_other_interfaces);
	assert_int_equal(s->net.n_egress, 6);
	assert_int_equal(g[0].peer, BH_GRANT_CIDR);
	assert_string_equal(bh_prefix_str(&g[0].except[0], text), "203.0.113.128/25");
	assert_false(g[0].any_port);
	assert_int_equal(g[0].n_ports, 2);
	assert_int_equal(g[0].ports[0].proto, IPPROTO_TCP);
	assert_int_equal(g[0].ports[0].hi, 443);
	assert_int_equal(g[0].ports[1].lo, 5000);
	assert_int_equal(g[0].ports[1].hi, 5010);
	assert_string_equal(g[1].tenant, "billing");
	assert_int_equal(g[1].ports[0].proto, IPPROTO_SCTP);
	assert_int_equal(g[1].ports[0].lo, 0);
	assert_int_equal(g[1].ports[0].hi, 65535);
	assert_int_equal(g[1].ports[1].proto, IPPROTO_ICMP);
	assert_string_equal(g[2].service_ns, "ingress");
	assert_string_equal(g[2].service_name, "gateway");
	assert_true(g[2].any_port);
	assert_int_equal(g[3].peer, BH_GRANT_APISERVER);
	assert_int_equal(g[4].peer, BH_GRANT_NODE);
	assert_false(g[4].any_port);
	assert_int_equal(g[4].n_ports, 0);
	assert_int_equal(g[5].peer, BH_GRANT_METADATA);
	assert_int_equal(s->net.n_ingress, 2);
	assert_string_equal(s->net.ingress_grants[0].tenant, "acme-monitoring");
	assert_int_equal(s->net.ingress_grants[1].peer, BH_GRANT_CIDR);
}

static void spec_decode__full_example__dns(void **state)
{
	SPEC(s, full);

	(void)state;
	assert_int_equal(s->dns.mode, BH_MODE_OFF);
	assert_int_equal(s->dns.n_allow, 2);
	assert_true(s->dns.allow[0].wildcard);
	assert_string_equal(s->dns.allow[0].name, "example.com");
	assert_false(s->dns.allow[1].wildcard);
	assert_string_equal(s->dns.allow[1].name, "example.org");
	assert_string_equal(s->dns.deny[0].name, "tracker.example");
	assert_true(s->dns.default_allow);
	assert_string_equal(s->dns.resolver_namespaces[0], "dns");
}

static void spec_decode__dns_default__depends_on_allow(void **state)
{
	static const struct {
		const char *dns;
		bool allow;
	} rows[] = {
		{ "{dns: {}}", true },
		{ "{dns: {deny: [x.example]}}", true },
		{ "{dns: {allow: [x.example]}}", false },
		{ "{dns: {allow: []}}", false },
		{ "{dns: {allow: [], default: allow}}", true },
		{ "{dns: {default: deny}}", false },
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		SPEC(s, rows[i].dns);

		assert_int_equal(s->dns.default_allow, rows[i].allow);
	}
}

/* CVE-2025-64715: an empty list must never turn into an absent one. */
static void spec_decode__absent_and_empty_lists__differ(void **state)
{
	SPEC(absent, "{network: {egress: [{to: {node: true}}]}}");
	SPEC(empty, "{network: {egress: [{to: {node: true}, ports: []}], world: {}}, "
		    "sandbox: {runtimeClasses: []}, namespaces: [], namespaceSelector: {}}");

	(void)state;
	assert_true(absent->net.egress_grants[0].any_port);
	assert_false(empty->net.egress_grants[0].any_port);
	assert_int_equal(empty->net.egress, BH_WORLD_PUBLIC);
	assert_false(empty->sandbox.any_class);
	assert_true(empty->has_selector);
	assert_int_equal(empty->selector.n, 0);
}

struct bad {
	const char *yaml, *why;
};

static void check_bad(const struct bad *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bh_auto(bh_json_freep) struct bh_json *doc = bh_test_yaml(rows[i].yaml);
		struct bh_tenant_spec *const untouched = (struct bh_tenant_spec *)0x1;
		struct bh_tenant_spec *s = untouched;
		struct bh_err err = { 0 };

		assert_int_equal(bh_tenant_spec_decode(doc, &s, &err), -EINVAL);
		assert_string_equal(err.msg, rows[i].why);
		assert_ptr_equal(s, untouched);
	}
}

#define NAMESPACE_RULE "expected a namespace name of lower-case letters, digits and hyphens"
#define NAME_RULE "expected a name of lower-case letters, digits, hyphens and dots"

static void spec_decode__bad_claims__einval_with_path(void **state)
{
	static const struct bad rows[] = {
		{ "7", "spec: 7, expected an object" },
		{ "[]", "spec: array, expected an object" },
		{ "{netwrok: {}}",
		  "spec.netwrok: unknown field, expected one of namespaces, namespaceSelector, "
		  "virtualCluster, cpu, network, dns, sandbox" },
		{ "{namespaces: acme}", "spec.namespaces: 'acme', expected an array" },
		{ "{namespaces: null}", "spec.namespaces: null, expected an array" },
		{ "{namespaces: [a, Acme]}", "spec.namespaces[1]: 'Acme', " NAMESPACE_RULE },
		{ "{namespaces: [a.b]}", "spec.namespaces[0]: 'a.b', " NAMESPACE_RULE },
		{ "{namespaces: [7]}", "spec.namespaces[0]: 7, " NAMESPACE_RULE },
		{ "{namespaces: [b, a, b]}", "spec.namespaces: 'b' is listed twice" },
		{ "{virtualCluster: {namespace: a}}",
		  "spec.virtualCluster.name: missing, expected a virtual cluster's name of "
		  "lower-case letters, digits and hyphens" },
		{ "{virtualCluster: {name: vc1}}",
		  "spec.virtualCluster.namespace: missing, " NAMESPACE_RULE },
		{ "{virtualCluster: {name: vc1, namespace: a, publishMetrics: 'true'}}",
		  "spec.virtualCluster.publishMetrics: 'true', expected true or false" },
		{ "{virtualCluster: {name: vc1, namespace: a, ns: b}}",
		  "spec.virtualCluster.ns: unknown field, expected one of name, namespace, "
		  "publishMetrics" },
		{ "{namespaceSelector: {matchLabels: {'a b': c}}}",
		  "spec.namespaceSelector.matchLabels.a b: expected a label's key before the colon" },
		{ "{namespaceSelector: {matchLabels: {a: 'b c'}}}",
		  "spec.namespaceSelector.matchLabels.a: 'b c', expected a label's value" },
		{ "{namespaceSelector: {matchLabels: [a]}}",
		  "spec.namespaceSelector.matchLabels: array, expected an object" },
		{ "{namespaceSelector: {matchExpressions: [{key: a, operator: in, values: [b]}]}}",
		  "spec.namespaceSelector.matchExpressions[0].operator: 'in', expected one of In, "
		  "NotIn, Exists, DoesNotExist" },
		{ "{namespaceSelector: {matchExpressions: [{key: a, operator: In}]}}",
		  "spec.namespaceSelector.matchExpressions[0].values: missing, expected an array" },
		{ "{namespaceSelector: {matchExpressions: [{key: a, operator: In, values: []}]}}",
		  "spec.namespaceSelector.matchExpressions[0].values: expected at least one with "
		  "operator In or NotIn" },
		{ "{namespaceSelector: {matchExpressions: [{key: a, operator: Exists, values: "
		  "[b]}]}}",
		  "spec.namespaceSelector.matchExpressions[0].values: expected none with operator "
		  "Exists or DoesNotExist" },
		{ "{namespaceSelector: {matchExpressions: [{operator: Exists}]}}",
		  "spec.namespaceSelector.matchExpressions[0].key: missing, expected a label's key" },
	};

	(void)state;
	check_bad(rows, N(rows));
}

/* CVE-2026-25804: numbers just outside of their bounds. */
static void spec_decode__bad_numbers_and_words__einval_with_path(void **state)
{
	static const struct bad rows[] = {
		{ "{cpu: {weight: 0}}", "spec.cpu.weight: 0, expected 1..10000" },
		{ "{cpu: {weight: 10001}}", "spec.cpu.weight: 10001, expected 1..10000" },
		{ "{cpu: {weight: 1.5}}", "spec.cpu.weight: 1.5, expected 1..10000" },
		{ "{cpu: {weight: '200'}}", "spec.cpu.weight: '200', expected 1..10000" },
		{ "{cpu: {quota: 16}}",
		  "spec.cpu.quota: 16, expected a text as \"16\", \"0.5\" or \"250m\"" },
		{ "{cpu: {quota: 16Gi}}",
		  "spec.cpu.quota: '16Gi', expected a text as \"16\", \"0.5\" or \"250m\"" },
		{ "{cpu: {quota: '0'}}", "spec.cpu.quota: '0', expected 1m..100000 cores" },
		{ "{cpu: {quota: '100001'}}",
		  "spec.cpu.quota: '100001', expected 1m..100000 cores" },
		{ "{cpu: {quota: '99999999999999999999999'}}",
		  "spec.cpu.quota: '99999999999999999999999', expected 1m..100000 cores" },
		{ "{network: {mode: Enforce}}",
		  "spec.network.mode: 'Enforce', expected one of enforce, audit, off" },
		{ "{network: {mode: false}}",
		  "spec.network.mode: false, expected one of enforce, audit, off" },
		{ "{network: {world: {egress: private}}}",
		  "spec.network.world.egress: 'private', expected one of public, all, none" },
		{ "{network: {world: public}}",
		  "spec.network.world: 'public', expected an object" },
		{ "{network: {otherInterfaces: drop}}",
		  "spec.network.otherInterfaces: 'drop', expected one of report, deny" },
		{ "{dns: {default: enforce}}",
		  "spec.dns.default: 'enforce', expected one of allow, deny" },
		{ "{dns: {resolverNamespaces: [A]}}",
		  "spec.dns.resolverNamespaces[0]: 'A', " NAMESPACE_RULE },
		{ "{sandbox: {required: 1}}", "spec.sandbox.required: 1, expected true or false" },
		{ "{sandbox: {runtimeClasses: [Kata]}}",
		  "spec.sandbox.runtimeClasses[0]: 'Kata', " NAME_RULE },
	};

	(void)state;
	check_bad(rows, N(rows));
}

static void spec_decode__bad_grants__einval_with_path(void **state)
{
#define EGRESS(grant) "{network: {egress: [" grant "]}}"
#define AT "spec.network.egress[0]"
	static const struct bad rows[] = {
		{ EGRESS("{}"), AT ".to: missing, expected an object" },
		{ EGRESS("{to: {node: true}, port: 1}"),
		  AT ".port: unknown field, expected one of to, ports" },
		{ EGRESS("{from: {tenant: a}}"),
		  AT ".from: unknown field, expected one of to, ports" },
		{ EGRESS("{to: {}}"), AT ".to: 0 peers, expected exactly one of cidr, tenant, "
					 "service, apiServer, node, metadata" },
		{ EGRESS("{to: {node: true, tenant: a}}"), AT
		  ".to: 2 peers, expected exactly one of cidr, tenant, service, apiServer, node, "
		  "metadata" },
		{ EGRESS("{to: {pod: x}}"),
		  AT ".to.pod: unknown field, expected one of cidr, tenant, service, apiServer, "
		     "node, metadata, except" },
		{ EGRESS("{to: {apiServer: false}}"), AT ".to.apiServer: false, expected true" },
		{ EGRESS("{to: {node: 'true'}}"), AT ".to.node: 'true', expected true" },
		{ EGRESS("{to: {metadata: null}}"), AT ".to.metadata: null, expected true" },
		{ EGRESS("{to: {tenant: A}}"), AT ".to.tenant: 'A', " NAME_RULE },
		{ EGRESS("{to: {service: {name: x}}}"),
		  AT ".to.service.namespace: missing, " NAMESPACE_RULE },
		{ EGRESS("{to: {service: {namespace: a}}}"),
		  AT ".to.service.name: missing, " NAME_RULE },
		{ EGRESS("{to: {cidr: 10.0.0.1/8}}"),
		  AT ".to.cidr: 10.0.0.1/8 has bits set behind its prefix" },
		{ EGRESS("{to: {cidr: 10.0.0.1}}"),
		  AT ".to.cidr: expected address/length, as in 10.0.0.0/8" },
		{ EGRESS("{to: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}}"),
		  AT ".to.except[0]: '11.0.0.0/16', expected a smaller range inside the cidr" },
		{ EGRESS("{to: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}}"),
		  AT ".to.except[0]: '10.0.0.0/8', expected a smaller range inside the cidr" },
		{ EGRESS("{to: {cidr: '::/0', except: [10.0.0.0/8]}}"),
		  AT ".to.except[0]: '10.0.0.0/8', expected a smaller range inside the cidr" },
		{ EGRESS("{to: {node: true, except: []}}"),
		  AT ".to.except: expected only beside cidr" },
		{ "{network: {ingress: [{from: {node: true}}]}}",
		  "spec.network.ingress[0].from.node: unknown field, expected one of cidr, tenant, "
		  "except" },
		{ "{network: {ingress: [{to: {tenant: a}}]}}",
		  "spec.network.ingress[0].to: unknown field, expected one of from, ports" },
	};

	(void)state;
	check_bad(rows, N(rows));
}

static void spec_decode__bad_ports__einval_with_path(void **state)
{
#define PORTS(list)                                                                                   \
	"{network: {egress: [{to: {node: true}}, {to: {node: true}}, {to: {tenant: b}, ports: [" list \
	"]}]}}"
#define PAT "spec.network.egress[2].ports[0]"
	static const struct bad rows[] = {
		{ PORTS("{protocol: TCP, port: 70000}"), PAT ".port: 70000, expected 1..65535" },
		{ PORTS("{protocol: TCP, port: 0}"), PAT ".port: 0, expected 1..65535" },
		{ PORTS("{protocol: TCP, port: https}"), PAT ".port: 'https', expected 1..65535" },
		{ PORTS("{protocol: TCP, port: '443'}"), PAT ".port: '443', expected 1..65535" },
		{ PORTS("{port: 443}"),
		  PAT ".protocol: missing, expected one of TCP, UDP, SCTP, ICMP" },
		{ PORTS("{protocol: tcp}"),
		  PAT ".protocol: 'tcp', expected one of TCP, UDP, SCTP, ICMP" },
		{ PORTS("{protocol: UDP, port: 9, endPort: 8}"),
		  PAT ".endPort: 8, expected 9..65535" },
		{ PORTS("{protocol: UDP, port: 9, endPort: 65536}"),
		  PAT ".endPort: 65536, expected 9..65535" },
		{ PORTS("{protocol: UDP, endPort: 8}"), PAT ".endPort: expected only beside port" },
		{ PORTS("{protocol: ICMP, port: 8}"),
		  PAT ".port: expected none with protocol ICMP" },
		{ PORTS("{protocol: TCP, ports: []}"),
		  PAT ".ports: unknown field, expected one of protocol, port, endPort" },
		{ PORTS("443"), PAT ": 443, expected an object" },
		{ "{network: {egress: [{to: {node: true}, ports: {}}]}}",
		  "spec.network.egress[0].ports: object, expected an array" },
	};

	(void)state;
	check_bad(rows, N(rows));
}

static void spec_decode__dns_names__strict(void **state)
{
	static const char *const good[] = {
		"a", "*.a", "_dmarc.example.com", "xn--bcher-kva.ch", "a-b.c", "1.2.3.in-addr.arpa"
	};
	static const char *const bad[] = {
		"",	"*",	"*.",	"*a.b", "a.*.b", "**.a", "A.b",
		"a.b.", ".a.b", "a..b", "a b",	"a/b",	 "ä.de", "*.*.a"
	};
	char yaml[128];

	(void)state;
	for (size_t i = 0; i < N(good); i++) {
		(void)snprintf(yaml, sizeof(yaml), "{dns: {allow: ['%s']}}", good[i]);
		bh_tenant_spec_free(decode(yaml));
	}
	for (size_t i = 0; i < N(bad); i++) {
		bh_auto(bh_json_freep) struct bh_json *doc = NULL;
		struct bh_tenant_spec *s = NULL;

		(void)snprintf(yaml, sizeof(yaml), "{dns: {deny: ['%s']}}", bad[i]);
		doc = bh_test_yaml(yaml);
		if (bh_tenant_spec_decode(doc, &s, NULL) != -EINVAL)
			fail_msg("'%s' was taken", bad[i]);
	}
}

static void spec_decode__over_its_bounds__einval(void **state)
{
	static const struct {
		const char *head, *item, *tail, *why;
		size_t max;
	} rows[] = {
		{ "{network: {egress: [", "{to: {node: true}}", "]}}",
		  "spec.network.egress: 257 elements, expected at most 256", 256 },
		{ "{network: {egress: [{to: {node: true}, ports: [", "{protocol: TCP}", "]}]}}",
		  "spec.network.egress[0].ports: 65 elements, expected at most 64", 64 },
		{ "{network: {egress: [{to: {cidr: 10.0.0.0/8, except: [", "10.1.0.0/16", "]}}]}}",
		  "spec.network.egress[0].to.except: 65 elements, expected at most 64", 64 },
	};
	char *const text = calloc(1, 65536);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < N(rows); i++) {
		for (size_t n = rows[i].max; n <= rows[i].max + 1; n++) {
			bh_auto(bh_json_freep) struct bh_json *doc = NULL;
			bh_auto(bh_tenant_spec_freep) struct bh_tenant_spec *s = NULL;
			struct bh_err err = { 0 };
			char *at = stpcpy(text, rows[i].head);

			for (size_t j = 0; j < n; j++)
				at = stpcpy(stpcpy(at, j ? ", " : ""), rows[i].item);
			(void)strcpy(at, rows[i].tail);
			doc = bh_test_yaml(text);
			assert_int_equal(bh_tenant_spec_decode(doc, &s, &err),
					 n > rows[i].max ? -EINVAL : 0);
			assert_string_equal(err.msg, n > rows[i].max ? rows[i].why : "");
		}
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spec_decode__empty__defaults),
		cmocka_unit_test(spec_decode__full_example__claims_cpu_and_sandbox),
		cmocka_unit_test(spec_decode__full_example__network),
		cmocka_unit_test(spec_decode__full_example__dns),
		cmocka_unit_test(spec_decode__dns_default__depends_on_allow),
		cmocka_unit_test(spec_decode__absent_and_empty_lists__differ),
		cmocka_unit_test(spec_decode__bad_claims__einval_with_path),
		cmocka_unit_test(spec_decode__bad_numbers_and_words__einval_with_path),
		cmocka_unit_test(spec_decode__bad_grants__einval_with_path),
		cmocka_unit_test(spec_decode__bad_ports__einval_with_path),
		cmocka_unit_test(spec_decode__dns_names__strict),
		cmocka_unit_test(spec_decode__over_its_bounds__einval),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
