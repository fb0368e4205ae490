# SPDX-License-Identifier: LGPL-3.0-only
"""What flux-rest follows goes on, whatever is cut or killed: no line is lost or comes twice."""

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
