/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause OR Apache-2.0) */
#pragma once
/*
 * class - the peer classes: what an address is, seen from an endpoint. The one home of their names,
 * for the model, the kernel programs, metrics, events and docs. Plain preprocessor and enums, so
 * that kernel programs can include it.
 */

/* X(enumerator, label, meaning) - UNKNOWN is 0, so that a zeroed value is denied. */
#define BH_CLASSES(X)                                                                              \
	X(UNKNOWN, "unknown", "inside the cluster's ranges, owned by nobody known")                \
	X(CONFLICT, "conflict", "claimed by more than one owner")                                  \
	X(TENANT, "tenant", "a tenant's pod")                                                      \
	X(SYSTEM, "system", "a pod in a system namespace")                                         \
	X(UNASSIGNED, "unassigned", "a pod in no Tenant and in no system namespace")               \
	X(UNPROTECTED, "unprotected", "a pod on a node without a ready agent")                     \
	X(MIXED, "mixed", "a Service whose backends are not all pods of one owner")                \
	X(NODE, "node", "an address of a node")                                                    \
	X(DNS, "dns", "the cluster DNS or a node's resolver, on port 53")                          \
	X(APISERVER, "apiserver", "the Kubernetes API server, on its ports")                       \
	X(WORLD_PUBLIC, "world_public", "outside the cluster, globally reachable")                 \
	X(WORLD_PRIVATE, "world_private", "outside the cluster, not globally reachable")           \
	X(WORLD_LINKLOCAL, "world_linklocal", "link-local")                                        \
	X(METADATA, "metadata", "a cloud's instance metadata service")                             \
	X(INVALID, "invalid", "never a peer: loopback, multicast, broadcast, unspecified, reserved")

enum bh_class {
#define X(id, ...) BH_CLASS_##id,
	BH_CLASSES(X)
#undef X
		BH_CLASS_MAX_
};

/*
 * X(enumerator, label, meaning) - what an endpoint is judged as.
 */
#define BH_ROLES(X)                                                                                \
	X(CONFLICT, "conflict", "claimed by more than one Tenant: reaches nothing")                \
	X(TENANT, "tenant", "a tenant's pod")                                                      \
	X(CONTROL_PLANE, "control_plane", "the control plane of a tenant's virtual cluster")       \
	X(UNASSIGNED, "unassigned", "a pod in no Tenant and in no system namespace")               \
	X(SYSTEM, "system", "a pod in a system namespace: checks count only")

enum bh_role {
#define X(id, ...) BH_ROLE_##id,
	BH_ROLES(X)
#undef X
		BH_ROLE_MAX_
};
