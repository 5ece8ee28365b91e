/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bpf/bh_abi.h"
#include "bpf/ids.h"

static int setup(void **state)
{
	return bh_ids_new((struct bh_ids **)state);
}

static int teardown(void **state)
{
	*state = bh_ids_free(*state);
	return *state ? -1 : 0;
}

static uint32_t alloc(struct bh_ids *ids, const char *name)
{
	uint32_t id = 0;

	assert_int_equal(bh_ids_alloc(ids, name, &id), 0);
	return id;
}

static void ids_alloc__names__keep_their_numbers(void **state)
{
	struct bh_ids *ids = *state;
	const uint32_t a = alloc(ids, "acme"), b = alloc(ids, "billing");

	assert_int_equal(a, BH_TENANT_FIRST);
	assert_int_equal(b, BH_TENANT_FIRST + 1);
	assert_int_equal(alloc(ids, "acme"), a);
	assert_int_equal(bh_ids_get(ids, "billing"), b);
	assert_int_equal(bh_ids_get(ids, "acm"), 0);
	assert_string_equal(bh_ids_name(ids, a), "acme");
	assert_null(bh_ids_name(ids, b + 1));
	assert_int_equal(bh_ids_count(ids), 2);
}

static void ids_name__reserved__no_tenants_name(void **state)
{
	static const uint32_t reserved[] = { BH_TENANT_NONE, BH_TENANT_UNASSIGNED, BH_TENANT_SYSTEM,
					     BH_TENANT_CONFLICT };
	struct bh_ids *ids = *state;

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		/* a DNS label, as Kubernetes demands of a Tenant, cannot begin so */
		assert_int_equal(bh_ids_name(ids, reserved[i])[0], '_');
		assert_int_equal(bh_ids_restore(ids, "x", reserved[i]), -EINVAL);
	}
	assert_null(bh_ids_name(ids, BH_TENANT_FIRST - 1));
	assert_null(bh_ids_name(ids, UINT32_MAX));
}

static void ids_restore__gap__never_filled(void **state)
{
	struct bh_ids *ids = *state;

	assert_int_equal(bh_ids_restore(ids, "old", 100), 0);
	assert_int_equal(bh_ids_restore(ids, "older", 50), 0);
	assert_int_equal(alloc(ids, "new"), 101);
	assert_int_equal(alloc(ids, "old"), 100);
	assert_null(bh_ids_name(ids, 51));
	assert_string_equal(bh_ids_name(ids, 50), "older");
	assert_int_equal(bh_ids_count(ids), 3);
}

static void ids_restore__taken__eexist(void **state)
{
	struct bh_ids *ids = *state;

	assert_int_equal(bh_ids_restore(ids, "a", 20), 0);
	assert_int_equal(bh_ids_restore(ids, "a", 20), 0);
	assert_int_equal(bh_ids_restore(ids, "a", 21), -EEXIST);
	assert_int_equal(bh_ids_restore(ids, "b", 20), -EEXIST);
	assert_int_equal(bh_ids_count(ids), 1);
	assert_int_equal(bh_ids_get(ids, "b"), 0);
}

static void ids__bad_input__refused(void **state)
{
	struct bh_ids *ids = *state;
	char name[BH_IDS_NAME_MAX + 1];
	uint32_t id = 7;

	memset(name, 'a', sizeof(name));
	name[BH_IDS_NAME_MAX] = '\0';
	assert_int_equal(bh_ids_alloc(ids, name, &id), -ENAMETOOLONG);
	assert_int_equal(bh_ids_restore(ids, name, 20), -EINVAL);
	assert_int_equal(bh_ids_alloc(ids, "", &id), -EINVAL);
	assert_int_equal(bh_ids_restore(ids, "x", UINT32_MAX), -ENOSPC);
	assert_int_equal(bh_ids_restore(ids, "x", BH_TENANT_FIRST + BH_IDS_MAX), -ENOSPC);
	assert_int_equal(id, 7);
	name[BH_IDS_NAME_MAX - 1] = '\0';
	assert_int_equal(alloc(ids, name), BH_TENANT_FIRST);
}

static void ids_alloc__all_numbers_used__enospc(void **state)
{
	struct bh_ids *ids = *state;
	uint32_t id = 0;

	assert_int_equal(bh_ids_restore(ids, "last", BH_TENANT_FIRST + BH_IDS_MAX - 1), 0);
	assert_int_equal(bh_ids_alloc(ids, "one more", &id), -ENOSPC);
	assert_int_equal(id, 0);
	assert_int_equal(bh_ids_get(ids, "one more"), 0);
	assert_int_equal(alloc(ids, "last"), BH_TENANT_FIRST + BH_IDS_MAX - 1);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(ids_alloc__names__keep_their_numbers),
		T(ids_name__reserved__no_tenants_name),
		T(ids_restore__gap__never_filled),
		T(ids_restore__taken__eexist),
		T(ids__bad_input__refused),
		T(ids_alloc__all_numbers_used__enospc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
