"""The time, and waiting; tests replace both."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Clock:
    """The current time (UTC), and how to wait for seconds."""

    now: Callable[[], datetime] = _now
    wait: Callable[[float], None] = time.sleep


CLOCK: Final = Clock()
