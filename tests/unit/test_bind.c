/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "tests/unit/bind_help.h"
#include "tests/unit/model_help.h"

#define MAC_A "02:00:00:00:00:0a"
#define MAC_B "02:00:00:00:00:0b"

static const char pods[] =
	YAML_POD "acme, name: a}, " ON_N1("10.0.0.1") YAML_POD "acme, name: b}, " ON_N1("10.0.0.2")
		YAML_POD "acme, name: far}, " ON_N2("10.0.0.3") YAML_POD
	"acme, name: host}, spec: {nodeName: n1, hostNetwork: true}, status: "
	"{phase: Running, podIPs: [{ip: 10.0.0.4}]}}\n" YAML_POD
	"acme, name: over}, spec: {nodeName: n1}, status: {phase: Succeeded, podIPs: "
	"[{ip: 10.0.0.5}]}}\n";

static int setup(void **state)
{
	static struct bind_world w;

	bind_open(&w, pods);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	bind_close(*state);
	return 0;
}

static bool is_unbound(const struct bind_world *w, const char *name)
{
	for (size_t i = 0; i < w->ifs.n_unbound; i++) {
		if (!strcmp(w->pic->pods[w->ifs.unbound[i]].obj->key.name, name))
			return true;
	}
	return false;
}

static void bind__host_route__bound(void **state)
{
	struct bind_world *w = *state;

	bind_veth(w, 5, MAC_A, NULL, NULL);
	bind_veth(w, 6, MAC_B, NULL, NULL);
	bind_route(w, "10.0.0.1", 6);
	bind_run(w);
	assert_string_equal(bind_is(w, 6), "enforced acme/a");
	assert_string_equal(bind_is(w, 5), "quarantined");
	assert_true(is_unbound(w, "b"));
	assert_int_equal(w->ifs.n_unbound, 1);
	assert_ptr_equal(bh_ifs_of_pod(&w->ifs, bh_picture_pod(w->pic, "acme", "a")),
			 bh_ifs_get(&w->ifs, 6));
	assert_null(bh_ifs_of_pod(&w->ifs, bh_picture_pod(w->pic, "acme", "b")));
}

static void bind__address_inside__bound(void **state)
{
	struct bind_world *w = *state;
	const struct bh_if *f;
	struct bh_addr want = bh_test_addr("10.0.0.1");

	bind_veth(w, 5, MAC_A, "10.0.0.1", "fe80::ff:fe00:a");
	bind_run(w);
	assert_string_equal(bind_is(w, 5), "enforced acme/a");
	f = bh_ifs_get(&w->ifs, 5);
	assert_true(f->has4);
	assert_false(f->has6);
	assert_int_equal(bh_addr_cmp(&f->addr4, &want), 0);
	assert_int_equal(f->mac.b[5], 0x0a);
}

/* A pod with CAP_NET_ADMIN has given itself the other's address. */
static void bind__address_inside_two__nobodys(void **state)
{
	struct bind_world *w = *state;

	bind_veth(w, 5, MAC_A, "10.0.0.1", NULL);
	bind_veth(w, 6, MAC_B, "10.0.0.1", NULL);
	bind_run(w);
	assert_string_equal(bind_is(w, 5), "quarantined");
	assert_string_equal(bind_is(w, 6), "quarantined");
	assert_true(is_unbound(w, "a"));
}

static void bind__address_taken_by_a_bound_pod__shared(void **state)
{
	struct bind_world *w = *state;

	bind_veth(w, 6, MAC_B, "10.0.0.1", "10.0.0.2");
	bind_run(w);
	assert_string_equal(bind_is(w, 6), "enforced acme/a shared");
}

static void bind__route_against_address_inside__route_wins(void **state)
{
	struct bind_world *w = *state;

	bind_veth(w, 5, MAC_A, NULL, NULL);
	bind_veth(w, 6, MAC_B, "10.0.0.1", "10.0.0.2");
	bind_route(w, "10.0.0.1", 5);
	bind_run(w);
	assert_string_equal(bind_is(w, 5), "enforced acme/a");
	assert_string_equal(bind_is(w, 6), "enforced acme/b");
}

static void bind__route_to_what_is_no_pods_interface__ignored(void **state)
{
	struct bind_world *w = *state;

	bind_veth(w, 5, MAC_A, "10.0.0.1", NULL);
	bind_route(w, "10.0.0.1", 2);
	bind_run(w);
	assert_string_equal(bind_is(w, 5), "enforced acme/a");
}

static void bind__nothing_known_but_history__stays(void **state)
{
	struct bind_world *w = *state;

	bind_veth(w, 5, NULL, NULL, NULL);
	bind_had(w, 5, MAC_A, "10.0.0.1");
	bind_had(w, 7, MAC_B, "10.0.0.2"); /* that interface is gone */
	bind_run(w);
	assert_string_equal(bind_is(w, 5), "enforced acme/a");
	assert_int_equal(bh_ifs_get(&w->ifs, 5)->mac.b[5], 0x0a);
	assert_true(is_unbound(w, "b"));
}

