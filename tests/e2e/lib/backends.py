# SPDX-License-Identifier: Apache-2.0
"""Services on nodes made of namespaces: the objects, and nftables rules in kube-proxy's place."""

from lib import manifests, net, world

TARGET_PORT = 8080
ADDRESS = {4: "10.96.0.{}", 6: "fd00:10:96::{:x}"}
CLUSTER_CIDRS = "10.244.0.0/16,10.96.0.0/16,fd00:10:244::/48,fd00:10:96::/64"


class Service:
    """backends: Ends of a World, the first of which all connections go to; a pod, a node, outside.
    told: the backends that the EndpointSlices hold, if they are not (yet) the truth."""

    def __init__(self, namespace, name, number, backends, external=None, told=None):
        self.namespace = namespace
        self.name = name
        self.address = {f: a.format(number) for f, a in ADDRESS.items()}
        self.backends = backends
        self.external = external or {}
        self.told = backends if told is None else told

    def objects(self, synced=False):
        labels = {"vcluster.loft.sh/managed-by": "vc"} if synced else {}
        yield {"apiVersion": "v1", "kind": "Service",
               "metadata": {"namespace": self.namespace, "name": self.name, "labels": labels},
               "spec": {"clusterIP": self.address[4], "clusterIPs": list(self.address.values()),
                        "externalIPs": list(self.external.values()),
                        "ports": [{"name": p, "protocol": p.upper(), "port": world.PORT,
                                   "targetPort": TARGET_PORT} for p in ("tcp", "udp")]}}
        for family in (4, 6):
            yield {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                   "metadata": {"namespace": self.namespace, "name": f"{self.name}-{family}",
                                "labels": {"kubernetes.io/service-name": self.name, **labels}},
                   "addressType": f"IPv{family}",
                   "endpoints": [{"addresses": [b.address[family]]} for b in self.told],
                   "ports": [{"name": p, "protocol": p.upper(), "port": TARGET_PORT}
                             for p in ("tcp", "udp")]}

    def end(self, external=False):
        """Where probes go to; the first backend must answer."""
        first = self.backends[0]
        return world.End(f"{'external ' if external else ''}{self.name}", first.ns,
                         self.external if external else self.address, "service")


def proxy(node: net.Node, services, masquerade):
    """What kube-proxy would do on `node`. A later call replaces an earlier one."""
    dnat = [f"{'ip' if f == 4 else 'ip6'} daddr {a} {p} dport {world.PORT} ct mark set 1 dnat "
            f"{'ip' if f == 4 else 'ip6'} to {target(s.backends[0].address[f], f)}"
            for s in services for addresses in (s.address, s.external)
            for f, a in addresses.items() for p in ("tcp", "udp")]
    post = ["ct mark 1 masquerade"] if masquerade else []
    node.run("nft", "-f", "-", stdin="\n".join([
        "table inet proxy {}", "delete table inet proxy", "table inet proxy {",
        " chain pre { type nat hook prerouting priority dstnat;", *dnat, " }",
        " chain post { type nat hook postrouting priority srcnat;", *post, " }", "}"]) + "\n")


def target(address, family):
    return f"{address}:{TARGET_PORT}" if family == 4 else f"[{address}]:{TARGET_PORT}"


def remove_proxy(node):
    node.run("nft", "delete", "table", "inet", "proxy")


def objects(services, **kw):
    return [o for s in services for o in s.objects(**kw)]


def file_of(obj):
    return manifests.key(obj)
