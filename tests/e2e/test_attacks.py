# SPDX-License-Identifier: Apache-2.0
"""What a pod tries that no table of peers lists: ways round, side doors, other names for the same host."""

import signal

import pytest

from lib import manifests, probe

SINK = 9001
BROADCAST = "11.22.44.255"  # of a subnet of the world's that the node has an address in


@pytest.fixture(scope="module", name="world")
def fixture_world(network, make_agent):
    node = network.node
    a, g = (node.add_pod(n) for n in ("a", "g"))
    node.ip(f"addr add 11.22.44.10/24 dev {node.uplink}")
    agent = make_agent(node)
    agent.write(manifests.of_node(node), manifests.tenant("acme", ["acme"]),
                manifests.tenant("globex", ["globex"]), manifests.of_pod(a, "acme"),
                manifests.of_pod(g, "globex"))
    agent.start()
    agent.wait_endpoints(a, g)
    return agent, a, g


def test_broadcast_of_a_public_subnet__is_the_node(world, network):
    """A socket on 0.0.0.0 hears it: a VXLAN device, rpcbind, whatever the node runs on UDP."""
    _, a, _ = world
    node = network.node
    node.helper.call("sink", port=SINK)
    stream = a.helper.call("stream_start", dst=BROADCAST, port=SINK, pps=200)
    assert probe.one(a, "udp", network.outside.PUBLIC[4], 80, timeout=probe.ALLOWED_S).ok
    assert not probe.one(a, "udp", BROADCAST, 80).ok
    sent = a.helper.call("stream_stop", number=stream)["sent"]
    assert sent > 0
    assert node.helper.call("sink_counts") == {}


def test_interface_number_passed_on_between_two_looks__is_filtered(world, network):
    """The agent is busy while a pod's veth goes and another pod's comes with the same number."""
    agent, a, g = world
    node = network.node
    first = node.add_pod("first")
    agent.apply(manifests.of_pod(first, "acme"))
    agent.wait_endpoints(first)
    number = agent.interface(first.host_if)["ifindex"]
    agent.proc.send_signal(signal.SIGSTOP)
    try:
        node.ip(f"link del {first.host_if}")
        second = node.add_pod("second", index=number)
        agent.write(manifests.of_pod(second, "globex"))
        agent.remove(manifests.of_pod(first, "acme"))
    finally:
        agent.proc.send_signal(signal.SIGCONT)
    status = agent.wait_endpoints(second)
    assert agent.interface(second.host_if, status)["ifindex"] == number
    assert probe.one(second, "tcp", g.ip4, 80, timeout=probe.ALLOWED_S).ok
    assert not probe.one(second, "tcp", network.node.ip4, 80).ok
    assert not probe.one(second, "tcp", a.ip6, 80).ok
    assert not probe.one(a, "udp", second.ip4, 80).ok


def test_number_passed_on_while_nobody_is_there__is_closed_then_filtered(world, network):
    agent, a, g = world
    node = network.node
    first = node.add_pod("third")
    agent.apply(manifests.of_pod(first, "acme"))
    agent.wait_endpoints(first)
    number = agent.interface(first.host_if)["ifindex"]
    agent.kill()
    node.ip(f"link del {first.host_if}")
    second = node.add_pod("fourth", index=number)
    agent.start()  # the API still says that the old pod is there
    agent.wait_status(lambda s: agent.interface(second.host_if, s).get("state") == "quarantined",
                      "quarantined")
    assert not probe.one(second, "tcp", a.ip4, 80).ok
    agent.apply(manifests.of_pod(second, "globex"), remove=[manifests.of_pod(first, "acme")])
    agent.wait_endpoints(second)
    assert probe.one(second, "tcp", g.ip6, 80, timeout=probe.ALLOWED_S).ok
    assert not probe.one(second, "tcp", a.ip4, 80).ok


@pytest.mark.parametrize("how", ["flap", "away and back"])
def test_host_end__goes_and_comes__is_filtered(world, network, how):
    agent, a, g = world
    node = network.node
    pod = node.add_pod("moved")
    agent.apply(manifests.of_pod(pod, "acme"))
    agent.wait_endpoints(pod)
    if how == "flap":
        node.ip(f"link set {pod.host_if} down", f"link set {pod.host_if} up")
    else:
        agent.proc.send_signal(signal.SIGSTOP)
        node.ip(f"link set {pod.host_if} netns {network.outside.pid}")
        network.outside.ip(f"link set {pod.host_if} netns {node.pid}")
        agent.proc.send_signal(signal.SIGCONT)
    node.wire_again(pod)
    agent.wait_endpoints(pod)
    assert probe.one(pod, "tcp", a.ip4, 80, timeout=probe.ALLOWED_S).ok
    assert not probe.one(pod, "tcp", g.ip4, 80).ok
    assert not probe.one(pod, "tcp", node.ip4, 80).ok
    agent.apply(remove=[manifests.of_pod(pod, "acme")])


def test_address_of_a_dying_pod__is_not_for_the_taking(world, network):
    """CVE-2025-32793. CAP_NET_ADMIN in a pod that was deleted by force, while the API still has another one whose
    interface is gone."""
    agent, a, _ = world
    node = network.node
    victim, thief = (node.add_pod(n) for n in ("victim", "thief"))
    agent.apply(manifests.of_pod(victim, "acme"), manifests.of_pod(thief, "globex"))
    agent.wait_endpoints(victim, thief)
    agent.apply(remove=[manifests.of_pod(thief, "globex")])
    node.ip(f"link del {victim.host_if}")
    thief.ip("addr flush dev eth0", f"addr add {victim.ip4}/24 dev eth0",
             f"route replace default via {node.gateway4} onlink dev eth0")
    agent.apply(manifests.namespace("acme", {"turn": "1"}))  # looks at all there is
    assert not probe.one(thief, "tcp", a.ip4, 80, timeout=1.0).ok
    assert agent.interface(thief.host_if)["state"] == "quarantined"
    agent.apply(manifests.of_pod(thief, "globex"), remove=[manifests.of_pod(victim, "acme")])
    agent.wait_endpoints(thief)  # its own object is what it was bound by
