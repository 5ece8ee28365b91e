/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above, in any order, first */
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "tests/unit/model_help.h"

/*
 * CVE-2024-42488: objects come late, twice, or in any order. In the end the picture is the same,
 * and on the way there nobody is taken for a tenant's pod that he is not in the end.
 */
#define ROUNDS 300
#define TENANT(name, spec) YAML_TENANT name "}, spec: {" spec "}}\n"

static const struct thing {
	enum bh_kind kind;
	const char *ns, *name, *text;
} things[] = {
	{ BH_KIND_TENANT, "", "acme", TENANT("acme", "namespaces: [acme]") },
	{ BH_KIND_TENANT, "", "globex",
	  TENANT("globex", "namespaceSelector: {matchLabels: {team: globex}}") },
	{ BH_KIND_TENANT, "", "vc",
	  TENANT("vc", "virtualCluster: {name: vc1, namespace: shared}") },
	{ BH_KIND_NAMESPACE, "", "acme", YAML_NS "acme}}\n" },
	{ BH_KIND_NAMESPACE, "", "green", YAML_NS "green, labels: {team: globex}}}\n" },
	{ BH_KIND_NAMESPACE, "", "shared", YAML_NS "shared}}\n" },
	{ BH_KIND_NODE, "", "n1",
	  YAML_NODE "n1}, spec: {podCIDRs: [10.1.0.0/16]}, status: {addresses: [{type: InternalIP, "
		    "address: 192.0.2.1}]}}\n" },
	{ BH_KIND_NODE, "", "n2",
	  YAML_NODE
	  "n2}, spec: {podCIDRs: [10.2.0.0/16]}, status: {addresses: [{type: InternalIP, "
	  "address: 192.0.2.2}], conditions: [{type: BulkheadReady, status: 'True'}]}}\n" },
	{ BH_KIND_POD, "acme", "a", YAML_POD "acme, name: a}, " ON_N1("10.1.0.1") },
	{ BH_KIND_POD, "acme", "b", YAML_POD "acme, name: b}, " ON_N2("10.2.0.1") },
	{ BH_KIND_POD, "green", "g", YAML_POD "green, name: g}, " ON_N1("10.1.0.2") },
	{ BH_KIND_POD, "green", "h", YAML_POD "green, name: h}, " ON_N2("10.2.0.2") },
	{ BH_KIND_POD, "shared", "v",
	  YAML_POD "shared, name: v, labels: {" BY_VC1 "}}, " ON_N1("10.1.0.3") },
	{ BH_KIND_POD, "shared", "w", YAML_POD "shared, name: w}, " ON_N1("10.1.0.4") },
	{ BH_KIND_POD, "acme", "twin", YAML_POD "acme, name: twin}, " ON_N2("10.2.0.9") },
	{ BH_KIND_POD, "green", "twin", YAML_POD "green, name: twin}, " ON_N2("10.2.0.9") },
};
#define N_THINGS (sizeof(things) / sizeof(things[0]))

static const struct {
	const char *addr, *is;
} in_the_end[] = {
	{ "10.1.0.1", "tenant(acme)" },	  { "10.2.0.1", "tenant(acme)" },
	{ "10.1.0.2", "tenant(globex)" }, { "10.2.0.2", "tenant(globex)" },
	{ "10.1.0.3", "tenant(vc)" },	  { "10.1.0.4", "unassigned" },
	{ "10.2.0.9", "conflict" },	  { "192.0.2.1", "node" },
};
#define N_ADDRS (sizeof(in_the_end) / sizeof(in_the_end[0]))

static uint32_t next(uint32_t *seed, uint32_t below)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8) % below;
}

static struct bh_picture *derive(const struct bh_model *m)
{
	static const char *const system_ns[] = { "kube-system" };
	struct bh_env env = { .node = "n1",
			      .system_namespaces = system_ns,
			      .n_system_namespaces = 1 };

	return bh_test_derive(m, &env);
}

/* An address that two pods claim in the end may be either one's while the other has not come. */
static void assert_nobody_else(const struct bh_picture *p)
{
	for (size_t i = 0; i < N_ADDRS; i++) {
		const char *const is = bh_test_addr_is(p, in_the_end[i].addr);

		if (!strncmp(is, "tenant", 6) && strcmp(in_the_end[i].is, "conflict") != 0)
			assert_string_equal(is, in_the_end[i].is);
	}
}

static void assert_end(const struct bh_model *m, const char *expected)
{
	bh_auto(bh_picture_freep) struct bh_picture *p = derive(m);
	char *dump = bh_test_picture_dump(p);

	assert_string_equal(dump, expected);
	free(dump);
	for (size_t i = 0; i < N_ADDRS; i++)
		assert_string_equal(bh_test_addr_is(p, in_the_end[i].addr), in_the_end[i].is);
}

static void shuffle(uint32_t *seed, size_t v[static N_THINGS])
{
	for (size_t i = 0; i < N_THINGS; i++)
		v[i] = i;
	for (size_t i = N_THINGS - 1; i > 0; i--) {
		const size_t k = next(seed, (uint32_t)i + 1), t = v[i];

		v[i] = v[k];
		v[k] = t;
	}
}

/* One round: everything comes in some order; some of it goes and comes again on the way. */
static void in_any_order(uint32_t *seed, struct bh_model *m)
{
	size_t order[N_THINGS];

	shuffle(seed, order);
	for (size_t i = 0; i < N_THINGS; i++) {
		const struct thing *t = &things[order[i]];
		struct bh_picture *p;

		bh_test_put(m, t->text);
		if (next(seed, 4) == 0) {
			const struct thing *gone = &things[order[next(seed, (uint32_t)i + 1)]];

			assert_true(bh_test_del(m, gone->kind, gone->ns, gone->name));
			p = derive(m);
			assert_nobody_else(p);
			bh_picture_free(p);
			bh_test_put(m, gone->text);
		}
		p = derive(m);
		assert_nobody_else(p);
		bh_picture_free(p);
	}
}

static void events__in_any_order__same_picture_and_nobody_else_on_the_way(void **state)
{
	uint32_t seed = 20261121;
	char *expected = NULL;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct bh_model *m = bh_test_model();

		in_any_order(&seed, m);
		if (!expected) {
			struct bh_picture *p = derive(m);

			expected = bh_test_picture_dump(p);
			bh_picture_free(p);
		}
		assert_end(m, expected);
		bh_model_free(m);
	}
	free(expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events__in_any_order__same_picture_and_nobody_else_on_the_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
