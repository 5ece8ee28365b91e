# SPDX-License-Identifier: Apache-2.0
"""A node of a large cluster: how long until everything is enforced, how long until one change is, and
what the daemon and its maps take."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from figures import at_most
from processes import rss_mib
from rig import BIN, BULKHEADD, agent, manifests, net, remote_address, remote_node, write_lists

FARM = Path(__file__).with_name("netns_farm.py")
FARM_FIRST_FD = 100
LOCAL_CIDRS = ["10.245.0.0/16", "fd00:245::/64"]
SPACING_S = 0.02  # between changes, so that each finds the daemon idle
MIB = 1024 * 1024


def local_address(i):
    return f"10.245.{(i + 10) >> 8}.{(i + 10) & 255}", f"fd00:245::{i + 10:x}"


class Farm:
    """`count` pods on the node: a namespace each, a veth with a route as a CNI's ptp plugin makes it."""

    def __init__(self, node, count):
        names = [f"pod{os.getpid() & 0xfffff:05x}x{i}" for i in range(count)]
        self.process = subprocess.Popen([sys.executable, "-ES", FARM, str(count)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            self._wait("ready")
            node.ip(*(line for i, name in enumerate(names) for line in self._wire(i, name)))
            inside = [f"link set eth0 up\naddr add {local_address(i)[0]}/32 dev eth0\n"
                      f"addr add {local_address(i)[1]}/128 dev eth0 nodad\n" for i in range(count)]
            self.process.stdin.write(json.dumps(inside) + "\n")
            self.process.stdin.flush()
            self._wait("done")
        except BaseException:
            self.close()
            raise

    def _wait(self, word):
        if self.process.stdout.readline().strip() != word:
            raise RuntimeError("the namespaces of the local pods were not made")

    def _wire(self, i, name):
        ip4, ip6 = local_address(i)
        return (f"link add {name} type veth peer name eth0 netns "
                f"/proc/{self.process.pid}/fd/{FARM_FIRST_FD + i}",
                f"link set {name} up", f"route add {ip4}/32 dev {name}",
                f"route add {ip6}/128 dev {name}")

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Cluster:
    """Its manifests in a folder: remote pods in lists, local ones and a few remote ones in a file each."""

    def __init__(self, settings, node, folder):
        self.settings, self.folder = settings, folder
        self.node = node
        tenants = settings.cluster_tenants
        write_lists(folder, "tenants",
                    [manifests.tenant(f"t{t}", [f"ns{t}"]) for t in range(tenants)])
        write_lists(folder, "nodes", [remote_node(),
                                      manifests.node(node.name, [node.ip4, node.ip6], LOCAL_CIDRS)])
        for i in range(settings.local):
            self.write(f"local-{i}", self.local(i))
        rest = settings.cluster_pods - settings.local - settings.changes
        write_lists(folder, "remote", [self.remote(i, remote_address(i)) for i in range(rest)])
        write_lists(folder, "services",
                    [o for i in range(settings.services) for o in self.service(i, rest)])
        self.changing = range(rest, rest + settings.changes)
        for i in self.changing:
            self.write(f"changing-{i}", self.remote(i, remote_address(i)))

    def _pod(self, i, name, node, addresses, **more):
        return manifests.pod(f"ns{i % self.settings.cluster_tenants}", name, node, addresses, labels={
            "app": "web", "pod-template-hash": "5c689d88bb", "tier": "front"}, **more)

    def service(self, i, pods):
        """Of one tenant's pods, somewhere among the first `pods` remote ones."""
        tenants = self.settings.cluster_tenants
        meta = {"namespace": f"ns{i % tenants}", "name": f"s{i}"}
        backends = [remote_address((i + k * tenants) % (pods // tenants * tenants))[0]
                    for k in range(5)]
        yield {"apiVersion": "v1", "kind": "Service", "metadata": meta,
               "spec": {"clusterIPs": [f"10.96.{i >> 8}.{i & 255}"],
                        "ports": [{"name": "http", "port": 80}]}}
        yield {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
               "metadata": dict(meta, labels={"kubernetes.io/service-name": meta["name"]}),
               "endpoints": [{"addresses": [b]} for b in backends],
               "ports": [{"name": "http", "port": 8080}]}

    def local(self, i, phase="Running"):
        return self._pod(i, f"local-{i}", self.node.name, local_address(i), phase=phase)

    def remote(self, i, addresses):
        return self._pod(i, f"web-{i}-5c689d88bb", "node2", addresses)

    def prepare(self, obj):
        """The file that will be renamed into the folder."""
        path = self.folder.parent / "next.json"
        path.write_text(json.dumps(obj, indent=1))
        return path

    def write(self, name, obj):
        self.prepare(obj).rename(self.folder / f"{name}.json")

    def size(self):
        return sum(f.stat().st_size for f in self.folder.iterdir())


def key_of(ip4):
    """Of bh_addrs."""
    return bytes(10) + b"\xff\xff" + bytes(map(int, ip4.split(".")))


class Changes:
    """One pod's change after the other, each timed from the rename to the map (bench_change.c)."""

    def __init__(self, cluster, pins):
        self.cluster = cluster
        self.maps = next(pins.glob("v*/maps"))
        self.process = subprocess.Popen([BIN / "bench_change"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def _one(self, name, obj, map_, key):
        """Milliseconds until the entry of `key` is another one."""
        time.sleep(SPACING_S)
        paths = (self.cluster.prepare(obj), self.cluster.folder / f"{name}.json", self.maps / map_)
        self.process.stdin.write(" ".join(map(str, paths)) + f" {key.hex()}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer or int(answer) < 0:
            raise RuntimeError(f"the change of {name} never came to the kernel")
        return int(answer) * 1e-6

    def addresses(self, turn):
        """Milliseconds of each: a pod elsewhere in the cluster gets another address."""
        for n, i in enumerate(self.cluster.changing):
            new = remote_address(self.cluster.settings.cluster_pods * (turn + 1) + n)
            yield self._one(f"changing-{i}", self.cluster.remote(i, new), "bh_addrs",
                            key_of(new[0]))

    def phases(self, turn):
        """A pod of this node ends, or lives again: its address is nobody's, or its tenant's."""
        for n in range(self.cluster.settings.changes):
            pod, phase = n // 2 % self.cluster.settings.local, ("Succeeded", "Running")[n % 2]
            yield self._one(f"local-{pod}", self.cluster.local(pod, phase), "bh_addrs",
                            key_of(local_address(pod)[0]))


def percentile(values, percent):
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


class Node:
    """The daemon on all this, and what was found."""

    def __init__(self, settings, folder, bpffs):
        self.settings, self.bpffs = settings, bpffs
        self.network = net.Network("ptp")
        self.farm = self.daemon = None
        self.found = {}
        try:
            self.farm = Farm(self.network.node, settings.local)
            self.folder = folder / "control"
            self.daemon = self._daemon("50ms")
            self.cluster = Cluster(settings, self.network.node, self.daemon.manifests)
        except BaseException:
            self.close()
            raise

    def _daemon(self, debounce):
        return agent.Agent(BULKHEADD, self.network.node, self.folder, self.bpffs / "control",
                           ["--debounce", debounce])

    def add(self, name, value):
        self.found.setdefault(name, []).append(value)

    def start(self, what, debounce):
        """Until every pod of this node is enforced."""
        self.daemon = self._daemon(debounce)
        begin = time.monotonic()
        self.daemon.start(wait=False)
        self.daemon.wait_status(self._enforced, "everything enforced", 60)
        self.add(what, time.monotonic() - begin)

    def _enforced(self, status):
        listed = status.get("datapath", {}).get("interfaces", [])
        return status.get("ready") is True and \
            sum(i["state"] == "enforced" for i in listed) == self.settings.local

    def change(self, turn, note):
        changes = Changes(self.cluster, self.bpffs / "control")
        try:
            for what, source in (("another address elsewhere", changes.addresses),
                                 ("end or return here", changes.phases)):
                ms = list(source(turn))
                self.add(f"{what}{note}, median", statistics.median(ms))
                self.add(f"{what}{note}, p99", percentile(ms, 99))
        except RuntimeError as e:
            raise RuntimeError(f"{e}\n{self.daemon.tail()}\n{self.daemon.status()['apply']}") from e
        finally:
            changes.close()

    def memory(self):
        self.add("rss", rss_mib(self.daemon.proc.pid))
        self.add("maps", self.daemon.metric("bulkhead_agent_map_memory_bytes") / MIB)

    def round(self, turn):
        pins = self.bpffs / "control"
        pins.mkdir()
        self.start("first", "0ms")
        self.change(2 * turn, "")
        self.memory()
        self.daemon.stop()
        self.start("again", "50ms")
        self.change(2 * turn + 1, ", debounce 50 ms")
        self.daemon.stop()
        subprocess.run(self.daemon.detach_command(), check=True, capture_output=True)
        shutil.rmtree(pins, ignore_errors=True)

    def close(self):
        try:
            if self.daemon:
                self.daemon.stop()
            if self.farm:
                self.farm.close()
        finally:
            self.network.close()


GOALS = {"another address elsewhere, p99": 5, "end or return here, p99": 5}


def run(figures, settings, folder, bpffs):
    node = Node(settings, folder, bpffs)
    try:
        for turn in range(settings.rounds):
            node.round(turn)
        size = node.cluster.size() / MIB
    finally:
        node.close()
    found = node.found
    figures.section("Control", f"{settings.cluster_pods} pods, {settings.cluster_tenants} tenants, "
                    f"{settings.services} Services, {settings.local} pods on this node; {size:.1f} MiB of manifests in JSON")
    figures.add("control", "start to enforced, nothing pinned", "s", found.pop("first"), at_most(1.5))
    figures.add("control", "start to enforced, restart", "s", found.pop("again"), at_most(1.5))
    figures.add("control", "enforcer, resident", "MiB", found.pop("rss"), at_most(16))
    figures.add("control", "maps", "MiB", found.pop("maps"), at_most(96))
    for name, values in found.items():
        figures.add("control", f"one pod: {name}", "ms", values,
                    at_most(GOALS[name]) if name in GOALS else None)
