# SPDX-License-Identifier: Apache-2.0
"""The rules of the house (docs/architecture.md) as functions over a tree of texts.

A rule takes {path: text} and yields (path, line, message) for each violation. Nothing is read from
disk here, so that scripts/check-arch.py can also try every rule on small made-up trees.
"""

import re
from fnmatch import fnmatch

# ---- what each folder may include, beside itself: folders, or single headers ----
LAYERS = {
    "common": [],
    "model": ["common"],
    "bpf": ["common", "model"],
    "cgroups": ["common", "model"],
    "kata-glue": ["common", "model"],
    # agent/loop is the one event loop, which everything that waits is plugged into
    "agent/http": ["common", "agent/loop.h"],
    "agent/sources": ["common", "model", "agent/http", "agent/loop.h"],
    "agent/report": ["common", "model", "agent/http", "agent/loop.h", "bpf/bh_abi.h", "bpf/reasons.h",
                     "bpf/snapshot.h", "cgroups/snapshot.h", "kata-glue/snapshot.h"],
    "agent": ["common", "model", "bpf", "cgroups", "kata-glue", "agent/http", "agent/sources",
              "agent/report"],
    "ctl": ["common", "model", "agent/http/client.h", "kata-glue/plan.h"],
    "cni": ["common"],
}
GENERATED = ("*.skel.h", "*.inc")

# ---- the one module that may include a library: (headers, files) ----
LIBRARIES = [
    ("libcurl", ["curl/*"], ["agent/http/client.[ch]"]),
    ("libmicrohttpd", ["microhttpd.h"], ["agent/http/server.[ch]"]),
    ("libbpf's kernel side", ["bpf/bpf_helpers.h", "bpf/bpf_endian.h", "bpf/bpf_core_read.h",
                              "bpf/bpf_tracing.h"], ["bpf/*.bpf.c", "bpf/*.h"]),
    ("libbpf", ["bpf/*"], ["bpf/datapath*.[ch]"]),
    ("libnl", ["netlink/*"], ["bpf/links*.[ch]"]),
    ("libseccomp", ["seccomp.h"], ["agent/confine.[ch]"]),
    ("sd-event", ["systemd/sd-event.h", "systemd/sd-daemon.h"], ["agent/loop.[ch]"]),
    ("sd-bus", ["systemd/sd-bus.h"], ["common/bus.[ch]"]),
    ("cJSON", ["cjson/*", "cJSON.h"], ["common/json.[ch]"]),
    ("libyaml", ["yaml.h"], ["common/yaml.[ch]"]),
    ("ncurses", ["ncurses*", "curses.h", "panel.h", "menu.h"], ["ctl/screen.[ch]"]),
]
LIBC = re.compile(
    r"^((linux|sys|net|netinet|netpacket|arpa|asm|asm-generic)/[\w./-]+|(assert|byteswap|ctype|dirent|"
    r"endian|errno|fcntl|fnmatch|ftw|getopt|glob|grp|ifaddrs|inttypes|limits|locale|malloc|math|"
    r"mntent|netdb|poll|pthread|pwd|sched|semaphore|setjmp|signal|spawn|stdarg|stdatomic|stdbool|"
    r"stddef|stdint|stdio|stdlib|string|strings|syslog|termios|threads|time|ucontext|unistd|"
    r"wchar)\.h)$")

# ---- who may log; all others return errors, and may use bh_debug() ----
LOGGING = ["agent/main.c", "agent/enforcer.c", "agent/pipeline.c", "agent/reporter.c",
           "agent/sources/*", "agent/report/*",
           "bpf/datapath*.c", "cgroups/write*.c", "kata-glue/apply*.c", "common/log.[ch]"]
# ---- library code that must return instead of ending the process ----
LIBRARY_DIRS = ["common/*", "model/*", "bpf/*", "cgroups/*", "kata-glue/*", "agent/http/*",
                "agent/sources/*", "agent/report/*"]

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60
MAX_PARAMETERS = 6

# callbacks whose signature a library gives
GIVEN_SIGNATURES = {("agent/http/server.c", "on_request")}

LICENCES = ["Apache-2.0", "(GPL-2.0-only OR BSD-2-Clause)",
            "(GPL-2.0-only OR BSD-2-Clause OR Apache-2.0)"]
SOURCES = ("*.c", "*.h", "*.py", "*.sh", "*.awk", "*.mk", "*.yaml", "*.yml", "Makefile", "*/Makefile",
           ".ci/*")
DATA_DIRS = re.compile(r"(^|/)(corpus|fixtures|data)/")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def matches(path, patterns):
    """fnmatch, with * confined to one folder."""
    return any(fnmatch(path, p) and path.count("/") == p.count("/") for p in patterns)


def is_c(path):
    return path.endswith((".c", ".h"))


def is_source(path):
    return not DATA_DIRS.search(path) and any(fnmatch(path, p) for p in SOURCES)


def layer_of(path):
    folder = path.rpartition("/")[0]
    return folder if folder in LAYERS else None


