/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/http/client.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/un.h>

#include <curl/curl.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/err.h"

#define CONNECT_TIMEOUT_MS 5000L

struct transfer {
	CURL *curl;
	struct bh_buf body; /* or the line that is not complete yet */
	bh_http_line_fn fn;
	void *ud;
	int error; /* why we stopped the transfer */
};

static void curl_cleanup(CURL **c)
{
	curl_easy_cleanup(*c);
}

static int take_line(struct transfer *t)
{
	int r = t->body.error;

	if (!r)
		r = t->fn(t->ud, t->body.data ? t->body.data : "", t->body.len);
	bh_buf_done(&t->body);
	return r;
}

static int split_lines(struct transfer *t, const char *data, size_t len)
{
	const char *nl;
	int r;

	while ((nl = memchr(data, '\n', len))) {
		const size_t n = (size_t)(nl - data);

		bh_buf_add(&t->body, data, n);
		r = take_line(t);
		if (r < 0)
			return r;
		data += n + 1;
		len -= n + 1;
	}
	bh_buf_add(&t->body, data, len);
	return t->body.error;
}

static size_t on_data(char *data, size_t size, size_t n, void *ud)
{
	struct transfer *t = ud;
	const size_t len = size * n;
	long status = 0;

	(void)curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	if (t->fn && status == 200) {
		t->error = split_lines(t, data, len);
	} else {
		bh_buf_add(&t->body, data, len);
		t->error = t->body.error;
	}
	return t->error < 0 ? 0 : len;
}

static int set_options(struct transfer *t, const char *socket_path, const char *url)
{
	CURL *c = t->curl;

	if (curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, socket_path) ||
	    curl_easy_setopt(c, CURLOPT_URL, url) || curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L) ||
	    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http") ||
	    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) ||
	    curl_easy_setopt(c, CURLOPT_NOPROXY, "*") ||
	    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) ||
	    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS) ||
	    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data) ||
	    curl_easy_setopt(c, CURLOPT_WRITEDATA, t))
		return -EINVAL;
	return 0;
}

static int explain(const struct transfer *t, CURLcode code, const char *path, struct bh_err *err)
{
	long os = 0;

	if (t->error < 0)
		return bh_err_set(err, t->error, "answer of '%s': %s", path, strerror(-t->error));
	switch (code) {
	case CURLE_COULDNT_CONNECT:
		(void)curl_easy_getinfo(t->curl, CURLINFO_OS_ERRNO, &os);
		if (os <= 0)
			os = ECONNREFUSED;
		return bh_err_set(err, (int)os, "connect to '%s': %s", path, strerror((int)os));
	case CURLE_OPERATION_TIMEDOUT:
		return bh_err_set(err, ETIMEDOUT, "no answer in time from '%s'", path);
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	default:
		return bh_err_set(err, EPROTO, "'%s': %s", path, curl_easy_strerror(code));
	}
}

static int perform(struct transfer *t, const char *path, const char *target, long timeout_ms,
		   struct bh_err *err)
{
	bh_autobuf url = BH_BUF_INIT;
	CURLcode code;
	int r;

	/* Longer paths would be cut by the address structure and reach another socket. */
	if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return bh_err_set(err, ENAMETOOLONG, "socket path '%s' is too long", path);
	bh_buf_printf(&url, "http://bulkhead%s", target);
	if (url.error)
		return url.error;
	t->curl = curl_easy_init();
	if (!t->curl)
		return -ENOMEM;
	r = set_options(t, path, url.data);
	if (r < 0)
		return bh_err_set(err, r, "libcurl lacks an option");
	if (curl_easy_setopt(t->curl, CURLOPT_TIMEOUT_MS, timeout_ms))
		return bh_err_set(err, EINVAL, "timeout");
	code = curl_easy_perform(t->curl);
	return code == CURLE_OK ? 0 : explain(t, code, path, err);
}

int bh_http_get(const char *socket_path, const char *target, uint64_t timeout_ms, size_t max_body,
		struct bh_http_answer *ret_answer, struct bh_err *err)
{
	bh_auto(curl_cleanup) CURL *curl = NULL;
	struct transfer t = { .body = { .max = max_body } };
	struct bh_http_answer answer = { 0 };
	int r;

	r = perform(&t, socket_path, target, (long)timeout_ms, err);
	curl = t.curl;
	if (r >= 0) {
		(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
		r = bh_buf_take(&t.body, &answer.body, &answer.len);
	}
	bh_buf_done(&t.body);
	if (r < 0)
		return r;
	*ret_answer = answer;
	return 0;
}

int bh_http_get_lines(const char *socket_path, const char *target, bh_http_line_fn fn, void *ud,
		      struct bh_http_answer *ret_answer, struct bh_err *err)
{
	bh_auto(curl_cleanup) CURL *curl = NULL;
	struct transfer t = { .body = { .max = BH_HTTP_MAX_LINE }, .fn = fn, .ud = ud };
	struct bh_http_answer answer = { 0 };
	int r;

	r = perform(&t, socket_path, target, 0, err);
	curl = t.curl;
	if (r >= 0)
		(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
	if (r >= 0 && answer.status == 200 && t.body.len)
		r = take_line(&t); /* a last line without a newline */
	if (r >= 0 && answer.status != 200)
		r = bh_buf_take(&t.body, &answer.body, &answer.len);
	bh_buf_done(&t.body);
	if (r < 0)
		return r;
	*ret_answer = answer;
	return 0;
}

void bh_http_target_add(struct bh_buf *b, const char *key, const char *value)
{
	bh_buf_str(b, b->data && strchr(b->data, '?') ? "&" : "?");
	bh_buf_str(b, key);
	bh_buf_str(b, "=");
	for (; *value; value++) {
		const unsigned char c = (unsigned char)*value;

		if (c < 0x80 && (isalnum(c) || strchr("-._~", c)))
			bh_buf_add(b, value, 1);
		else
			bh_buf_printf(b, "%%%02X", c);
	}
}
