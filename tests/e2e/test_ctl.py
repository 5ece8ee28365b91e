# SPDX-License-Identifier: Apache-2.0
"""What an operator types and reads: bulkheadctl, the local socket, metrics, exit codes, the log."""

import http.client
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from lib import manifests, probe
from lib.ctl import DEADLINE_S, Follower

NOBODY = 65534
PUBLIC6 = "2600:1f18:1122:33::44"
BURST = 300  # far more than the ten a second that one interface and reason may bring


@pytest.fixture(scope="module", params=["ptp"], name="wiring")
def fixture_wiring(request):
    return request.param


@pytest.fixture(scope="module", name="world")
def fixture_world(network, make_agent):
    """acme: pods a and b; globex: pod g, and a grant that acme's port 8080 answers to it."""
    node = network.node
    a, b, g = (node.add_pod(n) for n in ("a", "b", "g"))
    agent = make_agent(node, extra=["--log-format", "json"])
    port = [{"protocol": "TCP", "port": 8080}]
    agent.write(
        manifests.of_node(node),
        manifests.tenant("acme", ["acme"],
                         network={"ingress": [{"from": {"tenant": "globex"}, "ports": port}]}),
        manifests.tenant("globex", ["globex"],
                         network={"egress": [{"to": {"tenant": "acme"}, "ports": port}]}),
        manifests.of_pod(a, "acme"), manifests.of_pod(b, "acme"), manifests.of_pod(g, "globex"))
    agent.start()
    agent.wait_endpoints(a, b, g)
    return agent, a, b, g


@pytest.fixture(scope="module", name="ctl")
def fixture_ctl(world, bulkheadd):
    """A function that runs bulkheadctl against the daemon."""
    agent = world[0]
    program = bulkheadd.with_name("bulkheadctl").resolve()

    def run(*argv, sock=agent.socket):
        return subprocess.run([program, "--socket", sock, *argv], capture_output=True, text=True,
                              timeout=30, check=False)

    run.argv = [program, "--socket", agent.socket]
    return run


def _json(done):
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def _assert_refused(done, status, *words):
    """One line that says what is wrong, on standard error alone."""
    assert done.returncode == status
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("bulkhead")
    for word in words:
        assert word in done.stderr


# -- verbs --

def test_status__json__what_runs_here(ctl, world):
    agent, a, b, g = world
    s = _json(ctl("status", "-o", "json"))
    assert s["node"] == agent.node.name
    assert s["ready"] is True and s["reasons"] == []
    assert s["pid"] == agent.proc.pid
    assert s["confined"] is True
    assert s["reporter"]["alive"] is True
    assert s["source"]["objects"]["Pod"] == 3 and s["source"]["problemCount"] == 0
    states = {i["name"]: (i["state"], i["pod"], i["tenant"]) for i in s["datapath"]["interfaces"]}
    assert states[a.host_if] == ("enforced", "acme/a", "acme")
    assert states[b.host_if] == ("enforced", "acme/b", "acme")
    assert states[g.host_if] == ("enforced", "globex/g", "globex")
    assert states[agent.node.uplink] == ("left-alone", None, None)


def test_tenants__json__counts_what_passes_and_what_does_not(ctl, world):
    _, a, b, g = world

    def acme():
        tenants = _json(ctl("tenants", "-o", "json"))["tenants"]
        return next(t for t in tenants if t["name"] == "acme")

    before = acme()
    assert (before["pods"], before["localPods"], before["mode"]) == (2, 2, "enforce")
    assert probe.one(a, "udp", b.ip4, 80, timeout=probe.ALLOWED_S).ok
    assert not probe.one(a, "udp", g.ip4, 80).ok
    after = acme()
    assert after["egress"]["packets"] >= before["egress"]["packets"] + 2
    assert after["egress"]["drops"] == before["egress"]["drops"] + 1
    assert any(d["reason"] == "peer_tenant" and d["direction"] == "egress" and
               d["verdict"] == "drop" for d in after["dropsByReason"])


def test_pods__json__who_is_who(ctl, world):
    pods = {p["name"]: p for p in _json(ctl("pods", "-o", "json"))["pods"]}
    g = world[3]
    assert pods["g"]["tenant"] == "globex"
    assert pods["g"]["class"] == "tenant"
    assert pods["g"]["addresses"] == [g.ip4, g.ip6]
    assert pods["g"]["interface"] == g.host_if
    assert pods["g"]["local"] is True


