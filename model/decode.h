/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * decode - what the decoders of the single kinds share. Inside of model/ only; see object.h.
 * Each fills a zeroed union member of an object and leaves what it has built to
 * bh_object_free(), on failure too. 0; -EINVAL with path and reason; -ENOMEM.
 */
#include "model/field.h"
#include "model/object.h"

int bh_decode_pod(const struct bh_field *doc, struct bh_object *o, struct bh_err *err);
int bh_decode_service(const struct bh_field *doc, struct bh_object *o, struct bh_err *err);
int bh_decode_slice(const struct bh_field *doc, struct bh_object *o, struct bh_err *err);
int bh_decode_node(const struct bh_field *doc, struct bh_object *o, struct bh_err *err);

/* metadata.labels, sorted. @bounded: see BH_POD_MAX_LABEL_BYTES. */
int bh_decode_labels(const struct bh_field *doc, bool bounded, struct bh_labels *ret_labels,
		     struct bh_err *err);
/* Whether a virtual cluster's syncer made the object; see object.h. */
bool bh_decode_synced(const struct bh_field *doc);

/* Members of Kubernetes' own kinds: absent and null leave *ret_v as it is. */
int bh_decode_bool(const struct bh_field *f, bool *ret_v, struct bh_err *err);
/* The text lives as long as the document. */
int bh_decode_str(const struct bh_field *f, const char **ret_s, struct bh_err *err);

/* A growing list of different addresses. */
struct bh_addrs {
	struct bh_addr **v;
	size_t *n;
};

/* Appends the address in @text unless it is there; -EINVAL is said at @f. */
int bh_decode_add_addr(const struct bh_field *f, const char *text, const struct bh_addrs *to,
		       struct bh_err *err);
