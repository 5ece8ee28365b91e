# SPDX-License-Identifier: Apache-2.0
"""What a tenant writes about itself, and what becomes of a pod that ends: neither makes it anybody else."""

import random

import pytest

from lib import manifests, probe
from lib.traffic import Traffic

SEED = 20261121
OWNER = {"kind": "StatefulSet", "apiVersion": "apps/v1", "name": "vc1", "uid": "u"}


@pytest.fixture(scope="module", name="world")
def fixture_world(network, make_agent):
    """acme with a and b; globex, a virtual cluster, with g; a system pod s. All kinds of claims."""
    node = network.node
    a, b, g, s = (node.add_pod(n) for n in ("a", "b", "g", "s"))
    agent = make_agent(node)
    agent.write(manifests.of_node(node), *map(manifests.namespace, ("acme", "globex", "kube-system")),
                manifests.tenant("acme", ["acme"]),
                manifests.tenant("globex", ["globex"],
                                 virtualCluster={"name": "vc1", "namespace": "globex"}),
                manifests.of_pod(a, "acme"), manifests.of_pod(b, "acme"),
                manifests.of_pod(g, "globex"), manifests.of_pod(s, "kube-system"))
    agent.start()
    agent.wait_endpoints(a, b, g, s)
    yield agent, a, b, g, s
    agent.stop()
    for pod in (a, b, g, s):
        pod.close()


FORGED = [
    {"labels": {"vcluster.loft.sh/managed-by": "vc1", "vcluster.loft.sh/namespace": "globex"}},
    {"labels": {"app": "vcluster", "release": "vc1"}, "owner": OWNER},
    {"labels": {"k8s-app": "kube-dns", "app": "kube-proxy", "kubernetes.io/metadata.name": "globex"}},
    {"labels": {"io.kubernetes.pod.namespace": "globex", "capsule.clastix.io/tenant": "globex"}},
    {"annotations": {"vcluster.loft.sh/object-namespace": "kube-system",
                     "vcluster.loft.sh/object-name": "g", "bulkhead.dev/tenant": "globex",
                     "bulkhead.dev/host-addresses": "10.244.1.12"}},
    {"annotations": {"vcluster.loft.sh/namespace": "globex", "vcluster.loft.sh/name": "g"},
     "labels": {"name": "", "tenant": "globex", "bulkhead.dev/role": "system"}},
]


def test_pod_labels_and_annotations__changed_at_run_time__widen_nothing(world):
    """GHSA-pfhr-pccp-hwmh, CVE-2023-39347, CVE-2023-41333: whatever a tenant writes on its pod, a
    virtual cluster's own labels included, the pod stays its namespace's."""
    agent, a, b, g, s = world
    traffic = Traffic(own=[(a, b)], foreign=[(a, g), (g, a)]).start()
    for forged in FORGED:
        agent.apply(manifests.of_pod(a, "acme", **forged))
        pods = {p["name"]: p for p in agent.get("/v1/pods")["pods"]}
        assert (pods["a"]["class"], pods["a"]["tenant"]) == ("tenant", "acme"), forged
        assert pods["a"]["role"] == "tenant", forged
        answers = probe.run([(src, probe.Probe(kind, dst.ip4, port))
                             for src, dst in ((a, g), (g, a), (a, s))
                             for kind, port in (("tcp", 80), ("udp", 53), ("icmp", 0))])
        assert [p.ok for p in answers] == [False] * len(answers), forged
    agent.apply(manifests.of_pod(a, "acme"))
    figures = traffic.stop()
    print(f"{len(FORGED)} forgeries: {figures}")
    assert figures["foreign_arrived"] == 0
    assert figures["own_lost"] == 0


