# SPDX-License-Identifier: LGPL-3.0-only
"""What flux-rest follows goes on, whatever is cut or killed: no line is lost or comes twice."""

import json
import re
import signal
import time

import pytest
from conftest import Rest, caught
from cutter import Cutter
from restd import LIMIT, Daemon, wait_for


@pytest.fixture
def rough(tmp_path):
    """(daemon, cutter, rest): a daemon that may be killed, and flux-rest behind what cuts."""
    daemon = Daemon(tmp_path / "daemon")
    cutter = None
    try:
        cutter = Cutter(daemon.start())
        yield daemon, cutter, Rest(cutter.url, tmp_path)
    finally:
        daemon.finish()
        if cutter:
            cutter.close()


LINES = 200
WRITER = (
    "import os, sys, time\n"
    f"for i in range({LINES}):\n"
    "    os.write(1, b'%06d \\xff\\xc3\\0' % i * 20 + b'\\n')\n"
    "    os.write(2, b'%06d err' % i * 5 + b'\\n')\n"
    "    time.sleep(0.02)\n"
    "sys.exit(7)\n"
)
OUT = b"".join(b"%06d \xff\xc3\0" % i * 20 + b"\n" for i in range(LINES))
ERR = b"".join(b"%06d err" % i * 5 + b"\n" for i in range(LINES))


def kill_often(daemon, cutter, process, kills, cuts):
    """Until the process ends, or so much has happened to it; then it is left in peace."""
    end = time.monotonic() + LIMIT
    while (kills > 0 or cutter.cuts < cuts) and time.monotonic() < end:
        if process.poll() is not None:
            break
        if kills > 0:
            daemon.kill()
            daemon.start()
            kills -= 1
        time.sleep(0.3)
    cutter.calm = True
    assert kills == 0 and cutter.cuts >= cuts, (kills, cutter.cuts)


@pytest.mark.parametrize("how", ["run", "output"])
def test_output_over_cuts_and_kills(rough, tmp_path, how):
    daemon, cutter, rest = rough
    words = ["/usr/bin/python3", "-c", WRITER]
    command = ["run", *words]
    if how == "output":
        command = ["output", "--follow", daemon.submit(words)]
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("wb") as to, err.open("wb") as to_err:
        process = rest.popen(*command, stdout=to, stderr=to_err)
        try:
            kill_often(daemon, cutter, process, kills=4, cuts=15)
            assert process.wait(LIMIT) == (7 if how == "run" else 0), err.read_bytes()[-2000:]
        finally:
            process.kill()
            process.wait()
    assert out.read_bytes() == OUT
    told = err.read_bytes()
    assert told[: len(ERR)] == ERR
    assert (b"exit code 7" in told[len(ERR) :]) == (how == "run"), told[len(ERR) :]


def test_stdout_and_stderr_are_told_apart(rest, daemon):
    words = ["sh", "-c", "echo out; echo err >&2"]
    assert rest("run", *words) == (0, "out\n", "err\n")
    jobid = daemon.submit(words)
    daemon.wait_end(jobid)
    assert rest("output", jobid) == rest("output", "-f", jobid) == (0, "out\n", "err\n")


def test_what_is_there_now(rest, daemon):
    """Without --follow a running job's output ends where it is, its unfinished line included."""
    jobid = daemon.submit(["sh", "-c", "printf half; sleep 1000"])
    wait_for("it has written", lambda: rest.ok("output", jobid) == "half")
    held = daemon.submit("true", urgency=0)
    assert rest("output", held) == (0, "", "")
    rest.ok("cancel", jobid, held)


def test_a_daemon_that_does_not_come_back(tmp_path):
    """Ctrl-C ends the waiting for it."""
    daemon = Daemon(tmp_path / "daemon").start()
    try:
        jobid = daemon.submit("sleep 1000")
        before = subscribers(daemon)
        with Rest(daemon.url, tmp_path).popen("output", "-f", jobid) as process:
            wait_for("it follows", lambda: caught(process.pid, signal.SIGINT))
            wait_for("it is heard", lambda: subscribers(daemon) > before)
            daemon.kill()
            time.sleep(0.5)
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
            assert process.wait(LIMIT) == -signal.SIGINT
        daemon.start()
    finally:
        daemon.finish()


def subscribers(daemon):
    """How many wait for news of jobs."""
    text = daemon.get("/metrics").text
    for line in text.splitlines():
        if line.startswith("flux_restd_subscribers "):
            return int(float(line.split()[-1]))
    raise AssertionError(text)


def test_wait_over_cuts_and_kills(rough):
    """More jobs than one list holds, named in any spelling: each is told once."""
    daemon, cutter, rest = rough
    cutter.sizes = (100_000, 200_000)  # a list must come through as a whole
    jobs = [daemon.submit(["sh", "-c", f"sleep 0.0{i % 10}; exit {int(i % 20 == 3)}"])
            for i in range(120)]  # fmt: skip
    words = [str(daemon.job(jobid)["id"]) if i % 2 else jobid for i, jobid in enumerate(jobs)]
    held = daemon.submit("true", urgency=0)
    with rest.popen("wait", *words, jobs[0], held) as process:
        try:
            kill_often(daemon, cutter, process, kills=3, cuts=8)
            for jobid in jobs:
                daemon.wait_end(jobid)
            assert process.poll() is None
            daemon.post(f"/v1/jobs/{held}/cancel")
            assert process.wait(LIMIT) == 1
        finally:
            process.kill()
        told = process.stderr.read().decode()
    failed = [jobid for i, jobid in enumerate(jobs) if i % 20 == 3]
    assert sorted(re.findall(r"(ƒ\w+): FAILED: exit code 1\n", told)) == sorted(failed), told
    assert told.count("CANCELED") == 1
    assert told.endswith("flux-rest: 7 of 121 jobs did not do well\n")


