# SPDX-License-Identifier: LGPL-3.0-only
"""flux-rest jobs, job, output, wait, cancel, nodes and info."""

import json
import os
import pty
import re
import signal
import struct
import subprocess
import fcntl
import termios

import pytest
from conftest import caught, client
from restd import LIMIT, wait_for


@pytest.fixture(scope="module")
def some(daemon):
    """A few jobs that have ended, by name."""
    fields = {
        "good": {"command": "echo hello"},
        "bad": {"command": "sh -c 'exit 3'"},
        "evil \x1b[31m\n\u202e": {"command": "true"},
    }
    ids = {name: daemon.submit(name=name, **rest) for name, rest in fields.items()}
    for jobid in ids.values():
        daemon.wait_end(jobid)
    return ids


def test_list(rest, some):
    out = rest.ok("jobs", "-a")
    assert re.match(r" *JOBID +USER +NAME +ST +NTASKS +NNODES +TIME +INFO\n", out)
    line = next(line for line in out.splitlines() if some["bad"] in line)
    assert re.search(r" bad +F +1 +1 +[\d.]+s exit code 3$", line)


def test_only_active_ones_unless_asked(rest, some):
    assert rest.ok("jobs", "-n") == ""
    assert len(rest.ok("jobs", "-n", "-a", "-c", "2").splitlines()) == 2


def test_filters(rest, some):
    assert rest.ok("jobs", "-n", "-f", "failed", "-o", "{id}") == some["bad"] + "\n"
    assert rest.ok("jobs", "-na", "--name", "go*", "-o", "{name}") == "good\n"
    assert rest.ok("jobs", "-n", "-f", "run", "-o", "{name}") == ""


def test_more_filters(rest, some):
    good = some["good"] + "\n"
    assert rest.ok("jobs", "-n", "-o", "{id}", some["good"]) == good
    assert rest.ok("jobs", "-na", "-o", "{id}", "--search", "echo hello") == good
    assert rest.ok("jobs", "-na", "-q", "no-such-queue") == ""
    everyone = rest.ok("jobs", "-na", "-u", "all", "-o", "{id}").split()
    assert set(some.values()) <= set(everyone)
    assert rest.ok("jobs", "-n", "--since=-1h", "-o", "{id}").split() == everyone
    assert rest.ok("jobs", "-n", "--since", "2100-01-01", "-o", "{id}") == ""
    status, out, err = rest("jobs", "-n", "-o", "{id}", some["good"], "f1")
    assert (status, out) == (1, good)
    assert "not all of the jobs" in err
    status, _, err = rest("jobs", "nonsense")
    assert status == 1 and '"nonsense" is no job id' in err


def test_formats(rest, some):
    out = rest.ok("jobs", "-na", "--name=good", "-o", "{name:>6}|{ntasks:<3}|{queue:h}|{state}")
    assert out == "  good|1  |-|INACTIVE\n"
    assert "INACTIVE" not in rest.ok("jobs", "-a", "-o", "long")
    assert "status_abbrev" in rest.ok("jobs", "-o", "help")


@pytest.mark.parametrize(
    "words, part",
    [
        (["-o", "{nmae}"], "did you mean {name}?"),
        (["-f", "nonsense"], "neither a state nor a result"),
        (["-f", "run,failed"], "not both"),
        (["--since", "soon"], "is no time"),
        (["--nonsense"], "no option --nonsense"),
        (["--color", "x"], "auto, always or never"),
        (["--watch", "--json"], "do not go together"),
    ],
)
def test_usage(rest, words, part):
    status, out, err = rest("jobs", *words)
    assert (status, out) == (2, "")
    assert part in err


def test_names_cannot_drive_a_terminal(rest, some):
    out = rest.ok("jobs", "-a") + rest.ok("jobs", "-a", "-o", "{name}")
    assert "\x1b" not in out and "\u202e" not in out
    assert r"evil \x1b[31m\n\u202e" in out
    detail = rest.ok("job", some["evil \x1b[31m\n\u202e"])
    assert "\x1b" not in detail and r"evil \x1b[31m\n\u202e" in detail


