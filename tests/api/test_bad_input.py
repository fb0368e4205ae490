# SPDX-License-Identifier: LGPL-3.0-only
"""Whatever a client may send wrong: each is refused by name, and costs the daemon nothing."""

import json
import socket

import pytest
import requests
from restd import check_problem, read_to_end

JSON = {"Content-Type": "application/json"}
HUGE = "9" * 400


def send(daemon, data, headers=None):
    return daemon.post("/v1/jobs/submit", data=data, headers=headers or JSON)


def submit(daemon, **fields):
    return daemon.post("/v1/jobs/submit", json={"command": "true", **fields})


# Bodies that are no request

BODIES = {
    "empty": b"",
    "blank": b"  \n ",
    "half an object": b'{"command": "tr',
    "half a key": b'{"com',
    "two objects": b'{"command": "true"} {"command": "true"}',
    "trailing comma": b'{"command": "true",}',
    "array": b"[]",
    "array of objects": b'[{"command": "true"}]',
    "text": b'"true"',
    "number": b"1",
    "null": b"null",
    "true": b"true",
    "not a number": b'{"command": "true", "num_tasks": NaN}',
    "infinite": b'{"command": "true", "num_tasks": 1e999}',
    "single quotes": b"{'command': 'true'}",
    "invalid UTF-8": b'{"command": "\xff\xfe"}',
    "overlong UTF-8": b'{"command": "\xc0\xaf"}',
    "surrogate in UTF-8": b'{"command": "\xed\xa0\x80"}',
    "half a surrogate pair": b'{"command": "\\ud83d"}',
    "NUL": b'{"command": "true\\u0000"}',
    "raw NUL": b'{"command": "tr\x00ue"}',
    "NUL in a word": b'{"command": ["tr\\u0000ue"]}',
    "NUL in a key": b'{"command": "true", "na\\u0000me": "x"}',
    "NUL in a name": b'{"command": "true", "name": "a\\u0000b"}',
    "NUL in a folder": b'{"command": "true", "workdir": "/a\\u0000b"}',
    "NUL in the environment": b'{"command": "true", "envars": {"A": "x\\u0000y"}}',
    "deep array": b"[" * 100_000,
    "deep object": b'{"command":' * 50_000,
    "deep value": b'{"command": "true", "envars": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "binary": bytes(range(256)),
}


@pytest.mark.parametrize("name", BODIES)
def test_body(daemon, name):
    body = check_problem(send(daemon, BODIES[name]), 400)
    assert body["code"] in ("malformed", "invalid", "unknown-field")


def test_form_that_is_none(daemon):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for data in (b"%", b"=", b"&&&", b"command", b"command=%ff", b"command=a%00b", b"%00=a"):
        check_problem(send(daemon, data, form), 400)


@pytest.mark.parametrize("kind", ["text/xml", "text/plain", "image/png", "application/x"])
def test_content_type_that_is_not_taken(daemon, kind):
    reply = send(daemon, b'{"command": "true"}', {"Content-Type": kind})
    check_problem(reply, 415, "media-type")


# Fields that are wrong

WRONG = {
    "command": [7, {}, True, 1.5, [[]], [{"a": "b"}], [None], "echo 'open", 'echo "open', "end \\"],
    "num_tasks": ["two", 1.5, [], {}, True, 0, -1, 2**31, 1e300, "1 2", "0x2"],
    "cores_per_task": ["x", 0, -3, 2**40, [1], 1.5],
    "num_nodes": ["x", 0, -1, [1], 2**40],
    "exclusive": ["perhaps", [], 7],
    "workdir": [7, [], {}],
    "envars": [[], 7, "no equals sign", {"A=B": "c"}, {"": "c"}, {"A": {"b": "c"}}],
    "option_flags": [7, ["a=b"], {"-o": "x"}],
    "runtime": [-1, "soon", [], {}, "-5s", "1 fortnight"],
    "is_launcher": ["perhaps", [], 7],
    "name": [7, [], {}],
    "urgency": [-1, 32, 1.5, "soon", []],
}
CASES = [(field, value) for field, values in WRONG.items() for value in values]


