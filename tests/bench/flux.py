#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-only
"""Speed beside a Flux instance of its own. Loopback only; needs Flux, wrk and a C compiler.

Usage: tests/bench/flux.py [DAEMON]        (build/flux-restd)

Submits over HTTP against a bare C loop over flux_job_submit(3) with as many in flight; the time
until the daemon is ready again after a restart against a bare C reader of the journal; reads with
the broker idle and at full ingest. Each comparison is of the same run, in turn over several
rounds. Fails if one of the ratios printed is not what it should be.

What ingest costs those who read is the daemon's own work for it. So what the thread that answers
takes of a core at full ingest, nobody reading, has a bound. The clock can show the same only where
the daemon, wrk, and the broker with its load have cores of their own: from four cores on reads at
full ingest are compared with those at idle. On fewer, reader and broker compete for the cores, and
what the clock says is printed without a bound.
"""

import contextlib
import http.client
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

from common import Failure, argument, run

ROUNDS = 7
SECONDS = 3
IN_FLIGHT = 500
MOST_SHARE = 0.10  # of the answering thread, for full ingest
JOBS = 5000
LIST = 1000
OLD_SERVER_LISTS = 6.4  # lists of 1,000 a second by the older Python server
LIMIT = 60

JOBSPEC = {
    "version": 1,
    "resources": [
        {"type": "slot", "count": 1, "label": "task", "with": [{"type": "core", "count": 1}]}
    ],
    "tasks": [{"command": ["true"], "slot": "task", "count": {"per_slot": 1}}],
    "attributes": {"system": {"duration": 0, "cwd": "/tmp", "environment": {"PATH": "/bin"}}},
}


def listed(cores):
    return ",".join(str(core) for core in cores)


