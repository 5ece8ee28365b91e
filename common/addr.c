/* SPDX-License-Identifier: Apache-2.0 */
#include "common/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/parse.h"

#define V4_BITS 32
#define V6_BITS 128
#define MAPPED_BITS 96 /* ::ffff:0:0/96 holds IPv4 */

static const uint8_t mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

bool bh_addr_is_zero(const struct bh_addr *a)
{
	static const uint8_t zero[16];

	if (bh_addr_is_v4(a))
		return memcmp(a->b + 12, zero, 4) == 0;
	return memcmp(a->b, zero, sizeof(zero)) == 0;
}

int bh_addr_from_bytes(const void *bytes, size_t len, struct bh_addr *ret_addr)
{
	struct bh_addr a;

	if (len == 4) {
		memcpy(a.b, mapped_prefix, sizeof(mapped_prefix));
		memcpy(a.b + 12, bytes, 4);
	} else if (len == 16) {
		memcpy(a.b, bytes, 16);
	} else {
		return -EINVAL;
	}
	*ret_addr = a;
	return 0;
}

/* glibc's inet_pton() takes neither zones, nor ports, nor leading zeros in IPv4. */
int bh_addr_parse(const char *s, struct bh_addr *ret_addr)
{
	struct bh_addr a;
	uint8_t raw[16];

	if (!s)
		return -EINVAL;
	if (inet_pton(AF_INET, s, raw) == 1)
		return bh_addr_from_bytes(raw, 4, ret_addr);
	if (inet_pton(AF_INET6, s, raw) != 1)
		return -EINVAL;
	(void)bh_addr_from_bytes(raw, 16, &a);
	/* A second spelling of an IPv4 address would slip past whoever compares texts. */
	if (bh_addr_is_v4(&a))
		return -EINVAL;
	*ret_addr = a;
	return 0;
}

const char *bh_addr_str(const struct bh_addr *a, char buf[static BH_ADDR_STRLEN])
{
	if (bh_addr_is_v4(a))
		(void)inet_ntop(AF_INET, a->b + 12, buf, BH_ADDR_STRLEN);
	else
		(void)inet_ntop(AF_INET6, a->b, buf, BH_ADDR_STRLEN);
	return buf;
}

static bool prefix_is_v4(const struct bh_prefix *p)
{
	return p->len >= MAPPED_BITS && bh_addr_is_v4(&p->addr);
}

static bool first_bits_equal(const struct bh_addr *a, const struct bh_addr *b, unsigned int bits)
{
	const uint64_t first = bh_addr_half(a, 0) ^ bh_addr_half(b, 0);
	const uint64_t last = bh_addr_half(a, 1) ^ bh_addr_half(b, 1);

	if (bits <= 64)
		return !bits || first >> (64 - bits) == 0;
	return first == 0 && last >> (128 - bits) == 0;
}

static bool host_bits_zero(const struct bh_prefix *p)
{
	for (unsigned int bit = p->len; bit < V6_BITS; bit++)
		if (p->addr.b[bit / 8] & (0x80 >> (bit % 8)))
			return false;
	return true;
}

int bh_prefix_parse(const char *s, struct bh_prefix *ret_prefix, struct bh_err *err)
{
	char text[BH_ADDR_STRLEN];
	const char *slash = s ? strchr(s, '/') : NULL;
	struct bh_prefix p;
	unsigned int max;
	uint64_t len;

	if (!slash)
		return bh_err_set(err, EINVAL, "expected address/length, as in 10.0.0.0/8");
	if ((size_t)(slash - s) >= sizeof(text))
		return bh_err_set(err, EINVAL, "expected address/length: the address is too long");
	memcpy(text, s, (size_t)(slash - s));
	text[slash - s] = '\0';
	if (bh_addr_parse(text, &p.addr) < 0)
		return bh_err_set(err, EINVAL, "'%s' is not an IPv4 or IPv6 address", text);
	max = bh_addr_is_v4(&p.addr) ? V4_BITS : V6_BITS;
	if ((slash[1] == '0' && slash[2]) || bh_parse_u64(slash + 1, 0, max, &len) < 0)
		return bh_err_set(err, EINVAL, "prefix length '%.8s', expected 0..%u", slash + 1,
				  max);
	p.len = (uint8_t)(len + V6_BITS - max);
	if (!host_bits_zero(&p))
		return bh_err_set(err, EINVAL, "%s/%u has bits set behind its prefix", text,
				  (unsigned int)len);
	*ret_prefix = p;
	return 0;
}

/* The families stay apart: ::/0 is every IPv6 address and no IPv4 one. */
bool bh_prefix_contains(const struct bh_prefix *p, const struct bh_addr *a)
{
	return prefix_is_v4(p) == bh_addr_is_v4(a) && first_bits_equal(&p->addr, a, p->len);
}

bool bh_prefix_covers(const struct bh_prefix *outer, const struct bh_prefix *inner)
{
	return outer->len <= inner->len && prefix_is_v4(outer) == prefix_is_v4(inner) &&
	       first_bits_equal(&outer->addr, &inner->addr, outer->len);
}

int bh_prefix_cmp(const struct bh_prefix *a, const struct bh_prefix *b)
{
	const int r = bh_addr_cmp(&a->addr, &b->addr);

	return r ? r : (int)a->len - (int)b->len;
}

const char *bh_prefix_str(const struct bh_prefix *p, char buf[static BH_PREFIX_STRLEN])
{
	char text[BH_ADDR_STRLEN];
	const bool v4 = prefix_is_v4(p);

	/* a short prefix of ::ffff:0:0/96 itself would read as IPv4 text: host bits are zero */
	(void)snprintf(buf, BH_PREFIX_STRLEN, "%s/%u", bh_addr_str(&p->addr, text),
		       v4 ? p->len - MAPPED_BITS : p->len);
	return buf;
}

struct bh_prefix bh_prefix_host(const struct bh_addr *a)
{
	return (struct bh_prefix){ .addr = *a, .len = V6_BITS };
}

int bh_mac_parse(const char *s, struct bh_mac *ret_mac)
{
	struct bh_mac m;

	if (!s || strlen(s) != BH_MAC_STRLEN - 1)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(m.b); i++) {
		const int hi = bh_parse_hex_digit(s[3 * i]), lo = bh_parse_hex_digit(s[3 * i + 1]);
		const char sep = i + 1 < sizeof(m.b) ? ':' : '\0';

		if (hi < 0 || lo < 0 || s[3 * i + 2] != sep)
			return -EINVAL;
		m.b[i] = (uint8_t)(hi << 4 | lo);
	}
	*ret_mac = m;
	return 0;
}

const char *bh_mac_str(const struct bh_mac *m, char buf[static BH_MAC_STRLEN])
{
	(void)snprintf(buf, BH_MAC_STRLEN, "%02x:%02x:%02x:%02x:%02x:%02x", m->b[0], m->b[1],
		       m->b[2], m->b[3], m->b[4], m->b[5]);
	return buf;
}

struct bh_addr bh_addr_eui64_ll(const struct bh_mac *m)
{
	/* the universal/local bit is inverted, ff:fe stands in the middle */
	return (struct bh_addr){ .b = { 0xfe, 0x80, 0, 0, 0, 0, 0, 0, m->b[0] ^ 0x02, m->b[1],
					m->b[2], 0xff, 0xfe, m->b[3], m->b[4], m->b[5] } };
}
