/* SPDX-License-Identifier: Apache-2.0 */
#include "common/yaml.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "common/err.h"
#include "common/json.h"
#include "common/yaml_build.h"

struct bh_yaml {
	const char *text;
	size_t len;
	size_t fed;	    /* bytes that the parser has been given */
	size_t base;	    /* byte at which the parser was started */
	uint32_t base_line; /* lines before it */
	yaml_parser_t parser;
	bool parsing;	  /* the parser exists */
	size_t doc_start; /* byte at which the document at hand began */
	size_t at_char;	  /* libyaml counts characters from base: this one ... */
	size_t at_byte;	  /* ... is at this byte of the text */
	unsigned int doc;
	bool end;
};

int bh_yaml_new(const char *text, size_t len, struct bh_yaml **ret_yaml)
{
	struct bh_yaml *y = calloc(1, sizeof(*y));

	if (!y)
		return -ENOMEM;
	y->text = text;
	y->len = len;
	*ret_yaml = y;
	return 0;
}

static void stop_parser(struct bh_yaml *y)
{
	if (y->parsing)
		yaml_parser_delete(&y->parser);
	y->parsing = false;
}

struct bh_yaml *bh_yaml_free(struct bh_yaml *y)
{
	if (!y)
		return NULL;
	stop_parser(y);
	free(y);
	return NULL;
}

unsigned int bh_yaml_doc(const struct bh_yaml *y)
{
	return y->doc;
}

/*
 * Feeds one line at a time: libyaml judges all bytes that it was given at once, and a stray byte
 * must not spoil the documents before its own.
 */
static int feed(void *data, unsigned char *buffer, size_t size, size_t *size_read)
{
	struct bh_yaml *y = data;
	const size_t left = y->len - y->fed;
	size_t n = left < size ? left : size;
	const char *nl = memchr(y->text + y->fed, '\n', n);

	if (nl)
		n = (size_t)(nl - (y->text + y->fed)) + 1;
	memcpy(buffer, y->text + y->fed, n);
	y->fed += n;
	*size_read = n;
	return 1;
}

