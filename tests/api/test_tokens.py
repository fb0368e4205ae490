# SPDX-License-Identifier: LGPL-3.0-only
"""Scoped tokens: made, listed, revoked; kept as hashes alone, in a file for us alone."""

import json
import os
import re
import time

import pytest
from restd import check_problem, wait_for

DAY = 86400


def bearer(text):
    return {"Authorization": f"Bearer {text}"}


def make(daemon, name, **fields):
    reply = daemon.post("/v1/tokens", json={"name": name, **fields})
    assert reply.status_code == 201, reply.text
    return reply.json()


def names(daemon):
    return [token["name"] for token in daemon.get("/v1/tokens").json()["tokens"]]


def tokens_file(daemon):
    return daemon.state_dir / "tokens.json"


@pytest.fixture(scope="module")
def one(local):
    return local


def test_a_token(one):
    reply = one.post("/v1/tokens", json={"name": "dashboard"})
    assert reply.status_code == 201
    assert reply.headers["Cache-Control"] == "no-store"
    token = reply.json()
    assert re.fullmatch(r"frt_[A-Za-z0-9_-]{43}", token["token"])
    assert (token["name"], token["role"]) == ("dashboard", "read")
    assert abs(token["expires"] - time.time() - 90 * DAY) < 60
    listed = one.get("/v1/tokens").json()["tokens"]
    assert [t["name"] for t in listed] == ["dashboard"]
    assert set(listed[0]) == {"name", "role", "created", "expires"}
    assert one.get("/v1/jobs", headers=bearer(token["token"])).status_code == 200
    refused = one.post("/v1/jobs/submit", json={"command": "true"}, headers=bearer(token["token"]))
    check_problem(refused, 403, "forbidden")
    gone = one.request("DELETE", "/v1/tokens/dashboard")
    assert gone.json() == {"Message": "The token is revoked.", "name": "dashboard"}
    assert names(one) == []
    check_problem(one.request("DELETE", "/v1/tokens/dashboard"), 404, "not-found")
    # Even the daemon's own user is not let in with it: it may be a script that should end.
    check_problem(one.get("/v1/jobs", headers=bearer(token["token"])), 401, "unauthorized")


def test_only_hashes_are_kept(one):
    token = make(one, "kept", role="submit")["token"]
    path = tokens_file(one)
    assert path.stat().st_mode & 0o777 == 0o600
    for file in one.folder.rglob("*"):
        if file.is_file():
            data = file.read_bytes()
            assert token.encode() not in data, file
            assert token[4:].encode() not in data, file
    kept = json.loads(path.read_text())["tokens"]
    assert [t["name"] for t in kept] == ["kept"]
    assert one.request("DELETE", "/v1/tokens/kept").status_code == 200


def test_two_of_one_name(one):
    first = make(one, "twin", expires="1h")["token"]
    check_problem(one.post("/v1/tokens", json={"name": "twin"}), 409, "name-taken")
    assert one.get("/v1/jobs", headers=bearer(first)).status_code == 200
    assert one.request("DELETE", "/v1/tokens/twin").status_code == 200


def test_an_expired_token_makes_place(one):
    old = make(one, "brief", expires=0.2)["token"]
    wait_for(
        "the token has expired",
        lambda: one.get("/v1/jobs", headers=bearer(old)).status_code == 401,
    )
    body = check_problem(one.get("/v1/jobs", headers=bearer(old)), 401, "unauthorized")
    assert "expired" in body["detail"]
    new = make(one, "brief", expires="1h")["token"]
    assert one.get("/v1/jobs", headers=bearer(new)).status_code == 200
    assert one.get("/v1/jobs", headers=bearer(old)).status_code == 401
    assert one.request("DELETE", "/v1/tokens/brief").status_code == 200


