/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * snapshot - what the enforcer tells the reporter: plain values, and their form on the wire between
 * the two (one machine, one binary: host byte order, no versions to speak). Pure.
 *
 * Filling: bh_snapshot_new(), set the scalars, bh_snapshot_add_*(); strings are copied. A failure
 * is remembered and comes out of bh_snapshot_encode().
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cleanup.h"

struct bh_buf;

#define BH_SNAPSHOT_MAX_BYTES ((size_t)16 << 20)
/* Bytes of one string; longer ones are cut when they are added. */
#define BH_SNAPSHOT_MAX_STR 1024
#define BH_SNAPSHOT_MAX_ITEMS 131072 /* of one list */

/* Upper bounds of the histogram's buckets in seconds; one more, without bound, is behind them. */
#define BH_APPLY_BOUNDS                                                                            \
	{                                                                                          \
		0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5                 \
	}
#define BH_APPLY_BUCKETS 13

struct bh_histogram {
	uint64_t count;
	uint64_t sum_ns;
	uint64_t bucket[BH_APPLY_BUCKETS]; /* each alone, not cumulative */
};
void bh_histogram_add(struct bh_histogram *h, uint64_t ns);

struct bh_snap_tenant {
	const char *name; /* or a pseudo tenant's, "_unassigned" */
	uint8_t mode;	  /* enum bh_mode */
	uint32_t pods, local_pods;
};

struct bh_snap_counter {
	const char *tenant;
	uint8_t dir;	 /* BH_DIR_* */
	uint8_t verdict; /* BH_VERDICT_* */
	uint8_t reason;	 /* enum bh_reason */
	uint64_t packets, bytes;
};

struct bh_snap_map {
	const char *name;
	uint64_t entries, max, bytes;
};

struct bh_snap_named {
	const char *name;
	uint64_t value;
};

struct bh_snapshot {
	const char *node, *version; /* from bh_snapshot_str(); "" at first */
	uint64_t taken_ns;	    /* CLOCK_MONOTONIC */
	uint64_t start_unix_ms;	    /* when the daemon started, CLOCK_REALTIME */
	bool ready;
	struct bh_histogram apply;
	uint64_t apply_failures;
	uint64_t source_problems;
	uint64_t source_synced_unix_ms; /* 0 = never */
	uint64_t events;		/* published */
	uint64_t enforcer_rss_bytes;
	uint64_t put_in_front; /* times that interfaces' programs were made the first again */

	/* Read only: filled by bh_snapshot_add_*(). */
	struct bh_snap_tenant *tenants;
	struct bh_snap_counter *counters;
	struct bh_snap_map *maps;
	struct bh_snap_named *endpoints; /* how many, by state */
	struct bh_snap_named *objects;	 /* how many, by kind */
	struct bh_snap_named *losses;	 /* how many, by kind */
	struct bh_snap_named *findings;	 /* how many, by kind */
	size_t n_tenants, n_counters, n_maps, n_endpoints, n_objects, n_losses, n_findings;

	struct bh_snap_text *text; /* what holds the strings */
	int error;
};

struct bh_snapshot *bh_snapshot_new(void); /* NULL: no memory */
struct bh_snapshot *bh_snapshot_free(struct bh_snapshot *s);
BH_DEFINE_AUTO(struct bh_snapshot, bh_snapshot_free)

/* A copy that lives as long as @s; "" when memory is short, and @s remembers. */
const char *bh_snapshot_str(struct bh_snapshot *s, const char *text);
void bh_snapshot_add_tenant(struct bh_snapshot *s, const struct bh_snap_tenant *t);
void bh_snapshot_add_counter(struct bh_snapshot *s, const struct bh_snap_counter *c);
void bh_snapshot_add_map(struct bh_snapshot *s, const struct bh_snap_map *m);
void bh_snapshot_add_endpoints(struct bh_snapshot *s, const char *state, uint64_t n);
void bh_snapshot_add_objects(struct bh_snapshot *s, const char *kind, uint64_t n);
void bh_snapshot_add_losses(struct bh_snapshot *s, const char *kind, uint64_t n);
void bh_snapshot_add_findings(struct bh_snapshot *s, const char *kind, uint64_t n);

/* Append the wire form to @b, which must be empty. 0, -ENOMEM or -E2BIG. */
int bh_snapshot_encode(const struct bh_snapshot *s, struct bh_buf *b);
/*
 * Every length, count and enumerator is checked; memory stays within a small multiple of @len.
 * 0; -EINVAL: not a snapshot; -ENOMEM.
 */
int bh_snapshot_decode(const void *data, size_t len, struct bh_snapshot **ret_snapshot);
