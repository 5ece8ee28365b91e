/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* shim - the frame that the helpers of the kernel programs see, and their maps. */
#include "bpf/vmlinux.h"

struct shim_frame {
	const unsigned char *bytes;
	__u32 len;
	const struct __sk_buff *ctx;
	struct sk_buff skb; /* what lies behind ctx for bpf_probe_read_kernel() */
};
extern struct shim_frame shim_frame;

void shim_reset(void);
