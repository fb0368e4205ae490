# SPDX-License-Identifier: LGPL-3.0-only
"""Output, nodes and the end, on instances of one broker and of four."""

import os
import signal
import subprocess
import sys
import threading

import pytest
import requests
from brokers import CLUSTER, flux_is_since
from restd import ROOT, alive, binary, check_problem, clean_environment, descendant, wait_for

READERS = 20


class Follower(threading.Thread):
    """Follows a job's output until it ends or breaks off."""

    def __init__(self, daemon, jobid):
        super().__init__()
        self.url = f"{daemon.url}/v1/jobs/{jobid}/output/stream"
        self.text = b""
        self.whole = False
        self.start()

    def run(self):
        try:
            with requests.get(self.url, stream=True, timeout=60) as reply:
                for piece in reply.iter_content(chunk_size=None):
                    self.text += piece
            self.whole = reply.status_code == 200
        except requests.RequestException:
            pass


def watched(broker):
    """Watches of what jobs write: the daemon's, and those of job shells for their own."""
    return broker.rpc("job-info.stats-get", {})["guest_watchers"]


def test_many_readers_over_one_watch(make_broker, make_daemon, tmp_path):
    broker = make_broker().start()
    daemon = make_daemon(broker).start()
    go = tmp_path / "go"
    jobid = daemon.submit(
        ["sh", "-c", 'echo one; until [ -e "$0" ]; do sleep 0.05; done; echo two', str(go)]
    )
    first = Follower(daemon, jobid)
    wait_for("the first line is there", lambda: first.text == b"one\n")
    alone = watched(broker)
    assert alone > 0
    # These come late and must catch up first.
    others = [Follower(daemon, jobid) for _ in range(READERS)]
    wait_for("all have the first line", lambda: all(o.text == b"one\n" for o in others))
    wait_for("there is one watch for all", lambda: watched(broker) == alone)
    # Who runs does not block who asks for what is there, nor anything else.
    assert daemon.output(jobid) == "one\n"
    assert daemon.job(jobid)["state"] == "RUN"
    go.touch()
    for follower in [first, *others]:
        follower.join()
        assert follower.whole and follower.text == b"one\ntwo\n"
    wait_for("no watch is left", lambda: watched(broker) == 0)


def test_redirected_output_is_read_as_such(make_broker, make_daemon, tmp_path):
    broker = make_broker().start()
    daemon = make_daemon(broker).start()
    jobid = daemon.submit("echo elsewhere", output=str(tmp_path / "out"))
    assert daemon.wait_end(jobid)["result"] == "COMPLETED"
    assert (tmp_path / "out").read_text() == "elsewhere\n"
    assert daemon.output(jobid) == ""
    said = daemon.get(f"/v1/jobs/{jobid}/output").json()
    assert said["redirected"] == [
        {"stream": stream, "rank": "0", "path": str(tmp_path / "out")}
        for stream in ("stdout", "stderr")
    ]
    jobid = daemon.submit(["sh", "-c", "echo here; echo there >&2"], error=str(tmp_path / "err"))
    daemon.wait_end(jobid)
    said = daemon.get(f"/v1/jobs/{jobid}/output").json()
    assert said == {
        "Output": ["here\n"],
        "redirected": [{"stream": "stderr", "rank": "0", "path": str(tmp_path / "err")}],
    }
    if not flux_is_since(71):
        return
    jobid = daemon.submit("echo apart", output=str(tmp_path / "of-{{taskid}}"), num_tasks=2)
    daemon.wait_end(jobid)
    said = daemon.get(f"/v1/jobs/{jobid}/output").json()
    # As Flux says it: of all tasks at once, by their template.
    assert {(file["rank"], file["path"]) for file in said["redirected"]} == {
        ("[0-1]", str(tmp_path / "of-{{taskid}}"))
    }


def nodes_of(daemon):
    reply = daemon.get("/v1/nodes", params={"details": "true"})
    assert reply.status_code == 200, reply.text
    return reply.json()["nodes"]


def states_of(daemon):
    return {node["name"]: node["state"] for node in nodes_of(daemon)}


