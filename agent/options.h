/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * options - the one table of the agent's options: names, defaults, meaning, and how a text becomes
 * a typed member of struct bh_config. Command line, configuration file, --help and
 * docs/configuration.md are all made from it.
 */
#include <stdbool.h>
#include <stddef.h>

#include "agent/config.h"

struct bh_err;

enum bh_option_kind {
	BH_OPT_FLAG,   /* no argument; a boolean in the file */
	BH_OPT_VALUE,  /* a string */
	BH_OPT_NUMBER, /* a whole number, or a word */
	BH_OPT_PATH,   /* a string; relative ones are taken from the working directory */
	BH_OPT_LIST,   /* commas, or several times; a list of strings in the file */
};

#define BH_OPT_MAX_LIST 256 /* elements of one list */

struct bh_option {
	const char *name; /* long option without the dashes */
	const char *key;  /* in the file; NULL: command line only */
	enum bh_option_kind kind;
	const char *arg;      /* placeholder of the argument, NULL for a flag */
	const char *def;      /* default, read as if it were given; NULL: none */
	const char *def_note; /* the default in words where it is no fixed text, or NULL */
	const char *expected; /* what a value must be, for messages: "expected ..." */
	const char *help;
	/*
	 * Set the member from @text, or add one element of a list; NULL empties a list. 0; -EINVAL
	 * or -ERANGE, with the reason in @why if there is more to say than `expected`; -ENOMEM.
	 */
	int (*set)(struct bh_config *c, const char *text, struct bh_err *why);
};

extern const struct bh_option bh_options[];
extern const size_t bh_n_options;
