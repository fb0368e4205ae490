# SPDX-License-Identifier: LGPL-3.0-only
"""The local engine outlives its daemon: killed, stopped, and killed while it takes jobs in."""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from restd import Daemon, FluxInstance, alive, skip_unless_possible, wait_for

# Notes that it began, waits to be let go, and says so. $0 is a folder, $1 the job's name.
JOB = 'echo $$ >>"$0/began-$1"; while [ ! -e "$0/go" ]; do sleep 0.05; done; echo "$1 done"'


def submit_job(daemon, folder, name):
    return daemon.submit(["sh", "-c", JOB, str(folder), name], name=name)


def began(folder, name):
    """The process ids of every start of the job."""
    path = folder / f"began-{name}"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def check_ran_once(daemon, folder, jobs):
    """All have ended well, each after one start, and have their output."""
    for name, jobid in jobs.items():
        job = daemon.wait_end(jobid)
        assert (job["result"], job["returncode"]) == ("COMPLETED", 0), job
        assert daemon.output(jobid) == f"{name} done\n"
        assert len(began(folder, name)) == 1, name


@pytest.fixture
def daemon(make_daemon):
    return make_daemon(args=["--cores", "2"]).start()


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_jobs_go_on(daemon, tmp_path, how):
    """Ended, running and waiting jobs, before and after the daemon was away."""
    ended, output = daemon.run("echo before", name="ended")
    failed, _ = daemon.run("sh -c 'echo oops >&2; exit 3'", name="failed")
    assert output == "before\n"
    running = {name: submit_job(daemon, tmp_path, name) for name in ("run-1", "run-2")}
    waiting = {name: submit_job(daemon, tmp_path, name) for name in ("wait-1", "wait-2")}
    for name, jobid in running.items():
        daemon.wait_state(jobid, "RUN")
        wait_for(f"{name} has begun", lambda name=name: began(tmp_path, name))
    for jobid in waiting.values():
        assert daemon.job(jobid)["state"] == "SCHED"
    before = {job["id"]: job for job in daemon.jobs()}

    daemon.kill() if how == "killed" else daemon.stop()
    for name in running:
        assert alive(began(tmp_path, name)[0]), "a running job ended with the daemon"
    daemon.start()

    after = {job["id"]: job for job in daemon.jobs()}
    assert list(after) == list(before)
    assert after[ended["id"]] == before[ended["id"]]
    assert after[failed["id"]] == before[failed["id"]]
    assert (daemon.output(ended["id"]), daemon.output(failed["id"])) == ("before\n", "oops\n")
    for jobid in running.values():
        assert daemon.job(jobid)["state"] == "RUN"
    (tmp_path / "go").touch()
    check_ran_once(daemon, tmp_path, {**running, **waiting})
    assert len(daemon.jobs()) == 6


def test_jobs_that_end_meanwhile(daemon, tmp_path):
    """What ended while no daemon was there is known as soon as one is."""
    jobs = {name: submit_job(daemon, tmp_path, name) for name in ("a", "b")}
    for name in jobs:
        wait_for(f"{name} has begun", lambda name=name: began(tmp_path, name))
    daemon.kill()
    (tmp_path / "go").touch()
    for name in jobs:
        wait_for(f"{name} has ended", lambda name=name: not alive(began(tmp_path, name)[0]))
    daemon.start()
    check_ran_once(daemon, tmp_path, jobs)


def test_a_shell_that_was_killed_is_a_failed_job(daemon, tmp_path):
    """As after a reboot: no result, nobody who could still write one."""
    jobid = submit_job(daemon, tmp_path, "victim")
    wait_for("it has begun", lambda: began(tmp_path, "victim"))
    task = began(tmp_path, "victim")[0]
    stat = open(f"/proc/{task}/stat").read()
    shell = int(stat.rpartition(")")[2].split()[1])
    daemon.kill()
    os.kill(shell, signal.SIGKILL)
    if alive(task):
        os.kill(task, signal.SIGKILL)
    wait_for("both are gone", lambda: not alive(shell) and not alive(task))
    daemon.start()
    job = daemon.wait_end(jobid)
    assert job["result"] == "FAILED"
    assert job["exception"]["note"]
    assert len(began(tmp_path, "victim")) == 1
    assert daemon.run("echo on")[1] == "on\n"


def test_cancel_after_a_restart(daemon, tmp_path):
    jobid = submit_job(daemon, tmp_path, "late")
    wait_for("it has begun", lambda: began(tmp_path, "late"))
    daemon.kill()
    daemon.start()
    assert daemon.post(f"/v1/jobs/{jobid}/cancel").status_code == 200
    assert daemon.wait_end(jobid)["result"] == "CANCELED"
    wait_for("its task has ended", lambda: not alive(began(tmp_path, "late")[0]))


