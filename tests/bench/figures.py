# SPDX-License-Identifier: Apache-2.0
"""What a benchmark found: named figures with their spread, each against its goal if it has one. A figure
that misses its goal is printed as missed and nothing else: machines differ."""

import os
import statistics
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Goal:
    """at_least or at most `limit`."""

    limit: float
    at_least: bool = False

    def verdict(self, value):
        """(met, how far from the limit in its direction, as a share of it; negative: missed)."""
        margin = (value - self.limit) / self.limit if self.limit else 0.0
        margin = margin if self.at_least else -margin
        return margin >= 0, margin

    def __str__(self):
        return f"{'>=' if self.at_least else '<='} {self.limit:g}"


def at_least(limit):
    return Goal(limit, True)


def at_most(limit):
    return Goal(limit)


@dataclass(frozen=True)
class Spread:
    """Of one figure over rounds."""

    median: float
    min: float
    max: float
    n: int

    @classmethod
    def of(cls, values):
        return cls(statistics.median(values), min(values), max(values), len(values))

    def __str__(self):
        return f"{self.median:10.4g}  ({self.min:.4g}..{self.max:.4g})"


class Figures:
    """Printed as they come, kept for the JSON."""

    def __init__(self):
        self.rows = []

    def section(self, title, note=""):
        print(f"\n{title}" + (f"\n  {note}" if note else ""), flush=True)

    def add(self, part, name, unit, values, goal=None):
        """values: of the rounds; the median is held against the goal."""
        spread = Spread.of(values)
        row = {"part": part, "name": name, "unit": unit, "median": spread.median,
               "min": spread.min, "max": spread.max, "rounds": list(values)}
        line = f"  {name:<58} {spread!s:<34} {unit:<7}"
        if goal:
            met, margin = goal.verdict(spread.median)
            row.update(goal=str(goal), met=met, margin=margin)
            line += f" {goal!s:<9} {'met' if met else 'MISSED'} by {abs(margin):.1%}"
        self.rows.append(row)
        print(line.rstrip(), flush=True)
        return spread.median

    def closing(self):
        judged = [r for r in self.rows if "met" in r]
        return f"{sum(r['met'] for r in judged)} of {len(judged)} goals met"


def machine():
    """What the figures were found on."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    hypervisor = Path("/sys/hypervisor/type")
    flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    return {"cpu": model, "cpus": len(os.sched_getaffinity(0)), "kernel": os.uname().release,
            "virtual": "hypervisor" in flags or hypervisor.exists(),
            "load_at_start": os.getloadavg()[0]}
