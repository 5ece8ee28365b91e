# SPDX-License-Identifier: Apache-2.0
"""New flows, one after the other and each from a port of its own, as somebody tries doors; runs in
lib/helper.py. Bounded: so many a second, and at most AT_ONCE connections that wait."""

import asyncio
import collections
import socket
import time

from stream import family_of

AT_ONCE = 200
TICK_S = 0.005


class Knocker:
    def __init__(self):
        self._running = {}
        self._serial = 0

    def start(self, doors, pps):
        """doors: [(kind, address, port)], in turn."""
        return self.start_other(self._knock, doors=doors, pps=pps)

    async def _knock(self, doors, pps, state):
        waiting = collections.deque()
        start = time.monotonic()
        while not state["stop"]:
            due = int((time.monotonic() - start) * pps)
            while state["tried"] < due:
                kind, addr, port = doors[state["tried"] % len(doors)]
                s = self._one(kind, addr, port)
                if s:
                    waiting.append(s)
                while len(waiting) > AT_ONCE:
                    waiting.popleft().close()
                state["tried"] += 1
            await asyncio.sleep(TICK_S)
        for s in waiting:
            s.close()

    def _one(self, kind, addr, port):
        """The socket, if it is to stay open for a while."""
        tcp = kind == "tcp"
        s = socket.socket(family_of(addr), (socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) |
                          socket.SOCK_NONBLOCK)
        try:
            s.connect((addr, port))
            if not tcp:
                s.send(b"knock")
        except BlockingIOError:
            return s
        except OSError:
            pass  # refused, or no buffer: a knock that failed
        s.close()
        return None

    def start_other(self, knock, **kw):
        """Another coroutine function that knocks, given a state of its own."""
        self._serial += 1
        state = {"tried": 0, "stop": False}
        task = asyncio.get_running_loop().create_task(knock(state=state, **kw))
        self._running[self._serial] = (state, task)
        return self._serial

    async def stop(self, number):
        state, task = self._running.pop(number)
        state["stop"] = True
        await task
        return state["tried"]
