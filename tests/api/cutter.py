# SPDX-License-Identifier: LGPL-3.0-only
"""A proxy that cuts connections, for clients that are to go on all the same."""

import random
import socket
import threading


class Cutter:
    """A proxy that cuts each connection: after some bytes, or when there are none for a while."""

    def __init__(self, daemon, seed=1, sizes=(1000, 1500, 2500, 4000), silence=(0.05, 0.4)):
        self.daemon, self.random = daemon, random.Random(seed)
        self.sizes, self.silence = sizes, silence
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.cuts, self.calm, self.sockets = 0, False, set()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self.daemon.port), timeout=5)
        except OSError:
            client.close()
            return
        self.sockets |= {client, server}
        threading.Thread(target=self.upstream, args=(client, server), daemon=True).start()
        left = 10**12 if self.calm else self.random.choice(self.sizes)
        left = self.random.randint(left // 2, left)
        try:
            silence = None if self.calm else self.random.uniform(*self.silence)
            # Most are answered first, or on a busy machine a client would get nowhere.
            server.settimeout(silence if self.random.random() < 0.2 else None)
            while left > 0:
                piece = server.recv(min(left, 65536))
                if not piece:
                    break
                client.sendall(piece)
                server.settimeout(silence)
                left -= len(piece)
        except TimeoutError:
            left = 0
        except OSError:
            pass
        self.cuts += left <= 0
        self.sockets -= {client, server}
        self.cut(client, server)

    @staticmethod
    def cut(*sockets):
        for sock in sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()

    @staticmethod
    def upstream(client, server):
        try:
            while piece := client.recv(65536):
                server.sendall(piece)
        except OSError:
            pass

    def close(self):
        """Ends it with all its connections, which the clients take for one more cut."""
        self.cut(self.listener, *self.sockets)
