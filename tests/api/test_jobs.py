# SPDX-License-Identifier: LGPL-3.0-only
"""GET /jobs and /jobs/{id}: lists, filters, order, and one job by every spelling of its id."""

import os

import pytest
from restd import check_problem, spellings, wait_for

# What programs written for the older server read of a job.
OLDER_KEYS = {
    "id", "userid", "urgency", "priority", "t_submit", "state", "name", "ntasks", "nnodes",
    "ranks", "nodelist", "expiration", "duration", "result", "returncode", "runtime",
    "waitstatus", "exception",
}  # fmt: skip
NEWER_KEYS = {"jobid", "command", "cwd", "annotations", "why"}


@pytest.fixture(scope="module")
def fresh_list(daemon):
    """The list before anything was submitted, then three ended jobs to list."""
    empty = daemon.get("/v1/jobs").json()
    ids = []
    for number in range(3):
        job, _ = daemon.run(["sh", "-c", f"exit {number}"], name=f"ended-{number}")
        ids.append(job["id"])
    return empty, ids


def test_no_jobs_at_first(fresh_list):
    assert fresh_list[0]["jobs"] == []


def test_list(daemon, prefix, fresh_list):
    reply = daemon.get(f"{prefix}/jobs")
    assert reply.status_code == 200
    assert reply.headers["Content-Type"].startswith("application/json")
    jobs = reply.json()["jobs"]
    assert {job["id"] for job in jobs} >= set(fresh_list[1])
    assert all(isinstance(job["id"], int) for job in jobs)


def test_details(daemon, prefix, fresh_list):
    for name in ("details", "detail"):
        for true in ("true", "True", "1"):
            table = daemon.get(f"{prefix}/jobs", params={name: true}).json()
            for jobid in fresh_list[1]:
                assert table[str(jobid)]["id"] == jobid
                assert len(table[str(jobid)]) > 20


def test_details_as_a_listing(daemon, prefix, fresh_list):
    query = {"details": "true", "listing": "true"}
    rows = daemon.get(f"{prefix}/jobs", params=query).json()
    assert isinstance(rows, list)
    assert {row["id"] for row in rows} >= set(fresh_list[1])
    assert all(len(row) > 20 for row in rows)


def test_limit(daemon, prefix, fresh_list):
    def ask(**query):
        return daemon.get(f"{prefix}/jobs", params=query).json()

    assert len(ask(limit=2)["jobs"]) == 2
    assert ask(limit=0)["jobs"] == []
    assert len(ask(limit=2, details="true")) == 2
    assert ask(limit=0, details="true") == {}
    assert ask(limit=0, details="true", listing="true") == []


def test_limit_takes_the_first_of_the_order(daemon, fresh_list):
    every = [job["id"] for job in daemon.jobs()]
    assert [job["id"] for job in daemon.jobs(limit=2)] == every[:2]


@pytest.mark.parametrize("value", ["-1", "two", "1.5", "99999999999999999999"])
def test_limits_that_are_none(daemon, value):
    body = check_problem(daemon.get("/v1/jobs", params={"limit": value}), 400)
    assert [error["pointer"] for error in body["errors"]] == ["?limit"]


def test_order(daemon):
    """Waiting, running, then ended ones with the newest first."""
    ended = [daemon.run("true", name=f"order-{n}")[0]["id"] for n in range(2)]
    sleepers = [daemon.submit("sleep 600", name="order") for _ in range(os.cpu_count() + 2)]

    def some_run_and_the_last_waits():
        states = [daemon.job(jobid)["state"] for jobid in (sleepers[0], sleepers[-1])]
        return states == ["RUN", "SCHED"]

    try:
        wait_for("cores are taken and jobs wait", some_run_and_the_last_waits)
        jobs = daemon.jobs()
        ranks = [{"RUN": 1, "CLEANUP": 1, "INACTIVE": 2}.get(job["state"], 0) for job in jobs]
        assert ranks == sorted(ranks), [job["state"] for job in jobs]
        assert {0, 1, 2} == set(ranks)
        inactive = [job for job in jobs if job["state"] == "INACTIVE"]
        times = [job["t_inactive"] for job in inactive]
        assert times == sorted(times, reverse=True)
        assert [job["id"] for job in inactive][:2] == ended[::-1]
        check_states(daemon, sleepers)
    finally:
        daemon.cancel_all()


