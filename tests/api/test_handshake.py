# SPDX-License-Identifier: LGPL-3.0-only
"""POST /v1/token, as the client's release 0.2 uses it, and what the older server's variables do."""

import base64
import hashlib
import hmac
import json
import time

import pytest
from restd import check_problem, wait_for

USER, TOKEN, SECRET = "fluxuser", "a-token-of-some-length", "the-secret-key-of-this-server"
ENV = {"FLUX_USER": USER, "FLUX_TOKEN": TOKEN, "FLUX_SECRET_KEY": SECRET, "FLUX_REQUIRE_AUTH": "1"}
CLAIMS = {"user": USER, "pass": TOKEN, "scope": "token"}


def part(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt(claims, key=SECRET, head=None, digest=hashlib.sha256):
    """As jose.jwt.encode(claims, key) writes it."""
    head = {"alg": "HS256", "typ": "JWT"} if head is None else head
    text = part(json.dumps(head).encode()) + "." + part(json.dumps(claims).encode())
    return text + "." + part(hmac.new(key.encode(), text.encode(), digest).digest())


def claims_of(token):
    text = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def bearer(text):
    return {"Authorization": f"Bearer {text}"}


def sign_in(daemon, text):
    return daemon.post("/v1/token", headers=bearer(text))


class Release02:
    """What flux_restful_client 0.2 sends, step by step."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.headers = {}

    def do_request(self, endpoint, method="GET", data=None, headers=None):
        reply = self.daemon.request(
            method, f"/v1/{endpoint}", params=data, headers=headers or self.headers
        )
        if reply.status_code != 401:
            return reply
        if self.authenticate_request(reply):
            return self.daemon.request(
                method, f"/v1/{endpoint}", json=data, headers=self.headers
            )
        return reply

    def authenticate_request(self, reply):
        assert "www-authenticate" in reply.headers
        self.headers.pop("Authorization", None)
        reply = self.do_request("token", method="POST", headers=bearer(jwt(CLAIMS)))
        if reply.status_code != 200:
            return False
        token = reply.json()
        assert "access_token" in token and "token_type" in token
        self.headers["Authorization"] = f"Bearer {token['access_token']}"
        return True


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    from restd import Daemon, skip_unless_possible

    skip_unless_possible("local")
    args = ["--failed-sign-ins=10000"]
    one = Daemon(tmp_path_factory.mktemp("handshake"), env=ENV, args=args)
    try:
        yield one.start()
    finally:
        one.session.auth = (USER, TOKEN)
        one.finish()


def test_as_the_released_client_does_it(server):
    client = Release02(server)
    submitted = client.do_request("jobs/submit", "POST", {"command": "echo hello"})
    assert submitted.json()["Message"] == "Job submit."
    first = client.headers["Authorization"]
    jobid = submitted.json()["id"]
    wait_for("it ended", lambda: client.do_request(f"jobs/{jobid}").json()["state"] == "INACTIVE")
    assert client.do_request(f"jobs/{jobid}/output").json() == {"Output": ["hello\n"]}
    assert client.headers["Authorization"] == first
    assert client.do_request("service").json()["identified_by"] == "jwt"
    assert client.do_request("service").json()["user"] == USER


def test_the_access_token(server):
    reply = sign_in(server, jwt(CLAIMS))
    assert reply.status_code == 200
    assert set(reply.json()) == {"access_token", "token_type"}
    assert reply.json()["token_type"] == "Bearer"
    assert reply.headers["Cache-Control"] == "no-store"
    claims = claims_of(reply.json()["access_token"])
    assert claims["sub"] == USER and abs(claims["exp"] - time.time() - 600 * 60) < 60
    assert TOKEN not in str(claims)


@pytest.mark.parametrize(
    "text",
    [
        jwt({}),
        jwt({**CLAIMS, "pass": "wrong"}),
        jwt({**CLAIMS, "user": "wrong"}),
        jwt({**CLAIMS, "scope": "access"}),
        jwt({"user": USER, "pass": TOKEN}),
        jwt({**CLAIMS, "pass": None}),
        jwt(CLAIMS, key="another key"),
        jwt(CLAIMS, key=TOKEN),
        jwt({**CLAIMS, "exp": 1}),
        jwt({**CLAIMS, "nbf": time.time() + 3600}),
        jwt(CLAIMS, head={"alg": "none"}),
        jwt(CLAIMS, head={"alg": "none"}).rpartition(".")[0] + ".",
        jwt(CLAIMS, head={"alg": "HS512"}, digest=hashlib.sha512),
        jwt(CLAIMS, head={"alg": "HS256", "crit": ["exp"]}),
        jwt(CLAIMS, head=["HS256"]),
        jwt([1]),
        jwt(CLAIMS) + "=",
        jwt(CLAIMS) + ".x",
        TOKEN,
        "",
        "...",
        "x" * 6000,
    ],
)
def test_a_request_that_is_not_right(server, text):
    """400 and not 401, at which the released client would come back for ever; all the same."""
    body = check_problem(sign_in(server, text), 400, "unauthorized")
    assert body["detail"] == check_problem(server.post("/v1/token"), 400)["detail"]
    assert "www-authenticate" not in sign_in(server, text).headers


def test_what_is_no_access_token(server):
    """Neither the request itself, nor what who knows the secret key alone can sign."""
    soon = time.time() + 60
    for text in (
        jwt(CLAIMS),
        jwt({"sub": USER, "exp": soon}),
        jwt({"sub": USER, "exp": soon}, key=TOKEN),
        jwt({"sub": USER, "exp": soon}, head={"alg": "none"}),
        sign_in(server, jwt(CLAIMS)).json()["access_token"][:-2] + "AA",
    ):
        check_problem(server.get("/v1/jobs", headers=bearer(text)), 401, "unauthorized")


def test_a_new_token_ends_the_access_tokens(make_daemon):
    daemon = make_daemon(env=ENV).start()
    access = sign_in(daemon, jwt(CLAIMS)).json()["access_token"]
    daemon.kill()
    daemon.start()
    assert daemon.get("/v1/jobs", headers=bearer(access)).status_code == 200
    daemon.kill()
    daemon.env["FLUX_TOKEN"] = "another-token-of-some-length"
    daemon.start()
    check_problem(daemon.get("/v1/jobs", headers=bearer(access)), 401)
    daemon.session.auth = (USER, "another-token-of-some-length")


def test_how_long_one_holds(make_daemon):
    env = {**ENV, "FLUX_ACCESS_TOKEN_EXPIRES_MINUTES": "5"}
    daemon = make_daemon(env=env).start()
    access = sign_in(daemon, jwt(CLAIMS)).json()["access_token"]
    assert abs(claims_of(access)["exp"] - time.time() - 300) < 60
    daemon.session.auth = (USER, TOKEN)


def test_without_a_secret_key(make_daemon):
    env = {name: value for name, value in ENV.items() if name != "FLUX_SECRET_KEY"}
    daemon = make_daemon(env=env).start()
    body = check_problem(sign_in(daemon, jwt(CLAIMS)), 400)
    assert "FLUX_SECRET_KEY" in body["detail"]
    check_problem(sign_in(daemon, jwt(CLAIMS, key="")), 400)
    daemon.session.auth = (USER, TOKEN)


def test_secrets_from_files(make_daemon, tmp_path):
    """Files of mode 0600 in place of variables; one that others can read is refused."""
    token, key = tmp_path / "token", tmp_path / "key"
    token.write_text(TOKEN + "\n")
    key.write_text(SECRET + "\n")
    token.chmod(0o600)
    key.chmod(0o640)
    args = ["--token-file", str(token), "--secret-key-file", str(key), "--require-auth"]
    daemon = make_daemon(args=args, env={"FLUX_USER": USER}).spawn()
    wait_for("the daemon has ended", lambda: daemon.process.poll() is not None)
    assert daemon.process.returncode == 2
    assert str(key) in daemon.stderr() and "chmod 600" in daemon.stderr()
    key.chmod(0o600)
    daemon.start()
    access = sign_in(daemon, jwt(CLAIMS)).json()["access_token"]
    assert daemon.get("/v1/jobs", headers=bearer(access)).status_code == 200
    daemon.session.auth = (USER, TOKEN)
