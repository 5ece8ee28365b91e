/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/control_route.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "agent/http/target.h"
#include "bpf/bh_abi.h"
#include "bpf/names.h"
#include "common/err.h"
#include "common/parse.h"

#define DEFAULT_PORT 443

/* A parameter that is one of the names that numbers 0 up to n have. */
struct choice {
	const char *key;
	unsigned int n;
	const char *(*name)(unsigned int number);
	const char *expected;
};

static const struct choice reason = { "reason", BH_REASON_MAX_, bh_reason_name,
				      "one of those in docs/reasons.md" };
static const struct choice verdict = { "verdict", BH_VERDICT_AUDIT + 1, bh_verdict_name,
				       "pass, drop or audit" };
static const struct choice protocol = { "proto", BH_PROTO_NAMES, bh_proto_nth,
					"tcp, udp, icmp, icmpv6, sctp or other" };
static const struct choice peer_class = { "class", BH_CLASS_MAX_, bh_class_name,
					  "one of those in docs/policy.md" };

/* NAMESPACE/POD into its parts. False: it is none. */
static bool split_pod(const char *text, char ret_ns[static BH_CONTROL_NS_MAX + 1],
		      char ret_name[static BH_CONTROL_NAME_MAX + 1])
{
	const char *const slash = strchr(text, '/');

	if (!slash || slash - text > BH_CONTROL_NS_MAX || strlen(slash + 1) > BH_CONTROL_NAME_MAX)
		return false;
	memcpy(ret_ns, text, (size_t)(slash - text));
	ret_ns[slash - text] = '\0';
	memcpy(ret_name, slash + 1, strlen(slash + 1) + 1);
	return bh_parse_is_label(ret_ns) && bh_parse_is_subdomain(ret_name);
}

static int parse_end(const char *key, const char *text, struct bh_explain_end *e,
		     struct bh_err *err)
{
	size_t len;

	if (!text || !*text)
		return bh_err_set(err, EINVAL,
				  "%s: missing, expected NAMESPACE/POD or an IP address", key);
	len = strlen(text);
	if (len >= sizeof(e->text))
		return bh_err_set(err, EINVAL, "%s: longer than %zu bytes", key,
				  sizeof(e->text) - 1);
	memcpy(e->text, text, len + 1);
	e->is_addr = !bh_addr_parse(text, &e->addr);
	if (e->is_addr || split_pod(text, e->ns, e->name))
		return 0;
	return bh_err_set(err, EINVAL, "%s: '%s', expected NAMESPACE/POD or an IP address", key,
			  text);
}

static int parse_service(const char *proto, const char *port, struct bh_explain_query *q,
			 struct bh_err *err)
{
	uint64_t n;

	if (!proto || !strcasecmp(proto, "tcp"))
		q->proto = IPPROTO_TCP;
	else if (!strcasecmp(proto, "udp"))
		q->proto = IPPROTO_UDP;
	else if (!strcasecmp(proto, "sctp"))
		q->proto = IPPROTO_SCTP;
	else if (!strcasecmp(proto, "icmp"))
		q->proto = IPPROTO_ICMP;
	else
		return bh_err_set(err, EINVAL, "proto: '%s', expected tcp, udp, sctp or icmp",
				  proto);
	if (q->proto == IPPROTO_ICMP)
		return port ? bh_err_set(err, EINVAL, "port: icmp has none") : 0;
	if (!proto && !port) {
		q->port = DEFAULT_PORT;
		return 0;
	}
	if (!port || bh_parse_u64(port, 1, UINT16_MAX, &n) < 0)
		return bh_err_set(err, EINVAL, "port: %s%s%s, expected 1..65535", port ? "'" : "",
				  port ? port : "missing", port ? "'" : "");
	q->port = (uint16_t)n;
	return 0;
}

static int parse_explain(const struct bh_http_target *t, struct bh_explain_query *q,
			 struct bh_err *err)
{
	int r;

	r = parse_end("src", bh_http_target_get(t, "src"), &q->src, err);
	if (r < 0)
		return r;
	r = parse_end("dst", bh_http_target_get(t, "dst"), &q->dst, err);
	if (r < 0)
		return r;
	return parse_service(bh_http_target_get(t, "proto"), bh_http_target_get(t, "port"), q, err);
}

/* The name itself, or "" for an absent parameter. */
static int parse_choice(const struct bh_http_target *t, const struct choice *c,
			const char **ret_name, struct bh_err *err)
{
	const char *const v = bh_http_target_get(t, c->key);

	*ret_name = "";
	if (!v)
		return 0;
	for (unsigned int i = 0; i < c->n; i++) {
		if (!strcmp(v, c->name(i))) {
			*ret_name = c->name(i);
			return 0;
		}
	}
	return bh_err_set(err, EINVAL, "%s: '%.64s', expected %s", c->key, v, c->expected);
}

/* A Tenant's name, or one of the pseudo tenants: "_system". */
static bool is_tenant(const char *s)
{
	return strlen(s) <= BH_CONTROL_NAME_MAX &&
	       (bh_parse_is_subdomain(s) || (*s == '_' && bh_parse_is_label(s + 1)));
}

