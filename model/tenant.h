/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * tenant - the spec of a Tenant object: what its operator wrote, decoded strictly.
 * Absent differs from empty everywhere: absent means the default, [] means nothing.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/cleanup.h"

struct bh_err;
struct bh_json;
struct bh_labels;

/* Bounds of one Tenant; the CRD states the same ones. */
#define BH_TENANT_MAX_NAMESPACES 1024
#define BH_TENANT_MAX_GRANTS 256 /* for each of egress and ingress */
#define BH_TENANT_MAX_PORTS 64	 /* for each grant */
#define BH_TENANT_MAX_EXCEPT 64	 /* for each cidr */
#define BH_TENANT_MAX_DNS_RULES 4096
#define BH_TENANT_MAX_REQUIREMENTS 64 /* of one selector */
#define BH_TENANT_MAX_VALUES 256      /* of one requirement */
#define BH_TENANT_MAX_CLASSES 64      /* runtimeClasses */
#define BH_TENANT_MAX_CPU_WEIGHT 10000
#define BH_TENANT_MAX_CPU_QUOTA_MILLI 100000000 /* 100 000 cores */
#define BH_TENANT_DEFAULT_CPU_WEIGHT 100

enum bh_mode { BH_MODE_ENFORCE, BH_MODE_AUDIT, BH_MODE_OFF, BH_MODE_MAX_ };
enum bh_world { BH_WORLD_PUBLIC, BH_WORLD_ALL, BH_WORLD_NONE, BH_WORLD_MAX_ };
const char *bh_mode_name(enum bh_mode m);   /* "enforce", "audit", "off" */
const char *bh_world_name(enum bh_world w); /* "public", "all", "none" */

enum bh_selector_op { BH_SEL_IN, BH_SEL_NOT_IN, BH_SEL_EXISTS, BH_SEL_DOES_NOT_EXIST };

struct bh_requirement {
	char *key;
	enum bh_selector_op op;
	char **values; /* sorted */
	size_t n_values;
};

/* matchLabels are requirements with op In and one value. All must hold. */
struct bh_selector {
	struct bh_requirement *v;
	size_t n; /* 0: matches nothing here, never everything (an empty list means nothing) */
};

/* As Kubernetes has it: NotIn and DoesNotExist hold for an absent key. */
bool bh_selector_matches(const struct bh_selector *s, const struct bh_labels *labels);

struct bh_port_range {
	uint8_t proto;	 /* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_ICMP (both families) */
	uint16_t lo, hi; /* host order, inclusive; 0..65535 where no port was given */
};

enum bh_grant_peer {
	BH_GRANT_CIDR,
	BH_GRANT_TENANT,
	BH_GRANT_SERVICE,
	BH_GRANT_APISERVER,
	BH_GRANT_NODE,
	BH_GRANT_METADATA,
};

struct bh_grant {
	enum bh_grant_peer peer;
	struct bh_prefix cidr; /* CIDR */
	struct bh_prefix *except;
	size_t n_except;
	char *tenant;			 /* TENANT */
	char *service_ns, *service_name; /* SERVICE */
	bool any_port;			 /* no `ports`: every protocol and port */
	struct bh_port_range *ports;	 /* `ports: []` = none = the grant is without effect */
	size_t n_ports;
};

struct bh_dns_rule {
	char *name;    /* lower case, no trailing dot, without "*." */
	bool wildcard; /* every name below it, not itself */
};

struct bh_tenant_spec {
	char **namespaces; /* sorted */
	size_t n_namespaces;
	bool has_selector;
	struct bh_selector selector;

	struct {
		bool present;
		char *name, *ns;
		bool publish_metrics;
	} vcluster;

	uint32_t cpu_weight;	  /* 1..10000 */
	uint64_t cpu_quota_milli; /* 0 = none */

	struct {
		enum bh_mode mode;
		enum bh_world egress, ingress; /* `world` */
		bool deny_other_interfaces;
		struct bh_grant *egress_grants, *ingress_grants;
		size_t n_egress, n_ingress;
	} net;

	struct {
		enum bh_mode mode;
		struct bh_dns_rule *allow, *deny;
		size_t n_allow, n_deny;
		bool default_allow;
		char **resolver_namespaces; /* sorted */
		size_t n_resolver_namespaces;
	} dns;

	struct {
		bool required;
		bool any_class; /* no `runtimeClasses`: every handler that is a sandbox */
		char **classes; /* sorted */
		size_t n_classes;
	} sandbox;
};

/*
 * Decode the `spec` of a Tenant. Unknown fields, wrong types, values out of range and impossible
 * combinations are -EINVAL with "spec.network.egress[2].ports[0].port: 70000, expected 1..65535".
 */
int bh_tenant_spec_decode(const struct bh_json *spec, struct bh_tenant_spec **ret_spec,
			  struct bh_err *err);
struct bh_tenant_spec *bh_tenant_spec_free(struct bh_tenant_spec *s);
BH_DEFINE_AUTO(struct bh_tenant_spec, bh_tenant_spec_free)
/* Field by field; lists in their order. */
bool bh_tenant_spec_equal(const struct bh_tenant_spec *a, const struct bh_tenant_spec *b);
