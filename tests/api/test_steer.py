# SPDX-License-Identifier: LGPL-3.0-only
"""Steering jobs and nodes, and what is kept of a job beside its record, on each engine.

What an engine cannot do is answered 501; that is checked in place of what it would do.
"""

import json

import pytest
from restd import check_problem, wait_for

SLEEP = ["sleep", "1000"]
UNKNOWN = "ƒ1111111"


@pytest.fixture(scope="module")
def features(daemon):
    return daemon.get("/v1/service").json()["features"]


@pytest.fixture(scope="module")
def ended(daemon):
    return daemon.run("echo ended")[0]["jobid"]


def lacks(features, feature, reply):
    """Whether the engine lacks the feature; then the reply must say so."""
    if reply.status_code != 501:
        assert feature in features
        return False
    check_problem(reply, 501, "unsupported")
    return True


@pytest.fixture(autouse=True)
def none_left(daemon):
    """No test leaves a job that holds what the next one waits for."""
    yield
    daemon.cancel_all()


def running(daemon):
    jobid = daemon.submit(SLEEP)
    daemon.wait_state(jobid, "RUN")
    return jobid


def test_delete(daemon, ended):
    jobid = running(daemon)
    reply = daemon.request("DELETE", f"/v1/jobs/{jobid}")
    assert reply.status_code == 202
    assert reply.json()["jobid"] == jobid
    assert daemon.wait_end(jobid)["result"] == "CANCELED"
    check_problem(daemon.request("DELETE", f"/v1/jobs/{ended}"), 409, "job-inactive")
    check_problem(daemon.request("DELETE", f"/v1/jobs/{UNKNOWN}"), 404, "job-not-found")


def test_kill(daemon, features, ended):
    jobid = daemon.submit(["sh", "-c", "echo up; exec sleep 1000"])
    wait_for("the task runs", lambda: daemon.output(jobid) == "up\n")
    reply = daemon.post(f"/v1/jobs/{jobid}/kill", json={"signal": "SIGKILL"})
    if lacks(features, "kill", reply):
        return
    assert reply.status_code == 200, reply.text
    job = daemon.wait_end(jobid)
    assert (job["result"], job["returncode"]) == ("FAILED", 137)
    reply = daemon.post(f"/v1/jobs/{ended}/kill")
    check_problem(reply, 409)
    check_problem(daemon.post(f"/v1/jobs/{UNKNOWN}/kill"), 404, "job-not-found")


def test_urgency(daemon, features, ended):
    jobid = daemon.submit(SLEEP, urgency=0)
    reply = daemon.post(f"/v1/jobs/{jobid}/urgency", json={"urgency": 17})
    if lacks(features, "urgency", reply):
        return
    assert reply.status_code == 200, reply.text
    assert daemon.wait_state(jobid, "RUN")["urgency"] == 17
    check_problem(daemon.post(f"/v1/jobs/{ended}/urgency", json={"urgency": 1}), 409)
    reply = daemon.post(f"/v1/jobs/{UNKNOWN}/urgency", json={"urgency": 1})
    check_problem(reply, 404, "job-not-found")


def test_duration(daemon, features, ended):
    jobid = daemon.submit(SLEEP, runtime=1000)
    daemon.wait_state(jobid, "RUN")
    reply = daemon.post(f"/v1/jobs/{jobid}/duration", json={"duration": "2000s"})
    if lacks(features, "duration", reply):
        return
    assert reply.status_code == 200, reply.text
    wait_for("the limit is shown", lambda: daemon.job(jobid)["duration"] == 2000)
    check_problem(daemon.post(f"/v1/jobs/{ended}/duration", json={"duration": 9}), 409)


def test_events(daemon, features, ended):
    reply = daemon.get(f"/v1/jobs/{ended}/events")
    if lacks(features, "lookup", reply):
        return
    names = [event["name"] for event in reply.json()["events"]]
    assert names[0] == "submit" and names[-1] == "clean"
    reply = daemon.get(f"/v1/jobs/{ended}/events", headers={"Accept": "application/x-ndjson"})
    assert reply.headers["Content-Type"] == "application/x-ndjson"
    assert [json.loads(line)["name"] for line in reply.text.splitlines()] == names
    check_problem(daemon.get(f"/v1/jobs/{UNKNOWN}/events"), 404)


