# SPDX-License-Identifier: Apache-2.0
"""Pods come and go: what they used is given back, in the kernel and in the daemon."""

import os
import subprocess

import pytest

from lib import manifests

AT_ONCE = 25
ROUNDS = int(os.environ.get("BH_ROUNDS", "2")) * 2  # 40 in make soak: a thousand pods
WARM_UP = 2  # rounds after which everything that grows once has grown
RSS_SLACK = 512 << 10
BIND_S = 20


class Crowd:
    """Pods without anything in them: a veth each into a namespace that a sleeping process holds."""

    def __init__(self, node, turn):
        self.node = node
        self.pods = []
        self.holders = []
        lines = []
        for i in range(AT_ONCE):
            self.holders.append(subprocess.Popen(["unshare", "--net", "sleep", "600"]))
            _wait_netns(self.holders[-1].pid)
            name, ip4 = f"ch{turn}x{i}", f"10.244.{node.index}.{100 + i}"
            lines += [f"link add {name} type veth peer name eth0 netns {self.holders[-1].pid}",
                      f"link set {name} up", f"route add {ip4}/32 dev {name}"]
            self.pods.append((name, manifests.pod("crowd", f"p{turn}-{i}", node.name, [ip4])))
        node.ip(*lines)

    def objects(self):
        return [obj for _, obj in self.pods]

    def names(self):
        return {name: obj["metadata"]["name"] for name, obj in self.pods}

    def close(self):
        self.node.ip(*(f"link del {name}" for name, _ in self.pods))
        for p in self.holders:
            p.kill()
            p.wait()


def _wait_netns(pid):
    own = os.stat("/proc/self/ns/net").st_ino
    for _ in range(1_000_000):
        if os.stat(f"/proc/{pid}/ns/net").st_ino != own:
            return
    raise AssertionError("no namespace of its own")


def _footprint(agent):
    """What could leak."""
    pid = agent.status()["pid"]
    bpffs = agent.argv[agent.argv.index("--bpffs") + 1]
    with open(f"/proc/{pid}/statm", encoding="ascii") as f:
        rss = int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    pins = subprocess.run(["find", str(bpffs)], capture_output=True, text=True, check=True)
    kinds = [os.readlink(f"/proc/{pid}/fd/{fd}").split(":")[0]
             for fd in os.listdir(f"/proc/{pid}/fd")]
    # by design: counters and numbers of Tenants stay, these tests' markers among them; what limits
    # events and what is a flow ends by age
    stays = ("bh_stats", "bh_tenant_ids", "bh_event_limits", "bh_flows")
    maps = {m["name"]: m["entries"] for m in agent.status()["datapath"]["maps"]
            if m["name"] not in stays}
    return {"pins": sorted(pins.stdout.splitlines()), "fds": sorted(kinds), "maps": maps}, rss


@pytest.mark.parametrize("attach", ["tcx", "clsact"])
def test_pods_up_and_down__nothing_is_left(network, make_agent, attach):
    node = network.node
    if node.wiring != "ptp":
        pytest.skip("the wiring makes no difference")
    agent = make_agent(node, extra=["--attach", attach])
    agent.write(manifests.of_node(node), manifests.tenant("acme", ["crowd"]))
    agent.start()
    seen = []
    for turn in range(WARM_UP + ROUNDS):
        crowd = Crowd(node, turn)
        try:
            agent.submit(*crowd.objects())
            agent.wait_status(
                lambda s: {i["name"] for i in s["datapath"]["interfaces"]
                           if i["state"] == "enforced"} >= set(crowd.names()), "bound", BIND_S)
        finally:
            crowd.close()
        agent.submit(remove=crowd.objects())
        agent.wait_applied()
        agent.wait_status(lambda s: not any(i["name"] in crowd.names()
                                            for i in s["datapath"]["interfaces"]), "gone", BIND_S)
        seen.append(_footprint(agent))
    agent.stop()
    before, rss_before = seen[WARM_UP - 1]
    after, rss_after = seen[-1]
    print(f"{ROUNDS * AT_ONCE} pods, {attach}: RSS {rss_before >> 10} -> {rss_after >> 10} KiB, "
          f"{len(after['pins'])} pins, {len(after['fds'])} descriptors")
    assert after == before
    assert rss_after - rss_before < RSS_SLACK
