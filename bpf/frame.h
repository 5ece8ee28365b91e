/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * frame - the first packet of a flow as an Ethernet frame, for asking the kernel programs what they
 * would say of it. Pure.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"

#define BH_FRAME_MAX 128

struct bh_flow_spec {
	struct bh_addr src, dst; /* of one family */
	struct bh_mac src_mac, dst_mac;
	uint8_t proto;	/* IPPROTO_TCP (a SYN), IPPROTO_UDP, IPPROTO_SCTP (an INIT), IPPROTO_ICMP
			   (an echo request, both families) */
	uint16_t sport; /* host order; for ICMP the id */
	uint16_t dport; /* host order; not for ICMP */
};

/* Checksums are right. 0 with the frame and its length; -EINVAL for two families or another
 * protocol. */
int bh_frame_build(const struct bh_flow_spec *f, uint8_t ret_frame[static BH_FRAME_MAX],
		   size_t *ret_len);
