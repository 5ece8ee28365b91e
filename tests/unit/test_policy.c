/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/bind_help.h"
#include "tests/unit/model_help.h"
#include "tests/unit/policy_help.h"

#define MAC_1 "02:00:00:00:00:01"
#define MAC_2 "02:00:00:00:00:02"
#define LL_1 "fe80::ff:fe00:1"

static const char objects[] = YAML_TENANT
	"acme}, spec: {namespaces: [acme], network: {mode: audit, world: "
	"{egress: none, ingress: all}}}}\n" YAML_TENANT
	"billing}, spec: {namespaces: [billing, both]}}\n" YAML_TENANT
	"third}, spec: {namespaces: [both]}}\n" YAML_POD "acme, name: a}, " ON_N1("10.0.0.1")
		YAML_POD "acme, name: b}, " ON_N1("10.0.0.2") YAML_POD
	"billing, name: c}, " ON_N1("10.0.0.3") YAML_POD "kube-system, name: s}, " ON_N1("10.0.0.4")
		YAML_POD "free, name: u}, " ON_N1("10.0.0.5") YAML_POD
	"both, name: x}, " ON_N1("10.0.0.6") YAML_POD "acme, name: nodes}, " ON_N1("192.168.1.1")
		YAML_POD "acme, name: cloud}, " ON_N1("169.254.169.254") YAML_NODE
	"n1}, spec: {podCIDRs: [10.0.0.0/24, 'fd00:5::/64']}, status: {addresses: "
	"[{type: InternalIP, address: 192.168.1.1}]}}\n";

struct fx {
	struct bind_world w;
	struct bh_ids *ids;
	struct bh_policy *p;
};

static int setup(void **state)
{
	static struct fx fx;
	uint32_t id;

	fx.p = NULL;
	fx.ids = NULL;
	bind_open(&fx.w, objects);
	assert_int_equal(bh_ids_new(&fx.ids), 0);
	assert_int_equal(bh_ids_alloc(fx.ids, "acme", &id), 0);
	assert_int_equal(bh_ids_alloc(fx.ids, "billing", &id), 0);
	assert_int_equal(bh_ids_alloc(fx.ids, "third", &id), 0);
	*state = &fx;
	return 0;
}

static int teardown(void **state)
{
	struct fx *fx = *state;

	bh_policy_free(fx->p);
	bh_ids_free(fx->ids);
	bind_close(&fx->w);
	return 0;
}

static void build(struct fx *fx)
{
	bind_run(&fx->w);
	fx->p = bh_policy_free(fx->p);
	assert_int_equal(bh_policy_build(fx->w.pic, fx->ids, &fx->w.ifs, &fx->p), 0);
}

static struct bh_abi_endpoint endpoint(const struct fx *fx, uint32_t ifindex)
{
	const void *v = bh_table_get(&fx->p->maps[BH_PM_ENDPOINTS], &ifindex);
	struct bh_abi_endpoint ep;

	assert_non_null(v);
	memcpy(&ep, v, sizeof(ep));
	return ep;
}

static struct bh_abi_addr addr_row(const struct fx *fx, const char *text)
{
	const struct bh_addr a = bh_test_addr(text);
	const void *v = bh_table_get(&fx->p->maps[BH_PM_ADDRS], a.b);
	struct bh_abi_addr row;

	assert_non_null(v);
	memcpy(&row, v, sizeof(row));
	return row;
}