def check_states(daemon, sleepers):
    """Filters by state, while jobs of three kinds are there."""

    def states(word):
        return {job["state"] for job in daemon.jobs(state=word)}

    assert states("running") == states("RUN") == states("run") == {"RUN"}
    assert states("pending") == states("SCHED") == {"SCHED"}
    assert states("active") == {"RUN", "SCHED"}
    assert states("inactive") == states("INACTIVE") == {"INACTIVE"}
    assert len(daemon.jobs(state="active")) == len(sleepers)
    waiting = daemon.job(sleepers[-1])
    assert waiting["why"], "a waiting job says what it waits for"
    assert waiting["returncode"] == "" and waiting["result"] == ""
    running = daemon.job(sleepers[0])
    assert running["runtime"] > 0 and running["nodelist"]


def test_unknown_state_is_named(daemon):
    body = check_problem(daemon.get("/v1/jobs", params={"state": "asleep"}), 400)
    assert [error["pointer"] for error in body["errors"]] == ["?state"]
    assert "asleep" in body["errors"][0]["detail"]


def test_unknown_parameter_is_named_with_the_nearest(daemon):
    body = check_problem(daemon.get("/v1/jobs", params={"stat": "run", "limitt": 1}), 400)
    assert {error["pointer"] for error in body["errors"]} == {"?stat", "?limitt"}
    assert any("state" in error["detail"] for error in body["errors"])
    assert any("limit" in error["detail"] for error in body["errors"])


def test_names_by_glob(daemon, fresh_list):
    assert {job["name"] for job in daemon.jobs(name="ended-*")} == {f"ended-{n}" for n in range(3)}
    assert [job["name"] for job in daemon.jobs(name="ended-1")] == ["ended-1"]
    assert daemon.jobs(name="ended") == []


def test_results(daemon, fresh_list):
    reply = daemon.get("/v1/jobs", params={"result": "failed", "name": "ended-*"})
    failed = reply.json()["jobs"]
    assert {job["name"] for job in failed} == {"ended-1", "ended-2"}
    assert {job["returncode"] for job in failed} == {1, 2}


def test_one_job_by_every_spelling(daemon, prefix, fresh_list):
    jobid = fresh_list[1][0]
    job = daemon.get(f"{prefix}/jobs/{jobid}").json()
    assert job["jobid"] == spellings(jobid)["f58"]
    for form, text in spellings(jobid).items():
        reply = daemon.get(f"{prefix}/jobs/{text}")
        assert reply.status_code == 200, (form, reply.text)
        assert reply.json() == job, form


def test_keys_of_an_ended_job(daemon, fresh_list):
    job = daemon.job(fresh_list[1][1])
    assert OLDER_KEYS <= set(job), OLDER_KEYS - set(job)
    assert NEWER_KEYS <= set(job), NEWER_KEYS - set(job)
    assert (job["state"], job["result"]) == ("INACTIVE", "FAILED")
    assert (job["returncode"], job["waitstatus"]) == (1, 256)
    assert job["userid"] == os.getuid()
    assert job["t_submit"] <= job["t_run"] <= job["t_inactive"]
    assert job["runtime"] >= 0
    assert (job["ntasks"], job["nnodes"]) == (1, 1)
    assert isinstance(job["exception"], dict)
    assert job["nodelist"] in daemon.get("/v1/nodes").json()["nodes"]
    assert "exit 1" in job["command"]
    assert not job["why"]


def test_keys_of_a_listed_job_are_those_of_one_job(daemon, fresh_list):
    listed = {job["id"]: job for job in daemon.jobs()}
    job = daemon.job(fresh_list[1][0])
    assert listed[job["id"]] == job


@pytest.mark.parametrize("suffix", ["", "/output/stream"])
def test_unknown_id(daemon, prefix, suffix):
    reply = daemon.get(f"{prefix}/jobs/ƒ1111111{suffix}")
    check_problem(reply, (404,), "job-not-found")


def test_head(daemon, prefix):
    reply = daemon.request("HEAD", f"{prefix}/jobs")
    assert reply.status_code == 200
    assert reply.content == b""
    assert reply.headers["Content-Type"].startswith("application/json")
