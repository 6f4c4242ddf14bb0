"""Measure the CPU time of a call to AWS on a new TLS connection, and what loading the certificates adds."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from unittest.mock import patch

import botocore.session
from botocore.httpsession import DEFAULT_CA_BUNDLE

from chalicelib.connections import load_certificates_once
from infra.local.aws import use_local_aws
from tests.bench.report.sections import Section, spread
from tests.support.endpoints import certified

CALLS: Final = 40


def tls_connections() -> Section:
    """Measure calls in turn: on new connections in botocore's way and in ours, and on an open connection."""
    section = Section(
        "New connections",
        f"{CALLS} calls of each kind to a TLS server on the loopback interface, alternating: CPU milliseconds of the "
        "calling thread, median and quartiles. botocore's certificates are trusted, and that of the server.",
    )
    with _server() as url:
        theirs, ours = _client(url), _client(url)
        load_certificates_once(ours)
        times: dict[str, list[float]] = {}
        for call in range(CALLS + 1):
            for name, client, close in (
                ("certificates loaded for each connection", theirs, True),
                ("certificates loaded once", ours, True),
                ("an open connection", ours, False),
            ):
                if close:
                    client.close()
                began = time.thread_time()
                client.list_queues()
                if call:  # the first one loads the client's certificates
                    times.setdefault(name, []).append(1000 * (time.thread_time() - began))
    for name, values in times.items():
        section.add(f"{name}, ms", spread(values, 1), raw=values)
    return section


def _client(url: str) -> Any:
    client: Any = botocore.session.get_session().create_client("sqs", endpoint_url=url)
    return client


@contextmanager
def _server() -> Iterator[str]:
    """Yield the address of a server that keeps connections open and answers each request with `{}`."""
    with TemporaryDirectory() as folder, ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        context, _ = certified(Path(folder), "127.0.0.1")
        [own] = Path(folder).glob("*.pem")
        bundle = Path(folder) / "bundle"
        bundle.write_bytes(Path(DEFAULT_CA_BUNDLE).read_bytes() + own.read_bytes())
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with patch.dict(os.environ):
            use_local_aws(os.environ)
            os.environ["AWS_CA_BUNDLE"] = str(bundle)
            yield f"https://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        """Log nothing."""
