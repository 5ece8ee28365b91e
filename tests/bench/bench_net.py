#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The datapath's benchmarks; docs/benchmarks.md says what they measure and how.

    bench_net.py [--smoke] [--rounds N] [--only PART]... JSON-FILE

A figure that misses its goal is printed as missed; the exit status says only whether all was measured.
"""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import figures
import part_control
import part_flood
import part_programs
import part_traffic
from rig import mounts


@dataclass(frozen=True)
class Settings:
    rounds: int = 5
    # programs
    test_runs: int = 15
    test_repeat: int = 100000
    # traffic
    tenants: tuple = (10, 100, 1000)
    sweeps: int = 5
    slice_ms: int = 300
    # flood
    flood_s: float = 2.0
    # control
    cluster_pods: int = 10000
    cluster_tenants: int = 200
    services: int = 2000  # with an EndpointSlice of 5 addresses each
    local: int = 250
    changes: int = 200  # of each kind in a round


SMOKE = Settings(rounds=1, test_runs=1, test_repeat=100, tenants=(2, 3), sweeps=1, slice_ms=30,
                 flood_s=0.2, cluster_pods=100, cluster_tenants=5, services=4, local=8, changes=4)
PARTS = {"programs": part_programs.run, "traffic": part_traffic.run, "flood": part_flood.run,
         "control": part_control.run}


def measure(parts, settings, found):
    mounts.leave_machine_mounts()
    with tempfile.TemporaryDirectory(prefix="bulkhead-bench-") as folder:
        bpffs = Path(folder) / "bpf"
        bpffs.mkdir()
        mounts.mount_bpffs(bpffs)
        try:
            for name in parts:
                PARTS[name](found, settings, Path(folder), bpffs)
        finally:
            mounts.unmount(bpffs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="seconds instead of minutes; its "
                        "figures say nothing")
    parser.add_argument("--only", action="append", choices=PARTS, help="this part, and no other")
    parser.add_argument("--rounds", type=int, help="instead of 5; not of programs")
    parser.add_argument("json", type=Path, help="where the figures go")
    args = parser.parse_args()
    found, machine, start = figures.Figures(), figures.machine(), time.monotonic()
    print(", ".join(f"{k}: {v}" for k, v in machine.items()))
    settings = SMOKE if args.smoke else Settings()
    if args.rounds:
        settings = replace(settings, rounds=args.rounds)
    measure(args.only or PARTS, settings, found)
    took = time.monotonic() - start
    args.json.write_text(json.dumps({"machine": machine, "seconds": round(took, 1),
                                     "figures": found.rows}, indent=1) + "\n")
    print(f"\n{found.closing()}; {took:.0f} s; {args.json}")


if __name__ == "__main__":
    sys.exit(main())
