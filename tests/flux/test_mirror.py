# SPDX-License-Identifier: LGPL-3.0-only
"""What the daemon shows of jobs is what Flux shows of them, attribute by attribute."""

import json
import random

import pytest
from brokers import CLUSTER, bindings, flux_is_since
from restd import wait_for

JOBS = 500
STATES = {2: "DEPEND", 4: "PRIORITY", 8: "SCHED", 16: "RUN", 32: "CLEANUP", 64: "INACTIVE"}
RESULTS = {1: "COMPLETED", 2: "FAILED", 4: "CANCELED", 8: "TIMEOUT"}
# What the reply has beyond job-list's attributes.
OURS = {"jobid", "username", "command", "returncode", "runtime", "exception", "why"}
# What job-list has only since the version, 0.N: the last, of jobs that ran when it was changed.
SINCE = {"t_priority": 87, "t_sched": 87, "duration": 84}


def jobspec(run=0.001, nodes=0, duration=0.0, **system):
    """A job whose execution is played; run is how long, or None for a real one."""
    slot = {"type": "slot", "count": 1, "label": "task", "with": [{"type": "core", "count": 1}]}
    resources = [{"type": "node", "count": nodes, "with": [slot]}] if nodes else [slot]
    attributes = {"system": {"duration": duration, "cwd": "/tmp", **system}}
    if run is not None:
        attributes["system"]["exec"] = {"test": {"run_duration": f"{run}s"}}
    return {
        "version": 1,
        "resources": resources,
        "tasks": [{"command": ["true"], "slot": "task", "count": {"per_slot": 1}}],
        "attributes": attributes,
    }


def with_test(spec, **members):
    spec["attributes"]["system"]["exec"]["test"].update(members)
    return spec


def named(spec, number):
    spec["attributes"]["system"]["job"] = {"name": f"job {number} ƒ \"quoted\""}
    return spec


def after(jobid):
    return {"dependencies": [{"scheme": "afterany", "value": jobid}]}


class Workload:
    """Submits a mix over HTTP, and does to each job what its kind asks for."""

    KINDS = {
        "completed": 22, "failed": 8, "signalled": 4, "timed out": 4, "cancelled waiting": 6,
        "cancelled running": 4, "unsatisfiable": 4, "several nodes": 8, "dependent": 8,
        "held": 4, "urgency": 8, "duration": 6, "memo": 6, "exception": 4, "left running": 4,
    }  # fmt: skip

    def __init__(self, daemon, broker):
        self.daemon = daemon
        self.broker = broker
        self.kinds = {}
        self.left = []  # jobs that do not end by themselves
        self.last = None

    def submit(self, kind, spec, **fields):
        number = len(self.kinds)
        reply = self.daemon.post(
            "/v1/jobs/submit", json={"jobspec": named(spec, number), **fields}
        )
        assert reply.status_code == 200, reply.text
        self.kinds[reply.json()["id"]] = kind
        return reply.json()["id"], reply.json()["jobid"]

    def wait_state(self, jobid, *states):
        self.daemon.wait_state(jobid, *states)

    def make(self, kind):
        broker = self.broker
        match kind:
            case "completed":
                _, self.last = self.submit(kind, jobspec())
            case "failed":
                self.submit(kind, with_test(jobspec(), mock_exception="run"))
            case "signalled":
                number, jobid = self.submit(kind, jobspec(run=600))
                self.wait_state(jobid, "RUN")
                self.raise_exception(number, "killed", 0, "by a test")
            case "timed out":
                self.submit(kind, jobspec(run=600, duration=0.2))
            case "cancelled waiting":
                _, jobid = self.submit(kind, jobspec(), urgency=0)
                self.cancel(jobid)
            case "cancelled running":
                _, jobid = self.submit(kind, jobspec(run=600))
                self.wait_state(jobid, "RUN")
                self.cancel(jobid)
            case "unsatisfiable":
                spec = jobspec()
                spec["attributes"]["system"]["constraints"] = {"properties": ["unheard-of"]}
                self.submit(kind, spec)
            case "several nodes":
                self.submit(kind, jobspec(nodes=random.choice([2, 3])))
            case "dependent":
                self.submit(kind, jobspec(**after(self.last)))
            case "held":
                self.left.append(self.submit(kind, jobspec(), urgency=0)[1])
            case "urgency":
                number, _ = self.submit(kind, jobspec(), urgency=0)
                broker.rpc("job-manager.urgency", {"id": number, "urgency": 17})
            case "duration":
                number, jobid = self.submit(kind, jobspec(run=600, duration=300))
                self.left.append(jobid)
                updates = {"attributes.system.duration": random.choice([100.5, 7200, 0])}
                broker.rpc("job-manager.update", {"id": number, "updates": updates})
            case "memo":
                number, jobid = self.submit(kind, jobspec(), urgency=0)
                for i in range(3):
                    broker.rpc("job-manager.memo",
                               {"id": number, "volatile": i % 2 == 0, "memo": {f"key{i}": i}})
                if random.random() < 0.5:
                    broker.rpc("job-manager.urgency", {"id": number, "urgency": 16})
                else:
                    self.left.append(jobid)
            case "exception":
                number, jobid = self.submit(kind, jobspec(run=600))
                self.left.append(jobid)
                self.raise_exception(number, "grumble", 3, "not fatal: ünïcode")
            case "left running":
                self.left.append(self.submit(kind, jobspec(run=600))[1])

    def cancel(self, jobid):
        reply = self.daemon.post(f"/v1/jobs/{jobid}/cancel")
        assert reply.status_code == 200, reply.text

    def raise_exception(self, number, kind, severity, note):
        self.broker.rpc(
            "job-manager.raise", {"id": number, "severity": severity, "type": kind, "note": note}
        )

    def run(self, count):
        kinds = [kind for kind, weight in self.KINDS.items() for _ in range(weight)]
        random.seed(4711)
        for number in range(count):
            # What stays takes cores: some of it goes before there are none.
            if len(self.left) > 8:
                self.cancel(self.left.pop(0))
            kind = "completed" if number < 1 else kinds[random.randrange(len(kinds))]
            self.make(kind)
        assert set(self.kinds.values()) == set(self.KINDS)

    def is_settled(self):
        """Nothing moves any more: all that can end has ended."""
        left = len(self.left)
        jobs = self.broker.job_list().values()
        return sum(job["state"] != 64 for job in jobs) <= left and all(
            job["state"] in (8, 16, 64) for job in jobs
        )


