# SPDX-License-Identifier: LGPL-3.0-only
"""Ending the service: POST /service/stop, SIGTERM, and what becomes of jobs and streams."""

import os
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from restd import (
    ENGINES,
    FluxInstance,
    alive,
    binary,
    check_problem,
    clean_environment,
    descendant,
    skip_unless_possible,
    wait_for,
)

STOPPING = {"Message": "The service is stopping."}
NOTE_PID = 'echo $$ >"$0.new"; mv "$0.new" "$0"; exec sleep 600'


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("path", ["/v1/service/stop", "/service/stop"])
def test_stop(make_daemon, engine, path):
    """The reply comes, then the daemon ends with 0; so does `flux start` around it."""
    daemon = make_daemon(engine).start()
    daemon.run("echo something")
    reply = daemon.post(path)
    assert reply.status_code == 200
    assert reply.json() == STOPPING
    daemon.wait_for_end()
    assert not alive(daemon.pid)


def test_stop_beside_flux_ends_the_instance(make_daemon, flux_instance):
    daemon = make_daemon("flux", instance=flux_instance).start()
    assert daemon.post("/v1/service/stop").json() == STOPPING
    daemon.wait_for_end()
    wait_for("the instance has ended", lambda: flux_instance.process.poll() is not None)


def test_running_jobs_of_flux_end_with_the_instance(make_daemon, tmp_path):
    daemon = make_daemon("flux").start()
    daemon.submit(["sh", "-c", NOTE_PID, str(tmp_path / "pid")])
    wait_for("the job runs", (tmp_path / "pid").exists)
    pid = int((tmp_path / "pid").read_text())
    assert daemon.post("/service/stop").status_code == 200
    daemon.wait_for_end()
    wait_for("the job has ended", lambda: not alive(pid))


@pytest.mark.parametrize("way", ["service", "signal"])
def test_running_local_jobs_go_on(make_daemon, tmp_path, way):
    daemon = make_daemon().start()
    jobid = daemon.submit(["sh", "-c", NOTE_PID, str(tmp_path / "pid")])
    wait_for("the job runs", (tmp_path / "pid").exists)
    pid = int((tmp_path / "pid").read_text())
    if way == "service":
        assert daemon.post("/service/stop").status_code == 200
        daemon.wait_for_end()
    else:
        daemon.stop()
    assert alive(pid)
    daemon.start()
    assert daemon.job(jobid)["state"] == "RUN"


def test_stop_when_running_jobs_have_ended(make_daemon, engine, tmp_path):
    """Until then nothing is submitted, and what is there can be read."""
    daemon = make_daemon(engine).start()
    go = tmp_path / "go"
    script = 'until [ -e "$0" ]; do sleep 0.05; done'
    jobid = daemon.submit(["sh", "-c", script, str(go)])
    held = daemon.submit("true", urgency=0)
    daemon.wait_state(jobid, "RUN")
    assert daemon.post("/v1/service/stop?drain=true&instance=false").json() == STOPPING
    check_problem(daemon.post("/v1/jobs", json={"command": "true"}), 503, "stopping")
    assert daemon.get("/readyz").status_code == 503
    assert daemon.job(jobid)["state"] == "RUN"
    go.touch()
    daemon.wait_for_end()
    if engine == "local":
        daemon.start()
        assert daemon.job(jobid)["result"] == "COMPLETED"
        assert daemon.job(held)["state"] == "SCHED"


def test_stop_with_all_jobs_cancelled(make_daemon):
    daemon = make_daemon().start()
    jobs = [daemon.submit("sleep 600"), daemon.submit("true", urgency=0)]
    daemon.wait_state(jobs[0], "RUN")
    assert daemon.post("/v1/service/stop", json={"cancel": True}).json() == STOPPING
    daemon.wait_for_end()
    daemon.start()
    for jobid in jobs:
        assert daemon.job(jobid)["result"] == "CANCELED"
        assert daemon.job(jobid)["exception"]["note"] == "the service is stopping"


def test_stop_at_once_after_all(make_daemon):
    """Who will not wait any longer asks again."""
    daemon = make_daemon().start()
    jobid = daemon.submit("sleep 600")
    daemon.wait_state(jobid, "RUN")
    assert daemon.post("/v1/service/stop?drain=true").status_code == 200
    assert daemon.job(jobid)["state"] == "RUN"
    assert daemon.post("/v1/service/stop").status_code == 200
    daemon.wait_for_end()
    daemon.start()
    assert daemon.job(jobid)["state"] == "RUN"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_signals_end_it_in_order(make_daemon, number):
    daemon = make_daemon().start()
    os.kill(daemon.pid, number)
    daemon.wait_for_end()


def test_hurried_signals(make_daemon):
    """A second one may cut replies short, but what was acknowledged is kept."""
    daemon = make_daemon().start()
    jobid = daemon.submit("echo kept")
    for _ in range(3):
        os.kill(daemon.pid, signal.SIGTERM)
    daemon.session.close()
    assert daemon.process.wait(30) in (0, 1), daemon.stderr()
    daemon.start()
    daemon.wait_end(jobid)
    assert daemon.output(jobid) == "kept\n"