static void endpoints__each_kind_of_pod__its_role(void **state)
{
	static const struct {
		const char *addr;
		uint8_t role;
		const char *tenant; /* NULL: id */
		uint32_t id;
	} rows[] = {
		{ "10.0.0.1", BH_ROLE_TENANT, "acme", 0 },
		{ "10.0.0.3", BH_ROLE_TENANT, "billing", 0 },
		{ "10.0.0.4", BH_ROLE_SYSTEM, NULL, BH_TENANT_SYSTEM },
		{ "10.0.0.5", BH_ROLE_UNASSIGNED, NULL, BH_TENANT_UNASSIGNED },
		{ "10.0.0.6", BH_ROLE_CONFLICT, NULL, BH_TENANT_CONFLICT },
	};
	const size_t n = sizeof(rows) / sizeof(rows[0]);
	struct fx *fx = *state;

	for (uint32_t i = 0; i < n; i++) {
		bind_veth(&fx->w, 10 + i, i ? MAC_2 : MAC_1, NULL, NULL);
		fx->w.links[i].peer_mac.b[4] = (uint8_t)i;
		bind_route(&fx->w, rows[i].addr, 10 + i);
	}
	build(fx);
	for (uint32_t i = 0; i < n; i++) {
		const struct bh_abi_endpoint ep = endpoint(fx, 10 + i);
		const struct bh_addr a = bh_test_addr(rows[i].addr);

		assert_int_equal(ep.role, rows[i].role);
		assert_int_equal(ep.tenant,
				 rows[i].tenant ? bh_ids_get(fx->ids, rows[i].tenant) : rows[i].id);
		assert_int_equal(ep.flags, BH_EP_HAS_V4);
		assert_memory_equal(ep.ip4, a.b + 12, 4);
		assert_memory_equal(ep.mac, fx->w.links[i].peer_mac.b, 6);
	}
}

static void endpoints__link_local__from_the_mac_and_owned(void **state)
{
	const struct bh_addr ll = bh_test_addr(LL_1);
	struct fx *fx = *state;

	bind_veth(&fx->w, 10, MAC_1, "10.0.0.1", NULL);
	build(fx);
	assert_memory_equal(endpoint(fx, 10).ll6, ll.b, 16);
	assert_int_equal(addr_row(fx, LL_1).cls, BH_CLASS_TENANT);
	assert_int_equal(addr_row(fx, LL_1).tenant, bh_ids_get(fx->ids, "acme"));
}

static void endpoints__one_mac_in_one_tenant__its_link_local(void **state)
{
	struct fx *fx = *state;

	bind_veth(&fx->w, 10, MAC_1, "10.0.0.1", NULL);
	bind_veth(&fx->w, 11, MAC_1, "10.0.0.2", NULL);
	build(fx);
	assert_int_equal(addr_row(fx, LL_1).cls, BH_CLASS_TENANT);
}

static void endpoints__one_mac_in_two_tenants__nobodys_link_local(void **state)
{
	struct fx *fx = *state;

	bind_veth(&fx->w, 10, MAC_1, "10.0.0.1", NULL);
	bind_veth(&fx->w, 11, MAC_1, "10.0.0.3", NULL);
	build(fx);
	assert_int_equal(addr_row(fx, LL_1).cls, BH_CLASS_CONFLICT);
	assert_int_equal(addr_row(fx, LL_1).tenant, 0);
}

/* A pod may choose its MAC: whatever it chooses, there is a policy. */
static void endpoints__one_mac_many_times__nobodys_link_local(void **state)
{
	static const char *const orders[][5] = {
		{ "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5" },
		{ "10.0.0.3", "10.0.0.1", "10.0.0.2", "10.0.0.5", "10.0.0.4" },
		{ "10.0.0.5", "10.0.0.3", "10.0.0.4", "10.0.0.2", "10.0.0.1" },
		{ "10.0.0.1", "10.0.0.3", "10.0.0.2", NULL, NULL },
		{ "10.0.0.1", "10.0.0.2", "10.0.0.3", NULL, NULL },
		{ "10.0.0.3", "10.0.0.2", "10.0.0.1", NULL, NULL },
	};
	struct fx *fx = *state;

	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		fx->w.in.n_links = 0;
		memset(fx->w.links, 0, sizeof(fx->w.links));
		for (uint32_t k = 0; k < 5 && orders[i][k]; k++)
			bind_veth(&fx->w, 10 + k, MAC_1, orders[i][k], NULL);
		build(fx);
		assert_int_equal(addr_row(fx, LL_1).cls, BH_CLASS_CONFLICT);
		assert_int_equal(addr_row(fx, "10.0.0.1").cls, BH_CLASS_TENANT);
	}
}

static void endpoints__interface_of_two_pods__conflict(void **state)
{
	struct fx *fx = *state;

	bind_veth(&fx->w, 10, MAC_1, "10.0.0.1", "10.0.0.3");
	build(fx);
	assert_int_equal(endpoint(fx, 10).role, BH_ROLE_CONFLICT);
	assert_int_equal(endpoint(fx, 10).tenant, BH_TENANT_CONFLICT);
}

