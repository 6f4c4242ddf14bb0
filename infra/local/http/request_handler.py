"""HTTP/1.1 over one connection: every request gets a complete response, and no log line contains a path.

A path may contain a token, so the access log contains the route instead.
"""

import contextlib
import http
import http.server
import logging
import re
import socket
import time
from typing import TYPE_CHECKING, Final

from infra.local.http.compression import compressed
from infra.local.http.gateway import BODILESS, Answer
from infra.local.http.gateway_problem import (
    GatewayProblem,
    bad_request,
    internal_error,
    not_allowed,
    not_found,
)

if TYPE_CHECKING:
    from infra.local.http.server import LocalServer

MAX_BODY_BYTES: Final = 10 * 1024 * 1024  # API Gateway's own limit

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_CONTENT_LENGTH: Final = re.compile(r"[0-9]{1,18}")
_IDLE_SECONDS: Final = 60.0
_LINGER_SECONDS: Final = 5.0
_LINGER_BYTES: Final = 64 * 1024 * 1024

access_log: Final = logging.getLogger("admit_one.local.access")
error_log: Final = logging.getLogger("admit_one.local.error")


class RequestHandler(http.server.BaseHTTPRequestHandler):
    """One connection of a `LocalServer`."""

    server: "LocalServer"
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    disable_nagle_algorithm = True
    wbufsize = -1  # send headers and body together
    default_request_version = "HTTP/1.0"  # an HTTP/0.9 response has no status and no headers
    server_version = "admit-one-local"
    sys_version = ""

    def _handle(self) -> None:
        with self.server.exchange():
            started = time.perf_counter()
            answer = self._answer(self.rfile.read(self._body_length()))
            answer = compressed(answer, self.headers.get("accept-encoding", ""))
            # A client of HTTP/1.0 may wait until the connection closes, even if it asked for keep-alive.
            if self.server.closing or self.request_version == "HTTP/1.0":
                self.close_connection = True
            try:
                self._send(answer)
            except (TypeError, ValueError):  # nothing was sent yet
                error_log.exception("the app returned a header that can't be sent")
                self._headers_buffer: list[bytes] = []
                answer = self._problem(internal_error())
                self._send(answer)
            self._log(answer.status, started)

    # BaseHTTPRequestHandler finds its methods by these names.
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _handle  # noqa: N815

    def _answer(self, body: bytes) -> Answer:
        if len(body) < self._body_length():
            self.close_connection = True
            return self._problem(bad_request("The body is shorter than its Content-Length."))
        try:
            headers = {name.lower(): value for name, value in self.headers.items()}
            return self.server.gateway.answer(self.command, self.path, headers, body, self.client_address[0])
        except GatewayProblem as problem:
            return self._problem(problem)
        except Exception:  # noqa: BLE001 - whatever the app raises, the client gets a response
            error_log.exception("the app failed")
            return self._problem(internal_error())

    def _problem(self, problem: GatewayProblem) -> Answer:
        return Answer(problem.status, {**problem.headers(), **self.server.cors}, problem.body())

    def _body_length(self) -> int:
        """Return the body's length in bytes. Raise `GatewayProblem` if it can't be read or is too large."""
        if "transfer-encoding" in self.headers:
            raise GatewayProblem(http.HTTPStatus.LENGTH_REQUIRED, "Send a Content-Length.")
        lengths = {value.strip() for value in self.headers.get_all("content-length", ["0"])}
        if len(lengths) > 1 or not all(_CONTENT_LENGTH.fullmatch(length) for length in lengths):
            raise bad_request("Content-Length is not a number.")
        length = int(lengths.pop())
        if length > MAX_BODY_BYTES:
            raise GatewayProblem(
                http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "The request body is too large.",
                "payload-too-large",
            )
        return length

    def parse_request(self) -> bool:
        """Read the request line and headers. Reject a body that is too large before reading it."""
        return bool(super().parse_request()) and self._accepts_body()

    def handle_expect_100(self) -> bool:
        """Send `100 Continue` only if the body is accepted."""
        return self._accepts_body() and bool(super().handle_expect_100())

    def _accepts_body(self) -> bool:
        try:
            self._body_length()
        except GatewayProblem as problem:
            self._reject(problem)
            return False
        return True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Respond to a request that can't be parsed. The response repeats no part of the request."""
        del message, explain
        status = http.HTTPStatus(code)
        if status == http.HTTPStatus.NOT_IMPLEMENTED:  # a method that no route can have
            resource = self.server.gateway.resource(self.path)
            self._reject(
                not_found() if resource is None else not_allowed(self.server.gateway.methods(resource))
            )
        elif status == http.HTTPStatus.BAD_REQUEST:
            self._reject(bad_request("This is not a valid HTTP request."))
        else:
            self._reject(GatewayProblem(status, status.description or status.phrase))

    def _reject(self, problem: GatewayProblem) -> None:
        """Respond, read the rest of the request, and close. Without reading, the client would see only a reset."""
        self.close_connection = True
        self._send(self._problem(problem))
        self._log(problem.status, time.perf_counter())
        deadline = time.monotonic() + _LINGER_SECONDS
        left = _LINGER_BYTES
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(_LINGER_SECONDS)
            while left > 0 and time.monotonic() < deadline and (dropped := self.connection.recv(64 * 1024)):
                left -= len(dropped)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            for text in value if isinstance(value, list) else [value]:
                self.send_header(name, text)
        if answer.status not in BODILESS:
            self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD" and answer.status not in BODILESS:
            self.wfile.write(answer.body)
        self.wfile.flush()

    def _log(self, status: int, started: float) -> None:
        # In a malformed request, the "method" may be any part of the request, even a token.
        known = self.command in _METHODS
        method = self.command if known else "?"
        resource = (self.server.gateway.resource(self.path) if known else None) or "(no route)"
        access_log.info("%s %s %d %.0f ms", method, resource, status, (time.perf_counter() - started) * 1000)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing: the base class prints the raw path."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Log nothing: the base class prints the raw request line."""
