# SPDX-License-Identifier: Apache-2.0
"""Objects change under traffic, in any order: nobody gets what is not his, before, while and after."""

import time

import pytest

from lib import manifests, probe
from lib.traffic import Traffic

LABEL = "team"


@pytest.fixture(scope="module", name="world")
def fixture_world(network, make_agent):
    """acme and globex by namespace label: pods a1 and a2 in blue, g1 in green."""
    node = network.node
    a1, a2, g1 = (node.add_pod(n) for n in ("a1", "a2", "g1"))
    agent = make_agent(node)
    agent.write(manifests.of_node(node), *_tenants(), *_namespaces(),
                manifests.of_pod(a1, "blue"), manifests.of_pod(a2, "blue"),
                manifests.of_pod(g1, "green"))
    agent.start()
    agent.wait_endpoints(a1, a2, g1)
    return agent, a1, a2, g1


def _tenants():
    return [manifests.tenant(t, namespaceSelector={"matchLabels": {LABEL: t}})
            for t in ("acme", "globex")]


def _namespaces():
    return [manifests.namespace("blue", {LABEL: "acme"}),
            manifests.namespace("green", {LABEL: "globex"})]


def _own(answer_pod, other):
    return probe.one(answer_pod, "udp", other.ip4, 80, timeout=probe.ALLOWED_S).ok


def test_delete_tenant__under_traffic__no_foreign_packet(world):
    agent, a1, a2, g1 = world
    traffic = Traffic(own=[(a1, a2)], foreign=[(a1, g1), (g1, a1), (a2, g1)]).start()
    acme = _tenants()[0]
    agent.apply(remove=[acme])
    pods = {p["name"]: p for p in agent.get("/v1/pods")["pods"]}
    assert pods["a1"]["class"] == "unassigned"
    time.sleep(0.5)  # streams go on over the new state
    agent.apply(acme)
    figures = traffic.stop()
    print(f"delete and re-create a Tenant: {figures}")
    assert figures["foreign_arrived"] == 0
    assert figures["own_lost"] == 0
    assert figures["foreign_sent"] > 300
    assert _own(a1, a2)


def test_relabel_namespace__under_traffic__flow_ends(world):
    """green moves from globex to acme and back: its established flows with blue end with it."""
    agent, a1, _, g1 = world
    agent.apply(manifests.namespace("green", {LABEL: "acme"}))
    assert _own(a1, g1)
    traffic = Traffic(own=[(a1, g1), (g1, a1)], foreign=[]).start()
    time.sleep(0.3)
    agent.apply(manifests.namespace("green", {LABEL: "globex"}))
    before = traffic.received(a1, g1), traffic.received(g1, a1)
    time.sleep(0.7)
    after = traffic.received(a1, g1), traffic.received(g1, a1)
    figures = traffic.stop()
    print(f"relabelled: {before} received before, {after} after, {figures}")
    assert before[0] > 50 and before[1] > 50
    assert after == before


def test_pod_before_namespace__no_foreign_packet(world, network):
    """CVE-2024-42488. A pod whose Namespace object has not come yet is nobody's, then its tenant's."""
    agent, a1, a2, g1 = world
    late = network.node.add_pod("late")
    agent.apply(manifests.of_pod(late, "red"))
    agent.wait_endpoints(late)
    traffic = Traffic(own=[(a1, a2)], foreign=[(late, g1), (g1, late)]).start()
    assert not probe.one(late, "tcp", a1.ip4, 80).ok
    assert not probe.one(a1, "tcp", late.ip4, 80).ok
    agent.apply(manifests.namespace("red", {LABEL: "acme"}))
    assert _own(late, a1)
    assert _own(a1, late)
    figures = traffic.stop()
    print(f"pod before namespace: {figures}")
    assert figures["foreign_arrived"] == 0
    assert figures["own_lost"] == 0


def test_unknown_veth__is_quarantined_until_its_pod_is_known(world, network):
    agent, a1, _, _ = world
    early = network.node.add_pod("early")
    agent.wait_status(lambda s: agent.interface(early.host_if, s).get("state") == "quarantined",
                      "quarantined")
    assert not probe.one(early, "icmp", network.node.gateway4).ok
    assert not probe.one(early, "tcp", a1.ip6, 80).ok
    assert not probe.one(network.node, "tcp", early.ip4, 80).ok
    agent.apply(manifests.of_pod(early, "blue"))
    agent.wait_endpoints(early)
    assert _own(early, a1)


def test_audit_and_off__switched_at_run_time(world):
    agent, a1, _, g1 = world
    assert not probe.one(a1, "tcp", g1.ip4, 80).ok
    spec = {"namespaceSelector": {"matchLabels": {LABEL: "acme"}}}
    other = {"namespaceSelector": {"matchLabels": {LABEL: "globex"}}}
    agent.apply(manifests.tenant("acme", **spec, network={"mode": "audit"}),
                manifests.tenant("globex", **other, network={"mode": "off"}))
    assert probe.one(a1, "tcp", g1.ip4, 80, timeout=probe.ALLOWED_S).ok
    assert agent.metric("bulkhead_tenant_audited_total", tenant="acme") > 0
    assert agent.metric("bulkhead_tenant_audited_total", tenant="globex") == 0
    agent.apply(*_tenants())
    assert not probe.one(a1, "tcp", g1.ip4, 80).ok


def test_interface_gone__leaves_no_pin(world, network, bpffs):
    agent, *_ = world
    pod = network.node.add_pod("gone")
    agent.apply(manifests.of_pod(pod, "blue"))
    status = agent.wait_endpoints(pod)
    ifindex = agent.interface(pod.host_if, status)["ifindex"]
    pins = [p.name for p in bpffs.rglob(f"links/{ifindex}-*")]
    assert len(pins) == 2
    network.node.ip(f"link del {pod.host_if}")
    agent.wait_status(lambda s: not agent.interface(pod.host_if, s), "forgotten")
    assert not list(bpffs.rglob(f"links/{ifindex}-*"))
    agent.apply(remove=[manifests.of_pod(pod, "blue")])


def test_bad_document__last_good_version_stays(world):
    agent, a1, _, g1 = world
    path = agent.manifests / f"{manifests.key(_tenants()[1])}.yaml"
    good = path.read_text()
    path.write_text(good.replace("matchLabels", "matchLabelz"))
    status = agent.wait_status(lambda s: s["source"]["problemCount"] == 1, "reported")
    assert "matchLabelz" in status["source"]["problems"][0]["message"]
    assert status["source"]["problems"][0]["file"] == path.name
    assert not probe.one(a1, "tcp", g1.ip4, 80).ok
    assert {p["name"]: p for p in agent.get("/v1/pods")["pods"]}["g1"]["tenant"] == "globex"
    path.write_text(good)
    agent.wait_status(lambda s: s["source"]["problemCount"] == 0, "healed")
