# SPDX-License-Identifier: Apache-2.0
"""Frames with a virtio-net header, out of and into this namespace: what a guest's VMM, or any process
with NET_RAW, can put on the wire, and what arrives at the far end. Runs inside lib/helper.py."""

import asyncio
import fcntl
import os
import select
import socket
import struct
import time

TUNSETIFF = 0x400454CA
TUNSETOFFLOAD = 0x400454D0
TUNSETVNETHDRSZ = 0x400454D8
IFF_TAP = 0x0002
IFF_NO_PI = 0x1000
IFF_VNET_HDR = 0x4000
TUN_F_ALL = 0x01 | 0x02 | 0x04 | 0x08 | 0x20 | 0x40  # CSUM TSO4 TSO6 TSO_ECN USO4 USO6
TUN_F_UDP_TUNNEL = 0x80 | 0x100  # tunnel GSO, and its checksum (Linux 6.17)
SOL_PACKET = 263
PACKET_VNET_HDR = 15
ETH_P_ALL = 3
HDR_LEN = 10
FLOOD_TICK_S = 0.002


class Wire:
    def __init__(self):
        self.taps = {}
        self.captures = {}

    def tap_open(self, ifname, hdr_len=HDR_LEN, tunnel=False):
        """A tap whose frames carry a header of hdr_len bytes. OSError where the kernel has no such."""
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH14x", ifname.encode(),
                                                   IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
            fcntl.ioctl(fd, TUNSETVNETHDRSZ, struct.pack("i", hdr_len))
            # as a VMM does for a guest that takes everything: what comes back may stay unfinished
            fcntl.ioctl(fd, TUNSETOFFLOAD, TUN_F_ALL | (TUN_F_UDP_TUNNEL if tunnel else 0))
        except OSError:
            os.close(fd)
            raise
        self.taps[ifname] = fd

    def send(self, ifname, frames):
        """frames: hex of header + frame. Through the tap of that name if there is one, else through
        a packet socket. Per frame 0 or the errno. One CPU all along, so that they stay in order."""
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(before)})
        try:
            if ifname in self.taps:
                return [self._write(self.taps[ifname], bytes.fromhex(f)) for f in frames]
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
                s.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
                s.bind((ifname, 0))
                return [self._write(s.fileno(), bytes.fromhex(f)) for f in frames]
        finally:
            os.sched_setaffinity(0, before)

    async def flood(self, ifname, frames, pps, state):
        """These frames over and over, without a virtio-net header, until state says so."""
        frames = [bytes.fromhex(f) for f in frames]
        start = time.monotonic()
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0) as s:
            s.bind((ifname, 0))
            while not state["stop"]:
                due = int((time.monotonic() - start) * pps)
                while state["tried"] < due:
                    try:
                        s.send(frames[state["tried"] % len(frames)])
                    except OSError:
                        pass  # the queue is full: as fast as it goes
                    state["tried"] += 1
                await asyncio.sleep(FLOOD_TICK_S)

    def _write(self, fd, data):
        try:
            os.write(fd, data)
            return 0
        except OSError as e:
            return e.errno

    def capture_start(self, loop, ifname):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        s.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        s.bind((ifname, ETH_P_ALL))
        frames = []
        self.captures[ifname] = (s, frames, asyncio.Event())
        loop.add_reader(s, self._captured, ifname)

    def _captured(self, ifname):
        s, frames, event = self.captures[ifname]
        while select.select([s], [], [], 0)[0]:
            data, addr = s.recvfrom(1 << 17)
            if addr[2] != socket.PACKET_OUTGOING:
                frames.append(data.hex())
        event.set()

    async def capture_wait(self, ifname, needle, timeout):
        """Until a frame with these bytes (hex) came; all frames up to then. None after the timeout."""
        _, frames, event = self.captures[ifname]
        end = asyncio.get_running_loop().time() + timeout
        while not any(needle in f for f in frames):
            event.clear()
            left = end - asyncio.get_running_loop().time()
            if left <= 0:
                return None
            try:
                await asyncio.wait_for(event.wait(), left)
            except asyncio.TimeoutError:
                return None
        out = list(frames)
        frames.clear()
        return out
