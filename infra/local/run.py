"""`make run`: run the whole product on this machine. Usage: python -m infra.local.run [--port PORT]."""

import argparse
import importlib
import logging
import os
import signal
import socket
import sys
import threading
from typing import Final, NoReturn

from botocore.exceptions import BotoCoreError, ClientError

from infra.errors import CommandError
from infra.local.backend import (
    SIGNING_SECRET_ID,
    TABLE_NAME,
    Backend,
    local_api_key,
    own_backend,
)
from infra.local.http.server import make_server
from infra.paths import LOCAL

_HOST: Final = "127.0.0.1"
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Stop(BaseException):
    """A signal asked the process to stop. It is not an Exception, so that no handler catches it as an error."""


def main() -> int:
    """Run until a signal stops it; return the exit status."""
    port = _arguments()
    try:
        listener = _reserve(port)
    except OSError as error:
        print(
            f"Port {port} on {_HOST} can't be used: {error.strerror}. Try `make run PORT=…`.", file=sys.stderr
        )
        return 1
    logging.basicConfig(stream=sys.stderr, format="%(message)s")
    logging.getLogger("admit_one.local").setLevel(logging.INFO)
    for number in _SIGNALS:
        signal.signal(number, _stop_once)
    try:
        with listener, own_backend(os.environ.get("DYNAMODB_ENDPOINT") or None, _say) as backend:
            return _serve(backend, listener)
    except _Stop:
        _say("Stopped.")
        return 0
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1
    except (BotoCoreError, ClientError) as error:
        print(f"DynamoDB can't be used: {error}", file=sys.stderr)
        return 1


def _serve(backend: Backend, listener: socket.socket) -> int:
    base_url = f"http://{_HOST}:{listener.getsockname()[1]}"
    backend.apply()
    os.environ["BASE_URL"] = base_url

    # Imported here, because the module reads its settings from the environment.
    from infra.local.seed import seed

    if backend.engine is not None:
        from infra.local.stack import Site, app_settings, deploy_locally, local_package

        _say("Packaging and deploying the functions …")
        site = Site(base_url, TABLE_NAME, SIGNING_SECRET_ID, LOCAL / "mail")
        deploy_locally(backend.dynamodb_endpoint, local_package(), site)
        os.environ.update(app_settings(backend.dynamodb_endpoint))
    _say("Preparing the first host, event type and link …")
    api_key = local_api_key()
    sample_link_url = seed(api_key)
    app = importlib.import_module("app").app
    _prepare()

    ended = threading.Event()
    with make_server(app, listener=listener) as server:
        threading.Thread(target=server.serve_forever, name="server", daemon=True).start()
        server.started.wait()
        print(f"Console: {base_url}/console")
        print(f"API key: {api_key}")
        print(f"Sample link: {sample_link_url}")
        if backend.engine is not None:
            print("Emails: in .local/mail")
        print("Tutorial: docs/tutorial.md. Press Ctrl-C to save and stop.", flush=True)
        _watch(backend, ended)
        ended.wait()  # until a signal raises _Stop here, or the engine exits
    print("ministack stopped unexpectedly; data that it had not saved is lost.", file=sys.stderr)
    return 1


def _prepare() -> None:
    """Generate the API description and the assets, which `make package` also does, before the first request."""
    from chalicelib.api.openapi.view import description_reply
    from chalicelib.api.routes import ROUTERS
    from chalicelib.pages.assets import asset_url

    description_reply(ROUTERS, None)
    asset_url("", "admit-one.css")


def _watch(backend: Backend, ended: threading.Event) -> None:
    engine = backend.engine
    if engine is None:
        return

    def wait() -> None:
        engine.wait()
        ended.set()

    threading.Thread(target=wait, name="engine-watch", daemon=True).start()


def _reserve(port: int) -> socket.socket:
    """Return a bound socket that does not listen yet: until the app is ready, connections are refused immediately."""
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_HOST, port))
    except BaseException:
        listener.close()
        raise
    return listener


def _stop_once(number: int, frame: object) -> NoReturn:
    """Stop at the first signal. Later signals are ignored, because they would interrupt saving."""
    del number, frame
    for other in _SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    raise _Stop


def _arguments() -> int:
    parser = argparse.ArgumentParser(prog="make run", description="Run Admit One on this machine.")
    parser.add_argument(
        "--port", type=int, default=8000, help="the port to serve on (default: 8000); 0 chooses a free port"
    )
    port: int = parser.parse_args().port
    if not 0 <= port < 65536:
        parser.error(f"{port} is not a port")
    return port


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
