# SPDX-License-Identifier: LGPL-3.0-only
"""Submits with keys through a proxy that cuts, and kills of the daemon: each job once."""

import collections
import http.client
import json
import queue
import threading
import time

import pytest
from cutter import Cutter
from restd import Daemon, FluxInstance, skip_unless_possible, wait_for

JOBS = 5000
BATCH = 50
CLIENTS = 16
KILLS = 4
LIMIT = 100  # seconds for all of them


class Crowd:
    """Clients that submit, each asking again until it was told what became of its jobs."""

    def __init__(self, port):
        self.port = port
        self.told = collections.defaultdict(set)  # key: ids that were answered
        self.lost = 0  # requests without a whole answer
        self.faults = []
        self.work = queue.SimpleQueue()
        for first in range(0, JOBS, BATCH):
            batch = [f"once-{i}" for i in range(first, first + BATCH)]
            # Every fifth batch as single requests, the others as lines.
            for keys in [[key] for key in batch] if first // BATCH % 5 == 0 else [batch]:
                self.work.put(keys)
        self.threads = [threading.Thread(target=self.submit_all) for _ in range(CLIENTS)]
        self.deadline = time.monotonic() + LIMIT
        for thread in self.threads:
            thread.start()

    def submit_all(self):
        try:
            while True:
                keys = self.work.get_nowait()
                while keys:
                    assert time.monotonic() < self.deadline, f"{len(self.told)} jobs in time"
                    self.ask(keys)
                    keys = [key for key in keys if key not in self.told]
                    if keys:
                        time.sleep(0.02)
        except queue.Empty:
            pass
        except Exception as fault:  # noqa: BLE001  (shown by the test)
            self.faults.append(fault)

    def ask(self, keys):
        """One request for these jobs; notes the ids that it was told."""
        headers = {"Content-Type": "application/x-ndjson"}
        bodies = [{"command": "true", "urgency": 0, "name": key, "key": key} for key in keys]
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        try:
            text = "".join(json.dumps(body) + "\n" for body in bodies)
            if len(keys) == 1:
                headers = {"Content-Type": "application/json", "Idempotency-Key": keys[0]}
            connection.request("POST", "/v1/jobs", text, headers)
            reply = connection.getresponse()
            if len(keys) == 1:
                results = [{**json.loads(reply.read()), "status": reply.status}]
                self.note(keys, results)
            else:  # line by line, for the rest may not come
                for index, line in enumerate(reply):
                    if reply.status != 200 or not line.endswith(b"\n"):
                        break
                    self.note([keys[index]], [json.loads(line)])
        except (OSError, http.client.HTTPException, ValueError):
            self.lost += 1
        finally:
            connection.close()

    def note(self, keys, results):
        for key, result in zip(keys, results):
            assert result["status"] in (200, 201, 409, 503), result
            if result["status"] in (200, 201):
                self.told[key].add(result["id"])

    def join(self):
        for thread in self.threads:
            thread.join()
        if self.faults:
            raise self.faults[0]


@pytest.fixture
def instance(engine, tmp_path):
    """A Flux instance of its own where the engine is Flux, for it is left full of jobs."""
    one = FluxInstance(tmp_path) if engine == "flux" else None
    yield one
    if one:
        one.stop()


def test_each_job_once(engine, instance, tmp_path):
    skip_unless_possible(engine)
    daemon = Daemon(tmp_path / "daemon", engine, instance=instance).start()
    cutter = Cutter(daemon, sizes=(1, 200, 400, 2000), silence=None, replies=0.3, requests=0.1)
    try:
        crowd = Crowd(cutter.port)
        for kill in range(1, KILLS + 1):
            enough = kill * JOBS // (KILLS + 1)
            wait_for(f"{enough} jobs are told",
                     lambda enough=enough: crowd.faults or len(crowd.told) >= enough, LIMIT)  # fmt: skip
            daemon.kill()
            daemon.start()
        crowd.join()
        assert cutter.cut_replies > 50 and cutter.cut_requests > 10 and crowd.lost > 50
        jobs = daemon.jobs(limit=10000, fields="id,name")
        assert len(jobs) == JOBS
        assert {job["name"]: {job["id"]} for job in jobs} == crowd.told
        reply = daemon.post("/v1/jobs/cancel?state=active", timeout=LIMIT)
        assert reply.status_code == 200, reply.text
        wait_for("all have ended", lambda: not daemon.jobs(state="active", limit=1), LIMIT)
    finally:
        cutter.close()
        daemon.finish()