def test_json_is_the_servers_own(rest, daemon, some):
    mine = rest.ok("jobs", "--json", "-a", "--name", "good")
    assert json.loads(mine)["jobs"] == daemon.jobs(name="good")
    assert json.loads(rest.ok("job", "--json", some["good"])) == daemon.job(some["good"])


def test_job(rest, some):
    out = rest.ok("job", some["bad"])
    assert re.search(r"^state +INACTIVE, FAILED, exit code 3$", out, re.M)
    assert re.search(r"^command +sh -c", out, re.M)
    status, out, err = rest("job", "f1")
    assert (status, out) == (1, "")
    assert "there is no job f1" in err and "flux-rest jobs -a" in err


def test_why(rest, daemon):
    held = daemon.submit("true", urgency=0)
    why = daemon.job(held)["why"]
    assert "held" in why
    assert re.search(rf"^why +{re.escape(why)}$", rest.ok("job", held), re.M)
    assert why in rest.ok("jobs")
    rest.ok("cancel", held)


def test_output(rest, daemon, some):
    assert rest.ok("output", some["good"]) == "hello\n"
    assert rest.ok("output", "--follow", some["good"]) == "hello\n"
    assert json.loads(rest.ok("output", "--json", some["good"])) == {"Output": ["hello\n"]}
    running = daemon.submit(["sh", "-c", "echo first; sleep 1000"])
    wait_for("it has written", lambda: rest.ok("output", running) == "first\n")
    with rest.popen("output", "--follow", running) as process:
        assert process.stdout.readline() == b"first\n"
        rest.ok("cancel", "-m", "enough", running)
        assert process.wait(LIMIT) == 0
    assert daemon.wait_end(running)["exception"]["note"] == "enough"


def test_raw_bytes_stay_raw(rest, daemon):
    jobid = daemon.submit(["printf", r"\377\033[0m\n"])
    daemon.wait_end(jobid)
    assert rest.bytes("output", jobid)[1] == b"\xff\x1b[0m\n"


def test_cancel(rest, daemon):
    ids = [daemon.submit("sleep 1000") for _ in range(2)]
    assert rest("cancel", *ids) == (0, "", "")
    for jobid in ids:
        assert daemon.wait_end(jobid)["result"] == "CANCELED"
    status, _, err = rest("cancel", ids[0], "f1")
    assert status == 1
    assert f"That was job {ids[0]}" in err and "That was job f1" in err
    assert "job is inactive" in err and "unknown job id" in err
    assert rest("cancel")[0] == 2
    assert "is empty" in rest("cancel", "")[2]
    assert rest("cancel", "..")[0] == 1
    assert rest("cancel", "--all", "f1")[0] == 2


def test_wait(rest, daemon, some):
    assert rest("wait", some["good"]) == (0, "", "")
    status, out, err = rest("wait", some["good"], some["bad"])
    assert (status, out) == (1, "")
    assert "FAILED: exit code 3" in err and "1 of 2 jobs" in err
    assert rest("wait", "--quiet", some["bad"]) == (1, "", "")
    assert json.loads(rest("wait", "--json", some["bad"])[1]) == daemon.job(some["bad"])
    running = daemon.submit("sleep 1000")
    with rest.popen("wait", running) as process:
        rest.ok("cancel", running)
        assert process.wait(LIMIT) == 1
        assert b"CANCELED" in process.stderr.read()


def test_wait_tells_a_job_once(rest, daemon, some):
    """Also one that is named twice, with more between than one list holds."""
    words = [some["bad"], *[some["good"]] * 99, str(daemon.job(some["bad"])["id"])]
    status, out, err = rest("wait", "--json", *words)
    told = [json.loads(line)["jobid"] for line in out.splitlines()]
    assert (status, sorted(told)) == (1, sorted([some["bad"], some["good"]]))
    assert err.count("FAILED: exit code 3") == 1 and "1 of 2 jobs" in err


def test_ctrl_c_ends_a_wait(rest, daemon):
    running = daemon.submit("sleep 1000")
    with rest.popen("wait", running) as process:
        wait_for("it waits", lambda: caught(process.pid, signal.SIGINT))
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT) == -signal.SIGINT
        assert process.stderr.read() == b""
    rest.ok("cancel", running)


