/* SPDX-License-Identifier: Apache-2.0 */
/* Who may talk to whom: the default table, classes that go by port, world modes, tenants' modes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bpf/world.h"

#define T "tenant"
#define CP "control_plane"

/* --- the default table, written down from the design once more; D is denied, A is allowed --- */

struct column {
	const char *host; /* see world_hosts.c */
	const char *l4;	  /* towards it */
	uint8_t reason;	  /* of the denial as destination */
	uint8_t reason_in;
};

static const struct column columns[] = {
	{ "mate", "tcp", BH_REASON_PEER_TENANT, BH_REASON_PEER_TENANT },
	{ "foe", "tcp", BH_REASON_PEER_TENANT, BH_REASON_PEER_TENANT },
	{ "system", "tcp", BH_REASON_PEER_SYSTEM, BH_REASON_PEER_SYSTEM },
	{ "unprotected", "tcp", BH_REASON_PEER_UNPROTECTED, BH_REASON_PEER_UNPROTECTED },
	{ "unknown", "tcp", BH_REASON_PEER_UNKNOWN, BH_REASON_PEER_UNKNOWN },
	{ "conflict", "tcp", BH_REASON_PEER_CONFLICT, BH_REASON_PEER_CONFLICT },
	{ "mixed", "tcp", BH_REASON_PEER_MIXED, BH_REASON_PEER_MIXED },
	{ "unassigned", "tcp", BH_REASON_PEER_UNASSIGNED, BH_REASON_PEER_UNASSIGNED },
	{ "dns", "udp dport=53", BH_REASON_PEER_DNS, BH_REASON_PEER_SYSTEM },
	{ "node", "tcp", BH_REASON_PEER_NODE, BH_REASON_PEER_NODE },
	{ "apinode", "tcp dport=6443", BH_REASON_PEER_APISERVER, BH_REASON_PEER_APISERVER },
	{ "public", "tcp", BH_REASON_PEER_WORLD_PUBLIC, BH_REASON_PEER_WORLD_PUBLIC },
	{ "private", "tcp", BH_REASON_PEER_WORLD_PRIVATE, BH_REASON_PEER_WORLD_PRIVATE },
	{ "linklocal", "tcp", BH_REASON_PEER_WORLD_LINKLOCAL, BH_REASON_PEER_WORLD_LINKLOCAL },
	{ "metadata", "tcp", BH_REASON_PEER_METADATA, BH_REASON_PEER_METADATA },
	/* CVE-2021-25736, CVE-2020-8558: 127.0.0.1 and ::1, where the node forwards them */
	{ "invalid", "tcp", BH_REASON_PEER_INVALID, BH_REASON_PEER_INVALID },
};

#define N_COLUMNS (sizeof(columns) / sizeof(columns[0]))

static const struct line {
	const char *who;
	uint8_t dir;
	const char *cells; /* in the order of columns */
} lines[] = {
	/*            mate,foe,system,unprotected,unknown,conflict,mixed, unassigned,
	 *            dns, node,apiserver, public,private,linklocal,metadata,invalid */
	{ T, OUT,
	  "ADDDDDD"
	  "D"
	  "ADD"
	  "ADDDD" },
	{ CP, OUT,
	  "ADDDDDD"
	  "D"
	  "ADA"
	  "ADDDD" },
	{ "unassigned", OUT,
	  "DDDDDDD"
	  "A"
	  "AAA"
	  "AAAAD" },
	{ "conflict", OUT,
	  "DDDDDDD"
	  "D"
	  "DDD"
	  "DDDDD" },
	{ "system", OUT,
	  "AAAAAAA"
	  "A"
	  "AAA"
	  "AAAAA" },
	/* as a source the DNS server is the system pod that it is */
	{ T, IN,
	  "ADADDDD"
	  "D"
	  "AAA"
	  "ADDDD" },
	{ CP, IN,
	  "ADADDDD"
	  "D"
	  "AAA"
	  "ADDDD" },
	{ "unassigned", IN,
	  "DDADDDD"
	  "A"
	  "AAA"
	  "AAAAD" },
	{ "conflict", IN,
	  "DDDDDDD"
	  "D"
	  "DDD"
	  "DDDDD" },
	{ "system", IN,
	  "AAAAAAA"
	  "A"
	  "AAA"
	  "AAAAA" },
};

#define N_LINES (sizeof(lines) / sizeof(lines[0]))

