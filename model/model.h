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
	const struct bh_prefix *nat64;	   /* NAT64 prefixes, /96, beside 64:ff9b::/96 */
	size_t n_nat64;			   /* at most BH_NAT64_MAX */
	const struct bh_addr *dns_servers; /* configured, beside those of Service kube-dns */
	size_t n_dns_servers;
	const struct bh_addr *host_addrs; /* every address of every interface of this host */
	size_t n_host_addrs;
	bool trust_unready_nodes;
};

#define BH_NAT64_MAX 4 /* what operators may add */

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

#define BH_NO_SERVICE UINT32_MAX

/*
 * A Service, and what it is by its backends: TENANT, SYSTEM or UNASSIGNED if every address in every
 * slice is a live pod of that one owner, MIXED if not, UNKNOWN without any backend.
 */
struct bh_pic_service {
	const struct bh_object *obj;
	enum bh_class cls;
	uint32_t tenant; /* for TENANT */
	/* a grant names it, and no tenant writes it: its namespace is no tenant's, and no syncer
	 * made it */
	bool grantable;
	size_t slice; /* its first in the picture's slices */
	size_t n_slices;
};

/* One address and all that it is; the datapath ranks base class, dns and apiserver by port. */
struct bh_pic_addr {
	struct bh_addr addr;
	enum bh_class cls;  /* a node's, a pod's or a Service's, else by its prefix */
	uint32_t tenant;    /* for TENANT */
	bool dns;	    /* class dns on port 53 */
	bool apiserver_any; /* ClusterIP of default/kubernetes: every port that it serves */
	uint16_t apiserver_ports[2]; /* host order, 0 = none */
	bool cluster_ip;	     /* a ClusterIP: cls and tenant are its Services' */
	/*
	 * An external address of Services: it is what it is, but may only be sent to by the one
	 * owner of all their backends, since kube-proxy catches it (CVE-2020-8554). MIXED: by
	 * nobody.
	 */
	bool external;
	enum bh_class owner;
	uint32_t owner_tenant; /* for owner TENANT */
	uint32_t service;      /* which one, of both kinds; BH_NO_SERVICE for none or several */
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
	struct bh_pic_service *services; /* by namespace, name */
	size_t n_services;
	const struct bh_object **slices; /* EndpointSlices; those of one Service side by side */
	size_t n_slices;
	size_t n_external_left_out; /* external addresses of Services beyond our bound */
	struct bh_pic_addr *addrs;  /* by address, unique */
	size_t n_addrs;
	struct bh_pic_cidr *cidrs; /* by prefix, unique: special ranges and clusterCIDRs */
	size_t n_cidrs;
	struct bh_prefix *cluster_cidrs; /* those in effect */
	size_t n_cluster_cidrs;
	struct bh_prefix nat64[BH_NAT64_MAX]; /* as configured */
	size_t n_nat64;
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
/* The Service at "namespace/name", or NULL. */
const struct bh_pic_service *bh_picture_service(const struct bh_picture *p, const char *ns,
						const char *name);
const struct bh_pic_addr *bh_picture_addr(const struct bh_picture *p, const struct bh_addr *a);
/*
 * The address by which @a is judged: behind a NAT64 router (RFC 6052) the IPv4 address inside, else
 * @a itself.
 */
struct bh_addr bh_picture_judged(const struct bh_picture *p, const struct bh_addr *a);
/* The base class of any address, as judged: its own entry's, else its longest prefix', else
 * WORLD_PUBLIC. */
enum bh_class bh_picture_classify(const struct bh_picture *p, const struct bh_addr *a);
