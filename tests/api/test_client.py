# SPDX-License-Identifier: LGPL-3.0-only
"""The Python client: against the daemon, and against servers that behave badly."""

import json
import socket
import threading

import pytest
from restd import wait_for

from flux_restful_client import (
    BadRequestError,
    FluxRestfulClient,
    FluxRestfulError,
    ForbiddenError,
    LostConnectionError,
    NotFoundError,
    UnauthorizedError,
    UnavailableError,
)
from flux_restful_client.main import get_client
from flux_restful_client.main.client import FluxRestfulClient as OlderClient


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for name in ("FLUX_USER", "FLUX_TOKEN", "FLUX_RESTFUL_HOST"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def client(daemon):
    with FluxRestfulClient(daemon.url) as one:
        yield one


def wait_end(client, jobid):
    def ended():
        job = client.jobs(jobid)
        return job if job["state"] == "INACTIVE" else None

    return wait_for(f"job {jobid} has ended", ended)


# Against the daemon


def test_submit_and_look(client):
    reply = client.submit("echo 'hello there'", name="greeting", envars={"A": "b"}, num_tasks=None)
    assert reply["Message"] == "Job submit."
    job = wait_end(client, reply["id"])
    assert job["id"] == reply["id"] and job["jobid"] == reply["jobid"]
    assert (job["name"], job["result"]) == ("greeting", "COMPLETED")
    assert client.output(reply["jobid"]) == {"Output": ["hello there\n"]}


def test_command_as_a_list(client):
    reply = client.submit(["printf", "%s|", "a b", 60, 1.5])
    assert list(client.stream_output(reply["jobid"])) == ["a b|60|1.5|"]


def test_stream_ends_with_the_job(client):
    script = 'i=0; while [ $i -lt 5 ]; do echo "line $i"; echo; i=$((i+1)); sleep 0.02; done'
    reply = client.submit(["sh", "-c", script])
    expected = [text for n in range(5) for text in (f"line {n}", "")]
    assert list(client.stream_output(reply["id"])) == expected
    assert wait_end(client, reply["id"])["result"] == "COMPLETED"


def test_carriage_returns_stay_in_their_line(client):
    reply = client.submit(["printf", r"10%%\r20%%\r\nnext é\n"])
    assert list(client.stream_output(reply["id"])) == ["10%\r20%\r", "next é"]


def test_lists(client):
    reply = client.submit("true", name="listed")
    wait_end(client, reply["id"])
    jobs = client.jobs()["jobs"]
    assert reply["id"] in [job["id"] for job in jobs]
    assert client.jobs(detail=True)[str(reply["id"])]["name"] == "listed"
    rows = client.jobs(detail=True, listing=True, limit=1)
    assert isinstance(rows, list) and len(rows) == 1
    named = client.jobs(name="listed", state=["inactive"])["jobs"]
    assert [job["id"] for job in named] == [reply["id"]]


def test_search(client):
    wait_end(client, client.submit("true", name="needle-1")["id"])
    wait_end(client, client.submit("true", name="needle-2")["id"])
    found = client.search("needle", start=1)
    assert found["recordsFiltered"] == len(found["data"]) == 1
    found = client.search(query="needle", start=0, length=1, draw=3)
    assert (found["recordsFiltered"], len(found["data"])) == (2, 1)


def test_cancel(client):
    reply = client.submit("sleep 600")
    said = client.cancel(reply["jobid"], reason="a test")
    assert said == {"Message": "Job is requested to cancel.", "id": reply["jobid"]}
    assert wait_end(client, reply["id"])["result"] == "CANCELED"
    with pytest.raises(BadRequestError, match="^Job cannot be cancelled"):
        client.cancel(reply["id"])


def test_nodes_and_service(client):
    assert len(client.list_nodes()["nodes"]) == 1
    assert client.service()["version"]
    assert client.ready()


def test_unknown_job(client):
    with pytest.raises(NotFoundError) as caught:
        client.jobs("ƒ1111111")
    assert (caught.value.code, caught.value.status) == ("job-not-found", 404)
    with pytest.raises(FluxRestfulError):
        client.cancel("ƒ1111111")


def test_refused_submit_names_every_field(client):
    with pytest.raises(BadRequestError) as caught:
        client.submit("true", runtime=-1, option_flags={"-ompi": "x"}, num_task=2)
    text = str(caught.value)
    assert text.startswith("Invalid submit request")
    for part in ("found -1", "keys without -o", "num_tasks"):
        assert part in text
    assert "/runtime" in [error["pointer"] for error in caught.value.errors]
    assert caught.value.status == 400


def test_no_command(client):
    with pytest.raises(BadRequestError, match="A 'command' is minimally required."):
        client.submit("")


def test_older_layout(daemon, capsys):
    client = get_client(host=daemon.url, quiet=True)
    assert isinstance(client, OlderClient) and isinstance(client, FluxRestfulClient)
    reply = client.submit(command=["sleep", 600])
    assert client.cancel(reply["id"])["Message"] == "Job is requested to cancel."
    wait_end(client, reply["id"])
    assert "cannot be cancelled" in client.cancel(reply["id"])["Message"]
    refused = client.submit("sleep 1", option_flags={"-ompi": "noodles"})
    assert "keys without -o" in refused["Errors"][0]
    assert client.jobs("ƒ1111111") is None
    assert capsys.readouterr().out


def test_stop(make_daemon):
    daemon = make_daemon().start()
    with FluxRestfulClient(daemon.url) as client:
        assert client.stop_service() == {"Message": "The service is stopping."}
    daemon.wait_for_end()


def test_credentials(make_daemon, monkeypatch):
    env = {"FLUX_USER": "fluxuser", "FLUX_TOKEN": "töken", "FLUX_REQUIRE_AUTH": "true"}
    daemon = make_daemon(env=env).start()
    daemon.session.auth = ("fluxuser".encode(), "töken".encode())
    client = FluxRestfulClient(daemon.url)
    with pytest.raises(UnauthorizedError, match="FLUX_USER and FLUX_TOKEN"):
        client.list_nodes()
    for set_auth in (
        lambda: client.set_basic_auth("fluxuser", "töken"),
        lambda: client.set_basic_auth(user="fluxuser", token="töken"),
    ):
        set_auth()
        assert client.list_nodes()["nodes"]
    assert FluxRestfulClient(daemon.url, token="töken").list_nodes()["nodes"]
    monkeypatch.setenv("FLUX_USER", "fluxuser")
    monkeypatch.setenv("FLUX_TOKEN", "töken")
    monkeypatch.setenv("FLUX_RESTFUL_HOST", daemon.url)
    assert FluxRestfulClient().list_nodes()["nodes"]
    with pytest.raises(UnauthorizedError):
        FluxRestfulClient(token="wrong").list_nodes()


# Against servers that behave badly


class BadServer:
    """Answers each connection with the next of its replies (None: closes at once)."""

    def __init__(self, *replies):
        self.requests = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, args=(replies,), daemon=True)
        self.thread.start()

    def _serve(self, replies):
        for reply in replies:
            connection, _ = self.socket.accept()
            with connection:
                data = b""
                while b"\r\n\r\n" not in data:
                    data += connection.recv(65536)
                self.requests.append(data.partition(b" HTTP")[0].decode())
                if reply is not None:
                    connection.sendall(reply)
        self.socket.close()

    def count(self):
        self.thread.join(10)
        return len(self.requests)


