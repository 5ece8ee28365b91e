#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run libFuzzer programs and count them: one line for each that fails, and a closing line.

    run.py --out DIR [--jobs N] [--runs N | --seconds N] build/.../fuzz_NAME...

Seeds are in tests/fuzz/corpus/fuzz_NAME. With --runs every run is the same: fixed seed, fixed number
of inputs, nothing kept from the run before. With --seconds what is found is kept in
DIR/fuzz_NAME/corpus and used the next time. An input that fails is kept in DIR/fuzz_NAME; give it to
the program to see it again.
"""

import argparse
import concurrent.futures
import shutil
import subprocess
import sys
from pathlib import Path

SEEDS = Path(__file__).resolve().parent / "corpus"
MAX_LEN = 16384
# seconds for one input, and for a whole run beyond what was asked for
INPUT_TIMEOUT = 10
GRACE = 120


def reason(log):
    """The line of a failed run's log that says most."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    for mark in (": not so: ", ": runtime error: ", "SUMMARY: "):
        for line in lines:
            if mark in line:
                return line
    return lines[-1] if lines else "no output"


def run(program, args):
    """None if the program found nothing, else what it found."""
    seeds = SEEDS / program.name
    if not seeds.is_dir() or not any(seeds.iterdir()):
        return f"no seeds in {seeds}"
    out = args.out / program.name
    learnt = out / "corpus"
    if not args.seconds:
        shutil.rmtree(out, ignore_errors=True)
    learnt.mkdir(parents=True, exist_ok=True)
    if args.seconds:
        limits = [f"-max_total_time={args.seconds}"]
    else:
        limits = [f"-runs={args.runs}", "-seed=1"]
    argv = [program, *limits, f"-max_len={MAX_LEN}", f"-timeout={INPUT_TIMEOUT}", "-rss_limit_mb=2048",
            f"-artifact_prefix={out}/", "-print_final_stats=1", learnt, seeds]
    try:
        with open(out / "log", "w", encoding="utf-8") as log:
            rc = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False,
                                timeout=args.seconds + GRACE).returncode
    except subprocess.TimeoutExpired:
        return f"still running {GRACE} s after its time"
    if rc == 0:
        return None
    return f"{reason((out / 'log').read_text(errors='replace'))} (see {out}/log)"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--runs", type=int, default=20000)
    parser.add_argument("--seconds", type=int, default=0)
    parser.add_argument("programs", type=Path, nargs="*")
    args = parser.parse_args()
    args.programs = [p.resolve() for p in args.programs]
    args.out = args.out.resolve()
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(max(1, args.jobs)) as pool:
        for program, why in zip(args.programs, pool.map(lambda p: run(p, args), args.programs)):
            if why:
                failed += 1
                print(f"FAIL {program.name}: {why}")
    print(f"{len(args.programs) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not args.programs else 0


if __name__ == "__main__":
    sys.exit(main())
