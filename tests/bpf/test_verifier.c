/* SPDX-License-Identifier: Apache-2.0 */
/* What the verifier has to do: a program that is near its limit is refused by the next kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/isolate.skel.h"
#include "common/cleanup.h"

#define EXIT_SKIP 77
#define INSNS_MAX 400000 /* of the kernel's 1 000 000 */
#define LOG_STATS 4	 /* BPF_LOG_STATS, include/linux/bpf_verifier.h */
#define LOG_BYTES 65536

static void check(struct bpf_program *(*of)(struct isolate_bpf *))
{
	bh_autofree char *log = calloc(1, LOG_BYTES);
	struct isolate_bpf *skel = isolate_bpf__open();
	unsigned int insns = 0;
	struct bpf_program *p;
	const char *at;

	assert_non_null(log);
	assert_non_null(skel);
	p = of(skel);
	assert_int_equal(bpf_program__set_log_buf(p, log, LOG_BYTES), 0);
	assert_int_equal(bpf_program__set_log_level(p, LOG_STATS), 0);
	assert_int_equal(isolate_bpf__load(skel), 0);
	at = strstr(log, "processed ");
	assert_non_null(at);
	assert_int_equal(sscanf(at, "processed %u insns", &insns), 1);
	print_message("%s: %u instructions processed\n", bpf_program__name(p), insns);
	assert_in_range(insns, 1, INSNS_MAX - 1);
	isolate_bpf__destroy(skel);
}

#define PROGRAM(name)                                                                              \
	static struct bpf_program *get_##name(struct isolate_bpf *s)                               \
	{                                                                                          \
		return s->progs.name;                                                              \
	}                                                                                          \
	static void verifier__##name##__under_400000_instructions(void **state)                    \
	{                                                                                          \
		(void)state;                                                                       \
		check(get_##name);                                                                 \
	}

PROGRAM(from_pod)
PROGRAM(to_pod)
PROGRAM(explain_from)
PROGRAM(explain_to)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verifier__from_pod__under_400000_instructions),
		cmocka_unit_test(verifier__to_pod__under_400000_instructions),
		cmocka_unit_test(verifier__explain_from__under_400000_instructions),
		cmocka_unit_test(verifier__explain_to__under_400000_instructions),
	};

	if (geteuid() != 0) {
		(void)fprintf(stderr, "loading BPF programs needs root\n");
		return EXIT_SKIP;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
