# SPDX-License-Identifier: LGPL-3.0-only
"""Every field of a submit, as Flux gets it and as the job finds it."""

import json
import threading

import requests
from brokers import CLUSTER, flux_is_since
from restd import check_problem, wait_for

QUEUES = """
[queues.batch]

[queues.debug]

[policy]
jobspec.defaults.system.queue = "batch"
"""


def jobspec_of(broker, jobid):
    return json.loads(broker.run("flux", "job", "info", jobid.replace("ƒ", "f"), "jobspec"))


def test_every_field(make_broker, make_daemon, tmp_path):
    broker = make_broker(size=4, config=CLUSTER + QUEUES, args=["--test-hosts=node[0-3]"]).start()
    broker.run("flux", "queue", "start", "--all")
    daemon = make_daemon(broker).start()
    # Before 0.84 the scheduler that comes with Flux gives out no GPUs.
    gpus = {"gpus_per_task": 1} if flux_is_since(84) else {}
    first = daemon.submit("true", queue="batch")
    jobid = daemon.submit(
        ["sh", "-c", "cat; echo $GREETING; pwd; ulimit -n; echo bad >&2"],
        name="every field", num_tasks=2, num_nodes=2, cores_per_task=2, **gpus,
        workdir=str(tmp_path), envars={"GREETING": "hello"}, runtime="90s", queue="debug",
        bank="piggy", urgency=20, dependencies=[f"afterany:{first}"],
        constraints={"hostlist": ["node[0-1]"]}, stdin="from stdin\n",
        error=str(tmp_path / "errors"), rlimits={"nofile": 100}, attributes={"who": {"am": "I"}},
        option_flags={"number": 3, "cpu-affinity": "off", "mine": True}, label_io=True,
    )  # fmt: skip
    spec = jobspec_of(broker, jobid)
    system = spec["attributes"]["system"]
    node = spec["resources"][0]
    assert (node["type"], node["count"]) == ("node", 2)
    slot = node["with"][0]
    assert {r["type"]: r["count"] for r in slot["with"]} == {
        "core": 2, **({"gpu": 1} if gpus else {}),
    }  # fmt: skip
    assert system["duration"] == 90
    assert system["queue"] == "debug"
    assert system["bank"] == "piggy"
    assert system["job"]["name"] == "every field"
    assert system["cwd"] == str(tmp_path)
    assert system["dependencies"][0]["scheme"] == "afterany"
    assert system["constraints"] == {"hostlist": ["node[0-1]"]}
    assert spec["attributes"]["user"]["who"] == {"am": "I"}
    options = system["shell"]["options"]
    assert options["number"] == 3 and options["mine"] is True
    assert options["cpu-affinity"] == "off"
    assert options["rlimit"]["nofile"] == 100
    job = daemon.wait_end(jobid)
    assert job["result"] == "COMPLETED", (job, daemon.output(jobid))
    assert job["urgency"] == 20 and job["nodelist"] == "node[0-1]"
    lines = daemon.output(jobid).splitlines()
    for text in ("from stdin", "hello", str(tmp_path), "100"):
        assert lines.count(text) == 2, "each of two tasks says so"
    # Labels are for files alone: there they tell the tasks apart.
    assert sorted((tmp_path / "errors").read_text().splitlines()) == ["0: bad", "1: bad"]


def test_a_whole_jobspec_passes_through(make_broker, make_daemon):
    broker = make_broker().start()
    daemon = make_daemon(broker).start()
    spec = {
        "version": 1,
        "resources": [{"type": "slot", "count": 1, "label": "x",
                       "with": [{"type": "core", "count": 1}]}],
        "tasks": [{"command": ["echo", "whole"], "slot": "x", "count": {"total": 1}}],
        "attributes": {"system": {"duration": 12.5, "cwd": "/", "environment": {"A": "b"},
                                  "extra": [1, {"deep": None}]}, "user": {"ƒ": "ü"}},
    }  # fmt: skip
    reply = daemon.post("/v1/jobs/submit", json={"jobspec": spec})
    assert reply.status_code == 200, reply.text
    jobid = reply.json()["jobid"]
    held = jobspec_of(broker, jobid)
    held["attributes"]["system"]["environment"] = {"A": "b"}  # which Flux does not keep there
    assert held == spec
    assert daemon.wait_end(jobid)["result"] == "COMPLETED"
    assert daemon.output(jobid) == "whole\n"


def test_queues_and_their_limits(make_broker, make_daemon):
    """A queue's own limits go before those of all, and may lift them."""
    broker = make_broker(config=QUEUES + """
[policy.limits]
duration = "4h"
job-size.max.nnodes = 8
job-size.max.ngpus = 4
job-size.min.ncores = 1

[queues.debug.policy.limits]
duration = "30m"
job-size.max.ngpus = -1
""").start()  # fmt: skip
    daemon = make_daemon(broker).start()
    broker.run("flux", "queue", "disable", "batch", "--message=for the night")
    held = [daemon.submit("true", queue="debug", urgency=0, runtime="10m") for _ in range(2)]
    batch, debug = daemon.get("/v1/queues").json()["queues"]
    assert (batch["name"], batch["enabled"], batch["disable_reason"]) == (
        "batch", False, "for the night",
    )  # fmt: skip
    assert (debug["name"], debug["enabled"], debug["started"]) == ("debug", True, False)
    assert (debug["pending"], batch["pending"]) == (len(held), 0)
    assert batch["limits"] == {
        "duration": 14400, "max": {"nnodes": 8, "ngpus": 4}, "min": {"ncores": 1},
    }  # fmt: skip
    assert debug["limits"] == {"duration": 1800, "max": {"nnodes": 8}, "min": {"ncores": 1}}
    reply = daemon.post(
        "/v1/jobs/submit", json={"command": "true", "queue": "debug", "runtime": "31m"}
    )
    assert "duration" in check_problem(reply, 400)["detail"]


def test_flux_says_no(make_broker, make_daemon):
    """What Flux refuses is told in its words, and is no failure of ours."""
    broker = make_broker(config=QUEUES).start()
    daemon = make_daemon(broker).start()
    reply = daemon.post("/v1/jobs/submit", json={"command": "true", "queue": "nowhere"})
    assert "nowhere" in check_problem(reply, 400)["detail"]
    broker.run("flux", "queue", "disable", "--all", "--message=for the night")
    reply = daemon.post("/v1/jobs/submit", json={"command": "true"})
    assert "for the night" in check_problem(reply, 400)["detail"]


def test_many_in_flight_up_to_the_setting(make_broker, make_daemon):
    broker = make_broker().start()
    daemon = make_daemon(broker, args=["--flux-requests=8", "--flux-seconds=30"]).start()
    broker.freeze()
    codes = []

    def submit():
        reply = requests.post(daemon.url + "/v1/jobs/submit", json={"command": "true"}, timeout=60)
        codes.append((reply.status_code, reply.json().get("code"), "Retry-After" in reply.headers))

    try:
        threads = [threading.Thread(target=submit) for _ in range(12)]
        for thread in threads:
            thread.start()
        # Those beyond the setting are told at once, while the others still wait.
        wait_for("what is too much is refused", lambda: len(codes) >= 4)
        assert set(codes) == {(503, "not-sent", True)}
    finally:
        broker.thaw()
    for thread in threads:
        thread.join()
    assert 1 <= sum(status == 200 for status, *_ in codes) <= 8
