/* SPDX-License-Identifier: Apache-2.0 */
#define BH_LOG_COMP "enforcer"
#include "agent/enforcer.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>

#include "agent/config.h"
#include "agent/confine.h"
#include "agent/control.h"
#include "agent/explain.h"
#include "agent/follow.h"
#include "agent/loop.h"
#include "agent/observe.h"
#include "agent/pipeline.h"
#include "agent/report/channel.h"
#include "agent/report/snapshot.h"
#include "agent/sources/dir.h"
#include "agent/view.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/json.h"
#include "common/log.h"

/*
 * The other ends of veths are asked again while something is unsettled: addresses inside a pod's
 * namespace come without an event on this side. Else now and then, against events that were missed.
 */
#define REFRESH_UNSETTLED_NS (200 * BH_NS_PER_MS)
#define REFRESH_SETTLED_NS (30 * BH_NS_PER_S)
/* After this many quick looks in a row nobody is waiting any more. */
#define REFRESH_QUICK_LOOKS 50

struct bh_enforcer {
	const struct bh_config *cfg;
	struct bh_loop *loop;
	struct bh_pipeline *pl;
	struct bh_dir *dir;
	struct bh_control *control;
	struct bh_follow *flows;
	struct bh_report_channel *channel;
	struct bh_loop_source *on_links, *on_dir, *on_events, *on_term, *on_int;
	struct bh_loop_source *dir_timer, *refresh_timer;
	struct bh_view view;
	uint64_t start_unix_ms;
	uint64_t events;	  /* delivered since the start */
	unsigned int quick_looks; /* in a row */
	int lock_fd;
};

static struct bh_enforcer *enforcer_free(struct bh_enforcer *e)
{
	if (!e)
		return NULL;
	bh_report_channel_free(e->channel);
	bh_control_free(e->control);
	bh_follow_free(e->flows);
	bh_loop_source_free(e->on_links);
	bh_loop_source_free(e->on_dir);
	bh_loop_source_free(e->on_events);
	bh_loop_source_free(e->on_term);
	bh_loop_source_free(e->on_int);
	bh_loop_source_free(e->dir_timer);
	bh_loop_source_free(e->refresh_timer);
	bh_dir_free(e->dir);
	bh_pipeline_free(e->pl);
	bh_loop_free(e->loop);
	bh_closep(&e->lock_fd);
	free(e);
	return NULL;
}
BH_DEFINE_AUTO(struct bh_enforcer, enforcer_free)

/* --- what the source says --- */

static int put_object(void *ud, struct bh_object *o)
{
	struct bh_enforcer *e = ud;

	return bh_model_put(bh_pipeline_model(e->pl), o);
}

static void del_object(void *ud, const struct bh_object_key *k)
{
	struct bh_enforcer *e = ud;

	(void)bh_model_del(bh_pipeline_model(e->pl), k);
}

/* --- running the pipeline --- */

static void arm_refresh(struct bh_enforcer *e)
{
	const bool quick = bh_pipeline_unsettled(e->pl) && e->quick_looks < REFRESH_QUICK_LOOKS;

	(void)bh_loop_timer_in(e->refresh_timer, quick ? REFRESH_UNSETTLED_NS : REFRESH_SETTLED_NS);
}

static void arm_dir(struct bh_enforcer *e)
{
	const uint64_t at = bh_dir_deadline_ns(e->dir);

	if (at == UINT64_MAX)
		(void)bh_loop_timer_stop(e->dir_timer);
	else
		(void)bh_loop_timer_at(e->dir_timer, at);
}

static void on_finding(void *ud, const struct bh_finding *f, bool over)
{
	struct bh_enforcer *e = ud;
	bh_auto(bh_json_freep) struct bh_json *j = bh_view_finding(&e->view, f, over);

	if (j)
		bh_control_publish(e->control, BH_FEED_EVENTS, j);
}

