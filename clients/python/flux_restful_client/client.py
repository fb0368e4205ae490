# SPDX-License-Identifier: LGPL-3.0-only
"""The client itself: one object, one HTTP session, one method per call of the API."""

import json
import os
import time
from typing import Any, Dict, Iterator, List, Optional, Sequence, Union
from urllib.parse import quote, urlsplit

import requests
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError, NewConnectionError

from .errors import FluxRestfulError, LostConnectionError, from_reply
from .streams import Follower, OutputPiece, Repeats, output_piece
from .version import __version__

DEFAULT_HOST = "http://127.0.0.1:5000"

JobId = Union[int, str]
Command = Union[str, Sequence[Any]]

_FIRST_PAUSE = 0.2  # seconds before a read is tried again; doubles each time
_LONGEST_PAUSE = 5.0
_LONGEST_WAIT = 30.0  # seconds that one request of wait() may take


def _base_url(host: str) -> str:
    """The address without a trailing slash; ValueError if it is none that we can use."""
    text = host.strip()
    if "://" not in text and not text.startswith("unix:"):
        text = "http://" + text
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(
            f"host {host!r} is not an http:// or https:// address; "
            f"give one such as {DEFAULT_HOST}"
        )
    return text.rstrip("/")


def _job_path(jobid: JobId, rest: str = "") -> str:
    """The path of a job, whatever the spelling of its id."""
    text = str(jobid).strip()
    if isinstance(jobid, bool) or text in ("", ".", "..", "None"):
        raise ValueError(f"{jobid!r} is not a job id; give the id or jobid that submit() returned")
    return f"/v1/jobs/{quote(text, safe='')}{rest}"


def _words(command: Command) -> Union[str, List[str]]:
    """The command as it is sent: a text to be split by the server, or a list of words."""
    if isinstance(command, str):
        return command
    if isinstance(command, (list, tuple)):
        return [os.fspath(w) if isinstance(w, os.PathLike) else str(w) for w in command]
    raise TypeError(f"command must be a str or a list of words, not {type(command).__name__}")


