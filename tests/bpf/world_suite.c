/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/libbpf.h>
#include <linux/pkt_cls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/isolate.skel.h"
#include "bpf/names.h"
#include "tests/bpf/world.h"

struct item {
	struct world *w;
	const struct world_row *row; /* NULL: a function */
};

struct world_suite {
	struct world w;
	struct CMUnitTest *tests;
	struct item *items;
	size_t n, cap;
};

struct world_suite *suite_new(void)
{
	struct world_suite *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	return s;
}

static struct CMUnitTest *grow(struct world_suite *s, const struct world_row *row)
{
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 64;
		s->tests = reallocarray(s->tests, s->cap, sizeof(*s->tests));
		s->items = reallocarray(s->items, s->cap, sizeof(*s->items));
		if (!s->tests || !s->items)
			abort();
	}
	s->items[s->n] = (struct item){ .row = row };
	s->tests[s->n] = (struct CMUnitTest){ 0 };
	return &s->tests[s->n++];
}

static void check_answer(const struct world_row *row, const char *how, const struct world_answer *a)
{
	if (a->error)
		fail_msg("%s: the test run failed: %s", how, strerror(-a->error));
	if (a->verdict != row->verdict || a->reason != row->reason)
		fail_msg("%s: %s %s, expected %s %s", how, bh_verdict_name(a->verdict),
			 bh_reason_name(a->reason), bh_verdict_name(row->verdict),
			 bh_reason_name(row->reason));
	assert_int_equal((int)a->action,
			 row->verdict == BH_VERDICT_DROP ? TC_ACT_SHOT : TC_ACT_UNSPEC);
}

static void check_no_trace(struct world *w)
{
	struct bh_abi_event e;

	assert_int_equal(world_flows(w), 0);
	assert_int_equal(world_count(bpf_map__fd(w->skel->maps.bh_stats)), 0);
	assert_int_equal(world_count(bpf_map__fd(w->skel->maps.bh_event_limits)), 0);
	assert_int_equal(world_events(w, &e, 1), 0);
}

void world_expect(struct world *w, uint32_t ifindex, uint8_t dir, const char *pkt, uint8_t verdict,
		  uint8_t reason)
{
	const struct world_row row = { .verdict = verdict, .reason = reason };
	const struct world_run run = { .pkt = pkt, .dir = dir, .ifindex = ifindex };
	const struct world_answer a = world_run(w, &run);

	check_answer(&row, pkt, &a);
}

void suite_check_row(struct world *w, const struct world_row *row)
{
	struct world_run run = { .pkt = row->pkt, .dir = row->dir, .dry = true };
	struct world_answer a;
	struct bh_abi_event e;
	struct pkt_frame f;

	world_build(w, row->pkt, row->dir, &f);
	world_become(w, WORLD_IFINDEX, row->who);
	world_forget(w);
	a = world_run_frame(w, &run, &f);
	check_answer(row, "explain", &a);
	check_no_trace(w);

	run.dry = false;
	a = world_run_frame(w, &run, &f);
	check_answer(row, "real", &a);
	assert_int_equal(a.bytes, f.len);
	assert_int_equal(world_events(w, &e, 1), row->verdict == BH_VERDICT_PASS ? 0 : 1);
}

static void run_row(void **state)
{
	const struct item *it = *state;

	suite_check_row(it->w, it->row);
}

void suite_rows(struct world_suite *s, const struct world_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct CMUnitTest *t = grow(s, &rows[i]);

		t->name = strdup(rows[i].name);
		t->test_func = run_row;
	}
}

void suite_test(struct world_suite *s, const char *name, CMUnitTestFunction fn)
{
	struct CMUnitTest *t = grow(s, NULL);

	t->name = strdup(name);
	t->test_func = fn;
}

static int start(void **state)
{
	struct world *w = *state;

	world_fill(w);
	world_become(w, WORLD_IFINDEX, "tenant");
	world_become(w, w->second, "nobody");
	world_forget(w);
	world_generation(w, 1);
	return 0;
}

static size_t count_rows(const struct world_suite *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->items[i].row != NULL;
	return n;
}

int suite_run(struct world_suite *s, const char *name)
{
	int r;

	if (getenv("BH_COUNT_ROWS")) { /* for test_tables.py */
		(void)printf("%zu\n", count_rows(s));
		return 0;
	}
	if (world_open(&s->w) < 0)
		return 1;
	for (size_t i = 0; i < s->n; i++) {
		s->items[i].w = &s->w;
		s->tests[i].initial_state = s->items[i].row ? (void *)&s->items[i] : &s->w;
		if (!s->items[i].row)
			s->tests[i].setup_func = start;
	}
	r = _cmocka_run_group_tests(name, s->tests, s->n, NULL, NULL);
	world_close(&s->w);
	for (size_t i = 0; i < s->n; i++)
		free((char *)(uintptr_t)s->tests[i].name);
	free(s->tests);
	free(s->items);
	free(s);
	return r ? 1 : 0;
}
