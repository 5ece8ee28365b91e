/* SPDX-License-Identifier: Apache-2.0 */
/* YAML: every document that is accepted is sound JSON, and every stream ends. */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

#include "common/err.h"
#include "common/json.h"
#include "common/yaml.h"

static void check_document(const struct bh_json *j)
{
	bh_auto(bh_json_freep) struct bh_json *again = NULL;
	bh_autofree char *text = NULL, *text2 = NULL;

	FUZZ_CHECK(bh_json_encode(j, false, &text) == 0);
	/* no duplicate keys, no invalid UTF-8, within the bounds */
	FUZZ_CHECK(bh_json_parse(text, strlen(text), &again, NULL) == 0);
	FUZZ_CHECK(bh_json_encode(again, false, &text2) == 0);
	FUZZ_CHECK(!strcmp(text, text2));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bh_auto(bh_yaml_freep) struct bh_yaml *y = NULL;
	unsigned int last = 0;

	FUZZ_CHECK(bh_yaml_new((const char *)data, size, &y) == 0);
	for (;;) {
		bh_auto(bh_json_freep) struct bh_json *j = NULL;
		struct bh_err err = { 0 };
		const int r = bh_yaml_next(y, &j, &err);

		FUZZ_CHECK(r == 0 || r == 1 || r == -EINVAL || r == -E2BIG);
		FUZZ_CHECK((r == 1) == (j != NULL) && (r < 0) == !!err.msg[0]);
		if (r == 0)
			break;
		FUZZ_CHECK(bh_yaml_doc(y) > last || (r == -E2BIG && last == BH_YAML_MAX_DOCS));
		last = bh_yaml_doc(y);
		if (j)
			check_document(j);
	}
	FUZZ_CHECK(last <= BH_YAML_MAX_DOCS);
	return 0;
}