def includes(text):
    """(line, bracket, name) of each #include."""
    for n, line in enumerate(text.splitlines(), 1):
        m = INCLUDE.match(line)
        if m:
            yield n, m[1], m[2]


def strip(text):
    """C without comments, strings, and preprocessor lines, its line numbers kept."""
    def blank(m):
        return "\n" * m[0].count("\n") if m[0][0] == "/" else '""' + "\n" * m[0].count("\n")
    text = re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text,
                  flags=re.S)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: "\n" * m[0].count("\n"), text,
                  flags=re.M)


# ---- the rules ----

def layers(tree):
    """a folder includes only what the layer table lets it"""
    for path, text in tree.items():
        layer = layer_of(path)
        if not is_c(path) or path.startswith("tests/"):
            continue
        if layer is None:
            yield path, 1, "this folder is not in the layer table"
            continue
        for n, bracket, name in includes(text):
            if bracket != '"' or matches(name, ["bpf/*.skel.h"]):
                continue
            target = name.rpartition("/")[0]
            if target != layer and target not in LAYERS[layer] and name not in LAYERS[layer]:
                yield path, n, f"{layer} may not include {name}"


def include_paths(tree):
    """a quoted include names an existing file, from the root of the tree"""
    for path, text in tree.items():
        if not is_c(path):
            continue
        for n, bracket, name in includes(text):
            generated = any(fnmatch(name, g) for g in GENERATED)
            if bracket == '"' and name not in tree and not generated:
                yield path, n, f"no such file from the root: {name}"


def libraries(tree):
    """a library is included by its one module"""
    for path, text in tree.items():
        if not is_c(path) or path.startswith("tests/"):
            continue
        for n, bracket, name in includes(text):
            if bracket == '"':
                if name.endswith(".skel.h") and not matches(path, ["bpf/datapath*.[ch]"]):
                    yield path, n, f"{name}: skeletons belong to bpf/datapath"
                continue
            for library, headers, files in LIBRARIES:
                if any(fnmatch(name, h) for h in headers):
                    if not matches(path, files):
                        yield path, n, f"<{name}>: {library} belongs to {' '.join(files)}"
                    break
            else:
                if not LIBC.match(name):
                    yield path, n, f"<{name}> is no library of this project"


def file_length(tree):
    """no source file is longer than 500 lines"""
    for path, text in tree.items():
        lines = text.count("\n")
        if is_source(path) and lines > MAX_FILE_LINES:
            yield path, lines, f"{lines} lines, more than {MAX_FILE_LINES}"


def function_length(tree):
    """no function body is longer than 60 lines"""
    for path, text in tree.items():
        if not is_c(path):
            continue
        start = None
        # clang-format puts the braces of a function, and only those, alone in the first column
        for n, line in enumerate(strip(text).splitlines(), 1):
            if line.rstrip() == "{":
                start = n
            elif line.rstrip() == "}" and start is not None:
                if n - start - 1 > MAX_FUNCTION_LINES:
                    yield path, start, f"a function of {n - start - 1} lines"
                start = None


def parameters(tree):
    """no function takes more than 6 parameters"""
    head = re.compile(r"\b([a-z_]\w*)\s*\(")
    for path, text in tree.items():
        if not is_c(path):
            continue
        code, depth, pos = strip(text), 0, 0
        while pos < len(code):
            c = code[pos]
            m = head.match(code, pos) if depth == 0 and (pos == 0 or not re.match(r"\w", code[pos - 1])) \
                else None
            if m and not m[1].startswith("__"):
                count, end = count_parameters(code, m.end())
                if count > MAX_PARAMETERS and (path, m[1]) not in GIVEN_SIGNATURES:
                    yield path, code.count("\n", 0, pos) + 1, f"{m[1]}() takes {count} parameters"
                pos = end
                continue
            depth += (c == "{") - (c == "}")
            pos += 1


def count_parameters(code, pos):
    """Parameters from behind the opening bracket; their number and the position after them."""
    commas, level, begin = 0, 1, pos
    while pos < len(code) and level:
        level += (code[pos] == "(") - (code[pos] == ")")
        commas += level == 1 and code[pos] == ","
        pos += 1
    inside = code[begin:pos - 1].strip()
    return (0 if inside in ("", "void") else commas + 1), pos


def spdx(tree):
    """a source file begins with its licence, whose text is in LICENSES/"""
    for path, text in tree.items():
        if not is_source(path):
            continue
        lines = text.splitlines()[:2] or [""]
        line = lines[1] if lines[0].startswith("#!") and len(lines) > 1 else lines[0]
        m = re.search(r"SPDX-License-Identifier: (.*?)(?: \*/)?$", line)
        if not m:
            yield path, 1, "no SPDX-License-Identifier in the first line"
        elif m[1] not in LICENCES:
            yield path, 1, f"unexpected licence {m[1]}"
        else:
            for part in re.findall(r"[\w.-]+\d[\w.-]*", m[1]):
                if f"LICENSES/{part}.txt" not in tree:
                    yield path, 1, f"LICENSES/{part}.txt is missing"


