"""Chalice's own threaded dev server made fit to be used, by `make run` and by tests that speak HTTP.

It answers where API Gateway would (no key, no route, a body too large) with the same problem documents, and its
access log names resources, never paths: a path holds a token.
"""

import base64
import contextlib
import gzip
import http
import json
import logging
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from socket import socket as Socket  # noqa: N812 - a class's name, and LocalServer has an attribute of its own
from typing import Any, ClassVar, Final, NamedTuple, Self

from chalice.app import Chalice
from chalice.config import Config
from chalice.local import (
    ChaliceRequestHandler,
    EventType,
    ForbiddenError,
    HeaderType,
    LambdaContext,
    LocalChalice,
    LocalGateway,
    NotAuthorizedError,
    ThreadedHTTPServer,
)

from chalicelib.api.http.cors import GATEWAY_HEADERS
from chalicelib.domain.errors import TryLaterError
from chalicelib.settings import read_cors_origins
from chalicelib.wire.problems import PROBLEM_TYPE

MAX_BODY_BYTES: Final = 10 * 1024 * 1024  # API Gateway's own limit


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_CONTENT_LENGTH: Final = re.compile(r"[0-9]{1,18}")
_BODILESS: Final = frozenset({http.HTTPStatus.NO_CONTENT, http.HTTPStatus.NOT_MODIFIED})
_COMPRESSED_FROM_BYTES: Final = 1024  # MinimumCompressionSize in infra/template/api.json
_IDLE_SECONDS: Final = 60.0
_LINGER_SECONDS: Final = 5.0
_LINGER_BYTES: Final = 64 * 1024 * 1024

access_log: Final = logging.getLogger("admit_one.local.access")
error_log: Final = logging.getLogger("admit_one.local.error")


class GatewayProblem(Exception):
    """An answer that API Gateway gives before, or instead of, the app."""

    def __init__(
        self, status: http.HTTPStatus, detail: str, slug: str | None = None, allow: Sequence[str] = ()
    ) -> None:
        super().__init__(detail)
        self.allow = allow
        self.status = status
        self.detail = detail
        self.slug = slug or re.sub(r"[^a-z]+", "-", status.phrase.lower()).strip("-")

    def headers(self) -> HeaderType:
        """Return the answer's headers."""
        headers = {"Content-Type": "application/problem+json"}
        if self.status == http.HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
        if self.status == http.HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(self.allow)
        if self.status == http.HTTPStatus.SERVICE_UNAVAILABLE:
            headers["Retry-After"] = "1"
        return headers

    def body(self) -> bytes:
        """Return the RFC 9457 document."""
        document = {
            "type": PROBLEM_TYPE + self.slug,
            "title": self.status.phrase,
            "status": self.status,
            "detail": self.detail,
        }
        return json.dumps(document).encode()


def _unauthorized() -> GatewayProblem:
    return GatewayProblem(http.HTTPStatus.UNAUTHORIZED, "A valid API key is needed.")


def _not_found() -> GatewayProblem:
    return GatewayProblem(http.HTTPStatus.NOT_FOUND, "There is nothing here.")


def _not_allowed(methods: Sequence[str]) -> GatewayProblem:
    return GatewayProblem(
        http.HTTPStatus.METHOD_NOT_ALLOWED, "This path does not support that method.", allow=methods
    )


def _bad_request(detail: str) -> GatewayProblem:
    return GatewayProblem(http.HTTPStatus.BAD_REQUEST, detail, "invalid-request")


def _broken() -> GatewayProblem:
    return GatewayProblem(
        http.HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong on our side.", "internal-error"
    )


class Answer(NamedTuple):
    """What goes back over the wire."""

    status: int
    headers: HeaderType
    body: bytes


