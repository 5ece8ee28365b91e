# SPDX-License-Identifier: Apache-2.0
"""What a pod tries that no table of peers lists: ways round, side doors, other names for the same host."""

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
