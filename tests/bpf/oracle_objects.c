/* SPDX-License-Identifier: Apache-2.0 */
#include <netinet/in.h>
#include <stdio.h>

#include "tests/bpf/oracle.h"

static const char *const namespaces[] = { "t0", "t1", "t2", "t3", "free", "kube-system", "both" };

#define SYNCED "\"vcluster.loft.sh/managed-by\":\"v\""

static const char *text(const struct bh_addr *a)
{
	static char buf[4][BH_ADDR_STRLEN];
	static unsigned int next;

	return bh_addr_str(a, buf[next++ % 4]);
}

static const char *proto_name(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return "TCP";
	case IPPROTO_UDP:
		return "UDP";
	case IPPROTO_SCTP:
		return "SCTP";
	default:
		return "ICMP";
	}
}

static void ports(struct bh_buf *b, const struct ora_ports *p)
{
	if (p->any)
		return;
	bh_buf_str(b, ",\"ports\":[");
	for (size_t i = 0; i < p->n; i++) {
		bh_buf_printf(b, "%s{\"protocol\":\"%s\"", i ? "," : "", proto_name(p->r[i].proto));
		if (p->r[i].lo)
			bh_buf_printf(b, ",\"port\":%u", p->r[i].lo);
		if (p->r[i].hi != p->r[i].lo && p->r[i].lo)
			bh_buf_printf(b, ",\"endPort\":%u", p->r[i].hi);
		bh_buf_str(b, "}");
	}
	bh_buf_str(b, "]");
}

static void cidr(struct bh_buf *b, const struct ora_grant *g)
{
	char p[BH_PREFIX_STRLEN];

	bh_buf_printf(b, "\"cidr\":\"%s\",\"except\":[", bh_prefix_str(&g->cidr, p));
	for (size_t i = 0; i < g->n_except; i++)
		bh_buf_printf(b, "%s\"%s\"", i ? "," : "", bh_prefix_str(&g->except[i], p));
	bh_buf_str(b, "]");
}

static void grant(struct bh_buf *b, const struct ora_cluster *c, const struct ora_grant *g, int dir)
{
	bh_buf_printf(b, "{\"%s\":{", dir ? "from" : "to");
	switch (g->peer) {
	case ORA_CIDR:
		cidr(b, g);
		break;
	case ORA_TENANT:
		bh_buf_printf(b, "\"tenant\":\"t%d\"", g->tenant);
		break;
	case ORA_SERVICE:
		bh_buf_printf(b, "\"service\":{\"namespace\":\"%s\",\"name\":\"s%d\"}",
			      namespaces[c->service[g->service].ns], g->service);
		break;
	case ORA_API:
		bh_buf_str(b, "\"apiServer\":true");
		break;
	case ORA_NODE:
		bh_buf_str(b, "\"node\":true");
		break;
	default:
		bh_buf_str(b, "\"metadata\":true");
	}
	bh_buf_str(b, "}");
	ports(b, &g->ports);
	bh_buf_str(b, "}");
}

static void tenant(struct bh_buf *b, const struct ora_cluster *c, int i)
{
	static const char *const worlds[] = { "public", "all", "none" };
	const struct ora_tenant *t = &c->tenant[i];

	bh_buf_printf(b,
		      "{\"apiVersion\":\"bulkhead.dev/v1alpha1\",\"kind\":\"Tenant\",\"metadata\":"
		      "{\"name\":\"t%d\"},\"spec\":{\"namespaces\":[\"t%d\"%s],%s\"network\":{"
		      "\"world\":{\"egress\":\"%s\",\"ingress\":\"%s\"}",
		      i, i, i < 2 ? ",\"both\"" : "",
		      i ? "" : "\"virtualCluster\":{\"name\":\"vc\",\"namespace\":\"t0\"},",
		      worlds[t->world[0]], worlds[t->world[1]]);
	for (int dir = 0; dir < 2; dir++) {
		bh_buf_printf(b, ",\"%s\":[", dir ? "ingress" : "egress");
		for (size_t k = 0; k < t->n_grants[dir]; k++) {
			bh_buf_str(b, k ? "," : "");
			grant(b, c, &t->grant[dir][k], dir);
		}
		bh_buf_str(b, "]");
	}
	bh_buf_str(b, "}}}\n");
}

static void pod(struct bh_buf *b, const struct ora_pod *p, int i)
{
	bh_buf_printf(
		b,
		"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"%s\","
		"\"name\":\"p%d\"%s},\"spec\":{\"nodeName\":\"n%d\",\"hostNetwork\":%s},"
		"\"status\":{\"phase\":\"%s\",\"podIPs\":[{\"ip\":\"%s\"},{\"ip\":\"%s\"}]}}\n",
		namespaces[p->ns], i,
		p->control ? ",\"labels\":{\"app\":\"vcluster\",\"release\":\"vc\"},"
			     "\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":"
			     "\"StatefulSet\",\"controller\":true}]"
			   : "",
		p->node, p->host ? "true" : "false", p->ended ? "Failed" : "Running",
		text(&p->a[0]), text(&p->a[1]));
}

