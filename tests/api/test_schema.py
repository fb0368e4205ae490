# SPDX-License-Identifier: LGPL-3.0-only
"""Real replies of every route, held against the published OpenAPI document."""

import re

import pytest
from sse import LINES, Stream

TYPES = {
    "object": dict, "array": list, "string": str, "boolean": bool, "integer": int,
    "number": (int, float), "null": type(None),
}  # fmt: skip


def faults(value, schema, root, where="$"):
    """What is wrong with the value, as texts. The part of JSON Schema that the document uses."""
    if "$ref" in schema:
        target = root
        for step in schema["$ref"][2:].split("/"):
            target = target[step]
        yield from faults(value, target, root, where)
    if "const" in schema and value != schema["const"]:
        yield f"{where}: {value!r} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: {value!r} is none of {schema['enum']}"
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(
        isinstance(value, TYPES[t]) and (t == "boolean") == isinstance(value, bool) for t in types
    ):
        yield f"{where}: {value!r} is no {' or '.join(types)}"
        return
    if "oneOf" in schema and not any(
        not list(faults(value, one, root, where)) for one in schema["oneOf"]
    ):
        yield f"{where}: {value!r} is none of the alternatives"
    if isinstance(value, dict):
        yield from (f"{where}: no {n}" for n in schema.get("required", []) if n not in value)
        for name, member in value.items():
            known = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            if known is False:
                yield f"{where}: {name} is too much"
            elif isinstance(known, dict):
                yield from faults(member, known, root, f"{where}.{name}")
    if isinstance(value, list) and "items" in schema:
        for i, item in enumerate(value):
            yield from faults(item, schema["items"], root, f"{where}[{i}]")


@pytest.fixture(scope="module")
def openapi(daemon):
    return daemon.get("/openapi.json").json()


@pytest.fixture(scope="module")
def places(daemon):
    """What stands for each route's {…}: a finished job, a node, and a token."""
    job, _ = daemon.run(["sh", "-c", "echo out; echo err >&2"])
    daemon.submit("true", urgency=0)
    node = daemon.get("/v1/nodes").json()["nodes"][0]
    yield {"id": job["jobid"], "name": node, "token": "tested"}


# Requests by operationId; one without a recipe here is a GET without a query.
JSON = {"json": {}}
RECIPES = {
    "submitJob": [{"json": {"command": "true"}}, JSON],
    "createJobs": [{"json": {"command": "true"}}, {"json": [{"command": "true"}, {}]}, JSON,
                   {"json": {"command": "true"}, "params": {"dry_run": 1}},
                   {"json": {"command": "true"}, "params": {"wait": "inactive"}}],
    "listJobs": [{}, {"params": {"limit": 1}}, {"params": {"details": 1}},
                 {"params": {"details": 1, "listing": 1}}, {"params": {"fields": "id,why"}},
                 {"params": {"limit": "x"}}],
    "searchJobs": [{}, {"params": {"draw": 3, "search": "x"}}],
    "getJob": [{}, {"params": {"wait": "change", "timeout": 0}}],
    "deleteJob": [{}],
    "cancelJob": [JSON],
    "cancelJobs": [JSON, {"json": {"state": "active"}}],
    "killJob": [JSON], "setUrgency": [{"json": {"urgency": 1}}],
    "setDuration": [{"json": {"duration": 1}}],
    "listNodes": [{}, {"params": {"details": 1}}],
    "drainNode": [{"json": {"reason": "tests"}}], "undrainNode": [{}],
    "exchangeToken": [{}],  # done well: test_handshake.py
    "createToken": [{"json": {"name": "tested", "role": "submit", "expires": "1h"}}, JSON],
    "revokeToken": [{}, {}],
    "getStats": [{}, {"params": {"history": "1h"}}, {"params": {"history": "x"}}],
}  # fmt: skip
# One would end the daemon (test_stop.py holds its reply), the other goes on for ever.
LEFT_OUT = {"stopService", "streamEvents"}


def test_replies_are_as_described(daemon, openapi, places):
    wrong, asked = [], 0
    for path, item in openapi["paths"].items():
        for method, operation in item.items():
            name = operation["operationId"].removesuffix("Unprefixed")
            if name in LEFT_OUT:
                continue
            assert method == "get" or name in RECIPES, f"no request is known for {name}"
            where = re.sub(r"\{(\w+)\}", lambda m: places[m.group(1)], path)
            for options in RECIPES.get(name, [{}]):
                reply = daemon.request(method.upper(), where, **options)
                wrong += check(reply, operation, openapi, f"{method} {path} {options}")
                asked += 1
    assert asked > 50
    assert not wrong, "\n".join(wrong)


def test_events_are_as_described(daemon, openapi):
    content = openapi["paths"]["/v1/events"]["get"]["responses"]["200"]["content"]
    assert set(content) == {"application/x-ndjson", "text/event-stream"}
    schema = content["application/x-ndjson"]["schema"]
    daemon.run("true", name="described")
    seen = set()
    for params in ({"since": 0}, {"snapshot": "true"}):
        with Stream(daemon, "/v1/events", LINES, **params) as stream:
            for kind, _, data in stream:
                seen.add(kind)
                assert not list(faults(data, schema, openapi)), data
                if kind == "caught-up":
                    break
    assert seen == {"job", "snapshot", "caught-up"}
    assert list(faults({"id": 1}, schema, openapi))


def check(reply, operation, openapi, what):
    responses = operation["responses"]
    described = responses.get(str(reply.status_code))
    if described is None:
        if reply.status_code < 400:
            return [f"{what}: {reply.status_code} is not described"]
        described = responses["default"]
    if "$ref" in described:
        described = openapi["components"]["responses"][described["$ref"].rpartition("/")[2]]
    kind = reply.headers["Content-Type"].partition(";")[0]
    if kind not in described["content"]:
        return [f"{what}: {kind} is not described"]
    schema = described["content"][kind].get("schema")
    return [f"{what}: {f}" for f in faults(reply.json(), schema, openapi)] if schema else []


def test_the_validator_finds_faults():
    schema = {
        "type": "object", "required": ["a"], "additionalProperties": False,
        "properties": {"a": {"type": "integer"}, "b": {"oneOf": [{"const": 1}, {"enum": [2]}]}},
    }  # fmt: skip
    for value in ({}, [], {"a": "1"}, {"a": True}, {"a": 1, "c": 1}, {"a": 1, "b": 3}):
        assert list(faults(value, schema, {})), value
    assert not list(faults({"a": 1, "b": 2}, schema, {}))