/* Elsewhere its packets would be the node's, whom every pod lets in. */
static void endpoints__address_that_is_somebody_elses__conflict(void **state)
{
	struct fx *fx = *state;

	bind_veth(&fx->w, 10, MAC_1, "192.168.1.1", NULL);
	bind_veth(&fx->w, 11, MAC_2, "169.254.169.254", NULL);
	build(fx);
	assert_int_equal(addr_row(fx, "192.168.1.1").cls, BH_CLASS_NODE);
	assert_int_equal(endpoint(fx, 10).role, BH_ROLE_CONFLICT);
	assert_int_equal(endpoint(fx, 11).role, BH_ROLE_CONFLICT);
}

static void endpoints__quarantined_or_left_alone__none(void **state)
{
	struct fx *fx = *state;

	bind_veth(&fx->w, 10, MAC_1, NULL, NULL);
	build(fx);
	assert_int_equal(fx->p->maps[BH_PM_ENDPOINTS].n, 0);
	fx->w.in.first_start = true;
	build(fx);
	assert_int_equal(fx->p->maps[BH_PM_ENDPOINTS].n, 0);
}

static void tenant__without_number__conflict(void **state)
{
	struct fx *fx = *state;

	bh_ids_free(fx->ids);
	assert_int_equal(bh_ids_new(&fx->ids), 0);
	bind_veth(&fx->w, 10, MAC_1, "10.0.0.1", NULL);
	build(fx);
	assert_int_equal(endpoint(fx, 10).role, BH_ROLE_CONFLICT);
	assert_int_equal(addr_row(fx, "10.0.0.1").cls, BH_CLASS_CONFLICT);
	assert_int_equal(addr_row(fx, "10.0.0.1").tenant, 0);
	assert_int_equal(fx->p->maps[BH_PM_TENANTS].n, 0);
	assert_int_equal(fx->p->n_problems, 3);
}

static void tenant__switches__as_in_the_spec(void **state)
{
	struct fx *fx = *state;
	struct bh_abi_tenant t;
	uint32_t id;

	build(fx);
	assert_int_equal(fx->p->maps[BH_PM_TENANTS].n, 3);
	id = bh_ids_get(fx->ids, "acme");
	memcpy(&t, bh_table_get(&fx->p->maps[BH_PM_TENANTS], &id), sizeof(t));
	assert_int_equal(t.mode, 1);
	assert_int_equal(t.world_egress, 2);
	assert_int_equal(t.world_ingress, 1);
	id = bh_ids_get(fx->ids, "billing");
	memcpy(&t, bh_table_get(&fx->p->maps[BH_PM_TENANTS], &id), sizeof(t));
	assert_int_equal(t.mode, 0);
	assert_int_equal(t.world_egress, 0);
	assert_int_equal(t.world_ingress, 0);
}

static void addrs__owners__by_class(void **state)
{
	struct fx *fx = *state;

	build(fx);
	assert_int_equal(addr_row(fx, "10.0.0.1").tenant, bh_ids_get(fx->ids, "acme"));
	assert_int_equal(addr_row(fx, "10.0.0.3").tenant, bh_ids_get(fx->ids, "billing"));
	assert_int_equal(addr_row(fx, "10.0.0.4").cls, BH_CLASS_SYSTEM);
	assert_int_equal(addr_row(fx, "10.0.0.5").cls, BH_CLASS_UNASSIGNED);
	assert_int_equal(addr_row(fx, "10.0.0.6").cls, BH_CLASS_CONFLICT);
	assert_int_equal(addr_row(fx, "192.168.1.1").cls, BH_CLASS_NODE);
}

/* Made by hand: the bytes of the flags and ports that the kernel compares. */
static void addrs__dns_and_apiserver__flags_and_ports_in_network_order(void **state)
{
	struct bh_pic_addr a = { .addr = bh_test_addr("10.96.0.1"),
				 .cls = BH_CLASS_NODE,
				 .dns = true,
				 .apiserver_any = true,
				 .apiserver_ports = { 6443, 0 },
				 .tenant = BH_NO_TENANT };
	const struct bh_picture pic = { .addrs = &a, .n_addrs = 1 };
	const struct bh_ifs none = { 0 };
	struct fx *fx = *state;
	struct bh_abi_addr row;

	assert_int_equal(bh_policy_build(&pic, fx->ids, &none, &fx->p), 0);
	row = addr_row(fx, "10.96.0.1");
	assert_int_equal(row.cls, BH_CLASS_NODE);
	assert_int_equal(row.flags, BH_ADDR_DNS | BH_ADDR_APISERVER_ANY);
	assert_memory_equal(&row.api_ports[0], "\x19\x2b", 2);
	assert_int_equal(row.api_ports[1], 0);
}

