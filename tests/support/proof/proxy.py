"""An HTTP proxy that injects faults.

Between the app and DynamoDB it throttles, conflicts, resets connections and loses replies; between a client and the app
it loses the app's answers. It records every request, so tests can count calls. It can also forget the open connections,
as AWS does while Lambda freezes a function.
"""

import contextlib
import http.client
import json
import socket
import struct
import threading
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, NamedTuple, Self

from tests.support.waiting import LIMIT

_WRITES: Final = frozenset({"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"})
_NOT_OURS: Final = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "x-amz-crc32"}
)
_HOP_BY_HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


class Call(NamedTuple):
    """A request: `name` is DynamoDB's operation, or the method and path."""

    name: str
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The body as JSON."""
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass(frozen=True)
class Answer:
    """The proxy answers; the request is not forwarded."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/x-amz-json-1.0"})


@dataclass(frozen=True)
class Reset:
    """The connection is reset; the request is not forwarded."""


@dataclass(frozen=True)
class LoseReply:
    """The request is forwarded, and the connection is reset before its reply arrives."""


@dataclass(frozen=True)
class CutReply:
    """The request is forwarded, and the connection closes after half of the reply."""


@dataclass(frozen=True)
class Silence:
    """The request is forwarded, and no reply arrives until the sender times out."""


@dataclass(frozen=True)
class Late:
    """The request is forwarded only after `gate` is set, long after the sender has timed out."""

    gate: threading.Event
    sent: threading.Event


@dataclass(frozen=True)
class First:
    """`act` is called; then the request is forwarded."""

    act: Callable[[], object]


@dataclass(frozen=True)
class Edit:
    """The reply is changed, for example to look like two reads at different moments."""

    change: Callable[[dict[str, Any]], object]


class Dead(Enum):
    """How a connection that was forgotten responds to the next request, which is not forwarded."""

    RESET = auto()
    END = auto()
    SILENCE = auto()
    CLOSED = (
        auto()
    )  # at once, so the client sees that the connection is closed before it sends the next request


Fault = Answer | Reset | LoseReply | CutReply | Silence | Late | First | Edit
Matches = Callable[[Call], bool]


@dataclass
class Rule:
    """Applies `fault` to matching calls: skips the first `skip`, then takes `times` of them (None: all)."""

    matches: Matches
    fault: Fault
    times: int | None = None
    skip: int = 0
    hits: int = 0

    def take(self, call: Call) -> Fault | None:
        """Return `fault` if the rule applies to this call, else None. The caller holds the proxy's lock."""
        if (self.times is not None and self.hits >= self.times) or not self.matches(call):
            return None
        if self.skip:
            self.skip -= 1
            return None
        self.hits += 1
        return self.fault


