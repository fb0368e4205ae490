# SPDX-License-Identifier: LGPL-3.0-only
"""A hundred wrong requests, each answered with its status, its code and what is wrong where."""

import pytest
from restd import check_problem

J, S = "/v1/jobs", "/v1/jobs/submit"
OK = {"command": "true"}
NONE = f"{J}/ƒ1111111"  # no such job
GET = [  # (path, status, code, pointer)
    (f"{J}?limit=x", 400, "invalid", "?limit"),
    (f"{J}?limit=-1", 400, "invalid", "?limit"),
    (f"{J}?limit=10001", 400, "invalid", "?limit"),
    (f"{J}?limt=1", 400, "unknown-field", "?limt"),
    (f"{J}?state=runing", 400, "invalid", "?state"),
    (f"{J}?state=", 400, "invalid", "?state"),
    (f"{J}?state=run,nope", 400, "invalid", "?state"),
    (f"{J}?result=good", 400, "invalid", "?result"),
    (f"{J}?user=no-such-user", 400, "invalid", "?user"),
    (f"{J}?ids=zz!", 400, "invalid", "?ids"),
    (f"{J}?ids={','.join(['1'] * 1001)}", 400, "invalid", "?ids"),
    (f"{J}?since=yesterday", 400, "invalid", "?since"),
    (f"{J}?until=-1", 400, "invalid", "?until"),
    (f"{J}?name={'x' * 257}", 400, "invalid", "?name"),
    (f"{J}?queue={'x' * 257}", 400, "invalid", "?queue"),
    (f"{J}?q={'x' * 257}", 400, "invalid", "?q"),
    (f"{J}?sort=nothing", 400, "invalid", "?sort"),
    (f"{J}?sort=-", 400, "invalid", "?sort"),
    (f"{J}?fields=id,nmae", 400, "unknown-field", "?fields"),
    (f"{J}?page=made-up", 400, "invalid", "?page"),
    (f"{J}?page=0.0.0.0.x", 400, "invalid", "?page"),
    (f"{J}?start=-1", 400, "invalid", "?start"),
    (f"{J}?details=maybe", 400, "invalid", "?details"),
    (f"{J}?listing=2", 400, "invalid", "?listing"),
    (f"{J}?wait=run", 400, "invalid", "?ids"),
    (f"{J}?ids=1&wait=ended", 400, "invalid", "?wait"),
    (f"{J}?ids=1&wait=run&timeout=2h", 400, "invalid", "?timeout"),
    (f"{J}?ids=1&wait=run&all=perhaps", 400, "invalid", "?all"),
    (f"{J}/search?start=-1", 400, "invalid", "?start"),
    (f"{J}/search?length=-2", 400, "invalid", "?length"),
    (f"{J}/search?draw=x", 400, "invalid", "?draw"),
    (f"{J}/no!id", 404, "job-not-found", None),
    (NONE, 404, "job-not-found", None),
    (f"{NONE}?wait=sometimes", 400, "invalid", "?wait"),
    (f"{NONE}?timeout=-1", 400, "invalid", "?timeout"),
    (f"{NONE}?fields=id", 400, "unknown-field", "?fields"),
    (f"{NONE}/events", 404, "job-not-found", None),
    (f"{NONE}/events?follow=x", 400, "invalid", "?follow"),
    (f"{NONE}/jobspec", 404, "job-not-found", None),
    (f"{NONE}/jobspec?environment=x", 400, "invalid", "?environment"),
    (f"{NONE}/R", 404, "job-not-found", None),
    (f"{NONE}/output?rank=0", 400, "unknown-field", "?rank"),
    (f"{NONE}/output/stdout", 404, "job-not-found", None),
    (f"{NONE}/output/stdin", 404, "not-found", None),
    (f"{NONE}/output/stream?rank=x", 400, "invalid", "?rank"),
    ("/v1/events?since=made-up", 400, "invalid", None),
    ("/v1/events?state=nope", 400, "invalid", "?state"),
    ("/v1/events?snapshot=x", 400, "invalid", "?snapshot"),
    ("/v1/nodes?details=x", 400, "invalid", "?details"),
    ("/v1/nodes?detials=1", 400, "unknown-field", "?detials"),
    ("/v1/stats?history=long", 400, "invalid", "?history"),
    ("/v1/stats?history=2h", 400, "invalid", "?history"),
    ("/v1/service?x=1", 400, "unknown-field", "?x"),
    ("/v1/nothing", 404, "not-found", None),
    ("/v2/jobs", 404, "not-found", None),
    (S.replace("submit", "cancel"), 405, "method-not-allowed", None),
]
POST = [  # (path, body, status, code, pointer)
    (J, {}, 400, "invalid", "/command"),
    (J, "text", 400, "malformed", None),
    (J, 3, 400, "malformed", None),
    (J, {**OK, "comand": "true"}, 400, "unknown-field", "/comand"),
    (J, {**OK, "num_tasks": 0}, 400, "invalid", "/num_tasks"),
    (J, {**OK, "num_tasks": "x"}, 400, "invalid", "/num_tasks"),
    (J, {**OK, "cores_per_task": 1.5}, 400, "invalid", "/cores_per_task"),
    (J, {**OK, "num_tasks": 100000}, 422, "unsatisfiable", "/num_tasks"),
    (J, {**OK, "exclusive": True}, 400, "invalid", "/exclusive"),
    (J, {**OK, "workdir": 7}, 400, "invalid", "/workdir"),
    (J, {**OK, "envars": 1}, 400, "invalid", "/envars"),
    (J, {**OK, "option_flags": {"-ofast": 1}}, 400, "invalid", "/option_flags/-ofast"),
    (J, {**OK, "runtime": -1}, 400, "invalid", "/runtime"),
    (J, {**OK, "is_launcher": "make"}, 400, "invalid", "/is_launcher"),
    (J, {**OK, "urgency": 32}, 400, "invalid", "/urgency"),
    (J, {**OK, "name": 1}, 400, "invalid", "/name"),
    (J, {**OK, "queue": []}, 400, "invalid", "/queue"),
    (J, {**OK, "dependencies": "x"}, 501, "unsupported", None),
    (J, {**OK, "stdin": 1}, 400, "invalid", "/stdin"),
    (J, {**OK, "rlimits": 1}, 400, "invalid", "/rlimits"),
    (J, {**OK, "label_io": "x"}, 400, "invalid", "/label_io"),
    (J, {"command": []}, 400, "invalid", "/command"),
    (J, {"command": ["a", 1]}, 400, "invalid", "/command"),
    (J, {"command": "a\0b"}, 400, "invalid", "/command"),
    (J, {"command": "'open"}, 400, "invalid", "/command"),
    (J, {**OK, "key": ""}, 400, "invalid", "/key"),
    (J, {**OK, "key": 1}, 400, "invalid", "/key"),
    (J, {**OK, "key": "x" * 256}, 400, "invalid", "/key"),
    (J, {**OK, "jobspec": 1}, 400, "invalid", "/jobspec"),
    (f"{J}?dry_run=x", OK, 400, "invalid", "?dry_run"),
    (f"{J}?dryrun=1", OK, 400, "unknown-field", "?dryrun"),
    (f"{J}?wait=run", [OK], 400, "invalid", "?wait"),
    (f"{J}?wait=soon", OK, 400, "invalid", "?wait"),
    (f"{J}?timeout=x", OK, 400, "invalid", "?timeout"),
    (S, {}, 400, "invalid", "/command"),
    (S, {**OK, "num_tasks": 100000}, 400, "unsatisfiable", "/num_tasks"),
    (f"{S}?command=true&comand=true", None, 400, "unknown-field", "/comand"),
    (f"{J}/cancel", {}, 400, "invalid", None),
    (f"{J}/cancel", {"state": "nope"}, 400, "invalid", "/state"),
    (f"{J}/cancel", {"nmae": "x"}, 400, "unknown-field", "/nmae"),
    (f"{NONE}/cancel", {}, 400, "job-not-found", None),
    (f"{NONE}/cancel", {"reson": "x"}, 400, "unknown-field", "/reson"),
    (f"{NONE}/kill", {"signal": "NOPE"}, 400, "invalid", "/signal"),
    (f"{NONE}/kill", {}, 404, "job-not-found", None),
    (f"{NONE}/urgency", {}, 400, "invalid", "/urgency"),
    (f"{NONE}/urgency", {"urgency": 32}, 400, "invalid", "/urgency"),
    (f"{NONE}/duration", {"duration": "long"}, 400, "invalid", "/duration"),
    (f"{NONE}/duration", {}, 400, "invalid", "/duration"),
    ("/v1/service/stop", {"drian": True}, 400, "unknown-field", "/drian"),
    ("/v1/service/stop", {"drain": "perhaps"}, 400, "invalid", "/drain"),
    ("/v1/nodes", {}, 405, "method-not-allowed", None),
]


def test_there_are_a_hundred():
    assert len(GET) + len(POST) >= 100
    assert len({*map(repr, GET), *map(repr, POST)}) == len(GET) + len(POST)


def check(reply, status, code, pointer):
    body = check_problem(reply, status, code)
    pointers = [error["pointer"] for error in body["errors"]]
    assert pointer is None or pointers == [pointer], body


@pytest.mark.parametrize("path, status, code, pointer", GET, ids=lambda v: str(v)[:40])
def test_get(local, path, status, code, pointer):
    check(local.get(path), status, code, pointer)


@pytest.mark.parametrize("path, body, status, code, pointer", POST, ids=lambda v: str(v)[:40])
def test_post(local, path, body, status, code, pointer):
    options = {} if body is None else {"json": body}
    check(local.post(path, **options), status, code, pointer)