static int start_parser(struct bh_yaml *y)
{
	if (!yaml_parser_initialize(&y->parser))
		return -ENOMEM;
	y->parsing = true;
	y->fed = y->base;
	y->doc_start = y->base;
	y->at_char = 0;
	y->at_byte = y->base;
	/* else a byte order mark could switch to UTF-16 */
	yaml_parser_set_encoding(&y->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input(&y->parser, feed, y);
	return 0;
}

/*
 * The byte of a mark, which must not lie before one that was asked for earlier. What libyaml has
 * marked it has read, so it is valid UTF-8.
 */
static size_t byte_of(struct bh_yaml *y, const yaml_mark_t *mark)
{
	for (; y->at_byte < y->len; y->at_byte++) {
		if (((unsigned char)y->text[y->at_byte] & 0xc0) == 0x80)
			continue;
		if (y->at_char == mark->index)
			break;
		y->at_char++;
	}
	return y->at_byte;
}

static uint32_t line_of(const struct bh_yaml *y, const yaml_mark_t *mark)
{
	return y->base_line + (uint32_t)mark->line + 1;
}

static uint32_t count_lines(const char *text, size_t len)
{
	uint32_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += text[i] == '\n';
	return n;
}

static int syntax_error(const struct bh_yaml *y, struct bh_err *err)
{
	const yaml_parser_t *p = &y->parser;
	size_t at;

	if (p->error == YAML_MEMORY_ERROR)
		return bh_err_set(err, ENOMEM, "out of memory");
	if (p->error == YAML_READER_ERROR) {
		at = y->base + p->problem_offset;
		at = at < y->len ? at : y->len;
		return bh_err_set(err, EINVAL, "line %u: %s",
				  y->base_line + count_lines(y->text + y->base, at - y->base) + 1,
				  p->problem);
	}
	if (p->context)
		return bh_err_set(err, EINVAL, "line %u: %s (%s that began in line %u)",
				  line_of(y, &p->problem_mark), p->problem, p->context,
				  line_of(y, &p->context_mark));
	return bh_err_set(err, EINVAL, "line %u: %s", line_of(y, &p->problem_mark), p->problem);
}

/* Is "---" alone in the line at @at? No content of a document can look so. */
static bool is_separator(const struct bh_yaml *y, size_t at)
{
	if (y->len - at < 3 || memcmp(y->text + at, "---", 3) != 0)
		return false;
	for (at += 3; at < y->len && y->text[at] != '\n'; at++) {
		if (!strchr(" \t\r", y->text[at]) || !y->text[at])
			return false;
	}
	return true;
}

/* Start anew at the first separator behind the line in which the document at hand began. */
static void resync(struct bh_yaml *y)
{
	size_t at = y->doc_start;

	stop_parser(y);
	for (;;) {
		const char *nl = at < y->len ? memchr(y->text + at, '\n', y->len - at) : NULL;

		if (!nl) {
			y->end = true;
			return;
		}
		at = (size_t)(nl - y->text) + 1;
		if (is_separator(y, at))
			break;
	}
	y->base_line += count_lines(y->text + y->base, at - y->base);
	y->base = at;
}

/* The next event, to be deleted by the caller. */
static int next_event(struct bh_yaml *y, yaml_event_t *ret_ev, struct bh_err *err)
{
	if (!yaml_parser_parse(&y->parser, ret_ev))
		return syntax_error(y, err);
	return 0;
}

static int build_event(struct bh_yaml *y, struct bh_yaml_build *b, const yaml_event_t *ev)
{
	const uint32_t line = line_of(y, &ev->start_mark);

	switch (ev->type) {
	case YAML_ALIAS_EVENT:
		return bh_err_set(b->err, EINVAL,
				  "line %u: aliases are not supported: write the value out", line);
	case YAML_SCALAR_EVENT:
		return bh_yaml_build_scalar(
			b, &(struct bh_yaml_scalar){
				   .text = (const char *)ev->data.scalar.value,
				   .len = ev->data.scalar.length,
				   .tag = (const char *)ev->data.scalar.tag,
				   .plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE,
				   .line = line,
			   });
	case YAML_SEQUENCE_START_EVENT:
		return bh_yaml_build_open(b, BH_JSON_ARRAY,
					  (const char *)ev->data.sequence_start.tag, line);
	case YAML_MAPPING_START_EVENT:
		return bh_yaml_build_open(b, BH_JSON_OBJECT,
					  (const char *)ev->data.mapping_start.tag, line);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return bh_yaml_build_close(b);
	default:
		return 0;
	}
}

/* Pass over the rest of a refused document; @depth containers are open. */
static void drain(struct bh_yaml *y, uint32_t depth)
{
	yaml_event_type_t type;

	do {
		yaml_event_t ev;

		if (next_event(y, &ev, NULL) < 0) {
			resync(y);
			return;
		}
		type = ev.type;
		yaml_event_delete(&ev);
		if (type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT)
			depth++;
		else if (type == YAML_SEQUENCE_END_EVENT || type == YAML_MAPPING_END_EVENT)
			depth--;
		/* libyaml's work for each token grows with the depth */
		if (depth > BH_JSON_MAX_DEPTH) {
			resync(y);
			return;
		}
	} while (type != YAML_DOCUMENT_END_EVENT);
}

/*
 * A line with too little indentation ends a document for libyaml, which reports it only after
 * having given out what stood before. Half a document must not pass for one.
 */
static int check_end(struct bh_yaml *y, const yaml_event_t *ev, struct bh_err *err)
{
	const size_t at = byte_of(y, &ev->end_mark);

	if (ev->data.document_end.implicit && at < y->len &&
	    (ev->end_mark.column || y->len - at < 3 || memcmp(y->text + at, "---", 3) != 0))
		return bh_err_set(err, EINVAL,
				  "line %u: this does not belong to the lines before it: "
				  "check the indentation",
				  line_of(y, &ev->end_mark));
	y->doc_start = at;
	return 0;
}

/* Behind the start of a document: 0 when its end was read and b->root is complete. */
static int build_document(struct bh_yaml *y, struct bh_yaml_build *b)
{
	for (;;) {
		yaml_event_t ev;
		bool last;
		int r;

		r = next_event(y, &ev, b->err);
		if (r < 0) {
			resync(y);
			return r;
		}
		last = ev.type == YAML_DOCUMENT_END_EVENT;
		r = last ? check_end(y, &ev, b->err) : build_event(y, b, &ev);
		if (r == -EINVAL && !last)
			drain(y, b->depth + (ev.type == YAML_SEQUENCE_START_EVENT ||
					     ev.type == YAML_MAPPING_START_EVENT));
		else if (r < 0)
			resync(y);
		yaml_event_delete(&ev);
		if (r < 0 || last)
			return r;
	}
}

/* Read up to the start of a document. 1; 0 at the end of the stream. */
static int find_document(struct bh_yaml *y, struct bh_err *err)
{
	int r;

	if (!y->parsing) {
		r = start_parser(y);
		if (r < 0)
			return bh_err_set(err, r, "out of memory");
	}
	for (;;) {
		yaml_event_type_t type;
		yaml_event_t ev;

		r = next_event(y, &ev, err);
		if (r < 0) {
			resync(y);
			return r;
		}
		type = ev.type;
		if (type == YAML_DOCUMENT_START_EVENT)
			y->doc_start = byte_of(y, &ev.start_mark);
		yaml_event_delete(&ev);
		if (type == YAML_STREAM_END_EVENT)
			return 0;
		if (type == YAML_DOCUMENT_START_EVENT)
			return 1;
	}
}

/* As bh_yaml_next(), but an empty document gives 1 and NULL. */
static int read_document(struct bh_yaml *y, struct bh_json **ret_json, struct bh_err *err)
{
	struct bh_yaml_build b = { .err = err };
	int r;

	r = find_document(y, err);
	if (r == 0) {
		y->end = true;
		return 0;
	}
	if (y->doc == BH_YAML_MAX_DOCS) {
		y->end = true;
		return bh_err_set(err, E2BIG, "more than %d documents", BH_YAML_MAX_DOCS);
	}
	y->doc++;
	if (r < 0)
		return r;
	r = build_document(y, &b);
	if (r == 0)
		r = bh_json_error(b.root);
	if (r == -ENOMEM)
		(void)bh_err_set(err, r, "out of memory");
	if (r < 0) {
		bh_yaml_build_done(&b);
		return r;
	}
	if (bh_json_type(b.root) == BH_JSON_NULL)
		b.root = bh_json_free(b.root);
	*ret_json = b.root;
	return 1;
}

int bh_yaml_next(struct bh_yaml *y, struct bh_json **ret_json, struct bh_err *err)
{
	while (!y->end) {
		struct bh_json *j = NULL;
		int r;

		r = read_document(y, &j, err);
		if (r < 0)
			return r;
		if (j) {
			*ret_json = j;
			return 1;
		}
	}
	return 0;
}
