"""The local backend of the app: an engine, the table, the signing keys, and the app's settings.

`make run` runs a backend while it serves. `make key` and similar commands use that backend, or start one for their own
duration. All data is under `.local`.
"""

import base64
import contextlib
import fcntl
import json
import os
import secrets
import time
import urllib.parse
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from infra.errors import CommandError
from infra.local.aws import local_client, use_local_aws
from infra.local.engines.ministack import Ministack
from infra.local.table import ensure_table
from infra.paths import LOCAL

TABLE_NAME: Final = "admit-one-local"
SIGNING_SECRET_ID: Final = "admit-one/local/signing-keys"  # noqa: S105 - a name

_STATE: Final = LOCAL / "ministack"
_LOCK: Final = LOCAL / "ministack.lock"
_SIGNING_KEYS: Final = LOCAL / "signing-keys.json"
_API_KEY: Final = LOCAL / "api-key"
_LOCK_ATTEMPTS: Final = 60
_LOCK_SECONDS: Final = 0.5

Say = Callable[[str], None]


class InUseError(CommandError):
    """Another process uses the local data."""


@dataclass(frozen=True)
class Backend:
    """A backend's endpoint and the app's settings for it. `engine` is None if another process runs the engine."""

    dynamodb_endpoint: str
    settings: dict[str, str]
    engine: Ministack | None

    def apply(self, environ: MutableMapping[str, str] = os.environ) -> None:
        """Write the app's settings and, for a local endpoint, dummy credentials to `environ`."""
        if is_local(self.dynamodb_endpoint):
            use_local_aws(environ, self.settings.get("AWS_ENDPOINT_URL_SECRETS_MANAGER"))
        environ.update(self.settings)


def is_local(endpoint: str) -> bool:
    """Return whether an endpoint is not AWS itself."""
    host = urllib.parse.urlsplit(endpoint).hostname or ""
    return not host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws"))


@contextlib.contextmanager
def own_backend(endpoint: str | None, say: Say) -> Iterator[Backend]:
    """Run a backend until the block ends, with DynamoDB at `endpoint` or, if it is None, with a new ministack.

    Raise `InUseError` if another process uses the same data, and `EngineError` if ministack does not start.
    """
    LOCAL.mkdir(exist_ok=True)
    if endpoint is not None:
        say(f"Using DynamoDB at {endpoint}")
        yield _external(endpoint)
        return
    with _locked(say) as lock:
        say("Starting ministack …")
        with Ministack(_STATE, hold=[lock.descriptor]) as engine:
            ensure_table(local_client("dynamodb", engine.endpoint_url), TABLE_NAME)
            _ensure_signing_secret(engine.endpoint_url)
            lock.announce(engine.endpoint_url)
            try:
                yield _on_ministack(engine.endpoint_url, engine)
            finally:
                lock.announce("")
                if engine.pid is not None:
                    say(f"Saving to {_shown(_STATE)} …")


@contextlib.contextmanager
def any_backend(endpoint: str | None, say: Say) -> Iterator[Backend]:
    """Use the backend of a running `make run`; if none runs, run a backend until the block ends."""
    running = None if endpoint else _running_endpoint()
    if running:
        yield _on_ministack(running, None)
    else:
        with own_backend(endpoint, say) as backend:
            yield backend


def local_api_key() -> str:
    """Return the API key of the local table. The first call creates it in a file that only the user can read."""
    return _kept(
        _API_KEY, lambda: "ao_" + base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()
    )


def _external(endpoint: str) -> Backend:
    if is_local(endpoint):
        client = local_client("dynamodb", endpoint)
        ensure_table(client, TABLE_NAME)
    return Backend(
        endpoint,
        {
            "TABLE_NAME": TABLE_NAME,
            "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
            "SIGNING_KEYS": _kept(_SIGNING_KEYS, _new_signing_keys),
        },
        None,
    )


def _on_ministack(endpoint: str, engine: Ministack | None) -> Backend:
    return Backend(
        endpoint,
        {
            "TABLE_NAME": TABLE_NAME,
            "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": endpoint,
            "SIGNING_SECRET_ID": SIGNING_SECRET_ID,
        },
        engine,
    )


def _ensure_signing_secret(endpoint: str) -> None:
    client = local_client("secretsmanager", endpoint)
    with contextlib.suppress(client.exceptions.ResourceExistsException):
        client.create_secret(Name=SIGNING_SECRET_ID, SecretString=_new_signing_keys())


def _new_signing_keys() -> str:
    return json.dumps({"current": 1, "keys": {"1": base64.b64encode(secrets.token_bytes(32)).decode()}})


def _kept(path: Path, make: Callable[[], str]) -> str:
    """Return the content of a file. If it is missing, create it atomically, readable only by its owner."""
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        draft = path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(make() + "\n")
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text().strip()


class _Lock:
    """The lock on the local data. Its file contains the id of the process that holds it, and the engine's endpoint."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    @property
    def descriptor(self) -> int:
        """The lock's file descriptor. The engine inherits it, so the lock is held until the engine exits."""
        return self._file.fileno()

    def announce(self, endpoint: str) -> None:
        """Write the engine's endpoint to the lock file, where other processes read it."""
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n{endpoint}\n")
        self._file.flush()


@contextlib.contextmanager
def _locked(say: Say) -> Iterator[_Lock]:
    """Lock the local data. Raise `InUseError` if another process holds the lock."""
    with _LOCK.open("a+") as file:
        for attempt in range(_LOCK_ATTEMPTS):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                file.seek(0)
                holder = file.readline().strip()
            if _is_running(holder):
                raise InUseError(f"{_shown(_STATE)} is in use by process {holder}; stop that process first")
            # The process that held the lock was killed, and its engine is still saving.
            if attempt == 0:
                say("Waiting until ministack of the last run has saved its data …")
            time.sleep(_LOCK_SECONDS)
        else:
            raise InUseError(
                f"{_shown(_STATE)} is in use by ministack, whose make run was killed; stop that process first"
            )
        lock = _Lock(file)
        lock.announce("")
        yield lock
        file.truncate(0)


def _is_running(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        pass
    return True


def _running_endpoint() -> str | None:
    """Return the endpoint of another process's ministack, or None if no other process has one that is ready."""
    try:
        with _LOCK.open("r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read().partition("\n")[2].strip() or None
    except FileNotFoundError:
        pass
    return None


def _shown(path: Path) -> str:
    return str(path.relative_to(LOCAL.parent))
