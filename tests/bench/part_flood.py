# SPDX-License-Identifier: Apache-2.0
"""One pod sends as fast as it can what is dropped: what that costs the daemon, and what another tenant's
pods see of it. The flood has one CPU, who pings the other; somebody follows the events."""

import subprocess
import threading
import time

from figures import at_most
from processes import cpu_s, family
from rig import BUILD, BULKHEADD, agent, load, manifests, net


class World:
    """A tenant's two pods, and one pod of another tenant."""

    def __init__(self, folder, bpffs):
        self.network = net.Network("ptp")
        self.daemon = None
        try:
            node = self.network.node
            self.a, self.b, self.foreign = (node.add_pod(n, serve=False)
                                            for n in ("a", "b", "foreign"))
            pins = bpffs / "flood"
            pins.mkdir()
            # a limit would drop packets before anything else is looked at
            self.daemon = agent.Agent(BULKHEADD, node, folder / "flood", pins,
                                      ["--packets-per-second", "100000000"])
            self.daemon.write(manifests.of_node(node), manifests.tenant("acme", ["acme"]),
                              manifests.tenant("globex", ["globex"]),
                              manifests.of_pod(self.a, "acme"), manifests.of_pod(self.b, "acme"),
                              manifests.of_pod(self.foreign, "globex"))
            self.daemon.start()
            self.daemon.wait_endpoints(self.a, self.b, self.foreign)
        except BaseException:
            self.close()
            raise

    def drops(self):
        return self.daemon.metric("bulkhead_tenant_drops_total", tenant="globex",
                                  reason="peer_tenant")

    def close(self):
        try:
            if self.daemon:
                self.daemon.stop()
        finally:
            self.network.close()


def pinged(world, follower, seconds, flood):
    """Over `seconds`, with or without a flood: what ping found, the flood's own figures, and the share
    of a CPU that the daemon's processes and the follower of its events took."""
    pids, result = family(world.daemon.proc.pid) + [follower.pid], {}

    def send():
        result.update(load("flood", world.foreign, world.a, int(seconds * 1000)))
    thread = threading.Thread(target=send)
    before, start = cpu_s(pids), time.monotonic()
    if flood:
        thread.start()
    ping = load("ping", world.a, world.b, int(seconds * 1000))
    if flood:
        thread.join()
    share = (cpu_s(pids) - before) / (time.monotonic() - start)
    return ping, result, share


def run(figures, settings, folder, bpffs):
    rows, seconds = [], settings.flood_s
    world = World(folder, bpffs)
    try:
        with subprocess.Popen([BUILD / "bin" / "bulkheadctl", "--socket", world.daemon.socket,
                               "events", "-f"], stdout=subprocess.DEVNULL) as follower:
            try:
                for _ in range(settings.rounds):
                    quiet, _, idle = pinged(world, follower, seconds, flood=False)
                    before = world.drops()
                    loud, sent, busy = pinged(world, follower, seconds, flood=True)
                    rows.append((quiet, loud, sent, idle, busy))
                    time.sleep(1)  # until what is counted is on the page, which is half a second old
                    dropped = world.drops() - before
                    if dropped < sent["sent"]:
                        raise RuntimeError(f"{sent['sent']} sent, {dropped:.0f} dropped")
            finally:
                follower.terminate()
    finally:
        world.close()
    report(figures, settings, rows)


def report(figures, settings, rows):
    figures.section("Flood of packets that are dropped", f"{settings.rounds} rounds of "
                    f"{settings.flood_s:g} s with and without; every one of them was counted as dropped")
    figures.add("flood", "drops", "k/s", [s["sent"] * 1e-3 / s["seconds"] for _, _, s, _, _ in rows])
    figures.add("flood", "daemon and a follower of its events, idle", "% CPU",
                [100 * i for *_, i, _ in rows])
    figures.add("flood", "daemon and a follower of its events, under the flood", "% CPU",
                [100 * b for *_, b in rows], at_most(2))
    for which, title in (("p50_us", "median"), ("p99_us", "p99")):
        for i, when in ((0, "quiet"), (1, "under the flood")):
            figures.add("flood", f"other tenant's ping, {title}, {when}", "us",
                        [r[i][which] for r in rows])
    figures.add("flood", "other tenant's pings lost under the flood", "packets",
                [r[1]["sent"] - r[1]["received"] for r in rows], at_most(0))
