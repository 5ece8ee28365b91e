/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once
/*
 * parse - from the Ethernet header to the L4 ports. Headers are read with bpf_skb_load_bytes(): the
 * linear length is the guest's choice, so what is not there is asked for, and "too short" is a
 * drop.
 */
#include "bpf/step_l2.h"

#define IP4_FRAGMENT_BITS 0x3fff /* more fragments, offset */
#define TCP_SYN 0x02
#define TCP_ACK 0x10
#define DHCP_SERVER_PORT 67
#define DHCP6_SERVER_PORT 547

inline_step __u8 parse_tcp(struct pkt *p)
{
	struct tcphdr th;
	__u32 hlen;

	if (p->s->l4_len < sizeof(th) || bpf_skb_load_bytes(p->skb, p->s->l4_off, &th, sizeof(th)))
		return BH_REASON_TRUNCATED;
	hlen = (((__u8 *)&th)[12] >> 4) * 4u;
	if (hlen < sizeof(th) || hlen > p->s->l4_len)
		return BH_REASON_IP_MALFORMED;
	p->s->sport = th.source;
	p->s->dport = th.dest;
	p->s->opens = (((__u8 *)&th)[13] & (TCP_SYN | TCP_ACK)) == TCP_SYN;
	return 0;
}

inline_step __u8 parse_udp(struct pkt *p)
{
	struct udphdr uh;

	if (p->s->l4_len < sizeof(uh) || bpf_skb_load_bytes(p->skb, p->s->l4_off, &uh, sizeof(uh)))
		return BH_REASON_TRUNCATED;
	if (bpf_ntohs(uh.len) < sizeof(uh) || bpf_ntohs(uh.len) > p->s->l4_len)
		return BH_REASON_IP_MALFORMED;
	p->s->sport = uh.source;
	p->s->dport = uh.dest;
	if (p->dir == BH_DIR_EGRESS &&
	    (uh.source == bpf_htons(DHCP_SERVER_PORT) || uh.source == bpf_htons(DHCP6_SERVER_PORT)))
		return BH_REASON_DHCP_SERVER;
	return 0;
}

/* Both families: type, code, checksum, and for echo the id. */
inline_step __u8 parse_icmp(struct pkt *p)
{
	__u8 h[8];

	if (p->s->l4_len < sizeof(h) || bpf_skb_load_bytes(p->skb, p->s->l4_off, h, sizeof(h)))
		return BH_REASON_TRUNCATED;
	p->s->icmp_type = h[0];
	__builtin_memcpy(&p->s->sport, h + 4, 2);
	return 0;
}

inline_step __u8 parse_l4(struct pkt *p)
{
	__u8 reason;

	switch (p->s->proto) {
	case IPPROTO_TCP:
		return parse_tcp(p);
	case IPPROTO_UDP:
		return parse_udp(p);
	case IPPROTO_ICMP:
		if (p->s->ethertype != bpf_htons(ETH_P_IP))
			return BH_REASON_L4_PROTO;
		reason = parse_icmp(p);
		if (reason)
			return reason;
		return p->s->icmp_type == 8 || p->s->icmp_type == 0 ? 0 : BH_REASON_ICMP_TYPE;
	}
	return BH_REASON_L4_PROTO;
}

inline_step __u8 step_ip4(struct pkt *p)
{
	const struct bh_abi_endpoint *ep = p->ep;
	struct iphdr ip;
	__u32 hlen, total;
	__be32 own;
	__u8 first;

	if (bpf_skb_load_bytes(p->skb, ETH_LEN, &ip, IP4_LEN))
		return BH_REASON_TRUNCATED;
	first = *(__u8 *)&ip;
	hlen = (first & 15) * 4u;
	total = bpf_ntohs(ip.tot_len);
	ip16_from_v4(&p->s->saddr, ip.saddr);
	ip16_from_v4(&p->s->daddr, ip.daddr);
	p->s->proto = ip.protocol;
	if (first >> 4 != 4 || hlen < IP4_LEN || total < hlen)
		return BH_REASON_IP_MALFORMED;
	if (ETH_LEN + total > p->skb->len)
		return BH_REASON_TRUNCATED;
	__builtin_memcpy(&own, ep->ip4, 4);
	if (!(ep->flags & BH_EP_HAS_V4))
		return p->dir == BH_DIR_EGRESS ? BH_REASON_SRC_ADDR : BH_REASON_DST_ADDR;
	if (p->dir == BH_DIR_EGRESS && ip.saddr != own)
		return BH_REASON_SRC_ADDR;
	if ((bpf_ntohl(ip.daddr) >> 28) == 0xe || ip.daddr == 0xffffffff)
		return BH_REASON_MULTICAST;
	if (p->dir == BH_DIR_INGRESS && ip.daddr != own)
		return BH_REASON_DST_ADDR;
	/*
	 * A source route would change the destination after the verdict; nothing else needs them.
	 */
	if (hlen != IP4_LEN)
		return BH_REASON_IP_OPTIONS;
	if (ip.frag_off & bpf_htons(IP4_FRAGMENT_BITS))
		return BH_REASON_FRAGMENT;
	p->s->l4_off = ETH_LEN + IP4_LEN;
	p->s->l4_len = total - IP4_LEN;
	return parse_l4(p);
}

inline_step int is_ext_header(__u8 next)
{
	switch (next) {
	case 0:	  /* hop-by-hop */
	case 43:  /* routing */
	case 50:  /* ESP */
	case 51:  /* AH */
	case 60:  /* destination options */
	case 135: /* mobility */
	case 139: /* HIP */
	case 140: /* shim6 */
		return 1;
	}
	return 0;
}