static void bind__mac_changed_inside__first_one_stays(void **state)
{
	struct bind_world *w = *state;

	bind_veth(w, 5, MAC_B, "10.0.0.1", NULL);
	bind_had(w, 5, MAC_A, "10.0.0.1");
	bind_run(w);
	assert_int_equal(bh_ifs_get(&w->ifs, 5)->mac.b[5], 0x0a);
}

/* A bound pod has put another's address in the place of its own: it must not become it. */
static void bind__bound_pod_shows_anothers_address__stays_itself(void **state)
{
	struct bind_world *w = *state;

	bind_veth(w, 5, MAC_A, "10.0.0.2", NULL);
	bind_had(w, 5, MAC_A, "10.0.0.1");
	bind_run(w);
	assert_string_equal(bind_is(w, 5), "enforced acme/a");
	assert_true(is_unbound(w, "b"));
}

/* Nor when its own object is gone: deleted by force, while its processes live on. */
static void bind__left_interface_shows_anothers_address__stays_closed(void **state)
{
	struct bind_world *w = *state;

	bind_veth(w, 5, MAC_A, "10.0.0.2", NULL);
	bind_had(w, 5, MAC_A, "10.0.9.9"); /* a pod that is not there any more */
	bind_run(w);
	assert_string_equal(bind_is(w, 5), "quarantined");
	assert_true(bh_ifs_get(&w->ifs, 5)->retired);
	assert_true(is_unbound(w, "b"));
}

/* The API gives its address to another pod, and its route is still there (CVE-2025-32793). */
static void bind__address_goes_to_another_pod__interface_does_not(void **state)
{
	struct bind_world *w = *state;
	const uint64_t a = bh_bind_tag(bh_picture_pod(w->pic, "acme", "a"));
	const uint64_t b = bh_bind_tag(bh_picture_pod(w->pic, "acme", "b"));

	assert_true(a && b && a != b);
	bind_veth(w, 5, MAC_A, "10.0.0.1", NULL);
	bind_route(w, "10.0.0.1", 5);
	bind_had(w, 5, MAC_A, "10.0.0.1");
	w->bound[0].ep.pod = b;
	bind_run(w);
	assert_string_equal(bind_is(w, 5), "quarantined");
	assert_true(bh_ifs_get(&w->ifs, 5)->retired);
	assert_true(bh_ifs_get(&w->ifs, 5)->tag == b); /* for life */
	assert_true(is_unbound(w, "a"));
	/* its own interface is found all the same */
	bind_veth(w, 6, MAC_B, "10.0.0.1", NULL);
	bind_run(w);
	assert_true(
		is_unbound(w, "a")); /* two that show its address: neither, until a route tells */
	w->bound[0].ep.pod = a;
	bind_run(w);
	assert_string_equal(bind_is(w, 5), "enforced acme/a");
	assert_true(bh_ifs_get(&w->ifs, 5)->tag == a);
}

/* A later double does not take a pod's interface away from it. */
static void bind__bound_address_shows_up_elsewhere__stays(void **state)
{
	struct bind_world *w = *state;

	bind_veth(w, 5, MAC_A, "10.0.0.1", NULL);
	bind_veth(w, 6, MAC_B, "10.0.0.1", NULL);
	bind_had(w, 6, MAC_B, "10.0.0.1");
	bind_run(w);
	assert_string_equal(bind_is(w, 5), "quarantined");
	assert_string_equal(bind_is(w, 6), "enforced acme/a");
}

static void bind__mac_not_known__closed_until_it_is(void **state)
{
	struct bind_world *w = *state;

	bind_veth(w, 5, NULL, NULL, NULL);
	bind_route(w, "10.0.0.1", 5);
	bind_run(w);
	assert_string_equal(bind_is(w, 5), "quarantined");
	assert_true(is_unbound(w, "a"));
	/* it leads to a known pod, so the first start is no reason to leave it alone */
	w->in.first_start = true;
	bind_run(w);
	assert_string_equal(bind_is(w, 5), "quarantined");
}

static void bind__not_local_or_not_live__never_bound(void **state)
{
	struct bind_world *w = *state;

	bind_veth(w, 3, MAC_A, "10.0.0.3", NULL);
	bind_veth(w, 4, MAC_A, "10.0.0.4", NULL);
	bind_veth(w, 5, MAC_A, "10.0.0.5", NULL);
	bind_run(w);
	assert_string_equal(bind_is(w, 3), "quarantined");
	assert_string_equal(bind_is(w, 4), "quarantined");
	assert_string_equal(bind_is(w, 5), "quarantined");
	assert_int_equal(w->ifs.n_unbound, 2);
}

static void bind__other_kinds_of_interface__not_listed(void **state)
{
	struct bind_world *w = *state;

	bind_veth(w, 5, MAC_A, "10.0.0.1", NULL);
	w->links[0].veth = false;
	bind_veth(w, 6, MAC_A, "10.0.0.2", NULL);
	w->links[1].nsid = -1; /* both ends here */
	bind_route(w, "10.0.0.1", 5);
	bind_run(w);
	assert_string_equal(bind_is(w, 5), "not listed");
	assert_string_equal(bind_is(w, 6), "not listed");
	assert_int_equal(w->ifs.n_unbound, 2);
}

