# SPDX-License-Identifier: LGPL-3.0-only
"""The service about itself: health, /v1/service, the OpenAPI document, and unknown addresses."""

import re

import pytest
from restd import check_problem

# Method and path of every call that a client may rely on, and whether it is there without /v1.
ROUTES = [
    ("POST", "/v1/jobs/submit", True),
    ("POST", "/v1/jobs", True),
    ("GET", "/v1/jobs", True),
    ("GET", "/v1/jobs/search", True),
    ("GET", "/v1/jobs/{id}", True),
    ("POST", "/v1/jobs/{id}/cancel", True),
    ("DELETE", "/v1/jobs/{id}", True),
    ("POST", "/v1/jobs/cancel", True),
    ("POST", "/v1/jobs/{id}/kill", True),
    ("POST", "/v1/jobs/{id}/urgency", True),
    ("POST", "/v1/jobs/{id}/duration", True),
    ("GET", "/v1/jobs/{id}/events", True),
    ("GET", "/v1/jobs/{id}/jobspec", True),
    ("GET", "/v1/jobs/{id}/R", True),
    ("GET", "/v1/jobs/{id}/output", True),
    ("GET", "/v1/jobs/{id}/output/stream", True),
    ("GET", "/v1/jobs/{id}/output/stdout", True),
    ("GET", "/v1/jobs/{id}/output/stderr", True),
    ("GET", "/v1/nodes", True),
    ("POST", "/v1/nodes/{name}/drain", True),
    ("POST", "/v1/nodes/{name}/undrain", True),
    ("GET", "/v1/queues", True),
    ("POST", "/v1/service/stop", True),
    ("GET", "/v1/service", False),
    ("GET", "/v1/stats", False),
    ("GET", "/metrics", False),
    ("GET", "/livez", False),
    ("GET", "/readyz", False),
    ("GET", "/healthz", False),
    ("GET", "/openapi.json", False),
    ("GET", "/", False),
]
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@pytest.fixture(scope="module")
def openapi(daemon):
    reply = daemon.get("/openapi.json")
    assert reply.status_code == 200
    assert reply.headers["Content-Type"].startswith("application/json")
    return reply.json()


@pytest.fixture(scope="module")
def ended(daemon):
    return daemon.run("echo ended")[0]["jobid"]


def allowed(reply):
    return {word.strip() for word in reply.headers["Allow"].split(",")}


