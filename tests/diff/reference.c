/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/diff/reference.h"

#include <string.h>

/* A part of the frame that is still to be read. */
struct span {
	const uint8_t *p;
	size_t n;
};

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void drop(struct ref_parsed *r, const char *why)
{
	if (r->kind != REF_DROP || !r->why)
		r->why = why;
	r->kind = REF_DROP;
}

static bool all_zero(const uint8_t *p, size_t n)
{
	while (n--)
		if (*p++)
			return false;
	return true;
}

static bool is_mapped(const uint8_t *a)
{
	return all_zero(a, 10) && a[10] == 0xff && a[11] == 0xff;
}

static void map4(uint8_t *to, const uint8_t *v4)
{
	memset(to, 0, 10);
	to[10] = to[11] = 0xff;
	memcpy(to + 12, v4, 4);
}

/* Of either family, as 16 bytes. */
static void put_address(uint8_t *to, const uint8_t *from, bool v6)
{
	if (v6)
		memcpy(to, from, 16);
	else
		map4(to, from);
}

/* --- L4 --- */

static void read_tcp(struct ref_parsed *r, struct span s)
{
	if (s.n < 20)
		return drop(r, "tcp: short");
	const size_t header = (size_t)(s.p[12] >> 4) * 4;
	if (header < 20 || header > s.n)
		return drop(r, "tcp: data offset");
	r->sport = be16(s.p);
	r->dport = be16(s.p + 2);
	r->opens = (s.p[13] & 0x12) == 0x02;
}

static void read_udp(struct ref_parsed *r, struct span s, bool egress)
{
	if (s.n < 8)
		return drop(r, "udp: short");
	r->sport = be16(s.p);
	r->dport = be16(s.p + 2);
	const uint16_t length = be16(s.p + 4);
	/* a first fragment holds a part of what the length says */
	if (length < 8 || (length > s.n && r->kind != REF_FIRST))
		return drop(r, "udp: length");
	if (egress && (r->sport == 67 || r->sport == 547))
		return drop(r, "udp: dhcp server");
}

static void read_sctp(struct ref_parsed *r, struct span s)
{
	if (s.n < 16)
		return drop(r, "sctp: short");
	const uint16_t chunk = be16(s.p + 14);
	if (chunk < 4 || (chunk > s.n - 12 && r->kind != REF_FIRST))
		return drop(r, "sctp: chunk length");
	r->opens = s.p[12] == 1;
	r->sport = be16(s.p);
	r->dport = be16(s.p + 2);
}

/* Where an ICMP error stands, and who is the pod. */
struct place {
	const struct ref_endpoint *ep;
	bool egress, v6;
};

/*
 * What an error quotes must be a packet of the pod's: one that it sent, or, if the error is the
 * pod's own, one that it got from whom the error goes to. Its first 8 bytes of L4 must be there.
 */
static void read_quoted(struct ref_parsed *r, struct span s, const struct place *at)
{
	const size_t addr = at->v6 ? 16 : 4, fixed = at->v6 ? 40 : 20;
	const uint8_t *own = at->v6 ? at->ep->ip6 : at->ep->ip4;

	if (s.n < fixed || s.p[0] >> 4 != (at->v6 ? 6 : 4))
		return drop(r, "quote: header");
	const uint8_t *from = s.p + (at->v6 ? 8 : 12), *to = from + addr;
	size_t header = fixed;
	uint8_t proto = s.p[at->v6 ? 6 : 9];
	for (int i = 0; at->v6 && i < 8 && (proto == 0 || proto == 60 || proto == 44); i++) {
		if (s.n < header + 8)
			return drop(r, "quote: extension header");
		const uint8_t *ext = s.p + header;
		if (proto == 44 && be16(ext + 2) & 0xfff8)
			return drop(r, "quote: later fragment");
		header += proto == 44 ? 8 : (ext[1] + 1u) * 8;
		proto = ext[0];
	}
	if (!at->v6) {
		header = (size_t)(s.p[0] & 15) * 4;
		if (header < 20 || header > s.n || be16(s.p + 6) & 0x1fff)
			return drop(r, "quote: header");
	}
	if (memcmp(at->egress ? to : from, own, addr) != 0)
		return drop(r, "quote: not the pod's");
	if (at->egress && memcmp(from, r->daddr + 16 - addr, addr) != 0)
		return drop(r, "quote: of somebody else's");
	if (at->v6 && is_mapped(at->egress ? from : to))
		return drop(r, "quote: mapped address");
	if (s.n < header + 8)
		return drop(r, "quote: L4");
	const uint8_t type = s.p[header];
	const bool ports = proto == 6 || proto == 17 || proto == 132;
	if (!ports && !(at->v6 ? proto == 58 && (type == 128 || type == 129)
			       : proto == 1 && (type == 0 || type == 8)))
		return drop(r, "quote: protocol");
	put_address(r->quoted.saddr, from, at->v6);
	put_address(r->quoted.daddr, to, at->v6);
	r->quoted.proto = proto;
	r->quoted.icmp_type = ports ? 0 : type;
	r->quoted.sport = be16(s.p + header + (ports ? 0 : 4));
	r->quoted.dport = ports ? be16(s.p + header + 2) : 0;
}

