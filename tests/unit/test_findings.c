/* SPDX-License-Identifier: Apache-2.0 */
/* What a pod has beside the interface that is filtered: who is closed, and what is told of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "agent/findings.h"
#include "tests/unit/bind_help.h"
#include "tests/unit/model_help.h"

#define MAC_A "02:00:00:00:00:0a"
#define MAC_B "02:00:00:00:00:0b"
#define MAC_C "02:00:00:00:00:0c"

static const char objects[] = YAML_TENANT
	"lax}, spec: {namespaces: [lax]}}\n" YAML_TENANT
	"strict}, spec: {namespaces: [strict], network: {otherInterfaces: deny}}}\n" YAML_TENANT
	"trying}, spec: {namespaces: [trying], network: {otherInterfaces: deny, mode: audit}}}\n" YAML_POD
	"lax, name: a}, " ON_N1("10.0.0.1") YAML_POD "strict, name: b}, " ON_N1("10.0.0.2") YAML_POD
	"trying, name: c}, " ON_N1("10.0.0.3") YAML_POD "nobodys, name: d}, " ON_N1("10.0.0.4");

static int setup(void **state)
{
	static struct bind_world w;

	bind_open(&w, objects);
	bind_veth(&w, 5, MAC_A, "10.0.0.1", NULL);
	bind_veth(&w, 6, MAC_B, "10.0.0.2", NULL);
	bind_veth(&w, 7, MAC_C, "10.0.0.3", NULL);
	bind_veth(&w, 8, "02:00:00:00:00:0d", "10.0.0.4", NULL);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	bind_close(*state);
	return 0;
}

static void give_other(struct bind_world *w, uint32_t ifindex, const char *name, const char *kind)
{
	struct bh_link *l = &w->links[ifindex - 5];
	struct bh_link_other *o = &l->others[l->n_others++];

	strncpy(o->name, name, sizeof(o->name) - 1);
	strncpy(o->kind, kind, sizeof(o->kind) - 1);
}

static const struct bh_if *on(const struct bind_world *w, uint32_t ifindex)
{
	return bh_ifs_get(&w->ifs, ifindex);
}

static struct bh_findings collect(const struct bind_world *w, const struct bh_front *fronts,
				  size_t n)
{
	const struct bh_findings_input in = {
		.pic = w->pic, .ifs = &w->ifs, .fronts = fronts, .n_fronts = n
	};
	struct bh_findings f = { 0 };

	assert_int_equal(bh_findings_collect(&in, &f), 0);
	return f;
}

static void others__of_each_tenant__closed_where_it_says_so(void **state)
{
	struct bind_world *w = *state;

	for (uint32_t i = 5; i <= 8; i++)
		give_other(w, i, "net1", "macvlan");
	bind_run(w);
	assert_string_equal(bind_is(w, 5), "enforced lax/a");
	assert_false(on(w, 5)->closed);
	assert_int_equal(on(w, 5)->n_others, 1);
	assert_true(on(w, 6)->closed);
	assert_false(on(w, 7)->closed); /* mode audit */
	assert_int_equal(on(w, 7)->n_others, 1);
	assert_int_equal(on(w, 8)->n_others, 0); /* no tenant's */
	w->links[1].n_others = 0;
	bind_run(w);
	assert_false(on(w, 6)->closed);
	w->links[1].more_others = true;
	bind_run(w);
	assert_true(on(w, 6)->closed);
}

static void second_veth__of_a_tenants_pod__closed_even_if_older(void **state)
{
	struct bind_world *w = *state;
	struct bh_left_alone old[] = { { .ifindex = 9 }, { .ifindex = 10 } };

	bind_veth(w, 9, "02:00:00:00:00:99", NULL, NULL);
	bind_veth(w, 10, "02:00:00:00:00:9a", NULL, NULL);
	w->links[4].nsid = w->links[1].nsid;
	w->in.left_alone = old;
	w->in.n_left_alone = 2;
	bind_run(w);
	assert_string_equal(bind_is(w, 9), "quarantined");
	assert_true(on(w, 9)->second);
	assert_string_equal(bind_is(w, 10), "left-alone");
	/* it is closed: that is no reason to close the first */
	assert_false(on(w, 6)->closed);
	/* beside a pod of nobody it is none of ours */
	w->links[4].nsid = w->links[3].nsid;
	bind_run(w);
	assert_string_equal(bind_is(w, 9), "left-alone");
}

static void second_veth__ignored_by_name__closes_a_strict_pod(void **state)
{
	static const char *const ignore[] = { "veth9" };
	struct bind_world *w = *state;

	bind_veth(w, 9, "02:00:00:00:00:99", NULL, NULL);
	w->links[4].nsid = w->links[1].nsid;
	w->in.ignore = ignore;
	w->in.n_ignore = 1;
	bind_run(w);
	assert_string_equal(bind_is(w, 9), "ignored");
	assert_true(on(w, 6)->closed);
	assert_string_equal(on(w, 6)->others[0].name, "veth9");
}

