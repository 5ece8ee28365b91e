/* SPDX-License-Identifier: Apache-2.0 */
/* What grants open, and that they open nothing else. The grants are in world_hosts.c. */
#include <stdio.h>

#include "tests/bpf/world.h"

#define T "tenant"
#define G "granted"

static const struct world_row ports[] = {
	{ "ports__tcp_single__passes", T, OUT, "eth ip4 dst=friend tcp dport=5432", PASSES },
	{ "ports__tcp_single_v6__passes", T, OUT, "eth ip6 dst=friend tcp dport=5432", PASSES },
	{ "ports__tcp_below__denied", T, OUT, "eth ip4 dst=friend tcp dport=5431",
	  DROPS(PEER_TENANT) },
	{ "ports__tcp_above__denied", T, OUT, "eth ip4 dst=friend tcp dport=5433",
	  DROPS(PEER_TENANT) },
	{ "ports__byte_swapped__denied", T, OUT, "eth ip4 dst=friend tcp dport=0x3815",
	  DROPS(PEER_TENANT) },
	{ "ports__source_port__denied", T, OUT, "eth ip4 dst=friend tcp sport=5432 dport=99",
	  DROPS(PEER_TENANT) },
	{ "ports__other_protocol__denied", T, OUT, "eth ip4 dst=friend udp dport=5432",
	  DROPS(PEER_TENANT) },
	{ "ports__tcp_0__denied", T, OUT, "eth ip4 dst=friend tcp dport=0", DROPS(PEER_TENANT) },
	{ "ports__tcp_1__passes", T, OUT, "eth ip4 dst=friend tcp dport=1", PASSES },
	{ "ports__tcp_2__denied", T, OUT, "eth ip4 dst=friend tcp dport=2", DROPS(PEER_TENANT) },
	{ "ports__tcp_65534__denied", T, OUT, "eth ip4 dst=friend tcp dport=65534",
	  DROPS(PEER_TENANT) },
	{ "ports__tcp_65535__passes", T, OUT, "eth ip4 dst=friend tcp dport=65535", PASSES },
	{ "ports__udp_range_below__denied", T, OUT, "eth ip4 dst=friend udp dport=4999",
	  DROPS(PEER_TENANT) },
	{ "ports__udp_range_first__passes", T, OUT, "eth ip4 dst=friend udp dport=5000", PASSES },
	{ "ports__udp_range_middle__passes", T, OUT, "eth ip4 dst=friend udp dport=5005", PASSES },
	{ "ports__udp_range_last__passes", T, OUT, "eth ip4 dst=friend udp dport=5010", PASSES },
	{ "ports__udp_range_above__denied", T, OUT, "eth ip4 dst=friend udp dport=5011",
	  DROPS(PEER_TENANT) },
	{ "ports__udp_range_by_tcp__denied", T, OUT, "eth ip4 dst=friend tcp dport=5005",
	  DROPS(PEER_TENANT) },
	{ "ports__udp_0_after_tcp_65535__denied", T, OUT, "eth ip4 dst=friend udp dport=0",
	  DROPS(PEER_TENANT) },
	{ "ports__udp_65535__denied", T, OUT, "eth ip4 dst=friend udp dport=65535",
	  DROPS(PEER_TENANT) },
	{ "ports__icmp__passes", T, OUT, "eth ip4 dst=friend icmp4", PASSES },
	{ "ports__icmp_v6__passes", T, OUT, "eth ip6 dst=friend icmp6", PASSES },
	{ "ports__icmp_high_id__passes", T, OUT, "eth ip4 dst=friend icmp4 id=65535", PASSES },
	{ "ports__any_tcp__passes", G, OUT, "eth ip4 dst=foe tcp dport=9", PASSES },
	{ "ports__any_udp__passes", G, OUT, "eth ip6 dst=foe udp dport=9", PASSES },
	{ "ports__any_icmp__passes", G, OUT, "eth ip4 dst=foe icmp4", PASSES },
	{ "ports__any_gre__dropped", G, OUT, "eth ip4 dst=foe proto=47 data len=24",
	  DROPS(L4_PROTO) },
	{ "ports__empty_set__denied", G, OUT, "eth ip4 dst=friend tcp", DROPS(PEER_TENANT) },
	{ "ports__empty_set_icmp__denied", G, OUT, "eth ip4 dst=friend icmp4", DROPS(PEER_TENANT) },
	{ "ports__missing_set__denied", G, OUT, "eth ip4 dst=caller tcp", DROPS(PEER_TENANT) },
};

