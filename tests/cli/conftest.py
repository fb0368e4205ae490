# SPDX-License-Identifier: LGPL-3.0-only
"""Fixtures: a daemon, and flux-rest pointed at it.

FLUX_REST names the client to test (default: the one beside the daemon).
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "api"))

from restd import LIMIT, Daemon, binary, clean_environment  # noqa: E402


def client():
    return Path(os.environ.get("FLUX_REST") or binary().with_name("flux-rest")).resolve()


def caught(pid, signum):
    """Whether the process has a handler for the signal."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        mask = re.search(r"^SigCgt:\s*(\w+)$", status.read(), re.M).group(1)
    return int(mask, 16) >> (signum - 1) & 1


class Rest:
    """Runs flux-rest against one server."""

    def __init__(self, url, cwd, env=None):
        self.url = url
        self.cwd = cwd
        self.env = dict(env or {})

    def environment(self, extra=None):
        env = clean_environment({"FLUX_RESTFUL_HOST": self.url, **self.env, **(extra or {})})
        return {name: value for name, value in env.items() if value is not None}

    def popen(self, *words, env=None, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        return subprocess.Popen(
            [str(client()), *words], env=self.environment(env), cwd=self.cwd, **options
        )

    def bytes(self, *words, data=None, env=None):
        """Runs it to its end and returns (status, stdout, stderr) as bytes."""
        options = {"stdin": subprocess.PIPE} if data is not None else {}
        with self.popen(*words, env=env, **options) as process:
            try:
                out, err = process.communicate(data, LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        assert b"Sanitizer" not in err, err
        return process.returncode, out, err

    def __call__(self, *words, data=None, env=None):
        """As bytes(), as texts."""
        status, out, err = self.bytes(*words, data=data and data.encode(), env=env)
        return status, out.decode("utf-8", "surrogateescape"), err.decode("utf-8", "replace")

    def ok(self, *words, **options):
        """Runs it, asserts that it did well, and returns what it printed."""
        status, out, err = self(*words, **options)
        assert status == 0, (status, out, err)
        return out


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    """One daemon on the local engine for all tests of a module, with a Unix socket too."""
    folder = tmp_path_factory.mktemp("daemon")
    one = Daemon(folder, listen=["127.0.0.1:0", f"unix:{folder}/sock"])
    try:
        yield one.start()
    finally:
        one.finish()


@pytest.fixture
def rest(daemon, tmp_path):
    return Rest(daemon.url, tmp_path)
