# SPDX-License-Identifier: Apache-2.0
"""Networks to test in: nodes, pods wired as CNI plugins do it, and a world outside.

Every namespace is held by a helper process (lib/helper.py) and has no name on the machine: closing a
Network, or the death of the test, leaves nothing. Interface names carry the pid all the same.

    node 1 (10.244.1.0/24, fd00:10:244:1::/64)      node 2
      |- pods by host veths ("ptp"), or by cni0 ("bridge")
      |- upl1: 172.20.1.10/24, fd99:20:1::10/64  ---- outside (default route)
      '- und2: 192.168.77.1/24, fd77::1/64       ---- node 2 (routes to its pods)
"""

import itertools
import os
import subprocess

from lib import probe

CARRIER_S = 10
TCP_PORTS = (53, 80, 443, 8080)
UDP_PORTS = (53, 80, 443, 8080)
_serial = itertools.count(1)


class Netns:
    """A network namespace with loopback up and no duplicate address detection."""

    def __init__(self, name):
        self.name = name
        self.helper = probe.Helper(name)
        try:
            self.sysctl({"net/ipv6/conf/all/accept_dad": 0, "net/ipv6/conf/default/accept_dad": 0,
                         "net/ipv6/conf/all/accept_ra": 0, "net/ipv6/conf/default/accept_ra": 0,
                         "net/ipv4/ping_group_range": "0 2147483647"})
            self.ip("link set lo up")
        except BaseException:
            self.close()
            raise

    @property
    def pid(self):
        return self.helper.pid

    @property
    def path(self):
        """Of the namespace, for nsenter and CNI."""
        return f"/proc/{self.pid}/ns/net"

    def command(self, *argv):
        """argv as it is run inside; nsenter becomes the program, so the pid stays."""
        return ["nsenter", f"--net={self.path}", "--", *map(str, argv)]

    def run(self, *argv, stdin=None):
        done = subprocess.run(self.command(*argv), input=stdin, capture_output=True, text=True,
                              check=False)
        if done.returncode:
            raise RuntimeError(f"{self.name}: {' '.join(map(str, argv))}: {done.stderr.strip()}\n"
                               f"{stdin or ''}")
        return done.stdout

    def ip(self, *lines):
        """Lines of `ip -batch`, all or an error."""
        self.run("ip", "-batch", "-", stdin="\n".join(lines) + "\n")

    def sysctl(self, values):
        self.helper.call("sysctl", values=values)

    def wait_running(self, *ifnames):
        for name in ifnames:
            self.helper.call("wait_running", ifname=name, timeout=CARRIER_S)

    def serve(self, tcp=TCP_PORTS, udp=UDP_PORTS):
        self.helper.call("serve", tcp=list(tcp), udp=list(udp))

    def mac(self, ifname):
        line = self.run("ip", "-o", "link", "show", "dev", ifname)
        return line.split("link/ether ")[1].split()[0]

    def close(self):
        self.helper.close()

    def __repr__(self):
        return self.name


def _unique(prefix):
    """An interface name that carries the pid (at most 15 characters)."""
    return f"{prefix}{os.getpid() & 0xffffff:06x}{next(_serial) & 0xfff:03x}"


class Pod(Netns):
    """eth0 and addresses; `host_if` is the other end, on its node."""

    def __init__(self, node, name, number, serve, index=0):
        super().__init__(name)
        self.node = node
        self.namespace = None  # of Kubernetes; set by whoever writes the manifests
        self.ip4 = f"10.244.{node.index}.{number}"
        self.ip6 = f"fd00:10:244:{node.index}::{number:x}"
        self.host_if = _unique("veth")
        try:
            own, peers = ("index 2", f"index {index}") if index else ("", "")  # both or none
            self.ip(f"link add eth0 {own} type veth peer name {self.host_if} {peers} "
                    f"netns {node.pid}",
                    "link set eth0 up")
            node.wire(self)
            self.wait_running("eth0")
            if serve:
                self.serve()
        except BaseException:
            self.close()
            raise

    def addresses(self, family):
        return [self.ip4 if family == 4 else self.ip6]


