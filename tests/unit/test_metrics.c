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
#include <unistd.h>

#include "agent/report/metrics.h"
#include "agent/report/snapshot.h"
#include "bpf/bh_abi.h"
#include "common/buf.h"
#include "tests/unit/metrics_docs.h"
#include "tests/unit/snapshot_fixture.h"

static void page(const struct bh_snapshot *s, struct bh_buf *b)
{
	const struct bh_metrics_input in = { .snapshot = s,
					     .now_ns = s->taken_ns + 250000000,
					     .reporter_rss_bytes = 4096,
					     .reporter_restarts = 2 };

	bh_metrics_write(&in, b);
	assert_int_equal(b->error, 0);
}

/* A whole line of the page. */
static void assert_line(const struct bh_buf *b, const char *line)
{
	const char *p = b->data;
	const size_t len = strlen(line);

	while ((p = strstr(p, line))) {
		if ((p == b->data || p[-1] == '\n') && p[len] == '\n')
			return;
		p++;
	}
	fail_msg("no line %s in\n%s", line, b->data);
}

static size_t count(const char *text, const char *needle)
{
	size_t n = 0;

	while ((text = strstr(text, needle))) {
		n++;
		text++;
	}
	return n;
}

static void metrics__fixture__exact_lines(void **state)
{
	static const char *const lines[] = {
		"bulkhead_tenant_packets_total{tenant=\"acme\",direction=\"egress\"} 10",
		"bulkhead_tenant_bytes_total{tenant=\"acme\",direction=\"ingress\"} 2000",
		"bulkhead_tenant_packets_total{tenant=\"ev\\\"il\\\\\\n\",direction=\"ingress\"} 5",
		"bulkhead_tenant_drops_total{tenant=\"acme\",direction=\"egress\","
		"reason=\"peer_tenant\"} 3",
		"bulkhead_tenant_audited_total{tenant=\"ev\\\"il\\\\\\n\",direction=\"ingress\","
		"reason=\"peer_node\"} 5",
		"bulkhead_tenant_pods{tenant=\"acme\"} 3",
		"bulkhead_tenant_info{tenant=\"acme\",mode=\"enforce\"} 1",
		"bulkhead_agent_build_info{version=\"v1.2.3\",node=\"worker-1\"} 1",
		"bulkhead_agent_ready 1",
		"bulkhead_agent_start_time_seconds 1700000000.5",
		"bulkhead_agent_apply_duration_seconds_bucket{le=\"0.001\"} 0",
		"bulkhead_agent_apply_duration_seconds_bucket{le=\"0.0025\"} 1",
		"bulkhead_agent_apply_duration_seconds_bucket{le=\"5\"} 2",
		"bulkhead_agent_apply_duration_seconds_bucket{le=\"+Inf\"} 3",
		"bulkhead_agent_apply_duration_seconds_sum 9.032",
		"bulkhead_agent_apply_duration_seconds_count 3",
		"bulkhead_agent_map_entries{map=\"bh_flows\"} 12",
		"bulkhead_agent_map_max_entries{map=\"bh_flows\"} 1000",
		"bulkhead_agent_endpoints{state=\"quarantined\"} 1",
		"bulkhead_agent_source_objects{kind=\"Pod\"} 9",
		"bulkhead_agent_events_lost_total{kind=\"event\"} 6",
		"bulkhead_agent_resident_memory_bytes{process=\"reporter\"} 4096",
		"bulkhead_agent_reporter_restarts_total 2",
		"bulkhead_agent_snapshot_age_seconds 0.25",
	};
	bh_auto(bh_snapshot_freep) struct bh_snapshot *s = snapshot_fixture();
	bh_autobuf b = BH_BUF_INIT;

	(void)state;
	page(s, &b);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_line(&b, lines[i]);
}

