# SPDX-License-Identifier: LGPL-3.0-only
"""Who may: peers, credentials, other users of the machine, and tricked browsers."""

import os
import socket
import subprocess
import sys
import textwrap

import pytest
from restd import (
    Daemon,
    UnixConnection,
    binary,
    check_problem,
    clean_environment,
    skip_unless_possible,
    wait_for,
)

USER, TOKEN = "fluxuser", "s3cret-tökén"
BASIC = (USER.encode(), TOKEN.encode())
CREDENTIALS = {"FLUX_USER": USER, "FLUX_TOKEN": TOKEN}
NOBODY = 65534
GUARDED = ["/v1/jobs", "/jobs", "/v1/jobs/search", "/v1/jobs/1", "/v1/jobs/1/output",
           "/v1/jobs/1/output/stream", "/v1/nodes", "/v1/service"]  # fmt: skip

# Run as another user: asks once and prints the status.
ASK = """
import base64, http.client, sys
port, method, path, credentials, body = sys.argv[1:]
headers = {"Content-Type": "application/json"} if body else {}
if credentials:
    headers["Authorization"] = "Basic " + base64.b64encode(credentials.encode()).decode()
connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=20)
connection.request(method, path, body or None, headers)
reply = connection.getresponse()
print(reply.status, reply.getheader("WWW-Authenticate") or "-")
"""

# Run as another user: sends a whole submit and is gone before the daemon can ask who it was.
RUN_AWAY = """
import socket, struct, sys
port, count = int(sys.argv[1]), int(sys.argv[2])
body = b'{"command": "true", "name": "%s"}' % sys.argv[3].encode()
request = (b"POST /v1/jobs/submit HTTP/1.1\\r\\nHost: 127.0.0.1:%d\\r\\n"
           b"Content-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n" % (port, len(body))
           + body)
for number in range(count):
    sock = socket.create_connection(("127.0.0.1", port))
    sock.sendall(request)
    if number % 3 == 1:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if number % 3 == 2:
        sock.shutdown(socket.SHUT_WR)
    sock.close()
"""

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")


