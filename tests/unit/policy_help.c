/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/policy_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

bool ph_has_port(const struct bh_policy *p, uint64_t id, uint8_t proto, uint16_t port)
{
	struct bh_abi_portset s = { 0 };
	const uint32_t want = (uint32_t)proto << 16 | port;
	const void *v;

	if (id == BH_PORTS_ANY)
		return true;
	v = bh_table_get(&p->maps[BH_PM_PORTSETS], &id);
	if (v)
		memcpy(&s, v, sizeof(s)); /* rows are not aligned */
	for (uint32_t i = 0; i < s.n; i++) {
		if (s.r[i].lo <= want && want <= s.r[i].hi)
			return true;
	}
	return false;
}

static bool same_bits(const uint8_t *a, const uint8_t *b, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if ((a[i / 8] ^ b[i / 8]) & (0x80 >> i % 8))
			return false;
	}
	return true;
}

const void *ph_lpm(const struct bh_table *t, const void *key, uint32_t key_bits)
{
	const void *best = NULL;
	uint32_t best_len = 0;

	for (size_t i = 0; i < t->n; i++) {
		const uint8_t *row = bh_table_key(t, i);
		uint32_t len;

		memcpy(&len, row, sizeof(len));
		assert_true(len <= key_bits);
		if (!same_bits(row + 4, (const uint8_t *)key + 4, len) || (best && len < best_len))
			continue;
		best = bh_table_value(t, i);
		best_len = len;
	}
	return best;
}

bool ph_world(const struct bh_policy *p, uint32_t tenant, uint8_t dir, const struct bh_addr *a,
	      uint8_t proto, uint16_t port)
{
	struct bh_abi_world_key key = { .tenant = tenant, .dir = dir };
	const void *v;
	uint64_t id;

	memcpy(key.addr, a->b, 16);
	v = ph_lpm(&p->maps[BH_PM_WORLD], &key, BH_WORLD_KEY_FIXED_BITS + 128);
	if (!v)
		return false;
	memcpy(&id, v, sizeof(id));
	return id != BH_PORTS_NONE && ph_has_port(p, id, proto, port);
}

enum bh_class ph_class(const struct bh_policy *p, const struct bh_addr *a)
{
	const void *v = bh_table_get(&p->maps[BH_PM_ADDRS], a->b);
	struct bh_abi_addr exact;
	struct bh_abi_cidr_key key = { 0 };
	const void *c;
	uint32_t cls;

	if (v) {
		memcpy(&exact, v, sizeof(exact));
		return (enum bh_class)exact.cls;
	}
	memcpy(key.addr, a->b, 16);
	c = ph_lpm(&p->maps[BH_PM_CIDRS], &key, 128);
	if (!c)
		return BH_CLASS_UNKNOWN;
	memcpy(&cls, c, sizeof(cls));
	return (enum bh_class)cls;
}
