# SPDX-License-Identifier: Apache-2.0
"""Grants towards Services, and what the receiver makes of a sender that knows too little, with real
address translation between them. What Services must not lead to is in test_services.py."""

import pytest

from lib import backends, net, probe, world

KINDS = (("tcp", world.PORT), ("udp", world.PORT))


class Cluster:
    def __init__(self, network, w):
        self.network = network
        self.w = w
        self.there = []

    def proxy(self, all_services, masquerade):
        for node in self.network.nodes:
            backends.proxy(node, all_services, masquerade)

    def set(self, *all_services, masquerade=False, synced=False, tenants=()):
        """These Services and no others."""
        wanted = backends.objects(all_services, synced=synced)
        keys = {backends.file_of(o) for o in wanted}
        gone = [o for o in self.there if backends.file_of(o) not in keys]
        for agent in self.w.agents:
            agent.submit(*wanted, *tenants, remove=gone)
        for agent in self.w.agents:
            agent.wait_applied()
        self.there = wanted
        self.proxy(all_services, masquerade)

    def check(self, *rows):
        """rows: (sender's name, End, is it to pass)"""
        assert world.try_all([(self.w[s], d, *kind, ok) for s, d, ok in rows for kind in KINDS],
                             4, 6) == []


@pytest.fixture(scope="module", name="cluster",
                params=[("ptp", 1), ("ptp", 2)], ids=["one-node", "two-nodes"])
def fixture_cluster(make_agent, request):
    with net.Network(*request.param) as network:
        def make(node):
            return make_agent(node, ["--cluster-cidrs", backends.CLUSTER_CIDRS])
        w = world.World(network, make)
        yield Cluster(network, w)


@pytest.fixture(name="masquerade", params=[False, True], ids=["plain", "masqueraded"])
def fixture_masquerade(request):
    return request.param


def test_own_service__own_pods__passes(cluster, masquerade):
    w = cluster.w
    one = backends.Service("acme", "one", 10, [w["acme-2"]])
    hairpin = backends.Service("acme", "hairpin", 11, [w["acme-1"]])
    cluster.set(one, hairpin, masquerade=masquerade)
    cluster.check(("acme-1", one.end(), True), ("globex-1", one.end(), False),
                  ("loose-1", one.end(), False), ("conflict-1", one.end(), False))
    if masquerade:  # else the pod would hear from itself
        cluster.check(("acme-1", hairpin.end(), True))


def test_service__without_slices__denied(cluster):
    w = cluster.w
    one = backends.Service("acme", "one", 10, [w["acme-2"]], told=[])
    cluster.set(one)
    cluster.check(("acme-1", one.end(), False))


def test_sender_told_too_late__receiver_on_the_same_node__denies(cluster, masquerade):
    """The sender's maps lag: it believes that the backend is its own tenant's."""
    w = cluster.w
    sender = w["acme-1"]
    foreign = [w[n] for n in ("globex-1", "globex-2", "loose-1", "loose-2", "conflict-1")
               if w[n].ns.node is sender.ns.node]
    late = [backends.Service("acme", f"late-{i}", 40 + i, [b], told=[w["acme-2"]])
            for i, b in enumerate(foreign)]
    assert foreign
    cluster.set(*late, masquerade=masquerade)
    cluster.check(*((sender.name, s.end(), False) for s in late))


def test_sender_told_too_late__receiver_on_another_node__denies(cluster):
    w = cluster.w
    late = [backends.Service("acme", f"late-{i}", 40 + i, [w[n]], told=[w["acme-2"]])
            for i, n in enumerate(("globex-1", "globex-2", "loose-1", "conflict-1"))]
    cluster.set(*late, masquerade=False)
    cluster.check(*(("acme-1", s.end(), False) for s in late))


def test_masqueraded__own_tenant_and_granted__passes(cluster):
    """Judged by who sent it, also where that allows more than the node's address would."""
    w = cluster.w
    same = next(w[n] for n in ("loose-2", "loose-1") if w[n].ns.node is w["acme-1"].ns.node)
    gate = backends.Service("loose", "gate", 50, [same])
    to_gate = {"egress": [{"to": {"service": {"namespace": "loose", "name": "gate"}}}]}
    cluster.set(gate, masquerade=True, tenants=w.tenants(acme=to_gate))
    cluster.check(("acme-1", gate.end(), True), ("globex-1", gate.end(), False))
    cluster.set(gate, masquerade=True, tenants=w.tenants())
    cluster.check(("acme-1", gate.end(), False))


