/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above, in any order, first */
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/report/memfd.h"
#include "agent/report/snapshot.h"
#include "bpf/bh_abi.h"
#include "common/buf.h"
#include "tests/unit/snapshot_fixture.h"

static void snapshot__encode_decode_encode__same_values_and_bytes(void **state)
{
	bh_auto(bh_snapshot_freep) struct bh_snapshot *a = snapshot_fixture(), *b = NULL;
	bh_autobuf wa = BH_BUF_INIT;
	bh_autobuf wb = BH_BUF_INIT;

	(void)state;
	assert_int_equal(bh_snapshot_encode(a, &wa), 0);
	assert_int_equal(bh_snapshot_decode(wa.data, wa.len, &b), 0);
	assert_string_equal(b->node, "worker-1");
	assert_true(b->ready);
	assert_int_equal(b->apply.count, 3);
	assert_int_equal(b->apply.bucket[BH_APPLY_BUCKETS - 1], 1);
	assert_int_equal(b->apply_failures, 4);
	assert_int_equal(b->n_tenants, 2);
	assert_string_equal(b->tenants[1].name, "ev\"il\\\n");
	assert_int_equal(b->tenants[0].local_pods, 3);
	assert_int_equal(b->n_counters, 4);
	assert_int_equal(b->counters[1].reason, BH_REASON_PEER_TENANT);
	assert_int_equal(b->counters[1].bytes, 300);
	assert_string_equal(b->maps[0].name, "bh_flows");
	assert_int_equal(b->endpoints[1].value, 1);
	assert_int_equal(b->n_objects, 1);
	assert_int_equal(b->losses[0].value, 6);
	assert_int_equal(bh_snapshot_encode(b, &wb), 0);
	assert_int_equal(wa.len, wb.len);
	assert_memory_equal(wa.data, wb.data, wa.len);
}

static void snapshot__empty__round_trips(void **state)
{
	bh_auto(bh_snapshot_freep) struct bh_snapshot *a = bh_snapshot_new(), *b = NULL;
	bh_autobuf w = BH_BUF_INIT;

	(void)state;
	assert_int_equal(bh_snapshot_encode(a, &w), 0);
	assert_int_equal(bh_snapshot_decode(w.data, w.len, &b), 0);
	assert_string_equal(b->node, "");
	assert_int_equal(b->n_counters, 0);
}

static void snapshot__ten_thousand_counters__round_trip(void **state)
{
	bh_auto(bh_snapshot_freep) struct bh_snapshot *a = bh_snapshot_new(), *b = NULL;
	bh_autobuf w = BH_BUF_INIT;

	(void)state;
	for (unsigned int i = 0; i < 10000; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "tenant-%u", i);
		bh_snapshot_add_counter(a,
					&(struct bh_snap_counter){ .tenant = name, .packets = i });
	}
	assert_int_equal(bh_snapshot_encode(a, &w), 0);
	assert_int_equal(bh_snapshot_decode(w.data, w.len, &b), 0);
	assert_int_equal(b->n_counters, 10000);
	assert_string_equal(b->counters[9999].tenant, "tenant-9999");
	assert_int_equal(b->counters[9999].packets, 9999);
}

static void snapshot_add__long_string__cut(void **state)
{
	bh_auto(bh_snapshot_freep) struct bh_snapshot *a = bh_snapshot_new();
	char name[BH_SNAPSHOT_MAX_STR + 100];

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(strlen(bh_snapshot_str(a, name)), BH_SNAPSHOT_MAX_STR);
}

static void snapshot_decode__every_truncation__einval(void **state)
{
	bh_auto(bh_snapshot_freep) struct bh_snapshot *a = snapshot_fixture();
	struct bh_snapshot *const untouched = (void *)0x1;
	struct bh_snapshot *b = untouched;
	bh_autobuf w = BH_BUF_INIT;

	(void)state;
	assert_int_equal(bh_snapshot_encode(a, &w), 0);
	for (size_t len = 0; len < w.len; len++) {
		/* A copy of its own, so that a read past the end is seen by ASan. */
		char *cut = malloc(len ? len : 1);

		memcpy(cut, w.data, len);
		assert_int_equal(bh_snapshot_decode(cut, len, &b), -EINVAL);
		assert_ptr_equal(b, untouched);
		free(cut);
	}
	bh_buf_add(&w, "", 1);
	assert_int_equal(bh_snapshot_decode(w.data, w.len, &b), -EINVAL);
}