/* The model's ranges, looked up as the kernel does: no range of one family reaches the other. */
static void cidrs__well_known_addresses__their_class(void **state)
{
	static const struct {
		const char *addr;
		enum bh_class cls;
	} rows[] = {
		{ "8.8.8.8", BH_CLASS_WORLD_PUBLIC },
		{ "1.0.0.0", BH_CLASS_WORLD_PUBLIC },
		{ "223.255.255.254", BH_CLASS_WORLD_PUBLIC },
		{ "2606:4700::1111", BH_CLASS_WORLD_PUBLIC },
		{ "10.9.9.9", BH_CLASS_WORLD_PRIVATE },
		{ "172.31.255.255", BH_CLASS_WORLD_PRIVATE },
		{ "172.32.0.0", BH_CLASS_WORLD_PUBLIC },
		{ "192.168.9.9", BH_CLASS_WORLD_PRIVATE },
		{ "100.64.0.1", BH_CLASS_WORLD_PRIVATE },
		{ "fd12::1", BH_CLASS_WORLD_PRIVATE },
		{ "169.254.1.1", BH_CLASS_WORLD_LINKLOCAL },
		{ "fe80::1", BH_CLASS_WORLD_LINKLOCAL },
		{ "169.254.169.254", BH_CLASS_METADATA },
		{ "fd00:ec2::254", BH_CLASS_METADATA },
		{ "127.0.0.1", BH_CLASS_INVALID },
		{ "0.0.0.0", BH_CLASS_INVALID },
		{ "224.0.0.1", BH_CLASS_INVALID },
		{ "255.255.255.255", BH_CLASS_INVALID },
		{ "::", BH_CLASS_INVALID },
		{ "::1", BH_CLASS_INVALID },
		{ "ff02::1", BH_CLASS_INVALID },
		{ "10.0.0.77", BH_CLASS_UNKNOWN },
		{ "fd00:5::77", BH_CLASS_UNKNOWN },
		{ "10.0.0.4", BH_CLASS_SYSTEM },
	};
	struct fx *fx = *state;

	build(fx);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct bh_addr a = bh_test_addr(rows[i].addr);

		if (ph_class(fx->p, &a) != rows[i].cls)
			fail_msg("%s is %s", rows[i].addr, bh_test_class_name(ph_class(fx->p, &a)));
	}
}

static void policy__built_twice__same_bytes(void **state)
{
	struct fx *fx = *state;
	struct bh_policy *again = NULL;

	bind_veth(&fx->w, 10, MAC_1, "10.0.0.1", NULL);
	bind_veth(&fx->w, 11, MAC_1, "10.0.0.3", NULL);
	bind_veth(&fx->w, 12, MAC_2, "10.0.0.4", NULL);
	build(fx);
	assert_int_equal(bh_policy_build(fx->w.pic, fx->ids, &fx->w.ifs, &again), 0);
	for (int i = 0; i < BH_PM_MAX_; i++) {
		const struct bh_table *a = &fx->p->maps[i], *b = &again->maps[i];

		assert_int_equal(a->n, b->n);
		if (a->n)
			assert_memory_equal(a->rows, b->rows, a->n * (a->key_size + a->value_size));
	}
	bh_policy_free(again);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(endpoints__each_kind_of_pod__its_role),
		T(endpoints__link_local__from_the_mac_and_owned),
		T(endpoints__one_mac_in_one_tenant__its_link_local),
		T(endpoints__one_mac_in_two_tenants__nobodys_link_local),
		T(endpoints__one_mac_many_times__nobodys_link_local),
		T(endpoints__interface_of_two_pods__conflict),
		T(endpoints__address_that_is_somebody_elses__conflict),
		T(endpoints__quarantined_or_left_alone__none),
		T(tenant__without_number__conflict),
		T(tenant__switches__as_in_the_spec),
		T(addrs__owners__by_class),
		T(addrs__dns_and_apiserver__flags_and_ports_in_network_order),
		T(cidrs__well_known_addresses__their_class),
		T(policy__built_twice__same_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