static void run(struct bh_enforcer *e)
{
	if (bh_dir_readable(e->dir))
		bh_pipeline_set_synced(e->pl);
	bh_pipeline_run(e->pl);
	bh_pipeline_find(e->pl, on_finding, e);
	arm_refresh(e);
}

static void dir_changed(struct bh_enforcer *e)
{
	const bool was_readable = bh_dir_readable(e->dir);

	if (bh_dir_dispatch(e->dir) || bh_dir_readable(e->dir) != was_readable) {
		e->quick_looks = 0;
		run(e);
	}
	arm_dir(e);
}

static void on_dir_io(void *ud, uint32_t revents)
{
	(void)revents;
	dir_changed(ud);
}

static void on_dir_timer(void *ud)
{
	dir_changed(ud);
}

static void links_result(struct bh_enforcer *e, int r, const struct bh_err *err)
{
	if (r < 0)
		bh_warn_limited("reading the interfaces: %s, keeping what is known",
				err->msg[0] ? err->msg : strerror(-r));
	else if (r > 0)
		run(e);
}

static void on_links_io(void *ud, uint32_t revents)
{
	struct bh_enforcer *e = ud;
	struct bh_err err = { 0 };
	int r;

	(void)revents;
	e->quick_looks = 0;
	r = bh_links_dispatch(bh_pipeline_links(e->pl), &err);
	links_result(e, r, &err);
	if (bh_pipeline_lost(e->pl, true))
		run(e);
	else
		bh_pipeline_find(e->pl, on_finding, e);
	arm_refresh(e);
}

static void on_refresh(void *ud)
{
	struct bh_enforcer *e = ud;
	struct bh_err err = { 0 };
	const bool retry = bh_pipeline_stats(e->pl)->last_failed;
	int r;

	if (e->quick_looks < REFRESH_QUICK_LOOKS)
		e->quick_looks++;
	r = bh_links_refresh_peers(bh_pipeline_links(e->pl), &err);
	bh_pipeline_look_unseen(e->pl);
	links_result(e, r, &err);
	if (r == 0 && (retry || bh_pipeline_lost(e->pl, false)))
		run(e);
	else
		bh_pipeline_find(e->pl, on_finding, e);
	arm_refresh(e);
}

/* --- events --- */

static void on_event(void *ud, const struct bh_abi_event *ev)
{
	struct bh_enforcer *e = ud;
	bh_auto(bh_json_freep) struct bh_json *j = bh_view_event(&e->view, ev);

	e->events++;
	if (j)
		bh_control_publish(e->control, BH_FEED_EVENTS, j);
}

static void on_events_io(void *ud, uint32_t revents)
{
	struct bh_enforcer *e = ud;

	(void)revents;
	(void)bh_datapath_events(bh_pipeline_datapath(e->pl), on_event, e);
}

static void on_flow(void *ud, const struct bh_abi_flow_record *f)
{
	struct bh_enforcer *e = ud;
	bh_auto(bh_json_freep) struct bh_json *j = bh_view_flow(&e->view, f);

	if (j)
		bh_control_publish(e->control, BH_FEED_FLOWS, j);
}

/* --- what the socket asks --- */

static int answer(struct bh_json *j, struct bh_json **ret)
{
	if (!j)
		return -ENOMEM;
	*ret = j;
	return 0;
}

static void refresh_view(struct bh_enforcer *e)
{
	if (!e->channel)
		return;
	e->view.reporter_alive = bh_report_channel_alive(e->channel);
	e->view.reporter_restarts = bh_report_channel_restarts(e->channel);
}

static int get_status(void *ud, struct bh_json **ret, struct bh_err *err)
{
	struct bh_enforcer *e = ud;

	(void)err;
	refresh_view(e);
	return answer(bh_view_status(&e->view), ret);
}

static int get_tenants(void *ud, struct bh_json **ret, struct bh_err *err)
{
	struct bh_enforcer *e = ud;

	(void)err;
	return answer(bh_view_tenants(&e->view), ret);
}

