# SPDX-License-Identifier: Apache-2.0
"""A pod opens flows as fast as it can: it gets its rate and no more, and nobody else notices."""

import sys
import time

import pytest

from lib import manifests, probe
from lib.traffic import Traffic

RATE = 40  # new flows a second
FLOOD = 3000

# one datagram from each of many ports: destination, how many
SEND = """
import socket, sys
for i in range(int(sys.argv[2])):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("", 10000 + i))
        try:
            s.sendto(b"x", (sys.argv[1], 81))
        except OSError:
            pass
"""


@pytest.fixture(scope="module", name="world")
def fixture_world(network, make_agent):
    node = network.node
    a1, a2, b1, b2 = (node.add_pod(n) for n in ("a1", "a2", "b1", "b2"))
    agent = make_agent(node, ("--new-flows-per-second", str(RATE)))
    agent.write(manifests.of_node(node), manifests.tenant("acme", ["blue"]),
                manifests.tenant("globex", ["green"]), manifests.namespace("blue"),
                manifests.namespace("green"), manifests.of_pod(a1, "blue"),
                manifests.of_pod(a2, "blue"), manifests.of_pod(b1, "green"),
                manifests.of_pod(b2, "green"))
    agent.start()
    agent.wait_endpoints(a1, a2, b1, b2)
    return agent, a1, a2, b1, b2


def _table(agent):
    return next(m for m in agent.status()["datapath"]["maps"] if m["name"] == "bh_flows")


def test_flows__one_pod_floods__bounded_and_others_go_on(world):
    agent, a1, a2, b1, b2 = world
    traffic = Traffic(own=[(b1, b2)], foreign=[(a1, b1)]).start()
    before, start = _table(agent)["entries"], time.monotonic()
    a1.run(sys.executable, "-c", SEND, a2.ip4, FLOOD)
    took = time.monotonic() - start
    opened = _table(agent)["entries"] - before
    assert probe.one(b2, "udp", b1.ip4, 80, timeout=probe.ALLOWED_S).ok  # a new one, meanwhile
    figures = traffic.stop()
    print(f"{FLOOD} flows tried in {took:.1f} s, {opened} entries at both ends; others: {figures}")
    # both ends remember each, a second's worth at once and the rate after it
    assert RATE <= opened <= 2 * RATE * (took + 2)
    assert figures["own_lost"] == 0
    assert figures["foreign_arrived"] == 0
