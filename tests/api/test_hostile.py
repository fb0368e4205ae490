# SPDX-License-Identifier: LGPL-3.0-only
"""Clients that mean harm: smuggling past a proxy, slow connections by the thousand, forms of
other sites."""

import os
import resource
import shutil
import socket
import subprocess
import sys

import pytest
import requests
from restd import Daemon, clean_environment, read_to_end, skip_unless_possible, wait_for
from test_http import CHUNKS, REFUSED, statuses

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
SUBMIT = b'{"command": "true", "name": "smuggled"}'

# The proxy forbids submits and keeps one connection to the daemon: a request that is hidden in
# another one's body gets past the first, and shifts the replies on the second.
CONFIG = """
daemon off;
master_process off;
worker_processes 1;
pid {prefix}/pid;
error_log {prefix}/error.log warn;
events {{ worker_connections 200; }}
http {{
    access_log off;
    client_body_temp_path {prefix}/body;
    proxy_temp_path {prefix}/proxy;
    fastcgi_temp_path {prefix}/fastcgi;
    uwsgi_temp_path {prefix}/uwsgi;
    scgi_temp_path {prefix}/scgi;
    ignore_invalid_headers {ignore};
    underscores_in_headers on;
    upstream daemon {{ server 127.0.0.1:{daemon}; keepalive 1; }}
    server {{
        listen 127.0.0.1:{port};
        location /v1/jobs/submit {{ return 403; }}
        location / {{
            proxy_pass http://daemon;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_request_buffering {buffering};
            proxy_next_upstream off;
        }}
    }}
}}
"""


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Nginx:
    """A proxy of our own before a daemon."""

    def __init__(self, folder, daemon, **options):
        folder.mkdir(parents=True)
        folder.chmod(0o755)
        self.port = free_port()
        config = folder / "nginx.conf"
        config.write_text(CONFIG.format(prefix=folder, daemon=daemon.port, port=self.port,
                                        **options))  # fmt: skip
        self.errors = folder / "error.log"
        self.process = subprocess.Popen([NGINX, "-p", folder, "-c", config, "-e", self.errors],
                                        stdin=subprocess.DEVNULL)  # fmt: skip

    def start(self):
        wait_for("nginx answers", self.answers)
        return self

    def answers(self):
        assert self.process.poll() is None, self.errors.read_text()
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
        except OSError:
            return False
        return True

    def stop(self):
        self.process.terminate()
        self.process.wait(30)

    def raw(self, data, limit=30):
        with socket.create_connection(("127.0.0.1", self.port), timeout=limit) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            return read_to_end(sock)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    skip_unless_possible("local")
    one = Daemon(tmp_path_factory.mktemp("hostile"))
    try:
        yield one.start()
    finally:
        one.finish()


@pytest.fixture(scope="module", params=["buffering", "passing on"])
def proxy(request, daemon, tmp_path_factory):
    """nginx as it is, and as one that hands on as much as it can of what it is sent."""
    if not os.access(NGINX, os.X_OK):
        pytest.skip("nginx is not installed")
    folder = tmp_path_factory.mktemp("nginx") / "prefix"
    plain = request.param == "buffering"
    one = Nginx(folder, daemon, buffering="on" if plain else "off", ignore="on" if plain else "off")
    try:
        yield one.start()
    finally:
        one.stop()


