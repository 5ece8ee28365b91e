/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "model/object.h"
#include "model/tenant_decode.h"

/* Whether two objects say the same: a put that changes nothing derives nothing anew. */

static bool addrs_equal(const struct bh_addr *a, size_t n_a, const struct bh_addr *b, size_t n_b)
{
	return n_a == n_b && (!n_a || memcmp(a, b, n_a * sizeof(*a)) == 0);
}

static bool labels_equal(const struct bh_labels *a, const struct bh_labels *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->v[i].key, b->v[i].key) != 0 ||
		    strcmp(a->v[i].value, b->v[i].value) != 0)
			return false;
	return true;
}

static bool pods_equal(const struct bh_pod *a, const struct bh_pod *b)
{
	return strcmp(a->uid, b->uid) == 0 && bh_str_equal(a->node, b->node) &&
	       a->host_network == b->host_network && a->phase == b->phase &&
	       a->controlled == b->controlled && a->synced == b->synced &&
	       addrs_equal(a->addrs, a->n_addrs, b->addrs, b->n_addrs);
}

static bool ports_equal(const struct bh_service_port *a, size_t n_a,
			const struct bh_service_port *b, size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (a[i].proto != b[i].proto || a[i].port != b[i].port ||
		    strcmp(a[i].name, b[i].name) != 0)
			return false;
	return true;
}

static bool services_equal(const struct bh_service *a, const struct bh_service *b)
{
	return a->synced == b->synced &&
	       addrs_equal(a->cluster_ips, a->n_cluster_ips, b->cluster_ips, b->n_cluster_ips) &&
	       addrs_equal(a->external, a->n_external, b->external, b->n_external) &&
	       ports_equal(a->ports, a->n_ports, b->ports, b->n_ports);
}

static bool slices_equal(const struct bh_endpoint_slice *a, const struct bh_endpoint_slice *b)
{
	return a->synced == b->synced && a->opaque == b->opaque &&
	       bh_str_equal(a->service, b->service) &&
	       addrs_equal(a->addrs, a->n_addrs, b->addrs, b->n_addrs) &&
	       ports_equal(a->ports, a->n_ports, b->ports, b->n_ports);
}

static bool nodes_equal(const struct bh_node *a, const struct bh_node *b)
{
	if (a->ready != b->ready || !addrs_equal(a->addrs, a->n_addrs, b->addrs, b->n_addrs) ||
	    a->n_pod_cidrs != b->n_pod_cidrs)
		return false;
	for (size_t i = 0; i < a->n_pod_cidrs; i++)
		if (bh_prefix_cmp(&a->pod_cidrs[i], &b->pod_cidrs[i]) != 0)
			return false;
	return true;
}

static bool claims_equal(const struct bh_tenant_spec *a, const struct bh_tenant_spec *b)
{
	return bh_strings_equal(a->namespaces, a->n_namespaces, b->namespaces, b->n_namespaces) &&
	       a->has_selector == b->has_selector &&
	       bh_selector_equal(&a->selector, &b->selector) &&
	       a->vcluster.present == b->vcluster.present &&
	       bh_str_equal(a->vcluster.name, b->vcluster.name) &&
	       bh_str_equal(a->vcluster.ns, b->vcluster.ns) &&
	       a->vcluster.publish_metrics == b->vcluster.publish_metrics;
}

static bool networks_equal(const struct bh_tenant_spec *a, const struct bh_tenant_spec *b)
{
	return a->net.mode == b->net.mode && a->net.egress == b->net.egress &&
	       a->net.ingress == b->net.ingress &&
	       a->net.deny_other_interfaces == b->net.deny_other_interfaces &&
	       bh_grants_equal(a->net.egress_grants, a->net.n_egress, b->net.egress_grants,
			       b->net.n_egress) &&
	       bh_grants_equal(a->net.ingress_grants, a->net.n_ingress, b->net.ingress_grants,
			       b->net.n_ingress);
}

static bool names_equal(const struct bh_tenant_spec *a, const struct bh_tenant_spec *b)
{
	return a->dns.mode == b->dns.mode && a->dns.default_allow == b->dns.default_allow &&
	       bh_dns_rules_equal(a->dns.allow, a->dns.n_allow, b->dns.allow, b->dns.n_allow) &&
	       bh_dns_rules_equal(a->dns.deny, a->dns.n_deny, b->dns.deny, b->dns.n_deny) &&
	       bh_strings_equal(a->dns.resolver_namespaces, a->dns.n_resolver_namespaces,
				b->dns.resolver_namespaces, b->dns.n_resolver_namespaces);
}

bool bh_tenant_spec_equal(const struct bh_tenant_spec *a, const struct bh_tenant_spec *b)
{
	return claims_equal(a, b) && a->cpu_weight == b->cpu_weight &&
	       a->cpu_quota_milli == b->cpu_quota_milli && networks_equal(a, b) &&
	       names_equal(a, b) && a->sandbox.required == b->sandbox.required &&
	       a->sandbox.any_class == b->sandbox.any_class &&
	       bh_strings_equal(a->sandbox.classes, a->sandbox.n_classes, b->sandbox.classes,
				b->sandbox.n_classes);
}

bool bh_object_equal(const struct bh_object *a, const struct bh_object *b)
{
	if (bh_object_key_cmp(&a->key, &b->key) != 0 || !labels_equal(&a->labels, &b->labels))
		return false;
	switch (a->key.kind) {
	case BH_KIND_TENANT:
		return bh_tenant_spec_equal(a->tenant, b->tenant);
	case BH_KIND_NAMESPACE:
		return a->namespace.synced == b->namespace.synced;
	case BH_KIND_POD:
		return pods_equal(&a->pod, &b->pod);
	case BH_KIND_SERVICE:
		return services_equal(&a->service, &b->service);
	case BH_KIND_ENDPOINTSLICE:
		return slices_equal(&a->slice, &b->slice);
	case BH_KIND_NODE:
		return nodes_equal(&a->node, &b->node);
	case BH_KIND_MAX_:
		break;
	}
	return false;
}