static void policy__closed__flag_of_the_endpoint(void **state)
{
	struct bind_world *w = *state;
	bh_auto(bh_ids_freep) struct bh_ids *ids = NULL;
	bh_auto(bh_policy_freep) struct bh_policy *p = NULL;
	const uint32_t open = 5, closed = 6;
	const struct bh_abi_endpoint *ep;

	give_other(w, 5, "net1", "macvlan");
	give_other(w, 6, "net1", "macvlan");
	bind_run(w);
	assert_int_equal(bh_ids_new(&ids), 0);
	assert_int_equal(bh_policy_build(w->pic, ids, &w->ifs, &p), 0);
	ep = bh_table_get(&p->maps[BH_PM_ENDPOINTS], &closed);
	assert_int_equal(ep->flags, BH_EP_HAS_V4 | BH_EP_CLOSED);
	ep = bh_table_get(&p->maps[BH_PM_ENDPOINTS], &open);
	assert_int_equal(ep->flags, BH_EP_HAS_V4);
}

static void findings__of_every_kind__told_with_names(void **state)
{
	const struct bh_front fronts[] = {
		{ .ifindex = 5, .how = BH_ATTACH_TCX, .prog_id = 77, .name = "evil\x1b[2J" },
		{ .ifindex = 5, .dir = 1, .how = BH_ATTACH_CLSACT, .name = "flower" },
		{ .ifindex = 99, .how = BH_ATTACH_TCX, .prog_id = 78 },
	};
	struct bind_world *w = *state;
	struct bh_findings f;

	give_other(w, 6, "net1", "macvlan");
	give_other(w, 6, "\033[31m", "");
	bind_veth(w, 9, "02:00:00:00:00:99", NULL, NULL);
	w->links[4].nsid = w->links[0].nsid;
	bind_run(w);
	f = collect(w, fronts, 3);
	assert_int_equal(f.n, 3);
	assert_int_equal(bh_findings_count(&f, BH_FINDING_POSITION), 1);
	assert_string_equal(bh_findings_get(&f, BH_FINDING_POSITION, 5)->message,
			    "before ours: evil?[2J (tcx, id 77, egress), flower (clsact, no "
			    "program, ingress)");
	assert_string_equal(bh_findings_get(&f, BH_FINDING_POSITION, 5)->pod, "lax/a");
	assert_string_equal(bh_findings_get(&f, BH_FINDING_POSITION, 5)->tenant, "lax");
	assert_string_equal(bh_findings_get(&f, BH_FINDING_UNPROTECTED_INTERFACE, 6)->message,
			    "closed because of net1 (macvlan), ?[31m (device)");
	assert_string_equal(bh_findings_get(&f, BH_FINDING_SECOND_INTERFACE, 9)->pod, "");
	assert_null(bh_findings_get(&f, BH_FINDING_POSITION, 6));
	assert_true(bh_finding_unready(BH_FINDING_POSITION));
	assert_false(bh_finding_unready(BH_FINDING_UNPROTECTED_INTERFACE));
	bh_findings_done(&f);
}

static void findings__unseen_packets__on_enforced_interfaces(void **state)
{
	struct bind_world *w = *state;
	bh_auto(bh_unseen_freep) struct bh_unseen *u = NULL;
	struct bh_findings_input in = { .ifs = &w->ifs, .pic = w->pic };
	struct bh_findings f = { 0 };

	bind_veth(w, 9, "02:00:00:00:00:99", NULL, NULL); /* nobody's */
	w->links[0].peer_rx_packets = w->links[4].peer_rx_packets = 3;
	bind_run(w);
	assert_int_equal(bh_unseen_new(&u), 0);
	assert_int_equal(bh_unseen_look(u, w->links, w->in.n_links), 1);
	in.unseen = u;
	assert_int_equal(bh_findings_collect(&in, &f), 0);
	assert_int_equal(f.n, 1);
	assert_string_equal(bh_finding_name(f.v[0].kind), "ingress_unenforced");
	assert_string_equal(f.v[0].pod, "lax/a");
	bh_findings_done(&f);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(others__of_each_tenant__closed_where_it_says_so),
		T(second_veth__of_a_tenants_pod__closed_even_if_older),
		T(second_veth__ignored_by_name__closes_a_strict_pod),
		T(policy__closed__flag_of_the_endpoint),
		T(findings__of_every_kind__told_with_names),
		T(findings__unseen_packets__on_enforced_interfaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
