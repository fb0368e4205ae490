#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-only
"""What credentials cost: one read with each kind of them, beside the same read with none.

Usage: tests/bench/credentials.py [DAEMON]        (build/flux-restd)

One daemon, on one core, answers `GET /v1/jobs/{id}` on kept-alive connections, with wrk on another
core: with no credentials as its own user, and with HTTP Basic, the token as a bearer's, a scoped
token and an access token (JWT), in turn over several rounds. Fails if the median of the rounds'
ratios is under 0.90 for one of them.
"""

import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import statistics
import sys

from bench import LIMIT, finished_job, free_port, measure, restd_command, server
from common import Failure, argument, run, two_cores

ROUNDS = 7
SECONDS = 2
LEAST_RATIO = 0.90
USER, TOKEN, KEY = "bench", "a-token-for-the-benchmark", "a-key-for-the-benchmark"


def part(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def handshake():
    """The JWT that asks for an access token."""
    claims = {"user": USER, "pass": TOKEN, "scope": "token"}
    text = part(b'{"alg":"HS256"}') + "." + part(json.dumps(claims).encode())
    return text + "." + part(hmac.new(KEY.encode(), text.encode(), hashlib.sha256).digest())


def post(port, path, body=None, authorization=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
    headers = {"Content-Type": "application/json"} if body else {}
    if authorization:
        headers["Authorization"] = authorization
    with contextlib.closing(connection):
        connection.request("POST", path, json.dumps(body) if body else None, headers)
        reply = connection.getresponse()
        text = reply.read()
        if reply.status not in (200, 201):
            raise Failure(f"POST {path} was answered {reply.status}: {text!r}")
        return json.loads(text)


def kinds(port):
    """Headers by name, none first."""
    scoped = post(port, "/v1/tokens", {"name": "bench"})["token"]
    access = post(port, "/v1/token", authorization=f"Bearer {handshake()}")["access_token"]
    return {
        "none": [],
        "Basic": ["Authorization: Basic " + base64.b64encode(f"{USER}:{TOKEN}".encode()).decode()],
        "bearer": [f"Authorization: Bearer {TOKEN}"],
        "scoped": [f"Authorization: Bearer {scoped}"],
        "JWT": [f"Authorization: Bearer {access}"],
    }


def bench(daemon, folder):
    cores = two_cores("one for the daemon and one for wrk")
    port = free_port()
    os.environ.update(FLUX_USER=USER, FLUX_TOKEN=TOKEN, FLUX_SECRET_KEY=KEY)
    command = restd_command(daemon, port, folder)
    with server("flux-restd", command, cores[0], port, folder / "log"):
        path, _, _ = finished_job(port)
        headers = kinds(port)
        rates = {name: [] for name in headers}
        for header in headers.values():
            measure(port, path, cores[1], 1, header)  # warm
        for _ in range(ROUNDS):
            for name, header in headers.items():
                rates[name].append(measure(port, path, cores[1], SECONDS, header))
    good = True
    print(f"GET /v1/jobs/{{id}}, the median of {ROUNDS} rounds of {SECONDS} s each\n")
    print(f"{'credentials':<14}{'requests/s':>12}{'ratio':>8}")
    for name, rate in rates.items():
        ratio = statistics.median(a / b for a, b in zip(rate, rates["none"]))
        good = good and ratio >= LEAST_RATIO
        print(f"{name:<14}{statistics.median(rate):>12.0f}{ratio:>8.3f}")
    print(f"\neach at least {LEAST_RATIO:.2f} of none")
    return good


if __name__ == "__main__":
    sys.exit(run(bench, argument(1, "build/flux-restd")))
