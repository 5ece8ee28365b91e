# SPDX-License-Identifier: Apache-2.0
"""bulkheadctl flows -f: what was judged, by which rule, for whom it is asked, and for nobody else."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from lib import manifests, probe
from lib.ctl import DEADLINE_S, Follower

LEASE_NS = 15_000_000_000


@pytest.fixture(scope="module", params=["ptp"], name="wiring")
def fixture_wiring(request):
    return request.param


@pytest.fixture(scope="module", name="world")
def fixture_world(network, make_agent):
    """acme: a and b, with a cidr grant; globex: g."""
    node = network.node
    a, b, g = (node.add_pod(n) for n in ("a", "b", "g"))
    agent = make_agent(node)
    grant = [{"to": {"cidr": "172.20.255.0/24"}}]
    agent.write(manifests.of_node(node), manifests.tenant("acme", ["acme"], network={"egress": grant}),
                manifests.tenant("globex", ["globex"]), manifests.of_pod(a, "acme"),
                manifests.of_pod(b, "acme"), manifests.of_pod(g, "globex"))
    agent.start()
    agent.wait_endpoints(a, b, g)
    return agent, a, b, g


@pytest.fixture(scope="module", name="ctl")
def fixture_ctl(world, bulkheadd):
    agent = world[0]
    program = bulkheadd.with_name("bulkheadctl").resolve()

    def run(*argv):
        return subprocess.run([program, "--socket", agent.socket, *argv], capture_output=True,
                              text=True, timeout=30, check=False)

    run.argv = [program, "--socket", agent.socket]
    return run


def _until_ns(agent):
    """What the kernel is told: until when it records."""
    bpffs = Path(agent.argv[agent.argv.index("--bpffs") + 1])
    path = next(bpffs.glob("v*/maps/bh_config"))
    done = subprocess.run(["bpftool", "-j", "map", "dump", "pinned", path], capture_output=True,
                          text=True, check=True)
    return json.loads(done.stdout)[0]["formatted"]["value"]["record_until_ns"]


def _wait(holds, what):
    end = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < end, f"not {what} within {DEADLINE_S} s"
        time.sleep(0.02)


class Watch(Follower):
    """Once it is entered, the kernel records."""

    def __init__(self, ctl, agent, *argv):
        super().__init__(ctl, "flows", *argv)
        self._agent = agent

    def __enter__(self):
        _wait(lambda: _until_ns(self._agent) > time.monotonic_ns(), "recording")
        return self


def _drained(agent):
    _wait(lambda: _until_ns(agent) == 0, "off")


def test_flows__follow__verdict_rule_and_ends(ctl, world, network):
    agent, a, b, g = world
    private = network.outside.PRIVATE[4]
    with Watch(ctl, agent, "--pod", "acme/a") as w:
        assert probe.one(a, "tcp", b.ip4, 80, timeout=probe.ALLOWED_S).ok
        own = w.next()
        assert not probe.one(a, "udp", g.ip6, 443).ok
        foreign = w.next()
        assert probe.one(a, "tcp", private, 8080, timeout=probe.ALLOWED_S).ok
        granted = w.next()
        assert probe.one(a, "icmp", network.outside.PUBLIC[4], timeout=probe.ALLOWED_S).ok
        world_ = w.next()
        rest = w.pending()
    assert rest == []  # no record for each packet, none for replies
    assert (own["verdict"], own["reason"], own["rule"]) == ("pass", "none", "default")
    assert (own["src"], own["dst"], own["dport"], own["proto"]) == (a.ip4, b.ip4, 80, "tcp")
    assert (own["pod"], own["tenant"], own["direction"]) == ("acme/a", "acme", "egress")
    assert (own["peerClass"], own["peerTenant"]) == ("tenant", "acme")
    assert (own["again"], own["sample"], own["suppressed"]) == (False, 1, 0)
    assert (foreign["verdict"], foreign["reason"]) == ("drop", "peer_tenant")
    assert (foreign["rule"], foreign["dst"], foreign["peerTenant"]) == ("default", g.ip6, "globex")
    assert (granted["verdict"], granted["rule"]) == ("pass", "grant cidr")
    assert (world_["proto"], world_["rule"]) == ("icmp", "world public")
    _drained(agent)


def test_flows__filters__in_the_request(ctl, world):
    agent, a, b, g = world
    with Watch(ctl, agent, "-t", "acme", "-v", "drop", "-P", "tcp", "-q", "443", "-c", "tenant") as w:
        probe.run([(s, probe.Probe(kind, d.ip4, port, timeout=0.1)) for s in (a, g)
                   for d in (b, g) if s is not d for kind in ("tcp", "udp") for port in (80, 443)])
        got = w.next()
        more = w.pending()
    for flow in [got, *more]:
        assert (flow["tenant"], flow["verdict"], flow["proto"]) == ("acme", "drop", "tcp")
        assert flow["dport"] == 443
    _drained(agent)


def test_flows__policy_changes__judged_again(ctl, world):
    agent, a, b, _ = world
    b.helper.call("sink", port=9001)
    number = a.helper.call("stream_start", dst=b.ip4, port=9001, pps=100)
    try:
        with Watch(ctl, agent, "--pod", "acme/a", "--port", "9001") as w:
            agent.apply(manifests.namespace("acme", {"turn": "1"}),
                        manifests.tenant("more", ["more"]))
            flow = w.next()
            if not flow["again"]:  # its first datagram, after the recording began
                flow = w.next()
    finally:
        a.helper.call("stream_stop", number=number)
    assert flow["again"] is True and flow["verdict"] == "pass"
    agent.apply(remove=[manifests.tenant("more", ["more"])])


def test_flows__flood__bounded_and_the_rest_counted(ctl, world):
    """Denied flows as fast as one process sends them."""
    agent, a, b, g = world
    with Watch(ctl, agent, "-v", "drop", "--pod", "acme/a") as w:
        start = time.monotonic()
        number = a.helper.call("knock_start", pps=20000, doors=[("udp", g.ip4, 443)])
        time.sleep(1.0)
        tried = a.helper.call("knock_stop", number=number)
        seconds = time.monotonic() - start
        probe.one(a, "udp", g.ip4, 443, timeout=1.1)  # a new second begins
        probe.one(a, "udp", g.ip4, 443, timeout=0.1)
        seen = [w.next(), *w.pending()]
    print(f"{tried} flows tried in {seconds:.1f} s, {len(seen)} records")
    assert len(seen) <= 1000 * (seconds + 2)
    if tried > 1000 * (seconds + 2):
        assert sum(f["suppressed"] for f in seen) > 0
    assert probe.one(a, "tcp", b.ip4, 80, timeout=probe.ALLOWED_S).ok
    _drained(agent)


def test_flows__slow_reader__cut_off_and_then_off(ctl, world):
    agent, a, _, g = world
    proc = subprocess.Popen([*ctl.argv, "flows", "-f", "-o", "json"], stdout=subprocess.PIPE)
    number = None
    try:
        _wait(lambda: _until_ns(agent) > 0, "recording")
        number = a.helper.call("knock_start", pps=2000, doors=[("udp", g.ip4, 443)])
        # nobody reads: the pipe, the sockets and 256 KiB fill, and that is that
        _drained(agent)
        proc.communicate(timeout=DEADLINE_S)
        assert proc.returncode == 1
    finally:
        if number:
            a.helper.call("knock_stop", number=number)
        if proc.poll() is None:
            proc.kill()
            proc.communicate()
    assert agent.status()["ready"] is True


def test_flows__daemon_killed_while_followed__ends_by_itself_and_at_the_next_start(ctl, world):
    agent, a, b, g = world
    with Watch(ctl, agent):
        agent.kill()
        left = _until_ns(agent) - time.monotonic_ns()
        assert left < LEASE_NS  # whoever dies with it on: it is over in a while
    agent.start()
    agent.wait_endpoints(a, b, g)
    assert _until_ns(agent) == 0
    recent = ctl("flows", "-o", "json")
    assert (recent.returncode, recent.stdout) == (0, "")


def test_flows__recent__those_that_somebody_followed(ctl, world):
    agent, a, b, _ = world
    with Watch(ctl, agent) as w:
        assert probe.one(a, "tcp", b.ip6, 80, timeout=probe.ALLOWED_S).ok
        w.next()
    table = ctl("flows", "--pod", "acme/a")
    assert table.returncode == 0
    head, line = table.stdout.splitlines()[:2]
    assert head.split() == ["TIME", "WHAT", "DIR", "WHY", "POD", "PEER"]
    assert line.split()[1:] == ["pass", "out", "default", "acme/a", "tcp/80", b.ip6]


@pytest.mark.parametrize("argv, word", [
    (("flows", "--sample", "0"), "sample"), (("flows", "-p", "a"), "NAMESPACE/POD"),
    (("flows", "-P", "http"), "proto"), (("flows", "-q", "70000"), "port"),
    (("flows", "-c", "friend"), "class"), (("flows", "x"), "argument"),
    (("events", "--sample", "2"), "sample")])
def test_flows__wrong__exit_2_and_one_line(ctl, argv, word):
    done = ctl(*argv)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and word in done.stderr
