/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * utf8 - which bytes are UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing over
 * U+10FFFF.
 */
#include <stddef.h>

/* Bytes (1 to 4) of the character at @s, which has @len bytes; 0 if there is no valid one. */
size_t bh_utf8_seq(const char *s, size_t len);
