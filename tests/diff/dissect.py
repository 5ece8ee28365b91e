#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The reference parser against scapy: on frames that the reference reads as packets, scapy must find the
same protocol, ports, L4 offset and fragment fields.

    diff_parse --dump COUNT SEED | dissect.py
"""

import logging
import sys

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)  # it warns of the machine's routes

from scapy.layers.inet import ICMP, IP, TCP, UDP  # noqa: E402
from scapy.layers.inet6 import (  # noqa: E402
    IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, ICMPv6EchoReply, ICMPv6EchoRequest)
from scapy.layers.l2 import Ether  # noqa: E402
from scapy.layers.sctp import SCTP  # noqa: E402
from scapy.packet import Raw  # noqa: E402

ETHERNET = 14
EXTENSIONS = (IPv6ExtHdrHopByHop, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment)


def walk6(ip, end):
    """Protocol, offset of the L4 header, and the fragment header of an IPv6 packet."""
    offset = ETHERNET + 40
    proto, layer, fragment = ip.nh, ip.payload, None
    while isinstance(layer, EXTENSIONS):
        if isinstance(layer, IPv6ExtHdrFragment):
            fragment = layer
            offset += 8
        else:
            offset += (layer.len + 1) * 8
        proto, layer = layer.nh, layer.payload
        if fragment is not None and fragment.offset:
            break
    return proto, offset, fragment, end


def read(frame):
    """(protocol, L4 offset, fragment id, fragment offset in bytes, more) of a frame, or None."""
    ether = Ether(frame)
    if IP in ether and ether.type == 0x0800:
        ip = ether[IP]
        return ip.proto, ETHERNET + ip.ihl * 4, ip.id, ip.frag * 8, bool(ip.flags.MF), ETHERNET + ip.len
    if IPv6 in ether and ether.type == 0x86DD:
        ip = ether[IPv6]
        proto, offset, fragment, end = walk6(ip, ETHERNET + 40 + ip.plen)
        if fragment is None:
            return proto, offset, 0, 0, False, end
        return proto, offset, fragment.id, fragment.offset * 8, bool(fragment.m), end
    return None


def ports(proto, l4):
    """Source and destination port of an L4 header, or the id of an echo and 0."""
    if proto in (6, 17, 132):
        header = {6: TCP, 17: UDP, 132: SCTP}[proto](l4)
        return header.sport, header.dport
    if proto == 1:
        return ICMP(l4).id or 0, 0
    if proto == 58:
        header = (ICMPv6EchoRequest if l4[0] == 128 else ICMPv6EchoReply)(l4)
        return header.id, 0
    return None


def differs(line):
    """What scapy reads otherwise than the reference, or None."""
    _, kind, proto, sport, dport, l4_off, frag_id, frag_off, hexes = line.split()
    frame = bytes.fromhex(hexes)
    seen = read(frame)
    if seen is None:
        return "no IP packet"
    s_proto, s_off, s_id, s_frag, s_more, s_end = seen
    if kind != "later" and s_proto != int(proto):
        return f"protocol {s_proto}"
    if kind in ("first", "later") and (s_id != int(frag_id) or s_frag != int(frag_off)):
        return f"fragment {s_id:x}+{s_frag}"
    if (kind == "first") != (s_more and s_frag == 0) or (kind == "later") != (s_frag > 0):
        return f"fragment offset {s_frag}, more {s_more}"
    if kind in ("packet", "first"):
        if s_off != int(l4_off):
            return f"L4 offset {s_off}"
        got = ports(s_proto, frame[s_off:s_end])
        if got != (int(sport), int(dport)):
            return f"ports {got}"
    return None


def main():
    read_as, differ = 0, 0
    for line in sys.stdin:
        read_as += 1
        what = differs(line)
        if what:
            differ += 1
            if differ <= 10:
                print(f"scapy reads {what}: {line}", file=sys.stderr)
    print(f"{read_as} packets dissected, {differ} differ")
    return 1 if differ or not read_as else 0


if __name__ == "__main__":
    sys.exit(main())
