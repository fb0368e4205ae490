# SPDX-License-Identifier: LGPL-3.0-only
"""A proxy that breaks connections off at random places, as bad networks do."""

import contextlib
import random
import socket
import threading


class Breaker:
    """Listens on `port` and passes bytes on to `target`, until a connection is to be cut."""

    def __init__(self, target, seed, share=0.3):
        self.target = target
        self.random = random.Random(seed)
        self.share = share  # of connections that are cut in a reply; a third as many in a request
        self.lock = threading.Lock()
        self.cut_requests = self.cut_replies = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        """Ends it; connections end with their clients."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _limits(self):
        """After how many bytes of the request and of the reply the connection is cut."""
        with self.lock:
            dice, most = self.random.random(), self.random.choice((1, 200, 2000))
            after = self.random.randrange(most)
        if dice < self.share:
            return None, after
        return (after, None) if dice < self.share * 4 / 3 else (None, None)

    def _serve(self, client):
        request_limit, reply_limit = self._limits()
        with client:
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            with server:
                up = threading.Thread(target=self._pass, daemon=True,
                                      args=(client, server, request_limit))  # fmt: skip
                up.start()
                self._pass(server, client, reply_limit)
                end(client, server)
                up.join()
        with self.lock:
            self.cut_requests += request_limit is not None
            self.cut_replies += reply_limit is not None

    @staticmethod
    def _pass(source, sink, limit):
        passed = 0
        try:
            while data := source.recv(65536):
                if limit is not None and passed + len(data) > limit:
                    sink.sendall(data[: limit - passed])
                    end(source, sink)
                    return
                passed += len(data)
                sink.sendall(data)
        except OSError:
            end(source, sink)
            return
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


def end(*sockets):
    for one in sockets:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
