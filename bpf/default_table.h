/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause OR Apache-2.0) */
#pragma once
/*
 * default_table - which peers a role may reach, and be reached by, when no grant says more. The one
 * home: the kernel's verdict reads it, docs/policy.md is made from it, tests walk it.
 */
#include "model/class.h"

/* What a peer is in relation to an endpoint: its class, with the tenants told apart. */
#define BH_REL_OWN BH_CLASS_MAX_ /* same tenant; BH_CLASS_TENANT then means another tenant */
#define BH_REL_MAX_ (BH_CLASS_MAX_ + 1)

#define BH_BIT(rel) (1u << (rel))
#define BH_WORLD_BITS                                                                              \
	(BH_BIT(BH_CLASS_WORLD_PUBLIC) | BH_BIT(BH_CLASS_WORLD_PRIVATE) |                          \
	 BH_BIT(BH_CLASS_WORLD_LINKLOCAL))

/* X(role, bits allowed as destination, bits allowed as source). SYSTEM is never judged. */
#define BH_DEFAULT_TABLE(X)                                                                        \
	X(CONFLICT, 0, 0)                                                                          \
	X(TENANT, BH_BIT(BH_REL_OWN) | BH_BIT(BH_CLASS_DNS) | BH_BIT(BH_CLASS_WORLD_PUBLIC),       \
	  BH_BIT(BH_REL_OWN) | BH_BIT(BH_CLASS_SYSTEM) | BH_BIT(BH_CLASS_NODE) |                   \
		  BH_BIT(BH_CLASS_APISERVER) | BH_BIT(BH_CLASS_WORLD_PUBLIC))                      \
	X(CONTROL_PLANE,                                                                           \
	  BH_BIT(BH_REL_OWN) | BH_BIT(BH_CLASS_DNS) | BH_BIT(BH_CLASS_APISERVER) |                 \
		  BH_BIT(BH_CLASS_WORLD_PUBLIC),                                                   \
	  BH_BIT(BH_REL_OWN) | BH_BIT(BH_CLASS_SYSTEM) | BH_BIT(BH_CLASS_NODE) |                   \
		  BH_BIT(BH_CLASS_APISERVER) | BH_BIT(BH_CLASS_WORLD_PUBLIC))                      \
	X(UNASSIGNED,                                                                              \
	  BH_BIT(BH_CLASS_UNASSIGNED) | BH_BIT(BH_CLASS_DNS) | BH_BIT(BH_CLASS_NODE) |             \
		  BH_BIT(BH_CLASS_APISERVER) | BH_WORLD_BITS | BH_BIT(BH_CLASS_METADATA),          \
	  BH_BIT(BH_CLASS_UNASSIGNED) | BH_BIT(BH_CLASS_SYSTEM) | BH_BIT(BH_CLASS_NODE) |          \
		  BH_BIT(BH_CLASS_APISERVER) | BH_WORLD_BITS | BH_BIT(BH_CLASS_METADATA))
