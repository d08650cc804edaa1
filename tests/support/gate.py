"""A socket in front of another one: a server that is away for a while, or one that wants certificates."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path


class Gate:
    """Passes on what comes to one Unix socket to another.

    :param front: where it listens while it is open. :param behind: the server's.
    """

    def __init__(self, front: Path, behind: str) -> None:
        self.front = front
        self._behind = behind
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()

    def open(self) -> None:
        """Listen."""
        self._listener = self._listen()
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        """Break off what is under way, and refuse what comes."""
        self.front.unlink(missing_ok=True)
        for one in (*self._open, *([self._listener] if self._listener else [])):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._open.clear()

    def _listen(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.front))
        listener.listen(64)
        return listener

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                front, _ = listener.accept()
            except OSError:
                if listener.fileno() == -1:
                    return
                continue  # a client without the right certificate
            behind = socket.socket(socket.AF_UNIX)
            behind.connect(self._behind)
            self._open |= {front, behind}
            for source, target in ((front, behind), (behind, front)):
                threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with suppress(OSError):  # the other direction may still have something to say
            target.shutdown(socket.SHUT_WR)


class TlsGate(Gate):
    """The same on a port of this machine, for clients that have a certificate.

    :param context: the server's, with what it wants of clients.
    """

    def __init__(self, context: ssl.SSLContext, front: Path, behind: str) -> None:
        super().__init__(front, behind)
        self._context = context
        self.port = 0

    def _listen(self) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        return self._context.wrap_socket(listener, server_side=True)