def run_as(uid, program, *args):
    """Runs a Python program as another user and returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", textwrap.dedent(program), *map(str, args)],
        user=uid, group=uid, extra_groups=[], cwd="/", env=clean_environment(),
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def ask_as(uid, daemon, path="/v1/jobs", method="GET", credentials="", body=""):
    """The status that the other user gets."""
    return int(run_as(uid, ASK, daemon.port, method, path, credentials, body).split()[0])


def module_daemon(tmp_path_factory, name, **options):
    skip_unless_possible("local")
    one = Daemon(tmp_path_factory.mktemp(name), **options)
    try:
        yield one.start()
    finally:
        one.session.auth = BASIC if options.get("env") else None
        one.finish()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A daemon that requires credentials of everyone."""
    env = {**CREDENTIALS, "FLUX_REQUIRE_AUTH": "true", "FLUX_SECRET_KEY": "another secret"}
    yield from module_daemon(
        tmp_path_factory, "guarded", env=env, args=["--failed-sign-ins=10000"]
    )


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A daemon with credentials that its own user does not need."""
    yield from module_daemon(tmp_path_factory, "shared", env=CREDENTIALS)


@pytest.fixture
def no_session_auth(guarded):
    guarded.session.auth = None
    return guarded


# Without credentials


def test_own_user_on_loopback(local):
    assert local.get("/v1/jobs").status_code == 200
    assert local.post("/v1/jobs/submit", json={"command": "true"}).status_code == 200


@as_root
def test_another_user_on_loopback(local):
    for path in GUARDED:
        assert ask_as(NOBODY, local, path) == 401, path
    body = '{"command": "true", "name": "stolen"}'
    assert ask_as(NOBODY, local, "/v1/jobs/submit", "POST", body=body) == 401
    assert ask_as(NOBODY, local, "/service/stop", "POST") == 401
    assert ask_as(NOBODY, local, "/livez") == 200
    assert "stolen" not in local.names()


@as_root
def test_another_user_is_told_how_to_sign_in(shared):
    assert run_as(NOBODY, ASK, shared.port, "GET", "/v1/jobs", "", "").startswith("401 Basic")


@as_root
def test_another_user_with_credentials(shared):
    right = f"{USER}:{TOKEN}"
    assert ask_as(NOBODY, shared) == 401
    assert ask_as(NOBODY, shared, credentials=f"{USER}:wrong") == 401
    assert ask_as(NOBODY, shared, credentials=right) == 200
    body = '{"command": "true", "name": "let in"}'
    assert ask_as(NOBODY, shared, "/v1/jobs/submit", "POST", right, body) == 200
    assert "let in" in shared.names()


@as_root
def test_another_user_who_is_gone_at_once(shared):
    """The kernel reports such a peer as root without an inode: that must let nobody in."""
    run_as(NOBODY, RUN_AWAY, shared.port, 60, "stolen")
    # Connections are taken in their order: when this job has run, those before were dealt with.
    shared.run("true", name="sentinel")
    shared.run("true", name="sentinel")
    assert "stolen" not in shared.names()


@as_root
def test_own_user_who_is_gone_at_once(local):
    """It may be let in or not, but the daemon stands."""
    run_as(os.getuid(), RUN_AWAY, local.port, 30, "own")
    assert local.get("/livez").status_code == 200
    local.run("true")


@as_root
def test_root_is_nobody_special_over_tcp(make_daemon, tmp_path):
    """Of a daemon of another user: proxies and port forwards run as root."""
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents:
        if folder.stat().st_uid == 0 and folder.name.startswith("pytest-"):
            folder.chmod(0o755)
    if subprocess.run(
        ["test", "-x", str(binary())], user=NOBODY, group=NOBODY, extra_groups=[]
    ).returncode:
        pytest.skip(f"another user cannot run {binary()}")
    path = tmp_path / "daemon-0" / "socket"
    daemon = make_daemon(user=NOBODY, listen=["127.0.0.1:0", f"unix:{path}"], env=CREDENTIALS)
    os.chown(daemon.folder, NOBODY, NOBODY)
    daemon.start()
    daemon.session.auth = None
    check_problem(daemon.get("/v1/jobs"), 401)
    assert ask_as(NOBODY, daemon) == 200
    assert ask_unix(path)[0] == 200
    daemon.session.auth = BASIC
    assert daemon.get("/v1/jobs").status_code == 200


# With credentials


@pytest.mark.parametrize("path", GUARDED)
def test_required(no_session_auth, path):
    for reply in (no_session_auth.get(path), no_session_auth.request("HEAD", path)):
        assert reply.status_code == 401
        assert reply.headers["WWW-Authenticate"].lower().startswith("basic")
    check_problem(no_session_auth.get(path), 401, "unauthorized")


@pytest.mark.parametrize("path", ["/v1/jobs/submit", "/jobs/submit", "/v1/jobs/1/cancel",
                                  "/v1/service/stop", "/service/stop"])  # fmt: skip
def test_required_for_changes(no_session_auth, path):
    reply = no_session_auth.post(path, json={"command": "true", "name": "stolen"})
    check_problem(reply, 401, "unauthorized")
    assert no_session_auth.get("/livez").status_code == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
def test_health_needs_none(no_session_auth, path):
    assert no_session_auth.get(path).status_code == 200


def test_basic(no_session_auth):
    assert no_session_auth.get("/v1/jobs", auth=BASIC).status_code == 200
    reply = no_session_auth.post("/v1/jobs/submit", json={"command": "true"}, auth=BASIC)
    assert reply.status_code == 200


def test_bearer(no_session_auth):
    headers = {"Authorization": b"Bearer " + TOKEN.encode()}
    assert no_session_auth.get("/v1/jobs", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "auth",
    [(USER, "wrong"), (b"wrong", TOKEN.encode()), (USER, ""), (b"", TOKEN.encode()), ("", ""),
     (USER.encode(), TOKEN.encode() + b"x"), (USER.encode(), TOKEN.encode()[:-1]),
     (USER.upper().encode(), TOKEN.encode()), (USER.encode() + b"\0", TOKEN.encode()),
     (USER.encode(), TOKEN.encode() + b"\0")],
    ids=repr,
)  # fmt: skip
def test_wrong_basic(no_session_auth, auth):
    check_problem(no_session_auth.get("/v1/jobs", auth=auth), 401, "unauthorized")


@pytest.mark.parametrize(
    "value",
    ["", "Basic", "Basic ", "Basic ====", "Basic !!!!", "Basic Zm9v", "Bearer", "Bearer ",
     "Bearer wrong", "bearer", "Digest x", "x" * 5000, "Basic " + "A" * 6000, "Bearer \xff\xfe",
     "Basic OnM=", "Bearer eyJhbGciOiJub25lIn0.e30.", "Negotiate"],
    ids=lambda v: v[:16],
)  # fmt: skip
def test_wrong_header(no_session_auth, value):
    headers = {"Authorization": value.encode("latin-1")}
    check_problem(no_session_auth.get("/v1/jobs", headers=headers), 401, "unauthorized")


def test_wrong_credentials_are_refused_where_none_are_needed(shared):
    assert shared.get("/v1/jobs").status_code == 200
    check_problem(shared.get("/v1/jobs", auth=(USER, "wrong")), 401)


def test_unknown_addresses_tell_nothing_to_strangers(no_session_auth):
    for path in ("/v1/nothing", "/v1/jobs/ƒ1111111"):
        assert no_session_auth.get(path).status_code in (401, 404)


def test_refused_before_the_body_is_read(no_session_auth):
    head = (
        f"POST /v1/jobs/submit HTTP/1.1\r\nHost: 127.0.0.1:{no_session_auth.port}\r\n"
        "Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"
    )
    reply = no_session_auth.raw(head.encode())
    assert reply.startswith(b"HTTP/1.1 401 ")


def test_secrets_stay_in_the_daemon(guarded):
    """Not in its log, not in a reply, not in the environment of a job."""
    guarded.session.auth = BASIC
    _, output = guarded.run("env")
    names = {line.partition("=")[0] for line in output.splitlines()}
    assert "PATH" in names
    assert not names & {"FLUX_TOKEN", "FLUX_SECRET_KEY", "FLUX_USER", "FLUX_REQUIRE_AUTH"}
    replies = [guarded.get(path).text for path in ("/v1/service", "/v1/jobs", "/openapi.json")]
    texts = [output, guarded.stderr(), *replies]
    for secret in (TOKEN, "another secret"):
        assert not any(secret in text for text in texts)
    command_line = open(f"/proc/{guarded.pid}/cmdline").read()
    assert TOKEN not in command_line


def test_of_a_services_own_environment_nothing_is_passed_on(make_daemon):
    env = {"INVOCATION_ID": "1", "JOURNAL_STREAM": "8:1", "CREDENTIALS_DIRECTORY": "/x"}
    daemon = make_daemon(env={**env, "KEPT": "1"}).start()
    _, output = daemon.run("env")
    names = {line.partition("=")[0] for line in output.splitlines()}
    assert "KEPT" in names and not names & set(env)


# Guessing


def guess(daemon, number):
    return daemon.get("/v1/jobs", auth=(USER.encode(), b"guess-%d" % number))


def shut_out(daemon, limit):
    """Guesses until no guess is heard any more, and returns how many were."""
    for number in range(100 * limit):
        if guess(daemon, number).status_code == 429:
            return number
    raise AssertionError("guessing goes on and on")


def test_guessing_ends_soon(make_daemon):
    daemon = make_daemon(env={**CREDENTIALS, "FLUX_REQUIRE_AUTH": "1"}).start()
    assert 10 <= shut_out(daemon, 10) < 20
    refused = guess(daemon, 10**6)
    body = check_problem(refused, 429, "too-many")
    assert 1 <= int(refused.headers["Retry-After"]) <= 6
    # What is right is not told from what is wrong, by any way in.
    right = daemon.get("/v1/jobs", auth=BASIC)
    assert check_problem(right, 429)["detail"] == body["detail"]
    bearer = {"Authorization": b"Bearer " + TOKEN.encode()}
    check_problem(daemon.get("/v1/jobs", headers=bearer), 429)
    check_problem(daemon.get("/v1/jobs"), 401)
    assert daemon.get("/livez").status_code == 200
    wait_for("it is heard again", lambda: daemon.get("/v1/jobs", auth=BASIC).status_code == 200)
    daemon.session.auth = BASIC


def test_guessing_at_the_handshake(make_daemon):
    daemon = make_daemon(env={**CREDENTIALS, "FLUX_SECRET_KEY": "a key"}).start()

    def handshake(number):
        headers = {"Authorization": f"Bearer a.b.{number}"}
        return daemon.post("/v1/token", headers=headers)

    seen = [handshake(number).status_code for number in range(30)]
    assert seen[:10] == [400] * 10 and seen[-1] == 429
    check_problem(handshake(99), 429, "too-many")
    check_problem(daemon.get("/v1/jobs", auth=BASIC), 429)
    # Who is known without credentials is served as ever.
    assert daemon.get("/v1/jobs").status_code == 200


def test_a_forgotten_script_shuts_nobody_out(make_daemon):
    daemon = make_daemon(env=CREDENTIALS).start()
    for _ in range(50):
        check_problem(daemon.get("/v1/jobs", auth=(USER, "yesterday's")), 401)
    assert daemon.get("/v1/jobs", auth=BASIC).status_code == 200


def test_what_is_sent_where_no_credentials_are_set_is_no_guess(make_daemon):
    """It may be meant for another server, and its user needs none here. A token of ours is."""
    daemon = make_daemon().start()
    for number in range(30):
        assert guess(daemon, number).status_code == 200
        bearer = {"Authorization": f"Bearer of-another-{number}"}
        assert daemon.get("/v1/jobs", headers=bearer).status_code == 200
    assert daemon.post("/v1/tokens", json={"name": "ours"}).status_code == 201
    assert daemon.request("DELETE", "/v1/tokens/ours").status_code == 200
    seen = [
        daemon.get("/v1/jobs", headers={"Authorization": f"Bearer frt_{number}"}).status_code
        for number in range(30)
    ]
    assert seen[:10] == [401] * 10 and seen[-1] == 429


@as_root
def test_guessing_shuts_out_the_guesser_alone(make_daemon):
    daemon = make_daemon(env=CREDENTIALS).start()
    shut_out(daemon, 10)
    assert ask_as(NOBODY, daemon, credentials=f"{USER}:{TOKEN}") == 200
    assert ask_as(os.getuid(), daemon, credentials=f"{USER}:{TOKEN}") == 429


# Unix sockets


def ask_unix(path, method="GET", target="/v1/jobs", headers=None):
    connection = UnixConnection(str(path))
    connection.request(method, target, headers=headers or {})
    reply = connection.getresponse()
    return reply.status, reply.read()


def test_unix_socket(make_daemon, tmp_path):
    path = tmp_path / "socket"
    daemon = make_daemon(listen=["127.0.0.1:0", f"unix:{path}"]).start()
    assert path.stat().st_mode & 0o777 == 0o600
    assert ask_unix(path)[0] == 200
    daemon.stop()
    assert not path.exists()


def test_unix_socket_of_a_dead_daemon_is_replaced(make_daemon, tmp_path):
    path = tmp_path / "socket"
    daemon = make_daemon(listen=["127.0.0.1:0", f"unix:{path}"]).start()
    daemon.kill()
    assert path.exists()
    daemon.start()
    assert ask_unix(path)[0] == 200


def test_unix_socket_with_credentials_required(make_daemon, tmp_path):
    path = tmp_path / "socket"
    env = {**CREDENTIALS, "FLUX_REQUIRE_AUTH": "1"}
    daemon = make_daemon(listen=["127.0.0.1:0", f"unix:{path}"], env=env).start()
    daemon.session.auth = BASIC
    assert ask_unix(path)[0] == 401


@as_root
def test_unix_socket_and_another_user(make_daemon, tmp_path):
    """Even where somebody opens the socket's mode, another user needs credentials."""
    path = tmp_path / "socket"
    make_daemon(listen=["127.0.0.1:0", f"unix:{path}"]).start()
    for folder in [tmp_path, *tmp_path.parents]:
        if folder.stat().st_uid == 0 and folder.stat().st_mode & 0o777 == 0o700:
            folder.chmod(0o755)
    path.chmod(0o666)
    program = """
    import socket, sys
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(sys.argv[1])
    sock.sendall(b"GET /v1/jobs HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n")
    print(sock.recv(100).decode())
    """
    assert run_as(NOBODY, program, path).startswith("HTTP/1.1 401 ")