static void bind__ignored_by_name__whatever_speaks_for_it(void **state)
{
	static const char *const globs[] = { "cali*", "veth[5-6]" };
	struct bind_world *w = *state;

	w->in.ignore = globs;
	w->in.n_ignore = 2;
	bind_veth(w, 5, MAC_A, "10.0.0.1", NULL);
	bind_veth(w, 6, MAC_B, "10.0.0.2", NULL);
	bind_veth(w, 7, MAC_B, NULL, NULL);
	bind_route(w, "10.0.0.1", 5);
	bind_run(w);
	assert_string_equal(bind_is(w, 5), "ignored");
	assert_string_equal(bind_is(w, 6), "ignored");
	assert_string_equal(bind_is(w, 7), "quarantined");
	assert_true(is_unbound(w, "a") && is_unbound(w, "b"));
}

static void bind__first_start__strangers_left_alone(void **state)
{
	struct bind_world *w = *state;
	struct bh_left_alone left_alone[] = { { .ifindex = 6 } };

	bind_veth(w, 5, MAC_A, "10.0.0.1", NULL);
	bind_veth(w, 6, MAC_B, NULL, NULL);
	w->links[1].mac.b[0] = 2;
	w->in.first_start = true;
	bind_run(w);
	assert_string_equal(bind_is(w, 5), "enforced acme/a");
	assert_string_equal(bind_is(w, 6), "left-alone");
	left_alone[0].print = bh_ifs_get(&w->ifs, 6)->print;
	/* later: those of the first start stay so, new ones are closed */
	w->in.first_start = false;
	w->in.left_alone = left_alone;
	w->in.n_left_alone = 1;
	bind_veth(w, 7, MAC_B, NULL, NULL);
	bind_run(w);
	assert_string_equal(bind_is(w, 6), "left-alone");
	assert_string_equal(bind_is(w, 7), "quarantined");
	/* another one that has got the number of one that is gone was not there */
	w->links[1].mac.b[5]++;
	bind_run(w);
	assert_string_equal(bind_is(w, 6), "quarantined");
	w->links[1].mac.b[5]--;
	w->links[1].peer_ifindex++;
	bind_run(w);
	assert_string_equal(bind_is(w, 6), "quarantined");
	/* a record of an older version tells the number alone */
	left_alone[0].print = (struct bh_abi_left_alone){ .peer_ifindex = 0 };
	bind_run(w);
	assert_string_equal(bind_is(w, 6), "left-alone");
	/* until a pod is known to be behind it */
	bind_route(w, "10.0.0.2", 6);
	bind_run(w);
	assert_string_equal(bind_is(w, 6), "enforced acme/b");
}

static void bind__two_families__both_addresses(void **state)
{
	struct bind_world *w = *state;
	const struct bh_if *f;
	struct bh_addr want = bh_test_addr("fd00::9");

	bh_picture_free(w->pic);
	bh_test_put(w->m, YAML_POD "acme, name: two}, spec: {nodeName: n1}, status: {phase: "
				   "Running, podIPs: [{ip: 10.0.0.9}, {ip: 'fd00::9'}]}}\n");
	w->pic = bh_test_derive(w->m, &(struct bh_env){ .node = "n1" });
	w->in.pic = w->pic;
	bind_veth(w, 9, MAC_A, "fd00::9", NULL);
	bind_run(w);
	f = bh_ifs_get(&w->ifs, 9);
	assert_true(f->has4 && f->has6);
	assert_int_equal(bh_addr_cmp(&f->addr6, &want), 0);
}

static void bind__nothing__nothing(void **state)
{
	struct bind_world *w = *state;

	bind_run(w);
	assert_int_equal(w->ifs.n, 0);
	assert_null(bh_ifs_get(&w->ifs, 1));
	assert_int_equal(w->ifs.n_unbound, 2);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(bind__host_route__bound),
		T(bind__address_inside__bound),
		T(bind__address_inside_two__nobodys),
		T(bind__address_taken_by_a_bound_pod__shared),
		T(bind__route_against_address_inside__route_wins),
		T(bind__route_to_what_is_no_pods_interface__ignored),
		T(bind__nothing_known_but_history__stays),
		T(bind__mac_changed_inside__first_one_stays),
		T(bind__bound_pod_shows_anothers_address__stays_itself),
		T(bind__left_interface_shows_anothers_address__stays_closed),
		T(bind__address_goes_to_another_pod__interface_does_not),
		T(bind__bound_address_shows_up_elsewhere__stays),
		T(bind__mac_not_known__closed_until_it_is),
		T(bind__not_local_or_not_live__never_bound),
		T(bind__other_kinds_of_interface__not_listed),
		T(bind__ignored_by_name__whatever_speaks_for_it),
		T(bind__first_start__strangers_left_alone),
		T(bind__two_families__both_addresses),
		T(bind__nothing__nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
