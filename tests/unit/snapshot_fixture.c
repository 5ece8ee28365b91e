/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/snapshot_fixture.h"

#include <stdlib.h>

#include "agent/report/snapshot.h"
#include "bpf/bh_abi.h"
#include "model/tenant.h"

static void counter(struct bh_snapshot *s, const char *tenant, uint8_t dir, uint8_t verdict,
		    uint8_t reason, uint64_t n)
{
	bh_snapshot_add_counter(s, &(struct bh_snap_counter){ .tenant = tenant,
							      .dir = dir,
							      .verdict = verdict,
							      .reason = reason,
							      .packets = n,
							      .bytes = 100 * n });
}

struct bh_snapshot *snapshot_fixture(void)
{
	struct bh_snapshot *s = bh_snapshot_new();

	if (!s)
		abort();
	s->node = bh_snapshot_str(s, "worker-1");
	s->version = bh_snapshot_str(s, "v1.2.3");
	s->taken_ns = 5000000000u;
	s->start_unix_ms = 1700000000500u;
	s->ready = true;
	bh_histogram_add(&s->apply, 2000000);	 /* 2 ms */
	bh_histogram_add(&s->apply, 30000000);	 /* 30 ms */
	bh_histogram_add(&s->apply, 9000000000); /* over every bound */
	s->apply_failures = 4;
	s->source_problems = 2;
	s->source_synced_unix_ms = 1700000100000u;
	s->events = 77;
	s->enforcer_rss_bytes = 9 << 20;
	bh_snapshot_add_tenant(
		s, &(struct bh_snap_tenant){
			   .name = "acme", .mode = BH_MODE_ENFORCE, .pods = 7, .local_pods = 3 });
	bh_snapshot_add_tenant(s, &(struct bh_snap_tenant){
					  .name = "ev\"il\\\n", .mode = BH_MODE_AUDIT, .pods = 1 });
	counter(s, "acme", BH_DIR_EGRESS, BH_VERDICT_PASS, BH_REASON_NONE, 10);
	counter(s, "acme", BH_DIR_EGRESS, BH_VERDICT_DROP, BH_REASON_PEER_TENANT, 3);
	counter(s, "acme", BH_DIR_INGRESS, BH_VERDICT_PASS, BH_REASON_NONE, 20);
	counter(s, "ev\"il\\\n", BH_DIR_INGRESS, BH_VERDICT_AUDIT, BH_REASON_PEER_NODE, 5);
	bh_snapshot_add_map(
		s, &(struct bh_snap_map){
			   .name = "bh_flows", .entries = 12, .max = 1000, .bytes = 4096 });
	bh_snapshot_add_endpoints(s, "enforced", 3);
	bh_snapshot_add_endpoints(s, "quarantined", 1);
	bh_snapshot_add_objects(s, "Pod", 9);
	bh_snapshot_add_losses(s, "event", 6);
	bh_snapshot_add_findings(s, "position", 2);
	s->put_in_front = 5;
	return s;
}
