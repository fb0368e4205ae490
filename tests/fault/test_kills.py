# SPDX-License-Identifier: LGPL-3.0-only
"""Daemons, shells and whole machines that end at any moment: nothing lost, nothing twice.

FLUX_RESTD_KILLS says how often the daemon is killed (50).
"""

import glob
import os
import random
import re
import signal
import threading
import time

import requests
from restd import alive, wait_for

KILLS = int(os.environ.get("FLUX_RESTD_KILLS", "50"))

# Says that it ran in a file of its own, by one write(2) at the file's end.
ONCE = 'echo $FLUX_JOB_ID >>"$0/$FLUX_JOB_ID"; seq 1 300; echo job "$1" >&2; exit $(($1 % 3))'
EXPECTED = "".join(f"{n}\n" for n in range(1, 301))


class Load(threading.Thread):
    """Submits without end, whether the daemon is there or not, and keeps what was promised."""

    def __init__(self, daemon, folder):
        super().__init__(daemon=True)
        self.at = daemon
        self.folder = str(folder)
        self.done = threading.Event()
        self.promised = {}

    def run(self):
        number = 0
        session = requests.Session()
        session.trust_env = False
        while not self.done.is_set():
            number += 1
            fields = {"command": ["sh", "-c", ONCE, self.folder, str(number)]}
            try:
                reply = session.post(f"{self.at.url}/v1/jobs/submit", json=fields, timeout=10)
                if reply.status_code == 200:
                    self.promised[reply.json()["jobid"]] = number
            except requests.RequestException:
                session.close()
                time.sleep(0.02)
            self.done.wait(0.02)


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def test_daemon_killed_at_any_moment(make_local, tmp_path):
    """Every job that was acknowledged ran once, to its own end, with its whole output."""
    ran = tmp_path / "ran"
    ran.mkdir()
    daemon = make_local(args=["--cores", "2"]).start()
    load = Load(daemon, ran)
    load.start()
    for _ in range(KILLS):
        time.sleep(random.uniform(0, 0.6))
        daemon.kill()
        daemon.start()
    load.done.set()
    load.join()
    assert len(load.promised) > KILLS, "there was hardly any load"
    for jobid, number in load.promised.items():
        job = daemon.wait_end(jobid)
        assert job["returncode"] == number % 3, job
        assert lines(ran / jobid) == [jobid], f"{jobid} ran {len(lines(ran / jobid))} times"
        output = daemon.output(jobid)
        assert sorted(output.splitlines()) == sorted((EXPECTED + f"job {number}").splitlines())
    # Nor did one twice whose acknowledgement was lost.
    wait_for("all jobs have ended", lambda: not daemon.jobs(state="active"))
    for path in ran.iterdir():
        assert lines(path) == [path.name]
    print(f"{KILLS} kills, {len(load.promised)} acknowledged, {len(list(ran.iterdir()))} ran")


# Leaves processes of all kinds behind, says who they are, and waits.
STRAY = (
    'echo begun >>"$0/began-$1"; '
    'sleep 600 & echo $! >>"$0/pids"; setsid sleep 600 & echo $! >>"$0/pids"; '
    '(setsid sh -c "echo \\$\\$ >>\\"$0/pids\\"; exec sleep 600" &); '
    'echo $$ >>"$0/pids"; : >"$0/ready-$1"; sleep 600'
)


def shells(daemon):
    """The job shells that hold a claim, by the paths of their folders."""
    found = {}
    for path in glob.glob(f"{daemon.state_dir}/jobs/*/*/claim"):
        with open(path, encoding="ascii") as claim:
            pid = int(re.search(r"^pid (\d+)$", claim.read(), re.MULTILINE).group(1))
        try:
            with open(f"/proc/{pid}/comm", encoding="ascii") as comm:
                if pid and comm.read().startswith("flux-restd-shel") and alive(pid):
                    found[os.path.dirname(path)] = pid
        except OSError:
            pass
    return found


def check_died(daemon, jobid):
    job = daemon.wait_end(jobid)
    assert job["result"] == "FAILED", job
    assert job["exception"]["type"] == "exec", job
    assert "shell died" in job["exception"]["note"], job


def gone(pid):
    """Dead, whether or not whoever has it now has noticed."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        return True


def test_shells_killed(make_local, tmp_path):
    """Such a job fails with the reason, is not run again, and leaves nothing on its cores."""
    daemon = make_local(args=["--cores", "4"]).start()
    jobs = [daemon.submit(["sh", "-c", STRAY, str(tmp_path), str(n)]) for n in range(16)]
    for _ in range(len(jobs)):
        running = wait_for("a shell runs", lambda: shells(daemon))
        folder, pid = random.choice(sorted(running.items()))
        os.kill(pid, signal.SIGKILL)
        wait_for("its job has ended", lambda f=folder: f not in shells(daemon))
    for number, jobid in enumerate(jobs):
        check_died(daemon, jobid)
        assert len(lines(tmp_path / f"began-{number}")) <= 1
    for pid in lines(tmp_path / "pids"):
        assert gone(int(pid)), f"process {pid} runs on"
    job, output = daemon.run(["echo", "all free"], num_tasks=4)
    assert (job["returncode"], output) == (0, "all free\n" * 4)


def test_machine_restarted(make_local, tmp_path):
    """All ends at once and only the state directory is left, in another boot of the machine."""
    daemon = make_local(args=["--cores", "2"]).start()
    jobs = [daemon.submit(["sh", "-c", STRAY, str(tmp_path), str(n)]) for n in range(2)]
    for number in range(2):
        wait_for("it has begun", lambda n=number: (tmp_path / f"ready-{n}").exists())
    waiting = [
        daemon.submit(["sh", "-c", 'echo ran >>"$0"', str(tmp_path / f"waited-{n}")])
        for n in range(3)
    ]
    wait_for("all strays are known", lambda: len(lines(tmp_path / "pids")) == 8)
    running = shells(daemon)
    assert len(running) == 2
    daemon.kill()
    for pid in (*running.values(), *map(int, lines(tmp_path / "pids"))):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    wait_for("all are gone", lambda: not shells(daemon))
    # The numbers in the claims mean other processes now: here, one that must not be touched.
    other = os.posix_spawn("/bin/sleep", ["sleep", "600"], os.environ, setsid=True)
    for folder, pid in running.items():
        with open(f"{folder}/claim", encoding="ascii") as claim:
            text = claim.read()
        text = text.replace(f"pid {pid}\n", f"pid {other}\n")
        text = re.sub(r"^place .*$", "place another-boot 1", text, flags=re.MULTILINE)
        with open(f"{folder}/claim", "w", encoding="ascii") as claim:
            claim.write(text)
    daemon.start()
    for jobid in jobs:
        check_died(daemon, jobid)
    for number, jobid in enumerate(waiting):
        assert daemon.wait_end(jobid)["result"] == "COMPLETED"
        assert lines(tmp_path / f"waited-{number}") == ["ran"]
    assert alive(other)
    os.kill(other, signal.SIGKILL)
    os.waitpid(other, 0)