# Browsers that are tricked


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example:{port}", "a b", "",
             "localhost.evil.example", "127.0.0.1@evil.example", "localhost:{port}.evil.example"],
)  # fmt: skip
def test_forged_host(local, host):
    host = host.replace("{port}", str(local.port))
    for method, path in (("GET", "/v1/jobs"), ("POST", "/v1/jobs/submit"), ("GET", "/")):
        reply = local.request(method, path, headers={"Host": host})
        assert reply.status_code in (400, 403, 421), (host, reply.status_code)
    if "evil" in host:
        check_problem(local.get("/v1/jobs", headers={"Host": host}), (400, 403, 421))


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}"])
def test_own_hosts(local, host):
    headers = {"Host": host.replace("{port}", str(local.port))}
    assert local.get("/v1/jobs", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://127.0.0.1", "http://localhost:1",
     "https://evil.example", "http://127.0.0.1:{port}.evil.example",
     "http://evil.example/127.0.0.1:{port}", "x"],
)  # fmt: skip
def test_foreign_origin(local, origin):
    headers = {"Origin": origin.replace("{port}", str(local.port))}
    json_body = {"command": "true", "name": "tricked"}
    for path in ("/v1/jobs/submit", "/jobs/submit"):
        check_problem(local.post(path, json=json_body, headers=headers), 403, "origin-refused")
        check_problem(local.post(path, data=json_body, headers=headers), 403, "origin-refused")
        reply = local.post(path, params=json_body, headers=headers)
        check_problem(reply, 403, "origin-refused")
    check_problem(local.post("/v1/service/stop", headers=headers), 403, "origin-refused")
    assert "tricked" not in local.names()


