# SPDX-License-Identifier: Apache-2.0
"""Streams between pods while something happens to the agent: who lost what, and who got what was not
for him."""

import time

SINK_PORT = 9000
PPS = 400
DRAIN_S = 0.5


class Traffic:
    """own: pairs of pods whose packets must all arrive; foreign: pairs of which none may. size: of a
    datagram, 4 or more bytes."""

    def __init__(self, own, foreign, pps=PPS, size=4):
        self.own, self.foreign, self.pps, self.size = own, foreign, pps, size
        self._sinks = {dst for _, dst in own + foreign}
        self._streams = []
        for pod in self._sinks:
            if not getattr(pod, "has_sink", False):
                pod.helper.call("sink", port=SINK_PORT)
                pod.has_sink = True

    def start(self):
        for pod in self._sinks:
            pod.helper.call("sink_clear")
        for kind, pairs in (("own", self.own), ("foreign", self.foreign)):
            for src, dst in pairs:
                for family in (4, 6):
                    addr = dst.ip4 if family == 4 else dst.ip6
                    number = src.helper.call("stream_start", dst=addr, port=SINK_PORT, pps=self.pps,
                                             size=self.size)
                    self._streams.append((kind, src, dst, family, number))
        return self

    def received(self, src, dst):
        """Datagrams of src that dst has got so far, of both families."""
        got = dst.helper.call("sink_counts")
        return got.get(src.ip4, 0) + got.get(src.ip6, 0)

    def stop(self):
        """Figures: own packets sent, lost; foreign packets sent, arrived."""
        sent = [(kind, src, dst, family, src.helper.call("stream_stop", number=number))
                for kind, src, dst, family, number in self._streams]
        self._streams = []
        time.sleep(DRAIN_S)  # what is on the way arrives or does not: there is no event for "not"
        out = {"own_sent": 0, "own_lost": 0, "foreign_sent": 0, "foreign_arrived": 0}
        for kind, src, dst, family, result in sent:
            got = dst.helper.call("sink_counts").get(src.ip4 if family == 4 else src.ip6, 0)
            out[f"{kind}_sent"] += result["sent"]
            if kind == "own":
                out["own_lost"] += result["sent"] - got
            else:
                out["foreign_arrived"] += got
        return out
