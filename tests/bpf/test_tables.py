# SPDX-License-Identifier: Apache-2.0
"""How many packets the tables of this folder hold: each is run dry and for real, on every kernel."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / os.environ.get("BH_BUILD", "build") / "tests" / "bpf"
# of IP, its options, extension headers, fragments and L4; of all there is
IP_PARTS = ("ip", "headers", "frag", "icmp")
IP_MIN, ALL_MIN = 400, 1100


def rows(program):
    out = subprocess.run([PROGRAMS / f"test_{program}"], env=dict(os.environ, BH_COUNT_ROWS="1"),
                         capture_output=True, check=True, text=True).stdout
    return int(out)


def test_packet_tables__no_packet_lost():
    suites = [p.stem.removeprefix("test_") for p in sorted(Path(__file__).parent.glob("test_*.c"))
              if "suite_run(" in p.read_text()]
    assert set(IP_PARTS) < set(suites)
    count = {name: rows(name) for name in suites}
    print(count)
    assert sum(count[p] for p in IP_PARTS) >= IP_MIN, count
    assert sum(count.values()) >= ALL_MIN, count
