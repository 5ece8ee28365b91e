/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "bpf/grants.h"
#include "model/tenant.h"
#include "tests/unit/model_help.h"
#include "tests/unit/policy_help.h"

#define TCP_443                                                                                    \
	{                                                                                          \
		.proto = IPPROTO_TCP, .lo = 443, .hi = 443                                         \
	}

/* Two tenants of made-up specs; the first has the grants. */
struct fx {
	struct bh_tenant_spec spec[2];
	struct bh_pic_tenant tenants[2];
	struct bh_picture pic;
	struct bh_ids *ids;
	struct bh_policy *policy;
	uint32_t id[2];
};

static int setup(void **state)
{
	static struct fx fx;

	memset(&fx, 0, sizeof(fx));
	fx.tenants[0] = (struct bh_pic_tenant){ .name = "acme", .spec = &fx.spec[0] };
	fx.tenants[1] = (struct bh_pic_tenant){ .name = "billing", .spec = &fx.spec[1] };
	fx.pic = (struct bh_picture){ .tenants = fx.tenants, .n_tenants = 2 };
	*state = &fx;
	if (bh_ids_new(&fx.ids) < 0 || bh_policy_new(&fx.policy) < 0 ||
	    bh_ids_alloc(fx.ids, "acme", &fx.id[0]) < 0 ||
	    bh_ids_alloc(fx.ids, "billing", &fx.id[1]) < 0)
		return -1;
	return 0;
}

static int teardown(void **state)
{
	struct fx *fx = *state;

	bh_ids_free(fx->ids);
	bh_policy_free(fx->policy);
	return 0;
}

static void assert_told(const struct fx *fx, const char *text)
{
	for (size_t i = 0; i < fx->policy->n_problems; i++) {
		if (strstr(fx->policy->problems[i].text, text))
			return;
	}
	fail_msg("not told: %s", text);
}

static void compile(struct fx *fx)
{
	assert_int_equal(bh_grants_compile(fx->policy, &fx->pic, fx->ids), 0);
	for (int i = 0; i < BH_PM_MAX_; i++)
		assert_int_equal(bh_table_sort(&fx->policy->maps[i]), 0);
}

static void egress(struct fx *fx, struct bh_grant *g, size_t n)
{
	fx->spec[0].net.egress_grants = g;
	fx->spec[0].net.n_egress = n;
	compile(fx);
}

static bool may(const struct fx *fx, const char *addr, uint16_t port)
{
	const struct bh_addr a = bh_test_addr(addr);

	return ph_world(fx->policy, fx->id[0], BH_DIR_EGRESS, &a, IPPROTO_TCP, port);
}

#define NO_ROW UINT64_MAX

/* The id of the port set, or NO_ROW. Rows are not aligned. */
static uint64_t peer(const struct fx *fx, uint8_t dir, uint8_t cls, uint32_t tenant)
{
	const void *v;
	uint64_t id = NO_ROW;

	const struct bh_abi_peer_key key = {
		.tenant = fx->id[0], .peer_tenant = tenant, .dir = dir, .cls = cls
	};

	v = bh_table_get(&fx->policy->maps[BH_PM_PEERS], &key);
	if (v)
		memcpy(&id, v, sizeof(id));
	return id;
}

static void cidr__except__ends_at_its_bounds(void **state)
{
	struct fx *fx = *state;
	struct bh_port_range port = TCP_443;
	struct bh_prefix except = bh_test_prefix("203.0.113.128/25");
	struct bh_grant g = { .cidr = bh_test_prefix("203.0.113.0/24"),
			      .except = &except,
			      .n_except = 1,
			      .ports = &port,
			      .n_ports = 1 };

	egress(fx, &g, 1);
	assert_true(may(fx, "203.0.113.0", 443));
	assert_true(may(fx, "203.0.113.127", 443));
	assert_false(may(fx, "203.0.113.128", 443));
	assert_false(may(fx, "203.0.113.255", 443));
	assert_false(may(fx, "203.0.114.0", 443));
	assert_false(may(fx, "203.0.112.255", 443));
	assert_false(may(fx, "203.0.113.0", 444));
}

static void cidr__all_of_ipv6__no_ipv4(void **state)
{
	struct fx *fx = *state;
	struct bh_grant g = { .cidr = bh_test_prefix("::/0"), .any_port = true };

	egress(fx, &g, 1);
	assert_true(may(fx, "2001:db8::1", 1));
	assert_true(may(fx, "::2", 1));
	assert_false(may(fx, "203.0.113.1", 1));
	assert_false(may(fx, "0.0.0.0", 1));
	assert_false(may(fx, "255.255.255.255", 1));
}

