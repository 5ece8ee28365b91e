/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services: what a sender may do with their addresses, which are translated after it was judged,
 * and what a grant towards one opens on both sides. Who has which is in world_hosts.c.
 */
#include "tests/bpf/world.h"

#define T "tenant"
#define U "unassigned"
#define G "granted"

/* CVE-2021-25740: a Service is as allowed as the worst of what is behind it. */
static const struct world_row cluster_ips[] = {
	{ "clusterip__own__passes", T, OUT, "eth ip4 dst=svcown tcp dport=80", PASSES },
	{ "clusterip__own_v6__passes", T, OUT, "eth ip6 dst=svcown udp dport=80", PASSES },
	{ "clusterip__granted_tenants__passes", T, OUT, "eth ip4 dst=svcfriend tcp dport=5432",
	  PASSES },
	{ "clusterip__granted_tenants_other_port__denied", T, OUT,
	  "eth ip6 dst=svcfriend tcp dport=80", DROPS(PEER_TENANT) },
	{ "clusterip__system__denied", T, OUT, "eth ip4 dst=svcsystem tcp dport=443",
	  DROPS(PEER_SYSTEM) },
	{ "clusterip__unassigned__denied", T, OUT, "eth ip6 dst=svcfree tcp dport=443",
	  DROPS(PEER_UNASSIGNED) },
	{ "clusterip__mixed__denied", T, OUT, "eth ip4 dst=svcmixed tcp", DROPS(PEER_MIXED) },
	{ "clusterip__mixed_by_world_all__denied", "world_all", OUT, "eth ip4 dst=svcmixed tcp",
	  DROPS(PEER_MIXED) },
	{ "clusterip__own_from_unassigned__denied", U, OUT, "eth ip4 dst=svcown tcp",
	  DROPS(PEER_TENANT) },
	{ "clusterip__unassigned_from_unassigned__passes", U, OUT, "eth ip6 dst=svcfree tcp",
	  PASSES },
	{ "clusterip__mixed_from_unassigned__denied", U, OUT, "eth ip6 dst=svcmixed tcp",
	  DROPS(PEER_MIXED) },
	/* hostNetwork pods: as open as nodes are, but for what a grant towards nodes says of ports
	 */
	{ "clusterip__nodes__denied", T, OUT, "eth ip4 dst=svcnode tcp dport=30443",
	  DROPS(PEER_MIXED) },
	{ "clusterip__nodes_with_grant_to_nodes__denied", G, OUT,
	  "eth ip4 dst=svcnode tcp dport=443", DROPS(PEER_MIXED) },
	{ "clusterip__nodes_from_unassigned__passes", U, OUT, "eth ip6 dst=svcnode tcp", PASSES },
	{ "clusterip_in__nodes__denied", T, IN, "eth ip4 src=svcnode tcp", DROPS(PEER_MIXED) },
	{ "clusterip_in__nodes_to_unassigned__denied", U, IN, "eth ip6 src=svcnode tcp",
	  DROPS(PEER_MIXED) },
	{ "clusterip__dns_port__passes", T, OUT, "eth ip4 dst=svcdns udp dport=53", PASSES },
	{ "clusterip__dns_other_port__denied", T, OUT, "eth ip4 dst=svcdns tcp dport=9153",
	  DROPS(PEER_SYSTEM) },
};

/* CVE-2020-8554, CVE-2026-32254: kube-proxy would carry it to whatever its writer chose. */
static const struct world_row externals[] = {
	{ "external__own__passes", T, OUT, "eth ip4 dst=extown tcp dport=443", PASSES },
	{ "external__own_v6__passes", T, OUT, "eth ip6 dst=extown tcp dport=443", PASSES },
	{ "external__foes__denied", T, OUT, "eth ip4 dst=extfoe tcp dport=443", DROPS(PEER_MIXED) },
	{ "external__foes_v6__denied", T, OUT, "eth ip6 dst=extfoe udp dport=53",
	  DROPS(PEER_MIXED) },
	{ "external__foes_ping__denied", T, OUT, "eth ip4 dst=extfoe icmp4", DROPS(PEER_MIXED) },
	{ "external__systems__denied", T, OUT, "eth ip4 dst=extsystem tcp", DROPS(PEER_MIXED) },
	{ "external__nobodys__denied", T, OUT, "eth ip4 dst=extmixed tcp", DROPS(PEER_MIXED) },
	{ "external__foes_by_world_all__denied", "world_all", OUT, "eth ip4 dst=extfoe tcp",
	  DROPS(PEER_MIXED) },
	{ "external__own_private__never_wider", "granted", OUT,
	  "eth ip4 dst=extprivate tcp dport=443", DROPS(PEER_MIXED) },
	{ "external__foes_from_unassigned__denied", U, OUT, "eth ip4 dst=extfoe tcp",
	  DROPS(PEER_MIXED) },
	{ "external__unassigned_from_unassigned__passes", U, OUT, "eth ip6 dst=extfree tcp",
	  PASSES },
	{ "external__systems_from_unassigned__denied", U, OUT, "eth ip6 dst=extsystem tcp",
	  DROPS(PEER_MIXED) },
	{ "external_in__foes__as_its_prefix", T, IN, "eth ip4 src=extfoe tcp", PASSES },
	{ "external_in__private__as_its_prefix", T, IN, "eth ip4 src=extprivate tcp",
	  DROPS(PEER_WORLD_PRIVATE) },
};

