/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/show.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/json.h"
#include "ctl/table.h"

/* Any scalar member as text: "-" where there is none. The caller frees; NULL for lack of memory. */
static char *text_of(const struct bh_json *obj, const char *key)
{
	const struct bh_json *v = bh_json_get(obj, key);
	char *text = NULL;

	switch (bh_json_type(v)) {
	case BH_JSON_STRING:
		return bh_table_escape(*bh_json_str(v) ? bh_json_str(v) : "-");
	case BH_JSON_NUMBER:
		return asprintf(&text, "%.15g", bh_json_num(v)) < 0 ? NULL : text;
	case BH_JSON_BOOL:
		return strdup(bh_json_is_true(v) ? "yes" : "no");
	default:
		return strdup("-");
	}
}

static void cell(struct bh_table *t, const struct bh_json *obj, const char *key)
{
	bh_autofree char *text = text_of(obj, key);

	bh_table_cell(t, text);
}

/* The same as a word inside a line. */
static void word(FILE *out, const char *before, const struct bh_json *obj, const char *key)
{
	bh_autofree char *text = text_of(obj, key);

	(void)fprintf(out, "%s%s", before, text ? text : "?");
}

/* Everything of a list in one cell or line, "a, b". The caller frees. */
static char *joined(const struct bh_json *list)
{
	bh_autobuf b = BH_BUF_INIT;
	char *text = NULL;

	bh_json_for_each(it, list) {
		bh_autofree char *item = bh_table_escape(bh_json_str(it) ? bh_json_str(it) : "?");

		bh_buf_printf(&b, "%s%s", b.len ? ", " : "", item ? item : "?");
	}
	if (!b.len)
		bh_buf_str(&b, "-");
	return bh_buf_take(&b, &text, NULL) < 0 ? NULL : text;
}

static bool is_true(const struct bh_json *obj, const char *key)
{
	return bh_json_is_true(bh_json_get(obj, key));
}

static void show_source(const struct bh_json *source, FILE *out)
{
	word(out, "Source:      ", source, "kind");
	word(out, " ", source, "path");
	(void)fprintf(out, "%s\n             ", is_true(source, "synced") ? "" : ", not read yet");
	bh_json_for_each(it, bh_json_get(source, "objects")) {
		bh_autofree char *kind = bh_table_escape(bh_json_key(it));

		(void)fprintf(out, "%.0f %s, ", bh_json_num(it), kind ? kind : "?");
	}
	word(out, "", source, "problemCount");
	(void)fprintf(out, " problems\n");
	bh_json_for_each(it, bh_json_get(source, "problems")) {
		const char *const file = bh_json_get_str(it, "file");
		const char *const object = bh_json_get_str(it, "object");

		if (file && *file)
			word(out, "  ", it, "file");
		else
			(void)fprintf(out, "  the folder");
		if (bh_json_num(bh_json_get(it, "document")) > 0)
			word(out, ", document ", it, "document");
		if (object && *object)
			word(out, ", ", it, "object");
		word(out, ":\n      ", it, "message");
		(void)fprintf(out, "\n");
	}
}

static int show_maps(const struct bh_json *maps, FILE *out)
{
	static const char *const head[] = { "MAP", "ENTRIES", "MAX", NULL };
	bh_auto(bh_table_freep) struct bh_table *t = bh_table_new(head);

	if (!t)
		return -ENOMEM;
	bh_json_for_each(it, maps) {
		cell(t, it, "name");
		cell(t, it, "entries");
		cell(t, it, "max");
	}
	return bh_table_print(t, out);
}

static int show_interfaces(const struct bh_json *ifs, FILE *out)
{
	static const char *const head[] = { "INTERFACE", "STATE", "POD", "TENANT", NULL };
	bh_auto(bh_table_freep) struct bh_table *t = bh_table_new(head);

	if (!t)
		return -ENOMEM;
	bh_json_for_each(it, ifs) {
		cell(t, it, "name");
		cell(t, it, "state");
		cell(t, it, "pod");
		cell(t, it, "tenant");
	}
	return bh_table_print(t, out);
}

