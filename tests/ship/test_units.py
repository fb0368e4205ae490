# SPDX-License-Identifier: LGPL-3.0-only
"""systemd's units: as `make install` puts them, looked at by systemd itself."""

import os
import re

import pytest
from conftest import need, run
from restd import Daemon, binary


@pytest.fixture(name="installed", scope="module")
def _installed(tmp_path_factory):
    """What is installed of the build under test, below a folder."""
    need("systemd-analyze")
    folder = tmp_path_factory.mktemp("installed")
    build = binary().resolve().parent
    run("/usr/bin/meson", "install", "-C", build, "--no-rebuild", "--quiet",
        env={**os.environ, "DESTDIR": str(folder)})  # fmt: skip
    return folder


@pytest.mark.parametrize("kind", ["system", "user"])
def test_systemd_reads_them(installed, tmp_path, kind):
    found = sorted(installed.glob(f"**/lib/systemd/{kind}/flux-restd.*"))
    assert [path.name for path in found] == ["flux-restd.service", "flux-restd.socket"]
    for path in found:
        # The program is not where it will be; all else is.
        text = re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", path.read_text())
        (tmp_path / path.name).write_text(text)
    out = run("systemd-analyze", "verify", "--man=no", *tmp_path.iterdir(),
              env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"})  # fmt: skip
    assert not [line for line in out.splitlines() if "flux-restd" in line], out


@pytest.mark.parametrize("kind", ["system", "user"])
def test_what_they_promise(installed, kind):
    service = next(installed.glob(f"**/lib/systemd/{kind}/flux-restd.service"))
    words = dict(line.split("=", 1) for line in service.read_text().splitlines() if "=" in line)
    assert words["Type"] == "notify"
    assert words["KillMode"] == "process"
    program = words["ExecStart"].split()[0]
    assert (installed / program.lstrip("/")).is_file()
    # A private /tmp goes with the service, under the jobs that go on.
    assert "PrivateTmp" not in words


def test_the_configuration_serves(installed, tmp_path):
    """As it is but for places and port: each name in it is a setting, and the token is demanded."""
    text = next(installed.glob("**/etc/flux-restd/flux-restd.conf")).read_text()
    token = tmp_path / "token"
    token.write_text("secret\n")
    token.chmod(0o600)
    for old, new in {
        "/etc/flux-restd/token": str(token),
        "/var/lib/flux-restd": str(tmp_path / "state"),
        "port = 5000": "port = 0",
    }.items():
        assert old in text
        text = text.replace(old, new)
    config = tmp_path / "flux-restd.conf"
    config.write_text(text)
    daemon = Daemon(tmp_path, args=["--config", str(config)])
    daemon.start()
    try:
        assert daemon.get("/v1/jobs").status_code == 401
        assert daemon.get("/v1/jobs", auth=("flux", "secret")).status_code == 200
        daemon.stop()
    finally:
        daemon.kill()
