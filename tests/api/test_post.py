# SPDX-License-Identifier: LGPL-3.0-only
"""POST /v1/jobs: one job, many jobs, keys, dry runs; and waiting for jobs."""

import json
import socket
import threading

import pytest
import requests
from restd import check_problem, read_to_end, wait_for

LINES = {"Content-Type": "application/x-ndjson"}


def post(daemon, body, **options):
    return daemon.post("/v1/jobs", json=body, **options)


def keyed(daemon, key, body, **options):
    """A keyed submit, asked again while the daemon says that it cannot know yet."""

    def known():
        reply = post(daemon, body, headers={"Idempotency-Key": key}, **options)
        return None if reply.status_code == 503 else [reply]

    return wait_for("keyed submits are taken", known)[0]


def test_one(daemon):
    reply = post(daemon, {"command": "true", "name": "first"})
    assert reply.status_code == 201, reply.text
    job = reply.json()
    assert job["name"] == "first"
    assert reply.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert daemon.get(reply.headers["Location"]).json()["jobid"] == job["jobid"]


def test_faults(daemon):
    body = check_problem(post(daemon, {"command": 3, "num_tasks": "x", "nmae": "y"}), 400)
    assert {error["pointer"] for error in body["errors"]} == {"/command", "/num_tasks", "/nmae"}
    check_problem(post(daemon, {}), 400)
    check_problem(post(daemon, "text"), 400, "malformed")
    check_problem(post(daemon, {"command": "true", "num_nodes": 10000}), 422, "unsatisfiable")
    check_problem(daemon.post("/v1/jobs", data=b"x", headers={"Content-Type": "text/html"}), 415)
    check_problem(daemon.post("/v1/jobs?dryrun=1", json={"command": "true"}), 400, "unknown-field")


def test_dry_run(daemon):
    before = len(daemon.jobs())
    assert post(daemon, {"command": "true"}, params={"dry_run": "true"}).json()["valid"] is True
    reply = post(daemon, {"command": "true", "num_nodes": 10000}, params={"dry_run": "true"})
    check_problem(reply, 422)
    assert len(daemon.jobs()) == before


def test_lines(daemon):
    lines = [{"command": "true", "name": f"line-{i}"} for i in range(20)]
    lines[5] = {"command": "true", "nodes": 1}
    text = "\n".join(json.dumps(line) for line in lines) + "\nno JSON\n\n"
    reply = daemon.post("/v1/jobs", data=text.encode(), headers=LINES)
    assert reply.status_code == 200
    assert reply.headers["Content-Type"] == "application/x-ndjson"
    results = [json.loads(line) for line in reply.text.splitlines()]
    assert [result["index"] for result in results] == list(range(21))
    assert [r["index"] for r in results if r["status"] != 201] == [5, 20]
    assert results[5]["code"] == "unknown-field" and results[20]["code"] == "malformed"
    for result in results[:5]:
        assert daemon.job(result["jobid"])["name"] == f"line-{result['index']}"


def chunk(text):
    data = text.encode()
    return b"%x\r\n%s\r\n" % (len(data), data)


def test_lines_are_submitted_as_they_come(daemon):
    """The first job is there before the second one's line has been sent."""
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as client:
        client.sendall(b"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                       b"Content-Type: application/x-ndjson\r\n"
                       b"Transfer-Encoding: chunked\r\n\r\n")  # fmt: skip
        client.sendall(chunk('{"command": "true", "name": "came-first"}\n{"command"'))
        wait_for("the first job is there", lambda: daemon.jobs(name="came-first"))
        client.sendall(chunk(': "true", "name": "came-last"}') + b"0\r\n\r\n")
        reply = read_to_end(client)
    assert reply.startswith(b"HTTP/1.1 200 ")
    assert b'{"index":1,"status":201,' in reply
    assert len(daemon.jobs(name="came-last")) == 1


def test_lines_of_a_client_that_stalls_or_leaves(make_daemon):
    """What came is submitted; the line without its end is not; nobody else waits."""
    daemon = make_daemon(args=["--request-seconds", "2"]).start()
    head = (b"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n"
            b"Content-Type: application/x-ndjson\r\n\r\n")  # fmt: skip
    line = json.dumps({"command": "true", "name": "half"})
    for leaves in (True, False):
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as client:
            client.sendall(head + line.encode() + b"\n" + line.encode())
            wait_for("its first job is there", lambda: len(daemon.names()) == 2 - leaves)
            assert leaves or read_to_end(client).startswith(b"HTTP/1.1 408 ")
    assert daemon.names() == ["half", "half"]


def test_lines_have_no_common_limit_but_one_each(make_daemon):
    daemon = make_daemon(args=["--body-max", "4K"]).start()
    line = json.dumps({"command": "true", "urgency": 0})
    text = (line + " " * 1000 + "\n") * 50
    reply = daemon.post("/v1/jobs", data=text.encode(), headers=LINES)
    assert [json.loads(r)["status"] for r in reply.text.splitlines()] == [201] * 50
    text = f"[{','.join([line] * 200)}]"
    check_problem(daemon.post("/v1/jobs", data=text.encode()), 413, "too-large")
    text = f"{line}\n{line[:-1]}, \"name\": \"{'x' * (1 << 20)}\"}}\n{line}\n"
    reply = daemon.post("/v1/jobs", data=text.encode(), headers=LINES)
    assert [json.loads(r)["status"] for r in reply.text.splitlines()] == [201, 413, 201]


