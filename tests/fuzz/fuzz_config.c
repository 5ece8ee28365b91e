/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration file: refusals name it, and what is accepted is typed. */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

#include "agent/config_file.h"
#include "agent/options.h"
#include "common/err.h"

static int on_value(void *ud, size_t opt, const char *text)
{
	struct bh_config *c = ud;
	struct bh_err why = { 0 };
	const struct bh_option *o = &bh_options[opt];
	int r;

	FUZZ_CHECK(opt < bh_n_options && o->key && (text || o->kind == BH_OPT_LIST));
	r = o->set(c, text, &why);
	FUZZ_CHECK(r == 0 || r == -EINVAL || r == -ERANGE);
	return r < 0 ? -EINVAL : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bh_auto(bh_config_freep) struct bh_config *c = calloc(1, sizeof(*c));
	struct bh_err err = { 0 };
	int r;

	FUZZ_CHECK(c);
	r = bh_config_file_parse("FILE", (const char *)data, size, on_value, c, &err);
	FUZZ_CHECK(r == 0 || r == -EINVAL);
	/* on_value() says nothing itself */
	FUZZ_CHECK(!err.msg[0] || (r < 0 && !strncmp(err.msg, "FILE: ", 6)));
	FUZZ_CHECK(!c->socket || strlen(c->socket) < 108);
	FUZZ_CHECK(c->debounce_ms <= 5000);
	return 0;
}
