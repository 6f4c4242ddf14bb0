"""The contents of the zip: remove files that never run, compile the rest, and zip it reproducibly."""

import os
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from infra.package.command import run

_ZIP_TIME: Final = (1980, 1, 1, 0, 0, 0)
_NEVER: Final = ("*.pyi", "*.pyx", "*.pxd", "*.c", "*.h", "py.typed")


def prune(content: Path, only: Sequence[str] = ()) -> None:
    """Remove files that never run: tests, stubs, sources of C extensions, programs, installers' records.

    With `only`, prune only these files and folders, and only by file name.
    """
    for root in [content / name for name in only] or [content]:
        for pattern in _NEVER:
            for path in [*root.rglob(pattern)]:
                path.unlink()
    if only:
        return
    folders = [*content.glob("*/tests"), *content.glob("*/test"), content / "bin", content / "share"]
    for path in [*folders, *content.rglob("__pycache__")]:
        shutil.rmtree(path, ignore_errors=True)
    # Keep metadata and license: some packages read their own version, and licenses must accompany copies.
    for info in content.glob("*.dist-info"):
        for path in info.iterdir():
            if path.is_file() and path.name != "METADATA" and "licen" not in path.name.lower():
                path.unlink()


def compile_all(content: Path, python: str, only: Sequence[str] = ()) -> None:
    """Compile with the interpreter `python` to .pyc files that Python doesn't check against the sources.

    The zip doesn't keep the sources' times.
    """
    # The bytes depend on the iteration order of sets, so compile in a process with a fixed hash seed.
    roots = [str(content / name) for name in only] or [str(content)]
    run([python, "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash",
          "-s", str(content), "-p", "/var/task", *roots],
         env={**os.environ, "PYTHONHASHSEED": "0"})  # fmt: skip


def write_zip(content: Path, archive: Path) -> None:
    """Zip files in a fixed order, all with the same time and mode, so that the same files give the same bytes."""
    files = sorted((path for path in content.rglob("*") if path.is_file()), key=lambda path: path.as_posix())
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as zipped:
        for path in files:
            entry = zipfile.ZipInfo(path.relative_to(content).as_posix(), _ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix; otherwise Lambda would ignore the mode
            entry.external_attr = 0o100644 << 16
            zipped.writestr(entry, path.read_bytes())
