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

#define BH_OLDS_MAX 8
#define BH_PINS_ASIDE "-old" /* behind the name of a folder whose tables have another size */

/* A set of pins beside ours: of another version, or with tables of another size. */
struct bh_old {
	char *dir; /* <bpffs>/v<ABI>, perhaps with something behind it */
	uint32_t abi;
};

struct bh_old_ep {
	const struct bh_old *old;
	struct bh_bound bound;
	uint32_t slot; /* in its table of flows; 0: none, or not known */
};

struct bh_datapath {
	struct bh_old olds[BH_OLDS_MAX];
	size_t n_olds;
	struct bh_old_ep *old_eps;
	size_t n_old_eps;
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
/* Folders with pins of ours below @bpffs, of every version. How many, or negative errno. */
struct bh_version_dir {
	uint32_t abi;
	char name[32];
};
int bh_pins_versions(const char *bpffs, struct bh_version_dir *v, size_t cap);
/* Unlink every file and folder below @dir, and that. */
int bh_pins_remove(const char *dir, struct bh_err *err);
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

/* The same for all but our own programs on the hooks. */
int bh_detach_others(const struct bh_datapath *dp, const char *dir, uint32_t ifindex,
		     struct bh_err *err);
/* Is this program on the hook, by a classic filter of ours? */
bool bh_filter_there(uint32_t ifindex, uint8_t dir, uint32_t prog_id);

/* --- datapath_migrate.c: from another version, or another size --- */
/* Tables of ours that have another size than is wanted: aside with them. */
int bh_migrate_resize(struct bh_datapath *dp, const struct bh_datapath_opts *opts,
		      struct bh_err *err);
/* A map that is pinned there: a descriptor or negative errno. */
int bh_migrate_map(const struct bh_old *old, const char *name);
/* What is pinned beside ours. */
int bh_migrate_find(struct bh_datapath *dp, const char *bpffs, struct bh_err *err);
/* After our maps are there: numbers, interfaces that were left alone, endpoints. */
int bh_migrate_adopt(struct bh_datapath *dp, struct bh_err *err);
/* Whether another's programs are on both hooks. */
bool bh_migrate_holds(const struct bh_datapath *dp, uint32_t ifindex);
/* Whether @prog_id is another's program on this hook. */
bool bh_migrate_filter(const struct bh_datapath *dp, uint32_t ifindex, uint8_t dir,
		       uint32_t prog_id);
/* Before @want is written: what the other one holds, it goes on deciding. */
int bh_migrate_begin(struct bh_datapath *dp, struct bh_policy *want);
/* When all is written and attached: copy flows, decide alone, take the other one off. */
int bh_migrate_finish(struct bh_datapath *dp, struct bh_err *err);
void bh_migrate_done(struct bh_datapath *dp);
/* Append the other's endpoints to @v, where there is room for all. */
void bh_migrate_bound(const struct bh_datapath *dp, struct bh_bound *v, size_t *n);

/* --- datapath_migrate_flows.c --- */
struct bh_migrated {
	size_t flows;
	bool unreadable; /* some are of a version that is not known */
};
/* The key of the hash of flows, from where there is one that can be read. 0 or -ENOENT. */
int bh_migrate_key(const struct bh_datapath *dp, struct bh_abi_config *ret_cfg);
/* Sets of each slot, and in all, of a version from 2 on. 0 or negative errno. */
int bh_migrate_size(const struct bh_old *old, uint32_t *ret_sets, uint32_t *ret_entries);
/* Add the flows of @old to ours. 0 or negative errno. */
int bh_migrate_flows(struct bh_datapath *dp, const struct bh_old *old, struct bh_migrated *ret_sum);

/* --- datapath_position.c --- */
/* Find out anew whether @ifindex is lost, and who is before ours. 0 or -ENOMEM. */
int bh_position_look(struct bh_datapath *dp, uint32_t ifindex);
void bh_position_gone(struct bh_datapath *dp, uint32_t ifindex);
/* Get in front, and look again. */
int bh_position_put(struct bh_datapath *dp, uint32_t ifindex, struct bh_err *err);

/* --- datapath_left.c: the interfaces that were there before the first start --- */
/* What is recorded, anew. 0 or negative errno. */
int bh_left_read(struct bh_datapath *dp);
/* Bring the record, here and in the kernel, to what @ifs says. 0, or the first negative errno. */
int bh_left_note(struct bh_datapath *dp, const struct bh_ifs *ifs);

/* --- datapath_flows.c --- */
/* Before the programs are loaded: how big bh_flows will be. 0 or negative errno with @err. */
/* Sets of each slot and in all that @opts asks for. 0, or -EINVAL with @err. */
int bh_flows_wanted(const struct bh_datapath_opts *opts, uint32_t *ret_sets, uint32_t *ret_entries,
		    struct bh_err *err);
int bh_flows_size(struct bh_datapath *dp, const struct bh_datapath_opts *opts, struct bh_err *err);
/* After that: what bh_config says of flows, written where it is not there yet. */
int bh_flows_open(struct bh_datapath *dp, const struct bh_datapath_opts *opts, struct bh_err *err);
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
