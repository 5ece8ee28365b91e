/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/control_feed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/findings.h"
#include "bpf/names.h"
#include "bpf/reasons.h"
#include "common/json.h"
#include "model/class.h"

struct bh_feed {
	struct bh_feed_line ring[BH_FEED_RECENT_MAX];
	size_t n;    /* in use */
	size_t next; /* where the next one goes: the oldest, once the ring is full */
};

/* Names that are known are not copied: there are many lines and few names. */
static const char *known_name(const char *s)
{
	static const char *const names[] = {
#define X(id, label, ...) label,
		BH_REASONS(X) BH_CLASSES(X)
#undef X
#define X(id, label, ...) label,
			BH_FINDINGS(X)
#undef X
				"pass",
		"drop",
		"audit",
	};

	for (size_t i = 0; s && i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(s, names[i]))
			return names[i];
	}
	return "";
}

static const char *known_proto(const char *s)
{
	for (unsigned int i = 0; s && i < BH_PROTO_NAMES; i++) {
		if (!strcmp(s, bh_proto_nth(i)))
			return bh_proto_nth(i);
	}
	return "";
}

int bh_feed_new(struct bh_feed **ret_feed)
{
	struct bh_feed *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	*ret_feed = f;
	return 0;
}

static void line_done(struct bh_feed_line *l)
{
	free(l->line);
	free(l->tenant);
	free(l->pod);
	*l = (struct bh_feed_line){ 0 };
}

struct bh_feed *bh_feed_free(struct bh_feed *f)
{
	for (size_t i = 0; f && i < f->n; i++)
		line_done(&f->ring[i]);
	free(f);
	return NULL;
}

static int copy(const struct bh_json *object, const char *key, char **ret_text)
{
	const char *const text = bh_json_get_str(object, key);

	*ret_text = text ? strdup(text) : NULL;
	return text && !*ret_text ? -ENOMEM : 0;
}

static int end_line(struct bh_feed_line *l)
{
	char *const longer = realloc(l->line, l->len + 1);

	if (!longer)
		return -ENOMEM;
	l->line = longer;
	memcpy(l->line + l->len - 1, "\n", 2);
	return 0;
}

static int line_fill(struct bh_feed_line *l, const struct bh_json *object, size_t max)
{
	int r;

	r = bh_json_encode(object, false, &l->line);
	if (r < 0)
		return r;
	l->len = strlen(l->line) + 1;
	if (l->len > max)
		return -E2BIG;
	r = end_line(l);
	if (r >= 0)
		r = copy(object, "tenant", &l->tenant);
	if (r >= 0)
		r = copy(object, "pod", &l->pod);
	l->reason = known_name(bh_json_get_str(object, "reason"));
	l->verdict = known_name(bh_json_get_str(object, "verdict"));
	l->peer_class = known_name(bh_json_get_str(object, "peerClass"));
	l->proto = known_proto(bh_json_get_str(object, "proto"));
	l->sport = bh_json_num(bh_json_get(object, "sport"));
	l->dport = bh_json_num(bh_json_get(object, "dport"));
	return r;
}

int bh_feed_add(struct bh_feed *f, const struct bh_json *object, size_t max,
		const struct bh_feed_line **ret_line)
{
	struct bh_feed_line *l = &f->ring[f->next], fresh = { 0 };
	int r;

	r = line_fill(&fresh, object, max);
	if (r < 0) {
		line_done(&fresh);
		return r;
	}
	line_done(l);
	*l = fresh;
	f->next = (f->next + 1) % BH_FEED_RECENT_MAX;
	if (f->n < BH_FEED_RECENT_MAX)
		f->n++;
	*ret_line = l;
	return 0;
}

/* @want "" asks for nothing. */
static bool is(const char *have, const char *want)
{
	return !*want || (have && !strcmp(have, want));
}

bool bh_feed_match(const struct bh_feed_line *line, const struct bh_feed_query *q)
{
	return is(line->tenant, q->tenant) && is(line->pod, q->pod) &&
	       is(line->reason, q->reason) && is(line->verdict, q->verdict) &&
	       is(line->proto, q->proto) && is(line->peer_class, q->peer_class) &&
	       (!q->port || line->sport == q->port || line->dport == q->port);
}

int bh_feed_recent(const struct bh_feed *f, const struct bh_feed_query *q, size_t max_bytes,
		   int (*fn)(void *ud, const struct bh_feed_line *line), void *ud)
{
	size_t back = 0, bytes = 0;
	unsigned int found = 0;

	/* From the newest back to where a bound is reached, then forward again. */
	while (back < f->n && found < q->recent) {
		const struct bh_feed_line *l =
			&f->ring[(f->next + BH_FEED_RECENT_MAX - back - 1) % BH_FEED_RECENT_MAX];

		if (bh_feed_match(l, q)) {
			if (bytes + l->len > max_bytes)
				break;
			bytes += l->len;
			found++;
		}
		back++;
	}
	for (; back; back--) {
		const struct bh_feed_line *l =
			&f->ring[(f->next + BH_FEED_RECENT_MAX - back) % BH_FEED_RECENT_MAX];
		int r;

		if (!bh_feed_match(l, q))
			continue;
		r = fn(ud, l);
		if (r < 0)
			return r;
	}
	return 0;
}
