# SPDX-License-Identifier: Apache-2.0
"""Two nodes with an agent and a kube-proxy each, two tenants with pods on both, a cluster DNS, an API
server, and whatever a Service must not lead to."""

import itertools
from dataclasses import dataclass

from lib import kubeproxy, manifests, net

PORT = 8080
FAMILIES = (4, 6)
CIDRS = ("10.244.0.0/16", "fd00:10:244::/48", "10.96.0.0/16", "fd00:10:96::/112")
PODS = {  # name: namespace, node
    "a1": ("acme", 1), "a3": ("acme", 1), "a2": ("acme", 2), "a4": ("acme", 2),
    "g1": ("globex", 1), "g2": ("globex", 2), "g3": ("globex", 1),
    "loose": ("loose", 2), "dns": ("kube-system", 2),
}
PRIVATE = {4: "10.99.0.1", 6: "fd99:99::1"}
API = {4: "10.99.0.2", 6: "fd99:99::2"}
METADATA = {4: "169.254.169.254", 6: "fd00:ec2::254"}
API_PORT, METADATA_PORT = 6443, 80


@dataclass(frozen=True)
class Target:
    """Where nothing of acme's may arrive."""

    name: str
    ns: net.Netns
    address: dict  # family -> address
    port: int = PORT


class Cluster:
    def __init__(self, network, make_agent):
        self.network = network
        self._serial = itertools.count(0x100)
        self._pods = {name: network.nodes[n - 1].add_pod(f"{name}")
                      for name, (_, n) in PODS.items()}
        self._current = []
        self.proxies = []
        self.dns_ips = ("10.96.0.10", "fd00:10:96::a")
        self.web_addresses = ()
        self._dress_outside(network.outside)
        self.targets = self._targets()
        extra = [o for cidr in CIDRS for o in ("--cluster-cidrs", cidr)]
        self.agents = [make_agent(node, extra) for node in network.nodes]
        for agent in self.agents:
            agent.write(*self.base())
            agent.start(wait=False)
        for agent in self.agents:
            agent.wait_ready()
            agent.wait_endpoints(*(p for p in self._pods.values() if p.node is agent.node))

    def close(self):
        """The agents and the network are the fixtures'; what is on the nodes' own goes with them."""
        for p in self.proxies:
            p.close()
        for pod in self._pods.values():
            pod.close()

    def __getitem__(self, name):
        return self._pods[name]

    @staticmethod
    def _dress_outside(outside):
        for a in (PRIVATE, API, METADATA):
            outside.ip(f"addr replace {a[4]}/32 dev lo", f"addr replace {a[6]}/128 dev lo nodad")
        outside.serve(tcp=(API_PORT,), udp=(API_PORT,))

    def _targets(self):
        out = [Target(n, self[n], {4: self[n].ip4, 6: self[n].ip6})
               for n in ("g1", "g2", "loose", "dns")]
        for node in self.network.nodes:
            out.append(Target(node.name, node, {4: node.ip4, 6: node.ip6}))
            out.append(Target(f"gateway of {node.name}", node, {4: node.gateway4, 6: node.gateway6}))
        outside = self.network.outside
        return out + [Target("private", outside, PRIVATE),
                      Target("metadata", outside, METADATA, METADATA_PORT),
                      Target("API server", outside, API, API_PORT)]

    def base(self):
        """Everything but the tenants' Services."""
        dns, api = (("UDP", 53), ("TCP", 53)), (("TCP", API_PORT),)
        pod = self["dns"]
        return [*map(manifests.namespace, ("acme", "globex", "loose", "kube-system", "default")),
                manifests.tenant("acme", ["acme"]), manifests.tenant("globex", ["globex"]),
                *map(manifests.of_node, self.network.nodes),
                *(manifests.of_pod(self[n], ns) for n, (ns, _) in PODS.items()),
                *self._cluster_services(dns, pod, api)]

    def _cluster_services(self, dns, pod, api):
        return [kubeproxy.service("kube-system", "kube-dns", self.dns_ips, dns),
                *kubeproxy.slices("kube-system", "kube-dns", [pod.ip4, pod.ip6], dns),
                kubeproxy.service("default", "kubernetes", ("10.96.0.1", "fd00:10:96::1"), api),
                *kubeproxy.slices("default", "kubernetes", API.values(), api)]

    def next_ips(self):
        """Cluster addresses that no Service had before, so that no flow is translated by memory."""
        n = next(self._serial)
        return (f"10.96.{n >> 8}.{n & 255}", f"fd00:10:96::{n:x}")

    def own_addresses(self):
        return [a for n in ("a2", "a3") for a in (self[n].ip4, self[n].ip6)]

    def proxy(self, masquerade):
        """A kube-proxy of that kind on every node, from now on."""
        for p in self.proxies:
            p.close()
        self.proxies = [kubeproxy.KubeProxy(n, masquerade) for n in self.network.nodes]

    def apply(self, *objects):
        for agent in self.agents:
            agent.submit(*objects)
        for agent in self.agents:
            agent.wait_applied()

    def services(self, *objects, first=False):
        """These, in place of the last ones, in effect everywhere. first: kube-proxy finds them before
        the cluster's own, for what both of them claim."""
        gone = {manifests.key(o): o for o in self._current}
        for o in objects:
            gone.pop(manifests.key(o), None)
        for agent in self.agents:
            agent.submit(*objects, remove=gone.values())
        for agent in self.agents:
            agent.wait_applied()
        self._current = list(objects)
        for p in self.proxies:
            p.sync(self.translated(objects, first))

    def translated(self, objects, first=False):
        """What kube-proxy is given beside the cluster's own Services."""
        mine = self.base()
        return [*objects, *mine] if first else [*mine, *objects]

    def tally(self):
        """One for each namespace that a target is in, at 0."""
        by_ns = {}
        for t in self.targets:
            by_ns.setdefault(t.ns, []).extend((t.address[f], t.port) for f in FAMILIES)
        return [kubeproxy.Tally(ns, ends) for ns, ends in by_ns.items()]


