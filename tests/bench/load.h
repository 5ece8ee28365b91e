/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * load - what the kinds of traffic of bench_load share. A failure ends the program: there is
 * nothing to measure then.
 */
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "bpf/frame.h"
#include "common/clock.h"

#define LOAD_WARM_UP_NS (30 * BH_NS_PER_MS)
#define LOAD_CONNECT_TIMEOUT_MS 2000
#define LOAD_BACKLOG 2048
#define LOAD_MAX_PINGS 60000

struct load {
	int from_ns, to_ns;
	int entered; /* the one that this thread is in, -1: neither */
	struct sockaddr_storage src, dst;
	socklen_t addr_len;
	uint64_t window_ns;
	int sender, receiver; /* sockets */
	int cpu[2];	      /* of the sender, of the receiver */
	atomic_bool over;
	atomic_ulong accepted;
	uint64_t sent, received, took_ns; /* received: in took_ns */
	uint8_t frame[BH_FRAME_MAX];	  /* of a flood */
	size_t frame_len;
	uint64_t *rtt_ns; /* of received answers, sorted */
};

/* Prints the text and what errno says; exit status 1. */
void __attribute__((noreturn, format(printf, 1, 2))) load_die(const char *fmt, ...);
void load_pin(int cpu); /* this thread */
/*
 * Who waits for packets looks now and then instead: to be woken for each is a call to the
 * hypervisor on a virtual machine, costs more than the packet itself, and never the same.
 */
void load_nap(void);
/* l->receiver: at the address dst and a port of the kernel's choice, which becomes that of dst. */
void load_receive_at(struct load *l, int type);
/* l->sender: from src, connected to dst. */
void load_send_to(struct load *l, int type, int proto);
/* After the warm-up counts what @step says it got, for window_ns; then it is over. */
void load_count(struct load *l, uint64_t (*step)(struct load *l, void *arg), void *arg);

/* One kind of traffic. */
struct load_kind {
	const char *name;
	void (*open)(struct load *l);
	void *(*receive)(void *l); /* a thread; NULL: the kernel alone receives */
	void (*send)(struct load *l);
	int send_cpu; /* index into cpu: who pings stays off the CPU of who floods */
};

extern const struct load_kind load_stream, load_connect;       /* load_tcp.c */
extern const struct load_kind load_udp, load_flood, load_ping; /* load_packets.c */
