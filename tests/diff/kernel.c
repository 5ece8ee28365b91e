/* SPDX-License-Identifier: Apache-2.0 */
/* The programs themselves; everything that they ask of the kernel is in shim.c. */
#include "bpf/isolate.bpf.c"

#include "tests/diff/kernel.h"
#include "tests/diff/shim.h"

static void enter(struct __sk_buff *ctx, __u32 ifindex, const void *frame, size_t len)
{
	*ctx = (struct __sk_buff){ .len = (__u32)len, .ifindex = ifindex };
	shim_frame.bytes = frame;
	shim_frame.len = (__u32)len;
	shim_frame.ctx = ctx;
	__builtin_memset(&shim_frame.skb, 0, sizeof(shim_frame.skb));
}

void diff_kernel_parse(const struct bh_abi_endpoint *ep, __u8 dir, const void *frame, size_t len,
		       struct diff_parsed *ret_parsed)
{
	struct pkt_state s = {};
	struct __sk_buff ctx;
	struct pkt p = { .skb = &ctx, .ep = ep, .s = &s, .dir = dir };

	enter(&ctx, 1, frame, len);
	*ret_parsed = (struct diff_parsed){ .reason = step_parse(&p),
					    .link = s.link,
					    .proto = s.proto,
					    .icmp_type = s.icmp_type,
					    .opens = s.opens,
					    .frag = s.frag,
					    .error = s.error,
					    .frag_id = s.frag_id,
					    .sport = s.sport,
					    .dport = s.dport,
					    .l4_off = s.l4_off,
					    .l4_len = s.l4_len,
					    .quoted = { .proto = s.quoted.proto,
							.icmp_type = s.quoted.icmp_type,
							.sport = s.quoted.sport,
							.dport = s.quoted.dport } };
	__builtin_memcpy(ret_parsed->quoted.remote, s.quoted.remote.b, 16);
	__builtin_memcpy(ret_parsed->saddr, s.saddr.b, 16);
	__builtin_memcpy(ret_parsed->daddr, s.daddr.b, 16);
}

int diff_kernel_filter(__u32 ifindex, __u8 dir, const void *frame, size_t len,
		       const struct diff_meta *meta)
{
	static unsigned char head[256 + DIFF_FRAME_MAX + sizeof(struct skb_shared_info)];
	struct skb_shared_info info = { .gso_size = meta->gso_size, .gso_type = meta->gso_type };
	struct sk_buff *k = &shim_frame.skb;
	struct __sk_buff ctx;

	enter(&ctx, ifindex, frame, len);
	ctx.gso_size = meta->gso_size;
	ctx.vlan_present = meta->vlan_present;
	k->ip_summed = meta->ip_summed;
	k->encapsulation = meta->encapsulation;
	k->csum_not_inet = meta->csum_not_inet;
	k->head = head;
	k->data = head + 256;
	k->end = 256 + DIFF_FRAME_MAX;
	k->csum_start = (__u16)(256 + meta->csum_start);
	k->csum_offset = meta->csum_offset;
	__builtin_memcpy(head + k->end, &info, sizeof(info));
	return dir == BH_DIR_EGRESS ? from_pod(&ctx) : to_pod(&ctx);
}

void diff_put_endpoint(__u32 ifindex, const struct bh_abi_endpoint *ep)
{
	bpf_map_update_elem(&bh_endpoints, &ifindex, ep, BPF_ANY);
}

void diff_put_addr(const __u8 addr[16], const struct bh_abi_addr *v)
{
	bpf_map_update_elem(&bh_addrs, addr, v, BPF_ANY);
}

void diff_put_tenant(__u32 tenant, const struct bh_abi_tenant *v)
{
	bpf_map_update_elem(&bh_tenants, &tenant, v, BPF_ANY);
}

void diff_put_config(const struct bh_abi_config *v)
{
	const __u32 zero = 0;

	bpf_map_update_elem(&bh_config, &zero, v, BPF_ANY);
}

void diff_reset(void)
{
	shim_reset();
}
