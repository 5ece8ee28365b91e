/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* policy_help - reading policy tables as the kernel does. */
#include <stdbool.h>
#include <stdint.h>

#include "bpf/policy.h"

/* Is @proto and @port in the set @id, by the table of port sets? */
bool ph_has_port(const struct bh_policy *p, uint64_t id, uint8_t proto, uint16_t port);
/* The value of the longest prefix that matches, or NULL. Keys begin with a __u32 prefix length. */
const void *ph_lpm(const struct bh_table *t, const void *key, uint32_t key_bits);
/* What cidr grants of @tenant say of @a: may it, on this port? */
bool ph_world(const struct bh_policy *p, uint32_t tenant, uint8_t dir, const struct bh_addr *a,
	      uint8_t proto, uint16_t port);
/* The class of @a, as lookup_addr() of the kernel programs has it. */
enum bh_class ph_class(const struct bh_policy *p, const struct bh_addr *a);
