# SPDX-License-Identifier: LGPL-3.0-only
"""Streams that are open when the broker is killed: each is told, and none stays silent."""

import pytest
import requests
from restd import check_problem, wait_for
from sse import LINES, SSE, Stream


def test_a_broker_killed_under_open_streams(make_broker, make_daemon, tmp_path):
    broker = make_broker().start()
    daemon = make_daemon(broker, args=["--flux-seconds=6"]).start()
    jobid = daemon.submit(["sh", "-c", "echo first; exec sleep 600"])
    wait_for("it has written", lambda: daemon.output(jobid) == "first\n")
    output = f"/v1/jobs/{jobid}/output/stream"
    plain = daemon.get(output, stream=True)
    with (
        Stream(daemon, "/v1/events") as events,
        Stream(daemon, "/v1/events", LINES) as lines,
        Stream(daemon, f"/v1/jobs/{jobid}/events", SSE, follow="true") as log,
        Stream(daemon, output) as pieces,
    ):
        for stream in (events, lines, log, pieces):
            stream.until("caught-up")
        cursor = daemon.get("/v1/jobs").json()["cursor"]
        broker.kill()
        for stream in (events, lines, log):
            assert stream.until("lost")[1]["reason"]
        assert pieces.until("closing")[1]["reason"]
        assert list(pieces) == []
        # A part is not told as if it were the whole.
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            for _ in plain.iter_content(None):
                pass
        check_problem(daemon.get(output, headers=SSE), 503)
        broker.start()
        for stream in (events, lines, log):
            assert "another instance" in stream.until("closing")[1]["reason"]
            assert list(stream) == []
    check_problem(daemon.get("/v1/events", params={"since": cursor}), 410, "cursor-gone")
    wait_for("the new one is known", lambda: daemon.get("/readyz").status_code == 200)
    daemon.run("true")
