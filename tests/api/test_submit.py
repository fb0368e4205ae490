# SPDX-License-Identifier: LGPL-3.0-only
"""POST /jobs/submit: the three ways to send it, what the fields do, and every refusal."""

import glob
import json

import pytest
from restd import check_problem, wait_for

NO_COMMAND = "A 'command' is minimally required."


def check_accepted(reply):
    assert reply.status_code == 200, reply.text
    assert reply.headers["Content-Type"].startswith("application/json")
    body = reply.json()
    assert body["Message"] == "Job submit."
    assert isinstance(body["id"], int) and body["id"] > 0
    assert body["jobid"].startswith("ƒ")
    return body


def check_refused(reply, *texts):
    """Asserts a refusal in the form that older clients read; each text is in some error."""
    body = check_problem(reply, 400)
    assert body["Message"] == "Invalid submit request"
    for text in texts:
        assert any(text in error for error in body["Errors"]), (text, body["Errors"])
    return body


def pointers(body):
    return {error["pointer"] for error in body["errors"]}


# The ways to send it


def test_json_body(daemon, prefix):
    body = check_accepted(daemon.post(f"{prefix}/jobs/submit", json={"command": "echo json"}))
    job = daemon.wait_end(body["jobid"])
    assert job["id"] == body["id"]
    assert (job["result"], job["returncode"]) == ("COMPLETED", 0)
    assert daemon.output(body["jobid"]) == "json\n"


def test_form(daemon, prefix):
    reply = daemon.post(
        f"{prefix}/jobs/submit",
        data={"command": "printenv GREETING", "num_tasks": "2", "option_flags": "verbose=0",
              "name": "form & café"},
    )  # fmt: skip
    job = daemon.wait_end(check_accepted(reply)["jobid"])
    assert (job["ntasks"], job["name"]) == (2, "form & café")


def test_query_parameters(daemon, prefix):
    reply = daemon.post(
        f"{prefix}/jobs/submit",
        params={"command": "echo 'from the query'", "num_tasks": 1, "cores_per_task": 1},
    )
    jobid = check_accepted(reply)["jobid"]
    daemon.wait_end(jobid)
    assert daemon.output(jobid) == "from the query\n"


def test_query_with_a_body_as_environment(daemon, prefix):
    reply = daemon.post(
        f"{prefix}/jobs/submit",
        params={"command": "printenv SWEET"},
        json={"SWEET": "pancakes = good"},
    )
    jobid = check_accepted(reply)["jobid"]
    daemon.wait_end(jobid)
    assert daemon.output(jobid) == "pancakes = good\n"


def test_query_with_null_body(daemon):
    """The older server's framework sends nothing or an empty object where there is no body."""
    for body in (b"", b"{}"):
        reply = daemon.post(
            "/v1/jobs/submit",
            params={"command": "true"},
            data=body,
            headers={"Content-Type": "application/json"},
        )
        check_accepted(reply)


def test_booleans_of_a_query(daemon):
    for word in ("false", "False", "0"):
        reply = daemon.post("/v1/jobs/submit", params={"command": "true", "exclusive": word})
        check_accepted(reply)


def test_charset_in_the_content_type(daemon):
    reply = daemon.post(
        "/v1/jobs/submit",
        data=json.dumps({"command": "true"}),
        headers={"Content-Type": "Application/JSON; charset=utf-8"},
    )
    check_accepted(reply)


# What the fields do


def test_command_is_split_as_a_shell_does(daemon):
    _, output = daemon.run(r"""printf '%s|' plain 'sin gle' "dou\"ble" es\ caped '$HOME' a'b'c """)
    assert output == """plain|sin gle|dou"ble|es caped|$HOME|abc|"""


def test_command_as_a_list_is_taken_as_it_is(daemon):
    _, output = daemon.run(["printf", "%s|", "a b", "'", '"', "$HOME", "", "\\"])
    assert output == "a b|'|\"|$HOME||\\|"


def test_command_in_utf8(daemon):
    _, output = daemon.run("echo pancakes 🥞️🥞️🥞️ ƒ é 漢")
    assert output == "pancakes 🥞️🥞️🥞️ ƒ é 漢\n"


