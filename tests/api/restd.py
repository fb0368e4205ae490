# SPDX-License-Identifier: LGPL-3.0-only
"""A daemon to test: starting, asking, watching and ending it.

Settings of a test run, from the environment:

FLUX_RESTD          the daemon's binary (default: build/flux-restd)
FLUX_RESTD_SHELL    the job shell, passed as --shell if set
FLUX_RESTD_ENGINES  which engines to test, with commas between (default: local,flux)
"""

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
import requests

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 30.0  # seconds that anything awaited may take
ENGINES = ("local", "flux")
SANITIZERS = ("ERROR: AddressSanitizer", "runtime error:", "LeakSanitizer")
F58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

# A shell that started us in the background may have said to ignore Ctrl-C, and what we start would
# inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

CODES = {
    "internal", "malformed", "invalid", "unknown-field", "unsatisfiable", "unauthorized",
    "forbidden", "host-not-served", "origin-refused", "not-found", "job-not-found",
    "method-not-allowed", "job-inactive", "job-state", "key-reused", "key-in-flight", "name-taken",
    "cursor-gone", "too-large", "media-type",
    "too-many", "unsupported", "unavailable", "not-sent", "outcome-unknown", "stopping",
    "storage-full", "refused",
}  # fmt: skip


def binary():
    return Path(os.environ.get("FLUX_RESTD") or ROOT / "build" / "flux-restd").resolve()


def why_not(engine):
    """Why this engine cannot be tested here, or None."""
    wanted = os.environ.get("FLUX_RESTD_ENGINES", ",".join(ENGINES)).split(",")
    if engine not in wanted:
        return f"FLUX_RESTD_ENGINES leaves out {engine}"
    if engine == "flux" and not shutil.which("flux"):
        return "flux is not on PATH"
    return None


def skip_unless_possible(engine):
    reason = why_not(engine)
    if reason:
        pytest.skip(f"engine {engine}: {reason}")


def wait_for(what, condition, limit=LIMIT):
    """Polls until condition() is true and returns its value; fails with `what` otherwise."""
    deadline = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {limit:.0f} s in vain until {what}")
        time.sleep(0.02)


def clean_environment(extra=None):
    """Our environment without whatever would set up the daemon or a client."""
    private = ("FLUX_", "HOST", "PORT", "http_proxy", "HTTP_PROXY", "NOTIFY_", "LISTEN_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(private)}
    kept["LC_ALL"] = "C.UTF-8"
    if os.getuid() != 0 or "ASAN_OPTIONS" in os.environ:
        # We look into the daemon's /proc, and the leak check starts a process that does.
        kept["FLUX_RESTD_CONFINE"] = "false"
    kept.update(extra or {})
    return kept


def alive(pid):
    """Whether the process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def descendant(pid, name):
    """The process of that name among the descendants of pid, or None."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            comm = stat[stat.index("(") + 1 : stat.rindex(")")]
            parents[int(entry.name)] = (int(stat.rpartition(")")[2].split()[1]), comm)
    for candidate, (parent, comm) in parents.items():
        if comm == name[:15]:
            while parent in parents and parent != pid:
                parent = parents[parent][0]
            if parent == pid:
                return candidate
    return None


def spellings(jobid):
    """All forms in which Flux reads the id (an int)."""
    digits, rest = "", jobid
    while rest:
        rest, digit = divmod(rest, 58)
        digits = F58[digit] + digits
    dotted = ".".join(f"{jobid >> shift & 0xFFFF:04x}" for shift in (48, 32, 16, 0))
    return {
        "decimal": str(jobid),
        "f58": "ƒ" + digits,
        "f58-ascii": "f" + digits,
        "hex": f"{jobid:#x}",
        "dotted": dotted,
        "kvs": "job." + dotted,
    }


def check_problem(reply, status=None, code=None):
    """Asserts that the reply is a whole problem document, and returns it."""
    if status is not None:
        allowed = status if isinstance(status, tuple) else (status,)
        assert reply.status_code in allowed, (reply.status_code, reply.text)
    kind = reply.headers["Content-Type"].partition(";")[0].strip()
    assert kind == "application/problem+json", (kind, reply.text)
    body = reply.json()
    assert body["status"] == reply.status_code
    assert body["code"] in CODES, body
    assert body["type"] == f"urn:flux-restd:{body['code']}"
    for text in ("title", "detail", "Message"):
        assert isinstance(body[text], str) and body[text], (text, body)
    assert isinstance(body["errors"], list)
    for error in body["errors"]:
        assert isinstance(error["pointer"], str) and isinstance(error["detail"], str), error
        assert error["detail"]
    assert isinstance(body["Errors"], list) and all(isinstance(e, str) for e in body["Errors"])
    assert len(body["Errors"]) >= len(body["errors"])
    check_no_leak(reply.text)
    if code is not None:
        assert body["code"] == code, body
    return body


def check_no_leak(text):
    """No reply shows an address of memory or a place in the source."""
    assert not re.search(r"\b0x[0-9a-f]{9,16}\b", text), text
    assert not re.search(r"\b\w+\.[ch]:\d+", text), text


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=LIMIT)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(LIMIT)
        self.sock.connect(self.path)


