"""Run a function of the unpacked zip under Lambda's runtime client, with only the packages that Lambda installs.

The client polls the Runtime API for events. The server in this module implements that API and serves a test's events
one at a time.
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import botocore

from tests.support.waiting import LIMIT, until

ACCOUNT: Final = "123456789012"
REGION: Final = "us-east-1"

_API: Final = "/2018-06-01/runtime"
_SITE: Final = Path(botocore.__file__).parents[1]

# The packages of Lambda's Python runtime: its client, botocore, and their dependencies. No others are importable.
_RUNTIME: Final = (
    "awslambdaric", "simplejson", "snapshot_restore_py.py", "botocore", "jmespath", "dateutil", "urllib3", "six.py",
)  # fmt: skip


class FunctionError(Exception):
    """The function raised or exited; the message contains the error that it reported to Lambda."""


class Function:
    """One running function. `invoke()` sends it an event and waits for the result."""

    def __init__(self, process: "subprocess.Popen[bytes]", server: "_RuntimeApi", log: Path) -> None:
        self._process = process
        self._server = server
        self._log = log

    def invoke(self, event: Any) -> Any:
        """Return the function's result. Raises `FunctionError`."""
        answers: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._server.work.put((str(uuid.uuid4()), json.dumps(event).encode(), answers))
        until(lambda: not answers.empty() or self._process.poll() is not None)
        if answers.empty():
            raise FunctionError(f"the function exited without a result: {self.log()[-3000:]}")
        kind, body = answers.get()
        if kind != "response":
            raise FunctionError(f"{body.decode()}\n{self.log()[-3000:]}")
        return json.loads(body or b"null")

    def wait_until_ready(self) -> None:
        """Wait until the function has been imported and polls for events. Raises `FunctionError`."""
        until(lambda: self._server.has_polled.is_set() or self._process.poll() is not None)
        if not self._server.has_polled.is_set():
            raise FunctionError(f"the function did not start: {self.log()[-3000:]}")

    def log(self) -> str:
        """Return the function's output."""
        return self._log.read_text(errors="replace")


class _RuntimeApi(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.work: queue.Queue[tuple[str, bytes, queue.Queue[tuple[str, bytes]]]] = queue.Queue()
        self.waiting: dict[str, queue.Queue[tuple[str, bytes]]] = {}
        self.unsolicited: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.has_polled = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore the connection error of a function that exits while polling; report any other error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _RuntimeApi
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Wait until there is an event, then send it."""
        assert self.path == f"{_API}/invocation/next", self.path
        self.server.has_polled.set()
        request_id, body, answers = self.server.work.get()
        self.server.waiting[request_id] = answers
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Lambda-Runtime-Aws-Request-Id", request_id)
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + LIMIT) * 1000)))
        self.send_header(
            "Lambda-Runtime-Invoked-Function-Arn", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
        )
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """Receive a result or an error."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = self._chunks()
        *_, request_id, kind = self.path.split("/")
        waiting = self.server.waiting.pop(request_id, None) or self.server.unsolicited
        waiting.put((kind, body))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Do not log requests."""


def runtime_folder(folder: Path) -> Path:
    """Fill a folder with the packages of Lambda's runtime only, and return it."""
    for name in (*_RUNTIME, *(path.name for path in _SITE.glob("runtime_client*.so"))):
        (folder / name).symlink_to(_SITE / name)
    return folder


@contextlib.contextmanager
def running(
    task: Path, runtime: Path, handler: str, environment: Mapping[str, str], log: Path
) -> Iterator[Function]:
    """Run `handler` from the folder `task` until the block ends; yield the function."""
    server = _RuntimeApi()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    start = (
        "import sys; sys.path[:0] = sys.argv[1:3]; "
        "from awslambdaric.__main__ import main; main(['bootstrap', sys.argv[3]])"
    )
    with log.open("wb") as output:
        process = subprocess.Popen(
            # -S: no site-packages. -B: write no bytecode, as on Lambda's read-only file system.
            [sys.executable, "-I", "-S", "-B", "-c", start, str(task), str(runtime), handler],
            cwd=task, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            env={
                "PATH": os.environ["PATH"], "LANG": "en_US.UTF-8", "TZ": ":UTC",
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_address[1]}",
                "LAMBDA_TASK_ROOT": str(task), "_HANDLER": handler, "AWS_REGION": REGION,
                "AWS_DEFAULT_REGION": REGION, "AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_VERSION": "1",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024", "AWS_LAMBDA_LOG_FORMAT": "JSON",
                "AWS_LAMBDA_LOG_LEVEL": "INFO", **environment,
            },
        )  # fmt: skip
    try:
        yield Function(process, server, log)
    finally:
        process.kill()
        process.wait()
        server.shutdown()
        server.server_close()
        thread.join()
