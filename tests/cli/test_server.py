# SPDX-License-Identifier: LGPL-3.0-only
"""Which server, as whom, and what flux-rest says where that does not work."""

import json
import re
import select
import socket
import ssl
import subprocess
import threading
import time

import pytest
from conftest import Rest, client
from restd import LIMIT, Daemon, skip_unless_possible

TOKEN = "0123456789abcdef"


def test_no_server(rest):
    status, out, err = rest("jobs", env={"FLUX_RESTFUL_HOST": "http://127.0.0.1:1"})
    assert (status, out) == (3, "")
    assert "no server answers at http://127.0.0.1:1" in err
    assert "flux start flux-restd" in err and "--url" in err


def test_unix_socket(rest, daemon):
    url = f"unix:{daemon.folder}/sock"
    assert re.search(rf"^server +{url}$", rest.ok("--url", url, "info"), re.M)
    assert rest("--url", url, "run", "echo", "hi") == (0, "hi\n", "")
    status, _, err = rest("--url", "unix:/nonexistent", "info")
    assert status == 3 and "unix:/nonexistent" in err


def test_a_host_without_a_scheme(rest, daemon):
    rest.ok("--url", f"127.0.0.1:{daemon.port}", "info")
    rest.ok("--url", f"http://127.0.0.1:{daemon.port}/", "info")


@pytest.mark.parametrize(
    "url, part",
    [
        ("ftp://x", "of no kind"),
        ("http://", "cannot be read"),
        ("unix:relative", "no absolute path"),
        ("http://me:topsecret@x", "FLUX_TOKEN"),
        ("http://x/?a=b", "query"),
    ],
)
def test_a_bad_url(rest, url, part):
    status, out, err = rest("info", "--url", url)
    assert (status, out) == (2, "")
    assert part in err and "topsecret" not in err


def test_a_proxy_is_not_asked_for_this_machine(rest):
    rest.ok("info", env={"http_proxy": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1"})


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A daemon that demands credentials of everyone."""
    skip_unless_possible("local")
    folder = tmp_path_factory.mktemp("guarded")
    env = {"FLUX_USER": "me", "FLUX_TOKEN": TOKEN, "FLUX_REQUIRE_AUTH": "true"}
    one = Daemon(folder, env=env)
    one.session.auth = ("me", TOKEN)
    try:
        yield Rest(one.start().url, folder)
    finally:
        one.session.auth = ("me", TOKEN)
        one.finish()


def test_credentials(guarded):
    good = {"FLUX_USER": "me", "FLUX_TOKEN": TOKEN}
    assert json.loads(guarded.ok("info", "--json", env=good))["identified_by"] == "basic"
    bearer = json.loads(guarded.ok("info", "--json", env={"FLUX_TOKEN": TOKEN}))
    assert bearer["identified_by"] == "bearer"
    for env in ({}, {"FLUX_USER": "me", "FLUX_TOKEN": "wrongtoken"}):
        status, out, err = guarded("info", env=env)
        assert (status, out) == (4, "")
        assert "FLUX_USER and FLUX_TOKEN" in err and "wrongtoken" not in err


def test_token_file(guarded, tmp_path):
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    path.chmod(0o600)
    guarded.ok("info", "--token-file", str(path))
    path.chmod(0o640)
    status, _, err = guarded("info", "--token-file", str(path))
    assert status == 2 and "chmod 600" in err and TOKEN not in err
    path.chmod(0o600)
    path.write_text("")
    assert guarded("info", "--token-file", str(path))[0] == 2
    assert guarded("info", "--token-file", str(tmp_path))[0] == 2
    assert guarded("info", "--token-file", "/nonexistent")[0] == 2


def is_whole(request):
    head, end, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"\r\nContent-Length: (\d+)", head)
    return bool(end) and len(body) >= (int(length[1]) if length else 0)


class Odd:
    """A server that answers each request with the next of some texts, or drops it.

    It keeps a connection after an answer that does not say "Connection: close".
    """

    def __init__(self, *answers, context=None, port=0):
        self.answers = answers
        self.requests = []
        self.context = context
        self.listener = socket.create_server(("127.0.0.1", port))
        scheme = "https" if context else "http"
        self.url = f"{scheme}://localhost:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def accept(self):
        sock, _ = self.listener.accept()
        sock.settimeout(LIMIT)
        return self.context.wrap_socket(sock, server_side=True) if self.context else sock

    def read(self, sock):
        """The next request, on the connection that is kept or on a new one."""
        if sock:
            select.select([self.listener, sock], [], [], LIMIT)
            request = read_request(sock) if select.select([sock], [], [], 0)[0] else b""
            if request:
                return sock, request
            sock.close()
        sock = self.accept()
        return sock, read_request(sock)

    def serve(self):
        sock = None
        self.listener.settimeout(LIMIT)
        for answer in self.answers:
            try:
                sock, request = self.read(sock)
            except OSError:  # a client that does not trust us, or has had enough
                return
            self.requests.append(request)
            sock.sendall(answer)
            if not answer or b"Connection: close" in answer:
                sock.close()
                sock = None
        if sock:
            sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.thread.join(LIMIT)
        self.listener.close()


def read_request(sock):
    request = b""
    while not is_whole(request):
        piece = sock.recv(65536)
        if not piece:
            break
        request += piece
    return request


def body_of(request):
    return json.loads(request.partition(b"\r\n\r\n")[2])


def answer(status, body, *headers):
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close"]
    return "\r\n".join([*lines, *headers, "", body]).encode()


def problem(status, code, *headers):
    body = {"status": status, "code": code, "detail": f"the detail of {code}", "errors": []}
    return answer(status, json.dumps(body), "Content-Type: application/problem+json", *headers)


SERVICE = answer(200, '{"version": "9"}')
SUBMITTED = answer(201, '{"id": 1, "jobid": "ƒ2"}'.replace("ƒ", "\\u0192"))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for localhost, signed by itself, and its key, in one file."""
    path = tmp_path_factory.mktemp("tls") / "pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
               "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost",
               "-addext", "subjectAltName=DNS:localhost", "-keyout", path, "-out", path]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=LIMIT)
    return path


