/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * names - the words in which numbers of the ABI are shown: in JSON, metrics and events alike.
 */
#include <stdint.h>

const char *bh_class_name(unsigned int cls);	   /* enum bh_class */
const char *bh_role_name(unsigned int role);	   /* enum bh_role */
const char *bh_reason_name(unsigned int reason);   /* enum bh_reason: the label */
const char *bh_reason_text(unsigned int reason);   /* what it means */
const char *bh_verdict_name(unsigned int verdict); /* BH_VERDICT_*: "pass", "drop", "audit" */
const char *bh_dir_name(unsigned int dir);	   /* BH_DIR_*: "egress", "ingress" */
const char *bh_proto_name(unsigned int proto);	   /* IPPROTO_*: "tcp", ...; "other" */
/* Every name that bh_proto_name() may give: @i from 0 up to BH_PROTO_NAMES. */
#define BH_PROTO_NAMES 6
const char *bh_proto_nth(unsigned int i);
/*
 * Which rule decided, in words: BH_RULE_*, told apart by the peer's enum bh_class (what a grant was
 * for) or by enum bh_world.
 */
const char *bh_rule_name(unsigned int rule, unsigned int cls, unsigned int world);
