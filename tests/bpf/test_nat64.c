/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Behind a NAT64 router an IPv6 address is what the IPv4 address inside is (CVE-2023-27594: a
 * policy that IPv6 goes round). The prefixes are in world_hosts.c.
 */
#include "tests/bpf/world.h"

#define T "tenant"
#define U "unassigned"
#define G "granted"

static const struct world_row rows[] = {
	{ "nat64__own_tenant__passes", T, OUT, "eth ip6 dst=nat64mate tcp", PASSES },
	{ "nat64__foe__denied", T, OUT, "eth ip6 dst=nat64foe tcp", DROPS(PEER_TENANT) },
	{ "nat64__foe_ping__denied", T, OUT, "eth ip6 dst=nat64foe icmp6", DROPS(PEER_TENANT) },
	{ "nat64__node__denied", T, OUT, "eth ip6 dst=nat64node tcp", DROPS(PEER_NODE) },
	{ "nat64__unknown__denied", T, OUT, "eth ip6 dst=nat64unknown udp", DROPS(PEER_UNKNOWN) },
	{ "nat64__private__denied", T, OUT, "eth ip6 dst=nat64private tcp",
	  DROPS(PEER_WORLD_PRIVATE) },
	{ "nat64__metadata__denied", T, OUT, "eth ip6 dst=nat64metadata tcp dport=80",
	  DROPS(PEER_METADATA) },
	{ "nat64__loopback__denied", T, OUT, "eth ip6 dst=nat64loopback tcp", DROPS(PEER_INVALID) },
	{ "nat64__public__passes", T, OUT, "eth ip6 dst=nat64public tcp", PASSES },
	{ "nat64__public_by_world_none__denied", "world_none", OUT, "eth ip6 dst=nat64public tcp",
	  DROPS(PEER_WORLD_PUBLIC) },
	{ "nat64__private_by_world_all__passes", "world_all", OUT, "eth ip6 dst=nat64private tcp",
	  PASSES },
	{ "nat64__dns_port__passes", T, OUT, "eth ip6 dst=nat64dns udp dport=53", PASSES },
	{ "nat64__dns_other_port__denied", T, OUT, "eth ip6 dst=nat64dns udp dport=54",
	  DROPS(PEER_SYSTEM) },
	{ "nat64__apiserver__passes", "control_plane", OUT, "eth ip6 dst=nat64api tcp dport=6443",
	  PASSES },
	{ "nat64__external_of_foe__denied", T, OUT, "eth ip6 dst=nat64extfoe tcp",
	  DROPS(PEER_MIXED) },
	{ "nat64__cidr_grant__passes", G, OUT, "eth ip6 dst=nat64granted tcp dport=443", PASSES },
	{ "nat64__cidr_grant_other_port__denied", G, OUT, "eth ip6 dst=nat64granted tcp dport=80",
	  DROPS(PEER_WORLD_PRIVATE) },
	{ "nat64__cidr_grant_except__denied", G, OUT, "eth ip6 dst=nat64excepted tcp dport=443",
	  DROPS(PEER_WORLD_PRIVATE) },
	{ "nat64__unassigned_to_foe__denied", U, OUT, "eth ip6 dst=nat64foe tcp",
	  DROPS(PEER_TENANT) },
	{ "nat64_in__foe__denied", T, IN, "eth ip6 src=nat64foe tcp", DROPS(PEER_TENANT) },
	{ "nat64_in__private__denied", T, IN, "eth ip6 src=nat64private tcp",
	  DROPS(PEER_WORLD_PRIVATE) },
	{ "nat64_in__public__passes", T, IN, "eth ip6 src=nat64public tcp", PASSES },
	{ "nat64__as_neighbour__denied", T, OUT,
	  "eth ip6 src=own dst=sn:nat64mate icmp6 type=135 target addr=nat64mate",
	  DROPS(ND_TARGET) },
	{ "own64__foe__denied", T, OUT, "eth ip6 dst=own64foe tcp", DROPS(PEER_TENANT) },
	{ "own64__metadata__denied", T, OUT, "eth ip6 dst=own64metadata tcp",
	  DROPS(PEER_METADATA) },
	{ "own64__public__passes", T, OUT, "eth ip6 dst=own64public tcp", PASSES },
	{ "own64__last_prefix_foe__denied", T, OUT, "eth ip6 dst=last64foe tcp",
	  DROPS(PEER_TENANT) },
	{ "own64__beside_the_prefix__as_it_is", T, OUT, "eth ip6 dst=own64beside tcp", PASSES },
	{ "compatible__own_tenant_inside__denied", T, OUT, "eth ip6 dst=compatible tcp",
	  DROPS(PEER_INVALID) },
};

int main(void)
{
	struct world_suite *s = suite_new();

	suite_rows(s, rows, sizeof(rows) / sizeof(rows[0]));
	return suite_run(s, "nat64");
}