static const struct world_row directions[] = {
	{ "direction__egress_grant_from_peer__denied", T, IN, "eth ip4 src=friend tcp dport=5432",
	  DROPS(PEER_TENANT) },
	{ "direction__egress_grant_ping_from_peer__denied", T, IN, "eth ip4 src=friend icmp4",
	  DROPS(PEER_TENANT) },
	{ "direction__ingress_grant__passes", T, IN, "eth ip4 src=caller tcp dport=5432", PASSES },
	{ "direction__ingress_grant_counts_own_port__denied", T, IN,
	  "eth ip4 src=caller tcp sport=5432 dport=99", DROPS(PEER_TENANT) },
	{ "direction__ingress_grant_ping__passes", T, IN, "eth ip6 src=caller icmp6", PASSES },
	{ "direction__ingress_grant_to_peer__denied", T, OUT, "eth ip4 dst=caller tcp dport=5432",
	  DROPS(PEER_TENANT) },
	{ "direction__any_grant_from_peer__denied", G, IN, "eth ip4 src=foe tcp",
	  DROPS(PEER_TENANT) },
	{ "direction__grant_of_another_tenant__denied", T, OUT, "eth ip4 dst=foe tcp",
	  DROPS(PEER_TENANT) },
	{ "direction__grant_for_control_plane_too__passes", "control_plane", OUT,
	  "eth ip4 dst=friend tcp dport=5432", PASSES },
	{ "direction__unassigned_has_no_grants__denied", "unassigned", OUT,
	  "eth ip4 dst=friend tcp dport=5432", DROPS(PEER_TENANT) },
};

static const struct world_row classes[] = {
	{ "class__apiserver_cluster_ip__passes", G, OUT, "eth ip4 dst=api tcp dport=443", PASSES },
	{ "class__apiserver_endpoint__passes", G, OUT, "eth ip4 dst=apinode tcp dport=6443",
	  PASSES },
	{ "class__apiserver_is_not_its_node__denied", G, OUT, "eth ip4 dst=apinode tcp dport=6444",
	  DROPS(PEER_NODE) },
	{ "class__node_port__passes", G, OUT, "eth ip4 dst=node tcp dport=443", PASSES },
	{ "class__node_port_beside__denied", G, OUT, "eth ip4 dst=node tcp dport=444",
	  DROPS(PEER_NODE) },
	{ "class__node_udp__denied", G, OUT, "eth ip4 dst=node udp dport=443", DROPS(PEER_NODE) },
	{ "class__node_ping__denied", G, OUT, "eth ip4 dst=node icmp4", DROPS(PEER_NODE) },
	{ "class__gateway_is_a_node__passes", G, OUT, "eth ip6 dst=gw tcp dport=443", PASSES },
	{ "class__metadata__passes", G, OUT, "eth ip4 dst=metadata tcp dport=80", PASSES },
	{ "class__metadata_v6__passes", G, OUT, "eth ip6 dst=metadata tcp dport=80", PASSES },
	{ "class__metadata_from__denied", G, IN, "eth ip4 src=metadata tcp", DROPS(PEER_METADATA) },
	{ "class__node_grant_is_not_system__denied", G, OUT, "eth ip4 dst=system tcp dport=443",
	  DROPS(PEER_SYSTEM) },
	{ "class__node_grant_is_not_unassigned__denied", G, OUT,
	  "eth ip4 dst=unassigned tcp dport=443", DROPS(PEER_UNASSIGNED) },
};

