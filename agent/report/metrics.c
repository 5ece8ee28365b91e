/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/report/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/report/snapshot.h"
#include "bpf/bh_abi.h"
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/utf8.h"
#include "model/tenant.h"

struct label {
	const char *key, *value;
};

/* One metric while it is written. */
struct writer {
	struct bh_buf *b;
	const struct bh_metrics_input *in;
	const char *name;
	const struct bh_snap_counter **counters; /* sorted by by_key() */
};

static const char *const dir_name[] = { [BH_DIR_EGRESS] = "egress", [BH_DIR_INGRESS] = "ingress" };

static const char *const reason_name[] = {
#define X(id, label, ...) [BH_REASON_##id] = label,
	BH_REASONS(X)
#undef X
};

/* A label's value as the text format wants it; bytes that are not UTF-8 become U+FFFD. */
static void escape(struct bh_buf *b, const char *s)
{
	size_t left = strlen(s);

	while (left) {
		const size_t n = bh_utf8_seq(s, left);

		if (!n)
			bh_buf_str(b, "\xef\xbf\xbd");
		else if (*s == '\n')
			bh_buf_str(b, "\\n");
		else if (*s == '\\' || *s == '"')
			bh_buf_printf(b, "\\%c", *s);
		else
			bh_buf_add(b, s, n);
		s += n ? n : 1;
		left -= n ? n : 1;
	}
}

/* Everything of a sample but its value. @labels ends with a NULL key, or is NULL. */
static void sample_head(const struct writer *w, const char *suffix, const struct label *labels)
{
	const char *sep = "{";

	bh_buf_str(w->b, w->name);
	bh_buf_str(w->b, suffix);
	for (; labels && labels->key; labels++) {
		bh_buf_str(w->b, sep);
		bh_buf_str(w->b, labels->key);
		bh_buf_str(w->b, "=\"");
		escape(w->b, labels->value);
		bh_buf_str(w->b, "\"");
		sep = ",";
	}
	bh_buf_str(w->b, *sep == ',' ? "} " : " ");
}

static void sample(const struct writer *w, const struct label *labels, uint64_t v)
{
	sample_head(w, "", labels);
	bh_buf_printf(w->b, "%" PRIu64 "\n", v);
}

static void sample_real(const struct writer *w, const char *suffix, const struct label *labels,
			double v)
{
	sample_head(w, suffix, labels);
	bh_buf_printf(w->b, "%.15g\n", v);
}

static void sample_by(const struct writer *w, const char *key, const char *value, uint64_t v)
{
	sample(w, (const struct label[]){ { key, value }, { NULL, NULL } }, v);
}

static void sample_named(const struct writer *w, const char *key, const struct bh_snap_named *v,
			 size_t n)
{
	for (size_t i = 0; i < n; i++)
		sample_by(w, key, v[i].name, v[i].value);
}

/* By tenant, direction, verdict, reason: what is summed or would be a duplicate lies together. */
static int by_key(const void *a, const void *b)
{
	const struct bh_snap_counter *const x = *(const struct bh_snap_counter *const *)a;
	const struct bh_snap_counter *const y = *(const struct bh_snap_counter *const *)b;
	int r = strcmp(x->tenant, y->tenant);

	if (!r)
		r = x->dir - y->dir;
	if (!r)
		r = x->verdict - y->verdict;
	return r ? r : x->reason - y->reason;
}

static void tenant_sum(const struct writer *w, bool bytes)
{
	const size_t n = w->in->snapshot->n_counters;
	size_t end;

	for (size_t i = 0; i < n; i = end) {
		const struct bh_snap_counter *const c = w->counters[i];
		uint64_t sum = 0;

		for (end = i; end < n && w->counters[end]->dir == c->dir &&
			      !strcmp(w->counters[end]->tenant, c->tenant);
		     end++) {
			if (w->counters[end]->verdict != BH_VERDICT_DROP)
				sum += bytes ? w->counters[end]->bytes : w->counters[end]->packets;
		}
		sample(w,
		       (const struct label[]){ { "tenant", c->tenant },
					       { "direction", dir_name[c->dir] },
					       { NULL, NULL } },
		       sum);
	}
}

static void tenant_packets(const struct writer *w)
{
	tenant_sum(w, false);
}

static void tenant_bytes(const struct writer *w)
{
	tenant_sum(w, true);
}

static void tenant_verdicts(const struct writer *w, uint8_t verdict)
{
	const size_t n = w->in->snapshot->n_counters;
	size_t end;

	for (size_t i = 0; i < n; i = end) {
		const struct bh_snap_counter *const c = w->counters[i];
		uint64_t sum = 0;

		for (end = i; end < n && !by_key(&w->counters[end], &w->counters[i]); end++)
			sum += w->counters[end]->packets;
		if (c->verdict == verdict)
			sample(w,
			       (const struct label[]){ { "tenant", c->tenant },
						       { "direction", dir_name[c->dir] },
						       { "reason", reason_name[c->reason] },
						       { NULL, NULL } },
			       sum);
	}
}

