"""The engine of this machine as one of another: its socket behind TCP with TLS, both sides with certificates."""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

SOCKET = "/var/run/docker.sock"


@dataclass(frozen=True, slots=True)
class TlsEngine:
    """Where it is, and what a client needs."""

    host: str
    ca: str
    cert: str
    key: str


@contextlib.contextmanager
def engine_over_tls(folder: Path) -> Iterator[TlsEngine]:
    """Forward connections until the block ends."""
    ca, server, client = _certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*server)
    context.load_verify_locations(ca)
    context.verify_mode = ssl.CERT_REQUIRED
    open_ones: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, context, open_ones), daemon=True).start()
        try:
            yield TlsEngine(f"tcp://127.0.0.1:{listener.getsockname()[1]}", ca, *client)
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            for one in open_ones:
                _shut(one)


def _accept(listener: socket.socket, context: ssl.SSLContext, open_ones: list[socket.socket]) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(plain, context, open_ones), daemon=True).start()


def _serve(plain: socket.socket, context: ssl.SSLContext, open_ones: list[socket.socket]) -> None:
    with contextlib.suppress(OSError):
        near = context.wrap_socket(plain, server_side=True)
        far = socket.socket(socket.AF_UNIX)
        far.connect(SOCKET)
        open_ones += [near, far]
        back = threading.Thread(target=_copy, args=(far, near), daemon=True)
        back.start()
        _copy(near, far)
        back.join()
        near.close()
        far.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    _shut(source)
    _shut(target)


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


def _certificates(folder: Path) -> tuple[str, tuple[str, str], tuple[str, str]]:
    """An authority, and a pair each for the server and the client."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    authority = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)

    def issue(subject: str) -> tuple[str, str]:
        key = authority if subject == "ca" else ec.generate_private_key(ec.SECP256R1())
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name("ca"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=subject == "ca", path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
            .sign(authority, hashes.SHA256())
        )
        cert_file, key_file = folder / f"{subject}.pem", folder / f"{subject}.key"
        cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return str(cert_file), str(key_file)

    return issue("ca")[0], issue("server"), issue("client")
