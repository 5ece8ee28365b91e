/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * bpf_helpers - stands in for libbpf's header of that name, so that the kernel programs can be
 * compiled as they are for user space. What the kernel would do is in tests/diff/shim.c.
 */
#include "bpf/vmlinux.h"

#define SEC(name)
#define __always_inline inline __attribute__((__always_inline__))
#define __uint(name, val) int(*name)[val]
#define __type(name, val) __typeof__(val) *name
#define __weak __attribute__((__weak__))

/* BPF assembly here only steers the verifier, values stay: it is parsed, never assembled. */
#define asm                                                                                        \
	if (0)                                                                                     \
	__asm__

/* What a map definition says of itself. */
struct shim_map {
	const void *id;
	__u32 type, max_entries, key_size, value_size;
};
#define shim_len(m, field) (sizeof(*(m)->field) / sizeof(int))
#define shim_of(m)                                                                                 \
	(&(const struct shim_map){ (m), shim_len(m, type), shim_len(m, max_entries),               \
				   sizeof(*(m)->key), sizeof(*(m)->value) })

void *shim_lookup(const struct shim_map *m, const void *key);
long shim_update(const struct shim_map *m, const void *key, const void *value, __u64 flags);
long shim_delete(const struct shim_map *m, const void *key);
#define bpf_map_lookup_elem(m, key) shim_lookup(shim_of(m), key)
#define bpf_map_update_elem(m, key, value, flags) shim_update(shim_of(m), key, value, flags)
#define bpf_map_delete_elem(m, key) shim_delete(shim_of(m), key)

long bpf_skb_load_bytes(const void *skb, __u32 offset, void *to, __u32 len);
long bpf_probe_read_kernel(void *dst, __u32 size, const void *unsafe_ptr);
__u64 bpf_ktime_get_ns(void);
__u64 bpf_jiffies64(void);
__u32 bpf_get_prandom_u32(void);
__u32 bpf_get_smp_processor_id(void);
void *bpf_ringbuf_reserve(void *ringbuf, __u64 size, __u64 flags);
void bpf_ringbuf_submit(void *data, __u64 flags);
void bpf_ringbuf_discard(void *data, __u64 flags);
__u64 bpf_ringbuf_query(void *ringbuf, __u64 flags);
