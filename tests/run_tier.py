#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run the test programs of one tier, or several tiers, and count.

    run_tier.py --name unit --out DIR [options] PROGRAM... FILE.py...
    run_tier.py --sum [--minutes N] -- MAKE [VAR=VALUE...] TARGET... TARGET+TARGET...

A PROGRAM is a cmocka program; a FILE.py is given to pytest. Each is run on its own, in its own
session, and killed when it takes too long. A line for each failure and each skip, and at the end
exactly one: "N passed, N failed, N skipped".

A program that crashes, times out, leaks, or runs fewer tests than it announced counts as one failed,
whatever it had passed before. Exit 77 skips the whole program; the last line of its standard error
is the reason. A single cmocka test gives its reason by printing "skip: REASON" before skip().

Exit status: 1 when anything failed, when nothing ran at all, or, with CI set, when everything was
skipped; else 0.
"""

import argparse
import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree
from dataclasses import dataclass, field
from pathlib import Path

CLOSING = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$")
EXIT_SKIP = 77


@dataclass
class Outcome:
    """What became of one program: counts, and the lines to print about it."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    lines: list = field(default_factory=list)

    def fail(self, name, why):
        self.failed += 1
        self.lines.append(f"FAIL {name}: {why}")

    def skip(self, name, why, count=1):
        self.skipped += count
        self.lines.append(f"SKIP {name}: {why}")

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.lines += other.lines

    def closing(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def last_line(text, default):
    """The line of a program's errors that says most: a sanitizer's summary, else the last one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in reversed(lines):
        if line.startswith("SUMMARY: ") or "runtime error: " in line:
            return line
    return lines[-1] if lines else default


def ending(rc):
    if rc < 0:
        try:
            return f"killed by {signal.Signals(-rc).name}"
        except ValueError:
            return f"killed by signal {-rc}"
    return f"exit status {rc}"


TAP_PLAN = re.compile(r"^1\.\.(\d+)$")
TAP_TEST = re.compile(r"^(not )?ok (\d+)\b(?: - (?P<name>\S+)| # SKIP (?P<skip>\S+))?\s*(?P<more>.*)$")


def judge_tap(program, out, err, rc):
    """Outcome of a cmocka program with CMOCKA_MESSAGE_OUTPUT=TAP that ended by itself."""
    res = Outcome()
    planned, seen, reason, group_failed = None, 0, None, False
    pending = None  # a failed test, whose message is on the lines that follow
    for line in out.splitlines():
        plan, test = TAP_PLAN.match(line), TAP_TEST.match(line)
        if plan:
            planned = (planned or 0) + int(plan[1])
        elif test:
            if pending:
                res.fail(*pending)
                pending = None
            seen += int(test[2]) > 0
            group_failed = group_failed or (bool(test[1]) and int(test[2]) == 0)
            name = f"{program}: {test['name'] or test['skip']}"
            if test["skip"]:
                res.skip(name, reason or "no reason given")
            elif test[1]:
                pending = (name, test["more"] or "failed")
            else:
                res.passed += 1
            reason = None
        elif line.startswith("# not ok") or line.startswith("# ok"):
            continue
        elif line.startswith("# ") and pending:
            pending = (pending[0], line[2:] if pending[1] == "failed" else f"{pending[1]} | {line[2:]}")
        elif line.startswith("skip: "):
            reason = line[len("skip: "):]
    if pending:
        res.fail(*pending)
    if planned is None:
        if rc == EXIT_SKIP:
            res.skip(program, last_line(err, "no reason given"))
        else:
            res.fail(program, f"ran no test, {ending(rc)}: {last_line(err or out, 'no output')}")
    elif seen != planned and not group_failed:
        res.fail(program, f"{ending(rc)} after {seen} of {planned} tests: {last_line(err, 'no message')}")
    elif rc != 0 and (rc < 0 or not res.failed):
        res.fail(program, f"{ending(rc)} after its last test: {last_line(err, 'no message')}")
    if res.failed:
        res.lines += [f"     | {line}" for line in err.splitlines()[-15:]]
    return res


def judge_junit(program, path, err, rc):
    """Outcome of one pytest file."""
    res = Outcome()
    try:
        cases = list(xml.etree.ElementTree.parse(path).iter("testcase"))
    except (OSError, xml.etree.ElementTree.ParseError):
        cases = []
    for case in cases:
        name = f"{program}: {case.get('name') or case.get('classname')}"
        bad = case.find("failure") if case.find("failure") is not None else case.find("error")
        skipped = case.find("skipped")
        if bad is not None:
            res.fail(name, (bad.get("message") or "failed").splitlines()[0])
        elif skipped is not None:
            res.skip(name, (skipped.get("message") or "no reason given").splitlines()[0])
        else:
            res.passed += 1
    if not cases:
        res.fail(program, f"ran no test, {ending(rc)}: {last_line(err, 'no output')}")
    elif rc != 0 and not res.failed:
        res.fail(program, f"{ending(rc)}: {last_line(err, 'no message')}")
    if res.failed:
        res.lines += [f"     | {line}" for line in err.splitlines()[-30:]]
    return res


def run_bounded(argv, timeout, log, env):
    """Run in a session of its own. Returns (rc, out, err), rc None after a timeout."""
    outs = [Path(f"{log}.out"), Path(f"{log}.err")]
    with open(outs[0], "wb") as out, open(outs[1], "wb") as err:
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env,
                                 start_new_session=True)
        try:
            rc = child.wait(timeout)
        except subprocess.TimeoutExpired:
            rc = None
        finally:
            try:  # also what the program left behind
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            child.wait()
    return (rc, *(o.read_text(errors="replace") for o in outs))


def run_one(path, args):
    """Run one program or pytest file and judge it."""
    program = Path(path).name
    log = args.out / program
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP")
    env.pop("CMOCKA_XML_FILE", None)
    argv, junit = [path], None
    if path.endswith(".py"):
        junit = Path(f"{log}.xml")
        junit.unlink(missing_ok=True)
        argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={junit}",
                path]
    try:
        rc, out, err = run_bounded(argv, args.timeout, log, env)
    except OSError as e:
        res = Outcome()
        res.fail(program, str(e))
        return res
    if rc is None:
        res = Outcome()
        res.fail(program, f"took longer than {args.timeout} s and was killed: "
                          f"{last_line(err or out, 'no output')}")
    elif junit:
        res = judge_junit(program, junit, err or out, rc)
    else:
        res = judge_tap(program, out, err, rc)
    if res.failed:
        res.lines.append(f"     output: {log}.out, {log}.err")
    return res


def finish(total, name):
    """Print the closing line; the exit status."""
    ran = total.passed + total.failed
    status = 1 if total.failed else 0
    if ran + total.skipped == 0:
        print(f"FAIL {name}: nothing ran")
        total.failed = status = 1
    elif ran == 0 and os.environ.get("CI"):
        print(f"FAIL {name}: everything was skipped, and CI is set")
        status = 1
    print(total.closing(), flush=True)
    return status


def run_tier(args):
    total = Outcome()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.skip:
        total.skip(args.name, args.skip, len(args.programs))
    elif args.root and os.geteuid() != 0:
        total.skip(args.name, "needs root", len(args.programs))
    else:
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            for res in pool.map(lambda p: run_one(p, args), args.programs):
                total.add(res)
    for line in total.lines:
        print(line)
    return finish(total, args.name)


def run_make(make, target, show=lambda line: print(line, end="", flush=True)):
    """Run one make target, its output passed on; its counts."""
    res = Outcome()
    show(f"== {target}\n")
    child = subprocess.Popen([*make, target], stdout=subprocess.PIPE, text=True, errors="replace",
                             stdin=subprocess.DEVNULL, close_fds=False)  # make's job server
    closing = None
    for line in child.stdout:
        show(line)
        closing = CLOSING.match(line.rstrip("\n")) or closing
    rc = child.wait()
    if closing:
        res.passed, res.failed, res.skipped = (int(n) for n in closing.groups())
    if rc != 0 and not res.failed:
        res.fail(target, f"make {target}: {ending(rc)}")
    elif res.failed:
        res.lines.append(f"FAIL {target}: {res.failed} failed")
    elif res.skipped:
        res.lines.append(f"SKIP {target}: {res.skipped} skipped")
    return res


def run_together(make, targets):
    """Several targets at a time; the output of one after that of the other."""
    held = {target: [] for target in targets[1:]}
    total = Outcome()
    with concurrent.futures.ThreadPoolExecutor(len(targets)) as pool:
        others = [pool.submit(run_make, make, t, held[t].append) for t in targets[1:]]
        total.add(run_make(make, targets[0]))
        for target, other in zip(targets[1:], others):
            total.add(other.result())
            print("".join(held[target]), end="", flush=True)
    return total


def run_sum(words, minutes):
    """Make targets, once or again and again for some minutes; the words before them are the command."""
    split = 1
    while split < len(words) and ("=" in words[split] or words[split].startswith("-")):
        split += 1
    until = time.monotonic() + minutes * 60
    total = Outcome()
    while True:
        for target in words[split:]:
            total.add(run_together(words[:split], target.split("+")))
        if time.monotonic() >= until:
            break
    print("== in all")
    for line in total.lines:
        print(line)
    return finish(total, "test")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--name", default="tests", help="of the tier, for messages")
    p.add_argument("--out", type=Path, default=Path("build/results"), help="folder for the output")
    p.add_argument("--timeout", type=float, default=60, help="seconds for each program")
    p.add_argument("--jobs", type=int, default=1, help="programs at a time")
    p.add_argument("--root", action="store_true", help="skip everything when not root")
    p.add_argument("--skip", metavar="REASON", help="skip everything for this reason")
    p.add_argument("--sum", action="store_true", help="run make targets and add up their counts")
    p.add_argument("--minutes", type=float, default=0, help="with --sum: repeat for so long")
    p.add_argument("programs", nargs="*")
    args = p.parse_args()
    return run_sum(args.programs, args.minutes) if args.sum else run_tier(args)


if __name__ == "__main__":
    sys.exit(main())
