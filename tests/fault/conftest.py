# SPDX-License-Identifier: LGPL-3.0-only
"""The fixtures of tests/api: these tests, too, know the daemon only from outside."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "api"))

from restd import Daemon, skip_unless_possible  # noqa: E402

import pytest  # noqa: E402


@pytest.fixture
def make_local(tmp_path):
    """Makes daemons of the local engine; all are ended in order afterwards."""
    made = []

    def make(folder=None, **options):
        skip_unless_possible("local")
        made.append(Daemon(folder or tmp_path / f"daemon-{len(made)}", "local", **options))
        return made[-1]

    yield make
    for one in made:
        one.finish()
