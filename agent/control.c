/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/control.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "agent/control_feed.h"
#include "agent/http/listen.h"
#include "agent/http/server.h"
#include "agent/http/stream.h"
#include "agent/http/target.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/json.h"

#define JSON_TYPE "application/json"
#define LINES_TYPE "application/x-ndjson"

/* What a new follower is sent at once must leave room in its queue for what comes meanwhile. */
#define FOLLOW_RECENT_BYTES (BH_HTTP_STREAM_QUEUE / 2)

struct follower {
	struct bh_control *control; /* NULL: the slot is free */
	struct bh_http_stream *stream;
	enum bh_feed_id feed;
	struct bh_feed_query query;
};

struct bh_control {
	struct bh_control_ops ops;
	struct bh_listen_unix listen;
	struct bh_http_server *server;
	struct bh_feed *feeds[BH_FEED_MAX_];
	struct follower followers[BH_HTTP_MAX_STREAMS];
	struct bh_control_stats stats;
};

static unsigned int status_of(int error)
{
	switch (-error) {
	case EINVAL:
	case ERANGE:
		return 400;
	case EPERM:
	case EACCES:
		return 403;
	case ENOENT:
		return 404;
	case EOPNOTSUPP:
		return 501;
	case EAGAIN:
	case EBUSY:
		return 503;
	default:
		return 500;
	}
}

static void reply_error(struct bh_http_request *req, int error, const struct bh_err *err)
{
	bh_http_reply_error(req, status_of(error), "%s", err->msg[0] ? err->msg : strerror(-error));
}

static int ask(const struct bh_control_ops *ops, const struct bh_control_query *q,
	       struct bh_json **ret_json, struct bh_err *err)
{
	switch (q->verb) {
	case BH_CONTROL_STATUS:
		return ops->status(ops->ud, ret_json, err);
	case BH_CONTROL_TENANTS:
		return ops->tenants(ops->ud, ret_json, err);
	case BH_CONTROL_PODS:
		return ops->pods(ops->ud, ret_json, err);
	case BH_CONTROL_EXPLAIN:
		return ops->explain(ops->ud, &q->explain, ret_json, err);
	case BH_CONTROL_EVENTS:
	case BH_CONTROL_FLOWS:
		break;
	}
	return -EOPNOTSUPP;
}

static void answer_json(struct bh_control *c, struct bh_http_request *req,
			const struct bh_control_query *q)
{
	bh_auto(bh_json_freep) struct bh_json *j = NULL;
	struct bh_err err = { 0 };
	char *text = NULL;
	int r;

	r = ask(&c->ops, q, &j, &err);
	if (r >= 0)
		r = bh_json_encode(j, false, &text);
	if (r < 0)
		reply_error(req, r, &err);
	else
		bh_http_reply(req, 200, JSON_TYPE, text, strlen(text));
}

static int add_to_body(void *ud, const struct bh_feed_line *line)
{
	struct bh_buf *b = ud;

	bh_buf_add(b, line->line, line->len);
	return b->error;
}

static int add_to_stream(void *ud, const struct bh_feed_line *line)
{
	return bh_http_stream_write(ud, line->line, line->len);
}

/* Tell who writes flow records what all their readers together want; nothing, if there is none. */
static void tell_demand(struct bh_control *c)
{
	struct bh_flow_demand d = { .sample = BH_FEED_SAMPLE_MAX, .tenant = "" };

	for (size_t i = 0; i < BH_HTTP_MAX_STREAMS; i++) {
		const struct follower *const f = &c->followers[i];

		if (!f->control || f->feed != BH_FEED_FLOWS)
			continue;
		if (f->query.sample < d.sample)
			d.sample = f->query.sample;
		if (!d.followers)
			d.tenant = f->query.tenant;
		else if (strcmp(d.tenant, f->query.tenant) != 0)
			d.tenant = "";
		d.followers++;
	}
	if (c->ops.flows_wanted)
		c->ops.flows_wanted(c->ops.ud, &d);
}

static void on_closed(void *ud, struct bh_http_stream *s)
{
	struct follower *f = ud;
	struct bh_control *const c = f->control;

	(void)s;
	c->stats.followers[f->feed]--;
	f->control = NULL;
	if (f->feed == BH_FEED_FLOWS)
		tell_demand(c);
}

static void answer_recent(struct bh_feed *feed, struct bh_http_request *req,
			  const struct bh_feed_query *q)
{
	bh_autobuf b = BH_BUF_INIT;
	char *body = NULL;
	size_t len = 0;
	int r;

	(void)bh_feed_recent(feed, q, SIZE_MAX, add_to_body, &b);
	r = bh_buf_take(&b, &body, &len);
	if (r < 0)
		reply_error(req, r, &(struct bh_err){ 0 });
	else
		bh_http_reply(req, 200, LINES_TYPE, body, len);
}

