/* SPDX-License-Identifier: Apache-2.0 */
/* The program itself, run against the real local socket with canned answers behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above, in any order, first */
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/control.h"
#include "agent/loop.h"
#include "common/err.h"
#include "common/json.h"
#include "tests/unit/http_fixture.h"

#define BUF_LEN ((size_t)64 << 10)
#define MAX_ARGS 12

struct fx {
	char dir[64], path[96], program[512];
	struct bh_loop *loop;
	struct bh_control *control;
	struct bh_explain_query asked;
	char *out, *err; /* of the program */
	size_t out_len, err_len;
	int out_fd, err_fd;
	pid_t pid;
	int status;
};

static int canned(const char *text, struct bh_json **ret_json)
{
	return bh_json_parse(text, strlen(text), ret_json, NULL);
}

static int status(void *ud, struct bh_json **ret_json, struct bh_err *err)
{
	(void)ud;
	(void)err;
	return canned("{\"node\":\"worker-1\",\"ready\":false,\"reasons\":[\"not synced\",\"x\"],"
		      "\"pid\":7,\"uptimeSeconds\":60,\"confined\":true,\"source\":{\"kind\":"
		      "\"dir\",\"path\":\"/m\",\"synced\":true,\"objects\":{\"Pod\":2},"
		      "\"problemCount\":1,\"problems\":[{\"file\":\"a.yaml\",\"document\":2,"
		      "\"object\":\"Tenant a\",\"message\":\"spec: bad\\u001b[31m\"}]},"
		      "\"datapath\":{\"attach\":\"tcx\",\"abi\":1,\"maps\":[{\"name\":"
		      "\"bh_flows\",\"entries\":5,\"max\":100}],\"interfaces\":[{\"name\":"
		      "\"veth1\",\"state\":\"enforced\",\"pod\":\"acme/web\",\"tenant\":\"acme\"},"
		      "{\"name\":\"veth2\",\"state\":\"quarantined\",\"pod\":null,\"tenant\":null}]"
		      "},\"reporter\":{\"alive\":true,\"restarts\":3}}",
		      ret_json);
}

static int tenants(void *ud, struct bh_json **ret_json, struct bh_err *err)
{
	(void)ud;
	(void)err;
	return canned("{\"tenants\":[{\"name\":\"acme\",\"mode\":\"enforce\",\"pods\":7,"
		      "\"localPods\":3,\"egress\":{\"packets\":10,\"drops\":2,\"audited\":0},"
		      "\"ingress\":{\"packets\":20,\"drops\":1,\"audited\":4},\"dropsByReason\":["
		      "{\"direction\":\"egress\",\"reason\":\"peer_tenant\",\"verdict\":\"drop\","
		      "\"packets\":2}]}]}",
		      ret_json);
}

static int pods(void *ud, struct bh_json **ret_json, struct bh_err *err)
{
	(void)ud;
	(void)err;
	return canned("{\"pods\":[{\"namespace\":\"acme\",\"name\":\"evil\\u001b]0;x\\u0007\","
		      "\"class\":\"tenant\",\"tenant\":\"acme\",\"addresses\":[\"10.0.0.1\","
		      "\"fd00::1\"],\"state\":null,\"note\":\"odd\"}]}",
		      ret_json);
}

static int explain(void *ud, const struct bh_explain_query *q, struct bh_json **ret_json,
		   struct bh_err *err)
{
	struct fx *f = ud;

	f->asked = *q;
	if (!strcmp(q->src.text, "no/pod"))
		return bh_err_set(err, ENOENT, "no such pod");
	return canned("{\"src\":{\"text\":\"acme/web\",\"class\":\"tenant\",\"tenant\":\"acme\"},"
		      "\"dst\":{\"text\":\"1.2.3.4\",\"class\":\"world_public\",\"tenant\":null,"
		      "\"service\":\"a/b\",\"serviceAddress\":\"external\"},"
		      "\"proto\":\"udp\",\"port\":53,\"steps\":[{\"point\":\"from_pod\",\"pod\":"
		      "\"acme/web\",\"interface\":\"veth1\",\"verdict\":\"drop\",\"reason\":"
		      "\"peer_world_public\",\"peerClass\":\"world_public\",\"grant\":false}],"
		      "\"allowed\":false,\"note\":\"\"}",
		      ret_json);
}

