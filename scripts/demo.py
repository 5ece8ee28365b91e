#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The main job in one minute: a worker with three tenants, on real namespaces and real packets.

Everything lives in network namespaces and a mount namespace of its own and goes with this process.
KEEP=1 leaves it running in the background; `make demo-stop` ends it.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from lib import agent, manifests, mounts, net, probe  # noqa: E402 (the path makes them visible)

BUILD = ROOT / os.environ.get("BUILD", "build")
PID_FILE = Path("/run/bulkhead-demo.pid")
PORT = 8080
KINDS = (("tcp", PORT), ("udp", PORT), ("icmp", 0))
# pod, namespace; the namespaces of the first three are tenants of the same name
PODS = (("acme-web", "acme"), ("acme-db", "acme"), ("globex-web", "globex"), ("globex-db", "globex"),
        ("initech-web", "initech"), ("initech-db", "initech"), ("stray", "nobody"),
        ("coredns", "kube-system"))
TENANTS = ("acme", "globex", "initech")


def title(text):
    print(f"\n== {text} ==", flush=True)


def side(pod):
    """How the default table calls the end of a probe."""
    if pod.namespace in TENANTS:
        return pod.namespace
    return {"kube-system": "system"}.get(pod.namespace, "unassigned")


def expected(src, dst, grants=()):
    """May src open a flow to dst? From the default table of docs/policy.md, both ends asked."""
    tenants = set(TENANTS)
    if src == "system":  # never dropped at its own end
        return dst != "-"
    if src == dst or (src, dst) in grants:
        return True
    if src in tenants:
        return dst == "world"
    if src == "unassigned":
        return dst in ("world", "node")
    return src in ("node", "world")


class Demo:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.net = net.Network("ptp")
        self.node = self.net.node
        self.pods = []
        self.agent = None

    def build(self):
        for name, namespace in PODS:
            pod = self.node.add_pod(name)
            pod.namespace = namespace
            self.pods.append(pod)
        bpffs = self.folder / "bpf"
        bpffs.mkdir()
        mounts.mount_bpffs(bpffs)
        self.agent = agent.Agent(BUILD / "bin" / "bulkheadd", self.node, self.folder,
                                 bpffs / "bulkhead")
        self.agent.write(manifests.of_node(self.node),
                         *(manifests.tenant(t, [t]) for t in TENANTS),
                         *(manifests.of_pod(p, p.namespace) for p in self.pods))

    def close(self):
        try:
            if self.agent:
                self.agent.stop()
        finally:
            self.net.close()

    # -- who talks to whom --

    def ends(self):
        """(label, side, namespace to act in, {family: address})"""
        rows = [(p.name, side(p), p, {4: p.ip4, 6: p.ip6}) for p in self.pods]
        rows.append(("node", "node", self.node,
                     {4: self.node.ip4, 6: self.node.ip6}))
        rows.append(("world", "world", self.net.outside, dict(net.Outside.PUBLIC)))
        return rows

    def matrix(self, grants=()):
        """Every pair, three protocols, two families. The table, and how many cells went wrong."""
        ends = self.ends()
        jobs, cells = [], []
        for a in ends:
            for b in ends:
                if a is b or {a[1], b[1]} <= {"node", "world"}:
                    continue
                for family in (4, 6):
                    for kind, port in KINDS:
                        want = expected(a[1], b[1], grants)
                        timeout = probe.ALLOWED_S if want else probe.DENIED_S
                        src = a[3][family] if a[1] == "world" else None
                        jobs.append((a[2], probe.Probe(kind, b[3][family], port, src=src,
                                                       timeout=timeout)))
                        cells.append((a[0], b[0], want))
        seen = {}
        wrong = 0
        for (a, b, want), answer in zip(cells, probe.run(jobs)):
            wrong += answer.ok != want
            seen.setdefault((a, b), []).append((answer.ok, want))
        return seen, wrong, len(jobs)

    def show(self, seen):
        names = [e[0] for e in self.ends()]
        short = [n.replace("globex", "glob").replace("initech", "init")[:8] for n in names]
        print(f"{'from / to':<12}" + "".join(f"{s:>9}" for s in short))
        for a in names:
            row = []
            for b in names:
                cell = seen.get((a, b))
                if not cell:
                    row.append("")
                    continue
                ok = sum(1 for got, _ in cell if got)
                mark = "yes" if ok == len(cell) else "-" if ok == 0 else f"{ok}/{len(cell)}"
                row.append(mark + ("" if all(g == w for g, w in cell) else " !"))
            print(f"{a:<12}" + "".join(f"{c:>9}" for c in row))

        print("yes: TCP, UDP and ICMP pass over IPv4 and IPv6, -: none does; as expected, where no !")

    def check(self, what, grants=(), table=True):
        start = time.monotonic()
        seen, wrong, n = self.matrix(grants)
        if table:
            self.show(seen)
        print(f"{what}: {n} probes (TCP, UDP, ICMP; IPv4, IPv6) in {time.monotonic() - start:.1f} s,"
              f" {n - wrong} as expected, {wrong} not")
        return wrong

    def drop_marker(self):
        """The Tenant by which the library knows that a change is in force: not for show."""
        for path in self.agent.manifests.glob("tenant-marker-*.yaml"):
            path.unlink()
        self.agent.wait_status(lambda s: s["source"]["objects"]["Tenant"] == len(TENANTS), "tidy")

    def ctl(self, *argv):
        print(f"\n$ bulkheadctl {' '.join(argv)}", flush=True)
        subprocess.run([BUILD / "bin" / "bulkheadctl", "--socket", self.agent.socket, *argv],
                       check=False)


