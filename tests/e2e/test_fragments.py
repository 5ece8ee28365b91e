# SPDX-License-Identifier: Apache-2.0
"""Datagrams that the sender's kernel cuts into fragments: within a tenant they arrive, answers too, on one
node and across two; between tenants nothing does."""

import subprocess

import pytest

from lib import manifests, probe

PORT = 7000
SIZES = (1500, 4000, 60000)
TIMEOUT_S = 3


@pytest.fixture(scope="module", name="pods")
def fixture_pods(two_nodes, make_agent):
    one, two = two_nodes.nodes
    pods = {"own": one.add_pod("own"), "mate": one.add_pod("mate"), "far": two.add_pod("far"),
            "foreign": one.add_pod("foreign"), "far-foreign": two.add_pod("far-foreign")}
    for p in pods.values():
        p.helper.call("path_serve", port=PORT)
    agents = [make_agent(n) for n in (one, two)]
    for agent in agents:
        agent.write(*map(manifests.of_node, (one, two)), manifests.tenant("acme", ["acme"]),
                    manifests.tenant("globex", ["globex"]),
                    *(manifests.of_pod(p, "globex" if "foreign" in n else "acme")
                      for n, p in pods.items()))
        agent.start(wait=False)
    for agent in agents:
        agent.wait_ready()
        agent.wait_endpoints(*(p for p in pods.values() if p.node is agent.node))
    return pods


def address(pod, family):
    return pod.ip4 if family == 4 else pod.ip6


def udp(pod, dst, size, timeout=TIMEOUT_S):
    return pod.helper.call("datagram", dst=dst, port=PORT, size=size, fragment=True,
                           timeout=timeout)["ok"]


def ping(pod, dst, wait):
    done = subprocess.run(pod.command("ping", "-n", "-c", "1", "-s", "4000", "-W", str(wait), dst),
                          capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("to", ["mate", "far"])
def test_own_tenant__fragments_pass_both_ways(pods, to, family):
    dst = address(pods[to], family)
    assert [udp(pods["own"], dst, n) for n in SIZES] == [True] * len(SIZES)
    assert ping(pods["own"], dst, TIMEOUT_S)


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("to", ["foreign", "far-foreign"])
def test_other_tenant__fragments_dropped(pods, to, family):
    dst = address(pods[to], family)
    assert not udp(pods["own"], dst, SIZES[1], probe.DENIED_S)
    assert not udp(pods[to], address(pods["own"], family), SIZES[1], probe.DENIED_S)
    assert not ping(pods["own"], dst, probe.DENIED_S)


@pytest.mark.parametrize("family", [4, 6])
def test_world__fragments_pass_both_ways(pods, two_nodes, family):
    dst = two_nodes.outside.PUBLIC[family]
    assert ping(pods["own"], dst, TIMEOUT_S)
