# SPDX-License-Identifier: Apache-2.0
"""bulkheadctl, while it goes on."""

import json
import queue
import subprocess
import threading

DEADLINE_S = 10


class Follower:
    """bulkheadctl VERB -f; a context manager. next() gives the next event within a deadline."""

    def __init__(self, ctl, verb, *argv):
        self._lines = queue.Queue()
        self._proc = subprocess.Popen([*ctl.argv, verb, "-f", "-o", "json", *argv],
                                      stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._proc.stdout:
            self._lines.put(json.loads(line))

    def next(self, timeout=DEADLINE_S):
        return self._lines.get(timeout=timeout)

    def pending(self):
        return [self._lines.get_nowait() for _ in range(self._lines.qsize())]

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._proc.terminate()
        self._proc.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        self._proc.stdout.close()
