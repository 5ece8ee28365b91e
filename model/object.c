/* SPDX-License-Identifier: Apache-2.0 */
#include "model/object.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/json.h"
#include "common/parse.h"
#include "model/decode.h"
#include "model/tenant.h"

#define BH_MANAGED_BY "vcluster.loft.sh/managed-by"
#define BH_OBJECT_ANNOTATION "vcluster.loft.sh/object-"

static const struct kind_info {
	const char *name;
	const char *api_version;
	bool namespaced;
	const struct bh_field_rule rule; /* of its names, as Kubernetes validates them */
} kinds[] = {
#define LABEL_RULE                                                                                 \
	{                                                                                          \
		bh_parse_is_label, "a name of lower-case letters, digits and hyphens"              \
	}
#define SUBDOMAIN_RULE                                                                             \
	{                                                                                          \
		bh_parse_is_subdomain, "a name of lower-case letters, digits, hyphens and dots"    \
	}
#define RULE_TENANT SUBDOMAIN_RULE
#define RULE_NAMESPACE LABEL_RULE
#define RULE_POD SUBDOMAIN_RULE
#define RULE_SERVICE LABEL_RULE
#define RULE_ENDPOINTSLICE SUBDOMAIN_RULE
#define RULE_NODE SUBDOMAIN_RULE
#define X(id, kind, api, spaced) [BH_KIND_##id] = { kind, api, spaced, RULE_##id },
	BH_KINDS(X)
#undef X
};

static const struct bh_field_rule any_text = { NULL, "text" };
static const struct bh_field_rule namespace_rule = LABEL_RULE;

const char *bh_kind_name(enum bh_kind kind)
{
	return kind < BH_KIND_MAX_ ? kinds[kind].name : "unknown";
}

void bh_object_key_done(struct bh_object_key *k)
{
	free(k->ns);
	free(k->name);
	k->ns = k->name = NULL;
}

int bh_object_key_cmp(const struct bh_object_key *a, const struct bh_object_key *b)
{
	int r;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	r = strcmp(a->ns ? a->ns : "", b->ns ? b->ns : "");
	return r ? r : strcmp(a->name, b->name);
}

const char *bh_object_key_str(const struct bh_object_key *k, char *buf, size_t cap)
{
	(void)snprintf(buf, cap, "%s %s%s%s", bh_kind_name(k->kind), k->ns ? k->ns : "",
		       k->ns ? "/" : "", k->name);
	return buf;
}

/* The kind of a document, or -EOPNOTSUPP. */
static int find_kind(const struct bh_field *doc, enum bh_kind *ret_kind, struct bh_err *err)
{
	const struct bh_field fk = bh_field_at(doc, "kind"), fa = bh_field_at(doc, "apiVersion");
	const char *kind, *api;
	int r;

	r = bh_field_object(doc, err);
	if (r < 0)
		return r;
	r = bh_field_str(&fk, &any_text, &kind, err);
	if (r < 0)
		return r;
	r = bh_field_str(&fa, &any_text, &api, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < BH_KIND_MAX_; i++) {
		if (strcmp(kinds[i].name, kind) != 0)
			continue;
		if (strcmp(kinds[i].api_version, api) == 0) {
			*ret_kind = (enum bh_kind)i;
			return 0;
		}
		/* to pass over a misspelt one would leave a customer unprotected, silently */
		if (i == BH_KIND_TENANT)
			return bh_field_unexpected(&fa, BH_TENANT_API_VERSION, err);
	}
	return bh_err_set(err, EOPNOTSUPP, "kind '%.80s' of '%.80s' is not used", kind, api);
}

static int find_namespace(const struct bh_field *meta, const struct kind_info *info,
			  const char **ret_ns, struct bh_err *err)
{
	const struct bh_field f = bh_field_at(meta, "namespace");
	const char *ns = "";
	int r;

	if (bh_field_given(&f)) {
		r = bh_field_str(&f, &any_text, &ns, err);
		if (r < 0)
			return r;
	}
	if (!info->namespaced) {
		if (*ns)
			return bh_field_err(&f, err, "'%.80s', but a %s has no namespace", ns,
					    info->name);
		*ret_ns = NULL;
		return 0;
	}
	if (*ns && !namespace_rule.is(ns))
		return bh_field_unexpected(&f, namespace_rule.what, err);
	*ret_ns = *ns ? ns : "default";
	return 0;
}