@pytest.mark.parametrize("family", [4, 6])
def test_masqueraded_flow__grant_withdrawn__ends(cluster, family):
    """The sender knows nothing of it, and the answers do not tell who asked: what comes in does."""
    w = cluster.w
    same = next(w[n] for n in ("loose-2", "loose-1") if w[n].ns.node is w["acme-1"].ns.node)
    gate = backends.Service("loose", "gate", 50, [same])
    late = backends.Service("acme", "late", 51, [same], told=[w["acme-2"]])
    to_gate = {"egress": [{"to": {"service": {"namespace": "loose", "name": "gate"}}}]}

    def ask(timeout):
        return probe.one(w["acme-1"].ns, "udp", late.address[family], world.PORT, timeout=timeout,
                         src=w["acme-1"].address[family], sport=45001).ok

    cluster.set(gate, late, masquerade=True, tenants=w.tenants(acme=to_gate))
    assert ask(probe.ALLOWED_S) and ask(probe.ALLOWED_S)
    cluster.set(gate, late, masquerade=True, tenants=w.tenants())
    assert not ask(probe.DENIED_S) and not ask(probe.DENIED_S)


def test_grant__unassigned_service__opens_it_and_no_more(cluster, masquerade):
    w = cluster.w
    gate = backends.Service("loose", "gate", 50, [w["loose-1"]])
    two = backends.Service("loose", "two", 51, [w["loose-1"]])
    to_gate = {"egress": [{"to": {"service": {"namespace": "loose", "name": "gate"}},
                           "ports": [{"protocol": "TCP", "port": world.PORT}]}]}
    cluster.set(gate, two, masquerade=masquerade, tenants=w.tenants(acme=to_gate))
    rows = [(w["acme-1"], gate.end(), "tcp", world.PORT, True),
            (w["acme-1"], gate.end(), "udp", world.PORT, False),
            (w["acme-1"], two.end(), "tcp", world.PORT, False),
            (w["acme-1"], w["loose-1"], "tcp", world.PORT, False),
            (w["globex-1"], gate.end(), "tcp", world.PORT, False),
            (w["loose-1"], w["acme-1"], "tcp", world.PORT, False)]
    try:
        assert world.try_all(rows, 4, 6) == []
        assert not [p for a in w.agents for p in a.status()["policyProblems"]]
    finally:
        cluster.set(tenants=w.tenants())


def test_grant__system_service__opens_it(cluster):
    w = cluster.w
    gate = backends.Service("kube-system", "gate", 52, [w["system-1"]])
    to_gate = {"egress": [{"to": {"service": {"namespace": "kube-system", "name": "gate"}}}]}
    cluster.set(gate, tenants=w.tenants(acme=to_gate))
    try:
        cluster.check(("acme-1", gate.end(), True), ("acme-1", w["system-1"], False),
                      ("globex-1", gate.end(), False))
    finally:
        cluster.set(tenants=w.tenants())


def test_grant__a_tenants_service__told_and_without_effect(cluster):
    w = cluster.w
    theirs = backends.Service("globex", "theirs", 53, [w["globex-1"]])
    grant = {"egress": [{"to": {"service": {"namespace": "globex", "name": "theirs"}}}]}
    cluster.set(theirs, tenants=w.tenants(acme=grant))
    try:
        cluster.check(("acme-1", theirs.end(), False))
        for agent in w.agents:
            told = agent.status()["policyProblems"]
            assert [p["tenant"] for p in told] == ["acme"]
            assert "Service globex/theirs belongs to a tenant" in told[0]["message"]
    finally:
        cluster.set(tenants=w.tenants())


def explain(agent, src, dst):
    return agent.get(f"/v1/explain?src={src}&dst={dst}&proto=tcp&port={world.PORT}")


def test_explain__services__whose_and_why_not(cluster):
    w = cluster.w
    mixed = backends.Service("acme", "mixed", 70, [w["acme-2"], w["globex-1"]])
    mine = backends.Service("acme", "mine", 71, [w["acme-2"]])
    theirs = backends.Service("globex", "theirs", 72, [w["globex-1"]],
                              external={4: "11.22.33.200", 6: "2600:1f18:1122:33::200"})
    cluster.set(mixed, mine, theirs)
    agent = next(a for a in w.agents if a.node is w["acme-1"].ns.node)
    told = explain(agent, "acme/acme-1", mixed.address[4])
    assert (told["dst"]["class"], told["dst"]["service"]) == ("mixed", "acme/mixed")
    assert (told["allowed"], told["steps"][0]["reason"]) == (False, "peer_mixed")
    told = explain(agent, "acme/acme-1", mine.address[6])
    assert (told["dst"]["class"], told["dst"]["tenant"]) == ("tenant", "acme")
    assert (told["dst"]["serviceAddress"], told["allowed"]) == ("cluster", True)
    told = explain(agent, "acme/acme-1", theirs.external[4])
    assert (told["dst"]["class"], told["dst"]["service"]) == ("world_public", "globex/theirs")
    assert (told["dst"]["serviceAddress"], told["steps"][0]["peerClass"]) == ("external", "mixed")