class Node(Netns):
    """A worker. wiring: ptp or bridge, as the CNI plugins of these names."""

    def __init__(self, network, index, wiring):
        super().__init__(f"node{index}")
        self.network = network
        self.index = index
        self.wiring = wiring
        self.gateway4 = f"10.244.{index}.1"
        self.gateway6 = f"fd00:10:244:{index}::1"
        self.pod_cidr4 = f"10.244.{index}.0/24"
        self.pod_cidr6 = f"fd00:10:244:{index}::/64"
        self.uplink = f"upl{index}"
        self.ip4 = f"172.20.{index}.10"
        self.ip6 = f"fd99:20:{index}::10"
        self.underlay = []  # addresses on links to other nodes
        self.pods = []
        try:
            self.sysctl({"net/ipv4/ip_forward": 1, "net/ipv6/conf/all/forwarding": 1,
                         "net/ipv4/conf/all/rp_filter": 0, "net/ipv4/conf/default/rp_filter": 0})
            if wiring == "bridge":
                # without an address of its own it would take a new port's, if that is lower, and
                # pods would go on sending to the old one
                self.ip(f"link add cni0 address 02:00:00:00:00:{index:02x} type bridge",
                        "link set cni0 up",
                        f"addr add {self.gateway4}/24 dev cni0",
                        f"addr add {self.gateway6}/64 dev cni0 nodad")
            self.serve()
        except BaseException:
            self.close()
            raise

    def add_pod(self, name, serve=True, index=0):
        """index: of the host's end, 0 for the kernel's choice."""
        pod = Pod(self, name, 10 + len(self.pods), serve, index)
        self.pods.append(pod)
        self.network.own(pod)
        return pod

    def wire(self, pod):
        {"ptp": self._wire_ptp, "bridge": self._wire_bridge}[self.wiring](pod)

    def wire_again(self, pod):
        """Give the host's end back what it lost when it went down or away."""
        if self.wiring == "bridge":
            self.ip(f"link set {pod.host_if} master cni0", f"link set {pod.host_if} up")
            return
        self.ip(f"link set {pod.host_if} up",
                f"addr replace {self.gateway4}/32 dev {pod.host_if}",
                f"addr replace {self.gateway6}/128 dev {pod.host_if} nodad",
                f"route replace {pod.ip4}/32 dev {pod.host_if}",
                f"route replace {pod.ip6}/128 dev {pod.host_if}")

    def _wire_ptp(self, pod):
        """Everything goes by the gateway, which is an address of the host's end alone."""
        self.ip(f"link set {pod.host_if} up",
                f"addr add {self.gateway4}/32 dev {pod.host_if}",
                f"addr add {self.gateway6}/128 dev {pod.host_if} nodad",
                f"route add {pod.ip4}/32 dev {pod.host_if}",
                f"route add {pod.ip6}/128 dev {pod.host_if}")
        pod.ip(f"addr add {pod.ip4}/24 dev eth0 noprefixroute",
               f"route add {self.gateway4} dev eth0 scope link src {pod.ip4}",
               f"route add {self.pod_cidr4} via {self.gateway4} dev eth0 src {pod.ip4}",
               f"route add default via {self.gateway4} dev eth0",
               f"addr add {pod.ip6}/64 dev eth0 nodad noprefixroute",
               f"route add {self.gateway6}/128 dev eth0",
               f"route add {self.pod_cidr6} via {self.gateway6} dev eth0",
               f"route add ::/0 via {self.gateway6} dev eth0")

    def _wire_bridge(self, pod):
        self.ip(f"link set {pod.host_if} master cni0",
                f"link set {pod.host_if} type bridge_slave hairpin on",
                f"link set {pod.host_if} up")
        pod.ip(f"addr add {pod.ip4}/24 dev eth0", f"addr add {pod.ip6}/64 dev eth0 nodad",
               f"route add default via {self.gateway4}", f"route add ::/0 via {self.gateway6}")

    def addresses(self, family):
        """Those that a pod can know: of the uplink, and the pods' gateway."""
        return [self.ip4, self.gateway4] if family == 4 else [self.ip6, self.gateway6]

    def gateway_mac(self, pod):
        """The MAC that `pod` sends to when it sends to another subnet."""
        return self.mac("cni0" if self.wiring == "bridge" else pod.host_if)


