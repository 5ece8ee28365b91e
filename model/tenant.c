/* SPDX-License-Identifier: Apache-2.0 */
#include "model/tenant.h"

#include <errno.h>
#include <string.h>

#include "common/json.h"
#include "common/parse.h"
#include "model/tenant_decode.h"

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

static const char *const mode_names[] = { "enforce", "audit", "off" };
static const char *const world_names[] = { "public", "all", "none" };
_Static_assert(N_OF(mode_names) == BH_MODE_MAX_, "a name for each mode");
_Static_assert(N_OF(world_names) == BH_WORLD_MAX_, "a name for each world");

const struct bh_field_rule bh_namespace_rule = {
	bh_parse_is_label, "a namespace name of lower-case letters, digits and hyphens"
};
const struct bh_field_rule bh_name_rule = {
	bh_parse_is_subdomain, "a name of lower-case letters, digits, hyphens and dots"
};

const char *bh_mode_name(enum bh_mode m)
{
	return m < BH_MODE_MAX_ ? mode_names[m] : "unknown";
}

const char *bh_world_name(enum bh_world w)
{
	return w < BH_WORLD_MAX_ ? world_names[w] : "unknown";
}

bool bh_str_equal(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool bh_strings_equal(char *const *a, size_t n_a, char *const *b, size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return true;
}

int bh_decode_mode(const struct bh_field *up, enum bh_mode *ret_mode, struct bh_err *err)
{
	const struct bh_field f = bh_field_at(up, "mode");
	unsigned int which;
	int r;

	if (!bh_field_present(&f))
		return 0;
	r = bh_field_enum(&f, mode_names, N_OF(mode_names), &which, err);
	if (r == 0)
		*ret_mode = (enum bh_mode)which;
	return r;
}

int bh_decode_opt_bool(const struct bh_field *up, const char *key, bool *ret_v, struct bh_err *err)
{
	const struct bh_field f = bh_field_at(up, key);

	return bh_field_present(&f) ? bh_field_bool(&f, ret_v, err) : 0;
}

int bh_decode_opt_enum(const struct bh_field *up, const char *key, const char *const names[2],
		       unsigned int *ret_v, struct bh_err *err)
{
	const struct bh_field f = bh_field_at(up, key);

	return bh_field_present(&f) ? bh_field_enum(&f, names, 2, ret_v, err) : 0;
}

int bh_decode_opt_strv(const struct bh_field *f, size_t max, const struct bh_field_rule *rule,
		       struct bh_strv *ret_strv, struct bh_err *err)
{
	return bh_field_present(f) ? bh_field_strv(f, max, rule, ret_strv, err) : 0;
}

static int decode_claims(const struct bh_field *f, struct bh_tenant_spec *s, struct bh_err *err)
{
	const struct bh_field list = bh_field_at(f, "namespaces"),
			      sel = bh_field_at(f, "namespaceSelector");
	struct bh_strv names = { 0 };
	int r;

	r = bh_decode_opt_strv(&list, BH_TENANT_MAX_NAMESPACES, &bh_namespace_rule, &names, err);
	if (r < 0)
		return r;
	s->namespaces = names.v;
	s->n_namespaces = names.n;
	if (!bh_field_present(&sel))
		return 0;
	s->has_selector = true;
	return bh_decode_selector(&sel, &s->selector, err);
}

static int decode_vcluster(const struct bh_field *f, struct bh_tenant_spec *s, struct bh_err *err)
{
	static const char *const known[] = { "name", "namespace", "publishMetrics" };
	static const struct bh_field_rule rule = {
		bh_parse_is_label,
		"a virtual cluster's name of lower-case letters, digits and hyphens"
	};
	const struct bh_field name = bh_field_at(f, "name"), ns = bh_field_at(f, "namespace");
	int r;

	if (!bh_field_present(f))
		return 0;
	s->vcluster.present = true;
	r = bh_field_only(f, known, N_OF(known), err);
	if (r < 0)
		return r;
	r = bh_field_dup(&name, &rule, &s->vcluster.name, err);
	if (r < 0)
		return r;
	r = bh_field_dup(&ns, &bh_namespace_rule, &s->vcluster.ns, err);
	if (r < 0)
		return r;
	return bh_decode_opt_bool(f, "publishMetrics", &s->vcluster.publish_metrics, err);
}

static int decode_cpu(const struct bh_field *f, struct bh_tenant_spec *s, struct bh_err *err)
{
	static const char *const known[] = { "weight", "quota" };
	static const struct bh_field_rule rule = { NULL, "a text as \"16\", \"0.5\" or \"250m\"" };
	const struct bh_field weight = bh_field_at(f, "weight"), quota = bh_field_at(f, "quota");
	int64_t v = BH_TENANT_DEFAULT_CPU_WEIGHT;
	const char *text;
	int r;

	s->cpu_weight = BH_TENANT_DEFAULT_CPU_WEIGHT;
	if (!bh_field_present(f))
		return 0;
	r = bh_field_only(f, known, N_OF(known), err);
	if (r < 0)
		return r;
	if (bh_field_present(&weight)) {
		r = bh_field_int(&weight, 1, BH_TENANT_MAX_CPU_WEIGHT, &v, err);
		if (r < 0)
			return r;
		s->cpu_weight = (uint32_t)v;
	}
	if (!bh_field_present(&quota))
		return 0;
	r = bh_field_str(&quota, &rule, &text, err);
	if (r < 0)
		return r;
	r = bh_parse_cpu_milli(text, &s->cpu_quota_milli);
	if (r == -EINVAL)
		return bh_field_unexpected(&quota, rule.what, err);
	if (r < 0 || !s->cpu_quota_milli || s->cpu_quota_milli > BH_TENANT_MAX_CPU_QUOTA_MILLI)
		return bh_field_unexpected(&quota, "1m..100000 cores", err);
	return 0;
}

static int decode_world(const struct bh_field *f, struct bh_tenant_spec *s, struct bh_err *err)
{
	static const char *const known[] = { "egress", "ingress" };
	enum bh_world *const out[] = { &s->net.egress, &s->net.ingress };
	unsigned int which;
	int r;

	if (!bh_field_present(f))
		return 0;
	r = bh_field_only(f, known, N_OF(known), err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < N_OF(known); i++) {
		const struct bh_field fw = bh_field_at(f, known[i]);

		if (!bh_field_present(&fw))
			continue;
		r = bh_field_enum(&fw, world_names, N_OF(world_names), &which, err);
		if (r < 0)
			return r;
		*out[i] = (enum bh_world)which;
	}
	return 0;
}

static int decode_network(const struct bh_field *f, struct bh_tenant_spec *s, struct bh_err *err)
{
	static const char *const known[] = { "mode", "world", "otherInterfaces", "egress",
					     "ingress" };
	static const char *const other[2] = { "report", "deny" };
	const struct bh_field world = bh_field_at(f, "world");
	unsigned int which = 0;
	int r;

	s->net.mode = BH_MODE_ENFORCE;
	s->net.egress = BH_WORLD_PUBLIC;
	s->net.ingress = BH_WORLD_PUBLIC;
	if (!bh_field_present(f))
		return 0;
	r = bh_field_only(f, known, N_OF(known), err);
	if (r < 0)
		return r;
	r = bh_decode_mode(f, &s->net.mode, err);
	if (r < 0)
		return r;
	r = decode_world(&world, s, err);
	if (r < 0)
		return r;
	r = bh_decode_opt_enum(f, "otherInterfaces", other, &which, err);
	if (r < 0)
		return r;
	s->net.deny_other_interfaces = which == 1;
	return bh_decode_grants(f, s, err);
}

static int decode_sandbox(const struct bh_field *f, struct bh_tenant_spec *s, struct bh_err *err)
{
	static const char *const known[] = { "required", "runtimeClasses" };
	const struct bh_field classes = bh_field_at(f, "runtimeClasses");
	struct bh_strv names = { 0 };
	int r;

	s->sandbox.any_class = !bh_field_present(&classes);
	if (!bh_field_present(f))
		return 0;
	r = bh_field_only(f, known, N_OF(known), err);
	if (r < 0)
		return r;
	r = bh_decode_opt_bool(f, "required", &s->sandbox.required, err);
	if (r < 0)
		return r;
	r = bh_decode_opt_strv(&classes, BH_TENANT_MAX_CLASSES, &bh_name_rule, &names, err);
	if (r < 0)
		return r;
	s->sandbox.classes = names.v;
	s->sandbox.n_classes = names.n;
	return 0;
}

int bh_tenant_spec_decode(const struct bh_json *spec, struct bh_tenant_spec **ret_spec,
			  struct bh_err *err)
{
	static const char *const known[] = { "namespaces", "namespaceSelector", "virtualCluster",
					     "cpu",	   "network",		"dns",
					     "sandbox" };
	static const struct {
		const char *key;
		int (*decode)(const struct bh_field *f, struct bh_tenant_spec *s,
			      struct bh_err *err);
	} parts[] = {
		{ "virtualCluster", decode_vcluster }, { "cpu", decode_cpu },
		{ "network", decode_network },	       { "dns", bh_decode_dns },
		{ "sandbox", decode_sandbox },
	};
	const struct bh_field root = bh_field_root(NULL),
			      f = { .up = &root, .key = "spec", .v = spec };
	bh_auto(bh_tenant_spec_freep) struct bh_tenant_spec *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	r = bh_field_only(&f, known, N_OF(known), err);
	if (r < 0)
		return r;
	r = decode_claims(&f, s, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < N_OF(parts); i++) {
		const struct bh_field part = bh_field_at(&f, parts[i].key);

		r = parts[i].decode(&part, s, err);
		if (r < 0)
			return r;
	}
	*ret_spec = BH_TAKE_PTR(s);
	return 0;
}

static void free_strings(char **v, size_t n)
{
	struct bh_strv s = { v, n };

	bh_strv_done(&s);
}

struct bh_tenant_spec *bh_tenant_spec_free(struct bh_tenant_spec *s)
{
	if (!s)
		return NULL;
	free_strings(s->namespaces, s->n_namespaces);
	bh_selector_done(&s->selector);
	free(s->vcluster.name);
	free(s->vcluster.ns);
	bh_grants_done(s->net.egress_grants, s->net.n_egress);
	bh_grants_done(s->net.ingress_grants, s->net.n_ingress);
	bh_dns_rules_done(s->dns.allow, s->dns.n_allow);
	bh_dns_rules_done(s->dns.deny, s->dns.n_deny);
	free_strings(s->dns.resolver_namespaces, s->dns.n_resolver_namespaces);
	free_strings(s->sandbox.classes, s->sandbox.n_classes);
	free(s);
	return NULL;
}