static int get_pods(void *ud, struct bh_json **ret, struct bh_err *err)
{
	struct bh_enforcer *e = ud;

	(void)err;
	return answer(bh_view_pods(&e->view), ret);
}

static int get_explain(void *ud, const struct bh_explain_query *q, struct bh_json **ret,
		       struct bh_err *err)
{
	struct bh_enforcer *e = ud;

	return bh_explain(e->pl, q, ret, err);
}

static void flows_wanted(void *ud, const struct bh_flow_demand *d)
{
	struct bh_enforcer *e = ud;
	const int r = e->flows ? bh_follow_want(e->flows, d) : 0;

	if (r < 0)
		bh_warn_limited("cannot switch the recording of flows: %s", strerror(-r));
}

static int fill_snapshot(void *ud, struct bh_snapshot *s)
{
	struct bh_enforcer *e = ud;
	char lines[BH_READY_MAX][BH_READY_LINE];
	const struct bh_observe o = {
		.pl = e->pl,
		.dp = bh_pipeline_datapath(e->pl),
		.dir = e->dir,
		.node = e->cfg->node,
		.start_unix_ms = e->start_unix_ms,
		.events = e->events,
		.ready = bh_dir_readable(e->dir) && bh_pipeline_unready(e->pl, lines) == 0,
	};

	bh_observe(&o, s);
	return 0;
}

static void on_signal(void *ud)
{
	struct bh_enforcer *e = ud;

	bh_info("ending on request; what is enforced stays");
	(void)bh_loop_exit(e->loop, 0);
}

