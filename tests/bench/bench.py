#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-only
"""Speed of one read and of its revalidation beside nginx, and memory at rest. Loopback only.

Usage: tests/bench/bench.py [DAEMON]        (build/flux-restd)

The daemon and then nginx answer `GET /v1/jobs/{id}` on kept-alive connections with the same
bytes and headers, each alone on one core, with wrk on another, in turn over several rounds; then
the same with If-None-Match, which both answer 304. Fails if the median of the rounds' ratios is
under 0.90 for either, or if the daemon at rest needs 16 MiB or more.
"""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

from common import Failure, argument, rss, run, two_cores

ROUNDS = 7
SECONDS = 3
CONNECTIONS = 16
LEAST_RATIO = 0.90
MOST_RSS = 16 << 20
LIMIT = 30  # seconds that anything awaited may take

# Made by each server for itself.
OWN_HEADERS = {"date", "server", "connection", "keep-alive", "content-length", "content-type"}
# nginx takes no longer text in its configuration.
LONGEST_TEXT = 4000


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def ask(port, method, path, body=None):
    """One request: (status, headers, bytes)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
    try:
        headers = {"Content-Type": "application/json"} if body else {}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        reply = connection.getresponse()
        return reply.status, reply.getheaders(), reply.read()
    finally:
        connection.close()


@contextlib.contextmanager
def server(name, command, core, port, log):
    """A server on one core, from when it takes connections until it is ended."""
    with open(log, "wb") as out:
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + LIMIT
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise Failure(f"{name} did not start: {log.read_text(errors='replace')}")
            time.sleep(0.02)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def restd_command(daemon, port, folder):
    return [
        str(daemon),
        f"--listen=127.0.0.1:{port}",
        "--engine=local",
        f"--state-dir={folder}/state",
        "--no-access-log",
        "--log-level=warning",
    ]


def finished_job(port):
    """Runs one job to its end; (path, headers, bytes) of the read that is measured."""
    status, _, body = ask(port, "POST", "/v1/jobs/submit", {"command": ["true"]})
    if status != 200:
        raise Failure(f"the submit was answered {status}: {body!r}")
    path = f"/v1/jobs/{json.loads(body)['jobid'].replace('ƒ', 'f')}"
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        status, headers, body = ask(port, "GET", path)
        if status == 200 and json.loads(body)["state"] == "INACTIVE":
            return path, headers, body
        time.sleep(0.05)
    raise Failure(f"the job did not end: {status} {body!r}")


def quoted(text):
    text = text.replace("\\", "\\\\").replace("'", "\\'")
    if "$" in text or len(text.encode()) > LONGEST_TEXT:
        raise Failure("nginx cannot be made to answer this text")
    return f"'{text}'"


def nginx_config(folder, port, headers, body):
    kept = [(n, v) for n, v in headers if n.lower() not in OWN_HEADERS]
    kind = next(v for n, v in headers if n.lower() == "content-type")
    add = "\n".join(f"add_header {n} {quoted(v)};" for n, v in kept)
    return f"""
worker_processes 1;
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 256; }}
http {{
    access_log off;
    server_tokens off;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    default_type {quoted(kind)};
    server {{
        listen 127.0.0.1:{port};
        {add}
        location /same {{ return 304; }}
        location / {{ return 200 {quoted(body.decode())}; }}
    }}
}}
"""


def measure(port, path, core, seconds, headers=()):
    """Requests a second, by wrk on its own core."""
    url = f"http://127.0.0.1:{port}{path}"
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s"]
    command += [word for header in headers for word in ("-H", header)] + [url]
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds + LIMIT, check=True
    )
    for trouble in ("Non-2xx", "Socket errors"):
        if trouble in result.stdout:
            raise Failure(f"wrk met trouble: {result.stdout}")
    return float(re.search(r"Requests/sec:\s*([\d.]+)", result.stdout).group(1))


def tell(title, ours, theirs):
    """Tells the rounds; the median of their ratios."""
    ratio = statistics.median(a / b for a, b in zip(ours, theirs))
    print(f"{title}, kept alive, {CONNECTIONS} connections, {SECONDS} s")
    print("each server alone on one core, wrk on another, in turn\n")
    print(f"{'round':<8}{'flux-restd/s':>14}{'nginx/s':>12}{'ratio':>8}")
    for number, (a, b) in enumerate(zip(ours, theirs), 1):
        print(f"{number:<8}{a:>14.0f}{b:>12.0f}{a / b:>8.2f}")
    a, b = statistics.median(ours), statistics.median(theirs)
    print(f"{'median':<8}{a:>14.0f}{b:>12.0f}{ratio:>8.2f}   (at least {LEAST_RATIO:.2f})\n")
    return ratio


def run_rounds(servers, core, header=None):
    """Requests a second of each of two (port, path), in turn."""
    headers = [header] if header else []
    rates = [], []
    for port, path in servers:
        measure(port, path, core, 1, headers)  # warm both
    for _ in range(ROUNDS):
        for (port, path), rate in zip(servers, rates):
            rate.append(measure(port, path, core, SECONDS, headers))
    return rates


def bench(daemon, folder):
    cores = two_cores("one for a server and one for wrk")
    restd_port, nginx_port = free_port(), free_port()
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if not nginx:
        raise Failure("nginx is not installed")
    with contextlib.ExitStack() as stack:
        command = restd_command(daemon, restd_port, folder)
        log = folder / "flux-restd.log"
        restd = stack.enter_context(server("flux-restd", command, cores[0], restd_port, log))
        path, headers, body = finished_job(restd_port)
        at_rest = rss(restd.pid)
        config = folder / "nginx.conf"
        config.write_text(nginx_config(folder, nginx_port, headers, body), encoding="utf-8")
        command = [nginx, "-p", str(folder), "-c", str(config)]
        log = folder / "nginx.log"
        stack.enter_context(server("nginx", command, cores[0], nginx_port, log))
        if ask(nginx_port, "GET", path)[2] != body:
            raise Failure("nginx does not answer the same bytes")
        one = (restd_port, path)
        read = run_rounds([one, (nginx_port, path)], cores[1])
        tag = next(value for name, value in headers if name.lower() == "etag")
        same = run_rounds([one, (nginx_port, "/same")], cores[1], f"If-None-Match: {tag}")
        after = rss(restd.pid)
    ratios = [
        tell(f"GET /v1/jobs/{{id}}, {len(body)} bytes", *read),
        tell("the same with If-None-Match: 304", *same),
    ]
    print(f"memory at rest   {at_rest / (1 << 20):6.1f} MiB (under {MOST_RSS >> 20}, VmRSS)")
    print(f"after the load   {after / (1 << 20):6.1f} MiB")
    return min(ratios) >= LEAST_RATIO and at_rest < MOST_RSS


if __name__ == "__main__":
    sys.exit(run(bench, argument(1, "build/flux-restd")))
