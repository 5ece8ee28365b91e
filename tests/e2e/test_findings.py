# SPDX-License-Identifier: Apache-2.0
"""What the agent cannot enforce, or finds in its way: noticed, told, and closed where it can be."""

import time

import pytest

from lib import bpf, manifests, probe

SOON_S = 5  # far below the periodic look, which comes every 30 s


@pytest.fixture(scope="module", params=["tcx", "clsact"], name="world")
def fixture_world(request, network, make_agent):
    """acme: a and b; strict, which denies other interfaces: s."""
    node = network.node
    a, b, s = (node.add_pod(n) for n in ("fa", "fb", "fs"))
    agent = make_agent(node, extra=["--attach", request.param])
    agent.write(manifests.of_node(node), manifests.tenant("acme", ["acme"]),
                manifests.tenant("strict", ["strict"], network={"otherInterfaces": "deny"}),
                manifests.of_pod(a, "acme"), manifests.of_pod(b, "acme"),
                manifests.of_pod(s, "strict"))
    agent.start()
    agent.wait_endpoints(a, b, s)
    yield agent, a, b, s
    agent.stop()
    for pod in (a, b, s):
        pod.close()


def _found(status, kind, pod):
    return [f for f in status["findings"]
            if f["kind"] == kind and f["pod"] == f"{pod.namespace}/{pod.name}"]


def _wait(agent, kind, pod, there=True, timeout=SOON_S):
    what = f"{kind} of {pod} {'found' if there else 'over'}"
    return agent.wait_status(lambda s: bool(_found(s, kind, pod)) == there, what, timeout)


def _wait_metric(agent, holds, name, **labels):
    """The page is made from a picture that may be a second old."""
    agent.wait_status(lambda _: holds(agent.metric(name, **labels)), f"{name} {labels}", SOON_S)


def _mode(status):
    return status["datapath"]["attach"]


def test_nothing_in_the_way__nothing_found(world):
    agent = world[0]
    status = agent.status()
    assert status["ready"] is True
    assert status["findings"] == []


def test_qdisc_deleted__noticed_at_once(world):
    """Of a TCX link there is no such event, and no such qdisc."""
    agent, a, b, s = world
    if _mode(agent.status()) != "clsact":
        pytest.skip("only classic filters hang on a qdisc")
    for hook in (lambda: a.node.run("tc", "qdisc", "del", "dev", a.host_if, "clsact"),
                 lambda: a.node.run("tc", "filter", "del", "dev", a.host_if, "ingress")):
        hook()
        end = time.monotonic() + SOON_S
        while "from_pod" not in a.node.run("tc", "filter", "show", "dev", a.host_if, "ingress"):
            assert time.monotonic() < end, "not attached again"
            time.sleep(0.05)
    assert not probe.one(a, "tcp", s.ip4, 80).ok
    assert probe.one(a, "tcp", b.ip4, 80, timeout=probe.ALLOWED_S).ok


@pytest.mark.skipif(not bpf.can_compile(), reason="no clang")
def test_program_in_front__overtaken_at_once(world, tmp_path):
    """One that lets everything pass and ends the chain: ours would not run at all behind it."""
    agent, a, b, s = world
    if _mode(agent.status()) != "clsact":
        pytest.skip("a classic filter never comes before a TCX program")
    before = agent.metric("bulkhead_agent_put_in_front_total")
    bpf.hang(a.node, a.host_if, bpf.compile_program(tmp_path, "let_pass", "return 0;"))
    _wait_metric(agent, lambda n: n == before + 1, "bulkhead_agent_put_in_front_total")
    assert not probe.one(a, "tcp", s.ip4, 80).ok
    assert probe.one(a, "tcp", b.ip4, 80, timeout=probe.ALLOWED_S).ok
    assert agent.status()["findings"] == []
    # once more, so soon: it is not fought, but told, and the node is not ready
    bpf.hang(a.node, a.host_if, bpf.compile_program(tmp_path, "again", "return -1;"))
    status = _wait(agent, "position", a)
    assert "again" in _found(status, "position", a)[0]["message"]
    assert status["ready"] is False
    assert "position" in " ".join(status["reasons"])
    _wait_metric(agent, lambda n: n == 1, "bulkhead_agent_findings", kind="position")
    for line in a.node.run("tc", "filter", "show", "dev", a.host_if, "ingress").splitlines():
        if "again" in line or "let_pass" in line:
            handle = line.split("handle ")[1].split()[0]
            a.node.run("tc", "filter", "del", "dev", a.host_if, "ingress", "pref", "1", "handle",
                       handle, "bpf")
    status = _wait(agent, "position", a, there=False)
    assert status["ready"] is True


