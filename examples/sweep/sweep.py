#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-only
"""Finds out how well three programs compress 200 folders of this machine, a job for each.

Every job packs another folder with tar and compresses it with another program at another
level; its output is the size before and after. The jobs are submitted through the API, their
outputs collected into a table. With --check the same commands are then run directly, and the
sizes compared.

The server may be killed and started again meanwhile. Reads are tried again by the client. A
submit whose reply was lost may or may not have been done, so that each job has a name of its
own, and the name is looked up before the job is submitted again: no job is lost, none runs
twice.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Tuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "clients" / "python"))

from flux_restful_client import (  # noqa: E402
    FluxRestfulClient,
    FluxRestfulError,
    LostConnectionError,
    UnavailableError,
)

ROOTS = ("/usr/include", "/usr/share/doc", "/usr/share/man", "/usr/lib/python3", "/usr/share")
SMALLEST, LARGEST = 2_000, 300_000  # bytes in a folder that is taken: well under a second each
PROGRAMS = (
    [("gzip", level) for level in range(1, 10)]
    + [("bzip2", level) for level in range(1, 10)]
    + [("xz", level) for level in range(0, 7)]
)
# $1 folder, $2 program, $3 level. tar's output depends on nothing but the files.
SCRIPT = """
unset TAR_OPTIONS GZIP BZIP BZIP2 XZ_OPT XZ_DEFAULTS
pack() {
    tar --format=gnu --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$1" -cf - .
}
[ "$2" = gzip ] && quiet=-n || quiet=-q
pack "$1" | wc -c
pack "$1" | "$2" $quiet -c -"$3" | wc -c
"""
SETTLE_LOOKS = 4  # looks, a second apart, for a job whose submit was cut off


class Task(NamedTuple):
    """One job of the sweep."""

    name: str
    folder: str
    program: str
    level: int

    def command(self) -> List[str]:
        return ["sh", "-c", SCRIPT, "sweep", self.folder, self.program, str(self.level)]


Sizes = Tuple[int, int]  # bytes in, bytes out


class SweepError(Exception):
    """Something that ends the sweep, in words for whoever runs it."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# Which folders


def folder_bytes(folder: str) -> int:
    """Bytes of the files in the folder and below; too many if one cannot be read."""
    total = 0
    for where, _, files in os.walk(folder):
        for name in files:
            path = os.path.join(where, name)
            if not os.path.islink(path):
                if not os.access(path, os.R_OK):
                    return LARGEST + 1
                total += os.path.getsize(path)
        if total > LARGEST:
            break
    return total


def folders() -> Iterator[str]:
    """Folders of the right size, in an order that is always the same."""
    for root in ROOTS:
        for where, below, _ in os.walk(root):
            below.sort()
            if where not in ROOTS and SMALLEST <= folder_bytes(where) <= LARGEST:
                yield where


def plan(run: str, count: int) -> List[Task]:
    """The jobs of this run, a folder each, the programs and levels in turn."""
    tasks: List[Task] = []
    seen = set()
    for folder in folders():
        if len(tasks) == count:
            break
        if folder not in seen:
            seen.add(folder)
            program, level = PROGRAMS[len(tasks) % len(PROGRAMS)]
            tasks.append(Task(f"sweep-{run}-{len(tasks) + 1:04}", folder, program, level))
    if len(tasks) < count:
        raise SweepError(
            f"only {len(tasks)} folders of a fitting size were found below {', '.join(ROOTS)}; "
            f"ask for fewer with --jobs {len(tasks)}"
        )
    return tasks


# Through the API


def find(client: FluxRestfulClient, name: str, deadline: float) -> str:
    """The id of the job of that name, or "" if there is none after some looks."""
    while not client.ready():
        # A server that has just started may not have heard of all jobs yet.
        if time.monotonic() > deadline:
            raise SweepError(f"{client.host} did not become ready again")
        time.sleep(0.3)
    for look in range(SETTLE_LOOKS):
        if look:
            time.sleep(1)
        found = client.jobs(name=name)["jobs"]
        if found:
            return found[0]["jobid"]
    return ""


def submit(client: FluxRestfulClient, task: Task, deadline: float) -> str:
    """Submits the job, once, whatever happens to the server, and returns its id."""
    while True:
        try:
            return client.submit(task.command(), name=task.name)["jobid"]
        except (LostConnectionError, UnavailableError) as error:
            if time.monotonic() > deadline:
                raise
            say(f"{task.name}: {error}")
            if error.code == "outcome-unknown":
                # The server, or the engine behind it, may still be taking it in.
                jobid = find(client, task.name, deadline)
                if jobid:
                    return jobid
            else:
                time.sleep(error.retry_after or 0.5)


