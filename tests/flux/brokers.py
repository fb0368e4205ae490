# SPDX-License-Identifier: LGPL-3.0-only
"""A Flux instance to be broken, and a look into it by Flux's own Python bindings."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from restd import LIMIT, alive, clean_environment, descendant, wait_for

# Four nodes that are not there, for tests of resources: their shells run here.
CLUSTER = """
[resource]
noverify = true
exclude = "node3"

[[resource.config]]
hosts = "node[0-3]"
cores = "0-3"

[[resource.config]]
hosts = "node[0-1]"
gpus = "0-1"
"""


def flux_is_since(minor):
    """Whether the Flux on the PATH is 0.minor or newer."""
    out = subprocess.run(["flux", "version"], env=clean_environment(), stdout=subprocess.PIPE,
                         text=True, check=True).stdout  # fmt: skip
    major, found = re.search(r"libflux-core:\s*(\d+)\.(\d+)", out).groups()
    return (int(major), int(found)) >= (0, minor)


def bindings():
    """Flux's module for Python, from where Flux keeps it."""
    out = subprocess.run(
        ["flux", "env", "printenv", "PYTHONPATH"], env=clean_environment(),
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    for path in out.stdout.strip().split(":"):
        if path and path not in sys.path:
            sys.path.append(path)
    import flux

    return flux


class Broker:
    """`flux start`, at an address that it has again when it is started again."""

    def __init__(self, folder, size=1, config=None, args=()):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True)
        # A socket's path must be short, so that pytest's own folders will not do.
        self.uri = None
        self.size = size
        self.args = list(args)
        if config:
            (self.folder / "flux.toml").write_text(config)
            self.args += [f"-o,-c{self.folder}"]
        self.socket = f"/tmp/fr-{os.getpid()}-{id(self) & 0xFFFFFF:x}"
        self.uri = f"local://{self.socket}"
        self.process = None
        self.pid = None
        self.rundir = None
        self.stderr = None
        self._handle = None

    def start(self):
        ready = self.folder / "ready"
        ready.unlink(missing_ok=True)
        Path(self.socket).unlink(missing_ok=True)
        self.stderr = open(self.folder / "stderr", "ab")
        command = ["flux", "start", *self.args]
        if self.size > 1:
            command += [f"--test-size={self.size}"]
        else:
            # With several, each has its own: the first one's is told below.
            command += [f"-o,-Slocal-uri={self.uri}"]
        command += ["sh", "-c", 'echo "$FLUX_URI" >"$0.new"; mv "$0.new" "$0"; read stop',
                    str(ready)]  # fmt: skip
        self.process = subprocess.Popen(
            command, env=clean_environment(), stdin=subprocess.PIPE,
            stdout=self.stderr, stderr=self.stderr, cwd=self.folder,
        )  # fmt: skip
        wait_for("the instance is there", ready.exists)
        if self.size > 1:
            self.uri = ready.read_text().strip()
        self.pid = int(self.run("flux", "getattr", "broker.pid"))
        self.rundir = self.run("flux", "getattr", "rundir").strip()
        return self

    # Breaking it

    def kill(self):
        """As a crash would be: nothing is told to anybody."""
        shell = descendant(self.process.pid, "sh")
        os.kill(self.pid, signal.SIGKILL)
        self.process.wait(LIMIT)
        if shell and alive(shell):
            os.kill(shell, signal.SIGKILL)
        shutil.rmtree(self.rundir, ignore_errors=True)
        self._closed()

    def freeze(self):
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self):
        os.kill(self.pid, signal.SIGCONT)

    def stop(self):
        """In order."""
        self.process.stdin.close()
        self.process.wait(LIMIT)
        self._closed()

    def _closed(self):
        self._handle = None
        if self.process.stdin:
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                pass
        self.stderr.close()
        self.process = None

    def end(self):
        if self.process is None:
            return
        if self.process.poll() is None:
            os.kill(self.pid or self.process.pid, signal.SIGCONT)
            self.process.stdin.close()
            try:
                self.process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._closed()
        Path(self.socket).unlink(missing_ok=True)

    # Looking into it

    def run(self, *command):
        """What a command of Flux prints."""
        out = subprocess.run(
            command, env=clean_environment({"FLUX_URI": self.uri}), stdout=subprocess.PIPE,
            stderr=self.stderr, text=True, timeout=LIMIT, check=True,
        )  # fmt: skip
        return out.stdout

    def handle(self):
        if self._handle is None:
            self._handle = bindings().Flux(self.uri)
        return self._handle

    def rpc(self, topic, payload=None, **options):
        return self.handle().rpc(topic, payload, **options).get()

    def job_list(self):
        """All jobs with all attributes, by id, as Flux's job-list has them."""
        reply = self.rpc("job-list.list", {"max_entries": 0, "attrs": ["all"], "constraint": {}})
        return {job["id"]: job for job in reply["jobs"]}

    def asked(self, pid):
        """Messages that a process has sent to the broker, as the broker counts them."""
        clients = self.rpc("connector-local.stats-get", {})["server"]["clients"]
        return sum(client["txcount"] for client in clients if client["pid"] == pid)