class Gateway(LocalGateway):
    """Chalice's stand-in for API Gateway, made once per app and shared by all threads."""

    def resource(self, path: str) -> str | None:
        """Return the route that a path with its query belongs to, e.g. `/s/{token}`, or None."""
        try:
            match = self.event_converter._route_matcher.match_route(path)  # noqa: SLF001 - no public way
        except ValueError:
            return None
        route: str = match.route
        return route

    def methods(self, resource: str) -> list[str]:
        """Return the methods that a route answers."""
        return [*self._app_object.routes[resource]]

    def answer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, source_ip: str
    ) -> Answer:
        """Return the app's answer. Raises `GatewayProblem` where API Gateway would answer by itself."""
        resource = self.resource(path)
        if resource is None:
            raise _not_found()
        if method not in self._app_object.routes[resource] and method != "OPTIONS":
            raise _not_allowed(self.methods(resource))
        event = self._event(method, path, headers, body, source_ip)
        if method == "OPTIONS" and not self._has_user_defined_options_method(event):
            return Answer(http.HTTPStatus.OK, self._autogen_options_headers(event), b"")
        context = self._generate_lambda_context()
        event["requestContext"]["requestId"] = context.aws_request_id
        event = self._authorized(path, event, context)
        return _as_answer(self._app_object(event, context))

    def _event(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, source_ip: str
    ) -> EventType:
        event = self._generate_lambda_event(method, path, dict(headers), None)
        event["requestContext"]["identity"]["sourceIp"] = source_ip
        content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type in self._app_object.api.binary_types:
            event["body"] = base64.b64encode(body).decode("ascii")
            event["isBase64Encoded"] = True
        else:
            # As API Gateway does with a text type: an event is JSON, so what is not UTF-8 is replaced.
            event["body"] = body.decode("utf-8", errors="replace") if body else None
            event["isBase64Encoded"] = False
        return event

    def _authorized(self, path: str, event: EventType, context: Any) -> EventType:
        method = event["requestContext"]["httpMethod"]
        entry = self._app_object.routes[event["requestContext"]["resourcePath"]][method]
        if entry.authorizer and not event["headers"].get("authorization", "").strip():
            raise _unauthorized()  # API Gateway asks no authorizer about an empty header
        try:
            authorized, _ = self._authorizer.authorize(path, event, context)
        except NotAuthorizedError as error:
            raise _unauthorized() from error
        except ForbiddenError as error:
            raise GatewayProblem(http.HTTPStatus.FORBIDDEN, "This API key may not do that.") from error
        except TryLaterError as error:
            raise GatewayProblem(http.HTTPStatus.SERVICE_UNAVAILABLE, error.detail, error.code) from error
        except Exception as error:
            if str(error) == "Unauthorized":  # the one message that API Gateway turns into a 401
                raise _unauthorized() from error
            raise
        return authorized


def _as_answer(response: Mapping[str, Any]) -> Answer:
    headers: HeaderType = {**response["headers"], **response["multiValueHeaders"]}
    has_content = response["statusCode"] not in (http.HTTPStatus.NO_CONTENT, http.HTTPStatus.NOT_MODIFIED)
    if has_content and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = "application/json"
    body = response["body"]
    if response.get("isBase64Encoded"):
        body = base64.b64decode(body)
    elif isinstance(body, str):
        body = body.encode()
    return Answer(response["statusCode"], headers, body or b"")


def compressed(answer: Answer, accept_encoding: str) -> Answer:
    """Return a response as API Gateway sends it with `MinimumCompressionSize`: gzipped if long and accepted."""
    if answer.status in _BODILESS or len(answer.body) < _COMPRESSED_FROM_BYTES:
        return answer
    names = {name.lower(): name for name in answer.headers}
    if "content-encoding" in names:
        return answer
    headers = dict(answer.headers)
    vary = headers.get(names.get("vary", "Vary"), "")
    kept = (
        headers.get(names.get("cache-control", ""), "") != "no-store"
    )  # short responses are the same for every client
    if kept and "accept-encoding" not in str(vary).lower():
        headers[names.get("vary", "Vary")] = ", ".join(filter(None, [str(vary), "Accept-Encoding"]))
    if not takes_gzip(accept_encoding):
        return Answer(answer.status, headers, answer.body)
    body = gzip.compress(answer.body, compresslevel=6, mtime=0)
    return Answer(answer.status, {**headers, "Content-Encoding": "gzip"}, body)


def takes_gzip(accept_encoding: str) -> bool:
    """Return whether an `Accept-Encoding` accepts gzip (RFC 9110 §12.5.3)."""
    quality: dict[str, float] = {}
    for part in accept_encoding.lower().split(","):
        name, *parameters = (one.strip() for one in part.split(";"))
        given = next((one[2:] for one in parameters if one.startswith("q=")), "1")
        try:
            quality[name] = float(given)
        except ValueError:
            quality[name] = 0
    return quality.get("gzip", quality.get("x-gzip", quality.get("*", 0))) > 0


