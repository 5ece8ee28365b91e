# SPDX-License-Identifier: Apache-2.0
"""Real-socket probes from inside network namespaces: a client for lib/helper.py.

A probe is TCP (connect, send a token, read it back), UDP (send a token, read it back) or ICMP echo,
from any address of a namespace to any address. Hundreds run side by side in each namespace.
"""

import itertools
import json
import queue
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

HELPER = Path(__file__).with_name("helper.py")
PYTHON = "/usr/bin/python3"
DENIED_S = 0.4  # how long to wait for an answer that must not come
ALLOWED_S = 3.0  # and for one that must: only a broken path takes longer
REQUEST_S = 90  # for an answer of the helper itself


class HelperError(Exception):
    """The helper could not do what it was asked, or died."""

    def __init__(self, text, errno=None):
        super().__init__(text)
        self.errno = errno


@dataclass(frozen=True)
class Probe:
    """What to try. src: address to bind, None for the kernel's choice."""

    kind: str  # tcp, udp, icmp
    dst: str
    port: int = 0  # of tcp and udp
    src: str = None
    sport: int = 0
    timeout: float = DENIED_S

    def request(self):
        return {"kind": self.kind, "dst": self.dst, "port": self.port, "src": self.src,
                "sport": self.sport, "timeout": self.timeout}

    def __str__(self):
        port = f"/{self.port}" if self.kind != "icmp" else ""
        return f"{self.kind}{port} {self.src or '*'} -> {self.dst}"


@dataclass(frozen=True)
class Answer:
    ok: bool
    why: str  # of a failure
    peer: str  # name of the namespace whose server answered (tcp, udp)
    ms: float


class Helper:
    """One helper process, and with it one network namespace."""

    def __init__(self, name):
        self.name = name
        self._ids = itertools.count(1)
        self._answers = {0: queue.Queue()}
        self._proc = subprocess.Popen([PYTHON, "-ES", str(HELPER), name], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, env={}, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.pid = self._proc.pid
        self.wait(0)

    def _read(self):
        for line in self._proc.stdout:
            answer = json.loads(line)
            self._answers[answer["id"]].put(answer)
        for q in list(self._answers.values()):
            q.put({"error": "the helper ended"})

    def start(self, op, **kw):
        """Send a request without waiting; pass the result to wait()."""
        number = next(self._ids)
        self._answers[number] = queue.Queue()
        try:
            self._proc.stdin.write(json.dumps({"id": number, "op": op, **kw}) + "\n")
            self._proc.stdin.flush()
        except OSError as e:
            raise HelperError(f"{self.name}: {e}") from e
        return number

    def wait(self, number, timeout=REQUEST_S):
        try:
            answer = self._answers[number].get(timeout=timeout)
        except queue.Empty:
            raise HelperError(f"{self.name}: no answer for {timeout} s") from None
        del self._answers[number]
        if "error" in answer:
            raise HelperError(f"{self.name}: {answer['error']}", answer.get("errno"))
        return answer["result"]

    def call(self, op, **kw):
        return self.wait(self.start(op, **kw))

    def close(self):
        """Ends the process that this object started; its namespace goes with it."""
        if self._proc.poll() is None:
            try:
                self._proc.stdin.close()
                self._proc.wait(5)
            except OSError:
                self._proc.wait()  # it was dying already, with a request unread
            except subprocess.TimeoutExpired:
                self._proc.kill()
                self._proc.wait()
        self._reader.join(5)
        self._proc.stdout.close()


def run(probes):
    """Run [(namespace, Probe)], all at once; the Answers in the same order."""
    by_ns = {}
    for i, (ns, probe) in enumerate(probes):
        by_ns.setdefault(ns, []).append((i, probe))
    started = [(ns, rows, ns.helper.start("probe", probes=[p.request() for _, p in rows]))
               for ns, rows in by_ns.items()]
    answers = [None] * len(probes)
    for ns, rows, number in started:
        for (i, _), answer in zip(rows, ns.helper.wait(number)):
            answers[i] = Answer(**answer)
    return answers


def one(ns, kind, dst, port=0, **kw):
    return run([(ns, Probe(kind, dst, port, **kw))])[0]
