/* SPDX-License-Identifier: Apache-2.0 */
#include "model/decode.h"

#include <errno.h>
#include <string.h>

#include "common/err.h"
#include "common/json.h"

/* A worker with a bridge, a tunnel and a link-local address for each of many pods. */
#define NODE_MAX_ADDRS 2048
#define NODE_MAX_POD_CIDRS 64
#define NODE_MAX_CONDITIONS 256

#define HOST_ADDRESSES "bulkhead.dev/host-addresses"
#define FLANNEL_BACKEND "flannel.alpha.coreos.com/backend-type"
#define READY_CONDITION "BulkheadReady"

/*
 * Where CNIs say which addresses the host itself uses, tunnel ends inside of pod ranges among them:
 * what comes from a host, its kubelet or a hostNetwork pod, may bear one of these.
 */
static const char *const cni_annotations[] = {
	"flannel.alpha.coreos.com/public-ip",
	"flannel.alpha.coreos.com/public-ipv6",
	"projectcalico.org/IPv4Address", /* address/length */
	"projectcalico.org/IPv6Address",
	"projectcalico.org/IPv4IPIPTunnelAddr",
	"projectcalico.org/IPv4VXLANTunnelAddr",
	"projectcalico.org/IPv6VXLANTunnelAddr",
	"projectcalico.org/IPv4WireguardInterfaceAddr",
	"projectcalico.org/IPv6WireguardInterfaceAddr",
	"network.cilium.io/ipv4-cilium-host",
	"network.cilium.io/ipv6-cilium-host",
	"io.cilium.network.ipv4-cilium-host", /* before Cilium 1.13 */
	"io.cilium.network.ipv6-cilium-host",
};

static const struct bh_field_rule any_text = { NULL, "text" };

static int decode_status_addrs(const struct bh_field *status, struct bh_node *node,
			       struct bh_err *err)
{
	const struct bh_field list = bh_field_at(status, "addresses");
	const struct bh_addrs to = { &node->addrs, &node->n_addrs };
	const char *type, *text;
	size_t i = 0;
	int r;