def wait_for_all(client: FluxRestfulClient, run: str, count: int, deadline: float) -> List[dict]:
    """Waits until every job of the run has ended, and returns them."""
    while True:
        jobs = client.jobs(name=f"sweep-{run}-*", limit=count + 1)["jobs"]
        open_jobs = [job["name"] for job in jobs if job["state"] != "INACTIVE"]
        if len(jobs) > count:
            raise SweepError(f"{len(jobs)} jobs where {count} were submitted")
        if len(jobs) == count and not open_jobs:
            return jobs
        if time.monotonic() > deadline:
            raise SweepError(
                f"time is over: {len(jobs)} of {count} jobs are known and {len(open_jobs)} have "
                f"not ended, among them {', '.join(sorted(open_jobs)[:3]) or 'none'}"
            )
        time.sleep(0.3)


def read_sizes(client: FluxRestfulClient, job: dict) -> Sizes:
    """The two numbers that the job wrote."""
    lines = client.output(job["jobid"]).get("Output", [])
    try:
        before, after = (int(line) for line in "".join(lines).split())
    except ValueError:
        raise SweepError(
            f"{job['name']} ({job['jobid']}, {job['result']}) wrote {lines!r} instead of two sizes"
        ) from None
    return before, after


def sweep(
    client: FluxRestfulClient, tasks: List[Task], run: str, deadline: float
) -> Dict[str, Sizes]:
    """Runs all tasks as jobs. Returns the sizes by the tasks' names."""
    for number, task in enumerate(tasks, 1):
        submit(client, task, deadline)
        if number % 50 == 0 or number == len(tasks):
            say(f"submitted {number} of {len(tasks)}")
    jobs = wait_for_all(client, run, len(tasks), deadline)
    say("all have ended; collecting their outputs")
    return {job["name"]: read_sizes(client, job) for job in jobs}


# Directly, and the table


def run_directly(task: Task) -> Sizes:
    done = subprocess.run(task.command(), capture_output=True, check=True, text=True)
    before, after = (int(word) for word in done.stdout.split())
    return before, after


def check(tasks: List[Task], sizes: Dict[str, Sizes]) -> bool:
    """Runs every command here and says whether the jobs gave the same."""
    say("running the same commands directly")
    differing = 0
    for task in tasks:
        here = run_directly(task)
        if here != sizes.get(task.name):
            differing += 1
            print(
                f"differs: {task.folder} with {task.program} -{task.level}: "
                f"{sizes.get(task.name)} as a job, {here} directly"
            )
    if differing:
        print(f"not equal: {differing} of {len(tasks)} jobs differ from the commands run directly")
    else:
        print(f"equal: all {len(tasks)} jobs gave what the commands give when run directly")
    return not differing


def print_table(tasks: List[Task], sizes: Dict[str, Sizes]) -> None:
    rows: Dict[Tuple[str, int], List[Sizes]] = {}
    for task in tasks:
        rows.setdefault((task.program, task.level), []).append(sizes[task.name])
    print(f"{'program':<8} {'level':>5} {'folders':>8} {'bytes in':>12} {'bytes out':>12} {'':>7}")
    for (program, level), row in sorted(rows.items()):
        before, after = (sum(column) for column in zip(*row))
        share = f"{after / before:.1%}"
        print(f"{program:<8} {level:>5} {len(row):>8} {before:>12,} {after:>12,} {share:>7}")
    before, after = (sum(column) for column in zip(*sizes.values()))
    share = f"{after / before:.1%}"
    print(f"{'all':<8} {'':>5} {len(sizes):>8} {before:>12,} {after:>12,} {share:>7}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Compresses many folders, a job for each.")
    parser.add_argument("--jobs", type=int, default=200, help="how many (default 200)")
    parser.add_argument("--check", action="store_true", help="compare with the commands run here")
    parser.add_argument("--run", help="a name for this run (default: made from time and pid)")
    parser.add_argument(
        "--timeout", type=float, default=300, help="seconds until it gives up (default 300)"
    )
    args = parser.parse_args()
    if args.jobs < 1:
        parser.error("--jobs must be at least 1")
    run = args.run or f"{int(time.time()):x}-{os.getpid():x}"
    deadline = time.monotonic() + args.timeout
    tasks = plan(run, args.jobs)
    with FluxRestfulClient(attempts=8) as client:
        sizes = sweep(client, tasks, run, deadline)
    print_table(tasks, sizes)
    return 0 if not args.check or check(tasks, sizes) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (FluxRestfulError, SweepError) as error:
        sys.exit(f"sweep.py: {error}")
    except KeyboardInterrupt:
        sys.exit("sweep.py: interrupted; jobs that were submitted go on")