def test_a_page_of_another_site_without_an_origin(local):
    headers = {"Sec-Fetch-Site": "cross-site"}
    reply = local.post("/v1/jobs/submit", data={"command": "true"}, headers=headers)
    check_problem(reply, 403, "origin-refused")


def test_own_origin(local):
    headers = {"Origin": local.url, "Sec-Fetch-Site": "same-origin"}
    reply = local.post("/v1/jobs/submit", json={"command": "true"}, headers=headers)
    assert reply.status_code == 200


def test_no_permission_for_other_origins(local):
    headers = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    for method in ("GET", "OPTIONS", "POST"):
        reply = local.request(method, "/v1/jobs", headers=headers)
        assert not [name for name in reply.headers if name.lower().startswith("access-control-")]


def test_get_changes_nothing(local):
    jobid = local.submit("sleep 600", name="goes on")
    local.wait_state(jobid, "RUN")
    before = len(local.jobs())
    query = "?command=true&name=tricked"
    for path in (f"/v1/jobs/submit{query}", f"/jobs/submit{query}", f"/v1/jobs/{jobid}/cancel",
                 f"/jobs/{jobid}/cancel", "/v1/service/stop", "/service/stop"):  # fmt: skip
        for method in ("GET", "HEAD", "OPTIONS"):
            reply = local.request(method, path, headers={"Accept": "application/json"})
            assert reply.status_code not in (201, 202), (method, path)
            if path.endswith(("/cancel", "/stop")) and method != "OPTIONS":
                assert reply.status_code == 405, (method, path)
    assert local.job(jobid)["state"] == "RUN"
    assert len(local.jobs()) == before
    assert local.process.poll() is None


