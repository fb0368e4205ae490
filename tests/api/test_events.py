# SPDX-License-Identifier: LGPL-3.0-only
"""GET /v1/events and a job's events as a stream."""

import json
import os
import socket
import threading

import pytest
import requests
from restd import (
    Daemon,
    FluxInstance,
    check_problem,
    descendant,
    read_to_end,
    skip_unless_possible,
    wait_for,
)
from sse import LINES, SSE, Stream

# Those of every job that ends well, whatever the engine; others come in between.
COURSE = ["submit", "validate", "depend", "priority", "alloc", "start", "finish", "clean"]
STATES = {
    "submit": "NEW", "validate": "DEPEND", "depend": "PRIORITY", "priority": "SCHED",
    "alloc": "RUN", "start": "RUN", "finish": "CLEANUP", "clean": "INACTIVE",
}  # fmt: skip


def check_course(events, jobid):
    """One job's events are whole, in order, each once."""
    mine = [event for event in events if event["jobid"] == jobid]
    stored = [event["index"] for event in mine if "index" in event]
    assert stored == list(range(len(stored))), stored
    names = [event["name"] for event in mine]
    assert [name for name in names if name in COURSE] == COURSE, names
    for event in mine:
        assert event["state"] == STATES.get(event["name"], event["state"]), event
    return mine


@pytest.mark.parametrize("headers", [SSE, LINES], ids=["sse", "ndjson"])
def test_what_happens_is_told(daemon, headers):
    with Stream(daemon, "/v1/events", headers) as stream:
        assert next(stream)[0] == "caught-up"
        jobs = [daemon.submit("true") for _ in range(5)]
        events = stream.jobs(count=5)
    for jobid in jobs:
        mine = check_course(events, jobid)
        assert mine[0]["id"] == daemon.job(jobid)["id"]
        assert isinstance(mine[0]["timestamp"], float)
        assert mine[0]["context"]["urgency"] == 16
    assert len({event["cursor"] for event in events}) == len(events)


def test_media_types(daemon):
    for headers, kind in ((SSE, "text/event-stream"), (LINES, "application/x-ndjson"),
                          ({"Accept": "*/*"}, "application/x-ndjson")):  # fmt: skip
        with Stream(daemon, "/v1/events", headers) as stream:
            assert stream.reply.headers["Content-Type"] == kind
            assert stream.reply.headers["Cache-Control"] == "no-store"
    reply = daemon.request("HEAD", "/v1/events")
    assert (reply.status_code, reply.content) == (200, b"")


def test_from_each_cursor(daemon):
    """Whoever comes back with an event's cursor hears of all that follow, and of no other."""
    with Stream(daemon, "/v1/events") as stream:
        next(stream)
        daemon.submit("true")
        events = stream.jobs()
    for how in ("header", "query"):
        for place, event in enumerate(events):
            headers, params = dict(SSE), {}
            if how == "header":
                headers["Last-Event-ID"] = event["cursor"]
                params["since"] = "0"  # what the address says counts less
            else:
                params["since"] = event["cursor"]
            with Stream(daemon, "/v1/events", headers, **params) as stream:
                again, control = stream.until("caught-up")
            assert [data for _, data in again] == events[place + 1 :]
            assert control["cursor"].rpartition(".")[0] == events[-1]["cursor"].rpartition(".")[0]


def test_list_then_follow(daemon):
    """While jobs are submitted: what the list knows and what the stream tells make a whole."""
    stop = threading.Event()

    def submit():
        with requests.Session() as session:
            session.trust_env = False
            while not stop.is_set():
                session.post(f"{daemon.url}/v1/jobs/submit", json={"command": "true"}, timeout=30)

    thread = threading.Thread(target=submit)
    thread.start()
    try:
        for _ in range(5):
            body = daemon.get("/v1/jobs", params={"limit": 10000}).json()
            states = {job["id"]: job["state"] for job in body["jobs"]}
            seen = {}
            with Stream(daemon, "/v1/events", since=body["cursor"]) as stream:
                for kind, _, data in stream:
                    if kind == "job" and "index" in data:
                        seen.setdefault(data["id"], []).append(data)
                    if kind == "job" and data["name"] == "clean" and len(seen) > 3:
                        break
            for jobid, events in seen.items():
                indices = [event["index"] for event in events]
                assert indices == list(range(indices[0], indices[0] + len(indices)))
                assert (indices[0] == 0) == (jobid not in states), (jobid, events)
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("headers", [SSE, LINES], ids=["sse", "ndjson"])
def test_snapshot(daemon, headers):
    """First the jobs as they are, then caught-up, then what happens."""
    name = f"snap-{len(daemon.names())}"
    running = daemon.submit("sleep 600", name=name)
    daemon.wait_state(running, "RUN")
    done, _ = daemon.run("true", name=name)
    daemon.run("true", name="other")
    with Stream(daemon, "/v1/events", headers, snapshot="true", name=name) as stream:
        before, _ = stream.until("caught-up")
        assert {kind for kind, _ in before} == {"snapshot"}
        jobs = [data if stream.sse else data["snapshot"] for _, data in before]
        assert {job["jobid"]: job["state"] for job in jobs} == {
            running: "RUN", done["jobid"]: "INACTIVE"
        }  # fmt: skip
        daemon.post(f"/v1/jobs/{running}/cancel")
        events = stream.jobs()
    assert {event["jobid"] for event in events} == {running}
    assert events[0]["name"] == "exception"


