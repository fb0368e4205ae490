# SPDX-License-Identifier: LGPL-3.0-only
"""For the tests of what surrounds the program: packages, units, manifests, documentation."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "api"))


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")


def run(*command, limit=120, **options):
    """Runs a command that must end well; what it wrote on both streams."""
    words = [str(word) for word in command]
    result = subprocess.run(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=limit, check=False, cwd=options.pop("cwd", ROOT), **options,
    )  # fmt: skip
    assert result.returncode == 0, f"{words}\n{result.stdout}"
    return result.stdout
