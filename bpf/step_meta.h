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

/* The flags and offsets that are read of each packet. */
struct meta {
	__u64 ip_summed, encapsulation, csum_not_inet;
	__u16 csum_start, csum_offset;
};

inline_step int meta_read_each(struct sk_buff *k, struct meta *m)
{
	m->ip_summed = BPF_CORE_READ_BITFIELD_PROBED(k, ip_summed);
	m->encapsulation = BPF_CORE_READ_BITFIELD_PROBED(k, encapsulation);
	m->csum_not_inet = 0; /* the kernel may know no SCTP */
	if (bpf_core_field_exists(k->csum_not_inet))
		m->csum_not_inet = BPF_CORE_READ_BITFIELD_PROBED(k, csum_not_inet);
	return skb_field(k, csum_start, m->csum_start) || skb_field(k, csum_offset, m->csum_offset);
}

#if defined(__bpf__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/*
 * They lie close together in every kernel so far: one read instead of five. All offsets are
 * constants when the program is loaded, so the kernel drops what does not apply.
 */
#define META_SPAN (sizeof(((struct pkt_state *)0)->raw) - 8)

#define meta_info(field, what) __builtin_preserve_field_info(((struct sk_buff *)0)->field, what)
#define meta_off(field) meta_info(field, BPF_FIELD_BYTE_OFFSET)
#define meta_near(field, low) (meta_off(field) - (low) < META_SPAN)
#define meta_at(raw, field, low, type) (*(const volatile type *)((raw) + (meta_off(field) - (low))))
#define meta_bits(raw, field, low)                                                                 \
	(meta_at(raw, field, low, __u64) << meta_info(field, BPF_FIELD_LSHIFT_U64) >>              \
	 meta_info(field, BPF_FIELD_RSHIFT_U64))

inline_step int meta_read(struct pkt *p, struct sk_buff *k, struct meta *m)
{
	__u8 *raw = p->s->raw; /* on the stack the fields would have to be aligned */
	__u32 low = meta_off(ip_summed);

	if (meta_off(csum_start) < low)
		low = meta_off(csum_start);
	if (meta_off(encapsulation) < low)
		low = meta_off(encapsulation);
	low &= ~7u;
	if (!meta_near(ip_summed, low) || !meta_near(encapsulation, low) ||
	    !meta_near(csum_start, low) || !meta_near(csum_offset, low) ||
	    (bpf_core_field_exists(k->csum_not_inet) && !meta_near(csum_not_inet, low)))
		return meta_read_each(k, m);
	if (bpf_probe_read_kernel(raw, sizeof(p->s->raw), (void *)k + low))
		return 1;
	m->ip_summed = meta_bits(raw, ip_summed, low);
	m->encapsulation = meta_bits(raw, encapsulation, low);
	m->csum_not_inet = 0;
	if (bpf_core_field_exists(k->csum_not_inet))
		m->csum_not_inet = meta_bits(raw, csum_not_inet, low);
	m->csum_start = meta_at(raw, csum_start, low, __u16);
	m->csum_offset = meta_at(raw, csum_offset, low, __u16);
	return 0;
}
#else
#define meta_read(p, k, m) meta_read_each(k, m)
#endif

/* head and data, which are neighbours in every kernel so far. */
inline_step int skb_pointers(struct sk_buff *k, unsigned char *at[2])
{
	if (bpf_core_field_offset(struct sk_buff, data) ==
	    bpf_core_field_offset(struct sk_buff, head) + sizeof(at[0]))
		return bpf_probe_read_kernel(at, 2 * sizeof(at[0]),
					     (void *)k +
						     bpf_core_field_offset(struct sk_buff, head));
	return skb_field(k, head, at[0]) || skb_field(k, data, at[1]);
}

inline_step int meta_csum_ok(struct pkt *p, struct sk_buff *k, const struct meta *m)
{
	__u16 want = csum_offset_of(p->s->proto);
	unsigned char *at[2] = {}; /* head, data */

	if (m->ip_summed != CSUM_PARTIAL_STATE)
		return 1;
	/* a part has no checksum of its own: it would be written over the bytes of another one */
	if (!want || p->s->frag >= FRAG_FIRST)
		return 0;
	/* four bytes of CRC32c for SCTP, two for all else */
	if (m->csum_not_inet != (p->s->proto == IPPROTO_SCTP))
		return 0;
	if (skb_pointers(k, at))
		return 0;
	/* csum_start counts from head, l4_off from the frame's first byte, which is data */
	return m->csum_offset == want && m->csum_start == (__u64)(at[1] - at[0]) + p->s->l4_off;
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
	struct meta m;

	if (meta_read(p, k, &m) || !meta_csum_ok(p, k, &m))
		return BH_REASON_CSUM_META;
	if (!meta_gso_ok(p, k))
		return BH_REASON_GSO_META;
	/* decapsulation on the host may leave the mark on what it hands to a pod; a pod has none */
	if (p->dir == BH_DIR_EGRESS && m.encapsulation)
		return BH_REASON_TUNNEL_META;
	return 0;
}