struct cell {
	char name[96], pkt[96];
};

static struct world_row make_row(const struct line *l, size_t col, unsigned int family,
				 struct cell *c)
{
	const struct column *h = &columns[col];
	const bool allowed = l->cells[col] == 'A', conflict = !strcmp(l->who, "conflict");

	(void)snprintf(c->name, sizeof(c->name), "table__%s_%s_%s_v%u__%s", l->who,
		       l->dir == OUT ? "to" : "from", h->host, family,
		       allowed ? "allowed" : "denied");
	(void)snprintf(c->pkt, sizeof(c->pkt), "eth ip%u %s=%s %s", family,
		       l->dir == OUT ? "dst" : "src", h->host, l->dir == OUT ? h->l4 : "tcp");
	return (struct world_row){
		.name = c->name,
		.who = l->who,
		.dir = l->dir,
		.pkt = c->pkt,
		.verdict = allowed ? BH_VERDICT_PASS : BH_VERDICT_DROP,
		.reason = allowed	  ? BH_REASON_NONE
			  : conflict	  ? BH_REASON_SELF_CONFLICT
			  : l->dir == OUT ? h->reason
					  : h->reason_in,
	};
}

/* --- classes that go by protocol and port --- */

static const struct world_row by_port[] = {
	{ "dns__udp_53__passes", T, OUT, "eth ip4 dst=dns udp dport=53", PASSES },
	{ "dns__tcp_53__passes", T, OUT, "eth ip6 dst=dns tcp dport=53", PASSES },
	{ "dns__on_a_node__passes", T, OUT, "eth ip4 dst=nodedns udp dport=53", PASSES },
	{ "dns__port_54__denied_as_system", T, OUT, "eth ip4 dst=dns udp dport=54",
	  DROPS(PEER_SYSTEM) },
	{ "dns__port_52__denied_as_system", T, OUT, "eth ip4 dst=dns tcp dport=52",
	  DROPS(PEER_SYSTEM) },
	{ "dns__byte_swapped_53__denied_as_system", T, OUT, "eth ip4 dst=dns udp dport=0x3500",
	  DROPS(PEER_SYSTEM) },
	{ "dns__node_port_54__denied_as_node", T, OUT, "eth ip4 dst=nodedns udp dport=54",
	  DROPS(PEER_NODE) },
	{ "dns__source_port_53__denied_as_system", T, OUT, "eth ip4 dst=dns udp sport=53",
	  DROPS(PEER_SYSTEM) },
	{ "dns__ping__denied_as_system", T, OUT, "eth ip4 dst=dns icmp4", DROPS(PEER_SYSTEM) },
	{ "dns__ping_with_id_53__denied_as_system", T, OUT, "eth ip4 dst=dns icmp4 id=53",
	  DROPS(PEER_SYSTEM) },
	{ "dns__port_53_of_a_system_pod__denied", T, OUT, "eth ip4 dst=system udp dport=53",
	  DROPS(PEER_SYSTEM) },
	{ "dns__port_53_of_a_mate__passes", T, OUT, "eth ip4 dst=mate udp dport=53", PASSES },
	{ "dns__port_53_of_a_foe__denied", T, OUT, "eth ip4 dst=foe udp dport=53",
	  DROPS(PEER_TENANT) },
	{ "dns__unassigned_port_54__denied_as_system", "unassigned", OUT,
	  "eth ip4 dst=dns udp dport=54", DROPS(PEER_SYSTEM) },
	{ "dns__control_plane__passes", CP, OUT, "eth ip4 dst=dns udp dport=53", PASSES },
	{ "dns__world_none__passes", "world_none", OUT, "eth ip4 dst=dns udp dport=53", PASSES },
	{ "api__cluster_ip_any_port__passes", CP, OUT, "eth ip4 dst=api tcp dport=1", PASSES },
	{ "api__cluster_ip_v6__passes", CP, OUT, "eth ip6 dst=api tcp dport=443", PASSES },
	{ "api__cluster_ip_udp__denied_as_unknown", CP, OUT, "eth ip4 dst=api udp dport=443",
	  DROPS(PEER_UNKNOWN) },
	{ "api__cluster_ip_ping__denied_as_unknown", CP, OUT, "eth ip4 dst=api icmp4",
	  DROPS(PEER_UNKNOWN) },
	{ "api__cluster_ip_of_tenant__denied", T, OUT, "eth ip4 dst=api tcp dport=443",
	  DROPS(PEER_APISERVER) },
	{ "api__first_port__passes", CP, OUT, "eth ip4 dst=apinode tcp dport=6443", PASSES },
	{ "api__second_port__passes", CP, OUT, "eth ip4 dst=apinode tcp dport=8443", PASSES },
	{ "api__port_beside__denied_as_node", CP, OUT, "eth ip4 dst=apinode tcp dport=6444",
	  DROPS(PEER_NODE) },
	{ "api__port_0__denied_as_node", CP, OUT, "eth ip4 dst=apinode tcp dport=0",
	  DROPS(PEER_NODE) },
	{ "api__port_0_where_one_is_unused__passes_as_world", T, OUT,
	  "eth ip4 dst=apiworld tcp dport=0", PASSES },
	{ "api__udp_on_its_port__denied_as_node", CP, OUT, "eth ip4 dst=apinode udp dport=6443",
	  DROPS(PEER_NODE) },
	{ "api__ping_with_its_port_as_id__denied_as_node", CP, OUT,
	  "eth ip4 dst=apinode icmp4 id=6443", DROPS(PEER_NODE) },
	{ "api__outer_host__passes", CP, OUT, "eth ip4 dst=apiworld tcp dport=443", PASSES },
	{ "api__outer_host_of_tenant__denied", T, OUT, "eth ip4 dst=apiworld tcp dport=443",
	  DROPS(PEER_APISERVER) },
	{ "api__outer_host_other_port__passes_as_world", T, OUT,
	  "eth ip4 dst=apiworld tcp dport=80", PASSES },
	{ "api__outer_host_world_none__denied", "world_none", OUT,
	  "eth ip4 dst=apiworld tcp dport=80", DROPS(PEER_WORLD_PUBLIC) },
	{ "api__on_a_pod__passes", CP, OUT, "eth ip4 dst=apipod tcp dport=6443", PASSES },
	{ "api__on_a_pod_other_port__denied", CP, OUT, "eth ip4 dst=apipod tcp dport=80",
	  DROPS(PEER_TENANT) },
	{ "api_in__from_node__passes", T, IN, "eth ip4 src=apinode tcp sport=50000", PASSES },
	{ "api_in__ping__passes", T, IN, "eth ip4 src=apinode icmp4", PASSES },
	{ "api_in__outer_host_world_none__passes", "world_none", IN, "eth ip4 src=apiworld tcp",
	  PASSES },
	{ "api_in__cluster_ip__denied_as_unknown", T, IN, "eth ip4 src=api tcp",
	  DROPS(PEER_UNKNOWN) },
	{ "api_in__on_a_pod__denied_as_tenant", T, IN, "eth ip4 src=apipod tcp sport=6443",
	  DROPS(PEER_TENANT) },
};

