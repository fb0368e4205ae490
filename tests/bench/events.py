#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-only
"""Event streams: delay and memory with many readers, and the speed of a reader that comes back.

Usage: tests/bench/events.py [BUILD]        (build)

The API with a made-up engine runs on one core, the readers on another. 1,000 readers are told
200 events a second for ten seconds: each must get every event, 99 of 100 within 50 ms, and need
under 32 KiB of the server's memory. Then one reader comes back from 100,000 events ago, as fast
as its socket takes it. At last 10,000 requests that wait for a job, or for any of fifty, are to
be answered within 100 ms of its event.
"""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from common import argument, rss

READERS, RATE, SECONDS = 1000, 200, 10
BACKLOG = 100_000
WAITERS, IDS, WAITER_ROUNDS, MOST_WAKE_MS = 10_000, 50, 3, 100
MOST_MS, MOST_BYTES, LEAST_RATE = 50, 32 << 10, 100e6


def cpu(pid):
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def many_readers(source, port, folder, core):
    """(least events, most events, p50, p99, p100 in ms, bytes per reader, share of the core)"""
    before = rss(source.pid)
    count = RATE * SECONDS
    command = ["taskset", "-c", str(core), str(folder / "events_reader"), str(port),
               str(READERS), str(count)]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as readers:
        assert readers.stdout.readline() == "ready\n"
        used = cpu(source.pid)
        source.stdin.write(f"{RATE} {count}\n")
        source.stdin.flush()
        line = readers.stdout.readline().split()
        used = (cpu(source.pid) - used) / SECONDS
        after = rss(source.pid)
    return [float(word) for word in line] + [(after - before) / READERS, used]


def waiters(source, port, folder, core, path):
    """Milliseconds from an event to the last of the replies to those who waited for it."""
    command = ["taskset", "-c", str(core), str(folder / "events_waiter"), str(port),
               str(WAITERS), path]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        # All were sent; the server has read them when it answers one that came after them.
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(b"GET /livez HTTP/1.0\r\nHost: localhost\r\n\r\n")
            while sock.recv(65536):
                pass
        begun = time.time()
        source.stdin.write("1000000 1\n")
        source.stdin.flush()
        return (float(process.stdout.readline()) - begun) * 1e3


def coming_back(port):
    """Bytes a second of a reader that reads all that is kept."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"GET /v1/events?since=0 HTTP/1.1\r\nHost: localhost\r\n"
                     b"Accept: text/event-stream\r\n\r\n")  # fmt: skip
        begun, total, tail = time.monotonic(), 0, b""
        while b"event: caught-up" not in tail:
            piece = sock.recv(1 << 20)
            total += len(piece)
            tail = (tail + piece)[-400:]
        return total, total / (time.monotonic() - begun)


def main():
    folder = argument(1, "build") / "tests" / "bench"
    cores = sorted(os.sched_getaffinity(0))
    command = ["taskset", "-c", str(cores[0]), str(folder / "events_source"), str(BACKLOG)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as source:
        port = int(source.stdout.readline())
        least, most, p50, p99, p100, each, used = many_readers(source, port, folder, cores[-1])
        # Events go round over the jobs: each round is woken by the next one.
        some = ",".join(str(jobid) for jobid in range(1, IDS + 1))
        woken = []
        for number in range(1, 2 * WAITER_ROUNDS + 1):
            what = f"/{number}?" if number <= WAITER_ROUNDS else f"?ids={some}&fields=id,state&"
            path = f"/v1/jobs{what}wait=change&timeout=1h"
            woken.append(waiters(source, port, folder, cores[-1], path))
        one, sets = min(woken[:WAITER_ROUNDS]), min(woken[WAITER_ROUNDS:])
        os.sched_setaffinity(0, {cores[-1]})
        rates = [coming_back(port) for _ in range(5)]
        source.stdin.close()
    print(f"{READERS} readers, {RATE} events a second, {SECONDS} s, server on one core")
    print(f"events per reader      {least:.0f} to {most:.0f}   (all {RATE * SECONDS})")
    print(f"delay to the socket    50 % {p50:.1f} ms, 99 % {p99:.1f} ms   (under {MOST_MS}), "
          f"all {p100:.1f} ms")  # fmt: skip
    print(f"memory per reader      {each / 1024:.1f} KiB   (under {MOST_BYTES >> 10})")
    print(f"the core was busy      {used:.0%}")
    print(f"{WAITERS} waiters awake   on one job {one:.0f} ms, on sets of {IDS} "
          f"{sets:.0f} ms   (within {MOST_WAKE_MS}; the best of {WAITER_ROUNDS})")  # fmt: skip
    best = max(rate for _, rate in rates)
    print(f"coming back            {rates[0][0] / 1e6:.1f} MB at {best / 1e6:.0f} MB/s   "
          f"(at least {LEAST_RATE / 1e6:.0f}; the best of {len(rates)})")  # fmt: skip
    good = (least == most == RATE * SECONDS and p99 < MOST_MS and each < MOST_BYTES
            and best >= LEAST_RATE and max(one, sets) <= MOST_WAKE_MS)  # fmt: skip
    print("good" if good else "NOT GOOD")
    return 0 if good else 1


sys.exit(main())