def test_time_limit_across_a_restart(daemon):
    jobid = daemon.submit("sleep 600", runtime=2)
    daemon.wait_state(jobid, "RUN")
    daemon.kill()
    daemon.start()
    assert daemon.wait_end(jobid)["result"] == "TIMEOUT"


def test_stream_across_a_restart(daemon, tmp_path):
    """A reader is cut off by the kill, and reads all of it from the next daemon."""
    jobid = daemon.submit(["sh", "-c", 'echo one; while [ ! -e "$0/go" ]; do sleep 0.05; done; '
                           "echo two", str(tmp_path)])  # fmt: skip
    wait_for("the first line is there", lambda: daemon.output(jobid) == "one\n")
    daemon.kill()
    (tmp_path / "go").touch()
    daemon.start()
    assert daemon.get(f"/v1/jobs/{jobid}/output/stream").text == "one\ntwo\n"


class Storm:
    """Clients that keep submitting, and remember what was acknowledged."""

    def __init__(self, daemon, folder, prefix):
        self.daemon, self.folder, self.prefix = daemon, folder, prefix
        self.acknowledged, self.sent = {}, set()
        self.lock, self.stopped = threading.Lock(), threading.Event()

    def submit(self, number):
        name = f"{self.prefix}-{number}"
        command = ["sh", "-c", 'echo $$ >>"$0/began-$1"', str(self.folder), name]
        with self.lock:
            self.sent.add(name)
        with requests.Session() as session:
            session.trust_env = False
            reply = session.post(
                f"{self.daemon.url}/v1/jobs/submit",
                json={"command": command, "name": name},
                timeout=10,
            )
        if reply.status_code == 200:
            with self.lock:
                self.acknowledged[name] = reply.json()["id"]

    def worker(self, start):
        number = start
        while not self.stopped.is_set():
            try:
                self.submit(number)
            except requests.RequestException:
                return
            number += 4

    def run_until_killed(self, enough):
        with ThreadPoolExecutor(4) as pool:
            workers = [pool.submit(self.worker, start) for start in range(4)]
            wait_for("jobs are acknowledged", lambda: len(self.acknowledged) >= enough)
            self.daemon.kill()
            self.stopped.set()
        for worker in workers:
            worker.result()


def test_killed_while_it_takes_jobs_in(daemon, tmp_path):
    """What was acknowledged is there; whatever is there runs exactly once."""
    acknowledged, sent = {}, set()
    for number in range(4):
        storm = Storm(daemon, tmp_path, f"storm{number}")
        storm.run_until_killed(10)
        acknowledged.update(storm.acknowledged)
        sent |= storm.sent
        daemon.start()
    listed = {}
    for job in daemon.jobs(limit=10000):
        assert job["name"] not in listed, f"{job['name']} is there twice"
        listed[job["name"]] = job["id"]
    lost = {name for name, jobid in acknowledged.items() if listed.get(name) != jobid}
    assert not lost, f"acknowledged and lost: {lost}"
    assert set(listed) <= sent
    for name, jobid in listed.items():
        assert daemon.wait_end(jobid)["result"] == "COMPLETED"
        assert len(began(tmp_path, name)) == 1, name


def test_two_daemons_on_one_state_are_refused(daemon, tmp_path):
    second = Daemon(tmp_path / "second")
    second.state_dir = daemon.state_dir
    second.spawn()
    try:
        wait_for("the second one has ended", lambda: second.process.poll() is not None)
        assert second.process.returncode not in (0, -6, -11)
        assert str(daemon.state_dir) in second.stderr()
    finally:
        second.kill()
    assert daemon.run("echo still here")[1] == "still here\n"


def test_ids_keep_rising(daemon):
    ids = [daemon.run("true")[0]["id"]]
    for _ in range(3):
        daemon.kill()
        daemon.start()
        ids.append(daemon.run("true")[0]["id"])
    assert ids == sorted(set(ids))


def test_beside_flux(tmp_path):
    """Flux keeps the jobs: a daemon that was killed shows them again when it is back."""
    skip_unless_possible("flux")
    instance = FluxInstance(tmp_path)
    try:
        daemon = Daemon(tmp_path / "daemon", "flux", instance=instance).start()
        try:
            ended, output = daemon.run("echo before", name="ended")
            jobid = submit_job(daemon, tmp_path, "running")
            wait_for("it has begun", lambda: began(tmp_path, "running"))
            daemon.kill()
            daemon.start()
            assert daemon.job(ended["id"]) == ended
            assert daemon.output(ended["id"]) == output == "before\n"
            assert daemon.job(jobid)["state"] == "RUN"
            (tmp_path / "go").touch()
            check_ran_once(daemon, tmp_path, {"running": jobid})
        finally:
            daemon.finish()
    finally:
        instance.stop()