@pytest.mark.parametrize("verb", ["status", "tenants", "pods", "events"])
def test_verb__table__for_people(ctl, verb):
    done = ctl(verb)
    assert done.returncode == 0 and done.stderr == ""
    assert "acme" in done.stdout
    assert all(c == "\n" or 0x20 <= ord(c) < 0x7f for c in done.stdout)


# -- explain --

def test_explain__granted_port__allowed_by_a_grant_at_both_ends(ctl, world):
    j = _json(ctl("explain", "globex/g", "acme/a", "tcp/8080", "-o", "json"))
    assert j["allowed"] is True
    assert [(s["point"], s["verdict"], s["grant"]) for s in j["steps"]] == \
        [("from_pod", "pass", True), ("to_pod", "pass", True)]
    assert probe.one(world[3], "tcp", world[1].ip4, 8080, timeout=probe.ALLOWED_S).ok


@pytest.mark.parametrize("dst", ["acme/a", "10.244.1.10"])
def test_explain__other_port__denied_with_the_reason(ctl, world, dst):
    assert world[1].ip4 == "10.244.1.10"
    done = ctl("explain", "globex/g", dst, "tcp/80", "-o", "json")
    j = _json(done)
    assert j["allowed"] is False
    assert {(s["verdict"], s["reason"], s["peerTenant"]) for s in j["steps"]
            if s["point"] == "from_pod"} == {("drop", "peer_tenant", "acme")}
    assert not probe.one(world[3], "tcp", world[1].ip4, 80).ok
    assert ctl("explain", "globex/g", dst, "tcp/80").stdout.splitlines()[-1] == "denied"


def test_explain__ipv6_peer__asked_in_that_family(ctl, world):
    j = _json(ctl("explain", "acme/a", PUBLIC6, "udp/443", "-o", "json"))
    assert j["src"]["address"] == world[1].ip6
    assert j["dst"]["class"] == "world_public"
    assert j["allowed"] is True


def test_explain__neither_end_here__no_answer(ctl):
    assert _json(ctl("explain", PUBLIC6, "2600::1", "-o", "json"))["allowed"] is None
    assert "not judged here" in ctl("explain", PUBLIC6, "2600::1").stdout


def test_explain__two_families__usage(ctl, world):
    _assert_refused(ctl("explain", world[1].ip4, PUBLIC6), 2, "family")


def test_explain__unknown_pod__failure(ctl):
    _assert_refused(ctl("explain", "acme/nobody", "acme/a"), 1, "acme/nobody")


@pytest.mark.parametrize("argv, word", [
    ((), "verb"), (("frobnicate",), "frobnicate"), (("status", "now"), "now"),
    (("explain", "acme/a"), "explain"), (("explain", "acme", "acme/a"), "src"),
    (("explain", "acme/a", "acme/b", "tcp"), "port"),
    (("explain", "acme/a", "acme/b", "tcp/65536"), "port"),
    (("explain", "acme/a", "acme/b", "smtp/25"), "proto"),
    (("-o", "xml", "status"), "xml"), (("--nonsense",), "option"), (("pods", "-f"), "events"),
    (("events", "-n", "1025"), "recent"), (("events", "-r", "nonsense"), "reason"),
    (("events", "-v", "maybe"), "verdict"), (("events", "-t", "A B"), "tenant")])
def test_usage__wrong__exit_2_and_one_line(ctl, argv, word):
    _assert_refused(ctl(*argv), 2, word)


def test_socket__nobody_there__exit_1_and_what_to_do(ctl, tmp_path):
    _assert_refused(ctl("status", sock=tmp_path / "none.sock"), 1, "is bulkheadd running")


# -- events --

