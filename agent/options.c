/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/options.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define BH_LOG_COMP "config"
#include "bpf/datapath.h"
#include "common/err.h"
#include "common/log.h"
#include "common/parse.h"

#define DEBOUNCE_MAX_MS 5000

#define RATE_MAX 100000000

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x) /* of a number that is defined elsewhere */

static int replace(char **field, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

static int set_path(char **field, const char *text)
{
	if (text[0] != '/' || strlen(text) >= PATH_MAX)
		return -EINVAL;
	return replace(field, text);
}

/* Index of @text in @names, or -EINVAL. */
static int pick(const char *text, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(text, names[i]))
			return (int)i;
	}
	return -EINVAL;
}

static void empty_strings(char ***v, size_t *n)
{
	while (*n)
		free((*v)[--*n]);
	free(*v);
	*v = NULL;
}

static int add_string(char ***v, size_t *n, const char *text)
{
	char **grown = reallocarray(*v, *n + 1, sizeof(**v));

	if (!grown)
		return -ENOMEM;
	*v = grown;
	grown[*n] = strdup(text);
	if (!grown[*n])
		return -ENOMEM;
	(*n)++;
	return 0;
}

static int set_manifests(struct bh_config *c, const char *text, struct bh_err *why)
{
	(void)why;
	return set_path(&c->manifests, text);
}

static int set_node(struct bh_config *c, const char *text, struct bh_err *why)
{
	(void)why;
	return bh_parse_is_subdomain(text) ? replace(&c->node, text) : -EINVAL;
}

static int set_socket(struct bh_config *c, const char *text, struct bh_err *why)
{
	const size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

	if (strlen(text) > max)
		return bh_err_set(why, EINVAL, "%zu bytes are too long for a socket", strlen(text));
	return set_path(&c->socket, text);
}

/* "127.0.0.1:9474" or "[::1]:9474" */
static int set_http(struct bh_config *c, const char *text, struct bh_err *why)
{
	const char *colon = strrchr(text, ':');
	char host[BH_ADDR_STRLEN + 2];
	struct bh_addr a;
	uint64_t port;
	size_t n;

	(void)why;
	n = colon ? (size_t)(colon - text) : 0;
	if (!n || n >= sizeof(host) || bh_parse_u64(colon + 1, 1, UINT16_MAX, &port) < 0)
		return -EINVAL;
	memcpy(host, text, n);
	host[n] = '\0';
	if (host[0] == '[' && host[n - 1] == ']') {
		host[n - 1] = '\0';
		if (bh_addr_parse(host + 1, &a) < 0 || bh_addr_is_v4(&a))
			return -EINVAL;
	} else if (bh_addr_parse(host, &a) < 0 || !bh_addr_is_v4(&a)) {
		return -EINVAL;
	}
	memset(&c->http, 0, sizeof(c->http));
	if (bh_addr_is_v4(&a)) {
		struct sockaddr_in sin = { .sin_family = AF_INET,
					   .sin_port = htons((uint16_t)port) };

		memcpy(&sin.sin_addr, a.b + 12, 4);
		memcpy(&c->http, &sin, sizeof(sin));
		c->http_len = sizeof(sin);
	} else {
		struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6,
					     .sin6_port = htons((uint16_t)port) };

		memcpy(&sin6.sin6_addr, a.b, 16);
		memcpy(&c->http, &sin6, sizeof(sin6));
		c->http_len = sizeof(sin6);
	}
	return 0;
}

static int set_insecure_metrics(struct bh_config *c, const char *text, struct bh_err *why)
{
	(void)why;
	return bh_parse_bool(text, &c->insecure_metrics);
}

static int set_bpffs(struct bh_config *c, const char *text, struct bh_err *why)
{
	(void)why;
	return set_path(&c->bpffs, text);
}

static int set_state(struct bh_config *c, const char *text, struct bh_err *why)
{
	(void)why;
	return set_path(&c->state, text);
}

static int set_config(struct bh_config *c, const char *text, struct bh_err *why)
{
	(void)why;
	return set_path(&c->config_file, text);
}

static int set_action(struct bh_config *c, const char *text, enum bh_config_action a)
{
	bool on;
	const int r = bh_parse_bool(text, &on);

	if (r == 0 && on)
		c->action = a;
	return r;
}

static int set_detach(struct bh_config *c, const char *text, struct bh_err *why)
{
	(void)why;
	return set_action(c, text, BH_CONFIG_DETACH);
}

static int set_help(struct bh_config *c, const char *text, struct bh_err *why)
{
	(void)why;
	return set_action(c, text, BH_CONFIG_HELP);
}

