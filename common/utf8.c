/* SPDX-License-Identifier: Apache-2.0 */
#include "common/utf8.h"

#include <stdint.h>

size_t bh_utf8_seq(const char *s, size_t len)
{
	const uint8_t *b = (const uint8_t *)s;
	uint8_t lo = 0x80, hi = 0xbf; /* what the second byte may be */
	size_t n;

	if (!len)
		return 0;
	if (b[0] < 0x80)
		return 1;
	if (b[0] >= 0xc2 && b[0] <= 0xdf)
		n = 2;
	else if ((b[0] & 0xf0) == 0xe0)
		n = 3;
	else if (b[0] >= 0xf0 && b[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (b[0] == 0xe0)
		lo = 0xa0; /* overlong below */
	else if (b[0] == 0xed)
		hi = 0x9f; /* surrogates above */
	else if (b[0] == 0xf0)
		lo = 0x90; /* overlong below */
	else if (b[0] == 0xf4)
		hi = 0x8f; /* over U+10FFFF above */
	if (len < n || b[1] < lo || b[1] > hi)
		return 0;
	for (size_t i = 2; i < n; i++) {
		if ((b[i] & 0xc0) != 0x80)
			return 0;
	}
	return n;
}