def test_filters(daemon):
    def told(**params):
        with Stream(daemon, "/v1/events", since=start, **params) as stream:
            return [data for _, data in stream.until("caught-up")[0]]

    start = daemon.get("/v1/jobs").json()["cursor"]
    good, _ = daemon.run("true", name="filter-good")
    bad, _ = daemon.run("false", name="filter-bad")
    everything = told()
    wait_for("both have ended", lambda: len(told(event="clean")) == 2)
    assert {e["jobid"] for e in told(name="filter-*")} == {good["jobid"], bad["jobid"]}
    assert {e["jobid"] for e in told(name="*-bad")} == {bad["jobid"]}
    assert told(name="no-such") == []
    assert {e["jobid"] for e in told(ids=f"{good['id']}")} == {good["jobid"]}
    assert told(ids=f"{good['jobid']},{bad['id']}") == everything
    assert {e["jobid"] for e in told(result="failed")} == {bad["jobid"]}
    assert {e["state"] for e in told(state="inactive")} == {"INACTIVE"}
    assert {e["state"] for e in told(state="running")} == {"RUN", "CLEANUP"}
    assert {e["name"] for e in told(event="start,clean")} == {"start", "clean"}
    assert told(user=str(good["userid"])) == everything == told(user="all")
    assert told(user="4711") == [] and told(queue="no-such") == []


@pytest.mark.parametrize(
    "params, pointer, word",
    [
        ({"event": "finsh"}, "?event", "finish"),
        ({"event": ""}, "?event", "event"),
        ({"event": "start,"}, "?event", "event"),
        ({"state": "asleep"}, "?state", "asleep"),
        ({"state": ""}, "?state", "state"),
        ({"result": "good"}, "?result", "good"),
        ({"name": "x" * 300}, "?name", "256"),
        ({"ids": "1,zz!"}, "?ids", "zz!"),
        ({"ids": ",".join(["1"] * 1001)}, "?ids", "1000"),
        ({"user": "no such user"}, "?user", "no such user"),
        ({"since": "yesterday"}, "?since", "yesterday"),
        ({"since": "1.2.3"}, "?since", "1.2.3"),
        ({"since": ""}, "?since", "cursor"),
        ({"snapshot": "perhaps"}, "?snapshot", "perhaps"),
        ({"topic": "x"}, "?topic", "topic"),
        ({"states": "run"}, "?states", "state"),
    ],
)
def test_bad_questions(local, params, pointer, word):
    body = check_problem(local.get("/v1/events", params=params, headers=SSE), 400)
    assert any(e["pointer"] == pointer and word in e["detail"] for e in body["errors"]), body


def test_cursors_that_lead_nowhere(local):
    cursor = local.get("/v1/jobs").json()["cursor"]
    instance, epoch, seq, when = cursor.split(".")
    other = f"{int(instance, 16) ^ 1:x}"
    for text in (f"{other}.{epoch}.{seq}.{when}", f"{instance}.1.{seq}.{when}",
                 f"{instance}.{epoch}.{int(seq) + 1000}.{when}"):  # fmt: skip
        check_problem(local.get("/v1/events", headers={"Last-Event-ID": text}), 410, "cursor-gone")


def test_a_cursor_of_another_store(make_daemon):
    first, second = make_daemon().start(), make_daemon().start()
    first.run("true")
    second.run("true")
    cursor = first.get("/v1/jobs").json()["cursor"]
    check_problem(second.get("/v1/events", params={"since": cursor}), 410, "cursor-gone")


