/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BH_LOG_COMP "test"
#include "agent/config.h"
#include "agent/options.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/file.h"
#include "common/log.h"
#include "tests/unit/config_docs.h"

#define MAX_ARGS 16

/* @args: separated by blanks; "" for an empty one. */
static int load(const char *args, struct bh_config **ret_c, struct bh_err *err)
{
	bh_autofree char *copy = strdup(args);
	char *argv[MAX_ARGS + 2] = { (char *)"bulkheadd" };
	char *rest = copy, *arg;
	int argc = 1;

	assert_non_null(copy);
	while ((arg = strsep(&rest, " ")) && argc <= MAX_ARGS) {
		if (*arg)
			argv[argc++] = strcmp(arg, "\"\"") ? arg : arg + 2;
	}
	return bh_config_load(argc, argv, ret_c, err);
}

static struct bh_config *must_load(const char *args)
{
	struct bh_config *c = NULL;
	struct bh_err err = { 0 };

	if (load(args, &c, &err) < 0)
		fail_msg("%s: %s", args, err.msg);
	return c;
}

static void check_refused(const char *args, const char *want)
{
	struct bh_config *const untouched = (void *)0x1;
	struct bh_config *c = untouched;
	struct bh_err err = { 0 };

	assert_int_equal(load(args, &c, &err), -EINVAL);
	assert_ptr_equal(c, untouched);
	assert_string_equal(err.msg, want);
}

