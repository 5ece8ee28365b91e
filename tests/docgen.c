/* SPDX-License-Identifier: Apache-2.0 */
/* docgen - writes docs/configuration.md to standard output. */
#include <stdio.h>

#include "common/buf.h"
#include "tests/unit/config_docs.h"

int main(void)
{
	bh_autobuf b = BH_BUF_INIT;

	config_docs(&b);
	if (b.error || fwrite(b.data, 1, b.len, stdout) != b.len || fflush(stdout) != 0) {
		(void)fprintf(stderr, "docgen: cannot write\n");
		return 1;
	}
	return 0;
}