@pytest.mark.parametrize("field, value", CASES, ids=lambda v: repr(v)[:30])
def test_field(daemon, field, value):
    reply = submit(daemon, **{field: value})
    body = check_problem(reply, 400)
    assert body["errors"], body
    for error in body["errors"]:
        assert error["pointer"] == f"/{field}" or error["pointer"].startswith(f"/{field}/"), error


def test_open_quote_is_called_so(daemon):
    body = check_problem(submit(daemon, command="echo 'open"), 400)
    assert "quote" in body["errors"][0]["detail"]


@pytest.mark.parametrize("field", ["num_tasks", "cores_per_task", "urgency"])
@pytest.mark.parametrize("value", ["-1", "x", "1.5", HUGE, "1e3", "0x1"])
def test_query_field(daemon, field, value):
    reply = daemon.post("/v1/jobs/submit", params={"command": "true", field: value})
    body = check_problem(reply, 400)
    assert len(body["errors"]) == 1
    assert body["errors"][0]["pointer"].lstrip("?/") == field


def test_every_wrong_field_is_named(daemon):
    wrong = {field: values[0] for field, values in WRONG.items() if field != "command"}
    body = check_problem(submit(daemon, **wrong), 400)
    named = {error["pointer"].split("/")[1] for error in body["errors"]}
    # exclusive and is_launcher depend on other fields, and may be judged with those.
    assert set(wrong) - {"is_launcher"} <= named


def test_numbers_without_end(daemon):
    for number in (2**63, 2**64, HUGE, "-" + HUGE, "1" + "0" * 5000, "0." + "9" * 5000, "1e-99999"):
        for field in ("num_tasks", "urgency"):
            check_problem(send(daemon, f'{{"command": "true", "{field}": {number}}}'), 400)


# Too much of something


def test_body_over_the_limit(daemon):
    """Announced by Content-Length: refused without reading it."""
    head = (
        f"POST /v1/jobs/submit HTTP/1.1\r\nHost: 127.0.0.1:{daemon.port}\r\n"
        "Content-Type: application/json\r\nContent-Length: 1099511627776\r\n\r\n"
    )
    reply = daemon.raw(head.encode() + b'{"command": "')
    status, _, rest = reply.partition(b"\r\n")
    assert status.startswith(b"HTTP/1.1 413 "), reply[:200]
    body = json.loads(rest.partition(b"\r\n\r\n")[2])
    assert (body["status"], body["code"]) == (413, "too-large")