def test_other_interface__told_and_denied_where_the_tenant_says_so(world):
    agent, a, b, s = world
    node = a.node
    assert probe.one(node, "icmp", s.ip4, timeout=probe.ALLOWED_S).ok
    node.ip("link add mvbr type bridge", "link set mvbr up",
            "link add mv1 link mvbr type macvlan", "link add mv2 link mvbr type macvlan")
    try:
        node.ip(f"link set mv1 netns {a.pid} name net1", f"link set mv2 netns {s.pid} name net1")
        status = _wait(agent, "unprotected_interface", s)
        message = _found(status, "unprotected_interface", s)[0]["message"]
        assert message == "closed because of net1 (macvlan)"
        status = _wait(agent, "unprotected_interface", a)
        assert _found(status, "unprotected_interface", a)[0]["message"] == "not filtered: net1 (macvlan)"
        assert status["ready"] is True
        _wait_metric(agent, lambda n: n == 2, "bulkhead_agent_findings", kind="unprotected_interface")
        pods = {p["name"]: p for p in agent.get("/v1/pods")["pods"]}
        assert pods[a.name]["unprotected"] == "not filtered: net1 (macvlan)"
        assert pods[b.name]["unprotected"] is None
        # the one goes on, the other is closed, both ways, with a reason of its own
        assert probe.one(a, "tcp", b.ip4, 80, timeout=probe.ALLOWED_S).ok
        assert not probe.one(node, "icmp", s.ip4).ok
        assert not probe.one(s, "udp", a.node.network.outside.PUBLIC[4], 80).ok
        for direction in ("ingress", "egress"):
            _wait_metric(agent, lambda n: n > 0, "bulkhead_tenant_drops_total", tenant="strict",
                         reason="unprotected_interface", direction=direction)
    finally:
        a.ip("link del net1")
        s.ip("link del net1")
        node.ip("link del mvbr")
    # what happens inside a pod has no event here: the next periodic look, or a restart
    agent.stop()
    agent.start()
    _wait(agent, "unprotected_interface", s, there=False)
    _wait(agent, "unprotected_interface", a, there=False)
    assert probe.one(node, "icmp", s.ip4, timeout=probe.ALLOWED_S).ok


def test_second_veth__closed_and_told(world):
    agent, a, b, _ = world
    node = a.node
    node.ip(f"link add vsecond type veth peer name net2 netns {a.pid}", "link set vsecond up",
            "addr add 10.99.0.1/24 dev vsecond")
    try:
        a.ip("link set net2 up", "addr add 10.99.0.2/24 dev net2")
        status = agent.wait_status(
            lambda s: any(f["kind"] == "second_interface" for f in s["findings"]), "told", SOON_S)
        found = [f for f in status["findings"] if f["kind"] == "second_interface"]
        assert [f["interface"] for f in found] == ["vsecond"]
        assert agent.interface("vsecond", status)["state"] == "quarantined"
        assert not _found(status, "unprotected_interface", a)
        assert not probe.one(node, "icmp", "10.99.0.2").ok
        assert probe.one(a, "tcp", b.ip4, 80, timeout=probe.ALLOWED_S).ok
    finally:
        node.ip("link del vsecond")
    agent.wait_status(lambda s: s["findings"] == [], "over", SOON_S)


@pytest.mark.skipif(not bpf.can_compile(), reason="no clang")
def test_redirect_peer__ingress_unenforced_until_it_stops(world, tmp_path):
    """As a CNI that delivers past the host's end: frames from b's end straight to a's eth0."""
    agent, a, b, _ = world
    node = a.node
    index = int(node.run("ip", "-o", "link", "show", "dev", a.host_if).split(":")[0])
    # a veth that leads into no pod stands for the network
    node.ip("link add vcni type veth peer name vcnip", "link set vcni up", "link set vcnip up")
    try:
        bpf.hang(node, "vcni", bpf.compile_program(tmp_path, "deliver",
                                                   f"return redirect_peer({index}, 0);"))
        node.helper.call("send", ifname="vcnip", frames=[(bytes(10) + bytes(64)).hex()] * 5)
        # the periodic look is far; one is made at every start
        agent.stop()
        agent.start(wait=False)
        status = _wait(agent, "ingress_unenforced", a)
        assert status["ready"] is False
        assert "ingress_unenforced" in " ".join(status["reasons"])
        assert not _found(status, "ingress_unenforced", b)
        _wait_metric(agent, lambda n: n == 1, "bulkhead_agent_findings", kind="ingress_unenforced")
    finally:
        node.ip("link del vcni")
