# SPDX-License-Identifier: Apache-2.0
"""What a real kernel puts between IP and L4: fragments, IPv4 options, IPv6 extension headers. Within a
tenant they arrive, answers too, on one node and across two; between tenants nothing does."""

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


HEADERS = {
    "nops": (4, {"ip_options": "01010101"}),
    "record-route": (4, {"ip_options": "072704" + "00" * 36 + "00"}),
    "timestamp": (4, {"ip_options": "4408050000000000"}),
    "destination": (6, {"destination": "0000010400000000"}),
    "hop-by-hop": (6, {"hop_by_hop": "0000010400000000"}),
    "both": (6, {"hop_by_hop": "0000010400000000", "destination": "0000010400000000"}),
}


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("to", ["mate", "far"])
def test_own_tenant__headers_between_ip_and_tcp__pass(pods, to, name):
    """For IPv4 a stream in segments as large as the sender's offloads make them; with IPv6 extension
    headers that stalls by itself now and then on a path of two links, without any filter."""
    family, headers = HEADERS[name]
    size = 1 << 19 if family == 4 else 1000
    got = pods["own"].helper.call("upload", dst=address(pods[to], family), port=PORT, size=size,
                                  timeout=10, **headers)
    assert got["got"] == size


@pytest.mark.parametrize("name", HEADERS)
def test_other_tenant__headers_between_ip_and_tcp__dropped(pods, name):
    family, headers = HEADERS[name]
    with pytest.raises(probe.HelperError, match="TimeoutError"):
        pods["own"].helper.call("upload", dst=address(pods["foreign"], family), port=PORT, size=1,
                                timeout=probe.DENIED_S, **headers)


@pytest.mark.parametrize("family", [4, 6])
def test_world__fragments_pass_both_ways(pods, two_nodes, family):
    dst = two_nodes.outside.PUBLIC[family]
    assert ping(pods["own"], dst, TIMEOUT_S)
