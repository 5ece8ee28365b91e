/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Traffic from one network namespace to another, for a bounded time, from one process: a socket
 * stays in the namespace in which it was made. The sender has the first CPU that this process may
 * use, the receiver the second: a veth pair delivers on the sender's CPU, so that all of the way
 * between the two is paid there, and the receiver does not disturb it.
 *
 *	bench_load KIND FROM TO SRC DST MS
 *
 * KIND: stream	  one TCP connection, as many bytes as go through
 *	 udp	  datagrams in frames of 64 bytes, counted where they arrive
 *	 connect  TCP connections opened and closed (no SO_LINGER), counted where they are accepted
 *	 ping	  an ICMP echo request every millisecond, the next one after the answer
 *	 flood	  datagrams as with udp, past the sender's own stack, and nobody waits for them
 * FROM, TO: paths of network namespaces; SRC, DST: addresses in them. Prints one JSON object.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/parse.h"
#include "tests/bench/load.h"

#define MAX_MS 60000
#define NICEST -20

static const struct load_kind *const kinds[] = { &load_stream, &load_udp, &load_connect, &load_ping,
						 &load_flood };

static void run(struct load *l, const char *name)
{
	const struct load_kind *k = NULL;
	pthread_t thread;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i]->name, name) == 0)
			k = kinds[i];
	}
	if (!k) {
		errno = EINVAL;
		load_die("%s", name);
	}
	k->open(l);
	if (k->receive && (errno = pthread_create(&thread, NULL, k->receive, l)) != 0)
		load_die("thread");
	load_pin(l->cpu[k->send_cpu]);
	k->send(l);
	if (k->receive)
		(void)pthread_join(thread, NULL);
}

static void report(const struct load *l)
{
	bh_auto(bh_json_freep) struct bh_json *j = bh_json_new_object();
	static const int percent[] = { 50, 90, 99, 100 };
	static const char *const name[] = { "p50_us", "p90_us", "p99_us", "max_us" };
	bh_autofree char *text = NULL;

	bh_json_set_int(j, "sent", (int64_t)l->sent);
	bh_json_set_int(j, "received", (int64_t)l->received);
	bh_json_set_num(j, "seconds", (double)l->took_ns / 1e9);
	for (size_t i = 0; l->rtt_ns && l->received && i < 4; i++)
		bh_json_set_num(j, name[i],
				(double)l->rtt_ns[(l->received - 1) * (uint64_t)percent[i] / 100] /
					1e3);
	if (bh_json_encode(j, false, &text) < 0)
		load_die("memory");
	(void)puts(text);
}

static void parse_addr(const char *text, struct sockaddr_storage *ret_a, socklen_t *ret_len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret_a;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_a;

	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		ret_a->ss_family = AF_INET;
		*ret_len = sizeof(*v4);
	} else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		ret_a->ss_family = AF_INET6;
		*ret_len = sizeof(*v6);
	} else {
		errno = EINVAL;
		load_die("%s", text);
	}
}

static void choose_cpus(struct load *l)
{
	cpu_set_t mine;
	int n = 0;

	if (sched_getaffinity(0, sizeof(mine), &mine) < 0)
		load_die("sched_getaffinity");
	for (int cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++) {
		if (CPU_ISSET(cpu, &mine))
			l->cpu[n++] = cpu;
	}
	if (n == 1)
		l->cpu[1] = l->cpu[0];
}

/*
 * Others' work is noise, and this is over in seconds. Where the kernel groups tasks by session, a
 * nice value counts within the group alone, so this gets a group of its own.
 */
static void get_ahead(void)
{
	FILE *group;

	(void)setpriority(PRIO_PROCESS, 0, NICEST);
	if (setsid() < 0)
		return; /* a group leader already: started by hand */
	group = fopen("/proc/self/autogroup", "we");
	if (!group)
		return; /* this kernel has none */
	(void)fprintf(group, "%d\n", NICEST);
	(void)fclose(group);
}

int main(int argc, char **argv)
{
	struct load l = { .entered = -1, .sender = -1, .receiver = -1 };
	uint64_t ms;

	if (argc != 7) {
		(void)fputs("usage: bench_load KIND FROM TO SRC DST MS\n", stderr);
		return 2;
	}
	l.from_ns = open(argv[2], O_RDONLY | O_CLOEXEC);
	l.to_ns = open(argv[3], O_RDONLY | O_CLOEXEC);
	if (l.from_ns < 0 || l.to_ns < 0)
		load_die("%s, %s", argv[2], argv[3]);
	parse_addr(argv[4], &l.src, &l.addr_len);
	parse_addr(argv[5], &l.dst, &l.addr_len);
	if (bh_parse_u64(argv[6], 1, MAX_MS, &ms) < 0) {
		errno = ERANGE;
		load_die("%s ms", argv[6]);
	}
	l.window_ns = ms * BH_NS_PER_MS;
	choose_cpus(&l);
	get_ahead();

	run(&l, argv[1]);
	report(&l);
	free(l.rtt_ns);
	return 0;
}
