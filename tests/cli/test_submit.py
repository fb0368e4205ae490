# SPDX-License-Identifier: LGPL-3.0-only
"""flux-rest submit and run: what is sent, what is shown, what they end with."""

import json
import os
import re
import signal
import subprocess

import pytest
from conftest import caught
from restd import LIMIT, wait_for


def test_submit_prints_the_id(rest, daemon):
    out = rest.ok("submit", "true")
    assert re.fullmatch(r"ƒ\w+\n", out)
    assert daemon.wait_end(out.strip())["result"] == "COMPLETED"


def test_the_id_is_ascii_where_the_locale_is(rest, daemon):
    out = rest.ok("submit", "true", env={"LC_ALL": "C"})
    assert re.fullmatch(r"f\w+\n", out)
    daemon.wait_end(out.strip())


def test_options_become_fields(rest, daemon, tmp_path):
    out = rest.ok(
        "submit", "-n2", "-c", "1", "--job-name=two", "-t", "5", "--urgency=20",
        "--env=A=1", "--env", "B_*", "-S", "user.note=[1]",
        "sh", "-c", "echo $A$B_C",
        env={"B_C": "23"},
    )  # fmt: skip
    job = daemon.wait_end(out.strip())
    assert (job["name"], job["ntasks"], job["duration"], job["urgency"]) == ("two", 2, 300, 20)
    assert job["cwd"] == str(tmp_path)
    lines = rest.ok("output", out.strip()).splitlines()
    assert lines == ["123"] * 2


def test_a_pattern_of_env_takes_no_credentials_along(rest, daemon):
    env = {"FLUX_TOKEN": "secret", "FLUX_MINE": "mine"}
    out = rest.ok("run", "--env=FLUX_*", "env", env=env)
    assert "FLUX_MINE=mine" in out
    assert "secret" not in out


def test_what_is_refused_is_told_by_option(rest):
    status, out, err = rest("submit", "--urgency=99", "-g", "1", "true")
    assert (status, out) == (1, "")
    assert "--urgency (/urgency): urgency must be 0 to 31" in err
    assert "--gpus-per-task (/gpus_per_task): This server does not support gpus" in err


def test_json_is_the_servers_own(rest):
    reply = json.loads(rest.ok("submit", "--json", "true"))
    assert isinstance(reply["id"], int) and reply["jobid"].startswith("ƒ")
    status, out, err = rest("submit", "--json", "--urgency=99", "true")
    assert status == 1
    assert json.loads(out)["errors"][0]["pointer"] == "/urgency"
    assert "urgency" in err


@pytest.mark.parametrize(
    "words, part",
    [
        (["--env=NOT_SET_HERE", "true"], "no variable NOT_SET_HERE"),
        (["--env=-A*", "true"], "-NAME takes one variable away"),
        (["-t", "soon", "true"], "--time-limit: 'soon'"),
        (["-S", "system.x=1", "true"], "user.KEY=VALUE"),
        (["--input=/nonexistent", "true"], "cannot be opened"),
        (["--input=/dev/zero", "true"], "more than 1 MiB"),
        (["-n", "0", "true"], "a whole number from 1 on"),
        ([], "PROGRAM [ARGUMENT]..."),
        ([b"\xff"], "not valid UTF-8"),
    ],
)
def test_usage(rest, words, part):
    status, out, err = rest("submit", *words)
    assert (status, out) == (2, "")
    assert part in err


def test_run_shows_output_and_ends_with_the_code(rest):
    assert rest("run", "echo", "a  b") == (0, "a  b\n", "")
    status, out, err = rest("run", "sh", "-c", "echo x; exit 42")
    assert (status, out) == (42, "x\n")
    assert "FAILED: exit code 42" in err
    status, out, err = rest("run", "sh", "-c", "kill -9 $$")
    assert status == 128 + signal.SIGKILL


def test_run_keeps_bytes(rest):
    status, out, _ = rest.bytes("run", "printf", r"\377\000\033[1m\n")
    assert (status, out) == (0, b"\xff\0\x1b[1m\n")


def test_run_that_cannot_begins_with_125(rest):
    assert rest("run", "--urgency=99", "true")[0] == 125
    assert rest("run", "-n", "x", "true")[0] == 125
    assert rest("run", "true", env={"FLUX_RESTFUL_HOST": "http://127.0.0.1:1"})[0] == 125


