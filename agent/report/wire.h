/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * wire - the messages between reporter and enforcer, on a SOCK_SEQPACKET pair: one message is one
 * packet of exactly this size, anything else is ignored. One binary on one machine: host byte
 * order.
 */
#include <stdint.h>

#define BH_REPORT_ASK 0x41534b31u    /* "1KSA" */
#define BH_REPORT_ANSWER 0x414e5331u /* "1SNA" */

/* Reporter to enforcer: a snapshot, please. */
struct bh_report_ask_msg {
	uint32_t type;
	uint32_t restarts; /* how often the worker has been started again */
	uint64_t seq;	   /* comes back in the answer */
};
_Static_assert(sizeof(struct bh_report_ask_msg) == 16, "bh_report_ask_msg layout");

/* Enforcer to reporter; without an error, a sealed memory file travels with it (SCM_RIGHTS). */
struct bh_report_answer_msg {
	uint32_t type;
	int32_t error; /* 0 or a negative errno */
	uint64_t seq;
};
_Static_assert(sizeof(struct bh_report_answer_msg) == 16, "bh_report_answer_msg layout");
