# SPDX-License-Identifier: Apache-2.0
"""Services with kube-proxy at work on two nodes, an agent on each: a tenant writes Services and
EndpointSlices of its own that lead to what is not its own (CVE-2021-25740, CVE-2020-8554,
CVE-2026-32254, CVE-2026-53935). What arrives is counted where it would arrive, behind the translation."""

import itertools

import pytest

from lib import kubeproxy, manifests, probe
from lib.services import FAMILIES, PORT, Cluster, arrived, attack, honest

pytestmark = pytest.mark.filterwarnings("error")

MASQUERADE = [None, "external", "all"]


@pytest.fixture(scope="module", name="cluster")
def fixture_cluster(two_nodes, make_agent):
    c = Cluster(two_nodes, make_agent)
    yield c
    c.close()


@pytest.mark.parametrize("masquerade", MASQUERADE)
def test_own_service__honest__works_from_both_nodes(cluster, masquerade):
    """TCP and UDP, IPv4 and IPv6, a backend on each node; by cluster and by external address."""
    cluster.proxy(masquerade)
    cluster.services(*honest(cluster))
    tries = [(sender, probe.Probe(kind, address, PORT, timeout=probe.ALLOWED_S))
             for sender in (cluster["a1"], cluster["a4"]) for kind in ("tcp", "udp")
             for address in cluster.web_addresses for _ in range(8)]
    answers = probe.run(tries)
    assert [(s.name, p, a.why) for (s, p), a in zip(tries, answers) if not a.ok] == []
    # both backends, so both with and without another node between
    assert {a.peer for a in answers} == {"a2", "a3"}


@pytest.mark.parametrize("masquerade", MASQUERADE)
def test_own_service__to_what_is_not_its_own__nothing_crosses(cluster, masquerade):
    """CVE-2021-25740: slices by hand that name a foreign pod on either node, node addresses, a private
    network, the metadata service, the API server, system and unassigned pods; each alone and beside
    an own backend; by cluster address, by externalIPs (CVE-2020-8554) and by load-balancer address."""
    cluster.proxy(masquerade)
    objects, tries = attack(cluster)
    tally = cluster.tally()
    cluster.services(*objects)
    answers = probe.run([(sender, p) for sender in (cluster["a1"], cluster["a4"]) for p in tries])
    assert arrived(tally) == {}
    foreign = {t.ns.name for t in cluster.targets}
    assert {a.peer for a in answers if a.ok} & foreign == set()


def test_tally__sees_what_is_let_through(cluster):
    """The same places, from where it is allowed: else the test above could not fail."""
    tally = cluster.tally()
    outside, node2 = cluster.network.outside, cluster.network.nodes[1]
    answers = probe.run([(node2 if t.ns is outside else outside if t.ns is node2 else t.ns.node
                          if hasattr(t.ns, "node") else node2,
                          probe.Probe(kind, t.address[f], t.port, timeout=probe.ALLOWED_S))
                         for t in cluster.targets for f in FAMILIES for kind in ("tcp", "udp")])
    assert [a.why for a in answers if not a.ok] == []
    assert len(arrived(tally)) == len(cluster.targets) * len(FAMILIES)


def _hijacks():
    """(what is claimed, masquerading, is acme's backend on the senders' node)"""
    limit = pytest.mark.xfail(strict=True, reason="docs/policy.md, What is not covered: externalIPs that "
                              "are a pod's or the DNS's address, with masquerading, from another node")
    for what, masquerade, near in itertools.product(("public", "pod", "dns"), MASQUERADE,
                                                    (True, False)):
        marks = [limit] if what != "public" and masquerade and not near else []
        yield pytest.param(what, masquerade, near, marks=marks,
                           id=f"{what}-{masquerade}-{'near' if near else 'far'}")


@pytest.mark.parametrize(("what", "masquerade", "near"), _hijacks())
def test_external_ip__of_others__takes_nothing_over(cluster, what, masquerade, near):
    """CVE-2020-8554, CVE-2026-32254, CVE-2026-53935: acme's Service claims a public address, one of a
    globex pod, or that of the cluster DNS, and kube-proxy finds it first. What globex sends there must
    not get to acme's pod."""
    cluster.proxy(masquerade)
    g2, own = cluster["g2"], cluster["a3" if near else "a2"]
    claimed, port = {"public": (cluster.network.outside.PUBLIC_OTHER.values(), PORT),
                     "pod": ((g2.ip4, g2.ip6), PORT), "dns": (cluster.dns_ips, 53)}[what]
    ports = [("TCP", port), ("UDP", port)]
    place = kubeproxy.Tally(own, [(own.ip4, port), (own.ip6, port)])
    cluster.services(
        kubeproxy.service("acme", "hijack", cluster.next_ips(), ports, external=claimed),
        *kubeproxy.slices("acme", "hijack", [own.ip4, own.ip6], ports), first=True)
    tries = [(cluster[n], probe.Probe(kind, a, port)) for n in ("g1", "g3") for a in claimed
             for kind in ("tcp", "udp")]
    answers = probe.run(tries)
    assert [(s.name, str(p)) for (s, p), a in zip(tries, answers) if a.peer == own.name] == []
    assert arrived([place]) == {}


def test_external_ip__dns_address__gives_no_dns_role(cluster):
    """CVE-2020-8554: acme's own pods, behind an external address that is the cluster DNS, are no DNS:
    a pod of globex that asks them directly is refused."""
    cluster.proxy(None)
    ports = [("UDP", 53), ("TCP", 53)]
    cluster.services(kubeproxy.service("acme", "dns", cluster.next_ips(), ports,
                                       external=cluster.dns_ips),
                     *kubeproxy.slices("acme", "dns", cluster.own_addresses(), ports), first=True)
    answers = probe.run([(cluster["g1"], probe.Probe(kind, a, 53)) for kind in ("tcp", "udp")
                         for a in cluster.own_addresses()])
    assert [a.ok for a in answers] == [False] * len(answers)


