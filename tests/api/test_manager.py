# SPDX-License-Identifier: LGPL-3.0-only
"""The daemon under a service manager, which this test plays: readiness, and passed sockets."""

import fcntl
import os
import signal
import socket
import subprocess

import pytest
import requests
from restd import LIMIT, UnixConnection, binary, clean_environment, wait_for


class Manager:
    """What systemd is for a service of Type=notify."""

    def __init__(self, folder, abstract=False):
        self.folder = folder
        self.path = str(folder / "notify")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.settimeout(LIMIT)
        name = f"flux-restd-test-{os.getpid()}-{folder.name}"
        self.notify.bind(f"\0{name}" if abstract else self.path)
        self.env = {"NOTIFY_SOCKET": f"@{name}" if abstract else self.path}
        self.process = None

    def start(self, *args, sockets=(), env=None, stdout=None):
        """Starts the daemon with the sockets as its descriptors from 3 on."""
        # The shell's process id is the daemon's, and what systemd puts into LISTEN_PID.
        # Numbers out of the way of those from 3 on.
        passed = [fcntl.fcntl(s.fileno(), fcntl.F_DUPFD, 64) for s in sockets]
        redirect = " ".join(f"{3 + i}<&{fd}" for i, fd in enumerate(passed))
        count = f"export LISTEN_PID=$$ LISTEN_FDS={len(sockets)};" if sockets else ""
        self.process = subprocess.Popen(
            ["bash", "-c", f'{count} exec "$@" {redirect}', "sh", str(binary()),
             "--engine=local", f"--state-dir={self.folder}/state", *args],
            env=clean_environment({**self.env, **(env or {})}), stdin=subprocess.DEVNULL,
            stdout=stdout, stderr=open(self.folder / "stderr", "ab"),
            pass_fds=passed,
        )  # fmt: skip
        for fd in passed:
            os.close(fd)

    def message(self):
        return self.notify.recv(4096).decode().split("\n")

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(LIMIT) == 0
        self.notify.close()

    def stderr(self):
        return (self.folder / "stderr").read_text()


@pytest.fixture(name="manager", params=["file", "abstract"])
def _manager(request, tmp_path):
    manager = Manager(tmp_path, request.param == "abstract")
    yield manager
    if manager.process and manager.process.poll() is None:
        manager.process.kill()
        manager.process.wait()
    manager.notify.close()


def listen_tcp(address="127.0.0.1"):
    sock = socket.socket()
    sock.bind((address, 0))
    sock.listen(16)
    return sock