	if (!bh_field_given(&list))
		return 0;
	r = bh_field_array(&list, NODE_MAX_ADDRS, err);
	if (r < 0)
		return r;
	bh_json_for_each(el, list.v) {
		const struct bh_field fe = bh_field_elem(&list, i++, el),
				      ft = bh_field_at(&fe, "type"),
				      fa = bh_field_at(&fe, "address");

		r = bh_field_str(&ft, &any_text, &type, err);
		if (r < 0)
			return r;
		if (strcmp(type, "InternalIP") != 0 && strcmp(type, "ExternalIP") != 0)
			continue; /* Hostname, InternalDNS, ExternalDNS */
		r = bh_field_str(&fa, &any_text, &text, err);
		if (r == 0)
			r = bh_decode_add_addr(&fa, text, &to, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int decode_host_addrs(const struct bh_field *doc, struct bh_node *node, struct bh_err *err)
{
	const struct bh_field meta = bh_field_at(doc, "metadata"),
			      annotations = bh_field_at(&meta, "annotations"),
			      f = bh_field_at(&annotations, HOST_ADDRESSES);
	const struct bh_addrs to = { &node->addrs, &node->n_addrs };
	const char *s = "";
	char one[BH_ADDR_STRLEN];
	int r;

	r = bh_decode_str(&f, &s, err);
	if (r < 0)
		return r;
	while (*s) {
		const size_t len = strcspn(s, ",");

		if (len >= sizeof(one))
			return bh_field_err(&f, err, "'%.40s...', expected an address", s);
		if (node->n_addrs >= NODE_MAX_ADDRS)
			return bh_field_err(&f, err, "more than %d addresses", NODE_MAX_ADDRS);
		memcpy(one, s, len);
		one[len] = '\0';
		r = bh_decode_add_addr(&f, one, &to, err);
		if (r < 0)
			return r;
		s += len;
		if (*s == ',' && !*++s)
			return bh_field_err(&f, err, "ends in a comma, expected an address");
	}
	return 0;
}

/* Theirs, not ours: what does not read as an address is passed over. */
static int decode_cni_addrs(const struct bh_field *doc, struct bh_node *node)
{
	const struct bh_field meta = bh_field_at(doc, "metadata"),
			      annotations = bh_field_at(&meta, "annotations");
	const struct bh_addrs to = { &node->addrs, &node->n_addrs };
	char one[BH_ADDR_STRLEN];

	for (size_t i = 0; i < sizeof(cni_annotations) / sizeof(cni_annotations[0]); i++) {
		const struct bh_field f = bh_field_at(&annotations, cni_annotations[i]);
		const char *s = bh_json_str(f.v);
		const size_t len = s ? strcspn(s, "/") : 0;

		if (!s || len >= sizeof(one))
			continue;
		memcpy(one, s, len);
		one[len] = '\0';
		if (bh_decode_add_addr(&f, one, &to, NULL) == -ENOMEM)
			return -ENOMEM;
	}
	return 0;
}

static int add_pod_cidr(const struct bh_field *f, struct bh_node *node, struct bh_err *err)
{
	struct bh_err why = { 0 };
	struct bh_prefix p;
	const char *text = "";
	const int r = bh_decode_str(f, &text, err);

	if (r < 0 || !*text)
		return r;
	if (bh_prefix_parse(text, &p, &why) < 0)
		return bh_field_err(f, err, "%s", why.msg);
	for (size_t i = 0; i < node->n_pod_cidrs; i++)
		if (bh_prefix_cmp(&node->pod_cidrs[i], &p) == 0)
			return 0;
	node->pod_cidrs[node->n_pod_cidrs++] = p;
	return 0;
}

static int decode_pod_cidrs(const struct bh_field *spec, struct bh_node *node, struct bh_err *err)
{
	const struct bh_field list = bh_field_at(spec, "podCIDRs"),
			      one = bh_field_at(spec, "podCIDR");
	size_t i = 0;
	int r;

	if (bh_field_given(&list)) {
		r = bh_field_array(&list, NODE_MAX_POD_CIDRS, err);
		if (r < 0)
			return r;
	}
	node->pod_cidrs = calloc(bh_json_len(list.v) + 1, sizeof(*node->pod_cidrs));
	if (!node->pod_cidrs)
		return -ENOMEM;
	bh_json_for_each(el, list.v) {
		const struct bh_field fe = bh_field_elem(&list, i++, el);

		r = add_pod_cidr(&fe, node, err);
		if (r < 0)
			return r;
	}
	return add_pod_cidr(&one, node, err);
}

/*
 * flannel writes only a host's outer addresses. Its tunnel interface, from which the host itself
 * talks to other nodes' pods, has the lowest address of each range (backends vxlan and wireguard),
 * which no pod ever gets.
 */
static int add_flannel_tunnel(const struct bh_field *doc, struct bh_node *node)
{
	const struct bh_field meta = bh_field_at(doc, "metadata"),
			      annotations = bh_field_at(&meta, "annotations"),
			      backend = bh_field_at(&annotations, FLANNEL_BACKEND);
	const struct bh_addrs to = { &node->addrs, &node->n_addrs };
	char text[BH_ADDR_STRLEN];

	if (!bh_json_str(backend.v))
		return 0;
	for (size_t i = 0; i < node->n_pod_cidrs; i++)
		if (bh_decode_add_addr(&backend, bh_addr_str(&node->pod_cidrs[i].addr, text), &to,
				       NULL) == -ENOMEM)
			return -ENOMEM;
	return 0;
}

static int decode_ready(const struct bh_field *status, struct bh_node *node, struct bh_err *err)
{
	const struct bh_field list = bh_field_at(status, "conditions");
	int r;

	if (!bh_field_given(&list))
		return 0;
	r = bh_field_array(&list, NODE_MAX_CONDITIONS, err);
	if (r < 0)
		return r;
	bh_json_for_each(el, list.v) {
		const char *type = bh_json_get_str(el, "type"), *v = bh_json_get_str(el, "status");

		/* of two that disagree, the one that says no */
		if (!type || strcmp(type, READY_CONDITION) != 0)
			continue;
		node->ready = v && strcmp(v, "True") == 0;
		if (!node->ready)
			return 0;
	}
	return 0;
}

int bh_decode_node(const struct bh_field *doc, struct bh_object *o, struct bh_err *err)
{
	const struct bh_field spec = bh_field_at(doc, "spec"), status = bh_field_at(doc, "status");
	int r;

	r = decode_status_addrs(&status, &o->node, err);
	if (r < 0)
		return r;
	r = decode_host_addrs(doc, &o->node, err);
	if (r < 0)
		return r;
	r = decode_cni_addrs(doc, &o->node);
	if (r < 0)
		return r;
	r = decode_pod_cidrs(&spec, &o->node, err);
	if (r == 0)
		r = add_flannel_tunnel(doc, &o->node);
	if (r < 0)
		return r;
	return decode_ready(&status, &o->node, err);
}