def test_run_json(rest):
    status, out, _ = rest("run", "--json", "sh", "-c", "echo unseen; exit 3")
    job = json.loads(out)
    assert (status, job["returncode"], job["state"]) == (3, 3, "INACTIVE")


def read_until(stream, part):
    """Reads bytes until they hold that part; returns all that was read."""
    text = b""
    while part not in text:
        piece = os.read(stream.fileno(), 4096)
        assert piece, text
        text += piece
    return text


def test_ctrl_c_cancels(rest, daemon):
    with rest.popen("run", "sh", "-c", "echo here; sleep 1000") as process:
        read_until(process.stdout, b"here")
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT) == 128 + signal.SIGTERM
        assert b"CANCELED: cancel: Ctrl-C" in process.stderr.read()
    job = daemon.jobs(limit=1, result="canceled")[0]
    assert job["exception"]["note"] == "Ctrl-C"


def test_ctrl_c_twice_leaves(rest, daemon, tmp_path):
    name = "stubborn"
    script = "trap 'until [ -e go ]; do sleep 0.1; done; exit 7' TERM; echo here; "
    script += "while :; do sleep 0.1; done"
    with rest.popen("run", "--job-name", name, "sh", "-c", script) as process:
        read_until(process.stdout, b"here")
        process.send_signal(signal.SIGINT)
        read_until(process.stderr, b"Ctrl-C again")
        process.send_signal(signal.SIGINT)
        # By the signal, as a shell wants to see it.
        assert process.wait(LIMIT) == -signal.SIGINT
    job = daemon.jobs(name=name)[0]
    assert job["state"] != "INACTIVE"
    (tmp_path / "go").touch()
    daemon.wait_end(job["jobid"])


def test_the_same_key_is_the_same_job(rest, daemon):
    words = ["submit", "--key", "my key", "--job-name=keyed", "true"]
    first = rest.ok(*words)
    assert rest.ok(*words) == first
    assert len(daemon.jobs(name="keyed")) == 1
    status, _, err = rest("submit", "--key", "my key", "false")
    assert status == 1 and "key" in err
    daemon.wait_end(first.strip())


def test_dry_run(rest, daemon):
    before = len(daemon.jobs())
    status, out, err = rest("submit", "--dry-run", "true")
    assert (status, out) == (0, "") and "could run" in err
    assert json.loads(rest.ok("submit", "--json", "--dry-run", "true"))["valid"] is True
    status, _, err = rest("submit", "--dry-run", "-n", "100000", "true")
    assert status == 1 and "--ntasks" in err
    assert len(daemon.jobs()) == before


def test_bulksubmit(rest, daemon, tmp_path):
    lines = [f"echo job {i}" for i in range(700)]  # more than one batch
    lines[3] = json.dumps({"command": ["sh", "-c", "exit 3"], "name": "bad"})
    lines[5] = json.dumps({"command": "true", "nmae": "x"})
    lines[7] = "echo 'open"
    (tmp_path / "jobs").write_text("\n".join(lines) + "\n")
    status, out, err = rest("bulksubmit", "--name", "many", "--wait", "jobs")
    assert status == 1
    ids = out.split()
    assert len(ids) == len(set(ids)) == 698
    assert "jobs, line 6: " in err and "jobs, line 8: " in err
    assert "698 jobs submitted, 2 refused" in err
    assert "FAILED: exit code 3" in err and "1 of 698 jobs did not do well" in err
    assert rest.ok("output", ids[0]) == "job 0\n"
    assert rest.ok("output", ids[-1]) == "job 699\n"
    assert daemon.job(ids[3])["name"] == "bad"
    assert daemon.job(ids[4])["name"] == "many"


def test_bulksubmit_dry_run(rest, daemon):
    before = len(daemon.jobs(limit=10000))
    status, out, err = rest("bulksubmit", "--dry-run", data='true\n{"command": 1}\n')
    assert (status, out) == (1, "")
    assert "1 job could run, 1 refused" in err
    assert len(daemon.jobs(limit=10000)) == before


def test_ctrl_c_ends_a_bulk_submit(rest, daemon):
    with rest.popen("bulksubmit", "-", stdin=subprocess.PIPE) as process:
        process.stdin.write(b"echo a\n")
        process.stdin.flush()
        wait_for("it reads", lambda: caught(process.pid, signal.SIGINT))
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT) == -signal.SIGINT
        assert b"0 jobs submitted" in process.stderr.read()