static void tenant_drops(const struct writer *w)
{
	tenant_verdicts(w, BH_VERDICT_DROP);
}

static void tenant_audited(const struct writer *w)
{
	tenant_verdicts(w, BH_VERDICT_AUDIT);
}

static void tenant_pods(const struct writer *w)
{
	const struct bh_snapshot *s = w->in->snapshot;

	for (size_t i = 0; i < s->n_tenants; i++)
		sample_by(w, "tenant", s->tenants[i].name, s->tenants[i].local_pods);
}

static void tenant_info(const struct writer *w)
{
	const struct bh_snapshot *s = w->in->snapshot;

	for (size_t i = 0; i < s->n_tenants; i++)
		sample(w,
		       (const struct label[]){ { "tenant", s->tenants[i].name },
					       { "mode", bh_mode_name(s->tenants[i].mode) },
					       { NULL, NULL } },
		       1);
}

static void build_info(const struct writer *w)
{
	sample(w,
	       (const struct label[]){ { "version", w->in->snapshot->version },
				       { "node", w->in->snapshot->node },
				       { NULL, NULL } },
	       1);
}

static void ready(const struct writer *w)
{
	sample(w, NULL, w->in->snapshot->ready);
}

static void start_time(const struct writer *w)
{
	sample_real(w, "", NULL, (double)w->in->snapshot->start_unix_ms / 1000);
}

