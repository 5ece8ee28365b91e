/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * special - the addresses that are special wherever they are met. Made from IANA's "IPv4
 * Special-Purpose Address Registry" and "IPv6 Special-Purpose Address Registry" (RFC 6890, RFC
 * 8190) and, for multicast, its address space registries; each row names the RFC behind it.
 *
 * Registry entries that are not globally reachable are world_private, also where the registry says
 * "N/A"; entries that can never be a peer are invalid; those that are globally reachable inside a
 * block that is not have a row of their own, so that the longest prefix is right. Of IPv6 only
 * 2000::/3 is public: the rest is not allocated, and holds forms that lead to an IPv4 address
 * inside
 * (::a.b.c.d, ::ffff:0:a.b.c.d). So are 6to4 and Teredo private, which lead through relays. A row
 * says that IPv4, which the model holds as ::ffff:a.b.c.d, is public unless a longer row says more.
 * Hence an IPv6 packet with such an address on the wire is not for this table: whoever parses
 * packets refuses it.
 */
#include <stddef.h>

#include <stdbool.h>

#include "common/addr.h"
#include "model/class.h"

/* X(prefix, class, name); special.c says what P4() and P6() are */
/* clang-format off */
#define BH_SPECIAL_ROWS(X) \
	X(P6(0, 0, 0, 0, 0, 0, 0, 0, 0), WORLD_PRIVATE, "unallocated") /* RFC 4291, 4 */ \
	X(P6(0x2000, 0, 0, 0, 0, 0, 0, 0, 3), WORLD_PUBLIC, "global_unicast") /* RFC 3587 */ \
	X(P6(0, 0, 0, 0, 0, 0xffff, 0, 0, 96), WORLD_PUBLIC, "ipv4") /* RFC 4291 */ \
	X(P4(0, 0, 0, 0, 8), INVALID, "this_network") /* RFC 791, RFC 1122 */ \
	X(P4(10, 0, 0, 0, 8), WORLD_PRIVATE, "private_use") /* RFC 1918 */ \
	X(P4(100, 64, 0, 0, 10), WORLD_PRIVATE, "shared_address_space") /* RFC 6598 */ \
	X(P4(127, 0, 0, 0, 8), INVALID, "loopback") /* RFC 1122 */ \
	X(P4(169, 254, 0, 0, 16), WORLD_LINKLOCAL, "link_local") /* RFC 3927 */ \
	X(P4(169, 254, 169, 254, 32), METADATA, "metadata") /* EC2, GCE, Azure, OpenStack */ \
	X(P4(172, 16, 0, 0, 12), WORLD_PRIVATE, "private_use") /* RFC 1918 */ \
	X(P4(192, 0, 0, 0, 24), WORLD_PRIVATE, "ietf_protocol") /* RFC 6890 */ \
	X(P4(192, 0, 0, 9, 32), WORLD_PUBLIC, "pcp_anycast") /* RFC 7723 */ \
	X(P4(192, 0, 0, 10, 32), WORLD_PUBLIC, "turn_anycast") /* RFC 8155 */ \
	X(P4(192, 0, 2, 0, 24), WORLD_PRIVATE, "documentation") /* RFC 5737 */ \
	X(P4(192, 31, 196, 0, 24), WORLD_PUBLIC, "as112") /* RFC 7535 */ \
	X(P4(192, 52, 193, 0, 24), WORLD_PUBLIC, "amt") /* RFC 7450 */ \
	X(P4(192, 88, 99, 0, 24), WORLD_PRIVATE, "deprecated_6to4_relay") /* RFC 7526 */ \
	X(P4(192, 168, 0, 0, 16), WORLD_PRIVATE, "private_use") /* RFC 1918 */ \
	X(P4(192, 175, 48, 0, 24), WORLD_PUBLIC, "as112_direct") /* RFC 7534 */ \
	X(P4(198, 18, 0, 0, 15), WORLD_PRIVATE, "benchmarking") /* RFC 2544 */ \
	X(P4(198, 51, 100, 0, 24), WORLD_PRIVATE, "documentation") /* RFC 5737 */ \
	X(P4(203, 0, 113, 0, 24), WORLD_PRIVATE, "documentation") /* RFC 5737 */ \
	X(P4(224, 0, 0, 0, 4), INVALID, "multicast") /* RFC 5771 */ \
	X(P4(240, 0, 0, 0, 4), INVALID, "reserved") /* RFC 1112; RFC 919: broadcast */ \
	X(P6(0, 0, 0, 0, 0, 0, 0, 0, 96), INVALID, "ipv4_compatible") /* RFC 4291: deprecated */ \
	X(P6(0, 0, 0, 0, 0, 0, 0, 0, 128), INVALID, "unspecified") /* RFC 4291 */ \
	X(P6(0, 0, 0, 0, 0, 0, 0, 1, 128), INVALID, "loopback") /* RFC 4291 */ \
	X(P6(0x64, 0xff9b, 0, 0, 0, 0, 0, 0, 96), WORLD_PUBLIC, "nat64") /* RFC 6052 */ \
	X(P6(0x64, 0xff9b, 1, 0, 0, 0, 0, 0, 48), WORLD_PRIVATE, "local_nat64") /* RFC 8215 */ \
	X(P6(0x100, 0, 0, 0, 0, 0, 0, 0, 64), WORLD_PRIVATE, "discard_only") /* RFC 6666 */ \
	X(P6(0x100, 0, 0, 1, 0, 0, 0, 0, 64), WORLD_PRIVATE, "dummy") /* RFC 9780 */ \
	X(P6(0x2001, 0, 0, 0, 0, 0, 0, 0, 23), WORLD_PRIVATE, "ietf_protocol") /* RFC 2928 */ \
	X(P6(0x2001, 0, 0, 0, 0, 0, 0, 0, 32), WORLD_PRIVATE, "teredo") /* RFC 4380: N/A */ \
	X(P6(0x2001, 1, 0, 0, 0, 0, 0, 1, 128), WORLD_PUBLIC, "pcp_anycast") /* RFC 7723 */ \
	X(P6(0x2001, 1, 0, 0, 0, 0, 0, 2, 128), WORLD_PUBLIC, "turn_anycast") /* RFC 8155 */ \
	X(P6(0x2001, 1, 0, 0, 0, 0, 0, 3, 128), WORLD_PUBLIC, "srp_anycast") /* RFC 9665 */ \
	X(P6(0x2001, 2, 0, 0, 0, 0, 0, 0, 48), WORLD_PRIVATE, "benchmarking") /* RFC 5180 */ \
	X(P6(0x2001, 3, 0, 0, 0, 0, 0, 0, 32), WORLD_PUBLIC, "amt") /* RFC 7450 */ \
	X(P6(0x2001, 4, 0x112, 0, 0, 0, 0, 0, 48), WORLD_PUBLIC, "as112") /* RFC 7535 */ \
	X(P6(0x2001, 0x10, 0, 0, 0, 0, 0, 0, 28), WORLD_PRIVATE, "deprecated_orchid") /* RFC 4843 */ \
	X(P6(0x2001, 0x20, 0, 0, 0, 0, 0, 0, 28), WORLD_PUBLIC, "orchid_v2") /* RFC 7343 */ \
	X(P6(0x2001, 0x30, 0, 0, 0, 0, 0, 0, 28), WORLD_PUBLIC, "drone_remote_id") /* RFC 9374 */ \
	X(P6(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0, 32), WORLD_PRIVATE, "documentation") /* RFC 3849 */ \
	X(P6(0x2002, 0, 0, 0, 0, 0, 0, 0, 16), WORLD_PRIVATE, "6to4") /* RFC 3056: N/A */ \
	X(P6(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0, 48), WORLD_PUBLIC, "as112_direct") /* RFC 7534 */ \
	X(P6(0x3fff, 0, 0, 0, 0, 0, 0, 0, 20), WORLD_PRIVATE, "documentation") /* RFC 9637 */ \
	X(P6(0x5f00, 0, 0, 0, 0, 0, 0, 0, 16), WORLD_PRIVATE, "srv6_sids") /* RFC 9602 */ \
	X(P6(0xfc00, 0, 0, 0, 0, 0, 0, 0, 7), WORLD_PRIVATE, "unique_local") /* RFC 4193 */ \
	X(P6(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254, 128), METADATA, "metadata") /* EC2 */ \
	X(P6(0xfe80, 0, 0, 0, 0, 0, 0, 0, 10), WORLD_LINKLOCAL, "link_local") /* RFC 4291 */ \
	X(P6(0xfec0, 0, 0, 0, 0, 0, 0, 0, 10), WORLD_PRIVATE, "site_local") /* RFC 3879 */ \
	X(P6(0xff00, 0, 0, 0, 0, 0, 0, 0, 8), INVALID, "multicast") /* RFC 4291 */
/* clang-format on */

struct bh_special {
	struct bh_prefix prefix;
	enum bh_class cls;
	const char *name;
};

/* All rows; constant, never released. */
const struct bh_special *bh_special_rows(size_t *ret_n);
/* The row with the longest prefix that holds @a, or NULL: then it is globally reachable. */
const struct bh_special *bh_special_find(const struct bh_addr *a);

/* The same in a few steps, for who asks about tens of thousands of addresses. Points to the rows.
 */
#define BH_SPECIAL_EDGES_MAX 128

struct bh_special_index {
	size_t n;
	struct {
		struct bh_addr from; /* up to the next one; sorted */
		const struct bh_special *row;
	} v[BH_SPECIAL_EDGES_MAX];
};

void bh_special_index_init(struct bh_special_index *ret_index);
/* As bh_special_find(). */
const struct bh_special *bh_special_index_find(const struct bh_special_index *index,
					       const struct bh_addr *a);
/* Is @a behind a NAT64 router with the well-known prefix (RFC 6052)? */
bool bh_special_is_nat64(const struct bh_addr *a);