def bare(path):
    """A path whose parameters have no names, so that two can be compared."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def operations(document):
    """Every (method, path) that the document describes."""
    return [
        (method.upper(), path)
        for path, item in document["paths"].items()
        for method in item
        if method.upper() in METHODS
    ]


# Health


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
def test_health(daemon, path):
    assert daemon.get(path).status_code == 200
    reply = daemon.request("HEAD", path)
    assert (reply.status_code, reply.content) == (200, b"")


def test_service(daemon):
    reply = daemon.get("/v1/service")
    assert reply.status_code == 200
    body = reply.json()
    assert re.match(r"\d+\.\d+", body["version"])
    said = body["engine"]
    assert (said["name"] if isinstance(said, dict) else said) == daemon.engine
    assert body["uptime"] >= 0
    assert body["instance"]


def test_page(daemon):
    reply = daemon.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert reply.status_code == 200
    assert reply.headers["Content-Type"].startswith("text/html")
    assert "<html" in reply.text.lower()
    policy = reply.headers["Content-Security-Policy"]
    assert "unsafe-eval" not in policy and "*" not in policy.split()


@pytest.mark.parametrize("path", ["/jobs", "/nodes"])
def test_programs_do_not_get_the_page(daemon, path):
    for accept in ("*/*", "application/json", "application/json, text/html;q=0.5"):
        reply = daemon.get(path, headers={"Accept": accept})
        assert reply.headers["Content-Type"].startswith("application/json"), accept


# The published contract, both ways


def test_openapi_is_whole(openapi):
    assert openapi["openapi"].startswith("3.1.")
    assert openapi["info"]["title"] and openapi["info"]["version"]
    for method, path in operations(openapi):
        operation = openapi["paths"][path][method.lower()]
        assert operation["responses"], (method, path)
        assert operation.get("summary"), (method, path)
        named = {
            p["name"]
            for p in operation.get("parameters", []) + openapi["paths"][path].get("parameters", [])
            if p.get("in") == "path"
        }
        assert named == set(re.findall(r"\{([^}]*)\}", path)), (method, path)


def test_openapi_has_every_route(openapi):
    described = {(method, bare(path)) for method, path in operations(openapi)}
    missing = [r[:2] for r in ROUTES if (r[0], bare(r[1])) not in described]
    assert not missing


def test_references_lead_somewhere(openapi):
    def walk(node):
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            for value in node.values():
                yield from walk(value)
        elif isinstance(node, list):
            for value in node:
                yield from walk(value)

    for reference in set(walk(openapi)):
        target = openapi
        assert reference.startswith("#/"), reference
        for step in reference[2:].split("/"):
            target = target[step.replace("~1", "/").replace("~0", "~")]


def test_every_described_call_is_there(daemon, openapi, ended):
    """It answers, whatever it thinks of the request, as something that exists."""
    for method, path in operations(openapi):
        where = re.sub(r"\{[^}]*\}", ended, path)
        if where.endswith("/service/stop") or "{name}" in path or "{token}" in path:
            # Not called, for it would work, or finds nothing of that name: another method tells
            # that this one is there.
            reply = daemon.get(where)
            assert reply.status_code == 405 and method.upper() in allowed(reply)
        else:
            with daemon.request(method, where, stream=True) as reply:
                assert reply.status_code not in (404, 405), (method, where, reply.status_code)


def test_no_other_method_is_there(daemon, openapi, ended):
    for path in openapi["paths"]:
        where = re.sub(r"\{[^}]*\}", ended, path)
        methods = {method for method, other in operations(openapi) if other == path}
        for method in set(METHODS) - methods:
            reply = daemon.request(method, where)
            check_problem(reply, 405, "method-not-allowed")
            assert allowed(reply) - {"HEAD", "OPTIONS"} == methods, (method, where)


@pytest.mark.parametrize("method, path", [r[:2] for r in ROUTES if r[2]])
def test_unprefixed_calls_are_there(daemon, ended, method, path):
    where = path.removeprefix("/v1").replace("{id}", ended).replace("{name}", "nowhere")
    reply = daemon.request("PUT", where)
    check_problem(reply, 405, "method-not-allowed")
    assert method in allowed(reply)
    if method == "GET":
        assert daemon.get(where).status_code in (200, 501)
        assert daemon.request("HEAD", where).status_code in (200, 501)


# Addresses that are none


@pytest.mark.parametrize(
    "path",
    ["/v1/nothing", "/nothing", "/v1", "/v1/jobs/1/nothing", "/v2/jobs", "/v1/service/stop/now",
     "/v1//jobs", "/V1/jobs", "/livez/x", "/v1/jobs/1/output/stream/x"],
)  # fmt: skip
def test_unknown_address(daemon, path):
    check_problem(daemon.get(path), 404, "not-found")
    check_problem(daemon.post(path), 404, "not-found")
    reply = daemon.request("HEAD", path)
    assert (reply.status_code, reply.content) == (404, b"")


@pytest.mark.parametrize(
    "path",
    ["/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/v1/jobs/..%2f..%2fnodes", "/.git/config"],
)
def test_no_files_are_served(daemon, path):
    host = f"Host: 127.0.0.1:{daemon.port}"
    reply = daemon.raw(f"GET {path} HTTP/1.1\r\n{host}\r\nConnection: close\r\n\r\n".encode())
    assert re.match(rb"HTTP/1\.1 40[04] ", reply), reply
    assert b"root:" not in reply


@pytest.mark.parametrize(
    "method, path, there",
    [("GET", "/v1/service/stop", "POST"), ("PUT", "/v1/jobs/submit", "POST"),
     ("POST", "/v1/nodes", "GET"), ("DELETE", "/v1/jobs/search", "GET"),
     ("PATCH", "/livez", "GET"), ("BREW", "/v1/nodes", "GET")],
)  # fmt: skip
def test_wrong_method(daemon, method, path, there):
    reply = daemon.request(method, path)
    check_problem(reply, 405, "method-not-allowed")
    assert there in allowed(reply)
    if there == "GET":
        assert "HEAD" in allowed(reply)
