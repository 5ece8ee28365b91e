/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/diff/frames.h"

#include <string.h>

struct out {
	struct rng *r;
	uint8_t *p;
	size_t n;
};

uint32_t rng_next(struct rng *r)
{
	/* xorshift64* (Vigna 2016) */
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return (uint32_t)(r->state * 0x2545f4914f6cdd1dull >> 32);
}

uint32_t rng_below(struct rng *r, uint32_t n)
{
	return (uint32_t)((uint64_t)rng_next(r) * n >> 32);
}

static bool chance(struct out *o, uint32_t percent)
{
	return rng_below(o->r, 100) < percent;
}

static void put(struct out *o, const void *bytes, size_t n)
{
	const size_t room = FRAME_MAX - o->n, fits = n < room ? n : room;

	memcpy(o->p + o->n, bytes, fits);
	o->n += fits;
}

static void put8(struct out *o, uint32_t v)
{
	if (o->n < FRAME_MAX)
		o->p[o->n++] = (uint8_t)v;
}

static void put16(struct out *o, uint32_t v)
{
	put8(o, v >> 8);
	put8(o, v);
}

static void put32(struct out *o, uint32_t v)
{
	put16(o, v >> 16);
	put16(o, v);
}

static void put_random(struct out *o, size_t n)
{
	while (n--)
		put8(o, rng_next(o->r));
}

static void set16(struct out *o, size_t at, size_t v)
{
	o->p[at] = (uint8_t)(v >> 8);
	o->p[at + 1] = (uint8_t)v;
}

static uint32_t port(struct out *o)
{
	static const uint16_t some[] = { 53, 67, 547, 80, 443, 853, 0, 65535 };

	return chance(o, 30) ? some[rng_below(o->r, 8)] : rng_next(o->r) & 0xffff;
}

/* --- L4 --- */

static void make_tcp(struct out *o)
{
	const uint32_t words = chance(o, 90) ? 5 + rng_below(o->r, 11) : rng_below(o->r, 16);
	static const uint8_t flags[] = { 0x02, 0x12, 0x10, 0x18, 0x11, 0x04, 0x14, 0xc2 };

	put16(o, port(o));
	put16(o, port(o));
	put_random(o, 8);
	put8(o, words << 4);
	put8(o, chance(o, 90) ? flags[rng_below(o->r, 8)] : rng_next(o->r));
	put_random(o, 6);
	if (words > 5 && chance(o, 95))
		put_random(o, (words - 5) * 4);
	put_random(o, rng_below(o->r, 40));
}

static void make_udp(struct out *o)
{
	const uint32_t n = rng_below(o->r, 200);

	put16(o, port(o));
	put16(o, port(o));
	put16(o, chance(o, 85) ? 8 + n : rng_below(o->r, 2 * n + 16));
	put_random(o, 2);
	put_random(o, n);
}

static void make_sctp(struct out *o)
{
	static const uint8_t chunks[] = { 0, 1, 2, 3, 4, 6, 7, 10, 11 };

	put16(o, port(o));
	put16(o, port(o));
	put_random(o, 8);
	put8(o, chunks[rng_below(o->r, sizeof(chunks))]);
	put8(o, 0);
	put16(o, 20);
	put_random(o, rng_below(o->r, 40));
}

/* Mostly what the pod sent, or what it got from whom the error goes to. */
static void quote_addresses(struct out *o, const uint8_t *own, size_t outer_at, size_t n,
			    bool egress)
{
	uint8_t outer[16];

	memcpy(outer, o->p + outer_at, n); /* the destination of what is being built */
	if (chance(o, 10))
		put_random(o, n);
	else
		put(o, egress ? outer : own, n);
	if (chance(o, 10))
		put_random(o, n);
	else
		put(o, own, n);
}

/* Extension headers up to the one that says @proto, in a chain that begins with @proto's like. */
static void make_quoted_chain(struct out *o, uint8_t proto)
{
	static const uint8_t last[] = { 6, 17, 132, 58, 47 };

	for (int i = 0; i < 10 && (proto == 44 || proto == 0 || proto == 60); i++) {
		const uint8_t type = proto;
		const uint32_t units = type == 44 || chance(o, 80) ? 0 : rng_below(o->r, 3);

		proto = chance(o, 60)	? last[rng_below(o->r, 5)]
			: chance(o, 50) ? 60
			: chance(o, 50) ? 44
					: 0;
		put8(o, proto);
		put8(o, chance(o, 95) ? units : rng_next(o->r));
		put16(o, chance(o, 70) ? rng_below(o->r, 2) : rng_next(o->r));
		put_random(o, 4 + 8 * (size_t)units);
	}
}

