/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * yaml - the only user of libyaml: a stream of YAML documents (JSON is YAML) as bh_json trees, by
 * YAML 1.2's core schema, the way kubectl reads manifests. Everything is bounded before it is
 * built: aliases, tags other than the core ones, merge keys, duplicate keys, non-string keys and
 * nesting over BH_JSON_MAX_DEPTH are refused.
 */
#include <stddef.h>

#include "common/cleanup.h"

struct bh_err;
struct bh_json;
struct bh_yaml; /* opaque: a position in a stream */

#define BH_YAML_MAX_DOCS 4096

/* @text must outlive the object. */
int bh_yaml_new(const char *text, size_t len, struct bh_yaml **ret_yaml);
struct bh_yaml *bh_yaml_free(struct bh_yaml *y);
BH_DEFINE_AUTO(struct bh_yaml, bh_yaml_free)

/*
 * The next document. Empty documents are passed over.
 *
 * Returns 1 with *ret_json owned by the caller; 0 at the end of the stream; -EINVAL, -E2BIG or
 * -ENOMEM with "line N: reason" in @err. After an error inside a document whose syntax is sound
 * (a duplicate key, an alias, ...) the next call goes on with the next document; after a syntax
 * error it tries from the next line that is exactly "---", so that one bad document does not hide
 * the ones behind it.
 */
int bh_yaml_next(struct bh_yaml *y, struct bh_json **ret_json, struct bh_err *err);

/* 1-based number of the document that bh_yaml_next() last returned or refused. */
unsigned int bh_yaml_doc(const struct bh_yaml *y);
