"""A network between a client and a server that loses answers: a TCP proxy whose faults a test switches on."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from urllib.parse import urlsplit


class FlakyNetwork:
    """Forwards connections to a server.

    :ivar endpoint: where clients find the server.
    :ivar cut_after: after how many bytes of an answer, the next that is so long, its connection is cut.
    :ivar lost: how many requests from now on reach the server and get no answer: the connection is closed instead.
    """

    def __init__(self, server: str) -> None:
        parts = urlsplit(server)
        self._target = (parts.hostname or "", parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}{parts.path}"
        self.lost = 0
        self.cut_after: int | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> FlakyNetwork:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client, socket.create_connection(self._target) as server:
            threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
            sent = 0
            while data := server.recv(1 << 16):
                # The server has done what it was asked; the client does not learn of it.
                with self._lock:
                    if self.lost > 0:
                        self.lost -= 1
                        # Not only closed: the other thread still waits for this socket, which would keep it open.
                        client.shutdown(socket.SHUT_RDWR)
                        return
                    if self.cut_after is not None and sent > self.cut_after:
                        self.cut_after = None
                        client.shutdown(socket.SHUT_RDWR)
                        return
                client.sendall(data)
                sent += len(data)

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)
