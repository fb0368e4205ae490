#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-only
"""The local engine beside the least that its work needs. Loopback only.

Usage: tests/bench/local.py [DAEMON [BUILD]]        (build/flux-restd, build)

In turn, over several rounds and on the same cores and file system:

- jobs of `true` from 16 clients, until all have ended, beside a loop that starts two processes for
  each and waits for them;
- the same jobs in a Flux instance of its own, where one is installed;
- durable submits (of held jobs) from 16 clients, beside one sync for each: on this disk, and with
  every sync of both made to take 2 ms more. The latter is judged: it is what a disk takes that
  has no memory which survives a power cut. Where a sync costs next to nothing (0.2 ms and less),
  a server of requests cannot be five times as fast as a loop that does nothing else; there the
  syncs for each submit tell what is gathered;
- a restart with 100,000 jobs that have ended: time until ready, and memory for each.

Fails if a median ratio or a limit is missed.
"""

import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
import urllib.request

from common import Failure, argument, rss, run, start_local

ROUNDS = 3
SECONDS = 4
CLIENTS = 16
JOBS = 1000
SUBMITS = 8000
LEAST_JOBS = 0.6
LEAST_FLUX = 5.0
FLUX_JOBS = 200
LEAST_SUBMITS = 5.0
ENDED = 100_000
MOST_READY = 2.0
MOST_BYTES = 600
SLOW_US = 2000
POLL = 0.05  # seconds; asking takes time from what is measured
LIMIT = 120  # seconds that anything awaited may take


@contextlib.contextmanager
def daemon(binary, folder, name, extra=None):
    """A daemon on a socket of its own; yields (process, port, seconds until ready)."""
    begin = time.monotonic()
    process, port = start_local(binary, folder, name, limit=LIMIT, env=extra)
    ready = time.monotonic() - begin
    try:
        yield process, port, ready
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(LIMIT)


def number(build, program, *arguments, extra=None):
    """What one of our small programs prints."""
    command = [str(build / "tests" / "bench" / program), *map(str, arguments)]
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=LIMIT,
        env={**os.environ, **(extra or {})},
    )  # fmt: skip
    if result.returncode != 0:
        raise Failure(f"{program}: {result.stderr}")
    return float(result.stdout)


def ask(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=LIMIT) as reply:
        return json.load(reply)


def wait_idle(port):
    """Until no job is active."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        if not ask(port, "/v1/jobs?state=active&limit=1")["jobs"]:
            return
        time.sleep(POLL)
    raise Failure("the jobs did not end")


def jobs_round(binary, build, folder, turn):
    """(jobs a second from submit to end, of the bare loop)."""
    with daemon(binary, folder, f"jobs-{turn}") as (_, port, _ready):
        begin = time.monotonic()
        number(build, "submit", port, CLIENTS, JOBS, '{"command":["true"]}')
        wait_idle(port)
        ours = JOBS / (time.monotonic() - begin)
    return ours, number(build, "bare", "spawn", SECONDS)


def flux_rate():
    """Jobs a second of Flux itself, submitted by one command, which is the fastest way."""
    script = f"flux submit --quiet --cc=1-{FLUX_JOBS} true && flux queue drain"
    text = f"date +%s.%N; {script} >/dev/null; date +%s.%N"
    result = subprocess.run(
        ["flux", "start", "sh", "-c", text], capture_output=True, text=True, check=True,
        timeout=LIMIT,
    )  # fmt: skip
    begin, end = map(float, result.stdout.split())
    return FLUX_JOBS / (end - begin)


def submits_round(binary, build, folder, turn, delay):
    """(submits a second, of one sync for each, syncs of ours for each)."""
    count = folder / "syncs"
    library = build / "tests" / "bench" / "libslow_sync.so"
    extra = {"LD_PRELOAD": str(library), "SLOW_SYNC_US": str(delay), "SLOW_SYNC_COUNT": str(count)}
    with daemon(binary, folder, f"submits-{delay}-{turn}", extra) as (_, port, _ready):
        body = '{"command":["true"],"urgency":0}'
        ours = SUBMITS / number(build, "submit", port, CLIENTS, SUBMITS, body)
    syncs = int(count.read_text(encoding="ascii")) / SUBMITS
    file = folder / f"bare-{delay}-{turn}"
    return ours, number(build, "bare", "sync", SECONDS, file, extra=extra), syncs


def restart(binary, build, folder):
    """(seconds until ready, bytes for each job)."""
    with daemon(binary, folder, "empty") as (process, _port, _ready):
        empty = rss(process.pid)
    state = folder / "full"
    state.mkdir(mode=0o700)
    command = [str(build / "tests" / "bench" / "fill_store"), str(state), str(ENDED)]
    subprocess.run(command, check=True, timeout=LIMIT)
    with daemon(binary, folder, "full") as (process, _port, ready):
        return ready, (rss(process.pid) - empty) / ENDED


def compare(title, unit, rounds, least):
    """Tells the rounds; whether the median of their ratios is enough."""
    ratio = statistics.median(a / b for a, b, *_ in rounds)
    print(f"{title}\n{'round':<8}{'flux-restd/s':>14}{unit:>14}{'ratio':>8}")
    for turn, (ours, theirs, *_) in enumerate(rounds, 1):
        print(f"{turn:<8}{ours:>14.0f}{theirs:>14.0f}{ours / theirs:>8.2f}")
    judged = f"   (at least {least:.2f})" if least else ""
    print(f"{'median':<36}{ratio:>8.2f}{judged}\n")
    return ratio >= least


def bench(binary, build, folder):
    jobs = [jobs_round(binary, build, folder, n) for n in range(ROUNDS)]
    fluxes = [(ours, flux_rate()) for ours, _ in jobs] if shutil.which("flux") else []
    submits = [submits_round(binary, build, folder, n, 0) for n in range(ROUNDS)]
    slow = [submits_round(binary, build, folder, n, SLOW_US) for n in range(ROUNDS)]
    ready, size = restart(binary, build, folder)
    good = compare(f"jobs of `true`, {CLIENTS} clients", "bare loop/s", jobs, LEAST_JOBS)
    if fluxes:
        title = f"jobs of `true`, {CLIENTS} clients"
        good = compare(title, "Flux itself/s", fluxes, LEAST_FLUX) and good
    else:
        print("no Flux is installed: not compared with it\n")
    title = f"durable submits, {CLIENTS} clients"
    _ = compare(f"{title}, this disk", "one sync/s", submits, 0)
    good = compare(f"{title}, {SLOW_US} us more a sync", "one sync/s", slow, LEAST_SUBMITS) and good
    for what, rounds in (("this disk", submits), ("slow syncs", slow)):
        print(f"syncs for each submit, {what}: {statistics.median(r[2] for r in rounds):.3f}")
    print(f"restart with {ENDED} ended jobs: ready in {ready:.2f} s (at most {MOST_READY:.1f}),")
    print(f"{size:.0f} bytes of memory for each (under {MOST_BYTES})")
    return good and ready <= MOST_READY and size < MOST_BYTES


if __name__ == "__main__":
    sys.exit(run(bench, argument(1, "build/flux-restd"), argument(2, "build")))