def _first_event(follower, send):
    """Send until the follower is connected and sees it."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        send()
        try:
            return follower.next(timeout=0.2)
        except queue.Empty:
            continue
    raise AssertionError(f"no event within {DEADLINE_S} s")


def test_events__follow__shows_the_drop_with_who_and_what(ctl, world):
    _, a, _, g = world
    with Follower(ctl, "events", "-n", "0", "-t", "acme", "-r", "peer_tenant") as follower:
        e = _first_event(follower, lambda: probe.one(a, "udp", g.ip4, 443, timeout=0.05))
    assert e["verdict"] == "drop" and e["direction"] == "egress"
    assert (e["pod"], e["tenant"], e["interface"]) == ("acme/a", "acme", a.host_if)
    assert (e["peerClass"], e["peerTenant"]) == ("tenant", "globex")
    assert (e["proto"], e["src"], e["dst"], e["dport"]) == ("udp", a.ip4, g.ip4, 443)
    assert e["node"] == a.node.name
    assert e["length"] > 42


def test_events__flood__limited_and_the_rest_counted(ctl, world):
    _, _, b, g = world
    with Follower(ctl, "events", "-n", "0", "-t", "acme", "-r", "peer_tenant") as follower:
        _first_event(follower, lambda: probe.one(b, "udp", g.ip6, 443, timeout=0.05))
        start = time.monotonic()
        probe.run([(b, probe.Probe("udp", g.ip6, 443, timeout=0.05))] * BURST)
        probe.one(b, "udp", g.ip6, 443, timeout=1.1)  # a new second: this one is let through
        probe.one(b, "udp", g.ip6, 443, timeout=0.05)
        seconds = time.monotonic() - start
        seen, suppressed = 0, 0
        end = time.monotonic() + DEADLINE_S
        while not suppressed and time.monotonic() < end:
            suppressed += follower.next()["suppressed"]
            seen += 1
        more = follower.pending()
    seen += len(more)
    suppressed += sum(e["suppressed"] for e in more)
    assert seen <= 10 * (seconds + 2)
    assert seen + suppressed >= BURST // 2


# -- the socket --

def _get(path, target):
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(DEADLINE_S)
    sock.connect(str(path))
    conn = http.client.HTTPConnection("localhost")
    conn.sock = sock
    try:
        conn.request("GET", target)
        answer = conn.getresponse()
        return answer.status, answer.read()
    finally:
        conn.close()


@pytest.mark.parametrize("target, status", [
    ("/v1/status", 200), ("/", 404), ("/v1/status?x=1", 400), ("/v1/explain?src=acme/a", 400),
    ("/v1/events?follow=2", 400), ("/" + "x" * 3000, 414)])
def test_socket__get__status_and_json(world, target, status):
    got, body = _get(world[0].socket, target)
    assert got == status
    assert ("error" in json.loads(body)) == (status != 200)


def test_socket__another_user__refused_by_mode_and_by_credentials(world, ctl):
    agent = world[0]
    # where another user can reach it: the folders of the test itself are closed
    folder = Path(tempfile.mkdtemp(prefix=f"bh-ctl-{os.getpid()}-"))
    try:
        folder.chmod(0o755)
        program = shutil.copy(ctl.argv[0], folder / "bulkheadctl")
        os.link(agent.socket, folder / "agent.sock")

        def as_nobody():
            return subprocess.run([program, "--socket", folder / "agent.sock", "status"],
                                  user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True,
                                  text=True, timeout=30, check=False)
        assert agent.socket.stat().st_mode & 0o777 == 0o600
        _assert_refused(as_nobody(), 1, "no permission", "root")
        agent.socket.chmod(0o666)
        _assert_refused(as_nobody(), 1, "root")
        assert ctl("status").returncode == 0
    finally:
        agent.socket.chmod(0o600)
        shutil.rmtree(folder)


# -- metrics --

def test_metrics__promtool__valid(world):
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed")
    done = subprocess.run(["promtool", "check", "metrics"], input=world[0].metrics(),
                          capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_metrics__drops__as_the_socket_tells(ctl, world):
    agent, a, _, g = world
    probe.one(a, "udp", g.ip4, 80, timeout=0.05)
    tenants = _json(ctl("tenants", "-o", "json"))["tenants"]
    want = next(t for t in tenants if t["name"] == "acme")["egress"]["drops"]
    end = time.monotonic() + DEADLINE_S  # values are up to half a second old
    while time.monotonic() < end:
        got = agent.metric("bulkhead_tenant_drops_total", tenant="acme", direction="egress")
        if got >= want:
            return
    raise AssertionError(f"{got} drops, expected {want}")


def _children(pid):
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_reporter__killed__comes_back_and_the_enforcer_goes_on(ctl, world):
    agent, a, b, g = world
    before = _json(ctl("status", "-o", "json"))
    [keeper] = _children(agent.proc.pid)
    [worker] = _children(keeper)
    os.kill(worker, signal.SIGKILL)
    status = agent.wait_status(lambda s: s["reporter"]["alive"] and
                               s["reporter"]["restarts"] > before["reporter"]["restarts"],
                               "with a new reporter")
    assert status["pid"] == before["pid"]
    assert agent.metric("bulkhead_agent_reporter_restarts_total") >= 1
    assert probe.one(a, "tcp", b.ip4, 80, timeout=probe.ALLOWED_S).ok
    assert not probe.one(a, "tcp", g.ip4, 80).ok


# -- the daemon's own words --

def _daemon(agent, *argv):
    return subprocess.run([agent.program.resolve(), *map(str, argv)], capture_output=True,
                          text=True, timeout=30, check=False)


@pytest.mark.parametrize("argv, words", [
    ((), ["--manifests"]), (("--nonsense",), ["--nonsense"]),
    (("--manifests", "/tmp", "--http", "0.0.0.0:9474"), ["--http", "--insecure-metrics"]),
    (("--manifests", "/tmp", "--debounce", "5"), ["--debounce", "'5'"]),
    (("--config", "/nonexistent.yaml"), ["/nonexistent.yaml"])])
def test_daemon__wrong_option__exit_2_and_one_line(world, argv, words):
    _assert_refused(_daemon(world[0], *argv), 2, *words)


@pytest.mark.parametrize("text, word", [
    ("manifest: /tmp\n", "manifest"), ("manifests: /tmp\nlogLevel: loud\n", "loud"),
    ("manifests: [\n", "line"), ("- manifests\n", "keys and values")])
def test_daemon__wrong_config_file__exit_2_and_the_file(world, tmp_path, text, word):
    config = tmp_path / "config.yaml"
    config.write_text(text)
    _assert_refused(_daemon(world[0], "--config", config), 2, str(config), word)


def _programs(agent):
    """The id of the program behind each pinned link."""
    if not shutil.which("bpftool"):
        pytest.skip("bpftool is not installed")
    bpffs = Path(agent.argv[agent.argv.index("--bpffs") + 1])
    ids = {}
    for link in bpffs.glob("v*/links/*"):
        done = subprocess.run(["bpftool", "-j", "link", "show", "pinned", link],
                              capture_output=True, text=True, check=True)
        ids[link.name] = json.loads(done.stdout)["prog_id"]
    return ids


def _second(agent, tmp_path, **changed):
    """Start another daemon that differs from the first in these options only."""
    argv = list(map(str, agent.argv))
    own = {"--socket": tmp_path / "agent.sock", "--http": "127.0.0.1:9470",
           "--bpffs": f"{argv[argv.index('--bpffs') + 1]}-second"}
    for option in own.keys() - {f"--{c}" for c in changed}:
        argv[argv.index(option) + 1] = str(own[option])
    return subprocess.run(agent.node.command(*argv), capture_output=True, text=True, timeout=30,
                          check=False)


@pytest.mark.parametrize("same, word", [("bpffs", "another bulkheadd runs"),
                                        ("socket", "already running"), ("http", "in use")])
def test_daemon__second_on_the_same__refused_and_the_first_untouched(world, tmp_path, same, word):
    agent, a, b, g = world
    programs = _programs(agent)
    if agent.status()["datapath"]["attach"] == "tcx":
        assert len(programs) == 6
    before = agent.status()["datapath"]
    done = _second(agent, tmp_path, **{same: True})
    assert done.returncode == 1
    last = json.loads(done.stderr.splitlines()[-1])
    assert last["level"] == "error" and word in last["msg"]
    assert _programs(agent) == programs
    assert agent.status()["datapath"]["generation"] == before["generation"]
    assert probe.one(a, "tcp", b.ip4, 80, timeout=probe.ALLOWED_S).ok
    assert not probe.one(a, "tcp", g.ip4, 80).ok


def test_log__json__one_object_a_line_whatever_a_file_is_called(world):
    agent = world[0]
    bad = agent.manifests / 'bad "\n\x1b[31m.yaml'
    bad.write_text("kind: [\n")
    agent.wait_status(lambda s: s["source"]["problemCount"] == 1, "with a problem")
    bad.unlink()
    agent.wait_status(lambda s: s["source"]["problemCount"] == 0, "without problems")
    lines = [json.loads(x) for x in agent.log.read_text().splitlines()]
    assert any(x["level"] == "warn" and bad.name in x["msg"] for x in lines)
    assert all({"ts", "level", "comp", "errno", "msg"} <= x.keys() for x in lines)


def test_sigterm__exit_0_and_nothing_is_left_but_what_enforces(world):
    agent, a, b, g = world
    pid = agent.proc.pid
    [keeper] = _children(pid)
    processes = [keeper, *_children(keeper)]
    assert agent.stop() == 0
    end = time.monotonic() + DEADLINE_S
    while any(Path(f"/proc/{p}").exists() for p in processes):
        assert time.monotonic() < end, f"of {processes} some are left"
        time.sleep(0.02)
    assert not agent.socket.exists()
    assert not probe.one(a, "tcp", g.ip4, 80).ok
    assert probe.one(a, "tcp", b.ip4, 80, timeout=probe.ALLOWED_S).ok
    agent.start()
