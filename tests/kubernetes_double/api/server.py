"""HTTPS: one thread for each connection, chunks for what comes bit by bit."""

from __future__ import annotations

import json
import select
import socket
import ssl
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml

from kubernetes_double.api import status
from kubernetes_double.api.call import Answer, Call, Stream
from kubernetes_double.api.journal import Fault, Journal, Request
from kubernetes_double.api.routes import Routes
from kubernetes_double.api.status import ApiError
from kubernetes_double.api.users import Users


class ApiServer(ThreadingHTTPServer):
    """The double's door.  :param routes: what answers."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, context: ssl.SSLContext, routes: Routes, users: Users, journal: Journal) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        # The handshake waits for the connection's own thread: a silent client must not hold up the others.
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.routes, self.users, self.journal = routes, users, journal
        self._streams: dict[socket.socket, str] = {}
        self._lock = threading.Lock()
        self.stopped = threading.Event()
        self.out = False

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"https://127.0.0.1:{self.server_address[1]}"

    def start(self) -> None:
        """Serve in a thread."""
        threading.Thread(target=self.serve_forever, args=(0.1,), name="kubernetes-double-api", daemon=True).start()

    def stop(self) -> None:
        """Close the door, and cut whom is still served."""
        self.stopped.set()
        self.out = True
        self.shutdown()
        self.server_close()
        self.cut()

    def streaming(self, connection: socket.socket, kind: str | None) -> None:
        """A connection begins or (``None``) ends to be one of the streams that can be cut."""
        with self._lock:
            if kind is None:
                self._streams.pop(connection, None)
            else:
                self._streams[connection] = kind

    def cut(self, kind: str | None = None) -> int:
        """Break the connections of the streams of a kind, as a network does.  :returns: how many."""
        with self._lock:
            found = [connection for connection, its in self._streams.items() if kind in (None, its)]
        for connection in found:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        return len(found)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether somebody is served at all: not during an outage."""
        return not self.out

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections break: clients hang up, tests cut them."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: ApiServer

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """The journal has it."""

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        fault = self.server.journal.fault(self.command, parts.path)
        if fault is not None:
            self.server.stopped.wait(fault.seconds)
        if self.server.out:
            self.close_connection = True
            return
        user, answer = self._answer(parts.path, query, body, fault)
        code = answer.code if isinstance(answer, Answer) else 200
        self.server.journal.add(Request(method=self.command, path=parts.path, query=query, user=user, status=code))
        if fault is not None and fault.lose:
            self.close_connection = True
        elif isinstance(answer, Answer):
            self._send(answer)
        else:
            self._stream(answer)

    def _answer(
        self, path: str, query: dict[str, str], body: bytes, fault: Fault | None
    ) -> tuple[str, Answer | Stream]:
        user = ""
        try:
            known = self.server.users.of(self.headers.get("Authorization"))
            user = known.name
            if fault is not None:
                fault.refuse()
            call = Call(
                method=self.command,
                path=path,
                query=query,
                content_type=self.headers.get("Content-Type", ""),
                body=_decoded(body),
                user=known,
            )
            return user, self.server.routes.answer(call)
        except ApiError as error:
            return user, Answer(error.code, error.document(), error.headers)
        except Exception as error:  # noqa: BLE001 - the double's own fault is an answer too, or clients would hang
            return user, Answer(500, ApiError(500, "InternalError", f"the test double failed: {error!r}").document())

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle

    def _send(self, answer: Answer) -> None:
        if isinstance(answer.body, str):
            data, content_type = answer.body.encode(), "text/plain"
        else:
            data, content_type = json.dumps(answer.body).encode(), "application/json"
        self.send_response(answer.code)
        headers = {"Content-Type": content_type, "Content-Length": str(len(data)), **answer.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, stream: Stream) -> None:
        self.server.streaming(self.connection, stream.kind)
        try:
            self.send_response(200)
            self.send_header("Content-Type", stream.content_type)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.flush()
            for piece in stream.pieces:
                if piece:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                    self.wfile.flush()
                elif self._has_hung_up():
                    raise ConnectionError("the client is gone")
            self.wfile.write(b"0\r\n\r\n")
            self.wfile.flush()
        except (OSError, ValueError):
            self.close_connection = True
        finally:
            self.server.streaming(self.connection, None)
            close = getattr(stream.pieces, "close", None)
            if close is not None:
                close()

    def _has_hung_up(self) -> bool:
        """Who is being streamed to has nothing to say; what can be read then is the end."""
        return bool(select.select([self.connection], [], [], 0)[0])


def _decoded(body: bytes) -> Any:
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError:
        pass
    try:
        return yaml.safe_load(body)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise status.bad_request(f"the body of the request cannot be read: {error}") from error