def answer(status, body, *headers, length=None):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {length or len(data)}", *headers]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + data


def test_a_read_is_tried_again():
    server = BadServer(None, None, answer("200 OK", {"nodes": ["a"]}))
    assert FluxRestfulClient(server.url).list_nodes() == {"nodes": ["a"]}
    assert server.count() == 3


def test_a_read_is_tried_again_when_the_server_is_busy():
    busy = answer("503 Busy", {"Message": "not yet", "code": "unavailable"}, "Retry-After: 0")
    server = BadServer(busy, answer("200 OK", {"nodes": []}))
    assert FluxRestfulClient(server.url).list_nodes() == {"nodes": []}
    assert server.count() == 2


def test_a_read_is_not_tried_for_ever():
    busy = answer("503 Busy", {"Message": "not yet", "code": "unavailable"}, "Retry-After: 0")
    server = BadServer(busy, busy)
    with pytest.raises(UnavailableError, match="not yet"):
        FluxRestfulClient(server.url, attempts=2).list_nodes()
    server = BadServer(None, None)
    with pytest.raises(LostConnectionError):
        FluxRestfulClient(server.url, attempts=2).list_nodes()
    assert server.count() == 2


@pytest.mark.parametrize(
    "reply",
    [None, answer("200 OK", b'{"Message"', length=100), answer("200 OK", b"<html>"), b"HTTP/1.1 "],
    ids=["closed", "cut", "no JSON", "half a line"],
)
@pytest.mark.parametrize("call", ["submit", "cancel", "stop_service"])
def test_a_change_is_sent_once(reply, call):
    """A lost reply would make a second job of a second try."""
    fine = answer("200 OK", {"Message": "Job submit.", "id": 1, "jobid": "ƒ1"})
    server = BadServer(reply, fine)
    client = FluxRestfulClient(server.url)
    arguments = [] if call == "stop_service" else ["1"]
    with pytest.raises(LostConnectionError, match="not known whether") as caught:
        getattr(client, call)(*arguments)
    assert caught.value.code == "outcome-unknown"
    # The second reply is fetched by hand: nothing else has asked for it.
    assert client.service()
    assert [request.partition(" ")[0] for request in server.requests] == ["POST", "GET"]


