# SPDX-License-Identifier: Apache-2.0
"""One version of the daemon follows another, with the same ABI and with another one, under traffic."""

import itertools
import os
import random
import subprocess
import time
from pathlib import Path

import pytest

from lib import manifests, probe
from lib.traffic import Traffic

ROUNDS = int(os.environ.get("BH_ROUNDS", "1"))  # 20 in make soak
TALK_PORT = 9100
PPS = 200
MIN_OWN = 100
SEED = 20260801


@pytest.fixture(scope="module", name="bumped")
def fixture_bumped(bulkheadd):
    """The same daemon with the next ABI version and another layout."""
    path = Path(f"{bulkheadd.parents[1]}-abi") / "bin" / "bulkheadd"
    if not path.exists():
        pytest.skip(f"{path} is not built (make abi-bump)")
    return path


@pytest.fixture(scope="module", params=["tcx", "clsact"], name="world")
def fixture_world(request, network, make_agent):
    """a and b of acme, which the world may not reach, g of globex."""
    node = network.node
    if (request.param, node.wiring) not in (("tcx", "ptp"), ("clsact", "bridge")):
        pytest.skip("each way of attaching with one wiring is enough")
    a, b, g = (node.add_pod(n) for n in ("ua", "ub", "ug"))
    agent = make_agent(node, extra=["--attach", request.param])
    agent.write(manifests.of_node(node),
                manifests.tenant("acme", ["acme"], network={"world": {"ingress": "none"}}),
                manifests.tenant("globex", ["globex"]), manifests.of_pod(a, "acme"),
                manifests.of_pod(b, "acme"), manifests.of_pod(g, "globex"))
    b.helper.call("talk_serve", port=TALK_PORT)
    network.outside.helper.call("talk_serve", port=TALK_PORT,
                                speak=list(network.outside.PUBLIC.values()))
    agent.start()
    agent.wait_endpoints(a, b, g)
    agent.network = network
    yield agent, a, b, g
    agent.stop()
    for pod in (a, b, g):
        pod.close()


class Load:
    """Datagrams, connections and pings of acme's own; datagrams and pings that are none of its."""

    def __init__(self, world):
        agent, a, b, g = world
        self.traffic = Traffic(own=[(a, b), (b, a)], foreign=[(a, g), (g, b)], pps=PPS).start()
        outside = agent.network.outside
        own = [(a, "tcp", b.ip4), (a, "tcp", b.ip6), (a, "icmp", b.ip4), (a, "icmp", b.ip6),
               (a, "tcp", outside.PUBLIC[4]), (a, "icmp", outside.PUBLIC[4]),
               (a, "listen", outside.PUBLIC[4]), (a, "listen", outside.PUBLIC[6])]
        self.own = self._start(own)
        self.foreign = self._start([(g, "icmp", b.ip4), (g, "icmp", b.ip6), (a, "icmp", g.ip4)], drain=0.2)

    @staticmethod
    def _start(rows, drain=2.0):
        return [(src, f"{src} {kind} {dst}",
                 src.helper.call("talk_start", kind=kind, dst=dst, port=TALK_PORT, pps=PPS,
                                 drain=drain))
                for src, kind, dst in rows]

    def stop(self):
        figures = self.traffic.stop()
        own = {what: src.helper.call("talk_stop", number=n) for src, what, n in self.own}
        foreign = {what: src.helper.call("talk_stop", number=n) for src, what, n in self.foreign}
        figures["talks_sent"] = sum(r["sent"] for r in own.values())
        figures["talks_lost"] = {w: r["lost"] for w, r in own.items() if r["lost"]}
        figures["talks_foreign_answered"] = sum(r["answered"] for r in foreign.values())
        assert all(r["sent"] >= MIN_OWN for r in (own | foreign).values()), (own, foreign)
        return figures


def _assert_closed(figures):
    assert figures["foreign_sent"] >= MIN_OWN
    assert figures["foreign_arrived"] == 0
    assert figures["talks_foreign_answered"] == 0


def _assert_untouched(figures):
    _assert_closed(figures)
    assert figures["own_sent"] >= MIN_OWN
    assert figures["own_lost"] == 0
    assert figures["talks_lost"] == {}


def _use(agent, program):
    agent.argv[0] = program.resolve()


def _pins(agent):
    """The folders of versions that are there."""
    bpffs = agent.argv[agent.argv.index("--bpffs") + 1]
    return sorted(p.name for p in Path(bpffs).glob("v*"))


def _follow(world, program, kill=False):
    """The daemon ends, another one takes its place. Its status."""
    agent, a, b, g = world
    (agent.kill if kill else agent.stop)()
    _use(agent, program)
    agent.start()
    return agent.wait_endpoints(a, b, g)


def _settled(agent, status):
    """Nothing of the other version is left: its pins, its programs."""
    assert _pins(agent) == [f"v{status['datapath']['abi']}"]
    for pod in ("ua", "ub", "ug"):
        interface = next(i for i in status["datapath"]["interfaces"]
                         if i["pod"] and i["pod"].endswith(f"/{pod}"))
        for hook in ("ingress", "egress"):
            shown = agent.node.run("tc", "filter", "show", "dev", interface["name"], hook)
            want = 0 if status["datapath"]["attach"] == "tcx" else 1
            assert shown.count("direct-action") == want, shown


