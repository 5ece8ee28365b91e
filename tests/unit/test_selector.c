/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above, in any order, first */
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "model/object.h"
#include "model/tenant.h"
#include "tests/unit/model_help.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* The selector of a Tenant that has nothing else. */
static struct bh_object *tenant_with(const char *selector)
{
	char yaml[512];

	(void)snprintf(yaml, sizeof(yaml), YAML_TENANT "t}, spec: {namespaceSelector: %s}}",
		       selector);
	return bh_test_object(yaml);
}

static struct bh_object *namespace_with(const char *labels)
{
	char yaml[256];

	(void)snprintf(yaml, sizeof(yaml), YAML_NS "ns, labels: {%s}}}", labels);
	return bh_test_object(yaml);
}

static void selector_matches__as_kubernetes_has_it(void **state)
{
	static const struct {
		const char *selector, *labels;
		bool matches;
	} rows[] = {
		{ "{}", "", false },
		{ "{}", "a: b", false },
		{ "{matchLabels: {}, matchExpressions: []}", "a: b", false },
		{ "{matchLabels: {a: b}}", "a: b", true },
		{ "{matchLabels: {a: b}}", "a: c", false },
		{ "{matchLabels: {a: b}}", "", false },
		{ "{matchLabels: {a: ''}}", "a: ''", true },
		{ "{matchLabels: {a: ''}}", "", false },
		{ "{matchLabels: {a: b, c: d}}", "a: b, c: d, e: f", true },
		{ "{matchLabels: {a: b, c: d}}", "a: b", false },
		{ "{matchExpressions: [{key: a, operator: In, values: [b, c]}]}", "a: c", true },
		{ "{matchExpressions: [{key: a, operator: In, values: [b, c]}]}", "a: d", false },
		{ "{matchExpressions: [{key: a, operator: In, values: [b, c]}]}", "", false },
		{ "{matchExpressions: [{key: a, operator: NotIn, values: [b]}]}", "a: b", false },
		{ "{matchExpressions: [{key: a, operator: NotIn, values: [b]}]}", "a: c", true },
		{ "{matchExpressions: [{key: a, operator: NotIn, values: [b]}]}", "", true },
		{ "{matchExpressions: [{key: a, operator: Exists}]}", "a: ''", true },
		{ "{matchExpressions: [{key: a, operator: Exists, values: []}]}", "b: a", false },
		{ "{matchExpressions: [{key: a, operator: DoesNotExist}]}", "a: ''", false },
		{ "{matchExpressions: [{key: a, operator: DoesNotExist}]}", "b: a", true },
		{ "{matchLabels: {a: b}, matchExpressions: [{key: a, operator: DoesNotExist}]}",
		  "a: b", false },
		{ "{matchLabels: {a: b}, matchExpressions: [{key: c, operator: Exists}]}",
		  "a: b, c: d", true },
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		bh_auto(bh_object_freep) struct bh_object *t = tenant_with(rows[i].selector);
		bh_auto(bh_object_freep) struct bh_object *n = namespace_with(rows[i].labels);

		if (bh_selector_matches(&t->tenant->selector, &n->labels) != rows[i].matches)
			fail_msg("row %zu: %s on {%s}", i, rows[i].selector, rows[i].labels);
	}
}

/* Three keys, each absent or with one of three values: 64 label sets, all of them. */
#define N_KEYS 3
#define N_VALUES 3
static char keys[N_KEYS][2] = { "a", "b", "c" };
static char values[N_VALUES][2] = { "x", "y", "z" };

struct oracle_req {
	unsigned int key, op, set; /* bit per value */
};

/* Written from Kubernetes' documentation, on sets of small numbers instead of texts. */
static bool oracle(const struct oracle_req *reqs, size_t n, const unsigned int *label)
{
	for (size_t i = 0; i < n; i++) {
		const unsigned int v = label[reqs[i].key]; /* 0: absent, else value + 1 */
		const bool in = v && (reqs[i].set >> (v - 1) & 1);
		const bool holds[] = { in, !in, v != 0, v == 0 };

		if (!holds[reqs[i].op])
			return false;
	}
	return n > 0;
}

static void build(const struct oracle_req *reqs, size_t n, struct bh_requirement *v,
		  char *texts[][N_VALUES])
{
	for (size_t i = 0; i < n; i++) {
		v[i] = (struct bh_requirement){ .key = keys[reqs[i].key],
						.op = (enum bh_selector_op)reqs[i].op,
						.values = texts[i] };
		for (unsigned int j = 0; j < N_VALUES; j++)
			if (reqs[i].op < 2 && reqs[i].set >> j & 1)
				texts[i][v[i].n_values++] = values[j];
	}
}

static void compare_on_all_labels(const struct oracle_req *reqs, size_t n)
{
	struct bh_requirement v[4];
	char *texts[4][N_VALUES];
	const struct bh_selector sel = { v, n };

	build(reqs, n, v, texts);
	for (unsigned int code = 0; code < 64; code++) {
		const unsigned int label[N_KEYS] = { code & 3, code >> 2 & 3, code >> 4 & 3 };
		struct bh_label l[N_KEYS];
		struct bh_labels labels = { l, 0 };

		for (size_t k = 0; k < N_KEYS; k++)
			if (label[k])
				l[labels.n++] = (struct bh_label){ keys[k], values[label[k] - 1] };
		if (bh_selector_matches(&sel, &labels) != oracle(reqs, n, label))
			fail_msg("labels %u differ", code);
	}
}

static void selector_matches__random_selectors__as_the_oracle(void **state)
{
	uint32_t seed = 20260101;

	(void)state;
	for (int round = 0; round < 5000; round++) {
		struct oracle_req reqs[4];
		size_t n;

		seed = seed * 1664525 + 1013904223;
		n = (seed >> 16) % 5;
		for (size_t i = 0; i < n; i++) {
			seed = seed * 1664525 + 1013904223;
			reqs[i] = (struct oracle_req){ (seed >> 8) % N_KEYS, (seed >> 16) % 4,
						       1 + (seed >> 24) % 7 };
		}
		compare_on_all_labels(reqs, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(selector_matches__as_kubernetes_has_it),
		cmocka_unit_test(selector_matches__random_selectors__as_the_oracle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