static const struct world_row cidrs[] = {
	{ "cidr__port__passes", G, OUT, "eth ip4 dst=172.16.1.1 tcp dport=443", PASSES },
	{ "cidr__first_address__passes", G, OUT, "eth ip4 dst=172.16.0.0 tcp dport=443", PASSES },
	{ "cidr__last_address__passes", G, OUT, "eth ip4 dst=172.16.255.255 tcp dport=443",
	  PASSES },
	{ "cidr__other_port__denied", G, OUT, "eth ip4 dst=172.16.1.1 tcp dport=80",
	  DROPS(PEER_WORLD_PRIVATE) },
	{ "cidr__beside__denied", G, OUT, "eth ip4 dst=172.17.0.0 tcp dport=443",
	  DROPS(PEER_WORLD_PRIVATE) },
	{ "cidr__except__denied", G, OUT, "eth ip4 dst=172.16.5.1 tcp dport=443",
	  DROPS(PEER_WORLD_PRIVATE) },
	{ "cidr__except_last__denied", G, OUT, "eth ip4 dst=172.16.5.127 tcp dport=443",
	  DROPS(PEER_WORLD_PRIVATE) },
	{ "cidr__grant_inside_except__passes", G, OUT, "eth ip4 dst=172.16.5.128 udp", PASSES },
	{ "cidr__behind_except__passes", G, OUT, "eth ip4 dst=172.16.6.0 tcp dport=443", PASSES },
	{ "cidr__missing_set__denied", G, OUT, "eth ip4 dst=172.16.9.1 tcp dport=443",
	  DROPS(PEER_WORLD_PRIVATE) },
	{ "cidr__v6__passes", G, OUT, "eth ip6 dst=fd99::4:ffff tcp dport=443", PASSES },
	{ "cidr__v6_except__denied", G, OUT, "eth ip6 dst=fd99::5:1 tcp dport=443",
	  DROPS(PEER_WORLD_PRIVATE) },
	{ "cidr__v6_beside__denied", G, OUT, "eth ip6 dst=fd99:0:0:1::1 tcp dport=443",
	  DROPS(PEER_WORLD_PRIVATE) },
	{ "cidr__egress_grant_from_peer__denied", G, IN, "eth ip4 src=172.16.1.1 tcp dport=443",
	  DROPS(PEER_WORLD_PRIVATE) },
	{ "cidr__ingress_grant__passes", G, IN, "eth ip4 src=172.20.3.3 tcp", PASSES },
	{ "cidr__ingress_grant_to_peer__denied", G, OUT, "eth ip4 dst=172.20.3.3 tcp",
	  DROPS(PEER_WORLD_PRIVATE) },
	{ "cidr__of_another_tenant__denied", T, OUT, "eth ip4 dst=172.16.1.1 tcp dport=443",
	  DROPS(PEER_WORLD_PRIVATE) },
	{ "cidr__over_unknown__denied", G, OUT, "eth ip4 dst=unknown tcp", DROPS(PEER_UNKNOWN) },
	{ "cidr__over_system_pod__denied", G, OUT, "eth ip4 dst=system tcp", DROPS(PEER_SYSTEM) },
	{ "cidr__over_mixed_service__denied", G, OUT, "eth ip4 dst=mixed tcp", DROPS(PEER_MIXED) },
	{ "cidr__over_node__denied", G, OUT, "eth ip4 dst=node tcp dport=80", DROPS(PEER_NODE) },
	{ "cidr__over_conflict__denied", G, OUT, "eth ip4 dst=conflict tcp", DROPS(PEER_CONFLICT) },
	{ "cidr__over_service_range__denied", G, OUT, "eth ip4 dst=10.96.7.7 tcp",
	  DROPS(PEER_UNKNOWN) },
};

/* Every port around a set of as many ranges as there may be: 1000, 1002, ... 1254. */
static void ports__full_set__exactly_its_ports(void **state)
{
	struct world *w = *state;

	world_become(w, WORLD_IFINDEX, G);
	for (unsigned int port = 990; port < 1270; port++) {
		const bool in = port >= 1000 && port <= 1254 && port % 2 == 0;
		char text[64];
		struct world_run run = { .pkt = text, .dir = OUT, .dry = true };
		struct world_answer a;

		(void)snprintf(text, sizeof(text), "eth ip4 dst=mate tcp dport=%u", port);
		a = world_run(w, &run);
		assert_int_equal(a.error, 0);
		assert_int_equal(a.verdict, in ? BH_VERDICT_PASS : BH_VERDICT_DROP);
		assert_int_equal(a.reason, in ? BH_REASON_NONE : BH_REASON_PEER_TENANT);
		assert_int_equal(a.grant, in);
	}
}

/* Which of the two let it through, and towards whom, is in the answer. */
static void explain__grant_and_peer__named(void **state)
{
	struct world *w = *state;
	struct world_run run = { .pkt = "eth ip4 dst=friend tcp dport=5432",
				 .dir = OUT,
				 .dry = true };
	struct world_answer a;

	world_become(w, WORLD_IFINDEX, T);
	a = world_run(w, &run);
	assert_true(a.grant);
	assert_int_equal(a.cls, BH_CLASS_TENANT);
	assert_int_equal(a.peer_tenant, T_FRIEND);
	run.pkt = "eth ip4 dst=mate tcp";
	a = world_run(w, &run);
	assert_false(a.grant);
	assert_int_equal(a.cls, BH_CLASS_TENANT);
	assert_int_equal(a.peer_tenant, T_OWN);
	run.pkt = "eth ip4 dst=apinode tcp dport=6443";
	a = world_run(w, &run);
	assert_false(a.grant);
	assert_int_equal(a.cls, BH_CLASS_APISERVER);
	assert_int_equal(a.peer_tenant, 0);
	world_become(w, WORLD_IFINDEX, G);
	a = world_run(w, &run);
	assert_true(a.grant);
	run.pkt = "eth ip4 dst=172.16.1.1 tcp dport=443";
	a = world_run(w, &run);
	assert_true(a.grant);
	assert_int_equal(a.cls, BH_CLASS_WORLD_PRIVATE);
}

int main(void)
{
	struct world_suite *s = suite_new();

	suite_rows(s, ports, sizeof(ports) / sizeof(ports[0]));
	suite_rows(s, directions, sizeof(directions) / sizeof(directions[0]));
	suite_rows(s, classes, sizeof(classes) / sizeof(classes[0]));
	suite_rows(s, cidrs, sizeof(cidrs) / sizeof(cidrs[0]));
	SUITE_TEST(s, ports__full_set__exactly_its_ports);
	SUITE_TEST(s, explain__grant_and_peer__named);
	return suite_run(s, "grants");
}