def _numbers(agent):
    return {t["name"]: t["id"] for t in agent.get("/v1/tenants")["tenants"]}


def test_same_abi__under_traffic__nothing_lost_nothing_foreign(world, bulkheadd):
    load = Load(world)
    for _ in range(ROUNDS):
        _follow(world, bulkheadd, kill=True)
    time.sleep(0.3)  # traffic goes on over the last one
    figures = load.stop()
    print(f"{ROUNDS} x the same ABI: {figures}")
    _assert_untouched(figures)


def test_another_abi__under_traffic__nothing_lost_nothing_foreign(world, bulkheadd, bumped):
    agent = world[0]
    numbers = _numbers(agent)
    for turn in range(ROUNDS):
        load = Load(world)
        time.sleep(0.3)  # flows are there before the other one comes
        before = agent.status()["datapath"]["abi"]
        status = _follow(world, bumped, kill=turn % 2)
        assert status["datapath"]["abi"] == before + 1
        time.sleep(0.3)
        figures = load.stop()
        print(f"upgrade {turn + 1} of {ROUNDS}: {figures}")
        _assert_untouched(figures)
        _settled(agent, status)
        assert _numbers(agent) == numbers
        assert "flows copied" in agent.tail()
        # and back: the older one cannot read the newer one's flows
        load = Load(world)
        time.sleep(0.3)
        status = _follow(world, bulkheadd, kill=turn % 2)
        assert status["datapath"]["abi"] == before
        figures = load.stop()
        print(f"downgrade {turn + 1} of {ROUNDS}: {figures}")
        _assert_closed(figures)
        _settled(agent, status)
        assert _numbers(agent) == numbers
        assert "of a version that is not known here were not" in agent.tail()


def test_killed_while_it_takes_over__nothing_foreign(world, bulkheadd, bumped):
    agent, a, b, g = world
    random.seed(SEED)
    load = Load(world)
    programs = itertools.cycle([bumped, bulkheadd])
    for _ in range(ROUNDS * 6):
        agent.kill()
        _use(agent, next(programs))
        agent.start(wait=False)
        time.sleep(random.uniform(0.02, 0.4))  # the moment is what is tried out
    status = _follow(world, bulkheadd, kill=True)
    figures = load.stop()
    print(f"{ROUNDS * 6} x killed while taking over: {figures}")
    _assert_closed(figures)
    _settled(agent, status)
    assert probe.one(a, "tcp", b.ip4, 80, timeout=probe.ALLOWED_S).ok
    assert not probe.one(a, "tcp", g.ip4, 80).ok


def _flows_max(status):
    return next(m["max"] for m in status["datapath"]["maps"] if m["name"] == "bh_flows")


def test_other_size_of_tables__under_traffic__nothing_lost_nothing_foreign(world, bulkheadd):
    agent = world[0]
    plain = list(agent.argv)
    before = _flows_max(agent.status())
    try:
        for options, size in ((["--flows-per-endpoint", "256"], 256 * 512),
                              (["--max-endpoints", "64"], 4096 * 64), ([], before)):
            load = Load(world)
            time.sleep(0.3)
            agent.argv = [*plain, *options]
            status = _follow(world, bulkheadd)
            figures = load.stop()
            print(f"tables of another size: {figures}")
            assert _flows_max(status) == size
            _assert_untouched(figures)
            _settled(agent, status)
            assert "flows copied" in agent.tail()
    finally:
        agent.argv = plain


def test_no_source_while_taking_over__the_older_one_goes_on(world, bulkheadd, bumped):
    """Nothing is known of what should be: the older programs enforce what they did."""
    agent, a, b, g = world
    away = agent.manifests.with_name("away")
    load = Load(world)
    agent.stop()
    agent.manifests.rename(away)
    _use(agent, bumped)
    try:
        agent.start(wait=False)
        agent.wait_status(lambda s: s["ready"] is False, "not ready")
        assert probe.one(a, "tcp", b.ip4, 80, timeout=probe.ALLOWED_S).ok
        assert not probe.one(a, "tcp", g.ip4, 80).ok
        assert len(_pins(agent)) == 2
    finally:
        away.rename(agent.manifests)
    agent.wait_status(lambda s: s["ready"] is True, "ready again")
    status = agent.wait_endpoints(a, b, g)
    _assert_untouched(load.stop())
    _settled(agent, status)
    _follow(world, bulkheadd)


def test_detach__of_the_other_version__removes_everything(world, bulkheadd, bumped):
    agent, a, b, g = world
    _follow(world, bumped)
    agent.stop()
    _use(agent, bulkheadd)
    try:
        subprocess.run(agent.detach_command(), check=True)
        assert _pins(agent) == []
        assert probe.one(a, "tcp", g.ip4, 80, timeout=probe.ALLOWED_S).ok
        assert "direct-action" not in a.node.run("tc", "filter", "show", "dev", a.host_if, "ingress")
    finally:
        agent.start()
        agent.wait_endpoints(a, b, g)
