/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/frame.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

#define TTL 64

/* RFC 9260 3: the common header, and an INIT chunk with its fixed part */
struct sctp_init {
	uint16_t source, dest;
	uint32_t vtag, csum;
	uint8_t type, flags;
	uint16_t len;
	uint32_t tag, window;
	uint16_t out, in;
	uint32_t tsn;
};
#define SCTP_INIT 1
#define SCTP_COMMON_LEN 12

/* Sum of 16-bit words in network order, an odd byte padded (RFC 1071); not folded. */
static uint32_t sum16(const void *data, size_t len, uint32_t sum)
{
	const uint8_t *b = data;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)b[i] << 8 | b[i + 1];
	if (len & 1)
		sum += (uint32_t)b[len - 1] << 8;
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* RFC 9260 appendix A; reflected, as it stands in the header, least significant byte first. */
static uint32_t crc32c(const uint8_t *b, size_t len)
{
	uint32_t crc = ~0u;

	for (size_t i = 0; i < len; i++) {
		crc ^= b[i];
		for (int k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return htole32(~crc);
}

static size_t put_l4(const struct bh_flow_spec *f, bool v4, uint8_t *at)
{
	struct tcphdr th = { .source = htons(f->sport),
			     .dest = htons(f->dport),
			     .doff = 5,
			     .syn = 1,
			     .window = htons(65535) };
	struct udphdr uh = { .source = htons(f->sport),
			     .dest = htons(f->dport),
			     .len = htons(sizeof(uh)) };
	struct sctp_init si = { .source = htons(f->sport),
				.dest = htons(f->dport),
				.type = SCTP_INIT,
				.len = htons(sizeof(si) - SCTP_COMMON_LEN),
				.tag = htonl(1),
				.window = htonl(65535),
				.out = htons(1),
				.in = htons(1) };
	struct icmphdr ih = { .type = v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST };

	switch (f->proto) {
	case IPPROTO_TCP:
		memcpy(at, &th, sizeof(th));
		return sizeof(th);
	case IPPROTO_UDP:
		memcpy(at, &uh, sizeof(uh));
		return sizeof(uh);
	case IPPROTO_SCTP:
		si.csum = crc32c((const uint8_t *)&si, sizeof(si));
		memcpy(at, &si, sizeof(si));
		return sizeof(si);
	default:
		ih.un.echo.id = htons(f->sport);
		memcpy(at, &ih, sizeof(ih));
		return sizeof(ih);
	}
}

/* Where the L4 checksum is, and over what: ICMP for IPv4 has no pseudo header. */
static void put_l4_checksum(const struct bh_flow_spec *f, bool v4, uint8_t proto, uint8_t *l4,
			    size_t len)
{
	const size_t off = proto == IPPROTO_TCP ? 16 : proto == IPPROTO_UDP ? 6 : 2;
	const size_t alen = v4 ? 4 : 16, skip = v4 ? 12 : 0;
	uint32_t sum = 0;
	uint16_t csum;

	if (proto == IPPROTO_SCTP)
		return; /* has another one */
	if (proto != IPPROTO_ICMP) {
		sum = sum16(f->src.b + skip, alen, sum);
		sum = sum16(f->dst.b + skip, alen, sum);
		sum += proto + (uint32_t)len;
	}
	csum = fold(sum16(l4, len, sum));
	if (proto == IPPROTO_UDP && !csum)
		csum = 0xffff;
	memcpy(l4 + off, &csum, sizeof(csum));
}

int bh_frame_build(const struct bh_flow_spec *f, uint8_t ret_frame[static BH_FRAME_MAX],
		   size_t *ret_len)
{
	const bool v4 = bh_addr_is_v4(&f->src);
	const size_t ip_len = v4 ? sizeof(struct iphdr) : sizeof(struct ip6_hdr);
	uint8_t *ip = ret_frame + ETH_HLEN, *l4 = ip + ip_len;
	uint8_t proto = f->proto;
	const uint16_t type = htons(v4 ? ETH_P_IP : ETH_P_IPV6);
	size_t len;

	if (v4 != bh_addr_is_v4(&f->dst) || (proto != IPPROTO_TCP && proto != IPPROTO_UDP &&
					     proto != IPPROTO_SCTP && proto != IPPROTO_ICMP))
		return -EINVAL;
	if (proto == IPPROTO_ICMP && !v4)
		proto = IPPROTO_ICMPV6;
	memset(ret_frame, 0, BH_FRAME_MAX);
	memcpy(ret_frame, f->dst_mac.b, ETH_ALEN);
	memcpy(ret_frame + ETH_ALEN, f->src_mac.b, ETH_ALEN);
	memcpy(ret_frame + 2 * ETH_ALEN, &type, sizeof(type));
	len = put_l4(f, v4, l4);
	put_l4_checksum(f, v4, proto, l4, len);
	if (v4) {
		struct iphdr h = { .version = 4,
				   .ihl = 5,
				   .ttl = TTL,
				   .protocol = proto,
				   .tot_len = htons((uint16_t)(ip_len + len)) };

		memcpy(&h.saddr, f->src.b + 12, 4);
		memcpy(&h.daddr, f->dst.b + 12, 4);
		h.check = fold(sum16(&h, sizeof(h), 0));
		memcpy(ip, &h, sizeof(h));
	} else {
		struct ip6_hdr h = { .ip6_plen = htons((uint16_t)len),
				     .ip6_nxt = proto,
				     .ip6_hlim = TTL };

		h.ip6_vfc = 6 << 4;
		memcpy(&h.ip6_src, f->src.b, 16);
		memcpy(&h.ip6_dst, f->dst.b, 16);
		memcpy(ip, &h, sizeof(h));
	}
	*ret_len = ETH_HLEN + ip_len + len;
	return 0;
}
