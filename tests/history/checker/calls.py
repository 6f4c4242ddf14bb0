"""A history: calls, each with its caller, its arguments, its result, and when it was sent and answered."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

NEVER: Final = math.inf

UNKNOWN: Final = "no answer"
"""The code of a call without an answer: it may take effect at any later time, or never."""


@dataclass(frozen=True)
class Call:
    """One call, from the moment it is sent to its answer.

    `invoked` and `returned` order calls: a call that returned before another was invoked comes first. `clock` is the
    range of times, in milliseconds, that the app's clock may have shown when the app processed the call. Without an
    answer, `returned` and the end of `clock` are `NEVER`. An `optional` call may have taken effect between `invoked`
    and `returned`, or not at all.
    """

    number: int
    kind: str
    args: Mapping[str, Any]
    code: str
    invoked: float
    returned: float
    clock: tuple[float, float]
    result: Mapping[str, Any] = field(default_factory=dict)
    caller: str = ""
    optional: bool = False

    @property
    def is_answered(self) -> bool:
        """Whether the caller received an answer."""
        return self.code != UNKNOWN

    def without_answer(self) -> "Call":
        """Return the call as if its answer had never arrived: it may take effect at any later time."""
        return replace(
            self, code=UNKNOWN, result={}, returned=NEVER, clock=(self.clock[0], NEVER), optional=True
        )

    def possible_repeat(self, number: int) -> "Call":
        """Return an optional call with the same effect: the app may have sent the call's write twice."""
        return replace(self, number=number, code=UNKNOWN, result={}, optional=True)


def in_order(calls: Iterable[Call]) -> list[Call]:
    """Return calls in the order in which they were invoked."""
    return sorted(calls, key=lambda call: (call.invoked, call.returned, call.number))


def prefix(calls: Sequence[Call], moment: float) -> list[Call]:
    """Return the calls invoked up to a moment; a call that had not returned by then has no answer.

    Linearizability is prefix-closed, so a prefix that is not linearizable is a smaller example of the same violation.
    """
    return [
        call if call.returned <= moment or call.optional else call.without_answer()
        for call in calls
        if call.invoked <= moment
    ]