static void metrics__scattered_counters__one_series_each(void **state)
{
	bh_auto(bh_snapshot_freep) struct bh_snapshot *s = bh_snapshot_new();
	bh_autobuf b = BH_BUF_INIT;
	static const char *const tenant[] = { "b", "a", "b", "a", "b" };

	(void)state;
	for (size_t i = 0; i < 5; i++)
		bh_snapshot_add_counter(
			s, &(struct bh_snap_counter){ .tenant = tenant[i],
						      .verdict = i == 4 ? BH_VERDICT_DROP : 0,
						      .reason = i == 4 ? BH_REASON_VLAN : 0,
						      .packets = 1 });
	page(s, &b);
	assert_line(&b, "bulkhead_tenant_packets_total{tenant=\"a\",direction=\"egress\"} 2");
	assert_line(&b, "bulkhead_tenant_packets_total{tenant=\"b\",direction=\"egress\"} 2");
	assert_int_equal(count(b.data, "bulkhead_tenant_packets_total{"), 2);
	assert_int_equal(count(b.data, "bulkhead_tenant_drops_total{"), 1);
}

static void metrics__bytes_that_are_no_utf8__replaced(void **state)
{
	bh_auto(bh_snapshot_freep) struct bh_snapshot *s = bh_snapshot_new();
	bh_autobuf b = BH_BUF_INIT;

	(void)state;
	bh_snapshot_add_endpoints(s, "a\xff\xc3\xa4", 1);
	page(s, &b);
	assert_line(&b, "bulkhead_agent_endpoints{state=\"a\xef\xbf\xbd\xc3\xa4\"} 1");
}

static void metrics__table__every_metric_has_help_and_type_once(void **state)
{
	bh_auto(bh_snapshot_freep) struct bh_snapshot *s = snapshot_fixture();
	bh_autobuf b = BH_BUF_INIT;
	struct bh_metric_doc d;
	size_t i = 0;

	(void)state;
	page(s, &b);
	for (; !bh_metrics_doc(i, &d); i++) {
		char line[512];

		(void)snprintf(line, sizeof(line), "# HELP %s ", d.name);
		assert_int_equal(count(b.data, line), 1);
		(void)snprintf(line, sizeof(line), "# TYPE %s %s", d.name, d.type);
		assert_line(&b, line);
	}
	assert_int_equal(bh_metrics_doc(i, &d), -ENOENT);
	assert_int_equal(count(b.data, "# TYPE "), i);
}

static void metrics__promtool__clean(void **state)
{
	bh_auto(bh_snapshot_freep) struct bh_snapshot *s = NULL;
	bh_autobuf b = BH_BUF_INIT;
	FILE *p;

	(void)state;
	if (system("command -v promtool >/dev/null")) {
		print_message("skip: promtool (make deps) is missing\n");
		skip(); /* jumps out: nothing may be allocated yet */
	}
	s = snapshot_fixture();
	page(s, &b);
	p = popen("promtool check metrics", "we");
	assert_non_null(p);
	assert_int_equal(fwrite(b.data, 1, b.len, p), b.len);
	assert_int_equal(pclose(p), 0);
}

static void metrics_md__is_what_make_docs_writes(void **state)
{
	bh_autobuf b = BH_BUF_INIT;
	bh_autofree char *text = NULL;
	struct stat st;
	FILE *f;

	(void)state;
	f = fopen("docs/metrics.md", "re");
	if (!f) {
		print_message("skip: not run from the source folder\n");
		skip();
	}
	assert_int_equal(fstat(fileno(f), &st), 0);
	text = calloc(1, (size_t)st.st_size + 1);
	assert_int_equal(fread(text, 1, (size_t)st.st_size, f), st.st_size);
	(void)fclose(f);
	metrics_docs(&b);
	assert_string_equal(text, b.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(metrics__fixture__exact_lines),
		cmocka_unit_test(metrics__scattered_counters__one_series_each),
		cmocka_unit_test(metrics__bytes_that_are_no_utf8__replaced),
		cmocka_unit_test(metrics__table__every_metric_has_help_and_type_once),
		cmocka_unit_test(metrics__promtool__clean),
		cmocka_unit_test(metrics_md__is_what_make_docs_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
