# SPDX-License-Identifier: Apache-2.0
"""What a Tenant's grants and switches open, and what they never open: with real traffic, on one node
and across two."""

import pytest

from lib import net, probe, world

TCP, UDP, ICMP = ("tcp", world.PORT), ("udp", world.PORT), ("icmp", 0)
ALL = (TCP, UDP, ICMP)
OTHER_PORT = 443
PRIVATE_NET = {4: "172.20.255.0/24", 6: "fd99:20:ff::/64"}
EXCEPTED_PRIVATE = {4: "172.20.255.200", 6: "fd99:20:ff::200"}
EXCEPT = {4: "172.20.255.128/25", 6: "fd99:20:ff::200/128"}
PUBLIC_NET = {4: "11.22.33.0/25", 6: "2600:1f18:1122:33::/120"}


@pytest.fixture(scope="module", name="cluster", params=[("ptp", 1), ("bridge", 2)],
                ids=["ptp-one-node", "bridge-two-nodes"])
def fixture_cluster(make_agent, request):
    with net.Network(*request.param) as network:
        network.outside.ip(f"addr add {EXCEPTED_PRIVATE[4]}/32 dev lo",
                           f"addr add {EXCEPTED_PRIVATE[6]}/128 dev lo nodad")
        w = world.World(network, make_agent)
        w.ends["excepted"] = world.End("excepted", network.outside, EXCEPTED_PRIVATE, "world_private")
        w.ends["public-other"] = world.End("public-other", network.outside,
                                           network.outside.PUBLIC_OTHER, "world_public")
        yield w


def check(cluster, *expected):
    """expected: (sender, receiver, kinds that pass, kinds that do not)"""
    rows = [(cluster[s], cluster[d], *kind, ok) for s, d, yes, no in expected
            for kinds, ok in ((yes, True), (no, False)) for kind in kinds]
    assert world.try_all(rows, 4, 6) == []


def to_tenant(name, **ports):
    return {"egress": [{"to": {"tenant": name}, **ports}]}


def from_tenant(name, **ports):
    return {"ingress": [{"from": {"tenant": name}, **ports}]}


def test_grant__both_sides__one_way_opens(cluster):
    cluster.grant(acme=to_tenant("globex"), globex=from_tenant("acme"))
    check(cluster, ("acme-1", "globex-1", ALL, ()), ("acme-1", "globex-2", ALL, ()),
          ("globex-1", "acme-1", (), ALL), ("loose-1", "globex-1", (), ALL),
          ("acme-1", "conflict-1", (), ALL))


@pytest.mark.parametrize("side", ["egress", "ingress"])
def test_grant__one_side_alone__nothing_opens(cluster, side):
    cluster.grant(acme=to_tenant("globex") if side == "egress" else None,
                  globex=from_tenant("acme") if side == "ingress" else None)
    check(cluster, ("acme-1", "globex-1", (), ALL), ("globex-1", "acme-1", (), ALL),
          ("acme-1", "acme-2", ALL, ()))


def test_grant__withdrawn__closes_again(cluster):
    cluster.grant(acme=to_tenant("globex"), globex=from_tenant("acme"))
    check(cluster, ("acme-1", "globex-1", ALL, ()))
    cluster.grant(acme=to_tenant("globex"))
    check(cluster, ("acme-1", "globex-1", (), ALL))
    cluster.grant()
    check(cluster, ("acme-1", "globex-1", (), ALL))


@pytest.mark.parametrize("side", ["egress", "ingress", "both"])
def test_grant__with_ports__these_alone(cluster, side):
    ports = {"ports": [{"protocol": "TCP", "port": world.PORT}]}
    cluster.grant(acme=to_tenant("globex", **(ports if side != "ingress" else {})),
                  globex=from_tenant("acme", **(ports if side != "egress" else {})))
    check(cluster, ("acme-1", "globex-1", (TCP,), (UDP, ICMP, ("tcp", OTHER_PORT))))


def test_grant__port_range_and_protocols__these_alone(cluster):
    ports = {"ports": [{"protocol": "UDP", "port": 400, "endPort": 500}, {"protocol": "ICMP"}]}
    cluster.grant(acme=to_tenant("globex", **ports), globex=from_tenant("acme"))
    check(cluster, ("acme-1", "globex-1", (("udp", OTHER_PORT), ICMP),
                    (UDP, TCP, ("tcp", OTHER_PORT), ("udp", 80))))


def test_grant__empty_ports__nothing_opens(cluster):
    """CVE-2025-64715."""
    cluster.grant(acme=to_tenant("globex", ports=[]), globex=from_tenant("acme"))
    check(cluster, ("acme-1", "globex-1", (), ALL))


def cidr_grants(direction, nets, **more):
    key = "to" if direction == "egress" else "from"
    return {direction: [{key: {"cidr": nets[f], **({"except": [more["excepted"][f]]}
                                                   if "excepted" in more else {})},
                         **({"ports": more["ports"]} if "ports" in more else {})} for f in (4, 6)]}


def test_cidr__egress_to_private_but_for_a_part__that_opens(cluster):
    """CVE-2024-47825."""
    cluster.grant(acme=cidr_grants("egress", PRIVATE_NET, excepted=EXCEPT))
    check(cluster, ("acme-1", "private", ALL, ()), ("acme-1", "excepted", (), ALL),
          ("private", "acme-1", (), ALL), ("globex-1", "private", (), ALL))


