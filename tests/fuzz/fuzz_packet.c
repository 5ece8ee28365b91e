/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel programs, compiled for user space, on any frames with any metadata, one after the
 * other: no access outside of what they were given (the sanitizers see to that), nothing passes
 * that the reference parser (tests/diff) would not let through, and nothing ever passes between two
 * tenants, whatever went before.
 */
#include <stdbool.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/diff/kernel.h"
#include "tests/diff/reference.h"

#define PASSED (-1) /* TC_ACT_UNSPEC */
#define IF_ACME 7
#define IF_GLOBEX 8

#define FRAMES_MAX 16

/* Before each frame. */
struct input {
	uint8_t dir, which;
	uint16_t len;
	struct diff_meta meta;
};

static const struct ref_endpoint acme = {
	.mac = { 0x0a, 1, 2, 3, 4, 5 },
	.ip4 = { 10, 1, 0, 5 },
	.ip6 = { 0xfd, 0, 0x10, 1, [15] = 5 },
};
static const struct ref_endpoint globex = {
	.mac = { 0x0a, 1, 2, 3, 4, 6 },
	.ip4 = { 10, 1, 0, 6 },
	.ip6 = { 0xfd, 0, 0x10, 1, [15] = 6 },
};

static void map4(uint8_t to[static 16], const uint8_t v4[static 4])
{
	memset(to, 0, 16);
	to[10] = to[11] = 0xff;
	memcpy(to + 12, v4, 4);
}

static void put_pod(uint32_t ifindex, uint32_t tenant, const struct ref_endpoint *pod)
{
	const struct bh_abi_tenant switches = { 0 };
	const struct bh_abi_addr addr = { .tenant = tenant, .cls = BH_CLASS_TENANT };
	struct bh_abi_endpoint ep = {
		.tenant = tenant,
		.role = BH_ROLE_TENANT,
		.flags = BH_EP_HAS_V4 | BH_EP_HAS_V6,
		.slot = 1, /* both: no region, but the interface in the key, keeps them apart */
	};
	uint8_t mapped[16];

	memcpy(ep.mac, pod->mac, sizeof(ep.mac));
	memcpy(ep.ip4, pod->ip4, sizeof(ep.ip4));
	memcpy(ep.ip6, pod->ip6, sizeof(ep.ip6));
	memcpy(ep.ll6, pod->ip6, sizeof(ep.ll6));
	ep.ll6[0] = 0xfe;
	ep.ll6[1] = 0x80;
	map4(mapped, pod->ip4);
	diff_put_endpoint(ifindex, &ep);
	diff_put_tenant(tenant, &switches);
	diff_put_addr(mapped, &addr);
	diff_put_addr(pod->ip6, &addr);
}

/* Is @a an address of @pod? */
static bool is_pods(const uint8_t a[static 16], const struct ref_endpoint *pod)
{
	uint8_t mapped[16];

	map4(mapped, pod->ip4);
	return memcmp(a, mapped, 16) == 0 || memcmp(a, pod->ip6, 16) == 0;
}

static void check(bool egress, const struct ref_endpoint *me, const struct ref_endpoint *other,
		  const uint8_t *frame, size_t len)
{
	struct ref_parsed r;

	ref_parse(me, egress, frame, len, &r);
	FUZZ_CHECK(r.kind != REF_DROP);
	if (r.kind == REF_LINK)
		return;
	FUZZ_CHECK(is_pods(egress ? r.saddr : r.daddr, me));
	FUZZ_CHECK(!is_pods(egress ? r.daddr : r.saddr, other));
}

static void one_frame(struct input *in, const uint8_t *frame, size_t len)
{
	const bool egress = in->dir & 1, is_acme = in->which & 1;

	in->meta.ip_summed &= 3;
	if (diff_kernel_filter(is_acme ? IF_ACME : IF_GLOBEX,
			       egress ? BH_DIR_EGRESS : BH_DIR_INGRESS, frame, len,
			       &in->meta) == PASSED)
		check(egress, is_acme ? &acme : &globex, is_acme ? &globex : &acme, frame, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct bh_abi_config config = {
		.generation = 2,
		.flow_sets = 2, /* soon full */
		.flow_key = { 1, 2 },
	};
	struct input in;

	put_pod(IF_ACME, BH_TENANT_FIRST, &acme);
	put_pod(IF_GLOBEX, BH_TENANT_FIRST + 1, &globex);
	diff_put_config(&config);
	for (int i = 0; i < FRAMES_MAX && size >= sizeof(in); i++) {
		memcpy(&in, data, sizeof(in));
		data += sizeof(in);
		size -= sizeof(in);
		const size_t len = in.len < size ? in.len : size;
		if (len > DIFF_FRAME_MAX)
			break;
		one_frame(&in, data, len);
		data += len;
		size -= len;
	}
	diff_reset();
	return 0;
}
