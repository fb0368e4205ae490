# SPDX-License-Identifier: LGPL-3.0-only
"""TLS: the same service over it, only its modern versions, and a certificate that is renewed."""

import os
import re
import signal
import socket
import ssl
import subprocess

import pytest
import requests
from flux_restful_client import FluxRestfulClient
from restd import ROOT, Daemon, binary, read_to_end, skip_unless_possible, wait_for

HOLD = 300  # connections that begin a handshake and go no further


def make_pair(folder, name, key="ec", names="DNS:localhost,IP:127.0.0.1"):
    """A certificate that signs itself, and its key."""
    cert, secret = folder / f"{name}.pem", folder / f"{name}.key"
    kind = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"], "rsa": ["rsa:2048"]}[key]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", *kind, "-nodes", "-days", "2", "-subj", "/CN=x",
         "-addext", f"subjectAltName={names}", "-out", cert, "-keyout", secret],
        check=True, capture_output=True,
    )  # fmt: skip
    secret.chmod(0o600)
    return cert, secret


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def pair(folder):
    return make_pair(folder, "first")


def tls_args(pair):
    return ["--tls-cert", str(pair[0]), "--tls-key", str(pair[1])]


@pytest.fixture(scope="module")
def secure(folder, pair):
    skip_unless_possible("local")
    one = Daemon(folder / "secure", args=[*tls_args(pair), "--handshake-seconds", "2"],
                 listen=["127.0.0.1:0", f"unix:{folder}/socket"], cacert=str(pair[0]))  # fmt: skip
    try:
        yield one.start()
    finally:
        one.finish()


def client_context(cacert, oldest=None, newest=None, ciphers=None):
    context = ssl.create_default_context(cafile=str(cacert))
    if oldest:
        context.minimum_version = oldest
    if newest:
        context.maximum_version = newest
    if ciphers:
        context.set_ciphers(ciphers)
    return context


def handshake(daemon, context):
    """The connection, ready to be used."""
    sock = socket.create_connection(("127.0.0.1", daemon.port), timeout=30)
    try:
        return context.wrap_socket(sock, server_hostname="localhost")
    except BaseException:
        sock.close()
        raise


def serial(daemon, cacert):
    with handshake(daemon, client_context(cacert)) as sock:
        return sock.getpeercert()["serialNumber"]


def test_the_whole_service(secure):
    """A submit, a stream that ends, a large reply; one connection for all."""
    assert secure.url.startswith("https://")
    jobid = secure.submit("sh -c 'echo one; echo two'")
    stream = secure.get(f"/v1/jobs/{jobid}/output/stream")
    assert stream.text == "one\ntwo\n"
    assert secure.job(jobid)["jobid"] == jobid
    assert len(secure.get("/openapi.json").json()["paths"]) > 10


def test_a_body_in_pieces(secure):
    reply = secure.post("/v1/jobs", data=iter([b'{"command"', b': "true", "envars": {"A": "',
                        b"x" * 100000, b'"}}']),
                        headers={"Content-Type": "application/json"})  # fmt: skip
    assert reply.status_code == 201, reply.text


def test_what_the_kernel_knows_of_the_peer_counts(secure):
    """The daemon's own user needs no credentials here either."""
    assert secure.get("/v1/service").json()["identified_by"] == "peer"


def test_a_unix_socket_stays_plain(secure, folder):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(30)
        sock.connect(f"{folder}/socket")
        sock.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert read_to_end(sock).startswith(b"HTTP/1.1 200 ")


