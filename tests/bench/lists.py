#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-only
"""Lists of 100,000 ended jobs, and many submits in one request. Loopback only, local engine.

Usage: tests/bench/lists.py [DAEMON [BUILD]]        (build/flux-restd, build)

What a request costs is the daemon's own processor time for it. Fails if a list of 1,000 jobs is
made at less than 300 MB a second, if a page deep inside costs more than a fifth above the first, if
a filter by state, name or user over all jobs takes 5 ms, or if submits in one request are slower
than those of 16 clients.
"""

import contextlib
import http.client
import json
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlencode

from common import Failure, argument, run, start_local

JOBS = 100000
REPEATS = 30
ROUNDS = 5
SUBMITS = 10000
CLIENTS = 16
LEAST_RATE = 300  # MB of JSON for a second of processor time
MOST_DEEP = 1.2
MOST_FILTER = 5.0  # milliseconds
LIMIT = 60

# Filters that match none, so that every job is looked at, and what is shown beside them.
FILTERS = (
    {"state": "pending"},
    {"state": "inactive", "result": "canceled"},
    {"name": "nosuch*"},
    {"user": "12345"},
)
OTHERS = (
    {"name": "*such*"},
    {"queue": "nosuch"},
    {"since": "9999999999"},
    {"q": "nosuch"},
    {"sort": "-t_submit", "limit": "10"},
    {"sort": "name", "limit": "10"},
)


class Daemon:
    """The daemon on one core, and one connection to it."""

    def __init__(self, binary, folder, name):
        self.process, self.port = start_local(binary, folder, name, "--keep-days=0", limit=LIMIT)
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)

    def end(self):
        self.connection.close()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(LIMIT)

    def processor_ms(self):
        """Of the loop's thread, in ms."""
        pid = self.process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e6

    def get(self, **query):
        self.connection.request("GET", "/v1/jobs?" + urlencode({"user": "all", **query}))
        reply = self.connection.getresponse()
        body = reply.read()
        if reply.status != 200:
            raise Failure(f"{query} was answered {reply.status}: {body[:300]!r}")
        return body

    def cost(self, **query):
        """(ms of the median request, its bytes)."""
        times = []
        for _ in range(REPEATS):
            before = self.processor_ms()
            body = self.get(**query)
            times.append(self.processor_ms() - before)
        return statistics.median(times), len(body)


@contextlib.contextmanager
def daemon(binary, folder, name):
    one = Daemon(binary, folder, name)
    try:
        yield one
    finally:
        one.end()


def verdict(text, good):
    print(f"{text}{'' if good else '   MISSED'}")
    return good


def deep_page(one):
    """The page token for the last page but some."""
    page = None
    for _ in range(JOBS // 1000 - 2):
        query = {"fields": "id", "limit": "1000", **({"page": page} if page else {})}
        page = json.loads(one.get(**query))["next"]
    return {"fields": "id", "limit": "1000", "page": page}


def bench_lists(one):
    ms, size = one.cost(limit="1000")
    rate = size / ms / 1e3
    good = verdict(
        f"limit=1000: {size} bytes in {ms:.2f} ms, {rate:.0f} MB/s (at least {LEAST_RATE})",
        rate >= LEAST_RATE,
    )
    first, _ = one.cost(fields="id", limit="1000")
    deep, _ = one.cost(**deep_page(one))
    good &= verdict(
        f"a page deep inside: {deep:.2f} ms, the first {first:.2f} ms, ratio {deep / first:.2f} "
        f"(at most {MOST_DEEP:.2f})",
        deep / first <= MOST_DEEP,
    )
    for query in FILTERS:
        ms, _ = one.cost(**query)
        text = f"?{urlencode(query)}: {ms:.2f} ms (under {MOST_FILTER:.1f})"
        good &= verdict(text, ms < MOST_FILTER)
    for query in OTHERS:
        print(f"?{urlencode(query)}: {one.cost(**query)[0]:.2f} ms")
    return good


def submits(build, one, body):
    """Submits a second of 16 clients, and in one request of lines."""
    command = [build / "tests" / "bench" / "submit", one.port, CLIENTS, SUBMITS, body]
    out = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=LIMIT, check=True
    )
    apart = SUBMITS / float(out.stdout)
    begin = time.monotonic()
    one.connection.request(
        "POST", "/v1/jobs", (body + "\n") * SUBMITS, {"Content-Type": "application/x-ndjson"}
    )
    text = one.connection.getresponse().read().decode()
    together = SUBMITS / (time.monotonic() - begin)
    if text.count('"status":201') != SUBMITS:
        raise Failure(f"not all were submitted: {text[:300]}")
    return together, apart


def bench_submits(binary, build, folder):
    rows = []
    for turn in range(ROUNDS):
        with daemon(binary, folder, f"submits-{turn}") as one:
            rows.append(submits(build, one, '{"command":["true"],"urgency":0}'))
    print(f"\n{'round':<8}{'one request/s':>16}{f'{CLIENTS} clients/s':>16}{'ratio':>8}")
    for turn, (together, apart) in enumerate(rows, 1):
        print(f"{turn:<8}{together:>16.0f}{apart:>16.0f}{together / apart:>8.2f}")
    ratio = statistics.median(together / apart for together, apart in rows)
    return verdict(f"{'median':<40}{ratio:>8.2f}   (at least 1.00)", ratio >= 1)


def bench(binary, build, folder):
    state = folder / "full"
    state.mkdir(mode=0o700)
    fill = [str(build / "tests" / "bench" / "fill_store"), str(state), str(JOBS)]
    subprocess.run(fill, check=True, timeout=LIMIT)
    with daemon(binary, folder, "full") as one:
        good = bench_lists(one)
    return bench_submits(binary, build, folder) and good


if __name__ == "__main__":
    sys.exit(run(bench, argument(1, "build/flux-restd"), argument(2, "build")))