@pytest.mark.parametrize(
    "fields, pointer",
    [
        ({}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": "a b"}, "/name"),
        ({"name": ".."}, "/name"),
        ({"name": "x" * 65}, "/name"),
        ({"name": "ünï"}, "/name"),
        ({"name": 5}, "/name"),
        ({"name": "x", "role": "root"}, "/role"),
        ({"name": "x", "role": "public"}, "/role"),
        ({"name": "x", "expires": 0}, "/expires"),
        ({"name": "x", "expires": -1}, "/expires"),
        ({"name": "x", "expires": "11y"}, "/expires"),
        ({"name": "x", "expires": "4000d"}, "/expires"),
        ({"name": "x", "expires": "infinity"}, "/expires"),
        ({"name": "x", "expires": []}, "/expires"),
        ({"name": "x", "rôle": "read"}, "/rôle"),
    ],
    ids=str,
)
def test_what_no_token_can_be(one, fields, pointer):
    body = check_problem(one.post("/v1/tokens", json=fields), 400)
    assert pointer in [error["pointer"] for error in body["errors"]]
    assert names(one) == []


def test_all_faults_at_once(one):
    body = check_problem(one.post("/v1/tokens", json={"role": "x", "expires": "y"}), 400)
    assert [e["pointer"] for e in body["errors"]] == ["/name", "/role", "/expires"]


def test_tokens_outlive_the_daemon(make_daemon):
    daemon = make_daemon().start()
    token = make(daemon, "lasting", role="submit")["token"]
    daemon.kill()
    daemon.start()
    assert names(daemon) == ["lasting"]
    reply = daemon.post("/v1/jobs/submit", json={"command": "true"}, headers=bearer(token))
    assert reply.status_code == 200
    assert daemon.request("DELETE", "/v1/tokens/lasting").status_code == 200
    daemon.kill()
    daemon.start()
    assert daemon.get("/v1/jobs", headers=bearer(token)).status_code == 401


def test_a_token_is_enough_to_demand_credentials(make_daemon):
    daemon = make_daemon().start()
    token = make(daemon, "only", role="admin")["token"]
    daemon.stop()
    daemon.env["FLUX_REQUIRE_AUTH"] = "1"
    daemon.start()
    check_problem(daemon.get("/v1/jobs"), 401)
    daemon.session.headers.update(bearer(token))
    assert daemon.get("/v1/jobs").status_code == 200


def test_many_at_a_time(make_daemon):
    """Changes come one after another, and none is lost."""
    from concurrent.futures import ThreadPoolExecutor

    import requests

    daemon = make_daemon().start()

    def one_more(number):
        reply = requests.post(daemon.url + "/v1/tokens", json={"name": f"t{number:02}"}, timeout=60)
        return reply.status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(one_more, range(40))) == {201}
    assert names(daemon) == [f"t{number:02}" for number in range(40)]


def test_changes_by_another_daemon_are_seen(make_daemon):
    """The file is the user's: beside Flux, several daemons may share it."""
    first, second = make_daemon().start(), make_daemon().start()
    token = make(first, "shared", role="read")["token"]
    headers = bearer(token)
    assert second.get("/v1/jobs", headers=headers).status_code == 401
    tokens_file(second).write_bytes(tokens_file(first).read_bytes())
    tokens_file(second).chmod(0o600)
    wait_for("the token is seen", lambda: second.get("/v1/jobs", headers=headers).ok)
    tokens_file(second).unlink()
    wait_for("that it is gone is seen", lambda: not second.get("/v1/jobs", headers=headers).ok)
    assert first.get("/v1/jobs", headers=headers).ok


@pytest.mark.parametrize(
    "spoil, word",
    [
        (lambda path: path.chmod(0o644), "chmod 600"),
        (lambda path: path.chmod(0o620), "write"),
        (lambda path: path.write_text("{"), "damaged"),
        (lambda path: path.write_text('{"version": 2, "tokens": []}'), "damaged"),
        (lambda path: (path.rename(path.with_name("x")), path.symlink_to("x")), "link"),
    ],
    ids=["readable", "writable", "no JSON", "another version", "a link"],
)
def test_a_file_that_cannot_be_trusted(make_daemon, spoil, word):
    """At the start it is refused; while the daemon runs it lets nobody in."""
    daemon = make_daemon().start()
    token = make(daemon, "spoilt", role="admin")["token"]
    assert daemon.get("/v1/jobs", headers=bearer(token)).status_code == 200
    spoil(tokens_file(daemon))
    wait_for(
        "nobody is let in",
        lambda: daemon.get("/v1/jobs", headers=bearer(token)).status_code == 401,
    )
    assert word in daemon.stderr() and daemon.stderr().count("no scoped token is taken") == 1
    assert daemon.get("/v1/jobs").status_code == 200
    daemon.stop()
    daemon.spawn()
    wait_for("the daemon has ended", lambda: daemon.process.poll() is not None)
    assert daemon.process.returncode == 1
    assert word in daemon.stderr()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_directory_that_cannot_be_written(make_daemon):
    daemon = make_daemon().start()
    make(daemon, "first")
    (daemon.state_dir / "tokens.json.new").mkdir()
    check_problem(daemon.post("/v1/tokens", json={"name": "second"}), 507, "storage-full")
    assert names(daemon) == ["first"]
    (daemon.state_dir / "tokens.json.new").rmdir()
    make(daemon, "second")


