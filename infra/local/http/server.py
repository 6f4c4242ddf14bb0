"""The local HTTP server of `make run` and of tests that use HTTP: one thread per connection, with a graceful stop.

It uses only `http.server`. Werkzeug, hypercorn, cheroot and waitress would respond to malformed and oversized requests
with their own errors instead of API Gateway's, and werkzeug closes the connection after every response.
"""

import contextlib
import os
import socket
import sys
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from socket import socket as Socket  # noqa: N812 - a class, and LocalServer has an attribute `socket`
from typing import Any, Self

from chalice.app import Chalice

from chalicelib.api.http.cors import GATEWAY_HEADERS
from chalicelib.settings import read_cors_origins
from infra.local.http.gateway import Gateway
from infra.local.http.request_handler import RequestHandler, error_log


class LocalServer(ThreadingHTTPServer):
    """A threaded server for one Chalice app, bound when it is created. `serve_forever()` serves, `close()` stops it."""

    request_queue_size = 512
    allow_reuse_port = False

    def __init__(self, app: Chalice, host: str, port: int, listener: Socket | None = None) -> None:
        """Bind to `host:port`, or use `listener`, a socket that is already bound.

        Raise OSError if the address can't be bound, and `RuntimeError` for invalid `CORS_ORIGINS`.
        """
        self.cors = GATEWAY_HEADERS if read_cors_origins(os.environ) else {}
        self.gateway = Gateway(app)
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
        """The port that the server is bound to."""
        port: int = self.server_address[1]
        return port

    @property
    def url(self) -> str:
        """The server's base URL, without a trailing slash."""
        host: Any = self.server_address[0]
        return f"http://{host}:{self.port}"

    def server_bind(self) -> None:
        """Bind the socket. The base class would also look up the host's name, which may wait for a resolver."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def serve_forever(self, poll_interval: float = 0.05) -> None:
        """Serve until another thread calls `close()`."""
        self.started.set()
        super().serve_forever(poll_interval)

    def close(self, grace: float = 5.0) -> None:
        """Accept no new connections, give running requests `grace` seconds, then close every connection."""
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
        """Count one request as running, from the first byte of its body to the last byte of its response."""
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
        """Log an error, unless it is an OSError: the client closed its connection."""
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
    """Return a bound server for `app`; port 0 chooses a free port. Raise OSError if the port is in use."""
    return LocalServer(app, host, port, listener)


@contextlib.contextmanager
def serving(app: Chalice, host: str = "127.0.0.1", port: int = 0) -> Iterator[LocalServer]:
    """Serve `app` from a thread until the block ends."""
    with make_server(app, host, port) as server:
        thread = threading.Thread(target=server.serve_forever, name="local-server", daemon=True)
        thread.start()
        server.started.wait()
        yield server
    thread.join()