def test_cidr__ingress_from_private_but_for_a_part__that_opens(cluster):
    cluster.grant(acme=cidr_grants("ingress", PRIVATE_NET, excepted=EXCEPT))
    check(cluster, ("private", "acme-1", ALL, ()), ("excepted", "acme-1", (), ALL),
          ("acme-1", "private", (), ALL), ("private", "globex-1", (), ALL))


def test_cidr__with_ports__these_alone(cluster):
    cluster.grant(acme=cidr_grants("egress", PRIVATE_NET,
                                   ports=[{"protocol": "UDP", "port": world.PORT}]))
    check(cluster, ("acme-1", "private", (UDP,), (TCP, ICMP, ("udp", OTHER_PORT))))


def test_cidr__two_grants_overlap__union(cluster):
    wide = cidr_grants("egress", PRIVATE_NET, excepted=EXCEPT,
                       ports=[{"protocol": "TCP", "port": world.PORT}])["egress"]
    narrow = cidr_grants("egress", {4: "172.20.255.200/32", 6: "fd99:20:ff::200/128"},
                         ports=[{"protocol": "UDP", "port": world.PORT}])["egress"]
    one = cidr_grants("egress", {4: "172.20.255.1/32", 6: "fd99:20:ff::1/128"},
                      ports=[{"protocol": "ICMP"}])["egress"]
    cluster.grant(acme={"egress": wide + narrow + one})
    check(cluster, ("acme-1", "private", (TCP, ICMP), (UDP,)),
          ("acme-1", "excepted", (UDP,), (TCP, ICMP)))


def test_cidr__everything__opens_the_world_and_nothing_else(cluster):
    everything = {4: "0.0.0.0/0", 6: "::/0"}
    both = {**cidr_grants("egress", everything), **cidr_grants("ingress", everything)}
    cluster.grant(acme=both, globex=both)
    check(cluster, ("acme-1", "private", ALL, ()), ("private", "acme-1", ALL, ()),
          ("acme-1", "globex-1", (), ALL), ("globex-1", "acme-1", (), ALL),
          ("acme-1", "loose-1", (), ALL), ("loose-1", "acme-1", (), ALL),
          ("acme-1", "system-1", (), ALL), ("acme-1", "conflict-1", (), ALL),
          ("acme-1", "node1", (), ALL), ("acme-1", "node1-gateway", (), ALL))


WORLD = {"public": {"public"}, "all": {"public", "private"}, "none": set()}


@pytest.mark.parametrize("ingress", WORLD)
@pytest.mark.parametrize("egress", WORLD)
def test_world__modes__as_named(cluster, egress, ingress):
    cluster.grant(acme={"world": {"egress": egress, "ingress": ingress}})
    check(cluster, *(("acme-1", end, *((ALL, ()) if end in WORLD[egress] else ((), ALL)))
                     for end in ("public", "private")),
          *((end, "acme-1", *((ALL, ()) if end in WORLD[ingress] else ((), ALL)))
            for end in ("public", "private")),
          ("acme-1", "acme-2", ALL, ()), ("acme-1", "globex-1", (), ALL),
          ("node1", "acme-1", ALL, ()))


def test_world__none_with_a_cidr_grant__that_alone(cluster):
    cluster.grant(acme={"world": {"egress": "none", "ingress": "none"},
                        **cidr_grants("egress", PUBLIC_NET)})
    check(cluster, ("acme-1", "public", ALL, ()), ("acme-1", "public-other", (), ALL),
          ("public", "acme-1", (), ALL))


def test_node_grant__with_a_port__that_alone(cluster):
    cluster.grant(acme={"egress": [{"to": {"node": True},
                                    "ports": [{"protocol": "TCP", "port": world.PORT}]}]})
    check(cluster, ("acme-1", "node1", (TCP,), (UDP, ICMP, ("tcp", OTHER_PORT))),
          ("acme-1", "node1-gateway", (TCP,), (UDP, ICMP)), ("globex-1", "node1", (), ALL))


@pytest.mark.parametrize("mode", ["audit", "off"])
def test_mode__own_verdicts_only__the_other_side_still_judges(cluster, mode):
    cluster.grant(acme={"mode": mode})
    check(cluster, ("acme-1", "private", ALL, ()), ("acme-1", "node1", ALL, ()),
          ("loose-1", "acme-1", (), ALL), ("private", "acme-1", ALL, ()),
          ("acme-1", "globex-1", (), ALL), ("globex-1", "acme-1", (), ALL),
          ("acme-1", "loose-1", (), ALL))
    cluster.grant(acme={"mode": mode}, globex={"mode": mode})
    check(cluster, ("acme-1", "globex-1", ALL, ()), ("acme-1", "conflict-1", (), ALL))


def open_flows(cluster, timeout):
    """UDP flows from acme-1 to globex-1 that stay the same from probe to probe: which got answers."""
    a, b = cluster["acme-1"], cluster["globex-1"]
    return [x.ok for x in probe.run([(a.ns, probe.Probe(
        "udp", b.address[f], world.PORT, src=a.address[f], sport=45000, timeout=timeout))
        for f in (4, 6)])]


def test_grant__withdrawn_during_a_flow__the_flow_ends(cluster):
    cluster.grant(acme=to_tenant("globex"), globex=from_tenant("acme"))
    assert open_flows(cluster, probe.ALLOWED_S) == [True, True]
    cluster.grant(acme=to_tenant("globex"))
    assert open_flows(cluster, probe.DENIED_S) == [False, False]
