"""Run a program that ends when its parent does: run as `python die_with_parent.py PARENT_PID PROGRAM ARGUMENTS…`.

On Linux the kernel sends the program SIGTERM when the thread that started it ends. So an engine whose parent was
killed saves its data and exits. On other systems, the program just starts.
"""

import ctypes
import os
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def main(parent: int, command: list[str]) -> None:
    """Replace this process by `command`, unless `parent` is already gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - the command is ours, and no shell is wanted


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
