# SPDX-License-Identifier: Apache-2.0
"""The daemon dies, comes back, is restarted, is removed: what it enforced goes on, packet by packet."""

import os
import subprocess
import time

import pytest

from lib import manifests, probe
from lib.meter import KINDS, Mixed

ROUNDS = int(os.environ.get("BH_ROUNDS", "0"))  # 20 in make soak
KILLS = ROUNDS * 10 or 3
RESTARTS = ROUNDS * 5 // 2 or 3
MIN_SENT = 300  # a run that sent less than this proved nothing


@pytest.fixture(scope="module", params=["tcx", "clsact"], name="world")
def fixture_world(request, network, make_agent):
    """Two pods of acme, one of globex, streams between all of them; both ways of attaching."""
    node = network.node
    a, b, g = (node.add_pod(n) for n in ("a", "b", "g"))
    agent = make_agent(node, extra=["--attach", request.param])
    agent.write(manifests.of_node(node), manifests.tenant("acme", ["acme"]),
                manifests.tenant("globex", ["globex"]), manifests.of_pod(a, "acme"),
                manifests.of_pod(b, "acme"), manifests.of_pod(g, "globex"))
    agent.start()
    status = agent.wait_endpoints(a, b, g)
    assert status["datapath"]["attach"] == request.param
    yield agent, a, b, g
    agent.stop()
    for pod in (a, b, g):
        pod.close()


def _traffic(world):
    _, a, b, g = world
    return Mixed(own=[(a, b), (b, a)], foreign=[(a, g), (g, b)])


def _restart(world, end, rounds):
    agent, a, b, g = world
    traffic = _traffic(world).start()
    figures = {}
    try:
        for _ in range(rounds):
            end(agent)
            agent.start()
            agent.wait_endpoints(a, b, g)
    finally:
        figures.update(traffic.stop())  # else it would go on under the next test
    # why, if it was the filter that dropped what is lost
    figures["drops"] = {t["name"]: {f"{d['direction']} {d['reason']}": d["packets"]
                                    for d in t["dropsByReason"]}
                        for t in agent.get("/v1/tenants")["tenants"] if t["dropsByReason"]}
    return figures


def _assert_untouched(figures, what):
    print(f"{what}: {figures}")
    assert all(figures[f"{side}_sent_{kind}"] > 0 for side in ("own", "foreign") for kind in KINDS)
    assert figures["own_sent"] >= MIN_SENT
    assert figures["foreign_sent"] >= MIN_SENT
    assert figures["own_lost"] == 0
    assert figures["foreign_arrived"] == 0


def test_kill_9__under_traffic__nothing_lost_nothing_foreign(world):
    """CVE-2023-27595; attached either way: CVE-2026-26963."""
    _assert_untouched(_restart(world, lambda agent: agent.kill(), KILLS), f"{KILLS} x kill -9")


def test_restart__under_traffic__nothing_lost_nothing_foreign(world):
    """CVE-2023-27595."""
    _assert_untouched(_restart(world, lambda agent: agent.stop(), RESTARTS), f"{RESTARTS} x restart")


def test_dead_daemon__still_enforces(world):
    agent, a, _, g = world
    traffic = _traffic(world)
    agent.kill()
    try:
        traffic.start()
        time.sleep(1.0)  # traffic for a while with nobody there
        _assert_untouched(traffic.stop(), "daemon dead for 1 s")
        assert not probe.one(a, "tcp", g.ip4, 80).ok
    finally:
        agent.start()


def test_detach__removes_everything_and_opens(world):
    agent, a, b, g = world
    bpffs = agent.argv[agent.argv.index("--bpffs") + 1]
    detach = agent.detach_command()
    busy = subprocess.run(detach, capture_output=True, text=True, check=False)
    assert busy.returncode == 1
    assert "runs" in busy.stderr
    agent.stop()
    subprocess.run(detach, check=True)
    left = subprocess.run(["find", str(bpffs), "-mindepth", "1"], capture_output=True, text=True,
                          check=False)
    assert left.stdout == ""
    filters = agent.node.run("tc", "filter", "show", "dev", a.host_if, "ingress")
    assert filters == ""
    assert probe.one(a, "tcp", g.ip4, 80, timeout=probe.ALLOWED_S).ok
    agent.start()
    agent.wait_endpoints(a, b, g)
    assert not probe.one(a, "tcp", g.ip4, 80).ok


def test_restart_without_folder__keeps_what_is_pinned_and_closes_what_is_new(world, network):
    agent, a, b, g = world
    away = agent.manifests.with_name("away")
    agent.stop()
    agent.manifests.rename(away)
    try:
        agent.start(wait=False)
        status = agent.wait_status(lambda s: s["ready"] is False, "not ready")
        assert "has not been read" in status["reasons"][0]
        assert probe.one(a, "tcp", b.ip4, 80, timeout=probe.ALLOWED_S).ok
        assert not probe.one(a, "tcp", g.ip6, 80).ok
        new = network.node.add_pod("new")
        agent.wait_status(lambda s: _closed(network.node, new), "closed")
    finally:
        away.rename(agent.manifests)
    agent.wait_status(lambda s: s["ready"] is True, "ready again")
    agent.wait_endpoints(a, b, g)


def _closed(node, pod):
    return not probe.one(node, "icmp", pod.ip4, timeout=0.2).ok


def test_first_start_without_folder__says_so_and_leaves_nothing_attached(network, make_agent):
    agent = make_agent(network.node, extra=["--http", "127.0.0.1:9470"])  # beside the other one
    agent.manifests.rmdir()
    agent.start(wait=False)
    assert agent.proc.wait(10) == 1
    assert str(agent.manifests) in agent.tail()
    assert "first start" not in agent.tail()
