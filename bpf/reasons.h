/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause OR Apache-2.0) */
#pragma once
/*
 * reasons - why a packet was dropped (or would have been). The one home: the kernel programs, the
 * metrics' label, events, `bulkheadctl` and docs/reasons.md are made from this list. New reasons
 * are added at the end; a number is never reused.
 *
 * X(enumerator, label, meaning)
 */
#define BH_REASONS(X)                                                                              \
	X(NONE, "none", "passed")                                                                  \
	X(UNKNOWN_ENDPOINT, "unknown_endpoint", "the interface belongs to no known pod (yet)")     \
	X(TRUNCATED, "truncated", "shorter than its headers say")                                  \
	X(ETHERTYPE, "ethertype", "neither IPv4 nor IPv6 nor ARP")                                 \
	X(VLAN, "vlan", "carries a VLAN tag")                                                      \
	X(SRC_MAC, "src_mac", "source MAC is not the pod's")                                       \
	X(DST_MAC, "dst_mac", "group MAC on a packet for one host")                                \
	X(CSUM_META, "csum_meta",                                                                  \
	  "pending checksum would be written outside this packet's own L4 checksum field")         \
	X(GSO_META, "gso_meta", "segmentation type or size does not fit the packet")               \
	X(TUNNEL_META, "tunnel_meta", "marked as a tunnel packet")                                 \
	X(ARP_INVALID, "arp_invalid", "malformed ARP")                                             \
	X(ARP_SPOOF, "arp_spoof", "ARP sender is not the pod")                                     \
	X(ARP_TARGET, "arp_target", "ARP for an address that the pod may not reach")               \
	X(ND_INVALID, "nd_invalid", "malformed neighbour discovery")                               \
	X(ND_SPOOF, "nd_spoof", "neighbour discovery in somebody else's name")                     \
	X(ND_TARGET, "nd_target",                                                                  \
	  "neighbour solicitation for an address that the pod may not reach")                      \
	X(ROUTER_ADVERT, "router_advert", "router advertisement or redirect from a pod")           \
	X(DHCP_SERVER, "dhcp_server", "DHCP server message from a pod")                            \
	X(MULTICAST, "multicast", "multicast or broadcast other than neighbour discovery and MLD") \
	X(SRC_ADDR, "src_addr", "source address is not the pod's")                                 \
	X(DST_ADDR, "dst_addr", "destination address is not the pod's (flooded or misrouted)")     \
	X(IP_MALFORMED, "ip_malformed", "IP or L4 header contradicts itself")                      \
	X(IP_OPTIONS, "ip_options", "IPv4 option that is unknown or malformed")                    \
	X(FRAGMENT, "fragment", "fragment of which no packet can be made, or of an ICMP error")    \
	X(EXT_HEADER, "ext_header",                                                                \
	  "IPv6 extension header that is not let through, misplaced, or one too many")             \
	X(L4_PROTO, "l4_proto", "protocol other than TCP, UDP, SCTP and ICMP")                     \
	X(ICMP_TYPE, "icmp_type", "ICMP other than echo and errors about a packet")                \
	X(NO_FLOW, "no_flow", "a reply to nothing that was asked")                                 \
	X(SELF_CONFLICT, "self_conflict", "the pod is claimed by more than one Tenant")            \
	X(PEER_UNKNOWN, "peer_unknown", "peer inside the cluster's ranges that nobody owns")       \
	X(PEER_CONFLICT, "peer_conflict", "peer address is claimed by more than one owner")        \
	X(PEER_TENANT, "peer_tenant", "peer is a tenant's pod and no grant allows it")             \
	X(PEER_SYSTEM, "peer_system", "peer is a system pod")                                      \
	X(PEER_UNASSIGNED, "peer_unassigned", "peer is an unassigned pod")                         \
	X(PEER_UNPROTECTED, "peer_unprotected", "peer is on a node without a ready agent")         \
	X(PEER_MIXED, "peer_mixed", "Service whose backends are not all pods of one owner")        \
	X(PEER_NODE, "peer_node", "peer is a node")                                                \
	X(PEER_DNS, "peer_dns", "peer is the cluster DNS")                                         \
	X(PEER_APISERVER, "peer_apiserver", "peer is the Kubernetes API server")                   \
	X(PEER_WORLD_PUBLIC, "peer_world_public", "peer is in the public world")                   \
	X(PEER_WORLD_PRIVATE, "peer_world_private", "peer is private and outside the cluster")     \
	X(PEER_WORLD_LINKLOCAL, "peer_world_linklocal", "peer is link-local")                      \
	X(PEER_METADATA, "peer_metadata", "peer is a cloud's metadata service")                    \
	X(PEER_INVALID, "peer_invalid", "peer address can be nobody's")                            \
	X(TABLE_FULL, "table_full", "no room to track the flow")                                   \
	X(INTERNAL, "internal", "the filter could not judge the packet")                           \
	X(SOURCE_ROUTE, "source_route", "IPv4 source route or IPv6 routing header")                \
	X(EXT_OPTION, "ext_option", "IPv6 option other than padding and router alert")             \
	X(FRAGMENT_TINY, "fragment_tiny", "first fragment without the whole L4 header")            \
	X(FRAGMENT_OVERLAP, "fragment_overlap",                                                    \
	  "later fragment that begins where the L4 header may be")                                 \
	X(FRAGMENT_UNKNOWN, "fragment_unknown",                                                    \
	  "later fragment of a packet whose first was not let through (yet)")                      \
	X(FRAGMENT_DNS, "fragment_dns", "fragment to or from port 53")                             \
	X(ICMP_QUOTE, "icmp_quote",                                                                \
	  "ICMP error that quotes no packet of the pod's, or not enough of it")                    \
	X(ICMP_NO_FLOW, "icmp_no_flow", "ICMP error about a flow that is not known")               \
	X(ICMP_ROUTER, "icmp_router", "ICMP error from an address that is no router on the way")   \
	X(UNPROTECTED_INTERFACE, "unprotected_interface",                                          \
	  "the pod has an interface that is not filtered, and its Tenant denies that")             \
	X(FLOW_LIMIT, "flow_limit", "the pod has as many established flows as it may have")        \
	X(RATE_PACKETS, "rate_packets", "more packets a second than a pod may send and receive")   \
	X(RATE_FLOWS, "rate_flows", "more new flows a second than a pod may have")

enum bh_reason {
#define X(id, ...) BH_REASON_##id,
	BH_REASONS(X)
#undef X
		BH_REASON_MAX_
};
