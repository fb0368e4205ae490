# SPDX-License-Identifier: LGPL-3.0-only
"""A job's output as server-sent events, up to how the job ended."""

import base64
import hashlib

import pytest
from restd import check_problem, wait_for
from sse import SSE, Stream


def path_of(jobid):
    return f"/v1/jobs/{jobid}/output/stream"


def bytes_of(data):
    return (
        base64.b64decode(data["data"], validate=True)
        if data.get("encoding") == "base64"
        else data["data"].encode()
    )


def read(daemon, jobid, headers=None, **params):
    """(stdout, stderr, exit event's data, [(id, bytes)])"""
    told = {"stdout": b"", "stderr": b""}
    pieces, last = [], None
    with Stream(daemon, path_of(jobid), {**SSE, **(headers or {})}, **params) as stream:
        for kind, place, data in stream:
            assert last is None, "something came after the exit event"
            if kind in told:
                told[kind] += bytes_of(data)
                pieces.append((place, bytes_of(data)))
            elif kind == "exit":
                last = data
    assert last is not None, "the stream ended without saying how the job did"
    return told["stdout"], told["stderr"], last, pieces


def test_both_streams_and_the_exit(daemon):
    jobid = daemon.submit(["sh", "-c", "echo out; echo err >&2; exit 3"])
    out, err, last, _ = read(daemon, jobid)
    assert (out, err) == (b"out\n", b"err\n")
    assert (last["returncode"], last["signal"], last["exception"]) == (3, None, None)
    assert (last["state"], last["result"]) == ("INACTIVE", "FAILED")
    assert daemon.job(jobid)["state"] == "INACTIVE"
    assert read(daemon, jobid)[:3] == (out, err, last)  # an ended job: all of it, and the end
    assert read(daemon, jobid, stream="stdout")[:2] == (out, b"")
    assert read(daemon, jobid, stream="stderr")[:2] == (b"", err)


def test_a_signal(daemon):
    out, _, last, _ = read(daemon, daemon.submit(["sh", "-c", "echo before; kill -TERM $$"]))
    assert out == b"before\n"
    assert (last["returncode"], last["signal"]) == (143, 15)


def test_a_silent_job(daemon):
    assert read(daemon, daemon.submit("true"))[:2] == (b"", b"")


def test_a_job_that_never_ran(daemon):
    """Cancelled while it waits: the stream ends, with the reason."""
    jobid = daemon.submit("true", urgency=0)
    with Stream(daemon, path_of(jobid)) as stream:
        stream.until("caught-up")
        assert daemon.post(f"/v1/jobs/{jobid}/cancel").status_code == 200
        before, last = stream.until("exit")
    assert before == []
    assert last["result"] == "CANCELED" and last["exception"]["type"] == "cancel"


def test_as_it_comes(daemon, tmp_path):
    go = tmp_path / "go"
    jobid = daemon.submit(
        ["sh", "-c", 'echo one; while [ ! -e "$0" ]; do sleep 0.05; done; echo two', str(go)]
    )
    with Stream(daemon, path_of(jobid)) as stream:
        before = b""
        while before != b"one\n":
            kind, _, data = next(stream)
            before += bytes_of(data) if kind == "stdout" else b""
        go.touch()
        after, _ = stream.until("exit")
    assert b"".join(bytes_of(data) for kind, data in after if kind == "stdout") == b"two\n"


def test_bytes_that_are_no_text(local):
    """Half characters, NUL, anything: as base64, and not a byte is changed."""
    script = "import os; os.write(1, bytes(range(256)) * 3 + 'ƒü'.encode() + b'\\xc6')"
    out, _, _, pieces = read(local, local.submit(["/usr/bin/python3", "-c", script]))
    assert out == bytes(range(256)) * 3 + "ƒü".encode() + b"\xc6"


