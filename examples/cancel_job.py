#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-only
"""Submits a job that would take a minute, and cancels it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients" / "python"))

from flux_restful_client import FluxRestfulClient, FluxRestfulError  # noqa: E402


def main() -> None:
    client = FluxRestfulClient()
    job = client.submit("sleep 60", name="example")
    print(f"Submitted {job['jobid']}: sleep 60")
    print(client.cancel(job["jobid"], reason="only an example")["Message"])
    # The stream of a job's output ends when the job has ended: a way to wait for that.
    for _ in client.stream_output(job["jobid"]):
        pass
    info = client.jobs(job["jobid"])
    print(f"It has ended: {info['state']} {info['result']}".rstrip() + ".")


if __name__ == "__main__":
    try:
        main()
    except FluxRestfulError as error:
        sys.exit(f"cancel_job.py: {error}")
