# SPDX-License-Identifier: LGPL-3.0-only
"""A broker that is killed, stopped, started again, or not there: what clients see meanwhile.

FLUX_ROUNDS says how often the broker is broken at random moments (10 if not given), FLUX_STOPPED
for how many seconds it is stopped where that is more than a while (2 if not given).
"""

import os
import random
import threading
import time

import pytest
import requests
from brokers import flux_is_since
from restd import check_problem, wait_for

ROUNDS = int(os.environ.get("FLUX_ROUNDS", "10"))
STOPPED = float(os.environ.get("FLUX_STOPPED", "2"))
SECONDS = 6  # --flux-seconds: Flux counts as silent after a third of it
STAMP = "0.001s"
SUBMIT = {
    "jobspec": {
        "version": 1,
        "resources": [{"type": "slot", "count": 1, "label": "task",
                       "with": [{"type": "core", "count": 1}]}],
        "tasks": [{"command": ["true"], "slot": "task", "count": {"per_slot": 1}}],
        "attributes": {"system": {"duration": 0,
                                  "exec": {"test": {"run_duration": STAMP}}}},
    }
}  # fmt: skip


def submit_body(mark=None):
    body = {"jobspec": {**SUBMIT["jobspec"]}}
    if mark is not None:
        attributes = {**body["jobspec"]["attributes"], "user": {"mark": mark}}
        attributes["system"] = {**attributes["system"], "job": {"name": mark}}
        body["jobspec"]["attributes"] = attributes
    return body


@pytest.fixture
def pair(make_broker, make_daemon):
    broker = make_broker().start()
    daemon = make_daemon(broker, args=[f"--flux-seconds={SECONDS}"]).start()
    if not flux_is_since(79):
        daemon.started_fds += ROUNDS  # libflux lost one with each connection
    return broker, daemon


def is_stale(daemon):
    """Whether the daemon says that Flux cannot be reached."""
    return daemon.get("/v1/service").json()["lost"] is not None


def check_reads(daemon, jobid):
    assert daemon.job(jobid)["state"] == "INACTIVE"
    assert daemon.jobs()[0]["jobid"] == jobid


def check_write(daemon, *codes):
    """A write is answered within its time, with what became of it and when to come again."""
    reply = daemon.post("/v1/jobs/submit", json=submit_body(), timeout=SECONDS * 3)
    body = check_problem(reply, 503)
    assert body["code"] in codes, body
    assert int(reply.headers["Retry-After"]) > 0


def finished(daemon):
    reply = daemon.post("/v1/jobs/submit", json=submit_body())
    assert reply.status_code == 200, reply.text
    daemon.wait_end(reply.json()["jobid"])
    return reply.json()["jobid"]


def test_killed_and_started_again(pair):
    """Another instance at the same address: the old one's jobs go, the new one's come."""
    broker, daemon = pair
    jobid = finished(daemon)
    instance = daemon.get("/v1/service").json()["instance"]
    broker.kill()
    wait_for("the loss is told", lambda: is_stale(daemon))
    check_reads(daemon, jobid)
    check_write(daemon, "not-sent")
    check_problem(daemon.post(f"/v1/jobs/{jobid}/cancel"), (400, 503))
    check_problem(daemon.get("/v1/nodes"), 503, "unavailable")
    broker.start()
    wait_for("the daemon is back", lambda: not is_stale(daemon))
    wait_for("the old jobs are gone", lambda: daemon.get(f"/v1/jobs/{jobid}").status_code == 404)
    assert daemon.get("/v1/service").json()["instance"] != instance
    finished(daemon)


