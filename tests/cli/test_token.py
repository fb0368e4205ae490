# SPDX-License-Identifier: LGPL-3.0-only
"""flux-rest token, and what a token is good for."""

import json
import re

import pytest
from restd import Daemon, skip_unless_possible


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    skip_unless_possible("local")
    one = Daemon(tmp_path_factory.mktemp("token"))
    try:
        yield one.start()
    finally:
        one.finish()


def test_a_token_is_made_used_and_revoked(rest):
    status, out, err = rest("token", "create", "board", "--expires", "2h")
    assert status == 0 and re.fullmatch(r"frt_[\w-]{43}\n", out)
    assert "told once" in err and "may read" in err
    with_token = {"FLUX_TOKEN": out.strip()}
    status, shown, _ = rest("info", env=with_token)
    assert status == 0 and "token:board, by token; may read\n" in shown
    status, _, err = rest("submit", "true", env=with_token)
    assert status == 4 and "role submit" in err
    # With a user's name it goes as a password.
    assert rest("jobs", env={**with_token, "FLUX_USER": "anybody"})[0] == 0
    lines = rest.ok("token", "list").splitlines()
    assert re.match(r" +TOKEN +ROLE +CREATED +EXPIRES", lines[0]) or "TOKEN" in lines[0]
    assert re.search(r"board +read +\d{4}-", lines[1]) and len(lines) == 2
    assert rest("token", "revoke", "board") == (0, "", "")
    status, _, err = rest("jobs", env=with_token)
    assert status == 4 and "revoked" in err
    status, _, err = rest("token", "revoke", "board")
    assert status == 1 and 'no token "board"' in err


def test_from_a_file(rest, tmp_path):
    text = rest.ok("token", "create", "filed", "--role=submit")
    path = tmp_path / "token"
    path.write_text(text)
    path.chmod(0o600)
    assert rest("--token-file", str(path), "run", "true")[0] == 0
    rest.ok("token", "revoke", "filed")
    assert rest("--token-file", str(path), "run", "true")[0] != 0


def test_as_json(rest):
    made = json.loads(rest.ok("--json", "token", "create", "json", "--role=admin"))
    assert made["role"] == "admin"
    assert json.loads(rest.ok("--json", "token", "list"))["tokens"][0]["name"] == "json"
    rest.ok("token", "revoke", "json")


@pytest.mark.parametrize(
    "words", [["list", "x"], ["create"], ["revoke"], ["burn", "x"], ["revoke", ""]], ids=" ".join
)
def test_what_is_no_command(rest, words):
    assert rest("token", *words)[0] == 2


def test_what_the_server_refuses(rest):
    status, _, err = rest("token", "create", "a b", "--role=root")
    assert status == 1 and "/name" in err and "/role" in err
