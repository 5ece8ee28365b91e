#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check the rules of scripts/arch_rules.py on the tree, and the rules themselves on made-up trees.

    check-arch.py [--generated FILE=COMMAND]...

Each rule is one test on the tree; each made-up tree is one more. --generated: the standard output of
COMMAND must be what is checked in as FILE. The last line is "N passed, N failed, N skipped".
"""

import argparse
import subprocess
import sys
from pathlib import Path

import arch_rules

SPDX = "/* SPDX-License-Identifier: Apache-2.0 */\n"
LICENCES = {f"LICENSES/{name}.txt": "..." for name in ("Apache-2.0", "GPL-2.0-only", "BSD-2-Clause")}

# A tree that keeps every rule; the made-up violations are added to it one at a time.
SOUND = {
    **LICENCES,
    "common/a.h": SPDX + "#pragma once\nint bh_a(void);\n",
    "common/a.c": SPDX + '#include <stdio.h>\n#include "common/a.h"\n'
                         "int bh_a(void)\n{\n\treturn open(p, O_RDONLY | O_CLOEXEC);\n}\n",
    "common/json.c": SPDX + "#include <cjson/cJSON.h>\n",
    "model/class.h": SPDX + '#pragma once\n#include "common/a.h"\n',
    "bpf/x.bpf.c": SPDX + '#include <bpf/bpf_helpers.h>\n#include "model/class.h"\n',
    "bpf/datapath.c": SPDX + '#include <bpf/libbpf.h>\n#include "bpf/x.skel.h"\n'
                             'int f(int r)\n{\n\treturn bh_error_r(r, "attach");\n}\n',
    "agent/report/m.c": SPDX + '#include "common/a.h"\n#include "bpf/reasons.h"\n',
    "bpf/reasons.h": SPDX + "#pragma once\n",
    "tests/unit/test_a.c": SPDX + '#include <cmocka.h>\n#include "common/a.h"\n'
                            "/* CVE-2020-0001 */\n",
    "scripts/x.sh": "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\nmktemp -d x.XXXXXX\n",
    "docs/attacks.md": "| CVE-2020-0001 | x | `tests/unit/test_a.c` |\n| CVE-2020-0002 | y | later: z |\n",
    "README.md": "see /var/work/x and fnord.example.org\n",
}


def body(lines):
    return "int f(void)\n{\n" + "\tg();\n" * lines + "}\n"


# (rule, path, text): this file in the sound tree must be flagged by this rule and by no other.
VIOLATIONS = [
    ("attacks", "docs/attacks.md", "| CVE-2020-0001 | x | `tests/unit/test_a.c` |\n| CVE-2020-0003 | y | |\n"),
    ("attacks", "docs/attacks.md", "| CVE-2020-0001, CVE-2020-0003 | x | `tests/unit/test_a.c` |\n"),
    ("attacks", "tests/unit/test_b.c", SPDX + "/* GHSA-aaaa-bbbb-cccc */\n"),
    ("layers", "common/b.c", SPDX + '#include "model/class.h"\n'),
    ("layers", "model/b.c", SPDX + '#include "bpf/reasons.h"\n'),
    ("layers", "agent/report/b.c", SPDX + '#  include "model/class.h"\n#include "bpf/b.h"\n'),
    ("layers", "cni/b.c", SPDX + '#include "model/class.h"\n'),
    ("layers", "ctl/b.c", SPDX + '#include "bpf/reasons.h"\n'),
    ("layers", "newdir/b.c", SPDX),
    ("include_paths", "common/b.c", SPDX + '#include "common/nothere.h"\n'),
    ("libraries", "agent/b.c", SPDX + "#include <curl/curl.h>\n"),
    ("libraries", "agent/http/client.c", SPDX + "#include <microhttpd.h>\n"),
    ("libraries", "bpf/policy.c", SPDX + "#include <bpf/bpf.h>\n"),
    ("libraries", "bpf/policy.c", SPDX + "#include <bpf/bpf_helpers.h>\n"),
    ("libraries", "bpf/policy.c", SPDX + '#include "bpf/x.skel.h"\n'),
    ("libraries", "bpf/datapath.c", SPDX + "#include <netlink/msg.h>\n"),
    ("libraries", "agent/main.c", SPDX + "#include <seccomp.h>\n"),
    ("libraries", "agent/main.c", SPDX + "#include <systemd/sd-event.h>\n"),
    ("libraries", "agent/loop.c", SPDX + "#include <systemd/sd-bus.h>\n"),
    ("libraries", "common/yaml.c", SPDX + "#include <cjson/cJSON.h>\n"),
    ("libraries", "common/json.c", SPDX + "#include <yaml.h>\n"),
    ("libraries", "ctl/main.c", SPDX + "#include <ncurses.h>\n"),
    ("libraries", "common/b.c", SPDX + "#include <zlib.h>\n"),
    ("libraries", "common/b.c", SPDX + "#include <cmocka.h>\n"),
    ("file_length", "common/b.c", SPDX + "\n" * 500),
    ("file_length", "tests/unit/test_b.c", SPDX + "\n" * 500),
    ("function_length", "common/b.c", SPDX + body(61)),
    ("parameters", "common/b.h", SPDX + "#pragma once\nint f(int a, int b, int c,\n"
                                        "\tint d, int (*e)(int, int), int f, int g);\n"),
    ("parameters", "common/b.c", SPDX + "static int f(int a, int b, int c, int d, int e, int f, int g)\n"
                                        "{\n}\n"),
    ("spdx", "common/b.c", "int x;\n" + SPDX),
    ("spdx", "tests/x.py", "#!/usr/bin/env python3\n"),
    ("spdx", "common/b.c", "/* SPDX-License-Identifier: MIT */\n"),
    ("pragma_once", "common/b.h", SPDX + "#ifndef B\n#define B\n#endif\n"),
    ("unfinished", "docs/x.md", "TO" "DO: write this\n"),
    ("unfinished", "common/b.c", SPDX + "/* FIX" "ME */\n"),
    ("machine_paths", "docs/x.md", "cd /wo" "rk/main\n"),
    ("machine_paths", "common/b.c", SPDX + 'const char x[] = "/far' 'm/in";\n'),
    ("registry_hosts", "docs/x.md", "from deb.debi" "an.org/debian\n"),
    ("registry_hosts", "tests/x.sh", "# SPDX-License-Identifier: Apache-2.0\ncurl registry.npm" "js.org\n"),
    ("logging", "model/b.c", SPDX + 'int f(void)\n{\n\tbh_warn("no");\n}\n'),
    ("logging", "agent/http/b.c", SPDX + 'int f(int r)\n{\n\treturn bh_error_r(r, "no");\n}\n'),
    ("no_exit", "common/b.c", SPDX + "int f(void)\n{\n\tabort();\n}\n"),
    ("unsafe_calls", "agent/b.c", SPDX + "int f(char *s)\n{\n\treturn atoi(s);\n}\n"),
    ("cloexec", "agent/b.c", SPDX + "int f(char *s)\n{\n\treturn open(s, O_RDONLY);\n}\n"),
    ("cloexec", "agent/b.c", SPDX + "int f(int s)\n{\n\treturn dup(s);\n}\n"),
]
# Files that look like violations and are none.
INNOCENT = [
    ("common/b.c", SPDX + body(60)),
    ("common/b.c", SPDX + "\n" * 499),
    ("common/b.c", SPDX + "int f(int a, int b, int c, int d, int e, int (*f)(int, int))\n{\n}\n"),
    ("common/b.c", SPDX + '/* abort() and bh_warn() */\nstatic const char x[] = "exit(1)";\n'),
    ("common/b.c", SPDX + 'int f(void)\n{\n\tbh_debug("x");\n\tg(1, 2, 3, 4, 5, 6, 7);\n}\n'),
    ("agent/http/b.c", SPDX + '#include "agent/loop.h"\n'),
    ("docs/x.md", "mktemp XXXXXX\n"),
]


def flagged(tree):
    """{rule name: [violation, ...]} for the rules that found any."""
    found = {rule.__name__: list(rule(tree)) for rule in arch_rules.RULES}
    return {name: list_ for name, list_ in found.items() if list_}


class Counts:
    def __init__(self):
        self.passed = self.failed = 0

    def test(self, ok, message):
        if ok:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAIL {message}")


def check_rules(counts):
    """Does every rule see what it is there for, and nothing else?"""
    sound = flagged(SOUND)
    counts.test(not sound, f"self-test: the sound tree is flagged: {sound}")
    for rule, path, text in VIOLATIONS:
        extra = {"bpf/b.h": SPDX + "#pragma once\n"}
        got = flagged({**SOUND, **extra, path: text})
        counts.test(set(got) == {rule} and all(v[0] == path for v in got[rule]),
                    f"self-test: {rule} on {path}: {text[len(SPDX):]!r} gave {got}")
    for path, text in INNOCENT:
        extra = {"agent/loop.h": SPDX + "#pragma once\n"}
        got = flagged({**SOUND, **extra, path: text})
        counts.test(not got, f"self-test: {path}: {text[len(SPDX):]!r} is flagged: {got}")
    tried = {rule for rule, _, _ in VIOLATIONS}
    for rule in arch_rules.RULES:
        counts.test(rule.__name__ in tried, f"self-test: {rule.__name__} is never tried")


def read_tree():
    """Everything that is, or could be, committed; binary files left out."""
    names = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                           check=True, capture_output=True, text=True).stdout
    tree = {}
    for name in sorted(set(filter(None, names.split("\0")))):
        try:
            tree[name] = Path(name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue
    return tree


def check_tree(counts):
    tree = read_tree()
    for rule in arch_rules.RULES:
        found = list(rule(tree))
        for path, line, message in found[:-1]:
            print(f"     {path}:{line}: {message}")
        last = "{}:{}: {}".format(*found[-1]) if found else ""
        counts.test(not found, f"{rule.__doc__}: {last}")


def check_generated(counts, generated):
    for item in generated:
        path, _, command = item.partition("=")
        made = subprocess.run(command.split(), check=False, capture_output=True, text=True)
        counts.test(made.returncode == 0 and made.stdout == Path(path).read_text(encoding="utf-8"),
                    f"{path} is not what `{command}` prints; run: make docs")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--generated", action="append", default=[], metavar="FILE=COMMAND")
    args = p.parse_args()
    counts = Counts()
    check_rules(counts)
    check_tree(counts)
    check_generated(counts, args.generated)
    print(f"{counts.passed} passed, {counts.failed} failed, 0 skipped")
    return 1 if counts.failed else 0


if __name__ == "__main__":
    sys.exit(main())
