# SPDX-License-Identifier: Apache-2.0
"""UDP, TCP and ICMP at once between pods, counted packet by packet where it leaves and where it arrives
(nftables counters inside the pods): who lost what, and who got what was not for him."""

import itertools
import json
import time

PORT = 9002
PPS = 50  # of each protocol, family and pair
DRAIN_S = 0.3
KINDS = ("udp", "tcp", "icmp")
_MATCH = {4: ("ip", "icmp"), 6: ("ip6", "icmpv6")}


def _rule(family, kind, word, address, name):
    table, icmp = _MATCH[family]
    # echo alone: neighbour discovery goes on with whoever is there
    what = f"{icmp} type {{ echo-request, echo-reply }}" if kind == "icmp" else f"meta l4proto {kind}"
    return f"    {table} {word} {address} {what} counter name {name}\n"


class Mixed:
    """own, foreign: [(pod, pod)]."""

    def __init__(self, own, foreign, pps=PPS):
        self.own, self.foreign, self.pps = own, foreign, pps
        self._pods = {p: None for pair in own + foreign for p in pair}
        self._running = []
        for pod in self._pods:
            if not getattr(pod, "has_meter_sink", False):
                pod.helper.call("mixed_sink", port=PORT)
                pod.has_meter_sink = True
            self._pods[pod] = self._table(pod)

    def _table(self, pod):
        """One counter for each peer, direction, family and protocol; {key: its name}."""
        names, rules, serial = {}, {"out": "", "in": ""}, itertools.count()
        for peer, family, kind in itertools.product(self._pods, _MATCH, KINDS):
            address = peer.ip4 if family == 4 else peer.ip6
            for way, word in (("out", "daddr"), ("in", "saddr")):
                name = names[way, peer, family, kind] = f"n{next(serial)}"
                rules[way] += _rule(family, kind, word, address, name)
        counters = "".join(f"  counter {n} {{ }}\n" for n in names.values())
        pod.run("nft", "-f", "-", stdin=(
            f"table inet counted {{ }}\ndelete table inet counted\ntable inet counted {{\n{counters}"
            f"  chain out {{\n    type filter hook output priority 0\n{rules['out']}  }}\n"
            f"  chain in {{\n    type filter hook input priority 0\n{rules['in']}  }}\n}}\n"))
        return names

    def start(self):
        for src, dst in self.own + self.foreign:
            for family, kind in itertools.product(_MATCH, KINDS):
                number = src.helper.call("mixed_start", kind=kind, pps=self.pps, port=PORT,
                                         dst=dst.ip4 if family == 4 else dst.ip6)
                self._running.append((src, number))
        return self

    def _read(self, pod):
        listed = json.loads(pod.run("nft", "-j", "list", "counters", "table", "inet", "counted"))
        by_name = {c["counter"]["name"]: c["counter"]["packets"] for c in listed["nftables"]
                   if "counter" in c}
        return {key: by_name[name] for key, name in self._pods[pod].items()}

    def stop(self):
        """Figures: own packets sent, lost, foreign ones sent, arrived; and the same by protocol."""
        for src, number in self._running:
            src.helper.call("mixed_stop", number=number)
        self._running = []
        time.sleep(DRAIN_S)  # what is on the way arrives or does not: there is no event for "not"
        counts = {pod: self._read(pod) for pod in self._pods}
        out = {f"{what}{k}": 0 for k in ("", *(f"_{k}" for k in KINDS))
               for what in ("own_sent", "own_lost", "foreign_sent", "foreign_arrived")}
        for kind_of, pairs in (("own", self.own), ("foreign", self.foreign)):
            ways = {way for a, b in pairs for way in ((a, b), (b, a))}  # answers too
            for (a, b), family, kind in itertools.product(ways, _MATCH, KINDS):
                sent, got = counts[a]["out", b, family, kind], counts[b]["in", a, family, kind]
                second = sent - got if kind_of == "own" else got
                for k in ("", f"_{kind}"):
                    out[f"{kind_of}_sent{k}"] += sent
                    out[f"{kind_of}_{'lost' if kind_of == 'own' else 'arrived'}{k}"] += second
        return out