def test_stopped_for_a_while(pair):
    """The connection holds, but nobody answers; then all goes on, and nothing was missed."""
    broker, daemon = pair
    jobid = finished(daemon)
    broker.freeze()
    try:
        # Before the silence is noticed a write goes out, and nobody can tell what becomes of it.
        check_write(daemon, "outcome-unknown")
        wait_for("the silence is told", lambda: is_stale(daemon))
        memory, until = daemon.rss(), time.monotonic() + STOPPED
        while time.monotonic() < until:
            check_reads(daemon, jobid)
            check_write(daemon, "not-sent")
            check_problem(daemon.get("/v1/nodes"), 503, "unavailable")
        # Nothing piles up meanwhile.
        assert daemon.is_sanitized() or daemon.rss() < memory + (4 << 20)
    finally:
        broker.thaw()
    wait_for("the daemon is back", lambda: not is_stale(daemon))
    assert daemon.job(jobid)["state"] == "INACTIVE"
    finished(daemon)
    # What had gone out was done once; what was not sent was not done.
    wait_for("all has ended", lambda: all(j["state"] == 64 for j in broker.job_list().values()))
    assert len(broker.job_list()) == 3


def test_stopped_with_more_than_its_socket_takes(pair):
    """The Flux thread is stuck in writing: the loop answers everyone all the same, in time."""
    broker, daemon = pair
    jobid = finished(daemon)
    codes = []
    big = submit_body()
    big["jobspec"]["attributes"]["user"] = {"padding": "x" * 20000}

    def write():
        reply = requests.post(daemon.url + "/v1/jobs/submit", json=big, timeout=SECONDS * 3)
        codes.append((reply.status_code, reply.json().get("code")))

    broker.freeze()
    try:
        writers = [threading.Thread(target=write) for _ in range(60)]
        for writer in writers:
            writer.start()
        check_reads(daemon, jobid)
        for writer in writers:
            writer.join()
        assert {status for status, _ in codes} == {503}
        assert {code for _, code in codes} <= {"not-sent", "outcome-unknown"}
        assert "not-sent" in {code for _, code in codes}, "some cannot have gone out"
    finally:
        broker.thaw()
    unknown = sum(code == "outcome-unknown" for _, code in codes)
    wait_for("the daemon is back", lambda: not is_stale(daemon))
    finished(daemon)
    wait_for("all has ended", lambda: all(j["state"] == 64 for j in broker.job_list().values()))
    # At most what may have gone out, once each, and the two that were answered.
    assert 2 <= len(broker.job_list()) <= 2 + unknown


def test_absent_at_the_start(make_broker, make_daemon):
    broker = make_broker()
    daemon = make_daemon(broker)
    daemon.spawn()
    found = wait_for("the daemon listens", daemon._find_address)
    daemon.port = int(found.group(1))
    daemon.url = f"http://127.0.0.1:{daemon.port}"
    daemon.pid = daemon.process.pid
    daemon.started_fds = 64
    wait_for("the loss is told", lambda: is_stale(daemon))
    assert daemon.get("/readyz").status_code == 503
    assert daemon.get("/livez").status_code == 200
    reply = daemon.post("/v1/jobs/submit", json=submit_body())
    assert check_problem(reply, 503)["code"] in ("not-sent", "unavailable")
    broker.start()
    wait_for("the daemon is ready", lambda: daemon.get("/readyz").status_code == 200)
    finished(daemon)


@pytest.mark.parametrize("uri, why", [
    ("local:///nowhere/at/all", "/nowhere/at/all"),
    ("no-such-scheme://here", "no-such-scheme"),
])  # fmt: skip
def test_an_address_that_fails_says_why(make_daemon, uri, why):
    daemon = make_daemon(None, args=[f"--flux-uri={uri}"])
    daemon.instance = type("Nothing", (), {"uri": ""})()
    daemon.spawn()
    wait_for("the reason is told", lambda: why in daemon.stderr())


def test_the_brokers_end_ends_its_own_daemon(make_daemon):
    """Killed, not told: the daemon that it started sees that there is nothing left to serve."""
    daemon = make_daemon(None).start()
    daemon.post("/v1/jobs/submit", json=submit_body())
    os.kill(daemon.process.pid, 9)
    daemon.process.wait()
    wait_for("the daemon has ended", lambda: not os.path.exists(f"/proc/{daemon.pid}"))


