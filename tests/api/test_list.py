# SPDX-License-Identifier: LGPL-3.0-only
"""GET /v1/jobs: filters, pages, orders, fields, lines, tags, packing, and waiting for many."""

import json
import threading
import time

import pytest
import requests
from restd import check_problem

COUNT = 25


@pytest.fixture(scope="module")
def jobs(daemon):
    """Finished jobs, oldest first, with names of three kinds, and one that is held."""
    lines = [
        {"command": ["true", f"word-{i}"], "name": f"kind{i % 3}-{i}", "urgency": 16}
        for i in range(COUNT)
    ]
    lines.append({"command": "true", "name": "held", "urgency": 0})
    text = "\n".join(json.dumps(line) for line in lines)
    reply = daemon.post(
        "/v1/jobs", data=text.encode(), headers={"Content-Type": "application/x-ndjson"}
    )
    ids = [json.loads(line)["jobid"] for line in reply.text.splitlines()]
    for jobid in ids[:-1]:
        assert daemon.get(f"/v1/jobs/{jobid}?wait=inactive").status_code == 200
    return ids


def ids_of(reply):
    assert reply.status_code == 200, reply.text
    return [job["jobid"] for job in reply.json()["jobs"]]


def test_pages_show_each_job_once(daemon, jobs):
    whole = ids_of(daemon.get("/v1/jobs"))
    seen, cursors, page = [], set(), None
    while True:
        reply = daemon.get("/v1/jobs", params={"limit": 4, "page": page})
        seen += ids_of(reply)
        cursors.add(reply.json()["cursor"])
        page = reply.json()["next"]
        if page is None:
            break
    assert seen == whole
    assert set(jobs) <= set(seen)
    assert len(cursors) == 1


def test_places_in_the_list_by_number(daemon, jobs):
    for params in ({}, {"sort": "-name"}, {"ids": ",".join(jobs)}):
        whole = ids_of(daemon.get("/v1/jobs", params=params))
        for start in (0, 1, 10, len(whole) - 1, len(whole), len(whole) + 5, 1000000000):
            reply = daemon.get("/v1/jobs", params={**params, "start": start, "limit": 3})
            assert ids_of(reply) == whole[start : start + 3]
            assert reply.json()["total"] == len(whole)
            assert reply.json()["next"] is None
    some = daemon.get("/v1/jobs", params={"name": "kind0-*", "start": 2, "limit": 0}).json()
    assert some["jobs"] == [] and some["total"] == 9
    assert "total" not in daemon.get("/v1/jobs").json()
    page = daemon.get("/v1/jobs", params={"limit": 3}).json()["next"]
    check_problem(daemon.get("/v1/jobs", params={"start": -1}), 400, "invalid")
    check_problem(daemon.get("/v1/jobs", params={"start": 1, "page": page}), 400, "invalid")


def test_pages_of_a_sorted_list(daemon, jobs):
    for sort in ("name", "-name", "id", "-t_submit"):
        seen, page = [], None
        while True:
            params = {"limit": 7, "page": page, "sort": sort, "name": "kind*"}
            reply = daemon.get("/v1/jobs", params=params)
            seen += [job[sort.lstrip("-")] for job in reply.json()["jobs"]]
            page = reply.json()["next"]
            if page is None:
                break
        assert len(seen) == COUNT
        assert seen == sorted(seen, reverse=sort.startswith("-"))


def test_pages_while_jobs_come(daemon, jobs):
    """A job that comes while somebody turns pages makes none of the others come twice."""
    first = daemon.get("/v1/jobs", params={"limit": 5, "state": "inactive"}).json()
    daemon.run("true")
    second = daemon.get(
        "/v1/jobs", params={"limit": 5, "state": "inactive", "page": first["next"]}
    ).json()
    shown = [job["id"] for page in (first, second) for job in page["jobs"]]
    assert len(set(shown)) == 10
    assert second["cursor"] == first["cursor"]


def test_pages_are_of_their_list(daemon, jobs):
    page = daemon.get("/v1/jobs", params={"limit": 2}).json()["next"]
    check_problem(daemon.get("/v1/jobs", params={"page": page, "state": "active"}), 400, "invalid")
    check_problem(daemon.get("/v1/jobs", params={"page": "2"}), 400, "invalid")
    parts = page.split(".")
    parts[4] = "0" * 16  # another instance
    check_problem(daemon.get("/v1/jobs", params={"page": ".".join(parts)}), 410, "cursor-gone")


@pytest.mark.parametrize(
    "query, count",
    [("name=kind1*", 8), ("name=kind?-7", 1), ("name=nothing", 0), ("q=WORD-2", 6),
     ("q=kind0", 9), ("state=pending&name=held", 1), ("result=failed&name=kind*", 0),
     ("result=completed&name=kind*", COUNT), ("since=4000000000&name=kind*", 0),
     ("until=1000000000", 0), ("until=4000000000&name=kind*", COUNT), ("queue=nothing", 0),
     ("name=kind*&user=all", COUNT), ("name=kind*&user=4000000000", 0)],
)  # fmt: skip
def test_filters(daemon, jobs, query, count):
    assert len(ids_of(daemon.get(f"/v1/jobs?{query}"))) == count