def test_tasks(daemon):
    command = ["sh", "-c", "echo task $FLUX_TASK_RANK of $FLUX_JOB_SIZE"]
    job, output = daemon.run(command, num_tasks=2)
    assert sorted(output.splitlines()) == ["task 0 of 2", "task 1 of 2"]
    assert job["ntasks"] == 2


def test_environment_of_a_task(daemon):
    job, output = daemon.run(
        ["sh", "-c", "echo $FLUX_JOB_ID $FLUX_JOB_NNODES $FLUX_TASK_LOCAL_ID $MINE"],
        envars={"MINE": "yes"},
    )
    shown, nnodes, local_id, mine = output.split()
    assert daemon.job(shown)["id"] == job["id"]
    assert (nnodes, local_id, mine) == ("1", "0", "yes")


def test_an_outer_instance_is_not_the_jobs(make_daemon):
    """What a Flux or MPI job told the daemon of itself is not true of a local job."""
    outer = ("FLUX_URI", "FLUX_EXEC_PATH", "FLUX_HOSTNAME", "FLUX_JOB_CC", "PMI_RANK", "PMIX_ID")
    daemon = make_daemon("local", env={name: "outer" for name in (*outer, "MINE")}).start()
    _, output = daemon.run(["env"], envars={"FLUX_URI": "asked", "PMI_SIZE": "1"})
    found = dict(line.split("=", 1) for line in output.splitlines())
    assert found["MINE"] == "outer"
    assert (found["FLUX_URI"], found["PMI_SIZE"]) == ("asked", "1")
    assert not [name for name in outer if found.get(name) == "outer"]


def test_workdir(daemon, tmp_path):
    job, output = daemon.run("pwd", workdir=str(tmp_path))
    assert output == f"{tmp_path}\n"
    assert job["cwd"] == str(tmp_path)


def test_name_and_urgency(daemon):
    job, _ = daemon.run("true", name="a name", urgency=20)
    assert (job["name"], job["urgency"]) == ("a name", 20)


def test_name_is_the_programs_unless_given(daemon):
    job, _ = daemon.run(["/bin/true"])
    assert job["name"] == "true"


def test_option_flags(daemon):
    for flags in ("ompi=openmpi@5", {"ompi": "openmpi@5"}, {"verbose": 1}, {}):
        reply = daemon.post("/v1/jobs/submit", json={"command": "true", "option_flags": flags})
        check_accepted(reply)


def test_runtime_ends_a_job(daemon):
    job, _ = daemon.run("sleep 600", runtime=1)
    assert job["result"] == "TIMEOUT"
    assert job["duration"] == 1
    assert job["exception"]["type"] == "timeout"


def test_runtime_zero_is_no_limit(daemon):
    job, _ = daemon.run("true", runtime=0)
    assert job["result"] == "COMPLETED"


def test_return_codes(daemon):
    job, _ = daemon.run("sh -c 'exit 3'")
    assert (job["result"], job["returncode"]) == ("FAILED", 3)
    job, _ = daemon.run("/no/such/program")
    assert (job["result"], job["returncode"]) == ("FAILED", 127)
    job, _ = daemon.run(["sh", "-c", "kill -KILL $$"])
    assert (job["result"], job["returncode"]) == ("FAILED", 137)


def test_a_launcher_is_submitted_as_a_job(daemon):
    reply = daemon.post(
        "/v1/jobs/submit", json={"command": "snakemake --version", "is_launcher": True}
    )
    job = daemon.job(check_accepted(reply)["jobid"])
    assert "snakemake" in job["command"]


# Refusals


@pytest.mark.parametrize(
    "body", [{}, {"command": ""}, {"command": None}, {"command": []}, {"num_tasks": 2}], ids=str
)
def test_no_command(daemon, prefix, body):
    reply = daemon.post(f"{prefix}/jobs/submit", json=body)
    assert check_problem(reply, 400)["Message"] == NO_COMMAND


def test_no_command_without_a_body(daemon, prefix):
    reply = daemon.post(f"{prefix}/jobs/submit")
    assert check_problem(reply, 400)["Message"] == NO_COMMAND
    reply = daemon.post(f"{prefix}/jobs/submit", params={"num_tasks": 1})
    assert check_problem(reply, 400)["Message"] == NO_COMMAND
    reply = daemon.post(f"{prefix}/jobs/submit", data={"num_tasks": 1})
    assert check_problem(reply, 400)["Message"] == NO_COMMAND


