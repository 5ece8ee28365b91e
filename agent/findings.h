/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * findings - what this node cannot enforce although it should, or sees in its way: facts about
 * interfaces that no single packet shows. Pure: what the parts found goes in, a list comes out.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/bind.h"
#include "bpf/datapath.h"
#include "bpf/unseen.h"

/* X(enumerator, label, does it keep the node from being ready, meaning) */
#define BH_FINDINGS(X)                                                                             \
	X(POSITION, "position", true, "somebody else's program sees packets before ours")          \
	X(INGRESS_UNENFORCED, "ingress_unenforced", true,                                          \
	  "packets reach the pod past the filter (bpf_redirect_peer)")                             \
	X(UNPROTECTED_INTERFACE, "unprotected_interface", false,                                   \
	  "a tenant's pod has an interface that is not filtered")                                  \
	X(SECOND_INTERFACE, "second_interface", false,                                             \
	  "a tenant's pod has a second veth, which is closed")

enum bh_finding_kind {
#define X(id, ...) BH_FINDING_##id,
	BH_FINDINGS(X)
#undef X
		BH_FINDING_MAX_
};

const char *bh_finding_name(enum bh_finding_kind k);
bool bh_finding_unready(enum bh_finding_kind k);

struct bh_finding {
	enum bh_finding_kind kind;
	uint32_t ifindex;
	char interface[16];
	char pod[320];	 /* "namespace/name", "" = none is known */
	char tenant[64]; /* cut; "" = none */
	char message[192];
};

struct bh_findings {
	struct bh_finding *v; /* by interface, then kind; at most one of each */
	size_t n;
};

/* All borrowed. @pic NULL: nothing. 0 with a list for bh_findings_done(), or -ENOMEM. */
struct bh_findings_input {
	const struct bh_picture *pic;
	const struct bh_ifs *ifs;
	const struct bh_front *fronts;
	size_t n_fronts;
	const struct bh_unseen *unseen;
};
int bh_findings_collect(const struct bh_findings_input *in, struct bh_findings *ret_findings);
void bh_findings_done(struct bh_findings *f);

/* The one of @kind for @ifindex, or NULL. */
const struct bh_finding *bh_findings_get(const struct bh_findings *f, enum bh_finding_kind kind,
					 uint32_t ifindex);
size_t bh_findings_count(const struct bh_findings *f, enum bh_finding_kind kind);