def test_wait_for_none(rest, daemon):
    jobid = daemon.submit("sleep 1000")
    status, _, err = rest("wait", jobid, "f1")
    assert status == 1 and "there is no job f1" in err
    rest.ok("cancel", jobid)


def told(text):
    """[(jobid, state, name)] of what events printed."""
    return re.findall(r"^[\d-]+ [\d:]+ (\S+) (\S+) +(\S+)(?: \{.*\})?$", text, re.M)


def test_events_of_one_job(rest, daemon):
    jobid = daemon.submit(["sh", "-c", "exit 3"])
    lines = told(rest.ok("events", jobid))
    assert {line[0] for line in lines} == {jobid}
    assert lines[0][1:] == ("NEW", "submit") and lines[-1][1:] == ("INACTIVE", "clean")
    assert [line[2] for line in lines].count("finish") == 1
    status, _, err = rest("events", "f1")
    assert status == 1 and "there is no job f1" in err
    assert rest("events", jobid, "--event=start")[0] == 2


def test_events_that_are_picked(rest, daemon):
    cursor = daemon.get("/v1/jobs").json()["cursor"]
    jobid = daemon.submit("true", name="picked")
    daemon.submit("true", name="other")
    words = ["events", "--since", cursor, "--event", "start,clean", "--name", "picked"]
    with rest.popen(*words, "--json") as process:
        events = [json.loads(process.stdout.readline()) for _ in range(2)]
        assert [(e["jobid"], e["name"]) for e in events] == [(jobid, "start"), (jobid, "clean")]
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT) == 0
        assert process.stdout.read() == b""
    status, _, err = rest("events", "--event", "finsh")
    assert status == 1 and "finish" in err
    status, _, err = rest("events", "--since", "yesterday")
    assert status == 1 and "no cursor" in err
    instance, rest_of_it = cursor.split(".", 1)
    status, _, err = rest("events", "--since", f"{int(instance, 16) ^ 1:x}.{rest_of_it}")
    assert status == 1 and "another instance" in err


def test_events_over_cuts_and_kills(rough, tmp_path):
    daemon, cutter, rest = rough
    cursor = daemon.get("/v1/jobs").json()["cursor"]
    out = tmp_path / "out"
    jobs = []
    with out.open("wb") as to:
        process = rest.popen("events", "--json", "--since", cursor, stdout=to)
        try:
            for _ in range(5):
                jobs += [daemon.submit("true") for _ in range(8)]
                daemon.kill()
                daemon.start()
            kill_often(daemon, cutter, process, kills=0, cuts=20)

            def ended():
                names = [json.loads(line)["name"] for line in out.read_bytes().splitlines(True)
                         if line.endswith(b"\n")]  # fmt: skip
                return names.count("clean") >= len(jobs)

            wait_for("all ends are told", ended)
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(LIMIT) == 0, process.stderr.read()
    events = [json.loads(line) for line in out.read_bytes().splitlines()]
    for jobid in jobs:
        indices = [event["index"] for event in events if event["jobid"] == jobid]
        assert indices == list(range(len(indices))), (jobid, indices)
    assert len(events) == sum(event["jobid"] in jobs for event in events)


def pictures(text):
    """The lists that --watch printed one after the other."""
    return [picture.split() for picture in text.decode().split("\n\n")]


@pytest.mark.parametrize("words", [["-a"], ["-f", "inactive"]])
def test_watch_shows_what_changed(rough, tmp_path, words):
    """Also what a daemon that was killed meanwhile knows; a list that did not change is not shown."""
    daemon, cutter, rest = rough
    cutter.sizes = (100_000, 200_000)
    out = tmp_path / "out"
    with out.open("wb") as to:
        watch = ["jobs", "--watch", "-n", "-o", "{name} {state_single}", *words]
        process = rest.popen(*watch, stdout=to)
        try:
            for number in range(3):
                daemon.submit("true", name=f"job-{number}")
                wait_for("its end is shown", lambda n=number: out.read_bytes().endswith(
                    b"".join(b"job-%d I\n" % i for i in range(n, -1, -1))))  # fmt: skip
                daemon.kill()
                daemon.start()
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(LIMIT) == 0, process.stderr.read()
    assert pictures(out.read_bytes())[-1] == ["job-2", "I", "job-1", "I", "job-0", "I"]


def test_nothing_is_asked_while_nothing_happens(rest, daemon, tmp_path):
    def requests():
        return sum(int(float(line.split()[-1])) for line in daemon.get("/metrics").text.splitlines()
                   if line.startswith("flux_restd_requests_total"))  # fmt: skip

    def is_quiet():
        before = requests()
        time.sleep(3)
        return requests() - before <= 1  # our own

    jobid = daemon.submit("sleep 1000", name="quiet")
    watch = ["jobs", "--watch", "-n", "--name", "quiet"]
    with rest.popen(*watch) as process, rest.popen("wait", jobid) as waiter:
        assert jobid.encode() in process.stdout.readline()
        wait_for("nobody asks", is_quiet)
        rest.ok("cancel", jobid)
        assert waiter.wait(LIMIT) == 1
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT) == 0
