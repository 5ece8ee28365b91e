# SPDX-License-Identifier: Apache-2.0
"""The same isolation as an nftables ruleset: what a careful operator would write.

Established flows are accepted first. A new one costs two lookups in hash tables, however many tenants
there are: its source gives the tenant, as a mark, and the pair of mark and destination is a member or
not. Nothing here holds a pod to its own address, as the agent does: that is left out in favour of the
ruleset.
"""

RULESET = """
table inet bench {{
	map owner4 {{ type ipv4_addr : mark; elements = {{ {owner4} }} }}
	map owner6 {{ type ipv6_addr : mark; elements = {{ {owner6} }} }}
	set member4 {{ type mark . ipv4_addr; elements = {{ {member4} }} }}
	set member6 {{ type mark . ipv6_addr; elements = {{ {member6} }} }}

	chain forward {{
		type filter hook forward priority filter; policy drop;
		ct state vmap {{ established : accept, related : accept, invalid : drop }}
		meta mark set ip saddr map @owner4
		meta mark . ip daddr @member4 accept
		meta mark set ip6 saddr map @owner6
		meta mark . ip6 daddr @member6 accept
	}}
}}
"""


def ruleset(tenants):
    """tenants: for each one its pods, as pairs of an IPv4 and an IPv6 address."""
    owned = [(number, v4, v6) for number, pods in enumerate(tenants, 1) for v4, v6 in pods]
    return RULESET.format(owner4=", ".join(f"{v4} : {n}" for n, v4, _ in owned),
                          owner6=", ".join(f"{v6} : {n}" for n, _, v6 in owned),
                          member4=", ".join(f"{n} . {v4}" for n, v4, _ in owned),
                          member6=", ".join(f"{n} . {v6}" for n, _, v6 in owned))