class RequestHandler(ChaliceRequestHandler):
    """One connection. Whatever happens, the client gets a whole answer, and no log line shows a path."""

    server: "LocalServer"
    timeout = _IDLE_SECONDS
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave together
    default_request_version = "HTTP/1.0"  # not 0.9, which has no status and no headers to answer with
    server_version = "admit-one-local"
    sys_version = ""

    def _handle(self) -> None:
        with self.server.exchange():
            started = time.perf_counter()
            answer = self._answer(self.rfile.read(self._body_length()))
            answer = compressed(answer, self.headers.get("accept-encoding", ""))
            # An HTTP/1.0 client that asks for keep-alive would otherwise wait for the connection to close.
            if self.server.closing or self.request_version == "HTTP/1.0":
                self.close_connection = True
            try:
                self._send(answer)
            except (TypeError, ValueError):  # a header that can't be sent; nothing has left yet
                error_log.exception("the app gave a header that can't be sent")
                self._headers_buffer: list[bytes] = []
                answer = self._problem(_broken())
                self._send(answer)
            self._log(answer.status, started)

    # BaseHTTPRequestHandler finds its methods by these names.
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _handle  # noqa: N815

    def _answer(self, body: bytes) -> Answer:
        if len(body) < self._body_length():
            self.close_connection = True
            return self._problem(_bad_request("The body was cut short."))
        try:
            headers = {name.lower(): value for name, value in self.headers.items()}
            return self.server.gateway.answer(self.command, self.path, headers, body, self.client_address[0])
        except GatewayProblem as problem:
            return self._problem(problem)
        except Exception:  # noqa: BLE001 - whatever the app raises, its client gets an answer
            error_log.exception("the app failed")
            return self._problem(_broken())

    def _problem(self, problem: GatewayProblem) -> Answer:
        return Answer(problem.status, {**problem.headers(), **self.server.cors}, problem.body())

    def _body_length(self) -> int:
        """Return the body's length in bytes. Raises `GatewayProblem` for one that can't be read or is too large."""
        if "transfer-encoding" in self.headers:
            raise GatewayProblem(http.HTTPStatus.LENGTH_REQUIRED, "Send a Content-Length.")
        lengths = {value.strip() for value in self.headers.get_all("content-length", ["0"])}
        if len(lengths) > 1 or not all(_CONTENT_LENGTH.fullmatch(length) for length in lengths):
            raise _bad_request("Content-Length is not a number.")
        length = int(lengths.pop())
        if length > MAX_BODY_BYTES:
            raise GatewayProblem(
                http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "The request body is too large.",
                "payload-too-large",
            )
        return length

    def parse_request(self) -> bool:
        """Read the request line and headers; refuse a body that would not be read before reading any of it."""
        return bool(super().parse_request()) and self._accepts_body()

    def handle_expect_100(self) -> bool:
        """Invite the body only if it will be read."""
        return self._accepts_body() and bool(super().handle_expect_100())

    def _accepts_body(self) -> bool:
        try:
            self._body_length()
        except GatewayProblem as problem:
            self._refuse(problem)
            return False
        return True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what was not even a request of ours, without echoing any of it."""
        del message, explain
        status = http.HTTPStatus(code)
        if status == http.HTTPStatus.NOT_IMPLEMENTED:  # a method that no route can have
            resource = self.server.gateway.resource(self.path)
            self._refuse(
                _not_found() if resource is None else _not_allowed(self.server.gateway.methods(resource))
            )
        elif status == http.HTTPStatus.BAD_REQUEST:
            self._refuse(_bad_request("That is not an HTTP request."))
        else:
            self._refuse(GatewayProblem(status, status.description or status.phrase))

    def _refuse(self, problem: GatewayProblem) -> None:
        """Answer and hang up, first reading what the client still sends: else it sees a reset, not the answer."""
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
            for one in value if isinstance(value, list) else [value]:
                self.send_header(name, one)
        if answer.status not in _BODILESS:
            self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD" and answer.status not in _BODILESS:
            self.wfile.write(answer.body)
        self.wfile.flush()

    def _log(self, status: int, started: float) -> None:
        known = (
            self.command in _METHODS
        )  # else the "method" may be any part of a garbled request, a token too
        method = self.command if known else "?"
        resource = (self.server.gateway.resource(self.path) if known else None) or "(no route)"
        access_log.info("%s %s %d %.0f ms", method, resource, status, (time.perf_counter() - started) * 1000)

    def __init__(self, request: Any, client_address: Any, server: "LocalServer") -> None:
        # Past Chalice's own, which would make a gateway for every connection.
        super(ChaliceRequestHandler, self).__init__(request, client_address, server)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: the base class prints the raw path."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing: the base class prints the raw request line."""


