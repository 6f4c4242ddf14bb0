"""Run a program for a build, and report its output if it fails."""

import subprocess
from pathlib import Path

from infra.errors import CommandError


class PackageError(CommandError):
    """The package can't be built. The message contains the reason."""


def run(command: list[str], *, cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    """Run a command. Raise `PackageError` with the end of its output if it fails."""
    finished = subprocess.run(  # noqa: S603 - our own command
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if finished.returncode:
        output = (finished.stderr.strip() or finished.stdout.strip())[-2000:]
        raise PackageError(f"{' '.join(command[1:4])} failed: {output}")