static int set_version(struct bh_config *c, const char *text, struct bh_err *why)
{
	(void)why;
	return set_action(c, text, BH_CONFIG_VERSION);
}

static int set_no_confine(struct bh_config *c, const char *text, struct bh_err *why)
{
	(void)why;
	return bh_parse_bool(text, &c->no_confine);
}

static int set_log_level(struct bh_config *c, const char *text, struct bh_err *why)
{
	const int r = bh_log_level_parse(text);

	(void)why;
	if (r >= 0)
		c->log_level = r;
	return r < 0 ? r : 0;
}

static int set_log_format(struct bh_config *c, const char *text, struct bh_err *why)
{
	static const char *const names[] = { [BH_LOG_TEXT] = "text", [BH_LOG_JSON] = "json" };
	const int r = pick(text, names, sizeof(names) / sizeof(names[0]));

	(void)why;
	if (r >= 0)
		c->log_format = r;
	return r < 0 ? r : 0;
}

static int set_attach(struct bh_config *c, const char *text, struct bh_err *why)
{
	static const char *const names[] = {
		[BH_ATTACH_AUTO] = "auto", [BH_ATTACH_TCX] = "tcx", [BH_ATTACH_CLSACT] = "clsact"
	};
	const int r = pick(text, names, sizeof(names) / sizeof(names[0]));

	(void)why;
	if (r >= 0)
		c->attach = (enum bh_attach)r;
	return r < 0 ? r : 0;
}

static int set_system_namespaces(struct bh_config *c, const char *text, struct bh_err *why)
{
	(void)why;
	if (!text) {
		empty_strings(&c->system_namespaces, &c->n_system_namespaces);
		return 0;
	}
	if (!bh_parse_is_label(text))
		return -EINVAL;
	return add_string(&c->system_namespaces, &c->n_system_namespaces, text);
}

static int set_cluster_cidrs(struct bh_config *c, const char *text, struct bh_err *why)
{
	struct bh_prefix p, *grown;
	int r;

	if (!text) {
		free(BH_TAKE_PTR(c->cluster_cidrs));
		c->n_cluster_cidrs = 0;
		return 0;
	}
	r = bh_prefix_parse(text, &p, why);
	if (r < 0)
		return r;
	grown = reallocarray(c->cluster_cidrs, c->n_cluster_cidrs + 1, sizeof(p));
	if (!grown)
		return -ENOMEM;
	c->cluster_cidrs = grown;
	grown[c->n_cluster_cidrs++] = p;
	return 0;
}

static int set_nat64_prefixes(struct bh_config *c, const char *text, struct bh_err *why)
{
	struct bh_prefix p;
	int r;

	if (!text) {
		c->n_nat64 = 0;
		return 0;
	}
	r = bh_prefix_parse(text, &p, why);
	if (r < 0)
		return r;
	/* RFC 6052, 2.2: bits 64 to 71 are zero in every form */
	if (p.len != 96 || p.addr.b[8] || bh_addr_is_v4(&p.addr) || bh_addr_is_zero(&p.addr))
		return bh_err_set(why, EINVAL, "no prefix of a NAT64");
	if (c->n_nat64 == BH_NAT64_MAX)
		return bh_err_set(why, EINVAL, "more than %d", BH_NAT64_MAX);
	c->nat64[c->n_nat64++] = p;
	return 0;
}

static int set_dns_servers(struct bh_config *c, const char *text, struct bh_err *why)
{
	struct bh_addr a, *grown;
	int r;

	(void)why;
	if (!text) {
		free(BH_TAKE_PTR(c->dns_servers));
		c->n_dns_servers = 0;
		return 0;
	}
	r = bh_addr_parse(text, &a);
	if (r < 0)
		return r;
	grown = reallocarray(c->dns_servers, c->n_dns_servers + 1, sizeof(a));
	if (!grown)
		return -ENOMEM;
	c->dns_servers = grown;
	grown[c->n_dns_servers++] = a;
	return 0;
}

static int set_ignore_interfaces(struct bh_config *c, const char *text, struct bh_err *why)
{
	(void)why;
	if (!text) {
		empty_strings(&c->ignore_interfaces, &c->n_ignore_interfaces);
		return 0;
	}
	/* a pattern may be longer than a name: [a-z] */
	if (!*text || strlen(text) > (size_t)8 * IFNAMSIZ || strchr(text, '/'))
		return -EINVAL;
	for (const char *p = text; *p; p++) {
		if (!isgraph((unsigned char)*p))
			return -EINVAL;
	}
	return add_string(&c->ignore_interfaces, &c->n_ignore_interfaces, text);
}