def test_list(daemon):
    reply = post(daemon, [{"command": "true"}, 7])
    assert reply.status_code == 200
    assert [result["status"] for result in reply.json()] == [201, 400]
    assert post(daemon, []).json() == []


def test_the_same_key_is_the_same_job(daemon):
    body = {"command": "true", "name": "keyed"}
    first = keyed(daemon, "one", body)
    assert first.status_code == 201, first.text
    again = keyed(daemon, "one", body)
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
    check_problem(keyed(daemon, "one", {"command": "false"}), 422, "key-reused")
    lines = json.dumps({**body, "key": "one"})
    reply = daemon.post("/v1/jobs", data=lines.encode(), headers=LINES)
    assert (reply.json()["status"], reply.json()["id"]) == (200, first.json()["id"])


def test_many_at_once_make_one_job(daemon):
    body = {"command": "true", "name": "raced"}
    keyed(daemon, "warm up", body)
    replies = []

    def race():
        with_key = {"Idempotency-Key": "raced"}
        replies.append(requests.post(daemon.url + "/v1/jobs", json=body, headers=with_key))

    threads = [threading.Thread(target=race) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {reply.status_code for reply in replies} <= {200, 201, 409}
    assert len({reply.json()["id"] for reply in replies if reply.status_code != 409}) == 1
    assert daemon.names().count("raced") == 2  # with the one of the other key


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_keys_outlive_the_daemon(make_daemon, flux_instance, engine, end):
    options = {"instance": flux_instance} if engine == "flux" else {}
    daemon = make_daemon(engine, **options).start()
    body = {"command": "true", "name": "kept"}
    first = keyed(daemon, f"kept-{end}", body).json()
    getattr(daemon, end)()
    daemon.start()
    again = keyed(daemon, f"kept-{end}", body)
    assert (again.status_code, again.json()["id"]) == (200, first["id"])
    check_problem(keyed(daemon, f"kept-{end}", {"command": "false"}), 422, "key-reused")


# Waiting


def test_submit_and_wait(daemon):
    reply = post(daemon, {"command": "true"}, params={"wait": "inactive"})
    assert (reply.status_code, reply.json()["result"]) == (200, "COMPLETED")
    reply = post(daemon, {"command": "true", "urgency": 0}, params={"wait": "run", "timeout": "0.1s"})
    assert reply.status_code == 202
    assert reply.json()["state"] in ("DEPEND", "PRIORITY", "SCHED")
    daemon.cancel_all()


def test_wait_for_a_job(daemon):
    jobid = daemon.submit(["sleep", "0.3"])
    reply = daemon.get(f"/v1/jobs/{jobid}", params={"wait": "run"})
    assert reply.status_code == 200 and reply.json()["state"] in ("RUN", "CLEANUP", "INACTIVE")
    reply = daemon.get(f"/v1/jobs/{jobid}", params={"wait": "inactive"})
    assert (reply.status_code, reply.json()["state"]) == (200, "INACTIVE")
    # What is reached already is answered at once.
    reply = daemon.get(f"/v1/jobs/{jobid}", params={"wait": "inactive", "timeout": 3600})
    assert reply.status_code == 200
    reply = daemon.get(f"/v1/jobs/{jobid}", params={"wait": "change", "timeout": 0})
    assert reply.status_code == 202


def test_wait_for_a_change(daemon):
    jobid = daemon.submit(["sleep", "1000"])
    daemon.wait_state(jobid, "RUN")
    threading.Timer(0.3, daemon.cancel_all).start()
    reply = daemon.get(f"/v1/jobs/{jobid}", params={"wait": "change"})
    assert reply.status_code == 200
    assert reply.json()["exception"]["type"] == "cancel" or reply.json()["state"] == "RUN"


def test_waiting_ends_with_the_service(make_daemon, engine):
    daemon = make_daemon(engine).start()
    jobid = daemon.submit("true", urgency=0)
    number = daemon.job(jobid)["id"]
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as waiting:
        path = f"/v1/jobs/{number}?wait=inactive&timeout=1h"
        waiting.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        for _ in range(3):  # a request that came later is answered: that one was read
            assert daemon.get("/livez").status_code == 200
        daemon.stop()
        assert read_to_end(waiting).startswith(b"HTTP/1.1 202 ")


@pytest.mark.parametrize("query", ["wait=running", "wait=run&timeout=2h", "timeout=-1"])
def test_faults_in_waiting(daemon, query):
    check_problem(daemon.get(f"/v1/jobs/1?{query}"), 400, "invalid")
    check_problem(daemon.post(f"/v1/jobs?{query}", json={"command": "true"}), 400, "invalid")


def test_unknown_job(daemon):
    check_problem(daemon.get("/v1/jobs/ƒ1111111?wait=run"), 404, "job-not-found")
