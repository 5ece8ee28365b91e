/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * table - plain text in aligned columns, safe for a terminal: what a tenant may have named is shown
 * with every byte outside printable ASCII as \xNN.
 */
#include <stddef.h>
#include <stdio.h>

#include "common/cleanup.h"

struct bh_table; /* opaque */

#define BH_TABLE_MAX_COLUMNS 8

/* @head holds the titles, up to a NULL; constants. NULL: no memory. */
struct bh_table *bh_table_new(const char *const *head);
struct bh_table *bh_table_free(struct bh_table *t);
BH_DEFINE_AUTO(struct bh_table, bh_table_free)

/* The next cell, left to right, row by row; NULL and "" are shown as "-". Copied. */
void bh_table_cell(struct bh_table *t, const char *text);
void bh_table_cellf(struct bh_table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* 0, -ENOMEM for any cell that found no room, -EIO. Nothing at all without rows. */
int bh_table_print(const struct bh_table *t, FILE *out);

/* @text in that safe form, for the caller to free(), or NULL for lack of memory. */
char *bh_table_escape(const char *text);
