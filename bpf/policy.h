/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * policy - the model's picture as map entries. Pure: the same picture, numbers and interfaces give
 * the same tables, whatever was there before.
 */
#include <stddef.h>
#include <stdint.h>

#include "bpf/bind.h"
#include "bpf/ids.h"
#include "bpf/table.h"
#include "common/cleanup.h"
#include "model/model.h"

/*
 * The maps that hold policy, in the order in which they may be filled so that nothing opens before
 * what closes it is there. X(enumerator, key type, value type, map name)
 */
#define BH_POLICY_MAPS(X)                                                                          \
	X(PORTSETS, uint64_t, struct bh_abi_portset, "bh_portsets")                                \
	X(TENANTS, uint32_t, struct bh_abi_tenant, "bh_tenants")                                   \
	X(CIDRS, struct bh_abi_cidr_key, struct bh_abi_cidr, "bh_cidrs")                           \
	X(ADDRS, struct bh_abi_addr_key, struct bh_abi_addr, "bh_addrs")                           \
	X(ENDPOINTS, uint32_t, struct bh_abi_endpoint, "bh_endpoints")                             \
	X(PEERS, struct bh_abi_peer_key, uint64_t, "bh_peers")                                     \
	X(WORLD, struct bh_abi_world_key, uint64_t, "bh_world")                                    \
	X(SERVICES, struct bh_abi_service_key, uint64_t, "bh_services")

enum bh_policy_map {
#define X(id, ...) BH_PM_##id,
	BH_POLICY_MAPS(X)
#undef X
		BH_PM_MAX_
};

#define BH_POLICY_MAX_PROBLEMS 64

struct bh_policy_problem {
	char tenant[64]; /* cut; "": of none */
	char text[160];
};

struct bh_policy {
	struct bh_table maps[BH_PM_MAX_]; /* sorted */
	struct bh_abi_nat64 nat64;
	struct bh_policy_problem problems[BH_POLICY_MAX_PROBLEMS];
	size_t n_problems;
};

/* An empty policy, as an adopted datapath is read into. */
int bh_policy_new(struct bh_policy **ret_policy);

/*
 * @ids holds a number for every tenant of the picture that could get one; a tenant without is
 * treated as `conflict`. What cannot be expressed is left out, which denies, and is in problems. 0
 * or -ENOMEM.
 */
int bh_policy_build(const struct bh_picture *pic, const struct bh_ids *ids,
		    const struct bh_ifs *ifs, struct bh_policy **ret_policy);
/*
 * Nothing outside the cluster is known any more: for when there is no room for every address or
 * prefix, since what is missing there would be taken for the world's.
 */
void bh_policy_close_world(struct bh_policy *p);
struct bh_policy *bh_policy_free(struct bh_policy *p);

/* For the steps of bh_policy_build(): note a problem, while there is room. */
void bh_policy_problem(struct bh_policy *p, const char *tenant, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
BH_DEFINE_AUTO(struct bh_policy, bh_policy_free)