def test_tls(rest, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with Odd(SERVICE, context=context) as odd:
        rest.ok("info", "--url", odd.url, "--cacert", str(certificate))
    with Odd(SERVICE, context=context) as odd:
        status, _, err = rest("info", "--url", odd.url)
    assert status == 3 and "certificate" in err and "--cacert" in err
    assert odd.requests == []


def test_a_get_is_tried_again(rest):
    with Odd(b"", problem(503, "unavailable", "Retry-After: 0"), SERVICE) as odd:
        assert "9" in rest.ok("info", "--url", odd.url)
    assert len(odd.requests) == 3


def test_what_cannot_be_repeated_is_not(rest):
    with Odd(b"") as odd:
        status, _, err = rest("cancel", "f2", "--url", odd.url)
    assert status == 5
    assert "not known whether it was done" in err


def test_no_connection_is_used_again_for_what_cannot_be_repeated(rest):
    # curl itself would send it once more on a new connection.
    kept = answer(200, "{}").replace(b"Connection: close\r\n", b"")
    with Odd(kept, b"", answer(200, "{}")) as odd:
        status, _, err = rest("kill", "f2", "f3", "--url", odd.url)
        assert status == 5
        assert "not known whether it was done" in err and "That was job f3" in err
        assert len(odd.requests) == 2
        rest("kill", "f4", "--url", odd.url)


def test_a_submit_is_repeated_with_its_key(rest):
    with Odd(b"", problem(503, "unavailable", "Retry-After: 0"), SUBMITTED) as odd:
        assert rest.ok("--url", odd.url, "submit", "true") == "ƒ2\n"
    keys = {re.search(rb"Idempotency-Key: (\w{32})\r", request)[1] for request in odd.requests}
    assert len(odd.requests) == 3 and len(keys) == 1


def test_a_submit_waits_for_its_own_first_try(rest):
    with Odd(b"", problem(409, "key-in-flight"), SUBMITTED) as odd:
        assert rest.ok("--url", odd.url, "submit", "true") == "ƒ2\n"
    assert len(odd.requests) == 3


def take_and_go(listener, process):
    """Takes the request of a client, and is gone before it answers."""
    sock, _ = listener.accept()
    with sock:
        sock.settimeout(LIMIT)
        request = read_request(sock)
        listener.close()
        yield request
    time.sleep(0.5)
    assert process.poll() is None  # it waits


@pytest.mark.parametrize("words", [["submit", "true"], ["bulksubmit", "jobs"]])
def test_what_was_taken_is_not_told_as_not_done(rest, tmp_path, words):
    (tmp_path / "jobs").write_text("true\n")
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    with rest.popen("--url", f"http://127.0.0.1:{port}", *words) as process:
        requests = list(take_and_go(listener, process))
        with Odd(problem(500, "internal"), port=port) as odd:
            out, err = process.communicate(timeout=LIMIT)
    assert (process.returncode, out) == (5, b""), err
    assert b"not known whether it was done" in err and b"of internal" in err
    assert b"no server answers" not in err
    assert odd.requests == requests


def test_a_submit_to_a_daemon_that_is_killed_meanwhile(rest, tmp_path):
    """It took the request, and nobody heard so: the daemon that comes after it says so."""
    daemon = Daemon(tmp_path / "daemon").start()
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    try:
        with rest.popen("--url", f"http://127.0.0.1:{port}", "submit", "true") as process:
            for request in take_and_go(listener, process):
                with socket.create_connection(("127.0.0.1", daemon.port), LIMIT) as sock:
                    sock.sendall(request)
                    assert sock.recv(65536).startswith(b"HTTP/1.1 201")
                daemon.kill()
            daemon.listen = [f"127.0.0.1:{port}"]
            daemon.start()
            out, err = process.communicate(timeout=LIMIT)
        assert (process.returncode, err) == (0, b"")
        assert [job["jobid"] for job in daemon.jobs()] == [out.decode().strip()]
    finally:
        daemon.finish()


def test_the_body_of_a_submit(rest, tmp_path):
    (tmp_path / "input").write_text("some text\n")
    words = ["-x", "-N2", "-o", "a.b=1", "-o", "c", "--requires=gpu", "--input=input",
             "--dependency=afterok:f2", "--dependency=afterany:f3", "--cwd=/", "--env=-A",
             "--time-limit=90s", "-l", "-S", "user.x={}",
             "--rlimit=nofile=512", "prog", "-x"]  # fmt: skip
    with Odd(SUBMITTED) as odd:
        rest.ok("submit", "--url", odd.url, *words)
    assert body_of(odd.requests[0]) == {
        "command": ["prog", "-x"], "exclusive": True, "num_nodes": 2, "runtime": 90.0,
        "option_flags": {"a.b": "1", "c": "1"}, "constraints": "gpu", "stdin": "some text\n",
        "dependencies": ["afterok:f2", "afterany:f3"], "workdir": "/", "envars": {"A": None},
        "label_io": True, "attributes": {"x": {}},
        "rlimits": {"nofile": "512"},
    }  # fmt: skip


def test_cancel_by_filter(rest):
    refused = {"id": 2, "jobid": "f3", "code": "forbidden", "detail": "not yours"}
    body = {"Message": "m", "cancelled": 4, "refused": [refused], "refused_count": 1}
    with Odd(answer(200, json.dumps(body))) as odd:
        status, out, err = rest("cancel", "--url", odd.url, "--all", "--name", "a*", "-m", "x&y")
    assert (status, out) == (1, "")
    assert "4 jobs were asked to end" in err and "f3: not yours" in err
    line = odd.requests[0].split(b"\r\n")[0]
    assert line == b"POST /v1/jobs/cancel?state=active&name=a%2A&reason=x%26y HTTP/1.1"


def test_no_credentials_without_need(rest):
    with Odd(SERVICE) as odd:
        rest.ok("info", "--url", odd.url)
    assert b"Authorization" not in odd.requests[0]


def test_redirects_are_not_followed(rest):
    with Odd(answer(302, "", "Location: http://127.0.0.1:1/")) as odd:
        status, _, err = rest("info", "--url", odd.url)
    assert status == 1 and "status 302" in err


def test_no_flux_restd_at_all(rest):
    with Odd(answer(200, "<html>")) as odd:
        status, _, err = rest("info", "--url", odd.url)
    assert status == 1 and "is it a flux-restd?" in err


def test_escapes_in_an_errors_text_are_shown(rest):
    body = json.dumps({"detail": "bad \x1b[31m\ntext", "errors": []})
    with Odd(answer(400, body)) as odd:
        status, _, err = rest("info", "--url", odd.url)
    assert status == 1 and r"bad \x1b[31m\ntext" in err


def test_an_answer_that_comes_late(rest):
    with Odd(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{") as odd:
        status, _, err = rest("cancel", "f2", "--url", odd.url)
    assert status == 5 and odd.requests


def test_help_and_version(rest):
    assert "Commands:" in rest.ok("--help")
    assert "Examples:" in rest.ok("jobs", "--help")
    assert re.fullmatch(r"flux-rest \d+\.\d+\.\d+\n", rest.ok("--version"))
    assert client().name == "flux-rest"


def test_stop(tmp_path):
    one = Daemon(tmp_path).start()
    rest = Rest(one.url, tmp_path)
    status, out, err = rest("stop")
    assert (status, out) == (0, "") and "is stopping" in err
    one.wait_for_end()
    assert rest("info")[0] == 3


def test_stop_when_jobs_have_ended(tmp_path):
    one = Daemon(tmp_path).start()
    try:
        rest = Rest(one.url, tmp_path)
        running, held = one.submit("sleep 600"), one.submit("true", urgency=0)
        one.wait_state(running, "RUN")
        status, out, err = rest("stop", "--drain")
        assert (status, out) == (0, "") and "stops when no job runs any more" in err
        assert one.job(running)["state"] == "RUN"
        status, _, err = rest("stop", "--cancel", "--keep-instance")
        assert status == 0 and "stops when all jobs have ended" in err
        one.wait_for_end()
        one.start()
        for jobid in (running, held):
            assert one.job(jobid)["exception"]["note"] == "the service is stopping"
    finally:
        one.finish()


def test_stop_says_which_way(rest):
    with Odd(answer(200, "{}")) as odd:
        rest.ok("stop", "--url", odd.url, "--keep-instance", "--drain", "--cancel")
    line = odd.requests[0].split(b"\r\n")[0]
    assert line == b"POST /v1/service/stop?instance=false&drain=true&cancel=true HTTP/1.1"


# The answer to a bulk submit: a line for each job, in order.

LINES = answer(
    200,
    '{"status": 201, "id": 1, "jobid": "\\u01922"}\n'
    '{"status": 400, "detail": "no", "errors": [{"pointer": "/num_tasks", "detail": "bad"}]}\n'
    '{"status": 201, "id": 2, "jobid": "\\u01923"}\n',
    "Content-Type: application/x-ndjson",
)
JOBS = '# three jobs\n\necho "a b"\n{"command": "b", "num_tasks": 0}\nc\n'


def test_bulksubmit(rest, tmp_path):
    with Odd(b"", LINES) as odd:
        status, out, err = rest("bulksubmit", "--url", odd.url, "-c2", "--cwd=/", data=JOBS)
    assert (status, out) == (1, "ƒ2\nƒ3\n")
    assert "standard input, line 4: bad" in err
    assert "2 jobs submitted, 1 refused" in err
    first, second = (r.partition(b"\r\n\r\n")[2] for r in odd.requests)
    assert first == second  # with the keys of the first try
    lines = [json.loads(line) for line in first.splitlines()]
    keys = {line.pop("key") for line in lines}
    assert len(keys) == 3
    assert lines == [
        {"command": 'echo "a b"', "cores_per_task": 2, "workdir": "/"},
        {"command": "b", "num_tasks": 0, "cores_per_task": 2, "workdir": "/"},
        {"command": "c", "cores_per_task": 2, "workdir": "/"},
    ]


def test_bulksubmit_again_where_that_helps(rest):
    passing = '{"status": 201, "id": 1, "jobid": "\\u01922"}\n{"status": 503, "detail": "no"}\n'
    good = '{"status": 200, "id": 1, "jobid": "\\u01922"}\n{"status": 201, "jobid": "\\u01923"}\n'
    with Odd(answer(200, passing), answer(200, good)) as odd:
        assert rest("bulksubmit", "--url", odd.url, data="a\nb\n") == (0, "ƒ2\nƒ3\n", "")
    first, second = (body for _, _, body in (r.partition(b"\r\n\r\n") for r in odd.requests))
    assert first == second
    with Odd(answer(200, passing), problem(500, "internal")) as odd:
        status, _, err = rest("bulksubmit", "--url", odd.url, data="a\nb\n")
    assert status == 5 and "or it is not known" in err


def test_bulksubmit_of_a_job_that_may_be_there(rest):
    # With 503 it would be tried for some seconds first.
    line = {"status": 500, "code": "outcome-unknown", "detail": "Flux is slow"}
    body = '{"status": 201, "id": 1, "jobid": "\\u01922"}\n' + json.dumps(line) + "\n"
    with Odd(answer(200, body)) as odd:
        status, out, err = rest("bulksubmit", "--url", odd.url, data="a\nb\n")
    assert (status, out) == (5, "ƒ2\n")
    assert "line 2: Flux is slow" in err and "1 job submitted, 0 refused; the rest" in err


def test_bulksubmit_of_a_file(rest, tmp_path):
    (tmp_path / "jobs").write_text("{not json\n\0\nok\n")
    body = '{"status": 201, "id": 1, "jobid": "\\u01922"}\n'
    with Odd(answer(200, body)) as odd:
        status, out, err = rest("bulksubmit", "--json", "--url", odd.url, "jobs")
    assert (status, out) == (1, body)
    assert "jobs, line 1:" in err and "jobs, line 2: it is longer than 1 MiB" in err
    assert rest("bulksubmit", "nonexistent")[0] == 2
    with Odd(answer(200, body + body)) as odd:
        assert rest("bulksubmit", "--url", odd.url, data="a\n")[0] == 1
    with Odd(answer(200, body)) as odd:
        assert rest("bulksubmit", "--url", odd.url, data="a\nb\n")[0] == 5