static void answer_follow(struct bh_control *c, enum bh_feed_id feed, struct bh_http_request *req,
			  const struct bh_feed_query *q)
{
	struct follower *f = c->followers;
	int r;

	while (f < c->followers + BH_HTTP_MAX_STREAMS && f->control)
		f++;
	if (f == c->followers + BH_HTTP_MAX_STREAMS)
		r = -EBUSY;
	else
		r = bh_http_stream_open(req, LINES_TYPE, on_closed, f, &f->stream);
	if (r == -EBUSY)
		bh_http_reply_error(req, 503, "%d others follow already", BH_HTTP_MAX_STREAMS);
	else if (r < 0)
		reply_error(req, r, &(struct bh_err){ 0 });
	if (r < 0)
		return;
	f->control = c;
	f->feed = feed;
	f->query = *q;
	c->stats.followers[feed]++;
	if (feed == BH_FEED_FLOWS)
		tell_demand(c);
	(void)bh_feed_recent(c->feeds[feed], q, FOLLOW_RECENT_BYTES, add_to_stream, f->stream);
}

static void answer_feed(struct bh_control *c, enum bh_feed_id feed, struct bh_http_request *req,
			const struct bh_feed_query *q)
{
	if (q->follow)
		answer_follow(c, feed, req, q);
	else
		answer_recent(c->feeds[feed], req, q);
}

/* The file's mode says the same; this holds whatever becomes of the file. */
static bool is_allowed(struct bh_http_request *req)
{
	uid_t uid;
	pid_t pid;

	return bh_http_request_peer(req, &uid, &pid) == 0 && (uid == 0 || uid == geteuid());
}

static void on_request(void *ud, struct bh_http_request *req)
{
	struct bh_control *c = ud;
	struct bh_control_query q;
	struct bh_err err = { 0 };
	int r;

	if (!is_allowed(req)) {
		bh_http_reply_error(req, 403, "only for root and the daemon's own user");
		return;
	}
	r = bh_control_route(bh_http_request_target(req), &q, &err);
	if (r < 0)
		reply_error(req, r, &err);
	else if (q.verb == BH_CONTROL_EVENTS)
		answer_feed(c, BH_FEED_EVENTS, req, &q.feed);
	else if (q.verb == BH_CONTROL_FLOWS)
		answer_feed(c, BH_FEED_FLOWS, req, &q.feed);
	else
		answer_json(c, req, &q);
}

int bh_control_new(struct bh_loop *loop, const char *socket_path, const struct bh_control_ops *ops,
		   struct bh_control **ret_control, struct bh_err *err)
{
	bh_auto(bh_control_freep) struct bh_control *c = calloc(1, sizeof(*c));
	int r = 0;

	if (!c)
		return -ENOMEM;
	c->listen.fd = -1;
	c->ops = *ops;
	for (int i = 0; i < BH_FEED_MAX_ && r >= 0; i++)
		r = bh_feed_new(&c->feeds[i]);
	if (r < 0)
		return r;
	r = bh_listen_unix_open(socket_path, &c->listen, err);
	if (r < 0)
		return r;
	r = bh_http_server_new(loop, BH_TAKE_FD(c->listen.fd), on_request, c, &c->server);
	if (r < 0)
		return bh_err_set(err, r, "serve on '%s'", socket_path);
	*ret_control = BH_TAKE_PTR(c);
	return 0;
}

struct bh_control *bh_control_free(struct bh_control *c)
{
	if (!c)
		return NULL;
	c->server = bh_http_server_free(c->server);
	bh_listen_unix_close(&c->listen);
	for (int i = 0; i < BH_FEED_MAX_; i++)
		bh_feed_free(c->feeds[i]);
	free(c);
	return NULL;
}

void bh_control_publish(struct bh_control *c, enum bh_feed_id feed, const struct bh_json *object)
{
	const struct bh_feed_line *line;

	if (bh_feed_add(c->feeds[feed], object, BH_FEED_LINE_MAX, &line) < 0) {
		c->stats.lost[feed]++;
		return;
	}
	c->stats.published[feed]++;
	for (size_t i = 0; i < BH_HTTP_MAX_STREAMS; i++) {
		struct follower *f = &c->followers[i];

		/* A follower that cannot take it is cut off, and closed() clears its slot. */
		if (f->control && f->feed == feed && bh_feed_match(line, &f->query))
			(void)bh_http_stream_write(f->stream, line->line, line->len);
	}
}

void bh_control_stats(const struct bh_control *c, struct bh_control_stats *ret_stats)
{
	*ret_stats = c->stats;
	ret_stats->cut_off = bh_http_server_cut_off(c->server);
}
