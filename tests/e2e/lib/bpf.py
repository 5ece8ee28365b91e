# SPDX-License-Identifier: Apache-2.0
"""Programs of somebody else's on the hooks, compiled on the spot and hung up by tc."""

import shutil
import subprocess

HEAD = """
#define SEC(n) __attribute__((section(n), used))
static long (*redirect_peer)(unsigned int ifindex, unsigned long long flags) = (void *)155;
char _license[] SEC("license") = "GPL";
"""


def can_compile():
    return shutil.which("clang") is not None


def compile_program(folder, name, body):
    """An object file with one program, `body` its statements."""
    source, out = folder / f"{name}.c", folder / f"{name}.o"
    source.write_text(f'{HEAD}\nSEC("tc") int {name}(void *skb)\n{{\n{body}\n}}\n')
    subprocess.run(["clang", "-O2", "-g", "--target=bpf", "-c", source, "-o", out], check=True)
    return out


def hang(ns, ifname, obj, hook="ingress", pref=1):
    """As a classic filter: of one priority the latest is the first to run."""
    subprocess.run(ns.command("tc", "qdisc", "add", "dev", ifname, "clsact"), check=False,
                   capture_output=True)
    ns.run("tc", "filter", "add", "dev", ifname, hook, "pref", pref, "bpf", "da", "obj", obj,
           "sec", "tc")
