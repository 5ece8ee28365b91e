/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_control - the request target of the local socket: decoding, then routing. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/control_route.h"
#include "agent/http/target.h"
#include "common/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct bh_control_query *q)
{
	if (q->verb == BH_CONTROL_EXPLAIN) {
		const struct bh_explain_end *const ends[] = { &q->explain.src, &q->explain.dst };

		for (size_t i = 0; i < 2; i++) {
			const struct bh_explain_end *const e = ends[i];

			assert(e->text[0] && strlen(e->text) < sizeof(e->text));
			assert(e->is_addr || (e->ns[0] && e->name[0]));
		}
		assert((q->explain.proto == 1) == (q->explain.port == 0));
	}
	if (q->verb == BH_CONTROL_EVENTS || q->verb == BH_CONTROL_FLOWS) {
		assert(q->feed.recent <= BH_FEED_RECENT_MAX);
		assert(q->feed.sample >= 1 && q->feed.sample <= BH_FEED_SAMPLE_MAX);
		assert(strlen(q->feed.tenant) < sizeof(q->feed.tenant));
		assert(strlen(q->feed.pod) < sizeof(q->feed.pod));
		assert(!q->feed.pod[0] || strchr(q->feed.pod, '/'));
		assert(q->feed.reason && q->feed.verdict && q->feed.proto && q->feed.peer_class);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *raw = malloc(size + 1);
	struct bh_http_target t;
	struct bh_control_query q;
	struct bh_err err = { 0 };

	if (!raw)
		return 0;
	if (size)
		memcpy(raw, data, size);
	raw[size] = '\0';
	if (!bh_http_target_parse(raw, &t, &err)) {
		assert(t.path[0] == '/' && t.n_params <= BH_HTTP_MAX_PARAMS);
		for (size_t i = 0; i < t.n_params; i++)
			assert(bh_http_target_get(&t, t.params[i].key) == t.params[i].value);
		if (!bh_control_route(&t, &q, &err))
			check(&q);
		else
			assert(err.code && err.msg[0]);
	} else {
		assert(err.code && err.msg[0]);
	}
	free(raw);
	return 0;
}
