/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above, in any order, first */
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/confine.h"
#include "agent/control.h"
#include "agent/http/client.h"
#include "agent/http/stream.h"
#include "agent/loop.h"
#include "common/err.h"
#include "common/json.h"
#include "tests/unit/http_fixture.h"

#define BUF_LEN ((size_t)1 << 20)

struct fx {
	char dir[64], path[96];
	struct bh_loop *loop;
	struct bh_control *control;
	struct bh_explain_query asked;
	int explain_error;
	struct bh_flow_demand demand; /* the last one */
	char demand_tenant[64];
	int demands;
	char *buf;
};

static int status(void *ud, struct bh_json **ret_json, struct bh_err *err)
{
	(void)ud;
	(void)err;
	*ret_json = bh_json_new_object();
	bh_json_set_str(*ret_json, "node", "w\"1");
	return 0;
}

static int unready(void *ud, struct bh_json **ret_json, struct bh_err *err)
{
	(void)ud;
	(void)ret_json;
	return bh_err_set(err, EAGAIN, "not loaded yet");
}

static int no_memory(void *ud, struct bh_json **ret_json, struct bh_err *err)
{
	(void)ud;
	(void)ret_json;
	(void)err;
	return -ENOMEM;
}

static int explain(void *ud, const struct bh_explain_query *q, struct bh_json **ret_json,
		   struct bh_err *err)
{
	struct fx *f = ud;

	f->asked = *q;
	if (f->explain_error)
		return bh_err_set(err, f->explain_error, "no pod '%s'", q->src.text);
	*ret_json = bh_json_new_object();
	bh_json_set_bool(*ret_json, "allowed", false);
	return 0;
}

static void flows_wanted(void *ud, const struct bh_flow_demand *d)
{
	struct fx *f = ud;

	f->demand = *d;
	(void)snprintf(f->demand_tenant, sizeof(f->demand_tenant), "%s", d->tenant);
	f->demands++;
}

