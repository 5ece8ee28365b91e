/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * yaml_build - one YAML document, put together from its parts as they come. Judges everything that
 * is not syntax: bounds, keys, tags. Knows nothing of the parser that finds the parts.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/json.h"

struct bh_err;

struct bh_yaml_frame {
	struct bh_json *value; /* the open container, owned */
	char *key;	       /* of the member whose value comes next, or NULL */
	uint32_t *lines;       /* of each key so far */
	size_t n_lines, cap_lines;
};

struct bh_yaml_build {
	struct bh_yaml_frame frames[BH_JSON_MAX_DEPTH];
	uint32_t depth; /* open containers */
	uint32_t nodes;
	struct bh_json *root; /* once the outermost value is complete, owned */
	struct bh_err *err;
};

struct bh_yaml_scalar {
	const char *text; /* NUL-terminated */
	size_t len;	  /* without the NUL; another NUL inside is refused */
	const char *tag;  /* in full, or NULL */
	bool plain;	  /* neither quoted nor a block */
	uint32_t line;	  /* 1-based */
};

/* Each: 0; -EINVAL or -E2BIG with "line N: reason" in b->err; -ENOMEM. */
int bh_yaml_build_scalar(struct bh_yaml_build *b, const struct bh_yaml_scalar *s);
int bh_yaml_build_open(struct bh_yaml_build *b, enum bh_json_type type, const char *tag,
		       uint32_t line);
int bh_yaml_build_close(struct bh_yaml_build *b);
void bh_yaml_build_done(struct bh_yaml_build *b); /* releases the contents */
