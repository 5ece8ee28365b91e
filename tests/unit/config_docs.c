/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config_docs.h"

#include "agent/options.h"
#include "common/buf.h"

static void add_default(struct bh_buf *b, const struct bh_option *o)
{
	if (o->def_note)
		bh_buf_printf(b, "| default | %s |\n", o->def_note);
	else if (o->def)
		bh_buf_printf(b, "| default | `%s` |\n", o->def);
	else
		bh_buf_str(b, "| default | none |\n");
}

static void add_option(struct bh_buf *b, const struct bh_option *o)
{
	bh_buf_printf(b, "\n## `--%s%s%s`\n\n%s\n", o->name, o->arg ? " " : "",
		      o->arg ? o->arg : "", o->help);
	if (!o->expected)
		return;
	bh_buf_str(b, "\n| | |\n|---|---|\n");
	if (o->key)
		bh_buf_printf(b, "| key | `%s`%s |\n", o->key,
			      o->kind == BH_OPT_LIST ? ", a list of strings" : "");
	else
		bh_buf_str(b, "| key | none: command line only |\n");
	bh_buf_printf(b, "| value | %s |\n", o->expected);
	add_default(b, o);
}

void config_docs(struct bh_buf *b)
{
	bh_buf_str(
		b,
		"# Configuration of bulkheadd\n"
		"\n"
		"<!-- Generated from agent/options.c by `make docs`; edit the table there. -->\n"
		"\n"
		"A value comes from the command line, else from the file that `--config` names,\n"
		"else it is the default. The file is one YAML mapping from the keys below to\n"
		"strings, booleans and lists of strings:\n"
		"\n"
		"```yaml\n"
		"manifests: /etc/bulkhead/manifests\n"
		"node: worker-1\n"
		"clusterCIDRs: [10.244.0.0/16, 10.96.0.0/12]\n"
		"systemNamespaces: [kube-system, bulkhead-system, monitoring]\n"
		"logFormat: json\n"
		"```\n"
		"\n"
		"On the command line a list's elements are separated by commas, and the option\n"
		"may be given several times; `\"\"` is the empty list. A list replaces the one of\n"
		"the file or the default, it does not add to it. Relative paths are allowed on\n"
		"the command line only.\n"
		"\n"
		"A wrong option, key or value is one line on standard error that names it and\n"
		"says what was expected, and exit status 2; nothing on the node was changed then.\n");
	for (size_t i = 0; i < bh_n_options; i++)
		add_option(b, &bh_options[i]);
}
