/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The programs as this kernel runs them on random frames, against the second parser of tests/diff:
 * what that drops they drop for what the frame is, what it lets through they drop for whom it goes
 * to at most. BH_FRAMES: how many.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/isolate.skel.h"
#include "tests/bpf/world.h"
#include "tests/diff/frames.h"

#define ETHERNET_LEN 14
#define IPV6_LEN 40
#define FRAMES 3000 /* enough for all kinds, and some seconds in an emulated machine */

_Static_assert(FRAME_MAX <= PKT_MAX, "a frame has room");

static unsigned long n_frames(void)
{
	const char *s = getenv("BH_FRAMES");

	return s ? strtoul(s, NULL, 10) : FRAMES;
}

/* Is it about whom the pod may talk to, or what went before, rather than the frame itself? */
static bool about_policy(uint8_t reason)
{
	switch (reason) {
	case BH_REASON_NONE:
	case BH_REASON_NO_FLOW:
	case BH_REASON_FRAGMENT_UNKNOWN:
	case BH_REASON_ICMP_NO_FLOW:
	case BH_REASON_ICMP_ROUTER:
		return true;
	}
	return reason >= BH_REASON_PEER_UNKNOWN && reason <= BH_REASON_PEER_INVALID;
}

static struct ref_endpoint pod(const struct world *w)
{
	const uint32_t ifindex = WORLD_IFINDEX;
	struct bh_abi_endpoint ep;
	struct ref_endpoint own;

	assert_int_equal(
		bpf_map_lookup_elem(bpf_map__fd(w->skel->maps.bh_endpoints), &ifindex, &ep), 0);
	memcpy(own.mac, ep.mac, sizeof(own.mac));
	memcpy(own.ip4, ep.ip4, sizeof(own.ip4));
	memcpy(own.ip6, ep.ip6, sizeof(own.ip6));
	return own;
}

static void check_frame(struct world *w, bool egress, const struct pkt_frame *f,
			const struct ref_parsed *r)
{
	const struct world_run run = { .dir = egress ? OUT : IN, .dry = true };
	const struct world_answer a = world_run_raw(w, &run, f);
	bool same = !a.error;

	if (r->kind == REF_DROP)
		same = same && a.verdict == BH_VERDICT_DROP && !about_policy(a.reason);
	else if (r->kind != REF_LINK)
		same = same && about_policy(a.reason);
	if (same)
		return;
	for (size_t i = 0; i < f->len; i++)
		print_message("%02x", f->b[i]);
	fail_msg(": %s the pod: kind %d (%s), but verdict %u, reason %u, error %d",
		 egress ? "from" : "to", (int)r->kind, r->why ? r->why : "-", a.verdict, a.reason,
		 a.error);
}

static void frames__random__judged_as_the_second_parser_reads_them(void **state)
{
	struct world *w = *state;
	const struct ref_endpoint own = pod(w);
	struct rng rng = { 0x9e3779b97f4a7c15ull };
	unsigned long n = n_frames(), passing = 0;

	for (unsigned long i = 0; i < n; i++) {
		const bool egress = rng_below(&rng, 2);
		struct ref_parsed r;
		struct pkt_frame f;

		f.len = frame_make(&rng, &own, egress, f.b);
		/* a test run takes no frame that ends in one of these headers */
		if (f.len < ETHERNET_LEN + IPV6_LEN)
			continue;
		ref_parse(&own, egress, f.b, f.len, &r);
		passing += r.kind != REF_DROP;
		check_frame(w, egress, &f, &r);
	}
	assert_true(passing > n / 10);
}

int main(void)
{
	struct world_suite *s = suite_new();

	SUITE_TEST(s, frames__random__judged_as_the_second_parser_reads_them);
	return suite_run(s, "frames");
}