int bh_show_status(const struct bh_json *j, FILE *out)
{
	const struct bh_json *dp = bh_json_get(j, "datapath");
	const struct bh_json *apply = bh_json_get(j, "apply");
	const struct bh_json *reporter = bh_json_get(j, "reporter");
	bh_autofree char *reasons = joined(bh_json_get(j, "reasons"));
	bh_autofree char *cidrs = joined(bh_json_get(j, "clusterCIDRs"));
	int r;

	word(out, "Node:        ", j, "node");
	word(out, "\nVersion:     ", j, "version");
	word(out, ", process ", j, "pid");
	word(out, ", up ", j, "uptimeSeconds");
	(void)fprintf(out, " s%s\n", is_true(j, "confined") ? "" : ", NOT CONFINED");
	(void)fprintf(out, "Ready:       %s\n",
		      is_true(j, "ready") ? "yes" : (reasons ? reasons : "no"));
	show_source(bh_json_get(j, "source"), out);
	bh_json_for_each(it, bh_json_get(j, "policyProblems")) {
		if (bh_json_get_str(it, "tenant"))
			word(out, "Policy:      Tenant ", it, "tenant");
		else
			(void)fprintf(out, "Policy");
		word(out, ": ", it, "message");
		(void)fprintf(out, "\n");
	}
	bh_json_for_each(it, bh_json_get(j, "findings")) {
		word(out, "Finding:     ", it, "kind");
		word(out, " on ", it, "interface");
		word(out, ", pod ", it, "pod");
		word(out, ": ", it, "message");
		(void)fprintf(out, "\n");
	}
	(void)fprintf(out, "Cluster:     %s\n", cidrs ? cidrs : "-");
	word(out, "Datapath:    ", dp, "attach");
	word(out, ", ABI ", dp, "abi");
	word(out, ", generation ", dp, "generation");
	word(out, "\n             kernel ", dp, "kernel");
	word(out, ", ", dp, "bpffs");
	word(out, "\nApplied:     ", apply, "count");
	(void)fprintf(out, " times, last %.1f ms, longest %.1f ms\nReporter:    %s",
		      bh_json_num(bh_json_get(apply, "lastMs")),
		      bh_json_num(bh_json_get(apply, "maxMs")),
		      is_true(reporter, "alive") ? "alive" : "GONE, no metrics");
	word(out, ", restarted ", reporter, "restarts");
	(void)fprintf(out, " times\n\n");
	r = show_maps(bh_json_get(dp, "maps"), out);
	if (r < 0)
		return r;
	(void)fprintf(out, "\n");
	return show_interfaces(bh_json_get(dp, "interfaces"), out);
}

int bh_show_tenants(const struct bh_json *j, FILE *out)
{
	static const char *const head[] = { "TENANT", "MODE",	 "PODS",    "HERE", "OUT",
					    "IN",     "DROPPED", "AUDITED", NULL };
	static const char *const why_head[] = { "TENANT",  "DIRECTION", "VERDICT",
						"PACKETS", "REASON",	NULL };
	bh_auto(bh_table_freep) struct bh_table *t = bh_table_new(head);
	bh_auto(bh_table_freep) struct bh_table *why = bh_table_new(why_head);
	int r;

	if (!t || !why)
		return -ENOMEM;
	bh_json_for_each(it, bh_json_get(j, "tenants")) {
		const struct bh_json *e = bh_json_get(it, "egress"),
				     *i = bh_json_get(it, "ingress");

		cell(t, it, "name");
		cell(t, it, "mode");
		cell(t, it, "pods");
		cell(t, it, "localPods");
		cell(t, e, "packets");
		cell(t, i, "packets");
		bh_table_cellf(t, "%.0f",
			       bh_json_num(bh_json_get(e, "drops")) +
				       bh_json_num(bh_json_get(i, "drops")));
		bh_table_cellf(t, "%.0f",
			       bh_json_num(bh_json_get(e, "audited")) +
				       bh_json_num(bh_json_get(i, "audited")));
		bh_json_for_each(d, bh_json_get(it, "dropsByReason")) {
			cell(why, it, "name");
			cell(why, d, "direction");
			cell(why, d, "verdict");
			cell(why, d, "packets");
			cell(why, d, "reason");
		}
	}
	r = bh_table_print(t, out);
	if (r < 0)
		return r;
	(void)fprintf(out, "\n");
	return bh_table_print(why, out);
}

int bh_show_pods(const struct bh_json *j, FILE *out)
{
	static const char *const head[] = { "POD",	 "CLASS",     "TENANT", "STATE",
					    "INTERFACE", "ADDRESSES", NULL };
	bh_auto(bh_table_freep) struct bh_table *t = bh_table_new(head);
	int r;

	if (!t)
		return -ENOMEM;
	bh_json_for_each(it, bh_json_get(j, "pods")) {
		const char *ns = bh_json_get_str(it, "namespace"),
			   *name = bh_json_get_str(it, "name");
		bh_autofree char *addrs = joined(bh_json_get(it, "addresses"));

		bh_table_cellf(t, "%s/%s", ns ? ns : "?", name ? name : "?");
		cell(t, it, "class");
		cell(t, it, "tenant");
		cell(t, it, "state");
		cell(t, it, "interface");
		bh_table_cell(t, addrs);
	}
	r = bh_table_print(t, out);
	bh_json_for_each(it, bh_json_get(j, "pods")) {
		const char *const note = bh_json_get_str(it, "note");

		if (!note || !*note)
			continue;
		word(out, "", it, "namespace");
		word(out, "/", it, "name");
		word(out, ": ", it, "note");
		(void)fprintf(out, "\n");
	}
	return r;
}

