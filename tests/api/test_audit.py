# SPDX-License-Identifier: LGPL-3.0-only
"""The audit log: who did what to which job from where, and never a secret."""

import json
import os
import re

import pytest
from restd import check_problem, wait_for

USER, TOKEN = "auditor", "a-token-of-the-auditor"
ENV = {"FLUX_USER": USER, "FLUX_TOKEN": TOKEN, "FLUX_SECRET_KEY": "a-key-of-the-auditor"}
BASIC = (USER, TOKEN)


def log_of(daemon):
    return daemon.state_dir / "audit.log"


def entries(daemon, request):
    """What is noted of a request; a line comes after its reply."""
    lines = log_of(daemon).read_text().splitlines()
    return [line for line in map(json.loads, lines) if line["request"] == request]


def noted(daemon, request, count=1):
    wait_for(f"{request} is noted", lambda: len(entries(daemon, request)) >= count)
    found = entries(daemon, request)
    assert len(found) == count, found
    return found[0] if count == 1 else found


def named(request, **headers):
    return {"X-Request-ID": request, **headers}


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    from restd import Daemon, skip_unless_possible

    skip_unless_possible("local")
    one = Daemon(tmp_path_factory.mktemp("audited"), env=ENV)
    try:
        yield one.start()
    finally:
        one.finish()


def test_a_submit(audited):
    reply = audited.post(
        "/v1/jobs/submit", json={"command": "true"}, headers=named("one"), auth=BASIC
    )
    line = noted(audited, "one")
    assert line.pop("time") > 1.5e9
    assert re.fullmatch(r"127\.0\.0\.1:\d+", line.pop("from"))
    assert line == {
        "request": "one", "uid": os.getuid(), "user": USER, "by": "basic", "role": "admin",
        "act": "submitJob", "jobid": reply.json()["jobid"],
    }  # fmt: skip


def test_each_job_of_many(audited):
    jobs = [{"command": "true"}, {"command": ""}, {"command": ["sleep", "600"]}]
    results = audited.post("/v1/jobs", json=jobs, headers=named("many")).json()
    ids = [result["jobid"] for result in results if result["status"] == 201]
    assert len(ids) == 2
    lines = noted(audited, "many", 2)
    assert [line["jobid"] for line in lines] == ids
    assert {line["by"] for line in lines} == {"peer"}
    audited.wait_end(ids[0])
    body = {"ids": ids}
    assert audited.post("/v1/jobs/cancel", json=body, headers=named("end")).status_code == 200
    ended = {line["jobid"]: line.get("code") for line in noted(audited, "end", 2)}
    assert ended == {ids[0]: "job-inactive", ids[1]: None}


@pytest.mark.parametrize(
    "method, path, act",
    [("POST", "/cancel", "cancelJob"), ("POST", "/kill", "killJob"), ("DELETE", "", "deleteJob"),
     ("POST", "/urgency", "setUrgency"), ("POST", "/duration", "setDuration")],
)  # fmt: skip
def test_what_is_done_to_a_job(audited, method, path, act):
    jobid = audited.submit("sleep 600")
    reply = audited.request(
        method, f"/jobs/{jobid.replace('ƒ', 'f')}{path}", json={}, headers=named(act)
    )
    line = noted(audited, act)
    assert (line["act"], line["jobid"], line["status"]) == (act, jobid, reply.status_code)
    assert "target" not in line
    audited.post(f"/v1/jobs/{jobid}/cancel")


def test_tokens_and_nodes(audited):
    made = audited.post("/v1/tokens", json={"name": "t1", "role": "submit"}, headers=named("make"))
    assert noted(audited, "make")["act"] == "createToken"
    headers = {"Authorization": f"Bearer {made.json()['token']}"}
    audited.post("/v1/jobs/submit", json={"command": "true"}, headers={**headers, **named("by")})
    line = noted(audited, "by")
    assert (line["user"], line["by"], line["role"]) == ("token:t1", "token", "submit")
    refused = audited.post("/v1/nodes/n7/drain", headers={**headers, **named("drain")})
    check_problem(refused, 403, "forbidden")
    line = noted(audited, "drain")
    assert (line["act"], line["target"], line["status"]) == ("drainNode", "n7", 403)
    audited.request("DELETE", "/v1/tokens/t1", headers=named("revoke"))
    line = noted(audited, "revoke")
    assert (line["act"], line["target"], line["status"]) == ("revokeToken", "t1", 200)


