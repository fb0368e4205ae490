# SPDX-License-Identifier: LGPL-3.0-only
"""The client's iterators, with connections that are cut and a daemon that is killed."""

import hashlib
import random
import threading
import time
from pathlib import Path

import pytest
from cutter import Cutter
from flux_restful_client import FluxRestfulClient, GoneError, NotFoundError, streams
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
KILLS, CUTS = 20, 500  # of the daemon; of the connections of each reader

# Writes until it is told to stop, and then the checksum of all that it wrote into a file.
WRITER = (
    "import hashlib, os, sys, time\n"
    "digest, i = hashlib.sha256(), 0\n"
    "while not os.path.exists(sys.argv[1]):\n"
    "    piece = b'%06d \\xff\\xc3' % i * 40 + b'\\n'\n"
    "    digest.update(piece)\n"
    "    os.write(1, piece)\n"
    "    i += 1\n"
    "    time.sleep(0.02)\n"
    "open(sys.argv[1] + '.sum', 'wb').write(digest.digest())\n"
)


def submit_when_possible(client, jobs, command, **fields):
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


class Rough:
    """A daemon that is killed, and clients whose connections are cut, one cutter for each."""

    def __init__(self, daemon, count, tmp_path, monkeypatch, output_cuts=CUTS):
        monkeypatch.setattr(streams, "FIRST_PAUSE", 0.01)  # more of them in less time
        self.daemon, self.stop = daemon, tmp_path / "stop"
        self.wanted = [CUTS] * count + [output_cuts] * count
        self.cutters = [Cutter(daemon, seed, silence=(0.01, 0.1)) for seed in range(2 * count)]
        self.direct = FluxRestfulClient(daemon.url, attempts=1)
        clients = [FluxRestfulClient(cutter.url, timeout=5) for cutter in self.cutters]
        since = self.direct.jobs()["cursor"]
        self.jobs = []
        self.submit(["/usr/bin/python3", "-c", WRITER, str(self.stop)])
        self.readers = [Reader(client, since) for client in clients[:count]]
        self.followers = [Follower(client, self.jobs[0]) for client in clients[count:]]
        for thread in self.readers + self.followers:
            thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop.touch()
        for cutter in self.cutters:
            cutter.close()

    def submit(self, command):
        submit_when_possible(self.direct, self.jobs, command)

    def is_cut_enough(self):
        return all(c.cuts >= wanted for c, wanted in zip(self.cutters, self.wanted))

    def disturb(self):
        """Until the daemon was killed and each client cut off as often as it is to be."""
        deadline = time.monotonic() + 300
        kills = 0
        while kills < KILLS or not self.is_cut_enough():
            assert time.monotonic() < deadline, (kills, [cutter.cuts for cutter in self.cutters])
            for thread in self.readers + self.followers:
                assert thread.is_alive(), thread.failure
            if len(self.jobs) < JOBS_MAX:
                self.submit("true")
            time.sleep(0.02)
            if kills < KILLS and len(self.jobs) % 5 == 0:
                kills += 1
                self.daemon.kill()
                self.daemon.start()
        for cutter in self.cutters:
            cutter.calm = True
        self.stop.touch()

    def check(self):
        for number, reader in enumerate(self.readers):
            check_events(reader, self.jobs, f"{number}th")
        for follower in self.followers:
            follower.join(60)
            assert not follower.is_alive() and not follower.failure, follower.failure
            assert follower.exit["returncode"] == 0
            assert follower.digest.digest() == Path(f"{self.stop}.sum").read_bytes()


def test_cut_off_and_killed(make_daemon, tmp_path, monkeypatch):
    """On the local engine: each event once and in order, each byte once."""
    with Rough(make_daemon().start(), 2, tmp_path, monkeypatch) as rough:
        rough.disturb()
        rough.check()
        assert rough.readers[0].events == rough.readers[1].events


def test_cut_off_and_killed_beside_flux(tmp_path, monkeypatch):
    """Beside Flux: each stored event at least once, and once where repeats are dropped.

    The output is cut less often, for each new stream of it asks Flux anew.
    """
    skip_unless_possible("flux")
    instance = FluxInstance(tmp_path)
    daemon = Daemon(tmp_path / "daemon", "flux", instance=instance)
    try:
        with Rough(daemon.start(), 1, tmp_path, monkeypatch, output_cuts=100) as rough:
            rough.disturb()
            rough.check()
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