/* What an error quotes. */
static void make_quoted(struct out *o, const struct ref_endpoint *ep, bool v6)
{
	static const uint8_t protos[] = { 6, 17, 132, 1, 58, 44, 47, 0, 60 };
	const bool egress = memcmp(o->p + 6, ep->mac, 6) == 0;
	const uint32_t options = chance(o, 20) ? rng_below(o->r, 11) : 0;
	const uint8_t proto =
		chance(o, 70) ? protos[rng_below(o->r, 3)] : protos[rng_below(o->r, 9)];

	if (v6) {
		put32(o, 0x60000000);
		put16(o, rng_below(o->r, 1400));
		put8(o, proto);
		put8(o, 64);
		quote_addresses(o, ep->ip6, 14 + 24, 16, egress);
	} else {
		put16(o, 0x4500 + (options << 8));
		put16(o, 20 + rng_below(o->r, 1400));
		put_random(o, 2);
		put16(o, chance(o, 90) ? 0x4000 : rng_next(o->r));
		put8(o, 64);
		put8(o, proto);
		put_random(o, 2);
		quote_addresses(o, ep->ip4, 14 + 16, 4, egress);
		put_random(o, (size_t)options * 4);
	}
	if (v6)
		make_quoted_chain(o, proto);
	put8(o, chance(o, 50) ? (v6 ? 128 : 8) : rng_next(o->r));
	put_random(o, chance(o, 90) ? 7 + rng_below(o->r, 20) : rng_below(o->r, 7));
}

static void make_icmp(struct out *o, const struct ref_endpoint *ep, bool v6)
{
	static const uint8_t v4_types[] = { 0, 8, 3, 11, 12, 4, 5, 13 };
	static const uint8_t v6_types[] = { 128, 129, 1, 2, 3, 4, 137, 143 };
	const uint8_t type = v6 ? v6_types[rng_below(o->r, 8)] : v4_types[rng_below(o->r, 8)];

	put8(o, chance(o, 90) ? type : rng_next(o->r));
	put8(o, chance(o, 80) ? 0 : rng_next(o->r));
	put_random(o, 6);
	if (chance(o, 70))
		make_quoted(o, ep, v6);
	else
		put_random(o, rng_below(o->r, 30));
}

static void make_l4(struct out *o, const struct ref_endpoint *ep, bool v6, uint8_t proto)
{
	switch (proto) {
	case 6:
		return make_tcp(o);
	case 17:
		return make_udp(o);
	case 132:
		return make_sctp(o);
	case 1:
	case 58:
		return make_icmp(o, ep, v6);
	}
	put_random(o, rng_below(o->r, 80));
}

static uint8_t some_proto(struct out *o, bool v6)
{
	static const uint8_t v4_protos[] = {
		6, 17, 1, 132, 6, 17, 1, 132, 4, 41, 47, 50, 51, 2, 136
	};
	static const uint8_t v6_protos[] = { 6, 17, 58, 132, 6,	 17, 58, 132,
					     4, 41, 47, 50,  51, 59, 135 };
	const uint32_t i = rng_below(o->r, 15);

	return v6 ? v6_protos[i] : v4_protos[i];
}

/* --- IP --- */

