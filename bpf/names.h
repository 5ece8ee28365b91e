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
