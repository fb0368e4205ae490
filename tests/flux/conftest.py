# SPDX-License-Identifier: LGPL-3.0-only
"""The daemon beside brokers that the tests start, look into, break and start again.

The plumbing for the daemon itself is that of tests/api.
"""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "api"))

from brokers import Broker  # noqa: E402
from restd import Daemon, skip_unless_possible  # noqa: E402


@pytest.fixture(autouse=True)
def _flux_is_here():
    skip_unless_possible("flux")


@pytest.fixture
def make_broker(tmp_path):
    """Makes brokers; all that are left are ended."""
    made = []

    def make(**options):
        made.append(Broker(tmp_path / f"broker-{len(made)}", **options))
        return made[-1]

    yield make
    for one in made:
        one.end()


@pytest.fixture
def make_daemon(tmp_path):
    """Makes daemons beside a broker, or as its initial program; all are ended in order."""
    made = []

    def make(broker=None, **options):
        folder = tmp_path / f"daemon-{len(made)}"
        made.append(Daemon(folder, "flux", instance=broker, **options))
        return made[-1]

    yield make
    failed = []
    for one in made:
        try:
            one.finish()
        except AssertionError as error:
            failed.append(str(error))
    assert not failed, "\n".join(failed)
