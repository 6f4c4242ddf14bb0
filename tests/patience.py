"""How long tests wait: until something is so, and on a busy machine that may take long.

A limit here only decides when a test that fails says so. No test measures how long anything takes.
"""

import time
from collections.abc import Callable
from typing import Final, TypeVar

LIMIT: Final = 300.0  # seconds; what did not happen by then does not happen
SHOWN: Final = 120.0  # likewise, of what a browser shows
_PAUSE: Final = 0.05

_T = TypeVar("_T")


def _sleep() -> None:
    time.sleep(_PAUSE)


def until(
    look: Callable[[], _T], enough: Callable[[_T], bool] = bool, pause: Callable[[], object] = _sleep
) -> _T:
    """Look again and again, and return what there is once it is enough; after the limit, as it then is.

    `pause` is called between two looks. A browser needs one of its own, during which it goes on.
    """
    give_up = time.monotonic() + LIMIT
    while not enough(found := look()) and time.monotonic() < give_up:
        pause()
    return found
