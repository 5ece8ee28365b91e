# SPDX-License-Identifier: Apache-2.0
"""What every end-to-end test shares. Run by `make check-e2e`; alone:

    /usr/bin/python3 -m pytest tests/e2e/test_harness.py
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from lib import agent, mounts, net  # noqa: E402 (the path above makes them visible)

NEEDED = ("ip", "tc", "ethtool", "nft", "nsenter")
ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("BH_BUILD", "build")
BULKHEADD = BUILD / "bin" / "bulkheadd"


def _why_not():
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [p for p in NEEDED if not shutil.which(p)]
    if missing:
        return f"not installed: {', '.join(missing)}"
    if not Path("/dev/net/tun").exists():
        return "no /dev/net/tun"
    return None


def pytest_collection_modifyitems(items):
    why = _why_not()
    if why:
        for item in items:
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session", name="bpffs")
def fixture_bpffs():
    """A directory on a BPF file system that nobody else sees."""
    mounts.leave_machine_mounts()
    path = tempfile.mkdtemp(prefix=f"bh-bpffs-{os.getpid()}-")
    mounts.mount_bpffs(path)
    yield Path(path)
    mounts.unmount(path)
    os.rmdir(path)


@pytest.fixture(scope="session", name="bulkheadd")
def fixture_bulkheadd():
    if not BULKHEADD.exists():
        pytest.skip(f"{BULKHEADD.relative_to(ROOT)} is not built")
    return BULKHEADD


@pytest.fixture(scope="module", params=["ptp", "bridge"], name="wiring")
def fixture_wiring(request):
    return request.param


@pytest.fixture(scope="module", name="network")
def fixture_network(wiring):
    """One node and the world outside; tests add pods."""
    with net.Network(wiring) as n:
        yield n


@pytest.fixture(scope="module", name="two_nodes")
def fixture_two_nodes(wiring):
    with net.Network(wiring, nodes=2) as n:
        yield n


@pytest.fixture(scope="module", name="make_agent")
def fixture_make_agent(bulkheadd, bpffs, tmp_path_factory):
    """A function that makes an Agent for a node; whatever it started ends with the module."""
    made = []

    def make(node, extra=()):
        pins = Path(tempfile.mkdtemp(prefix=f"{node.name}-", dir=bpffs))
        made.append((agent.Agent(bulkheadd, node, tmp_path_factory.mktemp(node.name), pins, extra),
                     pins))
        return made[-1][0]

    yield make
    for a, pins in made:
        try:
            a.stop()
        finally:
            shutil.rmtree(pins, ignore_errors=True)
