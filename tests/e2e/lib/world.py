# SPDX-License-Identifier: Apache-2.0
"""A small cluster to put policy to the test: two tenants with two pods each, a pod that both claim, two
pods of nobody, two system pods, one pod that no object knows; nodes and the world outside."""

from dataclasses import dataclass

from lib import manifests, net, probe

PORT = 8080
NAMESPACES = ("acme", "globex", "both", "loose", "kube-system")
# name: namespace, class, tenant
PODS = {
    "acme-1": ("acme", "tenant", "acme"),
    "acme-2": ("acme", "tenant", "acme"),
    "globex-1": ("globex", "tenant", "globex"),
    "globex-2": ("globex", "tenant", "globex"),
    "conflict-1": ("both", "conflict", None),
    "conflict-2": ("both", "conflict", None),
    "loose-1": ("loose", "unassigned", None),
    "loose-2": ("loose", "unassigned", None),
    "system-1": ("kube-system", "system", None),
    "system-2": ("kube-system", "system", None),
}
KINDS = (("tcp", PORT), ("udp", PORT), ("icmp", 0))


@dataclass(frozen=True)
class End:
    """Something that a probe starts from or goes to, with one address of each family."""

    name: str
    ns: net.Netns
    address: dict  # family -> address
    cls: str
    tenant: str = None
    enforced: bool = True  # its node has a ready agent

    def __str__(self):
        return self.name


class World:
    """agents: how many of the nodes run a (ready) agent; make_agent makes them."""

    def __init__(self, network, make_agent, agents=None):
        self.network = network
        self.n_agents = len(network.nodes) if agents is None else agents
        self.ends = {}
        for i, (name, (_, cls, tenant)) in enumerate(PODS.items()):
            node = network.nodes[i % len(network.nodes)]
            pod = node.add_pod(name)
            self._end(name, pod, {4: pod.ip4, 6: pod.ip6}, cls, tenant, self._enforced(node))
        for node in network.nodes:
            self._end(node.name, node, {4: node.ip4, 6: node.ip6}, "node")
            self._end(f"{node.name}-gateway", node, {4: node.gateway4, 6: node.gateway6}, "node")
        outside = network.outside
        self._end("public", outside, outside.PUBLIC, "world_public")
        self._end("private", outside, outside.PRIVATE, "world_private")
        self.agents = [make_agent(node) for node in network.nodes[:self.n_agents]]
        for agent in self.agents:
            agent.write(*self.objects())
            agent.start(wait=False)
        for agent in self.agents:
            agent.wait_ready()
            agent.wait_endpoints(*(e.ns for e in self.pods() if e.ns.node is agent.node))

    def _enforced(self, node):
        return self.network.nodes.index(node) < self.n_agents

    def _end(self, name, ns, address, cls, tenant=None, enforced=True):
        self.ends[name] = End(name, ns, dict(address), cls, tenant, enforced)

    def __getitem__(self, name):
        return self.ends[name]

    def pods(self):
        return [e for e in self.ends.values() if e.name in PODS]

    def objects(self):
        """The whole cluster, without grants."""
        return [*map(manifests.namespace, NAMESPACES), *self.tenants(),
                *(manifests.of_node(n, ready=self._enforced(n)) for n in self.network.nodes),
                *(manifests.of_pod(e.ns, PODS[e.name][0]) for e in self.pods())]

    def tenants(self, acme=None, globex=None):
        """Both Tenants, each with this `network`."""
        return [manifests.tenant(name, [name, "both"], **({"network": n} if n is not None else {}))
                for name, n in (("acme", acme), ("globex", globex))]

    def apply(self, *objects):
        for agent in self.agents:
            agent.submit(*objects)
        for agent in self.agents:
            agent.wait_applied()

    def grant(self, acme=None, globex=None):
        self.apply(*self.tenants(acme, globex))


def cells(world, kinds=KINDS):
    """[(sender, receiver, kind, port)]: every pair with a pod in it."""
    for s in world.ends.values():
        for d in world.ends.values():
            if s.ns is not d.ns and (s in world.pods() or d in world.pods()):
                for kind, port in kinds:
                    yield s, d, kind, port


def try_all(rows, *families):
    """rows: (sender, receiver, kind, port, is it to pass). A line for each that went otherwise."""
    rows = [(*row, f) for row in rows for f in families]
    answers = probe.run([(s.ns, probe.Probe(
        kind, d.address[f], port, src=s.address[f],
        timeout=probe.ALLOWED_S if ok else probe.DENIED_S)) for s, d, kind, port, ok, f in rows])
    wrong = []
    for (s, d, kind, port, ok, f), a in zip(rows, answers):
        if a.ok and kind != "icmp" and a.peer != d.ns.name:
            wrong.append(f"{kind}/{port} {s} -> {d} (IPv{f}): answered by {a.peer}")
        elif a.ok != ok:
            wrong.append(f"{kind}/{port} {s} -> {d} (IPv{f}): {'passed' if a.ok else a.why}, "
                         f"expected to be {'allowed' if ok else 'denied'}")
    return wrong
