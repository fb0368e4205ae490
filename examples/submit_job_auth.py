#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-only
"""Submits one job to a server that requires credentials.

Start the server with FLUX_USER, FLUX_TOKEN and FLUX_REQUIRE_AUTH=true in its environment, and
this program with the same FLUX_USER and FLUX_TOKEN.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients" / "python"))

from flux_restful_client import FluxRestfulClient, FluxRestfulError  # noqa: E402


def main() -> None:
    missing = [name for name in ("FLUX_USER", "FLUX_TOKEN") if not os.environ.get(name)]
    if missing:
        sys.exit(
            f"submit_job_auth.py: {' and '.join(missing)} not set. Export the user and token that "
            "the server was started with:\n"
            "    export FLUX_USER=… FLUX_TOKEN=…"
        )
    # The client reads the environment by itself; this is how to give credentials from elsewhere.
    client = FluxRestfulClient()
    client.set_basic_auth(user=os.environ["FLUX_USER"], token=os.environ["FLUX_TOKEN"])
    job = client.submit("echo let in", name="example")
    print(f"Submitted job {job['jobid']} as {os.environ['FLUX_USER']}. Its output:")
    for line in client.stream_output(job["jobid"]):
        print(f"    {line}")


if __name__ == "__main__":
    try:
        main()
    except FluxRestfulError as error:
        sys.exit(f"submit_job_auth.py: {error}")
