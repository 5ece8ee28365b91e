/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/config_file.h"
#include "agent/options.h"
#include "common/err.h"

#define MAX_OPTIONS 64

enum source { SRC_NONE, SRC_DEFAULT, SRC_FILE, SRC_CMDLINE };

struct loader {
	struct bh_config *c;
	enum source from[MAX_OPTIONS]; /* of each option's value */
	struct bh_err *err;
};

/* One option as it stands on the command line. */
struct given {
	size_t opt;
	const char *text; /* NULL for a flag */
};

struct bh_config *bh_config_free(struct bh_config *c)
{
	if (!c)
		return NULL;
	for (size_t i = 0; i < bh_n_options; i++) {
		if (bh_options[i].kind == BH_OPT_LIST)
			(void)bh_options[i].set(c, NULL, NULL);
	}
	free(c->manifests);
	free(c->node);
	free(c->socket);
	free(c->bpffs);
	free(c->state);
	free(c->config_file);
	free(c);
	return NULL;
}

static size_t find_option(const char *name)
{
	for (size_t i = 0; i < bh_n_options; i++) {
		if (!strcmp(bh_options[i].name, name))
			return i;
	}
	assert(!"an option of the table");
	return 0;
}

/* Who is to blame for a value: "--http", or "/etc/x.yaml: http". */
static const char *where(const struct loader *l, size_t opt, char *buf, size_t cap)
{
	if (l->from[opt] == SRC_FILE)
		(void)snprintf(buf, cap, "%s: %s", l->c->config_file, bh_options[opt].key);
	else
		(void)snprintf(buf, cap, "--%s", bh_options[opt].name);
	return buf;
}

static int refuse(const struct loader *l, size_t opt, const char *text, const char *why)
{
	char place[PATH_MAX];

	return bh_err_set(l->err, EINVAL, "%s: '%.128s'%s%s, expected %s",
			  where(l, opt, place, sizeof(place)), text, *why ? ": " : " is not valid",
			  why, bh_options[opt].expected);
}

static int set_one(struct loader *l, size_t opt, const char *text)
{
	struct bh_err why = { 0 };
	const int r = bh_options[opt].set(l->c, text, &why);

	if (r == -ENOMEM)
		return bh_err_set(l->err, ENOMEM, "out of memory");
	return r < 0 ? refuse(l, opt, text, why.msg) : 0;
}

/* A list as it stands on the command line: "a,b". "" is the empty list. */
static int set_list(struct loader *l, size_t opt, const char *text)
{
	bh_autofree char *copy = strdup(text);
	char *rest = copy, *element;
	int n = 0;

	if (!copy)
		return bh_err_set(l->err, ENOMEM, "out of memory");
	while (*text && (element = strsep(&rest, ","))) {
		int r;

		if (n++ == BH_OPT_MAX_LIST)
			return bh_err_set(l->err, EINVAL, "--%s: more than %d elements",
					  bh_options[opt].name, BH_OPT_MAX_LIST);
		r = set_one(l, opt, element);
		if (r < 0)
			return r;
	}
	return 0;
}

static int set_relative(struct loader *l, size_t opt, const char *text)
{
	bh_autofree char *cwd = getcwd(NULL, 0);
	bh_autofree char *path = NULL;

	if (!cwd)
		return bh_err_set(l->err, EINVAL, "--%s: no working directory for '%.128s'",
				  bh_options[opt].name, text);
	if (asprintf(&path, "%s/%s", strcmp(cwd, "/") ? cwd : "", text) < 0)
		return bh_err_set(l->err, ENOMEM, "out of memory");
	return set_one(l, opt, path);
}

/* From now on @opt has its value from @src; what a weaker source put into a list goes. */
static void begin(struct loader *l, size_t opt, enum source src)
{
	if (l->from[opt] != src && bh_options[opt].kind == BH_OPT_LIST)
		(void)bh_options[opt].set(l->c, NULL, NULL);
	l->from[opt] = src;
}

static int apply(struct loader *l, size_t opt, const char *text, enum source src)
{
	begin(l, opt, src);
	if (bh_options[opt].kind == BH_OPT_LIST)
		return set_list(l, opt, text);
	if (bh_options[opt].kind == BH_OPT_PATH && text[0] && text[0] != '/')
		return set_relative(l, opt, text);
	return set_one(l, opt, bh_options[opt].kind == BH_OPT_FLAG && !text ? "true" : text);
}

/* A key of the file. @text NULL: the list that it holds begins. */
static int on_file_value(void *ud, size_t opt, const char *text)
{
	struct loader *l = ud;

	begin(l, opt, SRC_FILE);
	return text ? set_one(l, opt, text) : 0;
}

static int bad_usage(const char *arg, int problem, int index, struct bh_err *err)
{
	if (problem == ':')
		return bh_err_set(err, EINVAL, "%.64s: expected %s", arg,
				  bh_options[index].expected);
	for (size_t i = 0; i < bh_n_options; i++) {
		const size_t n = strlen(bh_options[i].name);

		if (!strncmp(arg, "--", 2) && !strncmp(arg + 2, bh_options[i].name, n) &&
		    arg[2 + n] == '=')
			return bh_err_set(err, EINVAL, "--%s: takes no value", bh_options[i].name);
	}
	return bh_err_set(err, EINVAL, "unknown option '%.128s', expected one of those in --help",
			  arg);
}

/* Is @arg the option's name in full? getopt_long() also takes the beginning of one. */
static bool in_full(const char *arg, const char *name)
{
	const size_t n = strlen(name);

	return !strncmp(arg, "--", 2) && !strncmp(arg + 2, name, n) &&
	       (arg[2 + n] == '\0' || arg[2 + n] == '=');
}