def _parameters(values: Dict[str, Any]) -> Dict[str, str]:
    """Query parameters as texts, without those that are None."""
    texts = {}
    for name, value in values.items():
        if isinstance(value, bool):
            texts[name] = "true" if value else "false"
        elif isinstance(value, (list, tuple)):
            texts[name] = ",".join(str(item) for item in value)
        elif value is not None:
            texts[name] = str(value)
    return texts


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and those wrapped in it, the innermost last."""
    seen: Optional[BaseException] = error
    while seen is not None:
        yield seen
        inner = [arg for arg in seen.args if isinstance(arg, BaseException)]
        reason = getattr(seen, "reason", None)
        seen = reason if isinstance(reason, BaseException) else inner[0] if inner else None


def _never_sent(error: BaseException) -> bool:
    """Whether the connection was never made, so that the server cannot have acted."""
    never = (requests.exceptions.ConnectTimeout, NewConnectionError)
    return any(isinstance(cause, never) for cause in _causes(error))


def _because(error: BaseException) -> str:
    """The innermost reason, without the wrapping of two libraries around it."""
    text = str(list(_causes(error))[-1])
    return text.partition(" object at 0x")[2].partition(">: ")[2] or text


class FluxRestfulClient:
    """Talks to one flux-restd.

    host
        ``http://…`` or ``https://…``; else ``FLUX_RESTFUL_HOST``, else
        ``http://127.0.0.1:5000``.
    user, token
        credentials; else ``FLUX_USER`` and ``FLUX_TOKEN``. Both together are sent as HTTP
        Basic, a token without a user as a bearer token. On the server's own machine and as
        the server's own user none are needed, unless it is set to require them.
    cacert
        for ``https://…``: a file of the certificates to trust instead of the system's.
    timeout
        seconds to wait for a connection and between two pieces of a reply.
    attempts
        how often a read is tried in all when the connection fails or the server answers 503.
        A call that changes something is always sent once: where its reply is lost, nobody but
        the caller can tell whether to repeat it.

    Every method raises a FluxRestfulError when the server refuses the call or cannot be
    reached. One object is for one thread at a time.
    """

    def __init__(
        self,
        host: Optional[str] = None,
        user: Optional[str] = None,
        token: Optional[str] = None,
        timeout: float = 10.0,
        attempts: int = 5,
        cacert: Union[None, str, "os.PathLike[str]"] = None,
    ) -> None:
        if attempts < 1:
            raise ValueError(f"attempts must be at least 1, not {attempts}")
        self.host = _base_url(host or os.environ.get("FLUX_RESTFUL_HOST") or DEFAULT_HOST)
        self.timeout = timeout
        self.attempts = attempts
        self._verify = True if cacert is None else os.fspath(cacert)
        self._session = requests.Session()
        self._session.headers["Accept"] = "application/json, application/problem+json"
        self._session.headers["User-Agent"] = f"flux-restful-client/{__version__}"
        # A proxy from the environment has no business between us and our own machine.
        if urlsplit(self.host).hostname in ("127.0.0.1", "::1", "localhost"):
            self._session.trust_env = False
        user = user or os.environ.get("FLUX_USER")
        token = token or os.environ.get("FLUX_TOKEN")
        if user and token:
            self.set_basic_auth(user, token)
        elif token:
            self.set_bearer_auth(token)

    def __repr__(self) -> str:
        return f"<FluxRestfulClient {self.host}>"

    def __enter__(self) -> "FluxRestfulClient":
        return self

    def __exit__(self, *unused: Any) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections. The object can still be used, and opens new ones then."""
        self._session.close()

    def set_basic_auth(self, user: str, token: str) -> None:
        """Sends this user and token with every call from now on."""
        if ":" in user:
            raise ValueError("a user's name cannot contain a colon in HTTP Basic")
        self._session.auth = requests.auth.HTTPBasicAuth(user.encode(), token.encode())

    def set_bearer_auth(self, token: str) -> None:
        """Sends this token, without a user, with every call from now on."""

        value = b"Bearer " + token.encode()

        def authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers["Authorization"] = value
            return request

        self._session.auth = authorize

    # Jobs

    def submit(self, command: Command, **fields: Any) -> Dict[str, Any]:
        """Submits a job and returns ``{"Message": …, "id": …, "jobid": …}``.

        command is a text, which the server splits into words as a shell would, or a list of
        words, taken as they are. fields are those of the API, among them num_tasks,
        cores_per_task, gpus_per_task, num_nodes, exclusive, workdir, envars (a dict),
        option_flags (a dict), runtime (seconds; 0 is no limit), name and urgency; one that is
        None is left out.

        Raises BadRequestError when the job is refused: its ``errors`` name each wrong field.
        Raises LostConnectionError when the reply was lost; see its code before trying again.
        """
        body: Dict[str, Any] = {"command": _words(command)}
        body.update((name, value) for name, value in fields.items() if value is not None)
        return self._send("POST", "/v1/jobs/submit", body=body)

    def jobs(
        self,
        jobid: Optional[JobId] = None,
        detail: bool = False,
        listing: bool = False,
        **filters: Any,
    ) -> Any:
        """Returns one job, or lists jobs.

        With a jobid (in any spelling) the job as a dict; NotFoundError if there is none.

        Without, ``{"jobs": [job, …], …}``: waiting jobs first, then running, then ended ones,
        the newest first. With detail a dict from id (as text) to job instead, and with
        listing as well a list. filters are the API's: limit, state, name, and so on.
        """
        if jobid is not None:
            if detail or listing or filters:
                raise ValueError("a jobid asks for one job: leave detail, listing and filters out")
            return self._read(_job_path(jobid))
        query = dict(filters)
        if detail:
            query["details"] = True
        if listing:
            query["listing"] = True
        return self._read("/v1/jobs", query)

    def search(
        self,
        query: Optional[str] = None,
        start: Optional[int] = None,
        length: Optional[int] = None,
        draw: Optional[int] = None,
    ) -> Dict[str, Any]:
        """Searches as a DataTables page does.

        Returns ``{"data": [job, …], "draw", "recordsTotal", "recordsFiltered"}``, where
        recordsFiltered counts the rows returned, or all that match if draw is given.
        """
        return self._read(
            "/v1/jobs/search", {"query": query, "start": start, "length": length, "draw": draw}
        )

    def cancel(self, jobid: JobId, reason: Optional[str] = None) -> Dict[str, Any]:
        """Asks for a job to be cancelled and returns ``{"Message": …, "id": …}``.

        Raises an error whose text begins "Job cannot be cancelled" (BadRequestError if the
        job has ended already).
        """
        body = None if reason is None else {"reason": reason}
        return self._send("POST", _job_path(jobid, "/cancel"), body=body)

    def output(self, jobid: JobId) -> Dict[str, Any]:
        """Returns what a job has written so far, without waiting for more.

        ``{"Output": ["line\\n", …]}``, or ``{"Message": …}`` if there is nothing.
        """
        return self._read(_job_path(jobid, "/output"))

    def stream_output(self, jobid: JobId, timeout: Optional[float] = None) -> Iterator[str]:
        """Yields a job's output line by line, as it comes, until the job has ended.

        Lines come without their line ends. timeout is the longest silence in seconds; None,
        the default, waits for as long as the job takes. Raises LostConnectionError if the
        connection broke before the job's end.
        """
        path = _job_path(jobid, "/output/stream")
        headers = {"Accept": "text/plain, application/problem+json", "Accept-Encoding": "identity"}
        reply = self._retry(path, {}, headers=headers, stream=True, timeout=(self.timeout, timeout))
        with reply:
            if reply.status_code != 200:
                raise self._refusal(reply)
            yield from self._lines(reply)

    def follow_output(
        self,
        jobid: JobId,
        stream: Optional[str] = None,
        rank: Optional[int] = None,
        patience: float = 120.0,
    ) -> Iterator[OutputPiece]:
        """Yields what a job writes, as it comes, and last how the job ended.

        Each is an OutputPiece: ``stream`` is "stdout" or "stderr" with the bytes in ``data``,
        or "exit", the last one, with returncode, signal, exception and result in ``info``.
        stream and rank ask for one stream or one task alone.

        A connection that breaks is made anew and goes on at the byte where it broke off.
        patience is for how many seconds there may be no server before that is an error.
        """
        query = _parameters({"stream": stream, "rank": rank})
        path = _job_path(jobid, "/output/stream")
        for event in Follower(self, path, query, None, patience):
            if event.kind in ("stdout", "stderr", "redirect", "exit"):
                yield output_piece(event)
            if event.kind == "exit":
                return

    # Events

    def events(
        self,
        since: Optional[str] = None,
        snapshot: bool = False,
        patience: float = 120.0,
        **filters: Any,
    ) -> Iterator[Dict[str, Any]]:
        """Yields every event of every job, as it happens, each once; it does not end.

        since is the cursor of a list or of an event: those after it come first, so that
        nothing is missed between a list and its events. "0" is from the oldest that is kept;
        None from now on. With snapshot the jobs as they are come first, each as
        ``{"snapshot": job}``. filters are the API's: state, name, event, ids, and so on.

        A connection that breaks is made anew and goes on where it broke off. Raises a
        GoneError when the server does not know any more what came after that: list again.
        """
        query = _parameters({**filters, "snapshot": snapshot or None})
        repeats = Repeats()
        for event in Follower(self, "/v1/events", query, since, patience):
            if event.kind == "snapshot":
                yield {"snapshot": event.data}
            elif event.kind == "job" and not repeats.is_one(event.data):
                yield event.data

    def wait(self, jobid: JobId, timeout: Optional[float] = None) -> Dict[str, Any]:
        """Waits until the job has ended and returns it, without asking again and again.

        Raises TimeoutError if it has not ended after timeout seconds (None: no limit).
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = _LONGEST_WAIT if deadline is None else deadline - time.monotonic()
            query = _parameters(
                {"wait": "inactive", "timeout": f"{max(0.0, min(left, _LONGEST_WAIT)):.3f}"}
            )
            path = _job_path(jobid)
            limits = (self.timeout, _LONGEST_WAIT + self.timeout)
            job = self._json(self._retry(path, query, timeout=limits), "GET", path)
            if job["state"] == "INACTIVE":
                return job
            if left <= 0:
                raise TimeoutError(f"job {jobid} has not ended in {timeout} s: {job['state']}")

    # Nodes and the service

    def list_nodes(self) -> Dict[str, Any]:
        """Returns ``{"nodes": ["host", …]}``, those that are up."""
        return self._read("/v1/nodes")

    def service(self) -> Dict[str, Any]:
        """Returns what the server says of itself: version, engine, instance and so on."""
        return self._read("/v1/service")

    def ready(self) -> bool:
        """Whether the server is there and knows all jobs (again). Asks once."""
        try:
            return self._call("GET", "/readyz").status_code == 200
        except LostConnectionError:
            return False

    # Tokens, for which the role admin is needed

    def tokens(self) -> Dict[str, Any]:
        """Returns ``{"tokens": [{"name", "role", "created", "expires"}, …]}``."""
        return self._read("/v1/tokens")

    def create_token(
        self, name: str, role: str = "read", expires: Union[int, float, str, None] = None
    ) -> Dict[str, Any]:
        """Makes a token and returns ``{"name", "role", "expires", "token"}``.

        role is read, submit or admin; expires is after how long it ends: seconds, or a text
        such as "30d" (the server's default is 90 days). The token is told this once.
        """
        body = {"name": name, "role": role}
        return self._send("POST", "/v1/tokens", {**body, **({"expires": expires} if expires else {})})

    def revoke_token(self, name: str) -> Dict[str, Any]:
        """Revokes a token, and returns ``{"Message", "name"}``. NotFoundError if there is none."""
        return self._send("DELETE", "/v1/tokens/" + quote(name, safe=""))

    def stop_service(
        self, *, instance: bool = True, drain: bool = False, cancel: bool = False
    ) -> Dict[str, Any]:
        """Stops the server and returns ``{"Message": …}``.

        instance: with Flux, its instance too. drain: when no job runs any more. cancel: when all
        jobs have ended, for which they are cancelled. Nothing is submitted meanwhile.
        """
        body = {"instance": instance, "drain": drain, "cancel": cancel}
        return self._send("POST", "/v1/service/stop", body)

    # How a call is made

    def _read(self, path: str, query: Optional[Dict[str, Any]] = None) -> Any:
        return self._json(self._retry(path, _parameters(query or {})), "GET", path)

    def _retry(self, path: str, query: Dict[str, str], **options: Any) -> requests.Response:
        """Makes a GET, again after a failed connection or a 503, attempts times in all."""
        pause = _FIRST_PAUSE
        for left in range(self.attempts - 1, -1, -1):
            wait = pause
            try:
                reply = self._call("GET", path, params=query, **options)
                if reply.status_code != 503 or not left:
                    return reply
                with reply:
                    wait = self._refusal(reply).retry_after or pause
            except LostConnectionError:
                if not left:
                    raise
            time.sleep(min(wait, _LONGEST_PAUSE))
            pause *= 2
        raise AssertionError("not reached")

    def _send(self, method: str, path: str, body: Optional[Dict[str, Any]] = None) -> Any:
        """Makes a call that changes something: once, whatever comes of it."""
        data, headers = None, {}
        if body is not None:
            data = json.dumps(body, default=os.fspath, allow_nan=False).encode()
            headers["Content-Type"] = "application/json"
        return self._json(self._call(method, path, data=data, headers=headers), method, path)

    def _call(self, method: str, path: str, **options: Any) -> requests.Response:
        options.setdefault("timeout", self.timeout)
        try:
            return self._session.request(
                method, self.host + path, allow_redirects=False, verify=self._verify, **options
            )
        except (RequestException, HTTPError) as error:
            raise self._lost(method, path, error) from error

    def _lost(self, method: str, path: str, error: BaseException) -> LostConnectionError:
        if _never_sent(error):
            return LostConnectionError(
                f"No server answers at {self.host}. Start flux-restd there, or name another "
                f"address by FLUX_RESTFUL_HOST or host=. ({_because(error)})",
                code="not-sent",
            )
        doubt = "" if method == "GET" else (
            " It is not known whether it was done: look before you repeat it."
        )
        return LostConnectionError(
            f"The reply to {method} {path} from {self.host} was lost.{doubt} ({_because(error)})",
            code="outcome-unknown",
        )

    def _json(self, reply: requests.Response, method: str, path: str) -> Any:
        if not 200 <= reply.status_code < 300:
            raise self._refusal(reply)
        try:
            return reply.json()
        except ValueError as error:
            # Either a reply that was cut short or a server of another kind.
            raise self._lost(method, path, error) from error

    def _refusal(self, reply: requests.Response) -> FluxRestfulError:
        try:
            body = reply.json()
        except (ValueError, RequestException, HTTPError):
            body = {}
        return from_reply(
            reply.status_code,
            reply.reason or "",
            body if isinstance(body, dict) else {},
            reply.headers.get("Retry-After"),
        )

    def _lines(self, reply: requests.Response) -> Iterator[str]:
        """Splits at newlines alone: a job's own carriage returns stay in its lines."""
        # Chunks are passed on as they come; of any other body no more than a byte is awaited.
        size = None if reply.headers.get("Transfer-Encoding", "").lower() == "chunked" else 1
        rest = b""
        try:
            for piece in reply.iter_content(chunk_size=size):
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    yield line.decode("utf-8", "replace")
        except (RequestException, HTTPError) as error:
            raise LostConnectionError(
                f"The output from {self.host} broke off before the job's end. ({_because(error)})",
                code="outcome-unknown",
            ) from error
        if rest:
            yield rest.decode("utf-8", "replace")
