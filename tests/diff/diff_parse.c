/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel programs' parser against the reference on random frames: what one lets through as a
 * packet the other must, with the same addresses, protocol, ports and place of the L4 header.
 *
 *	diff_parse [COUNT [SEED]]	compare on COUNT frames (default 200 000)
 *	diff_parse --dump COUNT SEED	print frames and how the reference reads them, for
 *dissect.py
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/diff/frames.h"
#include "tests/diff/kernel.h"
#include "tests/diff/reference.h"

#define MAX_REPORTS 10

static const struct ref_endpoint own = {
	.mac = { 0x0a, 1, 2, 3, 4, 5 },
	.ip4 = { 10, 1, 0, 5 },
	.ip6 = { 0xfd, 0, 0x10, 1, [15] = 5 },
};

struct tally {
	unsigned long frames, packets, fragments, errors, link, dropped, differ;
};

static struct bh_abi_endpoint endpoint(void)
{
	struct bh_abi_endpoint ep = {
		.tenant = BH_TENANT_FIRST,
		.role = BH_ROLE_TENANT,
		.flags = BH_EP_HAS_V4 | BH_EP_HAS_V6,
		.ll6 = { 0xfe, 0x80, [15] = 5 },
	};

	memcpy(ep.mac, own.mac, sizeof(ep.mac));
	memcpy(ep.ip4, own.ip4, sizeof(ep.ip4));
	memcpy(ep.ip6, own.ip6, sizeof(ep.ip6));
	return ep;
}

static enum ref_kind kind_of(const struct diff_parsed *k)
{
	if (k->reason)
		return REF_DROP;
	if (k->link)
		return REF_LINK;
	if (k->error)
		return REF_ICMP_ERROR;
	return k->frag == 2 ? REF_FIRST : k->frag == 3 ? REF_LATER : REF_PACKET;
}

static bool has_l4(enum ref_kind kind)
{
	return kind == REF_PACKET || kind == REF_FIRST;
}

