# SPDX-License-Identifier: LGPL-3.0-only
"""The container, as far as that goes without one: the Dockerfile's text, and its entry point run
with the Flux of this machine. No image was built by these tests.
"""

import os
import re
import signal
import subprocess

import pytest
from conftest import ROOT
from restd import LIMIT, binary, clean_environment, skip_unless_possible, wait_for

TEXT = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")


def instructions(word):
    return re.findall(rf"^{word} +(.*)$", TEXT, re.M)


def test_arguments():
    given = dict(line.partition("=")[::2] for line in instructions("ARG"))
    assert given.pop("base").startswith("fluxrm/flux-sched:")
    # No token is built in, nor anything that looks like one.
    assert given == {"user": "", "token": "", "use_auth": "", "port": "5000", "host": "0.0.0.0"}


def test_last_user_is_not_root():
    assert instructions("USER")[-1] == "fluxuser"


def test_it_copies_what_there_is():
    path = re.search(r"install -m 0755 (\S+) (\S+)", TEXT)
    assert os.access(ROOT / path.group(1), os.X_OK)
    assert instructions("ENTRYPOINT") == [f'["{path.group(2).removeprefix("/out")}"]']


def test_libraries_are_those_that_are_built_with():
    """What apt-get puts into the result covers what the programs of this build link."""
    installed = " ".join(instructions("RUN"))
    linked = subprocess.run(["ldd", binary(), binary().with_name("flux-rest")],
                            capture_output=True, text=True, check=True).stdout  # fmt: skip
    for library in ("curl", "hwloc", "jansson", "microhttpd", "sodium", "sqlite3", "uv"):
        assert f"lib{library}" in linked and f"lib{library}" in installed, library


class Container:
    """The entry point's process, with a variable PORT of its own."""

    def __init__(self, folder, **env):
        self.log = folder / "log"
        path = f"{binary().parent}:{os.environ['PATH']}"
        settings = {"PATH": path, "HOST": "127.0.0.1", "PORT": "0", "FLUX_USER": "",
                    "FLUX_TOKEN": "", "FLUX_REQUIRE_AUTH": "", **env}  # fmt: skip
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [ROOT / "packaging" / "container" / "entrypoint"], env=clean_environment(settings),
                cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def text(self):
        return self.log.read_text(errors="replace")

    def port(self):
        def there():
            assert self.process.poll() is None, self.text()
            return "ready:" in self.text() and re.search(r"http://127.0.0.1:(\d+)", self.text())

        return wait_for("the daemon is ready", there).group(1)

    def healthy(self, port):
        command = instructions("HEALTHCHECK")[0].partition("CMD ")[2]
        return subprocess.run(["sh", "-c", command], env={**os.environ, "PORT": port},
                              capture_output=True, check=False).returncode == 0  # fmt: skip


@pytest.fixture(name="start")
def _start(tmp_path):
    skip_unless_possible("flux")
    started = []

    def start(**env):
        started.append(Container(tmp_path, **env))
        return started[-1]

    yield start
    for container in started:
        container.process.kill()
        container.process.wait()


def status(port, *options):
    command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", *options]
    result = subprocess.run([*command, f"http://127.0.0.1:{port}/v1/jobs"], capture_output=True,
                            text=True, check=True)  # fmt: skip
    return result.stdout


def test_without_use_auth_and_docker_stop(start):
    container = start()
    port = container.port()
    assert "NOBODY IS ASKED FOR CREDENTIALS" in container.text()
    assert status(port) == "200"
    assert container.healthy(port)
    # What `docker stop` does. It waits ten seconds for the end, we for as long as anything may take.
    container.process.send_signal(signal.SIGTERM)
    container.process.wait(LIMIT)
    assert "stopping" in container.text()
    assert not container.healthy(port)


def test_credentials_at_run_time(start):
    container = start(FLUX_REQUIRE_AUTH="true", FLUX_USER="me", FLUX_TOKEN="a-secret")
    port = container.port()
    assert "NOBODY" not in container.text()
    assert "a-secret" not in container.text()
    assert status(port) == "401"
    assert status(port, "--user", "me:a-secret") == "200"
    assert container.healthy(port)


def test_credentials_wanted_and_none_given(start):
    container = start(FLUX_REQUIRE_AUTH="true")
    assert container.process.wait(LIMIT) != 0
    assert "FLUX_TOKEN" in container.text()
