"""Post to a webhook's endpoint, which is not trusted: with limits on time and bytes, and only to public addresses.

This module resolves the name, checks every address, and connects to a checked address, so DNS rebinding can't reach an
internal address. It follows no redirects and uses no proxy.
"""

import http.client
import io
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, cast
from urllib.parse import SplitResult, urlsplit

import msgspec

from chalicelib.domain.webhooks.deliveries import EndpointAnswer
from chalicelib.domain.webhooks.ip_addresses import IPAddress, is_public, read_address
from chalicelib.domain.webhooks.webhook import is_loopback_name

USER_AGENT: Final = "Admit-One-Webhooks/1"
MAX_ADDRESSES: Final = 4  # tried one after the other

Resolve = Callable[[str, int], list[str]]
"""Return a name's addresses as text. Raises OSError."""

Connect = Callable[[IPAddress, int, float], socket.socket]
"""Connect to an address and port, with a timeout in seconds. Raises OSError."""


class Limits(msgspec.Struct, frozen=True):
    """Limits in seconds and bytes. `total` covers resolving the name, connecting, sending and the response's headers.

    The response's body is only stored in the delivery log. Reading it stops after `body` more seconds or `body_bytes`.
    """

    connect: float = 5.0
    total: float = 18.0
    body: float = 2.0
    header_bytes: int = 32 * 1024
    body_bytes: int = 64 * 1024


class _Fault(Exception):
    """There was no response. `word` is the reason, and is stored with the attempt."""

    def __init__(self, word: str) -> None:
        self.word = word
        super().__init__(word)


def resolve_name(host: str, port: int) -> list[str]:
    """Return a name's addresses from the system's resolver."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def connect_to(address: IPAddress, port: int, seconds: float) -> socket.socket:
    """Connect to an address that was checked. It is not a name, so nothing is resolved a second time."""
    family = socket.AF_INET if isinstance(address, ipaddress.IPv4Address) else socket.AF_INET6
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        connection.connect((str(address), port))
    except BaseException:
        connection.close()
        raise
    return connection


class WebhookHttp:
    """Posts to webhooks' endpoints. `local` also allows this machine's loopback addresses, with or without TLS."""

    def __init__(
        self,
        *,
        local: bool = False,
        limits: Limits | None = None,
        resolve: Resolve = resolve_name,
        connect: Connect = connect_to,
        context: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._local = local
        self._limits = limits or Limits()
        self._resolve = resolve
        self._connect = connect
        self._context = context
        self._clock = clock

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> EndpointAnswer:
        """Post a body and return the response, or the reason why there was none. Does not raise for a bad endpoint."""
        began = self._clock()
        deadline = _Deadline(self._clock, began + self._limits.total)
        try:
            with _faults(), self._connected(urlsplit(url), deadline) as connection:
                answer = self._exchange(connection, urlsplit(url), body, headers, deadline)
        except _Fault as fault:
            answer = EndpointAnswer(error=fault.word)
        latency = round((self._clock() - began) * 1000)
        return EndpointAnswer(
            status_code=answer.status_code,
            error=answer.error,
            body=answer.body,
            retry_after=answer.retry_after,
            latency_ms=latency,
        )

    @contextmanager
    def _connected(self, url: SplitResult, deadline: "_Deadline") -> Iterator[socket.socket]:
        host = url.hostname or ""
        tls = url.scheme == "https"
        if url.scheme not in ("https", "http") or url.username is not None or url.password is not None:
            raise _Fault("address-refused")
        port = url.port or (443 if tls else 80)
        addresses = self._addresses(host, port, deadline)
        if not tls and not (self._local and all(address.is_loopback for address in addresses)):
            raise _Fault("address-refused")
        connection = self._first_of(addresses, port, deadline)
        try:
            if tls:
                connection.settimeout(deadline.left())
                connection = self._tls().wrap_socket(connection, server_hostname=host.removesuffix("."))
            yield connection
        finally:
            connection.close()

    def _addresses(self, host: str, port: int, deadline: "_Deadline") -> list[IPAddress]:
        """Return a host's checked addresses. Raises `_Fault` if one of them is not public."""
        literal = read_address(host)
        texts = [str(literal)] if literal else self._resolved(host, port, deadline)
        addresses = [address for text in texts if (address := read_address(text))]
        if not addresses or len(addresses) < len(texts):
            raise _Fault("name-not-found")
        named_loopback = self._local and is_loopback_name(host)
        for address in addresses:
            if not (is_public(address) or (named_loopback and address.is_loopback)):
                raise _Fault("address-refused")
        return list(dict.fromkeys(addresses))[:MAX_ADDRESSES]

    def _resolved(self, host: str, port: int, deadline: "_Deadline") -> list[str]:
        """Resolve a name in a thread: the resolver has no timeout, and a name server may be slow on purpose."""
        found: list[str] = []
        failed: list[OSError] = []

        def resolve() -> None:
            try:
                found.extend(self._resolve(host, port))
            except (OSError, UnicodeError) as error:  # UnicodeError: a label is too long to encode
                failed.append(error if isinstance(error, OSError) else OSError(str(error)))

        resolving = threading.Thread(target=resolve, daemon=True)
        resolving.start()
        resolving.join(deadline.left())
        if resolving.is_alive():
            raise TimeoutError
        if failed or not found:
            raise _Fault("name-not-found")
        return found

    def _first_of(self, addresses: list[IPAddress], port: int, deadline: "_Deadline") -> socket.socket:
        """Connect to the first address that accepts. All attempts together take at most `connect` seconds."""
        connecting = deadline.within(self._limits.connect)
        timed_out = False
        for address in addresses:
            try:
                return self._connect(address, port, connecting.left())
            except TimeoutError:
                timed_out = True
                break
            except OSError:
                continue
        raise _Fault("timeout" if timed_out else "connect-failed")

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = ssl.create_default_context()
        return self._context

    def _exchange(
        self,
        connection: socket.socket,
        url: SplitResult,
        body: bytes,
        headers: Mapping[str, str],
        deadline: "_Deadline",
    ) -> EndpointAnswer:
        _send(connection, _request(url, body, headers), deadline)
        reader = _BoundedReader(connection, deadline, self._limits.header_bytes)
        response = http.client.HTTPResponse(cast("Any", reader), method="POST")
        response.begin()
        reader.deadline = deadline.within(self._limits.body)
        reader.bytes_left = 2 * self._limits.body_bytes  # twice, because chunked encoding adds bytes
        return EndpointAnswer(
            status_code=response.status,
            body=_start_of_body(response, self._limits.body_bytes),
            retry_after=response.getheader("Retry-After"),
        )


