/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once
/*
 * parse - from the Ethernet header to the L4 ports. Headers are read with bpf_skb_load_bytes(): the
 * linear length is the guest's choice, so what is not there is asked for, and "too short" is a
 * drop.
 */
#include "bpf/step_icmp.h"

#define TCP_SYN 0x02
#define TCP_ACK 0x10
#define SCTP_COMMON_LEN 12 /* RFC 9260 3.1, 3.2 */
#define SCTP_CHUNK_LEN 4
#define SCTP_INIT 1
#define DHCP_SERVER_PORT 67
#define DHCP6_SERVER_PORT 547

/* RFC 9260 3: the common header and the head of the first chunk */
struct sctp_head {
	__be16 source, dest;
	__be32 vtag, csum;
	__u8 type, flags;
	__be16 len;
};

inline_step __u8 parse_tcp(struct pkt *p)
{
	struct tcphdr th;
	__u32 hlen;

	if (p->s->l4_len < sizeof(th) || bpf_skb_load_bytes(p->skb, p->s->l4_off, &th, sizeof(th)))
		return frag_short(p);
	hlen = (((__u8 *)&th)[12] >> 4) * 4u;
	if (hlen < sizeof(th))
		return BH_REASON_IP_MALFORMED;
	if (hlen > p->s->l4_len)
		return p->s->frag == FRAG_FIRST ? BH_REASON_FRAGMENT_TINY : BH_REASON_IP_MALFORMED;
	p->s->sport = th.source;
	p->s->dport = th.dest;
	p->s->tcp_flags = ((__u8 *)&th)[13];
	p->s->opens = (p->s->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
	return frag_ports(p);
}

inline_step __u8 parse_udp(struct pkt *p)
{
	struct udphdr uh;

	if (p->s->l4_len < sizeof(uh) || bpf_skb_load_bytes(p->skb, p->s->l4_off, &uh, sizeof(uh)))
		return frag_short(p);
	/* the length is the whole datagram's, of which a first fragment is a part */
	if (bpf_ntohs(uh.len) < sizeof(uh) ||
	    (p->s->frag != FRAG_FIRST && bpf_ntohs(uh.len) > p->s->l4_len))
		return BH_REASON_IP_MALFORMED;
	p->s->sport = uh.source;
	p->s->dport = uh.dest;
	if (p->dir == BH_DIR_EGRESS &&
	    (uh.source == bpf_htons(DHCP_SERVER_PORT) || uh.source == bpf_htons(DHCP6_SERVER_PORT)))
		return BH_REASON_DHCP_SERVER;
	return frag_ports(p);
}

/* An INIT is never bundled (RFC 9260 6.10), so the first chunk says whether the packet opens. */
inline_step __u8 parse_sctp(struct pkt *p)
{
	struct sctp_head h;

	if (p->s->l4_len < sizeof(h) || bpf_skb_load_bytes(p->skb, p->s->l4_off, &h, sizeof(h)))
		return frag_short(p);
	if (bpf_ntohs(h.len) < SCTP_CHUNK_LEN ||
	    (p->s->frag != FRAG_FIRST && bpf_ntohs(h.len) > p->s->l4_len - SCTP_COMMON_LEN))
		return BH_REASON_IP_MALFORMED;
	p->s->sport = h.source;
	p->s->dport = h.dest;
	p->s->opens = h.type == SCTP_INIT;
	return frag_ports(p);
}

/* The L4 header at l4_off; a later fragment has none. */
inline_step __u8 parse_l4(struct pkt *p)
{
	if (p->s->frag == FRAG_LATER)
		return 0;
	switch (p->s->proto) {
	case IPPROTO_TCP:
		return parse_tcp(p);
	case IPPROTO_UDP:
		return parse_udp(p);
	case IPPROTO_SCTP:
		return parse_sctp(p);
	case IPPROTO_ICMP:
		if (p->s->ethertype == bpf_htons(ETH_P_IP))
			return step_icmp4(p);
		break;
	case IPPROTO_ICMPV6:
		if (p->s->ethertype == bpf_htons(ETH_P_IPV6))
			return step_icmp6(p);
		break;
	}
	return BH_REASON_L4_PROTO;
}

/* Who sends and who receives. */
inline_step __u8 ip4_identity(struct pkt *p, const struct iphdr *ip)
{
	const struct bh_abi_endpoint *ep = p->ep;
	__be32 own;

	__builtin_memcpy(&own, ep->ip4, 4);
	if (!(ep->flags & BH_EP_HAS_V4))
		return p->dir == BH_DIR_EGRESS ? BH_REASON_SRC_ADDR : BH_REASON_DST_ADDR;
	if (p->dir == BH_DIR_EGRESS && ip->saddr != own)
		return BH_REASON_SRC_ADDR;
	if ((bpf_ntohl(ip->daddr) >> 28) == 0xe || ip->daddr == 0xffffffff)
		return BH_REASON_MULTICAST;
	if (p->dir == BH_DIR_INGRESS && ip->daddr != own)
		return BH_REASON_DST_ADDR;
	return 0;
}

/* The IPv4 header and its options: l4_off, l4_len, proto and frag, or the reason why not. */
inline_step __u8 step_ip4(struct pkt *p)
{
	struct iphdr ip;
	__u32 hlen, total;
	__u16 frag;
	__u8 first, reason;

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
	reason = ip4_identity(p, &ip);
	if (reason)
		return reason;
	p->s->l4_off = ETH_LEN + hlen;
	p->s->l4_len = total - hlen;
	frag = bpf_ntohs(ip.frag_off);
	if (frag & (IP_MF | IP_OFFSET)) {
		p->s->frag_id = ip.id;
		reason = frag_shape(p, (frag & IP_OFFSET) * 8u, frag & IP_MF, hlen);
		if (reason)
			return reason;
	}
	return hlen == IP4_LEN ? 0 : step_ip4_options(p, hlen - IP4_LEN);
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

/* The IPv6 header and its extensions: l4_off, l4_len, proto and frag, or the reason why not. */
inline_step __u8 step_ip6(struct pkt *p)
{
	struct ipv6hdr ip;
	__u32 plen;

	if (bpf_skb_load_bytes(p->skb, ETH_LEN, &ip, IP6_LEN))
		return BH_REASON_TRUNCATED;
	__builtin_memcpy(p->s->saddr.b, &ip.saddr, 16);
	__builtin_memcpy(p->s->daddr.b, &ip.daddr, 16);
	p->s->proto = ip.nexthdr;
	p->s->hop_limit = ip.hop_limit;
	plen = bpf_ntohs(ip.payload_len);
	if (*(__u8 *)&ip >> 4 != 6 || !plen || ip16_is_mapped(&p->s->saddr) ||
	    ip16_is_mapped(&p->s->daddr))
		return BH_REASON_IP_MALFORMED;
	if (ETH_LEN + IP6_LEN + plen > p->skb->len)
		return BH_REASON_TRUNCATED;
	p->s->l4_off = ETH_LEN + IP6_LEN;
	p->s->l4_len = plen;
	/* who sends is only known to be right or wrong once it is clear that this is no ND */
	return step_ip6_ext(p);
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
	if (!reason)
		reason = parse_l4(p);
	if (!reason && eth.h_proto == bpf_htons(ETH_P_IPV6) && !p->s->link)
		reason = ip6_identity(p);
	/* a packet for one host under a group address would reach every port of a bridge */
	if (!reason && !p->s->link && (eth.h_dest[0] & 1))
		return BH_REASON_DST_MAC;
	return reason;
}
