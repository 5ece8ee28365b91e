# SPDX-License-Identifier: Apache-2.0
"""What a guest says in its virtio-net header must not change a packet after it was approved.

Each row states what is sent and what may leave: an honest packet leaves as it was approved (finished:
checksum filled in, cut into its segments), anything else does not leave at all. Without a filter each
attack is shown to be one: something else leaves than what a filter has seen.
"""

import errno
from dataclasses import dataclass
from typing import Callable

import pytest

from lib import frames, manifests, net, probe, vnet
from lib.frames import Vnet

OWN, FOREIGN = "aaaa.own.svc.cluster.local", "zzzz.oth.svc.cluster.local"
L4 = {4: 34, 6: 54}  # of frames without IP options
PENDING = {"udp": 6, "tcp": 16}

# What an unfiltered kernel does with a row
SAME, CHANGED, REFUSED, NOTHING = "same", "changed", "refused", "nothing"


@dataclass(frozen=True)
class Row:
    name: str
    make: Callable  # Path -> (Vnet, frame)
    unfiltered: tuple = (CHANGED,)  # kernels differ: any of these
    proof: Callable = None  # of CHANGED: [Packet], Path -> is this the effect that was meant?
    special: tuple = ()  # what the filter may make of it, where that does not follow from the above

    @property
    def honest(self):
        return self.unfiltered == (SAME,)

    @property
    def filtered(self):
        return self.special or ((SAME,) if self.honest else (NOTHING, REFUSED))


def token(row):
    """Bytes that are in every packet of the row."""
    return row.name.encode()[:20].ljust(20, b".")


def pending(family, proto, **kw):
    return Vnet(frames.F_NEEDS_CSUM, csum_start=L4[family], csum_offset=PENDING[proto], **kw)


def at(start, offset):
    return Vnet(frames.F_NEEDS_CSUM, csum_start=start, csum_offset=offset)


ROWS = []


def row(name, make, unfiltered=(CHANGED,), proof=None, special=()):
    r = Row(name, lambda path: make(path, token(r)), unfiltered, proof, special)
    ROWS.append(r)


