/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/table.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"

#define GAP 2

struct bh_table {
	const char *const *head;
	size_t columns;
	char **cells;
	size_t n, cap;
	int error;
};

char *bh_table_escape(const char *text)
{
	bh_autobuf b = BH_BUF_INIT;
	char *s = NULL;

	for (; *text; text++) {
		const unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c > 0x7e)
			bh_buf_printf(&b, "\\x%02x", c);
		else
			bh_buf_add(&b, text, 1);
	}
	return bh_buf_take(&b, &s, NULL) < 0 ? NULL : s;
}

struct bh_table *bh_table_new(const char *const *head)
{
	struct bh_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->head = head;
	while (head[t->columns] && t->columns < BH_TABLE_MAX_COLUMNS)
		t->columns++;
	return t;
}

struct bh_table *bh_table_free(struct bh_table *t)
{
	for (size_t i = 0; t && i < t->n; i++)
		free(t->cells[i]);
	if (t)
		free(t->cells);
	free(t);
	return NULL;
}

void bh_table_cell(struct bh_table *t, const char *text)
{
	if (t->n == t->cap) {
		const size_t cap = t->cap ? 2 * t->cap : 64;
		char **cells = reallocarray(t->cells, cap, sizeof(*cells));

		if (!cells) {
			t->error = -ENOMEM;
			return;
		}
		t->cells = cells;
		t->cap = cap;
	}
	t->cells[t->n] = bh_table_escape(text && *text ? text : "-");
	if (t->cells[t->n])
		t->n++;
	else
		t->error = -ENOMEM;
}

void bh_table_cellf(struct bh_table *t, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	if (text)
		bh_table_cell(t, text);
	else
		t->error = -ENOMEM;
	free(text);
}

static void put(FILE *out, const char *text, size_t width, bool last)
{
	if (last)
		(void)fprintf(out, "%s\n", text);
	else
		(void)fprintf(out, "%-*s", (int)(width + GAP), text);
}

int bh_table_print(const struct bh_table *t, FILE *out)
{
	size_t width[BH_TABLE_MAX_COLUMNS];

	assert(t->columns);
	if (t->error)
		return t->error;
	if (!t->n)
		return 0;
	for (size_t i = 0; i < t->columns; i++)
		width[i] = strlen(t->head[i]);
	for (size_t i = 0; i < t->n; i++) {
		const size_t len = strlen(t->cells[i]);

		if (len > width[i % t->columns])
			width[i % t->columns] = len;
	}
	for (size_t i = 0; i < t->columns; i++)
		put(out, t->head[i], width[i], i + 1 == t->columns);
	for (size_t i = 0; i < t->n; i++)
		put(out, t->cells[i], width[i % t->columns],
		    i % t->columns + 1 == t->columns || i + 1 == t->n);
	return ferror(out) ? -EIO : 0;
}
