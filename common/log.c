/* SPDX-License-Identifier: Apache-2.0 */
#define BH_LOG_COMP "log"
#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

/* One write(2) of at most PIPE_BUF bytes is atomic, so records of two processes never mix. */
#define LINE_MAX_BYTES 2048
#define MSG_MAX_BYTES 1024

static _Atomic int g_level = BH_LOG_INFO;
static _Atomic int g_format = BH_LOG_TEXT;
static const char *const level_name[] = { "debug", "info", "warn", "error" };
_Static_assert(sizeof(level_name) / sizeof(level_name[0]) == BH_LOG_MAX_, "level_name is complete");

void bh_log_set_level(enum bh_log_level lvl)
{
	atomic_store(&g_level, lvl);
}

enum bh_log_level bh_log_get_level(void)
{
	return (enum bh_log_level)atomic_load(&g_level);
}

void bh_log_set_format(enum bh_log_format fmt)
{
	atomic_store(&g_format, fmt);
}

const char *bh_log_level_name(enum bh_log_level lvl)
{
	return (unsigned int)lvl < BH_LOG_MAX_ ? level_name[lvl] : "?";
}

int bh_log_level_parse(const char *name)
{
	for (int i = 0; i < BH_LOG_MAX_; i++) {
		if (!strcmp(name, level_name[i]))
			return i;
	}
	return -EINVAL;
}

bool bh_log_allowed(struct bh_log_limit *l, uint32_t *ret_suppressed)
{
	const uint64_t now = bh_clock_ns();

	if (!l->window_ns || now - l->window_ns >= BH_LOG_INTERVAL_S * BH_NS_PER_S) {
		l->window_ns = now;
		l->emitted = 0;
	}
	if (l->emitted >= BH_LOG_BURST) {
		l->suppressed++;
		return false;
	}
	l->emitted++;
	*ret_suppressed = l->suppressed;
	l->suppressed = 0;
	return true;
}

/*
 * Append @s so that it stays one line (text) or one JSON string, keeping room for @reserve
 * trailing bytes. Bytes over 0x7e are escaped too: a tenant's name must not become terminal
 * control or broken UTF-8 in somebody's log pipeline.
 */
static size_t put_escaped(char *buf, size_t len, size_t cap, size_t reserve, const char *s)
{
	const int json = atomic_load(&g_format) == BH_LOG_JSON;

	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		int n;

		if (len + 7 + reserve >= cap)
			break;
		if (json && (c == '"' || c == '\\'))
			n = snprintf(buf + len, cap - len, "\\%c", c);
		else if (c < 0x20 || c > 0x7e)
			n = snprintf(buf + len, cap - len, json ? "\\u%04x" : "\\x%02x", c);
		else
			n = snprintf(buf + len, cap - len, "%c", c);
		len += (size_t)n;
	}
	return len;
}

static size_t put_json(char *line, size_t cap, enum bh_log_level lvl, const char *comp, int err,
		       const char *msg)
{
	struct timespec ts;
	size_t len;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	len = (size_t)snprintf(
		line, cap,
		"{\"ts\":%lld.%03ld,\"level\":\"%s\",\"comp\":\"%s\",\"errno\":%d,\"msg\":\"",
		(long long)ts.tv_sec, ts.tv_nsec / 1000000, level_name[lvl], comp, err);
	len = put_escaped(line, len, cap, 4, msg);
	memcpy(line + len, "\"}\n", 3);
	return len + 3;
}

static size_t put_text(char *line, size_t cap, enum bh_log_level lvl, const char *comp, int err,
		       const char *msg)
{
	size_t len;

	len = (size_t)snprintf(line, cap, "%s: %s: ", level_name[lvl], comp);
	len = put_escaped(line, len, cap, 64, msg);
	if (err)
		len += (size_t)snprintf(line + len, cap - len, " (%s)",
					strerrordesc_np(err) ?: "?");
	line[len++] = '\n';
	return len;
}

void bh_log_emit(enum bh_log_level lvl, const char *comp, int err, const char *fmt, ...)
{
	const int saved_errno = errno;
	char msg[MSG_MAX_BYTES], line[LINE_MAX_BYTES];
	va_list ap;
	size_t len;

	if ((int)lvl < atomic_load(&g_level))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	err = err < 0 ? -err : err;
	if (atomic_load(&g_format) == BH_LOG_JSON)
		len = put_json(line, sizeof(line), lvl, comp, err, msg);
	else
		len = put_text(line, sizeof(line), lvl, comp, err, msg);
	(void)!write(STDERR_FILENO, line, len);
	errno = saved_errno;
}