def pragma_once(tree):
    """a header says #pragma once"""
    for path, text in tree.items():
        if path.endswith(".h") and not re.search(r"^#pragma once$", text, re.M):
            yield path, 1, "no #pragma once"


def search(tree, pattern, message, only=lambda path: True, prepare=lambda text: text):
    for path, text in tree.items():
        if not only(path):
            continue
        for n, line in enumerate(prepare(text).splitlines(), 1):
            m = pattern.search(line)
            if m:
                yield path, n, f"{message}: {m[0].strip()}"


def unfinished(tree):
    """nothing is marked as unfinished"""
    return search(tree, re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b"), "marked as unfinished")


def machine_paths(tree):
    """no path of a developer's machine"""
    return search(tree, re.compile(r"(^|[^\w.-])(/wo" r"rk/|/far" r"m/|/tmp/bri" r"ef|/home/\w)"),
                  "path of one machine", only=lambda p: p != "scripts/arch_rules.py")


def registry_hosts(tree):
    """no host name of a package registry"""
    hosts = r"debian\.org|npmjs\.(org|com)|pypi\.org|pythonhosted\.org|crates\.io|proxy\.golang\.org"
    return search(tree, re.compile(rf"\b[\w.-]*({hosts})\b"), "package registry",
                  only=lambda p: p != "scripts/arch_rules.py")


def logging(tree):
    """only the outer modules log"""
    call = re.compile(r"\bbh_(info|warn|warn_limited|error|error_r|log_emit)\s*\(")
    return search(tree, call, "this module returns errors and does not log", prepare=strip,
                  only=lambda p: is_c(p) and not p.startswith("tests/") and not matches(p, LOGGING))


def no_exit(tree):
    """library code does not end the process"""
    return search(tree, re.compile(r"\b(_?exit|_Exit|abort|quick_exit)\s*\("), "ends the process",
                  only=lambda p: is_c(p) and matches(p, LIBRARY_DIRS), prepare=strip)


def unsafe_calls(tree):
    """no call without bounds or error reporting, and none that runs a shell"""
    call = re.compile(r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|atoll|atof|system|popen|"
                      r"alloca|tmpnam|mktemp)\s*\(")
    return search(tree, call, "use a bounded function", prepare=strip,
                  only=lambda p: is_c(p) and not p.startswith("tests/"))


def cloexec(tree):
    """a new file descriptor is not inherited by programs"""
    call = re.compile(r"\b(open|openat|socket|accept4|memfd_create|epoll_create1|inotify_init1|"
                      r"signalfd|timerfd_create|eventfd|pipe2|dup3|socketpair|mkostemp)\s*\((?=\S)")
    for path, text in tree.items():
        if not is_c(path) or path.startswith("tests/"):
            continue
        code = strip(text)
        for m in call.finditer(code):
            _, end = count_parameters(code, m.end())
            if "CLOEXEC" not in code[m.start():end] and "flags" not in code[m.start():end]:
                yield path, code.count("\n", 0, m.start()) + 1, f"{m[1]}() without CLOEXEC"
        for m in re.finditer(r"\b(accept|pipe|dup|dup2|epoll_create|inotify_init|mkstemp)\s*\(", code):
            yield path, code.count("\n", 0, m.start()) + 1, f"{m[1]}() cannot say CLOEXEC"


ATTACKS = "docs/attacks.md"
ATTACK_ID = re.compile(r"\b(CVE-\d{4}-\d{4,}|GHSA(?:-[0-9a-z]{4}){3}|OCPBUGS-\d+)\b")


def attacks(tree):
    """every attack of docs/attacks.md has tests that name it, and they name no other"""
    listed = {}  # (id, test)
    for n, line in enumerate(tree.get(ATTACKS, "").splitlines(), 1):
        cells = [c.strip() for c in line.strip("|").split("|")]
        ids = ATTACK_ID.findall(cells[0])
        tests = re.findall(r"`([^`]+)`", cells[-1])
        if ids and not tests and not cells[-1].startswith("later: "):
            yield ATTACKS, n, f"{', '.join(ids)}: neither a test nor the reason for none"
        listed.update({(i, t): n for i in ids for t in tests})
    named = {(i, path) for path, text in tree.items() if path.startswith("tests/")
             for i in ATTACK_ID.findall(text)}
    for (i, path), n in listed.items():
        if (i, path) not in named:
            yield ATTACKS, n, f"{path} does not name {i}"
    known = set(ATTACK_ID.findall(tree.get(ATTACKS, "")))
    for i, path in sorted(named):
        if i not in known:
            yield path, 1, f"{i}: not in {ATTACKS}"


RULES = [attacks, layers, include_paths, libraries, file_length, function_length, parameters, spdx,
         pragma_once, unfinished, machine_paths, registry_hosts, logging, no_exit, unsafe_calls, cloexec]
