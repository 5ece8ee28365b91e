/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * datapath - the kernel side: loads the programs, pins the maps, attaches to interfaces, and writes
 * the differences between what is and what should be. The only user of libbpf.
 *
 * Lifetime: everything that enforces is pinned below the bpffs folder: <bpffs>/v<ABI>/maps/<name>
 * and <bpffs>/v<ABI>/links/<ifindex>-<from|to>. Closing the object, or dying, detaches nothing. A
 * new object adopts what is pinned, swaps each program in place (no packet is missed) and goes on
 * from the maps as they are. bh_datapath_detach_all() is the only way to open up.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/attach.h"
#include "bpf/bh_abi.h"
#include "bpf/bind.h"
#include "bpf/ids.h"
#include "bpf/policy.h"
#include "bpf/slots.h"
#include "common/cleanup.h"

struct bh_err;
struct bh_datapath; /* opaque */

struct bh_datapath_opts {
	const char *bpffs;     /* folder of ours on a BPF filesystem */
	enum bh_attach attach; /* AUTO: TCX where the kernel has it (6.6), else clsact */
	/*
	 * Size of the table of flows: how many endpoints may have flows, and how many flows each; 0
	 * = BH_SLOTS_DEFAULT, BH_SLOT_FLOWS_DEFAULT. A power of two, at least BH_SLOT_FLOWS_MIN. A
	 * table that is pinned already keeps its size.
	 */
	uint32_t max_endpoints, flows_per_endpoint;
	/* What each endpoint may have in a second, both directions together; 0 = no limit. */
	uint32_t packets_per_second;
	uint32_t new_flows_per_second; /* or BH_RATE_AUTO */
};

/*
 * Half of what the host's connection tracking (nf_conntrack) holds, spread over the time for which
 * it remembers what was never answered: 120 s. BH_RATE_NEW_FLOWS where there is none.
 */
#define BH_RATE_AUTO UINT32_MAX
#define BH_RATE_NEW_FLOWS 10000
#define BH_RATE_PACKETS 1000000 /* default */

/*
 * Make @bpffs a folder on a BPF filesystem, if it is not one: so that it can be locked before
 * bh_datapath_open(), which does this too, changes what runs. A filesystem is mounted there unless
 * this process has a mount namespace of its own, whose end would be the end of enforcement.
 * Needs CAP_SYS_ADMIN to mount. 0 or negative errno with @err.
 */
int bh_datapath_prepare(const char *bpffs, struct bh_err *err);

/*
 * Load and adopt. One object at a time for each @bpffs, of all processes: the caller sees to that.
 * Needs CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN; CAP_SYS_RESOURCE below 5.11; and what
 * bh_datapath_prepare() needs.
 * 0; -EOPNOTSUPP: the kernel lacks something (named in @err); other negative errno with @err.
 */
int bh_datapath_open(const struct bh_datapath_opts *opts, struct bh_datapath **ret_dp,
		     struct bh_err *err);
/* Leaves everything pinned. NULL is fine; returns NULL. */
struct bh_datapath *bh_datapath_close(struct bh_datapath *dp);
BH_DEFINE_AUTO(struct bh_datapath, bh_datapath_close)

/* Remove every program, map and pin below @bpffs, of every ABI version. Needs no object. */
int bh_datapath_detach_all(const char *bpffs, struct bh_err *err);

/* True until the first apply on this node, by this daemon or an earlier one. */
bool bh_datapath_fresh(const struct bh_datapath *dp);
enum bh_attach bh_datapath_attach_mode(const struct bh_datapath *dp); /* never AUTO */

/* Numbers of tenants, persistent. bh_datapath_number() writes a new one through to the kernel. */
const struct bh_ids *bh_datapath_ids(const struct bh_datapath *dp);
int bh_datapath_number(struct bh_datapath *dp, const char *tenant, uint32_t *ret_id);

/*
 * Look whether what was attached still is, and is the first to see a packet: somebody may have
 * taken a program off or hung one in front, and an interface may have gone and left its number to
 * another one between two looks. What was lost is attached again by the next apply or guard; who
 * was overtaken is put in front again, at most once in BH_FRONT_INTERVAL_S for each interface. How
 * many interfaces need that, or -ENOMEM.
 */
int bh_datapath_verify(struct bh_datapath *dp);
/* The same for some interfaces; those that are not attached are skipped. */
int bh_datapath_verify_some(struct bh_datapath *dp, const uint32_t *ifindexes, size_t n);
#define BH_FRONT_INTERVAL_S 60

/* Somebody else's program that sees a packet before ours. */
struct bh_front {
	uint32_t ifindex;
	uint8_t dir;	    /* BH_DIR_* */
	enum bh_attach how; /* TCX or CLSACT */
	uint32_t prog_id;   /* 0: a filter that is no BPF program */
	char name[32];	    /* of the program, or the filter's kind */
};
/* As of the last look; valid until the next one, or the next apply or guard. */
const struct bh_front *bh_datapath_fronts(const struct bh_datapath *dp, size_t *ret_n);
/* How often interfaces were put in front again. */
uint64_t bh_datapath_put_in_front(const struct bh_datapath *dp);

