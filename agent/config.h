/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * config - what the operator set: command line over YAML file over defaults, checked and typed.
 * The options themselves are in one table, see options.h.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "bpf/attach.h"
#include "common/addr.h"
#include "common/cleanup.h"
#include "model/model.h"

struct bh_buf;
struct bh_err;

enum bh_config_action {
	BH_CONFIG_RUN,
	BH_CONFIG_DETACH,  /* undo everything on this node */
	BH_CONFIG_HELP,	   /* print bh_config_help(); nothing else is set */
	BH_CONFIG_VERSION, /* print the version; nothing else is set */
};

struct bh_config {
	enum bh_config_action action;
	char *manifests;	      /* folder; never NULL with BH_CONFIG_RUN */
	char *node;		      /* never NULL with BH_CONFIG_RUN */
	char *socket;		      /* fits in sun_path */
	struct sockaddr_storage http; /* AF_INET or AF_INET6 */
	socklen_t http_len;
	bool insecure_metrics; /* else http is a loopback address */
	char *bpffs;
	char *state;
	char *config_file; /* NULL: none */
	bool no_confine;
	int log_level;	/* enum bh_log_level */
	int log_format; /* enum bh_log_format */
	enum bh_attach attach;
	char **system_namespaces;
	size_t n_system_namespaces;
	struct bh_prefix *cluster_cidrs;
	size_t n_cluster_cidrs;
	struct bh_prefix nat64[BH_NAT64_MAX];
	size_t n_nat64;
	struct bh_addr *dns_servers;
	size_t n_dns_servers;
	char **ignore_interfaces; /* fnmatch(3) patterns */
	size_t n_ignore_interfaces;
	bool trust_unready_nodes;
	uint32_t max_endpoints, flows_per_endpoint;
	uint32_t packets_per_second;   /* 0: no limit */
	uint32_t new_flows_per_second; /* likewise; or BH_RATE_AUTO */
	uint32_t debounce_ms;
};

/*
 * All paths come out absolute. Reads the file that --config names, NODE_NAME and the hostname.
 *
 * 0 with *ret_config owned by the caller; -EINVAL with one line in @err that names option, or
 * file and key, and says what was expected; -ENOMEM. Not reentrant, as getopt_long(3) is not.
 */
int bh_config_load(int argc, char **argv, struct bh_config **ret_config, struct bh_err *err);
struct bh_config *bh_config_free(struct bh_config *c); /* NULL is fine; returns NULL */
BH_DEFINE_AUTO(struct bh_config, bh_config_free)

/* The text of --help. */
void bh_config_help(struct bh_buf *b);
