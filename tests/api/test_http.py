# SPDX-License-Identifier: LGPL-3.0-only
"""HTTP as bytes: smuggling, pipelining, half requests, slow and silent clients."""

import contextlib
import http.client
import re
import socket

import pytest
from restd import check_no_leak, read_to_end, wait_for

SUBMIT = b'{"command": "true", "name": "smuggled"}'


@pytest.fixture(scope="module")
def daemon(local):
    """HTTP is the same on every engine: the local one will do."""
    return local


def head(daemon, line, *headers, host=True):
    lines = [line, *([f"Host: 127.0.0.1:{daemon.port}"] if host else []), *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


def statuses(reply):
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", reply)]


def smuggled(daemon):
    """A whole submit, to stand where a body is thought to end."""
    return head(
        daemon,
        "POST /v1/jobs/submit HTTP/1.1",
        "Content-Type: application/json",
        f"Content-Length: {len(SUBMIT)}",
    ) + SUBMIT  # fmt: skip


LENGTH = "Content-Length: 2"
REFUSED = {
    "length and chunked": [LENGTH, "Transfer-Encoding: chunked"],
    "chunked and length": ["Transfer-Encoding: chunked", LENGTH],
    "two lengths that differ": [LENGTH, "Content-Length: 3"],
    "two lengths alike": [LENGTH, LENGTH],
    "two lengths in one": ["Content-Length: 2, 2"],
    "negative length": ["Content-Length: -2"],
    "signed length": ["Content-Length: +2"],
    "length in hex": ["Content-Length: 0x2"],
    "length with a gap": ["Content-Length: 2 2"],
    "empty length": ["Content-Length: "],
    "length that is no number": ["Content-Length: two"],
    "length beyond 64 bits": ["Content-Length: 18446744073709551618"],
    "other encoding": ["Transfer-Encoding: gzip, chunked"],
    "chunked twice": ["Transfer-Encoding: chunked, chunked"],
    "chunked in two headers": ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
    "misspelt encoding": ["Transfer-Encoding: xchunked"],
    "encoding with a tab": ["Transfer-Encoding: \x0bchunked"],
    "identity": ["Transfer-Encoding: identity", LENGTH],
    "two hosts": ["Host: example.org"],
    "two hosts alike": ["Host: {host}"],
    "blank before the colon": ["Transfer-Encoding : chunked"],
    "control character in a value": ["X-A: a\x01b"],
    "header without a colon": ["nonsense"],
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_be_read_in_two_ways(daemon, name):
    """Refused and the connection closed, so that nothing after it is taken for a request."""
    headers = [h.replace("{host}", f"127.0.0.1:{daemon.port}") for h in REFUSED[name]]
    request = head(daemon, "POST /v1/jobs/submit HTTP/1.1", *headers) + b"{}" + smuggled(daemon)
    reply = daemon.raw(request)
    # The HTTP library's own page on a wrong length begins with its header twice; a request
    # that was taken for the next one would be answered differently.
    assert set(statuses(reply)) in ({400}, {413}, {501}, set()), reply
    check_no_leak(reply.decode("latin-1"))
    assert "smuggled" not in daemon.names()


@pytest.mark.parametrize("end", ["\r", "\n"], ids=["CR", "LF"])
def test_bare_line_ends(daemon, end):
    """Taken as a line's end or refused, but not as a part of the value by one and not another."""
    request = head(daemon, "GET /v1/jobs HTTP/1.1", f"X-A: a{end}Content-Length: 5")
    last = head(daemon, "GET /livez HTTP/1.1", "Connection: close")
    reply = daemon.raw(request + b"abcde" + last)
    assert statuses(reply) in ([200, 200], [400], []), reply


def test_nul_in_a_header(daemon):
    """The HTTP library cuts the value there, and nothing else comes of it."""
    request = head(daemon, "GET /livez HTTP/1.1", "X-A: a\0b", "Connection: close")
    reply = daemon.raw(request + smuggled(daemon))
    assert statuses(reply) in ([200], [400], []), reply
    assert "smuggled" not in daemon.names()


@pytest.mark.parametrize("name", ["length and chunked", "two lengths alike", "two hosts"])
def test_refusals_are_in_our_form(daemon, name):
    headers = [h.replace("{host}", f"127.0.0.1:{daemon.port}") for h in REFUSED[name]]
    reply = daemon.raw(head(daemon, "POST /v1/jobs/submit HTTP/1.1", *headers) + b"{}")
    assert statuses(reply) == [400]
    assert b"application/problem+json" in reply


CHUNKS = {
    "size that is no number": b"zz\r\n{}\r\n0\r\n\r\n",
    "size beyond 64 bits": b"fffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    "negative size": b"-2\r\n{}\r\n0\r\n\r\n",
    "no size": b"\r\n{}\r\n0\r\n\r\n",
    "chunk longer than its size": b"1\r\n{}\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", CHUNKS)
def test_chunks_that_are_none(daemon, name):
    start = head(
        daemon,
        "POST /v1/jobs/submit HTTP/1.1",
        "Content-Type: application/json",
        "Transfer-Encoding: chunked",
    )
    reply = daemon.raw(start + CHUNKS[name] + smuggled(daemon))
    assert statuses(reply) in ([400], [413], []), reply
    assert "smuggled" not in daemon.names()


@pytest.mark.parametrize(
    "line",
    ["GET /livez HTTP/1.1 x", "GET /livez HTTP/9.9", "GET /livez", "G\0T /livez HTTP/1.1",
     "GET  HTTP/1.1", "\x16\x03\x01\x02\x00", "GET /livez HTTQ/1.1", "PRI * HTTP/2.0"],
    ids=repr,
)  # fmt: skip
def test_first_lines_that_are_none(daemon, line):
    reply = daemon.raw(head(daemon, line, "Connection: close"))
    assert not re.match(rb"HTTP/1\.[01] 200", reply), reply
    assert daemon.get("/livez").status_code == 200


def test_host_is_required(daemon):
    reply = daemon.raw(head(daemon, "GET /v1/jobs HTTP/1.1", host=False))
    assert statuses(reply) == [400], reply


# What must work


def test_requests_in_a_row_without_waiting(daemon):
    request = head(daemon, "GET /livez HTTP/1.1")
    last = head(daemon, "GET /v1/nothing HTTP/1.1", "Connection: close")
    assert statuses(daemon.raw(request * 5 + last)) == [200] * 5 + [404]


def test_bodies_in_a_row_without_waiting(daemon):
    bad = b'{"command": "true", "runtime": -1}'
    request = head(
        daemon,
        "POST /v1/jobs/submit HTTP/1.1",
        "Content-Type: application/json",
        f"Content-Length: {len(bad)}",
    )
    last = head(daemon, "GET /livez HTTP/1.1", "Connection: close")
    assert statuses(daemon.raw((request + bad) * 3 + last)) == [400] * 3 + [200]


def test_chunked_body(daemon):
    reply = daemon.post(
        "/v1/jobs/submit",
        data=iter([b'{"command": ', b'"echo chunked"', b"}"]),
        headers={"Content-Type": "application/json"},
    )
    assert reply.status_code == 200, reply.text
    daemon.wait_end(reply.json()["jobid"])
    assert daemon.output(reply.json()["jobid"]) == "chunked\n"


def test_expect_continue(daemon):
    body = b'{"command": "true"}'
    request = head(
        daemon,
        "POST /v1/jobs/submit HTTP/1.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Expect: 100-continue",
        "Connection: close",
    )
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=10) as sock:
        sock.sendall(request)
        assert sock.recv(1000).startswith(b"HTTP/1.1 100 ")
        sock.sendall(body)
        assert statuses(read_to_end(sock)) == [200]


def test_a_request_in_single_bytes(daemon):
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=10) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in head(daemon, "GET /livez HTTP/1.1", "Connection: close"):
            sock.send(bytes([byte]))
        assert statuses(read_to_end(sock)) == [200]


