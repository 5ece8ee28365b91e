/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * oracle - random small clusters, and what the design ("Tenants": default table, grants, address
 * ownership) says of a packet in them. Written from its words alone: of the code under test it
 * shares the names of classes and the type of an address. oracle_make.c makes clusters and their
 * objects, oracle.c judges.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/buf.h"
#include "model/class.h"

#define ORA_TENANTS 4 /* namespaces 0 to 3 are theirs */
#define ORA_NS_FREE 4
#define ORA_NS_SYSTEM 5
#define ORA_NS_BOTH 6 /* claimed twice */
#define ORA_PODS 28
#define ORA_NODES 3
#define ORA_SERVICES 12
#define ORA_GRANTS 7
#define ORA_BACKENDS 4

enum ora_peer { ORA_CIDR, ORA_TENANT, ORA_SERVICE, ORA_API, ORA_NODE, ORA_METADATA, ORA_PEERS };
enum ora_world { ORA_PUBLIC, ORA_ALL, ORA_NONE };

struct ora_ports {
	bool any;
	size_t n; /* without any: none */
	struct {
		uint8_t proto;
		uint16_t lo, hi;
	} r[3];
};

struct ora_grant {
	enum ora_peer peer;
	struct bh_prefix cidr, except[3];
	size_t n_except;
	int tenant, service;
	struct ora_ports ports;
};

struct ora_tenant {
	enum ora_world world[2]; /* by direction */
	struct ora_grant grant[2][ORA_GRANTS];
	size_t n_grants[2];
};

struct ora_pod {
	int ns, node;
	bool host, ended, control;
	struct bh_addr a[2]; /* IPv4, IPv6 */
};

struct ora_service {
	int ns;
	bool synced, slices_synced;
	struct bh_addr ip[2];
	struct bh_addr external;
	bool has_external;
	struct bh_addr backend[2][ORA_BACKENDS];
	size_t n_backends;
	struct {
		uint8_t proto;
		uint16_t port, target;
	} port[2];
};

struct ora_cluster {
	uint32_t seed;
	struct ora_tenant tenant[ORA_TENANTS];
	struct ora_pod pod[ORA_PODS];	   /* the last two are of the cluster DNS */
	struct bh_addr node[ORA_NODES][2]; /* 0: this one, 1: ready, 2: not ready */
	struct ora_service service[ORA_SERVICES];
	struct bh_addr dns[2], api[2]; /* ClusterIPs */
};

struct ora_packet {
	size_t pod;  /* on node 0: who is asked */
	uint8_t dir; /* BH_DIR_*, of the packet, which opens a flow */
	struct bh_addr peer;
	uint8_t proto;	/* IPPROTO_*; ICMP for both families */
	uint16_t dport; /* 0 for ICMP */
};

struct ora_answer {
	bool allowed;
	enum bh_class cls;
};

uint32_t ora_random(struct ora_cluster *c, uint32_t below);
struct bh_addr ora_addr(const char *text);
void ora_make(struct ora_cluster *c, uint32_t seed);
/* A packet to or from a pod of node 0 that is filtered. False: there is no such pod. */
bool ora_make_packet(struct ora_cluster *c, struct ora_packet *ret_p);
/* The cluster's objects, one JSON document to each line. */
void ora_objects(const struct ora_cluster *c, struct bh_buf *b);
/* The pod is filtered on node 0: live there, and of somebody who is filtered. */
bool ora_is_endpoint(const struct ora_cluster *c, size_t pod);

struct ora_answer ora_judge(const struct ora_cluster *c, const struct ora_packet *p);