static int set_trust_unready_nodes(struct bh_config *c, const char *text, struct bh_err *why)
{
	(void)why;
	return bh_parse_bool(text, &c->trust_unready_nodes);
}

static int set_max_endpoints(struct bh_config *c, const char *text, struct bh_err *why)
{
	uint64_t n;
	const int r = bh_parse_u64(text, 1, BH_SLOTS_MAX, &n);

	(void)why;
	if (r >= 0)
		c->max_endpoints = (uint32_t)n;
	return r;
}

static int set_flows_per_endpoint(struct bh_config *c, const char *text, struct bh_err *why)
{
	uint64_t n;
	const int r = bh_parse_u64(text, BH_SLOT_FLOWS_MIN, BH_SLOT_FLOWS_MAX, &n);

	(void)why;
	if (r < 0)
		return r;
	if (n & (n - 1))
		return -EINVAL;
	c->flows_per_endpoint = (uint32_t)n;
	return 0;
}

static int set_packets_per_second(struct bh_config *c, const char *text, struct bh_err *why)
{
	uint64_t n;
	const int r = bh_parse_u64(text, 0, RATE_MAX, &n);

	(void)why;
	if (r >= 0)
		c->packets_per_second = (uint32_t)n;
	return r;
}

static int set_new_flows_per_second(struct bh_config *c, const char *text, struct bh_err *why)
{
	uint64_t n = BH_RATE_AUTO;
	const int r = strcmp(text, "auto") ? bh_parse_u64(text, 0, RATE_MAX, &n) : 0;

	(void)why;
	if (r >= 0)
		c->new_flows_per_second = (uint32_t)n;
	return r;
}

static int set_debounce(struct bh_config *c, const char *text, struct bh_err *why)
{
	uint64_t ms;
	const int r = bh_parse_duration_ms(text, &ms);

	(void)why;
	if (r < 0)
		return r;
	if (ms > DEBOUNCE_MAX_MS)
		return -ERANGE;
	c->debounce_ms = (uint32_t)ms;
	return 0;
}

