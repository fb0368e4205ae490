# SPDX-License-Identifier: LGPL-3.0-only
"""The Debian packages: built, looked at by lintian, and what is in them.

That they install, upgrade under running jobs and purge is shown by `make test-deb`.
"""

import os

import pytest
from conftest import ROOT, need, run

VERSION = run("tools/version").strip()


@pytest.fixture(name="packages", scope="module")
def _packages():
    need("dpkg-buildpackage", "lintian", "dh_python3")
    # lintian's part ends the build with an error if it finds a fault.
    run("tools/build-deb", "build-deb-test", limit=900, env={**os.environ, "FLUX": "disabled"})
    return ROOT / "build-deb-test"


def contents(packages, name):
    deb = next(packages.glob(f"{name}_*.deb"))
    return {line.split()[5] for line in run("dpkg-deb", "-c", deb).splitlines()}, deb


def test_daemon(packages):
    files, deb = contents(packages, "flux-restd")
    for path in (
        "etc/flux-restd/flux-restd.conf",
        "lib/systemd/system/flux-restd.service",
        "lib/systemd/system/flux-restd.socket",
        "usr/bin/flux-rest",
        "usr/bin/flux-restd",
        "usr/lib/systemd/user/flux-restd.service",
        "usr/lib/systemd/user/flux-restd.socket",
        "usr/lib/sysusers.d/flux-restd.conf",
        "usr/libexec/flux-restd/flux-restd-shell",
        "usr/share/bash-completion/completions/flux-rest.bash",
        "usr/share/man/man1/flux-rest.1.gz",
        "usr/share/man/man8/flux-restd.8.gz",
        "usr/share/zsh/vendor-completions/_flux-rest",
    ):
        assert "./" + path in files, path
    assert not [path for path in files if "python" in path]
    about = run("dpkg-deb", "-f", deb)
    assert f"\nVersion: {VERSION}\n" in about
    assert "Built without flux-core" in about


def test_python(packages):
    files, deb = contents(packages, "python3-flux-restful-client")
    assert "./usr/lib/python3/dist-packages/flux_restful_client/client.py" in files
    assert not [path for path in files if "/bin/" in path]
    assert "python3-requests" in run("dpkg-deb", "-f", deb, "Depends")
