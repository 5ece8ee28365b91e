/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main - bulkheadctl: asks the daemon's local socket and shows the answer.
 *
 * Exit status: 0 when there was an answer ("denied" is one), 1 on failure, 2 on wrong usage.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/http/client.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/json.h"
#include "common/version.h"
#include "ctl/show.h"
#include "ctl/table.h"

#define EXIT_USAGE 2
#define DEFAULT_SOCKET "/run/bulkhead/agent.sock"
#define TIMEOUT_MS 15000
#define MAX_ANSWER ((size_t)64 << 20)

struct args {
	const char *socket;
	bool json, follow;
	const char *filter[256]; /* by letter of the option: what goes into the request as it is */
};

enum { NO_FEED, EVENTS = 1, FLOWS = 2 };

/* The one table of options: parsing, requests and --help are made from it. */
static const struct opt {
	const char *name;
	char letter;
	const char *arg;   /* NULL: a flag */
	unsigned int feed; /* of these verbs alone, as a parameter of the request */
	const char *help;
} opts[] = {
	{ "socket", 's', "PATH", NO_FEED, "the daemon's socket, default " DEFAULT_SOCKET },
	{ "output", 'o', "FORMAT", NO_FEED, "table (default) or json" },
	{ "follow", 'f', NULL, EVENTS | FLOWS, "go on with new ones until interrupted" },
	{ "recent", 'n', "N", EVENTS | FLOWS, "begin with the latest N, 0..1024" },
	{ "tenant", 't', "NAME", EVENTS | FLOWS, "only this tenant's" },
	{ "pod", 'p', "NS/POD", EVENTS | FLOWS, "only this pod's" },
	{ "verdict", 'v', "VERDICT", EVENTS | FLOWS, "only pass, drop or audit" },
	{ "reason", 'r', "REASON", EVENTS | FLOWS, "only with this reason, e.g. peer_tenant" },
	{ "proto", 'P', "PROTO", EVENTS | FLOWS, "only tcp, udp, icmp, icmpv6, sctp or other" },
	{ "port", 'q', "PORT", EVENTS | FLOWS, "only with this port at either end" },
	{ "class", 'c', "CLASS", EVENTS | FLOWS, "only with a peer of this class, e.g. node" },
	{ "sample", 'N', "N", FLOWS, "only one in N, 1..65536" },
	{ "help", 'h', NULL, NO_FEED, "show this text" },
	{ "version", 'V', NULL, NO_FEED, "show the version" },
};
#define N_OPTS (sizeof(opts) / sizeof(opts[0]))

static const struct verb {
	const char *name, *args, *help;
	int min_args, max_args;
	int (*show)(const struct bh_json *j, FILE *out);
	unsigned int feed;
} verbs[] = {
	{ "status", "", "what runs here and how well", 0, 0, bh_show_status, NO_FEED },
	{ "tenants", "", "tenants, their traffic and drops", 0, 0, bh_show_tenants, NO_FEED },
	{ "pods", "", "pods and what they are taken for", 0, 0, bh_show_pods, NO_FEED },
	{ "explain", "SRC DST [PROTO[/PORT]]", "would this packet pass, and why", 2, 3,
	  bh_show_explain, NO_FEED },
	{ "events", "", "packets that were dropped or audited", 0, 0, bh_show_event, EVENTS },
	{ "flows", "", "new flows, recorded while somebody follows (-f)", 0, 0, bh_show_flow,
	  FLOWS },
};
#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

