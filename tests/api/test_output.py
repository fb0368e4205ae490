# SPDX-License-Identifier: LGPL-3.0-only
"""GET /jobs/{id}/output and /output/stream."""

import contextlib

import pytest
from restd import spellings, wait_for

NOTHING = "The output does not exist yet, or the jobid is incorrect."
GATED = 'echo one; while [ ! -e "$0" ]; do sleep 0.05; done; echo two; printf last'


def read_lines(reply):
    """The text lines of a reply, as they come."""
    rest = b""
    for piece in reply.iter_content(chunk_size=None):
        *lines, rest = (rest + piece).split(b"\n")
        yield from (line.decode() for line in lines)
    if rest:
        yield rest.decode()


@contextlib.contextmanager
def stream(daemon, jobid, prefix="/v1"):
    path = f"{prefix}/jobs/{jobid}/output/stream"
    with daemon.get(path, stream=True, headers={"Accept-Encoding": "identity"}) as reply:
        assert reply.status_code == 200
        assert reply.headers["Content-Type"].startswith("text/plain")
        yield read_lines(reply)


@pytest.fixture
def gated(daemon, tmp_path):
    """A running job that has written one line, and the file that lets it go on."""
    gate = tmp_path / "gate"
    jobid = daemon.submit(["sh", "-c", GATED, str(gate)])
    wait_for("the first line is there", lambda: daemon.output(jobid) == "one\n")
    yield jobid, gate
    gate.touch()
    daemon.wait_end(jobid)


def test_lines(daemon, prefix):
    jobid = daemon.submit(["printf", "a\\n\\nb\\r\\n  c"])
    daemon.wait_end(jobid)
    reply = daemon.get(f"{prefix}/jobs/{jobid}/output")
    assert reply.json() == {"Output": ["a\n", "\n", "b\r\n", "  c"]}


def test_every_spelling_of_the_id(daemon):
    job, _ = daemon.run("echo here")
    for form, text in spellings(job["id"]).items():
        reply = daemon.get(f"/v1/jobs/{text}/output")
        assert reply.json() == {"Output": ["here\n"]}, form


def test_nothing_there(daemon, prefix):
    job, _ = daemon.run("true")
    for jobid in (job["jobid"], "ƒ1111111", "12345"):
        reply = daemon.get(f"{prefix}/jobs/{jobid}/output")
        assert reply.status_code == 200
        assert reply.json() == {"Message": NOTHING}


def test_stderr_is_there_too(daemon):
    _, output = daemon.run(["sh", "-c", "echo out; echo err >&2"])
    assert sorted(output.splitlines()) == ["err", "out"]


def test_output_of_all_tasks(daemon):
    _, output = daemon.run(["sh", "-c", "echo $FLUX_TASK_RANK"], num_tasks=2)
    assert sorted(output.split()) == ["0", "1"]


def test_bytes_that_are_no_text(daemon):
    jobid = daemon.submit(["printf", r"a\377b\000c\n\303\251\n"])
    daemon.wait_end(jobid)
    lines = daemon.get(f"/v1/jobs/{jobid}/output").json()["Output"]
    assert len(lines) == 2
    assert lines[0].startswith("a") and lines[0].endswith("c\n")
    assert lines[1] == "é\n"


def test_a_running_jobs_output_does_not_wait(daemon, gated):
    jobid, gate = gated
    reply = daemon.get(f"/v1/jobs/{jobid}/output")
    assert reply.json() == {"Output": ["one\n"]}
    assert daemon.job(jobid)["state"] == "RUN"


def test_stream(daemon, prefix, tmp_path):
    gate = tmp_path / "gate"
    jobid = daemon.submit(["sh", "-c", GATED, str(gate)])
    with stream(daemon, jobid, prefix) as lines:
        assert next(lines) == "one"
        assert daemon.job(jobid)["state"] == "RUN"
        gate.touch()
        assert list(lines) == ["two", "last"]
    assert daemon.wait_end(jobid)["result"] == "COMPLETED"


