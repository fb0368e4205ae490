# SPDX-License-Identifier: LGPL-3.0-only
"""No room on the disk, no descriptors, no processes: each is said, survived, and over by itself."""

import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
from pathlib import Path

import pytest
from restd import alive, binary, wait_for

NOBODY = 54321  # a user of whom there are no other processes
CREDENTIALS = {"FLUX_USER": "someone", "FLUX_TOKEN": "a-token-for-this-test-alone"}


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 8 MiB."""
    folder = tmp_path / "daemon-0" / "state"
    folder.mkdir(parents=True)
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs", str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder):
    with open(folder / "ballast", "ab", buffering=0) as ballast:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    ballast.write(b"x" * size)
            except OSError:
                pass


# Waits to be let go, then says much and ends.
TALKER = (
    'echo begun; : >"$0/ready-$1"; while [ ! -e "$0/go-$1" ]; do sleep 0.05; done; '
    'head -c 200000 /dev/zero | tr "\\0" x; echo; : >"$0/said-$1"; '
    'while [ ! -e "$0/end-$1" ]; do sleep 0.05; done; echo end; exit 3'
)


def test_full_disk(make_local, small_disk, tmp_path):
    """Submits are refused, what runs goes on, output is marked, and all resumes with room."""
    daemon = make_local(tmp_path / "daemon-0", args=["--cores", "3"]).start()
    before, _ = daemon.run("echo before")
    jobs = [daemon.submit(["sh", "-c", TALKER, str(tmp_path), str(n)]) for n in range(3)]
    for number in range(3):
        wait_for("it has begun", lambda n=number: (tmp_path / f"ready-{n}").exists())
    waiting = daemon.submit("echo waited")
    accepted = []
    fill(small_disk)

    def refused():
        reply = daemon.post("/v1/jobs/submit", json={"command": "echo late"})
        if reply.status_code == 200:
            accepted.append(reply.json()["jobid"])
        return (reply,) if reply.status_code != 200 else None

    (reply,) = wait_for("a submit finds no room", refused)
    assert reply.status_code == 507, reply.text
    assert reply.json()["code"] == "storage-full", reply.text
    reply = daemon.post(f"/v1/jobs/{waiting}/cancel")
    assert reply.status_code in (200, 507), reply.text  # answered, either way
    cancelled = reply.status_code == 200

    # One says all while there is no room and ends later; one ends, too; one goes on in silence.
    for number in (0, 1):
        (tmp_path / f"go-{number}").touch()
        wait_for("it has said all", lambda n=number: (tmp_path / f"said-{n}").exists())
    (tmp_path / "end-1").touch()
    assert [daemon.job(jobid)["state"] for jobid in jobs] == ["RUN"] * 3
    assert daemon.job(before["jobid"] if "jobid" in before else before["id"])["returncode"] == 0

    (small_disk / "ballast").unlink()
    for number in range(3):
        (tmp_path / f"go-{number}").touch()
        (tmp_path / f"end-{number}").touch()
    for number, jobid in enumerate(jobs):
        job = daemon.wait_end(jobid)
        assert (job["result"], job["returncode"]) == ("FAILED", 3), job
        output = daemon.output(jobid)
        assert output.startswith("begun\n")
        assert ("output was lost here" in output) == (number < 2), number
    assert daemon.output(jobs[2]) == f"begun\n{'x' * 200000}\nend\n"
    job = daemon.wait_end(waiting)
    assert job["result"] == ("CANCELED" if cancelled else "COMPLETED"), job
    for jobid in accepted:
        assert daemon.wait_end(jobid)["result"] == "COMPLETED"
        assert daemon.output(jobid) == "late\n"
    assert daemon.run("echo after")[1] == "after\n"
    count = len(daemon.jobs(limit=10000))
    daemon.stop()
    with sqlite3.connect(small_disk / "store.db") as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    daemon.start()
    assert len(daemon.jobs(limit=10000)) == count


def limit(daemon, kind, soft):
    """Sets a soft limit of the running daemon, as its own user."""
    subprocess.run(
        ["prlimit", f"--pid={daemon.pid}", f"--{kind}={soft}:"], check=True,
        user=daemon.user, group=daemon.user, extra_groups=None if daemon.user is None else [],
    )  # fmt: skip


def limit_of(daemon, name):
    text = Path(f"/proc/{daemon.pid}/limits").read_text(encoding="ascii")
    return re.search(rf"^{name} +(\S+)", text, re.MULTILINE).group(1)


def test_no_descriptors(make_local, tmp_path):
    daemon = make_local(args=["--cores", "2"]).start()
    end = tmp_path / "end"
    running = daemon.submit(["sh", "-c", 'while [ ! -e "$0" ]; do sleep 0.05; done', str(end)])
    daemon.wait_state(running, "RUN")
    daemon.run("true")  # whatever is opened at first use
    before = limit_of(daemon, "Max open files")
    limit(daemon, "nofile", 1)  # what is open stays so
    jobid = daemon.submit("echo at last")
    wait_for("the log says why jobs wait", lambda: "cannot be started now" in daemon.stderr())
    assert "Too many open files" in daemon.stderr()
    assert daemon.job(jobid)["state"] == "RUN"
    end.touch()
    limit(daemon, "nofile", before)
    assert daemon.wait_end(jobid)["result"] == "COMPLETED"
    assert daemon.output(jobid) == "at last\n"
    assert daemon.wait_end(running)["result"] == "COMPLETED"
    assert "can be started again" in daemon.stderr()


@pytest.fixture
def open_folder():
    """A folder that every user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="fr-fault-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_no_processes(make_local, open_folder):
    """The limit does not hold for root: hence another user."""
    if os.geteuid() != 0:
        pytest.skip("running the daemon as another user needs root")
    if subprocess.run(
        ["test", "-x", str(binary())], user=NOBODY, group=NOBODY, extra_groups=[], check=False
    ).returncode:
        pytest.skip(f"another user cannot run {binary()}")
    daemon = make_local(open_folder / "daemon", args=["--cores", "2"], user=NOBODY, env=CREDENTIALS)
    os.chown(daemon.folder, NOBODY, NOBODY)
    daemon.session.auth = tuple(CREDENTIALS.values())
    daemon.start()
    daemon.run("true")
    before = limit_of(daemon, "Max processes")
    limit(daemon, "nproc", 0)
    jobid = daemon.submit("echo at last")
    wait_for("the log says why jobs wait", lambda: "cannot be started now" in daemon.stderr())
    assert "Resource temporarily unavailable" in daemon.stderr()
    assert daemon.job(jobid)["state"] == "RUN"
    limit(daemon, "nproc", before)
    assert daemon.wait_end(jobid)["result"] == "COMPLETED"
    assert daemon.output(jobid) == "at last\n"
    assert alive(daemon.pid)
