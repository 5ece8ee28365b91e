/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "common/json.h"
#include "model/tenant_decode.h"

#define DNS_LABEL_MAX 63
#define DNS_NAME_MAX 253 /* as text without the last dot, RFC 1035 section 2.3.4 */

/* Lower-case letters, digits, '-' and '_' (service records), as names are compared later. */
static bool is_dns_name(const char *s)
{
	size_t label = 0, len = 0;

	for (; *s; s++, len++) {
		if (*s == '.') {
			if (!label)
				return false;
			label = 0;
			continue;
		}
		if (!((*s >= 'a' && *s <= 'z') || (*s >= '0' && *s <= '9') || *s == '-' ||
		      *s == '_') ||
		    ++label > DNS_LABEL_MAX)
			return false;
	}
	return label && len <= DNS_NAME_MAX;
}

static bool is_dns_rule(const char *s)
{
	return is_dns_name(strncmp(s, "*.", 2) == 0 ? s + 2 : s);
}

static int decode_rules(const struct bh_field *f, struct bh_dns_rule **ret_v, size_t *ret_n,
			struct bh_err *err)
{
	static const struct bh_field_rule rule = {
		is_dns_rule, "a lower-case DNS name without a last dot, or *. before one"
	};
	struct bh_strv names = { 0 };
	struct bh_dns_rule *v;
	int r;

	if (!bh_field_present(f))
		return 0;
	r = bh_field_strv(f, BH_TENANT_MAX_DNS_RULES, &rule, &names, err);
	if (r < 0)
		return r;
	v = calloc(names.n + 1, sizeof(*v));
	if (!v) {
		bh_strv_done(&names);
		return -ENOMEM;
	}
	for (size_t i = 0; i < names.n; i++) {
		char *name = BH_TAKE_PTR(names.v[i]);

		v[i].wildcard = name[0] == '*';
		if (v[i].wildcard)
			memmove(name, name + 2, strlen(name + 2) + 1);
		v[i].name = name;
	}
	*ret_v = v;
	*ret_n = names.n;
	bh_strv_done(&names);
	return 0;
}

int bh_decode_dns(const struct bh_field *f, struct bh_tenant_spec *s, struct bh_err *err)
{
	static const char *const known[] = { "mode", "allow", "deny", "default",
					     "resolverNamespaces" };
	static const char *const defaults[2] = { "allow", "deny" };
	const struct bh_field allow = bh_field_at(f, "allow"), deny = bh_field_at(f, "deny"),
			      resolvers = bh_field_at(f, "resolverNamespaces");
	struct bh_strv names = { 0 };
	unsigned int which;
	int r;

	s->dns.mode = BH_MODE_ENFORCE;
	s->dns.default_allow = true;
	if (!bh_field_present(f))
		return 0;
	r = bh_field_only(f, known, sizeof(known) / sizeof(known[0]), err);
	if (r < 0)
		return r;
	r = bh_decode_mode(f, &s->dns.mode, err);
	if (r < 0)
		return r;
	r = decode_rules(&allow, &s->dns.allow, &s->dns.n_allow, err);
	if (r < 0)
		return r;
	r = decode_rules(&deny, &s->dns.deny, &s->dns.n_deny, err);
	if (r < 0)
		return r;
	which = bh_field_present(&allow); /* who lists what is allowed means nothing else */
	r = bh_decode_opt_enum(f, "default", defaults, &which, err);
	if (r < 0)
		return r;
	s->dns.default_allow = which == 0;
	r = bh_decode_opt_strv(&resolvers, BH_TENANT_MAX_NAMESPACES, &bh_namespace_rule, &names,
			       err);
	if (r < 0)
		return r;
	s->dns.resolver_namespaces = names.v;
	s->dns.n_resolver_namespaces = names.n;
	return 0;
}

void bh_dns_rules_done(struct bh_dns_rule *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(v[i].name);
	free(v);
}

bool bh_dns_rules_equal(const struct bh_dns_rule *a, size_t n_a, const struct bh_dns_rule *b,
			size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (a[i].wildcard != b[i].wildcard || strcmp(a[i].name, b[i].name) != 0)
			return false;
	return true;
}
