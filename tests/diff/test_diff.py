# SPDX-License-Identifier: Apache-2.0
"""The kernel programs' parser, compiled for user space, against a second parser written from the RFCs, on
random frames; and that second parser against scapy's dissectors.

BH_DIFF_FRAMES: how many frames for each of the seeds.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PROGRAM = HERE.parents[1] / os.environ.get("BH_BUILD", "build") / "tests/diff/diff_parse"
FRAMES = int(os.environ.get("BH_DIFF_FRAMES", 500_000))
SEEDS = (1, 2, 3, 4)


@pytest.mark.parametrize("seed", SEEDS)
def test_parser__random_frames__reads_what_the_reference_reads(seed):
    done = subprocess.run([PROGRAM, str(FRAMES), str(seed)], capture_output=True, text=True, check=False,
                          timeout=60 + FRAMES / 10_000)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


def test_reference__random_frames__reads_what_scapy_reads():
    if not importlib.util.find_spec("scapy"):
        pytest.skip("no python3-scapy")
    dump = subprocess.run([PROGRAM, "--dump", "10000", "5"], capture_output=True, check=True, timeout=60)
    done = subprocess.run([sys.executable, HERE / "dissect.py"], input=dump.stdout, capture_output=True,
                          check=False, timeout=300)
    print(done.stdout.decode())
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
