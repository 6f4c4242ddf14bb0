"""How much of a function's time is left: nothing is begun that it could not end."""

from datetime import timedelta
from typing import Any, Final

SPARE: Final = timedelta(seconds=20)  # a chunk's tries may take 12 s, and its last one some more


class OutOfTimeError(Exception):
    """The function's time is nearly over. What is done is kept, and the same request goes on from there."""


def require_time(context: Any, needed: timedelta = SPARE) -> None:
    """Raise `OutOfTimeError` when what is left of the function's time is too short for one more step."""
    left = getattr(context, "get_remaining_time_in_millis", None)
    if left is not None and left() < needed.total_seconds() * 1000:
        raise OutOfTimeError("too little time is left")
