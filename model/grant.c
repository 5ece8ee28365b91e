/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "common/err.h"
#include "common/json.h"
#include "model/tenant_decode.h"

static int decode_prefix(const struct bh_field *f, struct bh_prefix *ret_prefix, struct bh_err *err)
{
	static const struct bh_field_rule rule = { NULL, "address/length, as in 10.0.0.0/8" };
	struct bh_err why = { 0 };
	const char *text;
	int r;

	r = bh_field_str(f, &rule, &text, err);
	if (r < 0)
		return r;
	if (bh_prefix_parse(text, ret_prefix, &why) < 0)
		return bh_field_err(f, err, "%s", why.msg);
	return 0;
}

static int decode_except(const struct bh_field *f, struct bh_grant *g, struct bh_err *err)
{
	size_t i = 0;
	int r;

	if (!bh_field_present(f))
		return 0;
	r = bh_field_array(f, BH_TENANT_MAX_EXCEPT, err);
	if (r < 0)
		return r;
	g->except = calloc(bh_json_len(f->v) + 1, sizeof(*g->except));
	if (!g->except)
		return -ENOMEM;
	bh_json_for_each(el, f->v) {
		const struct bh_field fe = bh_field_elem(f, i++, el);
		struct bh_prefix p;

		r = decode_prefix(&fe, &p, err);
		if (r < 0)
			return r;
		if (!bh_prefix_covers(&g->cidr, &p) || bh_prefix_cmp(&g->cidr, &p) == 0)
			return bh_field_unexpected(&fe, "a smaller range inside the cidr", err);
		g->except[g->n_except++] = p;
	}
	return 0;
}

static int decode_service(const struct bh_field *f, struct bh_grant *g, struct bh_err *err)
{
	static const char *const known[] = { "namespace", "name" };
	const struct bh_field ns = bh_field_at(f, known[0]), name = bh_field_at(f, known[1]);
	int r;

	r = bh_field_only(f, known, 2, err);
	if (r < 0)
		return r;
	r = bh_field_dup(&ns, &bh_namespace_rule, &g->service_ns, err);
	if (r < 0)
		return r;
	return bh_field_dup(&name, &bh_name_rule, &g->service_name, err);
}

/* A peer that is named by its presence: false would read as "not this", which no grant can say. */
static int decode_true(const struct bh_field *f, struct bh_err *err)
{
	if (!bh_json_is_true(f->v))
		return bh_field_unexpected(f, "true", err);
	return 0;
}

/* The keys of `to` and `from`, in the order of enum bh_grant_peer. */
static const char *const peer_keys[] = { "cidr",      "tenant", "service",
					 "apiServer", "node",	"metadata" };

static int decode_peer_value(const struct bh_field *up, struct bh_grant *g, struct bh_err *err)
{
	const struct bh_field f = bh_field_at(up, peer_keys[g->peer]),
			      except = bh_field_at(up, "except");
	int r;

	if (g->peer != BH_GRANT_CIDR && bh_field_present(&except))
		return bh_field_err(&except, err, "expected only beside cidr");
	switch (g->peer) {
	case BH_GRANT_CIDR:
		r = decode_prefix(&f, &g->cidr, err);
		return r < 0 ? r : decode_except(&except, g, err);
	case BH_GRANT_TENANT:
		return bh_field_dup(&f, &bh_name_rule, &g->tenant, err);
	case BH_GRANT_SERVICE:
		return decode_service(&f, g, err);
	case BH_GRANT_APISERVER:
	case BH_GRANT_NODE:
	case BH_GRANT_METADATA:
		return decode_true(&f, err);
	}
	return -EINVAL;
}

static int decode_peer(const struct bh_field *f, bool ingress, struct bh_grant *g,
		       struct bh_err *err)
{
	static const char *const egress_known[] = { "cidr", "tenant",	"service", "apiServer",
						    "node", "metadata", "except" };
	static const char *const ingress_known[] = { "cidr", "tenant", "except" };
	const size_t n_peers = ingress ? 2 : 6;
	size_t found = 0;
	int r;

	r = ingress ? bh_field_only(f, ingress_known, 3, err)
		    : bh_field_only(f, egress_known, 7, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n_peers; i++) {
		if (!bh_json_get(f->v, peer_keys[i]))
			continue;
		g->peer = (enum bh_grant_peer)i;
		found++;
	}
	if (found != 1)
		return bh_field_err(f, err, "%zu peers, expected exactly one of %s", found,
				    ingress ? "cidr, tenant"
					    : "cidr, tenant, service, apiServer, node, metadata");
	return decode_peer_value(f, g, err);
}

static int decode_port_numbers(const struct bh_field *f, struct bh_port_range *range,
			       struct bh_err *err)
{
	const struct bh_field port = bh_field_at(f, "port"), end = bh_field_at(f, "endPort");
	int64_t lo, hi;
	int r;