# What is refused at the start


@pytest.mark.parametrize(
    "env, args, word",
    [
        ({"FLUX_REQUIRE_AUTH": "perhaps"}, [], "FLUX_REQUIRE_AUTH"),
        ({"FLUX_REQUIRE_AUTH": "true"}, [], "token"),
        ({}, ["--listen", "0.0.0.0:0"], "auth"),
        ({}, ["--listen", "127.0.0.1"], "127.0.0.1"),
        ({}, ["--no-such-option"], "no-such-option"),
        ({}, ["--engine", "steam"], "steam"),
    ],
    ids=lambda v: str(v)[:40],
)
def test_start_that_is_refused(make_daemon, env, args, word):
    daemon = make_daemon(env=env, args=args).spawn()
    wait_for("the daemon has ended", lambda: daemon.process.poll() is not None)
    assert daemon.process.returncode not in (0, -6, -11), daemon.stderr()
    assert word.lower() in daemon.stderr().lower()


@pytest.mark.parametrize("word", ["", "false", "0", "no", "off", "False"])
def test_words_for_no(make_daemon, word):
    daemon = make_daemon(env={**CREDENTIALS, "FLUX_REQUIRE_AUTH": word}).start()
    assert daemon.get("/v1/jobs").status_code == 200


@pytest.mark.parametrize("name", ["FLUX_REQUIRE_AUTH", "FLUX_USER_AUTH"])
@pytest.mark.parametrize("word", ["true", "1", "yes", "on", "True"])
def test_words_for_yes(make_daemon, name, word):
    daemon = make_daemon(env={**CREDENTIALS, name: word}).start()
    assert daemon.get("/v1/jobs").status_code == 401
    daemon.session.auth = BASIC
    assert daemon.get("/v1/jobs").status_code == 200


def test_port_in_use(make_daemon):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        daemon = make_daemon(listen=[f"127.0.0.1:{port}"]).spawn()
        wait_for("the daemon has ended", lambda: daemon.process.poll() is not None)
    assert daemon.process.returncode not in (0, -6, -11)
    assert str(port) in daemon.stderr()
