# SPDX-License-Identifier: LGPL-3.0-only
"""GET /jobs/search, as a DataTables page and as the older client ask."""

import pytest
from restd import check_problem

COUNT = 7


@pytest.fixture(scope="module")
def jobs(daemon):
    """Seven ended jobs, three of which are called after fruit."""
    names = ["apple", "pear", "plum", "x-1", "x-2", "x-3", "a.c"]
    return [daemon.run(["echo", "of", name], name=name)[0] for name in names]


def search(daemon, prefix="/v1", **query):
    reply = daemon.get(f"{prefix}/jobs/search", params=query)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_all(daemon, prefix, jobs):
    found = search(daemon, prefix)
    assert set(found) == {"data", "draw", "recordsTotal", "recordsFiltered"}
    assert found["recordsTotal"] == found["recordsFiltered"] == len(found["data"]) == COUNT
    assert {row["id"] for row in found["data"]} == {job["id"] for job in jobs}
    for row in found["data"]:
        assert {"id", "jobid", "name", "state", "ranks", "expiration", "duration"} <= set(row)


def test_rows_without_draw_are_counted_as_returned(daemon, prefix, jobs):
    found = search(daemon, prefix, start=1)
    assert (found["recordsTotal"], found["recordsFiltered"]) == (COUNT, COUNT - 1)
    found = search(daemon, prefix, length=3)
    assert (found["recordsTotal"], found["recordsFiltered"]) == (COUNT, 3)
    found = search(daemon, prefix, start=5, length=3)
    assert (found["recordsTotal"], found["recordsFiltered"]) == (COUNT, 2)
    assert len(found["data"]) == 2


def test_matches_with_draw_are_all_counted(daemon, prefix, jobs):
    found = search(daemon, prefix, draw=4, start=1, length=3)
    assert (found["recordsTotal"], found["recordsFiltered"]) == (COUNT, COUNT)
    assert len(found["data"]) == 3
    assert int(found["draw"]) == 4
    found = search(daemon, prefix, **{"draw": 5, "length": 2, "search[value]": "x-"})
    assert (found["recordsTotal"], found["recordsFiltered"]) == (COUNT, 3)
    assert len(found["data"]) == 2


def test_pages_meet_without_gap_or_overlap(daemon, jobs):
    every = [row["id"] for row in search(daemon)["data"]]
    pages = []
    for start in range(0, COUNT, 2):
        pages += search(daemon, draw=1, start=start, length=2)["data"]
    assert [row["id"] for row in pages] == every


def test_length_minus_one_is_all(daemon, jobs):
    assert len(search(daemon, draw=1, start=0, length=-1)["data"]) == COUNT


def test_start_beyond_the_end(daemon, jobs):
    found = search(daemon, draw=1, start=1000, length=10)
    assert found["data"] == []
    assert found["recordsFiltered"] == COUNT


@pytest.mark.parametrize("name", ["search[value]", "search", "query"])
def test_text(daemon, prefix, jobs, name):
    found = search(daemon, prefix, **{name: "plum"})
    assert [row["name"] for row in found["data"]] == ["plum"]
    assert (found["recordsTotal"], found["recordsFiltered"]) == (COUNT, 1)


def test_text_is_looked_for_in_id_and_command(daemon, jobs):
    assert [r["id"] for r in search(daemon, query=jobs[0]["jobid"])["data"]] == [jobs[0]["id"]]
    assert [r["id"] for r in search(daemon, query=str(jobs[1]["id"]))["data"]] == [jobs[1]["id"]]
    assert [r["id"] for r in search(daemon, query="of pear")["data"]] == [jobs[1]["id"]]


@pytest.mark.parametrize("text", [".*", "a.*e", "^apple", "(", "[", "(a+)+$", "no such", "%"])
def test_text_is_no_pattern(daemon, jobs, text):
    found = search(daemon, draw=1, query=text)
    assert (found["data"], found["recordsFiltered"]) == ([], 0)


def test_a_dot_is_a_dot(daemon, jobs):
    assert [row["name"] for row in search(daemon, query="a.c")["data"]] == ["a.c"]


def test_empty_text_is_all(daemon, jobs):
    assert len(search(daemon, **{"draw": 1, "search[value]": ""})["data"]) == COUNT


@pytest.mark.parametrize("way", ["asc", "desc"])
def test_order(daemon, jobs, way):
    found = search(
        daemon,
        **{"draw": 1, "columns[0][data]": "id", "columns[1][data]": "name",
           "order[0][column]": 1, "order[0][dir]": way},
    )  # fmt: skip
    names = [row["name"] for row in found["data"]]
    assert names == sorted((job["name"] for job in jobs), reverse=way == "desc")


def test_what_datatables_sends_beside_is_let_pass(daemon, jobs):
    query = {"draw": 1, "start": 0, "length": 10, "search[value]": "", "search[regex]": "false",
             "_": "1700000000000"}  # fmt: skip
    for column in range(12):
        query.update({
            f"columns[{column}][data]": "id",
            f"columns[{column}][name]": "",
            f"columns[{column}][searchable]": "true",
            f"columns[{column}][orderable]": "true",
            f"columns[{column}][search][value]": "",
            f"columns[{column}][search][regex]": "false",
        })  # fmt: skip
    assert len(search(daemon, **query)["data"]) == COUNT


@pytest.mark.parametrize("query", [{"start": "x"}, {"length": "ten"}, {"start": -1}], ids=str)
def test_numbers_that_are_none(daemon, jobs, query):
    body = check_problem(daemon.get("/v1/jobs/search", params=query), 400)
    assert {error["pointer"] for error in body["errors"]} == {f"?{name}" for name in query}


def test_draw_cannot_carry_a_script(daemon, jobs):
    """DataTables puts draw into the page: a text must not come back as it was sent."""
    reply = daemon.get("/v1/jobs/search", params={"draw": "<script>alert(1)</script>"})
    assert reply.status_code in (200, 400)
    assert "<script>" not in reply.text or reply.status_code == 400
    assert "html" not in reply.headers["Content-Type"]
