# SPDX-License-Identifier: Apache-2.0
"""The harness itself, without the daemon: everything reaches everything, and a target that is cut off
is seen as such. A matrix that trusts these probes is only worth what these tests prove."""

import os
import select
import subprocess
from pathlib import Path

import pytest

from lib import net, probe

KINDS = [("tcp", 8080), ("tcp", 53), ("udp", 8080), ("udp", 53), ("icmp", 0)]


@pytest.fixture(scope="module", name="pods")
def fixture_pods(two_nodes):
    one, two = two_nodes.nodes
    return [one.add_pod("a"), one.add_pod("b"), two.add_pod("c")]


def ends(network, pods, family):
    """[(namespace, address)]: everything that a probe can start from or go to."""
    out = [(p, a) for p in pods for a in p.addresses(family)]
    out += [(n, a) for n in network.nodes for a in n.addresses(family)]
    out += [(network.outside, network.outside.PUBLIC[family]),
            (network.outside, network.outside.PRIVATE[family])]
    return out


@pytest.mark.parametrize("family", [4, 6])
def test_probes__unfiltered__all_answered_by_the_right_one(two_nodes, pods, family):
    cells = []
    for src_ns, src in ends(two_nodes, pods, family):
        for dst_ns, dst in ends(two_nodes, pods, family):
            for kind, port in KINDS:
                cells.append((src_ns, dst_ns,
                              probe.Probe(kind, dst, port, src=src, timeout=probe.ALLOWED_S)))
    answers = probe.run([(s, p) for s, _, p in cells])
    wrong = [f"{s} {p}: {a}" for (s, d, p), a in zip(cells, answers)
             if not a.ok or (p.kind != "icmp" and a.peer != d.name)]
    assert not wrong
    assert len(cells) == len(ends(two_nodes, pods, family)) ** 2 * len(KINDS)


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("kind,port", KINDS)
def test_probe__way_back_is_cut__denied(two_nodes, pods, kind, port, family):
    a, c = pods[0], pods[2]
    src, dst = a.addresses(family)[0], c.addresses(family)[0]
    allowed = probe.one(a, kind, dst, port, timeout=probe.ALLOWED_S)
    plen = 32 if family == 4 else 128
    c.ip(f"route add blackhole {src}/{plen}")
    try:
        cut = probe.one(a, kind, dst, port)
    finally:
        c.ip(f"route del blackhole {src}/{plen}")
    assert allowed.ok
    assert not cut.ok and cut.why == "timeout"
    assert probe.DENIED_S * 900 <= cut.ms < 5000
    assert probe.one(a, kind, dst, port, timeout=probe.ALLOWED_S).ok


@pytest.mark.parametrize("family", [4, 6])
def test_probe__router_drops_silently__denied(two_nodes, pods, family):
    a, c = pods[0], pods[2]
    dst = c.addresses(family)[0]
    plen = 32 if family == 4 else 128
    node = two_nodes.nodes[0]
    node.ip(f"route add blackhole {dst}/{plen}")
    try:
        answers = probe.run([(a, probe.Probe(kind, dst, port)) for kind, port in KINDS])
    finally:
        node.ip(f"route del blackhole {dst}/{plen}")
    assert [x.ok for x in answers] == [False] * len(KINDS)


def test_probe__nobody_listens__denied_with_the_reason(pods):
    a, b = pods[:2]
    assert probe.one(a, "tcp", b.ip4, 9).why == "Connection refused"
    assert probe.one(a, "udp", b.ip6, 9).why == "Connection refused"


def test_probe__link_local_with_zone__answered(pods, wiring):
    """From a pod to its neighbour on the link: the node's end, or with a bridge the other pod."""
    a, b = pods[:2]
    node = a.node
    dev = "cni0" if wiring == "bridge" else a.host_if
    listed = node.run("ip", "-6", "-o", "addr", "show", "dev", dev, "scope", "link")
    ll = listed.split("inet6 ")[1].split("/")[0]
    assert probe.one(a, "icmp", f"{ll}%eth0", timeout=probe.ALLOWED_S).ok
    listed = b.run("ip", "-6", "-o", "addr", "show", "dev", "eth0", "scope", "link")
    ll = listed.split("inet6 ")[1].split("/")[0]
    assert probe.one(a, "tcp", f"{ll}%eth0", 80).ok == (wiring == "bridge")


def test_probes__a_thousand_denied__within_seconds(two_nodes, pods):
    a, c = pods[0], pods[2]
    node = two_nodes.nodes[0]
    node.ip(f"route add blackhole {c.ip4}/32")
    try:
        cells = [(a, probe.Probe(kind, c.ip4, port))
                 for kind, port in KINDS * 200]
        answers = probe.run(cells)
    finally:
        node.ip(f"route del blackhole {c.ip4}/32")
    assert not any(x.ok for x in answers)
    assert max(x.ms for x in answers) < 10_000


def test_pod__wired_as_the_plugin_does(pods, wiring):
    a = pods[0]
    routes = a.run("ip", "route").splitlines()
    assert f"default via {a.node.gateway4} dev eth0" in [r.strip() for r in routes]
    host = a.node.run("ip", "-d", "link", "show", "dev", a.host_if)
    if wiring == "ptp":
        assert f"{a.node.pod_cidr4} via {a.node.gateway4} dev eth0 src {a.ip4}" in \
            [r.strip() for r in routes]
        assert a.host_if in a.node.run("ip", "route", "show", f"{a.ip4}/32")
    else:
        assert "master cni0" in host and "hairpin on" in host
    assert len(a.host_if) <= 15 and f"{os.getpid() & 0xffffff:06x}" in a.host_if


def test_network__fails_half_way__nothing_left():
    class Broken(net.Node):
        def wire(self, pod):
            raise RuntimeError("no")

    network = net.Network("ptp")
    try:
        broken = network.own(Broken(network, 9, "ptp"))
        with pytest.raises(RuntimeError):
            broken.add_pod("x")
        pids = [ns.pid for ns in (network.outside, network.node, broken)]
    finally:
        network.close()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_helper__its_starter_is_killed__namespace_gone():
    code = ("import sys; sys.path.insert(0, sys.argv[1]); from lib import net; n = net.Netns('x');"
            "print(n.pid, flush=True); sys.stdin.read()")
    starter = subprocess.Popen([probe.PYTHON, "-c", code, str(Path(__file__).parent)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    pid = int(starter.stdout.readline())
    fd = os.pidfd_open(pid)
    starter.kill()
    starter.wait()
    try:
        poll_in = select.poll()
        poll_in.register(fd)
        assert poll_in.poll(5000), "the helper outlived its starter"
    finally:
        os.close(fd)
        starter.stdin.close()
        starter.stdout.close()


def test_bpffs__seen_here_alone(bpffs):
    own = Path("/proc/self/mountinfo").read_text()
    machine = Path(f"/proc/{os.getppid()}/mountinfo").read_text()
    assert f" {bpffs} " in own
    assert f" {bpffs} " not in machine
