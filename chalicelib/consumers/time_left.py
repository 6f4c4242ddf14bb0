"""Check the time a function has left, so that it starts no work that it can't finish before its timeout."""

from datetime import timedelta
from typing import Any, Final

from chalicelib.domain.errors import Fault

SPARE: Final = timedelta(seconds=20)  # the retries of one chunk may take 12 s, and the last try some more


class OutOfTimeError(Exception):
    """The function's timeout is near. What is done is kept; the same request resumes from there."""

    fault: Final = Fault("out-of-time")


def has_time(context: Any, needed: timedelta = SPARE) -> bool:
    """Return whether the time left before the function's timeout is enough for one more step."""
    left = getattr(context, "get_remaining_time_in_millis", None)
    return left is None or left() >= needed.total_seconds() * 1000


def require_time(context: Any, needed: timedelta = SPARE) -> None:
    """Raise `OutOfTimeError` if the time left before the function's timeout is too short for one more step."""
    if not has_time(context, needed):
        raise OutOfTimeError("too little time is left")
