/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docgen - the parts of docs/ that are lists in the code: docgen configuration|policy|reasons.
 * `make docs` writes them, `make check-arch` compares them with what is checked in.
 */
#include <stdio.h>
#include <string.h>

#include <linux/types.h>

#include "bpf/default_table.h"
#include "bpf/flow_limits.h"
#include "bpf/reasons.h"
#include "common/buf.h"
#include "model/class.h"
#include "tests/unit/config_docs.h"

#define MADE_BY "<!-- Made by `make docs` from %s; do not edit. -->\n\n"

/* X-macro texts hold no Markdown of their own; a bar would end a table's cell. */
static void cell(const char *text)
{
	(void)putchar(' ');
	for (; *text; text++) {
		if (*text == '|')
			(void)putchar('\\');
		(void)putchar(*text);
	}
	(void)fputs(" |", stdout);
}

static void reasons(void)
{
	static const struct {
		const char *name, *meaning;
	} list[] = {
#define X(id, name, meaning) { name, meaning },
		BH_REASONS(X)
#undef X
	};

	printf("# Reasons\n\n" MADE_BY, "bpf/reasons.h");
	printf("Why a packet was dropped, or would have been (mode `audit`, system pods). The same word\n"
	       "is the `reason` of an event, the `reason` label of the drop metrics, and what\n"
	       "`bulkheadctl` prints. New reasons are added at the end; a number is never reused.\n\n");
	printf("| number | reason | meaning |\n|---|---|---|\n");
	for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++) {
		printf("| %zu | `%s` |", i, list[i].name);
		cell(list[i].meaning);
		(void)putchar('\n');
	}
}

struct relation {
	unsigned int bit;
	const char *name, *meaning;
};

/* Rows of the table: the endpoint's own tenant, then every class. */
static const struct relation relations[] = {
	{ BH_REL_OWN, "own tenant", "a pod of the same tenant" },
#define X(id, name, meaning) { BH_CLASS_##id, name, meaning },
	BH_CLASSES(X)
#undef X
};

static const struct {
	int role;
	unsigned int to, from;
} table[] = {
#define X(role, to, from) { BH_ROLE_##role, to, from },
	BH_DEFAULT_TABLE(X)
#undef X
};

static const char *const roles[] = {
#define X(id, name, meaning) name,
	BH_ROLES(X)
#undef X
};

#define N(array) (sizeof(array) / sizeof(*(array)))

static void policy_table(const char *title, const char *peer, int from)
{
	printf("\n## %s\n\n| %s |", title, peer);
	for (size_t i = 0; i < N(table); i++)
		printf(" %s |", roles[table[i].role]);
	printf("\n|---|");
	for (size_t i = 0; i < N(table); i++)
		printf("---|");
	(void)putchar('\n');
	for (size_t r = 0; r < N(relations); r++) {
		const int tenant = relations[r].bit == BH_CLASS_TENANT;

		printf("| %s |", tenant ? "another tenant" : relations[r].name);
		for (size_t i = 0; i < N(table); i++) {
			const unsigned int bits = from ? table[i].from : table[i].to;

			printf(" %s |", bits & BH_BIT(relations[r].bit) ? "**allow**" : "deny");
		}
		(void)putchar('\n');
	}
}

static void flow_limits(void)
{
	printf("\n## How long a flow may be silent\n\n"
	       "Then it is forgotten: what was its reply is judged as a flow of its own. Never sooner,\n"
	       "at most two seconds later.\n\n"
	       "| flow | limit | why |\n|---|---|---|\n");
#define X(id, seconds, what, why) printf("| %s | %d s | %s |\n", what, seconds, why);
	BH_FLOW_LIMITS(X)
#undef X
}