def test_nodes_of_a_cluster(make_broker, make_daemon):
    """Four nodes of four cores, two of them with two GPUs, one of them excluded."""
    broker = make_broker(size=4, config=CLUSTER, args=["--test-hosts=node[0-3]"]).start()
    daemon = make_daemon(broker).start()
    assert daemon.get("/v1/nodes").json()["nodes"] == ["node0", "node1", "node2"]
    assert states_of(daemon) == {
        "node0": "free", "node1": "free", "node2": "free", "node3": "excluded",
    }  # fmt: skip
    assert [(node["cores"], node["gpus"]) for node in nodes_of(daemon)] == [
        (4, 2), (4, 2), (4, 0), (4, 0),
    ]  # fmt: skip
    # Before 0.84 the scheduler that comes with Flux gives out no GPUs.
    gpus = 1 if flux_is_since(84) else 0
    fields = {"gpus_per_task": 1} if gpus else {}
    jobid = daemon.submit("sleep 600", num_nodes=2, num_tasks=2, **fields)
    daemon.wait_state(jobid, "RUN")
    used = {node["name"]: (node["cores_used"], node["gpus_used"]) for node in nodes_of(daemon)}
    assert used == {"node0": (1, gpus), "node1": (1, gpus), "node2": (0, 0), "node3": (0, 0)}
    assert states_of(daemon)["node0"] == "partly"
    broker.run("flux", "resource", "drain", "node2", "bad fan")
    assert states_of(daemon)["node2"] == "drained"
    assert nodes_of(daemon)[2]["drain_reason"] == "bad fan"
    assert daemon.get("/v1/nodes").json()["nodes"] == ["node0", "node1", "node2"]
    broker.run("flux", "resource", "undrain", "node2")
    assert states_of(daemon)["node2"] == "free"
    # What can never fit is said before Flux would accept it: excluded nodes do not count.
    reply = daemon.post("/v1/jobs/submit", json={"command": "true", "num_nodes": 4})
    assert "The server only has 3 nodes, you requested 4" in reply.json()["Errors"][0]


def brokers_of(process):
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/environ", "rb") as file:
                    if f"FR_TEST_MARK={process}".encode() in file.read().split(b"\0"):
                        found.append(int(entry))
            except OSError:
                pass
    return [pid for pid in found if alive(pid)]


def start_instance(make_daemon, size, mark):
    """`flux start flux-restd`, with as many brokers."""
    daemon = make_daemon(None, env={"FR_TEST_MARK": mark})
    command = daemon.command
    if size > 1:
        daemon.command = lambda: ["flux", "start", "-s", str(size), *command()[2:]]
    return daemon.start()


@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("way", ["service", "SIGTERM", "SIGHUP"])
def test_flux_start_ends_with_0_and_leaves_nothing(make_daemon, size, way):
    """As the initial program: with a job that runs and a reader of its output."""
    mark = f"{os.getpid()}-{size}-{way}"
    daemon = start_instance(make_daemon, size, mark)
    jobid = daemon.submit(["sh", "-c", "echo one; exec sleep 600"])
    reader = Follower(daemon, jobid)
    wait_for("the job has written", lambda: reader.text == b"one\n")
    assert brokers_of(mark)
    if way == "service":
        assert daemon.post("/v1/service/stop").status_code == 200
    else:
        os.kill(daemon.pid, getattr(signal, way))
    daemon.wait_for_end()
    reader.join()
    assert not reader.whole, "a part was shown as the whole"
    wait_for("nothing is left", lambda: not brokers_of(mark))