def test_open_streams_do_not_hold_it_up(make_daemon):
    """A reader of a job that goes on is sent away, and learns that it was no orderly end of it."""
    daemon = make_daemon().start()
    jobid = daemon.submit(["sh", "-c", "echo one; exec sleep 600"])
    wait_for("the first line is there", lambda: daemon.output(jobid) == "one\n")
    first, ended, broken = threading.Event(), threading.Event(), threading.Event()

    def read():
        try:
            path = f"/v1/jobs/{jobid}/output/stream"
            with daemon.get(path, stream=True) as reply:
                for _ in reply.iter_content(chunk_size=None):
                    first.set()
        except requests.RequestException:
            broken.set()
        ended.set()

    reader = threading.Thread(target=read)
    reader.start()
    wait_for("the stream is open", first.is_set)
    os.kill(daemon.pid, signal.SIGTERM)
    status = daemon.process.wait(30)
    wait_for("the reader is sent away", ended.is_set)
    reader.join()
    assert status == 0, daemon.stderr()
    assert broken.is_set(), "a stream that was cut looked like one that was whole"
    daemon.start()  # so that the job can be ended


def test_signals_to_the_very_end_change_nothing(make_daemon):
    """A thread that is still open to them would be killed by one, and the daemon with it."""
    for _ in range(5):
        daemon = make_daemon().start()
        while daemon.process.poll() is None:
            os.kill(daemon.pid, signal.SIGHUP)
        daemon.wait_for_end()


def test_a_signal_after_the_call_does_not_cut_it_short(make_daemon):
    daemon = make_daemon().start()
    assert daemon.post("/service/stop").json() == STOPPING
    try:
        os.kill(daemon.pid, signal.SIGTERM)
    except ProcessLookupError:
        pass
    daemon.wait_for_end()


def test_a_stopped_broker_does_not_leave_requests_without_a_reply(make_daemon, tmp_path):
    """What waits for the broker when the daemon is told to end is told what is known."""
    skip_unless_possible("flux")
    instance = FluxInstance(tmp_path)
    daemon = make_daemon("flux", instance=instance).start()
    broker = descendant(instance.process.pid, "flux-broker") or instance.process.pid
    os.kill(broker, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(3) as pool:
            submit = pool.submit(daemon.post, "/v1/jobs/submit", json={"command": "true"})
            nodes = pool.submit(requests.get, daemon.url + "/v1/nodes", timeout=60)
            wait_for("both are under way", lambda: daemon_has_connections(daemon, 2))
            os.kill(daemon.pid, signal.SIGTERM)
            check_problem(submit.result(60), 503, "outcome-unknown")
            check_problem(nodes.result(60), 503, "unavailable")
        assert daemon.process.wait(60) == 0, daemon.stderr()
    finally:
        os.kill(broker, signal.SIGCONT)
        instance.stop()


def daemon_has_connections(daemon, count):
    """Whether so many connections to the daemon's port are established."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return sum(row[1].endswith(f":{daemon.port:04X}") and row[3] == "01" for row in rows) >= count


def test_a_log_that_nobody_reads_stops_nobody(tmp_path):
    """Standard error is a pipe that is full: requests are answered all the same."""
    command = [str(binary()), "--engine=local", "--listen=127.0.0.1:0"]
    with subprocess.Popen(
        [*command, f"--state-dir={tmp_path}"], env=clean_environment(), stderr=subprocess.PIPE
    ) as process:
        try:
            lines = iter(process.stderr.readline, b"")
            text = next(line for line in lines if b"listening" in line).decode()
            url = text.split()[-1]
            with requests.Session() as session:
                session.trust_env = False
                for _ in range(3000):  # some 100 bytes of log each; the pipe holds 64 KiB
                    assert session.get(url + "/livez", timeout=30).status_code == 200
            process.terminate()
            assert process.wait(30) == 0
        finally:
            process.kill()


def test_requests_under_way_are_answered(make_daemon):
    """A submit at the very end is answered and kept, or refused and not kept."""
    daemon = make_daemon().start()
    acknowledged, lock = set(), threading.Lock()

    def keep_submitting():
        with requests.Session() as session:
            session.trust_env = False
            while True:
                try:
                    reply = session.post(
                        daemon.url + "/v1/jobs/submit", json={"command": "true"}, timeout=30
                    )
                except requests.ConnectionError:
                    return
                if reply.status_code != 200:
                    check_problem(reply, 503)
                    return
                with lock:
                    acknowledged.add(reply.json()["jobid"])

    with ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(keep_submitting) for _ in range(4)]
        wait_for("jobs are taken in", lambda: len(acknowledged) >= 8)
        assert daemon.post("/service/stop").json() == STOPPING
        daemon.wait_for_end()
    for worker in workers:
        worker.result()
    daemon.start()
    assert {job["jobid"] for job in daemon.jobs(limit=10000)} == acknowledged
