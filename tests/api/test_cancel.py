# SPDX-License-Identifier: LGPL-3.0-only
"""POST /jobs/{id}/cancel."""

import os

import pytest
from restd import alive, check_problem, spellings, wait_for

REQUESTED = "Job is requested to cancel."


def cancel(daemon, jobid, prefix="/v1", **options):
    return daemon.post(f"{prefix}/jobs/{jobid}/cancel", **options)


def test_running_job(daemon, prefix):
    jobid = daemon.submit(["sh", "-c", "echo begun; exec sleep 600"])
    # In RUN alone its task need not have been started yet, and 143 is what a task ends with.
    wait_for("its task has begun", lambda: daemon.output(jobid) == "begun\n")
    reply = cancel(daemon, jobid, prefix)
    assert reply.status_code == 200
    assert reply.json() == {"Message": REQUESTED, "id": jobid}
    job = daemon.wait_end(jobid)
    assert (job["result"], job["returncode"]) == ("CANCELED", 143)
    assert job["exception"]["type"] == "cancel"


@pytest.mark.parametrize("form", ["decimal", "f58", "f58-ascii", "hex", "dotted", "kvs"])
def test_id_comes_back_as_it_was_given(daemon, form):
    jobid = daemon.submit("sleep 600")
    given = spellings(daemon.job(jobid)["id"])[form]
    reply = cancel(daemon, given)
    assert reply.status_code == 200, reply.text
    assert reply.json() == {"Message": REQUESTED, "id": given}
    assert daemon.wait_end(jobid)["result"] == "CANCELED"


def test_waiting_job(daemon):
    sleepers = [daemon.submit("sleep 600") for _ in range(os.cpu_count() + 1)]
    try:
        daemon.wait_state(sleepers[-1], "SCHED")
        assert cancel(daemon, sleepers[-1]).status_code == 200
        job = daemon.wait_end(sleepers[-1])
        assert job["result"] == "CANCELED"
        assert job["runtime"] == 0
    finally:
        daemon.cancel_all()


def test_ended_job(daemon, prefix):
    job, _ = daemon.run("true")
    body = check_problem(cancel(daemon, job["jobid"], prefix), 400, "job-inactive")
    assert body["Message"] == "Job cannot be cancelled: job is inactive."
    assert daemon.job(job["jobid"])["result"] == "COMPLETED"


def test_cancelled_twice(daemon):
    jobid = daemon.submit("sleep 600")
    assert cancel(daemon, jobid).status_code == 200
    daemon.wait_end(jobid)
    body = check_problem(cancel(daemon, jobid), 400)
    assert body["Message"].startswith("Job cannot be cancelled")


def test_unknown_job(daemon, prefix):
    body = check_problem(cancel(daemon, "ƒ1111111", prefix), (400, 404), "job-not-found")
    assert body["Message"] == "Job cannot be cancelled: unknown job id."


def test_reason(daemon):
    jobid = daemon.submit("sleep 600")
    assert cancel(daemon, jobid, json={"reason": "no longer needed"}).status_code == 200
    assert "no longer needed" in daemon.wait_end(jobid)["exception"]["note"]


def test_all_processes_of_a_job_end(local, tmp_path):
    """Also those that it started in the background, in a session of their own.

    Flux leaves these to the means of the system, so that only the local engine is asked.
    """
    script = 'setsid sleep 601 & echo $! >"$0.new"; mv "$0.new" "$0"; wait'
    jobid = local.submit(["sh", "-c", script, str(tmp_path / "pid")])
    wait_for("the job says what it started", (tmp_path / "pid").exists)
    pid = int((tmp_path / "pid").read_text())
    assert cancel(local, jobid).status_code == 200
    local.wait_end(jobid)
    wait_for("what the job started has ended", lambda: not alive(pid))