/* IPv4's has 16 bits. */
static uint32_t frag_id(const struct diff_parsed *k)
{
	return memcmp(k->saddr, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0
		       ? ntohs((uint16_t)k->frag_id)
		       : ntohl(k->frag_id);
}

/* What the kernel holds is the reply to what is quoted. */
static bool same_quoted(const struct ref_parsed *r, const struct diff_parsed *k, bool egress)
{
	const bool echo = r->quoted.proto == 1 || r->quoted.proto == 58;
	/* 8 and 0, 128 and 129 answer each other */
	const uint8_t answer =
		r->quoted.proto == 58 ? r->quoted.icmp_type ^ 1 : r->quoted.icmp_type ^ 8;

	return k->quoted.proto == r->quoted.proto &&
	       memcmp(k->quoted.remote, egress ? r->quoted.saddr : r->quoted.daddr, 16) == 0 &&
	       ntohs(k->quoted.sport) == (echo ? r->quoted.sport : r->quoted.dport) &&
	       ntohs(k->quoted.dport) == (echo ? 0 : r->quoted.sport) &&
	       k->quoted.icmp_type == (echo ? answer : 0);
}

/* NULL: both say the same. */
static const char *difference(const struct ref_parsed *r, const struct diff_parsed *k, bool egress)
{
	const enum ref_kind kind = kind_of(k);

	/* ARP and neighbour discovery: who may say what is not read by the reference */
	if (r->kind == REF_LINK)
		return kind == REF_LINK || kind == REF_DROP ? NULL : "link protocol";
	if (kind != r->kind)
		return kind == REF_DROP	     ? "only the kernel drops"
		       : r->kind == REF_DROP ? "only the reference drops"
					     : "kind";
	if (kind == REF_DROP)
		return NULL;
	if (memcmp(k->saddr, r->saddr, 16) != 0 || memcmp(k->daddr, r->daddr, 16) != 0)
		return "address";
	if (k->proto != r->proto && kind != REF_LATER)
		return "protocol";
	if (has_l4(kind) && (k->l4_off != r->l4_off || k->l4_len != r->l4_len))
		return "L4 header";
	if (has_l4(kind) && (ntohs(k->sport) != r->sport || ntohs(k->dport) != r->dport))
		return "port";
	if (has_l4(kind) && k->opens != r->opens)
		return "SYN";
	if ((kind == REF_FIRST || kind == REF_LATER) && frag_id(k) != r->frag_id)
		return "fragment id";
	if (kind == REF_ICMP_ERROR && !same_quoted(r, k, egress))
		return "quoted packet";
	return NULL;
}

static void print_frame(FILE *f, const uint8_t *frame, size_t len)
{
	for (size_t i = 0; i < len; i++)
		(void)fprintf(f, "%02x", frame[i]);
}

static void report(const char *what, bool egress, const uint8_t *frame, size_t len,
		   const struct ref_parsed *r, const struct diff_parsed *k)
{
	(void)fprintf(stderr,
		      "differ in %s, %s the pod\n"
		      "  reference: kind %d (%s) proto %u ports %u %u l4 %u+%u id %x\n"
		      "  kernel:    kind %d reason %u proto %u ports %u %u l4 %u+%u id %x\n  ",
		      what, egress ? "from" : "to", (int)r->kind, r->why ? r->why : "-", r->proto,
		      r->sport, r->dport, r->l4_off, r->l4_len, r->frag_id, (int)kind_of(k),
		      k->reason, k->proto, ntohs(k->sport), ntohs(k->dport), k->l4_off, k->l4_len,
		      frag_id(k));
	print_frame(stderr, frame, len);
	(void)fputc('\n', stderr);
}

static void count(struct tally *t, const struct ref_parsed *r)
{
	t->frames++;
	t->packets += r->kind == REF_PACKET;
	t->fragments += r->kind == REF_FIRST || r->kind == REF_LATER;
	t->errors += r->kind == REF_ICMP_ERROR;
	t->link += r->kind == REF_LINK;
	t->dropped += r->kind == REF_DROP;
}

static void compare(struct rng *rng, const struct bh_abi_endpoint *ep, struct tally *t)
{
	const bool egress = rng_below(rng, 2);
	uint8_t frame[FRAME_MAX];
	const size_t len = frame_make(rng, &own, egress, frame);
	struct diff_parsed k;
	struct ref_parsed r;
	const char *what;

	diff_kernel_parse(ep, egress ? BH_DIR_EGRESS : BH_DIR_INGRESS, frame, len, &k);
	ref_parse(&own, egress, frame, len, &r);
	count(t, &r);
	what = difference(&r, &k, egress);
	if (what && t->differ++ < MAX_REPORTS)
		report(what, egress, frame, len, &r, &k);
}

/* One line for each frame that the reference lets through: direction, kind, protocol, ports, L4
 * offset, fragment, then the bytes. */
static void dump(struct rng *rng)
{
	static const char *const names[] = { "drop", "link", "packet", "first", "later", "error" };
	const bool egress = rng_below(rng, 2);
	uint8_t frame[FRAME_MAX];
	const size_t len = frame_make(rng, &own, egress, frame);
	struct ref_parsed r;

	ref_parse(&own, egress, frame, len, &r);
	if (r.kind == REF_DROP || r.kind == REF_LINK)
		return;
	(void)printf("%s %s %u %u %u %u %u %u ", egress ? "from" : "to", names[r.kind], r.proto,
		     r.sport, r.dport, r.l4_off, r.frag_id, r.frag_off);
	print_frame(stdout, frame, len);
	(void)putchar('\n');
}

static unsigned long number(const char *s, unsigned long otherwise)
{
	char *end;
	const unsigned long n = s ? strtoul(s, &end, 10) : otherwise;

	if (s && (*end || !*s)) {
		(void)fprintf(stderr, "'%s': expected a number\n", s);
		exit(2);
	}
	return n;
}

int main(int argc, char **argv)
{
	const bool dumping = argc > 1 && strcmp(argv[1], "--dump") == 0;
	char **args = argv + 1 + dumping;
	const int n_args = argc - 1 - dumping;
	const unsigned long n = number(n_args > 0 ? args[0] : NULL, 200000);
	const unsigned long seed = number(n_args > 1 ? args[1] : NULL, 1);
	const struct bh_abi_endpoint ep = endpoint();
	struct rng rng = { seed * 0x9e3779b97f4a7c15ull | 1 };
	struct tally t = { 0 };

	for (unsigned long i = 0; i < n; i++) {
		if (dumping)
			dump(&rng);
		else
			compare(&rng, &ep, &t);
	}
	if (dumping)
		return 0;
	(void)printf(
		"%lu frames: %lu packets, %lu fragments, %lu ICMP errors, %lu link, %lu dropped; "
		"%lu differ\n",
		t.frames, t.packets, t.fragments, t.errors, t.link, t.dropped, t.differ);
	/* a generator that makes nothing which passes would compare nothing */
	if (t.packets < n / 10 || t.fragments < n / 50 || t.errors < n / 500) {
		(void)fprintf(stderr, "too few frames that pass\n");
		return 1;
	}
	return t.differ ? 1 : 0;
}
