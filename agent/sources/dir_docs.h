/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * dir_docs - the documents in the text of a manifest: several in YAML, one in JSON, and the items
 * of a List as if each were a document.
 */
#include <stddef.h>

struct bh_err;
struct bh_json;

struct bh_dir_doc {
	unsigned int doc;	    /* from 1 */
	long item;		    /* index in a List's items, -1 outside of one */
	const struct bh_json *json; /* NULL if it could not be read: see err */
	const struct bh_err *err;
};

/* A negative return ends the reading and is passed on. */
typedef int (*bh_dir_doc_fn)(void *ud, const struct bh_dir_doc *doc);

/* @name decides between YAML and JSON. 0, -ENOMEM, or what @fn gave. */
int bh_dir_docs(const char *name, const char *text, size_t len, bh_dir_doc_fn fn, void *ud);