static void slice(struct bh_buf *b, const char *ns, const char *service, int family, bool synced)
{
	bh_buf_printf(
		b,
		"{\"apiVersion\":\"discovery.k8s.io/v1\",\"kind\":\"EndpointSlice\","
		"\"addressType\":\"%s\",\"metadata\":{\"namespace\":\"%s\",\"name\":\"%s-%d\","
		"\"labels\":{\"kubernetes.io/service-name\":\"%s\"%s}},\"endpoints\":[",
		family ? "IPv6" : "IPv4", ns, service, family, service, synced ? "," SYNCED : "");
}

static void service(struct bh_buf *b, const struct ora_service *s, int i)
{
	char name[16];

	(void)snprintf(name, sizeof(name), "s%d", i);
	bh_buf_printf(b,
		      "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"namespace\":"
		      "\"%s\",\"name\":\"%s\",\"labels\":{%s}},\"spec\":{\"clusterIPs\":[\"%s\","
		      "\"%s\"],\"externalIPs\":[",
		      namespaces[s->ns], name, s->synced ? SYNCED : "", text(&s->ip[0]),
		      text(&s->ip[1]));
	if (s->has_external)
		bh_buf_printf(b, "\"%s\"", text(&s->external));
	bh_buf_str(b, "],\"ports\":[");
	for (int k = 0; k < 2; k++)
		bh_buf_printf(b, "%s{\"name\":\"p%d\",\"protocol\":\"%s\",\"port\":%u}",
			      k ? "," : "", k, proto_name(s->port[k].proto), s->port[k].port);
	bh_buf_str(b, "]}}\n");
	for (int f = 0; f < 2; f++) {
		slice(b, namespaces[s->ns], name, f, s->slices_synced);
		for (size_t k = 0; k < s->n_backends; k++)
			bh_buf_printf(b, "%s{\"addresses\":[\"%s\"]}", k ? "," : "",
				      text(&s->backend[f][k]));
		bh_buf_str(b, "],\"ports\":[");
		for (int k = 0; k < 2; k++)
			bh_buf_printf(b, "%s{\"name\":\"p%d\",\"protocol\":\"%s\",\"port\":%u}",
				      k ? "," : "", k, proto_name(s->port[k].proto),
				      s->port[k].target);
		bh_buf_str(b, "]}\n");
	}
}

/* The cluster's own two Services. */
static void platform(struct bh_buf *b, const struct ora_cluster *c)
{
	const struct ora_pod *dns = &c->pod[ORA_PODS - 2];

	bh_buf_printf(
		b,
		"{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"namespace\":"
		"\"kube-system\",\"name\":\"kube-dns\"},\"spec\":{\"clusterIPs\":[\"%s\",\"%s\"]}"
		"}\n{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"namespace\":"
		"\"default\",\"name\":\"kubernetes\"},\"spec\":{\"clusterIPs\":[\"%s\",\"%s\"]}}\n",
		text(&c->dns[0]), text(&c->dns[1]), text(&c->api[0]), text(&c->api[1]));
	for (int f = 0; f < 2; f++) {
		slice(b, "kube-system", "kube-dns", f, false);
		bh_buf_printf(b, "{\"addresses\":[\"%s\"]},{\"addresses\":[\"%s\"]}]}\n",
			      text(&dns[0].a[f]), text(&dns[1].a[f]));
	}
	slice(b, "default", "kubernetes", 0, false);
	bh_buf_printf(b, "{\"addresses\":[\"%s\"]}],\"ports\":[{\"port\":6443}]}\n",
		      text(&c->node[1][0]));
}

void ora_objects(const struct ora_cluster *c, struct bh_buf *b)
{
	for (int i = 0; i < ORA_TENANTS; i++)
		tenant(b, c, i);
	for (int i = 0; i < ORA_NODES; i++)
		bh_buf_printf(
			b,
			"{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"n%d\","
			"\"annotations\":{\"bulkhead.dev/host-addresses\":\"%s\"}},\"status\":"
			"{\"addresses\":[{\"type\":\"InternalIP\",\"address\":\"%s\"}],"
			"\"conditions\":[{\"type\":\"BulkheadReady\",\"status\":\"%s\"}]}}\n",
			i, text(&c->node[i][1]), text(&c->node[i][0]), i < 2 ? "True" : "False");
	for (int i = 0; i < ORA_PODS; i++)
		pod(b, &c->pod[i], i);
	for (int i = 0; i < ORA_SERVICES; i++)
		service(b, &c->service[i], i);
	platform(b, c);
}