static void show_end(const struct bh_json *end, FILE *out)
{
	word(out, "", end, "text");
	word(out, " (", end, "class");
	if (bh_json_get_str(end, "tenant"))
		word(out, " ", end, "tenant");
	if (bh_json_get_str(end, "serviceAddress")) {
		word(out, ", ", end, "serviceAddress");
		(void)fprintf(out, " address of ");
		if (bh_json_get_str(end, "service"))
			word(out, "Service ", end, "service");
		else
			(void)fprintf(out, "several Services");
	}
	(void)fprintf(out, ")");
}

int bh_show_explain(const struct bh_json *j, FILE *out)
{
	const char *const note = bh_json_get_str(j, "note");

	show_end(bh_json_get(j, "src"), out);
	(void)fprintf(out, " to ");
	show_end(bh_json_get(j, "dst"), out);
	word(out, ", ", j, "proto");
	if (bh_json_num(bh_json_get(j, "port")) > 0)
		word(out, "/", j, "port");
	(void)fprintf(out, ":\n");
	bh_json_for_each(it, bh_json_get(j, "steps")) {
		word(out, "  ", it, "point");
		word(out, " of ", it, "pod");
		word(out, " on ", it, "interface");
		word(out, ": ", it, "verdict");
		word(out, ", reason ", it, "reason");
		word(out, ", peer ", it, "peerClass");
		if (bh_json_get_str(it, "peerTenant"))
			word(out, " ", it, "peerTenant");
		(void)fprintf(out, "%s\n", is_true(it, "grant") ? ", by a grant" : "");
	}
	(void)fprintf(out, "%s\n",
		      bh_json_type(bh_json_get(j, "allowed")) == BH_JSON_NULL ? "not judged here"
		      : is_true(j, "allowed")				      ? "allowed"
									      : "denied");
	if (note && *note) {
		word(out, "", j, "note");
		(void)fprintf(out, "\n");
	}
	return ferror(out) ? -EIO : 0;
}

int bh_show_event(const struct bh_json *j, FILE *out)
{
	word(out, "", j, "time");
	word(out, " ", j, "verdict");
	word(out, " ", j, "direction");
	word(out, " ", j, "reason");
	word(out, " ", j, "pod");
	word(out, " [", j, "tenant");
	word(out, "] ", j, "proto");
	word(out, " ", j, "src");
	word(out, ".", j, "sport");
	word(out, " > ", j, "dst");
	word(out, ".", j, "dport");
	if (bh_json_get_str(j, "message")) {
		(void)fprintf(out, " ");
		word(out, "", j, "interface");
		word(out, ": ", j, "message");
		if (bh_json_is_true(bh_json_get(j, "over")))
			(void)fprintf(out, " (is over)");
	}
	if (bh_json_num(bh_json_get(j, "suppressed")) > 0) {
		word(out, " (+", j, "suppressed");
		(void)fprintf(out, " alike)");
	}
	(void)fprintf(out, "\n");
	return ferror(out) ? -EIO : 0;
}

/* The last column may be as long as it likes. */
#define FLOW_LINE "%-8.8s %-5s %-3s %-20s %-15s %s"

void bh_show_flow_head(FILE *out)
{
	(void)fprintf(out, FLOW_LINE "\n", "TIME", "WHAT", "DIR", "WHY", "POD", "PEER");
}

int bh_show_flow(const struct bh_json *j, FILE *out)
{
	const char *const dir = bh_json_get_str(j, "direction");
	const char *const verdict = bh_json_get_str(j, "verdict");
	const bool egress = !dir || !strcmp(dir, "egress");
	const bool pass = verdict && !strcmp(verdict, "pass");
	bh_autofree char *time = text_of(j, "time"), *what = text_of(j, "verdict");
	bh_autofree char *why = text_of(j, pass ? "rule" : "reason"), *pod = text_of(j, "pod");
	bh_autofree char *proto = text_of(j, "proto"), *peer = text_of(j, egress ? "dst" : "src");

	if (!time || !what || !why || !pod || !proto || !peer)
		return -ENOMEM;
	/* of 2026-01-31T12:00:00.123456Z the time of day */
	(void)fprintf(out, FLOW_LINE, strlen(time) > 19 ? time + 11 : time, what,
		      egress ? "out" : "in", why, pod, proto);
	word(out, "/", j, "dport");
	(void)fprintf(out, " %s", peer);
	if (bh_json_num(bh_json_get(j, "suppressed")) > 0)
		word(out, " +", j, "suppressed");
	(void)fprintf(out, "\n");
	return ferror(out) ? -EIO : 0;
}
