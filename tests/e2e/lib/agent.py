# SPDX-License-Identifier: Apache-2.0
"""The daemon under test: one per node, in the node's network namespace, fed from a folder."""

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from lib import manifests

READY_S = 20
APPLY_S = 10
STOP_S = 10
POLL_S = 0.02


class AgentError(Exception):
    """The daemon died, did not get ready, or did not do what it was to do in time."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Agent:
    """folder: a directory of its own. bpffs: a directory on a BPF file system, shared by restarts."""

    HTTP_PORT = 9469

    def __init__(self, program, net_node, folder, bpffs, extra=()):
        self.program = Path(program)
        self.node = net_node
        self.folder = Path(folder)
        self.manifests = self.folder / "manifests"
        self.socket = self.folder / "agent.sock"
        self.log = self.folder / "bulkheadd.log"
        self.argv = [self.program.resolve(), "--manifests", self.manifests, "--node", net_node.name,
                     "--socket", self.socket, "--http", f"127.0.0.1:{self.HTTP_PORT}",
                     "--bpffs", bpffs, "--state", self.folder / "state", *extra]
        self.proc = None
        self._serial = 0
        for d in (self.manifests, self.folder / "state"):
            d.mkdir(parents=True, exist_ok=True)

    def start(self, wait=True):
        with self.log.open("ab") as log:
            self.proc = subprocess.Popen([*self.node.command(*self.argv)], stdin=subprocess.DEVNULL,
                                         stdout=log, stderr=log)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        return self.wait_status(lambda s: s.get("ready") is True, "ready", READY_S)

    def stop(self, sig=signal.SIGTERM):
        """Ends the process that start() started. Its exit status; None if it was not running."""
        if not self.proc:
            return None
        proc, self.proc = self.proc, None
        if proc.poll() is None:
            proc.send_signal(sig)
        try:
            return proc.wait(STOP_S)
        except subprocess.TimeoutExpired:
            proc.kill()
            proc.wait()
            raise AgentError(f"still there {STOP_S} s after signal {sig}\n{self.tail()}") from None

    def kill(self):
        return self.stop(signal.SIGKILL)

    def detach_command(self):
        """argv that takes everything off the node again."""
        at = {o: self.argv[self.argv.index(o) + 1] for o in ("--bpffs", "--state")}
        return self.node.command(self.argv[0], "--detach", "--bpffs", at["--bpffs"], "--state",
                                 at["--state"])

    def tail(self, lines=40):
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    # -- what it says --

    def get(self, path, timeout=5):
        """The JSON answer of the control socket to GET `path`."""
        conn = _UnixConnection(self.socket, timeout)
        try:
            conn.request("GET", path)
            answer = conn.getresponse()
            body = answer.read()
        finally:
            conn.close()
        if answer.status != 200:
            raise AgentError(f"GET {path}: {answer.status} {body[:500]!r}")
        return json.loads(body)

    def status(self):
        return self.get("/v1/status")

    def metrics(self):
        """The text of /metrics, read inside the node."""
        answer = self.node.helper.call("http_get", host="127.0.0.1", port=self.HTTP_PORT,
                                       path="/metrics", timeout=10)
        if answer["status"] != 200:
            raise AgentError(f"GET /metrics: {answer['status']}")
        return answer["body"]

    def metric(self, name, **labels):
        """Sum of the samples of `name` that carry these labels."""
        total = 0.0
        for line in self.metrics().splitlines():
            head, _, value = line.rpartition(" ")
            if head.split("{")[0] == name and all(f'{k}="{v}"' in head for k, v in labels.items()):
                total += float(value)
        return total

    def wait_status(self, holds, what, timeout=APPLY_S):
        """Until holds(status); the status. AgentError with the log after `timeout` seconds."""
        end = time.monotonic() + timeout
        last = None
        while True:
            if self.proc and self.proc.poll() is not None:
                raise AgentError(f"ended with {self.proc.returncode}\n{self.tail()}")
            try:
                last = self.status()
                if holds(last):
                    return last
            except (OSError, http.client.HTTPException, ValueError, AgentError) as e:
                last = e
            if time.monotonic() > end:
                raise AgentError(f"not {what} within {timeout} s; last: {last}\n{self.tail()}")
            time.sleep(POLL_S)

    def interface(self, name, status=None):
        """What status says of one host interface, or {}."""
        listed = (status or self.status()).get("datapath", {}).get("interfaces", [])
        return next((i for i in listed if i["name"] == name), {})

    # -- what it is told --

    def write(self, *objects):
        """Put each object into a file of its own, at once or not at all."""
        for obj in objects:
            path = self.manifests / f"{manifests.key(obj)}.yaml"
            tmp = self.manifests / f".{path.name}.tmp"
            tmp.write_text(json.dumps(obj, indent=1))
            os.replace(tmp, path)

    def remove(self, *objects):
        for obj in objects:
            (self.manifests / f"{manifests.key(obj)}.yaml").unlink()

    def apply(self, *objects, remove=()):
        """Write and remove, and wait until that is what the kernel enforces."""
        self.submit(*objects, remove=remove)
        self.wait_applied()

    def submit(self, *objects, remove=()):
        """The first half of apply(). The last thing written is a marker, a Tenant without namespaces:
        when it is in the list of tenants, all that was written before it is in effect."""
        self.write(*objects)
        self.remove(*remove)
        self._serial += 1
        self.write(manifests.tenant(f"marker-{self._serial}", []))
        if self._serial > 1:
            self.remove(manifests.tenant(f"marker-{self._serial - 1}", []))

    def wait_applied(self):
        marker = f"marker-{self._serial}"
        end = time.monotonic() + APPLY_S
        while time.monotonic() < end:
            try:
                if marker in {t["name"] for t in self.get("/v1/tenants")["tenants"]}:
                    return
            except (OSError, http.client.HTTPException, ValueError, AgentError):
                if self.proc and self.proc.poll() is not None:
                    break
            time.sleep(POLL_S)
        raise AgentError(f"manifests not applied within {APPLY_S} s\n{self.tail()}")

    def wait_endpoints(self, *pods):
        """Until the interface of each pod is known as that pod's and enforced."""
        want = {p.host_if: f"{p.namespace}/{p.name}" for p in pods}

        def holds(status):
            return all(self.interface(name, status).get("pod") == pod for name, pod in want.items())
        return self.wait_status(holds, f"endpoints {sorted(want.values())}")
