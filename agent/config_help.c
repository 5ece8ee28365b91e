/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "agent/options.h"
#include "common/buf.h"

#define INDENT 8
#define WIDTH 80 /* columns of a terminal */

/* Words of @text, wrapped and indented. */
static void add_wrapped(struct bh_buf *b, const char *text)
{
	size_t column = 0;

	while (*text) {
		const size_t n = strcspn(text, " ");

		if (column && column + 1 + n > WIDTH) {
			bh_buf_str(b, "\n");
			column = 0;
		}
		if (column)
			bh_buf_str(b, " ");
		else
			bh_buf_printf(b, "%*s", INDENT, "");
		column += (column ? 1 : INDENT) + n;
		bh_buf_add(b, text, n);
		text += n;
		text += strspn(text, " ");
	}
	bh_buf_str(b, "\n");
}

void bh_config_help(struct bh_buf *b)
{
	bh_buf_str(b,
		   "Usage: bulkheadd --manifests DIR [OPTION]...\n"
		   "       bulkheadd --detach [--bpffs DIR] [--state DIR]\n"
		   "\n"
		   "Keeps the tenants of a Kubernetes node apart.\n"
		   "\n"
		   "Options (LIST: elements separated by commas; may be given several times):\n");
	for (size_t i = 0; i < bh_n_options; i++) {
		const struct bh_option *o = &bh_options[i];

		bh_buf_printf(b, "  --%s%s%s\n", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
		add_wrapped(b, o->help);
		if (o->def_note || (o->def && o->kind != BH_OPT_FLAG))
			bh_buf_printf(b, "%*sDefault: %s\n", INDENT, "",
				      o->def_note ? o->def_note : o->def);
	}
	bh_buf_str(b,
		   "\nExit status: 0, 1 after a failure, 2 for a wrong option or configuration.\n");
}