def test_stream_of_an_ended_job(daemon, prefix):
    job, _ = daemon.run("echo all over")
    with stream(daemon, job["jobid"], prefix) as lines:
        assert list(lines) == ["all over"]


def test_stream_of_a_job_without_output(daemon):
    jobid = daemon.submit("true")
    with stream(daemon, jobid) as lines:
        assert list(lines) == []


def test_stream_ends_when_the_job_is_cancelled(daemon, tmp_path):
    jobid = daemon.submit(["sh", "-c", GATED, str(tmp_path / "never")])
    with stream(daemon, jobid) as lines:
        assert next(lines) == "one"
        daemon.post(f"/v1/jobs/{jobid}/cancel")
        rest = list(lines)
    assert "two" not in rest
    assert daemon.wait_end(jobid)["result"] == "CANCELED"


def test_streams_block_nobody(daemon, gated):
    """While several clients wait for a job, or read nothing at all, others are served."""
    jobid, gate = gated
    with contextlib.ExitStack() as stack:
        several = [stack.enter_context(stream(daemon, jobid)) for _ in range(5)]
        assert [next(lines) for lines in several] == ["one"] * 5
        assert daemon.get("/livez").status_code == 200
        assert daemon.output(jobid) == "one\n"
        assert daemon.job(jobid)["state"] == "RUN"
        gate.touch()
        assert [list(lines) for lines in several] == [["two", "last"]] * 5


def test_a_reader_that_leaves(daemon, gated):
    jobid, gate = gated
    before = daemon.fds()
    for _ in range(20):
        with stream(daemon, jobid) as lines:
            assert next(lines) == "one"
    wait_for("streams that were left are closed", lambda: daemon.fds() <= before + 2)
    assert daemon.job(jobid)["state"] == "RUN"


def test_much_output_comes_whole_and_in_order(daemon):
    expected = [str(number) for number in range(1, 20001)]
    jobid = daemon.submit("seq 1 20000")
    with stream(daemon, jobid) as lines:
        assert list(lines) == expected
    daemon.wait_end(jobid)
    assert daemon.output(jobid).split("\n")[:-1] == expected


def test_head(daemon):
    job, _ = daemon.run("echo here")
    for path in ("output", "output/stream"):
        reply = daemon.request("HEAD", f"/v1/jobs/{job['jobid']}/{path}")
        assert (reply.status_code, reply.content) == (200, b"")


# The raw bytes


@pytest.fixture(scope="module")
def raw(daemon):
    """A job that wrote bytes that are no text."""
    jobid = daemon.submit(["sh", "-c", r"printf 'a\377b\000c'; printf 'error\n' >&2"])
    daemon.wait_end(jobid)
    return jobid


def test_raw(daemon, raw):
    reply = daemon.get(f"/v1/jobs/{raw}/output/stdout")
    assert (reply.status_code, reply.content) == (200, b"a\xffb\0c")
    assert reply.headers["Content-Type"] == "application/octet-stream"
    assert "attachment" in reply.headers["Content-Disposition"]
    assert daemon.get(f"/v1/jobs/{raw}/output/stderr").content == b"error\n"
    assert daemon.get("/v1/jobs/ƒ1111111/output/stdout").status_code == 404


@pytest.mark.parametrize(
    "wanted, status, content, told",
    [("bytes=0-0", 206, b"a", "bytes 0-0/5"), ("bytes=3-", 206, b"\0c", "bytes 3-4/5"),
     ("bytes=-2", 206, b"\0c", "bytes 3-4/5"), ("bytes=5-", 416, None, "bytes */5"),
     ("bytes=0-1,3-4", 200, b"a\xffb\0c", None)],
)  # fmt: skip
def test_ranges(daemon, raw, wanted, status, content, told):
    reply = daemon.get(f"/v1/jobs/{raw}/output/stdout", headers={"Range": wanted})
    assert reply.status_code == status
    assert content is None or reply.content == content
    assert reply.headers.get("Content-Range") == told