def test_kept_connection(daemon):
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=10)
    with contextlib.closing(connection):
        connection.connect()
        kept = connection.sock
        for _ in range(20):
            connection.request("GET", "/v1/jobs")
            reply = connection.getresponse()
            assert reply.status == 200 and reply.read()
            assert connection.sock is kept


def test_request_id_is_given_back(daemon):
    reply = daemon.get("/livez", headers={"X-Request-ID": "mine-1234"})
    assert reply.headers["X-Request-ID"] == "mine-1234"
    made = {daemon.get("/livez").headers["X-Request-ID"] for _ in range(5)}
    assert len(made) == 5 and all(made)


def test_a_wild_request_id_is_not_given_back(daemon):
    for wild in ("x" * 5000, "a b<script>", '"quoted"', "é".encode().decode("latin-1")):
        reply = daemon.get("/livez", headers={"X-Request-ID": wild.encode("latin-1")})
        assert reply.headers["X-Request-ID"] != wild


def test_request_ids_of_clients_that_ask_for_the_same_job(daemon):
    """Replies that are made once and given many times stay apart, also unread ones."""
    job = daemon.run("true")[0]["id"]
    each = 400  # replies that are more than a socket takes
    clients = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(8)]
    try:
        for number, client in enumerate(clients):
            client.settimeout(30)
            ids = [f"X-Request-ID: c{number}.{i}" for i in range(each)]
            asked = [head(daemon, f"GET /v1/jobs/{job} HTTP/1.1", i) for i in ids[:-1]]
            last = head(daemon, f"GET /v1/jobs/{job} HTTP/1.1", ids[-1], "Connection: close")
            client.sendall(b"".join([*asked, last]))
        for number, client in enumerate(clients):
            reply = read_to_end(client)
            assert statuses(reply) == [200] * each
            given = re.findall(rb"X-Request-ID: (\S+)\r\n", reply)
            assert given == [f"c{number}.{i}".encode() for i in range(each)]
            assert reply.count(b'"state":"INACTIVE"') == each
    finally:
        for client in clients:
            client.close()