@pytest.mark.parametrize("size", [1, 4])
def test_a_sweep_and_the_end(make_daemon, size):
    """A whole sweep in an instance of its own, which /service/stop ends, jobs running."""
    mark = f"{os.getpid()}-{size}-sweep"
    daemon = start_instance(make_daemon, size, mark)
    sweep = subprocess.run(
        [sys.executable, ROOT / "examples" / "sweep" / "sweep.py", "--check", "--run", "test"],
        env=clean_environment({"FLUX_RESTFUL_HOST": daemon.url}), capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert sweep.returncode == 0, (sweep.stdout, sweep.stderr)
    assert "equal: all 200 jobs" in sweep.stdout
    jobs = daemon.jobs(name="sweep-test-*", limit=1000)
    assert sorted(job["name"] for job in jobs) == [f"sweep-test-{n:04}" for n in range(1, 201)]
    assert {job["result"] for job in jobs} == {"COMPLETED"}
    for _ in range(size):
        daemon.wait_state(daemon.submit("sleep 600"), "RUN")
    assert len(brokers_of(mark)) > size, "the mark does not find the brokers"
    assert daemon.post("/v1/service/stop").json() == {"Message": "The service is stopping."}
    daemon.wait_for_end()
    wait_for("nothing is left", lambda: not brokers_of(mark))


@pytest.mark.parametrize("size", [1, 4])
def test_the_daemon_alone_ends(make_broker, make_daemon, size):
    """instance=false leaves the instance and its jobs alone."""
    broker = make_broker(size=size).start()
    daemon = make_daemon(broker).start()
    jobid = daemon.submit("sleep 600")
    daemon.wait_state(jobid, "RUN")
    assert daemon.post("/v1/service/stop", params={"instance": "false"}).status_code == 200
    daemon.wait_for_end()
    assert [job["state"] for job in broker.job_list().values()] == [16]
    daemon.start()
    assert daemon.job(jobid)["state"] == "RUN"
    assert daemon.post(f"/v1/jobs/{jobid}/cancel").status_code == 200


@pytest.mark.parametrize("size", [1, 4])
def test_stop_beside_an_instance_ends_both(make_broker, make_daemon, size):
    broker = make_broker(size=size).start()
    daemon = make_daemon(broker).start()
    jobid = daemon.submit("sleep 600")
    daemon.wait_state(jobid, "RUN")
    assert daemon.post("/v1/service/stop").status_code == 200
    daemon.wait_for_end()
    wait_for("the instance has ended", lambda: broker.process.poll() is not None)


def test_the_instances_end_is_told(make_broker, make_daemon):
    """A daemon beside an instance that ends in order: it stays, reads go on, writes are refused."""
    broker = make_broker().start()
    daemon = make_daemon(broker).start()
    jobid = daemon.submit("true")
    daemon.wait_end(jobid)
    broker.stop()
    wait_for("the loss is told", lambda: daemon.get("/v1/service").json()["lost"] is not None)
    assert daemon.job(jobid)["state"] == "INACTIVE"
    check_problem(daemon.post("/v1/jobs/submit", json={"command": "true"}), 503, "not-sent")
    assert descendant(daemon.pid, "flux-broker") is None


def test_reads_ask_nothing_of_the_broker(make_broker, make_daemon):
    if not flux_is_since(83):
        pytest.skip("before 0.83 a broker does not count what its clients send")
    broker = make_broker().start()
    daemon = make_daemon(broker).start()
    jobid = daemon.submit("true")
    daemon.wait_end(jobid)
    before = broker.asked(daemon.pid)
    assert before > 0
    for _ in range(100):
        daemon.job(jobid)
        daemon.jobs()
    # A sign of life may have been asked for, and no more.
    assert broker.asked(daemon.pid) <= before + 5


def test_by_ssh(make_broker, make_daemon, tmp_path):
    """Whatever flux_open() takes is an address; here ssh is a program that stays here."""
    if b"libasan" in binary().read_bytes():
        pytest.skip("a sanitized program cannot load Flux's connector for ssh (RTLD_DEEPBIND)")
    broker = make_broker().start()
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\nwhile [ "$1" != localhost ]; do shift; done\nshift\n'
                   'exec sh -c "$*"\n')  # fmt: skip
    ssh.chmod(0o755)
    daemon = make_daemon(
        None, args=[f"--flux-uri=ssh://localhost{broker.socket}"], env={"FLUX_SSH": str(ssh)}
    )
    daemon.instance = type("Unset", (), {"uri": "local:///not/this/one"})()
    daemon.start()
    assert daemon.run("echo by ssh")[1] == "by ssh\n"
