/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * links_table - the picture that links keeps: interfaces, host addresses and host routes, filled
 * from a listing or brought up to date event by event. Pure: it says what is to be asked of the
 * kernel, and asks nothing itself.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/links.h"
#include "bpf/links_msg.h"
#include "bpf/links_sorted.h"

#define BH_LINKS_MAX 4096 /* interfaces */
#define BH_LINKS_MAX_ADDRS 65536
#define BH_LINKS_MAX_ROUTES 65536

struct bh_links_table {
	struct bh_sorted links; /* struct bh_link */
	struct bh_sorted addrs; /* as the kernel holds them, see links_table.c */
	struct bh_sorted
		routes; /* struct bh_nl_route of kind HOST; the first of a dst is in effect */
	struct bh_addr *host_addrs; /* addrs without duplicates, as of the last publish */
	size_t n_host_addrs;

	struct bh_sorted ask;	  /* uint32_t ifindex: links that are to be asked about */
	struct bh_sorted touched; /* uint32_t ifindex: filters or queueing changed */
	bool touched_all;	  /* of which interfaces is not known */
	bool stale;		  /* events did not tell enough: everything is to be listed again */
	bool changed;		  /* a getter answers otherwise than before; the caller clears it */
};

void bh_links_table_init(struct bh_links_table *t);
void bh_links_table_done(struct bh_links_table *t); /* leaves an empty table */

/*
 * Add one message of a listing. @old gives what is known of other ends, as long as they are the
 * same ones. 0; -E2BIG beyond a bound; -ENOMEM.
 */
int bh_links_table_fill(struct bh_links_table *t, const struct bh_links_table *old,
			const struct bh_nl_msg *m);

/* Put @fresh, a whole listing, in the place of @t's content; takes it over and empties it. */
void bh_links_table_replace(struct bh_links_table *t, struct bh_links_table *fresh);

/* Apply one event. What it cannot apply sets stale. */
void bh_links_table_event(struct bh_links_table *t, const struct bh_nl_msg *m);

/* Want the other end of every veth that leads into another namespace. */
void bh_links_table_ask_peers(struct bh_links_table *t);

/* The peer part of @link from @seen, in place. */
void bh_links_table_set_peer(struct bh_links_table *t, struct bh_link *link,
			     const struct bh_link *seen);

/* Bring host_addrs up to date. 0 or -ENOMEM. */
int bh_links_table_publish(struct bh_links_table *t);

struct bh_link *bh_links_table_link(const struct bh_links_table *t, uint32_t ifindex); /* or NULL */
uint32_t bh_links_table_route(const struct bh_links_table *t, const struct bh_addr *a); /* or 0 */