static void read_icmp(struct ref_parsed *r, struct span s, const struct place *at)
{
	if (s.n < 8)
		return drop(r, "icmp: short");
	const uint8_t type = r->icmp_type = s.p[0];
	if (at->v6 ? type == 128 || type == 129 : type == 0 || type == 8) {
		r->sport = be16(s.p + 4);
		return;
	}
	if (at->v6 ? type < 1 || type > 4 : type != 3 && type != 11 && type != 12)
		return drop(r, "icmp: type");
	if (r->kind != REF_PACKET)
		return drop(r, "icmp error in a fragment");
	r->kind = REF_ICMP_ERROR;
	read_quoted(r, (struct span){ s.p + 8, s.n - 8 }, at);
}

/* @s: what the IP packet has from the L4 header on. */
static void read_l4(struct ref_parsed *r, struct span s, const struct place *at)
{
	switch (r->proto) {
	case 6:
		read_tcp(r, s);
		break;
	case 17:
		read_udp(r, s, at->egress);
		break;
	case 132:
		read_sctp(r, s);
		break;
	case 1:
	case 58:
		return (r->proto == 58) == at->v6 ? read_icmp(r, s, at) : drop(r, "icmp: family");
	default:
		return drop(r, "protocol");
	}
	if (r->kind == REF_FIRST && (r->sport == 53 || r->dport == 53))
		drop(r, "fragment: dns");
}

/* --- fragments --- */

/* @n: bytes of the L4 part that this fragment carries; @before: others that the packet will have.
 */
static void read_fragment(struct ref_parsed *r, uint32_t offset, bool more, size_t n, size_t before)
{
	r->frag_off = offset;
	if (!offset && !more)
		return; /* whole (RFC 6946) */
	if (more && n % 8)
		return drop(r, "fragment: not whole units");
	if (before + offset + n > 65535)
		return drop(r, "fragment: beyond the longest packet");
	if (!n)
		return drop(r, "fragment: empty");
	if (!offset) {
		r->kind = REF_FIRST;
		return;
	}
	if (offset < 64)
		return drop(r, "fragment: over the L4 header");
	r->kind = REF_LATER;
}

/* --- IPv4 --- */

static void read_options4(struct ref_parsed *r, struct span s)
{
	while (s.n) {
		const uint8_t type = s.p[0];
		size_t n = 1;

		if (type == 0)
			return;
		if (type != 1) {
			n = s.n < 3 ? 0 : s.p[1];
			if (n < 3 || n > s.n)
				return drop(r, "option: length");
			/* record route, timestamp: the pointer is behind what it counts from */
			if (!(type == 7 && s.p[2] > 3) && !(type == 68 && n > 3 && s.p[2] > 4) &&
			    !(type == 148 && n == 4))
				return drop(r, "option: type");
		}
		s.p += n;
		s.n -= n;
	}
}

static void read_ip4(const struct ref_endpoint *ep, struct ref_parsed *r, struct span s,
		     bool egress)
{
	if (s.n < 20)
		return drop(r, "ipv4: short");
	const size_t header = (size_t)(s.p[0] & 15) * 4, total = be16(s.p + 2);
	if (s.p[0] >> 4 != 4 || header < 20 || total < header)
		return drop(r, "ipv4: header");
	if (total > s.n)
		return drop(r, "ipv4: longer than the frame");
	s.n = total;
	map4(r->saddr, s.p + 12);
	map4(r->daddr, s.p + 16);
	r->proto = s.p[9];
	if (egress && memcmp(s.p + 12, ep->ip4, 4) != 0)
		return drop(r, "ipv4: source");
	if (!egress && memcmp(s.p + 16, ep->ip4, 4) != 0)
		return drop(r, "ipv4: destination");
	if (s.p[16] >> 4 == 14 || memcmp(s.p + 16, "\xff\xff\xff\xff", 4) == 0)
		return drop(r, "ipv4: multicast or broadcast");
	r->kind = REF_PACKET;
	read_options4(r, (struct span){ s.p + 20, header - 20 });
	if (r->kind == REF_DROP)
		return;
	const uint16_t frag = be16(s.p + 6);
	r->frag_id = be16(s.p + 4);
	r->l4_off = 14 + (uint32_t)header;
	r->l4_len = (uint32_t)(total - header);
	read_fragment(r, (frag & 0x1fffu) * 8, frag & 0x2000, total - header, header);
	if (r->kind == REF_PACKET || r->kind == REF_FIRST)
		read_l4(r, (struct span){ s.p + header, total - header },
			&(struct place){ ep, egress, false });
}

/* --- IPv6 --- */

/* Extension headers and their options that a packet may have, all together (docs/policy.md). */
#define CHAIN_MAX 23

