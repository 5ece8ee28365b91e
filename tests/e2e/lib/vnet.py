# SPDX-License-Identifier: Apache-2.0
"""Pods that put frames with a virtio-net header on the wire, and a wire's end to look at.

A guest's frames come as Kata wires them: tap0_kata and the pod's eth0 are tied together by TC
redirects (act_mirred), in both directions. A pod without a VM does the same by a packet socket with
PACKET_VNET_HDR. Both hand the kernel a header that it only checks for bounds.

The receiver is the far end of a veth whose near end can neither finish a checksum nor segment, as a
network card without offloads: so the kernel does it on the way, and what it wrote is on the wire.
"""

import itertools

from lib import frames, probe

TAP = "tap0_kata"
MTU = 9000  # room for frames of more than a page, the only ones that are not linear
MARKER_PORT = 9
MARKER_S = 3
WARM_UP_S = 0.2
WARM_UP_TRIES = 25


class Guest:
    """via: "tap" or "packet". Takes the pod over: with a tap its own stack hears nothing more."""

    def __init__(self, pod, via, hdr_len=10, tunnel=False):
        self.pod = pod
        self.via = via
        self.hdr_len = hdr_len
        pod.ip(f"link set eth0 mtu {MTU}")
        pod.node.ip(f"link set {pod.host_if} mtu {MTU}")
        self.ifname = "eth0"
        if via == "tap":
            self._tie_tap(tunnel)

    def _tie_tap(self, tunnel):
        self.pod.helper.call("tap_open", ifname=TAP, hdr_len=self.hdr_len, tunnel=tunnel)
        self.pod.ip(f"link set {TAP} mtu {MTU} up")
        for one, other in ((TAP, "eth0"), ("eth0", TAP)):
            self.pod.run("tc", "qdisc", "add", "dev", one, "ingress")
            self.pod.run("tc", "filter", "add", "dev", one, "parent", "ffff:", "protocol", "all",
                         "u32", "match", "u32", "0", "0",
                         "action", "mirred", "egress", "redirect", "dev", other)
        self.ifname = TAP

    def send(self, *pairs):
        """pairs: (Vnet, frame). Per frame 0, or the errno of a kernel that refused it."""
        return self.pod.helper.call("send", ifname=self.ifname, frames=[
            (v.pack(self.hdr_len) + f).hex() for v, f in pairs])


class FarEnd:
    """Captures what arrives at a pod's eth0."""

    def __init__(self, pod):
        self.pod = pod
        pod.ip(f"link set eth0 mtu {MTU}")
        pod.node.ip(f"link set {pod.host_if} mtu {MTU}")
        pod.node.run("ethtool", "-K", pod.host_if, "tx", "off", "tso", "off", "gso", "off",
                     "tx-udp-segmentation", "off", "sg", "off")
        if pod.node.wiring == "bridge":
            pod.node.ip(f"link set cni0 mtu {MTU}")
        pod.helper.call("capture_start", ifname="eth0")

    def wait(self, needle, timeout=MARKER_S):
        """[(vnet header, frame)] up to the one that holds the bytes `needle`; None if it never came."""
        got = self.pod.helper.call("capture_wait", ifname="eth0", needle=needle.hex(),
                                   timeout=timeout)
        return got and [(bytes.fromhex(g)[:10], bytes.fromhex(g)[10:]) for g in got]


class Line:
    """A guest and a far end that are next to each other."""

    def __init__(self, guest, far):
        self.guest = guest
        self.far = far
        node = guest.pod.node
        near = far.pod.mac("eth0") if node.wiring == "bridge" else node.gateway_mac(guest.pod)
        self.path = frames.Path(guest.pod.mac("eth0"), near,
                                {4: guest.pod.ip4, 6: guest.pod.ip6}, {4: far.pod.ip4, 6: far.pod.ip6})
        self._serial = itertools.count(1)
        for family in (4, 6):
            self._warm_up(family)

    def _marker(self, family):
        text = b"marker-%d-%d" % (id(self), next(self._serial))
        return text, (frames.Vnet(), self.path.udp(family, MARKER_PORT, text, partial=False))

    def _warm_up(self, family):
        """Until the neighbours know each other and, behind a filter, the pods are let through."""
        for _ in range(WARM_UP_TRIES):
            text, pair = self._marker(family)
            self.guest.send(pair)
            if self.far.wait(text, WARM_UP_S):
                return
        raise probe.HelperError(f"nothing gets from {self.guest.pod} to {self.far.pod}")

    def carry(self, vnet, frame, token):
        """Send one frame, and an honest one after it. (errno of the first, what arrived of it: frames
        with `token`). The second one's arrival says that the first is there, or will never be."""
        family = 4 if frame[12:14] == b"\x08\x00" else 6
        text, marker = self._marker(family)
        refused, failed = self.guest.send((vnet, frame), marker)
        assert failed == 0
        got = self.far.wait(text)
        assert got is not None, "the honest frame after it did not arrive"
        return refused, [(h, f) for h, f in got if token in f and text not in f]
