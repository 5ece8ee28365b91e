/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * tenant_decode - the parts of a Tenant's spec that have a file of their own. Inside of model/
 * only; see tenant.h. What a decoder has built when it fails is left to the _done() of the same
 * part. 0; -EINVAL with path and reason; -ENOMEM.
 */
#include "model/field.h"
#include "model/tenant.h"

int bh_decode_selector(const struct bh_field *f, struct bh_selector *ret_sel, struct bh_err *err);
void bh_selector_done(struct bh_selector *s);
bool bh_selector_equal(const struct bh_selector *a, const struct bh_selector *b);

/* @f: spec.network; absent lists are no grants. */
int bh_decode_grants(const struct bh_field *f, struct bh_tenant_spec *s, struct bh_err *err);
void bh_grants_done(struct bh_grant *v, size_t n);
bool bh_grants_equal(const struct bh_grant *a, size_t n_a, const struct bh_grant *b, size_t n_b);

/* @f: spec.dns, which may be absent. */
int bh_decode_dns(const struct bh_field *f, struct bh_tenant_spec *s, struct bh_err *err);
void bh_dns_rules_done(struct bh_dns_rule *v, size_t n);
bool bh_dns_rules_equal(const struct bh_dns_rule *a, size_t n_a, const struct bh_dns_rule *b,
			size_t n_b);

/* Members that may be absent: *ret_v stays as it is then. */
int bh_decode_mode(const struct bh_field *up, enum bh_mode *ret_mode, struct bh_err *err);
int bh_decode_opt_bool(const struct bh_field *up, const char *key, bool *ret_v, struct bh_err *err);
int bh_decode_opt_enum(const struct bh_field *up, const char *key, const char *const names[2],
		       unsigned int *ret_v, struct bh_err *err);
int bh_decode_opt_strv(const struct bh_field *f, size_t max, const struct bh_field_rule *rule,
		       struct bh_strv *ret_strv, struct bh_err *err);

extern const struct bh_field_rule bh_namespace_rule;
extern const struct bh_field_rule bh_name_rule;

bool bh_str_equal(const char *a, const char *b); /* NULL equals NULL alone */
bool bh_strings_equal(char *const *a, size_t n_a, char *const *b, size_t n_b);
