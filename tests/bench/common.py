# SPDX-License-Identifier: LGPL-3.0-only
"""What the benchmarks share: a daemon to measure, and how each is run and tells its verdict."""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]


class Failure(Exception):
    """What the benchmark cannot go on without."""


def clean_environment():
    """No setting of the daemon comes from the caller's environment."""
    for name in list(os.environ):
        if name.startswith("FLUX_") or name in ("HOST", "PORT"):
            del os.environ[name]


def argument(number, default):
    """The path that stands there on the command line, or that one of the source tree."""
    return Path(sys.argv[number] if len(sys.argv) > number else TOP / default).resolve()


def run(bench, *arguments):
    """
    The whole of a program: bench(*arguments, a folder of its own) prints what it measured and
    says whether that is good. The exit code.
    """
    clean_environment()
    with tempfile.TemporaryDirectory(prefix="flux-restd-bench-") as folder:
        try:
            good = bench(*arguments, Path(folder))
        except Failure as failure:
            print(f"{Path(sys.argv[0]).stem}: {failure}", file=sys.stderr)
            good = False
    print("good" if good else "NOT GOOD")
    return 0 if good else 1


def two_cores(what):
    """The first two cores that we may use; a Failure where there is but one."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise Failure(f"two cores are needed: {what}")
    return cores[:2]


def rss(pid):
    """Bytes resident."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(r"VmRSS:\s*(\d+) kB", status).group(1)) << 10


def start_local(binary, folder, name, *options, limit, env=None):
    """
    Starts a daemon with the local engine, its state in folder/name, and waits until it is ready:
    (process, port). The caller ends it.
    """
    log = folder / f"{name}.log"
    with open(log, "wb") as out:
        process = subprocess.Popen(
            [str(binary), "--listen=127.0.0.1:0", "--engine=local", f"--state-dir={folder / name}",
             "--no-access-log", *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=out,
            env={**os.environ, **(env or {})},
        )  # fmt: skip
    deadline = time.monotonic() + limit
    while "ready:" not in (text := log.read_text(errors="replace")):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise Failure(f"the daemon did not start: {text}")
        time.sleep(0.005)
    return process, int(re.search(r"http://127\.0\.0\.1:(\d+)", text).group(1))
