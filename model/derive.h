/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * derive - the steps of bh_model_derive(). Inside of model/ only; see model.h.
 */
#include "model/model.h"

/* Which Tenants claim something: none, one, or too many. */
struct bh_claim {
	enum { BH_CLAIM_NONE, BH_CLAIM_ONE, BH_CLAIM_MANY } n;
	uint32_t tenant; /* for ONE */
};

struct bh_claims; /* opaque: an index of what the Tenants claim; points into the picture */

int bh_claims_new(const struct bh_pic_tenant *tenants, size_t n, struct bh_claims **ret_claims);
struct bh_claims *bh_claims_free(struct bh_claims *c);
BH_DEFINE_AUTO(struct bh_claims, bh_claims_free)

/* Who claims every pod of a namespace. @obj: the Namespace, NULL if it is not known (yet). */
struct bh_claim bh_claims_namespace(const struct bh_claims *c, const char *ns,
				    const struct bh_object *obj);
/*
 * Who claims a pod, given who claims its namespace. *ret_control_plane: it is part of the control
 * plane of the virtual cluster of the one tenant that claims it.
 */
struct bh_claim bh_claims_pod(const struct bh_claims *c, struct bh_claim ns,
			      const struct bh_object *pod, bool *ret_control_plane);

/* Fill p->cluster_cidrs and p->cidrs. */
int bh_derive_cidrs(const struct bh_model *m, const struct bh_env *env, struct bh_picture *p);
/* Fill p->addrs from p->pods, p->cidrs and the objects. */
int bh_derive_addrs(const struct bh_model *m, const struct bh_env *env, struct bh_picture *p);
/* Fill p->services and p->slices, and add their addresses to p->addrs. The last step. */
int bh_derive_services(const struct bh_model *m, const struct bh_env *env, struct bh_picture *p);
/* What the prefixes alone say. */
enum bh_class bh_cidrs_classify(const struct bh_picture *p, const struct bh_addr *a);