/* Hop-by-hop options are let through for MLD alone, which must carry a router alert there. */
inline_step __u8 ip6_hop_by_hop(struct pkt *p, __u8 hop_limit)
{
	__u8 hbh[8];

	if (p->s->l4_len < 16 || bpf_skb_load_bytes(p->skb, p->s->l4_off, hbh, sizeof(hbh)))
		return BH_REASON_EXT_HEADER;
	/* next header, length 0 (8 bytes), router alert 05 02 00 00 for MLD, and two bytes of
	 * padding */
	if (hbh[0] != IPPROTO_ICMPV6 || hbh[1] || hbh[2] != 5 || hbh[3] != 2 || hbh[4] || hbh[5])
		return BH_REASON_EXT_HEADER;
	p->s->l4_off += 8;
	p->s->l4_len -= 8;
	p->s->proto = IPPROTO_ICMPV6;
	if (parse_icmp(p))
		return BH_REASON_TRUNCATED;
	p->s->sport = 0;
	switch (p->s->icmp_type) {
	case MLD_QUERY:
	case MLD_REPORT:
	case MLD_DONE:
	case MLD2_REPORT:
		return step_mld(p, hop_limit);
	}
	return BH_REASON_EXT_HEADER;
}

inline_step __u8 ip6_icmp(struct pkt *p, __u8 hop_limit)
{
	__u8 reason = parse_icmp(p);

	if (reason)
		return reason;
	if (p->s->icmp_type >= ND_RS && p->s->icmp_type <= ND_REDIRECT) {
		p->s->sport = 0;
		return step_nd(p, hop_limit);
	}
	return p->s->icmp_type == 128 || p->s->icmp_type == 129 ? 0 : BH_REASON_ICMP_TYPE;
}

/* Who sends and who receives; neighbour discovery and MLD judge that themselves. */
inline_step __u8 ip6_identity(struct pkt *p)
{
	const struct bh_abi_endpoint *ep = p->ep;

	if (!(ep->flags & BH_EP_HAS_V6))
		return p->dir == BH_DIR_EGRESS ? BH_REASON_SRC_ADDR : BH_REASON_DST_ADDR;
	if (p->dir == BH_DIR_EGRESS && !ip16_equal(&p->s->saddr, ep->ip6))
		return BH_REASON_SRC_ADDR;
	if (ip16_is_multicast6(&p->s->daddr))
		return BH_REASON_MULTICAST;
	if (p->dir == BH_DIR_INGRESS && !ip16_equal(&p->s->daddr, ep->ip6))
		return BH_REASON_DST_ADDR;
	return 0;
}

inline_step __u8 step_ip6(struct pkt *p)
{
	struct ipv6hdr ip;
	__u32 plen;
	__u8 reason;

	if (bpf_skb_load_bytes(p->skb, ETH_LEN, &ip, IP6_LEN))
		return BH_REASON_TRUNCATED;
	__builtin_memcpy(p->s->saddr.b, &ip.saddr, 16);
	__builtin_memcpy(p->s->daddr.b, &ip.daddr, 16);
	p->s->proto = ip.nexthdr;
	plen = bpf_ntohs(ip.payload_len);
	if (*(__u8 *)&ip >> 4 != 6 || !plen || ip16_is_mapped(&p->s->saddr) ||
	    ip16_is_mapped(&p->s->daddr))
		return BH_REASON_IP_MALFORMED;
	if (ETH_LEN + IP6_LEN + plen > p->skb->len)
		return BH_REASON_TRUNCATED;
	p->s->l4_off = ETH_LEN + IP6_LEN;
	p->s->l4_len = plen;
	if (ip.nexthdr == 0)
		return ip6_hop_by_hop(p, ip.hop_limit);
	if (ip.nexthdr == IPPROTO_ICMPV6) {
		reason = ip6_icmp(p, ip.hop_limit);
		if (reason || p->s->link)
			return reason;
		return ip6_identity(p);
	}
	reason = ip6_identity(p);
	if (reason)
		return reason;
	if (ip.nexthdr == 44)
		return BH_REASON_FRAGMENT;
	if (is_ext_header(ip.nexthdr))
		return BH_REASON_EXT_HEADER;
	return parse_l4(p);
}

/* Everything up to the ports: 0, or the reason why the packet ends here. */
inline_step __u8 step_parse(struct pkt *p)
{
	struct ethhdr eth;
	__u8 reason;

	if (bpf_skb_load_bytes(p->skb, 0, &eth, ETH_LEN))
		return BH_REASON_TRUNCATED;
	p->s->ethertype = eth.h_proto;
	if (p->skb->vlan_present || eth.h_proto == bpf_htons(ETH_P_8021Q) ||
	    eth.h_proto == bpf_htons(ETH_P_8021AD))
		return BH_REASON_VLAN;
	if (p->dir == BH_DIR_EGRESS && !mac_equal(eth.h_source, p->ep->mac))
		return BH_REASON_SRC_MAC;
	if (eth.h_proto == bpf_htons(ETH_P_ARP))
		return step_arp(p);
	if (eth.h_proto == bpf_htons(ETH_P_IP))
		reason = step_ip4(p);
	else if (eth.h_proto == bpf_htons(ETH_P_IPV6))
		reason = step_ip6(p);
	else
		return BH_REASON_ETHERTYPE;
	/* a packet for one host under a group address would reach every port of a bridge */
	if (!reason && !p->s->link && (eth.h_dest[0] & 1))
		return BH_REASON_DST_MAC;
	return reason;
}