class FluxInstance:
    """A Flux instance that outlives the daemon beside it."""

    def __init__(self, folder):
        self.uri_file = Path(folder) / "flux-uri"
        self.stderr = open(Path(folder) / "flux-stderr", "wb")
        self.process = subprocess.Popen(
            ["flux", "start", "sh", "-c",
             'echo "$FLUX_URI" >"$0.new"; mv "$0.new" "$0"; read stop', str(self.uri_file)],
            env=clean_environment(), stdin=subprocess.PIPE, stderr=self.stderr,
        )  # fmt: skip
        wait_for("flux start gives its address", self.uri_file.exists)
        self.uri = self.uri_file.read_text().strip()

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(LIMIT)
        finally:
            self.process.kill()
            self.stderr.close()


class Daemon:
    """One flux-restd, which can be ended, killed and started again in its place.

    With the flux engine it is the initial program of an instance of its own (`flux start
    flux-restd`), or stands beside `instance` if that is given.
    """

    def __init__(self, folder, engine="local", instance=None, args=(), env=None, listen=None,
                 user=None, cacert=None):  # fmt: skip
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.engine = engine
        self.instance = instance
        self.args = list(args)
        self.env = dict(env or {})
        self.listen = listen or ["127.0.0.1:0"]
        self.user = user
        self.inherits = []  # descriptors that it is started with
        self.state_dir = self.folder / "state"
        self.stderr_path = self.folder / "stderr"
        self.stderr_from = 0  # where the present run's lines begin
        self.process = None
        self.pid = None
        self.url = None
        self.port = None
        self.started_fds = 0
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = cacert or True

    # Starting and ending

    def command(self):
        command = [str(binary()), "--engine", self.engine, *self.args]
        for address in self.listen:
            command += ["--listen", address]
        command += ["--state-dir", str(self.state_dir)]
        if os.environ.get("FLUX_RESTD_SHELL"):
            command += ["--shell", os.environ["FLUX_RESTD_SHELL"]]
        if self.wrapped:
            command = ["flux", "start", *command]
        return command

    @property
    def wrapped(self):
        """Whether the process that we start is Flux, and the daemon a child of it."""
        return self.engine == "flux" and self.instance is None

    def spawn(self):
        """Starts the process without waiting for anything."""
        if not os.access(binary(), os.X_OK):
            raise AssertionError(f"no daemon at {binary()}: build it, or set FLUX_RESTD")
        extra = dict(self.env)
        if self.instance:
            extra["FLUX_URI"] = self.instance.uri
        options = {}
        if self.user is not None:
            options = {"user": self.user, "group": self.user, "extra_groups": []}
        with open(self.stderr_path, "ab") as stderr:
            self.stderr_from = stderr.tell()
            self.process = subprocess.Popen(
                self.command(), env=clean_environment(extra), cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr, pass_fds=self.inherits,
                **options,
            )  # fmt: skip
        return self

    def start(self):
        """Starts it and waits until it is ready."""
        self.spawn()
        found = wait_for("the daemon says where it listens", self._find_address)
        self.url = found.group(0)
        self.port = int(found.group(1))
        # Where it listens once, it listens again after a restart.
        self.listen = [f"127.0.0.1:{self.port}" if a.endswith(":0") else a for a in self.listen]
        self.pid = self.process.pid
        if self.wrapped:
            self.pid = wait_for(
                "flux start runs the daemon",
                lambda: descendant(self.process.pid, binary().name),
            )
        wait_for("/readyz answers 200", self.is_ready)
        self.started_fds = self.fds()
        return self

    def _find_address(self):
        assert self.process.poll() is None, f"the daemon ended at its start:\n{self.stderr()}"
        return re.search(r"https?://127\.0\.0\.1:(\d+)", self.stderr())

    def is_ready(self):
        assert self.process.poll() is None, f"the daemon ended at its start:\n{self.stderr()}"
        try:
            return requests_get_once(self.url + "/readyz", self.session.verify) == 200
        except requests.ConnectionError:
            return False

    def stop(self):
        """Asks it to end by SIGTERM, and asserts that it did so in order."""
        os.kill(self.pid, signal.SIGTERM)
        self.wait_for_end()

    def wait_for_end(self):
        self.session.close()
        try:
            status = self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the daemon does not end:\n{self.stderr()}") from None
        self.check_stderr()
        assert status == 0, f"the daemon ended with {status}:\n{self.stderr()}"

    def kill(self):
        """SIGKILL, as a crash would be."""
        self.session.close()
        if self.pid and alive(self.pid):
            os.kill(self.pid, signal.SIGKILL)
        if self.process and self.process.poll() is None:
            if not self.wrapped:
                self.process.kill()
            try:
                self.process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def finish(self):
        """The end of a test: no job left, no descriptor kept, an orderly end."""
        if self.url is None or self.pid is None or self.process.poll() is not None:
            self.kill()
            self.check_stderr()
            return
        try:
            self.cancel_all()
            self.check_fds()
            self.stop()
        finally:
            self.kill()
            self.check_stderr()

    # What it shows of itself

    def stderr(self):
        return self.stderr_path.read_bytes()[self.stderr_from :].decode("utf-8", "replace")

    def check_stderr(self):
        if self.stderr_path.exists():
            text = self.stderr_path.read_text(errors="replace")
            for mark in SANITIZERS:
                assert mark not in text, text

    def fds(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def check_fds(self):
        """As many descriptors as at the start: a few may be opened at first use and kept."""
        self.session.close()
        limit = self.started_fds + 4
        try:
            wait_for("descriptors are closed again", lambda: self.fds() <= limit, 10)
        except AssertionError:
            kept = [os.readlink(p) for p in Path(f"/proc/{self.pid}/fd").iterdir()]
            raise AssertionError(f"{self.fds()} descriptors, {limit} allowed: {kept}") from None

    def rss(self):
        """Resident memory in bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024

    def is_sanitized(self):
        """Whether memory figures are those of AddressSanitizer rather than ours."""
        return "libasan" in Path(f"/proc/{self.pid}/maps").read_text() or (
            "ASAN_OPTIONS" in os.environ
        )

    # Asking

    def request(self, method, path, **options):
        options.setdefault("timeout", LIMIT)
        options.setdefault("allow_redirects", False)
        return self.session.request(method, self.url + path, **options)

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, **options):
        return self.request("POST", path, **options)

    def raw(self, data, limit=LIMIT):
        """Sends bytes as they are. Returns what comes back until the end, or until limit."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=limit) as sock:
            sock.sendall(data)
            return read_to_end(sock)

    # Jobs

    def submit(self, command, **fields):
        """Submits a job that must be accepted, and returns its F58 id."""
        reply = self.post("/v1/jobs/submit", json={"command": command, **fields})
        assert reply.status_code == 200, reply.text
        return reply.json()["jobid"]

    def job(self, jobid):
        reply = self.get(f"/v1/jobs/{jobid}")
        assert reply.status_code == 200, reply.text
        return reply.json()

    def jobs(self, **query):
        reply = self.get("/v1/jobs", params=query)
        assert reply.status_code == 200, reply.text
        return reply.json()["jobs"]

    def wait_state(self, jobid, *states):
        """Waits until the job is in one of the states, and returns it."""

        def there():
            job = self.job(jobid)
            return job if job["state"] in states else None

        return wait_for(f"job {jobid} is {' or '.join(states)}", there)

    def wait_end(self, jobid):
        return self.wait_state(jobid, "INACTIVE")

    def output(self, jobid):
        """What the job wrote, as one text."""
        reply = self.get(f"/v1/jobs/{jobid}/output")
        assert reply.status_code == 200, reply.text
        return "".join(reply.json().get("Output", []))

    def run(self, command, **fields):
        """Runs a job to its end and returns (job, output)."""
        jobid = self.submit(command, **fields)
        job = self.wait_end(jobid)
        return job, self.output(jobid)

    def cancel_all(self):
        """Ends all jobs that have not ended."""

        def none_active():
            self.post("/v1/jobs/cancel", json={"state": "active", "user": "all"})
            return not self.jobs(state="active", limit=1)

        wait_for("all jobs have ended", none_active)

    def names(self):
        return [job["name"] for job in self.jobs(limit=10000)]


def requests_get_once(url, verify=True):
    """A GET on a connection of its own; returns the status."""
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, timeout=LIMIT, verify=verify).status_code


def read_to_end(sock):
    """What a socket still gives: until its end, a reset, or its time-out."""
    pieces = []
    try:
        while True:
            piece = sock.recv(65536)
            if not piece:
                break
            pieces.append(piece)
    except ConnectionResetError:
        pass
    return b"".join(pieces)
