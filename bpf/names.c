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

static const struct {
	unsigned int number;
	const char *name;
} protos[] = {
	{ IPPROTO_TCP, "tcp" },	      { IPPROTO_UDP, "udp" },	{ IPPROTO_ICMP, "icmp" },
	{ IPPROTO_ICMPV6, "icmpv6" }, { IPPROTO_SCTP, "sctp" },
};
#define N_PROTOS (sizeof(protos) / sizeof(protos[0]))
_Static_assert(N_PROTOS + 1 == BH_PROTO_NAMES, "one more than the table: other");

const char *bh_proto_nth(unsigned int i)
{
	return i < N_PROTOS ? protos[i].name : "other";
}

const char *bh_proto_name(unsigned int proto)
{
	unsigned int i = 0;

	while (i < N_PROTOS && protos[i].number != proto)
		i++;
	return bh_proto_nth(i);
}

static const char *const rule_name[] = { "none", "default", "world" };
static const char *const world_name[] = { "world public", "world all", "world none" };

const char *bh_rule_name(unsigned int rule, unsigned int cls, unsigned int world)
{
	if (rule == BH_RULE_WORLD && world < sizeof(world_name) / sizeof(world_name[0]))
		return world_name[world];
	if (rule != BH_RULE_GRANT)
		return rule < BH_RULE_GRANT ? rule_name[rule] : "?";
	switch (cls) {
	case BH_CLASS_TENANT:
		return "grant tenant";
	case BH_CLASS_NODE:
		return "grant node";
	case BH_CLASS_APISERVER:
		return "grant apiServer";
	case BH_CLASS_METADATA:
		return "grant metadata";
	case BH_CLASS_WORLD_PUBLIC:
	case BH_CLASS_WORLD_PRIVATE:
	case BH_CLASS_WORLD_LINKLOCAL:
		return "grant cidr";
	}
	return "grant service"; /* what is left: addresses of system and unassigned Services */
}
