/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* datapath_priv - what the parts of bpf/datapath share; for bpf/datapath*.c alone. */
#include "bpf/datapath.h"

struct isolate_bpf;
struct ring_buffer;

struct bh_datapath {
	char *dir; /* <bpffs>/v<ABI> */
	bool fresh;
	enum bh_attach mode;
	struct isolate_bpf *skel;
	struct bh_policy *actual; /* what the maps hold */
	struct bh_ids *ids;
	uint32_t *attached; /* ifindexes, sorted */
	size_t n_attached, cap_attached;
	uint32_t *lost; /* of those, the ones that our programs are not on any more */
	size_t n_lost, cap_lost;
	uint32_t *left_alone; /* ifindexes, sorted */
	size_t n_left_alone, cap_left_alone;
	struct ring_buffer *ring;
	bh_event_cb event_cb; /* during bh_datapath_events() only */
	void *event_ud;
	bool dirty; /* maps were written since the generation was last raised */
};

/* --- datapath_pins.c: folders and the filesystem --- */
#define BH_PIN_PATH_MAX 4096
/* "<dp->dir>/links/<ifindex>-<from|to>" */
void bh_pin_link_path(const char *dir, uint32_t ifindex, uint8_t dir_of, char *buf, size_t cap);
int bh_pins_prepare(const char *bpffs, char **ret_dir, struct bh_err *err);
/* Ifindexes with a pin of any direction, sorted, unique; caller frees. */
int bh_pins_list(const char *dir, uint32_t **ret_v, size_t *ret_n);
/* Unlink every file and folder below @bpffs, and unmount it if we mounted it. */
int bh_pins_remove_all(const char *bpffs, struct bh_err *err);

/* --- datapath_attach.c --- */
/* TCX if the kernel knows it. */
bool bh_attach_has_tcx(int prog_fd);
/* Make both hooks run our programs: adopt and swap what is pinned, or attach anew. Idempotent. */
int bh_attach_if(struct bh_datapath *dp, uint32_t ifindex, struct bh_err *err);
/*
 * Whether both hooks of @ifindex have our programs, hung up in the way @how (AUTO: in any). They go
 * with their interface, so this also tells it from another one that has got its number.
 */
bool bh_attach_holds(const char *dir, enum bh_attach how, uint32_t ifindex);
/* Take both hooks off and unpin. An interface that is gone is fine. */
int bh_detach_if(const char *dir, uint32_t ifindex, struct bh_err *err);

/* --- datapath_read.c --- */
int bh_datapath_open_ring(struct bh_datapath *dp);

/* --- datapath.c --- */
int bh_policy_map_fd(const struct bh_datapath *dp, enum bh_policy_map m);
/* Sorted set of numbers: add or remove one. 0, -ENOMEM. */
int bh_u32set_add(uint32_t **v, size_t *n, size_t *cap, uint32_t x);
void bh_u32set_del(uint32_t *v, size_t *n, uint32_t x);
bool bh_u32set_has(const uint32_t *v, size_t n, uint32_t x);
