/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * parse - small texts that people write: whole numbers, durations, names. No locale, no leading
 * blanks, no sign, nothing behind the value.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Value of a hexadecimal digit of either case, -1 if it is none. */
int bh_parse_hex_digit(char c);
/* Decimal digits only, in [@min, @max]. 0, -EINVAL or -ERANGE. */
int bh_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret_v);
/* "true" or "false". 0 or -EINVAL. */
int bh_parse_bool(const char *s, bool *ret_v);
/* "250ms", "10s", "5m", "1h": milliseconds. 0, -EINVAL or -ERANGE. */
int bh_parse_duration_ms(const char *s, uint64_t *ret_ms);
/*
 * A Kubernetes CPU quantity ("16", "0.5", "250m") in thousandths of a core. 0; -EINVAL, also for
 * fractions of a thousandth; -ERANGE.
 */
int bh_parse_cpu_milli(const char *s, uint64_t *ret_milli);
/*
 * RFC 1123 label (at most 63 bytes) or subdomain (at most 253; each part may be as long, since
 * Kubernetes bounds only the whole), as Kubernetes names are: lower case.
 */
bool bh_parse_is_label(const char *s);
bool bh_parse_is_subdomain(const char *s);
/* Key of a Kubernetes label or annotation: [prefix/]name; and a label's value. */
bool bh_parse_is_label_key(const char *s);
bool bh_parse_is_label_value(const char *s);
