/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * bpf_core_read - stands in for libbpf's header of that name: offsets are those of the minimal
 * structs in bpf/vmlinux.h.
 */
#define bpf_core_field_offset(type, field) __builtin_offsetof(type, field)
#define bpf_core_field_exists(field) 1

const struct sk_buff *shim_skb(const void *ctx);
#define BPF_CORE_READ_BITFIELD_PROBED(s, field) (shim_skb(s)->field)
