# SPDX-License-Identifier: LGPL-3.0-only
"""Fixtures: a daemon for each module and engine, and daemons made to order."""

import sys

import pytest
from restd import ENGINES, ROOT, Daemon, FluxInstance, skip_unless_possible

sys.path.insert(0, str(ROOT / "clients" / "python"))


@pytest.fixture(scope="module", params=ENGINES)
def engine(request):
    """Each engine in turn, or a skip that says why not."""
    skip_unless_possible(request.param)
    return request.param


@pytest.fixture(scope="module")
def daemon(engine, tmp_path_factory):
    """One daemon for all tests of a module, on each engine."""
    one = Daemon(tmp_path_factory.mktemp(engine), engine)
    try:
        yield one.start()
    finally:
        one.finish()


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """One daemon for all tests of a module, on the local engine."""
    skip_unless_possible("local")
    one = Daemon(tmp_path_factory.mktemp("local"))
    try:
        yield one.start()
    finally:
        one.finish()


@pytest.fixture
def make_daemon(tmp_path):
    """Makes daemons for one test alone; all are ended in order afterwards."""
    made = []

    def make(engine="local", **options):
        skip_unless_possible(engine)
        folder = tmp_path / f"daemon-{len(made)}"
        made.append(Daemon(folder, engine, **options))
        return made[-1]

    yield make
    failed = []
    for one in made:
        try:
            one.finish()
        except AssertionError as error:
            failed.append(str(error))
    assert not failed, "\n".join(failed)


@pytest.fixture(scope="module")
def flux_instance(tmp_path_factory):
    """A Flux instance for daemons to stand beside."""
    skip_unless_possible("flux")
    instance = FluxInstance(tmp_path_factory.mktemp("flux"))
    try:
        yield instance
    finally:
        instance.stop()


@pytest.fixture(params=["", "/v1"], ids=["unprefixed", "v1"])
def prefix(request):
    """The two prefixes under which the same handlers are found."""
    return request.param
