/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bpf/pkt.h"

#define INT(n, bit, bits)                                                                          \
	{                                                                                          \
		n, PKT_INT, bit, bits                                                              \
	}
#define MAC(n, byte)                                                                               \
	{                                                                                          \
		n, PKT_MAC, (byte)*8, 48                                                           \
	}
#define IP4(n, byte)                                                                               \
	{                                                                                          \
		n, PKT_IP4, (byte)*8, 32                                                           \
	}
#define IP6(n, byte)                                                                               \
	{                                                                                          \
		n, PKT_IP6, (byte)*8, 128                                                          \
	}
#define HEX(n)                                                                                     \
	{                                                                                          \
		n, PKT_HEX, 0, 0                                                                   \
	}
#define LEN(n)                                                                                     \
	{                                                                                          \
		n, PKT_LEN, 0, 0                                                                   \
	}

const struct pkt_layer_def pkt_layer_defs[] = {
	{ "eth",
	  "0000000000000000000000000000",
	  0,
	  -1,
	  { MAC("dst", 0), MAC("src", 6), INT("type", 96, 16) } },
	{ "vlan", "00050000", 0x8100, -1, { INT("tci", 0, 16), INT("type", 16, 16) } },
	{ "qinq", "00050000", 0x88a8, -1, { INT("tci", 0, 16), INT("type", 16, 16) } },
	{ "mpls", "00010140", 0x8847, -1, { INT("label", 0, 20) } },
	{ "arp",
	  "00010800060400010000000000000000000000000000000000000000",
	  0x0806,
	  -1,
	  { INT("htype", 0, 16), INT("ptype", 16, 16), INT("hlen", 32, 8), INT("plen", 40, 8),
	    INT("op", 48, 16), MAC("sha", 8), IP4("spa", 14), MAC("tha", 18), IP4("tpa", 24) } },
	{ "ip4",
	  "4500000000004000400000000000000000000000",
	  0x0800,
	  4,
	  { INT("v", 0, 4), INT("ihl", 4, 4), INT("tos", 8, 8), INT("len", 16, 16),
	    INT("id", 32, 16), INT("flags", 48, 3), INT("off", 51, 13), INT("ttl", 64, 8),
	    INT("proto", 72, 8), INT("csum", 80, 16), IP4("src", 12), IP4("dst", 16),
	    HEX("opts") } },
	{ "ip6",
	  "60000000000000400000000000000000000000000000000000000000000000000000000000000000",
	  0x86dd,
	  41,
	  { INT("v", 0, 4), INT("tc", 4, 8), INT("flow", 12, 20), INT("len", 32, 16),
	    INT("proto", 48, 8), INT("ttl", 56, 8), IP6("src", 8), IP6("dst", 24) } },
	/* router alert for MLD and PadN, as RFC 3810 has it */
	{ "hbh",
	  "0000050200000100",
	  0,
	  0,
	  { INT("proto", 0, 8), INT("len", 8, 8), INT("opt", 16, 8), INT("optlen", 24, 8),
	    INT("value", 32, 16), HEX("more") } },
	/* PadN */
	{ "dest",
	  "0000010400000000",
	  0,
	  60,
	  { INT("proto", 0, 8), INT("len", 8, 8), HEX("more") } },
	{ "ext", "0000010400000000", 0, -1, { INT("proto", 0, 8), INT("len", 8, 8), HEX("more") } },
	{ "frag",
	  "0000000000000001",
	  0,
	  44,
	  { INT("proto", 0, 8), INT("off", 16, 13), INT("res", 29, 2), INT("m", 31, 1),
	    INT("id", 32, 32) } },
	/* 40000 -> 443, SYN */
	{ "tcp",
	  "9c4001bb000003e8000000005002721000000000",
	  0,
	  6,
	  { INT("sport", 0, 16), INT("dport", 16, 16), INT("seq", 32, 32), INT("ack", 64, 32),
	    INT("doff", 96, 4), INT("flags", 104, 8), INT("csum", 128, 16), HEX("opts") } },
	/* 40000 -> 9999 */
	{ "udp",
	  "9c40270f00000000",
	  0,
	  17,
	  { INT("sport", 0, 16), INT("dport", 16, 16), INT("len", 32, 16), INT("csum", 48, 16) } },
	/* 40000 -> 9999; the checksum, a CRC32c, is left zero */
	{ "sctp",
	  "9c40270f0000000000000000",
	  0,
	  132,
	  { INT("sport", 0, 16), INT("dport", 16, 16), INT("vtag", 32, 32) } },
	/* INIT; its parameters are data */
	{ "chunk",
	  "01000000",
	  0,
	  -1,
	  { INT("type", 0, 8), INT("flags", 8, 8), INT("len", 16, 16) } },
	/* echo request, id 7 */
	{ "icmp4",
	  "0800000000070001",
	  0,
	  1,
	  { INT("type", 0, 8), INT("code", 8, 8), INT("csum", 16, 16), INT("id", 32, 16),
	    INT("seq", 48, 16) } },
	{ "icmp6",
	  "8000000000070001",
	  0,
	  58,
	  { INT("type", 0, 8), INT("code", 8, 8), INT("csum", 16, 16), INT("id", 32, 16),
	    INT("seq", 48, 16) } },
	/* what follows the eight bytes of ICMPv6 in neighbour discovery */
	{ "target", "00000000000000000000000000000000", 0, -1, { IP6("addr", 0) } },
	{ "slla",
	  "0101000000000000",
	  0,
	  -1,
	  { INT("type", 0, 8), INT("len", 8, 8), MAC("mac", 2), HEX("more") } },
	{ "tlla",
	  "0201000000000000",
	  0,
	  -1,
	  { INT("type", 0, 8), INT("len", 8, 8), MAC("mac", 2), HEX("more") } },
	{ "data", "", 0, -1, { HEX("hex"), LEN("len") } },
	{ "pad", "", 0, -1, { HEX("hex"), LEN("len") } },
};

const size_t pkt_n_layer_defs = sizeof(pkt_layer_defs) / sizeof(pkt_layer_defs[0]);
