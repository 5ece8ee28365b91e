/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/names.h"

#include <netinet/in.h>

#include "bpf/bh_abi.h"

#define X(id, label, ...) [BH_CLASS_##id] = label,
static const char *const class_name[] = { BH_CLASSES(X) };
#undef X
#define X(id, label, ...) [BH_ROLE_##id] = label,
static const char *const role_name[] = { BH_ROLES(X) };
#undef X
#define X(id, label, text) [BH_REASON_##id] = { label, text },
static const struct {
	const char *label, *text;
} reasons[] = { BH_REASONS(X) };
#undef X
static const char *const verdict_name[] = { "pass", "drop", "audit" };

const char *bh_class_name(unsigned int cls)
{
	return cls < BH_CLASS_MAX_ ? class_name[cls] : "?";
}

const char *bh_role_name(unsigned int role)
{
	return role < BH_ROLE_MAX_ ? role_name[role] : "?";
}

const char *bh_reason_name(unsigned int reason)
{
	return reason < BH_REASON_MAX_ ? reasons[reason].label : "?";
}

const char *bh_reason_text(unsigned int reason)
{
	return reason < BH_REASON_MAX_ ? reasons[reason].text : "?";
}

const char *bh_verdict_name(unsigned int verdict)
{
	return verdict <= BH_VERDICT_AUDIT ? verdict_name[verdict] : "?";
}

const char *bh_dir_name(unsigned int dir)
{
	return dir == BH_DIR_EGRESS ? "egress" : "ingress";
}

const char *bh_proto_name(unsigned int proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_ICMPV6:
		return "icmpv6";
	case IPPROTO_SCTP:
		return "sctp";
	}
	return "other";
}
