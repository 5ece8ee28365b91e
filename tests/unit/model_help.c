/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above, in any order, first */
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/json.h"
#include "common/yaml.h"
#include "tests/unit/model_help.h"

#define FIXTURE_MAX (1 << 20)

struct bh_json *bh_test_yaml(const char *text)
{
	bh_auto(bh_yaml_freep) struct bh_yaml *y = NULL;
	struct bh_json *doc = NULL;
	struct bh_err err = { 0 };

	assert_int_equal(bh_yaml_new(text, strlen(text), &y), 0);
	if (bh_yaml_next(y, &doc, &err) != 1)
		fail_msg("%s", err.msg);
	return doc;
}

char *bh_test_read(const char *path)
{
	char *text = calloc(1, FIXTURE_MAX);
	FILE *f = fopen(path, "re");
	size_t n;

	assert_non_null(text);
	if (!f)
		fail_msg("%s: %s", path, strerror(errno));
	n = fread(text, 1, FIXTURE_MAX - 1, f);
	assert_true(n > 0 && n < FIXTURE_MAX - 1);
	(void)fclose(f);
	return text;
}

struct bh_object *bh_test_object(const char *text)
{
	bh_auto(bh_json_freep) struct bh_json *doc = bh_test_yaml(text);
	struct bh_object *o = NULL;
	struct bh_err err = { 0 };

	if (bh_object_decode(doc, &o, &err) != 0)
		fail_msg("%s", err.msg);
	return o;
}

struct bh_model *bh_test_model(void)
{
	struct bh_model *m = NULL;

	assert_int_equal(bh_model_new(&m), 0);
	return m;
}

void bh_test_put(struct bh_model *m, const char *text)
{
	bh_auto(bh_yaml_freep) struct bh_yaml *y = NULL;
	struct bh_err err = { 0 };
	int r;

	assert_int_equal(bh_yaml_new(text, strlen(text), &y), 0);
	for (;;) {
		bh_auto(bh_json_freep) struct bh_json *doc = NULL;
		struct bh_object *o = NULL;

		r = bh_yaml_next(y, &doc, &err);
		if (r == 0)
			return;
		if (r < 0 || bh_object_decode(doc, &o, &err) < 0)
			fail_msg("%s in %s", err.msg, text);
		assert_int_equal(bh_model_put(m, o), 0);
	}
}

void bh_test_putf(struct bh_model *m, const char *fmt, ...)
{
	char text[4096];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	assert_true(n > 0 && (size_t)n < sizeof(text));
	bh_test_put(m, text);
}

bool bh_test_del(struct bh_model *m, enum bh_kind kind, const char *ns, const char *name)
{
	const struct bh_object_key key = { kind, (char *)ns, (char *)name };

	return bh_model_del(m, &key);
}

struct bh_addr bh_test_addr(const char *text)
{
	struct bh_addr a = { 0 };

	if (bh_addr_parse(text, &a) < 0)
		fail_msg("'%s' is no address", text);
	return a;
}

struct bh_prefix bh_test_prefix(const char *text)
{
	struct bh_prefix p = { 0 };

	if (bh_prefix_parse(text, &p, NULL) < 0)
		fail_msg("'%s' is no prefix", text);
	return p;
}

struct bh_picture *bh_test_derive(const struct bh_model *m, const struct bh_env *env)
{
	struct bh_picture *p = NULL;

	assert_int_equal(bh_model_derive(m, env, &p), 0);
	return p;
}

const char *bh_test_class_name(enum bh_class cls)
{
	static const char *const names[] = {
#define X(id, label, ...) [BH_CLASS_##id] = label,
		BH_CLASSES(X)
#undef X
	};

	assert_true(cls < BH_CLASS_MAX_);
	return names[cls];
}

static const char *tenant_name(const struct bh_picture *p, uint32_t tenant)
{
	if (tenant == BH_NO_TENANT)
		return "-";
	assert_true(tenant < p->n_tenants);
	return p->tenants[tenant].name;
}

