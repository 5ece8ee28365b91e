/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * pkt - packets as text. A text is a row of layers, each followed by the fields that differ from
 * what is right by default:
 *
 *	"eth src=foe ip4 ttl=1 opts=94040000 tcp dport=80 data len=100 pad len=6"
 *
 * Lengths, header lengths, next protocols, hop limits and checksums are computed from what follows,
 * unless the text names them. Addresses are names of the caller's, or literal; "sn:NAME" is the
 * solicited-node multicast address of NAME. The layers and their fields are in pkt_layers.c.
 * Two words are no layers: "pad len=N" puts N bytes behind the packet (not part of any length), and
 * "trim len=N" cuts the whole frame to N bytes.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"

#define PKT_MAX 3072 /* bytes of a frame; PROG_TEST_RUN takes less than a page */

struct pkt_frame {
	uint8_t b[PKT_MAX];
	size_t len;
};

/* One name, for every kind of address that it has. */
struct pkt_host {
	const char *name;
	const char *mac; /* NULL: none */
	const char *ip4;
	const char *ip6;
};

struct pkt_hosts {
	const struct pkt_host *v;
	size_t n;
	const char *from, *from_mac; /* names of the default sender and its MAC */
	const char *to, *to_mac;
};

/* 0, or -EINVAL with the word that is wrong in *ret_word. */
int pkt_build(const char *text, const struct pkt_hosts *hosts, struct pkt_frame *ret_frame,
	      const char **ret_word);

/* --- pkt_layers.c --- */
enum pkt_kind {
	PKT_INT,
	PKT_MAC,
	PKT_IP4,
	PKT_IP6,
	PKT_HEX, /* appends bytes to the layer */
	PKT_LEN, /* appends so many bytes to the layer */
};

struct pkt_field {
	const char *name; /* NULL ends the list */
	enum pkt_kind kind;
	uint16_t bit; /* from the layer's start */
	uint8_t bits;
};

#define PKT_FIELDS_MAX 16

struct pkt_layer_def {
	const char *name;
	const char *bytes;  /* the defaults, in hex; as long as the fixed part */
	uint16_t ethertype; /* by which an Ethernet header announces it, 0 = none */
	int16_t proto;	    /* by which an IP header announces it, -1 = none */
	struct pkt_field fields[PKT_FIELDS_MAX];
};

extern const struct pkt_layer_def pkt_layer_defs[];
extern const size_t pkt_n_layer_defs;
