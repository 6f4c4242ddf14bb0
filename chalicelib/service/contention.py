"""Retry what other writes were in the way of: a few times, with growing random pauses, then 503."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final, TypeVar

from chalicelib.domain.errors import ContendedError, TryLaterError
from chalicelib.service.ports import World

TRIES: Final = 8
TIME: Final = timedelta(seconds=12)  # a last attempt may take 15 s more, and API Gateway waits 29 s
FIRST_PAUSE_SECONDS: Final = 0.04
LONGEST_PAUSE_SECONDS: Final = 1.0

_T = TypeVar("_T")


def pause_before(world: World, attempt: int) -> float:
    """Return seconds to wait before attempt 1, 2, …: full jitter over a span that doubles."""
    most = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * (1 << attempt))
    return most * (int.from_bytes(world.random_bytes(2), "big") / 65535)


def until_decided(world: World, attempt: Callable[[], _T | None]) -> _T:
    """Call `attempt` until it returns something. After None or `TryLaterError` it is called again.

    Raises the last `TryLaterError`, or `ContendedError`, after the last try or when no time is left for another.
    So a conflict or throttling ends in success or 503, never in a refusal that is not true (P1, P4).
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
