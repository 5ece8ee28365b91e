/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * object - the Kubernetes objects that the model is made of, reduced to what is enforced, and how
 * they are decoded from JSON. The source does not matter: a manifest file and the API server give
 * the same objects. Everything a tenant can write arrives here; nothing here trusts it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/cleanup.h"

struct bh_err;
struct bh_json;
struct bh_tenant_spec; /* model/tenant.h */

#define BH_TENANT_API_VERSION "bulkhead.dev/v1alpha1"

/* X(enumerator, kind as in manifests, apiVersion, namespaced) */
#define BH_KINDS(X)                                                                                \
	X(TENANT, "Tenant", BH_TENANT_API_VERSION, 0)                                              \
	X(NAMESPACE, "Namespace", "v1", 0)                                                         \
	X(POD, "Pod", "v1", 1)                                                                     \
	X(SERVICE, "Service", "v1", 1)                                                             \
	X(ENDPOINTSLICE, "EndpointSlice", "discovery.k8s.io/v1", 1)                                \
	X(NODE, "Node", "v1", 0)

enum bh_kind {
#define X(id, ...) BH_KIND_##id,
	BH_KINDS(X)
#undef X
		BH_KIND_MAX_
};

const char *bh_kind_name(enum bh_kind kind); /* "Tenant", ... */

struct bh_object_key {
	enum bh_kind kind;
	char *ns; /* NULL for cluster-scoped kinds */
	char *name;
};

struct bh_label {
	char *key;
	char *value;
};

/*
 * Tenants choose their pods' labels, and one object may hold over a megabyte of them. A pod with
 * more than this keeps only those that decide something: app, release, k8s-app and managed-by.
 */
#define BH_POD_MAX_LABEL_BYTES 8192

struct bh_labels {
	struct bh_label *v; /* sorted by key; one block with the texts */
	size_t n;
};

enum bh_pod_phase { BH_POD_ACTIVE, BH_POD_TERMINAL }; /* terminal = Succeeded or Failed */

/*
 * "synced", here and below: carries the label vcluster.loft.sh/managed-by or any annotation
 * vcluster.loft.sh/object-*, so a virtual cluster's syncer made it and a tenant chose its contents.
 */
struct bh_namespace {
	bool synced;
};

struct bh_pod {
	char *uid;  /* "" if absent */
	char *node; /* spec.nodeName, NULL if absent */
	bool host_network;
	enum bh_pod_phase phase;
	bool controlled; /* has a controller reference to an apps/ StatefulSet or ReplicaSet */
	bool synced;
	struct bh_addr *addrs; /* podIPs, then podIP; no duplicates */
	size_t n_addrs;
};

#define BH_PORT_NAME_MAX 64 /* a DNS label and a NUL */

/* A port of a Service, or of the endpoints in a slice: the name says which belong together. */
struct bh_service_port {
	uint8_t proto; /* IPPROTO_* */
	uint16_t port; /* host order */
	char name[BH_PORT_NAME_MAX];
};

struct bh_service {
	bool synced;
	struct bh_addr *cluster_ips; /* "None" left out */
	size_t n_cluster_ips;
	/* spec.externalIPs, then status.loadBalancer.ingress[].ip: where kube-proxy catches
	 * packets, too. Whoever may write a Service may write these; as given, with duplicates */
	struct bh_addr *external;
	size_t n_external;
	struct bh_service_port *ports;
	size_t n_ports;
};

struct bh_endpoint_slice {
	bool synced;
	char *service; /* label kubernetes.io/service-name, NULL if absent */
	bool opaque;   /* there is more than addrs says: of type FQDN, or beyond our bounds */
	struct bh_addr *addrs;
	size_t n_addrs;
	struct bh_service_port *ports;
	size_t n_ports;
};

struct bh_node {
	/* status.addresses that are IPs, then the annotation bulkhead.dev/host-addresses: a list of
	 * addresses with commas between them, no blanks; then the CNIs' annotations of host and
	 * tunnel addresses, and where flannel's tunnel ends; no duplicates */
	struct bh_addr *addrs;
	size_t n_addrs;
	struct bh_prefix *pod_cidrs;
	size_t n_pod_cidrs;
	bool ready; /* condition BulkheadReady=True */
};

struct bh_object {
	struct bh_object_key key;
	struct bh_labels labels;
	union {
		struct bh_tenant_spec *tenant;
		struct bh_namespace namespace;
		struct bh_pod pod;
		struct bh_service service;
		struct bh_endpoint_slice slice;
		struct bh_node node;
	};
};

/*
 * Which object a document is about, before judging it: needs only apiVersion, kind, metadata.name
 * and metadata.namespace ("default" where a namespaced kind has none).
 * 0; -EOPNOTSUPP for a kind that the model does not use (not an error for a folder of manifests);
 * -EINVAL with field and reason. Release *ret_key with bh_object_key_done().
 */
int bh_object_identify(const struct bh_json *doc, struct bh_object_key *ret_key,
		       struct bh_err *err);
void bh_object_key_done(struct bh_object_key *k);
int bh_object_key_cmp(const struct bh_object_key *a, const struct bh_object_key *b);
/* "Pod acme/web" or "Tenant acme". Returns @buf. */
const char *bh_object_key_str(const struct bh_object_key *k, char *buf, size_t cap);

/*
 * Decode one object. A Tenant is strict (an unknown field is an error; see tenant.h); the other
 * kinds belong to Kubernetes, so only the fields that we read are judged.
 * 0; -EOPNOTSUPP as above; -EINVAL with "field: reason, expected ..." in @err; -ENOMEM.
 */
int bh_object_decode(const struct bh_json *doc, struct bh_object **ret_obj, struct bh_err *err);
struct bh_object *bh_object_free(struct bh_object *o);
BH_DEFINE_AUTO(struct bh_object, bh_object_free)
/* Same key and same contents, field by field. */
bool bh_object_equal(const struct bh_object *a, const struct bh_object *b);

const char *bh_labels_get(const struct bh_labels *l, const char *key); /* or NULL */
