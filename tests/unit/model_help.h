/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * model_help - for tests of the model and of what reads it: objects from YAML, and a picture as
 * text. Each function fails the running test when something goes wrong.
 */
#include "model/model.h"

struct bh_json;

/* One document; the caller frees it. */
struct bh_json *bh_test_yaml(const char *text);
/* The file's whole text; the caller frees it. */
char *bh_test_read(const char *path);
struct bh_object *bh_test_object(const char *text);

struct bh_model *bh_test_model(void);
/* Puts every document of the stream. */
void bh_test_put(struct bh_model *m, const char *text);
void bh_test_putf(struct bh_model *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* True if it was there. */
bool bh_test_del(struct bh_model *m, enum bh_kind kind, const char *ns, const char *name);

struct bh_addr bh_test_addr(const char *text);
struct bh_prefix bh_test_prefix(const char *text);
struct bh_picture *bh_test_derive(const struct bh_model *m, const struct bh_env *env);
const char *bh_test_class_name(enum bh_class cls);

/*
 * Everything in a picture as text, a line for each thing, pointers replaced by names: two pictures
 * are the same if and only if their dumps are. The caller frees it.
 */
char *bh_test_picture_dump(const struct bh_picture *p);
/* "tenant(acme)", "unassigned", ...: class and tenant of a pod, or of an address. Static text. */
const char *bh_test_pod_is(const struct bh_picture *p, const char *ns, const char *name);
const char *bh_test_addr_is(const struct bh_picture *p, const char *addr);

/* Beginnings of YAML documents; a test writes the name and what follows. */
#define YAML_TENANT "---\n{apiVersion: bulkhead.dev/v1alpha1, kind: Tenant, metadata: {name: "
#define YAML_POD "---\n{apiVersion: v1, kind: Pod, metadata: {namespace: "
#define YAML_NS "---\n{apiVersion: v1, kind: Namespace, metadata: {name: "
#define YAML_NODE "---\n{apiVersion: v1, kind: Node, metadata: {name: "
#define ON_N1(ip) "spec: {nodeName: n1}, status: {phase: Running, podIPs: [{ip: " ip "}]}}\n"
#define ON_N2(ip) "spec: {nodeName: n2}, status: {phase: Running, podIPs: [{ip: " ip "}]}}\n"
#define BY_VC1 "vcluster.loft.sh/managed-by: vc1"
