# SPDX-License-Identifier: Apache-2.0
"""What is compared: two pods of one tenant on a node of their own, with nothing between them but the
host's routing, with the agent, or with an nftables ruleset. All stand side by side during a round, so
that they can be measured in turn, in slices of a fraction of a second."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nft

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from lib import agent, manifests, mounts, net  # noqa: E402, F401 (the path makes them visible)

BUILD = ROOT / os.environ.get("BUILD", "build")
BIN = BUILD / "tests" / "bench"
BULKHEADD = BUILD / "bin" / "bulkheadd"
PODS_PER_TENANT = 10
OBJECTS_OF_A_FILE = 250
REMOTE_CIDRS = ["10.128.0.0/12", "fd00:128::/64"]


def load(kind, src, dst, ms, family=4):
    """One slice of traffic of tests/bench/bench_load.c from pod to pod: what it printed."""
    a, b = (src.ip4, dst.ip4) if family == 4 else (src.ip6, dst.ip6)
    done = subprocess.run([BIN / "bench_load", kind, src.path, dst.path, a, b, str(ms)],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{kind} {src} -> {dst}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def remote_address(number):
    """Of a pod on another node, both families."""
    return (f"10.{128 + (number >> 16)}.{number >> 8 & 255}.{number & 255}",
            f"fd00:128::{number >> 16:x}:{number & 0xffff:x}")


def tenant_addresses(count, local):
    """For each of `count` tenants PODS_PER_TENANT pairs of addresses; `local` are the first one's."""
    tenants = [[remote_address(t * PODS_PER_TENANT + i) for i in range(PODS_PER_TENANT)]
               for t in range(count)]
    tenants[0][:len(local)] = [(p.ip4, p.ip6) for p in local]
    return tenants


def write_lists(folder, name, objects):
    """As files of OBJECTS_OF_A_FILE; JSON, which is read faster than YAML."""
    for first in range(0, len(objects), OBJECTS_OF_A_FILE):
        items = objects[first:first + OBJECTS_OF_A_FILE]
        tmp = folder / f".{name}.tmp"
        tmp.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        tmp.rename(folder / f"{name}-{first}.json")


def remote_node():
    return manifests.node("node2", ["172.20.2.10", "fd99:20:2::10"], REMOTE_CIDRS)


class Plain:
    """No program at all."""

    def __init__(self, name):
        self.name = name
        self.network = net.Network("ptp")
        try:
            self.a, self.b = (self.network.node.add_pod(n, serve=False) for n in ("a", "b"))
        except BaseException:
            self.network.close()
            raise

    @property
    def node(self):
        return self.network.node

    def close(self):
        self.network.close()


class Nftables(Plain):
    def __init__(self, tenants):
        super().__init__(f"nftables, {tenants} tenants")
        try:
            self.node.run("nft", "-f", "-",
                          stdin=nft.ruleset(tenant_addresses(tenants, [self.a, self.b])))
        except BaseException:
            self.close()
            raise


class Agent(Plain):
    """The real daemon, on a folder with all tenants and pods."""

    def __init__(self, tenants, folder, bpffs):
        super().__init__(f"agent, {tenants} tenants")
        self.folder = Path(folder) / f"agent-{tenants}"
        self.pins = Path(bpffs) / f"agent-{tenants}"
        self.pins.mkdir()
        self.daemon = agent.Agent(BULKHEADD, self.node, self.folder, self.pins,
                                  # in effect, and paid for, but never reached: what it is
                                  # compared with has none
                                  ["--packets-per-second", "100000000",
                                   "--new-flows-per-second", "100000000"])
        try:
            self._write(tenants)
            self.daemon.start()
            self.daemon.wait_endpoints(self.a, self.b)
        except BaseException:
            self.close()
            raise

    def _write(self, count):
        self.daemon.write(manifests.of_node(self.node), remote_node())
        local = {(p.ip4, p.ip6): p for p in (self.a, self.b)}
        tenants, pods = [], []
        for t, addresses in enumerate(tenant_addresses(count, [self.a, self.b])):
            tenants.append(manifests.tenant(f"t{t}", [f"ns{t}"]))
            for i, pair in enumerate(addresses):
                if pair in local:
                    pods.append(manifests.of_pod(local[pair], f"ns{t}"))
                else:
                    pods.append(manifests.pod(f"ns{t}", f"p{i}", "node2", pair))
        write_lists(self.daemon.manifests, "tenants", tenants)
        write_lists(self.daemon.manifests, "pods", pods)

    def close(self):
        try:
            self.daemon.stop()
        finally:
            super().close()
            shutil.rmtree(self.pins, ignore_errors=True)
            shutil.rmtree(self.folder, ignore_errors=True)
