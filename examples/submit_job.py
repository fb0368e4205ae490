#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-only
"""Submits one job, shows its output as it comes, and says how it ended."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients" / "python"))

from flux_restful_client import FluxRestfulClient, FluxRestfulError  # noqa: E402


def main() -> None:
    client = FluxRestfulClient()
    command = ["sh", "-c", "for n in 1 2 3; do echo line $n of job $FLUX_JOB_ID; sleep 0.2; done"]
    job = client.submit(command, name="example", num_tasks=1)
    print(f"Submitted job {job['jobid']} ({job['id']}). Its output:")
    for line in client.stream_output(job["jobid"]):
        print(f"    {line}")
    info = client.jobs(job["jobid"])
    where = info.get("nodelist") or "its node"
    print(f"It ran on {where} and is now {info['state']} {info['result']}".rstrip() + ".")


if __name__ == "__main__":
    try:
        main()
    except FluxRestfulError as error:
        sys.exit(f"submit_job.py: {error}")