def test_flux_rest(secure, pair):
    client = binary().parent / "flux-rest"
    if not client.exists():
        client = ROOT / "build" / "flux-rest"
    command = [client, "--url", secure.url, "info"]
    env = {k: v for k, v in os.environ.items() if not k.startswith(("FLUX_", "SSL_", "CURL_"))}
    good = subprocess.run([*command[:1], "--cacert", pair[0], *command[1:]], env=env,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert good.returncode == 0 and secure.url in good.stdout, good.stderr
    bad = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert bad.returncode == 3 and "certificate" in bad.stderr


def test_python_client(secure, pair):
    with FluxRestfulClient(secure.url, cacert=pair[0]) as client:
        job = client.submit("echo hello")
        assert list(client.stream_output(job["jobid"])) == ["hello"]
    with FluxRestfulClient(secure.url, attempts=1) as client:
        with pytest.raises(Exception, match="(?i)certificate"):
            client.jobs()


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_modern_versions(secure, pair, version):
    version = getattr(ssl.TLSVersion, version)
    with handshake(secure, client_context(pair[0], version, version)) as sock:
        assert sock.cipher()[0].startswith(("TLS_", "ECDHE-"))
        sock.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert read_to_end(sock).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions(secure, pair, version):
    version = getattr(ssl.TLSVersion, version)
    context = client_context(pair[0], version, version, "ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match="(?i)version|closed"):
        handshake(secure, context).close()


@pytest.mark.parametrize("ciphers", ["AES256-SHA", "ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256"])
def test_old_ciphers(secure, pair, ciphers):
    """Without forward secrecy, or with a cipher that does not authenticate."""
    context = client_context(pair[0], newest=ssl.TLSVersion.TLSv1_2,
                             ciphers=f"{ciphers}:@SECLEVEL=0")  # fmt: skip
    with pytest.raises(ssl.SSLError):
        handshake(secure, context).close()


def test_plain_http_is_not_answered(secure):
    assert b"200" not in secure.raw(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")


def test_smuggling_over_tls(secure, pair):
    """What the plain port refuses is refused here: it is the same code."""
    with handshake(secure, client_context(pair[0])) as sock:
        sock.sendall(b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\n{}")  # fmt: skip
        reply = read_to_end(sock)
    assert re.findall(rb"HTTP/1\.1 (\d+)", reply) == [b"400"]


def test_handshakes_that_do_not_go_on(secure, pair):
    """They hold up nobody, and are cut once their time is over (--handshake-seconds)."""
    before = secure.fds()
    socks = [socket.create_connection(("127.0.0.1", secure.port)) for _ in range(HOLD)]
    try:
        for i, sock in enumerate(socks):
            sock.sendall(b"\x16\x03\x01\x02\x00\x01" if i % 2 else b"")
        assert secure.get("/livez").status_code == 200
        with handshake(secure, client_context(pair[0])) as silent:
            assert read_to_end(silent) == b""  # a handshake alone buys no more time
        for sock in socks:
            sock.settimeout(30)
            assert read_to_end(sock)[:1] in (b"", b"\x15")  # cut, after an alert perhaps
    finally:
        for sock in socks:
            sock.close()
    wait_for("they are forgotten", lambda: secure.fds() <= before + 1)


def ask(daemon, cacert):
    """The reply; nothing if the connection is cut before there is one."""
    try:
        with handshake(daemon, client_context(cacert)) as sock:
            sock.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return read_to_end(sock)
    except OSError:
        return b""


class Deaf:
    """A client that asks for something, many times at once, and never reads."""

    def __init__(self, daemon, cacert, count):
        raw = socket.socket()
        raw.settimeout(30)
        # So that the daemon's socket has little room for what is not read.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        raw.connect(("127.0.0.1", daemon.port))
        self.sock = client_context(cacert).wrap_socket(raw, server_hostname="localhost")
        self.sock.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * count)


def test_clients_that_never_read(make_daemon, pair):
    """They are cut once nothing has gone for --reply-seconds."""
    daemon = make_daemon(args=[*tls_args(pair), "--reply-seconds=2", "--idle-seconds=2"],
                         cacert=str(pair[0])).start()  # fmt: skip
    before = daemon.fds()
    clients = [Deaf(daemon, pair[0], 200) for _ in range(10)]
    try:
        wait_for("they are forgotten", lambda: daemon.fds() <= before + 1)
    finally:
        for client in clients:
            client.sock.close()


def test_what_is_left_of_a_connection_counts(make_daemon, pair):
    """Connections that are over, but for what their clients do not read, are still connections."""
    limit = 8
    daemon = make_daemon(args=[*tls_args(pair), f"--connections={limit}", "--idle-seconds=1",
                               "--reply-seconds=600"], cacert=str(pair[0])).start()  # fmt: skip
    before = daemon.fds()
    clients = [Deaf(daemon, pair[0], 2) for _ in range(limit)]
    try:
        # Of three descriptors each two are left.
        wait_for("they are over", lambda: daemon.fds() <= before + 2 * limit + 1)
        assert daemon.fds() >= before + 2 * limit
        assert b" 200 " not in ask(daemon, pair[0])
    finally:
        for client in clients:
            client.sock.close()
    wait_for("they are forgotten", lambda: daemon.fds() <= before + 1)
    assert b" 200 " in ask(daemon, pair[0])


def test_renewal(make_daemon, tmp_path):
    """On SIGUSR1 new connections are shown the new certificate; old ones go on."""
    pair = make_pair(tmp_path, "pair")
    daemon = make_daemon(args=tls_args(pair), cacert=str(pair[0])).start()
    first = serial(daemon, pair[0])
    with handshake(daemon, client_context(pair[0])) as kept:
        make_pair(tmp_path, "pair", "rsa")
        os.kill(daemon.pid, signal.SIGUSR1)
        wait_for("it says so", lambda: "read the certificate again" in daemon.stderr())
        assert serial(daemon, pair[0]) != first
        kept.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert read_to_end(kept).startswith(b"HTTP/1.1 200 ")
    second = serial(daemon, pair[0])
    pair[1].write_text("nonsense")
    os.kill(daemon.pid, signal.SIGUSR1)
    wait_for("it says so", lambda: "stays as it was" in daemon.stderr())
    assert serial(daemon, pair[0]) == second


def test_sigusr1_without_a_certificate(make_daemon):
    daemon = make_daemon().start()
    os.kill(daemon.pid, signal.SIGUSR1)
    wait_for("it says so", lambda: "no certificate" in daemon.stderr())
    assert daemon.get("/livez").status_code == 200


REFUSED = {
    "no key": (lambda cert, key, other: ["--tls-cert", cert], "--tls-key"),
    "no certificate": (lambda cert, key, other: ["--tls-key", key], "--tls-cert"),
    "another's key": (lambda cert, key, other: tls_args((cert, other[1])), "not the key of"),
    "no PEM": (lambda cert, key, other: tls_args((key, key)), "cannot be read"),
    "no such file": (lambda cert, key, other: tls_args((cert, f"{key}x")), "Cannot open"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_start_that_is_refused(make_daemon, tmp_path, pair, name):
    make, word = REFUSED[name]
    args = make(pair[0], pair[1], make_pair(tmp_path, "other"))
    check_refused(make_daemon, [str(arg) for arg in args], word)


def check_refused(make_daemon, args, word):
    daemon = make_daemon(args=args).spawn()
    assert daemon.process.wait(30) != 0
    assert word in daemon.stderr()
    assert "PRIVATE" not in daemon.stderr()


def test_a_key_that_others_can_read(make_daemon, tmp_path):
    pair = make_pair(tmp_path, "open")
    for mode in (0o640, 0o604):
        pair[1].chmod(mode)
        check_refused(make_daemon, tls_args(pair), "chmod 600")


def test_a_key_behind_a_link(make_daemon, tmp_path):
    """As certbot and Kubernetes have it: renewed by another link. The file itself is judged."""
    first, second = make_pair(tmp_path, "first"), make_pair(tmp_path, "second")
    links = tmp_path / "cert", tmp_path / "key"
    for link, target in zip(links, first, strict=True):
        link.symlink_to(target)
    daemon = make_daemon(args=tls_args(links), cacert=str(first[0])).start()
    for link, target in zip(links, second, strict=True):
        link.unlink()
        link.symlink_to(target)
    os.kill(daemon.pid, signal.SIGUSR1)
    wait_for("it says so", lambda: "read the certificate again" in daemon.stderr())
    assert serial(daemon, second[0])
    daemon.session.verify = str(second[0])
    second[1].chmod(0o640)
    check_refused(make_daemon, tls_args(links), "chmod 600")


def test_a_link_that_leads_in_a_circle(make_daemon, tmp_path, pair):
    link = tmp_path / "link"
    link.symlink_to(link)
    check_refused(make_daemon, tls_args((pair[0], link)), "Too many levels")


def test_a_port_that_speaks_no_tls_is_told_of(make_daemon, pair, tmp_path):
    """Beyond this machine tokens in the clear are warned of, and with TLS they are not."""
    env = {"FLUX_USER": "me", "FLUX_TOKEN": "0123456789abcdef0123456789"}
    plain = make_daemon(env=env, listen=["127.0.0.1:0", "0.0.0.0:0"]).start()
    assert "plain HTTP" in plain.stderr()
    secure = make_daemon(env=env, listen=["127.0.0.1:0", "0.0.0.0:0"], args=tls_args(pair),
                         cacert=str(pair[0])).start()  # fmt: skip
    assert "plain HTTP" not in secure.stderr()
    assert requests.get(secure.url + "/v1/jobs", verify=str(pair[0]), timeout=30,
                        auth=("me", "wrong")).status_code == 401  # fmt: skip
