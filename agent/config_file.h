/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * config_file - the YAML form of the options: one mapping from keys to strings, booleans and lists.
 */
#include <stddef.h>

struct bh_err;

#define BH_CONFIG_FILE_MAX_BYTES ((size_t)1 << 20)

/*
 * Called for each value in turn, @opt an index into bh_options. A list comes as NULL, then each
 * element. A negative return ends the reading and is passed on; it says why by itself.
 */
typedef int (*bh_config_value_fn)(void *ud, size_t opt, const char *text);

/* Read @path. 0; -EINVAL with file, key and expectation in @err; -ENOMEM; or what @fn gave. */
int bh_config_file_read(const char *path, bh_config_value_fn fn, void *ud, struct bh_err *err);
/* The same for a text. @name stands for the file in messages. */
int bh_config_file_parse(const char *name, const char *text, size_t len, bh_config_value_fn fn,
			 void *ud, struct bh_err *err);