def head(daemon, line, *headers):
    lines = [line, f"Host: 127.0.0.1:{daemon.port}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


def hidden(daemon):
    """What no client may send through the proxy."""
    return head(daemon, "POST /v1/jobs/submit HTTP/1.1", "Content-Type: application/json",
                f"Content-Length: {len(SUBMIT)}") + SUBMIT  # fmt: skip


def check_nothing_got_through(daemon, proxy, reply):
    """The submit did not, and the connection that proxy and daemon share is not out of step."""
    assert "smuggled" not in daemon.names(), reply
    for mark in ("step-1", "step-2"):
        after = requests.get(f"http://127.0.0.1:{proxy.port}/v1/jobs/1",
                             headers={"X-Request-ID": mark, "Host": f"127.0.0.1:{daemon.port}"},
                             timeout=30)  # fmt: skip
        assert (after.status_code, after.headers["X-Request-ID"]) == (404, mark)


ATTACKS = {name: [h.replace("{host}", "127.0.0.1") for h in headers]
           for name, headers in REFUSED.items()}  # fmt: skip
ATTACKS |= {
    "tab before chunked": ["Transfer-Encoding:\tchunked", "Content-Length: 4"],
    "chunked in capitals": ["Transfer-Encoding: CHUNKED", "Content-Length: 4"],
    "chunked with a comma": ["Transfer-Encoding: chunked,", "Content-Length: 4"],
    "quoted chunked": ['Transfer-Encoding: "chunked"', "Content-Length: 4"],
    "underscore": ["Content_Length: 4", "Transfer_Encoding: chunked"],
    "folded encoding": ["Transfer-Encoding:\r\n chunked", "Content-Length: 4"],
    "folded length": ["Content-Length:\r\n 4"],
    "bare LF before a length": ["X-A: a\nContent-Length: 4"],
    "bare CR before a length": ["X-A: a\rContent-Length: 4"],
    "bare LF before an encoding": ["X-A: a\nTransfer-Encoding: chunked"],
    "NUL before a length": ["X-A: a\0Content-Length: 4"],
    "NUL in a name": ["Content\0-Length: 4"],
    "no name": [": x", "Content-Length: 4"],
    "length of a GET": ["Content-Length: 4"],
    "encoding in latin-1": ["Transfer-Encoding: chunked\xa0", "Content-Length: 4"],
    "upgrade": ["Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAAA"],
    "expectation": ["Expect: 100-continue", "Content-Length: 4"],
    "absolute target": ["Content-Length: 4", "X-Forwarded-Host: evil.example"],
}


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_smuggling_past_a_proxy(daemon, proxy, method, name):
    start = head(daemon, f"{method} /v1/jobs/1/cancel HTTP/1.1", *ATTACKS[name])
    for body in (b"0\r\n\r\n", b"2\r\n{}\r\n0\r\n\r\n", b"{}", b"", b"5c\r\n"):
        reply = proxy.raw(start + body + hidden(daemon))
        check_nothing_got_through(daemon, proxy, reply)


@pytest.mark.parametrize("name", CHUNKS)
def test_chunks_past_a_proxy(daemon, proxy, name):
    start = head(daemon, "POST /v1/jobs/1/cancel HTTP/1.1", "Content-Type: application/json",
                 "Transfer-Encoding: chunked")  # fmt: skip
    for chunks in (CHUNKS[name], b"0\n\n", b"0;\n\r\n\r\n", b"0\r\nContent-Length: 9\r\n\r\n",
                   b"0x0\r\n\r\n", b" 0\r\n\r\n", b"00000000000000000000\r\n\r\n"):  # fmt: skip
        reply = proxy.raw(start + chunks + hidden(daemon))
        check_nothing_got_through(daemon, proxy, reply)


def test_the_proxy_works(daemon, proxy):
    """What the tests above rest on."""
    address = f"http://127.0.0.1:{proxy.port}"
    host = {"Host": f"127.0.0.1:{daemon.port}"}
    made = requests.post(address + "/v1/jobs", json={"command": "echo hello"}, headers=host,
                         timeout=30)  # fmt: skip
    assert made.status_code == 201
    stream = requests.get(f"{address}/v1/jobs/{made.json()['jobid']}/output/stream",
                          headers=host, timeout=30)  # fmt: skip
    assert stream.text == "hello\n"
    denied = requests.post(address + "/v1/jobs/submit", json={"command": "true"}, headers=host,
                           timeout=30)  # fmt: skip
    assert denied.status_code == 403 and "nginx" in denied.text


@pytest.mark.parametrize("name", ["header", "lines"])
def test_what_is_normalised(daemon, name):
    """RFC 9112 lets a server take a bare LF for the end of a line (2.2) and a fold for a blank
    (5.2): both do not change where a message ends."""
    body = b'{"command": "true"}'
    folded = {
        "header": ["X-A: one\r\n two\r\n\tthree", f"Content-Length: {len(body)}"],
        "lines": [f"X-A: one\nContent-Length: {len(body)}"],
    }[name]
    request = head(daemon, "POST /v1/jobs HTTP/1.1", "Content-Type: application/json", *folded)
    if name == "lines":
        request = request.replace(b"\r\n", b"\n")
    last = head(daemon, "GET /livez HTTP/1.1", "Connection: close")
    assert statuses(daemon.raw(request + body + last)) == [201, 200]


# Pages of other sites

EVIL = "http://evil.example"
FORMS = {
    "form": ("application/x-www-form-urlencoded", "command=true&name=forged"),
    "JSON as text": ("text/plain", '{"command": "true", "name": "forged", "x": "="}'),
    "upload": ("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; "
               'name="command"\r\n\r\ntrue\r\n--b--\r\n'),
    "JSON": ("application/json", '{"command": "true", "name": "forged"}'),
}  # fmt: skip
SITES = {
    "origin": {"Origin": EVIL},
    "origin null": {"Origin": "null"},
    "another port": {"Origin": "http://127.0.0.1:1"},
    "another scheme's": {"Origin": "file://"},
    "no origin": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    "same site": {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
    "rebound": {"Host": "evil.example", "Origin": EVIL},
}


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("path", ["/v1/jobs/submit", "/jobs/submit", "/v1/jobs"])
def test_posts_of_other_sites(daemon, path, form, site):
    kind, body = FORMS[form]
    reply = daemon.post(path, data=body, headers={"Content-Type": kind, **SITES[site]})
    assert reply.status_code in (403, 415, 421), reply.text
    assert reply.status_code != 415 or kind not in ("application/json", FORMS["form"][0])
    assert "Access-Control-Allow-Origin" not in reply.headers
    assert "forged" not in daemon.names()


# Slow connections by the thousand

SLOW = 2000
HOLD = """
import socket, sys, time
port, count, pieces = int(sys.argv[1]), int(sys.argv[2]), [b"", b"GET /v1/jobs HT",
    b"POST /v1/jobs HTTP/1.1\\r\\nHost: localhost\\r\\nContent-Length: 100000\\r\\n\\r\\n" + b"x" * 3000]
socks = []
for i in range(count):
    sock = socket.create_connection(("127.0.0.1", port), timeout=60)
    sock.sendall(pieces[i % len(pieces)])
    socks.append(sock)
print("held", flush=True)
sys.stdin.read()
"""


class Holders:
    """Another user who holds many connections, each with a request that does not go on."""

    def __init__(self, daemon, count, user):
        options = {"user": user, "group": user, "extra_groups": []} if user else {}
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(daemon.port), str(count)], cwd="/",
            env=clean_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options,
        )  # fmt: skip
        assert self.process.stdout.readline() == b"held\n"

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


