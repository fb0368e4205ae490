# SPDX-License-Identifier: LGPL-3.0-only
"""A reader of text/event-stream and NDJSON, for tests: blocks until what it is asked for comes."""

import json

from restd import LIMIT

SSE = {"Accept": "text/event-stream"}
LINES = {"Accept": "application/x-ndjson"}


class Stream:
    """One streaming reply. Iterates over (event, id, data); comments are passed over."""

    def __init__(self, daemon, path, headers=None, **params):
        self.reply = daemon.get(
            path, params=params, headers=headers or SSE, stream=True, timeout=LIMIT
        )
        self.lines = self.reply.iter_lines(chunk_size=None, delimiter=b"\n")
        self.sse = self.reply.headers["Content-Type"] == "text/event-stream"

    def __enter__(self):
        assert self.reply.status_code == 200, self.reply.text
        return self

    def __exit__(self, *unused):
        self.reply.close()

    def __iter__(self):
        return self

    def __next__(self):
        return self.next_event() if self.sse else self.next_line()

    def next_line(self):
        data = json.loads(next(self.lines) or next(self.lines))
        word = data.get("control") or ("snapshot" if "snapshot" in data else "job")
        return word, data.get("cursor"), data

    def next_event(self):
        word, place, data = None, None, None
        for line in self.lines:
            field, _, value = line.decode().partition(": ")
            if line == b"" and data is not None:
                return word, place, json.loads(data)
            if field == "event":
                word = value
            elif field == "id":
                place = value
            elif field == "data":
                data = value
        raise StopIteration

    def until(self, word):
        """All that comes before the event of this word, and that one's data."""
        before = []
        for kind, _, data in self:
            if kind == word:
                return before, data
            before.append((kind, data))
        raise AssertionError(f"the stream ended before {word}: {before}")

    def jobs(self, last="INACTIVE", count=1):
        """Job events up to the one that brings the count-th job to this state."""
        events = []
        for kind, _, data in self:
            if kind == "job":
                events.append(data)
                count -= data["state"] == last and data["name"] in ("clean", "start")
            if count == 0:
                return events
        raise AssertionError(f"the stream ended: {events}")