static void apply_duration(const struct writer *w)
{
	static const double bound[] = BH_APPLY_BOUNDS;
	const struct bh_histogram *h = &w->in->snapshot->apply;
	uint64_t below = 0;

	for (size_t i = 0; i < sizeof(bound) / sizeof(bound[0]); i++) {
		below += h->bucket[i];
		bh_buf_printf(w->b, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", w->name, bound[i], below);
	}
	bh_buf_printf(w->b, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", w->name, h->count);
	sample_real(w, "_sum", NULL, (double)h->sum_ns / 1e9);
	bh_buf_printf(w->b, "%s_count %" PRIu64 "\n", w->name, h->count);
}

static void apply_failures(const struct writer *w)
{
	sample(w, NULL, w->in->snapshot->apply_failures);
}

static void map_entries(const struct writer *w)
{
	const struct bh_snapshot *s = w->in->snapshot;

	for (size_t i = 0; i < s->n_maps; i++)
		sample_by(w, "map", s->maps[i].name, s->maps[i].entries);
}

static void map_max(const struct writer *w)
{
	const struct bh_snapshot *s = w->in->snapshot;

	for (size_t i = 0; i < s->n_maps; i++)
		sample_by(w, "map", s->maps[i].name, s->maps[i].max);
}

static void map_bytes(const struct writer *w)
{
	const struct bh_snapshot *s = w->in->snapshot;

	for (size_t i = 0; i < s->n_maps; i++)
		sample_by(w, "map", s->maps[i].name, s->maps[i].bytes);
}

static void endpoints(const struct writer *w)
{
	sample_named(w, "state", w->in->snapshot->endpoints, w->in->snapshot->n_endpoints);
}

static void findings(const struct writer *w)
{
	sample_named(w, "kind", w->in->snapshot->findings, w->in->snapshot->n_findings);
}

static void put_in_front(const struct writer *w)
{
	sample(w, NULL, w->in->snapshot->put_in_front);
}

static void source_objects(const struct writer *w)
{
	sample_named(w, "kind", w->in->snapshot->objects, w->in->snapshot->n_objects);
}

static void source_problems(const struct writer *w)
{
	sample(w, NULL, w->in->snapshot->source_problems);
}

static void source_synced(const struct writer *w)
{
	sample_real(w, "", NULL, (double)w->in->snapshot->source_synced_unix_ms / 1000);
}

static void events(const struct writer *w)
{
	sample(w, NULL, w->in->snapshot->events);
}

static void losses(const struct writer *w)
{
	sample_named(w, "kind", w->in->snapshot->losses, w->in->snapshot->n_losses);
}

static void resident(const struct writer *w)
{
	sample_by(w, "process", "enforcer", w->in->snapshot->enforcer_rss_bytes);
	sample_by(w, "process", "reporter", w->in->reporter_rss_bytes);
}

static void restarts(const struct writer *w)
{
	sample(w, NULL, w->in->reporter_restarts);
}

static void age(const struct writer *w)
{
	const uint64_t taken = w->in->snapshot->taken_ns;

	sample_real(w, "", NULL,
		    w->in->now_ns > taken ? (double)(w->in->now_ns - taken) / 1e9 : 0.0);
}

/* X(name, type, labels, function, help) - help must need no escape. */
#define METRICS(X)                                                                                 \
	X("bulkhead_tenant_packets_total", "counter", "tenant, direction", tenant_packets,         \
	  "Packets of a tenant's pods that passed, audited ones included.")                        \
	X("bulkhead_tenant_bytes_total", "counter", "tenant, direction", tenant_bytes,             \
	  "Bytes of the frames that passed, audited ones included.")                               \
	X("bulkhead_tenant_drops_total", "counter", "tenant, direction, reason", tenant_drops,     \
	  "Packets that were dropped, by reason.")                                                 \
	X("bulkhead_tenant_audited_total", "counter", "tenant, direction, reason", tenant_audited, \
	  "Packets that passed but would be dropped in mode enforce, by reason.")                  \
	X("bulkhead_tenant_pods", "gauge", "tenant", tenant_pods,                                  \
	  "Pods of a tenant on this node.")                                                        \
	X("bulkhead_tenant_info", "gauge", "tenant, mode", tenant_info,                            \
	  "Always 1; the tenant's network mode.")                                                  \
	X("bulkhead_agent_build_info", "gauge", "version, node", build_info,                       \
	  "Always 1; which version runs on which node.")                                           \
	X("bulkhead_agent_ready", "gauge", "", ready,                                              \
	  "1 when this node enforces everything that it should, else 0.")                          \
	X("bulkhead_agent_start_time_seconds", "gauge", "", start_time,                            \
	  "When the daemon started, as Unix time.")                                                \
	X("bulkhead_agent_apply_duration_seconds", "histogram", "", apply_duration,                \
	  "How long it took to bring the kernel to what it should be.")                            \
	X("bulkhead_agent_apply_failures_total", "counter", "", apply_failures,                    \
	  "Times that the kernel could not be brought to what it should be.")                      \
	X("bulkhead_agent_map_entries", "gauge", "map", map_entries, "Entries of a kernel map.")   \
	X("bulkhead_agent_map_max_entries", "gauge", "map", map_max,                               \
	  "Entries that a kernel map can hold.")                                                   \
	X("bulkhead_agent_map_memory_bytes", "gauge", "map", map_bytes,                            \
	  "Kernel memory of a map, 0 where the kernel does not say.")                              \
	X("bulkhead_agent_endpoints", "gauge", "state", endpoints,                                 \
	  "Network interfaces on this node, by what is done with them.")                           \
	X("bulkhead_agent_findings", "gauge", "kind", findings,                                    \
	  "Interfaces with something that is not enforced or in the way; see bulkheadctl status.") \
	X("bulkhead_agent_put_in_front_total", "counter", "", put_in_front,                        \
	  "Times that the programs of an interface were made the first ones again.")               \
	X("bulkhead_agent_source_objects", "gauge", "kind", source_objects,                        \
	  "Objects that were read and are in effect.")                                             \
	X("bulkhead_agent_source_problems", "gauge", "", source_problems,                          \
	  "Objects and files that could not be read; see bulkheadctl status.")                     \
	X("bulkhead_agent_source_sync_time_seconds", "gauge", "", source_synced,                   \
	  "When the source was last known to be complete, as Unix time; 0 before.")                \
	X("bulkhead_agent_events_total", "counter", "", events,                                    \
	  "Events of dropped and audited packets that were delivered.")                            \
	X("bulkhead_agent_events_lost_total", "counter", "kind", losses,                           \
	  "What the kernel programs could not record, by kind.")                                   \
	X("bulkhead_agent_resident_memory_bytes", "gauge", "process", resident,                    \
	  "Resident memory of the daemon's processes.")                                            \
	X("bulkhead_agent_reporter_restarts_total", "counter", "", restarts,                       \
	  "Times that the reporting process died and was started again.")                          \
	X("bulkhead_agent_snapshot_age_seconds", "gauge", "", age,                                 \
	  "Age of the values on this page.")

static const struct metric {
	struct bh_metric_doc doc;
	void (*write)(const struct writer *w);
} metrics[] = {
#define X(name, type, labels, fn, help) { { name, type, labels, help }, fn },
	METRICS(X)
#undef X
};

void bh_metrics_write(const struct bh_metrics_input *in, struct bh_buf *b)
{
	const size_t n = in->snapshot->n_counters;
	bh_autofree const struct bh_snap_counter **sorted = calloc(n + 1, sizeof(void *));

	if (!sorted) {
		b->error = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < n; i++)
		sorted[i] = &in->snapshot->counters[i];
	qsort(sorted, n, sizeof(void *), by_key);
	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
		const struct bh_metric_doc *const d = &metrics[i].doc;
		const struct writer w = { .b = b, .in = in, .name = d->name, .counters = sorted };

		bh_buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", d->name, d->help, d->name,
			      d->type);
		metrics[i].write(&w);
	}
}

int bh_metrics_doc(size_t i, struct bh_metric_doc *ret_doc)
{
	if (i >= sizeof(metrics) / sizeof(metrics[0]))
		return -ENOENT;
	*ret_doc = metrics[i].doc;
	return 0;
}
