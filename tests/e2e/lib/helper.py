#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The process that makes one network namespace, holds it, and acts inside it.

Not started by hand: lib/probe.py starts it and speaks JSON, one object per line, over its standard
input and output. A request {"id", "op", ...} gets {"id", "result"} or {"id", "error"}; requests run
side by side. When the input ends, or whoever started it dies, so does this process, and with the last
process in it the namespace: nothing is left behind, whatever happens.
"""

import asyncio
import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import sys
import time

import knock
import mixed
import path
import stream
import talk
import wire

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
IP_PKTINFO = 8
SIOCGIFFLAGS = 0x8913
IFF_RUNNING = 0x40
AT_ONCE = 300  # probes in flight; each needs a descriptor


def enter_new_netns():
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if libc.unshare(CLONE_NEWNET) < 0:
        raise OSError(ctypes.get_errno(), "unshare")


def family_of(addr):
    return socket.AF_INET6 if ":" in addr else socket.AF_INET


def sockaddr(addr, port):
    """Resolves no names; takes a zone (fe80::1%eth0)."""
    return socket.getaddrinfo(addr, port, family_of(addr), socket.SOCK_DGRAM, 0,
                              socket.AI_NUMERICHOST)[0][4]


class Denied(Exception):
    """The probe came to nothing: no answer, or an error instead of one."""


class Servers:
    """Echo servers: what comes in goes back with the server's name before it."""

    def __init__(self, name):
        self.name = name.encode()
        self.open = []

    def serve(self, tcp, udp):
        loop = asyncio.get_running_loop()
        for family, any_addr in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            for port in tcp:
                s = self._socket(family, socket.SOCK_STREAM, any_addr, port)
                s.listen(1024)
                loop.add_reader(s, self._accept, s)
            for port in udp:
                s = self._socket(family, socket.SOCK_DGRAM, any_addr, port)
                loop.add_reader(s, self._datagram, s)

    def _socket(self, family, kind, addr, port):
        s = socket.socket(family, kind | socket.SOCK_NONBLOCK)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_DGRAM:  # the answer must come from the address that was asked
            if family == socket.AF_INET:
                s.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
            else:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        s.bind((addr, port))
        self.open.append(s)
        return s

    def _accept(self, listener):
        try:
            s, _ = listener.accept()
        except OSError:
            return
        s.setblocking(False)
        asyncio.get_running_loop().create_task(self._echo(s))

    async def _echo(self, s):
        loop = asyncio.get_running_loop()
        with s:
            try:
                data = await asyncio.wait_for(loop.sock_recv(s, 4096), 10)
                if data:
                    await loop.sock_sendall(s, self.name + b":" + data)
                    await asyncio.wait_for(loop.sock_recv(s, 1), 10)
            except (OSError, asyncio.TimeoutError):
                pass  # the prober gave up; it says so itself

    def _datagram(self, s):
        try:
            data, control, _, peer = s.recvmsg(4096, 256)
        except OSError:
            return
        back = []
        for level, kind, value in control:
            if level == socket.IPPROTO_IP and kind == IP_PKTINFO:
                index, _, dst = struct.unpack("=I4s4s", value[:12])
                back = [(level, kind, struct.pack("=I4s4s", 0, dst, b"\0" * 4))]
            elif level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
                back = [(level, kind, value)]
        try:
            s.sendmsg([self.name + b":" + data], back, 0, peer)
        except OSError:
            pass  # as above


