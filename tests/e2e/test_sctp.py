# SPDX-License-Identifier: Apache-2.0
"""SCTP from a manifest's `protocol: SCTP` to the wire. The frames are made by hand: whether this kernel has
SCTP does not matter to what is between two pods."""

import itertools
import json
import struct
import subprocess

import pytest

from lib import frames, manifests

PORT, OTHER_PORT = 3868, 3869
INIT, INIT_ACK = 1, 2
ARRIVES_S = 3
_serial = itertools.count(1)


@pytest.fixture(scope="module", name="world")
def fixture_world(network, make_agent):
    node = network.node
    pods = {n: node.add_pod(n, serve=False) for n in ("own", "mate", "granted", "foreign")}
    ports = {"ports": [{"protocol": "SCTP", "port": PORT}]}
    agent = make_agent(node)
    agent.write(manifests.of_node(node),
                manifests.tenant("acme", ["acme"], network={
                    "egress": [{"to": {"tenant": "billing"}, **ports}]}),
                manifests.tenant("billing", ["billing"], network={
                    "ingress": [{"from": {"tenant": "acme"}, **ports}]}),
                manifests.tenant("globex", ["globex"]),
                manifests.of_pod(pods["own"], "acme"), manifests.of_pod(pods["mate"], "acme"),
                manifests.of_pod(pods["granted"], "billing"),
                manifests.of_pod(pods["foreign"], "globex"))
    agent.start()
    agent.wait_endpoints(*pods.values())
    for p in pods.values():
        p.helper.call("capture_start", ifname="eth0")
    return agent, pods


def frame(family, src, dst, sport, dport, chunk, token):
    """One chunk, with `token` as an unknown parameter that its receiver would skip."""
    body = struct.pack("!IIHHI", 1, 65535, 1, 1, 1)
    body += struct.pack("!HH", 0xC0DE, 4 + len(token)) + token
    near = dst.mac("eth0") if src.node.wiring == "bridge" else src.node.gateway_mac(src)
    path = frames.Path(src.mac("eth0"), near, {4: src.ip4, 6: src.ip6}, {4: dst.ip4, 6: dst.ip6})
    return path.frame(family, frames.SCTP, frames.sctp(sport, dport, chunk, body))


def carry(pods, family, src, dst, ports, chunk):
    """Does it arrive? A frame to dst that is allowed and goes behind it says so at last."""
    token = b"%-16d" % next(_serial)
    marker = b"%-16d" % next(_serial)
    opener, port = ("own", PORT) if dst != "own" else ("mate", PORT)
    sent = frame(family, pods[src], pods[dst], *ports, chunk, token)
    last = frame(family, pods[opener], pods[dst], 5000, port, INIT, marker) if dst != "foreign" \
        else None
    assert pods[src].helper.call("send", ifname="eth0", frames=[
        (frames.Vnet().pack() + sent).hex()]) == [0]
    if last is None:  # nobody may speak to it but its own tenant: only time tells
        return pods[dst].helper.call("capture_wait", ifname="eth0", needle=token.hex(),
                                     timeout=0.4) is not None
    assert pods[opener].helper.call("send", ifname="eth0", frames=[
        (frames.Vnet().pack() + last).hex()]) == [0]
    got = pods[dst].helper.call("capture_wait", ifname="eth0", needle=marker.hex(),
                                timeout=ARRIVES_S)
    assert got is not None, "the frame behind it did not arrive"
    return any(token.hex() in f for f in got)


@pytest.mark.parametrize("family", [4, 6])
def test_sctp__as_the_grants_say(world, family):
    _, pods = world
    for src, dst, dport, passes in (
            ("own", "mate", OTHER_PORT, True), ("own", "granted", PORT, True),
            ("own", "granted", OTHER_PORT, False), ("own", "foreign", PORT, False),
            ("foreign", "own", PORT, False), ("granted", "own", PORT, False),
            ("foreign", "granted", PORT, False)):
        assert carry(pods, family, src, dst, (40000, dport), INIT) == passes, (src, dst, dport)


@pytest.mark.parametrize("family", [4, 6])
def test_sctp__answer_of_the_granted__passes_and_no_call_back(world, family):
    _, pods = world
    ports = (41000 + family, PORT)
    back = tuple(reversed(ports))
    assert not carry(pods, family, "granted", "own", back, INIT_ACK)
    assert carry(pods, family, "own", "granted", ports, INIT)
    assert carry(pods, family, "granted", "own", back, INIT_ACK)
    assert not carry(pods, family, "granted", "own", back, INIT)


def test_explain_sctp__as_the_grants_say(world, bulkheadd):
    agent, pods = world

    def allowed(port):
        out = subprocess.run([bulkheadd.with_name("bulkheadctl"), "--socket", agent.socket, "explain",
                              "acme/own", pods["granted"].ip4, f"sctp/{port}", "-o", "json"],
                             capture_output=True, check=True, text=True).stdout
        return json.loads(out)["allowed"]
    assert [allowed(PORT), allowed(OTHER_PORT)] == [True, False]
