/* SPDX-License-Identifier: Apache-2.0 */
#include "model/decode.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"

#define SERVICE_MAX_CLUSTER_IPS 16
#define SERVICE_MAX_EXTERNAL 16384
#define SERVICE_MAX_PORTS 1000

/*
 * Kubernetes allows 1000 endpoints, 100 addresses in each and 20000 ports in a slice, but its own
 * controller writes at most 1000, 1 and what a Service has (discovery/v1 validation). A slice is
 * never refused for being larger: what is not read would not be counted as a backend.
 */
#define SLICE_MAX_ENDPOINTS 1000
#define SLICE_MAX_ADDRS_EACH 8
#define SLICE_MAX_ADDRS 2000
#define SLICE_MAX_PORTS 1000

#define SERVICE_NAME_LABEL "kubernetes.io/service-name"

static const struct bh_field_rule any_text = { NULL, "text" };

/*
 * As kube-proxy reads them, and so as packets go: in these fields the API server lets leading zeros
 * pass (010.0.0.1 is 10.0.0.1) and IPv4 inside of IPv6 (::ffff:10.0.0.1).
 */
static int parse_sloppy(const char *text, struct bh_addr *ret_addr)
{
	struct in6_addr in6;
	char plain[16]; /* three digits each, dots, NUL */
	size_t n = 0;

	if (strchr(text, ':'))
		return inet_pton(AF_INET6, text, &in6) == 1 ? bh_addr_from_bytes(&in6, 16, ret_addr)
							    : -EINVAL;
	for (const char *s = text; *s; s++) {
		/* a zero before another digit, at the beginning of a number */
		if (*s == '0' && s[1] >= '0' && s[1] <= '9' && (!n || plain[n - 1] == '.'))
			continue;
		if (n == sizeof(plain) - 1)
			return -EINVAL;
		plain[n++] = *s;
	}
	plain[n] = '\0';
	return bh_addr_parse(plain, ret_addr);
}

/* Room for @n addresses more. */
static int reserve(struct bh_addr **v, size_t have, size_t n)
{
	struct bh_addr *bigger = reallocarray(*v, have + n + 1, sizeof(**v));

	if (!bigger)
		return -ENOMEM;
	*v = bigger;
	return 0;
}

/* Appends where there is room, also what is there already. */
static int take_addr(const struct bh_field *f, struct bh_addr *v, size_t *n, struct bh_err *err)
{
	const char *text;
	const int r = bh_field_str(f, &any_text, &text, err);

	if (r < 0)
		return r;
	if (parse_sloppy(text, &v[*n]) < 0)
		return bh_field_err(f, err, "'%.80s', expected an IPv4 or IPv6 address", text);
	(*n)++;
	return 0;
}

static int add_cluster_ip(const struct bh_field *f, struct bh_service *svc, struct bh_err *err)
{
	const char *text = "";
	int r = bh_decode_str(f, &text, err);

	if (r < 0)
		return r;
	if (!*text || strcmp(text, "None") == 0)
		return 0;
	r = take_addr(f, svc->cluster_ips, &svc->n_cluster_ips, err);
	for (size_t i = 0; r == 0 && i + 1 < svc->n_cluster_ips; i++) {
		if (bh_addr_cmp(&svc->cluster_ips[i], &svc->cluster_ips[svc->n_cluster_ips - 1]))
			continue;
		svc->n_cluster_ips--;
		break;
	}
	return r;
}

static int decode_cluster_ips(const struct bh_field *spec, struct bh_service *svc,
			      struct bh_err *err)
{
	const struct bh_field ips = bh_field_at(spec, "clusterIPs"),
			      ip = bh_field_at(spec, "clusterIP");
	size_t i = 0;
	int r;

	if (bh_field_given(&ips)) {
		r = bh_field_array(&ips, SERVICE_MAX_CLUSTER_IPS, err);
		if (r < 0)
			return r;
	}
	r = reserve(&svc->cluster_ips, 0, bh_json_len(ips.v) + 1);
	if (r < 0)
		return r;
	bh_json_for_each(el, ips.v) {
		const struct bh_field fe = bh_field_elem(&ips, i++, el);

		r = add_cluster_ip(&fe, svc, err);
		if (r < 0)
			return r;
	}
	return add_cluster_ip(&ip, svc, err);
}

/* @member: where the address is in each element; NULL: the element itself. */
static int decode_external(const struct bh_field *list, const char *member, struct bh_service *svc,
			   struct bh_err *err)
{
	size_t i = 0;
	int r;

