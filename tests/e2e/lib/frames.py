# SPDX-License-Identifier: Apache-2.0
"""Ethernet frames by hand, and what a kernel makes of them when it finishes a pending checksum or cuts
a GSO packet into segments. Pure."""

import ipaddress
import struct
from dataclasses import dataclass

ETH = 14
TCP, UDP, FRAGMENT, SCTP = 6, 17, 44, 132
VXLAN_PORT = 4789

# struct virtio_net_hdr (virtio 1.2, 5.1.6; the tunnel bits: 1.4)
F_NEEDS_CSUM = 1
GSO_NONE, GSO_TCPV4, GSO_UDP, GSO_TCPV6, GSO_UDP_L4 = 0, 1, 3, 4, 5
GSO_TUNNEL_V4, GSO_TUNNEL_V6, GSO_ECN = 0x20, 0x40, 0x80


@dataclass(frozen=True)
class Vnet:
    """The header that a guest puts before its frame. Offsets count from the frame's first byte."""

    flags: int = 0
    gso_type: int = GSO_NONE
    hdr_len: int = 0
    gso_size: int = 0
    csum_start: int = 0
    csum_offset: int = 0
    outer_th: int = 0  # with a tunnel bit: of the outer UDP header
    inner_nh: int = 0  # and of the inner IP header

    def pack(self, size=10):
        out = struct.pack("<BBHHHH", self.flags, self.gso_type, self.hdr_len, self.gso_size,
                          self.csum_start, self.csum_offset)
        if size > 10:
            out += struct.pack("<H", 0)
        if size > 12:
            out += struct.pack("<IHHHH", 0, 0, 0, self.outer_th, self.inner_nh)
        return out


def csum(*parts):
    """The Internet checksum (RFC 1071), as it stands in a header."""
    data = b"".join(parts)
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def pseudo_header(src, dst, proto, length):
    """What a checksum counts of the IP header (RFC 768, RFC 8200 8.1)."""
    s, d = ipaddress.ip_address(src).packed, ipaddress.ip_address(dst).packed
    return s + d + (struct.pack("!BBH", 0, proto, length) if len(s) == 4 else
                    struct.pack("!IHBB", length, 0, 0, proto))


def mac_bytes(mac):
    return bytes.fromhex(mac.replace(":", ""))


def ip_header(src, dst, proto, length, ttl=64):
    s, d = ipaddress.ip_address(src).packed, ipaddress.ip_address(dst).packed
    if len(s) == 16:
        return struct.pack("!IHBB", 0x60000000, length, proto, ttl) + s + d
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0x1234, 0x4000, ttl, proto, 0) + s + d
    return head[:10] + struct.pack("!H", csum(head)) + head[12:]


def udp(src, dst, sport, dport, payload, partial):
    """partial: only the pseudo-header's sum is in the checksum field, the rest is pending."""
    n = 8 + len(payload)
    head = struct.pack("!HHHH", sport, dport, n, 0)
    pseudo = pseudo_header(src, dst, UDP, n)
    value = ~csum(pseudo) & 0xFFFF if partial else csum(pseudo, head, payload) or 0xFFFF
    return head[:6] + struct.pack("!H", value) + payload


def tcp(src, dst, sport, dport, payload, partial, seq=1000, flags=0x18):
    head = struct.pack("!HHIIBBHHH", sport, dport, seq, 2000, 0x50, flags, 64000, 0, 0)
    pseudo = pseudo_header(src, dst, TCP, 20 + len(payload))
    value = ~csum(pseudo) & 0xFFFF if partial else csum(pseudo, head, payload)
    return head[:16] + struct.pack("!HH", value, 0) + payload