static int identify(const struct bh_field *doc, struct bh_object_key *ret_key, struct bh_err *err)
{
	const struct bh_field meta = bh_field_at(doc, "metadata"), f = bh_field_at(&meta, "name");
	struct bh_object_key key = { 0 };
	const char *name, *ns = NULL;
	int r;

	r = find_kind(doc, &key.kind, err);
	if (r < 0)
		return r;
	r = bh_field_object(&meta, err);
	if (r < 0)
		return r;
	r = bh_field_str(&f, &kinds[key.kind].rule, &name, err);
	if (r < 0)
		return r;
	r = find_namespace(&meta, &kinds[key.kind], &ns, err);
	if (r < 0)
		return r;
	key.name = strdup(name);
	key.ns = ns ? strdup(ns) : NULL;
	if (!key.name || (ns && !key.ns)) {
		bh_object_key_done(&key);
		return -ENOMEM;
	}
	*ret_key = key;
	return 0;
}

int bh_object_identify(const struct bh_json *doc, struct bh_object_key *ret_key, struct bh_err *err)
{
	const struct bh_field root = bh_field_root(doc);

	return identify(&root, ret_key, err);
}

static int cmp_label(const void *a, const void *b)
{
	return strcmp(((const struct bh_label *)a)->key, ((const struct bh_label *)b)->key);
}

/* Labels of a pod that decide anything. */
static bool is_read_label(const char *key)
{
	static const char *const keys[] = { "app", "release", "k8s-app", BH_MANAGED_BY };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(keys[i], key) == 0)
			return true;
	return false;
}

static char *place(char **at, const char *s)
{
	char *here = *at;

	*at = stpcpy(here, s) + 1;
	return here;
}

/* All in one block: the array, then the texts. */
static int store_labels(const struct bh_json *obj, bool all, size_t n, size_t bytes,
			struct bh_labels *ret_labels)
{
	char *block = malloc(n * sizeof(*ret_labels->v) + bytes + 1), *at;

	if (!block)
		return -ENOMEM;
	at = block + n * sizeof(*ret_labels->v);
	ret_labels->v = (struct bh_label *)(void *)block;
	bh_json_for_each(member, obj) {
		struct bh_label *l = &ret_labels->v[ret_labels->n];

		if (!all && !is_read_label(bh_json_key(member)))
			continue;
		l->key = place(&at, bh_json_key(member));
		l->value = place(&at, bh_json_str(member));
		ret_labels->n++;
	}
	qsort(ret_labels->v, ret_labels->n, sizeof(*ret_labels->v), cmp_label);
	return 0;
}

int bh_decode_labels(const struct bh_field *doc, bool bounded, struct bh_labels *ret_labels,
		     struct bh_err *err)
{
	const struct bh_field meta = bh_field_at(doc, "metadata"), f = bh_field_at(&meta, "labels");
	size_t n = 0, bytes = 0, few = 0, few_bytes = 0;
	const char *value;
	int r;

	if (!bh_field_given(&f))
		return 0;
	r = bh_field_object(&f, err);
	if (r < 0)
		return r;
	bh_json_for_each(member, f.v) {
		const struct bh_field fl = { .up = &f, .key = bh_json_key(member), .v = member };
		size_t len;

		r = bh_field_str(&fl, &any_text, &value, err);
		if (r < 0)
			return r;
		len = strlen(fl.key) + strlen(value) + 2;
		n++;
		bytes += len;
		if (!is_read_label(fl.key))
			continue;
		few++;
		few_bytes += len;
	}
	if (bounded && n * sizeof(struct bh_label) + bytes > BH_POD_MAX_LABEL_BYTES)
		return store_labels(f.v, false, few, few_bytes, ret_labels);
	return store_labels(f.v, true, n, bytes, ret_labels);
}