class Instance:
    """A broker, and the daemon beside it."""

    def __init__(self, daemon, folder):
        self.daemon = str(daemon)
        self.folder = folder
        ready = folder / "uri"
        self.broker = subprocess.Popen(
            ["flux", "start", "sh", "-c", 'echo "$FLUX_URI" >"$0.new"; mv "$0.new" "$0"; read x',
             str(ready)],
            stdin=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.wait("the broker is there", ready.exists)
        self.env = {**os.environ, "FLUX_URI": ready.read_text().strip()}
        self.restd = None
        self.port = None
        self.cores = sorted(os.sched_getaffinity(0))
        self.bare = folder / "flux_bare"
        source = Path(__file__).with_name("flux_bare.c")
        flags = self.output("pkg-config", "--cflags", "--libs", "flux-core", "jansson").split()
        self.output("cc", "-O2", "-D_GNU_SOURCE", "-o", str(self.bare), str(source), *flags)

    @staticmethod
    def wait(what, condition):
        deadline = time.monotonic() + LIMIT
        while not condition():
            if time.monotonic() > deadline:
                raise Failure(f"waited in vain until {what}")
            time.sleep(0.01)

    def output(self, *command, **options):
        result = subprocess.run(
            command, env=getattr(self, "env", None), capture_output=True, text=True,
            timeout=LIMIT * 3, check=False, **options,
        )  # fmt: skip
        if result.returncode != 0:
            raise Failure(f"{' '.join(command)}: {result.stderr or result.stdout}")
        return result.stdout

    def start(self):
        """Starts the daemon; seconds until it says that it is ready."""
        log = self.folder / "restd.log"
        began = time.monotonic()
        with open(log, "wb") as out:
            self.restd = subprocess.Popen(
                [self.daemon, "--engine=flux", f"--listen=127.0.0.1:{self.port or 0}",
                 "--connections-per-address=1000", "--no-access-log"],
                env=self.env, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            )  # fmt: skip

        def is_ready():
            if self.restd.poll() is not None:
                raise Failure(f"the daemon ended: {log.read_text()}")
            found = re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text(errors="replace"))
            if found:
                self.port = int(found.group(1))
            return found and self.ask("GET", "/readyz")[0] == 200

        self.wait("the daemon is ready", is_ready)
        return time.monotonic() - began

    def stop(self):
        self.restd.send_signal(signal.SIGTERM)
        self.restd.wait(LIMIT)

    def ask(self, method, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        try:
            connection.request(method, path)
            reply = connection.getresponse()
            return reply.status, reply.read()
        except ConnectionError:
            return 0, b""
        finally:
            connection.close()

    def end(self):
        if self.restd and self.restd.poll() is None:
            self.stop()
        with contextlib.suppress(BrokenPipeError):
            self.broker.stdin.close()
        self.broker.wait(LIMIT)

    # Measuring

    def wrk(self, path, connections, seconds, script=None, cores=None):
        command = ["taskset", "-c", listed(cores or self.cores)]
        command += ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout=30s"]
        command += ["-s", str(script)] if script else []
        out = self.output(*command, f"http://127.0.0.1:{self.port}{path}")
        for trouble in ("Non-2xx", "Socket errors"):
            if trouble in out:
                raise Failure(f"wrk met trouble: {out}")
        return float(re.search(r"Requests/sec:\s*([\d.]+)", out).group(1))

    def bare_submits(self):
        out = self.output(str(self.bare), "submit", str(SECONDS), str(IN_FLIGHT),
                          input=json.dumps(JOBSPEC))  # fmt: skip
        return int(out) / SECONDS

    @contextlib.contextmanager
    def ingest(self, cores):
        """Full ingest meanwhile."""
        process = subprocess.Popen(
            ["taskset", "-c", listed(cores), str(self.bare), "submit", "1000000", str(IN_FLIGHT)],
            env=self.env, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        process.stdin.write(json.dumps(JOBSPEC).encode())
        process.stdin.close()
        time.sleep(0.5)
        try:
            yield
        finally:
            process.kill()
            process.wait()

    def part(self, apart):
        """The daemon on a core of its own and the broker on the third and all after it, or not."""
        broker = int(self.output("flux", "getattr", "broker.pid"))
        for pid, cores in ((self.restd.pid, self.cores[:1]), (broker, self.cores[2:])):
            for task in os.listdir(f"/proc/{pid}/task"):
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setaffinity(int(task), cores if apart else self.cores)

    def daemon_seconds(self, thread=False):
        """Processor time of the daemon, or of the thread that answers."""
        task = f"/task/{self.restd.pid}" if thread else ""
        text = Path(f"/proc/{self.restd.pid}{task}/stat").read_text()
        user, system = text.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def asked(self):
        """Messages that the daemon has sent to the broker, as the broker counts them."""
        out = self.output("flux", "module", "stats", "connector-local")
        for client in json.loads(out)["server"]["clients"]:
            if client["pid"] == self.restd.pid:
                return client["txcount"]
        raise Failure(f"the broker does not know the daemon: {out}")

    def settle(self):
        """What was still in flight is known to Flux."""
        count = -1
        while count != self.jobs():
            count = self.jobs()
            time.sleep(0.5)

    def jobs(self):
        out = self.output("flux", "job", "stats")
        return json.loads(out)["job_states"]["total"]


def tell(what, first, second, rows, ratio, bound, better):
    sign = "at least" if better == "more" else "at most"
    print(f"\n{what}\n{'round':<8}{first:>16}{second:>16}{'ratio':>8}")
    for number, (a, b) in enumerate(rows, 1):
        print(f"{number:<8}{a:>16.4g}{b:>16.4g}{a / b:>8.2f}")
    name = "median" if better == "more" else "fastest of each"
    print(f"{name:<32}{ratio:>16.2f}   ({sign} {bound:.2f})", flush=True)
    return ratio >= bound if better == "more" else ratio <= bound


def median_ratio(rows):
    return statistics.median(a / b for a, b in rows)


def bench_submits(one):
    script = one.folder / "submit.lua"
    body = json.dumps({"jobspec": JOBSPEC})
    script.write_text(
        f"wrk.method = 'POST'\nwrk.body = [[{body}]]\n"
        "wrk.headers['Content-Type'] = 'application/json'\n"
    )
    rows = []
    one.bare_submits()
    for _ in range(ROUNDS):
        one.settle()
        ours = one.wrk("/v1/jobs/submit", IN_FLIGHT, SECONDS, script)
        one.settle()
        rows.append((ours, one.bare_submits()))
    one.settle()
    return tell(f"submits a second, {IN_FLIGHT} in flight, the queue stopped", "flux-restd",
                "bare C loop", rows, median_ratio(rows), 0.90, "more")  # fmt: skip


def bench_bulk(one):
    """Submits in one request of lines, against the bare loop."""
    line = json.dumps({"jobspec": JOBSPEC}) + "\n"
    rows = []
    for _ in range(ROUNDS):
        one.settle()
        connection = http.client.HTTPConnection("127.0.0.1", one.port, timeout=LIMIT)
        bare = one.bare_submits()
        one.settle()
        count = int(bare * SECONDS)
        begin = time.monotonic()
        connection.request("POST", "/v1/jobs", line * count,
                           {"Content-Type": "application/x-ndjson"})  # fmt: skip
        text = connection.getresponse().read().decode()
        rows.append((count / (time.monotonic() - begin), bare))
        connection.close()
        if text.count('"status":201') != count:
            raise Failure(f"not all were submitted: {text[:300]}")
    one.settle()
    return tell("submits a second in one request, the queue stopped", "flux-restd",
                "bare C loop", rows, median_ratio(rows), 0.95, "more")  # fmt: skip


def measure_ingest(one):
    """Jobs a second when nobody reads; of a core, what the answering thread and the daemon take."""
    count, began = one.jobs(), time.monotonic()
    answering, all_of_it = one.daemon_seconds(thread=True), one.daemon_seconds()
    time.sleep(SECONDS)
    took = time.monotonic() - began
    answering, all_of_it = one.daemon_seconds(True) - answering, one.daemon_seconds() - all_of_it
    return (one.jobs() - count) / took, answering / took, all_of_it / took


def compare_reads(one, path):
    """Reads a second with the daemon on its own core: (at ingest, idle) of each round."""
    ours, readers, others = one.cores[:1], one.cores[1:2], one.cores[2:]
    rows, ingested = [], []
    one.part(True)
    for _ in range(ROUNDS):
        idle = one.wrk(path, 16, SECONDS, cores=readers)
        count, began = one.jobs(), time.monotonic()
        with one.ingest(others):
            rows.append((one.wrk(path, 16, SECONDS, cores=readers), idle))
            took = time.monotonic() - began
        one.settle()
        ingested.append((one.jobs() - count) / took)
    one.part(False)
    print(f"\nthe daemon on core {listed(ours)}, wrk on {listed(readers)}, the broker and its load "
          f"on {listed(others)}; {statistics.median(ingested):.0f} jobs a second")  # fmt: skip
    return rows


def bench_reads(one, path, what, least):
    requests = one.asked()
    idle = [one.wrk(path, 16, SECONDS) for _ in range(ROUNDS)]
    requests = one.asked() - requests
    rate = statistics.median(idle)
    good = True
    if len(one.cores) >= 4:
        rows = compare_reads(one, path)
        good = tell(f"{what}: reads a second", "full ingest", "idle", rows, median_ratio(rows),
                    0.90, "more")  # fmt: skip
    else:
        print(f"\n{what}: {len(one.cores)} cores are too few to compare by the clock")
    with one.ingest(one.cores):
        jobs, share, daemon = measure_ingest(one)
        shared = one.wrk(path, 16, SECONDS)
    one.settle()
    print(f"with all on {len(one.cores)} cores: {rate:.0f} reads a second idle, {shared:.0f} at "
          "full ingest")  # fmt: skip
    print(f"of {jobs:.0f} jobs a second the thread that answers takes {share:.1%} of a core (at "
          f"most {MOST_SHARE:.0%}), the daemon as a whole {daemon:.1%}")  # fmt: skip
    good = good and share <= MOST_SHARE
    print(f"{requests} messages to the broker for {sum(idle) * SECONDS:.0f} reads")
    if least:
        print(f"at least {least:.0f} a second: {'yes' if rate >= least else 'NO'}")
        good = good and rate >= least
    return good and requests < 100


def bench_restart(one):
    one.output("flux", "cancel", "--all")
    one.wait("all have ended", lambda: json.loads(one.output("flux", "job", "stats"))
             ["job_states"]["inactive"] == one.jobs())  # fmt: skip
    one.output("flux", "job", "purge", "--force", f"--num-limit={JOBS}")
    rows = []
    for _ in range(ROUNDS):
        one.stop()
        ours = one.start()
        began = time.monotonic()
        count = int(one.output(str(one.bare), "journal"))
        rows.append((ours, time.monotonic() - began))
        if count != JOBS:
            raise Failure(f"there are {count} jobs, not {JOBS}")
    # Whatever else runs on the machine only ever adds to such a time.
    ratio = min(a for a, _ in rows) / min(b for _, b in rows)
    return tell(f"seconds until ready, {JOBS} jobs", "flux-restd", "bare C reader", rows, ratio,
                1.50, "less")  # fmt: skip


def bench(daemon, folder):
    one = Instance(daemon, folder)
    try:
        one.output("flux", "queue", "stop", "--all")
        one.start()
        good = bench_submits(one)
        good = bench_bulk(one) and good
        good = bench_restart(one) and good
        job = json.loads(one.ask("GET", "/v1/jobs?limit=1")[1])["jobs"][0]["jobid"]
        job = f"/v1/jobs/{job.replace('ƒ', 'f')}"
        good = bench_reads(one, job, "one job", None) and good
        return bench_reads(one, f"/v1/jobs?limit={LIST}", f"a list of {LIST}",
                           100 * OLD_SERVER_LISTS) and good  # fmt: skip
    finally:
        one.end()


if __name__ == "__main__":
    sys.exit(run(bench, argument(1, "build/flux-restd")))