class Outside(Netns):
    """A host beyond the nodes' uplinks: one address that the whole world can reach (no registry of
    special addresses lists it), one that is private. Routes back to the pods: no address
    translation, so that both sides see each other's real ones."""

    PUBLIC = {4: "11.22.33.44", 6: "2600:1f18:1122:33::44"}
    PUBLIC_OTHER = {4: "11.22.33.200", 6: "2600:1f18:1122:33::200"}
    PRIVATE = {4: "172.20.255.1", 6: "fd99:20:ff::1"}

    def __init__(self):
        super().__init__("outside")
        try:
            self.sysctl({"net/ipv4/ip_forward": 1, "net/ipv6/conf/all/forwarding": 1})
            self.ip(*(f"addr add {a[4]}/32 dev lo" for a in (self.PUBLIC, self.PUBLIC_OTHER,
                                                             self.PRIVATE)),
                    *(f"addr add {a[6]}/128 dev lo nodad" for a in (self.PUBLIC, self.PUBLIC_OTHER,
                                                                    self.PRIVATE)))
            self.serve()
        except BaseException:
            self.close()
            raise

    def attach(self, node):
        i = node.index
        self.ip(f"link add if{i} type veth peer name {node.uplink} netns {node.pid}",
                f"link set if{i} up", f"addr add 172.20.{i}.1/24 dev if{i}",
                f"addr add fd99:20:{i}::1/64 dev if{i} nodad")
        node.ip(f"link set {node.uplink} up", f"addr add {node.ip4}/24 dev {node.uplink}",
                f"addr add {node.ip6}/64 dev {node.uplink} nodad",
                f"route add default via 172.20.{i}.1", f"route add ::/0 via fd99:20:{i}::1")
        node.wait_running(node.uplink)
        self.ip(f"route add {node.pod_cidr4} via {node.ip4}",
                f"route add {node.pod_cidr6} via {node.ip6}")


class Network:
    """Owns everything; a context manager, or close() in a finalizer."""

    def __init__(self, wiring, nodes=1):
        self._owned = []
        self.nodes = []
        try:
            self.outside = self.own(Outside())
            for index in range(1, nodes + 1):
                node = self.own(Node(self, index, wiring))
                self.nodes.append(node)
                self.outside.attach(node)
            for a, b in itertools.combinations(self.nodes, 2):
                self._join(a, b)
        except BaseException:
            self.close()
            raise

    def own(self, ns):
        self._owned.append(ns)
        return ns

    @property
    def node(self):
        return self.nodes[0]

    def _join(self, a, b):
        """An underlay link with routes to each other's pods, as a routed CNI has them."""
        a.ip(f"link add und{b.index} type veth peer name und{a.index} netns {b.pid}",
             f"link set und{b.index} up")
        b.ip(f"link set und{a.index} up")
        for me, other in ((a, b), (b, a)):
            dev = f"und{other.index}"
            me.underlay += [f"192.168.77.{me.index}", f"fd77::{me.index}"]
            me.ip(f"addr add {me.underlay[-2]}/24 dev {dev}",
                  f"addr add {me.underlay[-1]}/64 dev {dev} nodad")
            me.wait_running(dev)
            me.ip(f"route add {other.pod_cidr4} via 192.168.77.{other.index}",
                  f"route add {other.pod_cidr6} via fd77::{other.index}")

    def close(self):
        while self._owned:
            self._owned.pop().close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
