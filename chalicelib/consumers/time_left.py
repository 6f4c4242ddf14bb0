"""The time a function has left: don't start work that can't finish before the timeout."""

from datetime import timedelta
from typing import Any, Final

SPARE: Final = timedelta(seconds=20)  # the retries of one chunk may take 12 s, and the last one some more


class OutOfTimeError(Exception):
    """The function's timeout is near. What is done is kept; the same request continues from there."""


def require_time(context: Any, needed: timedelta = SPARE) -> None:
    """Raise `OutOfTimeError` if the time left before the function's timeout is too short for one more step."""
    left = getattr(context, "get_remaining_time_in_millis", None)
    if left is not None and left() < needed.total_seconds() * 1000:
        raise OutOfTimeError("too little time is left")
