/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* datapath_priv - what the parts of bpf/datapath share; for bpf/datapath*.c alone. */
#include "bpf/datapath.h"

struct isolate_bpf;
struct ring_buffer;

struct bh_put {
	uint32_t ifindex;
	uint64_t at_ns; /* CLOCK_MONOTONIC */
};

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
	struct bh_left_alone *left_alone; /* by ifindex */
	size_t n_left_alone, cap_left_alone;
	bool has_tcx;
	uint32_t prog_id[2];	 /* by BH_DIR_* */
	struct bh_front *fronts; /* who is before ours, as of the last look */
	size_t n_fronts, cap_fronts;
	uint32_t *due; /* ifindexes, sorted: to be put in front by the next apply or guard */
	size_t n_due, cap_due;
	struct bh_put *puts; /* when that was done last, for those that ever needed it */
	size_t n_puts;
	uint64_t n_put_in_front;
	struct ring_buffer *ring, *record_ring;
	bh_event_cb event_cb; /* during bh_datapath_events() only */
	void *event_ud;
	bh_record_cb record_cb; /* during bh_datapath_records() only */
	void *record_ud;
	uint32_t n_slots, flow_sets; /* of bh_flows: sets for each slot */
	size_t n_without_slot;
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

/* --- datapath_tcx.c: TCX by the bare system call --- */
/* A link before everybody; a descriptor or negative errno. */
int bh_tcx_create(int prog_fd, uint32_t ifindex, uint8_t dir);
/* Is what is pinned at @path our link on @ifindex? A descriptor, or -ENOENT, -ESTALE ... */
int bh_tcx_open(const char *path, uint32_t ifindex);
/* Ids of the programs on a hook in the order in which they run; how many, or negative errno. */
int bh_tcx_query(uint32_t ifindex, uint8_t dir, uint32_t *ret_ids, size_t cap);
/* Id of a program, 0 on failure; its name, unless @cap is 0. */
uint32_t bh_prog_id(int prog_fd, char *ret_name, size_t cap);

/* --- datapath_filters.c --- */
#define BH_FILTERS_MAX 64 /* what is behind more than these is not looked at */
struct bh_filter {
	uint32_t priority, chain, handle;
	uint32_t prog_id; /* of kind bpf, else 0 */
	char kind[16];
	char name[32]; /* of kind bpf: what its owner called it */
};
/*
 * Classic filters of chain 0 on a hook, the first to run first. How many (at most @cap), 0 without
 * a clsact qdisc, or negative errno.
 */
int bh_filters_list(uint32_t ifindex, uint8_t dir, struct bh_filter *v, size_t cap);

/* --- datapath_attach.c --- */
/* TCX if the kernel knows it. */
bool bh_attach_has_tcx(int prog_fd);
/* Make both hooks run our programs: adopt and swap what is pinned, or attach anew. Idempotent. */
int bh_attach_if(struct bh_datapath *dp, uint32_t ifindex, struct bh_err *err);
/* The same, and before everybody; at no moment is there none. */
int bh_attach_front(struct bh_datapath *dp, uint32_t ifindex, struct bh_err *err);
/*
 * Whether both hooks of @ifindex have our programs, hung up in the way @how (AUTO: in any). They go
 * with their interface, so this also tells it from another one that has got its number.
 */
bool bh_attach_holds(const char *dir, enum bh_attach how, uint32_t ifindex);
/* Take both hooks off and unpin. An interface that is gone is fine. */
int bh_detach_if(const char *dir, uint32_t ifindex, struct bh_err *err);

/* --- datapath_position.c --- */
/* Find out anew whether @ifindex is lost, and who is before ours. 0 or -ENOMEM. */
int bh_position_look(struct bh_datapath *dp, uint32_t ifindex);
void bh_position_gone(struct bh_datapath *dp, uint32_t ifindex);
/* Get in front, and look again. */
int bh_position_put(struct bh_datapath *dp, uint32_t ifindex, struct bh_err *err);

/* --- datapath_left.c: the interfaces that were there before the first start --- */
int bh_left_read(struct bh_datapath *dp);
/* Bring the record, here and in the kernel, to what @ifs says. 0, or the first negative errno. */
int bh_left_note(struct bh_datapath *dp, const struct bh_ifs *ifs);

/* --- datapath_flows.c --- */
/* Before the programs are loaded: how big bh_flows will be. 0 or negative errno with @err. */
int bh_flows_size(struct bh_datapath *dp, const struct bh_datapath_opts *opts, struct bh_err *err);
/* After that: what bh_config says of flows, written where it is not there yet. */
int bh_flows_open(struct bh_datapath *dp, struct bh_err *err);
/* Empty the region of @slot. 0 or negative errno. */
int bh_flows_clear(struct bh_datapath *dp, uint32_t slot);
/* Flows that are alive. */
uint64_t bh_flows_count(struct bh_datapath *dp);
int bh_config_read(const struct bh_datapath *dp, struct bh_abi_config *ret_cfg);
int bh_config_write(struct bh_datapath *dp, const struct bh_abi_config *cfg);
/* Policy is about to be written (true): every packet is judged; or has been. */
int bh_generation_raise(struct bh_datapath *dp, bool writing);

/* --- datapath_read.c --- */
int bh_datapath_open_rings(struct bh_datapath *dp);

/* --- datapath.c --- */
int bh_policy_map_fd(const struct bh_datapath *dp, enum bh_policy_map m);
/* Sorted set of numbers: add or remove one. 0, -ENOMEM. */
int bh_u32set_add(uint32_t **v, size_t *n, size_t *cap, uint32_t x);
void bh_u32set_del(uint32_t *v, size_t *n, uint32_t x);
bool bh_u32set_has(const uint32_t *v, size_t n, uint32_t x);
