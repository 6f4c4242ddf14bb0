"""Retry writes that conflict with other writes: a few times, after growing random pauses, then fail with 503."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final, TypeVar

from chalicelib.domain.errors import ContendedError, TryLaterError
from chalicelib.service.ports import World

TRIES: Final = 8
TIME: Final = timedelta(
    seconds=12
)  # the last attempt may take another 15 s; API Gateway times out after 29 s
FIRST_PAUSE_SECONDS: Final = 0.04
MAX_PAUSE_SECONDS: Final = 1.0

_T = TypeVar("_T")


def pause_before(world: World, attempt: int) -> float:
    """Return the seconds to wait before retry 1, 2, …: exponential backoff with full jitter."""
    most = min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * (1 << attempt))
    return most * (int.from_bytes(world.random_bytes(2), "big") / 65535)


def until_decided(world: World, attempt: Callable[[], _T | None]) -> _T:
    """Call `attempt` until it returns a value; retry after None or `TryLaterError`.

    Raises the last `TryLaterError`, or `ContendedError` if there was none, when the tries or the time are used up.
    So a conflict or throttling ends in success or 503, never in an error that does not apply (P1, P4).
    """
    last: TryLaterError = ContendedError()
    give_up = world.now() + TIME
    for number in range(TRIES):
        if number:
            if world.now() > give_up:
                break
            world.sleep(pause_before(world, number))
        try:
            result = attempt()
        except TryLaterError as error:
            last = error
        else:
            if result is not None:
                return result
    raise last
