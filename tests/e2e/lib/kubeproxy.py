# SPDX-License-Identifier: Apache-2.0
"""What kube-proxy does on a node, from the same Service and EndpointSlice manifests that the agents get:
an nftables table that translates cluster, external and load-balancer addresses to backends, for what
comes in (prerouting) and for what the node sends (output), as its nftables mode does; and a tally of
what really arrives at a place.
"""

import itertools
import json

MARK = 0x4000
_FAMILY = {4: ("ip", "ipv4"), 6: ("ip6", "ipv6")}


def family_of(address):
    return 6 if ":" in address else 4


def _end(address, port):
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def service(namespace, name, addresses, ports, external=(), load_balancer=(), **more):
    """ports: (protocol, port). addresses: of the cluster. more: selector, labels, annotations."""
    meta = {"name": name, "namespace": namespace, "uid": f"uid-{namespace}-{name}",
            "labels": dict(more.get("labels", {})), "annotations": dict(more.get("annotations", {}))}
    spec = {"type": "ClusterIP", "clusterIP": addresses[0], "clusterIPs": list(addresses),
            "ipFamilyPolicy": "PreferDualStack",
            "ports": [{"name": f"{proto.lower()}-{port}", "protocol": proto, "port": port,
                       "targetPort": port} for proto, port in ports]}
    if external:
        spec["externalIPs"] = list(external)
    if "selector" in more:
        spec["selector"] = dict(more["selector"])
    status = {"loadBalancer": {"ingress": [{"ip": a} for a in load_balancer]}}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec, "status": status}


def slices(namespace, service_name, backends, ports, tag="", ready=True):
    """EndpointSlices by hand, one for each family: no selector, no controller, no targetRef
    (CVE-2021-25740). backends: addresses of both families, in any order; ports: (protocol, port)."""
    out = []
    for family in (4, 6):
        mine = [a for a in backends if family_of(a) == family]
        out.append({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": f"{service_name}{tag}-v{family}", "namespace": namespace,
                         "labels": {"kubernetes.io/service-name": service_name}},
            "addressType": f"IPv{family}",
            "endpoints": [{"addresses": [a], "conditions": {"ready": ready}} for a in mine],
            "ports": [{"name": f"{proto.lower()}-{port}", "protocol": proto, "port": port}
                      for proto, port in ports]})
    return out


class KubeProxy:
    """masquerade: None; "all", as --masquerade-all; or "external", what is not the cluster's own
    address, as externalTrafficPolicy: Cluster."""

    def __init__(self, node, masquerade=None):
        self.node = node
        self.masquerade = masquerade
        if node.wiring == "bridge":  # as every kube-proxy host: else replies inside a bridge bypass it
            node.sysctl({"net/bridge/bridge-nf-call-iptables": 1,
                         "net/bridge/bridge-nf-call-ip6tables": 1})

    def sync(self, objects):
        """Replace everything by what these objects say, at once. Others than Services and slices
        are passed over."""
        services = [o for o in objects if o["kind"] == "Service"]
        all_slices = [o for o in objects if o["kind"] == "EndpointSlice"]
        self.node.run("nft", "-f", "-", stdin="".join(
            self._table(family, services, all_slices) for family in _FAMILY))

    def close(self):
        for table, _ in _FAMILY.values():
            self.node.run("nft", "-f", "-", stdin=_fresh(table) + f"delete table {table} kube-proxy\n")

    def _table(self, family, services, all_slices):
        table, _ = _FAMILY[family]
        chains, rules, serial = [], [], itertools.count(1)
        for s in services:
            for port in s["spec"]["ports"]:
                ends = _backends(s, port, all_slices, family)
                if not ends:
                    continue
                name = f"service-{next(serial)}"
                marked = f"{name}-marked"
                chains.append(_chains(name, port["protocol"].lower(), ends))
                for address, external in _addresses(s, family):
                    mark = self.masquerade == "all" or (self.masquerade == "external" and external)
                    rules.append(f"{table} daddr {address} {port['protocol'].lower()} dport "
                                 f"{port['port']} goto {marked if mark else name}")
        body = "\n".join(rules)
        return (_fresh(table) + f"delete table {table} kube-proxy\ntable {table} kube-proxy {{\n" +
                "".join(chains) + f"""
  chain services {{
{body}
  }}
  chain nat-prerouting {{ type nat hook prerouting priority dstnat; jump services; }}
  chain nat-output {{ type nat hook output priority -100; jump services; }}
  chain nat-postrouting {{
    type nat hook postrouting priority srcnat;
    meta mark & {MARK:#x} == 0 return
    meta mark set meta mark xor {MARK:#x}
    masquerade fully-random
  }}
}}
""")


def _fresh(table):
    """So that `delete` finds it."""
    return f"table {table} kube-proxy {{ }}\n"


def _chains(name, proto, ends):
    out = ""
    for i, end in enumerate(ends):
        out += f"  chain {name}-{i} {{\n    meta l4proto {proto} dnat to {end}\n  }}\n"
    choice = ", ".join(f"{i} : goto {name}-{i}" for i in range(len(ends)))
    return out + (f"  chain {name} {{\n    numgen random mod {len(ends)} vmap {{ {choice} }}\n  }}\n"
                  f"  chain {name}-marked {{\n    meta mark set meta mark or {MARK:#x}\n"
                  f"    goto {name}\n  }}\n")


def _addresses(s, family):
    """[(address, is it an external one)]"""
    spec = s["spec"]
    lb = [i["ip"] for i in s.get("status", {}).get("loadBalancer", {}).get("ingress", ())]
    all_of = [(a, False) for a in spec["clusterIPs"]]
    all_of += [(a, True) for a in (*spec.get("externalIPs", ()), *lb)]
    return [(a, external) for a, external in all_of if family_of(a) == family]


def _backends(s, port, all_slices, family):
    meta = s["metadata"]
    return [_end(e["addresses"][0], p["port"]) for sl in all_slices
            if sl["metadata"]["namespace"] == meta["namespace"] and
            sl["metadata"]["labels"]["kubernetes.io/service-name"] == meta["name"] and
            sl["addressType"] == f"IPv{family}"
            for p in sl["ports"] if p["name"] == port["name"]
            for e in sl["endpoints"] if e["conditions"]["ready"]]


class Tally:
    """Counts what a network namespace takes in for itself, by address and port, whatever its sockets
    make of it. ends: (address, port)."""

    def __init__(self, ns, ends):
        self.ns = ns
        self._names = {end: f"n{i}" for i, end in enumerate(ends)}
        lines = [f"  counter {n} {{ }}\n" for n in self._names.values()]
        rules = []
        for (address, port), n in self._names.items():
            table, _ = _FAMILY[family_of(address)]
            rules += [f"    {table} daddr {address} {proto} dport {port} counter name {n}\n"
                      for proto in ("tcp", "udp")]
        ns.run("nft", "-f", "-", stdin=(
            "table inet tally { }\ndelete table inet tally\ntable inet tally {\n" + "".join(lines) +
            "  chain in {\n    type filter hook input priority 0;\n" + "".join(rules) + "  }\n}\n"))

    def counts(self):
        """{(address, port): packets}, of those that are not 0."""
        listed = json.loads(self.ns.run("nft", "-j", "list", "counters", "table", "inet", "tally"))
        by_name = {c["counter"]["name"]: c["counter"]["packets"] for c in listed["nftables"]
                   if "counter" in c}
        return {end: by_name[n] for end, n in self._names.items() if by_name[n]}