/*
 * Endpoints as the kernel has them now, but for lost interfaces, sorted by ifindex; for the caller
 * to free(). 0, -ENOMEM.
 */
int bh_datapath_bound(const struct bh_datapath *dp, struct bh_bound **ret_v, size_t *ret_n);

/* The interfaces that were there before the first start; persistent. Sorted, caller frees. */
int bh_datapath_left_alone(const struct bh_datapath *dp, struct bh_left_alone **ret_v,
			   size_t *ret_n);

struct bh_apply_result {
	size_t writes;	 /* map entries written or deleted */
	size_t attached; /* interfaces */
	size_t detached;
	size_t failures; /* of any kind; the rest was done */
};

/*
 * Bring the kernel to @want: attach the interfaces that are enforced or quarantined, detach those
 * that are ignored, forget those that are gone, write what differs, and raise the generation if
 * anything did. Closing comes before opening. Takes @want over in every case. Failures are counted,
 * the first is described in @err, and what failed is tried again by the next call. 0, or the first
 * failure's negative errno.
 */
int bh_datapath_apply(struct bh_datapath *dp, struct bh_policy *want, const struct bh_ifs *ifs,
		      struct bh_apply_result *ret_result, struct bh_err *err);

/*
 * Only close: attach to interfaces that are quarantined or enforced and not attached yet. Maps
 * stay. For the time in which the source has not said yet what should be. Returns as
 * bh_datapath_apply().
 */
int bh_datapath_guard(struct bh_datapath *dp, const struct bh_ifs *ifs,
		      struct bh_apply_result *ret_result, struct bh_err *err);

/* How often policy was written. */
uint32_t bh_datapath_generation(const struct bh_datapath *dp);

/* Who has room in the table of flows. */
struct bh_slot_info {
	uint32_t max;	/* endpoints that there is room for */
	uint32_t used;	/* endpoints that have room */
	size_t without; /* endpoints that should have some and were left without: all is dropped */
};
void bh_datapath_slots(const struct bh_datapath *dp, struct bh_slot_info *ret_info);

struct bh_map_info {
	const char *name;
	uint64_t entries, max_entries;
	uint64_t bytes; /* kernel memory, as the kernel accounts it; 0 = not known */
};

/*
 * Maps that can fill up. @v has room for @cap; returns how many. Counting flows costs: not for
 * every second.
 */
size_t bh_datapath_maps(struct bh_datapath *dp, struct bh_map_info *v, size_t cap);

/* Sum over CPUs of each counter, in no order. Caller frees. 0 or negative errno. */
struct bh_counter {
	struct bh_abi_stat_key key;
	struct bh_abi_stat value;
};
int bh_datapath_counters(const struct bh_datapath *dp, struct bh_counter **ret_v, size_t *ret_n);
/* BH_LOSS_*, summed over CPUs. */
int bh_datapath_losses(const struct bh_datapath *dp, uint64_t ret_v[static BH_LOSS_MAX_]);

/* The ring of events: readable when bh_datapath_events() has something to deliver. */
int bh_datapath_events_fd(const struct bh_datapath *dp);
typedef void (*bh_event_cb)(void *ud, const struct bh_abi_event *e);
/* Deliver what is waiting, without blocking. Number delivered or negative errno. */
int bh_datapath_events(struct bh_datapath *dp, bh_event_cb cb, void *ud);

/* Which judged flows the kernel is to record. */
struct bh_record_switch {
	uint64_t until_ns; /* CLOCK_MONOTONIC; 0 = off, as it is after bh_datapath_open() */
	uint32_t sample;   /* one of so many, at least 1 */
	uint32_t tenant;   /* number; BH_TENANT_NONE = of all */
};
/* It ends by itself at its time, whatever becomes of this process. 0 or negative errno. */
int bh_datapath_record(struct bh_datapath *dp, const struct bh_record_switch *s);
/* The ring of flow records, as the one of events. */
int bh_datapath_records_fd(const struct bh_datapath *dp);
typedef void (*bh_record_cb)(void *ud, const struct bh_abi_flow_record *f);
int bh_datapath_records(struct bh_datapath *dp, bh_record_cb cb, void *ud);

/* What the kernel's own code says of one packet, run dry. */
struct bh_explain_answer {
	uint8_t verdict;  /* BH_VERDICT_* */
	uint8_t reason;	  /* enum bh_reason */
	uint8_t peer_cls; /* enum bh_class */
	uint32_t peer_tenant;
	bool grant;
};
/* @dir BH_DIR_*; @frame a whole Ethernet frame as the hook of @ifindex would see it. */
int bh_datapath_explain(struct bh_datapath *dp, uint32_t ifindex, uint8_t dir, const void *frame,
			size_t len, struct bh_explain_answer *ret_answer);
