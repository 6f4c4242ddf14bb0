"""Run a program that stops when its parent ends: `python die_with_parent.py PARENT_PID PROGRAM ARGUMENTS…`.

On Linux the kernel sends the program SIGTERM when the thread that started it ends. Therefore an engine saves its data
and exits if its parent is killed. On other systems, this only starts the program.
"""

import ctypes
import os
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def main(parent: int, command: list[str]) -> None:
    """Replace this process with `command`, unless `parent` has already ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - our own command, and no shell is needed


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