/* A configuration file with @text; its path is in @state. */
static void write_file(void **state, const char *text)
{
	const char *path = *state;
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static char *with_file(void **state, const char *args)
{
	char *line = NULL;

	assert_true(asprintf(&line, "--config %s %s", (const char *)*state, args) > 0);
	return line;
}

static int setup(void **state)
{
	char path[] = "/tmp/bh-config-XXXXXX";
	const int fd = mkstemp(path);

	if (fd < 0 || close(fd) < 0)
		return -1;
	*state = strdup(path);
	return *state && setenv("NODE_NAME", "from-env", 1) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	const int r = unlink(*state);

	free(*state);
	return r;
}

static void load__folder_alone__defaults(void **state)
{
	bh_auto(bh_config_freep) struct bh_config *c = must_load("--manifests /m");
	struct sockaddr_in sin;

	(void)state;
	assert_int_equal(c->action, BH_CONFIG_RUN);
	assert_string_equal(c->manifests, "/m");
	assert_string_equal(c->node, "from-env");
	assert_string_equal(c->socket, "/run/bulkhead/agent.sock");
	assert_string_equal(c->bpffs, "/sys/fs/bpf/bulkhead");
	assert_string_equal(c->state, "/run/bulkhead");
	memcpy(&sin, &c->http, sizeof(sin));
	assert_int_equal(c->http_len, sizeof(sin));
	assert_int_equal(sin.sin_family, AF_INET);
	assert_int_equal(ntohs(sin.sin_port), 9474);
	assert_int_equal(ntohl(sin.sin_addr.s_addr), INADDR_LOOPBACK);
	assert_int_equal(c->log_level, BH_LOG_INFO);
	assert_int_equal(c->log_format, BH_LOG_TEXT);
	assert_int_equal(c->attach, BH_ATTACH_AUTO);
	assert_int_equal(c->n_system_namespaces, 2);
	assert_string_equal(c->system_namespaces[0], "kube-system");
	assert_string_equal(c->system_namespaces[1], "bulkhead-system");
	assert_int_equal(c->n_cluster_cidrs + c->n_dns_servers + c->n_ignore_interfaces, 0);
	assert_int_equal(c->debounce_ms, 50);
	assert_true(c->max_endpoints == 512 && c->flows_per_endpoint == 4096);
	assert_false(c->insecure_metrics || c->no_confine || c->trust_unready_nodes);
	assert_null(c->config_file);
}

static void load__command_line__typed(void **state)
{
	bh_auto(bh_config_freep) struct bh_config *c = must_load(
		"--manifests=/m --node w1 --http [::1]:80 --log-level debug --log-format json "
		"--attach clsact --debounce 5s --cluster-cidrs 10.0.0.0/8,fd00::/8 --no-confine");
	bh_auto(bh_config_freep) struct bh_config *d = must_load(
		"--manifests /m --insecure-metrics --http 0.0.0.0:9474 --ignore-interfaces lo,wg* "
		"--ignore-interfaces eth[0-3] --dns-servers 10.96.0.10 --system-namespaces \"\"");
	char text[BH_PREFIX_STRLEN];

	(void)state;
	assert_string_equal(c->node, "w1");
	assert_int_equal(c->http.ss_family, AF_INET6);
	assert_int_equal(c->http_len, sizeof(struct sockaddr_in6));
	assert_int_equal(c->log_level, BH_LOG_DEBUG);
	assert_int_equal(c->log_format, BH_LOG_JSON);
	assert_int_equal(c->attach, BH_ATTACH_CLSACT);
	assert_int_equal(c->debounce_ms, 5000);
	assert_int_equal(c->n_cluster_cidrs, 2);
	assert_string_equal(bh_prefix_str(&c->cluster_cidrs[1], text), "fd00::/8");
	assert_true(c->no_confine);
	assert_true(d->insecure_metrics);
	assert_int_equal(d->n_ignore_interfaces, 3);
	assert_string_equal(d->ignore_interfaces[2], "eth[0-3]");
	assert_int_equal(d->n_dns_servers, 1);
	assert_int_equal(d->n_system_namespaces, 0);
}

static void load__relative_path__from_working_directory(void **state)
{
	bh_auto(bh_config_freep) struct bh_config *c = must_load("--manifests m/x");
	bh_autofree char *cwd = getcwd(NULL, 0), *want = NULL;

	(void)state;
	assert_true(asprintf(&want, "%s/m/x", cwd) > 0);
	assert_string_equal(c->manifests, want);
}

static void load__file__below_command_line_above_defaults(void **state)
{
	bh_autofree char *args = with_file(state, "--node cli --dns-servers ::1");
	bh_auto(bh_config_freep) struct bh_config *c = NULL;

	write_file(state,
		   "# all of it\nmanifests: /from/file\nnode: file\nsystemNamespaces: [a, b, c]\n"
		   "dnsServers: [10.0.0.1, 10.0.0.2]\ninsecureMetrics: true\n"
		   "http: \"[::]:9474\"\nclusterCIDRs: []\ndebounce: 0ms\n");
	c = must_load(args);
	assert_string_equal(c->manifests, "/from/file");
	assert_string_equal(c->node, "cli");
	assert_int_equal(c->n_system_namespaces, 3);
	assert_string_equal(c->system_namespaces[0], "a");
	assert_int_equal(c->n_dns_servers, 1);
	assert_false(bh_addr_is_v4(&c->dns_servers[0]));
	assert_true(c->insecure_metrics);
	assert_int_equal(c->debounce_ms, 0);
	assert_string_equal(c->config_file, *state);
}

static void load__every_option_with_a_key__settable_from_file(void **state)
{
	bh_autofree char *args = with_file(state, "");
	bh_auto(bh_config_freep) struct bh_config *c = NULL;
	size_t keys = 0;

	write_file(
		state,
		"{\"manifests\":\"/m\",\"node\":\"n\",\"socket\":\"/s\",\"http\":\"127.0.0.2:1\","
		"\"insecureMetrics\":false,\"bpffs\":\"/b\",\"state\":\"/t\",\"noConfine\":true,"
		"\"logLevel\":\"warn\",\"logFormat\":\"json\",\"attach\":\"tcx\","
		"\"systemNamespaces\":[\"x\"],\"clusterCIDRs\":[\"10.0.0.0/8\"],"
		"\"nat64Prefixes\":[\"2001:db8:64::/96\"],"
		"\"dnsServers\":[\"1.1.1.1\"],\"ignoreInterfaces\":[\"wg0\"],"
		"\"trustUnreadyNodes\":true,\"debounce\":\"1s\","
		"\"maxEndpoints\":12,\"flowsPerEndpoint\":256,"
		"\"packetsPerSecond\":0,\"newFlowsPerSecond\":\"auto\"}");
	c = must_load(args);
	assert_string_equal(c->socket, "/s");
	assert_string_equal(c->bpffs, "/b");
	assert_string_equal(c->state, "/t");
	assert_int_equal(c->log_level, BH_LOG_WARN);
	assert_int_equal(c->attach, BH_ATTACH_TCX);
	assert_true(c->trust_unready_nodes && c->no_confine);
	assert_string_equal(c->ignore_interfaces[0], "wg0");
	assert_int_equal(c->n_nat64, 1);
	for (size_t i = 0; i < bh_n_options; i++)
		keys += !!bh_options[i].key;
	assert_int_equal(keys, 22); /* a new one belongs above */
}

static void load__actions__need_nothing_else(void **state)
{
	bh_auto(bh_config_freep) struct bh_config *help = must_load("--help");
	bh_auto(bh_config_freep) struct bh_config *version = must_load("--version --node _");
	bh_auto(bh_config_freep) struct bh_config *detach = must_load("--detach --bpffs /b");

	(void)state;
	assert_int_equal(help->action, BH_CONFIG_HELP);
	assert_int_equal(version->action, BH_CONFIG_VERSION);
	assert_int_equal(detach->action, BH_CONFIG_DETACH);
	assert_string_equal(detach->bpffs, "/b");
	assert_string_equal(detach->state, "/run/bulkhead");
}

static void load__wrong_command_line__one_line_that_names_it(void **state)
{
	static const struct {
		const char *args, *msg;
	} t[] = {
		{ "", "--manifests: missing, expected the folder to take objects from: there is no "
		      "other source" },
		{ "--bogus", "unknown option '--bogus', expected one of those in --help" },
		{ "--man /m", "unknown option '--man', expected one of those in --help" },
		{ "-x", "unknown option '-x', expected one of those in --help" },
		{ "--detach=yes", "--detach: takes no value" },
		{ "--node", "--node: expected a node name in lower case, as Kubernetes has it" },
		{ "--manifests /m extra", "unexpected argument 'extra', expected options only" },
		{ "--manifests /m -- --node",
		  "unexpected argument '--node', expected options only" },
		{ "--manifests \"\"", "--manifests: '' is not valid, expected an absolute path" },
		{ "--node UPPER",
		  "--node: 'UPPER' is not valid, expected a node name in lower case, as "
		  "Kubernetes has it" },
		{ "--http localhost:9474",
		  "--http: 'localhost:9474' is not valid, expected a numeric address and a port from 1 "
		  "to 65535, as 127.0.0.1:9474 or [::1]:9474" },
		{ "--http ::1:80",
		  "--http: '::1:80' is not valid, expected a numeric address and a port "
		  "from 1 to 65535, as 127.0.0.1:9474 or [::1]:9474" },
		{ "--http 127.0.0.1:0",
		  "--http: '127.0.0.1:0' is not valid, expected a numeric address and a port from 1 to "
		  "65535, as 127.0.0.1:9474 or [::1]:9474" },
		{ "--manifests /m --http 10.0.0.1:80",
		  "--http: this address can be reached from outside, expected a loopback address, or "
		  "--insecure-metrics with it" },
		{ "--manifests /m --http [::]:80",
		  "--http: this address can be reached from outside, expected a loopback address, or "
		  "--insecure-metrics with it" },
		{ "--log-level loud",
		  "--log-level: 'loud' is not valid, expected debug, info, warn or error" },
		{ "--log-format xml", "--log-format: 'xml' is not valid, expected text or json" },
		{ "--attach xdp", "--attach: 'xdp' is not valid, expected auto, tcx or clsact" },
		{ "--debounce 6s",
		  "--debounce: '6s' is not valid, expected a duration from 0ms to 5s, as 250ms" },
		{ "--debounce 50",
		  "--debounce: '50' is not valid, expected a duration from 0ms to 5s, as "
		  "250ms" },
		{ "--system-namespaces a,,b",
		  "--system-namespaces: '' is not valid, expected names of namespaces" },
		{ "--dns-servers 10.96.0.10:53",
		  "--dns-servers: '10.96.0.10:53' is not valid, expected "
		  "numeric addresses, as 10.96.0.10" },
		{ "--ignore-interfaces a/b",
		  "--ignore-interfaces: 'a/b' is not valid, expected names of interfaces, with *, ? and "
		  "[a-z] as in a shell" },
		{ "--config /nonexistent/x",
		  "--config: '/nonexistent/x': No such file or directory, "
		  "expected a readable file of at most 1 MiB" },
		{ "--config /dev/zero",
		  "--config: '/dev/zero': no regular file, expected a readable file "
		  "of at most 1 MiB" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		check_refused(t[i].args, t[i].msg);
}

static void load__wrong_number__one_line_that_names_it(void **state)
{
	static const struct {
		const char *args, *msg;
	} t[] = {
		{ "--max-endpoints 0",
		  "--max-endpoints: '0' is not valid, expected a number from 1 to 4096" },
		{ "--flows-per-endpoint 1000",
		  "--flows-per-endpoint: '1000' is not valid, expected a power of two from 64 to "
		  "65536" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		check_refused(t[i].args, t[i].msg);
}

static void load__host_bits_in_cidr__reason_and_expectation(void **state)
{
	struct bh_config *c = NULL;
	struct bh_err err = { 0 };

	(void)state;
	assert_int_equal(load("--manifests /m --cluster-cidrs 10.0.0.1/8", &c, &err), -EINVAL);
	assert_memory_equal(err.msg, "--cluster-cidrs: '10.0.0.1/8': ", 31);
	assert_non_null(strstr(err.msg, ", expected prefixes without host bits, as 10.244.0.0/16"));
}

static void load__socket_too_long__refused(void **state)
{
	bh_auto(bh_config_freep) struct bh_config *longest = NULL;
	char args[256] = "--manifests /m --socket /";
	const size_t n = strlen(args);
	struct bh_config *c = NULL;
	struct bh_err err = { 0 };

	(void)state;
	memset(args + n, 's', 106); /* with the slash 107: the longest */
	longest = must_load(args);
	assert_int_equal(strlen(longest->socket), 107);
	args[n + 106] = 's';
	assert_int_equal(load(args, &c, &err), -EINVAL);
	assert_non_null(strstr(err.msg,
			       ": 108 bytes are too long for a socket, expected an absolute "
			       "path of at most 107 bytes"));
}

static void load__wrong_file__file_and_key_named(void **state)
{
	static const struct {
		const char *text, *msg; /* behind "FILE: " */
	} t[] = {
		{ "colour: blue\n",
		  "unknown key 'colour', expected one of manifests, node, socket, http, insecureMetrics, "
		  "bpffs, state, noConfine, logLevel, logFormat, attach, systemNamespaces, clusterCIDRs, "
		  "nat64Prefixes, dnsServers, ignoreInterfaces, trustUnreadyNodes, maxEndpoints, "
		  "flowsPerEndpoint, packetsPerSecond, newFlowsPerSecond, debounce" },
		{ "maxEndpoints: 1.5\n",
		  "maxEndpoints: a value of type number, expected a whole number: a number from 1 "
		  "to 4096" },
		{ "node: 12\n",
		  "node: a value of type number, expected a string: a node name in lower "
		  "case, as Kubernetes has it" },
		{ "node: Bad\n", "node: 'Bad' is not valid, expected a node name in lower case, as "
				 "Kubernetes has it" },
		{ "insecureMetrics: \"true\"\n",
		  "insecureMetrics: a value of type string, expected a boolean: true or false" },
		{ "systemNamespaces: kube-system\n",
		  "systemNamespaces: a value of type string, expected a list of strings: names of "
		  "namespaces" },
		{ "dnsServers: [1]\n",
		  "dnsServers: a value of type number, expected a list of strings: "
		  "numeric addresses, as 10.96.0.10" },
		{ "manifests: relative\n",
		  "manifests: 'relative' is not valid, expected an absolute path" },
		{ "manifests: /m\nhttp: 10.0.0.1:80\n",
		  "http: this address can be reached from outside, expected a loopback address, or "
		  "--insecure-metrics with it" },
		{ "node: a\nnode: b\n",
		  "line 2: duplicate key 'node', first in line 1, expected YAML" },
		{ "noConfine: yes\n",
		  "line 1: yes is a boolean to some readers of YAML and text to "
		  "others: write true or false, or quote it, expected YAML" },
		{ "- node\n", "a document of type array, expected keys and values" },
		{ "node: a\n---\nnode: b\n",
		  "document 2: one too many, expected a single document" },
		{ "node: a\n---\n@\n",
		  "line 3: found character that cannot start any token (while "
		  "scanning for the next token that began in line 3), expected YAML" },
	};
	bh_autofree char *args = with_file(state, "");

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		bh_autofree char *want = NULL;

		write_file(state, t[i].text);
		assert_true(asprintf(&want, "%s: %s", (const char *)*state, t[i].msg) > 0);
		check_refused(args, want);
	}
}

static void load__value_overridden_on_the_command_line__still_checked(void **state)
{
	bh_autofree char *args = with_file(state, "--manifests /m --attach tcx");
	struct bh_config *c = NULL;
	struct bh_err err = { 0 };

	write_file(state, "attach: maybe\n");
	assert_int_equal(load(args, &c, &err), -EINVAL);
	assert_non_null(strstr(err.msg, ": attach: 'maybe' is not valid"));
}

static void load__empty_or_huge_file(void **state)
{
	bh_autofree char *args = with_file(state, "--manifests /m");
	bh_auto(bh_config_freep) struct bh_config *c = NULL;
	struct bh_config *none = NULL;
	struct bh_err err = { 0 };

	c = must_load(args);
	assert_string_equal(c->node, "from-env");
	assert_int_equal(truncate(*state, 100 << 20), 0);
	assert_int_equal(load(args, &none, &err), -EINVAL);
	assert_non_null(
		strstr(err.msg, "File too large, expected a readable file of at most 1 MiB"));
}

static void load__node_from_environment__checked(void **state)
{
	(void)state;
	assert_int_equal(setenv("NODE_NAME", "Not_A_Name", 1), 0);
	check_refused("--manifests /m",
		      "environment NODE_NAME: 'Not_A_Name' is not valid, expected a "
		      "node name in lower case, as Kubernetes has it");
}

static void help__names_every_option_and_fits(void **state)
{
	bh_autobuf b = BH_BUF_INIT;
	bh_autofree char *text = NULL;
	char *rest, *line;
	size_t len;

	(void)state;
	bh_config_help(&b);
	assert_int_equal(bh_buf_take(&b, &text, &len), 0);
	for (size_t i = 0; i < bh_n_options; i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "\n  --%s%s%s\n", bh_options[i].name,
			       bh_options[i].arg ? " " : "",
			       bh_options[i].arg ? bh_options[i].arg : "");
		assert_non_null(strstr(text, name));
	}
	assert_non_null(strstr(text, "        Default: 127.0.0.1:9474\n"));
	for (rest = text; (line = strsep(&rest, "\n"));)
		assert_in_range(strlen(line), 0, 80);
}

static void docs__configuration_md__is_what_make_docs_writes(void **state)
{
	bh_autobuf b = BH_BUF_INIT;
	bh_autofree char *have = NULL;
	bh_autoclose int fd = -1;
	struct stat st;
	size_t len;

	(void)state;
	config_docs(&b);
	assert_int_equal(b.error, 0);
	assert_int_equal(bh_file_open(AT_FDCWD, "docs/configuration.md", &fd, &st), 0);
	assert_int_equal(bh_file_read(fd, 1 << 20, &have, &len), 0);
	assert_string_equal(have, b.data);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(load__folder_alone__defaults),
		TEST(load__command_line__typed),
		TEST(load__relative_path__from_working_directory),
		TEST(load__file__below_command_line_above_defaults),
		TEST(load__every_option_with_a_key__settable_from_file),
		TEST(load__actions__need_nothing_else),
		TEST(load__wrong_command_line__one_line_that_names_it),
		TEST(load__wrong_number__one_line_that_names_it),
		TEST(load__host_bits_in_cidr__reason_and_expectation),
		TEST(load__socket_too_long__refused),
		TEST(load__wrong_file__file_and_key_named),
		TEST(load__value_overridden_on_the_command_line__still_checked),
		TEST(load__empty_or_huge_file),
		TEST(load__node_from_environment__checked),
		TEST(help__names_every_option_and_fits),
		TEST(docs__configuration_md__is_what_make_docs_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