def test_too_old_a_cursor(make_daemon):
    """410 once what follows the cursor is not kept any more, also after a restart."""
    daemon = make_daemon(args=["--events-max", "64K"]).start()
    cursor = daemon.get("/v1/jobs").json()["cursor"]

    def is_gone():
        for _ in range(20):
            daemon.submit("true")
        with Stream(daemon, "/v1/events", since=0) as stream:
            first = next(stream)[2]
        return first["cursor"].split(".")[2] != "1"

    wait_for("the first event is not kept any more", is_gone)
    check_problem(daemon.get("/v1/events", params={"since": cursor}), 410, "cursor-gone")
    daemon.kill()
    daemon.start()
    check_problem(daemon.get("/v1/events", params={"since": cursor}), 410, "cursor-gone")
    # While jobs still run what is kept may be turned over between the two calls.
    wait_for("all jobs have ended", lambda: not daemon.jobs(state="active"))
    latest = daemon.get("/v1/jobs").json()["cursor"]
    with Stream(daemon, "/v1/events", since=latest) as stream:
        stream.until("caught-up")


def test_limits(make_daemon):
    daemon = make_daemon(args=["--streams", "4", "--streams-per-client", "3"],
                         env={"FLUX_USER": "me", "FLUX_TOKEN": "t"}).start()  # fmt: skip
    streams = [Stream(daemon, "/v1/events") for _ in range(3)]
    refused = daemon.get("/v1/events")
    check_problem(refused, 429, "too-many")
    assert refused.headers["Retry-After"]
    me = daemon.get("/v1/events", auth=("me", "t"), stream=True, headers=SSE)
    assert me.status_code == 200
    check_problem(daemon.get("/v1/events", auth=("me", "t")), 503, "unavailable")
    streams.pop().reply.close()
    me.close()
    wait_for("there is room again",
             lambda: daemon.get("/v1/events", stream=True).status_code == 200)  # fmt: skip
    for stream in streams:
        stream.reply.close()


def test_the_end_is_told(make_daemon):
    for headers in (SSE, LINES):
        daemon = make_daemon().start()
        with Stream(daemon, "/v1/events", headers) as stream:
            next(stream)
            daemon.post("/v1/service/stop")
            _, control = stream.until("closing")
            assert "stopping" in control["reason"] and control["cursor"]
            assert list(stream) == []
        wait_for("it has ended", lambda daemon=daemon: daemon.process.poll() is not None)


def test_credentials_are_needed(make_daemon):
    daemon = make_daemon(env={"FLUX_REQUIRE_AUTH": "true", "FLUX_USER": "me", "FLUX_TOKEN": "t"})
    daemon.start()
    for path in ("/v1/events", "/v1/jobs/1/events?follow=true"):
        check_problem(daemon.get(path, headers=SSE, auth=("me", "x")), 401, "unauthorized")
    daemon.session.auth = ("me", "t")


# One job


@pytest.mark.parametrize("headers", [SSE, LINES], ids=["sse", "ndjson"])
def test_follow_one_job(daemon, headers, tmp_path):
    """From the first event to the last, then the end of the stream."""
    jobid = daemon.submit(["sh", "-c", 'while [ ! -e "$0" ]; do sleep 0.05; done',
                           str(tmp_path / "go")])  # fmt: skip
    daemon.submit("true")
    with Stream(daemon, f"/v1/jobs/{jobid}/events", headers, follow="true") as stream:
        before, _ = stream.until("caught-up")
        (tmp_path / "go").touch()
        events = [data for _, data in before] + [data for kind, _, data in stream if kind == "job"]
    check_course(events, jobid)
    assert {event["jobid"] for event in events} == {jobid}
    for event in events:
        if "index" in event:
            assert event["cursor"] == str(event["index"] + 1)
    for place in (0, 1, 4, len(events)):
        headers = {**headers, "Last-Event-ID": str(place)}
        with Stream(daemon, f"/v1/jobs/{jobid}/events", headers, follow="true") as stream:
            again = [data for kind, _, data in stream if kind == "job" and "index" in data]
        assert again == [event for event in events if event.get("index", -1) >= place]


def test_follow_no_job(local):
    path = "/v1/jobs/12345/events"
    check_problem(local.get(path, headers=SSE), 404, "job-not-found")
    check_problem(local.get("/v1/jobs/zz!/events", headers=SSE), 404, "job-not-found")
    job, _ = local.run("true")
    path = f"/v1/jobs/{job['jobid']}/events"
    for bad in ("x", "-1", "1.5", "99999999999"):
        check_problem(local.get(path, headers={**SSE, "Last-Event-ID": bad}), 400, "invalid")