static const struct world_row grants[] = {
	{ "grant__system_service__passes", G, OUT, "eth ip4 dst=svcsystem tcp dport=443", PASSES },
	{ "grant__system_service_v6__passes", G, OUT, "eth ip6 dst=svcsystem tcp dport=443",
	  PASSES },
	{ "grant__other_port__denied", G, OUT, "eth ip4 dst=svcsystem tcp dport=80",
	  DROPS(PEER_SYSTEM) },
	{ "grant__pod_behind_it__denied", G, OUT, "eth ip4 dst=system tcp dport=443",
	  DROPS(PEER_SYSTEM) },
	{ "grant__unassigned_service__passes", G, OUT, "eth ip4 dst=svcfree udp dport=1", PASSES },
	{ "grant__unassigned_pod__denied", G, OUT, "eth ip4 dst=unassigned tcp dport=443",
	  DROPS(PEER_UNASSIGNED) },
	{ "grant__external_address__passes", G, OUT, "eth ip4 dst=extfree tcp dport=443", PASSES },
	{ "grant__external_address_other_port__denied", G, OUT, "eth ip4 dst=extfree tcp dport=80",
	  DROPS(PEER_MIXED) },
	{ "grant__no_set_of_ports__denied", G, OUT, "eth ip4 dst=svcmixed tcp dport=443",
	  DROPS(PEER_MIXED) },
	{ "grant__service_of_nodes__passes", G, OUT, "eth ip4 dst=svcnode tcp dport=5432", PASSES },
	{ "grant__another_tenants__denied", T, OUT, "eth ip4 dst=svcsystem tcp dport=443",
	  DROPS(PEER_SYSTEM) },
	{ "grant__direction_of_pods__denied", T, OUT, "eth ip4 dst=svcfree tcp",
	  DROPS(PEER_UNASSIGNED) },
	{ "grant__dns_port__still_dns", G, OUT, "eth ip4 dst=svcdns udp dport=53", PASSES },
	{ "grant_in__unassigned_pod__passes", U, IN, "eth ip4 src=grantee tcp dport=443", PASSES },
	{ "grant_in__unassigned_pod_v6__passes", U, IN, "eth ip6 src=grantee tcp dport=443",
	  PASSES },
	{ "grant_in__other_port__denied", U, IN, "eth ip4 src=grantee tcp dport=80",
	  DROPS(PEER_TENANT) },
	{ "grant_in__source_port__denied", U, IN, "eth ip4 src=grantee tcp sport=443 dport=99",
	  DROPS(PEER_TENANT) },
	{ "grant_in__another_tenant__denied", U, IN, "eth ip4 src=foe tcp dport=443",
	  DROPS(PEER_TENANT) },
	{ "grant_in__unknown__denied", U, IN, "eth ip4 src=unknown tcp dport=443",
	  DROPS(PEER_UNKNOWN) },
	{ "grant_in__a_tenants_own_pod__not_meant", "granted", IN,
	  "eth ip4 src=unassigned tcp dport=443", DROPS(PEER_UNASSIGNED) },
	{ "grant_out__unassigned_to_the_tenant__denied", U, OUT,
	  "eth ip4 dst=grantee tcp dport=443", DROPS(PEER_TENANT) },
	{ "grant_in__conflict_pod__denied", "conflict", IN, "eth ip4 src=grantee tcp dport=443",
	  DROPS(SELF_CONFLICT) },
};

/* On one bridge they must find each other: the answer goes to the asker's own address. */
static const struct world_row neighbours[] = {
	{ "arp__unassigned_asks_for_grantee__passes", U, OUT, "eth arp tpa=grantee", PASSES },
	{ "arp__unassigned_asks_for_foe__denied", U, OUT, "eth arp tpa=foe", DROPS(ARP_TARGET) },
	{ "arp__grantee_asks_for_unassigned__passes", G, OUT, "eth arp tpa=unassigned", PASSES },
	{ "arp__tenant_asks_for_unassigned__denied", T, OUT, "eth arp tpa=unassigned",
	  DROPS(ARP_TARGET) },
};

int main(void)
{
	struct world_suite *s = suite_new();

	suite_rows(s, cluster_ips, sizeof(cluster_ips) / sizeof(cluster_ips[0]));
	suite_rows(s, externals, sizeof(externals) / sizeof(externals[0]));
	suite_rows(s, grants, sizeof(grants) / sizeof(grants[0]));
	suite_rows(s, neighbours, sizeof(neighbours) / sizeof(neighbours[0]));
	return suite_run(s, "services");
}
