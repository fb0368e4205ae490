# SPDX-License-Identifier: LGPL-3.0-only
"""How the web page is served; tests/web has what it does."""

import gzip
import re

import pytest
from restd import check_problem

BROWSER = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"
    "*/*;q=0.8"
}
PATHS = ["/", "/jobs", "/jobs/f2oLkTLb", "/jobs/submit", "/nodes", "/docs"]


@pytest.fixture(scope="module")
def page(local):
    """The document's text, where the daemon has a page."""
    reply = local.get("/jobs", headers=BROWSER)
    if not reply.headers["Content-Type"].startswith("text/html"):
        pytest.skip("the daemon is built without the page")
    return reply.text


@pytest.mark.parametrize("path", PATHS)
def test_a_browser_gets_the_page(local, page, path):
    reply = local.get(path, headers=BROWSER)
    assert reply.status_code == 200
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    assert reply.text == page
    assert reply.headers["Vary"] == "Accept"
    assert reply.headers["X-Frame-Options"] == "DENY"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    rules = dict(r.strip().split(" ", 1) for r in reply.headers["Content-Security-Policy"].split(";"))
    assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    again = local.get(path, headers={**BROWSER, "If-None-Match": reply.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = local.request("HEAD", path, headers=BROWSER)
    assert (head.status_code, head.headers["ETag"]) == (200, reply.headers["ETag"])


def test_the_document_holds_no_script_of_its_own(page):
    assert re.findall(r"<script[^>]*>([^<]*)</script>", page) == [""]
    assert "<style" not in page and "style=" not in page and not re.search(r"\son\w+=", page)


def test_what_it_loads(local, page):
    names = re.findall(r'(?:href|src)="(/assets/[^"]+)"', page)
    assert len(names) == len(set(names)) >= 3
    for name in names:
        reply = local.get(name, headers={"Accept-Encoding": "gzip"}, stream=True)
        assert reply.status_code == 200
        assert reply.headers["Content-Encoding"] == "gzip"
        assert "immutable" in reply.headers["Cache-Control"]
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        packed = reply.raw.read()
        assert len(packed) == int(reply.headers["Content-Length"]) < 250_000
        assert gzip.decompress(packed)
        again = local.get(name, headers={"If-None-Match": f'"x", {reply.headers["ETag"]}'})
        assert again.status_code == 304
        check_problem(local.get(name, headers={"Accept-Encoding": "identity"}), 406)
    check_problem(local.get("/assets/none.js"), 404, "not-found")


def test_programs_get_json(local, page):
    for accept in ("*/*", "application/json", "application/json, text/html", "text/html;q=0.1, */*"):
        for path in ("/jobs", "/nodes"):
            reply = local.get(path, headers={"Accept": accept})
            assert reply.headers["Content-Type"].startswith("application/json"), accept
    assert local.get("/jobs/search", headers=BROWSER).json()["data"] == []
    assert local.post("/jobs", json={}, headers=BROWSER).status_code == 400


def test_the_page_needs_no_credentials_and_what_it_asks_does(make_daemon, page):
    daemon = make_daemon(env={"FLUX_REQUIRE_AUTH": "true", "FLUX_USER": "u", "FLUX_TOKEN": "t"})
    daemon.session.auth = ("u", "t")
    daemon.start()
    daemon.session.auth = None
    assert daemon.get("/jobs", headers=BROWSER).text == page
    assert daemon.get("/jobs").status_code == 401
    daemon.session.auth = ("u", "t")