class _Deadline:
    """The time on a monotonic clock when every wait ends, even if the endpoint sends one byte at a time."""

    def __init__(self, clock: Callable[[], float], at: float) -> None:
        self._clock = clock
        self._at = at

    def left(self) -> float:
        """Return the seconds left. Raises TimeoutError if there are none."""
        left = self._at - self._clock()
        if left <= 0:
            raise TimeoutError
        return left

    def within(self, seconds: float) -> "_Deadline":
        """Return the deadline that many seconds from now, or this one if it is earlier."""
        return _Deadline(self._clock, min(self._at, self._clock() + seconds))


class _BoundedReader(io.RawIOBase):
    """A connection that `http.client` reads, with one deadline and one limit on bytes for all reads together."""

    def __init__(self, connection: socket.socket, deadline: _Deadline, bytes_left: int) -> None:
        self._connection = connection
        self.deadline = deadline
        self.bytes_left = bytes_left

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return this reader, buffered. It is the only method that `http.client` calls on a socket."""
        del mode
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.bytes_left <= 0:
            raise _Fault("bad-answer")
        self._connection.settimeout(self.deadline.left())
        count = self._connection.recv_into(memoryview(buffer)[: self.bytes_left])
        self.bytes_left -= count
        return count


def _request(url: SplitResult, body: bytes, headers: Mapping[str, str]) -> bytes:
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    lines = [f"POST {target} HTTP/1.1", f"Host: {url.netloc}", f"User-Agent: {USER_AGENT}", "Accept: */*"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}", "Connection: close"]
    if any(ch in line for line in lines for ch in "\r\n\0"):
        raise ValueError("a header must not contain line breaks or NUL")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def _send(connection: socket.socket, request: bytes, deadline: _Deadline) -> None:
    # Not `sendall`: with TLS, its timeout starts again after each part that the endpoint accepts.
    rest = memoryview(request)
    while rest:
        connection.settimeout(deadline.left())
        rest = rest[connection.send(rest) :]


def _start_of_body(response: http.client.HTTPResponse, most: int) -> bytes:
    """Return the part of the response's body that arrives in time, up to `most` bytes.

    Errors are ignored: the status has already determined whether the delivery succeeded.
    """
    body = b""
    try:
        while len(body) < most and (part := response.read1(most - len(body))):
            body += part
    except (OSError, http.client.HTTPException, ValueError, _Fault):
        pass
    return body


@contextmanager
def _faults() -> Iterator[None]:
    """Convert a connection's errors to `_Fault`."""
    try:
        yield
    except TimeoutError:
        raise _Fault("timeout") from None
    except ssl.SSLError:
        raise _Fault("tls-failed") from None
    except (ConnectionError, http.client.RemoteDisconnected):
        raise _Fault("connection-lost") from None
    except (http.client.HTTPException, UnicodeError):
        raise _Fault("bad-answer") from None
    except OSError:
        raise _Fault("connection-lost") from None
