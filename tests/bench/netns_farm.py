#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds many network namespaces in one process: a veth and addresses each, and nobody inside.

    netns_farm.py COUNT

Prints a line when they are there: namespace i is /proc/PID/fd/(FIRST_FD + i). A line of JSON on the
standard input, a list of what `ip -batch` is to read in each, is answered by a line. They go when
the standard input ends, or whoever started this dies.
"""

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
FIRST_FD = 100

_libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result < 0:
        raise OSError(ctypes.get_errno(), what)


def main():
    count = int(sys.argv[1])
    check(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL), "prctl")
    resource.setrlimit(resource.RLIMIT_NOFILE, (FIRST_FD + count + 16,) * 2)
    for i in range(count):
        check(_libc.unshare(CLONE_NEWNET), "unshare")
        fd = os.open("/proc/self/ns/net", os.O_RDONLY)
        os.dup2(fd, FIRST_FD + i, inheritable=False)
        os.close(fd)
    print("ready", flush=True)
    for line in sys.stdin:
        for i, batch in enumerate(json.loads(line)):
            check(_libc.setns(FIRST_FD + i, CLONE_NEWNET), "setns")
            subprocess.run(["ip", "-batch", "-"], input=batch, text=True, check=True)
        print("done", flush=True)


if __name__ == "__main__":
    main()