/* xorshift, Marsaglia 2003: the same bytes in every run. */
static uint32_t next_random(uint32_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 17;
	*s ^= *s << 5;
	return *s;
}

static void snapshot_decode__flipped_bytes__refused_or_sound(void **state)
{
	bh_auto(bh_snapshot_freep) struct bh_snapshot *a = snapshot_fixture();
	bh_autobuf w = BH_BUF_INIT;
	uint32_t seed = 12345;
	int refused = 0, sound = 0;

	(void)state;
	assert_int_equal(bh_snapshot_encode(a, &w), 0);
	for (int i = 0; i < 20000; i++) {
		bh_auto(bh_snapshot_freep) struct bh_snapshot *b = NULL;
		bh_autobuf again = BH_BUF_INIT;
		char *bad = malloc(w.len);
		int r;

		memcpy(bad, w.data, w.len);
		for (uint32_t n = 1 + next_random(&seed) % 4; n; n--)
			bad[next_random(&seed) % w.len] = (char)next_random(&seed);
		r = bh_snapshot_decode(bad, w.len, &b);
		if (r < 0) {
			assert_int_equal(r, -EINVAL);
			refused++;
		} else {
			for (size_t k = 0; k < b->n_counters; k++) {
				assert_true(b->counters[k].dir <= BH_DIR_INGRESS);
				assert_true(b->counters[k].reason < BH_REASON_MAX_);
			}
			assert_int_equal(bh_snapshot_encode(b, &again), 0);
			assert_int_equal(again.len, w.len);
			assert_memory_equal(again.data, bad, w.len);
			sound++;
		}
		free(bad);
	}
	assert_true(refused > 1000 && sound > 1000);
}

static void snapshot_decode__huge_count__refused_before_allocating(void **state)
{
	bh_auto(bh_snapshot_freep) struct bh_snapshot *a = bh_snapshot_new(), *b = NULL;
	bh_autobuf w = BH_BUF_INIT;
	const uint32_t huge = UINT32_MAX;

	(void)state;
	assert_int_equal(bh_snapshot_encode(a, &w), 0);
	/* The six counts of the empty lists are the last 24 bytes. */
	memcpy(w.data + w.len - 24, &huge, sizeof(huge));
	assert_int_equal(bh_snapshot_decode(w.data, w.len, &b), -EINVAL);
}

static void memfd__seal_read__same_bytes_and_no_writing(void **state)
{
	bh_autoclose int fd = -1;
	bh_autofree char *data = NULL;
	size_t len = 0;

	(void)state;
	fd = bh_memfd_seal("bh-test", "abc", 3);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, 1), -1);
	assert_int_equal(bh_memfd_read(fd, 2, &data, &len), -E2BIG);
	assert_int_equal(bh_memfd_read(fd, 3, &data, &len), 0);
	assert_int_equal(len, 3);
	assert_string_equal(data, "abc");
}

static void memfd_read__not_sealed__einval(void **state)
{
	bh_autoclose int open_fd = memfd_create("bh-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	bh_autoclose int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
	bh_autofree char *data = NULL;
	size_t len = 0;

	(void)state;
	assert_true(open_fd >= 0 && file >= 0);
	assert_int_equal(bh_memfd_read(open_fd, 10, &data, &len), -EINVAL);
	assert_int_equal(fcntl(open_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
	assert_int_equal(bh_memfd_read(open_fd, 10, &data, &len), -EINVAL);
	assert_int_equal(bh_memfd_read(file, 10, &data, &len), -EINVAL);
	assert_int_equal(bh_memfd_read(-1, 10, &data, &len), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(snapshot__encode_decode_encode__same_values_and_bytes),
		cmocka_unit_test(snapshot__empty__round_trips),
		cmocka_unit_test(snapshot__ten_thousand_counters__round_trip),
		cmocka_unit_test(snapshot_add__long_string__cut),
		cmocka_unit_test(snapshot_decode__every_truncation__einval),
		cmocka_unit_test(snapshot_decode__flipped_bytes__refused_or_sound),
		cmocka_unit_test(snapshot_decode__huge_count__refused_before_allocating),
		cmocka_unit_test(memfd__seal_read__same_bytes_and_no_writing),
		cmocka_unit_test(memfd_read__not_sealed__einval),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
