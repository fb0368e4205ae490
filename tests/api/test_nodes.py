# SPDX-License-Identifier: LGPL-3.0-only
"""GET /nodes."""

import socket

from restd import check_problem


def test_nodes(daemon, prefix):
    reply = daemon.get(f"{prefix}/nodes")
    assert reply.status_code == 200
    assert reply.headers["Content-Type"].startswith("application/json")
    nodes = reply.json()["nodes"]
    assert len(nodes) == 1
    assert nodes[0].partition(".")[0] == socket.gethostname().partition(".")[0]


def test_a_job_runs_on_one_of_them(daemon):
    job, _ = daemon.run("true")
    assert job["nodelist"] in daemon.get("/v1/nodes").json()["nodes"]


def test_head(daemon, prefix):
    reply = daemon.request("HEAD", f"{prefix}/nodes")
    assert (reply.status_code, reply.content) == (200, b"")


def test_unknown_parameter(daemon):
    body = check_problem(daemon.get("/v1/nodes", params={"detials": "true"}), 400)
    assert [error["pointer"] for error in body["errors"]] == ["?detials"]