def test_jobspec(daemon, features):
    jobid = daemon.run("true", envars={"SECRET": "hidden"})[0]["jobid"]
    reply = daemon.get(f"/v1/jobs/{jobid}/jobspec")
    if lacks(features, "lookup", reply):
        return
    assert reply.json()["tasks"][0]["command"] == ["true"]
    assert "hidden" not in reply.text
    reply = daemon.get(f"/v1/jobs/{jobid}/jobspec", params={"environment": "true"})
    assert reply.json()["attributes"]["system"]["environment"]["SECRET"] == "hidden"


def test_R(daemon, features, ended):
    reply = daemon.get(f"/v1/jobs/{ended}/R")
    if lacks(features, "lookup", reply):
        return
    assert reply.json()["execution"]["R_lite"]
    held = daemon.submit("true", urgency=0)
    check_problem(daemon.get(f"/v1/jobs/{held}/R"), 404)


def test_nodes_show_their_jobs(daemon):
    jobid = running(daemon)
    nodes = daemon.get("/v1/nodes", params={"details": "true"}).json()["nodes"]
    assert jobid in [job for node in nodes for job in node["jobs"]]
    daemon.request("DELETE", f"/v1/jobs/{jobid}")
    daemon.wait_end(jobid)
    nodes = daemon.get("/v1/nodes", params={"details": "true"}).json()["nodes"]
    assert jobid not in [job for node in nodes for job in node["jobs"]]


def test_drain(daemon, features):
    reply = daemon.post("/v1/nodes/nowhere/drain", json={"reason": "broken"})
    if lacks(features, "drain", reply):
        return
    check_problem(reply, 404, "not-found")
    name = daemon.get("/v1/nodes").json()["nodes"][0]
    reply = daemon.post(f"/v1/nodes/{name}/drain", json={"reason": "broken"})
    assert reply.status_code == 200, reply.text
    node = daemon.get("/v1/nodes?details").json()["nodes"][0]
    assert (node["state"], node["drain_reason"]) == ("drained", "broken")
    assert daemon.post(f"/v1/nodes/{name}/undrain").status_code == 200
    assert daemon.get("/v1/nodes?details").json()["nodes"][0]["state"] != "drained"


def test_queues(daemon, features):
    reply = daemon.get("/v1/queues")
    if lacks(features, "queues", reply):
        return
    queue = reply.json()["queues"][0]
    assert queue["enabled"] and queue["started"]
    assert queue["running"] >= 0


def test_why_a_job_waits(daemon):
    held = daemon.submit("true", urgency=0)
    assert "held" in wait_for("the reason is there", lambda: daemon.job(held)["why"])


# Many at once


def cancel(daemon, **body):
    reply = daemon.post("/v1/jobs/cancel", json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_cancel_by_filter(daemon):
    kept = daemon.submit("true", name="kept", urgency=0)
    gone = [daemon.submit("true", name=f"gone-{i}", urgency=0) for i in range(5)]
    result = cancel(daemon, name="gone-*", reason="tidy up")
    assert (result["cancelled"], result["refused"]) == (5, [])
    for jobid in gone:
        job = daemon.wait_end(jobid)
        assert (job["result"], job["exception"]["note"]) == ("CANCELED", "tidy up")
    assert daemon.job(kept)["state"] != "INACTIVE"
    assert cancel(daemon, state="active")["cancelled"] == 1
    assert daemon.wait_end(kept)["result"] == "CANCELED"


def test_cancel_by_ids(daemon, ended):
    held = daemon.submit("true", urgency=0)
    result = cancel(daemon, ids=[held, ended, 12345])
    assert result["cancelled"] == 1
    assert {entry["code"] for entry in result["refused"]} == {"job-inactive", "job-not-found"}
    assert ended in [entry["jobid"] for entry in result["refused"]]
    reply = daemon.post(f"/v1/jobs/cancel?ids={ended}")
    assert reply.json()["refused_count"] == 1


def test_cancel_says_what_it_needs(daemon):
    check_problem(daemon.post("/v1/jobs/cancel"), 400, "invalid")
    check_problem(daemon.post("/v1/jobs/cancel", json={"reason": "x"}), 400, "invalid")
    check_problem(daemon.post("/v1/jobs/cancel", json={"stat": "x"}), 400, "unknown-field")
    check_problem(daemon.post("/v1/jobs/cancel", json={"state": 3}), 400, "invalid")
    check_problem(daemon.post("/v1/jobs/cancel", json={"ids": [[]]}), 400, "invalid")
