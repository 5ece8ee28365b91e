/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: what is accepted is written so that it is accepted again and gives the same. */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

#include "common/err.h"
#include "common/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bh_auto(bh_json_freep) struct bh_json *j = NULL, *again = NULL, *copy = NULL;
	bh_autofree char *text = NULL, *text2 = NULL;
	struct bh_err err = { 0 };
	const int r = bh_json_parse((const char *)data, size, &j, &err);

	FUZZ_CHECK(r == 0 || r == -EINVAL || r == -E2BIG);
	FUZZ_CHECK((r == 0) == (j != NULL) && (r == 0) == !err.msg[0]);
	if (r < 0)
		return 0;
	FUZZ_CHECK(bh_json_encode(j, size % 2, &text) == 0);
	FUZZ_CHECK(bh_json_parse(text, strlen(text), &again, NULL) == 0);
	copy = bh_json_dup(again);
	FUZZ_CHECK(bh_json_encode(copy, size % 2, &text2) == 0);
	FUZZ_CHECK(!strcmp(text, text2));
	return 0;
}
