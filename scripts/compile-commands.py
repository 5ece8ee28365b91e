#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""compile_commands.json on standard output, from: COMMAND... -- FILE... [-- COMMAND... -- FILE...]"""

import json
import os
import sys


def main():
    groups = [[]]
    for arg in sys.argv[1:]:
        if arg == "--":
            groups.append([])
        else:
            groups[-1].append(arg)
    entries = []
    for command, files in zip(groups[::2], groups[1::2]):
        entries += [{"directory": os.getcwd(), "file": f, "arguments": [*command, "-c", f]}
                    for f in files]
    json.dump(entries, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
