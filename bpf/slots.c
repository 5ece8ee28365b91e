/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/slots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/bh_abi.h"
#include "common/cleanup.h"

_Static_assert(BH_SLOTS_MAX == BH_SLOT_MAX, "the option's bound");

enum use { FREE, FREED_NOW, KEPT };

bool bh_slots_needed(uint8_t role)
{
	return role != BH_ROLE_SYSTEM;
}

static bool is_lost(const struct bh_slots_in *in, uint32_t ifindex)
{
	for (size_t i = 0; i < in->n_lost; i++) {
		if (in->lost[i] == ifindex)
			return true;
	}
	return false;
}

/* What flows are keyed by, or judged by and never again: who the pod is on the wire. */
static bool same_pod(const struct bh_abi_endpoint *a, const struct bh_abi_endpoint *b)
{
	/* what is said of it for the moment does not make it another one */
	const uint8_t differ = a->flags ^ b->flags, passing = BH_EP_CLOSED | BH_EP_SHADOW;

	return !(differ & ~passing) && !memcmp(a->mac, b->mac, sizeof(a->mac)) &&
	       !memcmp(a->ip4, b->ip4, sizeof(a->ip4)) && !memcmp(a->ip6, b->ip6, sizeof(a->ip6));
}

static struct bh_abi_endpoint row(const struct bh_table *t, size_t i)
{
	struct bh_abi_endpoint ep;

	memcpy(&ep, bh_table_value(t, i), sizeof(ep));
	return ep;
}

/* The slot that the wanted row @i has already and may keep, or BH_SLOT_NONE. */
static uint32_t kept_slot(const struct bh_slots_in *in, size_t i)
{
	const void *key = bh_table_key(in->want, i), *had = bh_table_get(in->actual, key);
	const struct bh_abi_endpoint want = row(in->want, i);
	struct bh_abi_endpoint was;
	uint32_t ifindex;

	memcpy(&ifindex, key, sizeof(ifindex));
	if (!had || !bh_slots_needed(want.role) || is_lost(in, ifindex))
		return BH_SLOT_NONE;
	memcpy(&was, had, sizeof(was));
	return was.slot <= in->n_slots && same_pod(&was, &want) ? was.slot : BH_SLOT_NONE;
}

/* What the kernel has in use now is taken last: a packet under way may still write there. */
static uint32_t take_free(uint8_t *use, uint32_t n_slots, uint32_t *next)
{
	for (; *next <= n_slots; (*next)++) {
		if (use[*next] == FREE) {
			use[*next] = KEPT;
			return (*next)++;
		}
	}
	for (uint32_t s = 1; s <= n_slots; s++) {
		if (use[s] == FREED_NOW) {
			use[s] = KEPT;
			return s;
		}
	}
	return BH_SLOT_NONE;
}

int bh_slots_assign(const struct bh_slots_in *in, struct bh_slots_out *ret_out)
{
	bh_autofree uint8_t *use = calloc((size_t)in->n_slots + 1, sizeof(*use));
	bh_autofree uint32_t *given = calloc(in->want->n + 1, sizeof(*given));
	bh_autofree uint32_t *slot = calloc(in->want->n + 1, sizeof(*slot));
	size_t n_given = 0, n_without = 0;
	uint32_t next = 1;

	if (!use || !given || !slot)
		return -ENOMEM;
	for (size_t i = 0; i < in->actual->n; i++) {
		const uint32_t s = row(in->actual, i).slot;

		if (s <= in->n_slots)
			use[s] = FREED_NOW;
	}
	for (size_t i = 0; i < in->want->n; i++) {
		const uint32_t s = kept_slot(in, i);

		/* two with one slot: the map was written by nobody who knew better */
		if (s == BH_SLOT_NONE || use[s] == KEPT)
			continue;
		use[s] = KEPT;
		slot[i] = s;
	}
	for (size_t i = 0; i < in->want->n; i++) {
		struct bh_abi_endpoint ep = row(in->want, i);

		if (slot[i] == BH_SLOT_NONE && bh_slots_needed(ep.role)) {
			slot[i] = take_free(use, in->n_slots, &next);
			if (slot[i] == BH_SLOT_NONE)
				n_without++;
			else
				given[n_given++] = slot[i];
		}
		ep.slot = slot[i];
		bh_table_set_value(in->want, i, &ep);
	}
	*ret_out = (struct bh_slots_out){ .given = BH_TAKE_PTR(given),
					  .n_given = n_given,
					  .n_without = n_without };
	return 0;
}

void bh_slots_done(struct bh_slots_out *out)
{
	free(out->given);
	*out = (struct bh_slots_out){ 0 };
}
