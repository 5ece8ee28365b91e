# SPDX-License-Identifier: Apache-2.0
"""A path with routers: what they report reaches the pod that it is about, so that the path's MTU is found
and a trace shows the way; what somebody else makes up does not.

    pod -- node -- outside (a router) -- far, behind a link of MTU 1300
"""

import pytest

from lib import frames, manifests, net, probe

MTU = 1300
PORT = 7000
FAR = {4: "11.22.55.9", 6: "2600:1f18:1122:55::9"}
LINK = {4: ("11.22.56.1", "11.22.56.2"), 6: ("2600:1f18:1122:56::1", "2600:1f18:1122:56::2")}
UPLOAD = 1 << 20
FORGED_MTU = 1281
# an error about the pod's packet comes within this time, or never
ERROR_S = 3


def add_far(network):
    """A host behind a second router, which is network.outside. It offers a segment size as if its own
    link were no smaller than others, so that only an ICMP error can tell."""
    far, outside = network.own(net.Netns("far")), network.outside
    outside.ip(f"link add tofar mtu {MTU} type veth peer name eth0 mtu {MTU} netns {far.pid}",
               "link set tofar up", f"addr add {LINK[4][0]}/24 dev tofar",
               f"addr add {LINK[6][0]}/64 dev tofar nodad")
    far.ip("link set eth0 up", f"addr add {LINK[4][1]}/24 dev eth0",
           f"addr add {LINK[6][1]}/64 dev eth0 nodad", f"addr add {FAR[4]}/32 dev lo",
           f"addr add {FAR[6]}/128 dev lo nodad", f"route add default via {LINK[4][0]} src {FAR[4]} advmss 1460",
           f"route add ::/0 via {LINK[6][0]} src {FAR[6]} advmss 1440")
    outside.wait_running("tofar")
    outside.ip(f"route add {FAR[4]}/32 via {LINK[4][1]}", f"route add {FAR[6]}/128 via {LINK[6][1]}")
    for node in network.nodes:
        node.sysctl({"net/ipv4/icmp_ratelimit": 0, "net/ipv6/icmp/ratelimit": 0})
    outside.sysctl({"net/ipv4/icmp_ratelimit": 0, "net/ipv6/icmp/ratelimit": 0})
    far.helper.call("path_serve", port=PORT)
    return far


@pytest.fixture(scope="module", name="unfiltered")
def fixture_unfiltered(network):
    """Before an agent is started; a victim and a forger."""
    return [network.node.add_pod(n) for n in ("early-victim", "early-forger")]


@pytest.fixture(scope="module", name="pods")
def fixture_pods(network, make_agent):
    add_far(network)
    node = network.node
    names = ("tcp4", "tcp6", "udp4", "udp6", "victim", "forger")  # each learns the MTU for itself
    pods = {n: node.add_pod(n) for n in names}
    agent = make_agent(node)
    agent.write(manifests.of_node(node), manifests.tenant("acme", ["acme"]),
                manifests.tenant("globex", ["globex"]),
                *(manifests.of_pod(p, "globex" if n == "forger" else "acme")
                  for n, p in pods.items()))
    agent.start()
    agent.wait_endpoints(*pods.values())
    return pods


def too_big(family, src, dst, quoted):
    """An ICMP error about `quoted`, with FORGED_MTU."""
    if family == 4:
        body = bytes([3, 4, 0, 0, 0, 0]) + FORGED_MTU.to_bytes(2, "big") + quoted[:28]
        body = body[:2] + frames.csum(body).to_bytes(2, "big") + body[4:]
        return frames.ip_header(src, dst, 1, len(body)) + body
    body = bytes([2, 0, 0, 0]) + FORGED_MTU.to_bytes(4, "big") + quoted
    pseudo = frames.pseudo_header(src, dst, 58, len(body))
    body = body[:2] + frames.csum(pseudo, body).to_bytes(2, "big") + body[4:]
    return frames.ip_header(src, dst, 58, len(body)) + body


def forge(victim, forger, family, source, public):
    """The forger tells the victim, from `source`, that what it sends to `public` is too big: it knows
    addresses and ports of that flow. What the victim believes about the path afterwards."""
    address = (lambda p: p.ip4) if family == 4 else (lambda p: p.ip6)
    sport = victim.helper.call("hold", dst=public, port=80)
    udp = frames.udp(address(victim), public, sport, 80, b"x" * 1400, partial=False)
    quoted = frames.ip_header(address(victim), public, frames.UDP, len(udp)) + udp[:8]
    near = victim.mac("eth0") if victim.node.wiring == "bridge" else \
        victim.node.gateway_mac(forger)
    frame = (frames.mac_bytes(near) + frames.mac_bytes(forger.mac("eth0")) +
             (b"\x08\x00" if family == 4 else b"\x86\xdd") +
             too_big(family, source, address(victim), quoted))
    assert forger.helper.call("send", ifname="eth0", frames=[
        (frames.Vnet().pack() + frame).hex()] * 3) == [0, 0, 0]
    # on the same way, behind it
    probe.one(forger, "udp", address(victim), 80)
    return victim.helper.call("held_mtu")


@pytest.mark.parametrize("family", [4, 6])
def test_unfiltered__forged_error__is_believed(unfiltered, network, family):
    victim, forger = unfiltered
    source = forger.ip4 if family == 4 else forger.ip6
    assert forge(victim, forger, family, source, network.outside.PUBLIC[family]) == FORGED_MTU


@pytest.mark.parametrize("family", [4, 6])
def test_tcp_over_a_small_link__finds_the_mtu(pods, family):
    got = pods[f"tcp{family}"].helper.call("upload", dst=FAR[family], port=PORT, size=UPLOAD,
                                           timeout=20)
    assert got == {"got": UPLOAD, "mtu": MTU}


@pytest.mark.parametrize("family", [4, 6])
def test_udp_over_a_small_link__is_told_the_mtu(pods, network, family):
    pod = pods[f"udp{family}"]
    first = pod.helper.call("datagram", dst=FAR[family], port=PORT, size=1400, fragment=False,
                            timeout=ERROR_S)
    assert first["why"] == "EMSGSIZE" and first["mtu"] == MTU
    router = f"172.20.{network.node.index}.1" if family == 4 else \
        f"fd99:20:{network.node.index}::1"
    assert first["from"] == router
    assert pod.helper.call("datagram", dst=FAR[family], port=PORT, size=1200, fragment=False,
                           timeout=ERROR_S)["ok"]


@pytest.mark.parametrize("family", [4, 6])
def test_trace__shows_every_router(pods, network, family):
    node, pod = network.node, pods["victim"]

    def hop(ttl):
        return pod.helper.call("hop", dst=FAR[family], port=9, ttl=ttl, timeout=ERROR_S)

    assert hop(1) in (node.gateway4, node.gateway6)
    assert hop(2) in (f"172.20.{node.index}.1", f"fd99:20:{node.index}::1")
    # no server there: the end of the path says so itself
    assert hop(3) == FAR[family]


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("whose", ["own", "a router's"])
def test_forged_error_of_another_tenant__changes_nothing(pods, network, family, whose):
    victim, forger = pods["victim"], pods["forger"]
    own, router = ((forger.ip4, network.node.gateway4) if family == 4 else
                   (forger.ip6, network.node.gateway6))
    assert forge(victim, forger, family, own if whose == "own" else router,
                 network.outside.PUBLIC[family]) == 1500