def test_a_change_is_not_repeated_when_the_server_is_busy():
    busy = answer("503 Busy", {"Message": "stopping", "code": "stopping"}, "Retry-After: 7")
    server = BadServer(busy)
    with pytest.raises(UnavailableError) as caught:
        FluxRestfulClient(server.url).submit("true")
    assert (caught.value.code, caught.value.retry_after) == ("stopping", 7)
    assert server.count() == 1


def test_nobody_there():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = "http://127.0.0.1:%d" % taken.getsockname()[1]
    with pytest.raises(LostConnectionError, match="Start flux-restd") as caught:
        FluxRestfulClient(url).submit("true")
    assert caught.value.code == "not-sent"
    assert not FluxRestfulClient(url).ready()


def test_redirects_are_not_followed():
    away = answer("307 Elsewhere", b"", "Location: http://127.0.0.1:1/")
    server = BadServer(away)
    with pytest.raises(FluxRestfulError, match="307"):
        FluxRestfulClient(server.url, user="u", token="t").submit("true")
    assert server.count() == 1


def test_a_stream_that_breaks_off():
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    server = BadServer(head + b"6\r\none\ntw\r\n")
    lines = FluxRestfulClient(server.url).stream_output(1)
    assert next(lines) == "one"
    with pytest.raises(LostConnectionError, match="broke off"):
        next(lines)


@pytest.mark.parametrize("jobid", ["", " ", None, True, ".", ".."], ids=repr)
def test_ids_that_are_none(jobid):
    client = FluxRestfulClient("http://127.0.0.1:1")
    with pytest.raises(ValueError, match="not a job id"):
        client.cancel(jobid)


@pytest.mark.parametrize("host", ["ftp://x", "unix:/run/x", "http://", "http:///v1"])
def test_hosts_that_are_none(host):
    with pytest.raises(ValueError, match="http://127.0.0.1:5000"):
        FluxRestfulClient(host)


def test_commands_that_are_none():
    client = FluxRestfulClient("http://127.0.0.1:1")
    for command in (7, None, {"a": 1}):
        with pytest.raises(TypeError, match="str or a list"):
            client.submit(command)


def test_where_it_asks(monkeypatch):
    assert FluxRestfulClient().host == "http://127.0.0.1:5000"
    monkeypatch.setenv("FLUX_RESTFUL_HOST", "http://node1:8080/")
    assert FluxRestfulClient().host == "http://node1:8080"
    assert FluxRestfulClient("node2:1").host == "http://node2:1"
    with pytest.raises(ValueError, match="colon"):
        FluxRestfulClient().set_basic_auth("a:b", "c")


def test_tokens(local):
    client = FluxRestfulClient(local.url)
    made = client.create_token("from-python", expires="1h")
    assert made["role"] == "read" and made["token"].startswith("frt_")
    assert [token["name"] for token in client.tokens()["tokens"]] == ["from-python"]
    for options in ({}, {"user": "anybody"}):
        reader = FluxRestfulClient(local.url, token=made["token"], **options)
        assert reader.service()["user"] == "token:from-python"
        with pytest.raises(ForbiddenError, match="role submit"):
            reader.submit("true")
    client.revoke_token("from-python")
    with pytest.raises(UnauthorizedError):
        reader.jobs()
    with pytest.raises(NotFoundError):
        client.revoke_token("from-python")
