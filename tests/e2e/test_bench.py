# SPDX-License-Identifier: Apache-2.0
"""The benchmarks run: each part for a moment. Their figures mean nothing then and are not looked at."""

import json
import os
import shutil
import subprocess

import pytest

from conftest import BUILD, ROOT

BENCH = ROOT / "tests" / "bench" / "bench_net.py"
TIMEOUT_S = 120


@pytest.mark.parametrize("part", ["programs", "traffic", "flood", "control"])
def test_bench__smoke__every_figure_is_found(part, tmp_path):
    if part == "traffic" and not shutil.which("nft"):
        pytest.skip("nft is not installed")
    out = tmp_path / "net.json"
    done = subprocess.run(["/usr/bin/python3", BENCH, "--smoke", "--only", part, out],
                          env={**os.environ, "BUILD": str(BUILD.relative_to(ROOT))}, text=True,
                          capture_output=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(out.read_text())["figures"]
    assert figures, done.stdout
    assert all(f["part"] == part and f["rounds"] for f in figures)
