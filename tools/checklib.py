# SPDX-License-Identifier: LGPL-3.0-only
"""What the check-* scripts share: where to look, and how a finding is told."""

import os
import sys

SKIPPED = {".git", "node_modules", "__pycache__", ".pytest_cache"}


def root():
    """The tree to check: the argument, or the one that this script is part of."""
    if len(sys.argv) > 1:
        return sys.argv[1]
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def files(top, folders, wanted):
    """Paths relative to top, sorted, of files in the folders whose name is wanted."""
    found = []
    for folder in folders:
        for where, dirs, names in os.walk(os.path.join(top, folder)):
            dirs[:] = [d for d in dirs if d not in SKIPPED and not d.startswith("build")]
            found += [os.path.relpath(os.path.join(where, n), top) for n in names if wanted(n)]
    return sorted(found)


def c_files(top, folders=("src", "tests")):
    return files(top, folders, lambda name: name.endswith((".c", ".h")))


def lines(top, path):
    with open(os.path.join(top, path), encoding="utf-8") as f:
        return f.read().splitlines()


def end(findings, looked_at):
    """Prints the findings and ends the script; looking at nothing is a failure too."""
    for finding in findings:
        print(finding)
    if not looked_at:
        print("nothing to check was found")
    sys.exit(1 if findings or not looked_at else 0)
