# SPDX-License-Identifier: Apache-2.0
"""What a path carries: long streams and datagrams, and the ICMP errors that come back for them. Runs in
lib/helper.py."""

import asyncio
import errno
import os
import select
import socket
import struct
import time

IP_MTU_DISCOVER, IP_PMTUDISC_DONT, IP_PMTUDISC_DO = 10, 0, 2
IPV6_MTU_DISCOVER = 23
IPV6_RECVERR = 25
IP_RECVERR = 11
IP_MTU, IPV6_MTU = 14, 24
HEADERS = {"ip_options": (socket.IPPROTO_IP, socket.IP_OPTIONS),
           "hop_by_hop": (socket.IPPROTO_IPV6, socket.IPV6_HOPOPTS),
           "destination": (socket.IPPROTO_IPV6, socket.IPV6_DSTOPTS)}
ERR_LEN = 16  # struct sock_extended_err; behind it a struct sockaddr, where the error came from
DATAGRAM_MAX = 65536


def family_of(addr):
    return socket.AF_INET6 if ":" in addr else socket.AF_INET


class Path:
    """Servers and the tries of one helper."""

    def __init__(self):
        self._open = []
        self._held = None

    def serve(self, port):
        """TCP: reads to the end and answers with the number of bytes. UDP: sends each datagram back."""
        loop = asyncio.get_running_loop()
        for family, any_addr in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                s = socket.socket(family, kind | socket.SOCK_NONBLOCK)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                s.bind((any_addr, port))
                self._open.append(s)
                if kind == socket.SOCK_STREAM:
                    s.listen(64)
                    loop.add_reader(s, self._accept, s)
                else:
                    loop.add_reader(s, self._datagram, s)

    def _accept(self, listener):
        s, _ = listener.accept()
        s.setblocking(False)
        asyncio.get_running_loop().create_task(self._count(s))

    async def _count(self, s):
        loop, n = asyncio.get_running_loop(), 0
        with s:
            while data := await loop.sock_recv(s, 65536):
                n += len(data)
            await loop.sock_sendall(s, struct.pack("!Q", n))

    def _datagram(self, s):
        data, peer = s.recvfrom(DATAGRAM_MAX)
        try:
            s.sendto(data, peer)
        except OSError:
            pass  # the one who asked says that nothing came

    async def upload(self, dst, port, size, timeout, **headers):
        """How many of `size` bytes the server at dst says that it got, and the path's MTU after it.
        headers: bytes (hex) of IPv4 options, or of IPv6 extension headers, to put into every packet:
        ip_options, hop_by_hop, destination."""
        loop = asyncio.get_running_loop()

        async def talk(s):
            await loop.sock_connect(s, (dst, port))
            await loop.sock_sendall(s, os.urandom(size))
            s.shutdown(socket.SHUT_WR)
            got = struct.unpack("!Q", await loop.sock_recv(s, 8))[0]
            return {"got": got, "mtu": mtu_of(s)}

        with socket.socket(family_of(dst), socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as s:
            for name, value in headers.items():
                s.setsockopt(*HEADERS[name], bytes.fromhex(value))
            return await asyncio.wait_for(talk(s), timeout)

    def hold(self, dst, port):
        """A flow that lasts: its own port."""
        self._held = udp_socket(dst)
        self._held.connect((dst, port))
        self._held.send(b"held")
        return self._held.getsockname()[1]

    def held_mtu(self):
        """What that flow has been told of its path."""
        return mtu_of(self._held)

    async def datagram(self, dst, port, size, fragment, timeout):
        """Send one of `size` bytes and get it back. ok, or why not; the path's MTU; who said so."""
        return await asyncio.to_thread(self._try, dst, port, size, fragment, timeout)

    def _try(self, dst, port, size, fragment, timeout):
        with udp_socket(dst) as s:
            v6 = s.family == socket.AF_INET6
            s.setsockopt(socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP,
                         IPV6_MTU_DISCOVER if v6 else IP_MTU_DISCOVER,
                         IP_PMTUDISC_DONT if fragment else IP_PMTUDISC_DO)
            s.connect((dst, port))
            data = os.urandom(size)
            out = {"ok": False, "why": "timeout", "from": "", "mtu": 0}
            try:
                s.send(data)
                if wait_for(s, timeout):
                    out["ok"] = s.recv(DATAGRAM_MAX) == data
            except OSError as e:
                out["why"] = errno.errorcode.get(e.errno, str(e.errno))
                out["from"] = error_source(s) or ""
            out["mtu"] = mtu_of(s)
            return out

    async def hop(self, dst, port, ttl, timeout):
        """Who says that a datagram with this TTL went no further; "" if nobody does."""
        return await asyncio.to_thread(self._hop, dst, port, ttl, timeout)

    def _hop(self, dst, port, ttl, timeout):
        with udp_socket(dst) as s:
            v6 = s.family == socket.AF_INET6
            s.setsockopt(socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP,
                         socket.IPV6_UNICAST_HOPS if v6 else socket.IP_TTL, ttl)
            s.connect((dst, port))
            s.send(b"hop")
            return (wait_for(s, timeout) and error_source(s)) or ""


def udp_socket(dst):
    """Of dst's family, with errors kept for error_source()."""
    s = socket.socket(family_of(dst), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    if s.family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
    else:
        s.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    return s


def wait_for(s, timeout):
    """Until there is something to read, or an error."""
    p = select.poll()
    p.register(s, select.POLLIN)
    end = time.monotonic() + timeout
    while (left := end - time.monotonic()) > 0:
        if p.poll(left * 1000):
            return True
    return False


def error_source(s):
    """The address of whoever sent the oldest error; None if none waits."""
    try:
        _, control, _, _ = s.recvmsg(512, 512, socket.MSG_ERRQUEUE)
    except OSError:
        return None
    for _, _, value in control:
        at = value[ERR_LEN:]
        if len(at) >= 16 and struct.unpack_from("=H", at)[0] == socket.AF_INET:
            return socket.inet_ntop(socket.AF_INET, at[4:8])
        if len(at) >= 24 and struct.unpack_from("=H", at)[0] == socket.AF_INET6:
            return socket.inet_ntop(socket.AF_INET6, at[8:24])
    return None


def mtu_of(s):
    """Of the path of a connected socket, as this host knows it."""
    if s.family == socket.AF_INET6:
        return s.getsockopt(socket.IPPROTO_IPV6, IPV6_MTU)
    return s.getsockopt(socket.IPPROTO_IP, IP_MTU)