/* bin/bulkheadctl of the build folder that this test is in. */
static void find_program(char *path, size_t cap)
{
	const ssize_t n = readlink("/proc/self/exe", path, cap - 1);
	char *dir;

	assert_true(n > 0);
	path[n] = '\0';
	dir = strstr(path, "/tests/unit/");
	assert_non_null(dir);
	(void)snprintf(dir, cap - (size_t)(dir - path), "/bin/bulkheadctl");
}

static int setup(void **state)
{
	struct fx *f = calloc(1, sizeof(*f));
	const struct bh_control_ops ops = {
		.ud = f, .status = status, .tenants = tenants, .pods = pods, .explain = explain
	};

	assert_non_null(f);
	find_program(f->program, sizeof(f->program));
	f->out = malloc(BUF_LEN);
	f->err = malloc(BUF_LEN);
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
	f->loop = bh_loop_free(f->loop);
	fixture_rmdir(f->dir);
	free(f->out);
	free(f->err);
	free(f);
	return 0;
}

static void drain(int fd, char *buf, size_t *len)
{
	const ssize_t n = read(fd, buf + *len, BUF_LEN - 1 - *len);

	if (n > 0)
		*len += (size_t)n;
	buf[*len] = '\0';
}

static bool has_ended(void *ud)
{
	struct fx *f = ud;
	const bool ended = waitpid(f->pid, &f->status, WNOHANG) == f->pid;

	drain(f->out_fd, f->out, &f->out_len);
	drain(f->err_fd, f->err, &f->err_len);
	return ended;
}

