# SPDX-License-Identifier: LGPL-3.0-only
"""Each limit that has a setting, made small and reached."""

import json
import socket

import pytest
from restd import Daemon, read_to_end, skip_unless_possible, wait_for
from test_http import head, statuses

ROW = {
    "header-max": "4K", "body-max": "2K", "parameters": "16", "json-depth": "8",
    "replies-max": "8M", "bulk-jobs": "5", "request-seconds": "2", "idle-seconds": "2",
    "reply-seconds": "2", "handshake-seconds": "1",
}  # fmt: skip


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    """One with all of them, but for those on connections, which would be in the way."""
    skip_unless_possible("local")
    args = [word for name, value in ROW.items() for word in (f"--{name}", value)]
    one = Daemon(tmp_path_factory.mktemp("limits"), args=args)
    try:
        yield one.start()
    finally:
        one.finish()


def connect(daemon):
    return socket.create_connection(("127.0.0.1", daemon.port), timeout=30)


def test_header_block(daemon):
    assert daemon.get("/livez", headers={"X-A": "a" * 3000}).status_code == 200
    assert daemon.get("/livez", headers={"X-A": "a" * 4096}).status_code == 431


def test_parameters(daemon):
    """Of the query and of the header, each."""
    fits = "&".join(f"p{i}=1" for i in range(16))
    assert daemon.get(f"/v1/jobs/search?{fits}").status_code == 200
    assert daemon.get(f"/v1/jobs/search?{fits}&one=more").status_code == 400
    reply = daemon.raw(head(daemon, "GET /livez HTTP/1.1", *["X-A: a"] * 16))
    assert statuses(reply) == [431]


@pytest.mark.parametrize("chunked", [False, True])
def test_body(daemon, chunked):
    def post(size):
        body = json.dumps({"command": "true", "envars": {"A": "x" * size}}).encode()
        return daemon.post("/v1/jobs", data=iter([body]) if chunked else body,
                           headers={"Content-Type": "application/json"}).status_code  # fmt: skip

    assert post(1000) == 201
    assert post(2100) == 413


def test_depth(daemon):
    def post(depth):
        body = '{"command": "true", "user_attributes": ' + '{"a":' * depth + "1" + "}" * depth + "}"
        return daemon.post("/v1/jobs?dry_run=true", data=body,
                           headers={"Content-Type": "application/json"})  # fmt: skip

    assert "nest" not in post(6).text
    deep = post(20)
    assert deep.status_code == 400 and "8" in deep.text, deep.text


def test_bulk(daemon):
    jobs = [{"command": "true"}] * 5
    assert daemon.post("/v1/jobs?dry_run=true", json=jobs).status_code == 200
    assert daemon.post("/v1/jobs?dry_run=true", json=[*jobs, *jobs]).status_code == 413
    lines = "\n".join(json.dumps(job) for job in [*jobs, *jobs])
    reply = daemon.post("/v1/jobs?dry_run=true", data=lines,
                        headers={"Content-Type": "application/x-ndjson"})  # fmt: skip
    results = [json.loads(line) for line in reply.text.splitlines()]
    assert [r.get("status") for r in results[:6]] == [200] * 5 + [413], results
    assert "5 jobs" in reply.text


def test_memory_of_replies(daemon):
    jobid = daemon.submit("sh -c 'yes | head -c 9000000'")
    daemon.wait_end(jobid)
    reply = daemon.get(f"/v1/jobs/{jobid}/output")
    assert reply.status_code == 503 and "Retry-After" in reply.headers


@pytest.mark.parametrize("sent", [b"", b"GET /livez HT"], ids=["nothing", "half a line"])
def test_time_for_a_first_line(daemon, sent):
    with connect(daemon) as sock:
        sock.sendall(sent)
        assert read_to_end(sock) == b""


def test_time_for_a_request(daemon):
    with connect(daemon) as sock:
        sock.sendall(head(daemon, "POST /v1/jobs HTTP/1.1", "Content-Length: 1000") + b"{")
        assert statuses(read_to_end(sock)) == [408]


def test_time_without_a_request(daemon):
    with connect(daemon) as sock:
        sock.sendall(head(daemon, "GET /livez HTTP/1.1"))
        assert statuses(read_to_end(sock)) == [200]


def test_time_for_a_reply(daemon):
    """A client that asks and does not read."""
    before = daemon.fds()
    with connect(daemon) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(1)
        try:
            for _ in range(5000):
                sock.sendall(head(daemon, "GET /openapi.json HTTP/1.1"))
        except OSError:
            pass
        wait_for("it is cut", lambda: daemon.fds() <= before)


@pytest.mark.parametrize("name, status", [("connections", 503), ("connections-per-address", 429)])
def test_connections(make_daemon, name, status):
    daemon = make_daemon(args=[f"--{name}", "8"]).start()
    daemon.session.close()
    request = head(daemon, "GET /livez HTTP/1.1")
    # The one that was closed may still be counted.
    wait_for("there is room", lambda: statuses(
        daemon.raw(head(daemon, "GET /livez HTTP/1.1", "Connection: close"))) == [200])  # fmt: skip
    socks = [connect(daemon) for _ in range(12)]
    try:
        for sock in socks:
            sock.sendall(request)
        got = [statuses(sock.recv(4096)) for sock in socks]
    finally:
        for sock in socks:
            sock.close()
    assert got[:7] == [[200]] * 7 and got[8:] == [[status]] * 4, got