	if (!bh_field_given(list))
		return 0;
	r = bh_field_array(list, SIZE_MAX, err);
	if (r == 0)
		r = reserve(&svc->external, svc->n_external, bh_json_len(list->v));
	if (r < 0)
		return r;
	bh_json_for_each(el, list->v) {
		const struct bh_field fe = bh_field_elem(list, i++, el),
				      f = member ? bh_field_at(&fe, member) : fe;
		const char *text = "";

		if (svc->n_external == SERVICE_MAX_EXTERNAL)
			break;
		if (member && !bh_field_given(&f))
			continue; /* a load balancer with a name */
		r = bh_decode_str(&f, &text, err);
		if (r == 0 && *text)
			r = take_addr(&f, svc->external, &svc->n_external, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int decode_port(const struct bh_field *f, struct bh_service_port *out, size_t *n,
		       struct bh_err *err)
{
	static const char *const names[] = { "TCP", "UDP", "SCTP" };
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };
	const struct bh_field proto = bh_field_at(f, "protocol"), port = bh_field_at(f, "port"),
			      name = bh_field_at(f, "name");
	const char *text = "";
	unsigned int which = 0;
	int64_t v;
	int r;

	r = bh_field_object(f, err);
	if (r < 0)
		return r;
	if (bh_field_given(&proto)) {
		r = bh_field_enum(&proto, names, 3, &which, err);
		if (r < 0)
			return r;
	}
	r = bh_decode_str(&name, &text, err);
	if (r < 0)
		return r;
	if (!bh_field_given(&port)) /* "all ports": names none that could be opened */
		return 0;
	r = bh_field_int(&port, 1, 65535, &v, err);
	if (r < 0)
		return r;
	if (strlen(text) >= BH_PORT_NAME_MAX)
		return bh_field_err(&name, err, "over %d bytes", BH_PORT_NAME_MAX - 1);
	out[*n] = (struct bh_service_port){ .proto = protos[which], .port = (uint16_t)v };
	(void)snprintf(out[*n].name, BH_PORT_NAME_MAX, "%s", text);
	(*n)++;
	return 0;
}

/* The first @max ports of @list. */
static int decode_ports(const struct bh_field *list, size_t max, struct bh_service_port **ret_v,
			size_t *ret_n, struct bh_err *err)
{
	size_t i = 0, n;
	int r;

	if (!bh_field_given(list))
		return 0;
	r = bh_field_array(list, SIZE_MAX, err);
	if (r < 0)
		return r;
	n = bh_json_len(list->v);
	*ret_v = calloc((n < max ? n : max) + 1, sizeof(**ret_v));
	if (!*ret_v)
		return -ENOMEM;
	bh_json_for_each(el, list->v) {
		const struct bh_field fe = bh_field_elem(list, i++, el);

		if (*ret_n == max)
			break;
		r = decode_port(&fe, *ret_v, ret_n, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int bh_decode_service(const struct bh_field *doc, struct bh_object *o, struct bh_err *err)
{
	const struct bh_field spec = bh_field_at(doc, "spec"), status = bh_field_at(doc, "status"),
			      lb = bh_field_at(&status, "loadBalancer"),
			      ips = bh_field_at(&spec, "externalIPs"),
			      ingress = bh_field_at(&lb, "ingress"),
			      ports = bh_field_at(&spec, "ports");
	int r;

	o->service.synced = bh_decode_synced(doc);
	r = decode_cluster_ips(&spec, &o->service, err);
	if (r == 0)
		r = decode_external(&ips, NULL, &o->service, err);
	if (r == 0)
		r = decode_external(&ingress, "ip", &o->service, err);
	if (r < 0)
		return r;
	return decode_ports(&ports, SERVICE_MAX_PORTS, &o->service.ports, &o->service.n_ports, err);
}

static int decode_endpoint(const struct bh_field *ep, struct bh_endpoint_slice *slice,
			   struct bh_err *err)
{
	const struct bh_field list = bh_field_at(ep, "addresses");
	size_t i = 0, n;
	int r;

	r = bh_field_array(&list, SIZE_MAX, err);
	if (r < 0)
		return r;
	n = bh_json_len(list.v);
	if (n > SLICE_MAX_ADDRS_EACH || slice->n_addrs + n > SLICE_MAX_ADDRS) {
		slice->opaque = true;
		return 0;
	}
	bh_json_for_each(el, list.v) {
		const struct bh_field fe = bh_field_elem(&list, i++, el);

		r = take_addr(&fe, slice->addrs, &slice->n_addrs, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int decode_endpoints(const struct bh_field *doc, struct bh_endpoint_slice *slice,
			    struct bh_err *err)
{
	const struct bh_field type = bh_field_at(doc, "addressType"),
			      list = bh_field_at(doc, "endpoints");
	size_t i = 0, n = 0;
	const char *text;
	int r;

	r = bh_field_str(&type, &any_text, &text, err);
	if (r < 0)
		return r;
	slice->opaque = strcmp(text, "IPv4") != 0 && strcmp(text, "IPv6") != 0;
	if (slice->opaque || !bh_field_given(&list))
		return 0;
	r = bh_field_array(&list, SIZE_MAX, err);
	if (r < 0)
		return r;
	bh_json_for_each(el, list.v)
		n += bh_json_len(bh_json_get(el, "addresses"));
	r = reserve(&slice->addrs, 0, n < SLICE_MAX_ADDRS ? n : SLICE_MAX_ADDRS);
	if (r < 0)
		return r;
	bh_json_for_each(el, list.v) {
		const struct bh_field fe = bh_field_elem(&list, i, el);

		if (i++ == SLICE_MAX_ENDPOINTS) {
			slice->opaque = true;
			break;
		}
		r = decode_endpoint(&fe, slice, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int bh_decode_slice(const struct bh_field *doc, struct bh_object *o, struct bh_err *err)
{
	const struct bh_field ports = bh_field_at(doc, "ports");
	const char *service = bh_labels_get(&o->labels, SERVICE_NAME_LABEL);
	int r;

	o->slice.synced = bh_decode_synced(doc);
	if (service) {
		o->slice.service = strdup(service);
		if (!o->slice.service)
			return -ENOMEM;
	}
	r = decode_endpoints(doc, &o->slice, err);
	if (r < 0)
		return r;
	return decode_ports(&ports, SLICE_MAX_PORTS, &o->slice.ports, &o->slice.n_ports, err);
}