# Restarts


def test_exact_over_restarts(make_daemon):
    """The local engine numbers its events itself: no event is missed or told twice."""
    daemon = make_daemon().start()
    cursor = daemon.get("/v1/jobs").json()["cursor"]
    events, jobs = [], []
    for round_ in range(4):
        with Stream(daemon, "/v1/events", since=cursor) as stream:
            jobs += [daemon.submit("true") for _ in range(3)]
            events += stream.jobs(count=round_ % 2 + 1)
            cursor = events[-1]["cursor"]
        daemon.kill() if round_ % 2 else daemon.stop()
        daemon.start()
    for jobid in jobs:
        daemon.wait_end(jobid)
    with Stream(daemon, "/v1/events", since=cursor) as stream:
        events += [data for _, data in stream.until("caught-up")[0]]
    for jobid in jobs:
        check_course(events, jobid)
    assert len(events) == sum(len(check_course(events, jobid)) for jobid in jobs)


def test_at_least_once_beside_flux(tmp_path):
    """An earlier run's cursor is read by its time: repeats are dropped by (id, index)."""
    skip_unless_possible("flux")
    instance = FluxInstance(tmp_path)
    try:
        daemon = Daemon(tmp_path / "daemon", "flux", instance=instance).start()
        try:
            jobs = [daemon.submit("true") for _ in range(3)]
            with Stream(daemon, "/v1/events", since="0") as stream:
                events = stream.jobs(count=1)
            daemon.kill()
            jobs.append(daemon.start().submit("true"))
            for jobid in jobs:
                daemon.wait_end(jobid)
            with Stream(daemon, "/v1/events", since=events[-1]["cursor"]) as stream:
                events += [data for _, data in stream.until("caught-up")[0]]
            once = {(e["id"], e["index"]): e for e in events if "index" in e}
            for jobid in jobs:
                check_course(list(once.values()), jobid)
        finally:
            daemon.finish()
    finally:
        instance.stop()


# Readers that do not read, and an engine that is not there


def test_a_slow_reader_is_cut_off_and_comes_back(make_daemon):
    """It is told so with the cursor to go on from, and costs neither memory nor other readers."""
    daemon = make_daemon(args=["--events-max", "16M"]).start()
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.settimeout(30)
    slow.connect(("127.0.0.1", daemon.port))
    slow.sendall(b"GET /v1/events HTTP/1.0\r\nAccept: application/x-ndjson\r\n\r\n")
    with slow, Stream(daemon, "/v1/events", LINES) as quick:
        next(quick)
        wait_for("the slow one has begun", lambda: slow.recv(4096, socket.MSG_PEEK))
        jobs = [{"command": ["true"], "urgency": 0, "name": f"j{i}"} for i in range(1000)]
        count = 0
        for _ in range(8):
            reply = daemon.post("/v1/jobs", json=jobs)
            assert reply.status_code < 300, reply.text
            count += len(jobs)
        told = 0
        for kind, _, data in quick:
            assert kind in ("job", "control", "heartbeat"), data
            told += data.get("name") == "submit"
            if told == count:
                break
        lines = read_to_end(slow).partition(b"\r\n\r\n")[2].splitlines()
    last = json.loads(lines[-1])
    assert last["control"] == "lagging" and last["reason"], last
    events = [data for data in map(json.loads, lines[:-1]) if "control" not in data]
    with Stream(daemon, "/v1/events", LINES, since=last["cursor"]) as stream:
        events += [data for kind, data in stream.until("caught-up")[0] if kind == "job"]
    assert sum(event["name"] == "submit" for event in events) == count
    keys = [(event["id"], event["index"]) for event in events]
    assert len(keys) == len(set(keys))


def test_a_broker_that_is_gone(tmp_path):
    """Open streams are told that the engine is lost, and go on being told what is known."""
    skip_unless_possible("flux")
    instance = FluxInstance(tmp_path)
    daemon = Daemon(tmp_path / "daemon", "flux", instance=instance)
    try:
        daemon.start()
        with Stream(daemon, "/v1/events") as stream:
            next(stream)
            os.kill(descendant(instance.process.pid, "flux-broker-0") or instance.process.pid, 9)
            _, control = stream.until("lost")
            assert control["reason"] and control["cursor"]
        with Stream(daemon, "/v1/events") as stream:
            assert next(stream)[0] == "lost"
    finally:
        daemon.finish()
        instance.stop()
