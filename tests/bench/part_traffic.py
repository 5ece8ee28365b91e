# SPDX-License-Identifier: Apache-2.0
"""Traffic between two pods: with the agent against without, and against nftables."""

import statistics

from figures import at_least
from rig import Agent, Nftables, Plain, load

# kind of bench_load, family: name, unit, figure of one slice
KINDS = {
    ("stream", 4): ("TCP stream", "Gbit/s", lambda r: r["received"] * 8e-9 / r["seconds"]),
    ("udp", 4): ("64-byte UDP frames", "kpps", lambda r: r["received"] * 1e-3 / r["seconds"]),
    ("udp", 6): ("64-byte UDP frames, IPv6", "kpps",
                 lambda r: r["received"] * 1e-3 / r["seconds"]),
    ("connect", 4): ("TCP connect and close", "k/s",
                     lambda r: r["received"] * 1e-3 / r["seconds"]),
}
TO_NOTHING = {"stream": 0.95, "udp": 0.90, "connect": 0.85}


def contenders(tenants, folder, bpffs):
    """Makers of what is compared, by name."""
    return {"none": lambda: Plain("no program"),
            **{f"agent-{n}": lambda n=n: Agent(n, folder, bpffs) for n in tenants},
            **{f"nft-{n}": lambda n=n: Nftables(n) for n in tenants}}


def one_round(makers, settings, turn):
    """{(kind, name): [figure of each sweep]}: everything set up anew, then sweep by sweep."""
    standing, found = {}, {}
    try:
        for name in rotated(list(makers), turn):
            standing[name] = makers[name]()
        for sweep in range(settings.sweeps):
            for kind, (_, _, figure) in KINDS.items():
                for name in rotated(list(standing), sweep):
                    rig = standing[name]
                    slice_ = load(kind[0], rig.a, rig.b, settings.slice_ms, kind[1])
                    found.setdefault((kind, name), []).append(figure(slice_))
    finally:
        for rig in standing.values():
            rig.close()
    return found


def rotated(list_, by):
    by %= len(list_)
    return list_[by:] + list_[:by]


def ratio(found, kind, ours, theirs):
    """Of one round: the median of the sweeps' ratios, for a sweep's slices are neighbours in time."""
    pairs = zip(found[kind, ours], found[kind, theirs])
    return statistics.median(a / b for a, b in pairs)


def run(figures, settings, folder, bpffs):
    tenants = settings.tenants
    makers = contenders(tenants, folder, bpffs)
    rounds = [one_round(makers, settings, turn) for turn in range(settings.rounds)]

    def compare(title, ours, theirs, goals):
        for kind, (name, _, _) in KINDS.items():
            limit = goals(kind[0])
            figures.add("traffic", f"{name}: {title}", "ratio",
                        [ratio(r, kind, ours, theirs) for r in rounds],
                        at_least(limit) if limit else None)

    figures.section("Traffic between two pods", f"{settings.rounds} rounds of {settings.sweeps} "
                    f"slices of {settings.slice_ms} ms for each, in turn; ratios of neighbours")
    for kind, (name, unit, _) in KINDS.items():
        for who in makers:
            figures.add("traffic", f"{name}: {who}", unit,
                        [statistics.median(r[kind, who]) for r in rounds])
    few = tenants[0]
    compare(f"agent-{few} / none", f"agent-{few}", "none", TO_NOTHING.get)
    for n in tenants:
        compare(f"agent-{n} / nft-{n}", f"agent-{n}", f"nft-{n}",
                lambda _, n=n: 0.98 if n == few else 1.0)
    for n in tenants[1:]:
        compare(f"agent-{n} / agent-{few}", f"agent-{n}", f"agent-{few}",
                lambda _, n=n: 0.95 if n == tenants[-1] else None)