/* One daemon for one set of pins: the lock goes with the process, however it ends. */
static int lock_pins(const char *bpffs, int *ret_fd, struct bh_err *err)
{
	bh_autoclose int fd = open(bpffs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return bh_err_set(err, errno, "cannot open '%s': %s", bpffs, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return bh_err_set(err, errno == EWOULDBLOCK ? EBUSY : errno,
				  "another bulkheadd runs on '%s'", bpffs);
	*ret_fd = BH_TAKE_FD(fd);
	return 0;
}

static int open_control(struct bh_enforcer *e, struct bh_err *err)
{
	const struct bh_control_ops ops = {
		.ud = e,
		.status = get_status,
		.tenants = get_tenants,
		.pods = get_pods,
		.explain = get_explain,
		.flows_wanted = flows_wanted,
	};

	return bh_control_new(e->loop, e->cfg->socket, &ops, &e->control, err);
}

static int open_source(struct bh_enforcer *e, struct bh_err *err)
{
	const struct bh_dir_sink sink = { .ud = e, .put = put_object, .del = del_object };
	int r;

	r = bh_dir_new(e->cfg->manifests, e->cfg->debounce_ms, &sink, &e->dir, err);
	if (r < 0)
		return r;
	r = bh_dir_scan(e->dir, err);
	if (r < 0 && bh_datapath_fresh(bh_pipeline_datapath(e->pl)))
		return r; /* a first start with a wrong folder is a mistake to be told at once */
	if (r < 0)
		bh_warn("%s; what is pinned goes on, trying again", err->msg);
	return 0;
}

static int plug_in(struct bh_enforcer *e, int report_fd)
{
	int r;

	r = bh_loop_timer(e->loop, on_dir_timer, e, &e->dir_timer);
	if (r >= 0)
		r = bh_loop_timer(e->loop, on_refresh, e, &e->refresh_timer);
	if (r >= 0)
		r = bh_loop_io(e->loop, bh_dir_fd(e->dir), EPOLLIN, on_dir_io, e, &e->on_dir);
	if (r >= 0)
		r = bh_loop_io(e->loop, bh_links_fd(bh_pipeline_links(e->pl)), EPOLLIN, on_links_io,
			       e, &e->on_links);
	if (r >= 0)
		r = bh_loop_io(e->loop, bh_datapath_events_fd(bh_pipeline_datapath(e->pl)), EPOLLIN,
			       on_events_io, e, &e->on_events);
	if (r >= 0)
		r = bh_follow_new(e->loop, bh_pipeline_datapath(e->pl), on_flow, e, &e->flows);
	if (r >= 0)
		r = bh_loop_signal(e->loop, SIGTERM, on_signal, e, &e->on_term);
	if (r >= 0)
		r = bh_loop_signal(e->loop, SIGINT, on_signal, e, &e->on_int);
	if (r >= 0 && report_fd >= 0)
		r = bh_report_channel_new(e->loop, report_fd, fill_snapshot, e, &e->channel);
	return r;
}

static int confine(struct bh_enforcer *e, struct bh_err *err)
{
	int r;

	if (e->cfg->no_confine) {
		bh_warn("not confined, because of --no-confine");
		return 0;
	}
	r = bh_confine_caps(BH_CAPS_ENFORCER, err);
	if (r >= 0)
		r = bh_confine_seccomp(BH_CONFINE_ENFORCER, err);
	if (r >= 0)
		e->view.confined = true;
	return r;
}

static int open_all(struct bh_enforcer *e, struct bh_err *err)
{
	int r;

	r = bh_loop_new(&e->loop);
	if (r < 0)
		return bh_err_set(err, r, "cannot make an event loop: %s", strerror(-r));
	r = open_control(e, err);
	if (r >= 0)
		r = bh_datapath_prepare(e->cfg->bpffs, err);
	if (r >= 0)
		r = lock_pins(e->cfg->bpffs, &e->lock_fd, err);
	/* only now: opening swaps the programs of what is attached */
	if (r >= 0)
		r = bh_pipeline_new(e->cfg, &e->pl, err);
	e->view.pl = e->pl;
	if (r >= 0)
		r = open_source(e, err);
	e->view.dir = e->dir;
	return r;
}

int bh_enforcer_run(const struct bh_config *cfg, int report_fd, struct bh_err *err)
{
	bh_auto(enforcer_freep) struct bh_enforcer *e = calloc(1, sizeof(*e));
	bh_autoclose int channel_fd = report_fd;
	int r, code = 0;

	if (!e)
		return -ENOMEM;
	e->lock_fd = -1;
	e->cfg = cfg;
	e->start_unix_ms = bh_clock_wall_ns() / BH_NS_PER_MS;
	e->view = (struct bh_view){ .cfg = cfg, .start_ns = bh_clock_ns() };
	r = open_all(e, err);
	if (r < 0)
		return r;
	/* loading needed megabytes of type information; give them back before the long quiet */
	(void)malloc_trim(0);
	r = plug_in(e, BH_TAKE_FD(channel_fd));
	if (r < 0)
		return bh_err_set(err, r, "cannot set up the event loop: %s", strerror(-r));
	r = confine(e, err);
	if (r < 0)
		return r;
	bh_info("enforcing on node '%s' by %s, %s", cfg->node,
		bh_attach_name(bh_datapath_attach_mode(bh_pipeline_datapath(e->pl))),
		bh_datapath_fresh(bh_pipeline_datapath(e->pl)) ? "first start" : "adopted");
	bh_pipeline_look_unseen(e->pl);
	run(e);
	arm_dir(e);
	r = bh_loop_run(e->loop, &code);
	if (r < 0)
		return bh_err_set(err, r, "event loop: %s", strerror(-r));
	return code;
}

int bh_enforcer_detach(const struct bh_config *cfg, struct bh_err *err)
{
	bh_autoclose int lock_fd = -1;
	int r;

	r = lock_pins(cfg->bpffs, &lock_fd, err);
	if (r == -ENOENT)
		return 0; /* nothing was ever there */
	if (r < 0)
		return bh_err_wrap(err, r, "stop it before --detach");
	return bh_datapath_detach_all(cfg->bpffs, err);
}