def test_from_each_offset(daemon):
    """Whoever comes back with an id gets the bytes after it, each once."""
    jobid = daemon.submit(["sh", "-c", "for i in 1 2 3 4 5; do echo line $i; sleep 0.05; done"])
    out, _, last, pieces = read(daemon, jobid)
    assert out == b"".join(b"line %d\n" % i for i in range(1, 6))
    for number, (place, _) in enumerate(pieces):
        rest = b"".join(data for _, data in pieces[number + 1 :])
        assert read(daemon, jobid, {"Last-Event-ID": place})[:3] == (rest, b"", last)
        assert read(daemon, jobid, offset=place)[0] == rest


def test_ranks(daemon):
    jobid = daemon.submit(["sh", "-c", "echo task $FLUX_TASK_RANK"], num_tasks=2)
    assert sorted(read(daemon, jobid)[0].split(b"\n")) == [b"", b"task 0", b"task 1"]
    assert read(daemon, jobid, rank=1)[0] == b"task 1\n"
    assert read(daemon, jobid, rank=7)[0] == b""


def test_much_of_it(daemon):
    """Megabytes, read while they are written: the same bytes."""
    script = "import sys\nfor i in range(100000): sys.stdout.write('%012d abcdefghijklmnop\\n' % i)"
    jobid = daemon.submit(["/usr/bin/python3", "-c", script])
    out, _, last, _ = read(daemon, jobid)
    expected = b"".join(b"%012d abcdefghijklmnop\n" % i for i in range(100000))
    assert hashlib.sha256(out).digest() == hashlib.sha256(expected).digest()
    assert last["returncode"] == 0


def test_a_reader_that_stops_reading(local):
    """It costs the daemon a bounded queue, and reads all of it when it goes on."""
    script = "import sys\nfor i in range(40): sys.stdout.write('%07d\\n' % i * 131072)"
    jobid = local.submit(["/usr/bin/python3", "-c", script])
    with Stream(local, path_of(jobid)) as stream:
        next(stream)
        local.wait_end(jobid)
        if not local.is_sanitized():
            assert local.rss() < 64 << 20
        total = sum(len(bytes_of(data)) for kind, _, data in stream if kind == "stdout")
    assert total >= 40 * 8 * 131072 - 70000


def test_bad_questions(local):
    job, _ = local.run("true")
    path = path_of(job["jobid"])
    for params, word in (({"stream": "out"}, "stdout"), ({"offset": "x"}, "offset"),
                         ({"offset": "-1"}, "offset"), ({"rank": "x"}, "rank"),
                         ({"from": "1"}, "from")):  # fmt: skip
        body = check_problem(local.get(path, params=params, headers=SSE), 400)
        assert word in body["detail"]
    check_problem(local.get(path, headers={**SSE, "Last-Event-ID": "soon"}), 400, "invalid")
    check_problem(local.get(path, params={"offset": "123456"}, headers=SSE), 400, "invalid")
    check_problem(local.get(path_of(12345), headers=SSE), 404, "job-not-found")
    # Lines of plain text are the whole.
    check_problem(local.get(path, params={"stream": "stdout"}), 400, "invalid")


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_across_a_restart(make_daemon, tmp_path, how):
    daemon = make_daemon().start()
    go = tmp_path / "go"
    jobid = daemon.submit(
        ["sh", "-c", 'echo one; while [ ! -e "$0" ]; do sleep 0.05; done; echo two', str(go)]
    )
    wait_for("the first line is there", lambda: daemon.output(jobid) == "one\n")
    with Stream(daemon, path_of(jobid)) as stream:
        kind, place, data = next(stream)
        assert (kind, bytes_of(data)) == ("stdout", b"one\n")
        if how == "stopped":
            daemon.stop()
            assert "stopping" in stream.until("closing")[1]["reason"]
        else:
            daemon.kill()
    daemon.start()
    go.touch()
    assert read(daemon, jobid, {"Last-Event-ID": place})[0] == b"two\n"
