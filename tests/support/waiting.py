"""Wait until a condition holds, which may take long on a busy machine.

The limits only decide when a failing test gives up. No test measures a duration.
"""

import time
from collections.abc import Callable
from typing import Final, TypeVar

LIMIT: Final = 300.0  # seconds; after that a test fails
SHOWN: Final = 120.0  # seconds; the same for what a browser shows
_PAUSE: Final = 0.05

_T = TypeVar("_T")


def _sleep() -> None:
    time.sleep(_PAUSE)


def until(
    look: Callable[[], _T],
    enough: Callable[[_T], bool] = bool,
    pause: Callable[[], object] = _sleep,
    limit: float | None = None,
) -> _T:
    """Poll until a value is `enough`, and return it; after `limit` seconds (`LIMIT`), fail with the last value.

    `pause` is called between two polls. A browser needs its own, which keeps the browser running.
    """
    limit = LIMIT if limit is None else limit
    give_up = time.monotonic() + limit
    while not enough(found := look()):
        assert time.monotonic() < give_up, f"not within {limit:.0f} s; last value: {found!r}"
        pause()
    return found
