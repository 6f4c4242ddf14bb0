"""Dynoxide: DynamoDB on top of SQLite in one small local process."""

import platform
import shutil
import sys
from pathlib import Path
from typing import Final

from infra.local.engines.engine import HOST, Engine, EngineError
from infra.paths import LOCAL

_BINARY: Final = LOCAL / "npm" / "node_modules" / "@dynoxide" / "linux-x64" / "dynoxide"


def find_dynoxide() -> Path | None:
    """Return dynoxide's binary, or None if it is not installed (`make dynoxide`) or can't run here."""
    on_path = shutil.which("dynoxide")
    if _BINARY.is_file() and sys.platform == "linux" and platform.machine() == "x86_64":
        return _BINARY
    return Path(on_path) if on_path else None


class Dynoxide(Engine):
    """DynamoDB on top of SQLite in one small binary. With a file, an acknowledged write survives `kill()`."""

    name = "dynoxide"

    def __init__(self, db_path: Path | None = None) -> None:
        """Keep the data in `db_path`; None keeps it in memory."""
        super().__init__(db_path.parent if db_path else None)
        self._db_path = db_path

    def _command(self, port: int, files: Path) -> list[str]:
        del files
        binary = find_dynoxide()
        if binary is None:
            raise EngineError("dynoxide is not installed; run `make dynoxide` (Linux x64 only)")
        command = [str(binary), "--host", HOST, "--port", str(port)]
        return command + (["--db-path", str(self._db_path.absolute())] if self._db_path else [])