static int setup(void **state)
{
	struct fx *f = calloc(1, sizeof(*f));
	const struct bh_control_ops ops = { .ud = f,
					    .status = status,
					    .tenants = unready,
					    .pods = no_memory,
					    .explain = explain,
					    .flows_wanted = flows_wanted };

	assert_non_null(f);
	f->buf = malloc(BUF_LEN);
	fixture_mkdir(f->dir);
	(void)snprintf(f->path, sizeof(f->path), "%s/agent.sock", f->dir);
	assert_int_equal(bh_loop_new(&f->loop), 0);
	assert_int_equal(bh_control_new(f->loop, f->path, &ops, &f->control, NULL), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fx *f = *state;

	f->control = bh_control_free(f->control);
	assert_int_equal(access(f->path, F_OK), -1);
	f->loop = bh_loop_free(f->loop);
	fixture_rmdir(f->dir);
	free(f->buf);
	free(f);
	return 0;
}

static void get(struct fx *f, const char *target)
{
	char req[512];

	(void)snprintf(req, sizeof(req), "GET %s HTTP/1.0\r\n\r\n", target);
	fixture_roundtrip(f->loop, f->path, req, f->buf, BUF_LEN);
}

static void assert_answer(struct fx *f, const char *target, const char *code, const char *body)
{
	get(f, target);
	if (strncmp(f->buf + strlen("HTTP/1.x "), code, strlen(code)) || !strstr(f->buf, body))
		fail_msg("%s: expected %s and %s, got\n%s", target, code, body, f->buf);
}

static void control__verbs__ops_and_status_codes(void **state)
{
	struct fx *f = *state;

	assert_answer(f, "/v1/status", "200", "\r\n\r\n{\"node\":\"w\\\"1\"}");
	assert_answer(f, "/v1/tenants", "503", "{\"error\":\"not loaded yet\"}");
	assert_answer(f, "/v1/pods", "500", "{\"error\":\"Cannot allocate memory\"}");
	assert_answer(f, "/v1/explain?src=acme/web&dst=10.0.0.1&port=80", "200",
		      "{\"allowed\":false}");
	assert_string_equal(f->asked.src.name, "web");
	assert_int_equal(f->asked.port, 80);
	f->explain_error = ENOENT;
	assert_answer(f, "/v1/explain?src=acme/web&dst=10.0.0.1&port=80", "404",
		      "no pod 'acme/web'");
	f->explain_error = EOPNOTSUPP;
	assert_answer(f, "/v1/explain?src=acme/web&dst=10.0.0.1&port=80", "501", "error");
	assert_answer(f, "/v1/explain?src=acme", "400", "{\"error\":\"src: 'acme'");
	assert_answer(f, "/v1/nothing", "404", "no such path");
}

static void control__second_daemon__eaddrinuse(void **state)
{
	struct fx *f = *state;
	const struct bh_control_ops ops = { 0 };
	struct bh_control *second = NULL;
	struct bh_err err = { 0 };

	assert_int_equal(bh_control_new(f->loop, f->path, &ops, &second, &err), -EADDRINUSE);
	assert_non_null(strstr(err.msg, "already running"));
	assert_answer(f, "/v1/status", "200", "node");
}

/* As another user, in a process of its own: 0 if the answer was 403. */
static int ask_as_nobody(const char *path)
{
	struct bh_http_answer a = { 0 };

	if (bh_confine_user(BH_NOBODY, BH_NOBODY, NULL))
		return 1;
	if (bh_http_get(path, "/v1/status", 5000, 4096, &a, NULL))
		return 2;
	return a.status == 403 && strstr(a.body, "only for root") ? 0 : 3;
}

struct child {
	pid_t pid;
	int status;
};

static bool reaped(void *ud)
{
	struct child *c = ud;

	return waitpid(c->pid, &c->status, WNOHANG) == c->pid;
}

static void control__another_user__403_even_with_an_open_file_mode(void **state)
{
	struct fx *f = *state;
	struct child c = { 0 };

	if (geteuid()) {
		print_message("needs root\n");
		skip();
	}
	assert_int_equal(chmod(f->dir, 0755), 0);
	assert_int_equal(chmod(f->path, 0666), 0);
	c.pid = fork();
	assert_true(c.pid >= 0);
	if (!c.pid)
		_exit(ask_as_nobody(f->path));
	fixture_until(f->loop, reaped, &c);
	assert_true(WIFEXITED(c.status));
	assert_int_equal(WEXITSTATUS(c.status), 0);
}

static void publish(struct fx *f, const char *tenant, const char *reason, const char *verdict,
		    int n)
{
	bh_auto(bh_json_freep) struct bh_json *j = bh_json_new_object();

	if (tenant)
		bh_json_set_str(j, "tenant", tenant);
	else
		bh_json_set(j, "tenant", bh_json_new_null());
	bh_json_set_str(j, "reason", reason);
	bh_json_set_str(j, "verdict", verdict);
	bh_json_set_int(j, "n", n);
	bh_control_publish(f->control, BH_FEED_EVENTS, j);
}

static void events__recent__filtered_newest_last(void **state)
{
	struct fx *f = *state;

	publish(f, "acme", "vlan", "drop", 1);
	publish(f, "billing", "vlan", "drop", 2);
	publish(f, "acme", "peer_node", "audit", 3);
	publish(f, NULL, "vlan", "drop", 4);
	get(f, "/v1/events");
	assert_non_null(strstr(f->buf, "application/x-ndjson"));
	assert_non_null(strstr(f->buf, "\"n\":1}\n{"));
	assert_non_null(strstr(f->buf, "\"n\":4}\n"));
	get(f, "/v1/events?tenant=acme");
	assert_non_null(strstr(f->buf, "\"n\":1}\n{\"tenant\":\"acme\",\"reason\":\"peer_node\","
				       "\"verdict\":\"audit\",\"n\":3}\n"));
	assert_null(strstr(f->buf, "\"n\":4"));
	get(f, "/v1/events?reason=vlan&recent=2");
	assert_null(strstr(f->buf, "\"n\":1"));
	assert_non_null(strstr(f->buf, "\"n\":2}\n{\"tenant\":null"));
	get(f, "/v1/events?verdict=audit&tenant=billing");
	assert_null(strstr(f->buf, "\"n\""));
}

static void events__more_than_the_ring__oldest_forgotten(void **state)
{
	struct fx *f = *state;
	struct bh_control_stats st;

	for (int i = 0; i < BH_FEED_RECENT_MAX + 10; i++)
		publish(f, "acme", "vlan", "drop", i);
	get(f, "/v1/events");
	assert_null(strstr(f->buf, "\"n\":9}"));
	assert_non_null(strstr(f->buf, "\"n\":10}"));
	assert_non_null(strstr(f->buf, "\"n\":1033}"));
	bh_control_stats(f->control, &st);
	assert_int_equal(st.published[BH_FEED_EVENTS], BH_FEED_RECENT_MAX + 10);
	assert_int_equal(st.lost[BH_FEED_EVENTS], 0);
}

static void events__over_long__lost_and_counted(void **state)
{
	struct fx *f = *state;
	char name[BH_FEED_LINE_MAX + 1];
	struct bh_control_stats st;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	publish(f, name, "vlan", "drop", 1);
	bh_control_stats(f->control, &st);
	assert_int_equal(st.published[BH_FEED_EVENTS], 0);
	assert_int_equal(st.lost[BH_FEED_EVENTS], 1);
}

static void events__follow__recent_first_then_live_and_filtered(void **state)
{
	struct fx *f = *state;
	const int fd = fixture_connect(f->path);
	struct bh_control_stats st;
	size_t len = 0;

	publish(f, "acme", "vlan", "drop", 1);
	publish(f, "acme", "vlan", "drop", 2);
	fixture_send(fd,
		     "GET /v1/events?follow=1&recent=1&tenant=acme HTTP/1.1\r\nHost: x\r\n\r\n");
	fixture_read_until(f->loop, fd, f->buf, BUF_LEN, &len, "\"n\":2}\n");
	assert_null(strstr(f->buf, "\"n\":1}"));
	bh_control_stats(f->control, &st);
	assert_int_equal(st.followers[BH_FEED_EVENTS], 1);
	publish(f, "billing", "vlan", "drop", 3);
	publish(f, "acme", "vlan", "drop", 4);
	fixture_read_until(f->loop, fd, f->buf, BUF_LEN, &len, "\"n\":4}\n");
	assert_null(strstr(f->buf, "\"n\":3}"));
	(void)close(fd);
}

static bool no_followers(void *ud)
{
	struct bh_control_stats st;

	bh_control_stats(((struct fx *)ud)->control, &st);
	return !st.followers[BH_FEED_EVENTS];
}

static void events__slow_follower__cut_off_others_go_on(void **state)
{
	struct fx *f = *state;
	const int slow = fixture_connect(f->path), fast = fixture_connect(f->path);
	struct bh_control_stats st;
	size_t len = 0;
	int n = 0;

	fixture_send(slow, "GET /v1/events?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n");
	fixture_read_until(f->loop, slow, f->buf, BUF_LEN, &len, "\r\n\r\n");
	len = 0;
	fixture_send(fast, "GET /v1/events?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n");
	fixture_read_until(f->loop, fast, f->buf, BUF_LEN, &len, "\r\n\r\n");
	bh_control_stats(f->control, &st);
	assert_int_equal(st.followers[BH_FEED_EVENTS], 2);
	for (; st.followers[BH_FEED_EVENTS] == 2 && n < 200000; n++) {
		char mark[32];

		publish(f, "acme", "vlan", "drop", n);
		if (n % 100) {
			bh_control_stats(f->control, &st);
			continue;
		}
		len = 0;
		(void)snprintf(mark, sizeof(mark), "\"n\":%d}", n);
		fixture_read_until(f->loop, fast, f->buf, BUF_LEN, &len, mark);
	}
	assert_int_equal(st.followers[BH_FEED_EVENTS], 1);
	assert_int_equal(st.cut_off, 1);
	publish(f, "acme", "vlan", "drop", 999999);
	len = 0;
	fixture_read_until(f->loop, fast, f->buf, BUF_LEN, &len, "\"n\":999999}");
	(void)close(slow);
	(void)close(fast);
	fixture_until(f->loop, no_followers, f);
}

static void publish_flow(struct fx *f, const char *pod, const char *proto, const char *cls,
			 int dport)
{
	bh_auto(bh_json_freep) struct bh_json *j = bh_json_new_object();

	bh_json_set_str(j, "tenant", "acme");
	bh_json_set_str(j, "pod", pod);
	bh_json_set_str(j, "proto", proto);
	bh_json_set_str(j, "peerClass", cls);
	bh_json_set_str(j, "verdict", "pass");
	bh_json_set_int(j, "sport", 40000);
	bh_json_set_int(j, "dport", dport);
	bh_control_publish(f->control, BH_FEED_FLOWS, j);
}

static void flows__filters__each_of_them(void **state)
{
	struct fx *f = *state;

	publish_flow(f, "acme/a", "tcp", "node", 1);
	publish_flow(f, "acme/b", "udp", "node", 2);
	publish_flow(f, "acme/a", "tcp", "world_public", 3);
	publish_flow(f, "acme/ab", "other", "tenant", 4);
	publish(f, "acme", "vlan", "drop", 5);
	get(f, "/v1/flows");
	assert_non_null(strstr(f->buf, "\"dport\":1}\n{"));
	assert_non_null(strstr(f->buf, "\"dport\":4}\n"));
	assert_null(strstr(f->buf, "vlan")); /* events are another feed */
	get(f, "/v1/flows?pod=acme/a&class=world_public");
	assert_non_null(strstr(f->buf, "\"dport\":3}\n"));
	assert_null(strstr(f->buf, "\"dport\":1}"));
	assert_null(strstr(f->buf, "\"dport\":4}"));
	get(f, "/v1/flows?proto=other");
	assert_non_null(strstr(f->buf, "\r\n\r\n{\"tenant\":\"acme\",\"pod\":\"acme/ab\""));
	get(f, "/v1/flows?port=2");
	assert_non_null(strstr(f->buf, "\r\n\r\n{\"tenant\":\"acme\",\"pod\":\"acme/b\""));
	get(f, "/v1/flows?port=40000&recent=1");
	assert_non_null(strstr(f->buf, "\r\n\r\n{\"tenant\":\"acme\",\"pod\":\"acme/ab\""));
	get(f, "/v1/flows?reason=vlan");
	assert_null(strstr(f->buf, "dport"));
	get(f, "/v1/events?class=node");
	assert_null(strstr(f->buf, "dport"));
}

static bool none_wanted(void *ud)
{
	return !((struct fx *)ud)->demand.followers;
}

/* Opens a stream and waits for its head. */
static int follow(struct fx *f, const char *target)
{
	const int fd = fixture_connect(f->path);
	char req[256];
	size_t len = 0;

	(void)snprintf(req, sizeof(req), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target);
	fixture_send(fd, req);
	fixture_read_until(f->loop, fd, f->buf, BUF_LEN, &len, "\r\n\r\n");
	return fd;
}

static bool one_wanted(void *ud)
{
	return ((struct fx *)ud)->demand.followers == 1;
}

static void flows__followers__demand_is_what_all_of_them_want(void **state)
{
	struct fx *f = *state;
	struct bh_control_stats st;
	int events, a, b;

	events = follow(f, "/v1/events?follow=1");
	get(f, "/v1/flows?tenant=acme");
	assert_int_equal(f->demands, 0); /* neither of them asks for new records */
	a = follow(f, "/v1/flows?follow=1&tenant=acme&sample=100");
	assert_int_equal(f->demand.followers, 1);
	assert_int_equal(f->demand.sample, 100);
	assert_string_equal(f->demand_tenant, "acme");
	b = follow(f, "/v1/flows?follow=1&tenant=billing&sample=7");
	assert_int_equal(f->demand.followers, 2);
	assert_int_equal(f->demand.sample, 7);
	assert_string_equal(f->demand_tenant, "");
	bh_control_stats(f->control, &st);
	assert_int_equal(st.followers[BH_FEED_FLOWS], 2);
	assert_int_equal(st.followers[BH_FEED_EVENTS], 1);
	(void)close(a);
	fixture_until(f->loop, one_wanted, f);
	assert_int_equal(f->demand.sample, 7);
	assert_string_equal(f->demand_tenant, "billing");
	(void)close(b);
	fixture_until(f->loop, none_wanted, f);
	(void)close(events);
}

static void flows__daemon_ends__nothing_is_wanted(void **state)
{
	struct fx *f = *state;
	const int fd = follow(f, "/v1/flows?follow=1");

	assert_int_equal(f->demand.followers, 1);
	f->control = bh_control_free(f->control);
	assert_int_equal(f->demand.followers, 0);
	(void)close(fd);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(control__verbs__ops_and_status_codes),
		T(control__second_daemon__eaddrinuse),
		T(control__another_user__403_even_with_an_open_file_mode),
		T(events__recent__filtered_newest_last),
		T(events__more_than_the_ring__oldest_forgotten),
		T(events__over_long__lost_and_counted),
		T(events__follow__recent_first_then_live_and_filtered),
		T(events__slow_follower__cut_off_others_go_on),
		T(flows__filters__each_of_them),
		T(flows__followers__demand_is_what_all_of_them_want),
		T(flows__daemon_ends__nothing_is_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
