/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above, in any order, first */
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "agent/control_route.h"
#include "agent/http/target.h"
#include "common/err.h"

static int route(const char *raw, struct bh_control_query *q, struct bh_err *err)
{
	struct bh_http_target t;

	assert_int_equal(bh_http_target_parse(raw, &t, NULL), 0);
	return bh_control_route(&t, q, err);
}

static void route__plain_paths__verbs(void **state)
{
	struct bh_control_query q;

	(void)state;
	assert_int_equal(route("/v1/status", &q, NULL), 0);
	assert_int_equal(q.verb, BH_CONTROL_STATUS);
	assert_int_equal(route("/v1/tenants?", &q, NULL), 0);
	assert_int_equal(q.verb, BH_CONTROL_TENANTS);
	assert_int_equal(route("/v1/pods", &q, NULL), 0);
	assert_int_equal(q.verb, BH_CONTROL_PODS);
}

static void route__other_paths__enoent(void **state)
{
	static const char *const bad[] = { "/",		  "/v1",
					   "/v1/",	  "/v2/status",
					   "/v1/status/", "/v1//status",
					   "/V1/status",  "/v1/../v1/status" };
	struct bh_control_query q;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(route(bad[i], &q, NULL), -ENOENT);
}

static void route__explain__ends_protocol_port(void **state)
{
	struct bh_control_query q;

	(void)state;
	assert_int_equal(
		route("/v1/explain?src=acme%2Fweb-0&dst=10.1.2.3&proto=udp&port=53", &q, NULL), 0);
	assert_false(q.explain.src.is_addr);
	assert_string_equal(q.explain.src.ns, "acme");
	assert_string_equal(q.explain.src.name, "web-0");
	assert_string_equal(q.explain.src.text, "acme/web-0");
	assert_true(q.explain.dst.is_addr);
	assert_int_equal(q.explain.dst.addr.b[15], 3);
	assert_int_equal(q.explain.proto, IPPROTO_UDP);
	assert_int_equal(q.explain.port, 53);

	assert_int_equal(route("/v1/explain?src=a/b&dst=fd00::1", &q, NULL), 0);
	assert_int_equal(q.explain.proto, IPPROTO_TCP);
	assert_int_equal(q.explain.port, 443);

	assert_int_equal(route("/v1/explain?src=a/b&dst=c/d&proto=UDP&port=53", &q, NULL), 0);
	assert_int_equal(q.explain.proto, IPPROTO_UDP);
	assert_int_equal(route("/v1/explain?src=a/b&dst=c/d&proto=sctp&port=1", &q, NULL), 0);
	assert_int_equal(q.explain.proto, IPPROTO_SCTP);
	assert_int_equal(route("/v1/explain?src=a/b&dst=c/d&proto=icmp", &q, NULL), 0);
	assert_int_equal(q.explain.proto, IPPROTO_ICMP);
	assert_int_equal(q.explain.port, 0);
}

static void route__events__filters_and_defaults(void **state)
{
	struct bh_control_query q;

	(void)state;
	assert_int_equal(route("/v1/events", &q, NULL), 0);
	assert_false(q.feed.follow);
	assert_int_equal(q.feed.recent, BH_FEED_RECENT_MAX);
	assert_string_equal(q.feed.tenant, "");
	assert_int_equal(route("/v1/events?follow=1&tenant=_system&reason=peer_tenant&verdict=drop",
			       &q, NULL),
			 0);
	assert_true(q.feed.follow);
	assert_int_equal(q.feed.recent, 0);
	assert_string_equal(q.feed.tenant, "_system");
	assert_string_equal(q.feed.reason, "peer_tenant");
	assert_string_equal(q.feed.verdict, "drop");
	assert_int_equal(route("/v1/events?follow=1&recent=1024", &q, NULL), 0);
	assert_int_equal(q.feed.recent, 1024);
}

static void route__flows__filters_and_defaults(void **state)
{
	struct bh_control_query q;

	(void)state;
	assert_int_equal(route("/v1/flows", &q, NULL), 0);
	assert_int_equal(q.verb, BH_CONTROL_FLOWS);
	assert_int_equal(q.feed.sample, 1);
	assert_int_equal(q.feed.port, 0);
	assert_string_equal(q.feed.pod, "");
	assert_string_equal(q.feed.proto, "");
	assert_int_equal(route("/v1/flows?follow=1&pod=acme%2Fweb-0&proto=icmpv6&port=65535"
			       "&class=world_public&sample=65536&verdict=pass&reason=none",
			       &q, NULL),
			 0);
	assert_true(q.feed.follow);
	assert_string_equal(q.feed.pod, "acme/web-0");
	assert_string_equal(q.feed.proto, "icmpv6");
	assert_int_equal(q.feed.port, 65535);
	assert_string_equal(q.feed.peer_class, "world_public");
	assert_int_equal(q.feed.sample, 65536);
	assert_int_equal(route("/v1/events?pod=acme/web-0&proto=other&port=1&class=node", &q, NULL),
			 0);
	assert_int_equal(q.verb, BH_CONTROL_EVENTS);
	assert_string_equal(q.feed.peer_class, "node");
}

