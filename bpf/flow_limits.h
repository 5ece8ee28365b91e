/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause OR Apache-2.0) */
#pragma once
/*
 * flow_limits - how long a flow may be silent before it is forgotten. The one home: the kernel
 * programs and docs/policy.md are made from this list.
 *
 * Sources: RFC 5382 REQ-5 (TCP: 2 h 4 min established, 4 min while it opens or closes), RFC 4787
 * REQ-5 (UDP: 5 min), Linux's defaults for conntrack (SCTP). Half-open TCP is shorter than an RFC
 * asks of a NAT: only the first packet of a peer that nobody has heard yet is at stake, and whoever
 * opens as fast as he can should fill his table for half a minute, not for four.
 *
 * X(enumerator, seconds, which flows, why)
 */
#define BH_FLOW_LIMITS(X)                                                                          \
	X(TCP_SYN, 30, "TCP, not answered yet", "half open: nothing is lost with it")              \
	X(TCP_SYNACK, 60, "TCP, answered, not confirmed by who opened it", "half open")            \
	X(TCP_ESTABLISHED, 7440, "TCP, established", "RFC 5382 REQ-5: 2 h 4 min")                  \
	X(TCP_FIN, 240, "TCP, closed by either side", "RFC 5382 REQ-5: 4 min")                     \
	X(TCP_RST, 10, "TCP, reset; what comes after it revives the flow",                         \
	  "a forged reset must not end a flow that is in use")                                     \
	X(UDP_NEW, 30, "UDP, not answered yet", "Linux' default")                                  \
	X(UDP_REPLIED, 300, "UDP, answered", "RFC 4787 REQ-5: 5 min")                              \
	X(SCTP_NEW, 30, "SCTP, not answered yet", "Linux' default is 3 s to 30 s")                 \
	X(SCTP_REPLIED, 210, "SCTP, answered", "Linux' default")                                   \
	X(ICMP, 30, "ICMP echo", "Linux' default")                                                 \
	X(FRAGMENT, 5, "fragments of one packet, after the first",                                 \
	  "they are sent at once; Linux' reassembly waits 30 s, but identifiers come again")

enum bh_flow_limit_s {
#define X(id, seconds, ...) BH_FLOW_LIMIT_S_##id = (seconds),
	BH_FLOW_LIMITS(X)
#undef X
};
