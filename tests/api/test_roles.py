# SPDX-License-Identifier: LGPL-3.0-only
"""Every route with every kind of credentials, out of the daemon's own list of routes."""

import pytest
import requests
from restd import LIMIT, Daemon, check_problem, skip_unless_possible, wait_for

USER, TOKEN = "walker", "walking-stick-of-the-walker"
BASIC = (USER, TOKEN)
ROLES = ["public", "read", "submit", "admin"]
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def bearer(text):
    return {"Authorization": f"Bearer {text}"}


def make_token(daemon, name, role, expires="1h"):
    reply = daemon.post(
        "/v1/tokens", json={"name": name, "role": role, "expires": expires}, auth=BASIC
    )
    assert reply.status_code == 201, reply.text
    return reply.json()["token"]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A daemon that demands credentials of everyone, with a token of each role."""
    skip_unless_possible("local")
    env = {"FLUX_USER": USER, "FLUX_TOKEN": TOKEN, "FLUX_REQUIRE_AUTH": "1"}
    one = Daemon(tmp_path_factory.mktemp("roles"), env=env, args=["--failed-sign-ins=10000"])
    try:
        one.start()
        one.tokens = {role: make_token(one, role, role) for role in ROLES[1:]}
        one.expired = make_token(one, "expired", "admin", 0.2)
        wait_for(
            "the token has expired",
            lambda: one.get("/v1/service", headers=bearer(one.expired)).status_code == 401,
        )
        yield one
    finally:
        one.session.auth = BASIC
        one.finish()


def routes(daemon):
    """(method, path, role) of all routes, the one that stops the daemon last."""
    document = daemon.get("/openapi.json", auth=BASIC).json()
    found = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            concrete = path.replace("{id}", "f1").replace("{name}", "n0")
            concrete = concrete.replace("{token}", "nobody")
            found.append((method.upper(), concrete, operation["x-role"]))
            if method == "get":
                found.append(("HEAD", concrete, operation["x-role"]))
    return sorted(found, key=lambda route: route[1].endswith("/service/stop"))


def ask(daemon, method, path, headers=None, auth=None):
    """The reply's head: a stream has no end."""
    with requests.Session() as session:
        session.trust_env = False
        reply = session.request(
            method, daemon.url + path, headers=headers, auth=auth, stream=True, timeout=LIMIT
        )
        if reply.status_code >= 400:
            _ = reply.content
        reply.close()
        return reply


def bad_credentials(daemon):
    other = daemon.tokens["admin"][:-1] + ("A" if daemon.tokens["admin"][-1] != "A" else "B")
    return {
        "none": {},
        "an empty header": {"headers": {"Authorization": ""}},
        "a wrong token": {"auth": (USER, "wrong")},
        "a wrong user": {"auth": ("wrong", TOKEN)},
        "a wrong bearer": {"headers": bearer("wrong")},
        "no token of ours": {"headers": bearer(other)},
        "no token of ours as a password": {"auth": (USER, other)},
        "an expired token": {"headers": bearer(daemon.expired)},
        "an expired token as a password": {"auth": (USER, daemon.expired)},
        "a forged JWT": {"headers": bearer("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ3YWxrZXIifQ.")},
        "another scheme": {"headers": {"Authorization": "Digest username=walker"}},
    }


def test_the_walk_sees_routes_of_every_role(guarded):
    found = routes(guarded)
    assert {role for _, _, role in found} == set(ROLES)
    assert len(found) > 80
    public = {path for _, path, role in found if role == "public"}
    assert public <= {"/livez", "/readyz", "/healthz", "/docs", "/v1/token"}
    # Whatever is no read takes more than the role for reading.
    weak = {(m, p) for m, p, r in found if m not in ("GET", "HEAD") and r in ("public", "read")}
    assert weak <= {("POST", "/v1/token")}


