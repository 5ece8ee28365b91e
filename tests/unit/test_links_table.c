/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/rtnetlink.h>

#include "bpf/links_table.h"

static int setup(void **state)
{
	struct bh_links_table *t = malloc(sizeof(*t));

	if (!t)
		return -1;
	bh_links_table_init(t);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	bh_links_table_done(*state);
	free(*state);
	return 0;
}

static struct bh_nl_msg link_msg(uint32_t ifindex, int32_t nsid, uint32_t peer)
{
	return (struct bh_nl_msg){ .type = BH_NL_LINK,
				   .link = { .ifindex = ifindex,
					     .name = "v",
					     .veth = true,
					     .up = true,
					     .nsid = nsid,
					     .link = peer } };
}

static struct bh_nl_msg route_msg(const char *dst, uint32_t ifindex, uint32_t metric)
{
	struct bh_nl_msg m = { .type = BH_NL_ROUTE,
			       .route = { .kind = BH_NL_ROUTE_HOST,
					  .table = RT_TABLE_MAIN,
					  .metric = metric,
					  .ifindex = ifindex } };

	assert_int_equal(bh_addr_parse(dst, &m.route.dst), 0);
	return m;
}

static uint32_t route(const struct bh_links_table *t, const char *dst)
{
	const struct bh_nl_msg m = route_msg(dst, 0, 0);

	return bh_links_table_route(t, &m.route.dst);
}

static void event(struct bh_links_table *t, struct bh_nl_msg m, bool gone)
{
	m.gone = gone;
	bh_links_table_event(t, &m);
}

static bool take_changed(struct bh_links_table *t)
{
	const bool changed = t->changed;

	t->changed = false;
	return changed;
}

static void links_table_fill__more_links_than_bound__e2big(void **state)
{
	struct bh_links_table *t = *state, none;

	bh_links_table_init(&none);
	for (uint32_t i = 1; i <= BH_LINKS_MAX + 1; i++) {
		const struct bh_nl_msg m = link_msg(i, -1, 0);

		assert_int_equal(bh_links_table_fill(t, &none, &m), i > BH_LINKS_MAX ? -E2BIG : 0);
	}
	assert_int_equal(t->links.n, BH_LINKS_MAX);
}

static void links_table_fill__more_routes_and_addrs_than_bound__e2big(void **state)
{
	struct bh_links_table *t = *state, none;
	struct bh_nl_msg r = route_msg("10.0.0.0", 1, 0);
	struct bh_nl_msg a = { .type = BH_NL_ADDR, .addr = { .ifindex = 1 } };

	bh_links_table_init(&none);
	for (uint32_t i = 0; i <= 65536; i++) {
		memcpy(r.route.dst.b + 13, (uint8_t[]){ i >> 16, i >> 8, i }, 3);
		a.addr.addr = r.route.dst;
		assert_int_equal(bh_links_table_fill(t, &none, &r), i < 65536 ? 0 : -E2BIG);
		assert_int_equal(bh_links_table_fill(t, &none, &a), i < 65536 ? 0 : -E2BIG);
	}
}

static bool is_host_addr(const struct bh_links_table *t, const char *text)
{
	struct bh_addr a;

	assert_int_equal(bh_addr_parse(text, &a), 0);
	for (size_t i = 0; i < t->n_host_addrs; i++) {
		if (bh_addr_cmp(&t->host_addrs[i], &a) == 0)
			return true;
	}
	return false;
}

static struct bh_nl_msg named_link(uint32_t ifindex, const char *name, const char *kind)
{
	struct bh_nl_msg m = { .type = BH_NL_LINK, .link = { .ifindex = ifindex, .up = true } };

	(void)snprintf(m.link.name, sizeof(m.link.name), "%s", name);
	(void)snprintf(m.link.kind, sizeof(m.link.kind), "%s", kind);
	return m;
}

/* kube-proxy gives it every ClusterIP; the node-local DNS' interface is another matter. */
static void links_table_publish__addresses_of_kube_ipvs0__not_the_hosts(void **state)
{
	static const struct {
		const char *name, *kind;
		bool counts;
	} rows[] = { { "kube-ipvs0", "dummy", false },
		     { "kube-ipvs0", "bridge", true },
		     { "kube-ipvs0", "", true },
		     { "kube-ipvs1", "dummy", true },
		     { "nodelocaldns", "dummy", true } };
	struct bh_links_table *t = *state;
	struct bh_nl_msg a = { .type = BH_NL_ADDR, .addr = { .ifindex = 7, .plen = 32 } };

	assert_int_equal(bh_addr_parse("10.96.0.10", &a.addr.addr), 0);
	event(t, a, false); /* before the interface is told */
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		event(t, named_link(7, rows[i].name, rows[i].kind), false);
		assert_int_equal(bh_links_table_publish(t), 0);
		assert_int_equal(is_host_addr(t, "10.96.0.10"), rows[i].counts);
	}
	/* an address that another interface has, too */
	event(t, named_link(7, "kube-ipvs0", "dummy"), false);
	a.addr.ifindex = 9;
	event(t, a, false);
	assert_int_equal(bh_links_table_publish(t), 0);
	assert_true(is_host_addr(t, "10.96.0.10"));
}

