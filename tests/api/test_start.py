# SPDX-License-Identifier: LGPL-3.0-only
"""What the daemon says of credentials at its start, and what it warns of."""

import os
import resource
import subprocess

import pytest
from restd import wait_for
from test_auth import NOBODY, as_root

LONG = "7c1e0f6f0b8a4d1c9be3"


@pytest.fixture
def said(make_daemon):
    """Starts a daemon and returns what it says."""

    def start(env=None, args=()):
        daemon = make_daemon(env=env, args=args).start()
        user, token = (env or {}).get("FLUX_USER", ""), (env or {}).get("FLUX_TOKEN", "")
        daemon.session.auth = (user.encode(), token.encode()) if token else None
        return daemon.stderr()

    return start


def test_which_credentials_are_set_masked(said):
    text = said({"FLUX_USER": "ada", "FLUX_TOKEN": LONG, "FLUX_SECRET_KEY": LONG[::-1]})
    assert "not required of the user that runs this daemon, required of others" in text
    assert "FLUX_USER ********, FLUX_TOKEN ********, FLUX_SECRET_KEY ********" in text
    assert LONG not in text and LONG[::-1] not in text and "ada" not in text
    text = said({})
    assert "FLUX_USER not set, FLUX_TOKEN not set, FLUX_SECRET_KEY not set" in text


def test_whether_they_are_required(said):
    assert "required of everyone" in said({"FLUX_TOKEN": LONG, "FLUX_REQUIRE_AUTH": "yes"})
    assert "NOT REQUIRED OF ANYONE" in said({}, ["--auth=none"])


@pytest.mark.parametrize("token", ["12345", "notsecrethoo", "changeme", "Token", "..."])
def test_a_token_that_stands_in_documentation(said, token):
    """It works, with a warning."""
    text = said({"FLUX_USER": "ada", "FLUX_TOKEN": token, "FLUX_REQUIRE_AUTH": "1"})
    assert "FLUX_TOKEN is one that stands in documentation" in text and "openssl rand" in text


def test_12345_lets_in(make_daemon):
    env = {"FLUX_USER": "fluxuser", "FLUX_TOKEN": "12345", "FLUX_REQUIRE_AUTH": "1"}
    daemon = make_daemon(env=env).start()
    assert daemon.get("/v1/jobs").status_code == 401
    daemon.session.auth = ("fluxuser", "12345")
    assert daemon.get("/v1/jobs").status_code == 200


def test_no_token_is_built_in(make_daemon):
    daemon = make_daemon(env={"FLUX_USER": "fluxuser"}, args=["--failed-sign-ins=1000"]).start()
    assert "FLUX_USER is set and FLUX_TOKEN is not" in daemon.stderr()
    for token in ("", "12345", "fluxuser", "notsecrethoo"):
        told = daemon.get("/v1/service", auth=("fluxuser", token)).json()
        assert told["identified_by"] == "peer"  # and not by what was sent


def test_a_short_token(said):
    text = said({"FLUX_TOKEN": "x8.fz!q", "FLUX_SECRET_KEY": "kq-3r"})
    assert "FLUX_TOKEN is short" in text and "FLUX_SECRET_KEY is short" in text
    assert "x8.fz!q" not in text and "kq-3r" not in text
    text = said({"FLUX_TOKEN": LONG, "FLUX_SECRET_KEY": LONG})
    assert "is short" not in text and "documentation" not in text


def test_anyone(said):
    assert "whoever reaches this server runs commands as its user" in said({}, ["--auth=none"])


@as_root
def test_as_root(said):
    text = said({})
    assert "runs as root, and so do its jobs" in text and "User=" in text
    assert "FLUX_REQUIRE_AUTH, if it must run as root" in text
    text = said({"FLUX_TOKEN": LONG, "FLUX_REQUIRE_AUTH": "1"})
    assert "runs as root" in text and "if it must run as root" not in text


@as_root
def test_not_as_root(make_daemon, tmp_path):
    from restd import binary

    if subprocess.run(["test", "-x", str(binary())], user=NOBODY, group=NOBODY,
                      extra_groups=[]).returncode:  # fmt: skip
        pytest.skip(f"another user cannot run {binary()}")
    for folder in [tmp_path, *tmp_path.parents]:
        if folder.stat().st_uid == 0 and folder.name.startswith("pytest-"):
            folder.chmod(0o755)
    daemon = make_daemon(user=NOBODY)
    tmp_path.chmod(0o755)
    os.chown(daemon.folder, NOBODY, NOBODY)
    daemon.spawn()
    wait_for("it says where it listens", lambda: "listening" in daemon.stderr())
    wait_for("it is ready", lambda: "ready:" in daemon.stderr())
    assert "root" not in daemon.stderr()
    daemon.process.terminate()
    assert daemon.process.wait(30) == 0


@pytest.mark.parametrize(
    "listen", [["0.0.0.0:0"], ["[::]:0"], ["127.0.0.1:0", "0.0.0.0:0"]], ids=" ".join
)
def test_beyond_this_machine_without_credentials(make_daemon, listen):
    daemon = make_daemon(listen=listen).spawn()
    wait_for("the daemon has ended", lambda: daemon.process.poll() is not None)
    assert daemon.process.returncode == 1
    assert "--auth=none" in daemon.stderr() and "FLUX_TOKEN" in daemon.stderr()


@pytest.mark.parametrize("what", ["token", "secret-key"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_secret_files_that_others_can_touch(make_daemon, tmp_path, what, mode):
    path = tmp_path / "secret"
    path.write_text(LONG)
    path.chmod(mode)
    daemon = make_daemon(args=[f"--{what}-file={path}"]).spawn()
    wait_for("the daemon has ended", lambda: daemon.process.poll() is not None)
    assert daemon.process.returncode == 2
    assert str(path) in daemon.stderr() and LONG not in daemon.stderr()
    path.chmod(0o600)
    link = tmp_path / "link"
    link.symlink_to(path)
    daemon = make_daemon(args=[f"--{what}-file={link}"]).spawn()
    wait_for("the daemon has ended", lambda: daemon.process.poll() is not None)
    assert "symbolic link" in daemon.stderr()


def test_secrets_are_not_taken_from_the_command_line(make_daemon):
    for name in ("token", "secret-key"):
        daemon = make_daemon(args=[f"--{name}={LONG}"]).spawn()
        wait_for("the daemon has ended", lambda: daemon.process.poll() is not None)
        assert daemon.process.returncode == 2 and LONG not in daemon.stderr()


def test_open_files(make_daemon):
    """The daemon may open as many as can be; its jobs find the limit that it was started with."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard // 2, hard))
    try:
        daemon = make_daemon().start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE) == (hard, hard)
    assert daemon.run(["sh", "-c", "ulimit -Sn; ulimit -Hn"])[1] == f"{hard // 2}\n{hard}\n"
