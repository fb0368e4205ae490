# SPDX-License-Identifier: LGPL-3.0-only
"""A proxy that cuts connections, as bad networks do, for clients that are to go on all the same."""

import contextlib
import random
import socket
import threading

NEVER = 10**12  # bytes


class Cutter:
    """A proxy that cuts each connection in its reply: after some bytes, or when none come for a
    while. With `replies` and `requests` it is that share of connections that is cut there.
    """

    def __init__(self, daemon, seed=1, sizes=(1000, 1500, 2500, 4000), silence=(0.05, 0.4),
                 replies=1.0, requests=0.0):  # fmt: skip
        self.daemon, self.random, self.lock = daemon, random.Random(seed), threading.Lock()
        self.sizes, self.silence, self.replies, self.requests = sizes, silence, replies, requests
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.cut_replies = self.cut_requests = 0
        self.calm, self.sockets = False, set()
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def cuts(self):
        return self.cut_replies + self.cut_requests

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def choose(self):
        """After how many bytes the request and the reply are cut, and the reply's pauses: the
        longest before its first byte, and after that.
        """
        with self.lock:
            dice, size = self.random.random(), self.random.choice(self.sizes)
            left = self.random.randint(size // 2, size)
            if self.calm or dice >= self.replies + self.requests:
                return NEVER, NEVER, (None, None)
            if dice >= self.replies:
                return left, NEVER, (None, None)
            silence = self.silence and self.random.uniform(*self.silence)
            # Most are answered first, or on a busy machine a client would get nowhere.
            return NEVER, left, (silence if self.random.random() < 0.2 else None, silence)

    def serve(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self.daemon.port), timeout=5)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        self.sockets |= {client, server}
        request, reply, silences = self.choose()
        up = threading.Thread(target=self.upstream, args=(client, server, request), daemon=True)
        up.start()
        cut = passes(server, client, reply, silences)
        with self.lock:
            self.cut_replies += cut
        self.sockets -= {client, server}
        shut(client, server)
        up.join()
        client.close()
        server.close()

    def upstream(self, client, server, left):
        if passes(client, server, left):
            with self.lock:
                self.cut_requests += 1
            shut(client, server)
        else:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_WR)

    def close(self):
        """Ends it with all its connections, which the clients take for one more cut."""
        shut(self.listener, *self.sockets)
        self.listener.close()


def passes(source, sink, left, silences=(None, None)):
    """Passes on what comes. True: until it is to be cut; False: to the end of one of them."""
    try:
        source.settimeout(silences[0])
        while left > 0:
            piece = source.recv(min(left, 65536))
            if not piece:
                return False
            sink.sendall(piece)
            source.settimeout(silences[1])
            left -= len(piece)
    except TimeoutError:
        return source.gettimeout() is not None  # else the sink's, which the other way has set
    except OSError:
        return False
    return True


def shut(*sockets):
    for sock in sockets:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