/* Split the command line. @given has room for @argc. Number of options, or -EINVAL. */
static int read_args(int argc, char **argv, struct given *given, struct bh_err *err)
{
	struct option longs[MAX_OPTIONS + 1] = { 0 };
	int n = 0;

	assert(bh_n_options <= MAX_OPTIONS);
	for (size_t i = 0; i < bh_n_options; i++) {
		longs[i].name = bh_options[i].name;
		longs[i].has_arg = bh_options[i].arg ? required_argument : no_argument;
		longs[i].val = (int)i + 256; /* no character */
	}
	opterr = 0;
	optind = 0; /* start anew, glibc */
	for (;;) {
		const char *arg = argv[optind ? optind : 1];
		const int val = getopt_long(argc, argv, "+:", longs, NULL);

		if (val == -1)
			break;
		if (val == ':' || val == '?')
			return bad_usage(arg, val, optopt - 256, err);
		if (!in_full(arg, longs[val - 256].name))
			return bad_usage(arg, '?', 0, err);
		given[n++] = (struct given){ (size_t)(val - 256), optarg };
	}
	if (optind < argc)
		return bh_err_set(err, EINVAL,
				  "unexpected argument '%.128s', expected options only",
				  argv[optind]);
	return n;
}

static int set_defaults(struct loader *l)
{
	for (size_t i = 0; i < bh_n_options; i++) {
		int r;

		if (!bh_options[i].def)
			continue;
		r = apply(l, i, bh_options[i].def, SRC_DEFAULT);
		if (r < 0)
			return r;
	}
	return 0;
}

static int set_default_node(struct loader *l)
{
	const char *env = getenv("NODE_NAME");
	struct bh_err why = { 0 };
	char host[HOST_NAME_MAX + 1];
	size_t opt = find_option("node");
	int r;

	if (env && *env) {
		r = bh_options[opt].set(l->c, env, &why);
		if (r == -EINVAL)
			return bh_err_set(
				l->err, EINVAL,
				"environment NODE_NAME: '%.128s' is not valid, expected %s", env,
				bh_options[opt].expected);
		return r;
	}
	if (gethostname(host, sizeof(host)) < 0)
		return bh_err_set(l->err, EINVAL, "--node: the hostname is not known, expected %s",
				  bh_options[opt].expected);
	for (char *p = host; *p; p++)
		*p = (char)tolower((unsigned char)*p); /* as the kubelet does */
	r = bh_options[opt].set(l->c, host, &why);
	if (r == -EINVAL)
		return bh_err_set(l->err, EINVAL,
				  "--node: the hostname '%.128s' cannot serve, expected %s", host,
				  bh_options[opt].expected);
	return r;
}

static bool is_loopback(const struct sockaddr_storage *ss)
{
	struct sockaddr_in6 sin6;
	struct sockaddr_in sin;

	if (ss->ss_family == AF_INET) {
		memcpy(&sin, ss, sizeof(sin));
		return ntohl(sin.sin_addr.s_addr) >> 24 == 127;
	}
	memcpy(&sin6, ss, sizeof(sin6));
	return IN6_IS_ADDR_LOOPBACK(&sin6.sin6_addr);
}

/* What no option can tell alone. */
static int check_run(struct loader *l)
{
	const size_t http = find_option("http");
	char place[PATH_MAX];

	if (!l->c->manifests)
		return bh_err_set(l->err, EINVAL,
				  "--manifests: missing, expected the folder to take objects from: "
				  "there is no other source");
	if (!l->c->insecure_metrics && !is_loopback(&l->c->http))
		return bh_err_set(l->err, EINVAL,
				  "%s: this address can be reached from outside, expected a "
				  "loopback address, or --insecure-metrics with it",
				  where(l, http, place, sizeof(place)));
	return l->c->node ? 0 : set_default_node(l);
}

static int load(struct loader *l, const struct given *given, int n_given)
{
	const size_t config = find_option("config");
	int r;

	r = set_defaults(l);
	for (int i = 0; r == 0 && i < n_given; i++) {
		if (given[i].opt == config)
			r = apply(l, config, given[i].text, SRC_CMDLINE);
	}
	if (r == 0 && l->c->config_file)
		r = bh_config_file_read(l->c->config_file, on_file_value, l, l->err);
	for (int i = 0; r == 0 && i < n_given; i++)
		r = apply(l, given[i].opt, given[i].text, SRC_CMDLINE);
	if (r == 0 && l->c->action == BH_CONFIG_RUN)
		r = check_run(l);
	return r;
}

int bh_config_load(int argc, char **argv, struct bh_config **ret_config, struct bh_err *err)
{
	bh_auto(bh_config_freep) struct bh_config *c = calloc(1, sizeof(*c));
	bh_autofree struct given *given = calloc((size_t)argc + 1, sizeof(*given));
	struct loader l = { .c = c, .err = err };
	int n, r = 0;

	if (!c || !given)
		return bh_err_set(err, ENOMEM, "out of memory");
	n = read_args(argc, argv, given, err);
	if (n < 0)
		return n;
	/* Who asks for help gets it, whatever else is there. */
	for (int i = 0; i < n && c->action == BH_CONFIG_RUN; i++) {
		if (given[i].opt == find_option("help"))
			c->action = BH_CONFIG_HELP;
		else if (given[i].opt == find_option("version"))
			c->action = BH_CONFIG_VERSION;
	}
	if (c->action == BH_CONFIG_RUN)
		r = load(&l, given, n);
	if (r < 0)
		return r;
	*ret_config = BH_TAKE_PTR(c);
	return 0;
}
