# SPDX-License-Identifier: LGPL-3.0-only
"""What the daemon gives up, what its jobs do not see, and who may read its files."""

import os
import re
import resource
import signal
import stat

import pytest
from restd import wait_for

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
unsanitized = pytest.mark.skipif("ASAN_OPTIONS" in os.environ,
                                 reason="the leak check needs what is given up")  # fmt: skip
SECRET = "a-secret-of-48-characters-0123456789abcdefghijkl"
NOBODY = 65534


def status_of(pid):
    """What /proc/PID/status says of new privileges and system calls."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        found = dict(re.findall(r"(NoNewPrivs|Seccomp):\s+(\d+)", file.read()))
    return found["NoNewPrivs"], found["Seccomp"]


@unsanitized
@as_root
def test_beside_flux(make_daemon):
    """Closed up, in every thread, and works."""
    daemon = make_daemon("flux").start()
    tasks = os.listdir(f"/proc/{daemon.pid}/task")
    assert len(tasks) > 1
    assert {status_of(f"{daemon.pid}/task/{task}") for task in tasks} == {("1", "2")}
    jobid = daemon.submit("grep -E 'NoNewPrivs|Seccomp:' /proc/self/status")
    daemon.wait_end(jobid)
    assert re.findall(r"\d+", daemon.output(jobid)) == ["0", "0"]


def test_with_the_local_engine(make_daemon):
    """A job is the user: whatever works outside of it works in it."""
    daemon = make_daemon().start()
    assert status_of(daemon.pid) == ("0", "0")
    jobid = daemon.submit("grep -E 'NoNewPrivs|Seccomp:' /proc/self/status")
    daemon.wait_end(jobid)
    assert re.findall(r"\d+", daemon.output(jobid)) == ["0", "0"]


@unsanitized
def test_no_core(make_daemon):
    """Not even where cores are wanted; and a job's limit is as it was."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        daemon = make_daemon(env={"FLUX_RESTD_CONFINE": "true"}).start()
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
    jobid = daemon.submit("sh -c 'ulimit -Sc'")
    daemon.wait_end(jobid)
    want = "unlimited" if before[1] == resource.RLIM_INFINITY else str(before[1])
    assert daemon.output(jobid).strip() == want
    os.kill(daemon.pid, signal.SIGABRT)
    ended = os.waitid(os.P_PID, daemon.pid, os.WEXITED | os.WNOWAIT)
    assert (ended.si_status, ended.si_code) == (signal.SIGABRT, os.CLD_KILLED)  # not CLD_DUMPED
    daemon.kill()


def open_to_nobody(folder):
    """The folder, given to another user, and those above it to be passed through."""
    folder.mkdir(parents=True)
    os.chown(folder, NOBODY, NOBODY)
    for above in folder.parents:
        if above.stat().st_uid == 0 and above.name.startswith(("pytest-", "test_")):
            above.chmod(above.stat().st_mode | 0o011)


@unsanitized
@as_root
def test_a_job_cannot_look_into_the_daemon(make_daemon, tmp_path):
    """Of the same user, as jobs are."""
    open_to_nobody(tmp_path / "daemon-0")
    daemon = make_daemon(user=NOBODY, env={"FLUX_USER": "me", "FLUX_TOKEN": SECRET}).start()
    daemon.session.auth = ("me", SECRET)
    look = f"cd /proc/{daemon.pid} && for f in environ mem maps auxv stack; do cat $f; done; ls fd"
    jobid = daemon.submit(["sh", "-c", f"exec 2>&1; id -u; {look}; env"])
    daemon.wait_end(jobid)
    output = daemon.output(jobid)
    assert output.startswith(f"{NOBODY}\n")
    assert output.count("Permission denied") == 6, output
    assert SECRET not in output


def test_a_job_has_no_descriptor_of_ours(make_daemon):
    """Not even one that the daemon was started with."""
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    try:
        daemon = make_daemon()
        daemon.inherits = [writer]
        daemon.start()
    finally:
        os.close(writer)
    jobid = daemon.submit("ls /proc/self/fd")
    daemon.wait_end(jobid)
    os.close(reader)
    assert daemon.output(jobid).split() == ["0", "1", "2", "3"]  # 3 is ls's own


def test_files_are_the_users_alone(make_daemon):
    """Whatever the umask is that the daemon was started with, which a job keeps."""
    before = os.umask(0)
    try:
        daemon = make_daemon(listen=["127.0.0.1:0", "unix:socket"]).start()
    finally:
        os.umask(before)
    jobid = daemon.submit("sh -c 'umask; echo out; echo err >&2'", stdin="text")
    daemon.wait_end(jobid)
    assert daemon.output(jobid).startswith("0000\n")
    made = daemon.post("/v1/tokens", json={"name": "one", "role": "read"})
    assert made.status_code == 201, made.text
    found = [daemon.state_dir, *daemon.state_dir.rglob("*"), daemon.folder / "socket"]
    assert len(found) > 5
    modes = {str(path): stat.filemode(path.lstat().st_mode) for path in found}
    assert not {p: m for p, m in modes.items() if not m.endswith("------") or m[0] == "l"}


def test_a_state_directory_that_others_can_write(make_daemon):
    daemon = make_daemon()
    daemon.state_dir.mkdir(parents=True)
    daemon.state_dir.chmod(0o777)
    daemon.spawn()
    assert daemon.process.wait(30) != 0
    wait_for("it says why", lambda: "written by others" in daemon.stderr())
