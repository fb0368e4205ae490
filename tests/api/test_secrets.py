# SPDX-License-Identifier: LGPL-3.0-only
"""Secrets searched for wherever the daemon writes or tells something."""

import json
from pathlib import Path

import pytest
from test_handshake import bearer, jwt

USER, TOKEN, SECRET = "secretive", "Token-0f4c7a61b2d95e38", "Key-93b1e6d0c8f2a745"
WRONG = "Guess-5d0a8e7f1c64b923"


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A daemon that has been asked in every way, and all that it has told: {where: bytes}."""
    from restd import Daemon, skip_unless_possible

    skip_unless_possible("local")
    folder = tmp_path_factory.mktemp("secrets")
    key = folder / "key"
    key.write_text(SECRET)
    key.chmod(0o600)
    env = {"FLUX_USER": USER, "FLUX_TOKEN": TOKEN, "FLUX_REQUIRE_AUTH": "1"}
    args = ["--log-level=debug", f"--secret-key-file={key}", "--failed-sign-ins=1000"]
    daemon = Daemon(folder / "daemon", env=env, args=args)
    try:
        daemon.start()
        yield daemon, ask(daemon)
    finally:
        daemon.session.auth = (USER, TOKEN)
        daemon.finish()


def ask(daemon):
    secrets, replies = {"token": TOKEN, "key": SECRET, "guess": WRONG}, []

    def note(reply):
        replies.append(f"{reply.status_code} {reply.headers}".encode() + reply.content)
        return reply

    claims = {"user": USER, "pass": TOKEN, "scope": "token"}
    access = daemon.post("/v1/token", headers=bearer(jwt(claims, key=SECRET))).json()
    secrets["access"] = access["access_token"]
    for text in (jwt({**claims, "pass": WRONG}, key=SECRET), WRONG, ""):
        note(daemon.post("/v1/token", headers=bearer(text)))
    for auth in ((USER, WRONG), (WRONG, TOKEN), (TOKEN, USER)):
        note(daemon.get("/v1/jobs", auth=auth))
    for text in (WRONG, TOKEN + "x", "frt_" + WRONG, access["access_token"] + "x"):
        note(daemon.get("/v1/jobs", headers=bearer(text)))
    daemon.session.auth = (USER, TOKEN)
    made = daemon.post("/v1/tokens", json={"name": "t", "role": "submit"})
    secrets["scoped"] = made.json()["token"]
    note(daemon.post("/v1/tokens", json={"name": "t"}))
    daemon.session.auth = None
    for way in (bearer(access["access_token"]), bearer(secrets["scoped"])):
        note(daemon.post("/v1/jobs/submit", json={"command": "true"}, headers=way))
        note(daemon.post("/v1/jobs/submit", json={"comand": "true"}, headers=way))
        note(daemon.get("/v1/service", headers=way))
        note(daemon.post("/v1/nodes/n/drain", headers=way))
    daemon.session.auth = (USER, TOKEN)
    script = "cat /proc/self/environ; env; ls -l /proc/self/fd; cat /proc/self/cmdline"
    job, output = daemon.run(["sh", "-c", script])
    for path in ("/v1/jobs", "/v1/tokens", "/v1/stats", "/metrics", "/openapi.json",
                 f"/v1/jobs/{job['jobid']}/jobspec?environment=true",
                 f"/v1/jobs/{job['jobid']}/events"):  # fmt: skip
        assert note(daemon.get(path)).status_code == 200, path
    found = {"replies": b"\n".join(replies), "the job's environment": output.encode()}
    for name in ("environ", "cmdline"):
        found[f"/proc/PID/{name}"] = Path(f"/proc/{daemon.pid}/{name}").read_bytes()
    for file in daemon.folder.rglob("*"):
        if file.is_file():
            found[str(file.relative_to(daemon.folder))] = file.read_bytes()
    return secrets, found


def test_the_search_finds_what_is_there(told):
    daemon, (_, found) = told
    assert {"stderr", "state/audit.log", "state/tokens.json"} <= set(found)
    assert any("db" in Path(name).name or "sqlite" in name for name in found), list(found)
    assert USER.encode() in found["stderr"] and USER.encode() in found["state/audit.log"]
    assert b"PATH=" in found["the job's environment"]
    assert b"FLUX_TOKEN=" in found["/proc/PID/environ"]  # its value is gone
    assert b"401" in found["replies"] and b"403" in found["replies"]
    assert daemon.process.poll() is None


@pytest.mark.parametrize("name", ["token", "key", "guess", "access", "scoped"])
def test_no_secret_is_told(told, name):
    _, (secrets, found) = told
    secret = secrets[name].encode()
    needles = {secret, secret.removeprefix(b"frt_"), json.dumps(secrets[name]).encode()}
    for where, data in found.items():
        for needle in needles:
            assert needle not in data, where