def test_pod_annotations__of_any_size_and_content__cost_nobody_anything(world):
    """CVE-2023-41332: a tenant's annotations grow to what the API server takes (256 KiB) with odd
    keys and values; the next change of anybody is in force all the same, and nobody loses a packet."""
    agent, a, b, g, _ = world
    rnd = random.Random(SEED)
    traffic = Traffic(own=[(a, b), (b, a)], foreign=[(a, g)]).start()
    for size in (1, 64, 4096, 200_000):
        text = "".join(chr(rnd.choice((0x20, 0x22, 0x5c, 0x7f, 0xe4, 0x1f600, 0x61)))
                       for _ in range(size // 4))
        notes = {f"bulkhead.dev/{i}-" + "k" * rnd.randrange(50): text[i:] for i in range(4)}
        notes |= {"vcluster.loft.sh/object-namespace": text, "": "", "a/b/c": "{[}]"}
        agent.apply(manifests.of_pod(a, "acme", annotations=notes))
        assert agent.status()["ready"] is True
    agent.apply(manifests.of_pod(a, "acme"))
    figures = traffic.stop()
    assert figures["foreign_arrived"] == 0
    assert figures["own_lost"] == 0


@pytest.mark.parametrize("end", ["phase", "gone"])
def test_terminating_pod__sends_on__stays_closed(world, network, end):
    """CVE-2025-32793: a pod that has ended for the API but goes on sending, before its veth is gone;
    and its address is given to another one meanwhile."""
    agent, a, _, g, _ = world
    node = network.node
    ending = node.add_pod(f"ending-{end}")
    agent.apply(manifests.of_pod(ending, "acme"))
    agent.wait_endpoints(ending)
    assert probe.one(ending, "tcp", a.ip4, 80, timeout=probe.ALLOWED_S).ok
    traffic = Traffic(own=[(a, world[2])], foreign=[(ending, g), (g, ending)]).start()
    over = manifests.of_pod(ending, "acme", phase="Failed")
    if end == "phase":
        agent.apply(over)
    else:
        agent.apply(remove=[over])
    # an address of its own no more: whose it may be next is not for it to tell
    answers = probe.run([(ending, probe.Probe(kind, dst, 80)) for kind in ("tcp", "udp")
                         for dst in (g.ip4, g.ip6, node.ip4, network.outside.PRIVATE[4])])
    assert [p.ok for p in answers] == [False] * len(answers)
    figures = traffic.stop()
    print(f"terminating, {end}: {figures}")
    assert figures["foreign_arrived"] == 0
    assert figures["own_lost"] == 0
    node.ip(f"link del {ending.host_if}")
    agent.apply(remove=[over] if end == "phase" else [])


@pytest.mark.parametrize("end", ["phase", "gone"])
def test_terminating_pod__address_given_to_another_tenant__is_not_the_heir(world, network, end):
    """CVE-2025-32793: its address is another tenant's pod's by the API, before its veth is gone."""
    agent, a, _, g, _ = world
    node = network.node
    ending = node.add_pod(f"left-{end}")
    agent.apply(manifests.of_pod(ending, "acme"))
    agent.wait_endpoints(ending)
    traffic = Traffic(own=[(a, world[2])], foreign=[(ending, g), (g, ending)]).start()
    over = manifests.of_pod(ending, "acme", phase="Failed")
    heir = manifests.pod("globex", f"heir-{end}", node.name, [ending.ip4, ending.ip6])
    agent.apply(*([over, heir] if end == "phase" else [heir]),
                remove=[over] if end == "gone" else [])
    answers = probe.run([(ending, probe.Probe(kind, dst, 80)) for kind in ("tcp", "udp")
                         for dst in (g.ip4, g.ip6, a.ip4, node.ip4)])
    figures = traffic.stop()
    node.ip(f"link del {ending.host_if}")
    agent.apply(remove=[heir] + ([over] if end == "phase" else []))
    print(f"inherited, {end}: {figures}")
    assert [p.ok for p in answers] == [False] * len(answers)
    assert figures["foreign_arrived"] == 0
    assert figures["own_lost"] == 0