def test_no_header_by_way_of_a_path(daemon):
    for path in ("/v1/jobs/%0d%0aX-Evil:%201", "/v1/%0d%0aX-Evil:%201", "/%0aX-Evil:1"):
        reply = daemon.get(path)
        assert "X-Evil" not in reply.headers
        assert reply.status_code in (400, 404)


# Clients that are in nobody's way


def test_half_requests_block_nobody(daemon):
    """Clients that stop in the middle of everything are passed by."""
    halves = [
        b"", b"G", b"GET /livez HTT", head(daemon, "GET /livez HTTP/1.1")[:-2],
        head(daemon, "POST /v1/jobs/submit HTTP/1.1", "Content-Length: 100") + b"{",
        head(daemon, "POST /v1/jobs/submit HTTP/1.1", "Transfer-Encoding: chunked") + b"5\r\nab",
    ]  # fmt: skip
    socks = []
    before = daemon.fds()
    try:
        for half in halves:
            sock = socket.create_connection(("127.0.0.1", daemon.port), timeout=10)
            socks.append(sock)
            sock.sendall(half)
        assert daemon.get("/livez").status_code == 200
        assert daemon.jobs(limit=1) is not None
    finally:
        for sock in socks:
            sock.close()
    wait_for("half requests are given up", lambda: daemon.fds() <= before + 1)


def test_a_reader_that_does_not_read(daemon):
    """Many large replies are asked for and left unread; others are served all the same."""
    request = head(daemon, "GET /openapi.json HTTP/1.1")
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=10) as sock:
        sock.settimeout(0.5)
        try:
            for _ in range(2000):
                sock.sendall(request)
        except (TimeoutError, ConnectionError):
            pass
        assert daemon.get("/livez").status_code == 200
        assert daemon.rss() < 1 << 30


def test_connections_that_come_and_go(daemon):
    before = daemon.fds()
    for number in range(200):
        sock = socket.create_connection(("127.0.0.1", daemon.port), timeout=10)
        if number % 2:
            sock.sendall(head(daemon, "GET /v1/jobs HTTP/1.1"))
        sock.close()
    wait_for("they are forgotten", lambda: daemon.fds() <= before + 1)
    assert daemon.get("/livez").status_code == 200


def test_only_submitted_jobs_are_there(daemon):
    assert "smuggled" not in daemon.names()