/* Options of a hop-by-hop or destination header: padding, and for the first a router alert. */
static void read_options6(struct ref_parsed *r, struct span s, bool hop_by_hop, int *steps)
{
	while (s.n) {
		if (++*steps > CHAIN_MAX)
			return drop(r, "ipv6 option: too many");
		if (s.p[0] == 0) { /* Pad1 */
			s.p++;
			s.n--;
			continue;
		}
		if (s.n < 2 || s.p[1] + 2u > s.n)
			return drop(r, "ipv6 option: length");
		if (s.p[0] != 1 && !(hop_by_hop && s.p[0] == 5 && s.p[1] == 2))
			return drop(r, "ipv6 option: type");
		const size_t n = s.p[1] + 2u;
		s.p += n;
		s.n -= n;
	}
}

/* The fragment header that is left at @s. */
static void read_fragment_header(struct ref_parsed *r, struct span s)
{
	const uint16_t frag = be16(s.p + 2);

	r->frag_id = (uint32_t)be16(s.p + 4) << 16 | be16(s.p + 6);
	read_fragment(r, frag & 0xfff8u, frag & 1, s.n - 8, r->l4_off - 54);
}

/* Walks the chain from @next on; what is left is the L4 part. */
static struct span read_chain(struct ref_parsed *r, struct span s, uint8_t next)
{
	int headers = 0, fragments = 0, steps = 0;

	while ((next == 0 || next == 60 || next == 44) && r->kind != REF_LATER) {
		size_t n = 8;

		fragments += next == 44;
		/* hop by hop comes first; what is fragmented is the L4 part alone */
		if (headers == 8 || ++steps > CHAIN_MAX || s.n < 8 || (next == 0 && headers) ||
		    fragments > 1 || r->kind == REF_FIRST)
			drop(r, "ipv6: chain");
		else if (next == 44)
			read_fragment_header(r, s);
		else if ((n = (s.p[1] + 1u) * 8) > s.n)
			drop(r, "ipv6: extension header longer than the packet");
		else
			read_options6(r, (struct span){ s.p + 2, n - 2 }, next == 0, &steps);
		if (r->kind == REF_DROP)
			return s;
		headers++;
		next = s.p[0];
		r->l4_off += (uint32_t)n;
		s.p += n;
		s.n -= n;
	}
	r->proto = next;
	r->l4_len = (uint32_t)s.n;
	return s;
}

/* Neighbour discovery and MLD have rules of their own, with nothing between IPv6 and ICMPv6. */
static bool is_link6(const struct ref_parsed *r, struct span s)
{
	return r->proto == 58 && s.n && r->kind != REF_LATER &&
	       ((s.p[0] >= 130 && s.p[0] <= 137) || s.p[0] == 143);
}

static void read_ip6(const struct ref_endpoint *ep, struct ref_parsed *r, struct span s,
		     bool egress)
{
	if (s.n < 40)
		return drop(r, "ipv6: short");
	const size_t payload = be16(s.p + 4);
	memcpy(r->saddr, s.p + 8, 16);
	memcpy(r->daddr, s.p + 24, 16);
	if (s.p[0] >> 4 != 6 || !payload || is_mapped(r->saddr) || is_mapped(r->daddr))
		return drop(r, "ipv6: header");
	if (payload + 40 > s.n)
		return drop(r, "ipv6: longer than the frame");
	r->kind = REF_PACKET;
	r->l4_off = 14 + 40;
	const uint8_t *source = r->saddr, *destination = r->daddr;
	const struct span l4 = read_chain(r, (struct span){ s.p + 40, payload }, s.p[6]);
	if (r->kind == REF_DROP)
		return;
	if (is_link6(r, l4)) {
		r->kind = REF_LINK;
		return;
	}
	if (egress && memcmp(source, ep->ip6, 16) != 0)
		return drop(r, "ipv6: source");
	if (!egress && memcmp(destination, ep->ip6, 16) != 0)
		return drop(r, "ipv6: destination");
	if (destination[0] == 0xff)
		return drop(r, "ipv6: multicast");
	if (r->kind != REF_LATER)
		read_l4(r, l4, &(struct place){ ep, egress, true });
}

/* --- the frame --- */

void ref_parse(const struct ref_endpoint *ep, bool egress, const uint8_t *frame, size_t len,
	       struct ref_parsed *ret_parsed)
{
	struct ref_parsed *r = ret_parsed;

	memset(r, 0, sizeof(*r));
	if (len < 14)
		return drop(r, "ethernet: short");
	if (egress && memcmp(frame + 6, ep->mac, 6) != 0)
		return drop(r, "ethernet: source");
	const struct span s = { frame + 14, len - 14 };
	switch (be16(frame + 12)) {
	case 0x0806:
		r->kind = REF_LINK;
		return;
	case 0x0800:
		read_ip4(ep, r, s, egress);
		break;
	case 0x86dd:
		read_ip6(ep, r, s, egress);
		break;
	default:
		return drop(r, "ethernet: type");
	}
	if (r->kind != REF_DROP && r->kind != REF_LINK && frame[0] & 1)
		drop(r, "ethernet: group address");
}