	if (!bh_field_present(&port)) {
		if (bh_field_present(&end))
			return bh_field_err(&end, err, "expected only beside port");
		range->lo = 0;
		range->hi = UINT16_MAX;
		return 0;
	}
	if (range->proto == IPPROTO_ICMP)
		return bh_field_err(&port, err, "expected none with protocol ICMP");
	r = bh_field_int(&port, 1, UINT16_MAX, &lo, err);
	if (r < 0)
		return r;
	hi = lo;
	if (bh_field_present(&end)) {
		r = bh_field_int(&end, lo, UINT16_MAX, &hi, err);
		if (r < 0)
			return r;
	}
	range->lo = (uint16_t)lo;
	range->hi = (uint16_t)hi;
	return 0;
}

static int decode_port(const struct bh_field *f, struct bh_port_range *range, struct bh_err *err)
{
	static const char *const known[] = { "protocol", "port", "endPort" };
	static const char *const names[] = { "TCP", "UDP", "SCTP", "ICMP" };
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_ICMP };
	const struct bh_field proto = bh_field_at(f, "protocol");
	unsigned int which;
	int r;

	r = bh_field_only(f, known, 3, err);
	if (r < 0)
		return r;
	r = bh_field_enum(&proto, names, 4, &which, err);
	if (r < 0)
		return r;
	range->proto = protos[which];
	return decode_port_numbers(f, range, err);
}

static int decode_ports(const struct bh_field *f, struct bh_grant *g, struct bh_err *err)
{
	size_t i = 0;
	int r;

	g->any_port = !bh_field_present(f);
	if (g->any_port)
		return 0;
	r = bh_field_array(f, BH_TENANT_MAX_PORTS, err);
	if (r < 0)
		return r;
	g->ports = calloc(bh_json_len(f->v) + 1, sizeof(*g->ports));
	if (!g->ports)
		return -ENOMEM;
	bh_json_for_each(el, f->v) {
		const struct bh_field fe = bh_field_elem(f, i++, el);

		r = decode_port(&fe, &g->ports[g->n_ports], err);
		if (r < 0)
			return r;
		g->n_ports++;
	}
	return 0;
}

static int decode_grant(const struct bh_field *f, bool ingress, struct bh_grant *g,
			struct bh_err *err)
{
	const char *const known[] = { ingress ? "from" : "to", "ports" };
	const struct bh_field peer = bh_field_at(f, known[0]), ports = bh_field_at(f, known[1]);
	int r;

	r = bh_field_only(f, known, 2, err);
	if (r < 0)
		return r;
	r = decode_peer(&peer, ingress, g, err);
	if (r < 0)
		return r;
	return decode_ports(&ports, g, err);
}

static int decode_list(const struct bh_field *f, bool ingress, struct bh_grant **ret_v,
		       size_t *ret_n, struct bh_err *err)
{
	struct bh_grant *v;
	size_t n = 0;
	int r;

	if (!bh_field_present(f))
		return 0;
	r = bh_field_array(f, BH_TENANT_MAX_GRANTS, err);
	if (r < 0)
		return r;
	v = calloc(bh_json_len(f->v) + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	bh_json_for_each(el, f->v) {
		const struct bh_field fe = bh_field_elem(f, n, el);

		r = decode_grant(&fe, ingress, &v[n++], err);
		if (r < 0) {
			bh_grants_done(v, n);
			return r;
		}
	}
	*ret_v = v;
	*ret_n = n;
	return 0;
}

int bh_decode_grants(const struct bh_field *f, struct bh_tenant_spec *s, struct bh_err *err)
{
	const struct bh_field egress = bh_field_at(f, "egress"),
			      ingress = bh_field_at(f, "ingress");
	int r;

	r = decode_list(&egress, false, &s->net.egress_grants, &s->net.n_egress, err);
	if (r < 0)
		return r;
	return decode_list(&ingress, true, &s->net.ingress_grants, &s->net.n_ingress, err);
}

void bh_grants_done(struct bh_grant *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(v[i].except);
		free(v[i].tenant);
		free(v[i].service_ns);
		free(v[i].service_name);
		free(v[i].ports);
	}
	free(v);
}

static bool grant_equal(const struct bh_grant *a, const struct bh_grant *b)
{
	if (a->peer != b->peer || bh_prefix_cmp(&a->cidr, &b->cidr) != 0 ||
	    a->n_except != b->n_except || !bh_str_equal(a->tenant, b->tenant) ||
	    !bh_str_equal(a->service_ns, b->service_ns) ||
	    !bh_str_equal(a->service_name, b->service_name) || a->any_port != b->any_port ||
	    a->n_ports != b->n_ports)
		return false;
	for (size_t i = 0; i < a->n_except; i++)
		if (bh_prefix_cmp(&a->except[i], &b->except[i]) != 0)
			return false;
	for (size_t i = 0; i < a->n_ports; i++)
		if (a->ports[i].proto != b->ports[i].proto || a->ports[i].lo != b->ports[i].lo ||
		    a->ports[i].hi != b->ports[i].hi)
			return false;
	return true;
}

bool bh_grants_equal(const struct bh_grant *a, size_t n_a, const struct bh_grant *b, size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (!grant_equal(&a[i], &b[i]))
			return false;
	return true;
}
