# SPDX-License-Identifier: Apache-2.0
"""The daemon is killed at any moment, in the middle of whatever it does (CVE-2023-27595)."""

import itertools
import os
import random
import threading
import time

from lib import manifests
from lib.meter import Mixed

SINK = 9001
ROUNDS = int(os.environ.get("BH_ROUNDS", "3")) * 4
SEED = 20260707


def _acme(granted):
    grant = {"to": {"cidr": "11.22.33.0/24", "except": ["11.22.33.200/32"]}}
    return manifests.tenant("acme", ["acme"], network={
        "world": {"egress": "none", "ingress": "none"}, "egress": [grant] if granted else []})


def _churn(agent, pods, stop):
    """Objects come, change and go, as fast as the folder takes them; the borders never move."""
    a, b = pods
    for i in itertools.count():
        if stop.is_set():
            return
        agent.write(_acme(i % 2))
        ghost = manifests.pod("globex", f"ghost-{i}", a.node.name, [f"10.244.1.{200 + i % 50}"])
        agent.write(ghost, manifests.namespace("acme", {"turn": str(i)}))
        (agent.remove if i % 3 else agent.write)(ghost)
        agent.write(manifests.of_pod(b, "acme", labels={"turn": str(i)}))


def test_killed_anywhere_under_change__nothing_opens_nothing_is_lost(network, make_agent):
    node = network.node
    a, b, g = (node.add_pod(n) for n in ("ka", "kb", "kg"))
    agent = make_agent(node, extra=["--debounce", "5ms"])
    agent.write(manifests.of_node(node), manifests.tenant("globex", ["globex"]),
                _acme(False), manifests.of_pod(a, "acme"),
                manifests.of_pod(b, "acme"), manifests.of_pod(g, "globex"))
    agent.start(wait=False)
    agent.wait_endpoints(a, b, g)
    network.outside.helper.call("sink", port=SINK)
    network.outside.helper.call("sink_clear")
    traffic = Mixed(own=[(a, b), (b, a)], foreign=[(a, g), (g, b)]).start()
    random.seed(SEED)
    stop = threading.Event()
    writer = threading.Thread(target=_churn, args=(agent, (a, b), stop))
    writer.start()
    stream = a.helper.call("stream_start", dst=network.outside.PUBLIC_OTHER[4], port=SINK, pps=2000)
    try:
        for _ in range(ROUNDS):
            agent.kill()
            agent.start(wait=False)
            time.sleep(random.uniform(0.0, 0.5))  # the moment is what is tried out
    finally:
        stop.set()
        writer.join()
        a.helper.call("stream_stop", number=stream)
    agent.wait_endpoints(a, b, g)
    figures = traffic.stop()
    print(f"{ROUNDS} x kill -9 under change: {figures}")
    assert figures["own_sent"] > 500 and figures["own_lost"] == 0
    assert figures["foreign_sent"] > 500 and figures["foreign_arrived"] == 0
    assert network.outside.helper.call("sink_counts") == {}
