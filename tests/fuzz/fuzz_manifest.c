/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests: what decodes is the object that it was said to be, and refusals say why. */
#include "tests/fuzz/fuzz.h"

#include <errno.h>

#include "agent/sources/dir_docs.h"
#include "common/err.h"
#include "common/json.h"
#include "model/object.h"

static int on_doc(void *ud, const struct bh_dir_doc *doc)
{
	bh_auto(bh_object_freep) struct bh_object *o = NULL;
	struct bh_object_key key = { 0 };
	struct bh_err err = { 0 };
	char text[600];
	int r, r2;

	(void)ud;
	FUZZ_CHECK(doc->doc > 0 && (doc->json || doc->err->msg[0]));
	if (!doc->json)
		return 0;
	r = bh_object_identify(doc->json, &key, &err);
	FUZZ_CHECK(r == 0 || r == -EOPNOTSUPP || (r == -EINVAL && err.msg[0]));
	err = (struct bh_err){ 0 };
	r2 = bh_object_decode(doc->json, &o, &err);
	FUZZ_CHECK(r2 == 0 || r2 == -EOPNOTSUPP || (r2 == -EINVAL && err.msg[0]));
	FUZZ_CHECK((r2 == 0) == (o != NULL));
	if (o) {
		FUZZ_CHECK(r == 0 && bh_object_key_cmp(&key, &o->key) == 0);
		(void)bh_object_key_str(&o->key, text, sizeof(text));
	}
	if (r == 0)
		bh_object_key_done(&key);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FUZZ_CHECK(bh_dir_docs(size % 4 ? "x.yaml" : "x.json", (const char *)data, size, on_doc,
			       NULL) == 0);
	return 0;
}
