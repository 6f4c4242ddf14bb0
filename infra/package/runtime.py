"""The Python version of the functions, and the interpreter of that version that compiles their .pyc files.

Usage: python -m infra.package.runtime finds the interpreter, or installs it with uv. See docs/adr/0031-runtime.md.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Final

from infra.errors import CommandError
from infra.package.command import PackageError
from infra.paths import LOCAL, ROOT

RUNTIME: Final = (3, 13)
VERSION: Final = ".".join(map(str, RUNTIME))
LAMBDA_NAME: Final = f"python{VERSION}"
CACHE_TAG: Final = f"cpython-{''.join(map(str, RUNTIME))}"
GLIBC: Final = 34  # of Amazon Linux 2023

DEPRECATED: Final = date(
    2029, 6, 30
)  # AWS may change it: docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
_WARNING: Final = timedelta(days=180)

_ASK: Final = "import sys; print(sys.implementation.cache_tag)"
_INSTALL_SECONDS: Final = 300


def say_on_stderr(line: str) -> None:
    """Print a line to stderr."""
    print(line, file=sys.stderr, flush=True)


def deprecation_warning(today: date) -> str | None:
    """Return a warning if AWS stops patching the runtime within 180 days, or has stopped."""
    if today < DEPRECATED - _WARNING:
        return None
    return (
        f"AWS deprecates {LAMBDA_NAME} on {DEPRECATED}: functions then get no security patches. "
        "Deploy a release of Admit One with a newer runtime before that date."
    )


def runtime_python(say: Callable[[str], None] = say_on_stderr) -> str:
    """Return the path of a Python of the functions' version; install one with uv if there is none.

    The functions' .pyc files fit only this version. Everything else runs on any supported version. Raise `PackageError`
    if none is found or can be installed.
    """
    found = find_python()
    if found:
        return found
    uv = _uv()
    if uv:
        say(f"Installing Python {VERSION}, which compiles the functions' code, with uv into .local/python …")
        folder = {**os.environ, "UV_PYTHON_INSTALL_DIR": str(LOCAL / "python")}
        _output([uv, "python", "install", "--no-bin", VERSION], folder)
        find_python.cache_clear()
        found = find_python()
    if not found:
        raise PackageError(
            f"The functions run on Python {VERSION}, which compiles their .pyc files, and it is not installed. Install "
            f"it: apt-get install python{VERSION} (Debian 13), brew install python@{VERSION}, uv python install "
            f"{VERSION} or pyenv install {VERSION}. It only has to be on the PATH; make can use another version."
        )
    return found


@cache
def find_python() -> str | None:
    """Return the path of an installed Python of the functions' version, or None."""
    return next((path for path in _candidates() if _fits(path)), None)


def _candidates() -> Iterator[str]:
    yield sys.executable
    on_path = shutil.which(LAMBDA_NAME)
    if on_path:
        yield on_path
    # pyenv's command on the PATH works only for the versions that the folder selects.
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    yield from sorted(map(str, pyenv.glob(f"{VERSION}.*/bin/{LAMBDA_NAME}")))
    yield from sorted(map(str, (LOCAL / "python").glob(f"cpython-{VERSION}*/bin/{LAMBDA_NAME}")))
    uv = _uv()
    if uv:
        yield _output([uv, "python", "find", "--no-project", "--offline", VERSION])


def _fits(path: str) -> bool:
    return bool(path) and _output([path, "-I", "-c", _ASK]) == CACHE_TAG


def _uv() -> str | None:
    own = ROOT / ".venv" / "uv" / "bin" / "uv"
    return shutil.which("uv") or (str(own) if own.exists() else None)


def _output(command: list[str], env: dict[str, str] | None = None) -> str:
    """Return what a command prints, or an empty string if it fails."""
    try:
        done = subprocess.run(  # noqa: S603 - a Python interpreter or uv
            command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            timeout=_INSTALL_SECONDS,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def main() -> int:
    """Find or install the interpreter; return the exit status 0, also without one: only packaging needs it."""
    try:
        runtime_python()
    except CommandError as error:
        say_on_stderr(f"*** SKIPPED: some tests of the package will be skipped. {error} ***")
    return 0


if __name__ == "__main__":
    sys.exit(main())
