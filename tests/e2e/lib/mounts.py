# SPDX-License-Identifier: Apache-2.0
"""A BPF file system for the daemon to pin in, in a mount namespace of the tests' own: the machine's
mounts stay as they are, and what was pinned goes with the last process that saw it."""

import ctypes
import os

CLONE_NEWNS = 0x00020000
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result, what):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def leave_machine_mounts():
    """From here on mounts of this process and its children are seen by them alone."""
    _check(_libc.unshare(CLONE_NEWNS), "unshare mounts")
    _check(_libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "make mounts private")


def mount_bpffs(path):
    _check(_libc.mount(b"bpf", os.fsencode(path), b"bpf", 0, b"mode=0700"), f"mount bpf on {path}")


def unmount(path):
    _check(_libc.umount2(os.fsencode(path), MNT_DETACH), f"unmount {path}")