static void dump_pod(struct bh_buf *b, const struct bh_picture *p, const struct bh_pic_pod *pod)
{
	bh_buf_printf(b, "pod %s/%s %s %s%s%s%s%s uid=%s\n", pod->obj->key.ns, pod->obj->key.name,
		      bh_test_class_name(pod->cls), tenant_name(p, pod->tenant),
		      pod->control_plane ? " control-plane" : "", pod->local ? " local" : "",
		      pod->live ? " live" : "", pod->unisolatable ? " unisolatable" : "",
		      pod->obj->pod.uid);
}

static void dump_addr(struct bh_buf *b, const struct bh_picture *p, const struct bh_pic_addr *a)
{
	char text[BH_ADDR_STRLEN];

	bh_buf_printf(b, "addr %s %s %s%s%s ports=%u,%u%s", bh_addr_str(&a->addr, text),
		      bh_test_class_name(a->cls), tenant_name(p, a->tenant), a->dns ? " dns" : "",
		      a->apiserver_any ? " apiserver" : "", a->apiserver_ports[0],
		      a->apiserver_ports[1], a->cluster_ip ? " cluster-ip" : "");
	if (a->external)
		bh_buf_printf(b, " external=%s(%s)", bh_test_class_name(a->owner),
			      tenant_name(p, a->owner_tenant));
	if (a->service != BH_NO_SERVICE)
		bh_buf_printf(b, " of %s/%s", p->services[a->service].obj->key.ns,
			      p->services[a->service].obj->key.name);
	bh_buf_printf(b, "\n");
}

static void dump_service(struct bh_buf *b, const struct bh_picture *p,
			 const struct bh_pic_service *s)
{
	bh_buf_printf(b, "service %s/%s %s %s%s:", s->obj->key.ns, s->obj->key.name,
		      bh_test_class_name(s->cls), tenant_name(p, s->tenant),
		      s->grantable ? " grantable" : "");
	for (size_t i = 0; i < s->n_slices; i++)
		bh_buf_printf(b, " %s", p->slices[s->slice + i]->key.name);
	bh_buf_printf(b, "\n");
}

char *bh_test_picture_dump(const struct bh_picture *p)
{
	bh_autobuf b = BH_BUF_INIT;
	char text[BH_PREFIX_STRLEN], *out = NULL;

	for (size_t i = 0; i < p->n_tenants; i++)
		bh_buf_printf(&b, "tenant %s pods=%u local=%u\n", p->tenants[i].name,
			      p->tenants[i].n_pods, p->tenants[i].n_local_pods);
	for (size_t i = 0; i < p->n_pods; i++)
		dump_pod(&b, p, &p->pods[i]);
	for (size_t i = 0; i < p->n_services; i++)
		dump_service(&b, p, &p->services[i]);
	for (size_t i = 0; i < p->n_addrs; i++)
		dump_addr(&b, p, &p->addrs[i]);
	for (size_t i = 0; i < p->n_cidrs; i++)
		bh_buf_printf(&b, "cidr %s %s\n", bh_prefix_str(&p->cidrs[i].prefix, text),
			      bh_test_class_name(p->cidrs[i].cls));
	for (size_t i = 0; i < p->n_cluster_cidrs; i++)
		bh_buf_printf(&b, "cluster %s\n", bh_prefix_str(&p->cluster_cidrs[i], text));
	assert_int_equal(bh_buf_take(&b, &out, NULL), 0);
	return out;
}

static const char *describe(const struct bh_picture *p, enum bh_class cls, uint32_t tenant)
{
	static char text[300];

	if (tenant == BH_NO_TENANT)
		return bh_test_class_name(cls);
	(void)snprintf(text, sizeof(text), "%s(%s)", bh_test_class_name(cls),
		       tenant_name(p, tenant));
	return text;
}

const char *bh_test_pod_is(const struct bh_picture *p, const char *ns, const char *name)
{
	const struct bh_pic_pod *pod = bh_picture_pod(p, ns, name);

	if (!pod)
		return "absent";
	return describe(p, pod->cls, pod->tenant);
}

const char *bh_test_addr_is(const struct bh_picture *p, const char *addr)
{
	const struct bh_addr a = bh_test_addr(addr);
	const struct bh_pic_addr *entry = bh_picture_addr(p, &a);

	if (!entry)
		return "nobody's";
	return describe(p, entry->cls, entry->tenant);
}