def test_who_is_refused(audited):
    audited.get("/v1/jobs", auth=(USER, "wrong-guess"), headers=named("guess"))
    line = noted(audited, "guess")
    assert (line["act"], line["status"]) == ("listJobs", 401) and "user" not in line
    audited.post("/v1/jobs/submit", headers=named("tricked", Origin="http://evil.example"))
    assert noted(audited, "tricked")["status"] == 403
    audited.post("/v1/token", headers=named("shake", Authorization="Bearer a.b.c"))
    assert noted(audited, "shake")["status"] == 400
    # What is read is not noted.
    audited.get("/v1/jobs", headers=named("read"))
    audited.post("/v1/jobs/submit", json={}, headers=named("after"))
    assert noted(audited, "after")["status"] == 400
    assert entries(audited, "read") == []


def test_no_secret_and_no_broken_line(audited):
    audited.post(
        "/v1/jobs/submit?name=query-secret", headers=named("query"),
        json={"command": "echo body-secret", "envars": {"X": "envar-secret"}},
    )  # fmt: skip
    audited.get("/v1/jobs", auth=(b"u\n\xff\"{", b"password-secret"), headers=named("odd"))
    noted(audited, "odd")
    text = log_of(audited).read_text()
    for secret in ("-secret", TOKEN, ENV["FLUX_SECRET_KEY"], "frt_", "Basic ", "Bearer "):
        assert secret not in text, secret
    for line in text.splitlines():
        assert set(json.loads(line)) <= {
            "time", "request", "from", "uid", "user", "by", "role", "act", "jobid", "target",
            "status", "code",
        }  # fmt: skip
    assert log_of(audited).stat().st_mode & 0o777 == 0o600


def test_it_is_begun_anew_when_it_is_full(make_daemon):
    daemon = make_daemon(args=["--audit-max=64K"]).start()
    jobs = [{"command": "true", "urgency": 0}] * 600
    assert daemon.post("/v1/jobs", json=jobs).status_code == 200
    old = log_of(daemon).with_name("audit.log.1")
    wait_for("there is an old one", old.exists)
    wait_for("all are noted", lambda: sum(
        len(path.read_text().splitlines()) for path in (old, log_of(daemon))) == 600)  # fmt: skip
    for path in (old, log_of(daemon)):
        assert path.stat().st_size < 70000 and path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "spoil, word",
    [
        (lambda path: path.chmod(0o644), "chmod 600"),
        (lambda path: (path.rename(path.with_name("x")), path.symlink_to("x")), "link"),
        (lambda path: (path.unlink(), path.mkdir()), "directory"),
        (lambda path: (path.unlink(), os.mkfifo(path, 0o600)), "audit log"),
    ],
    ids=["readable", "a link", "a directory", "a FIFO"],
)
def test_a_file_that_cannot_be_trusted(make_daemon, spoil, word):
    daemon = make_daemon().start()
    daemon.stop()
    spoil(log_of(daemon))
    daemon.spawn()
    wait_for("the daemon has ended", lambda: daemon.process.poll() is not None)
    assert daemon.process.returncode == 1
    assert word in daemon.stderr().lower()


def test_on_standard_error_and_nowhere(make_daemon):
    daemon = make_daemon(args=["--audit-log=-"]).start()
    jobid = daemon.submit("true")
    wait_for("it is noted", lambda: f'"act":"submitJob","jobid":"{jobid}"' in daemon.stderr())
    assert not log_of(daemon).exists()
    daemon = make_daemon(args=["--audit-log=none"]).start()
    daemon.run("true")
    assert not log_of(daemon).exists() and "submitJob" not in daemon.stderr()


def test_a_file_that_was_moved(make_daemon):
    """What comes after it begins another, as whoever puts logs away expects."""
    daemon = make_daemon().start()
    daemon.run("true")
    moved = log_of(daemon).with_name("moved")
    wait_for("it is noted", lambda: "submitJob" in log_of(daemon).read_text())
    log_of(daemon).rename(moved)
    daemon.run("true")
    wait_for("there is another", log_of(daemon).exists)
    assert moved.read_text().count("submitJob") == 1
    assert log_of(daemon).read_text().count("submitJob") == 1
    assert log_of(daemon).stat().st_mode & 0o777 == 0o600