def arrived(tallies):
    """{(namespace, address, port): packets}"""
    return {(t.ns.name, *end): n for t in tallies for end, n in t.counts().items()}


def honest(cluster):
    """acme's own, with an external address too. Its addresses are in cluster.web_addresses."""
    ports = [("TCP", PORT), ("UDP", PORT)]
    ips = cluster.next_ips()
    external = ("11.22.33.77", "2600:1f18:1122:33::77")
    cluster.web_addresses = (*ips, *external)
    return [kubeproxy.service("acme", "web", ips, ports, external=external),
            *kubeproxy.slices("acme", "web", cluster.own_addresses(), ports)]


def attack(cluster):
    """(objects, probes): Services of acme for each target, alone and beside an own backend."""
    objects, probes = [], []
    for n, (target, beside) in enumerate(itertools.product(cluster.targets, (False, True)), 100):
        ports = [("TCP", target.port), ("UDP", target.port)]
        ips = cluster.next_ips()
        external = (f"11.22.34.{n}", f"2600:1f18:1122:34::{n:x}")
        lb = (f"11.22.35.{n}", f"2600:1f18:1122:35::{n:x}")
        backends = [target.address[f] for f in FAMILIES]
        if beside:
            backends += [cluster["a2"].ip4, cluster["a2"].ip6]
        name = f"steal-{n}"
        objects += [kubeproxy.service("acme", name, ips, ports, external, lb),
                    *kubeproxy.slices("acme", name, backends, ports)]
        probes += [net.probe.Probe(kind, a, target.port) for kind in ("tcp", "udp")
                   for a in (*ips, *external, *lb)
                   # beside an own backend every second one goes astray
                   for _ in range(3 if beside else 1)]
    return objects, probes
