/* SPDX-License-Identifier: Apache-2.0 */
#include "model/decode.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "common/json.h"

#define SERVICE_MAX_ADDRS 16

/*
 * Kubernetes allows 1000 endpoints, 100 addresses in each and 20000 ports in a slice, but its own
 * controller writes at most 1000, 1 and what a Service has (discovery/v1 validation).
 */
#define SLICE_MAX_ENDPOINTS 1000
#define SLICE_MAX_ADDRS_EACH 8
#define SLICE_MAX_ADDRS 2000
#define SLICE_MAX_PORTS 1000

#define SERVICE_NAME_LABEL "kubernetes.io/service-name"

static const struct bh_field_rule any_text = { NULL, "text" };

static int add_cluster_ip(const struct bh_field *f, struct bh_service *svc, struct bh_err *err)
{
	const struct bh_addrs to = { &svc->cluster_ips, &svc->n_cluster_ips };
	const char *text = "";
	const int r = bh_decode_str(f, &text, err);

	if (r < 0)
		return r;
	if (!*text || strcmp(text, "None") == 0)
		return 0;
	return bh_decode_add_addr(f, text, &to, err);
}

int bh_decode_service(const struct bh_field *doc, struct bh_object *o, struct bh_err *err)
{
	const struct bh_field spec = bh_field_at(doc, "spec"),
			      ips = bh_field_at(&spec, "clusterIPs"),
			      ip = bh_field_at(&spec, "clusterIP");
	size_t i = 0;
	int r;

	o->service.synced = bh_decode_synced(doc);
	if (bh_field_given(&ips)) {
		r = bh_field_array(&ips, SERVICE_MAX_ADDRS, err);
		if (r < 0)
			return r;
	}
	bh_json_for_each(el, ips.v) {
		const struct bh_field fe = bh_field_elem(&ips, i++, el);

		r = add_cluster_ip(&fe, &o->service, err);
		if (r < 0)
			return r;
	}
	return add_cluster_ip(&ip, &o->service, err);
}

static int decode_endpoint(const struct bh_field *ep, struct bh_endpoint_slice *slice,
			   struct bh_err *err)
{
	const struct bh_field list = bh_field_at(ep, "addresses");
	const struct bh_addrs to = { &slice->addrs, &slice->n_addrs };
	const char *text;
	size_t i = 0;
	int r;

	r = bh_field_array(&list, SLICE_MAX_ADDRS_EACH, err);
	if (r < 0)
		return r;
	if (slice->n_addrs + bh_json_len(list.v) > SLICE_MAX_ADDRS)
		return bh_field_err(&list, err, "more than %d addresses in all", SLICE_MAX_ADDRS);
	bh_json_for_each(el, list.v) {
		const struct bh_field fe = bh_field_elem(&list, i++, el);

		r = bh_field_str(&fe, &any_text, &text, err);
		if (r == 0)
			r = bh_decode_add_addr(&fe, text, &to, err);
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
	const char *text;
	size_t i = 0;
	int r;

	r = bh_field_str(&type, &any_text, &text, err);
	if (r < 0)
		return r;
	if (strcmp(text, "FQDN") == 0 || !bh_field_given(&list))
		return 0;
	r = bh_field_array(&list, SLICE_MAX_ENDPOINTS, err);
	if (r < 0)
		return r;
	bh_json_for_each(el, list.v) {
		const struct bh_field fe = bh_field_elem(&list, i++, el);

		r = decode_endpoint(&fe, slice, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int decode_port(const struct bh_field *f, struct bh_endpoint_slice *slice,
		       struct bh_err *err)
{
	static const char *const names[] = { "TCP", "UDP", "SCTP" };
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };
	const struct bh_field proto = bh_field_at(f, "protocol"), port = bh_field_at(f, "port");
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
	if (!bh_field_given(&port)) /* "all ports": names none that could be opened */
		return 0;
	r = bh_field_int(&port, 1, 65535, &v, err);
	if (r < 0)
		return r;
	slice->ports[slice->n_ports++] =
		(struct bh_slice_port){ .proto = protos[which], .port = (uint16_t)v };
	return 0;
}

static int decode_ports(const struct bh_field *doc, struct bh_endpoint_slice *slice,
			struct bh_err *err)
{
	const struct bh_field list = bh_field_at(doc, "ports");
	size_t i = 0;
	int r;

	if (!bh_field_given(&list))
		return 0;
	r = bh_field_array(&list, SLICE_MAX_PORTS, err);
	if (r < 0)
		return r;
	slice->ports = calloc(bh_json_len(list.v) + 1, sizeof(*slice->ports));
	if (!slice->ports)
		return -ENOMEM;
	bh_json_for_each(el, list.v) {
		const struct bh_field fe = bh_field_elem(&list, i++, el);

		r = decode_port(&fe, slice, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int bh_decode_slice(const struct bh_field *doc, struct bh_object *o, struct bh_err *err)
{
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
	return decode_ports(doc, &o->slice, err);
}
