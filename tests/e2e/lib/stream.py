# SPDX-License-Identifier: Apache-2.0
"""Steady UDP traffic with numbered datagrams, and sinks that count them; runs in lib/helper.py.

A sink knows each source and each number once, so what was sent minus what was counted is what was lost.
"""

import asyncio
import socket
import struct
import time

TICK_S = 0.005
SO_RCVBUFFORCE = 33  # asm-generic/socket.h; not in the socket module
RCVBUF = 8 << 20


def family_of(addr):
    return socket.AF_INET6 if ":" in addr else socket.AF_INET


class Streams:
    """What one helper sends and counts."""

    def __init__(self):
        self._running = {}
        self._serial = 0
        self._seen = {}  # source address -> set of numbers
        self._open = []

    def start(self, dst, port, pps, size=4):
        self._serial += 1
        state = {"sent": 0, "refused": 0, "stop": False}
        task = asyncio.get_running_loop().create_task(self._send(dst, port, pps, size, state))
        self._running[self._serial] = (state, task)
        return self._serial

    async def _send(self, dst, port, pps, size, state):
        with socket.socket(family_of(dst), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as s:
            s.connect((dst, port))
            start = time.monotonic()
            while not state["stop"]:
                due = int((time.monotonic() - start) * pps)
                while state["sent"] + state["refused"] < due:
                    try:
                        s.send(struct.pack("!I", state["sent"]).ljust(size, b"x"))
                        state["sent"] += 1
                    except OSError:
                        state["refused"] += 1
                await asyncio.sleep(TICK_S)

    async def stop(self, number):
        state, task = self._running.pop(number)
        state["stop"] = True
        await task
        return {"sent": state["sent"], "refused": state["refused"]}

    def sink(self, port):
        for family, any_addr in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            s = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            if family == socket.AF_INET6:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RCVBUF)
            s.bind((any_addr, port))
            asyncio.get_running_loop().add_reader(s, self._take, s)
            self._open.append(s)

    def _take(self, s):
        while True:
            try:
                data, peer = s.recvfrom(64)
            except BlockingIOError:
                return
            self._seen.setdefault(peer[0], set()).add(struct.unpack("!I", data[:4])[0])

    def counts(self):
        for s in self._open:
            self._take(s)
        return {src: len(numbers) for src, numbers in self._seen.items()}

    def clear(self):
        self.counts()
        self._seen = {}