@pytest.fixture
def many_files():
    """2,000 connections have two ends."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < SLOW + 500:
        pytest.skip(f"a process may open {hard} files alone here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def served(daemon):
    """Several kinds of requests, on connections of their own."""
    for path in ("/livez", "/v1/jobs", "/openapi.json", "/v1/nodes?details=true"):
        daemon.session.close()
        assert daemon.get(path).status_code == 200
    jobid = daemon.submit("echo served")
    assert daemon.get(f"/v1/jobs/{jobid}/output/stream").text == "served\n"


@pytest.mark.usefixtures("many_files")
def test_slow_connections_that_are_let_in(make_daemon):
    """With limits that allow them all, they cost memory in proportion and hold up nobody."""
    daemon = make_daemon(args=["--connections", "4000", "--connections-per-address", "4000",
                               "--request-seconds", "600", "--handshake-seconds", "600"]).start()  # fmt: skip
    served(daemon)
    before = daemon.rss()
    with Holders(daemon, SLOW, None):
        wait_for("all are let in", lambda: daemon.fds() >= SLOW)
        served(daemon)
        used = daemon.rss() - before
        each = 64 * 1024 * (8 if daemon.is_sanitized() else 1)
        assert used < SLOW * each, f"{used / SLOW:.0f} bytes for each"
        served(daemon)
    wait_for("they are forgotten", lambda: daemon.fds() < 100)


@pytest.mark.usefixtures("many_files")
@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
def test_slow_connections_of_another_user(make_daemon):
    """With the limits as they are, most are turned away, and the owner is served."""
    daemon = make_daemon(args=["--handshake-seconds", "5", "--request-seconds", "5"]).start()
    served(daemon)
    before = daemon.rss()
    with Holders(daemon, SLOW, 65534):
        assert daemon.fds() < 1000
        served(daemon)
        assert daemon.rss() - before < 256 * 1024 * 1024
        wait_for("their time is over", lambda: daemon.fds() < 100)
        served(daemon)


def test_slow_connections_of_the_same_user(make_daemon):
    """What one user holds does not keep the next connection out for longer than its time."""
    daemon = make_daemon(args=["--connections-per-address", "20", "--handshake-seconds", "1",
                               "--request-seconds", "1"]).start()  # fmt: skip
    socks = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(40)]
    try:
        wait_for("the next one is let in", lambda: b" 200 " in daemon.raw(
            head(daemon, "GET /livez HTTP/1.1", "Connection: close")))  # fmt: skip
    finally:
        for sock in socks:
            sock.close()