class Proxy:
    """Forwards requests from its own loopback port to `target` until the block ends."""

    def __init__(self, target: str) -> None:
        parts = urllib.parse.urlsplit(target)
        assert parts.hostname
        assert parts.port
        self._target = (parts.hostname, parts.port)
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._calls: list[Call] = []
        self._unanswered: list[Call] = []
        self._open: set[_Handler] = set()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self

    @property
    def url(self) -> str:
        """The proxy's URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def calls(self) -> list[Call]:
        """The calls since the last `clear()`, in order of arrival."""
        with self._lock:
            return list(self._calls)

    def clear(self) -> None:
        """Remove all rules and recorded calls."""
        with self._lock:
            self._rules, self._calls = [], []

    @property
    def unanswered(self) -> list[Call]:
        """The calls on forgotten connections, in order of arrival."""
        with self._lock:
            return list(self._unanswered)

    def forget_connections(self, dead: Dead) -> None:
        """Forget the connections that are open now; new ones work. Also clears `unanswered`."""
        with self._lock:
            self._unanswered = []
            for handler in self._open:
                handler.dead = dead
                if dead is Dead.CLOSED:
                    handler.connection.shutdown(socket.SHUT_RDWR)

    def opened(self, handler: "_Handler") -> None:
        """Add an open connection."""
        with self._lock:
            self._open.add(handler)

    def closed(self, handler: "_Handler") -> None:
        """Remove a connection that ended."""
        with self._lock:
            self._open.discard(handler)

    def refuse(self, call: Call) -> None:
        """Record a call on a forgotten connection."""
        with self._lock:
            self._unanswered.append(call)

    def inject(self, matches: Matches, fault: Fault, *, times: int | None = None, skip: int = 0) -> Rule:
        """Add a rule; of several rules that apply, the first one added wins."""
        rule = Rule(matches, fault, times, skip)
        with self._lock:
            self._rules.append(rule)
        return rule

    def lift(self, *rules: Rule) -> None:
        """Remove rules."""
        with self._lock:
            self._rules = [rule for rule in self._rules if rule not in rules]

    def fault_of(self, call: Call) -> Fault | None:
        """Record a call, and return its fault, None to forward it."""
        with self._lock:
            self._calls.append(call)
            for rule in self._rules:
                fault = rule.take(call)
                if fault is not None:
                    return fault
        return None

    def forward(
        self, upstream: http.client.HTTPConnection | None, method: str, path: str, headers: Any, body: bytes
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse, bytes]:
        """Forward a request; return the connection, the response and its body."""
        connection = upstream or http.client.HTTPConnection(*self._target, timeout=LIMIT)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            if name.lower() not in _HOP_BY_HOP:
                connection.putheader(name, value)
        if body or method not in ("GET", "HEAD"):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        return connection, response, response.read()

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="proxy", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True
    proxy: Proxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Do not log errors: closed connections are normal here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def setup(self) -> None:
        super().setup()
        self._upstream: http.client.HTTPConnection | None = None
        self.dead: Dead | None = None
        self.server.proxy.opened(self)

    def finish(self) -> None:
        self.server.proxy.closed(self)
        if self._upstream is not None:
            self._upstream.close()
        with contextlib.suppress(OSError):
            super().finish()

    def _handle(self) -> None:
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        name = self.headers.get("X-Amz-Target", "").rpartition(".")[2] or f"{self.command} {self.path}"
        if self.dead is not None:
            proxy.refuse(Call(name, body))
            self._end(self.dead)
            return
        fault = proxy.fault_of(Call(name, body))
        if isinstance(fault, Reset):
            self._reset()
            return
        if isinstance(fault, Answer):
            self._send(fault.status, fault.headers, fault.body)
            return
        if isinstance(fault, First):
            fault.act()
        if isinstance(fault, Late):
            fault.gate.wait()
        try:
            self._upstream, response, content = proxy.forward(
                self._upstream, self.command, self.path, self.headers, body
            )
        except (OSError, http.client.HTTPException):
            self._reset()  # the target is gone
            return
        if isinstance(fault, Late):
            fault.sent.set()
        if isinstance(fault, Late | Silence):
            self._say_nothing()
            return
        if isinstance(fault, LoseReply):
            self._reset()
            return
        if isinstance(fault, Edit):
            document = json.loads(content)
            fault.change(document)
            content = json.dumps(document).encode()
        headers = {k: v for k, v in response.getheaders() if k.lower() not in _NOT_OURS}
        if isinstance(fault, CutReply):
            self.close_connection = True
            self._send(response.status, headers, content[: len(content) // 2], length=len(content))
            return
        self._send(response.status, headers, content)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _handle  # noqa: N815 - found by name

    def _send(self, status: int, headers: Mapping[str, str], body: bytes, length: int | None = None) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def _end(self, dead: Dead) -> None:
        self.close_connection = True
        if dead is Dead.RESET:
            self._reset()
        elif dead is Dead.SILENCE:
            self._say_nothing()

    def _say_nothing(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.rfile.read(1)  # until the sender closes the connection

    def _reset(self) -> None:
        """Close the connection with a RST, as if the peer had crashed."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Do not log requests."""


def operation(name: str, *mentioning: str) -> Matches:
    """Match a DynamoDB operation whose request contains all of the given texts, e.g. a link's id."""
    return lambda call: call.name == name and all(text.encode() in call.body for text in mentioning)


def write(*mentioning: str) -> Matches:
    """Match any write that contains all of the given texts, except for records of opens and denials."""
    return lambda call: (
        call.name in _WRITES and not is_note(call) and all(text.encode() in call.body for text in mentioning)
    )


def is_note(call: Call) -> bool:
    """Return whether a call only records an open or a denial, in an item of its own."""
    return call.name in ("PutItem", "UpdateItem") and (b'"OPENS"' in call.body or b'"DENIAL#' in call.body)


def error(code: str, status: int = 400) -> Answer:
    """Return DynamoDB's response for an error."""
    document = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "injected"}
    return Answer(status, json.dumps(document).encode())


def cancelled(*reasons: str | Mapping[str, Any]) -> Answer:
    """Return DynamoDB's response for a cancelled transaction; a reason is its code, or the whole object."""
    objects: Sequence[Mapping[str, Any]] = [{"Code": r} if isinstance(r, str) else r for r in reasons]
    codes = ", ".join(str(reason["Code"]) for reason in objects)
    document = {
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
        "CancellationReasons": list(objects),
    }
    return Answer(400, json.dumps(document).encode())