static void route__wrong_parameters__einval_naming_the_parameter(void **state)
{
	static const char *const bad[][2] = {
		{ "/v1/status?x=1", "x: unknown parameter of /v1/status" },
		{ "/v1/explain?dst=a/b", "src: missing" },
		{ "/v1/explain?src=a/b", "dst: missing" },
		{ "/v1/explain?src=a/b&dst=", "dst: missing" },
		{ "/v1/explain?src=a&dst=b/c", "src: 'a'" },
		{ "/v1/explain?src=A/b&dst=b/c", "src: 'A/b'" },
		{ "/v1/explain?src=a/b/c&dst=b/c", "src: 'a/b/c'" },
		{ "/v1/explain?src=/b&dst=b/c", "src: '/b'" },
		{ "/v1/explain?src=a/b&dst=10.0.0.1/8", "dst: '10.0.0.1/8'" },
		{ "/v1/explain?src=a/b&dst=1.2.3.4&proto=dccp&port=1", "proto: 'dccp'" },
		{ "/v1/explain?src=a/b&dst=1.2.3.4&proto=tcp", "port: missing" },
		{ "/v1/explain?src=a/b&dst=1.2.3.4&port=0", "port: '0'" },
		{ "/v1/explain?src=a/b&dst=1.2.3.4&port=65536", "port: '65536'" },
		{ "/v1/explain?src=a/b&dst=1.2.3.4&port=+1", "port: '+1'" },
		{ "/v1/explain?src=a/b&dst=1.2.3.4&proto=icmp&port=1", "port: icmp" },
		{ "/v1/events?follow=yes", "follow: 'yes'" },
		{ "/v1/events?recent=1025", "recent: '1025'" },
		{ "/v1/events?recent=-1", "recent: '-1'" },
		{ "/v1/events?tenant=a%20b", "tenant: 'a b'" },
		{ "/v1/events?tenant=", "tenant: ''" },
		{ "/v1/events?reason=because", "reason: 'because'" },
		{ "/v1/events?verdict=DROP", "verdict: 'DROP'" },
		{ "/v1/events?tennant=a", "tennant: unknown" },
		{ "/v1/events?sample=2", "sample: unknown parameter of /v1/events" },
		{ "/v1/flows?sample=0", "sample: '0', expected 1..65536" },
		{ "/v1/flows?sample=65537", "sample: '65537'" },
		{ "/v1/flows?port=0", "port: '0', expected 1..65535" },
		{ "/v1/flows?port=https", "port: 'https'" },
		{ "/v1/flows?pod=web-0", "pod: 'web-0', expected NAMESPACE/POD" },
		{ "/v1/flows?pod=acme/", "pod: 'acme/'" },
		{ "/v1/flows?pod=acme/a/b", "pod: 'acme/a/b'" },
		{ "/v1/flows?pod=acme/%5b31m", "pod: 'acme/" },
		{ "/v1/flows?proto=6", "proto: '6', expected tcp, udp" },
		{ "/v1/flows?class=public", "class: 'public', expected one of" },
		{ "/v1/flows?verdict=allow", "verdict: 'allow'" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct bh_control_query q;
		struct bh_err err = { 0 };

		assert_int_equal(route(bad[i][0], &q, &err), -EINVAL);
		if (strncmp(err.msg, bad[i][1], strlen(bad[i][1])))
			fail_msg("%s: \"%s\", expected \"%s\"", bad[i][0], err.msg, bad[i][1]);
	}
}

static void route__long_names__bounded(void **state)
{
	char raw[1024], ns[70], name[260];
	struct bh_control_query q;

	(void)state;
	memset(ns, 'n', sizeof(ns));
	memset(name, 'p', sizeof(name));
	(void)snprintf(raw, sizeof(raw), "/v1/explain?src=%.63s/%.253s&dst=1.2.3.4", ns, name);
	assert_int_equal(route(raw, &q, NULL), 0);
	(void)snprintf(raw, sizeof(raw), "/v1/explain?src=%.64s/%.10s&dst=1.2.3.4", ns, name);
	assert_int_equal(route(raw, &q, NULL), -EINVAL);
	(void)snprintf(raw, sizeof(raw), "/v1/explain?src=%.10s/%.254s&dst=1.2.3.4", ns, name);
	assert_int_equal(route(raw, &q, NULL), -EINVAL);
	(void)snprintf(raw, sizeof(raw), "/v1/events?tenant=%.254s", name);
	assert_int_equal(route(raw, &q, NULL), -EINVAL);
	(void)snprintf(raw, sizeof(raw), "/v1/flows?pod=%.63s/%.253s", ns, name);
	assert_int_equal(route(raw, &q, NULL), 0);
	assert_int_equal(strlen(q.feed.pod), 63 + 1 + 253);
	(void)snprintf(raw, sizeof(raw), "/v1/flows?pod=%.64s/%.253s", ns, name);
	assert_int_equal(route(raw, &q, NULL), -EINVAL);
	(void)snprintf(raw, sizeof(raw), "/v1/flows?pod=%.63s/%.254s", ns, name);
	assert_int_equal(route(raw, &q, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(route__plain_paths__verbs),
		cmocka_unit_test(route__other_paths__enoent),
		cmocka_unit_test(route__explain__ends_protocol_port),
		cmocka_unit_test(route__events__filters_and_defaults),
		cmocka_unit_test(route__flows__filters_and_defaults),
		cmocka_unit_test(route__wrong_parameters__einval_naming_the_parameter),
		cmocka_unit_test(route__long_names__bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