class LocalServer(ThreadedHTTPServer):
    """A threaded server for one Chalice app. Bound when made; `serve_forever()` answers, `close()` ends it."""

    request_queue_size = 512
    allow_reuse_port = False
    daemon_threads = True
    address_family = socket.AF_INET
    socket: Socket  # the base classes come through six, without types

    def __init__(self, app: Chalice, host: str, port: int, listener: Socket | None = None) -> None:
        """Bind to `host:port`, or take over `listener`, a socket that is already bound.

        Raises OSError, and `RuntimeError` for `CORS_ORIGINS` that are none.
        """
        self.cors = GATEWAY_HEADERS if read_cors_origins(os.environ) else {}
        _use_thread_locals(app)
        self.gateway = Gateway(app, Config.create(chalice_app=app, project_dir="."))
        self.closing = False
        self.started = threading.Event()
        self._in_flight = 0
        self._idle = threading.Condition()
        self._connections: set[Socket] = set()
        super().__init__((host, port), RequestHandler, bind_and_activate=False)
        try:
            if listener is not None:
                self.socket.close()
                self.socket = listener
                self.server_address = listener.getsockname()
            else:
                self.server_bind()
            self.server_activate()
        except BaseException:
            self.server_close()
            raise

    @property
    def port(self) -> int:
        """The port it is bound to."""
        port: int = self.server_address[1]
        return port

    @property
    def url(self) -> str:
        """Its base URL, without a trailing slash."""
        return f"http://{self.server_address[0]}:{self.port}"

    def server_bind(self) -> None:
        """Bind, without the base class's look-up of the host's name, which may wait on a resolver."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def serve_forever(self, poll_interval: float = 0.05) -> None:
        """Answer until `close()` is called from another thread."""
        self.started.set()
        super().serve_forever(poll_interval)

    def close(self, grace: float = 5.0) -> None:
        """Take no new connections, let running requests end within `grace` seconds, then hang up on everyone."""
        self.closing = True
        if self.started.is_set():
            self.shutdown()
        self.server_close()
        with self._idle:
            self._idle.wait_for(lambda: self._in_flight == 0, timeout=grace)
            connections = list(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def exchange(self) -> Iterator[None]:
        """Count one request as running, from its first byte of body to its last byte of answer."""
        with self._idle:
            self._in_flight += 1
        try:
            yield
        finally:
            with self._idle:
                self._in_flight -= 1
                self._idle.notify_all()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection in its own thread."""
        with self._idle:
            self._connections.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._idle:
                self._connections.discard(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that hung up; log anything else."""
        del request, client_address
        if not isinstance(sys.exception(), OSError):
            error_log.exception("a connection failed")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def make_server(
    app: Chalice, host: str = "127.0.0.1", port: int = 0, *, listener: Socket | None = None
) -> LocalServer:
    """Return a bound server for `app`; port 0 takes a free one. Raises OSError when the port is taken."""
    return LocalServer(app, host, port, listener)


def serve(app: Chalice, host: str, port: int) -> None:
    """Serve `app` until interrupted."""
    with make_server(app, host, port) as server:
        server.serve_forever()


@contextlib.contextmanager
def serving(app: Chalice, host: str = "127.0.0.1", port: int = 0) -> Iterator[LocalServer]:
    """Serve `app` from a thread for as long as the block lasts."""
    with make_server(app, host, port) as server:
        thread = threading.Thread(target=server.serve_forever, name="local-server", daemon=True)
        thread.start()
        server.started.wait()
        yield server
    thread.join()


class _ThreadLocalChalice(LocalChalice):
    """`LocalChalice` keeps `current_request` by thread; `lambda_context` needs it as much."""

    _CONTEXT: ClassVar = threading.local()

    @property
    def lambda_context(self) -> LambdaContext:
        context: LambdaContext = self._CONTEXT.value
        return context

    @lambda_context.setter
    def lambda_context(self, value: LambdaContext) -> None:
        self._CONTEXT.value = value


def _use_thread_locals(app: Chalice) -> None:
    """Give `app` the class that Chalice's own local server gives it, but one of its own: theirs is shared."""
    if not isinstance(app, _ThreadLocalChalice):
        app.__class__ = type("ThreadLocalApp", (_ThreadLocalChalice, app.__class__), {})