def test_cluster_dns__by_its_service__answers_tenants(cluster):
    cluster.proxy(None)
    cluster.services()
    answers = probe.run([(cluster[n], probe.Probe(kind, a, 53, timeout=probe.ALLOWED_S))
                         for n in ("a1", "g3") for kind in ("tcp", "udp") for a in cluster.dns_ips])
    assert {a.peer for a in answers} == {"dns"}


def test_pod_annotations__claim_nothing(cluster):
    """CVE-2022-28224: annotations by which CNIs hand out addresses make no address anybody's."""
    a1, g2 = cluster["a1"], cluster["g2"]
    claims = {"cni.projectcalico.org/floatingIPs": f'["{g2.ip4}"]',
              "cni.projectcalico.org/ipAddrs": f'["{g2.ip4}", "{g2.ip6}"]',
              "k8s.ovn.org/pod-networks": f'{{"default": {{"ip_address": "{g2.ip4}/24"}}}}'}
    cluster.apply(manifests.of_pod(a1, "acme", annotations=claims))
    answers = probe.run([(cluster[n], probe.Probe(kind, a, PORT)) for n in ("a1", "a4")
                         for kind in ("tcp", "udp") for a in (g2.ip4, g2.ip6)])
    assert [a.ok for a in answers] == [False] * len(answers)
    assert probe.one(cluster["g1"], "tcp", g2.ip4, PORT, timeout=probe.ALLOWED_S).ok
    cluster.apply(manifests.of_pod(a1, "acme"))


def test_routing_modes__pod_by_its_node__is_no_node(cluster):
    """CVE-2025-30163, CVE-2025-30162: a pod on a node is not that node, and goes by its gateway to a
    load-balancer address of its neighbour's Service no more than straight."""
    cluster.proxy("external")
    lb = [cluster.network.outside.PUBLIC_OTHER[f] for f in FAMILIES]
    ports = [("TCP", PORT), ("UDP", PORT)]
    cluster.services(kubeproxy.service("globex", "shop", cluster.next_ips(), ports, load_balancer=lb),
                     *kubeproxy.slices("globex", "shop", [cluster["g1"].ip4, cluster["g1"].ip6,
                                                          cluster["g2"].ip4, cluster["g2"].ip6], ports))
    tally = cluster.tally()
    probe.run([(cluster[n], probe.Probe(kind, a, PORT)) for n, kind, a, _ in itertools.product(
        ("a1", "a4"), ("tcp", "udp"), lb, range(4))])
    assert arrived(tally) == {}


def test_host_port__catches_too_much__nothing_crosses(cluster):
    """CVE-2025-67499: portmap sends whatever goes to globex's host port to globex's pod, also what was
    for others: acme's own pod, a public host, the node."""
    cluster.proxy(None)
    cluster.services()
    node, g1 = cluster.network.node, cluster["g1"]
    rules = "".join(f"  chain {name} {{\n    type nat hook prerouting priority dstnat\n"
                    f"    meta nfproto {name} tcp dport 9090 dnat {how} to {end}\n"
                    f"    meta nfproto {name} udp dport 9090 dnat {how} to {end}\n  }}\n"
                    for name, how, end in (("ipv4", "ip", f"{g1.ip4}:{PORT}"),
                                           ("ipv6", "ip6", f"[{g1.ip6}]:{PORT}")))
    node.run("nft", "-f", "-", stdin=f"table inet portmap {{\n{rules}}}\n")
    try:
        tally = cluster.tally()
        node2, a1 = cluster.network.nodes[1], cluster["a1"]
        dsts = [cluster["a3"].ip4, cluster["a2"].ip6, node.ip4, node.ip6,
                *cluster.network.outside.PUBLIC.values()]
        answers = probe.run([(a1, probe.Probe(kind, d, 9090)) for kind in ("tcp", "udp")
                             for d in dsts])
        assert arrived(tally) == {}
        assert [a.ok for a in answers] == [False] * len(answers)
        # the host port works for whom it is for
        allowed = probe.run([(node2, probe.Probe("tcp", d, 9090, timeout=probe.ALLOWED_S))
                             for d in (node.ip4, node.ip6)])
        assert [a.peer for a in allowed] == ["g1", "g1"]
    finally:
        node.run("nft", "delete", "table", "inet", "portmap")


def test_loopback_of_the_node__from_a_pod__not_reachable(cluster):
    """CVE-2020-8558, CVE-2021-25736: a node that routes 127/8 (route_localnet, as kube-proxy sets it for
    node ports), and a pod that sends there."""
    node, a1 = cluster.network.node, cluster["a1"]
    node.sysctl({"net/ipv4/conf/all/route_localnet": 1})
    a1.sysctl({"net/ipv4/conf/all/route_localnet": 1})
    tally = kubeproxy.Tally(node, [("127.0.0.1", PORT)])
    a1.ip("addr del 127.0.0.1/8 dev lo", f"route add 127.0.0.1/32 via {node.gateway4} dev eth0")
    try:
        answers = probe.run([(a1, probe.Probe(kind, "127.0.0.1", PORT, src=a1.ip4))
                             for kind in ("tcp", "udp")])
        assert [a.ok for a in answers] == [False, False]
        assert arrived([tally]) == {}
        assert probe.one(node, "tcp", "127.0.0.1", PORT, timeout=probe.ALLOWED_S).ok
        assert arrived([tally]) != {}
    finally:
        a1.ip("route del 127.0.0.1/32", "addr add 127.0.0.1/8 dev lo")
        node.sysctl({"net/ipv4/conf/all/route_localnet": 0})