def listen_unix(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    sock.listen(16)
    return sock


def ask_unix(path, target="/readyz"):
    connection = UnixConnection(str(path))
    connection.request("GET", target)
    return connection.getresponse().status


def test_ready_and_stopping(manager):
    manager.start("--port=0")
    ready = manager.message()
    assert ready[0] == "READY=1"
    assert ready[1].startswith("STATUS=0 jobs")
    address = wait_for(
        "the address", lambda: [w for w in manager.stderr().split() if w.startswith("http://127")]
    )[0]
    assert requests.get(address + "/readyz", timeout=LIMIT).status_code == 200
    manager.end()
    assert manager.process.returncode == 0


def test_stopping_is_told(manager):
    manager.start("--port=0")
    assert manager.message()[0] == "READY=1"
    manager.process.send_signal(signal.SIGTERM)
    assert manager.message() == ["STOPPING=1"]
    assert manager.process.wait(LIMIT) == 0


def test_not_ready_when_it_cannot_start(manager):
    manager.start("--listen=192.0.2.1:0")
    assert manager.process.wait(LIMIT) == 1
    manager.notify.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.message()


def test_ready_though_flux_is_not_there(manager):
    version = subprocess.run([binary(), "--version"], capture_output=True, text=True, check=True)
    if "flux" not in version.stdout.partition("engines:")[2].partition("(")[0]:
        pytest.skip("the daemon is built without flux-core")
    manager.start("--engine=flux", "--flux-uri=local:///nonexistent/flux", "--port=0")
    ready = manager.message()
    assert ready[0] == "READY=1"
    assert "lost" in ready[1]
    manager.end()


def test_sockets_are_served_over_a_restart(manager, tmp_path):
    """Both kinds; a client that comes while no daemon is there is served by the next one."""
    tcp, path = listen_tcp(), tmp_path / "sock"
    unix = listen_unix(path)
    url = f"http://127.0.0.1:{tcp.getsockname()[1]}"
    manager.start("--listen=127.0.0.1:1", sockets=[tcp, unix])
    assert manager.message()[0] == "READY=1"
    assert requests.get(url + "/v1/jobs", timeout=LIMIT).status_code == 200
    assert ask_unix(path, "/v1/jobs") == 200
    job = requests.post(url + "/v1/jobs/submit", json={"command": "env"}, timeout=LIMIT).json()
    manager.process.send_signal(signal.SIGTERM)
    assert manager.process.wait(LIMIT) == 0
    assert manager.message() == ["STOPPING=1"]
    assert path.exists()
    early = UnixConnection(str(path))
    early.request("GET", "/livez")
    manager.start(sockets=[tcp, unix])
    assert early.getresponse().status == 200
    manager.message()
    target = f"{url}/v1/jobs/{job['jobid']}?wait=inactive&timeout=30"
    assert requests.get(target, timeout=LIMIT).json()["state"] == "INACTIVE"
    # What belongs to the daemon alone is not a job's.
    output = requests.get(f"{url}/v1/jobs/{job['jobid']}/output", timeout=LIMIT).json()["Output"]
    assert not [line for line in output if line.startswith(("LISTEN_", "NOTIFY_"))]
    manager.end()
    assert "127.0.0.1:1\n" not in manager.stderr()


def test_sockets_of_another_process_are_left(manager):
    tcp = listen_tcp()
    manager.start("--port=0", env={"LISTEN_PID": "1", "LISTEN_FDS": "1"})
    assert manager.message()[0] == "READY=1"
    assert f":{tcp.getsockname()[1]}\n" not in manager.stderr()
    manager.end()


def test_what_cannot_be_served_is_refused(manager):
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    manager.start(sockets=[udp])
    assert manager.process.wait(LIMIT) == 1
    assert "ListenStream=" in manager.stderr()


def test_a_passed_socket_beyond_loopback_needs_credentials(manager):
    manager.start(sockets=[listen_tcp("0.0.0.0")])
    assert manager.process.wait(LIMIT) == 1
    assert "--auth=none" in manager.stderr()


def test_a_number_that_is_none(manager):
    tcp = listen_tcp()
    manager.process = subprocess.Popen(
        ["bash", "-c", 'export LISTEN_PID=$$ LISTEN_FDS=some; exec "$@"', "sh", str(binary()),
         "--engine=local", f"--state-dir={manager.folder}/state"],
        env=clean_environment(manager.env), stderr=open(manager.folder / "stderr", "ab"),
        pass_fds=[tcp.fileno()],
    )  # fmt: skip
    assert manager.process.wait(LIMIT) == 1
    assert "LISTEN_FDS" in manager.stderr()


@pytest.mark.parametrize("path", ["relative", "/nonexistent/notify", "/" + "x" * 200])
def test_a_manager_that_cannot_be_told(tmp_path, path):
    """It is said in the log, and the daemon serves all the same."""
    manager = Manager(tmp_path)
    manager.env["NOTIFY_SOCKET"] = path
    manager.start("--port=0")
    try:
        wait_for("the log says so", lambda: "NOTIFY_SOCKET" in manager.stderr())
        manager.end()
    finally:
        manager.process.kill()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
def test_another_user_at_passed_sockets(manager):
    """Who is at the other end is asked of each connection, whoever made the listener."""
    from test_auth import ASK, NOBODY, RUN_AWAY, run_as

    with listen_tcp() as tcp:
        port = tcp.getsockname()[1]
        manager.start(sockets=[tcp])
    wait_for("it is ready", lambda: "ready:" in manager.stderr())
    assert run_as(NOBODY, ASK, port, "GET", "/v1/jobs", "", "").startswith("401 ")
    run_as(NOBODY, RUN_AWAY, port, 30, "stolen")
    with requests.Session() as session:
        session.trust_env = False
        url = f"http://127.0.0.1:{port}/v1/jobs"
        made = session.post(url + "?wait=inactive", json={"command": "true", "name": "own"})
        assert made.status_code == 200
        assert [job["name"] for job in session.get(url).json()["jobs"]] == ["own"]
    manager.end()
