# SPDX-License-Identifier: LGPL-3.0-only
"""Every example, run as it stands; and the sweep, with the daemon killed in the middle."""

import subprocess
import sys

import pytest
from restd import ROOT, clean_environment, wait_for

EXAMPLES = ROOT / "examples"
SIMPLE = ["submit_job.py", "submit_list_jobs.py", "cancel_job.py", "list_nodes.py"]


def start(name, *args, **env):
    return subprocess.Popen(
        [sys.executable, str(EXAMPLES / name), *args], cwd="/", env=clean_environment(env),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process, limit=120):
    try:
        out, err = process.communicate(timeout=limit)
    finally:
        process.kill()
    return process.returncode, out, err


def run(name, *args, **env):
    return finish(start(name, *args, **env))


def test_none_is_forgotten():
    """Each file in the folder is run by a test of this module."""
    tested = {*SIMPLE, "submit_job_auth.py", "stop_service.py", "sweep/sweep.py"}
    found = {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*.py")}
    assert found == tested


@pytest.mark.parametrize("name", SIMPLE)
def test_example(daemon, name):
    status, out, err = run(name, FLUX_RESTFUL_HOST=daemon.url)
    assert (status, err) == (0, ""), (out, err)
    assert out.strip()
    if name == "submit_job.py":
        assert "line 1 of job" in out and "INACTIVE" in out
    if name == "submit_list_jobs.py":
        assert all(f"sleep-{seconds}" in out for seconds in (1, 2, 3))
    if name == "cancel_job.py":
        assert "Job is requested to cancel." in out
        wait_for("it is cancelled", lambda: "CANCELED" in {j["result"] for j in daemon.jobs()})
    if name == "list_nodes.py":
        assert daemon.get("/v1/nodes").json()["nodes"][0] in out


def test_submit_job_auth(make_daemon):
    env = {"FLUX_USER": "fluxuser", "FLUX_TOKEN": "12345"}
    daemon = make_daemon(env={**env, "FLUX_REQUIRE_AUTH": "true"}).start()
    daemon.session.auth = ("fluxuser", "12345")
    status, out, err = run("submit_job_auth.py", FLUX_RESTFUL_HOST=daemon.url, **env)
    assert (status, err) == (0, "") and "let in" in out
    status, out, err = run("submit_job_auth.py", FLUX_RESTFUL_HOST=daemon.url, FLUX_USER="x")
    assert status != 0 and "FLUX_TOKEN" in err and "Traceback" not in err
    env["FLUX_TOKEN"] = "wrong"
    status, out, err = run("submit_job_auth.py", FLUX_RESTFUL_HOST=daemon.url, **env)
    assert status != 0 and "FLUX_TOKEN" in err and "Traceback" not in err


def test_stop_service(make_daemon):
    daemon = make_daemon().start()
    status, out, err = run("stop_service.py", FLUX_RESTFUL_HOST=daemon.url)
    assert (status, err, out) == (0, "", "The service is stopping.\n")
    daemon.wait_for_end()


def test_without_a_server():
    """All fail, and say what to do, without a traceback."""
    env = {"FLUX_RESTFUL_HOST": "http://127.0.0.1:1", "FLUX_USER": "u", "FLUX_TOKEN": "t"}
    started = [start(name, **env) for name in (*SIMPLE, "submit_job_auth.py", "stop_service.py")]
    for status, _, err in map(finish, started):
        assert status != 0
        assert "flux-restd" in err and "Traceback" not in err


# The sweep


def check_sweep(daemon, status, out, err):
    print(err)
    assert status == 0, (out, err)
    assert "equal: all 200 jobs" in out
    names = sorted(job["name"] for job in daemon.jobs(name="sweep-test-*", limit=1000))
    assert names == [f"sweep-test-{number:04}" for number in range(1, 201)], "lost or doubled"
    assert {j["result"] for j in daemon.jobs(name="sweep-test-*", limit=1000)} == {"COMPLETED"}


def sweep_with_kills(daemon):
    """Kills the daemon while jobs are being submitted, and again once many have ended."""
    sweep = start("sweep/sweep.py", "--check", "--run", "test", FLUX_RESTFUL_HOST=daemon.url)

    def count(**query):
        assert sweep.poll() is None, sweep.communicate()
        return len(daemon.jobs(name="sweep-test-*", **query))

    try:
        wait_for("40 jobs are submitted", lambda: count() >= 40, 120)
        daemon.kill()
        daemon.start()
        wait_for("90 jobs have ended", lambda: count(state="inactive") >= 90, 120)
        daemon.kill()
        daemon.start()
        check_sweep(daemon, *finish(sweep, 300))
    finally:
        sweep.kill()


def test_sweep_local(make_daemon):
    sweep_with_kills(make_daemon().start())


def test_sweep_beside_flux(make_daemon, flux_instance):
    sweep_with_kills(make_daemon("flux", instance=flux_instance).start())