def test_bad_credentials_on_every_route(guarded):
    for method, path, role in routes(guarded):
        if role == "public":
            continue
        for name, how in bad_credentials(guarded).items():
            reply = ask(guarded, method, path, **how)
            assert reply.status_code == 401, (method, path, name)
            assert reply.headers["WWW-Authenticate"].startswith("Basic "), (method, path, name)
            if method != "HEAD":
                check_problem(reply, 401, "unauthorized")
    assert guarded.process.poll() is None


def test_too_small_a_role_on_every_route(guarded):
    for method, path, role in routes(guarded):
        for smaller in ROLES[1 : ROLES.index(role)]:
            for how in (
                {"headers": bearer(guarded.tokens[smaller])},
                {"auth": ("anybody", guarded.tokens[smaller])},
            ):
                reply = ask(guarded, method, path, **how)
                assert reply.status_code == 403, (method, path, smaller)
                if method != "HEAD":
                    body = check_problem(reply, 403, "forbidden")
                    assert role in body["detail"] and smaller in body["detail"]
    assert guarded.process.poll() is None


def test_the_page_holds_no_data_and_what_it_shows_is_guarded(guarded):
    guarded.session.auth = BASIC
    guarded.run("true", name="not-for-strangers")
    guarded.session.auth = None
    for path in ("/", "/jobs", "/jobs/f1", "/jobs/submit", "/nodes", "/docs"):
        reply = guarded.get(path, headers=BROWSER)
        assert reply.status_code in (200, 401, 404, 405), path
        assert "not-for-strangers" not in reply.text
        assert reply.status_code != 200 or reply.headers["Content-Type"].startswith("text/html")
    for accept in ("text/html", "application/json", "text/event-stream", "application/x-ndjson"):
        for path in ("/v1/jobs", "/v1/events?snapshot=true", "/v1/stats", "/v1/nodes",
                     "/v1/jobs/f1/events", "/v1/jobs/f1/output/stream", "/metrics",
                     "/v1/service", "/openapi.json"):  # fmt: skip
            reply = ask(guarded, "GET", path, headers={"Accept": accept})
            assert reply.status_code == 401, (accept, path)


def test_a_jobs_environment_is_for_who_may_submit(guarded):
    guarded.session.auth = BASIC
    job, _ = guarded.run("true", envars={"HIDDEN": "treasure"})
    guarded.session.auth = None
    path = f"/v1/jobs/{job['jobid']}/jobspec"
    read, submit = bearer(guarded.tokens["read"]), bearer(guarded.tokens["submit"])
    assert "treasure" not in guarded.get(path, headers=read).text
    refused = guarded.get(path + "?environment=true", headers=read)
    check_problem(refused, 403, "forbidden")
    assert "treasure" in guarded.get(path + "?environment=true", headers=submit).text


@pytest.mark.parametrize("role", ROLES[1:])
def test_who_one_is(guarded, role):
    told = guarded.get("/v1/service", headers=bearer(guarded.tokens[role])).json()
    assert told["user"] == f"token:{role}"
    assert told["identified_by"] == "token"
    assert told["roles"] == ROLES[1 : ROLES.index(role) + 1]


def test_good_credentials_on_every_route(guarded):
    """Last, for the walk ends by stopping the daemon."""
    stopped = []
    for method, path, role in routes(guarded):
        if path.endswith("/service/stop"):
            stopped.append((method, path))
            continue
        for big in ROLES[max(1, ROLES.index(role)) :]:
            for how in (
                {"headers": bearer(guarded.tokens[big])},
                {"auth": ("anybody", guarded.tokens[big])},
            ):
                reply = ask(guarded, method, path, **how)
                assert reply.status_code not in (401, 403), (method, path, big)
        for how in ({"auth": BASIC}, {"headers": bearer(TOKEN)}):
            reply = ask(guarded, method, path, **how)
            assert reply.status_code not in (401, 403), (method, path)
    assert {path for _, path in stopped} == {"/v1/service/stop", "/service/stop"}
    reply = guarded.post("/v1/service/stop", headers=bearer(guarded.tokens["admin"]))
    assert reply.status_code == 200
    guarded.wait_for_end()
