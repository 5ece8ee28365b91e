/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sources/dir_claims.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/sources/dir_impl.h"
#include "common/strmap.h"

int bh_dir_claims_init(struct bh_dir_claims *c)
{
	return bh_strmap_new(&c->by_id);
}

void bh_dir_claims_done(struct bh_dir_claims *c)
{
	(void)bh_dir_claims_settle(c, NULL);
	c->by_id = bh_strmap_free(c->by_id);
}

static void claim_free(struct bh_dir_claim *claim)
{
	bh_object_key_done(&claim->key);
	free(claim->id);
	free(claim);
}

/* The length keeps a namespace and a name apart whatever is in them. */
static char *make_id(const struct bh_object_key *key)
{
	const char *ns = key->ns ? key->ns : "";
	char *id;

	return asprintf(&id, "%d/%zu/%s/%s", (int)key->kind, strlen(ns), ns, key->name) < 0 ? NULL
											    : id;
}

/* Takes the contents of @key over. */
static int find_claim(struct bh_dir_claims *c, struct bh_object_key *key,
		      struct bh_dir_claim **ret_claim)
{
	bh_autofree char *id = make_id(key);
	struct bh_dir_claim *claim = id ? bh_strmap_get(c->by_id, id) : NULL;

	if (claim)
		bh_object_key_done(key);
	else
		claim = id ? calloc(1, sizeof(*claim)) : NULL;
	if (!claim) {
		bh_object_key_done(key);
		return -ENOMEM;
	}
	if (!claim->id) {
		claim->key = *key;
		claim->id = BH_TAKE_PTR(id);
		if (bh_strmap_put(c->by_id, claim->id, claim, NULL) < 0) {
			claim_free(claim);
			return -ENOMEM;
		}
	}
	*ret_claim = claim;
	return 0;
}

static void set_loose(struct bh_dir_claims *c, struct bh_dir_claim *claim)
{
	if (claim->loose)
		return;
	claim->loose = true;
	claim->next_loose = c->loose;
	c->loose = claim;
}

int bh_dir_claims_enter(struct bh_dir_claims *c, struct bh_dir_file *f, struct bh_object_key *key,
			struct bh_dir_entry **ret_entry)
{
	struct bh_dir_claim *claim;
	struct bh_dir_entry *e;
	int r;

	r = find_claim(c, key, &claim);
	if (r < 0)
		return r;
	for (e = claim->entries; e; e = e->next_of_claim) {
		if (e->file == f) {
			*ret_entry = e;
			return 0;
		}
	}
	e = calloc(1, sizeof(*e));
	if (!e) {
		set_loose(c, claim); /* it may have no entry at all */
		return -ENOMEM;
	}
	*e = (struct bh_dir_entry){ .claim = claim,
				    .file = f,
				    .next_of_file = f->entries,
				    .next_of_claim = claim->entries };
	f->entries = e;
	claim->entries = e;
	*ret_entry = e;
	return 0;
}

bool bh_dir_entry_loses(const struct bh_dir_entry *e)
{
	const struct bh_dir_entry *from = e->claim->from;

	return from && from != e && strcmp(from->file->name, e->file->name) < 0;
}

static void drop_entry(struct bh_dir_claims *c, struct bh_dir_entry *e)
{
	struct bh_dir_claim *claim = e->claim;
	struct bh_dir_entry **at = &claim->entries;

	while (*at != e)
		at = &(*at)->next_of_claim;
	*at = e->next_of_claim;
	if (claim->from == e) {
		claim->from = NULL;
		for (struct bh_dir_entry *o = claim->entries; o; o = o->next_of_claim)
			o->file->reread = true;
	}
	if (!claim->from)
		set_loose(c, claim);
	free(e);
}

void bh_dir_claims_drop(struct bh_dir_claims *c, struct bh_dir_file *f, bool unseen_only)
{
	struct bh_dir_entry **at = &f->entries;

	while (*at) {
		struct bh_dir_entry *e = *at;

		if (unseen_only && e->seen) {
			at = &e->next_of_file;
			continue;
		}
		*at = e->next_of_file;
		drop_entry(c, e);
	}
}

bool bh_dir_claims_settle(struct bh_dir_claims *c, const struct bh_dir_sink *sink)
{
	bool changed = false;

	while (c->loose) {
		struct bh_dir_claim *claim = c->loose;

		c->loose = claim->next_loose;
		claim->loose = false;
		if (!claim->from && claim->in_force) {
			claim->in_force = false;
			changed = true;
			if (sink)
				sink->del(sink->ud, &claim->key);
		}
		if (!claim->entries) {
			(void)bh_strmap_del(c->by_id, claim->id);
			claim_free(claim);
		}
	}
	return changed;
}
