/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * bind - which host interface leads to which pod, and what becomes of the interfaces that lead to
 * none. Pure: the model's picture and what rtnetlink says go in, a list of interfaces comes out.
 *
 * Evidence, best first: a host route to the pod's address (the host's own word); the address inside
 * the other end's namespace, if it is behind one interface only (a pod with CAP_NET_ADMIN can write
 * that, so it counts only while nobody else has the address, and never for an interface that was
 * bound to a pod with others); what was bound before. An interface
 * that was bound to a pod leads to that pod's namespace for life: no evidence gives it to one of
 * another name, whose object may come to have the same address before the interface is gone.
 *
 * A tenant's pod may have more than that interface. A second veth is closed; what does not lead
 * through this namespace, or is ignored, is told, and closes the pod where its Tenant says so.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/bh_abi.h"
#include "bpf/links.h"
#include "model/model.h"

/* X(enumerator, label, meaning) */
#define BH_IF_STATES(X)                                                                            \
	X(ENFORCED, "enforced", "leads to a known pod")                                            \
	X(QUARANTINED, "quarantined", "leads to no known pod (yet): everything is dropped")        \
	X(LEFT_ALONE, "left-alone", "was there before the first start and leads to no known pod")  \
	X(IGNORED, "ignored", "excluded by --ignore-interfaces")

enum bh_if_state {
#define X(id, ...) BH_IF_##id,
	BH_IF_STATES(X)
#undef X
		BH_IF_MAX_
};

const char *bh_if_state_name(enum bh_if_state s);

struct bh_if {
	uint32_t ifindex;
	char name[16];
	enum bh_if_state state;
	const struct bh_pic_pod *pod; /* ENFORCED only */
	bool retired;		      /* QUARANTINED, after a pod with the addresses below */
	bool second;		      /* QUARANTINED, beside the interface of a tenant's pod */
	bool closed; /* ENFORCED, but for the others below: its Tenant wants it closed */
	/* what else a tenant's pod has that is not filtered: as in struct bh_link */
	struct bh_link_other others[BH_LINK_MAX_OTHERS];
	size_t n_others;
	bool more_others;
	bool shared;			/* more than one pod claims it: judged as conflict */
	int32_t nsid;			/* of the namespace behind it */
	struct bh_abi_left_alone print; /* by which the interface is known again */
	struct bh_mac mac;		/* of the pod */
	bool has4, has6;
	struct bh_addr addr4, addr6;
	uint64_t tag; /* of the pod that it was bound to, as in bh_abi_endpoint */
};

struct bh_ifs {
	struct bh_if *v; /* by ifindex; every veth that leads into another namespace */
	size_t n;
	/* local live pods without an interface; indexes into the picture's pods */
	size_t *unbound;
	size_t n_unbound;
};

/* What a row tells one pod's name from another's by; never 0. */
uint64_t bh_bind_tag(const struct bh_pic_pod *pod);

/* What the datapath holds of an interface already. */
struct bh_bound {
	uint32_t ifindex;
	struct bh_abi_endpoint ep;
};

/* An interface that was left alone, as it was then. */
struct bh_left_alone {
	uint32_t ifindex;
	struct bh_abi_left_alone print;
};

/* All borrowed. */
struct bh_bind_input {
	const struct bh_picture *pic;
	const struct bh_link *links; /* by ifindex */
	size_t n_links;
	/* the interface that a host route to @a names, 0 = none; with @routes as it is here */
	uint32_t (*route)(const void *routes, const struct bh_addr *a);
	const void *routes;
	const char *const *ignore; /* fnmatch(3) patterns */
	size_t n_ignore;
	const struct bh_bound *bound; /* by ifindex */
	size_t n_bound;
	const struct bh_left_alone *left_alone; /* by ifindex; from earlier */
	size_t n_left_alone;
	bool first_start; /* what leads to no known pod now is left alone */
};

/* What rtnetlink says, into links and route of @in; valid until the next dispatch or refresh. */
void bh_bind_take_links(struct bh_bind_input *in, const struct bh_links *l);

/* 0 with a list to be released by bh_ifs_done(), or -ENOMEM. */
int bh_bind(const struct bh_bind_input *in, struct bh_ifs *ret_ifs);
void bh_ifs_done(struct bh_ifs *ifs);
const struct bh_if *bh_ifs_get(const struct bh_ifs *ifs, uint32_t ifindex); /* or NULL */
/* The interface of @pod, or NULL. */
const struct bh_if *bh_ifs_of_pod(const struct bh_ifs *ifs, const struct bh_pic_pod *pod);