static void cidr__all_of_ipv4__no_ipv6(void **state)
{
	struct fx *fx = *state;
	struct bh_grant g = { .cidr = bh_test_prefix("0.0.0.0/0"), .any_port = true };

	egress(fx, &g, 1);
	assert_true(may(fx, "203.0.113.1", 1));
	assert_true(may(fx, "0.0.0.0", 1));
	assert_false(may(fx, "2001:db8::1", 1));
	assert_false(may(fx, "::1", 1));
}

/* CVE-2024-47825: a narrower grant must not lose what a wider one excepts, nor the reverse. */
static void cidr__narrow_grant_in_except__both_hold(void **state)
{
	struct fx *fx = *state;
	struct bh_prefix except = bh_test_prefix("10.20.0.0/16");
	struct bh_port_range port = TCP_443;
	struct bh_grant g[] = {
		{ .cidr = bh_test_prefix("10.0.0.0/8"),
		  .except = &except,
		  .n_except = 1,
		  .any_port = true },
		{ .cidr = bh_test_prefix("10.20.30.0/24"), .ports = &port, .n_ports = 1 },
	};

	egress(fx, g, 2);
	assert_true(may(fx, "10.1.1.1", 22));
	assert_false(may(fx, "10.20.1.1", 443));
	assert_true(may(fx, "10.20.30.1", 443));
	assert_false(may(fx, "10.20.30.1", 22));
	assert_true(may(fx, "10.21.0.0", 22));
}

/* CVE-2025-64715: no port is not every port. */
static void cidr__empty_ports__nothing(void **state)
{
	struct fx *fx = *state;
	struct bh_grant g = { .cidr = bh_test_prefix("10.0.0.0/8") };

	egress(fx, &g, 1);
	assert_false(may(fx, "10.1.1.1", 443));
	assert_int_equal(fx->policy->maps[BH_PM_PORTSETS].n, 0);
}

static void cidr__other_tenant_and_direction__not_theirs(void **state)
{
	struct fx *fx = *state;
	struct bh_grant g = { .cidr = bh_test_prefix("10.0.0.0/8"), .any_port = true };
	const struct bh_addr a = bh_test_addr("10.1.1.1");

	egress(fx, &g, 1);
	assert_true(ph_world(fx->policy, fx->id[0], BH_DIR_EGRESS, &a, IPPROTO_TCP, 1));
	assert_false(ph_world(fx->policy, fx->id[0], BH_DIR_INGRESS, &a, IPPROTO_TCP, 1));
	assert_false(ph_world(fx->policy, fx->id[1], BH_DIR_EGRESS, &a, IPPROTO_TCP, 1));
}

static void peers__grants_for_one_peer__united(void **state)
{
	struct fx *fx = *state;
	char billing[] = "billing";
	struct bh_port_range a = TCP_443, b = { .proto = IPPROTO_UDP, .lo = 10, .hi = 20 };
	struct bh_grant g[] = {
		{ .peer = BH_GRANT_TENANT, .tenant = billing, .ports = &a, .n_ports = 1 },
		{ .peer = BH_GRANT_NODE, .any_port = true },
		{ .peer = BH_GRANT_TENANT, .tenant = billing, .ports = &b, .n_ports = 1 },
		{ .peer = BH_GRANT_METADATA, .ports = &a, .n_ports = 1 },
		{ .peer = BH_GRANT_APISERVER, .ports = NULL, .n_ports = 0 },
	};
	uint64_t id;

	egress(fx, g, 5);
	id = peer(fx, BH_DIR_EGRESS, BH_CLASS_TENANT, fx->id[1]);
	assert_true(id != NO_ROW);
	assert_true(ph_has_port(fx->policy, id, IPPROTO_TCP, 443));
	assert_true(ph_has_port(fx->policy, id, IPPROTO_UDP, 15));
	assert_false(ph_has_port(fx->policy, id, IPPROTO_TCP, 15));
	assert_true(peer(fx, BH_DIR_INGRESS, BH_CLASS_TENANT, fx->id[1]) == NO_ROW);
	assert_int_equal(peer(fx, BH_DIR_EGRESS, BH_CLASS_NODE, 0), BH_PORTS_ANY);
	assert_true(peer(fx, BH_DIR_EGRESS, BH_CLASS_METADATA, 0) != NO_ROW);
	/* ports: [] is a grant without effect */
	assert_true(peer(fx, BH_DIR_EGRESS, BH_CLASS_APISERVER, 0) == NO_ROW);
	assert_int_equal(fx->policy->maps[BH_PM_PEERS].n, 3);
	assert_int_equal(fx->policy->maps[BH_PM_WORLD].n, 0);
}

