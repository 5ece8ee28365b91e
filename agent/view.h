/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * view - what the local socket shows, as JSON in the shapes of docs/api.md. Reads only.
 */
#include <stdbool.h>
#include <stdint.h>

struct bh_abi_event;
struct bh_abi_flow_record;
struct bh_config;
struct bh_dir;
struct bh_finding;
struct bh_json;
struct bh_pic_pod;
struct bh_picture;
struct bh_pipeline;

struct bh_view {
	const struct bh_config *cfg;
	struct bh_pipeline *pl;
	const struct bh_dir *dir;
	uint64_t start_ns; /* CLOCK_MONOTONIC of the start */
	bool confined;
	bool reporter_alive;
	uint32_t reporter_restarts;
};

/* Each: an object owned by the caller, or NULL for lack of memory. */
struct bh_json *bh_view_status(const struct bh_view *v);
struct bh_json *bh_view_tenants(const struct bh_view *v);
struct bh_json *bh_view_pods(const struct bh_view *v);
struct bh_json *bh_view_event(const struct bh_view *v, const struct bh_abi_event *e);
/* In the shape of an event of a packet, with null for what only a packet has. */
struct bh_json *bh_view_finding(const struct bh_view *v, const struct bh_finding *f, bool over);
struct bh_json *bh_view_flow(const struct bh_view *v, const struct bh_abi_flow_record *f);

/* "namespace/name" as a JSON string. */
struct bh_json *bh_view_pod(const struct bh_pic_pod *pod);
/* Name of a tenant of the picture, NULL for BH_NO_TENANT. */
const char *bh_view_tenant(const struct bh_picture *pic, uint32_t tenant);
