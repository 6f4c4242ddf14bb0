"""A history: who called what, when, and the answers they got."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

NEVER: Final = math.inf

UNKNOWN: Final = "no answer"
"""The code of a call whose end nobody knows: it may take effect at any later time, or never."""


@dataclass(frozen=True)
class Call:
    """One call, from its sending to its answer.

    `invoked` and `returned` order calls: one that returned before another was invoked came first. `clock` bounds what
    the clock that decided it may have shown, in milliseconds; `returned` and its end are `NEVER` where no answer came.
    An `optional` call may have happened within its time, or not: nobody was told.
    """

    number: int
    kind: str
    what: Mapping[str, Any]
    code: str
    invoked: float
    returned: float
    clock: tuple[float, float]
    told: Mapping[str, Any] = field(default_factory=dict)
    who: str = ""
    optional: bool = False

    @property
    def is_known(self) -> bool:
        """Whether whoever called was told what became of it."""
        return self.code != UNKNOWN

    def unanswered(self) -> "Call":
        """Return the call as it is when its answer never came: it may happen, at any later time."""
        return replace(
            self, code=UNKNOWN, told={}, returned=NEVER, clock=(self.clock[0], NEVER), optional=True
        )

    def happened_again(self, number: int) -> "Call":
        """Return what a repeat within the same call may do: the same once more, within its time, or nothing."""
        return replace(self, number=number, code=UNKNOWN, told={}, optional=True)


def in_order(calls: Iterable[Call]) -> list[Call]:
    """Return calls by when they were invoked."""
    return sorted(calls, key=lambda call: (call.invoked, call.returned, call.number))


def until(calls: Sequence[Call], moment: float) -> list[Call]:
    """Return the history as it was known at a moment: what was invoked by then, unanswered where no answer was there.

    Every beginning of an explainable history is explainable, so the beginning of a bad one that is bad says more.
    """
    return [
        call if call.returned <= moment or call.optional else call.unanswered()
        for call in calls
        if call.invoked <= moment
    ]
