# SPDX-License-Identifier: Apache-2.0
"""Conversations that go on for a while: a TCP connection on which every message is answered, pings, and
datagrams that come because they were asked for once. Runs in lib/helper.py. What was lost on the way
shows, although TCP repairs it."""

import asyncio
import socket
import struct
import time

MESSAGE = struct.Struct("!Q")
SO_RCVBUFFORCE = 33  # asm-generic/socket.h; not in the socket module
# linux/tcp.h, struct tcp_info
TOTAL_RETRANS, DSACK_DUPS, TCP_INFO_LEN = 100, 216, 232


def _family(addr):
    return socket.AF_INET6 if ":" in addr else socket.AF_INET


def _lost_segments(s):
    """Sent again, but for those that the other side then had twice: those were only late."""
    info = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_LEN)
    again, twice = (struct.unpack_from("=I", info, at)[0] for at in (TOTAL_RETRANS, DSACK_DUPS))
    return max(0, again - twice)


class _Talk:
    def __init__(self, pps, drain):
        self.pps, self.drain = pps, drain
        self.sent = self.answered = 0
        self.stop = False

    async def run(self, send, receive):
        reader = asyncio.get_running_loop().create_task(receive())
        start = time.monotonic()
        try:
            while not self.stop:
                while self.sent < (time.monotonic() - start) * self.pps:
                    await send(MESSAGE.pack(self.sent))
                    self.sent += 1
                await asyncio.sleep(0.005)
            end = time.monotonic() + self.drain
            while self.answered < self.sent and time.monotonic() < end:
                await asyncio.sleep(0.01)
        finally:
            reader.cancel()
        return {"sent": self.sent, "answered": self.answered}


async def _tcp(talk, dst, port):
    loop = asyncio.get_running_loop()
    with socket.socket(_family(dst), socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as s:
        await loop.sock_connect(s, (dst, port))
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        async def receive():
            got = 0
            while True:
                got += len(await loop.sock_recv(s, 65536))
                talk.answered = got // MESSAGE.size

        async def send(message):
            await loop.sock_sendall(s, message)

        result = await talk.run(send, receive)
        return dict(result, lost=_lost_segments(s) + result["sent"] - result["answered"])


async def _icmp(talk, dst, _):
    loop = asyncio.get_running_loop()
    v6 = _family(dst) == socket.AF_INET6
    with socket.socket(_family(dst), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK,
                       socket.IPPROTO_ICMPV6 if v6 else socket.IPPROTO_ICMP) as s:
        s.connect((dst, 0))
        seen = set()

        async def receive():
            while True:
                seen.add((await loop.sock_recv(s, 4096))[8:])
                talk.answered = len(seen)

        async def send(message):
            await loop.sock_sendall(s, struct.pack("!BBHHH", 128 if v6 else 8, 0, 0, 0,
                                                   talk.sent & 0xffff) + message)

        result = await talk.run(send, receive)
        return dict(result, lost=result["sent"] - result["answered"])


async def _listen(talk, dst, port):
    """Asks once, and from then on only hears: nothing of ours keeps the flow alive in a filter."""
    loop = asyncio.get_running_loop()
    with socket.socket(_family(dst), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as s:
        s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
        s.connect((dst, port))
        await loop.sock_sendall(s, b"go %d" % talk.pps)
        seen = set()
        while not talk.stop:
            try:
                seen.add(await asyncio.wait_for(loop.sock_recv(s, 64), 0.05))
            except asyncio.TimeoutError:
                pass
        await loop.sock_sendall(s, b"stop")
        last = b""
        while not last.startswith(b"sent "):
            last = await asyncio.wait_for(loop.sock_recv(s, 64), 2)
            seen.add(last)
        sent, answered = int(last[5:]), len(seen) - 1
        return {"sent": sent, "answered": answered, "lost": sent - answered}


class _Speaker(asyncio.DatagramProtocol):
    """Who asks with "go N" gets N numbered datagrams a second until he says "stop"."""

    def __init__(self):
        self._stop = {}
        self._out = None

    def connection_made(self, transport):
        self._out = transport

    def datagram_received(self, data, addr):
        if data.startswith(b"go "):
            self._stop[addr] = asyncio.Event()
            asyncio.get_running_loop().create_task(self._speak(int(data[3:]), addr))
        elif addr in self._stop:
            self._stop[addr].set()

    async def _speak(self, pps, addr):
        start, sent = time.monotonic(), 0
        while not self._stop[addr].is_set():
            while sent < (time.monotonic() - start) * pps:
                self._out.sendto(MESSAGE.pack(sent), addr)
                sent += 1
            await asyncio.sleep(0.005)
        self._out.sendto(b"sent %d" % sent, addr)
        del self._stop[addr]


class Talks:
    """What one helper says and answers."""

    def __init__(self):
        self._running = {}
        self._serial = 0
        self._open = []

    async def serve(self, port, speak=()):
        """speak: addresses at which it can be asked for datagrams (and answers from these)."""
        for addr in speak:
            await asyncio.get_running_loop().create_datagram_endpoint(
                _Speaker, local_addr=(addr, port), family=_family(addr))
        for family, any_addr in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            s = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            if family == socket.AF_INET6:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            s.bind((any_addr, port))
            s.listen()
            asyncio.get_running_loop().add_reader(s, self._accept, s)
            self._open.append(s)

    def _accept(self, listener):
        s, _ = listener.accept()
        s.setblocking(False)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        asyncio.get_running_loop().create_task(self._answer(s))

    async def _answer(self, s):
        loop = asyncio.get_running_loop()
        with s:
            try:
                while data := await loop.sock_recv(s, 65536):
                    await loop.sock_sendall(s, data)
            except OSError:
                pass  # whoever called says so

    def start(self, kind, dst, port, pps, drain=2.0):
        """drain: seconds to wait at the end for answers that are still missing."""
        self._serial += 1
        talk = _Talk(pps, drain)
        run = {"tcp": _tcp, "icmp": _icmp, "listen": _listen}[kind]
        self._running[self._serial] = (
            talk, asyncio.get_running_loop().create_task(run(talk, dst, port)))
        return self._serial

    async def stop(self, number):
        talk, task = self._running.pop(number)
        talk.stop = True
        return await task