/* Prose: bpf/step_parse.h and what it includes is where this is decided. */
static void let_through(void)
{
	printf("\n## What of IP is let through\n\n"
	       "Before any policy, in every mode, for both directions. Everything else is dropped with a\n"
	       "[reason](reasons.md) of its own.\n\n"
	       "| part | let through | dropped |\n|---|---|---|\n"
	       "| L4 | TCP, UDP, SCTP, ICMP of the packet's own family | every other protocol: IPIP, "
	       "6in4, 4in6, GRE, UDP-Lite, DCCP, IGMP ... |\n"
	       "| IPv4 options | end of list, NOP, record route, timestamp, router alert | source routes, "
	       "unknown and malformed options |\n"
	       "| IPv6 extension headers | hop-by-hop (first only), destination options, one fragment "
	       "header; at most 8 | routing headers of every type, AH, ESP, mobility, HIP, shim6 |\n"
	       "| IPv6 options | Pad1, PadN; router alert hop by hop | home address, jumbo payload, every "
	       "other |\n"
	       "| fragments | the first one, which holds the whole L4 header; later ones behind it, "
	       "within 5 s, from byte 64 on | first ones without the whole L4 header, later ones that "
	       "come before their first, that could overwrite it or end past 65535 bytes; any to or from "
	       "port 53 |\n"
	       "| ICMP | echo; errors (destination unreachable, packet too big, time exceeded, parameter "
	       "problem) about a packet of a known flow | redirects, source quench, errors about "
	       "anything else, every other type |\n"
	       "| neighbour discovery, MLD | of the pod itself; never behind extension headers (MLD: "
	       "behind its router alert) or in fragments | router advertisements and redirects from a "
	       "pod |\n");
}

/* Prose: model/services.c, bpf/service_grants.c, bpf/step_verdict.h. */
static void whose_address(void)
{
	printf("\n## Whose address it is\n\n"
	       "An address may be several things; the first of these counts: `dns` (port 53 alone),\n"
	       "`apiserver` (its ports alone), `node`, `conflict`, a pod, a Service, `unknown` (inside the\n"
	       "cluster's ranges), `metadata`, special ranges, the public world. An IPv6 address behind a\n"
	       "NAT64 router (64:ff9b::/96, `--nat64-prefixes`) is what the IPv4 address in its end is, for\n"
	       "cidr grants, too. Of IPv6, only 2000::/3 is public.\n\n"
	       "**Nodes.** Every address of every interface of this host, as it is now; of other nodes what\n"
	       "their Node objects say: addresses, the annotations of flannel, Calico and Cilium, and\n"
	       "`bulkhead.dev/host-addresses`. With a manifest folder nobody publishes the latter: write the\n"
	       "addresses of other nodes' bridges and tunnels there by hand, or what such a host itself\n"
	       "sends to pods is dropped as `unknown`. The addresses on kube-proxy's `kube-ipvs0` are not the\n"
	       "host's. What another pod of this host sent is judged by that pod's own address, also when\n"
	       "kube-proxy has put the node's in its place; a bridge hides who it was, so on a bridge\n"
	       "masqueraded packets are the node's.\n\n"
	       "**Services.** A Service's address is translated after the sender was judged, so it is what\n"
	       "stands behind it: a tenant's, `system` or `unassigned` if every address in every\n"
	       "EndpointSlice, ready or not, is a live pod of that one owner; `unknown` without any; `mixed`,\n"
	       "denied to all, in every other case: pods of two owners, pods on nodes without a ready agent,\n"
	       "addresses of nobody or of the world. One of hostNetwork pods alone is as open as nodes to\n"
	       "unassigned pods, and `mixed` to tenants. Two Services with one address: the worst of both.\n"
	       "The receiver judges the packet again.\n\n"
	       "**External addresses** (`externalIPs`, what a load balancer got) are written by whoever writes\n"
	       "the Service. They make nobody own an address: it stays what it is, but only the one owner of\n"
	       "all that is behind it may send there, for everybody else it is `mixed`. One that is a pod's, a\n"
	       "node's, the cluster DNS's or another Service's changes nothing there. 16384 are guarded, those\n"
	       "of virtual clusters last; `status` tells when there are more.\n");
}