class Clients:
    """Submit, cancel, list and read without a pause, and keep account of each answer."""

    def __init__(self, daemon, name):
        self.daemon = daemon
        self.name = name
        self.over = threading.Event()
        self.accepted, self.unknown, self.refused = {}, set(), set()
        self.faults = []
        self.reads = 0
        self.slowest = 0.0
        self.threads = [
            threading.Thread(target=self.watched, args=(work, number))
            for number, work in enumerate([self.submit] * 4 + [self.read] * 2 + [self.nodes])
        ]

    def watched(self, work, number):
        session = requests.Session()
        session.trust_env = False
        count = 0
        while not self.over.is_set():
            try:
                work(session, f"{self.name}-{number}-{count}")
            except Exception as error:  # pylint: disable=broad-except
                self.faults.append(repr(error))
                return
            count += 1

    def submit(self, session, mark):
        began = time.monotonic()
        reply = session.post(self.daemon.url + "/v1/jobs/submit", json=submit_body(mark),
                             timeout=60)  # fmt: skip
        self.slowest = max(self.slowest, time.monotonic() - began)
        if reply.status_code == 200:
            self.accepted[mark] = reply.json()["id"]
            return
        body = check_problem(reply, 503)
        assert "Retry-After" in reply.headers
        if body["code"] == "outcome-unknown":
            self.unknown.add(mark)
        else:
            assert body["code"] in ("not-sent", "unavailable"), body
            self.refused.add(mark)
        time.sleep(0.05)

    def read(self, session, mark):
        reply = session.get(self.daemon.url + "/v1/jobs?limit=100", timeout=30)
        if reply.status_code == 503:  # of another instance nothing is known at first
            assert "still being read" in check_problem(reply, 503, "unavailable")["detail"]
        else:
            assert reply.status_code == 200, reply.text
            self.reads += 1
        time.sleep(0.02)

    def nodes(self, session, mark):
        reply = session.get(self.daemon.url + "/v1/nodes", timeout=60)
        assert reply.status_code in (200, 503), reply.text
        time.sleep(0.1)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


def check_account(broker, clients):
    """What Flux holds of this instance is what was answered: nothing lost, nothing twice."""
    marks = {}
    for job in broker.job_list().values():
        marks.setdefault(job["name"], []).append(job["id"])
    for mark, ids in marks.items():
        assert len(ids) == 1, f"{mark} was submitted twice: {ids}"
    assert not clients.refused & marks.keys(), "what was said not to be sent was sent"
    return marks


def test_broken_at_random_moments(pair):
    """While clients are at it: frozen for a moment or longer, killed and started again."""
    broker, daemon = pair
    random.seed(os.environ.get("FLUX_SEED", "1"))
    for number in range(ROUNDS):
        way = ["kill", "freeze", "blink"][number % 3]
        with Clients(daemon, number) as clients:
            before = clients.reads
            wait_for("work goes on", lambda: len(clients.accepted) > 5)
            time.sleep(random.random() * 0.5)
            if way == "kill":
                broker.kill()
                wait_for("the loss is told", lambda: is_stale(daemon))
                time.sleep(random.random() * 0.5)
                broker.start()
            else:
                broker.freeze()
                try:
                    if way == "freeze":
                        wait_for("the silence is told", lambda: is_stale(daemon))
                    time.sleep(random.random())
                finally:
                    broker.thaw()
            wait_for("the daemon is back", lambda: not is_stale(daemon))
            known = len(clients.accepted)
            wait_for("work goes on again", lambda: len(clients.accepted) > known + 5)
            assert clients.reads > before
        assert not clients.faults, clients.faults[:3]
        assert clients.slowest < SECONDS + 6, "an answer came later than its time"
        marks = check_account(broker, clients)
        if way != "kill":
            assert clients.accepted.keys() <= marks.keys(), "what was accepted is lost"
        wait_for("the table has them all",
                 lambda: {j["id"] for j in daemon.jobs(limit=10000)} == broker.job_list().keys())
    if not daemon.is_sanitized():
        assert daemon.rss() < 300 << 20
