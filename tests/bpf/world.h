/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * world - the kernel programs with a small made-up cluster in their maps, unpinned, in a network
 * namespace of this process's own, where PROG_TEST_RUN gives them packets. world_hosts.c says who
 * is there. The endpoint under test is behind interface 1 (lo, which is what a test run without an
 * interface has).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bpf/bh_abi.h"
#include "tests/bpf/pkt.h"

struct isolate_bpf;

/* Numbers of the tenants. */
#define T_OWN 16     /* enforce; grants only to and from T_FRIEND and T_CALLER */
#define T_FOE 17     /* nobody's friend */
#define T_FRIEND 18  /* T_OWN has an egress grant towards it, PORTS_FRIEND */
#define T_CALLER 19  /* T_OWN has an ingress grant from it, PORTS_FRIEND */
#define T_AUDIT 20   /* mode audit */
#define T_OFF 21     /* mode off */
#define T_ALL 22     /* world all */
#define T_NONE 23    /* world none */
#define T_GRANTED 24 /* grants of every other kind, see world_hosts.c */
#define T_GHOST 99   /* has endpoints, but no entry in bh_tenants */

#define WORLD_IFINDEX 1
#define WORLD_SLOTS 2
#define WORLD_FLOW_SETS 512 /* of each slot, as by default */
#define WORLD_STATS_MAX 64  /* counters that there is room for */

#define OUT BH_DIR_EGRESS
#define IN BH_DIR_INGRESS

/* What is done with one packet. */
struct world_run {
	const char *pkt; /* text, see pkt.h */
	uint8_t dir;
	uint32_t ifindex;  /* 0: WORLD_IFINDEX */
	uint32_t gso_size; /* 0: none */
	uint32_t gso_segs;
	bool dry; /* explain */
};

struct world_answer {
	int error;	 /* negative errno of the test run itself, then nothing below holds */
	uint32_t action; /* TC_ACT_* */
	uint8_t verdict, reason;
	uint32_t tenant; /* counted under; not with explain */
	uint64_t bytes;	 /* counted; not with explain */
	/* explain only */
	uint8_t cls;
	uint32_t peer_tenant;
	bool grant;
};

struct world {
	struct isolate_bpf *skel;
	struct pkt_hosts hosts[2];     /* by direction */
	uint32_t second;	       /* another interface */
	struct bh_abi_flow_set *flows; /* the table itself: slot 1 of WORLD_IFINDEX, 2 of second */
};

/* Exits with 77 and the reason if not root; -1 if the programs do not load. */
int world_open(struct world *w);
void world_close(struct world *w);

/* Who is behind @ifindex: "tenant", ... as in world_hosts.c; "nobody" = no entry. */
void world_become(struct world *w, uint32_t ifindex, const char *who);
void world_build(struct world *w, const char *text, uint8_t dir, struct pkt_frame *ret_frame);
/* One packet; every counter that moved is checked to be one, and the one that is returned. */
struct world_answer world_run(struct world *w, const struct world_run *run);
struct world_answer world_run_frame(struct world *w, const struct world_run *run,
				    const struct pkt_frame *f);
/* The same without looking at counters. */
struct world_answer world_run_raw(struct world *w, const struct world_run *run,
				  const struct pkt_frame *f);
/* One packet through interface @ifindex, and what must become of it. */
void world_expect(struct world *w, uint32_t ifindex, uint8_t dir, const char *pkt, uint8_t verdict,
		  uint8_t reason);

/* Forget flows, counters and events; fill all buckets. */
void world_forget(struct world *w);
size_t world_count(int map_fd);
size_t world_flows(const struct world *w); /* entries in the table, alive or not */
/* As if the last packet of every entry had been @s seconds ago. */
void world_age(struct world *w, int64_t s);
void world_generation(struct world *w, uint32_t generation);
struct bh_abi_stat world_stat(const struct world *w, const struct bh_abi_stat_key *key);
uint64_t world_loss(const struct world *w, uint32_t which);
/* The events that wait: at most @cap; returns how many there were. */
size_t world_events(struct world *w, struct bh_abi_event *ret_v, size_t cap);

/* --- world_hosts.c --- */
extern const struct pkt_hosts world_hosts[2];
void world_fill(struct world *w);

/* --- world_suite.c: tables of packets as cmocka tests --- */

/* A fresh flow: one packet from nowhere. */
struct world_row {
	const char *name; /* group__case__outcome */
	const char *who;
	uint8_t dir;
	const char *pkt;
	uint8_t verdict;
	uint8_t reason;
};

#define PASSES BH_VERDICT_PASS, BH_REASON_NONE
#define DROPS(reason) BH_VERDICT_DROP, BH_REASON_##reason
#define AUDITS(reason) BH_VERDICT_AUDIT, BH_REASON_##reason

struct world_suite; /* opaque */

struct world_suite *suite_new(void);
void suite_rows(struct world_suite *s, const struct world_row *rows, size_t n);
/*
 * @name is copied; *state is the struct world, filled anew, the tenant T_OWN behind interface 1,
 * nobody behind the others, nothing remembered, generation 1.
 */
void suite_test(struct world_suite *s, const char *name, CMUnitTestFunction fn);
#define SUITE_TEST(s, fn) suite_test(s, #fn, fn)
/* What one row promises, for tests that make rows themselves. */
void suite_check_row(struct world *w, const struct world_row *row);
/* Opens the world, runs everything, frees @s. For main() to return. */
int suite_run(struct world_suite *s, const char *name);