def test_ids(daemon, jobs):
    wanted = [jobs[3], jobs[9], "ƒ1111111"]
    reply = daemon.get("/v1/jobs", params={"ids": ",".join(wanted + wanted)})
    assert sorted(ids_of(reply)) == sorted(wanted[:2])


def test_fields(daemon, jobs):
    reply = daemon.get("/v1/jobs", params={"fields": "jobid,state,annotations", "limit": 3})
    for job in reply.json()["jobs"]:
        assert list(job) == ["jobid", "state", "annotations"]
    everything = set(daemon.job(jobs[0]))
    for field in everything:
        job = daemon.get("/v1/jobs", params={"fields": field, "ids": jobs[0]}).json()["jobs"][0]
        assert job == {field: daemon.job(jobs[0])[field]}


@pytest.mark.parametrize(
    "query, word",
    [("fields=jobbid", "jobid"), ("sort=nme", "name"), ("sort=nothing-at-all", "sorted"),
     ("ids=x", "no job id"), ("user=nobody-here", "no user"), ("since=yesterday", "seconds"),
     ("nmae=x", "name"), ("limit=100001", "at most"), ("wait=run", "ids")],
)  # fmt: skip
def test_faults(daemon, query, word):
    assert word in check_problem(daemon.get(f"/v1/jobs?{query}"), 400)["detail"]


def test_lines(daemon, jobs):
    reply = daemon.get("/v1/jobs?name=kind*", headers={"Accept": "application/x-ndjson"})
    assert reply.headers["Content-Type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in reply.text.splitlines()]
    assert [line["jobid"] for line in lines] == ids_of(daemon.get("/v1/jobs?name=kind*"))


def test_tags(daemon, jobs):
    for path in (f"/v1/jobs/{jobs[0]}", "/v1/jobs", "/v1/jobs?state=inactive", "/v1/jobs?details"):
        tag = daemon.get(path).headers["ETag"]
        reply = daemon.get(path, headers={"If-None-Match": tag})
        assert (reply.status_code, reply.content) == (304, b""), path
        assert reply.headers["ETag"] == tag
        reply = daemon.get(path, headers={"If-None-Match": '"other"'})
        assert reply.status_code == 200
    tag = daemon.get("/v1/jobs").headers["ETag"]
    one = daemon.get(f"/v1/jobs/{jobs[0]}").headers["ETag"]
    daemon.run("true")
    assert daemon.get("/v1/jobs", headers={"If-None-Match": tag}).status_code == 200
    reply = daemon.get(f"/v1/jobs/{jobs[0]}", headers={"If-None-Match": one})
    assert reply.status_code == 304


def test_who_missed_a_change_need_not_wait(daemon):
    jobid = daemon.submit("true", urgency=0)
    tag = daemon.get(f"/v1/jobs/{jobid}").headers["ETag"]
    daemon.request("DELETE", f"/v1/jobs/{jobid}")
    daemon.wait_end(jobid)
    begun = time.monotonic()
    reply = daemon.get(
        f"/v1/jobs/{jobid}?wait=change&timeout=1h", headers={"If-None-Match": tag}
    )
    assert reply.status_code == 200 and time.monotonic() - begun < 60


def test_large_lists_are_packed(daemon, jobs):
    reply = daemon.get("/v1/jobs", headers={"Accept-Encoding": "gzip"})
    assert reply.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in reply.headers["Vary"]
    plain = daemon.get("/v1/jobs", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    assert ids_of(reply) == ids_of(plain)
    refused = daemon.get("/v1/jobs", headers={"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in refused.headers


def test_head(daemon, jobs):
    for headers in ({}, {"Accept": "application/x-ndjson"}):
        reply = daemon.request("HEAD", "/v1/jobs", headers=headers)
        assert (reply.status_code, reply.content) == (200, b"")


def test_wait_for_many(daemon, jobs):
    gate = [daemon.submit("true", urgency=0) for _ in range(3)]
    params = {"ids": ",".join(gate), "wait": "inactive", "timeout": 0}
    assert daemon.get("/v1/jobs", params=params).status_code == 202
    replies = {}

    def ask(all_of_them):
        url = daemon.url + "/v1/jobs"
        more = {"timeout": 60, "all": all_of_them}
        replies[all_of_them] = requests.get(url, params={**params, **more})

    threads = [threading.Thread(target=ask, args=(word,)) for word in ("true", "false")]
    for thread in threads:
        thread.start()
    daemon.request("DELETE", f"/v1/jobs/{gate[0]}")
    threads[1].join()
    assert replies["false"].status_code == 200
    assert "INACTIVE" in [job["state"] for job in replies["false"].json()["jobs"]]
    for jobid in gate[1:]:
        daemon.request("DELETE", f"/v1/jobs/{jobid}")
    threads[0].join()
    assert {job["state"] for job in replies["true"].json()["jobs"]} == {"INACTIVE"}