static void make_addresses(struct out *o, const uint8_t *own, size_t n, bool egress)
{
	uint8_t other[16];

	for (size_t i = 0; i < n; i++)
		other[i] = (uint8_t)rng_next(o->r);
	if (n == 16 && chance(o, 95)) /* seldom multicast, mapped or the like by chance */
		other[0] = 0xfd;
	if (chance(o, 3))
		memset(other, n == 4 ? 0xff : 0, n);
	if (chance(o, 3))
		other[0] = n == 4 ? 224 : 0xff;
	if (n == 16 && chance(o, 3))
		memcpy(other, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
	put(o, egress ? own : other, n);
	put(o, egress ? other : own, n);
}

static size_t make_options4(struct out *o)
{
	static const uint8_t types[] = { 0, 1, 7, 68, 148, 131, 137, 130, 94 };
	const size_t start = o->n;

	while (o->n - start < 36 && chance(o, 60)) {
		const uint8_t type = types[rng_below(o->r, chance(o, 85) ? 5 : 9)];
		const size_t room = 40 - (o->n - start);
		const size_t n = 2 + rng_below(o->r, room > 12 ? 10 : (uint32_t)room - 2);

		put8(o, type);
		if (type < 2)
			continue;
		put8(o, chance(o, 92) ? (uint32_t)n : rng_next(o->r));
		put_random(o, n - 2);
	}
	while ((o->n - start) % 4)
		put8(o, chance(o, 90) ? 0 : rng_next(o->r));
	return o->n - start;
}

static uint32_t frag_field(struct out *o)
{
	switch (rng_below(o->r, 8)) {
	case 0:
		return 0x2000; /* first */
	case 1:
		return 0x2000 | (1 + rng_below(o->r, 200));
	case 2:
		return 1 + rng_below(o->r, 0x1fff);
	}
	return chance(o, 50) ? 0x4000 : 0;
}

static void make_ip4(struct out *o, const struct ref_endpoint *ep, bool egress)
{
	const size_t ip = o->n;
	const uint8_t proto = some_proto(o, false);
	size_t options = 0;

	put16(o, 0x4500);
	put16(o, 0);
	put_random(o, 2);
	put16(o, frag_field(o));
	put8(o, 64);
	put8(o, proto);
	put_random(o, 2);
	make_addresses(o, ep->ip4, 4, egress);
	if (chance(o, 35))
		options = make_options4(o);
	o->p[ip] = (uint8_t)(0x40 | (20 + options) / 4);
	if (chance(o, 3))
		o->p[ip] = (uint8_t)(0x40 | rng_below(o->r, 16));
	make_l4(o, ep, false, proto);
	if (chance(o, 50)) /* fragments come in units of 8 */
		put_random(o, (8 - (o->n - ip - 20 - options) % 8) % 8);
	set16(o, ip + 2, o->n - ip + (chance(o, 5) ? rng_below(o->r, 9) - 4 : 0));
}

static void make_options6(struct out *o, size_t n, bool hop_by_hop)
{
	static const uint8_t types[] = { 1, 5, 201, 194, 4, 38 };

	while (n) {
		const size_t len = n < 2 ? 0 : rng_below(o->r, n - 2 < 12 ? (uint32_t)n - 1 : 12);

		if (n < 2 || chance(o, 30)) {
			put8(o, 0);
			n--;
			continue;
		}
		if (hop_by_hop && n >= 4 && chance(o, 40)) {
			put32(o, 0x05020000);
			n -= 4;
			continue;
		}
		put8(o, chance(o, 90) ? 1 : types[rng_below(o->r, 6)]);
		put8(o, chance(o, 95) ? (uint32_t)len : rng_next(o->r));
		put_random(o, len);
		n -= len + 2;
	}
}

static void make_ip6(struct out *o, const struct ref_endpoint *ep, bool egress)
{
	static const uint8_t kinds[] = { 60, 44, 0, 43, 51, 135 };
	const size_t ip = o->n;
	const uint8_t proto = some_proto(o, true);
	size_t next_at = ip + 6;
	uint32_t headers = chance(o, 50) ? 0 : rng_below(o->r, chance(o, 90) ? 4 : 11);

	put32(o, 0x60000000);
	put16(o, 0);
	put8(o, proto);
	put8(o, chance(o, 90) ? 64 : 255);
	make_addresses(o, ep->ip6, 16, egress);
	for (uint32_t i = 0; i < headers; i++) {
		const uint8_t kind = i == 0 && chance(o, 40) ? 0
				     : chance(o, 90)	     ? kinds[rng_below(o->r, 2)]
							     : kinds[rng_below(o->r, 6)];
		const uint32_t units = kind == 44 || chance(o, 80) ? 0 : rng_below(o->r, 3);

		o->p[next_at] = kind;
		next_at = o->n;
		put8(o, proto);
		put8(o, kind == 44 || chance(o, 97) ? units : rng_next(o->r));
		if (kind == 44) {
			const uint32_t f = frag_field(o);

			put16(o, (f & 0x1fff) << 3 | !!(f & 0x2000));
			put_random(o, 4);
		} else {
			make_options6(o, 6 + 8 * (size_t)units, kind == 0);
		}
	}
	const size_t l4 = o->n;
	make_l4(o, ep, true, proto);
	if (chance(o, 50))
		put_random(o, (8 - (o->n - l4) % 8) % 8);
	set16(o, ip + 4, o->n - ip - 40 + (chance(o, 5) ? rng_below(o->r, 9) - 4 : 0));
}

/* --- damage --- */

static void damage(struct out *o)
{
	if (chance(o, 10))
		o->n = rng_below(o->r, (uint32_t)o->n + 1);
	if (chance(o, 10)) /* padding behind the packet */
		put_random(o, rng_below(o->r, 20));
	for (uint32_t i = chance(o, 20) ? 1 + rng_below(o->r, 3) : 0; i && o->n; i--) {
		const uint32_t span = o->n < 100 ? (uint32_t)o->n : 100;
		const uint32_t at = rng_below(o->r, span);

		if (chance(o, 50))
			o->p[at] ^= (uint8_t)(1u << rng_below(o->r, 8));
		else
			o->p[at] = (uint8_t)rng_next(o->r);
	}
}

size_t frame_make(struct rng *r, const struct ref_endpoint *ep, bool egress,
		  uint8_t buf[static FRAME_MAX])
{
	static const uint16_t others[] = { 0x0806, 0x8100, 0x88a8, 0x8847, 0x0040, 0x22f0 };
	static const uint8_t peer_mac[6] = { 2, 0, 0, 0, 0, 1 };
	struct out o = { r, buf, 0 };
	const uint32_t what = rng_below(r, 100);

	put(&o, egress ? peer_mac : ep->mac, 6);
	put(&o, egress ? ep->mac : peer_mac, 6);
	if (chance(&o, 2))
		buf[rng_below(r, 12)] ^= (uint8_t)(1 + rng_below(r, 255));
	put16(&o, what < 48 ? 0x0800 : what < 96 ? 0x86dd : others[rng_below(r, 6)]);
	if (what < 48)
		make_ip4(&o, ep, egress);
	else if (what < 96)
		make_ip6(&o, ep, egress);
	else
		put_random(&o, rng_below(r, 60));
	damage(&o);
	return o.n;
}