def long(text, length):
    return (text * (length // len(text) + 1))[:length]


def query(text, name=OWN):
    return frames.dns_query(name) + text


GSO_TCP = {4: frames.GSO_TCPV4, 6: frames.GSO_TCPV6}


def honest_rows(f):
    own, gso_tcp = L4[f], GSO_TCP[f]
    row(f"udp{f}_whole", lambda p, t: (Vnet(), p.udp(f, 53, query(t), partial=False)), (SAME,))
    row(f"udp{f}_pending", lambda p, t: (pending(f, "udp"), p.udp(f, 53, query(t))), (SAME,))
    row(f"tcp{f}_pending", lambda p, t: (pending(f, "tcp"), p.tcp(f, 443, t)), (SAME,))
    row(f"tcp{f}_gso", lambda p, t: (pending(f, "tcp", gso_type=gso_tcp, gso_size=1000,
                                             hdr_len=own + 20),
                                     p.tcp(f, 443, long(t, 2600))), (SAME,))
    row(f"tcp{f}_gso_ecn", lambda p, t: (pending(f, "tcp", gso_type=gso_tcp | frames.GSO_ECN,
                                                 gso_size=1000, hdr_len=own + 20),
                                         p.tcp(f, 443, long(t, 2600))), (SAME,))
    row(f"udp{f}_gso_quic", lambda p, t: (pending(f, "udp", gso_type=frames.GSO_UDP_L4, gso_size=1200,
                                                  hdr_len=own + 8),
                                          p.udp(f, 443, long(t, 3000))), (SAME,))
    for name, linear in (("eth", 14), ("half_ip", 24), ("half_l4", own + 4), ("payload", own + 200)):
        row(f"udp{f}_linear_{name}", lambda p, t, n=linear:
            (Vnet(hdr_len=n), p.udp(f, 443, long(t, 5000), partial=False)), (SAME,))
        row(f"tcp{f}_gso_linear_{name}", lambda p, t, n=linear:
            (pending(f, "tcp", gso_type=gso_tcp, gso_size=1000, hdr_len=n),
             p.tcp(f, 443, long(t, 5000))), (SAME,))


def checksum_rows(f):
    """A checksum that lands elsewhere. Offset 21 is in the first label of the name."""
    own = L4[f]
    row(f"udp{f}_csum_in_qname", lambda p, t: (at(own, 21), p.udp(f, 53, query(t))),
        proof=lambda got, p: got[0].payload[12:17] != b"\4aaaa")
    row(f"udp{f}_csum_at_dport", lambda p, t: (at(own, 2), p.udp(f, 53, query(t))),
        proof=lambda got, p: got[0].dport != 53)
    row(f"udp{f}_csum_right_at_other_port", lambda p, t:
        (at(own + 2, 0), frames.steer(p.udp(f, 53, query(t)), own, 8080)),
        proof=lambda got, p: got[0].dport == 8080 and got[0].csum_ok)
    row(f"udp{f}_csum_at_length", lambda p, t: (at(own, 4), p.udp(f, 53, query(t))),
        proof=lambda got, p: got[0].l4_head[4:6] != finished_head(p, f)[4:6])
    row(f"udp{f}_csum_starts_late", lambda p, t: (at(own + 2, 4), p.udp(f, 53, query(t))),
        proof=lambda got, p: not got[0].csum_ok)
    row(f"tcp{f}_csum_at_dport", lambda p, t: (at(own, 2), p.tcp(f, 443, t)),
        proof=lambda got, p: got[0].dport != 443)
    row(f"tcp{f}_csum_at_sport", lambda p, t: (at(own, 0), p.tcp(f, 443, t)),
        proof=lambda got, p: got[0].sport != 40000)
    row(f"tcp{f}_csum_at_seq", lambda p, t: (at(own, 4), p.tcp(f, 443, t)),
        proof=lambda got, p: got[0].l4_head[4:8] != b"\0\0\x03\xe8")
    row(f"udp{f}_csum_as_of_tcp", lambda p, t: (at(own, 16), p.udp(f, 53, query(t))),
        proof=lambda got, p: got[0].payload[8:10] != b"\0\0")
    row(f"udp{f}_csum_before_ip", lambda p, t: (at(10, 2), p.udp(f, 53, query(t))), (REFUSED,))
    row(f"udp{f}_csum_past_end", lambda p, t: (at(own, 4000), p.udp(f, 53, query(t))), (REFUSED,))


def segment_rows(f):
    """One packet that becomes others than a filter sees: two questions, of which it sees the first, or
    what segmentation of another protocol makes of it."""
    own, gso_tcp, other_tcp = L4[f], GSO_TCP[f], GSO_TCP[10 - f]
    first = len(frames.dns_query(OWN)) + 20
    row(f"udp{f}_gso_dns", lambda p, t:
        (pending(f, "udp", gso_type=frames.GSO_UDP_L4, gso_size=first, hdr_len=own + 8),
         p.udp(f, 53, query(t) + query(t, FOREIGN))),
        proof=lambda got, p: len(got) == 2 and b"\4zzzz\3oth" in got[1].payload)
    row(f"udp{f}_gso_tcp", lambda p, t: (pending(f, "udp", gso_type=gso_tcp, gso_size=500),
                                         p.udp(f, 443, long(t, 1200))), (REFUSED, NOTHING, CHANGED))
    row(f"udp{f}_gso_tcp_field", lambda p, t: (
        Vnet(frames.F_NEEDS_CSUM, gso_tcp, 0, 500, own, 16), p.udp(f, 443, long(t, 1200))),
        (REFUSED, NOTHING, CHANGED))
    row(f"tcp{f}_gso_other_family", lambda p, t: (pending(f, "tcp", gso_type=other_tcp, gso_size=500),
                                                  p.tcp(f, 443, long(t, 1200))),
        (REFUSED, NOTHING, CHANGED))
    row(f"tcp{f}_gso_udp_l4", lambda p, t: (pending(f, "tcp", gso_type=frames.GSO_UDP_L4, gso_size=500),
                                            p.tcp(f, 443, long(t, 1200))), (REFUSED, NOTHING, CHANGED))
    # fragments of one datagram: made before the filter, they are judged as any fragments are
    row(f"udp{f}_gso_ufo", lambda p, t: (pending(f, "udp", gso_type=frames.GSO_UDP, gso_size=504),
                                         p.udp(f, 443, long(t, 1200))), (REFUSED, NOTHING, SAME),
        special=(REFUSED, NOTHING, SAME))
    row(f"tcp{f}_gso_ufo", lambda p, t: (pending(f, "tcp", gso_type=frames.GSO_UDP, gso_size=504),
                                         p.tcp(f, 443, long(t, 1200))), (REFUSED, NOTHING, CHANGED))


def fragment_rows(f):
    """A part of a packet has no checksum of its own, and is no train of segments."""
    own = L4[f] + (8 if f == 6 else 0)
    row(f"udp{f}_fragment_pending", lambda p, t:
        (at(own, 6), p.first_fragment(f, p.udp(f, 443, long(t, 400)))), (SAME, CHANGED),
        special=(NOTHING,))
    row(f"udp{f}_fragment_whole", lambda p, t:
        (Vnet(), p.first_fragment(f, p.udp(f, 443, long(t, 400), partial=False))), (SAME,))
    row(f"udp{f}_fragment_gso", lambda p, t:
        (Vnet(frames.F_NEEDS_CSUM, frames.GSO_UDP_L4, own + 8, 200, own, 6),
         p.first_fragment(f, p.udp(f, 443, long(t, 400)))), (REFUSED, NOTHING, CHANGED))


def sctp_rows(f):
    """Its checksum is another one, which no guest's header can ask for."""
    own = L4[f]
    row(f"sctp{f}_whole", lambda p, t: (Vnet(), p.sctp(f, 3868, t)), (SAME,))
    row(f"sctp{f}_pending", lambda p, t: (at(own, 8), p.sctp(f, 3868, t)),
        proof=lambda got, p: not got[0].csum_ok)
    row(f"sctp{f}_csum_at_dport", lambda p, t: (at(own, 2), p.sctp(f, 3868, t)),
        proof=lambda got, p: got[0].dport != 3868)
    row(f"sctp{f}_gso_tcp", lambda p, t: (
        Vnet(frames.F_NEEDS_CSUM, GSO_TCP[f], own + 12, 200, own, 8), p.sctp(f, 3868, long(t, 600))),
        (REFUSED, NOTHING, CHANGED))


def finished_head(path, family):
    return frames.parse(path.udp(family, 53, query(b"." * 20))).l4_head


for family in (4, 6):
    honest_rows(family)
    checksum_rows(family)
    segment_rows(family)
    fragment_rows(family)
    sctp_rows(family)
row("ip4_csum_at_dst", lambda p, t: (at(20, 10), p.udp(4, 53, query(t))),
    proof=lambda got, p: got[0].dst != p.dst[4])
row("ip4_csum_at_src", lambda p, t: (at(20, 6), p.udp(4, 53, query(t))),
    proof=lambda got, p: got[0].src != p.src[4])
row("ip6_csum_at_dst", lambda p, t: (at(20, 20), p.udp(6, 53, query(t))),
    proof=lambda got, p: got[0].dst != p.dst[6])
row("ip6_csum_at_src", lambda p, t: (at(20, 4), p.udp(6, 53, query(t))),
    proof=lambda got, p: got[0].src != p.src[6])


def tunnel_row(f):
    """TCP in VXLAN, cut into segments by the kernel, headers and all."""
    def make(p, t):
        inner = p.tcp(f, 443, long(t, 3000))
        outer = p.udp(f, frames.VXLAN_PORT, frames.vxlan(1, inner), partial=False)
        return Vnet(frames.F_NEEDS_CSUM, (frames.GSO_TCPV4 if f == 4 else frames.GSO_TCPV6) |
                    (frames.GSO_TUNNEL_V4 if f == 4 else frames.GSO_TUNNEL_V6),
                    hdr_len=L4[f] + 16 + L4[f] + 20, gso_size=1000,
                    csum_start=L4[f] + 16 + L4[f], csum_offset=16,
                    outer_th=L4[f], inner_nh=L4[f] + 16 + frames.ETH), outer

    name = f"tunnel{f}_gso"
    return Row(name, lambda p: make(p, name.encode().ljust(20, b".")), (CHANGED,),
               lambda got, p: len(got) == 3 and {g.dport for g in got} == {frames.VXLAN_PORT})


TUNNEL_ROWS = [tunnel_row(4), tunnel_row(6)]


def what_left(row_, line):
    """(what an unfiltered kernel may do, of the four; the Packets that arrived)"""
    header, frame = row_.make(line.path)
    refused, arrived = line.carry(header, frame, token(row_))
    if not arrived:
        return REFUSED if refused == errno.EINVAL else NOTHING, []
    assert not refused
    for vnet_header, _ in arrived:  # nothing may be left open where we look
        assert not vnet_header[0] & frames.F_NEEDS_CSUM and vnet_header[1] == frames.GSO_NONE
    got = [frames.parse(f) for f in frames.joined([f for _, f in arrived])]
    gso = header.gso_size if row_.honest else 0
    return SAME if got == frames.finished(frame, gso) else CHANGED, got


def two_pods(node):
    return node.add_pod("guest", serve=False), node.add_pod("far", serve=False)


def make_line(guest, far, via):
    """via: tap, packet, or tunnel: a tap that takes tunnel GSO."""
    if via != "tunnel":
        return vnet.Line(vnet.Guest(guest, via), vnet.FarEnd(far))
    try:
        return vnet.Line(vnet.Guest(guest, "tap", hdr_len=24, tunnel=True), vnet.FarEnd(far))
    except probe.HelperError as e:
        if e.errno == errno.EINVAL:
            pytest.skip("this kernel's taps know no tunnel GSO (Linux 6.17)")
        raise


def filtered_line(network, make_agent, via):
    """Both pods are one tenant's, so every honest packet is allowed."""
    guest, far = two_pods(network.node)
    agent = make_agent(network.node)
    agent.write(manifests.namespace("acme"), manifests.tenant("acme", ["acme"]),
                manifests.of_node(network.node),
                *(manifests.of_pod(p, "acme") for p in (guest, far)))
    agent.start()
    agent.wait_endpoints(guest, far)
    return make_line(guest, far, via)


@pytest.fixture(scope="module", name="line", params=["tap", "packet"])
def fixture_line(wiring, request):
    """Unfiltered."""
    with net.Network(wiring) as network:
        yield make_line(*two_pods(network.node), request.param)


@pytest.fixture(scope="module", name="filtered", params=["tap", "packet"])
def fixture_filtered(wiring, make_agent, request):
    with net.Network(wiring) as network:
        yield filtered_line(network, make_agent, request.param)


@pytest.fixture(scope="module", name="tunnel_line")
def fixture_tunnel_line(wiring):
    """Unfiltered."""
    with net.Network(wiring) as network:
        yield make_line(*two_pods(network.node), "tunnel")


@pytest.fixture(scope="module", name="filtered_tunnel")
def fixture_filtered_tunnel(wiring, make_agent):
    with net.Network(wiring) as network:
        yield filtered_line(network, make_agent, "tunnel")


def check_unfiltered(row_, line):
    outcome, got = what_left(row_, line)
    assert outcome in row_.unfiltered, got
    if outcome == CHANGED and row_.proof:
        assert row_.proof(got, line.path), got


def check_filtered(row_, line):
    outcome, got = what_left(row_, line)
    assert outcome in row_.filtered, got


@pytest.mark.parametrize("row_", ROWS, ids=lambda r: r.name)
def test_unfiltered__header_of_a_guest__does_what_the_row_says(line, row_):
    check_unfiltered(row_, line)


@pytest.mark.parametrize("row_", TUNNEL_ROWS, ids=lambda r: r.name)
def test_unfiltered__tunnel_header_of_a_guest__does_what_the_row_says(tunnel_line, row_):
    check_unfiltered(row_, tunnel_line)


@pytest.mark.parametrize("row_", ROWS, ids=lambda r: r.name)
def test_filtered__header_of_a_guest__as_approved_or_nothing(filtered, row_):
    check_filtered(row_, filtered)


@pytest.mark.parametrize("row_", TUNNEL_ROWS, ids=lambda r: r.name)
def test_filtered__tunnel_header_of_a_guest__nothing(filtered_tunnel, row_):
    check_filtered(row_, filtered_tunnel)
