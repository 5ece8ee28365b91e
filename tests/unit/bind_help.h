/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* bind_help - made-up interfaces for tests of what is bound to which pod, and of what follows. */
#include "bpf/bind.h"
#include "bpf/policy.h"

#define BIND_MAX 16

struct bind_world {
	struct bh_model *m;
	struct bh_picture *pic;
	struct bh_link links[BIND_MAX];
	struct {
		struct bh_addr addr;
		uint32_t ifindex;
	} routes[BIND_MAX];
	size_t n_routes;
	struct bh_bound bound[BIND_MAX];
	struct bh_bind_input in;
	struct bh_ifs ifs;
};

/* @yaml: the objects; the node is n1, "kube-system" the system namespace. */
void bind_open(struct bind_world *w, const char *yaml);
void bind_close(struct bind_world *w);
/* A veth into another namespace; @mac NULL: its other end is not known; up to two addresses. */
void bind_veth(struct bind_world *w, uint32_t ifindex, const char *mac, const char *a,
	       const char *b);
void bind_route(struct bind_world *w, const char *addr, uint32_t ifindex);
/* The kernel has this endpoint already. */
void bind_had(struct bind_world *w, uint32_t ifindex, const char *mac, const char *addr);
void bind_run(struct bind_world *w);
/* "enforced acme/a", "enforced acme/a shared", "quarantined", ...; static text. */
const char *bind_is(const struct bind_world *w, uint32_t ifindex);
