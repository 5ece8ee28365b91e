/* SPDX-License-Identifier: Apache-2.0 */
#include "model/decode.h"

#include <errno.h>
#include <string.h>

#include "common/json.h"

/* One of each family is what Kubernetes allows; room for CNIs that write more. */
#define POD_MAX_ADDRS 16

static const struct bh_field_rule any_text = { NULL, "text" };

int bh_decode_bool(const struct bh_field *f, bool *ret_v, struct bh_err *err)
{
	return bh_field_given(f) ? bh_field_bool(f, ret_v, err) : 0;
}

int bh_decode_str(const struct bh_field *f, const char **ret_s, struct bh_err *err)
{
	return bh_field_given(f) ? bh_field_str(f, &any_text, ret_s, err) : 0;
}

int bh_decode_add_addr(const struct bh_field *f, const char *text, const struct bh_addrs *to,
		       struct bh_err *err)
{
	struct bh_addr a, *bigger;

	if (bh_addr_parse(text, &a) < 0)
		return bh_field_err(f, err, "'%.80s', expected an IPv4 or IPv6 address", text);
	for (size_t i = 0; i < *to->n; i++)
		if (bh_addr_cmp(&(*to->v)[i], &a) == 0)
			return 0;
	/* doubled whenever the count is a power of two */
	if ((*to->n & (*to->n - 1)) == 0) {
		bigger = reallocarray(*to->v, *to->n ? 2 * *to->n : 1, sizeof(**to->v));
		if (!bigger)
			return -ENOMEM;
		*to->v = bigger;
	}
	(*to->v)[(*to->n)++] = a;
	return 0;
}

static int decode_addrs(const struct bh_field *status, struct bh_pod *pod, struct bh_err *err)
{
	const struct bh_field ips = bh_field_at(status, "podIPs"),
			      ip = bh_field_at(status, "podIP");
	const struct bh_addrs to = { &pod->addrs, &pod->n_addrs };
	const char *text = "";
	size_t i = 0;
	int r;

	if (bh_field_given(&ips)) {
		r = bh_field_array(&ips, POD_MAX_ADDRS, err);
		if (r < 0)
			return r;
	}
	bh_json_for_each(el, ips.v) {
		const struct bh_field fe = bh_field_elem(&ips, i++, el),
				      fi = bh_field_at(&fe, "ip");

		r = bh_field_str(&fi, &any_text, &text, err);
		if (r == 0)
			r = bh_decode_add_addr(&fi, text, &to, err);
		if (r < 0)
			return r;
	}
	text = "";
	r = bh_decode_str(&ip, &text, err);
	if (r < 0 || !*text)
		return r;
	return bh_decode_add_addr(&ip, text, &to, err);
}

/* A controller reference to what Kubernetes' own controllers make control planes with. */
static bool has_controller(const struct bh_field *meta)
{
	const struct bh_field refs = bh_field_at(meta, "ownerReferences");

	bh_json_for_each(ref, refs.v) {
		const char *kind = bh_json_get_str(ref, "kind"),
			   *api = bh_json_get_str(ref, "apiVersion");

		if (!kind || !api || !bh_json_is_true(bh_json_get(ref, "controller")))
			continue;
		if (strncmp(api, "apps/", 5) == 0 &&
		    (strcmp(kind, "StatefulSet") == 0 || strcmp(kind, "ReplicaSet") == 0))
			return true;
	}
	return false;
}

static int dup_str(const struct bh_field *f, char **ret_s, struct bh_err *err)
{
	const char *text = "";
	const int r = bh_decode_str(f, &text, err);

	if (r < 0)
		return r;
	*ret_s = strdup(text);
	return *ret_s ? 0 : -ENOMEM;
}

int bh_decode_pod(const struct bh_field *doc, struct bh_object *o, struct bh_err *err)
{
	const struct bh_field meta = bh_field_at(doc, "metadata"), spec = bh_field_at(doc, "spec"),
			      status = bh_field_at(doc, "status"), uid = bh_field_at(&meta, "uid"),
			      node = bh_field_at(&spec, "nodeName"),
			      host = bh_field_at(&spec, "hostNetwork"),
			      phase = bh_field_at(&status, "phase");
	struct bh_pod *pod = &o->pod;
	const char *text = "";
	int r;

	r = dup_str(&uid, &pod->uid, err);
	if (r < 0)
		return r;
	r = dup_str(&node, &pod->node, err);
	if (r < 0)
		return r;
	if (!*pod->node) {
		free(pod->node);
		pod->node = NULL;
	}
	r = bh_decode_bool(&host, &pod->host_network, err);
	if (r < 0)
		return r;
	r = bh_decode_str(&phase, &text, err);
	if (r < 0)
		return r;
	pod->phase = strcmp(text, "Succeeded") == 0 || strcmp(text, "Failed") == 0 ? BH_POD_TERMINAL
										   : BH_POD_ACTIVE;
	pod->controlled = has_controller(&meta);
	pod->synced = bh_decode_synced(doc);
	return decode_addrs(&status, pod, err);
}