def test_a_closed_pipe_ends_it_quietly(rest, daemon):
    jobid = daemon.submit(["sh", "-c", "yes | head -n 1000000"])
    daemon.wait_end(jobid)
    with rest.popen("output", jobid) as process:
        assert process.stdout.read(2) == b"y\n"
        process.stdout.close()
        assert process.wait(LIMIT) == -signal.SIGPIPE
        assert process.stderr.read() == b""


def test_a_full_disk_is_told(rest, some):
    with open("/dev/full", "wb") as full, rest.popen("jobs", "-a", stdout=full) as process:
        assert process.wait(LIMIT) == 1
        assert b"No space left" in process.stderr.read()


def test_no_standard_output(rest, some):
    command = ["sh", "-c", '"$0" jobs -a >&-', str(client())]
    result = subprocess.run(command, env=rest.environment(), timeout=LIMIT, check=False)
    assert result.returncode == 0


def test_nodes(rest):
    out = rest.ok("nodes")
    assert re.match(r"NODE +RANK STATE +CORES\n\S+ +0 (free|partly|allocated) +\d+/\d+\n$", out)
    assert re.fullmatch(r"\S+ free\n", rest.ok("nodes", "-n", "-o", "{name} {state}"))
    assert json.loads(rest.ok("nodes", "--json"))["nodes"][0]["rank"] == 0


def test_info(rest, daemon):
    out = rest.ok("info")
    assert re.search(rf"^server +{daemon.url}$", out, re.M)
    assert re.search(r"^engine +local$", out, re.M)
    assert json.loads(rest.ok("info", "--json"))["name"] == "flux-restd"


# As a person sees it.


def in_terminal(rest, *words, columns=80, lines=24, env=None, until=None):
    """Runs it in a pseudo-terminal; returns (status, what it showed)."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    shown = b""
    with rest.popen(*words, stdin=child, stdout=child, stderr=child,
                    env={"TERM": "xterm", "NO_COLOR": None, **(env or {})}) as process:  # fmt: skip
        os.close(child)
        while True:
            try:
                piece = os.read(parent, 65536)
            except OSError:
                break
            shown += piece
            if until and until in shown:
                process.send_signal(signal.SIGINT)
                until = None
        status = process.wait(LIMIT)
    os.close(parent)
    return status, shown.decode().replace("\r\n", "\n")


def plain(text):
    return re.sub(r"\x1b\[[\d;]*[mKHJ]", "", text)


@pytest.mark.parametrize("columns", [80, 40, 20])
def test_lines_fit_the_terminal(rest, some, columns):
    status, shown = in_terminal(rest, "jobs", "-a", columns=columns)
    assert status == 0
    for line in plain(shown).splitlines():
        assert len(line) <= columns
    if columns >= 40:
        assert "\x1b[31mF" in shown
        assert re.search(r"bad +F +[\d. ]+s exit", plain(shown))


def test_colours_are_an_option(rest, some):
    assert "\x1b" not in in_terminal(rest, "jobs", "-a", env={"NO_COLOR": "1"})[1]
    assert "\x1b" not in in_terminal(rest, "jobs", "-a", env={"TERM": "dumb"})[1]
    assert "\x1b" not in in_terminal(rest, "jobs", "-a", "--color=never")[1]
    assert "\x1b" not in rest.ok("jobs", "-a")
    assert "\x1b[31mF" in rest.ok("jobs", "-a", "--color=always")


def test_an_empty_list_says_so(rest, some):
    status, shown = in_terminal(rest, "jobs", "--name", "no such name")
    assert status == 0 and "-a shows those that have ended" in shown


def test_watch(rest, daemon, some):
    status, shown = in_terminal(rest, "jobs", "--watch", "-a", until=b"Ctrl-C ends this")
    assert status == 0
    assert shown.startswith("\x1b[H\x1b[J") and shown.endswith("\n")


def test_wait_has_a_bar(rest, some):
    status, shown = in_terminal(rest, "wait", some["good"], some["bad"])
    assert status == 1
    assert re.search(r"\r\x1b\[K\[#+\.+\] 1/2", shown)
    assert "FAILED" in shown