const struct bh_option bh_options[] = {
	{ "manifests", "manifests", BH_OPT_PATH, "DIR", NULL, NULL, "an absolute path",
	  "Folder of Kubernetes manifests (*.yaml, *.yml, *.json) that say what is to be "
	  "enforced. Changes take effect while the agent runs. Required to run.",
	  set_manifests },
	{ "node", "node", BH_OPT_VALUE, "NAME", NULL, "environment NODE_NAME, else the hostname",
	  "a node name in lower case, as Kubernetes has it",
	  "Name of this node, as in Pod.spec.nodeName.", set_node },
	{ "socket", "socket", BH_OPT_PATH, "PATH", "/run/bulkhead/agent.sock", NULL,
	  "an absolute path of at most 107 bytes", "UNIX socket that bulkheadctl talks to.",
	  set_socket },
	{ "http", "http", BH_OPT_VALUE, "ADDR:PORT", "127.0.0.1:9474", NULL,
	  "a numeric address and a port from 1 to 65535, as 127.0.0.1:9474 or [::1]:9474",
	  "Where metrics are served. Only a loopback address, unless --insecure-metrics is set.",
	  set_http },
	{ "insecure-metrics", "insecureMetrics", BH_OPT_FLAG, NULL, "false", NULL, "true or false",
	  "Serve metrics on an address that others can reach, without TLS and without asking who "
	  "reads them.",
	  set_insecure_metrics },
	{ "bpffs", "bpffs", BH_OPT_PATH, "DIR", "/sys/fs/bpf/bulkhead", NULL, "an absolute path",
	  "Folder on a BPF file system for what must outlive the agent.", set_bpffs },
	{ "state", "state", BH_OPT_PATH, "DIR", "/run/bulkhead", NULL, "an absolute path",
	  "Folder for the agent's other files.", set_state },
	{ "config", NULL, BH_OPT_PATH, "FILE", NULL, NULL, "a path",
	  "YAML file with options; the command line overrides it.", set_config },
	{ "detach", NULL, BH_OPT_FLAG, NULL, NULL, NULL, NULL,
	  "Undo everything that the agent did on this node, and exit. Nothing is enforced then.",
	  set_detach },
	{ "no-confine", "noConfine", BH_OPT_FLAG, NULL, "false", NULL, "true or false",
	  "Keep all privileges and system calls after start-up. For debugging only.",
	  set_no_confine },
	{ "log-level", "logLevel", BH_OPT_VALUE, "LEVEL", "info", NULL,
	  "debug, info, warn or error", "What is logged: debug, info, warn or error.",
	  set_log_level },
	{ "log-format", "logFormat", BH_OPT_VALUE, "FORMAT", "text", NULL, "text or json",
	  "text for people, or json: one object for each line.", set_log_format },
	{ "attach", "attach", BH_OPT_VALUE, "HOW", "auto", NULL, "auto, tcx or clsact",
	  "How programs are attached: tcx (Linux 6.6 and later), clsact, or auto, which takes tcx "
	  "where the kernel has it.",
	  set_attach },
	{ "system-namespaces", "systemNamespaces", BH_OPT_LIST, "LIST",
	  "kube-system,bulkhead-system", NULL, "names of namespaces",
	  "Namespaces whose pods are part of the platform: they reach every tenant and are never "
	  "filtered. An empty list means none.",
	  set_system_namespaces },
	{ "cluster-cidrs", "clusterCIDRs", BH_OPT_LIST, "LIST", NULL, "from Node.spec.podCIDRs",
	  "prefixes without host bits, as 10.244.0.0/16 or fd00:10::/56",
	  "Address ranges of pods and Services. What lies inside and belongs to nobody known is "
	  "denied.",
	  set_cluster_cidrs },
	{ "nat64-prefixes", "nat64Prefixes", BH_OPT_LIST, "LIST", NULL, NULL,
	  "at most 4 prefixes of length 96, as 2001:db8:64::/96",
	  "Prefixes of the network's NAT64 routers beside 64:ff9b::/96. An IPv6 address inside is "
	  "judged by the IPv4 address in its end.",
	  set_nat64_prefixes },
	{ "dns-servers", "dnsServers", BH_OPT_LIST, "LIST", NULL, NULL,
	  "numeric addresses, as 10.96.0.10",
	  "Addresses of the cluster's DNS beside those of the Service kube-system/kube-dns, for "
	  "example a node-local cache.",
	  set_dns_servers },
	{ "ignore-interfaces", "ignoreInterfaces", BH_OPT_LIST, "LIST", NULL, NULL,
	  "names of interfaces, with *, ? and [a-z] as in a shell",
	  "Host interfaces that are never touched, as names or shell patterns.",
	  set_ignore_interfaces },
	{ "trust-unready-nodes", "trustUnreadyNodes", BH_OPT_FLAG, NULL, "false", NULL,
	  "true or false",
	  "Believe the addresses of pods on nodes that have no ready agent. Such a node lets its "
	  "pods forge them.",
	  set_trust_unready_nodes },
	{ "max-endpoints", "maxEndpoints", BH_OPT_NUMBER, "N", TEXT(BH_SLOTS_DEFAULT), NULL,
	  "a number from 1 to " TEXT(BH_SLOTS_MAX),
	  "How many pods on this node may have flows; pods beyond that reach nothing.",
	  set_max_endpoints },
	{ "flows-per-endpoint", "flowsPerEndpoint", BH_OPT_NUMBER, "N", TEXT(BH_SLOT_FLOWS_DEFAULT),
	  NULL, "a power of two from " TEXT(BH_SLOT_FLOWS_MIN) " to " TEXT(BH_SLOT_FLOWS_MAX),
	  "How many flows each pod may have at a time; 16 bytes of kernel memory for each flow of "
	  "each pod of --max-endpoints.",
	  set_flows_per_endpoint },
	{ "packets-per-second", "packetsPerSecond", BH_OPT_NUMBER, "N", TEXT(BH_RATE_PACKETS), NULL,
	  "a number from 0 to " TEXT(RATE_MAX),
	  "How many packets each pod may send and receive in a second; more are dropped. 0: no limit.",
	  set_packets_per_second },
	{ "new-flows-per-second", "newFlowsPerSecond", BH_OPT_NUMBER, "N", "auto", NULL,
	  "auto, or a number from 0 to " TEXT(RATE_MAX),
	  "How many flows each pod may open and have opened to it in a second; 0: no limit. auto: "
	  "half of what the host's connection tracking holds (nf_conntrack_max) in the two minutes "
	  "for which it remembers what nobody answers; 10000 where there is none.",
	  set_new_flows_per_second },
	{ "debounce", "debounce", BH_OPT_VALUE, "DURATION", "50ms", NULL,
	  "a duration from 0ms to 5s, as 250ms",
	  "How long the manifest folder must be quiet before changes are read.", set_debounce },
	{ "version", NULL, BH_OPT_FLAG, NULL, NULL, NULL, NULL, "Print the version and exit.",
	  set_version },
	{ "help", NULL, BH_OPT_FLAG, NULL, NULL, NULL, NULL, "Print this text and exit.",
	  set_help },
};

const size_t bh_n_options = sizeof(bh_options) / sizeof(bh_options[0]);
