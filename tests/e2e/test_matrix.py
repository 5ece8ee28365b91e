# SPDX-License-Identifier: Apache-2.0
"""Who reaches whom: every pair of a small cluster, by TCP, UDP and ICMP, IPv4 and IPv6, on both kinds
of pod wiring, on one node and across two. What is expected comes from lib/policy.py."""

import pytest

from lib import net, policy, probe, world


@pytest.fixture(scope="module", name="cluster", params=[1, 2], ids=["one-node", "two-nodes"])
def fixture_cluster(wiring, make_agent, request):
    with net.Network(wiring, nodes=request.param) as network:
        yield world.World(network, make_agent)


@pytest.fixture(scope="module", name="half")
def fixture_half(wiring, make_agent):
    """Two nodes, one of them without an agent."""
    with net.Network(wiring, nodes=2) as network:
        yield world.World(network, make_agent, agents=1)


@pytest.fixture(scope="module", name="bare", params=[1, 2], ids=["one-node", "two-nodes"])
def fixture_bare(wiring, request):
    """The same cluster without an agent anywhere."""
    with net.Network(wiring, nodes=request.param) as network:
        yield world.World(network, None, agents=0)


@pytest.mark.parametrize("family", [4, 6])
def test_matrix__no_agent__everything_passes(bare, family):
    """So what the others see denied was denied by the agent."""
    rows = [(*cell, True) for cell in world.cells(bare)]
    assert world.try_all(rows, family) == []
    assert len(rows) > 300


@pytest.mark.parametrize("family", [4, 6])
def test_matrix__no_grants__default_table(cluster, family):
    """CVE-2023-27594 (all of it in IPv6), CVE-2026-26963 (both wirings), CVE-2026-33726 (one node
    and two)."""
    rows = [(*c, policy.allowed(c[0], c[1])) for c in world.cells(cluster)]
    assert world.try_all(rows, family) == []
    assert {ok for *_, ok in rows} == {True, False}


@pytest.mark.parametrize("family", [4, 6])
def test_matrix__other_node_has_no_agent__its_pods_are_nobodys(half, family):
    rows = [(*c, policy.allowed(c[0], c[1])) for c in world.cells(half)]
    assert world.try_all(rows, family) == []
    by_names = {(s.name, d.name): ok for s, d, *_, ok in rows}
    assert not by_names["acme-1", "acme-2"] and not by_names["acme-2", "acme-1"]


@pytest.mark.parametrize("family", [4, 6])
def test_matrix__kubelet_probes__pass(cluster, family):
    """From the node of a pod, by the address that the kernel chooses, as the kubelet does it."""
    pods = [e for e in cluster.pods() if e.cls != "conflict"]
    answers = probe.run([(e.ns.node, probe.Probe(kind, e.address[family], port,
                                                 timeout=probe.ALLOWED_S))
                         for e in pods for kind, port in world.KINDS])
    assert [a for a in answers if not a.ok] == []


@pytest.mark.parametrize("family", [4, 6])
def test_matrix__pod_that_no_object_names__quarantined(cluster, family):
    node = cluster.network.node
    stranger = world.End("stranger", node.add_pod(f"stranger-{family}"), {}, "unknown")
    address = {4: stranger.ns.ip4, 6: stranger.ns.ip6}
    stranger = world.End("stranger", stranger.ns, address, "unknown")
    peers = [cluster[n] for n in ("acme-1", "loose-1", "system-1", "node1", "public")]
    rows = [(a, b, kind, port, False) for peer in peers for kind, port in world.KINDS
            for a, b in ((stranger, peer), (peer, stranger))]
    status = cluster.agents[0].wait_status(
        lambda s: cluster.agents[0].interface(stranger.ns.host_if, s).get("state"),
        "an interface in the status")
    assert cluster.agents[0].interface(stranger.ns.host_if, status)["state"] == "quarantined"
    assert world.try_all(rows, family) == []


def test_matrix__public_addresses_of_the_node__are_the_node(cluster):
    """An address that comes later, and the anycast address of its subnet, which a router answers
    although it is in no list of addresses: by class both would be the public world."""
    node = cluster.network.node
    public = {4: "11.22.99.10", 6: "2600:1f18:9999::10"}
    anycast = "2600:1f18:9999::"
    node.ip(f"addr add {public[4]}/32 dev {node.uplink}",
            f"addr add {public[6]}/64 dev {node.uplink} nodad")
    cluster.apply()
    tenant, loose = cluster["acme-1"].ns, cluster["loose-1"].ns
    cells = [(kind, dst, port) for kind, port in world.KINDS for dst in public.values()]
    cells += [("udp", anycast, world.PORT)]  # TCP and echo are not answered from it
    denied = probe.run([(tenant, probe.Probe(*c)) for c in cells])
    allowed = probe.run([(loose, probe.Probe(*c, timeout=probe.ALLOWED_S)) for c in cells])
    assert [a.ok for a in denied] == [False] * len(cells)
    assert [a.ok for a in allowed] == [True] * len(cells)
