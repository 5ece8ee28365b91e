/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * reference - a second reading of a frame, written from the RFCs and docs/policy.md with the whole
 * frame in memory and no thought of the kernel's verifier. Shares no code with the programs.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ref_kind {
	REF_DROP,	/* not to be let through, whatever the policy */
	REF_LINK,	/* ARP, neighbour discovery, MLD: not read any further here */
	REF_PACKET,	/* whole, with an L4 header */
	REF_FIRST,	/* first fragment, with its L4 header */
	REF_LATER,	/* later fragment */
	REF_ICMP_ERROR, /* about another packet */
};

struct ref_parsed {
	enum ref_kind kind;
	const char *why; /* for REF_DROP */
	uint8_t saddr[16], daddr[16];
	uint8_t proto;
	uint8_t icmp_type;
	uint16_t sport, dport; /* host order; echo: sport is the id */
	uint32_t l4_off, l4_len;
	uint32_t frag_id;  /* host order */
	uint32_t frag_off; /* bytes */
	bool opens;	   /* TCP: SYN without ACK; SCTP: INIT */
	struct {	   /* for REF_ICMP_ERROR: the packet that is quoted, as it was sent */
		uint8_t saddr[16], daddr[16];
		uint8_t proto, icmp_type;
		uint16_t sport, dport; /* host order; echo: sport is the id */
	} quoted;
};

struct ref_endpoint {
	uint8_t mac[6];
	uint8_t ip4[4];
	uint8_t ip6[16];
};

/* @egress: from the pod. */
void ref_parse(const struct ref_endpoint *ep, bool egress, const uint8_t *frame, size_t len,
	       struct ref_parsed *ret_parsed);
