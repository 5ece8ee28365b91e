/* SPDX-License-Identifier: Apache-2.0 */
/* Every map of policy without room: what does not fit is denied, told, and healed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "tests/bpf/dp_fixture.h"
#include "tests/bpf/pkt.h"
#include "tests/bpf/world.h"

static const struct bh_ifs no_ifs;

#define ADDRS_MAX 131072
#define CIDRS_MAX 16384 /* of bpf/maps.h */

/* What the kernel says of the pod towards an address of the public world that nobody owns. */
static struct bh_explain_answer to_world(struct dp_fx *fx, struct bh_datapath *dp)
{
	struct bh_explain_answer a = { 0 };
	struct pkt_frame f;
	const char *word;

	assert_int_equal(pkt_build("eth ip4 udp", &world_hosts[OUT], &f, &word), 0);
	assert_int_equal(bh_datapath_explain(dp, fx->ifindex, OUT, f.b, f.len, &a), 0);
	return a;
}

static void fill_addrs(struct bh_policy *p, uint32_t n)
{
	const struct bh_abi_addr v = { .cls = BH_CLASS_NODE };

	for (uint32_t i = 0; i < n; i++) {
		const struct bh_abi_addr_key k = { .addr = { 0x26, [12] = (uint8_t)(i >> 24),
							     (uint8_t)(i >> 16), (uint8_t)(i >> 8),
							     (uint8_t)i } };

		assert_int_equal(bh_table_add(&p->maps[BH_PM_ADDRS], &k, &v), 0);
	}
	dp_sort(p);
}

static void fill_cidrs(struct bh_policy *p, uint32_t n)
{
	const struct bh_abi_cidr v = { .cls = BH_CLASS_UNKNOWN };

	for (uint32_t i = 0; i < n; i++) {
		const struct bh_abi_cidr_key k = {
			.prefixlen = 64, .addr = { 0x26, [6] = (uint8_t)(i >> 8), (uint8_t)i }
		};

		assert_int_equal(bh_table_add(&p->maps[BH_PM_CIDRS], &k, &v), 0);
	}
	dp_sort(p);
}

/* What has no room would be taken for the world's, and a tenant reaches the world. */
static void no_room(struct dp_fx *fx, void (*fill)(struct bh_policy *p, uint32_t n), uint32_t max,
		    const char *map)
{
	struct bh_datapath *dp = dp_shared(fx, BH_ATTACH_CLSACT);
	struct bh_policy *p = dp_policy(fx);
	struct bh_apply_result res;
	struct bh_err err = { 0 };

	(void)dp_apply(dp, dp_policy(fx), &no_ifs);
	assert_int_equal(to_world(fx, dp).verdict, BH_VERDICT_PASS);
	fill(p, max + 1);
	assert_true(bh_datapath_apply(dp, p, &no_ifs, &res, &err) < 0);
	assert_true(res.failures > 0);
	assert_non_null(strstr(err.msg, map));
	assert_non_null(strstr(err.msg, "full"));
	assert_int_equal(to_world(fx, dp).verdict, BH_VERDICT_DROP);
	assert_int_equal(to_world(fx, dp).reason, BH_REASON_PEER_UNKNOWN);
	/* as much as there is room for */
	p = dp_policy(fx);
	fill(p, max - 1);
	(void)dp_apply(dp, p, &no_ifs);
	assert_int_equal(to_world(fx, dp).verdict, BH_VERDICT_PASS);
	(void)dp_apply(dp, dp_policy(fx), &no_ifs);
	assert_int_equal(to_world(fx, dp).verdict, BH_VERDICT_PASS);
}

static void apply__addresses_full__no_world(void **state)
{
	no_room(*state, fill_addrs, ADDRS_MAX, "bh_addrs");
}

static void apply__prefixes_full__no_world(void **state)
{
	no_room(*state, fill_cidrs, CIDRS_MAX, "bh_cidrs");
}

/* A grant, a tenant, a set of ports that found no room is not there: nothing is allowed by it. */
static void apply__grants_full__denied(void **state)
{
	static const struct {
		enum bh_policy_map map;
		uint32_t max;
		const char *name;
	} maps[] = {
		{ BH_PM_TENANTS, 16384, "bh_tenants" },
		{ BH_PM_PORTSETS, 8192, "bh_portsets" },
		{ BH_PM_PEERS, 65536, "bh_peers" },
		{ BH_PM_SERVICES, 65536, "bh_services" },
	};
	struct dp_fx *fx = *state;
	struct bh_datapath *dp = dp_shared(fx, BH_ATTACH_CLSACT);

	for (size_t m = 0; m < sizeof(maps) / sizeof(maps[0]); m++) {
		struct bh_policy *p = dp_policy(fx);
		struct bh_table *t = &p->maps[maps[m].map];
		bh_autofree uint8_t *key = calloc(1, t->key_size);
		bh_autofree uint8_t *value = calloc(1, t->value_size);
		struct bh_apply_result res;
		struct bh_err err = { 0 };

		/* keys in rising order before the pod's own tenant, 16, as bytes: it comes last */
		for (uint32_t i = 0; i <= maps[m].max; i++) {
			memcpy(key,
			       (const uint8_t[]){ 1, (uint8_t)(i >> 16), (uint8_t)(i >> 8),
						  (uint8_t)i },
			       4);
			assert_int_equal(bh_table_add(t, key, value), 0);
		}
		dp_sort(p);
		assert_true(bh_datapath_apply(dp, p, &no_ifs, &res, &err) < 0);
		assert_true(res.failures > 0);
		assert_non_null(strstr(err.msg, maps[m].name));
		assert_non_null(strstr(err.msg, "full"));
		if (maps[m].map == BH_PM_TENANTS) /* whose switches found no room */
			assert_int_equal(to_world(fx, dp).verdict, BH_VERDICT_DROP);
		/* what goes makes room for what is tried again */
		(void)bh_datapath_apply(dp, dp_policy(fx), &no_ifs, &res, NULL);
		(void)dp_apply(dp, dp_policy(fx), &no_ifs);
		assert_int_equal(to_world(fx, dp).verdict, BH_VERDICT_PASS);
	}
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, dp_setup, dp_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(apply__addresses_full__no_world),
		T(apply__prefixes_full__no_world),
		T(apply__grants_full__denied),
	};

	return cmocka_run_group_tests(tests, dp_group_setup, dp_group_teardown);
}