def tour(demo):
    """Everything there is to see; the number of cells that were not as expected."""
    title("a worker with three tenants, two pods each; a stray pod, a system pod, a host outside")
    demo.build()
    demo.agent.start()
    demo.agent.wait_endpoints(*demo.pods)
    wrong = demo.check("default table")

    title("live: globex offers port 8080 to acme, acme asks for it")
    port = [{"protocol": "TCP", "port": PORT}, {"protocol": "UDP", "port": PORT},
            {"protocol": "ICMP"}]
    start = time.monotonic()
    demo.agent.apply(
        manifests.tenant("acme", ["acme"],
                         network={"egress": [{"to": {"tenant": "globex"}, "ports": port}]}),
        manifests.tenant("globex", ["globex"],
                         network={"ingress": [{"from": {"tenant": "acme"}, "ports": port}]}))
    print(f"in force after {(time.monotonic() - start) * 1e3:.0f} ms, nothing restarted")
    wrong += demo.check("with the grant", {("acme", "globex")})

    title("the daemon is killed with -9: nothing opens, nothing that was allowed breaks")
    demo.agent.kill()
    wrong += demo.check("daemon dead", {("acme", "globex")}, table=False)
    demo.agent.start()
    wrong += demo.check("daemon back", {("acme", "globex")}, table=False)

    title("what the operator sees")
    demo.drop_marker()
    demo.ctl("status")
    demo.ctl("tenants")
    demo.ctl("pods")
    demo.ctl("explain", "acme/acme-web", "globex/globex-db", f"tcp/{PORT}")
    demo.ctl("explain", "initech/initech-web", "globex/globex-db", f"tcp/{PORT}")
    print("\n$ curl http://127.0.0.1:.../metrics | grep bulkhead_tenant_drops_total")
    lines = [x for x in demo.agent.metrics().splitlines() if x.startswith("bulkhead_tenant_drops")]
    print("\n".join(lines[:12]))
    return wrong


def explain_keep(demo):
    print(f"""
Left running. To explore:
  bulkheadctl --socket {demo.agent.socket} events -f        (in {BUILD}/bin)
  edit the manifests in {demo.agent.manifests}
  act as a pod:  nsenter --net=/proc/{demo.pods[4].pid}/ns/net ping {demo.pods[2].ip4}   ({demo.pods[4].name} -> {demo.pods[2].name}: refused, and an event)
  read metrics:  nsenter --net=/proc/{demo.node.pid}/ns/net curl http://127.0.0.1:{agent.Agent.HTTP_PORT}/metrics
End it with: make demo-stop""")


def main():
    folder = tempfile.mkdtemp(prefix="bulkhead-demo-")
    keep = os.environ.get("KEEP") == "1"
    mounts.leave_machine_mounts()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    demo = Demo(folder)
    try:
        start = time.monotonic()
        wrong = tour(demo)
        print(f"\n{'All as expected' if not wrong else f'{wrong} probes NOT as expected'},"
              f" {time.monotonic() - start:.0f} s")
        if keep:
            explain_keep(demo)
            sys.stdout.flush()
            tell_parent(wrong)
            while True:
                signal.pause()
        return 1 if wrong else 0
    except agent.AgentError as e:
        print(f"demo: {e}", file=sys.stderr)
        return 1
    finally:
        demo.close()
        mounts_gone(folder)


def mounts_gone(folder):
    try:
        mounts.unmount(Path(folder) / "bpf")
    except OSError:
        pass  # it failed before it was mounted
    shutil.rmtree(folder, ignore_errors=True)


_to_parent = None


def tell_parent(wrong):
    os.write(_to_parent, b"1" if wrong else b"0")
    os.close(_to_parent)
    quiet = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(quiet, fd)


def in_background():
    """The child does it all and stays; the parent leaves when the tour is over."""
    global _to_parent
    here, _to_parent = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(here)
        os.setsid()
        sys.exit(main())
    os.close(_to_parent)
    PID_FILE.write_text(f"{child}\n")
    said = os.read(here, 1)
    if said != b"0":
        PID_FILE.unlink(missing_ok=True)
    return 0 if said == b"0" else 1


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("demo: needs root (network namespaces and BPF)")
    sys.exit(in_background() if os.environ.get("KEEP") == "1" else main())
