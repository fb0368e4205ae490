# SPDX-License-Identifier: LGPL-3.0-only
"""The client's iterators, with connections that are cut and a daemon that is killed."""

import hashlib
import random
import threading
import time

import pytest
from cutter import Cutter
from flux_restful_client import FluxRestfulClient, GoneError, NotFoundError
from restd import Daemon, FluxInstance, skip_unless_possible, wait_for


class Reader(threading.Thread):
    """Collects events until it is told which jobs there are and all of them have ended."""

    def __init__(self, client, since):
        super().__init__(daemon=True)
        self.client, self.since = client, since
        self.events, self.failure = [], None
        self.ended = set()

    def run(self):
        try:
            for event in self.client.events(since=self.since):
                self.events.append(event)
                if event["name"] == "clean":
                    self.ended.add(event["jobid"])
        except Exception as error:  # shown by the test
            self.failure = error

    def of(self, jobid):
        return [e["index"] for e in self.events if e["jobid"] == jobid and "index" in e]


class Follower(threading.Thread):
    """Collects one job's output."""

    def __init__(self, client, jobid):
        super().__init__(daemon=True)
        self.client, self.jobid = client, jobid
        self.digest, self.exit, self.failure = hashlib.sha256(), None, None

    def run(self):
        try:
            for piece in self.client.follow_output(self.jobid):
                self.digest.update(piece.data)
                self.exit = piece.info if piece.stream == "exit" else None
        except Exception as error:
            self.failure = error


JOBS_MAX = 150

WRITER = (
    "import sys, time\n"
    "for i in range(300):\n"
    "    sys.stdout.buffer.write(b'%06d \\xff\\xc3' % i * 40 + b'\\n'); sys.stdout.flush()\n"
    "    time.sleep(0.02)\n"
)
WRITTEN = b"".join(b"%06d \xff\xc3" % i * 40 + b"\n" for i in range(300))


def submit_when_possible(daemon, client, jobs, command, **fields):
    """Submits, and looks for the job where the daemon was killed in the middle of it."""
    name = f"cut-{len(jobs)}-{random.getrandbits(40):x}"
    while True:
        try:
            jobs.append(client.submit(command, name=name, **fields)["jobid"])
            return jobs[-1]
        except Exception:
            time.sleep(0.05)
        try:
            known = client.jobs(name=name)["jobs"]
        except Exception:
            continue
        if known:
            jobs.append(known[0]["jobid"])
            return jobs[-1]


def check_events(reader, jobs, what):
    wait_for(f"all {len(jobs)} jobs have ended for the {what} reader",
             lambda: reader.failure or set(jobs) <= reader.ended, 60)  # fmt: skip
    assert not reader.failure, reader.failure
    for jobid in jobs:
        indices = reader.of(jobid)
        assert indices == list(range(len(indices))), (what, jobid, indices)
    stored = [(e["id"], e["index"]) for e in reader.events if "index" in e]
    assert len(stored) == len(set(stored))


@pytest.fixture
def cutter():
    made = []

    def make(daemon, seed=1):
        made.append(Cutter(daemon, seed))
        return made[-1]

    yield make
    for one in made:
        one.close()


def disturb(daemon, direct, jobs, cutters, kills, cuts):
    """Runs jobs while the daemon is killed and connections are cut, at least so often."""
    writer = submit_when_possible(daemon, direct, jobs, ["/usr/bin/python3", "-c", WRITER])
    followers = [Follower(FluxRestfulClient(c.url, timeout=5), writer) for c in cutters]
    for follower in followers:
        follower.start()
    deadline = time.monotonic() + 60
    while (kills > 0 or sum(c.cuts for c in cutters) < cuts) and time.monotonic() < deadline:
        if len(jobs) < JOBS_MAX:
            submit_when_possible(daemon, direct, jobs, "true")
        time.sleep(0.02)
        if kills > 0 and len(jobs) % 5 == 0:
            kills -= 1
            daemon.kill()
            daemon.start()
    assert kills == 0
    for cutter in cutters:
        cutter.calm = True
    return followers


def check_output(followers):
    for follower in followers:
        follower.join(60)
        assert not follower.is_alive() and not follower.failure, follower.failure
        assert follower.exit["returncode"] == 0
        assert follower.digest.digest() == hashlib.sha256(WRITTEN).digest()


def test_cut_off_and_killed(make_daemon, cutter):
    """On the local engine: each event once and in order, each byte once."""
    daemon = make_daemon().start()
    cutters = [cutter(daemon, seed) for seed in range(3)]
    direct = FluxRestfulClient(daemon.url, attempts=1)
    since = direct.jobs()["cursor"]
    readers = [Reader(FluxRestfulClient(c.url, timeout=5), since) for c in cutters]
    for reader in readers:
        reader.start()
    jobs = []
    followers = disturb(daemon, direct, jobs, cutters, kills=20, cuts=200)
    for number, reader in enumerate(readers):
        check_events(reader, jobs, f"{number}th")
    assert readers[0].events == readers[1].events == readers[2].events
    check_output(followers)
    assert sum(c.cuts for c in cutters) >= 200
    for one in cutters:
        one.close()


def test_cut_off_and_killed_beside_flux(tmp_path, cutter):
    """Beside Flux: each stored event at least once, and once where repeats are dropped."""
    skip_unless_possible("flux")
    instance = FluxInstance(tmp_path)
    daemon = Daemon(tmp_path / "daemon", "flux", instance=instance)
    try:
        daemon.start()
        cutters = [cutter(daemon, seed) for seed in range(2)]
        direct = FluxRestfulClient(daemon.url, attempts=1)
        since = direct.jobs()["cursor"]
        readers = [Reader(FluxRestfulClient(c.url, timeout=5), since) for c in cutters]
        for reader in readers:
            reader.start()
        jobs = []
        followers = disturb(daemon, direct, jobs, cutters, kills=5, cuts=30)
        for reader in readers:
            check_events(reader, jobs, "flux")
        check_output(followers)
        for one in cutters:
            one.close()
    finally:
        daemon.finish()
        instance.stop()


def test_events_and_wait(daemon):
    with FluxRestfulClient(daemon.url) as client:
        since = client.jobs()["cursor"]
        jobid = client.submit("sh -c 'exit 4'")["jobid"]
        assert client.wait(jobid)["returncode"] == 4
        names = []
        for event in client.events(since=since, ids=jobid):
            names.append(event["name"])
            if event["state"] == "INACTIVE":
                break
        assert names[0] == "submit" and names[-1] == "clean"
        with pytest.raises(TimeoutError):
            client.wait(client.submit("sleep 60")["jobid"], timeout=0.2)
        with pytest.raises(NotFoundError):
            next(client.follow_output(12345))
        with pytest.raises(GoneError):
            instance, epoch, seq, when = since.split(".")
            next(client.events(since=f"1{instance[1:]}.{epoch}.{seq}.{when}0"[:70]
                               if instance[0] != "1" else f"2{instance[1:]}.{epoch}.{seq}.{when}"))  # fmt: skip


def test_snapshot_first(local):
    with FluxRestfulClient(local.url) as client:
        job, _ = local.run("true", name="shown")
        first = next(client.events(snapshot=True, name="shown"))
        assert first["snapshot"]["jobid"] == job["jobid"]