def test_option_flags_with_a_dash(daemon, prefix):
    for sent in ({"-ompi": "noodles"}, "-ompi=noodles"):
        reply = daemon.post(
            f"{prefix}/jobs/submit", json={"command": "sleep 1", "option_flags": sent}
        )
        check_refused(reply, "keys without -o")
    reply = daemon.post(
        f"{prefix}/jobs/submit", params={"command": "sleep 1", "option_flags": "-ompi=noodles"}
    )
    check_refused(reply, "keys without -o")


def test_exclusive_without_nodes(daemon):
    reply = daemon.post("/v1/jobs/submit", json={"command": "true", "exclusive": True})
    check_refused(reply, "exclusive can only be set with a node count")


def test_more_nodes_than_there_are(daemon):
    count = len(daemon.get("/v1/nodes").json()["nodes"])
    reply = daemon.post("/v1/jobs/submit", json={"command": "true", "num_nodes": 9999})
    check_refused(reply, f"The server only has {count} nodes, you requested 9999")


@pytest.mark.skipif(
    bool(glob.glob("/dev/nvidia[0-9]*") or glob.glob("/dev/dri/renderD*") or glob.glob("/dev/kfd")),
    reason="this machine has GPUs",
)
def test_gpus_where_there_are_none(daemon):
    reply = daemon.post("/v1/jobs/submit", json={"command": "true", "gpus_per_task": 1})
    check_refused(reply, "This server does not support gpus: gpus_per_task cannot be set.")


def test_negative_runtime(daemon):
    reply = daemon.post("/v1/jobs/submit", json={"command": "true", "runtime": -1})
    check_refused(reply, "Runtime must be >= 0, found -1")


def test_launchers_that_are_none(daemon):
    reply = daemon.post("/v1/jobs/submit", json={"command": "true", "is_launcher": True})
    body = check_refused(reply)
    assert any("snakemake" in e and "nextflow" in e for e in body["Errors"]), body


def test_all_faults_are_named_at_once(daemon):
    reply = daemon.post(
        "/v1/jobs/submit",
        json={"command": "true", "num_tasks": 0, "runtime": -1, "workdir": 7,
              "option_flags": {"-ompi": "x"}, "envars": ["A=b"], "exclusive": "perhaps"},
    )  # fmt: skip
    body = check_refused(reply, "Runtime must be >= 0, found -1", "keys without -o")
    found = pointers(body)
    for field in ("num_tasks", "runtime", "workdir", "envars", "exclusive"):
        assert f"/{field}" in found, (field, found)
    assert any(pointer.startswith("/option_flags") for pointer in found), found


def test_unknown_member_is_named_with_the_nearest(daemon):
    reply = daemon.post("/v1/jobs/submit", json={"command": "true", "num_task": 2})
    body = check_refused(reply, "num_task")
    assert any("num_tasks" in error for error in body["Errors"])
    assert "/num_task" in pointers(body)


def test_unknown_query_parameter_is_named(daemon):
    reply = daemon.post("/v1/jobs/submit", params={"command": "true", "worksdir": "/"})
    body = check_problem(reply, 400)
    assert any("worksdir" in e and "workdir" in e for e in body["Errors"]), body


def test_what_was_refused_is_not_there(daemon):
    before = len(daemon.jobs(limit=10000))
    for name in ("refused-1", "refused-2"):
        reply = daemon.post(
            "/v1/jobs/submit", json={"command": "true", "name": name, "runtime": -1}
        )
        check_refused(reply)
    _, _ = daemon.run("true", name="after")
    names = daemon.names()
    assert len(names) == before + 1
    assert not [name for name in names if name.startswith("refused")]


def test_many_at_once_get_an_id_each(daemon):
    ids = [daemon.submit("true", name=f"many-{n}") for n in range(30)]
    assert len(set(ids)) == 30

    def all_ended():
        jobs = daemon.jobs(name="many-*")
        return len(jobs) == 30 and all(job["state"] == "INACTIVE" for job in jobs)

    wait_for("thirty jobs have ended", all_ended)
    assert all(job["result"] == "COMPLETED" for job in daemon.jobs(name="many-*"))