def theirs(job):
    """A job of job-list in the form of our replies."""
    job = dict(job)
    job["state"] = STATES[job["state"]]
    if "result" in job:
        job["result"] = RESULTS[job["result"]]
    return job


def differences(flux, mine, ignored):
    """Attributes that are not the same. What Flux does not know it leaves out; we may say ""."""
    flux = theirs(flux)
    found = {}
    for key in (flux.keys() | mine.keys() - OURS) - ignored:
        if key not in flux:
            if mine[key] not in ("", [], {}):
                found[key] = ("absent", mine[key])
        elif key not in mine or flux[key] != mine[key]:
            found[key] = (flux[key], mine.get(key, "absent"))
    return found


def compare(broker, daemon):
    """Asserts that all attributes of all jobs are the same."""
    ignored = {key for key, minor in SINCE.items() if not flux_is_since(minor)}

    def wrong():
        flux = broker.job_list()
        mine = {job["id"]: job for job in daemon.jobs(limit=10000)}
        found = {}
        for number in flux.keys() | mine.keys():
            if number not in flux or number not in mine:
                found[number] = f"in flux: {number in flux}, in ours: {number in mine}"
            else:
                changed = differences(flux[number], mine[number], ignored)
                if changed:
                    found[number] = changed
        return found

    # Both follow the same journal, each at its own pace.
    try:
        wait_for("both show the same", lambda: not wrong(), 10)
    except AssertionError:
        found = wrong()
        shown = json.dumps(dict(list(found.items())[:5]), indent=1, default=str)
        raise AssertionError(f"{len(found)} jobs differ, such as {shown}") from None


@pytest.fixture
def pair(make_broker, make_daemon):
    broker = make_broker(size=4, config=CLUSTER, args=["--test-hosts=node[0-3]"]).start()
    return broker, make_daemon(broker).start()


def test_every_attribute_of_every_job(pair):
    broker, daemon = pair
    bindings()
    workload = Workload(daemon, broker)
    workload.run(JOBS)
    wait_for("the workload settles", workload.is_settled, 120)
    compare(broker, daemon)
    # And the same out of a backlog, annotations and all.
    daemon.stop()
    daemon.start()
    compare(broker, daemon)
    broker.run("flux", "job", "purge", "--force", "--num-limit=100")
    assert len(broker.job_list()) < JOBS
    compare(broker, daemon)
