/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * model - the one picture of what should be. A store of decoded objects, and a pure derivation of
 * who owns what from them. The derivation has no history: any order of puts and deletes that ends
 * in the same objects gives the same picture.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/cleanup.h"
#include "model/class.h"
#include "model/object.h"

struct bh_model; /* opaque: the objects */

int bh_model_new(struct bh_model **ret_model);
struct bh_model *bh_model_free(struct bh_model *m);
BH_DEFINE_AUTO(struct bh_model, bh_model_free)

/* Add or replace. Takes @o over in every case. 0 or -ENOMEM. */
int bh_model_put(struct bh_model *m, struct bh_object *o);
/* True if there was such an object. */
bool bh_model_del(struct bh_model *m, const struct bh_object_key *key);
const struct bh_object *bh_model_get(const struct bh_model *m, const struct bh_object_key *key);
size_t bh_model_count(const struct bh_model *m, enum bh_kind kind);
/* All of one kind, by namespace and name; valid until the next put or delete. */
const struct bh_object *const *bh_model_objects(const struct bh_model *m, enum bh_kind kind,
						size_t *ret_n);
/* Grows with every put or delete that changed something; an equal object changes nothing. */
uint64_t bh_model_version(const struct bh_model *m);

/* What the derivation needs to know that is in no object. All borrowed. */
struct bh_env {
	const char *node; /* this node's name */
	const char *const *system_namespaces;
	size_t n_system_namespaces;
	const struct bh_prefix *cluster_cidrs; /* configured; none: from Node.spec.podCIDRs */
	size_t n_cluster_cidrs;
	const struct bh_addr *dns_servers; /* configured, beside those of Service kube-dns */
	size_t n_dns_servers;
	const struct bh_addr *host_addrs; /* every address of every interface of this host */
	size_t n_host_addrs;
	bool trust_unready_nodes;
};

#define BH_NO_TENANT UINT32_MAX

struct bh_pic_tenant {
	const char *name;
	const struct bh_tenant_spec *spec;
	uint32_t n_pods;       /* in the cluster, whatever their phase and network */
	uint32_t n_local_pods; /* on this node, not hostNetwork, not terminal */
};

struct bh_pic_pod {
	const struct bh_object *obj;
	enum bh_class cls;  /* TENANT, SYSTEM, UNASSIGNED or CONFLICT; NODE for hostNetwork */
	uint32_t tenant;    /* index into tenants of the one claim; BH_NO_TENANT else */
	bool control_plane; /* of the tenant's virtual cluster */
	bool local;	    /* spec.nodeName is this node */
	bool live;	    /* its addresses count: not hostNetwork, not terminal, has a node */
	bool unisolatable;  /* a tenant's pod with hostNetwork */
};

/* One address and all that it is; the datapath ranks base class, dns and apiserver by port. */
struct bh_pic_addr {
	struct bh_addr addr;
	enum bh_class cls;  /* NODE, CONFLICT, TENANT, SYSTEM, UNASSIGNED, UNPROTECTED, UNKNOWN */
	uint32_t tenant;    /* for TENANT */
	bool dns;	    /* class dns on port 53 */
	bool apiserver_any; /* ClusterIP of default/kubernetes: every port that it serves */
	uint16_t apiserver_ports[2]; /* host order, 0 = none */
};

struct bh_pic_cidr {
	struct bh_prefix prefix;
	enum bh_class
		cls; /* UNKNOWN inside the cluster; METADATA, WORLD_PRIVATE, WORLD_LINKLOCAL */
};

/* Everything derived; points into the model, which must not change while it is used. */
struct bh_picture {
	struct bh_pic_tenant *tenants; /* by name */
	size_t n_tenants;
	struct bh_pic_pod *pods; /* by namespace, name */
	size_t n_pods;
	struct bh_pic_addr *addrs; /* by address, unique */
	size_t n_addrs;
	struct bh_pic_cidr *cidrs; /* by prefix, unique: special ranges and clusterCIDRs */
	size_t n_cidrs;
	struct bh_prefix *cluster_cidrs; /* those in effect */
	size_t n_cluster_cidrs;
};

/*
 * Who owns what. Where the objects disagree the answer is the closed one: a pod of a system
 * namespace that a Tenant claims is CONFLICT, and so is an address of two live pods (of one tenant,
 * too); a Namespace that a syncer made is never matched by a selector; addresses that the special
 * table calls invalid are nobody's, and those that it calls link-local or metadata are no pod's. 0
 * or -ENOMEM.
 */
int bh_model_derive(const struct bh_model *m, const struct bh_env *env,
		    struct bh_picture **ret_picture);
struct bh_picture *bh_picture_free(struct bh_picture *p);
BH_DEFINE_AUTO(struct bh_picture, bh_picture_free)

/* The pod at "namespace/name", or NULL. */
const struct bh_pic_pod *bh_picture_pod(const struct bh_picture *p, const char *ns,
					const char *name);
const struct bh_pic_addr *bh_picture_addr(const struct bh_picture *p, const struct bh_addr *a);
/* The base class of any address: its own entry's, else its longest prefix', else WORLD_PUBLIC. */
enum bh_class bh_picture_classify(const struct bh_picture *p, const struct bh_addr *a);
