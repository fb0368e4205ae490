#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-only
"""flux-restd beside programs that do the like, as far as they are installed. Loopback only.

Usage: tests/bench/peers.py [BUILD]        (build)

In turn, over several rounds:

- slurmrestd: each server's own description of its interface (/openapi.json, /openapi/v3), which is
  all that it answers without a slurmctld; each alone on one core, wrk on another;
- task-spooler (tsp) and pueue: jobs of `true`, from the first submit to the end of the last, as many
  at a time as there are cores, by one client process for each job, as a person or a script submits
  them; and ours by one process for all, which the others have not got.

Tells the medians and their ratios, and asserts none: the peers do different things. Fails only if
something does not work.
"""

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from bench import LIMIT, free_port, measure, server
from common import Failure, argument, run, two_cores

ROUNDS = 3
SECONDS = 3
JOBS = 200
ROWS = []  # (what, unit, ours, the peer's name, the peer's)


def told(what, unit, ours, peer, theirs):
    ROWS.append((what, unit, statistics.median(ours), peer, statistics.median(theirs)))


def missing(what):
    print(f"left out: {what} is not installed")


def call(*command, **options):
    words = [str(word) for word in command]
    result = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT,
        check=False, **options,
    )  # fmt: skip
    if result.returncode != 0:
        raise Failure(f"{words}: {result.stdout}{result.stderr}")
    return result.stdout


def restd(stack, build, folder, name, core=None):
    """A daemon of its own, on all cores or on one; its port."""
    port = free_port()
    command = [build / "flux-restd", f"--listen=127.0.0.1:{port}", "--engine=local",
               f"--state-dir={folder}/{name}", "--no-access-log", "--log-level=warning"]  # fmt: skip
    on = core if core is not None else ",".join(map(str, sorted(os.sched_getaffinity(0))))
    log = folder / f"{name}.log"
    stack.enter_context(server(name, [str(word) for word in command], on, port, log))
    return port


# HTTP


# Its JWT plugin hands the token on to slurmctld, which is not asked here.
SLURM_HEADERS = ("X-SLURM-USER-NAME: root", "X-SLURM-USER-TOKEN: none")


def beside_slurmrestd(build, folder, cores):
    program = shutil.which("slurmrestd", path=f"{os.environ['PATH']}:/usr/sbin")
    if not program or not Path("/usr/lib/x86_64-linux-gnu/slurm-wlm/rest_auth_jwt.so").exists():
        missing("slurmrestd with its plugins (slurmrestd, slurm-wlm-basic-plugins)")
        return
    config = folder / "slurm.conf"
    config.write_text("ClusterName=bench\nSlurmctldHost=localhost\nAuthType=auth/none\n")
    os.environ.update(SLURM_CONF=str(config), SLURMRESTD_SECURITY="disable_user_check")
    port = free_port()
    command = [program, "-f", str(config), "-a", "rest_auth/jwt", "-s", "openapi/v0.0.37",
               f"127.0.0.1:{port}"]  # fmt: skip
    with contextlib.ExitStack() as stack:
        mine = restd(stack, build, folder, "http", cores[0])
        stack.enter_context(server("slurmrestd", command, cores[0], port, folder / "slurm.log"))
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(measure(mine, "/openapi.json", cores[1], SECONDS))
            theirs.append(measure(port, "/openapi/v3", cores[1], SECONDS, SLURM_HEADERS))
    told("its own OpenAPI document", "requests/s", ours, "slurmrestd", theirs)


# Local jobs


def wait_idle(url):
    """Until no job is active."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"{url}/v1/jobs?state=active&limit=1", timeout=LIMIT) as reply:
            if not json.load(reply)["jobs"]:
                return
        time.sleep(0.02)
    raise Failure("the jobs did not end")


def each(*command):
    """One process of the command for each job, one after the other."""
    call("sh", "-c", f'for i in $(seq {JOBS}); do "$@" || exit 1; done', "sh", *command)


def rate(submit, wait):
    begin = time.monotonic()
    submit()
    wait()
    return JOBS / (time.monotonic() - begin)


def rounds_of_ours(build, folder):
    """(rates with a process for each job, with one for all)."""
    rest = build / "flux-rest"
    one_each, one_for_all = [], []
    lines = folder / "jobs.txt"
    lines.write_text("true\n" * JOBS)
    for turn in range(ROUNDS):
        with contextlib.ExitStack() as stack:
            port = restd(stack, build, folder, "jobs-" + str(turn))
            url = f"http://127.0.0.1:{port}"
            os.environ["FLUX_RESTFUL_HOST"] = url
            one_each.append(rate(lambda: each(rest, "submit", "true"), lambda: wait_idle(url)))
            one_for_all.append(rate(lambda: call(rest, "bulksubmit", lines), lambda: wait_idle(url)))
    return one_each, one_for_all


def rounds_of_tsp(folder, cores):
    # It keeps each job's output in a file there, as we do.
    os.environ.update(TS_SOCKET=str(folder / "tsp.sock"), TS_MAXFINISHED=str(2 * JOBS),
                      TMPDIR=str(folder))  # fmt: skip
    rates = []

    def wait():
        deadline = time.monotonic() + LIMIT
        while call("tsp").count(" finished ") < JOBS:
            if time.monotonic() > deadline:
                raise Failure("task-spooler's jobs did not end")
            time.sleep(0.02)

    for _ in range(ROUNDS):
        call("tsp", "-S", len(cores))
        try:
            rates.append(rate(lambda: each("tsp", "true"), wait))
        finally:
            call("tsp", "-K")
    return rates


def rounds_of_pueue(folder, cores):
    config = folder / "pueue.yml"
    config.write_text(f"shared:\n  pueue_directory: {folder}/pueue\n")
    command = ["pueue", "-c", config]
    daemon = subprocess.Popen(["pueued", "-c", config], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        deadline = time.monotonic() + LIMIT
        while subprocess.run([*command, "status"], capture_output=True, check=False).returncode:
            if time.monotonic() > deadline:
                raise Failure("pueued does not answer")
            time.sleep(0.1)
        call(*command, "parallel", len(cores))
        return [rate(lambda: each(*command, "add", "--", "true"), lambda: call(*command, "wait"))
                for _ in range(ROUNDS)]  # fmt: skip
    finally:
        daemon.terminate()
        daemon.wait(LIMIT)


def beside_queues(build, folder, cores):
    one_each, one_for_all = rounds_of_ours(build, folder)
    peers = {"tsp": ("task-spooler", rounds_of_tsp), "pueue": ("pueue", rounds_of_pueue)}
    for program, (name, rounds) in peers.items():
        if not shutil.which(program):
            missing(name)
            continue
        theirs = rounds(folder, cores)
        told("jobs, a process to submit each", "jobs/s", one_each, name, theirs)
        told("jobs, ours submitted by one process", "jobs/s", one_for_all, name, theirs)


def bench(build, folder):
    cores = two_cores("one for a server and one for wrk")
    beside_slurmrestd(build, folder, cores)
    beside_queues(build, folder, sorted(os.sched_getaffinity(0)))
    print(f"{'what':<38}{'unit':<12}{'flux-restd':>11}{'peer':>14}{'its':>9}{'ratio':>8}")
    for what, unit, ours, peer, theirs in ROWS:
        print(f"{what:<38}{unit:<12}{ours:>11.0f}{peer:>14}{theirs:>9.0f}{ours / theirs:>8.2f}")
    return True


if __name__ == "__main__":
    sys.exit(run(bench, argument(1, "build")))
