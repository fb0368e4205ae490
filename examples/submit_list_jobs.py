#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-only
"""Submits three jobs and lists what the server knows."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients" / "python"))

from flux_restful_client import FluxRestfulClient, FluxRestfulError  # noqa: E402


def main() -> None:
    client = FluxRestfulClient()
    for seconds in (1, 2, 3):
        job = client.submit(["sleep", seconds], name=f"sleep-{seconds}")
        print(f"Submitted {job['jobid']}: sleep {seconds}")
    print()
    print(f"{'job':<14} {'name':<16} {'state':<10} result")
    for job in client.jobs(limit=20)["jobs"]:
        print(f"{job['jobid']:<14} {job['name']:<16} {job['state']:<10} {job['result']}".rstrip())


if __name__ == "__main__":
    try:
        main()
    except FluxRestfulError as error:
        sys.exit(f"submit_list_jobs.py: {error}")
