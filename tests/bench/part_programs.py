# SPDX-License-Identifier: Apache-2.0
"""The cost of one packet in the kernel programs, by BPF_PROG_TEST_RUN (bench_progs.c)."""

import json
import subprocess

from figures import at_most
from rig import BIN


def run(figures, settings, _folder, _bpffs):
    found = json.loads(subprocess.run(
        [BIN / "bench_progs", str(settings.test_runs), str(settings.test_repeat)], check=True,
        capture_output=True, text=True).stdout)
    figures.section("One packet in the kernel programs", f"{settings.test_runs} test runs of "
                    f"{found['repeat']} packets ({found['new_flows']} where each opens a flow), over "
                    "an empty program run next to each")
    for row in found["programs"]:
        figures.add("programs", row["case"], "ns", row["over_empty_ns"],
                    at_most(row["goal_ns"]) if "goal_ns" in row else None)
