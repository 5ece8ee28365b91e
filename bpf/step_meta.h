/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#pragma once
/*
 * meta - the sk_buff's metadata that a guest chooses through its virtio-net header, or any pod with
 * CAP_NET_RAW through PACKET_VNET_HDR: where a pending checksum will be written, and how the packet
 * will be cut into segments. Both happen after this program has approved the bytes, so whatever
 * does not point at this packet's own L4 checksum, or does not fit its protocol, is dropped.
 *
 * The context register of a TC program holds the kernel's sk_buff, so its fields are read by
 * bpf_probe_read_kernel() at CO-RE offsets; this works from 5.10 on without kfuncs.
 */
#include "bpf/packet.h"

#define CSUM_PARTIAL_STATE 3 /* CHECKSUM_PARTIAL, include/linux/skbuff.h */

/* SKB_GSO_*, include/linux/skbuff.h; an anonymous enum, the values have not moved since 4.16. */
#define GSO_TCPV4 (1u << 0)
#define GSO_DODGY (1u << 1)
#define GSO_TCP_ECN (1u << 2)
#define GSO_TCP_FIXEDID (1u << 3)
#define GSO_TCPV6 (1u << 4)
#define GSO_SCTP (1u << 14)
#define GSO_UDP_L4 (1u << 17)
#define GSO_FRAGLIST (1u << 18)
#define GSO_TCP_ACCECN (1u << 19)

#define GSO_TCP_FLAGS (GSO_DODGY | GSO_TCP_ECN | GSO_TCP_FIXEDID | GSO_TCP_ACCECN)

#define skb_field(skb, field, dst)                                                                 \
	bpf_probe_read_kernel(&(dst), sizeof(dst),                                                 \
			      (void *)(skb) + bpf_core_field_offset(struct sk_buff, field))

/* Where in its L4 header a protocol keeps the checksum; 0 = it has none that may be pending. */
inline_step __u16 csum_offset_of(__u8 proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return 16;
	case IPPROTO_UDP:
		return 6;
	case IPPROTO_SCTP:
		return 8;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return 2;
	}
	return 0;
}

inline_step int meta_csum_ok(struct pkt *p, struct sk_buff *k)
{
	__u16 start = 0, offset = 0, want = csum_offset_of(p->s->proto);
	unsigned char *head = 0, *data = 0;
	__u8 crc = 0;

	if (BPF_CORE_READ_BITFIELD_PROBED(k, ip_summed) != CSUM_PARTIAL_STATE)
		return 1;
	/* a part has no checksum of its own: it would be written over the bytes of another one */
	if (!want || p->s->frag >= FRAG_FIRST)
		return 0;
	/* four bytes of CRC32c for SCTP, two for all else; the kernel may know no SCTP */
	if (bpf_core_field_exists(k->csum_not_inet))
		crc = BPF_CORE_READ_BITFIELD_PROBED(k, csum_not_inet);
	if (crc != (p->s->proto == IPPROTO_SCTP))
		return 0;
	if (skb_field(k, csum_start, start) || skb_field(k, csum_offset, offset) ||
	    skb_field(k, head, head) || skb_field(k, data, data))
		return 0;
	/* csum_start counts from head, l4_off from the frame's first byte, which is data */
	return offset == want && start == (__u64)(data - head) + p->s->l4_off;
}

inline_step int meta_gso_ok(struct pkt *p, struct sk_buff *k)
{
	unsigned char *head = 0;
	__u32 end = 0, type = 0;

	if (!p->skb->gso_size)
		return 1;
	if (p->s->frag != FRAG_WHOLE)
		return 0;
	if (skb_field(k, head, head) || skb_field(k, end, end) ||
	    bpf_probe_read_kernel(&type, sizeof(type),
				  head + end +
					  bpf_core_field_offset(struct skb_shared_info, gso_type)))
		return 0;
	if (p->dir == BH_DIR_INGRESS) /* the host's own receive offload */
		type &= ~GSO_FRAGLIST;
	if (p->s->proto == IPPROTO_TCP) {
		__u32 kind = p->s->ethertype == bpf_htons(ETH_P_IP) ? GSO_TCPV4 : GSO_TCPV6;

		return (type & kind) && !(type & ~(kind | GSO_TCP_FLAGS));
	}
	/* of a local stack alone: no guest can say it */
	if (p->s->proto == IPPROTO_SCTP)
		return (type & GSO_SCTP) && !(type & ~GSO_SCTP);
	/* every segment of a UDP train has these ports, but its own payload: DNS would go unread */
	return p->s->proto == IPPROTO_UDP && (type & GSO_UDP_L4) &&
	       !(type & ~(GSO_UDP_L4 | GSO_DODGY)) && p->s->dport != bpf_htons(53) &&
	       p->s->sport != bpf_htons(53);
}

/* The packet that leaves is the packet that was read: 0, or the reason why not. */
inline_step int step_meta(struct pkt *p)
{
	struct sk_buff *k = (struct sk_buff *)p->skb;

	if (!meta_csum_ok(p, k))
		return BH_REASON_CSUM_META;
	if (!meta_gso_ok(p, k))
		return BH_REASON_GSO_META;
	/* decapsulation on the host may leave the mark on what it hands to a pod; a pod has none */
	if (p->dir == BH_DIR_EGRESS && BPF_CORE_READ_BITFIELD_PROBED(k, encapsulation))
		return BH_REASON_TUNNEL_META;
	return 0;
}