def crc32c(data):
    """SCTP's checksum (RFC 9260 appendix A)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return ~crc & 0xFFFFFFFF


def sctp(sport, dport, chunk, body):
    """One chunk; its checksum is right."""
    out = struct.pack("!HHII", sport, dport, 0, 0) + struct.pack("!BBH", chunk, 0, 4 + len(body)) + body
    return out[:8] + struct.pack("<I", crc32c(out)) + out[12:]


def steer(frame, own, target):
    """A UDP frame that a filter sees with its destination port, and that arrives with `target` and a
    right checksum, if the checksum from `own` + 2 (the port) on is written over the port: what is
    written is steered by the checksum field, and that the sum comes out right by the source port."""
    dport, length = struct.unpack_from("!HH", frame, own + 2)
    src, dst = (frame[own - 8:own - 4], frame[own - 4:own]) if own == 34 else \
        (frame[own - 32:own - 16], frame[own - 16:own])
    pseudo = ~csum(pseudo_header(ipaddress.ip_address(src), ipaddress.ip_address(dst), UDP, length)) & 0xFFFF
    sport = (dport - pseudo) % 0xFFFF
    rest = ~csum(frame[own + 2:own + 6], frame[own + 8:]) & 0xFFFF
    field = (0xFFFF - target - rest) % 0xFFFF
    return frame[:own] + struct.pack("!HHHH", sport, dport, length, field) + frame[own + 8:]


def vxlan(vni, inner):
    return struct.pack("!BxxxI", 0x08, vni << 8) + inner


def dns_query(name, qid=0x4242):
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split("."))
    return struct.pack("!HHHHHH", qid, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)


@dataclass(frozen=True)
class Path:
    """From whom to whom frames go."""

    src_mac: str
    dst_mac: str
    src: dict  # family -> address
    dst: dict

    def frame(self, family, proto, l4):
        ethertype = 0x0800 if family == 4 else 0x86DD
        return (mac_bytes(self.dst_mac) + mac_bytes(self.src_mac) + struct.pack("!H", ethertype) +
                ip_header(self.src[family], self.dst[family], proto, len(l4)) + l4)

    def udp(self, family, dport, payload, partial=True, sport=40000):
        return self.frame(family, UDP, udp(self.src[family], self.dst[family], sport, dport, payload,
                                           partial))

    def tcp(self, family, dport, payload, partial=True, sport=40000):
        return self.frame(family, TCP, tcp(self.src[family], self.dst[family], sport, dport, payload,
                                           partial))


    def sctp(self, family, dport, payload, sport=40000):
        """A DATA chunk."""
        return self.frame(family, SCTP, sctp(sport, dport, 0, b"\0" * 12 + payload))

    def first_fragment(self, family, frame):
        """As if more were to follow."""
        if family == 4:
            head = bytearray(frame[ETH:ETH + 20])
            head[6:8] = b"\x20\0"
            head[10:12] = b"\0\0"
            head[10:12] = struct.pack("!H", csum(head))
            return frame[:ETH] + bytes(head) + frame[ETH + 20:]
        head, body = frame[ETH:ETH + 40], frame[ETH + 40:]
        return (frame[:ETH] + head[:4] + struct.pack("!HB", 8 + len(body), FRAGMENT) + head[7:] +
                struct.pack("!BBHI", head[6], 0, 1, 0x1234) + body)


def fragment(frame):
    """(what is common to the fragments of a packet, offset, is there more, data); None: no fragment."""
    ethertype = struct.unpack_from("!H", frame, 12)[0]
    ip = frame[ETH:]
    if ethertype == 0x0800:
        length, ident, bits = struct.unpack_from("!HHH", ip, 2)
        if bits & 0x3FFF:
            return ((ip[12:20], ident, ip[9]), (bits & 0x1FFF) * 8, bool(bits & 0x2000),
                    ip[(ip[0] & 15) * 4:length])
    elif ip[6] == FRAGMENT:
        length = struct.unpack_from("!H", ip, 4)[0]
        proto, _, bits, ident = struct.unpack_from("!BBHI", ip, 40)
        return (ip[8:40], ident, proto), bits & 0xFFF8, bool(bits & 1), ip[48:40 + length]
    return None


def joined(frames):
    """The same with fragments put together where all of a packet is there."""
    out, parts = [], {}
    for f in frames:
        part = fragment(f)
        if not part:
            out.append(f)
            continue
        packet = parts.setdefault(part[0], {"first": f, "data": {}, "end": None})
        packet["data"][part[1]] = part[3]
        if not part[2]:
            packet["end"] = part[1] + len(part[3])
    for (_, _, proto), packet in parts.items():
        body = b"".join(packet["data"][at] for at in sorted(packet["data"]))
        first = packet["first"]
        whole = packet["end"] == len(body)
        family = 4 if first[12:14] == b"\x08\x00" else 6
        addresses = first[ETH + 12:ETH + 20] if family == 4 else first[ETH + 8:ETH + 40]
        half = len(addresses) // 2
        header = ip_header(ipaddress.ip_address(addresses[:half]),
                           ipaddress.ip_address(addresses[half:]), proto, len(body))
        out.append(first[:ETH] + header + body if whole else first)
    return out


@dataclass(frozen=True)
class Packet:
    """What arrived, or is to arrive. Left out is what a router changes (TTL, the IPv4 header's
    checksum) and what segmentation numbers (the IPv4 identification)."""

    family: int
    src: str
    dst: str
    proto: int
    sport: int
    dport: int
    l4_head: bytes  # with the ports, without the checksum
    payload: bytes
    csum_ok: bool


def parse(frame):
    """A Packet, of a first fragment as if it were all; None for what is neither TCP nor UDP nor SCTP
    without IP options."""
    ethertype = struct.unpack_from("!H", frame, 12)[0]
    ip = frame[ETH:]
    if ethertype == 0x0800 and len(ip) >= 20 and ip[0] == 0x45:
        length, proto = struct.unpack_from("!H", ip, 2)[0], ip[9]
        src, dst = str(ipaddress.ip_address(ip[12:16])), str(ipaddress.ip_address(ip[16:20]))
        l4, family, ip_ok = ip[20:length], 4, csum(ip[:20]) == 0
    elif ethertype == 0x86DD and len(ip) >= 40:
        length, proto = struct.unpack_from("!HB", ip, 4)
        src, dst = str(ipaddress.ip_address(ip[8:24])), str(ipaddress.ip_address(ip[24:40]))
        l4, family, ip_ok = ip[40:40 + length], 6, True
        if proto == FRAGMENT and len(l4) >= 8:
            proto, l4 = l4[0], l4[8:]
    else:
        return None
    head = {UDP: 8, TCP: 20, SCTP: 12}.get(proto)
    if head is None or len(l4) < head:
        return None
    sport, dport = struct.unpack_from("!HH", l4)
    if proto == SCTP:
        ok = ip_ok and struct.unpack_from("<I", l4, 8)[0] == crc32c(l4[:8] + b"\0" * 4 + l4[12:])
        return Packet(family, src, dst, proto, sport, dport, l4[:8], l4[head:], ok)
    at = {UDP: 6, TCP: 16}[proto]
    ok = ip_ok and csum(pseudo_header(src, dst, proto, len(l4)), l4) == 0
    return Packet(family, src, dst, proto, sport, dport, l4[:at] + l4[at + 2:head], l4[head:], ok)


def finished(frame, gso_size=0):
    """What an honest kernel sends for `frame`: one Packet, or its segments."""
    p = parse(frame)
    if not gso_size or len(p.payload) <= gso_size:
        return [_with(p, p.l4_head, p.payload)]
    out = []
    for at in range(0, len(p.payload), gso_size):
        part = p.payload[at:at + gso_size]
        head = bytearray(p.l4_head)
        if p.proto == UDP:
            struct.pack_into("!H", head, 4, 8 + len(part))
        else:
            struct.pack_into("!I", head, 4, (struct.unpack_from("!I", head, 4)[0] + at) & 0xFFFFFFFF)
            if at + gso_size < len(p.payload):
                head[13] &= ~0x09  # FIN and PSH are the last one's
        out.append(_with(p, bytes(head), part))
    return out


def _with(p, head, payload):
    return Packet(p.family, p.src, p.dst, p.proto, p.sport, p.dport, head, payload, True)


FLOOD = 32000  # frames, each of them another flow or packet


def flood(path, kind):
    """half-open: SYNs, each from another port; fragments: datagrams in two; first-fragments: of
    datagrams whose rest never comes. Both families in turn."""
    out = []
    for n in range(FLOOD):
        family, sport = (4, 6)[n % 2], 1024 + n
        if kind == "half-open":
            out.append(path.frame(family, TCP, tcp(path.src[family], path.dst[family], sport, 8080,
                                                   b"", False, flags=0x02)))
            continue
        frame = path.udp(family, 8080, b"x" * 56, partial=False, sport=sport)
        body = frame[ETH + (20 if family == 4 else 40):]
        out.append(_piece(path, family, n, body[:32], 0, True))
        if kind == "fragments":
            out.append(_piece(path, family, n, body[32:], 32, False))
    return out


def _piece(path, family, ident, data, offset, more):
    if family == 6:
        head = struct.pack("!BBHI", UDP, 0, offset | more, ident)
        return path.frame(6, FRAGMENT, head + data)
    frame = bytearray(path.frame(4, UDP, data))
    ip = frame[ETH:ETH + 20]
    ip[4:8] = struct.pack("!HH", ident & 0xffff, offset // 8 | (0x2000 if more else 0))
    ip[10:12] = b"\0\0"
    ip[10:12] = struct.pack("!H", csum(ip))
    return bytes(frame[:ETH] + ip + frame[ETH + 20:])
