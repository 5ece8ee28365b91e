/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * addr - IP addresses and prefixes of both families in one 16-byte form, MACs,
 * and their text. IPv4 is held as ::ffff:a.b.c.d, so one table serves both.
 */
#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bh_err;

#define BH_ADDR_STRLEN 46   /* as INET6_ADDRSTRLEN */
#define BH_PREFIX_STRLEN 50 /* address, '/', up to three digits */
#define BH_MAC_STRLEN 18

struct bh_addr {
	uint8_t b[16]; /* network order; IPv4 in the last four, after 00..00 ff ff */
};

struct bh_prefix {
	struct bh_addr addr; /* host bits are zero */
	uint8_t len;	     /* bits of the 16-byte form: an IPv4 /24 is 120 */
};

struct bh_mac {
	uint8_t b[6];
};

/*
 * IPv4 as four decimal numbers without leading zeros, IPv6 in any spelling of RFC 4291; no zone, no
 * port, and no IPv4-mapped IPv6 text (it would be a second spelling). 0 or -EINVAL.
 */
int bh_addr_parse(const char *s, struct bh_addr *ret_addr);
/* @len 4 or 16, network order; else -EINVAL. */
int bh_addr_from_bytes(const void *bytes, size_t len, struct bh_addr *ret_addr);
bool bh_addr_is_zero(const struct bh_addr *a); /* ::, 0.0.0.0 */

/* One half of an address, host order: 0 the first eight bytes, 1 the last. */
static inline uint64_t bh_addr_half(const struct bh_addr *a, unsigned int which)
{
	uint64_t v;

	memcpy(&v, a->b + 8 * (which & 1), sizeof(v));
	return be64toh(v);
}

static inline bool bh_addr_is_v4(const struct bh_addr *a)
{
	return bh_addr_half(a, 0) == 0 && bh_addr_half(a, 1) >> 32 == 0xffff;
}

/* In the order of their bytes: negative, 0, positive. Sorting tens of thousands calls this a lot.
 */
static inline int bh_addr_cmp(const struct bh_addr *a, const struct bh_addr *b)
{
	const uint64_t a0 = bh_addr_half(a, 0), b0 = bh_addr_half(b, 0);
	const uint64_t a1 = bh_addr_half(a, 1), b1 = bh_addr_half(b, 1);

	return a0 != b0 ? (a0 < b0 ? -1 : 1) : (a1 > b1) - (a1 < b1);
}

/* Formats as the family's usual text (IPv4 dotted). Returns @buf. */
const char *bh_addr_str(const struct bh_addr *a, char buf[static BH_ADDR_STRLEN]);

/*
 * "10.0.0.0/8", "fd00::/8"; the length is required. Host bits that are set are an error: the
 * writer meant something else than what would be enforced. 0 or -EINVAL with a reason in @err.
 * An IPv4-mapped IPv6 text is refused.
 */
int bh_prefix_parse(const char *s, struct bh_prefix *ret_prefix, struct bh_err *err);
/* The families stay apart: ::/0 holds every IPv6 address and no IPv4 one. */
bool bh_prefix_contains(const struct bh_prefix *p, const struct bh_addr *a);
bool bh_prefix_covers(const struct bh_prefix *outer, const struct bh_prefix *inner);
int bh_prefix_cmp(const struct bh_prefix *a, const struct bh_prefix *b);
const char *bh_prefix_str(const struct bh_prefix *p, char buf[static BH_PREFIX_STRLEN]);
/* The prefix that holds @a alone. */
struct bh_prefix bh_prefix_host(const struct bh_addr *a);

int bh_mac_parse(const char *s, struct bh_mac *ret_mac); /* "aa:bb:cc:dd:ee:ff"; 0 or -EINVAL */
const char *bh_mac_str(const struct bh_mac *m, char buf[static BH_MAC_STRLEN]);
/* fe80::/64 with the modified EUI-64 of @m (RFC 4291 appendix A). */
struct bh_addr bh_addr_eui64_ll(const struct bh_mac *m);
