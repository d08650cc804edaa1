"""A small image registry over HTTP on this machine, as the distribution specification has it: one image, tokens."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Registry:
    """What it has and what it was asked for.

    :param login: ``user:password`` that a token is given for; empty: for everybody. :param scheme: ``bearer`` or
        ``basic``. :param says_digest: whether it says the digest itself.
    """

    config: dict[str, Any] = field(default_factory=dict)
    login: str = ""
    scheme: str = "bearer"
    says_digest: bool = True
    down: bool = False
    asked: list[str] = field(default_factory=list)
    host: str = ""

    def __post_init__(self) -> None:
        config = json.dumps({"config": self.config}).encode()
        self.blobs = {_digest(config): config}
        manifest = json.dumps({"config": {"digest": _digest(config)}}).encode()
        platforms = [
            {"digest": "sha256:" + "0" * 64, "platform": {"os": "windows"}},
            {"digest": _digest(manifest), "platform": {"os": "linux"}},
        ]
        self.index = json.dumps({"manifests": platforms}).encode()
        self.manifests = {"1": self.index, _digest(self.index): self.index, _digest(manifest): manifest}

    @property
    def digest(self) -> str:
        """Of the tag ``1``."""
        return _digest(self.index)

    @contextmanager
    def serve(self) -> Iterator[Registry]:
        """Answer on a free port of this machine."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.host = f"127.0.0.1:{server.server_port}"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _handler(registry: Registry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            registry.asked.append(f"{self.command} {self.path}")
            if registry.down:
                return self._answer(503, b"")
            basic = "Basic " + base64.b64encode(registry.login.encode()).decode()
            given = self.headers.get("Authorization", "")
            if self.path.startswith("/token"):
                return self._token(given == basic or not registry.login)
            if given not in (("Bearer good",) if registry.scheme == "bearer" else (basic,)):
                return self._challenge()
            return self._object()

        do_HEAD = do_GET

        def _token(self, allowed: bool) -> None:
            self._answer(200, json.dumps({"token": "good" if allowed else "bad"}).encode())

        def _challenge(self) -> None:
            realm = f'Bearer realm="http://{registry.host}/token",service="tests"'
            self._answer(
                401, b"", {"WWW-Authenticate": realm if registry.scheme == "bearer" else 'Basic realm="tests"'}
            )

        def _object(self) -> None:
            kind, _, name = self.path.removeprefix("/v2/team/train/").partition("/")
            data = (registry.manifests if kind == "manifests" else registry.blobs).get(name)
            if data is None:
                return self._answer(404, b"")
            headers = {"Docker-Content-Digest": _digest(data)} if registry.says_digest else {}
            return self._answer(200, data, headers)

        def _answer(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {**(headers or {}), "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