static void links_table_event__more_links_than_bound__stale(void **state)
{
	struct bh_links_table *t = *state;

	for (uint32_t i = 1; i <= BH_LINKS_MAX; i++)
		event(t, link_msg(i, -1, 0), false);
	assert_false(t->stale);
	event(t, link_msg(BH_LINKS_MAX + 1, -1, 0), false);
	assert_true(t->stale);
	assert_int_equal(t->links.n, BH_LINKS_MAX);
}

static void links_table_event__same_link_again__not_changed(void **state)
{
	struct bh_links_table *t = *state;

	event(t, link_msg(3, 7, 2), false);
	assert_true(take_changed(t));
	assert_int_equal(t->ask.n, 1);
	event(t, link_msg(3, 7, 2), false);
	assert_false(take_changed(t));
	event(t, link_msg(3, 8, 2), false);
	assert_true(take_changed(t));
	event(t, link_msg(99, 8, 2), true);
	assert_false(take_changed(t));
}

static void links_table_event__other_namespace__old_peer_forgotten(void **state)
{
	struct bh_links_table *t = *state;
	const struct bh_link seen = { .peer_known = true, .n_peer_addrs = 1 };

	event(t, link_msg(3, 7, 2), false);
	bh_links_table_set_peer(t, bh_links_table_link(t, 3), &seen);
	event(t, link_msg(3, 7, 2), false);
	assert_true(bh_links_table_link(t, 3)->peer_known);
	event(t, link_msg(3, 8, 2), false);
	assert_false(bh_links_table_link(t, 3)->peer_known);
	assert_int_equal(bh_links_table_link(t, 3)->n_peer_addrs, 0);
}

static void links_table_event__local_end_gone__other_end_asked(void **state)
{
	struct bh_links_table *t = *state;

	event(t, link_msg(3, -1, 4), false);
	event(t, link_msg(4, -1, 3), false);
	assert_int_equal(t->ask.n, 0);
	event(t, link_msg(4, -1, 3), true);
	assert_int_equal(t->ask.n, 1);
	assert_int_equal(*(const uint32_t *)bh_sorted_at(&t->ask, 0), 3);
}

static void links_table_event__hidden_route__not_changed(void **state)
{
	struct bh_links_table *t = *state;

	event(t, route_msg("10.0.0.1", 3, 10), false);
	assert_true(take_changed(t));
	event(t, route_msg("10.0.0.1", 4, 20), false); /* a worse way */
	assert_false(take_changed(t));
	assert_int_equal(route(t, "10.0.0.1"), 3);
	event(t, route_msg("10.0.0.1", 3, 10), true);
	assert_true(take_changed(t));
	assert_int_equal(route(t, "10.0.0.1"), 4);
}

static void links_table_event__unknown_way_goes__stale_while_link_is_up(void **state)
{
	struct bh_links_table *t = *state;

	event(t, route_msg("10.0.0.1", 3, 10), true);
	assert_false(t->stale); /* the link went first and took its routes along */
	event(t, link_msg(3, -1, 0), false);
	event(t, route_msg("10.0.0.1", 3, 10), true);
	assert_true(t->stale);
}

static void links_table_event__gateway_takes_known_route__stale(void **state)
{
	struct bh_links_table *t = *state;
	struct bh_nl_msg via = route_msg("10.0.0.1", 3, 10);

	via.route.kind = BH_NL_ROUTE_OTHER;
	event(t, via, false);
	assert_false(t->stale);
	event(t, route_msg("10.0.0.1", 3, 10), false);
	event(t, via, false);
	assert_true(t->stale);
}

static void links_table_replace__same_content__not_changed(void **state)
{
	struct bh_links_table *t = *state, fresh;
	const struct bh_nl_msg link = link_msg(3, 7, 2), r = route_msg("10.0.0.1", 3, 0);
	const struct bh_link seen = { .peer_known = true, .n_peer_addrs = 1 };

	bh_links_table_event(t, &link);
	bh_links_table_event(t, &r);
	bh_links_table_set_peer(t, bh_links_table_link(t, 3), &seen);
	t->changed = false;
	bh_links_table_init(&fresh);
	assert_int_equal(bh_links_table_fill(&fresh, t, &link), 0);
	assert_int_equal(bh_links_table_fill(&fresh, t, &r), 0);
	bh_links_table_replace(t, &fresh);
	assert_false(take_changed(t));
	assert_true(bh_links_table_link(t, 3)->peer_known);
	assert_int_equal(route(t, "10.0.0.1"), 3);
	assert_null(fresh.links.v);
	bh_links_table_replace(t, &fresh);
	assert_true(take_changed(t));
	assert_int_equal(route(t, "10.0.0.1"), 0);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(links_table_publish__addresses_of_kube_ipvs0__not_the_hosts),
		T(links_table_fill__more_links_than_bound__e2big),
		T(links_table_fill__more_routes_and_addrs_than_bound__e2big),
		T(links_table_event__more_links_than_bound__stale),
		T(links_table_event__same_link_again__not_changed),
		T(links_table_event__other_namespace__old_peer_forgotten),
		T(links_table_event__local_end_gone__other_end_asked),
		T(links_table_event__hidden_route__not_changed),
		T(links_table_event__unknown_way_goes__stale_while_link_is_up),
		T(links_table_event__gateway_takes_known_route__stale),
		T(links_table_replace__same_content__not_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
