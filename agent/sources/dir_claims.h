/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * dir_claims - which files of a folder hold which objects, and whose version is in force. Private
 * to the folder source. Does no input or output apart from telling the sink what to delete.
 */
#include <stdbool.h>
#include <stddef.h>

#include "agent/sources/dir.h"
#include "model/object.h"

struct bh_dir_claim;
struct bh_dir_file;
struct bh_strmap;

/* A document of a file that is about an object. */
struct bh_dir_entry {
	struct bh_dir_claim *claim;
	struct bh_dir_file *file;
	struct bh_dir_entry *next_of_file;
	struct bh_dir_entry *next_of_claim;
	unsigned int doc;
	bool seen;   /* while its file is being read: found again */
	bool logged; /* that another file has the object */
};

/* An object, and everybody who holds it. */
struct bh_dir_claim {
	struct bh_object_key key;
	char *id; /* in the map */
	struct bh_dir_entry *entries;
	struct bh_dir_entry *from; /* whose version the sink has; NULL: nobody's who is left */
	bool in_force;		   /* the sink has a version */
	bool loose;		   /* in the list below */
	struct bh_dir_claim *next_loose;
};

struct bh_dir_claims {
	struct bh_strmap *by_id;
	struct bh_dir_claim *loose; /* lost an entry since the last bh_dir_claims_settle() */
};

int bh_dir_claims_init(struct bh_dir_claims *c); /* 0 or -ENOMEM */
/* Every entry must have been dropped before. */
void bh_dir_claims_done(struct bh_dir_claims *c);

/* The entry of @f for @key, new if need be. Takes the contents of @key over. 0 or -ENOMEM. */
int bh_dir_claims_enter(struct bh_dir_claims *c, struct bh_dir_file *f, struct bh_object_key *key,
			struct bh_dir_entry **ret_entry);
/*
 * Does a file that sorts before this one have the object? Only what is in force counts: a file
 * that never had a usable version does not keep others out.
 */
bool bh_dir_entry_loses(const struct bh_dir_entry *e);
/* Drop the entries of @f, all or those that were not seen. Others that hold the objects are to be
 * read again. */
void bh_dir_claims_drop(struct bh_dir_claims *c, struct bh_dir_file *f, bool unseen_only);
/* Delete the objects that nobody gives any more. True if there were any. */
bool bh_dir_claims_settle(struct bh_dir_claims *c, const struct bh_dir_sink *sink);
