# SPDX-License-Identifier: Apache-2.0
"""Steady traffic of each protocol to one address, and what answers it; runs in lib/helper.py. Nothing is
counted here: see lib/meter.py."""

import asyncio
import socket
import struct
import time

from stream import family_of

TICK_S = 0.01
RETRY_S = 0.5  # of a connection that does not come about, or breaks


class Mixed:
    def __init__(self):
        self._running = {}
        self._serial = 0
        self._open = []

    def start(self, kind, dst, port, pps):
        self._serial += 1
        state = {"stop": False}
        task = asyncio.get_running_loop().create_task(
            {"udp": self._udp, "tcp": self._tcp, "icmp": self._icmp}[kind](dst, port, pps, state))
        self._running[self._serial] = (state, task)
        return self._serial

    async def stop(self, number):
        state, task = self._running.pop(number)
        state["stop"] = True
        await task

    async def _pace(self, pps, state, send):
        start, sent = time.monotonic(), 0
        while not state["stop"]:
            while sent < int((time.monotonic() - start) * pps):
                sent += 1
                try:
                    send(sent)
                except BlockingIOError:
                    pass
            await asyncio.sleep(TICK_S)

    async def _udp(self, dst, port, pps, state):
        with socket.socket(family_of(dst), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as s:
            s.connect((dst, port))
            await self._pace(pps, state, lambda n: s.send(struct.pack("!I", n)))

    async def _icmp(self, dst, _port, pps, state):
        v6 = family_of(dst) == socket.AF_INET6
        with socket.socket(family_of(dst), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK,
                           socket.IPPROTO_ICMPV6 if v6 else socket.IPPROTO_ICMP) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 12)  # answers are not read
            s.connect((dst, 0))
            await self._pace(pps, state, lambda n: s.send(
                struct.pack("!BBHHH", 128 if v6 else 8, 0, 0, 0, n & 0xffff)))

    async def _tcp(self, dst, port, pps, state):
        """One connection all along; where none comes about, or it ends, the next."""
        while not state["stop"]:
            with socket.socket(family_of(dst), socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as s:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                try:
                    await asyncio.wait_for(
                        asyncio.get_running_loop().sock_connect(s, (dst, port)), RETRY_S)
                    await self._pace(pps, state, lambda n, s=s: s.send(struct.pack("!I", n)))
                except (OSError, asyncio.TimeoutError):
                    await asyncio.sleep(TICK_S)

    def sink(self, port):
        """Takes what comes; answers nothing but what the kernel does."""
        loop = asyncio.get_running_loop()
        for family, any_addr in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                s = socket.socket(family, kind | socket.SOCK_NONBLOCK)
                if family == socket.AF_INET6:
                    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind((any_addr, port))
                if kind == socket.SOCK_STREAM:
                    s.listen(64)
                loop.add_reader(s, self._accept if kind == socket.SOCK_STREAM else self._drop, s)
                self._open.append(s)

    def _accept(self, listener):
        try:
            s, _ = listener.accept()
        except OSError:
            return
        s.setblocking(False)
        asyncio.get_running_loop().add_reader(s, self._read, s)

    def _drop(self, s):
        try:
            while s.recv(4096):
                pass
        except OSError:
            pass

    def _read(self, s):
        try:
            if s.recv(1 << 16):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        asyncio.get_running_loop().remove_reader(s)
        s.close()
