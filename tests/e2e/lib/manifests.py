# SPDX-License-Identifier: Apache-2.0
"""Kubernetes objects as the API server would give them, as plain dictionaries."""


def tenant(name, namespaces=None, **spec):
    """spec: network={...}, virtualCluster={...}, dns={...} ..."""
    body = dict(spec)
    if namespaces is not None:
        body["namespaces"] = list(namespaces)
    return {"apiVersion": "bulkhead.dev/v1alpha1", "kind": "Tenant", "metadata": {"name": name},
            "spec": body}


def namespace(name, labels=None):
    return {"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "labels": dict(labels or {})}}


def pod(namespace_name, name, node, addresses=(), **more):
    """more: labels, annotations, owner (a controller reference), phase, host_network."""
    meta = {"name": name, "namespace": namespace_name, "uid": f"uid-{namespace_name}-{name}",
            "labels": dict(more.get("labels", {})), "annotations": dict(more.get("annotations", {}))}
    if "owner" in more:
        meta["ownerReferences"] = [dict(more["owner"], controller=True)]
    status = {"phase": more.get("phase", "Running"), "podIPs": [{"ip": a} for a in addresses]}
    if addresses:
        status["podIP"] = addresses[0]
    spec = {"nodeName": node, "containers": [{"name": "main", "image": "example.invalid/none"}]}
    if more.get("host_network"):
        spec["hostNetwork"] = True
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": status}


def node(name, addresses, pod_cidrs, ready=True, host_addresses=()):
    """host_addresses: what its agent would publish."""
    meta = {"name": name}
    if host_addresses:
        meta["annotations"] = {"bulkhead.dev/host-addresses": ",".join(host_addresses)}
    return {"apiVersion": "v1", "kind": "Node", "metadata": meta,
            "spec": {"podCIDR": pod_cidrs[0], "podCIDRs": list(pod_cidrs)},
            "status": {"addresses": [{"type": "InternalIP", "address": a} for a in addresses],
                       "conditions": [{"type": "BulkheadReady",
                                       "status": "True" if ready else "False"}]}}


def of_node(net_node, ready=True):
    """The Node object of a lib.net.Node, as with an agent on it."""
    return node(net_node.name, [net_node.ip4, net_node.ip6],
                [net_node.pod_cidr4, net_node.pod_cidr6], ready,
                [net_node.gateway4, net_node.gateway6, *net_node.underlay])


def of_pod(net_pod, namespace_name, **more):
    """The Pod object of a lib.net.Pod; remembers the namespace in it."""
    net_pod.namespace = namespace_name
    return pod(namespace_name, net_pod.name, net_pod.node.name, [net_pod.ip4, net_pod.ip6], **more)


def key(obj):
    """What tells one object from another, as a file name."""
    meta = obj["metadata"]
    return "-".join(filter(None, [obj["kind"].lower(), meta.get("namespace"), meta["name"]]))