/* Prose. */
static void grants(void)
{
	printf("\n## Grants\n\n"
	       "| grant | opens |\n|---|---|\n"
	       "| `to: {tenant: T}`, `from: {tenant: T}` | T's pods and Services; needs both: `to` here and "
	       "`from` there. A Service's own port is what the sender's grant is compared with, its target "
	       "port what the receiver's is |\n"
	       "| `to`, `from: {cidr: C, except: [...]}` | addresses of the world in C that are in no "
	       "exception; never a pod, Service, node or the metadata service |\n"
	       "| `to: {service: {namespace, name}}` | the addresses of a Service whose backends are all "
	       "system pods, all unassigned pods or all nodes; and at unassigned ones, this tenant on the target ports. Not "
	       "one that a tenant writes, and none of its addresses that is another's, too |\n"
	       "| `to: {apiServer: true}` | the API server's ports |\n"
	       "| `to: {node: true}` | nodes, and whatever a NodePort there leads to |\n"
	       "| `to: {metadata: true}` | 169.254.169.254 and fd00:ec2::254 |\n\n"
	       "Without `ports` every protocol and port; `ports: []` nothing. `status` lists grants that are\n"
	       "without effect, and why.\n");
}

/* Prose: each is a test that is expected to fail, tests/e2e/test_services.py, _lag.py,
 * _identity.py. */
static void not_covered(void)
{
	printf("\n## What is not covered\n\n"
	       "- **Masquerading between nodes.** A kube-proxy that masquerades (`--masquerade-all`; by\n"
	       "  default what goes to externalIPs and load-balancer addresses) puts its node's address in\n"
	       "  the sender's place, and a receiver on another node sees class `node`, which may open\n"
	       "  flows to tenants' pods. There the sender's node alone judges. As long as its agent knows\n"
	       "  less than its own kube-proxy, a Service whose backends have just become another\n"
	       "  tenant's still passes: some tens of milliseconds where both hear the news at once. On\n"
	       "  one node the sender is known by its interface, and nothing crosses.\n"
	       "- **Backends that are no pods.** A node, a private address, the metadata service\n"
	       "  or the API server has no receiver that judges again. A Service that leads there is\n"
	       "  `mixed` and denied; but while its sender's agent knows less than its kube-proxy, a\n"
	       "  Service that has just been turned there passes, masqueraded or not. By default\n"
	       "  Kubernetes lets no tenant write Endpoints or EndpointSlices, and it should stay so.\n"
	       "- **externalIPs that are a pod's or the cluster DNS's address.** kube-proxy may carry what\n"
	       "  is sent to that address to the backends of the Service that claims it. Without\n"
	       "  masquerading, or on one node, the receiver refuses it; masqueraded and on another node\n"
	       "  it arrives. Refuse such Services at admission (DenyServiceExternalIPs).\n");
}

static void policy(void)
{
	printf("# Default policy\n\n" MADE_BY,
	       "bpf/default_table.h, bpf/flow_limits.h and model/class.h");
	printf("What an endpoint may reach and be reached by when no grant says more (mode `enforce`).\n"
	       "Replies to an allowed flow pass. Both ends judge: a packet between two pods needs the\n"
	       "sender's and the receiver's consent. Host traffic is class `node`. Endpoints of role\n"
	       "`system` are never dropped: their checks only count.\n\n");
	printf("| role | what it is |\n|---|---|\n");
#define X(id, name, meaning) printf("| `%s` | %s |\n", name, meaning);
	BH_ROLES(X)
#undef X
	printf("\n| peer | what it is |\n|---|---|\n");
	for (size_t r = 0; r < N(relations); r++) {
		printf("| `%s` |", relations[r].name);
		cell(relations[r].meaning);
		(void)putchar('\n');
	}
	policy_table("New flows from the pod", "to \\ role", 0);
	policy_table("New flows to the pod", "from \\ role", 1);
	whose_address();
	grants();
	flow_limits();
	let_through();
	not_covered();
}

static int configuration(void)
{
	bh_autobuf b = BH_BUF_INIT;

	config_docs(&b);
	return b.error || fwrite(b.data, 1, b.len, stdout) != b.len ? -1 : 0;
}

int main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";
	int r = 0;

	if (strcmp(what, "configuration") == 0) {
		r = configuration();
	} else if (strcmp(what, "policy") == 0) {
		policy();
	} else if (strcmp(what, "reasons") == 0) {
		reasons();
	} else {
		(void)fprintf(stderr, "usage: docgen configuration|policy|reasons\n");
		return 2;
	}
	if (r < 0 || fflush(stdout) != 0) {
		(void)fprintf(stderr, "docgen: cannot write %s\n", what);
		return 1;
	}
	return 0;
}
