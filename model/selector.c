/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "common/json.h"
#include "common/parse.h"
#include "model/object.h"
#include "model/tenant_decode.h"

static const struct bh_field_rule key_rule = { bh_parse_is_label_key, "a label's key" };
static const struct bh_field_rule value_rule = { bh_parse_is_label_value, "a label's value" };

static bool has_value(const struct bh_requirement *r, const char *value)
{
	for (size_t i = 0; i < r->n_values; i++)
		if (strcmp(r->values[i], value) == 0)
			return true;
	return false;
}

static bool requirement_holds(const struct bh_requirement *r, const struct bh_labels *labels)
{
	const char *value = bh_labels_get(labels, r->key);

	switch (r->op) {
	case BH_SEL_IN:
		return value && has_value(r, value);
	case BH_SEL_NOT_IN:
		return !value || !has_value(r, value);
	case BH_SEL_EXISTS:
		return value != NULL;
	case BH_SEL_DOES_NOT_EXIST:
		return !value;
	}
	return false;
}

bool bh_selector_matches(const struct bh_selector *s, const struct bh_labels *labels)
{
	for (size_t i = 0; i < s->n; i++)
		if (!requirement_holds(&s->v[i], labels))
			return false;
	return s->n > 0;
}

static int decode_match_label(const struct bh_field *f, struct bh_requirement *req,
			      struct bh_err *err)
{
	int r;

	if (!bh_parse_is_label_key(f->key))
		return bh_field_err(f, err, "expected %s before the colon", key_rule.what);
	req->op = BH_SEL_IN;
	req->key = strdup(f->key);
	req->values = calloc(1, sizeof(*req->values));
	if (!req->key || !req->values)
		return -ENOMEM;
	r = bh_field_dup(f, &value_rule, &req->values[0], err);
	if (r < 0)
		return r;
	req->n_values = 1;
	return 0;
}

static int decode_values(const struct bh_field *f, struct bh_requirement *req, struct bh_err *err)
{
	const bool wanted = req->op == BH_SEL_IN || req->op == BH_SEL_NOT_IN;
	struct bh_strv values = { 0 };
	int r;

	if (!wanted) {
		if (bh_field_present(f) && bh_json_len(f->v))
			return bh_field_err(f, err,
					    "expected none with operator Exists or DoesNotExist");
		return bh_field_present(f) ? bh_field_array(f, 0, err) : 0;
	}
	r = bh_field_strv(f, BH_TENANT_MAX_VALUES, &value_rule, &values, err);
	if (r < 0)
		return r;
	req->values = values.v;
	req->n_values = values.n;
	if (!values.n)
		return bh_field_err(f, err, "expected at least one with operator In or NotIn");
	return 0;
}

static int decode_expression(const struct bh_field *f, struct bh_requirement *req,
			     struct bh_err *err)
{
	static const char *const known[] = { "key", "operator", "values" };
	static const char *const ops[] = { "In", "NotIn", "Exists", "DoesNotExist" };
	const struct bh_field key = bh_field_at(f, "key"), op = bh_field_at(f, "operator"),
			      values = bh_field_at(f, "values");
	unsigned int which;
	int r;

	r = bh_field_only(f, known, 3, err);
	if (r < 0)
		return r;
	r = bh_field_dup(&key, &key_rule, &req->key, err);
	if (r < 0)
		return r;
	r = bh_field_enum(&op, ops, 4, &which, err);
	if (r < 0)
		return r;
	req->op = (enum bh_selector_op)which;
	return decode_values(&values, req, err);
}

static int check_lists(const struct bh_field *labels, const struct bh_field *expressions,
		       struct bh_err *err)
{
	int r = 0;

	if (bh_field_present(labels))
		r = bh_field_object(labels, err);
	if (r == 0 && bh_field_present(expressions))
		r = bh_field_array(expressions, BH_TENANT_MAX_REQUIREMENTS, err);
	if (r == 0 && bh_json_len(labels->v) > BH_TENANT_MAX_REQUIREMENTS)
		return bh_field_err(labels, err, "%zu labels, expected at most %d",
				    bh_json_len(labels->v), BH_TENANT_MAX_REQUIREMENTS);
	return r;
}

int bh_decode_selector(const struct bh_field *f, struct bh_selector *ret_sel, struct bh_err *err)
{
	static const char *const known[] = { "matchLabels", "matchExpressions" };
	const struct bh_field labels = bh_field_at(f, known[0]),
			      expressions = bh_field_at(f, known[1]);
	size_t i = 0;
	int r;

	r = bh_field_only(f, known, 2, err);
	if (r < 0)
		return r;
	r = check_lists(&labels, &expressions, err);
	if (r < 0)
		return r;
	ret_sel->v =
		calloc(bh_json_len(labels.v) + bh_json_len(expressions.v) + 1, sizeof(*ret_sel->v));
	if (!ret_sel->v)
		return -ENOMEM;
	bh_json_for_each(member, labels.v) {
		const struct bh_field fl = { .up = &labels,
					     .key = bh_json_key(member),
					     .v = member };

		r = decode_match_label(&fl, &ret_sel->v[ret_sel->n++], err);
		if (r < 0)
			return r;
	}
	bh_json_for_each(el, expressions.v) {
		const struct bh_field fe = bh_field_elem(&expressions, i++, el);

		r = decode_expression(&fe, &ret_sel->v[ret_sel->n++], err);
		if (r < 0)
			return r;
	}
	return 0;
}

void bh_selector_done(struct bh_selector *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->v[i].key);
		for (size_t j = 0; j < s->v[i].n_values; j++)
			free(s->v[i].values[j]);
		free(s->v[i].values);
	}
	free(s->v);
	*s = (struct bh_selector){ 0 };
}

bool bh_selector_equal(const struct bh_selector *a, const struct bh_selector *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct bh_requirement *x = &a->v[i], *y = &b->v[i];

		if (x->op != y->op || strcmp(x->key, y->key) != 0 ||
		    !bh_strings_equal(x->values, x->n_values, y->values, y->n_values))
			return false;
	}
	return true;
}