static const struct world_row world_modes[] = {
	{ "world_all__private__passes", "world_all", OUT, "eth ip4 dst=private tcp", PASSES },
	{ "world_all__private_v6__passes", "world_all", OUT, "eth ip6 dst=private tcp", PASSES },
	{ "world_all__linklocal__passes", "world_all", OUT, "eth ip4 dst=linklocal udp", PASSES },
	{ "world_all__public__passes", "world_all", OUT, "eth ip4 tcp", PASSES },
	{ "world_all__metadata__denied", "world_all", OUT, "eth ip4 dst=metadata tcp dport=80",
	  DROPS(PEER_METADATA) },
	{ "world_all__metadata_v6__denied", "world_all", OUT, "eth ip6 dst=metadata tcp dport=80",
	  DROPS(PEER_METADATA) },
	{ "world_all__unknown__denied", "world_all", OUT, "eth ip4 dst=unknown tcp",
	  DROPS(PEER_UNKNOWN) },
	{ "world_all__node__denied", "world_all", OUT, "eth ip4 dst=node tcp", DROPS(PEER_NODE) },
	{ "world_all__invalid__denied", "world_all", OUT, "eth ip4 dst=invalid tcp",
	  DROPS(PEER_INVALID) },
	{ "world_all_in__private__passes", "world_all", IN, "eth ip4 src=private tcp", PASSES },
	{ "world_all_in__metadata__denied", "world_all", IN, "eth ip4 src=metadata tcp",
	  DROPS(PEER_METADATA) },
	{ "world_none__public__denied", "world_none", OUT, "eth ip4 tcp",
	  DROPS(PEER_WORLD_PUBLIC) },
	{ "world_none__public_v6_ping__denied", "world_none", OUT, "eth ip6 icmp6",
	  DROPS(PEER_WORLD_PUBLIC) },
	{ "world_none__private__denied", "world_none", OUT, "eth ip4 dst=private tcp",
	  DROPS(PEER_WORLD_PRIVATE) },
	{ "world_none_in__public__denied", "world_none", IN, "eth ip4 tcp",
	  DROPS(PEER_WORLD_PUBLIC) },
	{ "world_none_in__node__passes", "world_none", IN, "eth ip4 src=gw tcp", PASSES },
};