const char *bh_labels_get(const struct bh_labels *l, const char *key)
{
	size_t lo = 0, hi = l->n;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;
		const int r = strcmp(l->v[mid].key, key);

		if (!r)
			return l->v[mid].value;
		if (r < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/* Whatever their values are: a wrong type must not hide them. */
bool bh_decode_synced(const struct bh_field *doc)
{
	const struct bh_field meta = bh_field_at(doc, "metadata"),
			      labels = bh_field_at(&meta, "labels"),
			      annotations = bh_field_at(&meta, "annotations");

	if (bh_json_get(labels.v, BH_MANAGED_BY))
		return true;
	if (bh_json_type(annotations.v) != BH_JSON_OBJECT)
		return false;
	bh_json_for_each(member, annotations.v)
		if (strncmp(bh_json_key(member), BH_OBJECT_ANNOTATION,
			    sizeof(BH_OBJECT_ANNOTATION) - 1) == 0)
			return true;
	return false;
}

static int decode_tenant(const struct bh_field *doc, struct bh_object *o, struct bh_err *err)
{
	static const char *const known[] = { "apiVersion", "kind", "metadata", "spec", "status" };
	const struct bh_field meta = bh_field_at(doc, "metadata");
	int r;

	r = bh_field_only(doc, known, sizeof(known) / sizeof(known[0]), err);
	if (r < 0)
		return r;
	if (bh_decode_synced(doc))
		return bh_field_err(&meta, err,
				    "carries " BH_MANAGED_BY " or " BH_OBJECT_ANNOTATION
				    "*: an object that a syncer made never defines a tenant");
	return bh_tenant_spec_decode(bh_json_get(doc->v, "spec"), &o->tenant, err);
}

static int decode_kind(const struct bh_field *doc, struct bh_object *o, struct bh_err *err)
{
	switch (o->key.kind) {
	case BH_KIND_TENANT:
		return decode_tenant(doc, o, err);
	case BH_KIND_NAMESPACE:
		o->namespace.synced = bh_decode_synced(doc);
		return 0;
	case BH_KIND_POD:
		return bh_decode_pod(doc, o, err);
	case BH_KIND_SERVICE:
		return bh_decode_service(doc, o, err);
	case BH_KIND_ENDPOINTSLICE:
		return bh_decode_slice(doc, o, err);
	case BH_KIND_NODE:
		return bh_decode_node(doc, o, err);
	case BH_KIND_MAX_:
		break;
	}
	return -EOPNOTSUPP;
}

int bh_object_decode(const struct bh_json *doc, struct bh_object **ret_obj, struct bh_err *err)
{
	const struct bh_field root = bh_field_root(doc);
	bh_auto(bh_object_freep) struct bh_object *o = NULL;
	struct bh_object_key key;
	int r;

	r = identify(&root, &key, err);
	if (r < 0)
		return r;
	o = calloc(1, sizeof(*o));
	if (!o) {
		bh_object_key_done(&key);
		return -ENOMEM;
	}
	o->key = key;
	r = bh_decode_labels(&root, key.kind == BH_KIND_POD, &o->labels, err);
	if (r < 0)
		return r;
	r = decode_kind(&root, o, err);
	if (r < 0)
		return r;
	*ret_obj = BH_TAKE_PTR(o);
	return 0;
}

static void free_contents(struct bh_object *o)
{
	switch (o->key.kind) {
	case BH_KIND_TENANT:
		o->tenant = bh_tenant_spec_free(o->tenant);
		break;
	case BH_KIND_POD:
		free(o->pod.uid);
		free(o->pod.node);
		free(o->pod.addrs);
		break;
	case BH_KIND_SERVICE:
		free(o->service.cluster_ips);
		free(o->service.external);
		free(o->service.ports);
		break;
	case BH_KIND_ENDPOINTSLICE:
		free(o->slice.service);
		free(o->slice.addrs);
		free(o->slice.ports);
		break;
	case BH_KIND_NODE:
		free(o->node.addrs);
		free(o->node.pod_cidrs);
		break;
	case BH_KIND_NAMESPACE:
	case BH_KIND_MAX_:
		break;
	}
}

struct bh_object *bh_object_free(struct bh_object *o)
{
	if (!o)
		return NULL;
	free_contents(o);
	free(o->labels.v);
	bh_object_key_done(&o->key);
	free(o);
	return NULL;
}