static void peers__tenant_that_does_not_exist__nothing(void **state)
{
	struct fx *fx = *state;
	char nobody[] = "nobody";
	struct bh_grant g = { .peer = BH_GRANT_TENANT, .tenant = nobody, .any_port = true };

	egress(fx, &g, 1);
	assert_int_equal(fx->policy->maps[BH_PM_PEERS].n, 0);
	assert_told(fx, "spec.network.egress[0]: without effect: no Tenant 'nobody'");
}

static void peers__other_side_grants_nothing__told(void **state)
{
	struct fx *fx = *state;
	char acme[] = "acme", billing[] = "billing";
	struct bh_grant to = { .peer = BH_GRANT_TENANT, .tenant = billing, .any_port = true };
	struct bh_grant from = { .peer = BH_GRANT_TENANT, .tenant = acme, .any_port = true };

	egress(fx, &to, 1);
	assert_told(fx,
		    "spec.network.egress[0]: without effect: Tenant 'billing' grants no ingress");
	assert_int_equal(teardown(state), 0);
	assert_int_equal(setup(state), 0);
	fx->spec[1].net.ingress_grants = &from;
	fx->spec[1].net.n_ingress = 1;
	egress(fx, &to, 1);
	assert_int_equal(fx->policy->n_problems, 0);
}

static void cidr__inside_nat64__told(void **state)
{
	struct fx *fx = *state;
	struct bh_grant g[] = {
		{ .peer = BH_GRANT_CIDR, .cidr = bh_test_prefix("64:ff9b::/96"), .any_port = true },
		{ .peer = BH_GRANT_CIDR, .cidr = bh_test_prefix("64:ff9b::/95"), .any_port = true },
	};

	egress(fx, g, 2);
	assert_int_equal(fx->policy->n_problems, 1);
	assert_told(fx, "spec.network.egress[0]: without effect: inside of a NAT64 prefix");
}

static void peers__too_many_ranges__not_granted_and_told(void **state)
{
	struct fx *fx = *state;
	char billing[] = "billing";
	struct bh_port_range r[3][BH_TENANT_MAX_PORTS];
	struct bh_grant g[3];

	for (size_t i = 0; i < 3; i++) {
		for (uint16_t k = 0; k < BH_TENANT_MAX_PORTS; k++)
			r[i][k] =
				(struct bh_port_range){ IPPROTO_TCP, (uint16_t)(1000 * i + 2u * k),
							(uint16_t)(1000 * i + 2u * k) };
		g[i] = (struct bh_grant){ .peer = BH_GRANT_TENANT,
					  .tenant = billing,
					  .ports = r[i],
					  .n_ports = BH_TENANT_MAX_PORTS };
	}
	egress(fx, g, 3);
	assert_true(peer(fx, BH_DIR_EGRESS, BH_CLASS_TENANT, fx->id[1]) == NO_ROW);
	assert_told(fx, "spec.network.egress: over 128 separate port ranges");
	assert_string_equal(fx->policy->problems[0].tenant, "acme");
}

static void tenant__without_number__told_and_nothing_granted(void **state)
{
	struct fx *fx = *state;
	struct bh_grant g = { .cidr = bh_test_prefix("10.0.0.0/8"), .any_port = true };

	fx->tenants[0].name = "late";
	egress(fx, &g, 1);
	assert_int_equal(fx->policy->maps[BH_PM_WORLD].n, 0);
	assert_int_equal(fx->policy->n_problems, 1);
	assert_string_equal(fx->policy->problems[0].tenant, "late");
}

/* --- random sets against the plain meaning of the words --- */

#define GRANTS 12
#define EXCEPTS 4
#define ADDRS 300

