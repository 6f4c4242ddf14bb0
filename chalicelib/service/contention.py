"""Retry writes that conflict or are throttled, with exponential backoff and full jitter; then fail with 503 or 429."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final, TypeVar

from chalicelib.domain.errors import ContendedError, NewerItemError, TryLaterError
from chalicelib.service.ports import World

MAX_ATTEMPTS: Final = 8
# The last attempt may take another 15 s; API Gateway times out after 29 s.
MAX_DURATION: Final = timedelta(seconds=12)
FIRST_PAUSE_SECONDS: Final = 0.04
MAX_PAUSE_SECONDS: Final = 1.0

_T = TypeVar("_T")


class Outcomes:
    """What a call knows about the outcomes of its attempts' writes.

    `is_uncertain`: DynamoDB may have applied a write of an earlier attempt, so the next one looks for its result (P4).
    """

    def __init__(self) -> None:
        self.is_uncertain = False

    @contextlib.contextmanager
    def of_write(self) -> Iterator[None]:
        """Record whether the outcome of the write in this context is unknown. After a conflict, nothing was written."""
        try:
            yield
        except ContendedError:
            raise
        except TryLaterError:
            self.is_uncertain = True
            raise


def pause_before(world: World, attempt: int) -> float:
    """Return the seconds to wait before retry 1, 2, …: exponential backoff with full jitter."""
    most = min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * (1 << attempt))
    return most * (int.from_bytes(world.random_bytes(2), "big") / 65535)


def retry_until_result(world: World, attempt: Callable[[], _T | None]) -> _T:
    """Call `attempt` until it returns a value; retry after None or `TryLaterError`, but not after `NewerItemError`.

    After `MAX_ATTEMPTS` attempts or `MAX_DURATION`, raises the last `TryLaterError`, or `ContendedError` if there was
    none. A conflict or throttling therefore ends in success, 429 or 503, and never in a false 409 or 410 (P1, P4).
    """
    last: TryLaterError = ContendedError()
    give_up = world.now() + MAX_DURATION
    for number in range(MAX_ATTEMPTS):
        if number:
            if world.now() > give_up:
                break
            world.sleep(pause_before(world, number))
        try:
            result = attempt()
        except NewerItemError:
            raise  # only a deployment changes that
        except TryLaterError as error:
            last = error
            last.attempts = number + 1
        else:
            if result is not None:
                return result
    raise last
