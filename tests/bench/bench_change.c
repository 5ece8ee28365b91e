/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long it takes from the rename of a file to the change of a map's entry.
 *
 *	bench_change < LINES
 *
 * A line is FROM TO MAP KEY: two paths, the path of a pinned map, the key in hexadecimal. FROM is
 * renamed to TO, then the entry is looked at until it is another one than before, or is there where
 * it was not, or the other way round. Each line is answered by the nanoseconds, or by -1 after
 * LIMIT_NS. Needs root.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/parse.h"

#define LIMIT_NS (5 * BH_NS_PER_S)
#define LOOK_NS (20 * BH_NS_PER_US)
#define KEY_MAX 64
#define VALUE_MAX 256
#define LINE_MAX_LEN 4096

struct entry {
	bool there;
	uint8_t value[VALUE_MAX];
};

static int look(int map, const uint8_t *key, struct entry *ret_e)
{
	memset(ret_e, 0, sizeof(*ret_e));
	ret_e->there = bpf_map_lookup_elem(map, key, ret_e->value) == 0;
	return ret_e->there || errno == ENOENT ? 0 : -errno;
}

static int parse_key(const char *hex, uint8_t ret_key[static KEY_MAX])
{
	const size_t n = strlen(hex);

	if (n % 2 || n / 2 > KEY_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i += 2) {
		const int hi = bh_parse_hex_digit(hex[i]), lo = bh_parse_hex_digit(hex[i + 1]);

		if (hi < 0 || lo < 0)
			return -EINVAL;
		ret_key[i / 2] = (uint8_t)(hi << 4 | lo);
	}
	return (int)(n / 2);
}

/* Is it a map whose entries fit here, with keys of this length? */
static bool fits(int map, int key_len)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(map, &info, &len) == 0 &&
	       info.key_size == (uint32_t)key_len && info.value_size <= VALUE_MAX;
}

static int change(const char *from, const char *to, int map, const uint8_t *key)
{
	const struct timespec pause = { .tv_nsec = LOOK_NS };
	struct entry before, now;
	uint64_t start, ns;
	int r = look(map, key, &before);

	if (r < 0)
		return r;
	start = bh_clock_ns();
	if (rename(from, to) < 0)
		return -errno;
	do {
		(void)nanosleep(&pause, NULL);
		r = look(map, key, &now);
		ns = bh_clock_ns() - start;
	} while (r == 0 && memcmp(&before, &now, sizeof(now)) == 0 && ns < LIMIT_NS);
	if (r == 0)
		printf("%lld\n", ns < LIMIT_NS ? (long long)ns : -1LL);
	return r;
}

static int do_line(char *line)
{
	char *save = NULL, *word[4];
	uint8_t key[KEY_MAX] = { 0 };
	int map, r;

	for (int i = 0; i < 4; i++) {
		word[i] = strtok_r(i ? NULL : line, " \n", &save);
		if (!word[i])
			return -EINVAL;
	}
	r = parse_key(word[3], key);
	if (r < 0)
		return r;
	map = bpf_obj_get(word[2]);
	if (map < 0)
		return -errno;
	r = fits(map, r) ? change(word[0], word[1], map, key) : -EINVAL;
	(void)close(map);
	return r;
}

int main(void)
{
	char line[LINE_MAX_LEN];

	(void)prctl(PR_SET_TIMERSLACK, 1UL);
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin)) {
		const int r = do_line(line);

		if (r < 0) {
			fprintf(stderr, "bench_change: %s\n", strerror(-r));
			return 1;
		}
	}
	return 0;
}
