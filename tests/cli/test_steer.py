# SPDX-License-Identifier: LGPL-3.0-only
"""flux-rest kill, urgency, duration, drain, undrain and queues, on an engine that can."""

import re

import pytest
from conftest import Rest
from restd import Daemon, skip_unless_possible, wait_for


@pytest.fixture(scope="module")
def flux(tmp_path_factory):
    skip_unless_possible("flux")
    one = Daemon(tmp_path_factory.mktemp("flux"), "flux")
    try:
        yield one.start()
    finally:
        one.finish()


@pytest.fixture
def rest(flux, tmp_path):
    return Rest(flux.url, tmp_path)


def test_run_on_flux(rest):
    assert rest("run", "sh", "-c", "echo out; exit 3")[:2] == (3, "out\n")


def test_urgency(rest, flux):
    jobid = rest.ok("submit", "--urgency=hold", "true").strip()
    wait_for("it is held", lambda: "held" in rest.ok("job", jobid))
    assert rest("urgency", jobid, "99")[0] == 1
    assert rest("urgency", jobid, "default") == (0, "", "")
    assert flux.wait_end(jobid)["urgency"] == 16
    status, _, err = rest("urgency", jobid, "hold")
    assert status == 1 and "inactive" in err


def test_kill_and_duration(rest, flux):
    script = "trap 'exit 9' USR1; echo here; while :; do sleep 0.1; done"
    jobid = rest.ok("submit", "-t", "1h", "sh", "-c", script).strip()
    wait_for("it runs", lambda: rest.ok("output", jobid) == "here\n")
    assert rest("duration", jobid, "2h") == (0, "", "")
    wait_for("its limit is new", lambda: flux.job(jobid)["duration"] == 7200)
    status, _, err = rest("kill", "-s", "NONSENSE", jobid)
    assert status == 1 and err.startswith("flux-rest: /signal: signal must be")
    assert rest("kill", "-s", "USR1", jobid) == (0, "", "")
    assert flux.wait_end(jobid)["returncode"] == 9
    assert rest("duration", jobid, "soon")[0] == 2


def test_drain(rest):
    name = rest.ok("nodes", "-n", "-o", "{name}").strip()
    rest.ok("drain", "-m", "new \x1b memory", name)
    line = rest.ok("nodes", "-n")
    assert re.search(r"drained +\d+/\d+ new \\x1b memory$", line)
    rest.ok("undrain", name)
    assert "free" in rest.ok("nodes", "-n")
    assert rest("undrain", name)[0] == 1


def test_queues(rest):
    out = rest.ok("queues")
    assert re.match(r"QUEUE +ENABLED STARTED PENDING RUNNING\n\(the only one\) +yes +yes ", out)