async def probe_tcp(p, token):
    loop = asyncio.get_running_loop()
    with socket.socket(family_of(p["dst"]), socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as s:
        bind_source(s, p)
        await loop.sock_connect(s, sockaddr(p["dst"], p["port"]))
        await loop.sock_sendall(s, token)
        return await read_answer(loop, s, token)


async def probe_udp(p, token):
    loop = asyncio.get_running_loop()
    with socket.socket(family_of(p["dst"]), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as s:
        bind_source(s, p)
        s.connect(sockaddr(p["dst"], p["port"]))
        s.send(token)
        return await read_answer(loop, s, token)


async def read_answer(loop, s, token):
    data = b""
    while not data.endswith(token):
        more = await loop.sock_recv(s, 4096)
        if not more:
            raise Denied("closed without an answer")
        data += more
    return data[:-len(token) - 1].decode()


async def probe_icmp(p, token):
    loop = asyncio.get_running_loop()
    v6 = family_of(p["dst"]) == socket.AF_INET6
    with socket.socket(socket.AF_INET6 if v6 else socket.AF_INET,
                       socket.SOCK_DGRAM | socket.SOCK_NONBLOCK,
                       socket.IPPROTO_ICMPV6 if v6 else socket.IPPROTO_ICMP) as s:
        bind_source(s, p)
        s.connect(sockaddr(p["dst"], 0))
        s.send(struct.pack("!BBHHH", 128 if v6 else 8, 0, 0, 0, 1) + token)
        data = await loop.sock_recv(s, 4096)
        if data[0] != (129 if v6 else 0) or data[8:] != token:
            raise Denied(f"ICMP type {data[0]} instead of an echo")
        return ""


def bind_source(s, p):
    if p.get("src"):
        s.bind(sockaddr(p["src"], p.get("sport", 0)))
    elif p.get("sport"):
        s.bind(sockaddr("::" if s.family == socket.AF_INET6 else "0.0.0.0", p["sport"]))


KINDS = {"tcp": probe_tcp, "udp": probe_udp, "icmp": probe_icmp}


async def probe_one(p, gate):
    async with gate:
        token = os.urandom(8).hex().encode()
        start = time.monotonic()
        out = {"ok": False, "why": "", "peer": ""}
        try:
            out["peer"] = await asyncio.wait_for(KINDS[p["kind"]](p, token), p["timeout"])
            out["ok"] = True
        except asyncio.TimeoutError:
            out["why"] = "timeout"
        except Denied as e:
            out["why"] = str(e)
        except OSError as e:
            out["why"] = os.strerror(e.errno) if e.errno else str(e)
        out["ms"] = round((time.monotonic() - start) * 1000, 1)
        return out


async def http_get(host, port, path, timeout):
    async def talk():
        r, w = await asyncio.open_connection(host, port)
        w.write(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        answer = await r.read()
        w.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        return {"status": int(head.split()[1]), "body": body.decode()}
    return await asyncio.wait_for(talk(), timeout)


async def wait_running(ifname, timeout):
    """The carrier comes without an event that this process would see: look again and again."""
    end = time.monotonic() + timeout
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        while True:
            req = fcntl.ioctl(s, SIOCGIFFLAGS, struct.pack("16sH14x", ifname.encode(), 0))
            if struct.unpack("16sH", req[:18])[1] & IFF_RUNNING:
                return True
            if time.monotonic() > end:
                raise TimeoutError(f"no carrier on {ifname} after {timeout} s")
            await asyncio.sleep(0.005)


class Helper:
    """The requests, one method each."""

    def __init__(self, name):
        self.servers = Servers(name)
        self.wire = wire.Wire()
        self.streams = stream.Streams()
        self.path = path.Path()
        self.knocker = knock.Knocker()
        self.mixed = mixed.Mixed()
        self.talks = talk.Talks()

    async def op_serve(self, tcp=(), udp=()):
        self.servers.serve(tcp, udp)

    async def op_probe(self, probes):
        gate = asyncio.Semaphore(AT_ONCE)
        return await asyncio.gather(*(probe_one(p, gate) for p in probes))

    async def op_sysctl(self, values):
        for name, value in values.items():
            with open("/proc/sys/" + name, "w", encoding="ascii") as f:
                f.write(str(value))

    async def op_wait_running(self, ifname, timeout):
        return await wait_running(ifname, timeout)

    async def op_http_get(self, host, port, path, timeout):
        return await http_get(host, port, path, timeout)

    async def op_stream_start(self, **kw):
        return self.streams.start(**kw)

    async def op_stream_stop(self, **kw):
        return await self.streams.stop(**kw)

    async def op_sink(self, **kw):
        return self.streams.sink(**kw)

    async def op_sink_counts(self):
        return self.streams.counts()

    async def op_sink_clear(self):
        return self.streams.clear()

    async def op_path_serve(self, **kw):
        return self.path.serve(**kw)

    async def op_upload(self, **kw):
        return await self.path.upload(**kw)

    async def op_hold(self, **kw):
        return self.path.hold(**kw)

    async def op_held_mtu(self):
        return self.path.held_mtu()

    async def op_datagram(self, **kw):
        return await self.path.datagram(**kw)

    async def op_hop(self, **kw):
        return await self.path.hop(**kw)

    async def op_knock_start(self, **kw):
        return self.knocker.start(**kw)

    async def op_flood_start(self, **kw):
        return self.knocker.start_other(self.wire.flood, **kw)

    async def op_knock_stop(self, **kw):
        return await self.knocker.stop(**kw)

    async def op_mixed_start(self, **kw):
        return self.mixed.start(**kw)

    async def op_mixed_stop(self, **kw):
        return await self.mixed.stop(**kw)

    async def op_mixed_sink(self, **kw):
        return self.mixed.sink(**kw)

    async def op_talk_serve(self, **kw):
        return await self.talks.serve(**kw)

    async def op_talk_start(self, **kw):
        return self.talks.start(**kw)

    async def op_talk_stop(self, **kw):
        return await self.talks.stop(**kw)

    async def op_tap_open(self, **kw):
        return self.wire.tap_open(**kw)

    async def op_send(self, **kw):
        return self.wire.send(**kw)

    async def op_capture_start(self, **kw):
        return self.wire.capture_start(asyncio.get_running_loop(), **kw)

    async def op_capture_wait(self, **kw):
        return await self.wire.capture_wait(**kw)

    async def handle(self, line):
        request = json.loads(line)
        out = {"id": request.pop("id")}
        try:
            out["result"] = await getattr(self, "op_" + request.pop("op"))(**request)
        except Exception as e:  # whatever it was, the test that asked is to hear of it
            out["error"] = f"{type(e).__name__}: {e}"
            out["errno"] = getattr(e, "errno", None)
        print(json.dumps(out), flush=True)


async def main():
    helper = Helper(sys.argv[1])
    reader = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print(json.dumps({"id": 0, "result": os.getpid()}), flush=True)
    tasks = set()
    while line := await reader.readline():
        task = asyncio.create_task(helper.handle(line))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    enter_new_netns()
    asyncio.run(main())