/* Names of a tenant and of a pod. */
static int parse_names(const struct bh_http_target *t, struct bh_feed_query *q, struct bh_err *err)
{
	const char *const tenant = bh_http_target_get(t, "tenant");
	const char *const pod = bh_http_target_get(t, "pod");
	char ns[BH_CONTROL_NS_MAX + 1], name[BH_CONTROL_NAME_MAX + 1];

	if (tenant && !is_tenant(tenant))
		return bh_err_set(err, EINVAL, "tenant: '%.64s', expected a Tenant's name", tenant);
	if (tenant)
		memcpy(q->tenant, tenant, strlen(tenant) + 1);
	if (pod && !split_pod(pod, ns, name))
		return bh_err_set(err, EINVAL, "pod: '%.64s', expected NAMESPACE/POD", pod);
	if (pod)
		memcpy(q->pod, pod, strlen(pod) + 1);
	return 0;
}

static int parse_number(const struct bh_http_target *t, const char *key, uint64_t min, uint64_t max,
			uint64_t *v, struct bh_err *err)
{
	const char *const text = bh_http_target_get(t, key);

	if (text && bh_parse_u64(text, min, max, v) < 0)
		return bh_err_set(err, EINVAL, "%s: '%.64s', expected %llu..%llu", key, text,
				  (unsigned long long)min, (unsigned long long)max);
	return 0;
}

static int parse_feed(const struct bh_http_target *t, struct bh_feed_query *q, struct bh_err *err)
{
	const char *const follow = bh_http_target_get(t, "follow");
	uint64_t recent, port = 0, sample = 1;
	int r;

	if (follow && strcmp(follow, "0") && strcmp(follow, "1"))
		return bh_err_set(err, EINVAL, "follow: '%.64s', expected 0 or 1", follow);
	q->follow = follow && *follow == '1';
	recent = q->follow ? 0 : BH_FEED_RECENT_MAX;
	r = parse_number(t, "recent", 0, BH_FEED_RECENT_MAX, &recent, err);
	if (r >= 0)
		r = parse_number(t, "port", 1, UINT16_MAX, &port, err);
	if (r >= 0)
		r = parse_number(t, "sample", 1, BH_FEED_SAMPLE_MAX, &sample, err);
	if (r >= 0)
		r = parse_names(t, q, err);
	if (r >= 0)
		r = parse_choice(t, &reason, &q->reason, err);
	if (r >= 0)
		r = parse_choice(t, &verdict, &q->verdict, err);
	if (r >= 0)
		r = parse_choice(t, &protocol, &q->proto, err);
	if (r >= 0)
		r = parse_choice(t, &peer_class, &q->peer_class, err);
	q->recent = (unsigned int)recent;
	q->port = (uint16_t)port;
	q->sample = (unsigned int)sample;
	return r;
}

static const struct route {
	const char *path;
	enum bh_control_verb verb;
	const char *params[12]; /* known ones, up to a NULL */
} routes[] = {
	{ "/v1/status", BH_CONTROL_STATUS, { NULL } },
	{ "/v1/tenants", BH_CONTROL_TENANTS, { NULL } },
	{ "/v1/pods", BH_CONTROL_PODS, { NULL } },
	{ "/v1/explain", BH_CONTROL_EXPLAIN, { "src", "dst", "proto", "port", NULL } },
	{ "/v1/events",
	  BH_CONTROL_EVENTS,
	  { "follow", "recent", "tenant", "pod", "reason", "verdict", "proto", "port", "class",
	    NULL } },
	{ "/v1/flows",
	  BH_CONTROL_FLOWS,
	  { "follow", "recent", "tenant", "pod", "reason", "verdict", "proto", "port", "class",
	    "sample", NULL } },
};

static const struct route *find_route(const char *path)
{
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (!strcmp(path, routes[i].path))
			return &routes[i];
	}
	return NULL;
}

/* A misspelt filter must not be taken for no filter. */
static int check_params(const struct bh_http_target *t, const struct route *route,
			struct bh_err *err)
{
	for (size_t i = 0; i < t->n_params; i++) {
		const char *const *known = route->params;

		while (*known && strcmp(*known, t->params[i].key))
			known++;
		if (!*known)
			return bh_err_set(err, EINVAL, "%.64s: unknown parameter of %s",
					  t->params[i].key, route->path);
	}
	return 0;
}

int bh_control_route(const struct bh_http_target *t, struct bh_control_query *ret_query,
		     struct bh_err *err)
{
	const struct route *const route = find_route(t->path);
	struct bh_control_query q = { 0 };
	int r;

	if (!route)
		return bh_err_set(err, ENOENT, "no such path; see docs/api.md");
	r = check_params(t, route, err);
	if (r < 0)
		return r;
	q.verb = route->verb;
	if (q.verb == BH_CONTROL_EXPLAIN)
		r = parse_explain(t, &q.explain, err);
	else if (q.verb == BH_CONTROL_EVENTS || q.verb == BH_CONTROL_FLOWS)
		r = parse_feed(t, &q.feed, err);
	if (r < 0)
		return r;
	*ret_query = q;
	return 0;
}
