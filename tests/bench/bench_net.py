#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pod - veth - node - veth - pod, with the agent's programs on both veths and without any, in turn, in
one run: TCP stream (iperf3), packets per second of 64-byte UDP frames, and the cost of one packet by
BPF_PROG_TEST_RUN. Medians, spread, ratios; JSON into the file that is named."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from lib import agent, manifests, mounts, net  # noqa: E402 (the path makes them visible)

BUILD = ROOT / os.environ.get("BUILD", "build")
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
SECONDS = os.environ.get("BENCH_SECONDS", "2")
UDP_PAYLOAD = "22"  # 64 bytes with Ethernet, IPv4 and UDP headers


def iperf(server, client, *options):
    """The `end` object of the client's JSON report."""
    with subprocess.Popen(server.command("iperf3", "-s", "-1", "--forceflush"), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as s:
        try:
            while "listening" not in (line := s.stdout.readline()):
                if not line:
                    raise RuntimeError("iperf3 -s ended")
            done = subprocess.run(client.command("iperf3", "-c", server.ip4, "-J", "-t", SECONDS,
                                                 *options),
                                  capture_output=True, text=True, check=False)
        finally:
            s.terminate()
            s.stdout.read()
    answer = json.loads(done.stdout)
    if "error" in answer:
        raise RuntimeError(f"iperf3: {answer['error']}")
    return answer["end"]


def tcp_gbit(server, client):
    return iperf(server, client)["sum_received"]["bits_per_second"] / 1e9


def udp_kpps(server, client):
    """Datagrams that arrived, in thousands per second."""
    end = iperf(server, client, "-u", "-b", "0", "-l", UDP_PAYLOAD)["sum"]
    return (end["packets"] - end["lost_packets"]) / end["seconds"] / 1e3


def rounds(out, daemon, a, b):
    for _ in range(ROUNDS):
        for how in ("without", "with"):
            if how == "with":
                daemon.start()
                daemon.wait_endpoints(a, b)
            out["tcp_gbit"][how].append(tcp_gbit(b, a))
            out["udp64_kpps"][how].append(udp_kpps(b, a))
            if how == "with":
                daemon.stop()
                subprocess.run(daemon.detach_command(), check=True)


def measure(folder):
    out = {"tcp_gbit": {"with": [], "without": []}, "udp64_kpps": {"with": [], "without": []}}
    program = (BUILD / "bin" / "bulkheadd").resolve()
    bpffs = Path(folder) / "bpf"
    with net.Network("ptp") as network:
        a, b = network.node.add_pod("a"), network.node.add_pod("b")
        daemon = agent.Agent(program, network.node, folder, bpffs / "bulkhead")
        daemon.write(manifests.of_node(network.node), manifests.tenant("acme", ["acme"]),
                     manifests.of_pod(a, "acme"), manifests.of_pod(b, "acme"))
        try:
            rounds(out, daemon, a, b)
        finally:
            daemon.stop()
    return out


def summary(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values),
            "all": values}


def main():
    programs = json.loads(subprocess.run([BUILD / "tests" / "bench" / "bench_progs"], check=True,
                                         capture_output=True, text=True).stdout)
    mounts.leave_machine_mounts()
    with tempfile.TemporaryDirectory(prefix="bulkhead-bench-") as folder:
        bpffs = Path(folder) / "bpf"
        bpffs.mkdir()
        mounts.mount_bpffs(bpffs)
        try:
            raw = measure(folder)
        finally:
            mounts.unmount(bpffs)
    result = {"kernel": os.uname().release, "cpus": os.cpu_count(), "rounds": ROUNDS, **programs}
    for name, by in raw.items():
        w, wo = summary(by["with"]), summary(by["without"])
        result[name] = {"with": w, "without": wo, "ratio": w["median"] / wo["median"]}
        print(f"{name:<12} without {wo['median']:8.2f} ({wo['min']:.2f}..{wo['max']:.2f})   with "
              f"{w['median']:8.2f} ({w['min']:.2f}..{w['max']:.2f})   ratio "
              f"{result[name]['ratio']:.3f}")
    for row in programs["programs"]:
        print(f"{row['case']:<32} {row['median_ns']:5d} ns  ({row['min_ns']}..{row['max_ns']}),  "
              f"{row['over_empty_ns']:+d} over an empty program")
    Path(sys.argv[1]).write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
