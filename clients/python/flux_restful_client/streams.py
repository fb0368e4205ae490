# SPDX-License-Identifier: LGPL-3.0-only
"""Server-sent events that survive broken connections: the loop under the client's iterators."""

import base64
import json
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Dict, Iterator, NamedTuple, Optional

import requests
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from .errors import LostConnectionError

if TYPE_CHECKING:
    from .client import FluxRestfulClient

SILENCE = 30.0  # seconds without a sign of life after which a connection counts as broken
FIRST_PAUSE = 0.1  # seconds before a connection is made anew; doubles up to the longest
LONGEST_PAUSE = 5.0
PIECE = 512  # bytes; a smaller chunk is not waited for
JOBS_REMEMBERED = 100_000


class Event(NamedTuple):
    """One event of text/event-stream."""

    kind: str
    place: Optional[str]  # what to come back with
    data: Dict[str, Any]


class OutputPiece(NamedTuple):
    """What follow_output() yields."""

    stream: str  # "stdout", "stderr", "redirect" or, last of all, "exit"
    rank: Optional[str]  # of the task, where it is known
    data: bytes  # empty for redirect and exit
    info: Dict[str, Any]  # exit: returncode, signal, exception, result; redirect: path


def parse(reply: requests.Response) -> Iterator[Event]:
    """Yields whole events; one whose end did not come is none."""
    kind, place, data, rest = "", None, None, b""
    # In small pieces: of a chunk that is cut, what came of it is good. None waits for its end.
    for piece in reply.iter_content(chunk_size=PIECE):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            field, _, value = line.decode("utf-8", "replace").partition(":")
            value = value[1:] if value.startswith(" ") else value
            if field == "event":
                kind = value
            elif field == "id":
                place = value
            elif field == "data":
                data = value
            elif not line:
                yield Event(kind if data else "", place, json.loads(data) if data else {})
                kind, data = "", None


class Follower:
    """One stream, connected anew as often as it takes, each time from where it broke off."""

    def __init__(
        self,
        client: "FluxRestfulClient",
        path: str,
        query: Dict[str, str],
        place: Optional[str],
        patience: float,
    ) -> None:
        self.client, self.path, self.query = client, path, query
        self.place, self.patience = place, patience
        self.failing_since: Optional[float] = None
        self.pause = FIRST_PAUSE

    def __iter__(self) -> Iterator[Event]:
        """Every event once connected; ends when the caller has seen enough."""
        while True:
            try:
                yield from self._connection()
                wait = self.pause
            except LostConnectionError as error:
                wait = self._count_failure(error)
            except (RequestException, HTTPError, ValueError):
                wait = self.pause  # it broke off: that is what we are for
            time.sleep(wait)
            self.pause = min(self.pause * 2, LONGEST_PAUSE)

    def _connection(self) -> Iterator[Event]:
        headers = {"Accept": "text/event-stream, application/problem+json"}
        headers["Accept-Encoding"] = "identity"
        if self.place is not None:
            headers["Last-Event-ID"] = self.place
        reply = self.client._call(
            "GET",
            self.path,
            params=self.query,
            headers=headers,
            stream=True,
            timeout=(self.client.timeout, SILENCE),
        )
        with reply:
            if reply.status_code in (429, 503):
                refusal = self.client._refusal(reply)
                raise LostConnectionError(refusal.message, refusal.code, reply.status_code)
            if reply.status_code != 200:
                raise self.client._refusal(reply)
            for event in parse(reply):
                self.failing_since, self.pause = None, FIRST_PAUSE
                if event.place is not None:
                    self.place = event.place
                if event.kind:
                    yield event

    def _count_failure(self, error: LostConnectionError) -> float:
        """Raises the error once there was no connection for too long."""
        now = time.monotonic()
        if self.failing_since is None:
            self.failing_since = now
        if now - self.failing_since > self.patience:
            raise error
        return self.pause


class Repeats:
    """Tells which stored events came before: after a restart beside Flux some come again."""

    def __init__(self) -> None:
        self.latest: "OrderedDict[int, int]" = OrderedDict()

    def is_one(self, event: Dict[str, Any]) -> bool:
        index = event.get("index")
        if index is None:
            return False
        before = self.latest.pop(event["id"], -1)
        self.latest[event["id"]] = max(before, index)
        if len(self.latest) > JOBS_REMEMBERED:
            self.latest.popitem(last=False)
        return index <= before


def output_piece(event: Event) -> OutputPiece:
    """The piece that an event of an output stream stands for."""
    data = event.data
    if event.kind not in ("stdout", "stderr"):
        return OutputPiece(event.kind, None, b"", data)
    text = data["data"]
    raw = base64.b64decode(text) if data.get("encoding") == "base64" else text.encode()
    return OutputPiece(event.kind, data.get("rank"), raw, {})
