"""A local engine as a subprocess: start it, wait until it is ready, stop it, kill it."""

import atexit
import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final, Self

from infra.errors import CommandError

HOST: Final = "127.0.0.1"
_START_SECONDS: Final = 180.0  # usually a second or two; longer on a busy machine
_STOP_SECONDS: Final = 120.0
_POLL_SECONDS: Final = 0.05
_PORT_FILE: Final = "port"
_PORT_ATTEMPTS: Final = 3
_INHERITED_VARIABLES: Final = ("PATH", "LANG", "LC_ALL", "TZ")

# The kernel ends an engine when the *thread* that spawned it ends (die_with_parent.py). Therefore one thread, which
# lives as long as this process, spawns all engines.
_spawner: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine-spawner")


def inherited_environment() -> dict[str, str]:
    """Return the environment of a subprocess: search path, locale, and the variables of libfaketime if it is active."""
    inherited = {name: os.environ[name] for name in _INHERITED_VARIABLES if name in os.environ}
    if "FAKETIME" not in os.environ:
        return inherited
    needed = {"LD_PRELOAD", "NO_FAKE_STAT", "PYTHONPATH"}
    return inherited | {
        name: value for name, value in os.environ.items() if name in needed or name.startswith("FAKETIME")
    }


class EngineError(CommandError):
    """An engine did not start or did not stop."""


class Engine(ABC):
    """One engine process, on a separate loopback port and in a separate session, so that Ctrl-C does not reach it.

    `start()` returns when the engine responds; `stop()` lets it save its files and waits; `kill()` sends SIGKILL;
    `restart()` starts the engine again on the same port with the same files, and stops it first if it is still running.
    Use it as a context manager to start the engine on entry and stop it on exit.
    """

    name: ClassVar[str]
    ready_path: ClassVar[str] = "/"

    def __init__(self, files: Path | None, hold: Sequence[int] = ()) -> None:
        """Keep the engine's files under `files`; None uses a temporary directory, which `stop()` removes.

        The engine inherits the file descriptors in `hold`: a lock on one of them lasts as long as the engine.
        """
        self._kept_files = files
        self._hold = tuple(hold)
        self._files: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._port: int | None = None

    @property
    def endpoint_url(self) -> str:
        """The engine's endpoint; it stays the same after a restart."""
        if self._port is None:
            raise EngineError(f"{self.name} was not started")
        return f"http://{HOST}:{self._port}"

    @property
    def pid(self) -> int | None:
        """The running process, or None."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> Self:
        """Start the engine and wait until it responds. Raise `EngineError` if it does not become ready."""
        if self.pid is not None:
            raise EngineError(f"{self.name} is already running")
        if self._port is not None:
            self._start_on(self._port)
            return self
        kept = self._last_port()
        for attempt in range(_PORT_ATTEMPTS):
            port = kept if kept is not None and attempt == 0 else _free_port()
            try:
                self._start_on(port)
            except EngineError:
                # Another process may have taken the port in the meantime.
                if attempt == _PORT_ATTEMPTS - 1 or not _is_taken(port):
                    raise
            else:
                break
        return self

    def _last_port(self) -> int | None:
        """Return the port that these files were last used with, if it is free. The files may contain URLs with it."""
        try:
            port = int((self._kept_files / _PORT_FILE).read_text()) if self._kept_files else 0
        except (FileNotFoundError, ValueError):
            return None
        return port if 0 < port < 65536 and not _is_taken(port) else None

    def stop(self) -> None:
        """Stop the engine (SIGTERM), wait until it exits, and remove temporary files. Raise `EngineError`.

        An engine with temporary files has nothing to save, so it is killed (SIGKILL).
        """
        try:
            self._end(signal.SIGTERM if self._kept_files is not None else signal.SIGKILL)
        finally:
            if self._kept_files is None and self._files is not None:
                shutil.rmtree(self._files, ignore_errors=True)
                self._files = None

    def kill(self) -> None:
        """Kill the engine (SIGKILL). Its files stay."""
        self._end(signal.SIGKILL)

    def restart(self) -> Self:
        """Start the engine again on the same port and files. If it is running, stop it first (SIGTERM)."""
        self._end(signal.SIGTERM)
        return self.start()

    def wait(self) -> int:
        """Block until the process ends and return its exit status, negative for a signal."""
        if self._process is None:
            raise EngineError(f"{self.name} was not started")
        return self._process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @abstractmethod
    def _command(self, port: int, files: Path) -> list[str]:
        """Return the program, as a path, and its arguments."""

    def _environment(self, port: int, files: Path) -> dict[str, str]:
        """Return the complete environment. Only search path, locale and clock come from the user's environment."""
        del port
        return {**inherited_environment(), "HOME": str(files)}

    def _start_on(self, port: int) -> None:
        if self._files is None:
            self._files = self._kept_files or Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
        files = self._files.absolute()
        files.mkdir(
            mode=0o700, parents=True, exist_ok=True
        )  # ministack's state contains secrets in clear text
        log = files / f"{self.name}.log"
        wrapper = [
            sys.executable,
            "-I",
            str(Path(__file__).with_name("die_with_parent.py")),
            str(os.getpid()),
        ]
        command = wrapper + self._command(port, files)
        environment = self._environment(port, files)

        def spawn() -> subprocess.Popen[bytes]:
            with log.open("wb") as output:
                return subprocess.Popen(  # noqa: S603 - our own command
                    command,
                    cwd=files,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=self._hold,
                )

        self._process = _spawner.submit(spawn).result()
        atexit.register(self._end_quietly)
        try:
            _poll(
                lambda: self._answers(port, log), f"{self.name} was not ready within {_START_SECONDS:.0f} s"
            )
        except BaseException:
            self.kill()
            raise
        self._port = port
        if self._kept_files is not None:
            (self._kept_files / _PORT_FILE).write_text(f"{port}\n")

    def _answers(self, port: int, log: Path) -> bool:
        if self._process is None or self._process.poll() is not None:
            tail = log.read_text(errors="replace")[-2000:].strip() if log.exists() else ""
            raise EngineError(f"{self.name} exited while starting: {tail or 'no output'}")
        connection = http.client.HTTPConnection(HOST, port, timeout=2)
        try:
            connection.request("GET", self.ready_path)
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _end(self, signal_number: signal.Signals) -> None:
        process = self._process
        if process is None:
            return
        try:
            if process.poll() is None:
                process.send_signal(signal_number)
                try:
                    process.wait(_STOP_SECONDS)
                except subprocess.TimeoutExpired as error:
                    late = f"{self.name} did not stop within {_STOP_SECONDS:.0f} s and was killed"
                    raise EngineError(f"{late}; its latest data may be lost") from error
        finally:
            # The engine leads its process group, so this also kills its child processes.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            self._process = None
            atexit.unregister(self._end_quietly)

    def _end_quietly(self) -> None:
        with contextlib.suppress(EngineError):
            self.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
        return False


def _poll(answers: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not answers():
        if time.monotonic() > deadline:
            raise EngineError(otherwise)
        time.sleep(_POLL_SECONDS)
