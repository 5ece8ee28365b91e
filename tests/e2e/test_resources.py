# SPDX-License-Identifier: Apache-2.0
"""One pod uses up whatever it can, as fast as it can: other tenants' flows, old and new, go on, and the
host's connection tracking does not fill."""

import statistics
import time

import pytest

from lib import frames, kubeproxy, manifests, probe
from lib.meter import Mixed
from lib.traffic import Traffic

ATTACK_S = 2.0
PPS = 15000
NEW_FLOWS = 60  # of the victim, one after the other,
PACE_S = 0.004  # far below its own limit of new flows
PORT = 8080
LARGE = 3000  # bytes: more than a packet takes
# nothing may be turned away or take longer than a lost packet's second try
TOO_SLOW_MS = 900
OTHERS = 50  # flows of the streams, and what the machine itself has


@pytest.fixture(scope="module", params=["ptp"], name="wiring")
def fixture_wiring(request):
    return request.param


@pytest.fixture(scope="module", name="world")
def fixture_world(network, make_agent):
    """acme: the attacker a; globex: g to j. The node tracks connections, as one with kube-proxy."""
    node = network.node
    a, *others = (node.add_pod(n) for n in ("a", "g", "h", "i", "j"))
    agent = make_agent(node)
    proxy = kubeproxy.KubeProxy(node)
    proxy.sync([kubeproxy.service("default", "x", ["10.96.0.1", "fd00:10:96::1"], [("TCP", 1)]),
                *kubeproxy.slices("default", "x", ["10.244.1.1", "fd00:10:244:1::1"], [("TCP", 1)])])
    agent.write(manifests.of_node(node), manifests.tenant("acme", ["acme"]),
                manifests.tenant("globex", ["globex"]), manifests.of_pod(a, "acme"),
                *(manifests.of_pod(p, "globex") for p in others))
    agent.start()
    agent.wait_endpoints(a, *others)
    return agent, a, *others


def _netfilter(node, name):
    return int(node.run("cat", f"/proc/sys/net/netfilter/{name}"))


def _tracked(node):
    return _netfilter(node, "nf_conntrack_count")


def _per_second(node):
    """How many new flows a pod may have, unless an option says more: see docs/configuration.md."""
    return _netfilter(node, "nf_conntrack_max") // 2 // 120


def _new_flows(g, h, outside):
    """Milliseconds that each took; None for one that failed."""
    answers = []
    start = time.monotonic()
    for i in range(NEW_FLOWS):
        time.sleep(max(0, start + i * PACE_S - time.monotonic()))
        dst = (h.ip4, h.ip6, *outside.PUBLIC.values())[i % 4]
        answers.append(probe.one(g, ("tcp", "udp")[i // 4 % 2], dst, PORT, timeout=probe.ALLOWED_S))
    return [a.ms if a.ok else None for a in answers]


def _figures(name, ms):
    good = sorted(m for m in ms if m is not None)
    p99 = good[int(len(good) * 0.99)] if good else None
    return (f"{name}: {len(ms) - len(good)} of {len(ms)} new flows failed, median "
            f"{statistics.median(good) if good else None} ms, p99 {p99} ms")


def _flows(a, outside):
    """Whole UDP and TCP flows to where it may go, from a port of its own each."""
    return a.helper.call("knock_start", pps=PPS, doors=[
        (kind, dst, port) for port in range(1000, 1100) for kind in ("udp", "tcp")
        for dst in outside.PUBLIC.values()])


def _raw(a, node, outside, kind):
    """A batch of frames that the pod's stack would not send."""
    path = frames.Path(a.mac("eth0"), node.gateway_mac(a), {4: a.ip4, 6: a.ip6}, outside.PUBLIC)
    made = frames.flood(path, kind)
    return a.helper.call("flood_start", ifname="eth0", frames=[f.hex() for f in made], pps=PPS)


@pytest.mark.parametrize("kind", ["flows", "half-open", "fragments", "first-fragments"])
def test_one_pod__as_fast_as_it_can__others_unaffected(world, network, kind):
    agent, a, g, h, i, j = world
    node, outside = network.node, network.outside
    calm = _new_flows(g, h, outside)
    before = _tracked(node)
    # datagrams that are sent in fragments: the host puts them together, and has room for so many
    large = Traffic(own=[(i, j)], foreign=[], pps=50, size=LARGE).start()
    traffic = Mixed(own=[(g, h), (h, g)], foreign=[(a, g)]).start()
    number = _flows(a, outside) if kind == "flows" else _raw(a, node, outside, kind)
    start = time.monotonic()
    ms = _new_flows(g, h, outside)
    while time.monotonic() - start < ATTACK_S:
        ms += _new_flows(g, h, outside)
    tried = a.helper.call("knock_stop", number=number)
    seconds = time.monotonic() - start
    figures, in_parts = traffic.stop(), large.stop()
    tracked = _tracked(node)
    print(f"{kind}: {tried} in {seconds:.1f} s ({tried / seconds:.0f}/s); "
          f"{_figures('before', calm)}; {_figures('during', ms)}; own packets "
          f"{figures['own_sent']} sent, {figures['own_lost']} lost, "
          f"in fragments {in_parts['own_sent']} sent, {in_parts['own_lost']} lost; connections tracked by the node "
          f"{before} before, {tracked} after")
    assert tried > 1000
    assert [m for m in ms if m is None or m > TOO_SLOW_MS] == []
    assert figures["own_lost"] == 0
    assert in_parts["own_lost"] == 0
    assert figures["foreign_arrived"] == 0
    assert agent.status()["ready"] is True
    # so that one pod fills at most half of the table, for as long as it remembers what nobody answers
    assert tracked - before <= _per_second(node) * (seconds + 1) + len(ms) + OTHERS
