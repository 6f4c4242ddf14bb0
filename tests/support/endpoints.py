"""A webhook endpoint on a real socket, which records requests and answers as a test decides."""

import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.waiting import LIMIT

Answer = Callable[[socket.socket, threading.Event], None]
"""Answers on a connection; returns at the latest when the event is set."""


@dataclass(frozen=True)
class Request:
    """One request as it came over the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


def answer(status: int, body: bytes = b"", **headers: str) -> Answer:
    """Answer with a status, a body, and headers (`retry_after` is `Retry-After`)."""
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    whole = "\r\n".join([*lines, "", ""]).encode() + body
    return lambda connection, _: connection.sendall(whole)


def raw(content: bytes) -> Answer:
    """Answer with these bytes, then close the connection."""
    return lambda connection, _: connection.sendall(content)


def drip(content: bytes, seconds: float = 0.02) -> Answer:
    """Answer byte by byte, repeatedly, until the client closes the connection."""

    def dripping(connection: socket.socket, over: threading.Event) -> None:
        while True:
            for byte in content:
                connection.sendall(bytes([byte]))
                if over.wait(seconds):
                    return

    return dripping


def endless(head: bytes, part: bytes = b"x" * 65536) -> Answer:
    """Answer with `head`, then send `part` without end."""

    def sending(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(head)
        while not over.is_set():
            connection.sendall(part)

    return sending


def silence(connection: socket.socket, over: threading.Event) -> None:
    """Do not answer until the client closes the connection or the test ends."""
    connection.settimeout(0.05)
    while not over.is_set():
        try:
            if not connection.recv(1):
                return
        except TimeoutError:
            continue


def hang_up(connection: socket.socket, over: threading.Event) -> None:
    """Read the request and close the connection."""
    del connection, over


@dataclass
class Endpoint:
    """A server on 127.0.0.1. It uses `answers` in order, and repeats the last one."""

    answers: list[Answer] = field(default_factory=lambda: [answer(200)])
    context: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    hung_up: int = 0  # answers during which the client closed the connection

    def __enter__(self) -> Self:
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listening.getsockname()[1]
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        with contextlib.suppress(OSError):
            socket.create_connection(self._listening.getsockname(), 1).close()  # ends the wait in `accept`
        for thread in self._threads:
            thread.join(LIMIT)
        self._listening.close()

    @property
    def url(self) -> str:
        return f"http{'s' if self.context else ''}://127.0.0.1:{self.port}/hook?team=1"

    def _serve(self) -> None:
        while not self._over.is_set():
            connection, _ = self._listening.accept()
            if self._over.is_set():
                connection.close()
                return
            thread = threading.Thread(target=self._talk, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _talk(self, connection: socket.socket) -> None:
        self.connections += 1
        connection.settimeout(LIMIT)
        try:
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            request = _read(connection)
            if request is None:
                return
            with self._lock:
                self.requests.append(request)
                said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            said(connection, self._over)
        except OSError:
            self.hung_up += 1
        finally:
            connection.close()


def _read(connection: socket.socket) -> Request | None:
    content = b""
    while b"\r\n\r\n" not in content:
        part = connection.recv(65536)
        if not part:
            return None
        content += part
    head, _, body = content.partition(b"\r\n\r\n")
    first, *lines = head.decode("ascii").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65536)
    method, target, _ = first.split(" ")
    return Request(method, target, headers, body)


def certified(folder: Path, *names: str, days: int = 1) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return TLS contexts: one for a server with a certificate for these names, one for a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test endpoint")])
    begins = now - dt.timedelta(days=max(1, 1 - days))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"endpoint-{names[0]}-{days}.pem"
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    client = ssl.create_default_context()
    client.load_verify_locations(cadata=certificate.public_bytes(serialization.Encoding.PEM).decode())
    return server, client


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