def test_beside_flux(make_daemon):
    """Where the daemon keeps no jobs, the directory is made when the first one is."""
    daemon = make_daemon("flux", args=["--audit-log=none"]).start()
    state = daemon.state_dir
    assert not state.exists()
    token = make(daemon, "flux", role="submit")["token"]
    assert (state / "tokens.json").stat().st_mode & 0o777 == 0o600
    assert state.stat().st_mode & 0o777 == 0o700
    reply = daemon.post("/v1/jobs/submit", json={"command": "true"}, headers=bearer(token))
    assert reply.status_code == 200
    check_problem(daemon.post("/v1/service/stop", headers=bearer(token)), 403, "forbidden")


@pytest.mark.parametrize("how", ["revoked", "expired"])
@pytest.mark.parametrize("accept", ["text/event-stream", "application/x-ndjson"])
def test_a_stream_ends_with_its_token(make_daemon, how, accept):
    daemon = make_daemon().start()
    token = make(daemon, "listener", expires="1s" if how == "expired" else "1h")["token"]
    headers = {**bearer(token), "Accept": accept}
    with daemon.get("/v1/events", headers=headers, stream=True) as reply:
        assert reply.status_code == 200
        if how == "revoked":
            assert daemon.request("DELETE", "/v1/tokens/listener").status_code == 200
        text = b"".join(reply.iter_content(None)).decode()
    assert '"control":"closing","reason":"the credentials have ended"' in text
    daemon.run("true")


def test_output_is_not_shown_to_a_token_that_was_revoked(make_daemon):
    daemon = make_daemon().start()
    token = make(daemon, "reader")["token"]
    script = "echo first; while ! [ -e go ]; do sleep 0.05; done; echo second; sleep 600"
    jobid = daemon.submit(["sh", "-c", script], workdir=str(daemon.folder))
    wait_for("the first line is there", lambda: "first" in daemon.output(jobid))
    path = f"/v1/jobs/{jobid}/output/stream"
    with daemon.get(path, headers=bearer(token), stream=True) as reply:
        assert next(reply.iter_content(6)) == b"first\n"
        daemon.request("DELETE", "/v1/tokens/reader")
        (daemon.folder / "go").touch()
        wait_for("the second line is there", lambda: "second" in daemon.output(jobid))
        rest = b""
        try:
            for piece in reply.iter_content(None):
                rest += piece
        except Exception as error:  # broken off, as it should be
            assert "IncompleteRead" in str(error) or "reset" in str(error)
    assert b"second" not in rest


def change_as_another_daemon(daemon, *gone):
    """Takes tokens out of the file, as a daemon that shares it would."""
    path = tokens_file(daemon)
    document = json.loads(path.read_text())
    document["tokens"] = [t for t in document["tokens"] if t["name"] not in gone]
    new = path.with_name("tokens.json.other")
    new.touch(0o600)
    new.write_text(json.dumps(document))
    new.rename(path)


def test_the_list_is_that_of_the_file(make_daemon):
    daemon = make_daemon().start()
    make(daemon, "a")
    make(daemon, "b")
    change_as_another_daemon(daemon, "a")
    assert names(daemon) == ["b"]
    tokens_file(daemon).write_text("{")
    assert "damaged" in check_problem(daemon.get("/v1/tokens"), 500, "internal")["detail"]
    tokens_file(daemon).unlink()
    assert names(daemon) == []


@pytest.mark.parametrize("how", ["make", "revoke"])
def test_a_change_that_fails_hides_no_revocation(make_daemon, how):
    daemon = make_daemon().start()
    headers = bearer(make(daemon, "a")["token"])
    make(daemon, "b")
    assert daemon.get("/v1/jobs", headers=headers).status_code == 200
    change_as_another_daemon(daemon, "a")
    if how == "make":
        check_problem(daemon.post("/v1/tokens", json={"name": "b"}), 409, "name-taken")
    else:
        check_problem(daemon.request("DELETE", "/v1/tokens/c"), 404, "not-found")
    wait_for(
        "the token is revoked", lambda: daemon.get("/v1/jobs", headers=headers).status_code == 401
    )