static const struct world_row modes[] = {
	{ "audit__foe__passes_and_counted", "audit", OUT, "eth ip4 dst=foe tcp",
	  AUDITS(PEER_TENANT) },
	{ "audit__private_v6__passes_and_counted", "audit", OUT, "eth ip6 dst=private udp",
	  AUDITS(PEER_WORLD_PRIVATE) },
	{ "audit__allowed__passes", "audit", OUT, "eth ip4 tcp", PASSES },
	{ "audit_in__foe__passes_and_counted", "audit", IN, "eth ip4 src=foe tcp",
	  AUDITS(PEER_TENANT) },
	{ "audit_in__reply_to_nothing__passes_and_counted", "audit", IN,
	  "eth ip4 src=foe icmp4 type=0", AUDITS(NO_FLOW) },
	{ "audit__overlapping_fragment__dropped", "audit", OUT, "eth ip4 dst=foe off=3 udp",
	  DROPS(FRAGMENT_OVERLAP) },
	{ "audit__own_tenant__passes", "audit", IN, "eth ip4 src=gw tcp", PASSES },
	{ "off__foe__passes", "off", OUT, "eth ip4 dst=foe tcp", PASSES },
	{ "off__unknown__passes", "off", OUT, "eth ip4 dst=unknown tcp", PASSES },
	{ "off_in__foe__passes", "off", IN, "eth ip4 src=foe tcp", PASSES },
	{ "off_in__reply_to_nothing__passes", "off", IN, "eth ip6 src=foe icmp6 type=129", PASSES },
	{ "off__ext_header__dropped", "off", OUT, "eth ip6 dst=foe proto=43 ext proto=6 tcp",
	  DROPS(SOURCE_ROUTE) },
	{ "off_in__flooded__dropped", "off", IN, "eth ip4 dst=mate tcp", DROPS(DST_ADDR) },
	{ "ghost__own_tenant__dropped", "ghost", OUT, "eth ip4 dst=mate tcp", DROPS(INTERNAL) },
	{ "ghost__public__dropped", "ghost", OUT, "eth ip4 tcp", DROPS(INTERNAL) },
	{ "ghost__dns__dropped", "ghost", OUT, "eth ip4 dst=dns udp dport=53", DROPS(INTERNAL) },
	{ "ghost_in__node__dropped", "ghost", IN, "eth ip4 src=gw tcp", DROPS(INTERNAL) },
	{ "ghost_in__reply_to_nothing__dropped", "ghost", IN, "eth ip4 icmp4 type=0",
	  DROPS(NO_FLOW) },
	{ "strange_role__public__dropped", "strange_role", OUT, "eth ip4 tcp",
	  DROPS(PEER_WORLD_PUBLIC) },
	{ "strange_role__own_tenant__dropped", "strange_role", OUT, "eth ip4 dst=mate tcp",
	  DROPS(PEER_TENANT) },
};

int main(void)
{
	const size_t n = N_LINES * N_COLUMNS * 2;
	struct world_suite *s = suite_new();
	struct cell *cells = calloc(n, sizeof(*cells));
	struct world_row *rows = calloc(n, sizeof(*rows));
	int r;

	if (!cells || !rows)
		abort();
	for (size_t i = 0; i < n; i++)
		rows[i] = make_row(&lines[i / 2 / N_COLUMNS], i / 2 % N_COLUMNS, i % 2 ? 6 : 4,
				   &cells[i]);
	suite_rows(s, rows, n);
	suite_rows(s, by_port, sizeof(by_port) / sizeof(by_port[0]));
	suite_rows(s, world_modes, sizeof(world_modes) / sizeof(world_modes[0]));
	suite_rows(s, modes, sizeof(modes) / sizeof(modes[0]));
	r = suite_run(s, "peers");
	free(rows);
	free(cells);
	return r;
}