def test_chunked_body_over_the_limit(daemon):
    """Without a length it is answered or cut once it has grown beyond the limit."""
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    sent = 0
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=10) as sock:
        head = (
            f"POST /v1/jobs/submit HTTP/1.1\r\nHost: 127.0.0.1:{daemon.port}\r\n"
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        reply = b""
        try:
            sock.sendall(head.encode())
            while sent < 512 << 20:
                sock.sendall(chunk)
                sent += 0x10000
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            pass
        reply = read_to_end(sock)
    assert sent < 512 << 20, "half a gigabyte was taken in"
    assert reply == b"" or reply.startswith(b"HTTP/1.1 413 "), reply[:200]
    assert daemon.rss() < 2 << 30
    assert daemon.get("/livez").status_code == 200


def too_many(reply, count):
    """A problem; but a request line that fills the buffer gets the HTTP library's own page."""
    if count < 2000:
        check_problem(reply, 400, "too-large")
    else:
        assert reply.status_code in (413, 414, 431), reply.text


@pytest.mark.parametrize("count", [1000, 3000])
def test_many_parameters(daemon, count):
    query = "&".join(f"a{n}=1" for n in range(count))
    for path in ("/v1/jobs", "/v1/nodes", "/v1/jobs/search"):
        too_many(daemon.get(f"{path}?{query}"), count)
    too_many(daemon.post(f"/v1/jobs/submit?command=true&{query}"), count)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    check_problem(send(daemon, f"command=true&{query}".encode(), form), (400, 413))
    assert daemon.get("/livez").status_code == 200


def test_many_members(daemon):
    body = check_problem(submit(daemon, **{f"a{n}": n for n in range(3000)}), 400)
    assert len(json.dumps(body)) < 100_000, "the reply grows with the request"


def test_long_texts(daemon):
    for path in ("/v1/jobs/" + "1" * 5000, "/v1/" + "x" * 5000, "/v1/jobs?name=" + "x" * 5000):
        assert daemon.get(path).status_code in (200, 400, 404, 414, 431)
    reply = daemon.get("/livez", headers={"X-Long": "x" * 200_000})
    assert reply.status_code in (400, 413, 431)


# Ids that are none

IDS = [
    "-1", "1.5", "x", "abc def", "%C6%92", "f0OIl", "%C6%92IIII", "0x", "0xzz", "9" * 30,
    "18446744073709551615", "18446744073709551616", "0000.0000", "0000.0000.0000.zzzz", "job.",
    "job.1.2", "%ff", "%c6", "..%2f..", "1%2f2", "%20", "null", "%27%22", "1;2", "%F0%9F%A5%9E",
    "1" * 2000, "%2500", "{id}", "1e3", "+1",
]  # fmt: skip


@pytest.mark.parametrize("jobid", IDS, ids=lambda v: v[:30])
def test_id(daemon, jobid):
    check_problem(daemon.get(f"/v1/jobs/{jobid}"), (400, 404))
    check_problem(daemon.get(f"/jobs/{jobid}"), (400, 404))
    body = check_problem(daemon.post(f"/v1/jobs/{jobid}/cancel"), (400, 404))
    assert body["Message"]
    check_problem(daemon.get(f"/v1/jobs/{jobid}/output/stream"), (400, 404))
    reply = daemon.get(f"/v1/jobs/{jobid}/output")
    if reply.status_code == 200:  # as older clients expect of any id
        assert "Message" in reply.json()
    else:
        check_problem(reply, (400, 404))


def test_nul_in_a_path_or_query(daemon):
    for path in ("/v1/jobs/%00", "/v1/jobs/1%00", "/v1/%00", "/v1/jobs?name=%00"):
        check_problem(daemon.get(path), (400, 404))


def test_path_that_is_no_utf8(daemon):
    for path in ("/v1/%ff", "/%c0%af", "/v1/jobs?name=%ff", "/v1/jobs/%ed%a0%80"):
        check_problem(daemon.get(path), (400, 404))


def test_cancel_bodies(daemon):
    jobid = daemon.submit("sleep 600")
    try:
        for data in (b"{", b"[]", b'{"reason": 7}', b'{"raison": "x"}', b'{"reason": "a\\u0000"}'):
            reply = daemon.post(f"/v1/jobs/{jobid}/cancel", data=data, headers=JSON)
            check_problem(reply, 400)
        assert daemon.job(jobid)["state"] != "INACTIVE"
    finally:
        daemon.cancel_all()


# And afterwards


def one_round(daemon):
    """Some of each kind of fault, on a kept connection and on new ones."""
    for name in ("half an object", "invalid UTF-8", "deep array", "NUL", "binary", "empty"):
        send(daemon, BODIES[name])
    submit(daemon, num_tasks="x", envars=[], runtime=-1, nothing=1)
    submit(daemon, command="echo 'open")
    daemon.get("/v1/jobs/xyz")
    daemon.get("/v1/jobs?state=x&limit=-1")
    daemon.post("/v1/jobs/xyz/cancel")
    daemon.request("DELETE", "/v1/nodes")
    daemon.get("/nothing")
    start = b"POST /v1/jobs/submit HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
    daemon.raw(start + b"-1\r\n\r\n")
    with socket.create_connection(("127.0.0.1", daemon.port)) as sock:
        sock.sendall(start + b"99\r\n\r\n{")


def test_faults_leave_nothing_behind(local):
    """After two hundred rounds as many descriptors and about as much memory as after twenty."""
    for _ in range(20):
        one_round(local)
    local.session.close()
    assert local.get("/livez").status_code == 200
    local.check_fds()
    memory = local.rss()
    for _ in range(200):
        one_round(local)
    local.check_fds()
    # AddressSanitizer keeps what is freed in quarantine for a while.
    grown = local.rss() - memory
    assert grown < (300 << 20 if local.is_sanitized() else 8 << 20), f"{grown} bytes more"
    assert local.jobs() == [], "a refused request left a job"


def test_no_job_came_of_any_of_it(daemon):
    """All that this module submitted in order was cancelled; nothing else is there."""
    assert {job["command"] for job in daemon.jobs()} <= {"sleep 600"}
    job, output = daemon.run("echo well")
    assert (job["result"], output) == ("COMPLETED", "well\n")