static void start(struct fx *f, const char *const *args)
{
	const char *argv[MAX_ARGS + 4] = { "bulkheadctl", "--socket", f->path };
	int out[2], err[2];

	for (int i = 0; i < MAX_ARGS && args[i]; i++)
		argv[i + 3] = args[i];
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	f->out_len = f->err_len = 0;
	f->pid = fork();
	assert_true(f->pid >= 0);
	if (!f->pid) {
		if (dup2(out[1], 1) == 1 && dup2(err[1], 2) == 2)
			(void)execv(f->program, (char *const *)argv);
		_exit(127);
	}
	(void)close(out[1]);
	(void)close(err[1]);
	f->out_fd = out[0];
	f->err_fd = err[0];
	assert_int_equal(fcntl(f->out_fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(fcntl(f->err_fd, F_SETFL, O_NONBLOCK), 0);
}

static void finish(struct fx *f)
{
	fixture_until(f->loop, has_ended, f);
	drain(f->out_fd, f->out, &f->out_len);
	drain(f->err_fd, f->err, &f->err_len);
	(void)close(f->out_fd);
	(void)close(f->err_fd);
}

#define RUN(f, ...) run(f, (const char *const[]){ __VA_ARGS__, NULL })

static int run(struct fx *f, const char *const *args)
{
	start(f, args);
	finish(f);
	assert_true(WIFEXITED(f->status));
	return WEXITSTATUS(f->status);
}

static void assert_has(const char *text, const char *needle)
{
	if (!strstr(text, needle))
		fail_msg("no \"%s\" in\n%s", needle, text);
}

static void assert_terminal_safe(const char *text)
{
	for (; *text; text++)
		assert_true(*text == '\n' || (*text >= 0x20 && *text <= 0x7e));
}

static void assert_80_columns(const char *text)
{
	while (*text) {
		const size_t len = strcspn(text, "\n");

		if (len > 80)
			fail_msg("%zu columns: %.*s", len, (int)len, text);
		text += len + !!text[len];
	}
}

static void ctl_status__table__readable_and_safe(void **state)
{
	struct fx *f = *state;

	assert_int_equal(RUN(f, "status"), 0);
	assert_has(f->out, "Node:        worker-1\n");
	assert_has(f->out, "Ready:       not synced, x\n");
	assert_has(f->out, "a.yaml, document 2, Tenant a:\n      spec: bad\\x1b[31m\n");
	assert_has(f->out, "Reporter:    alive, restarted 3 times\n");
	assert_has(f->out, "INTERFACE  STATE        POD       TENANT\n"
			   "veth1      enforced     acme/web  acme\n"
			   "veth2      quarantined  -         -\n");
	assert_terminal_safe(f->out);
	assert_80_columns(f->out);
}

static void ctl_tenants_and_pods__tables__aligned(void **state)
{
	struct fx *f = *state;

	assert_int_equal(RUN(f, "tenants"), 0);
	assert_has(f->out, "TENANT  MODE     PODS  HERE  OUT  IN  DROPPED  AUDITED\n"
			   "acme    enforce  7     3     10   20  3        4\n");
	assert_has(f->out, "acme    egress     drop     2        peer_tenant\n");
	assert_80_columns(f->out);
	assert_int_equal(RUN(f, "pods"), 0);
	assert_has(f->out, "acme/evil\\x1b]0;x\\x07  tenant  acme    -");
	assert_has(f->out, "10.0.0.1, fd00::1\n");
	assert_has(f->out, "acme/evil\\x1b]0;x\\x07: odd\n");
	assert_terminal_safe(f->out);
}

static void ctl_json__any_verb__the_answer_itself(void **state)
{
	struct fx *f = *state;
	bh_auto(bh_json_freep) struct bh_json *j = NULL;

	assert_int_equal(RUN(f, "-o", "json", "tenants"), 0);
	assert_int_equal(bh_json_parse(f->out, f->out_len, &j, NULL), 0);
	assert_int_equal(bh_json_len(bh_json_get(j, "tenants")), 1);
	assert_int_equal(RUN(f, "tenants", "-o", "table"), 0);
	assert_has(f->out, "TENANT");
}

static void ctl_explain__denied__exit_0(void **state)
{
	struct fx *f = *state;

	assert_int_equal(RUN(f, "explain", "acme/web", "1.2.3.4", "udp/53"), 0);
	assert_string_equal(f->asked.src.name, "web");
	assert_int_equal(f->asked.port, 53);
	assert_has(f->out, "acme/web (tenant acme) to 1.2.3.4 (world_public, external address of "
			   "Service a/b), udp/53:\n");
	assert_has(f->out, "  from_pod of acme/web on veth1: drop, reason peer_world_public");
	assert_has(f->out, "\ndenied\n");
	assert_int_equal(RUN(f, "explain", "acme/web", "1.2.3.4", "icmp"), 0);
	assert_int_equal(f->asked.port, 0);
}

static void ctl_failures__say_what_to_do(void **state)
{
	struct fx *f = *state;

	assert_int_equal(RUN(f, "explain", "no/pod", "1.2.3.4"), 1);
	assert_string_equal(f->err, "bulkheadctl: no such pod\n");
	assert_int_equal(RUN(f, "explain", "acme", "1.2.3.4"), 2); /* the daemon's 400 */
	assert_has(f->err, "src: 'acme', expected NAMESPACE/POD");
	assert_int_equal(RUN(f, "explain", "a/b"), 2);
	assert_int_equal(RUN(f, "explain", "a/b", "c/d", "tcp/1", "more"), 2);
	assert_int_equal(RUN(f, "status", "-f"), 2);
	assert_int_equal(RUN(f, "nonsense\x1b"), 2);
	assert_string_equal(f->err,
			    "bulkheadctl: unknown verb 'nonsense\\x1b'; see bulkheadctl --help\n");
	assert_int_equal(RUN(f, "--nonsense"), 2);
	assert_int_equal(RUN(f, "-o", "xml", "status"), 2);
	assert_int_equal(RUN(f, "-o"), 2);
	assert_int_equal(RUN(f, "--socket", "/nonexistent/x.sock", "status"), 1);
	assert_has(f->err, "no daemon answers at '/nonexistent/x.sock'; is bulkheadd running");
	assert_string_equal(f->out, "");
	assert_int_equal(RUN(f, "--help"), 0);
	assert_has(f->out, "explain SRC DST [PROTO[/PORT]]");
	assert_string_equal(f->err, "");
}

static void publish(struct fx *f, const char *tenant)
{
	bh_auto(bh_json_freep) struct bh_json *j = bh_json_new_object();

	bh_json_set_str(j, "time", "2026-01-31T12:00:00Z");
	bh_json_set_str(j, "verdict", "drop");
	bh_json_set_str(j, "direction", "egress");
	bh_json_set_str(j, "reason", "vlan");
	bh_json_set_str(j, "pod", "a/b");
	bh_json_set_str(j, "tenant", tenant);
	bh_json_set_str(j, "src", "10.0.0.1");
	bh_json_set_int(j, "sport", 5);
	bh_json_set_int(j, "suppressed", 2);
	bh_control_publish(f->control, BH_FEED_EVENTS, j);
}

static bool two_lines(void *ud)
{
	struct fx *f = ud;

	drain(f->out_fd, f->out, &f->out_len);
	return strstr(f->out, "[late]");
}

static bool is_followed(void *ud)
{
	struct bh_control_stats st;

	bh_control_stats(((struct fx *)ud)->control, &st);
	return st.followers[BH_FEED_EVENTS];
}

static void ctl_events__recent_and_follow__lines(void **state)
{
	struct fx *f = *state;

	publish(f, "acme");
	publish(f, "billing");
	assert_int_equal(RUN(f, "events", "--tenant", "acme"), 0);
	assert_string_equal(f->out,
			    "2026-01-31T12:00:00Z drop egress vlan a/b [acme] - 10.0.0.1.5 > "
			    "-.- (+2 alike)\n");
	start(f, (const char *const[]){ "events", "-f", "-n", "1", NULL });
	fixture_until(f->loop, is_followed, f);
	publish(f, "late");
	fixture_until(f->loop, two_lines, f);
	assert_has(f->out, "[billing]");
	assert_null(strstr(f->out, "[acme]"));
	assert_int_equal(kill(f->pid, SIGTERM), 0);
	finish(f);
	assert_true(WIFSIGNALED(f->status));
}

static void publish_flow(struct fx *f, const char *verdict, const char *rule, const char *pod,
			 const char *dst)
{
	bh_auto(bh_json_freep) struct bh_json *j = bh_json_new_object();

	bh_json_set_str(j, "time", "2026-01-31T12:00:00.123456Z");
	bh_json_set_str(j, "direction", "egress");
	bh_json_set_str(j, "verdict", verdict);
	bh_json_set_str(j, "rule", rule);
	bh_json_set_str(j, "reason", "peer_world_linklocal");
	bh_json_set_str(j, "tenant", "acme");
	bh_json_set_str(j, "pod", pod);
	bh_json_set_str(j, "proto", "tcp");
	bh_json_set_str(j, "src", "10.1.0.7");
	bh_json_set_str(j, "dst", dst);
	bh_json_set_int(j, "dport", 443);
	bh_control_publish(f->control, BH_FEED_FLOWS, j);
}

static void ctl_flows__table__eighty_columns(void **state)
{
	struct fx *f = *state;

	publish_flow(f, "pass", "grant cidr", "acme/web-0", "203.0.113.9");
	publish_flow(f, "drop", "default", "acme/w\033[31m", "169.254.169.254");
	assert_int_equal(RUN(f, "flows", "-t", "acme"), 0);
	assert_string_equal(
		f->out,
		"TIME     WHAT  DIR WHY                  POD             PEER\n"
		"12:00:00 pass  out grant cidr           acme/web-0      tcp/443 203.0.113.9\n"
		"12:00:00 drop  out peer_world_linklocal acme/w\\x1b[31m  tcp/443 169.254.169.254\n");
	assert_int_equal(RUN(f, "flows", "-p", "acme/web-0", "-o", "json", "--port", "443"), 0);
	assert_memory_equal(f->out, "{\"time\":", 8);
	assert_has(f->out, "\"dst\":\"203.0.113.9\"");
	assert_null(strstr(f->out, "169.254"));
}

static void ctl_flows__wrong_options__usage(void **state)
{
	struct fx *f = *state;

	assert_int_equal(RUN(f, "events", "--sample", "2"), 2);
	assert_has(f->err, "--sample is an option of flows, not of 'events'");
	assert_int_equal(RUN(f, "status", "--pod", "a/b"), 2);
	assert_has(f->err, "--pod is an option of events and flows, not of 'status'");
	assert_int_equal(RUN(f, "flows", "--sample", "0"), 2);
	assert_has(f->err, "sample: '0', expected 1..65536");
	assert_string_equal(f->out, ""); /* an error has no table */
	assert_int_equal(RUN(f, "flows", "--class", "public"), 2);
	assert_has(f->err, "class: 'public'");
}

static void ctl_events__daemon_ends__exit_1(void **state)
{
	struct fx *f = *state;

	start(f, (const char *const[]){ "events", "--follow", NULL });
	fixture_until(f->loop, is_followed, f);
	f->control = bh_control_free(f->control);
	finish(f);
	assert_true(WIFEXITED(f->status));
	assert_int_equal(WEXITSTATUS(f->status), 1);
	assert_memory_equal(f->err, "bulkheadctl: ", 13);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(ctl_status__table__readable_and_safe),  T(ctl_tenants_and_pods__tables__aligned),
		T(ctl_json__any_verb__the_answer_itself), T(ctl_explain__denied__exit_0),
		T(ctl_failures__say_what_to_do),	  T(ctl_events__recent_and_follow__lines),
		T(ctl_events__daemon_ends__exit_1),	  T(ctl_flows__table__eighty_columns),
		T(ctl_flows__wrong_options__usage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
