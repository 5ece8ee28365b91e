#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run test programs on other kernels: boot each in a VM (software emulation, no KVM needed).

    run.py --cache DIR --out DIR --kernel RELEASE... PROGRAM...

Each kernel is fetched once (fetch-kernel.sh). The guest's whole file system is an initramfs: busybox,
the programs and their libraries, the kernel modules below, and init (init.sh). The guest's console is
one serial port; a second one carries the results, so that kernel messages cannot garble them.
Prints and exits like tests/run_tier.py; every test is counted once for each kernel.
"""

import argparse
import base64
import concurrent.futures
import gzip
import lzma
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from run_tier import EXIT_SKIP, Outcome, finish, judge_tap, last_line  # noqa: E402

MODULES = ["veth", "cls_bpf", "sch_ingress", "act_mirred", "cls_u32", "tun", "bridge", "8021q", "dummy"]
BOOT_TRIES = 3  # an emulated guest may die for no fault of a test; one that dies each time fails
# QEMU 7.2 emulates cmpxchg16b with wrong flags now and then, and 6.12 dies of it in kmalloc()
CPU = "max,-cx16"
QEMU = "qemu-system-x86_64"


class Guests:
    """The emulators that run now, so that none outlives us."""

    def __init__(self):
        self.lock = threading.Lock()
        self.running = set()
        self.ending = False

    def run(self, argv, timeout):
        """True if time ran out."""
        with self.lock:
            if self.ending:
                return False
            child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL)
            self.running.add(child)
        try:
            child.wait(timeout)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            return True
        finally:
            self.running.discard(child)
        return False

    def end(self, *_):
        self.ending = True
        for child in list(self.running):
            child.kill()
        sys.exit(1)


def libraries(program):
    """Shared objects of a program, the dynamic loader included."""
    out = subprocess.run(["ldd", program], check=False, capture_output=True, text=True).stdout
    return sorted(set(re.findall(r"/[^\s]+", out)) - {str(program)})


def unpacked(module):
    """The bytes of a kernel module, whatever it is compressed with."""
    if module.suffix == ".xz":
        return lzma.decompress(module.read_bytes())
    if module.suffix == ".zst":
        return subprocess.run(["zstd", "-qdc", module], check=True, capture_output=True).stdout
    if module.suffix == ".gz":
        return gzip.decompress(module.read_bytes())
    return module.read_bytes()


def add_modules(kernel, root):
    """Copy MODULES and what they need into root/modules, named in the order to load them."""
    tree = next((kernel / "lib/modules").iterdir())
    needs = {}
    for line in (tree / "modules.dep").read_text().splitlines():
        path, _, rest = line.partition(":")
        needs[Path(path).name.split(".ko")[0].replace("-", "_")] = [path, *rest.split()]
    loaded = []
    for name in MODULES:
        # modules.dep lists a module's needs in the reverse of the order they must be loaded in
        loaded += [p for p in reversed(needs.get(name.replace("-", "_"), [])) if p not in loaded]
    (root / "modules").mkdir()
    for i, path in enumerate(loaded):
        data = unpacked(tree / path)
        (root / "modules" / f"{i:03}-{Path(path).name.split('.ko')[0]}.ko").write_bytes(data)


def make_initramfs(kernel, programs, work):
    root = work / "root"
    for d in ("bin", "tests", "proc", "sys", "dev", "tmp", "run", "etc"):
        (root / d).mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), root / "bin/busybox")
    shutil.copy(HERE / "init.sh", root / "init")
    add_modules(kernel, root)
    for program in programs:
        shutil.copy(program, root / "tests")
        for lib in libraries(program):
            target = root / lib.lstrip("/")
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(lib, target)
    archive = work / "initramfs"
    names = "\n".join(str(p.relative_to(root)) for p in sorted(root.rglob("*")))
    cpio = subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=root, input=names.encode(),
                          check=True, capture_output=True).stdout
    archive.write_bytes(gzip.compress(cpio, 1))
    return archive


def boot(guests, kernel, archive, log, timeout):
    """Boot once. Returns what came out of the result port, and whether time ran out.

    The kernel's messages are in log.console.
    """
    image = next((kernel / "boot").glob("vmlinuz-*"))
    results = Path(f"{log}.results")
    argv = [QEMU, "-accel", "tcg,thread=multi", "-cpu", CPU, "-smp", "2", "-m", "1024", "-nodefaults",
            "-display", "none", "-no-reboot", "-kernel", str(image), "-initrd", str(archive),
            "-serial", f"file:{log}.console", "-serial", f"file:{results}",
            "-append", f"console=ttyS0 loglevel=4 panic=-1 tests.timeout={timeout // 3}"]
    results.write_bytes(b"")
    timed_out = guests.run(argv, timeout)
    return results.read_bytes().decode(errors="replace"), timed_out


RECORD = re.compile(r"^BEGIN (\S+)\r?$(.*?)^END \1 (\d+)\r?$", re.M | re.S)


def judge(text, programs, release):
    """Outcome of all programs from what came out of the result port."""
    res = Outcome()
    seen = {}
    for name, inner, rc in RECORD.findall(text):
        streams = {"out": b"", "err": b""}
        for kind, data in re.findall(r"^(out|err) (\S*)\r?$", inner, re.M):
            streams[kind] += base64.b64decode(data)
        out, err = (streams[s].decode(errors="replace") for s in ("out", "err"))
        code = int(rc)
        # the shell in the guest reports a signal as 128 + its number
        seen[name] = (out, err, 128 - code if code > 128 else code)
    for program in programs:
        name = Path(program).name
        label = f"{release} {name}"
        if name not in seen:
            res.fail(label, "the guest did not finish it")
        else:
            res.add(judge_tap(label, *seen[name]))
    return res


def run_kernel(guests, release, args):
    res = Outcome()
    kernel = (args.cache / release).resolve()
    fetch = subprocess.run([HERE / "fetch-kernel.sh", release, kernel], check=False, text=True,
                           stdin=subprocess.DEVNULL, capture_output=True)
    if fetch.returncode == EXIT_SKIP:
        res.skip(release, last_line(fetch.stderr, "no kernel"), len(args.programs))
        return res
    if fetch.returncode != 0:
        res.fail(release, last_line(fetch.stderr, "fetching the kernel failed"))
        return res
    log = args.out / release
    left, text = list(args.programs), ""
    for _ in range(BOOT_TRIES):
        with tempfile.TemporaryDirectory(prefix="bulkhead-vm.") as work:
            archive = make_initramfs(kernel, left, Path(work))
            more, timed_out = boot(guests, kernel, archive, log, args.timeout)
        text += more
        done = {record[0] for record in RECORD.findall(text)}
        left = [p for p in left if Path(p).name not in done]
        if not left or timed_out or guests.ending:
            break
    if "READY" not in text:
        console = Path(f"{log}.console").read_text(errors="replace")
        res.fail(release, f"did not boot: {last_line(console, 'no output')}")
        return res
    res = judge(text, args.programs, release)
    if res.failed:
        res.lines.append(f"     output: {log}.console, {log}.results")
    return res


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--cache", type=Path, required=True, help="folder for the kernels")
    p.add_argument("--out", type=Path, required=True, help="folder for the guests' output")
    p.add_argument("--kernel", action="append", required=True, help="Debian release")
    p.add_argument("--timeout", type=int, default=600, help="for each boot with all its tests;\n"
                   "one program may take a third of it")
    p.add_argument("--jobs", type=int, default=1, help="guests at a time; each keeps one CPU busy")
    p.add_argument("programs", nargs="+")
    args = p.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    guests = Guests()
    signal.signal(signal.SIGTERM, guests.end)
    total = Outcome()
    missing = [t for t in (QEMU, "busybox", "cpio", "zstd", "ldd") if not shutil.which(t)]
    if missing:
        for release in args.kernel:
            total.skip(release, f"no {' '.join(missing)}", len(args.programs))
        args.kernel = []
    with concurrent.futures.ThreadPoolExecutor(max(1, args.jobs)) as pool:
        for release, res in zip(args.kernel, pool.map(lambda k: run_kernel(guests, k, args), args.kernel)):
            print(f"{release}: {res.closing()}", flush=True)
            total.add(res)
    for line in total.lines:
        print(line)
    return finish(total, "vm")


if __name__ == "__main__":
    sys.exit(main())
