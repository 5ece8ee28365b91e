/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * log - one line per record on standard error: text for people or one JSON
 * object for machines, escaped here, written with one write(2).
 *
 * Only agent/main, the process loops, agent/sources, agent/report and the
 * appliers log; every other module returns an error and may use bh_debug() only.
 */
#include <stdbool.h>
#include <stdint.h>

#ifndef BH_LOG_COMP
#error "define BH_LOG_COMP \"module\" before including log.h"
#endif

enum bh_log_level { BH_LOG_DEBUG, BH_LOG_INFO, BH_LOG_WARN, BH_LOG_ERROR, BH_LOG_MAX_ };
enum bh_log_format { BH_LOG_TEXT, BH_LOG_JSON };

/* Records below @lvl are not written. Default: BH_LOG_INFO. Atomic. */
void bh_log_set_level(enum bh_log_level lvl);
enum bh_log_level bh_log_get_level(void);

/* How records are written. Default: BH_LOG_TEXT. Atomic. */
void bh_log_set_format(enum bh_log_format fmt);

/* Lower-case name of a level ("debug", "info", "warn", "error"). */
const char *bh_log_level_name(enum bh_log_level lvl);

/* Level by name; -EINVAL for an unknown one. */
int bh_log_level_parse(const char *name);

/* Write one record. @err: errno of either sign, 0 for none. Preserves errno. */
void bh_log_emit(enum bh_log_level lvl, const char *comp, int err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * A rate limit for one call site that a peer, a packet or a file can trigger:
 * at most BH_LOG_BURST records per BH_LOG_INTERVAL_S seconds; the first record after
 * a silence says how many were suppressed.
 */
#define BH_LOG_BURST 10
#define BH_LOG_INTERVAL_S 5

struct bh_log_limit {
	uint64_t window_ns; /* CLOCK_MONOTONIC start of the window, 0 = never used */
	uint32_t emitted;
	uint32_t suppressed;
};

/* True if a record may be written now; *ret_suppressed = records dropped before it. */
bool bh_log_allowed(struct bh_log_limit *l, uint32_t *ret_suppressed);

#define bh_debug(...) bh_log_emit(BH_LOG_DEBUG, BH_LOG_COMP, 0, __VA_ARGS__)
#define bh_info(...) bh_log_emit(BH_LOG_INFO, BH_LOG_COMP, 0, __VA_ARGS__)
#define bh_warn(...) bh_log_emit(BH_LOG_WARN, BH_LOG_COMP, 0, __VA_ARGS__)

/* Warn at most BH_LOG_BURST times per interval from this place in the code. */
#define bh_warn_limited(...)                                                                       \
	do {                                                                                       \
		static struct bh_log_limit bh_limit_;                                              \
		uint32_t bh_suppressed_;                                                           \
                                                                                                   \
		if (!bh_log_allowed(&bh_limit_, &bh_suppressed_))                                  \
			break;                                                                     \
		if (bh_suppressed_)                                                                \
			bh_warn("%u similar messages suppressed", bh_suppressed_);                 \
		bh_warn(__VA_ARGS__);                                                              \
	} while (0)

/* Log once and evaluate to the negative error: `return bh_error_r(r, "attach tc");` */
#define bh_error_r(r, ...)                                                                         \
	__extension__({                                                                            \
		const int bh_r_ = (r);                                                             \
                                                                                                   \
		bh_log_emit(BH_LOG_ERROR, BH_LOG_COMP, bh_r_, __VA_ARGS__);                        \
		bh_r_ > 0 ? -bh_r_ : bh_r_;                                                        \
	})
