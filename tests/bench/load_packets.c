/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/load.h"

#include <errno.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <stdlib.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>

#define BATCH 64
#define FRAME_LEN 64
#define PING_TIMEOUT_MS 100
#define POD_INTERFACE "eth0"

/* BATCH messages that share one buffer. */
struct batch {
	struct mmsghdr msgs[BATCH];
	struct iovec iov;
	char payload[BH_FRAME_MAX];
};

static void batch_init(struct batch *b, size_t len)
{
	memset(b, 0, sizeof(*b));
	b->iov = (struct iovec){ .iov_base = b->payload, .iov_len = len };
	for (int i = 0; i < BATCH; i++)
		b->msgs[i].msg_hdr = (struct msghdr){ .msg_iov = &b->iov, .msg_iovlen = 1 };
}

static uint64_t udp_step(struct load *l, void *arg)
{
	struct batch *b = arg;
	const int n = recvmmsg(l->receiver, b->msgs, BATCH, MSG_DONTWAIT, NULL);

	if (n < 0 && errno != EAGAIN)
		load_die("recvmmsg");
	if (n < BATCH)
		load_nap();
	return n > 0 ? (uint64_t)n : 0;
}

static void *udp_receiver(void *arg)
{
	struct load *l = arg;
	struct batch b;

	batch_init(&b, sizeof(b.payload));
	load_pin(l->cpu[1]);
	load_count(l, udp_step, &b);
	return NULL;
}

/* BATCH datagrams in frames of FRAME_LEN bytes; how many the kernel took. */
static uint64_t send_batch(struct load *l, struct batch *b)
{
	const int n = sendmmsg(l->sender, b->msgs, BATCH, 0);

	/* a queue was full, or the receiver is gone already */
	if (n < 0 && errno != ENOBUFS && errno != EAGAIN && errno != ECONNREFUSED)
		load_die("sendmmsg");
	return n > 0 ? (uint64_t)n : 0;
}

static size_t payload_len(const struct load *l)
{
	return FRAME_LEN - 14 - 8 - (l->dst.ss_family == AF_INET ? 20 : 40);
}

static void udp_send(struct load *l)
{
	struct batch b;

	batch_init(&b, payload_len(l));
	while (!atomic_load(&l->over))
		l->sent += send_batch(l, &b);
}

static void open_udp(struct load *l)
{
	load_receive_at(l, SOCK_DGRAM);
	load_send_to(l, SOCK_DGRAM, 0);
}

const struct load_kind load_udp = { "udp", open_udp, udp_receiver, udp_send, 0 };

/* The frame that open_flood() made goes out as it is: neither routing nor a queue before it. */
static void flood_send(struct load *l)
{
	const uint64_t start = bh_clock_ns();
	struct batch b;

	batch_init(&b, l->frame_len);
	memcpy(b.payload, l->frame, l->frame_len);
	do {
		l->sent += send_batch(l, &b);
		l->took_ns = bh_clock_ns() - start;
	} while (l->took_ns < l->window_ns);
}

static struct bh_addr addr_of(const struct sockaddr_storage *a)
{
	struct bh_addr r = { 0 };

	if (a->ss_family == AF_INET)
		(void)bh_addr_from_bytes(&((const struct sockaddr_in *)a)->sin_addr, 4, &r);
	else
		(void)bh_addr_from_bytes(&((const struct sockaddr_in6 *)a)->sin6_addr, 16, &r);
	return r;
}

static void open_flood(struct load *l)
{
	struct ifreq ifr = { .ifr_name = POD_INTERFACE };
	struct sockaddr_ll at = { .sll_family = AF_PACKET };
	struct bh_flow_spec spec = { .src = addr_of(&l->src),
				     .dst = addr_of(&l->dst),
				     .dst_mac.b = { 2, 0, 0, 0, 0, 1 },
				     .proto = IPPROTO_UDP,
				     .sport = 9,
				     .dport = 9 };
	const int one = 1;

	if (setns(l->from_ns, CLONE_NEWNET) < 0)
		load_die("enter a network namespace");
	l->sender = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (l->sender < 0 || ioctl(l->sender, SIOCGIFHWADDR, &ifr) < 0)
		load_die(POD_INTERFACE);
	memcpy(spec.src_mac.b, ifr.ifr_hwaddr.sa_data, sizeof(spec.src_mac.b));
	at.sll_ifindex = (int)if_nametoindex(POD_INTERFACE);
	if (setsockopt(l->sender, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)) < 0 ||
	    bind(l->sender, (struct sockaddr *)&at, sizeof(at)) < 0)
		load_die(POD_INTERFACE);
	if (bh_frame_build(&spec, l->frame, &l->frame_len) < 0)
		load_die("frame");
	if (l->frame_len < FRAME_LEN) /* padded with zeros, as on a wire */
		l->frame_len = FRAME_LEN;
}

const struct load_kind load_flood = { "flood", open_flood, NULL, flood_send, 0 };

static int cmp_u64(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* One request, one answer; the kernel sets the id of such a socket and tells answers apart by it.
 */
static void ping_one(struct load *l, uint16_t seq)
{
	const bool v6 = l->dst.ss_family == AF_INET6;
	const uint8_t msg[64] = { v6 ? 128 : 8, [6] = (uint8_t)(seq >> 8), [7] = (uint8_t)seq };
	const uint64_t start = bh_clock_ns();
	struct pollfd p = { .fd = l->sender, .events = POLLIN };
	uint8_t got[128];

	if (send(l->sender, msg, sizeof(msg), 0) < 0)
		load_die("send");
	l->sent++;
	while (poll(&p, 1, PING_TIMEOUT_MS) > 0) {
		if (recv(l->sender, got, sizeof(got), 0) < 8 || memcmp(got + 6, msg + 6, 2) != 0)
			continue; /* an answer that came too late */
		l->rtt_ns[l->received++] = bh_clock_ns() - start;
		return;
	}
}

static void ping_all(struct load *l)
{
	const struct timespec pause = { .tv_nsec = BH_NS_PER_MS };
	const uint64_t start = bh_clock_ns();

	l->rtt_ns = calloc(LOAD_MAX_PINGS, sizeof(*l->rtt_ns));
	if (!l->rtt_ns)
		load_die("memory");
	while (bh_clock_ns() - start < l->window_ns && l->sent < LOAD_MAX_PINGS) {
		ping_one(l, (uint16_t)l->sent);
		(void)nanosleep(&pause, NULL);
	}
	l->took_ns = bh_clock_ns() - start;
	qsort(l->rtt_ns, l->received, sizeof(*l->rtt_ns), cmp_u64);
}

static void open_ping(struct load *l)
{
	load_send_to(l, SOCK_DGRAM, l->dst.ss_family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

const struct load_kind load_ping = { "ping", open_ping, NULL, ping_all, 1 };