static int print_help(void)
{
	(void)printf("usage: bulkheadctl [OPTION]... VERB [ARGUMENT]...\n\nverbs:\n");
	for (size_t i = 0; i < N_VERBS; i++)
		(void)printf("  %-8s%-23s %s\n", verbs[i].name, verbs[i].args, verbs[i].help);
	(void)printf(
		"\nSRC and DST are NAMESPACE/POD or an IP address. PROTO is tcp, udp, sctp or icmp;\n"
		"without it the question is about tcp/443.\n\noptions:\n");
	for (size_t i = 0; i < N_OPTS; i++) {
		if (opts[i].feed && !opts[i - 1].feed)
			(void)printf("\nof events and flows:\n");
		else if (!opts[i].feed && i && opts[i - 1].feed)
			(void)printf("\n");
		(void)printf("  -%c, --%-8s %-8s %s%s\n", opts[i].letter, opts[i].name,
			     opts[i].arg ? opts[i].arg : "", opts[i].feed == FLOWS ? "flows: " : "",
			     opts[i].help);
	}
	(void)printf(
		"\nexit status: 0 an answer was given (\"denied\" is one), 1 failure, 2 usage\n");
	return fflush(stdout) == EOF ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* All messages: one line, safe for a terminal. */
static int complain(int status, const char *what, const char *hint)
{
	bh_autofree char *safe = bh_table_escape(what);

	(void)fprintf(stderr, "bulkheadctl: %s%s%s\n", safe ? safe : "no memory", *hint ? "; " : "",
		      hint);
	return status;
}

static int usage(const char *what, const char *text)
{
	char msg[256];

	(void)snprintf(msg, sizeof(msg), "%s'%s'", what, text);
	return complain(EXIT_USAGE, msg, "see bulkheadctl --help");
}

/* 0 or an exit status; *ret_done: the option was all that was wanted. */
static int set_option(struct args *a, int letter, const char *arg, bool *ret_done)
{
	switch (letter) {
	case 's':
		a->socket = arg;
		return 0;
	case 'o':
		a->json = !strcmp(arg, "json");
		return a->json || !strcmp(arg, "table") ? 0 : usage("unknown output format ", arg);
	case 'h':
		*ret_done = true;
		return print_help();
	case 'V':
		*ret_done = true;
		return printf("bulkheadctl %s\n", bh_version()) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	case 'f':
		a->follow = true;
		arg = "1";
		break;
	case '?':
		return complain(EXIT_USAGE, "unknown option, or one without its argument",
				"see bulkheadctl --help");
	default:
		break;
	}
	a->filter[letter & 0xff] = arg;
	return 0;
}

static int parse_options(int argc, char **argv, struct args *a, bool *ret_done)
{
	struct option longs[N_OPTS + 1] = { 0 };
	char shorts[2 * N_OPTS + 1] = "", *p = shorts;
	int letter, r = 0;

	for (size_t i = 0; i < N_OPTS; i++) {
		longs[i].name = opts[i].name;
		longs[i].has_arg = opts[i].arg ? required_argument : no_argument;
		longs[i].val = (unsigned char)opts[i].letter;
		*p++ = opts[i].letter;
		if (opts[i].arg)
			*p++ = ':';
	}
	opterr = 0; /* one message, ours */
	while (!r && !*ret_done && (letter = getopt_long(argc, argv, shorts, longs, NULL)) != -1)
		r = set_option(a, letter, optarg, ret_done);
	return r;
}

/* A failure to get any answer, with what to do next. */
static int no_answer(const struct args *a, int error, const struct bh_err *err)
{
	char msg[BH_ERR_MSG_LEN + 64];

	switch (-error) {
	case ENOENT:
	case ECONNREFUSED:
		(void)snprintf(msg, sizeof(msg), "no daemon answers at '%s'", a->socket);
		return complain(EXIT_FAILURE, msg,
				"is bulkheadd running on this node? --socket names another path");
	case EACCES:
	case EPERM:
		(void)snprintf(msg, sizeof(msg), "no permission for '%s'", a->socket);
		return complain(EXIT_FAILURE, msg, "run it as root");
	default:
		return complain(EXIT_FAILURE, err->msg[0] ? err->msg : strerror(-error), "");
	}
}

/* An answer of another status than 200: the daemon says why. */
static int refused(const struct bh_http_answer *answer)
{
	bh_auto(bh_json_freep) struct bh_json *j = NULL;
	const char *why = NULL;
	char msg[64];

	if (answer->body && !bh_json_parse(answer->body, answer->len, &j, NULL))
		why = bh_json_get_str(j, "error");
	(void)snprintf(msg, sizeof(msg), "the daemon answered with HTTP status %ld",
		       answer->status);
	return complain(answer->status == 400 ? EXIT_USAGE : EXIT_FAILURE, why ? why : msg,
			answer->status == 403 ? "run it as root" : "");
}

static int show_answer(const struct verb *v, const struct args *a,
		       const struct bh_http_answer *answer)
{
	bh_auto(bh_json_freep) struct bh_json *j = NULL;
	struct bh_err err = { 0 };
	int r;

	if (a->json) {
		(void)fwrite(answer->body, 1, answer->len, stdout);
		(void)fputc('\n', stdout);
		r = ferror(stdout) ? -EIO : 0;
	} else {
		r = bh_json_parse(answer->body, answer->len, &j, &err);
		if (r >= 0)
			r = v->show(j, stdout);
	}
	if (r >= 0 && fflush(stdout) == EOF)
		r = -errno;
	if (r < 0)
		return complain(EXIT_FAILURE, err.msg[0] ? err.msg : strerror(-r),
				a->json ? "" : "-o json shows the answer as it is");
	return EXIT_SUCCESS;
}

static int ask(const struct verb *v, const struct args *a, const char *target)
{
	struct bh_http_answer answer = { 0 };
	struct bh_err err = { 0 };
	int r;

	r = bh_http_get(a->socket, target, TIMEOUT_MS, MAX_ANSWER, &answer, &err);
	if (r < 0)
		return no_answer(a, r, &err);
	r = answer.status == 200 ? show_answer(v, a, &answer) : refused(&answer);
	free(answer.body);
	return r;
}

struct watched {
	const struct verb *verb;
	const struct args *args;
	bool headed; /* the table has its head: only an answer is worth one, an error is not */
};

/* One event or flow; each is shown at once, for somebody may be watching. */
static int on_line(void *ud, const char *line, size_t len)
{
	struct watched *w = ud;
	const struct args *a = w->args;
	bh_auto(bh_json_freep) struct bh_json *j = NULL;
	int r = 0;

	if (!len)
		return 0;
	if (a->json) {
		(void)fwrite(line, 1, len, stdout);
		(void)fputc('\n', stdout);
	} else {
		if (w->verb->feed == FLOWS && !w->headed)
			bh_show_flow_head(stdout);
		w->headed = true;
		r = bh_json_parse(line, len, &j, NULL);
		if (r >= 0)
			r = w->verb->show(j, stdout);
	}
	if (r >= 0 && (fflush(stdout) == EOF || ferror(stdout)))
		r = -EIO;
	return r;
}

static int watch(const struct verb *v, const struct args *a, const char *target)
{
	struct watched w = { .verb = v, .args = a };
	struct bh_http_answer answer = { 0 };
	struct bh_err err = { 0 };
	int r;

	r = bh_http_get_lines(a->socket, target, on_line, &w, &answer, &err);
	if (r < 0)
		return no_answer(a, r, &err);
	r = answer.status == 200 ? EXIT_SUCCESS : refused(&answer);
	free(answer.body);
	if (!r && a->follow)
		return complain(EXIT_FAILURE, "the daemon ended", "");
	return r;
}

static void add_explain(struct bh_buf *b, char **argv, int n)
{
	bh_http_target_add(b, "src", argv[0]);
	bh_http_target_add(b, "dst", argv[1]);
	if (n > 2) {
		char *const slash = strchr(argv[2], '/');

		if (slash)
			*slash = '\0';
		bh_http_target_add(b, "proto", argv[2]);
		if (slash)
			bh_http_target_add(b, "port", slash + 1);
	}
}

/* 0, or the exit status if an option is none of this verb's. */
static int add_filters(struct bh_buf *b, const struct verb *v, const struct args *a)
{
	for (size_t i = 0; i < N_OPTS; i++) {
		const char *const value = a->filter[opts[i].letter & 0xff];
		char msg[64];

		if (!opts[i].feed || !value)
			continue;
		if (!(opts[i].feed & v->feed)) {
			(void)snprintf(msg, sizeof(msg), "--%s is an option of %sflows, not of ",
				       opts[i].name, opts[i].feed & EVENTS ? "events and " : "");
			return usage(msg, v->name);
		}
		bh_http_target_add(b, opts[i].name, value);
	}
	return 0;
}

static int run(const struct verb *v, const struct args *a, char **argv, int n)
{
	bh_autobuf target = BH_BUF_INIT;
	int r;

	if (n < v->min_args)
		return usage("missing argument of ", v->name);
	if (n > v->max_args)
		return usage("unexpected argument ", argv[v->max_args]);
	bh_buf_printf(&target, "/v1/%s", v->name);
	if (v->max_args)
		add_explain(&target, argv, n);
	r = add_filters(&target, v, a);
	if (r)
		return r;
	if (target.error)
		return complain(EXIT_FAILURE, strerror(-target.error), "");
	return v->feed ? watch(v, a, target.data) : ask(v, a, target.data);
}

int main(int argc, char **argv)
{
	struct args a = { .socket = DEFAULT_SOCKET };
	bool done = false;
	int r;

	r = parse_options(argc, argv, &a, &done);
	if (r || done)
		return r;
	if (optind == argc)
		return complain(EXIT_USAGE, "no verb is given", "see bulkheadctl --help");
	for (size_t i = 0; i < N_VERBS; i++) {
		if (!strcmp(argv[optind], verbs[i].name))
			return run(&verbs[i], &a, argv + optind + 1, argc - optind - 1);
	}
	return usage("unknown verb ", argv[optind]);
}
