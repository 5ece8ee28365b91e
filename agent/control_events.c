/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/control_events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/findings.h"
#include "bpf/reasons.h"
#include "common/json.h"

struct bh_events {
	struct bh_event_line ring[BH_EVENTS_RECENT_MAX];
	size_t n;    /* in use */
	size_t next; /* where the next one goes: the oldest, once the ring is full */
};

/* Names that are known are not copied: there are many lines and few names. */
static const char *known_name(const char *s)
{
	static const char *const names[] = {
#define X(id, label, ...) label,
		BH_REASONS(X)
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

int bh_events_new(struct bh_events **ret_events)
{
	struct bh_events *ev = calloc(1, sizeof(*ev));

	if (!ev)
		return -ENOMEM;
	*ret_events = ev;
	return 0;
}

static void line_done(struct bh_event_line *l)
{
	free(l->line);
	free(l->tenant);
	*l = (struct bh_event_line){ 0 };
}

struct bh_events *bh_events_free(struct bh_events *ev)
{
	for (size_t i = 0; ev && i < ev->n; i++)
		line_done(&ev->ring[i]);
	free(ev);
	return NULL;
}

int bh_events_add(struct bh_events *ev, const struct bh_json *event, size_t max,
		  const struct bh_event_line **ret_line)
{
	const char *const tenant = bh_json_get_str(event, "tenant");
	bh_autofree char *text = NULL, *tenant_copy = NULL;
	struct bh_event_line *l;
	size_t len;
	char *line;
	int r;

	r = bh_json_encode(event, false, &text);
	if (r < 0)
		return r;
	len = strlen(text);
	if (len + 1 > max)
		return -E2BIG;
	line = realloc(text, len + 2);
	if (!line)
		return -ENOMEM;
	text = line;
	memcpy(text + len, "\n", 2);
	if (tenant) {
		tenant_copy = strdup(tenant);
		if (!tenant_copy)
			return -ENOMEM;
	}
	l = &ev->ring[ev->next];
	line_done(l);
	l->line = BH_TAKE_PTR(text);
	l->len = len + 1;
	l->tenant = BH_TAKE_PTR(tenant_copy);
	l->reason = known_name(bh_json_get_str(event, "reason"));
	l->verdict = known_name(bh_json_get_str(event, "verdict"));
	ev->next = (ev->next + 1) % BH_EVENTS_RECENT_MAX;
	if (ev->n < BH_EVENTS_RECENT_MAX)
		ev->n++;
	*ret_line = l;
	return 0;
}

bool bh_events_match(const struct bh_event_line *line, const struct bh_events_query *q)
{
	if (q->tenant[0] && (!line->tenant || strcmp(line->tenant, q->tenant)))
		return false;
	if (*q->reason && strcmp(line->reason, q->reason))
		return false;
	return !*q->verdict || !strcmp(line->verdict, q->verdict);
}

int bh_events_recent(const struct bh_events *ev, const struct bh_events_query *q, size_t max_bytes,
		     int (*fn)(void *ud, const struct bh_event_line *line), void *ud)
{
	size_t back = 0, bytes = 0;
	unsigned int found = 0;

	/* From the newest back to where a bound is reached, then forward again. */
	while (back < ev->n && found < q->recent) {
		const struct bh_event_line *l =
			&ev->ring[(ev->next + BH_EVENTS_RECENT_MAX - back - 1) %
				  BH_EVENTS_RECENT_MAX];

		if (bh_events_match(l, q)) {
			if (bytes + l->len > max_bytes)
				break;
			bytes += l->len;
			found++;
		}
		back++;
	}
	for (; back; back--) {
		const struct bh_event_line *l =
			&ev->ring[(ev->next + BH_EVENTS_RECENT_MAX - back) % BH_EVENTS_RECENT_MAX];
		int r;

		if (!bh_events_match(l, q))
			continue;
		r = fn(ud, l);
		if (r < 0)
			return r;
	}
	return 0;
}