/* xorshift32 */
static uint32_t next(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

/* Few different bytes, so that prefixes nest and addresses hit them. */
static struct bh_addr random_addr(uint32_t *seed, bool v4)
{
	static const uint8_t bytes[] = { 0, 1, 0x80, 0xff };
	struct bh_addr a = { { 0 } };

	for (int i = v4 ? 12 : 0; i < 16; i++)
		a.b[i] = bytes[next(seed) % 4];
	if (v4)
		memset(a.b + 10, 0xff, 2);
	else if (next(seed) % 4 == 0) /* near the place of IPv4, but not there */
		memset(a.b, 0, 10), a.b[10] = 0xff, a.b[11] = 0xfe;
	return a;
}

static struct bh_prefix cut(struct bh_addr a, uint8_t len)
{
	struct bh_prefix p = { .addr = a, .len = len };

	for (int i = len; i < 128; i++)
		p.addr.b[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	return p;
}

static struct bh_prefix random_prefix(uint32_t *seed, bool v4, uint8_t min)
{
	static const uint8_t l4[] = { 96, 97, 104, 105, 112, 119, 120, 127, 128 };
	static const uint8_t l6[] = { 0, 1, 8, 9, 16, 64, 80, 95, 127, 128 };
	uint8_t len;

	do {
		len = v4 ? l4[next(seed) % sizeof(l4)] : l6[next(seed) % sizeof(l6)];
	} while (len < min);
	return cut(random_addr(seed, v4), len);
}

/* An exception lies inside its grant's cidr, and is of its family. */
static struct bh_prefix random_inside(uint32_t *seed, const struct bh_prefix *outer, bool v4)
{
	struct bh_prefix p = random_prefix(seed, v4, outer->len);

	for (int i = 0; i < outer->len; i++) {
		const uint8_t mask = (uint8_t)(0x80 >> i % 8);

		p.addr.b[i / 8] =
			(uint8_t)((p.addr.b[i / 8] & ~mask) | (outer->addr.b[i / 8] & mask));
	}
	return p;
}

static bool oracle(const struct bh_grant *g, size_t n, const struct bh_addr *a, uint16_t port)
{
	for (size_t i = 0; i < n; i++) {
		bool in = bh_prefix_contains(&g[i].cidr, a);

		for (size_t k = 0; k < g[i].n_except; k++)
			in = in && !bh_prefix_contains(&g[i].except[k], a);
		if (in && (g[i].any_port ||
			   (g[i].n_ports && g[i].ports[0].lo <= port && port <= g[i].ports[0].hi)))
			return true;
	}
	return false;
}

static void check_random(struct fx *fx, uint32_t *seed)
{
	struct bh_prefix except[GRANTS][EXCEPTS];
	struct bh_port_range port[GRANTS];
	struct bh_grant g[GRANTS] = { 0 };
	const size_t n = 1 + next(seed) % GRANTS;

	for (size_t i = 0; i < n; i++) {
		const bool v4 = next(seed) % 2;

		g[i].cidr = random_prefix(seed, v4, 0);
		g[i].except = except[i];
		g[i].n_except = next(seed) % (EXCEPTS + 1);
		for (size_t k = 0; k < g[i].n_except; k++)
			except[i][k] = random_inside(seed, &g[i].cidr, v4);
		port[i] = (struct bh_port_range){ IPPROTO_TCP, (uint16_t)(next(seed) % 8),
						  (uint16_t)(8 + next(seed) % 8) };
		g[i].ports = &port[i];
		g[i].any_port = next(seed) % 4 == 0;
		g[i].n_ports = !g[i].any_port && next(seed) % 5 != 0;
	}
	egress(fx, g, n);
	for (size_t i = 0; i < ADDRS; i++) {
		const struct bh_addr a = random_addr(seed, next(seed) % 2);
		const uint16_t p = (uint16_t)(next(seed) % 20);
		char text[BH_ADDR_STRLEN];

		if (ph_world(fx->policy, fx->id[0], BH_DIR_EGRESS, &a, IPPROTO_TCP, p) !=
		    oracle(g, n, &a, p))
			fail_msg("%s port %u", bh_addr_str(&a, text), p);
	}
}

static void cidr__random_grants__as_their_words_say(void **state)
{
	uint32_t seed = 31337;

	for (int i = 0; i < 150; i++) {
		check_random(*state, &seed);
		assert_int_equal(teardown(state), 0);
		assert_int_equal(setup(state), 0);
	}
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(cidr__except__ends_at_its_bounds),
		T(cidr__all_of_ipv6__no_ipv4),
		T(cidr__all_of_ipv4__no_ipv6),
		T(cidr__narrow_grant_in_except__both_hold),
		T(cidr__empty_ports__nothing),
		T(cidr__other_tenant_and_direction__not_theirs),
		T(peers__grants_for_one_peer__united),
		T(peers__tenant_that_does_not_exist__nothing),
		T(peers__other_side_grants_nothing__told),
		T(cidr__inside_nat64__told),
		T(peers__too_many_ranges__not_granted_and_told),
		T(tenant__without_number__told_and_nothing_granted),
		T(cidr__random_grants__as_their_words_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
